"""Batches of groups: a query and some of its candidate passages."""

import itertools
import random
import zlib
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from training_data import read_jsonl

KINDS = ("question", "title", "crop")
BLOCK = 32  # batches whose groups are sorted by length together, so that a batch pads little
WORKERS = 4  # processes that make batches for a GPU
MULTIPLE = 16  # of the padded length on a GPU, for few shapes and aligned masks
HELD_OUT = 50  # one passage of so many, by its hash: no group of its own is trained on
DEV_CANDIDATES = 12  # of each held-out group
# Half of the combined model's score, logit + 20 cosines, has the scale of 20 cosines. The logit was trained with the
# whole bonus, so that half of it is in that already; the other half stands for the labels that the model gets wrong.
SCORE_SHARE, SCORED_BONUS = 0.5, 0.5


class Group(NamedTuple):
    """Token ids of pairs, scaled cosines, the teacher's scores, the kind of query, whether the first passage is relevant."""

    pairs: list
    similarities: list
    scores: list
    kind: str
    labelled: bool


class Batch(NamedTuple):
    """Groups as arrays: ids and lengths of the pairs, the rest by query. ids are padded on the right."""

    ids: np.ndarray  # [pairs, tokens]
    lengths: np.ndarray  # [pairs]
    similarities: np.ndarray  # [queries, candidates]
    scores: np.ndarray  # [queries, candidates]
    labelled: np.ndarray  # [queries]
    kinds: tuple

    def to(self, device):
        """The same with tensors on the device, which need not have arrived yet."""
        return Batch(*(moved(array, device) for array in self[:-1]), self.kinds)


