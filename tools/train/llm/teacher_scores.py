"""Scores of the XLM-R reranker for training pairs: what the decoders are distilled from.

    python -m llm.teacher_scores --data TRAINING_SET --teacher FOLDER --out FILE

Rows come in a random order, balanced over the sources; each has a positive, two BM25 negatives and one random
passage. Writes JSON lines {"id", "passages": [4 ids, the positive first], "scores": [4 logits]} as it goes, so
the file can be used before it is complete.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from training_data import read_passages, read_queries

WINDOW_ROWS = 96  # rows scored together, sorted by length so that a batch pads little
BATCH_PAIRS = 48
MAX_TOKENS = 224
MAX_QUERY_TOKENS = 64
QUERIES_PER_SOURCE = 9000
QUERIES_OF = {"medquad": 3000}  # built from templates, hence fewer
BOS, PAD, EOS = 0, 1, 2


def balanced(rows, rng):
    """The rows, shuffled, with no more of a source than its share."""
    left, chosen = {}, []
    for row in rng.sample(rows, len(rows)):
        source = row["source"]
        left.setdefault(source, QUERIES_OF.get(source, QUERIES_PER_SOURCE))
        if left[source]:
            left[source] -= 1
            chosen.append(row)
    return chosen


def sample_passages(row, rng):
    """Ids of a positive, two hard negatives and a random passage; None where the row has too few."""
    if len(row["neg"]) < 2 or not row["rand"]:
        return None
    return [rng.choice(row["pos"]), *rng.sample(row["neg"], 2), rng.choice(row["rand"])]


def score(model, pairs):
    """Logits of token lists, in batches of similar length."""
    order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i]))
    out = [0.0] * len(pairs)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), BATCH_PAIRS):
            part = order[start : start + BATCH_PAIRS]
            ids = torch.full((len(part), len(pairs[part[0]])), PAD)
            for row, i in enumerate(part):
                ids[row, : len(pairs[i])] = torch.tensor(pairs[i])
            logits = model(input_ids=ids, attention_mask=(ids != PAD).long()).logits
            for i, logit in zip(part, logits.view(-1).float().tolist(), strict=True):
                out[i] = logit
    return out


def main():
    """Score the rows and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="training set folder")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of the XLM-R reranker")
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    parser.add_argument("--rows", type=int, default=40000, help="queries to score at most (40000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = random.Random(args.seed)
    tokenizer = Tokenizer.from_file(str(args.teacher / "tokenizer.json"))
    model = AutoModelForSequenceClassification.from_pretrained(args.teacher, dtype=torch.float32)
    model.eval()
    passages = read_passages(args.data)
    rows = balanced(read_queries(args.data, "train"), rng)[: args.rows]
    began, done = time.time(), 0
    with args.out.open("w") as file:
        for start in range(0, len(rows), WINDOW_ROWS):
            chosen = [(row, sample_passages(row, rng)) for row in rows[start : start + WINDOW_ROWS]]
            chosen = [(row, keys) for row, keys in chosen if keys]
            queries = tokenizer.encode_batch(
                [row["query"] for row, _ in chosen], add_special_tokens=False
            )
            texts = tokenizer.encode_batch(
                [passages[key] for _, keys in chosen for key in keys], add_special_tokens=False
            )
            pairs = [
                [BOS, *queries[i // 4].ids[:MAX_QUERY_TOKENS], EOS, EOS, *text.ids][
                    : MAX_TOKENS - 1
                ]
                + [EOS]
                for i, text in enumerate(texts)
            ]
            scores = score(model, pairs)
            for i, (row, keys) in enumerate(chosen):
                four = [round(s, 3) for s in scores[4 * i : 4 * i + 4]]
                line = {"id": row["id"], "passages": keys, "scores": four}
                file.write(json.dumps(line) + "\n")
            file.flush()
            done += len(chosen)
            if start // WINDOW_ROWS % 10 == 0:
                print(f"{done} rows, {done / (time.time() - began):.1f} rows/s", flush=True)


if __name__ == "__main__":
    main()
