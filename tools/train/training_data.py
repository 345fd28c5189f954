"""Reader of the training set that make_training_pairs.py writes."""

import gzip
import json


def read_jsonl(path):
    """The objects of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_passages(folder):
    """{passage id: text}."""
    return {row["id"]: row["text"] for row in read_jsonl(folder / "passages.jsonl.gz")}


def read_queries(folder, part):
    """Rows {id, query, pos, neg, rand, source, lang} of 'train' or 'dev'."""
    return read_jsonl(folder / f"{part}.jsonl.gz")
