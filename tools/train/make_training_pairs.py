#!/usr/bin/env python3
"""Build the training data from checkouts of public question-answering sets.

    PYTHONHASHSEED=0 make_training_pairs.py --sources FOLDER --out FOLDER

FOLDER of --sources has one folder a source; README.md names repositories, commits and licences. Written:

    passages.jsonl.gz  {"id", "source", "lang", "title"?, "text"}
    train.jsonl.gz     {"id", "query", "pos": [id], "neg": [id, id, id], "rand": [id, id], "source", "lang"}
    dev.jsonl.gz       the same for about 2 % of the queries, from articles that train.jsonl.gz does not use
    stats.json         what was read, dropped and kept, by source

pos   the passage that answers the query
neg   hard negatives: the best passages by BM25 in the source's own pool that are not the positive, do not have its
      text and, where the answer is known, do not contain it
rand  random passages of the language

What keeps the evaluation sets out (held_out.py): only articles of SQuAD's train part are read; articles of the
other English sources under a title of SQuAD dev are dropped; so is a query equal to an evaluation question, and
a passage that shares a run of 13 tokens (Thai: 40) with an evaluation passage, with its queries.
"""

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import bm25
from held_out import HeldOut, normalized, normalized_title
from training_data import write_rows
from training_sources import SOURCES, clean

NEGATIVES, RANDOMS = 3, 2
CANDIDATES = 60  # passages looked at for negatives


def keep_out(passages, queries, language, held_out):
    """Drop what touches an evaluation set; return passages, queries and the counts."""
    titled, sharing = set(), set()
    for key, (title, text) in passages.items():
        if language == "en" and held_out.has_title(title):
            titled.add(key)
        elif held_out.shares_run(text, language):
            sharing.add(key)
    kept = {key: value for key, value in passages.items() if key not in titled | sharing}
    with_passage = [query for query in queries if query.passage in kept]
    fresh = [query for query in with_passage if not held_out.has_question(query.text)]
    counts = {
        "passages_read": len(passages),
        "queries_read": len(queries),
        "passages_dropped_by_title": len(titled),
        "passages_dropped_by_13gram": len(sharing),
        "queries_dropped_with_them": len(queries) - len(with_passage),
        "queries_dropped_as_evaluation_questions": len(with_passage) - len(fresh),
    }
    return kept, fresh, counts


def best_first(scores):
    """Positions of the CANDIDATES best scores, best first, ties by position."""
    count = min(CANDIDATES, len(scores) - 1)
    top = np.argpartition(-scores, count)[:count]
    return top[np.lexsort((top, -scores[top]))]


def mine(passages, queries):
    """[(query, negatives)] for the queries with enough hard negatives."""
    ids = list(passages)
    index = bm25.Index([f"{title} {text}" if title else text for title, text in passages.values()])
    lowered = [text.casefold() for _, text in passages.values()]
    positives = defaultdict(set)
    for query in queries:
        positives[normalized(query.text)].add(query.passage)
    mined = []
    for query in queries:
        scores = index.scores(query.text)
        if scores is None:
            continue
        positive_text = passages[query.passage][1].casefold()
        answers = [clean(x).casefold() for x in query.answers if len(clean(x)) >= 2]
        good = (
            ids[i]
            for i in best_first(scores)
            if scores[i] > 0
            and ids[i] not in positives[normalized(query.text)]
            and lowered[i] != positive_text
            and not any(answer in lowered[i] for answer in answers)
        )
        negatives = [passage for passage, _ in zip(good, range(NEGATIVES), strict=False)]
        if len(negatives) == NEGATIVES:
            mined.append((query, negatives))
    return mined


def first_of_each_text(mined):
    """A query text with several positives stays once."""
    unique = {}
    for query, negatives in mined:
        unique.setdefault(normalized(query.text), (query, negatives))
    return list(unique.values())


def split(rows, pools, rng):
    """Train and dev rows: about 2 % of the articles are dev, whose positives train does not use."""
    groups = sorted({query.group for _, _, query, _ in rows})
    rng.shuffle(groups)
    dev_groups = set(groups[: max(1, len(groups) // 50)])
    train, dev = [], []
    for source, language, query, negatives in rows:
        taken = {query.passage, *negatives}
        randoms = []
        while len(randoms) < RANDOMS:
            candidate = rng.choice(pools[language])
            if candidate not in taken:
                randoms.append(candidate)
                taken.add(candidate)
        row = {
            "id": query.id,
            "query": query.text,
            "pos": [query.passage],
            "neg": negatives,
            "rand": randoms,
            "source": source,
            "lang": language,
        }
        (dev if query.group in dev_groups else train).append(row)
    dev_positives = {row["pos"][0] for row in dev}
    kept = [row for row in train if row["pos"][0] not in dev_positives]
    rng.shuffle(kept)
    return kept, dev, len(train) - len(kept)


def passage_rows(source, language, passages, mined):
    """Rows for the passages that a query uses."""
    used = {key for query, negatives in mined for key in (query.passage, *negatives)}
    for key, (title, text) in passages.items():
        if key in used:
            titled = {"title": title} if title else {}
            yield {"id": key, "source": source, "lang": language, **titled, "text": text}


def check_squad_titles(folder, held_out):
    """The articles taken from SQuAD must be of its train part."""
    path = folder / "nqg" / "data" / "doclist-test.txt"
    names = path.read_text(encoding="utf-8").split()
    shared = [name for name in names if held_out.has_title(name)]
    if shared:
        sys.exit(f"{path}: articles of SQuAD dev: {sorted(map(normalized_title, shared))}")


def main():
    """Build the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=Path, required=True, help="folder with the checkouts")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(SOURCES), default=list(SOURCES))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(args.seed)
    held_out = HeldOut.of_checkouts(args.sources)
    check_squad_titles(args.sources, held_out)
    stats, all_passages, rows, pools = {}, [], [], defaultdict(list)
    for source in args.only:
        language, read = SOURCES[source]
        passages, queries, counts = keep_out(*read(args.sources), language, held_out)
        mined = first_of_each_text(mine(passages, queries))
        kept = list(passage_rows(source, language, passages, mined))
        stats[source] = {**counts, "queries": len(mined), "passages": len(kept), "lang": language}
        print(source, stats[source], flush=True)
        all_passages += kept
        pools[language] += [row["id"] for row in kept]
        rows += [(source, language, query, negatives) for query, negatives in mined]
    train, dev, shared = split(rows, pools, rng)
    write_rows(args.out / "passages.jsonl.gz", all_passages)
    write_rows(args.out / "train.jsonl.gz", train)
    write_rows(args.out / "dev.jsonl.gz", dev)
    stats["total"] = {
        "train": len(train),
        "dev": len(dev),
        "passages": len(all_passages),
        "train_dropped_shared_with_dev": shared,
        "train_by_lang": dict(Counter(row["lang"] for row in train)),
    }
    (args.out / "stats.json").write_text(json.dumps(stats, indent=1) + "\n", encoding="utf-8")
    print(stats["total"])


if __name__ == "__main__":
    main()
