"""Score every candidate of a set of groups with the cross-encoder and the bi-encoder's cosines, as a teacher.

    python -m cross.score_groups --model FOLDER --groups SET --out SET2 --device cuda

SET2 is the set with "scores" in every group: those of the model that cross/combine.py makes of the cross-encoder FOLDER,
the logit plus 20 cosines. FOLDER may be such a model too; its bi-encoder isn't needed, as the groups have its cosines.
llm.train then learns from these scores. bfloat16 products, pairs sorted by length.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from cross.examples import made, moved, multiple_of, padded, pair
from cross.train import load, logits
from layouts import LAYOUTS
from training_data import read_jsonl, write_rows

PASSAGES = "passages.jsonl.gz"


def encoded(tokenizer, texts):
    """Token ids of the texts."""
    return [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def scores_of(model, pairs, args):
    """Logits of the pairs, which are (query ids, passage ids)."""
    layout = LAYOUTS[model.config.model_type]
    sizes = np.array([min(args.max_length, len(q) + len(p)) for q, p in pairs])
    order = np.argsort(-sizes, kind="stable")
    starts = range(0, len(order), args.batch)

    def batch(start):
        chosen = [
            pair(layout, *pairs[i], args.max_length) for i in order[start : start + args.batch]
        ]
        return padded(chosen, layout.padding, multiple_of(args.device))[0]

    parts = []
    with torch.no_grad():
        for ids in made(batch, starts, args.device):
            parts.append(logits(model, moved(ids, args.device)))
    out = np.empty(len(order), np.float32)
    out[order] = torch.cat(parts).cpu().numpy()
    return out


def main():
    """Write the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the cross-encoder")
    parser.add_argument("--groups", type=Path, required=True, help="folder of make_groups.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--scale", type=float, default=20, help="of the cosine (20)")
    parser.add_argument("--max-length", type=int, default=256, help="tokens a pair (256)")
    parser.add_argument("--batch", type=int, default=1024, help="pairs at a time (1024)")
    parser.add_argument("--first", type=int, help="only so many groups")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    model = load(args.model, args.model, args.device)
    passages = encoded(tokenizer, [row["text"] for row in read_jsonl(args.groups / PASSAGES)])
    rows = read_jsonl(args.groups / "groups.jsonl.gz")[: args.first]
    queries = encoded(tokenizer, [row["query"] for row in rows])
    pairs = [
        (query, passages[i])
        for row, query in zip(rows, queries, strict=True)
        for i in row["candidates"]
    ]
    print(len(pairs), "pairs", flush=True)
    found = iter(scores_of(model, pairs, args).tolist())
    for row in rows:
        row["scores"] = [round(args.scale * cosine + next(found), 3) for cosine in row["cosines"]]
    args.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(args.groups / PASSAGES, args.out / PASSAGES)
    write_rows(args.out / "groups.jsonl.gz", rows)
    own = np.mean([max(row["scores"]) == row["scores"][0] for row in rows])
    print(f"the own passage is first for {own:.3f} of the groups", flush=True)


if __name__ == "__main__":
    main()
