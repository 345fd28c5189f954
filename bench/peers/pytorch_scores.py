#!/usr/bin/env python3
"""PyTorch as a contestant: transformers' sequence classification with sdpa attention, from token ids to scores.

    pytorch_scores.py --model FOLDER --dtype float32|bfloat16|float16

Reads JSON {ids, types, pad} from the first line of its input (types only of models that have them) and answers with facts; then answers each further line
with the scores. Batches are of 8 pairs sorted by length, longest first, as FlagEmbedding makes them. On a GPU where
there is one.
"""

import argparse
import json
import os
import resource
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from transformers import AutoModelForSequenceClassification

BATCH = 8


def batches(ids, types, pad, device):
    """Positions of the pairs and what the model is given, of each batch."""
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    for start in range(0, len(order), BATCH):
        positions = order[start : start + BATCH]
        width = len(ids[positions[0]])

        def padded(rows, filler, positions=positions, width=width):
            filled = [rows[i] + [filler] * (width - len(rows[i])) for i in positions]
            return torch.tensor(filled, device=device)

        lengths = torch.tensor([[len(ids[i])] for i in positions], device=device)
        mask = (torch.arange(width, device=device) < lengths).long()
        fed = {"input_ids": padded(ids, pad), "attention_mask": mask}
        if types:
            fed["token_type_ids"] = padded(types, 0)
        yield positions, fed


def score(model, made, count):
    """Scores of all pairs in their order."""
    scores = [0.0] * count
    with torch.inference_mode():
        found = [model(**fed).logits[:, 0] for _, fed in made]
        for (positions, _), logits in zip(made, found, strict=True):
            for position, value in zip(positions, logits.tolist(), strict=True):
                scores[position] = value
    return scores


def answer(report):
    """One line of JSON."""
    print(json.dumps(report), flush=True)


def load(folder, dtype):
    """The model with sdpa attention, or with the only one it has (DeBERTa)."""
    made = AutoModelForSequenceClassification.from_pretrained
    try:
        return made(folder, attn_implementation="sdpa", dtype=dtype)
    except ValueError:
        return made(folder, attn_implementation="eager", dtype=dtype)


def main():
    """Load, then score at each line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", required=True, choices=["float32", "bfloat16", "float16"])
    arguments = parser.parse_args()
    task = json.loads(sys.stdin.readline())
    ids = task["ids"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load(arguments.model, getattr(torch, arguments.dtype)).eval().to(device)
    made = list(batches(ids, task.get("types"), task["pad"], device))
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    answer({"version": versions, "provider": device, "threads": torch.get_num_threads()})
    for _ in sys.stdin:
        start = time.process_time()
        scores = score(model, made, len(ids))
        cpu_ms = 1000 * (time.process_time() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer({"scores": scores, "cpuMs": cpu_ms, "peakMiB": peak})


if __name__ == "__main__":
    main()
