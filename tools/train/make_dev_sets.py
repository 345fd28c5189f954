#!/usr/bin/env python3
"""BEIR folders of medical and covid questions that no set of groups has, with a BM25 first stage.

    make_dev_sets.py --data DATA --groups SET... --out FOLDER

`medical`: questions of the dev part of MedQuAD and PubMedQA. `covid`: questions of COVID-QA, whose dev part is empty;
train.py, which reads the whole train part, has seen them. The corpus is all passages of the source. Passages without their questions may
have taken part in training as candidates.
"""

import argparse
import json
import random
from pathlib import Path

from bm25 import Index
from training_data import read_jsonl, read_queries

QUERIES, TOP, SEED = 50, 20, 7


def write_set(folder, rows, passages):
    """Write corpus, queries, judgements and the first stage. rows: queries; passages {id: text}."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    names = list(passages)
    index = Index(passages.values())
    corpus = [{"_id": name, "title": "", "text": text} for name, text in passages.items()]
    queries = [{"_id": row["id"], "text": row["query"]} for row in rows]
    for name, objects in (("corpus", corpus), ("queries", queries)):
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    qrels = [f"{row['id']}\t{name}\t1\n" for row in rows for name in row["pos"]]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(qrels))
    with (folder / "bm25.trec").open("w") as run:
        for row in rows:
            scores = index.scores(row["query"])
            for rank, i in enumerate((-scores).argsort(kind="stable")[:TOP]):
                run.write(f"{row['id']} Q0 {names[i]} {rank + 1} {scores[i]:.6f} bm25\n")


def main():
    """Write both sets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the training set")
    parser.add_argument("--groups", type=Path, required=True, nargs="+", help="of the trainings")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    seen = {row["query"] for set_ in args.groups for row in read_jsonl(set_ / "groups.jsonl.gz")}
    slices = {"medical": ("dev", {"medquad", "pubmedqa"}), "covid": ("train", {"covid"})}
    for name, (part, sources) in slices.items():
        rows = [row for row in read_queries(args.data, part) if row["source"] in sources]
        unseen = [row for row in rows if row["query"] not in seen]
        chosen = random.Random(SEED).sample(unseen, min(QUERIES, len(unseen)))
        passages = read_jsonl(args.data / "passages.jsonl.gz")
        texts = {row["id"]: row["text"] for row in passages if row["source"] in sources}
        write_set(args.out / name, chosen, texts)
        print(
            f"{name}: {len(chosen)} of {len(rows)} questions, {len(unseen)} unseen, "
            f"{len(texts)} passages"
        )


if __name__ == "__main__":
    main()
