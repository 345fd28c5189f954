#!/usr/bin/env python3
"""Queries of many domains, their candidate passages and the bi-encoder's cosines.

    python -m cross.make_groups --data TRAINING_SET --texts FOLDER --teacher FOLDER --held-out SET... --out FOLDER

Written:

    passages.jsonl.gz  {"source", "text"}
    groups.jsonl.gz    {"query", "kind", "source", "bonus", "candidates": [passage], "cosines": [...]}
    stats.json         counts by source, what was dropped, hashes of inputs and outputs

kind   question: of the training set; title: a title, headword or summary of the text; crop: words of a passage
bonus  what the label adds to 20 cosines of the first candidate, which is the query's own passage; 0: no label
The other candidates are the best by BM25 and by the bi-encoder in the source's own passages, and two random ones.
A candidate nearer to the query than 0.95 of the own passage's cosine is no negative of a labelled query.
A passage that shares a run of 13 tokens with a text of an evaluation set is dropped, and so is such a query.
"""

import argparse
import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import bm25
from cross.teacher import FEW_TOKENS, BiEncoder
from cross.texts import READERS, sentences, windows
from held_out import HeldOut
from training_data import balanced, english, read_jsonl, read_queries, write_rows

QUESTION_BONUS = 6.0
LEXICAL, SEMANTIC, RANDOM = 5, 7, 2
LOOKED_AT = 40
PART = 2048  # texts whose vectors are kept together
NEAR = 0.95  # of the own passage's cosine, from where on a candidate may be relevant too
LEAST_CHARACTERS = {"wordnet": 40, "gcide": 90}
CROPS_OF = {"scitldr": 2, "arxiv": 3, "semeval": 4, "wordnet": 0, "gcide": 0.3}
MOST_CROPPED = 2000  # passages of a source of the training set


class Query(NamedTuple):
    """A query and its own passage."""

    text: str
    kind: str
    source: str
    bonus: float
    own: int
    negatives: tuple = ()


def crop(text, rng):
    """A sentence of the text, or some of its words."""
    chosen = rng.choice([s for s in sentences(text) if len(s) > 20] or [text]).split()
    if rng.random() < 0.5:
        length = rng.randint(5, 16)
        start = rng.randrange(max(1, len(chosen) - length + 1))
        chosen = chosen[start : start + length]
        chosen = [word for word in chosen if rng.random() < 0.75] or chosen
    return " ".join(chosen[:32])


def titled(title, source, rng):
    """A title as a query; a headword is sometimes asked for."""
    if source in ("foldoc", "gcide", "wordnet") and rng.random() < 0.4:
        return rng.choice(["what is {}?", "what does {} mean?", "definition of {}"]).format(title)
    return title


class Collection:
    """Passages and queries as they come together."""

    def __init__(self, held_out, rng, share, questions):
        """Start with nothing. share: of the most passages of a source; questions: of the questions."""
        self.held_out, self.rng, self.share, self.questions = held_out, rng, share, questions
        self.passages, self.queries, self.dropped = [], [], Counter()

    def add_passage(self, source, text):
        """Its position; None where it shares a run of tokens with an evaluation set."""
        if self.held_out.shares_run(text, "en"):
            self.dropped[source] += 1
            return None
        self.passages.append({"source": source, "text": text})
        return len(self.passages) - 1

    def add_query(self, query):
        """A query, unless an evaluation set has it."""
        shares = self.held_out.shares_run(query.text, "en")
        if shares or self.held_out.has_question(query.text):
            self.dropped[f"{query.source} queries"] += 1
        elif query.text.strip():
            self.queries.append(query)

    def add_crops(self, source, place):
        """Cropped queries of a passage."""
        share = CROPS_OF.get(source, 1)
        count = int(share) + (self.rng.random() < share % 1)
        for _ in range(count):
            text = crop(self.passages[place]["text"], self.rng)
            self.add_query(Query(text, "crop", source, 0.0, place))

    def add_texts(self, source, folder):
        """Windows of the texts of a source, with titles and crops as queries."""
        name, reader, most, bonus = READERS[source]
        least = LEAST_CHARACTERS.get(source, 150)
        unique = {t.text: t for t in reader(folder / name) if len(t.text) >= least}
        texts = list(unique.values())
        self.rng.shuffle(texts)
        count = len(self.passages)
        for text in texts:
            size = self.rng.choice([350, 500, 700, 1100])
            whole = bonus > 0  # such a text is one passage
            for part in [text.text[:1000]] if whole else list(windows(text.text, size)):
                if len(self.passages) - count >= most * self.share:
                    return
                place = self.add_passage(source, part)
                if place is None:
                    continue
                for title in (text.title, *text.summaries):
                    if title:
                        asked = titled(title, source, self.rng)
                        self.add_query(Query(asked, "title", source, bonus, place))
                self.add_crops(source, place)

    def add_training_set(self, folder):
        """The English questions, their passages, and crops of these."""
        rows = balanced(english(read_queries(folder, "train")), self.rng)
        self.rng.shuffle(rows)
        rows = rows[: int(len(rows) * self.questions)]
        used = {key for row in rows for key in (*row["pos"], *row["neg"])}
        places, cropped = {}, Counter()
        for row in english(read_jsonl(folder / "passages.jsonl.gz")):
            if row["id"] in used:
                place = self.add_passage(row["source"], row["text"])
                if place is not None:
                    places[row["id"]] = place
        for key in self.rng.sample(sorted(places), len(places)):
            source = self.passages[places[key]]["source"]
            cropped[source] += 1
            if cropped[source] <= MOST_CROPPED * self.share:
                self.add_crops(source, places[key])
        for row in rows:
            if row["pos"][0] in places:
                negatives = tuple(places[key] for key in row["neg"] if key in places)
                own = places[row["pos"][0]]
                self.add_query(
                    Query(row["query"], "question", row["source"], QUESTION_BONUS, own, negatives)
                )


