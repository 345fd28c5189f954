"""Batches of groups: a query and some of its candidate passages."""

import random
from typing import NamedTuple

import torch

from training_data import read_jsonl

KINDS = ("question", "title", "crop")
BLOCK = 32  # batches whose groups are sorted by length together, so that a batch pads little


class Group(NamedTuple):
    """Token ids of pairs, scaled cosines, the teacher's scores, the kind of query, whether the first passage is relevant."""

    pairs: list
    similarities: list
    scores: list
    kind: str
    labelled: bool


def pair(layout, query, passage, max_length):
    """First token, query, separator, passage, last token; the passage is cut to fit."""
    ids = [layout.first, *query[: max_length // 3], *layout.separator]
    return [*ids, *passage[: max_length - len(ids) - 1], layout.last]


def batch_of(layout, pairs):
    """ids, token types and mask [pairs, tokens] of pairs."""
    shape = len(pairs), max(map(len, pairs))
    ids, types = torch.full(shape, layout.padding), torch.zeros(shape, dtype=torch.long)
    for row, sequence in enumerate(pairs):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        if layout.typed:
            types[row, sequence.index(layout.last) + 1 : len(sequence)] = 1
    return ids, types, (ids != layout.padding).long()


class Groups:
    """Batches by their number alone, so that a run that stops can go on where it was."""

    marks = "", ""  # what precedes a query and a passage

    def __init__(self, folder, tokenizer, args, layout=None):
        """Read a set of make_groups.py. layout: that of an encoder's pairs."""
        self.args, self.layout = args, layout
        tokenizer.no_truncation()
        tokenizer.no_padding()
        query_mark, passage_mark = self.marks
        passages = [passage_mark + row["text"] for row in read_jsonl(folder / "passages.jsonl.gz")]
        self.passages = [e.ids for e in tokenizer.encode_batch(passages, add_special_tokens=False)]
        rows = read_jsonl(folder / "groups.jsonl.gz")
        queries = [query_mark + row["query"] for row in rows]
        encodings = tokenizer.encode_batch(queries, add_special_tokens=False)
        self.rows = {kind: [] for kind in KINDS}
        for row, encoding in zip(rows, encodings, strict=True):
            if len(row["candidates"]) >= args.candidates:
                self.rows[row["kind"]].append({**row, "query": encoding.ids})

    def pair(self, query, passage, max_length):
        """Token ids of a pair."""
        return pair(self.layout, query, passage, max_length)

    def question_share(self, number):
        """Share of questions in the block of that number: breadth first."""
        return min(0.6, 0.35 + number * BLOCK / 40000)

    def group(self, row, rng):
        """The query's own passage and a choice of the other candidates, with the teacher's scores."""
        others = rng.sample(range(1, len(row["candidates"])), self.args.candidates - 1)
        chosen = [0, *others]
        similarities = [self.args.cosine_scale * row["cosines"][i] for i in chosen]
        scores = [similarities[0] + row["bonus"], *similarities[1:]]
        length = rng.choice(self.args.lengths)
        passages = [self.passages[row["candidates"][i]] for i in chosen]
        pairs = [self.pair(row["query"], passage, length) for passage in passages]
        return Group(pairs, similarities, scores, row["kind"], row["bonus"] > 0)

    def block(self, number):
        """BLOCK batches."""
        rng = random.Random(f"{self.args.seed} {number}")
        question = self.question_share(number)
        shares = (question, (1 - question) * 0.55, (1 - question) * 0.45)
        kinds = rng.choices(KINDS, shares, k=BLOCK * self.args.queries)
        groups = [self.group(rng.choice(self.rows[kind]), rng) for kind in kinds]
        groups.sort(key=lambda group: max(map(len, group.pairs)))
        batches = [
            groups[i : i + self.args.queries] for i in range(0, len(groups), self.args.queries)
        ]
        rng.shuffle(batches)
        return batches

    def batches(self, step):
        """(number, batch) from the batch of that number on, without end."""
        while True:
            block, first = divmod(step, BLOCK)
            for batch in self.block(block)[first:]:
                yield step, batch
                step += 1
