"""Reader and writer of JSON lines, reader of the training set that make_training_pairs.py writes."""

import gzip
import json

QUERIES_PER_SOURCE = 9000
QUERIES_OF = {"medquad": 3000}  # built from templates, hence fewer


def read_jsonl(path):
    """The objects of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_rows(path, rows):
    """Gzipped JSON lines whose bytes depend on nothing but the rows."""
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        for line in lines:
            file.write(line.encode("utf-8"))


def read_passages(folder):
    """{passage id: text}."""
    return {row["id"]: row["text"] for row in read_jsonl(folder / "passages.jsonl.gz")}


def read_queries(folder, part):
    """Rows {id, query, pos, neg, rand, source, lang} of 'train' or 'dev'."""
    return read_jsonl(folder / f"{part}.jsonl.gz")


def english(rows):
    """Those of the rows, passages or queries, that are English."""
    return [row for row in rows if row["lang"] == "en"]


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
