#!/usr/bin/env python3
"""Random-weight checkpoints of the published encoder rerankers, with the scores of transformers.

    real_sizes.py base large v2-m3 --tokenizer XLM_ROBERTA_TOKENIZER_FOLDER --work FOLDER

Each goes to FOLDER/NAME: the model folder in float16 (v2-m3 in 3 shards) and expected.json
{pairs, ids, scores, max_length, versions}. The scores are those of the stored float16 weights computed in
float32. `node bench/real-sizes.mjs FOLDER` loads the same folders with dawnrank and compares.

One model is in memory at a time: about 1.3 GB for base, 2.5 GB for the others.
"""

import argparse
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from make_models import make_model
from pairs import PANDA, PARAGRAPH

SHAPES = {
    # name: (size, positions, shards, max_length)
    "base": ("base", 514, 1, 512),
    "large": ("full", 514, 1, 512),
    "v2-m3": ("full", 8194, 3, 1024),
}
SEED = 20261123
SMALLEST_SPREAD = 0.05


def scored_pairs(max_length):
    """Eight pairs from 9 tokens to just under the limit, in several scripts."""
    long = PARAGRAPH * (2 if max_length <= 512 else 5)
    return [
        *PANDA,
        ("什么是熊猫？", "大熊猫是一种主要栖息于中国中部山区的熊科动物，以竹子为食。"),
        ("แพนด้าคืออะไร", "แพนด้ายักษ์เป็นหมีที่อาศัยอยู่ในประเทศจีนและกินไผ่"),
        ("ما هو الباندا؟", "الباندا العملاقة دب يعيش في الصين ويأكل الخيزران."),
        ("what does a panda eat?", PARAGRAPH[:230]),
        (PARAGRAPH[:120], PARAGRAPH),
        ("how many pandas live in the wild?", long),
    ]


def score(folder, max_length):
    """Token ids and float32 scores of the pairs, each alone, so that nothing is padded."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, torch_dtype=torch.float32)
    model.eval()
    pairs = scored_pairs(max_length)
    ids, scores = [], []
    for query, passage in pairs:
        tokens = tokenizer(query, passage)["input_ids"]
        if len(tokens) > max_length:
            sys.exit(f"a pair has {len(tokens)} tokens, more than {max_length}: shorten it")
        with torch.inference_mode():
            logits = model(
                input_ids=torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens))
            ).logits
        ids.append(tokens)
        scores.append(float(logits[0, 0]))
    return pairs, ids, scores


def check_spread(name, scores):
    """Random weights can give every pair the same score; such a model would check nothing."""
    ordered = sorted(scores)
    gap = min(b - a for a, b in zip(ordered, ordered[1:], strict=False))
    spread = ordered[-1] - ordered[0]
    print(
        f"{name}: scores {[round(x, 4) for x in scores]}, spread {spread:.3f}, smallest gap {gap:.4f}"
    )
    if spread < SMALLEST_SPREAD or gap == 0:
        sys.exit(f"{name}: the scores hardly differ; take another --seed")


def make(name, args):
    """Make one checkpoint and its expected scores."""
    size, positions, shards, max_length = SHAPES[name]
    seed = args.seed + list(SHAPES).index(name)  # large and v2-m3 would share their layers
    folder = args.work / name
    start = time.time()
    parameters, total = make_model(
        folder,
        "xlm-roberta",
        size,
        seed=seed,
        dtype="float16",
        shards=shards,
        tokenizer=args.tokenizer,
        positions=positions,
    )
    made = time.time()
    pairs, ids, scores = score(folder, max_length)
    check_spread(name, scores)
    expected = {
        "model": f"xlm-roberta of the shape of bge-reranker-{name}, random weights, seed {seed}",
        "dtype": "float32 on the stored float16 weights",
        "versions": {k: version(k) for k in ("torch", "transformers", "tokenizers")},
        "max_length": max_length,
        "pairs": pairs,
        "ids": ids,
        "scores": scores,
    }
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")
    print(
        f"{folder}: {parameters / 1e6:.1f} M parameters, {total / 2**20:.0f} MiB in {shards} file(s); "
        f"tokens {[len(x) for x in ids]}; made in {made - start:.0f} s, scored in {time.time() - made:.0f} s"
    )


def main():
    """Make the models named, one after another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="+", choices=list(SHAPES), metavar="NAME", help=" | ".join(SHAPES)
    )
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="folder with XLM-R's 250002-piece tokenizer"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    torch.set_num_threads(2)
    for name in args.names:
        make(name, args)


if __name__ == "__main__":
    main()