def moved(array, device):
    """A tensor on the device; from pinned memory to a GPU."""
    tensor = torch.from_numpy(array)
    if device == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def pair(layout, query, passage, max_length):
    """First token, query, separator, passage, last token; the passage is cut to fit."""
    ids = [layout.first, *query[: max_length // 3], *layout.separator]
    return [*ids, *passage[: max_length - len(ids) - 1], layout.last]


def padded(sequences, padding, multiple=1):
    """ids [sequences, tokens] and the lengths of the sequences."""
    lengths = np.array([len(sequence) for sequence in sequences])
    width = -(-int(lengths.max()) // multiple) * multiple
    ids = np.full((len(sequences), width), padding, np.int32)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = sequence
    return ids, lengths


def multiple_of(device):
    """What padded lengths are a multiple of."""
    return 1 if device == "cpu" else MULTIPLE


def batch_of(groups, padding, multiple=1):
    """The groups as a Batch."""
    ids, lengths = padded([pair for group in groups for pair in group.pairs], padding, multiple)
    numbers = (
        np.array([getattr(group, name) for group in groups], np.float32)
        for name in ("similarities", "scores", "labelled")
    )
    return Batch(ids, lengths, *numbers, tuple(group.kind for group in groups))


class Numbered:
    """The results of a function of a number, as DataLoader takes them."""

    def __init__(self, function):
        """Take the function."""
        self.function = function

    def __getitem__(self, number):
        """That of one number."""
        return self.function(number)


def made(function, numbers, device):
    """The function's results, arrays in tuples or lists, in order; made by other processes for a GPU."""
    options = {"num_workers": WORKERS, "multiprocessing_context": "fork", "prefetch_factor": 2}
    # As it is: arrays travel through a pipe, and no shared memory is needed as for tensors.
    return DataLoader(
        Numbered(function),
        batch_size=None,
        sampler=numbers,
        collate_fn=lambda result: result,
        **({} if device == "cpu" else options),
    )


class Groups:
    """Batches by their number alone, so that a run that stops can go on where it was."""

    marks = "", ""  # what precedes a query and a passage

    def __init__(self, folder, tokenizer, args, layout=None):
        """Read a set of make_groups.py or score_groups.py. layout: that of an encoder's pairs."""
        self.args, self.layout = args, layout
        tokenizer.no_truncation()
        tokenizer.no_padding()
        query_mark, passage_mark = self.marks
        texts = [row["text"] for row in read_jsonl(folder / "passages.jsonl.gz")]
        passages = [passage_mark + text for text in texts]
        self.passages = [e.ids for e in tokenizer.encode_batch(passages, add_special_tokens=False)]
        rows = read_jsonl(folder / "groups.jsonl.gz")
        queries = [query_mark + row["query"] for row in rows]
        encodings = tokenizer.encode_batch(queries, add_special_tokens=False)
        self.rows = {kind: [] for kind in KINDS}
        self.dev = {"questions": [], "others": []}
        for row, encoding in zip(rows, encodings, strict=True):
            row = {**row, "query": encoding.ids}
            if args.dev and zlib.crc32(texts[row["candidates"][0]].encode()) % HELD_OUT == 0:
                held_out = self.dev["questions" if row["kind"] == "question" else "others"]
                if len(row["candidates"]) >= DEV_CANDIDATES and len(held_out) < args.dev:
                    held_out.append(row)
            elif len(row["candidates"]) >= args.candidates:
                self.rows[row["kind"]].append(row)

    @property
    def padding(self):
        """The id of padding."""
        return self.layout.padding

    def pair(self, query, passage, max_length):
        """Token ids of a pair."""
        return pair(self.layout, query, passage, max_length)

    def question_share(self, number):
        """Share of questions in the block of that number: breadth first."""
        return min(0.6, 0.35 + number * BLOCK / 40000)

    def teacher(self, row):
        """The teacher's score of every candidate."""
        scored = "scores" in row
        scale = self.args.cosine_scale
        bonus = SCORED_BONUS if scored else 1
        if self.args.bonus_scale is not None:
            bonus = self.args.bonus_scale
        scores = (
            [SCORE_SHARE * x for x in row["scores"]]
            if scored
            else [scale * x for x in row["cosines"]]
        )
        return [scores[0] + bonus * row["bonus"], *scores[1:]]

    def group(self, row, rng, count, lengths):
        """The query's own passage and a choice of the other candidates, with the teacher's scores."""
        others = rng.sample(range(1, len(row["candidates"])), count - 1)
        chosen = [0, *others]
        similarities = [self.args.cosine_scale * row["cosines"][i] for i in chosen]
        teacher = self.teacher(row)
        length = rng.choice(lengths)
        passages = [self.passages[row["candidates"][i]] for i in chosen]
        pairs = [self.pair(row["query"], passage, length) for passage in passages]
        scores = [teacher[i] for i in chosen]
        return Group(pairs, similarities, scores, row["kind"], row["bonus"] > 0)

    def batched(self, groups):
        """Batches of the groups by length, shortest first."""
        groups = sorted(groups, key=lambda group: max(map(len, group.pairs)))
        count, multiple = self.args.queries, multiple_of(self.args.device)
        return [
            batch_of(groups[i : i + count], self.padding, multiple)
            for i in range(0, len(groups), count)
        ]

    def block(self, number):
        """BLOCK batches."""
        args = self.args
        rng = random.Random(f"{args.seed} {number}")
        question = self.question_share(number)
        shares = (question, (1 - question) * 0.55, (1 - question) * 0.45)
        kinds = rng.choices(KINDS, shares, k=BLOCK * args.queries)
        groups = [
            self.group(rng.choice(self.rows[kind]), rng, args.candidates, args.lengths)
            for kind in kinds
        ]
        batches = self.batched(groups)
        rng.shuffle(batches)
        return batches

    def batches(self, step):
        """Batches from that number on, without end."""
        block, first = divmod(step, BLOCK)
        for batches in made(self.block, itertools.count(block), self.args.device):
            yield from batches[first:]
            first = 0

    def dev_batches(self, part):
        """Batches of the held-out groups of a part, the same every time."""
        rng, longest = random.Random(0), [max(self.args.lengths)]
        return self.batched(
            [self.group(row, rng, DEV_CANDIDATES, longest) for row in self.dev[part]]
        )
