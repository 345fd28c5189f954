"""Batches of groups for the cross-encoder: a query and some of its candidate passages."""

import random
from typing import NamedTuple

import torch

from evaluate import LAYOUTS
from training_data import read_jsonl

KINDS = ("question", "title", "crop")
BLOCK = 32  # batches whose groups are sorted by length together, so that a batch pads little
QUESTIONS = (
    0.35,
    0.6,
    40000,
)  # their share of the queries: at first, at most, and steps for 1 more
TITLES = 0.55  # their share of the others


class Group(NamedTuple):
    """Token ids of pairs, scaled cosines of the bi-encoder, the teacher's scores, whether the first one is relevant."""

    pairs: list
    similarities: list
    scores: list
    kind: str
    labelled: bool


def pair(layout, query, passage, max_length):
    """(first query separator passage last, length of the query's part); the passage is cut to fit."""
    ids = [layout.first, *query[: max_length // 3], *layout.separator]
    return [*ids, *passage[: max_length - len(ids) - 1], layout.last], len(ids)


def batch_of(layout, pairs):
    """ids, token types and mask [pairs, tokens] of pairs."""
    shape = len(pairs), max(len(ids) for ids, _ in pairs)
    ids, types = torch.full(shape, layout.padding), torch.zeros(shape, dtype=torch.long)
    for row, (sequence, query) in enumerate(pairs):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        types[row, query : len(sequence)] = int(layout.typed)
    return ids, types, (ids != layout.padding).long()


class Groups:
    """Batches by their number alone, so that a run that stops can go on where it was."""

    def __init__(self, folder, tokenizer, model_type, args):
        """Read a set of make_groups.py. model_type: of config.json."""
        self.args, self.layout = args, LAYOUTS[model_type]
        tokenizer.no_truncation()
        tokenizer.no_padding()
        passages = [row["text"] for row in read_jsonl(folder / "passages.jsonl.gz")]
        self.passages = [e.ids for e in tokenizer.encode_batch(passages, add_special_tokens=False)]
        rows = read_jsonl(folder / "groups.jsonl.gz")
        encodings = tokenizer.encode_batch([r["query"] for r in rows], add_special_tokens=False)
        self.rows = {kind: [] for kind in KINDS}
        for row, encoding in zip(rows, encodings, strict=True):
            if len(row["candidates"]) >= args.candidates:
                self.rows[row["kind"]].append({**row, "query": encoding.ids})

    def group(self, row, rng):
        """The query's own passage and a choice of the other candidates, with the teacher's scores."""
        others = rng.sample(range(1, len(row["candidates"])), self.args.candidates - 1)
        chosen = [0, *others]
        similarities = [self.args.cosine_scale * row["cosines"][i] for i in chosen]
        scores = [similarities[0] + row["bonus"], *similarities[1:]]
        length = rng.choice(self.args.lengths)
        passages = [self.passages[row["candidates"][i]] for i in chosen]
        pairs = [pair(self.layout, row["query"], passage, length) for passage in passages]
        return Group(pairs, similarities, scores, row["kind"], row["bonus"] > 0)

    def block(self, number):
        """BLOCK batches."""
        rng = random.Random(f"{self.args.seed} {number}")
        first, most, slowness = QUESTIONS  # breadth first
        question = min(most, first + number * BLOCK / slowness)
        shares = (question, (1 - question) * TITLES, (1 - question) * (1 - TITLES))
        kinds = rng.choices(KINDS, shares, k=BLOCK * self.args.queries)
        groups = [self.group(rng.choice(self.rows[kind]), rng) for kind in kinds]
        groups.sort(key=lambda group: max(len(ids) for ids, _ in group.pairs))
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
