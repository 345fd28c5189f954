#!/usr/bin/env python3
"""Queries in many languages, their candidate passages and the bi-encoder's cosines.

    python -m multilingual.make_groups --data TRAINING_SET --texts FOLDER --bi-encoder FOLDER --held-out SET... --out FOLDER

Written as cross.make_groups does: passages.jsonl.gz, groups.jsonl.gz, stats.json. Kinds of queries: questions of the
training set (five languages), titles of sections of translated manuals, crops of those sections (27 languages).
Candidates are the query's own passage, the negatives of the training set, and the best by BM25 and by the bi-encoder of the
language's passages. What shares a run of 13 tokens (Thai: 40) with a text of an evaluation set is dropped.
"""

import argparse
import random
from collections import Counter
from pathlib import Path

import torch

from cross.make_groups import Query, mined, passage_vectors, write_set
from cross.make_groups import crop as crop_words
from cross.teacher import BiEncoder
from held_out import HeldOut
from multilingual.texts import translated_sections
from training_data import read_passages, read_queries

QUESTIONS = {"en": 1500, "zh": 700, "th": 600, "ja": 500, "ar": 700}
SECTIONS = 210  # of a language
NEGATIVES = 2  # of the training set, a question
BONUS = {"question": 6.0, "title": 3.0, "crop": 5.0}
CROPS = 2  # of a section
CHARACTERS = 700  # of a passage of the training set
MAX_TOKENS = 144
NEAR = 1.03  # cosines of e5 lie between 0.7 and 0.95
UNSPACED = ("zh", "ja", "th")
QUERY, PASSAGE = "query: ", "passage: "


def crop(text, language, rng):
    """A sentence or some of the words of a text; of a language without spaces a run of characters."""
    if language not in UNSPACED:
        return crop_words(text, rng)
    length = rng.randint(8, 30)
    start = rng.randrange(max(1, len(text) - length + 1))
    return text[start : start + length]


class Collection:
    """Passages and queries by language."""

    def __init__(self, held_out):
        """Start with nothing."""
        self.held_out = held_out
        self.passages, self.queries, self.places, self.dropped = [], [], {}, Counter()

    def place(self, language, text):
        """The position of a passage; None where another language or, in part, an evaluation set has it too."""
        if text not in self.places:
            clean = not self.held_out.shares_run(text, language)
            self.dropped[language] += not clean
            self.places[text] = len(self.passages) if clean else None
            if clean:
                self.passages.append({"source": language, "text": text})
        place = self.places[text]
        return place if place is None or self.passages[place]["source"] == language else None

    def add_query(self, text, kind, language, own, negatives=()):
        """A query, unless an evaluation set has it."""
        shares = self.held_out.shares_run(text, language)
        if shares or self.held_out.has_question(text):
            self.dropped[f"{language} queries"] += 1
        elif text.strip():
            self.queries.append(Query(text, kind, language, BONUS[kind], own, negatives))

    def add_questions(self, folder, rng):
        """Questions of the training set."""
        texts = {key: text[:CHARACTERS] for key, text in read_passages(folder).items()}
        rows = read_queries(folder, "train")
        for language, most in QUESTIONS.items():
            own = [row for row in rows if row["lang"] == language]
            for row in rng.sample(own, min(most, len(own))):
                place = self.place(language, texts[row["pos"][0]])
                negatives = rng.sample(row["neg"], min(NEGATIVES, len(row["neg"])))
                places = [self.place(language, texts[key]) for key in negatives]
                if place is not None:
                    kept = tuple(p for p in places if p is not None)
                    self.add_query(row["query"], "question", language, place, kept)

    def add_sections(self, folder, rng):
        """Sections of manuals, with titles and crops as queries."""
        for language, sections in translated_sections(folder, SECTIONS, rng).items():
            for section in sections:
                place = self.place(language, section.text)
                if place is None:
                    continue
                if section.title:
                    self.add_query(section.title, "title", language, place)
                for _ in range(CROPS):
                    self.add_query(crop(section.text, language, rng), "crop", language, place)


def main():
    """Build the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="set of make_training_pairs.py")
    parser.add_argument("--texts", type=Path, required=True, help="folder of README.md's packages")
    parser.add_argument("--bi-encoder", type=Path, required=True, help="folder of make_start.py")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, metavar="SET")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(args.seed)
    collection = Collection(HeldOut.of_sets(args.held_out))
    collection.add_questions(args.data, rng)
    collection.add_sections(args.texts, rng)
    passages, queries = collection.passages, collection.queries
    print(len(passages), "passages,", len(queries), "queries", flush=True)
    teacher = BiEncoder(args.bi_encoder, torch.bfloat16, MAX_TOKENS)
    texts = [PASSAGE + p["text"] for p in passages]
    vectors = passage_vectors(teacher, texts, args.out / "vectors")
    asked = passage_vectors(teacher, [QUERY + q.text for q in queries], args.out / "vectors")
    rows = []
    for language in dict.fromkeys(q.source for q in queries):
        pool = [i for i, p in enumerate(passages) if p["source"] == language]
        own = [i for i, q in enumerate(queries) if q.source == language]
        found = mined(
            [queries[i] for i in own],
            asked[own],
            pool,
            vectors[pool],
            [passages[i]["text"] for i in pool],
            pool,
            rng,
            NEAR,
        )
        for (query, candidates), vector in zip(found, asked[own], strict=True):
            cosines = (vectors[candidates] @ vector).round(4).tolist()
            row = {"query": query.text, "kind": query.kind, "source": language}
            rows.append({**row, "bonus": query.bonus, "candidates": candidates, "cosines": cosines})
        print(language, len(pool), "passages,", len(own), "queries", flush=True)
    rng.shuffle(rows)
    inputs = [args.data / n for n in ("passages.jsonl.gz", "train.jsonl.gz")]
    write_set(args, passages, rows, collection.dropped, inputs)


if __name__ == "__main__":
    main()
