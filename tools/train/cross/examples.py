"""Batches of groups for the cross-encoder: a query and some of its candidate passages."""

import random
from typing import NamedTuple

import torch

from training_data import read_jsonl

CLS, SEP, PAD = 101, 102, 0
KINDS = ("question", "title", "crop")
BLOCK = 32  # batches whose groups are sorted by length together, so that a batch pads little
COSINE_SCALE = 20.0  # all-MiniLM-L6-v2 was trained on 20 cosines as logits


class Group(NamedTuple):
    """Token ids of pairs, their token types, the teacher's scores, whether the first one is relevant."""

    pairs: list
    scores: list
    kind: str
    labelled: bool


def pair(query, passage, max_length):
    """([CLS] query [SEP] passage [SEP], length of the query's part); the passage is cut to fit."""
    ids = [CLS, *query[: max_length // 3], SEP]
    return [*ids, *passage[: max_length - len(ids) - 1], SEP], len(ids)


def batch_of(pairs):
    """ids, token types and mask [pairs, tokens] of pairs."""
    shape = len(pairs), max(len(ids) for ids, _ in pairs)
    ids, types = torch.full(shape, PAD), torch.zeros(shape, dtype=torch.long)
    for row, (sequence, query) in enumerate(pairs):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        types[row, query : len(sequence)] = 1
    return ids, types, (ids != PAD).long()


class Groups:
    """Batches by their number alone, so that a run that stops can go on where it was."""

    def __init__(self, folder, tokenizer, args):
        """Read the set of make_groups.py."""
        self.args = args
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
        scores = [COSINE_SCALE * row["cosines"][i] for i in chosen]
        scores[0] += row["bonus"]
        length = rng.choice(self.args.lengths)
        pairs = [pair(row["query"], self.passages[row["candidates"][i]], length) for i in chosen]
        return Group(pairs, scores, row["kind"], row["bonus"] > 0)

    def block(self, number):
        """BLOCK batches."""
        rng = random.Random(f"{self.args.seed} {number}")
        question = min(0.6, 0.35 + number * BLOCK / 40000)  # breadth first
        shares = (question, (1 - question) * 0.55, (1 - question) * 0.45)
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