def best(scores, count):
    """Positions of the best scores, best first."""
    top = np.argpartition(-scores, min(count, len(scores) - 1))[:count]
    return top[np.argsort(-scores[top], kind="stable")]


def mined(queries, vectors, pool, pool_vectors, texts, everything, rng, near=NEAR):
    """(query, candidates) of the queries of one source. pool: its passages; vectors: of the queries."""
    index = bm25.Index(texts)
    place_of = {passage: i for i, passage in enumerate(pool)}
    for query, vector in zip(queries, vectors, strict=True):
        cosines = pool_vectors @ vector
        limit = near * cosines[place_of[query.own]] if query.bonus else 2.0
        taken = {query.own}

        def take(places, count, limit=limit, cosines=cosines, taken=taken):
            """The first of the places that are not taken and not too near."""
            for place in places:
                if count == 0:
                    return
                if pool[place] not in taken and cosines[place] < limit:
                    taken.add(pool[place])
                    count -= 1
                    yield pool[place]

        found = [query.own, *(n for n in query.negatives if n != query.own)]
        taken |= set(found)
        lexical = index.scores(query.text)
        if lexical is not None:
            found += take(best(lexical, LOOKED_AT), LEXICAL - len(query.negatives))
        found += take(best(cosines, LOOKED_AT), SEMANTIC)
        found += [n for n in rng.sample(everything, RANDOM) if n not in taken]
        yield query, found


def passage_vectors(teacher, texts, folder):
    """Vectors of the texts; parts that the folder has from an interrupted run stay."""
    folder.mkdir(exist_ok=True)
    parts = []
    for start in range(0, len(texts), PART):
        part = texts[start : start + PART]
        path = folder / f"{hashlib.sha256(json.dumps(part).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            fresh = path.with_suffix(".new")
            with fresh.open("wb") as file:
                np.save(file, teacher.vectors(part).astype(np.float16))
            fresh.rename(path)
            print(start + len(part), "of", len(texts), "vectors", flush=True)
        parts.append(np.load(path).astype(np.float32))
    return np.concatenate(parts)


def sha256(path):
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_set(args, passages, rows, dropped, inputs):
    """Write passages, groups and what is told of them to args.out. dropped: a Counter; inputs: files to hash."""
    write_rows(args.out / "passages.jsonl.gz", passages)
    write_rows(args.out / "groups.jsonl.gz", rows)
    outputs = [args.out / n for n in ("passages.jsonl.gz", "groups.jsonl.gz")]
    stats = {
        "seed": args.seed,
        "passages": dict(Counter(p["source"] for p in passages)),
        "queries": dict(Counter(f"{r['source']} {r['kind']}" for r in rows)),
        "dropped_for_a_run_of_13_tokens": dict(dropped),
        "held_out": sorted(f"{s.parent.name}/{s.name}" for s in args.held_out),
        "sha256_of_inputs": {path.name: sha256(path) for path in inputs},
        "sha256": {path.name: sha256(path) for path in outputs},
    }
    (args.out / "stats.json").write_text(json.dumps(stats, indent=1) + "\n", encoding="utf-8")


def main():
    """Build the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="set of make_training_pairs.py")
    parser.add_argument("--texts", type=Path, required=True, help="folder of README.md's sources")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, metavar="SET")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the passages and questions (1)"
    )
    parser.add_argument("--questions", type=float, help="of the questions (as --share)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(args.seed)
    questions = args.share if args.questions is None else args.questions
    collection = Collection(HeldOut.of_sets(args.held_out), rng, args.share, questions)
    collection.add_training_set(args.data)
    for source in READERS:
        collection.add_texts(source, args.texts)
    passages = collection.passages
    print(len(passages), "passages,", len(collection.queries), "queries", flush=True)
    print(Counter((q.source, q.kind) for q in collection.queries), flush=True)
    teacher = BiEncoder(args.teacher, torch.bfloat16, FEW_TOKENS)
    vectors = passage_vectors(teacher, [p["text"] for p in passages], args.out / "vectors")
    rows = []
    for source in dict.fromkeys(p["source"] for p in passages):
        pool = [i for i, p in enumerate(passages) if p["source"] == source]
        queries = [q for q in collection.queries if q.source == source]
        asked = teacher.vectors([q.text for q in queries])
        texts = [passages[i]["text"] for i in pool]
        everything = range(len(passages))
        found = mined(queries, asked, pool, vectors[pool], texts, everything, rng)
        for (query, candidates), vector in zip(found, asked, strict=True):
            cosines = (vectors[candidates] @ vector).round(4).tolist()
            rows.append({**query._asdict(), "candidates": candidates, "cosines": cosines})
            del rows[-1]["own"], rows[-1]["negatives"]
            rows[-1]["query"] = rows[-1].pop("text")
        print(source, len(pool), "passages,", len(queries), "queries", flush=True)
    rng.shuffle(rows)
    inputs = [args.data / n for n in ("passages.jsonl.gz", "train.jsonl.gz")]
    inputs.append(args.teacher / "model.safetensors")
    write_set(args, passages, rows, collection.dropped, inputs)


if __name__ == "__main__":
    main()
