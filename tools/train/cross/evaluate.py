#!/usr/bin/env python3
"""nDCG@10 of the cross-encoder beside the bi-encoder and the sum of both, over BEIR-format folders.

    python -m cross.evaluate --model FOLDER --bi-encoder FOLDER --top 20 SET...

One JSON line a set. The sum is of z-scores over the documents of a query. PyTorch, float32 on the CPU.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from cross.teacher import BiEncoder
from evaluate import Reranker, measure, read_set, rerank


def standardized(scores):
    """{document: score} with mean 0 and deviation 1."""
    values = np.array(list(scores.values()))
    values = (values - values.mean()) / max(values.std(), 1e-9)
    return dict(zip(scores, values.tolist(), strict=True))


def total(run, other):
    """The sum of both runs' z-scores."""
    out = {}
    for query in run:
        a, b = standardized(run[query]), standardized(other[query])
        out[query] = {document: a[document] + b[document] for document in a}
    return out


def kept(reranker, corpus, queries, first, top, path):
    """The run; from the file where it is already there."""
    if path and path.exists():
        return json.loads(path.read_text())
    run = rerank(reranker, corpus, queries, first, top)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run))
    return run


def main():
    """Evaluate on every set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="BEIR-format folder")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--bi-encoder", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--top", type=int, default=20, help="documents reranked a query (20)")
    parser.add_argument("--first", type=int, help="only so many queries of a set")
    parser.add_argument("--max-length", type=int, default=512, help="tokens a pair (512)")
    parser.add_argument("--keep", type=Path, help="folder where the bi-encoder's runs stay")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cross, bi = Reranker(args.model, args.max_length), BiEncoder(args.bi_encoder)
    for folder in args.sets:
        began = time.time()
        corpus, queries, qrels, first = read_set(folder)
        chosen = [query for query in queries if query in qrels][: args.first]
        qrels, first = ({q: x[q] for q in chosen if q in x} for x in (qrels, first))
        name = f"{folder.parent.name}-{folder.name}-{args.top}-{args.first}.json"
        path = args.keep / name if args.keep else None
        theirs = kept(bi, corpus, queries, first, args.top, path)
        ours = rerank(cross, corpus, queries, first, args.top)
        runs = {"bm25": first, "bi": theirs, "cross": ours, "sum": total(ours, theirs)}
        report = {name: measure(qrels, run)["ndcg@10"] for name, run in runs.items()}
        seconds = round(time.time() - began)
        print(json.dumps({"set": folder.name, **report, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
