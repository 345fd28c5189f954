"""Training groups for the decoders: a query and four passages, the relevant one first."""

import random
import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
CROP_CHARACTERS = 320
BOS, EOS = 0, 2  # the teacher's
LETTERS = re.compile(r"[a-z]+")


def truecaser(passages):
    """A function that gives lower-cased English text its capitals back, roughly.

    `passages`: texts with normal case. A word becomes what most of them write; a word that they lack is taken for
    a name.
    """
    counts = {}
    for text in passages:
        for word in re.findall(r"(?<=[a-z,] )[A-Za-z]+", text):
            entry = counts.setdefault(word.lower(), {})
            entry[word] = entry.get(word, 0) + 1
    forms = {word: max(entry, key=entry.get) for word, entry in counts.items()}

    def restore(text):
        text = LETTERS.sub(lambda m: forms.get(m[0], m[0].capitalize()), text)
        return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)

    return restore


def window(text, characters, rng):
    """A run of sentences of about that many characters."""
    sentences = [s for s in SENTENCE_END.split(text) if s]
    start = rng.randrange(len(sentences)) if sentences else 0
    while start and sum(map(len, sentences[start:])) < characters:
        start -= 1
    out = ""
    for sentence in sentences[start:]:
        if out and len(out) + len(sentence) > characters:
            break
        out += sentence + " "
    return out[: 2 * characters].strip() or text[:characters]


def crop(text, rng):
    """A query-like part of a text: some of the words of one of its sentences."""
    sentences = [s for s in SENTENCE_END.split(text) if len(s) > 8] or [text]
    words = rng.choice(sentences).split()
    length = rng.randint(4, 14)
    start = rng.randrange(max(1, len(words) - length + 1))
    part = words[start : start + length]
    return " ".join([w for w in part if rng.random() < 0.7] or part)


class Pair(NamedTuple):
    """A query and a passage: the decoder's ids, the teacher's, and places (of ours, of theirs) that tell the same."""

    ours: list
    theirs: list
    places: list


def make_pair(layout, query, passage, max_length):
    """The pair of two texts. query, passage: (ends of ours, ends of theirs), see Layout.ends and Teacher.ends."""
    (q, q_ends), (q_theirs, q_theirs_ends) = query
    (p, p_ends), (p_theirs, p_theirs_ends) = passage
    q, p = q[: max_length // 3], p[:max_length]
    ours = layout.pair(q, p, max_length)
    # the teacher reads no further than the decoder does
    q_theirs = q_theirs[: bisect_right(q_theirs_ends, q_ends[len(q) - 1])]
    p_theirs = p_theirs[: bisect_right(p_theirs_ends, p_ends[len(p) - 1])]
    theirs = [BOS, *q_theirs, EOS, EOS, *p_theirs, EOS]
    separator = 1 + len(q)
    places = [(separator + len(layout.separator) - 1, len(q_theirs) + 1), (len(ours) - 1, 0)]
    for ids, ends, their_ids, their_ends, at, their_at in (
        (q, q_ends, q_theirs, q_theirs_ends, 1, 1),
        (p, p_ends, p_theirs, p_theirs_ends, separator + len(layout.separator), len(q_theirs) + 3),
    ):
        for i, end in enumerate(ends[: len(ids)]):
            found = bisect_left(their_ends, end)
            if end > 0 and found < len(their_ids):
                places.append((at + i, their_at + found))
    return Pair(ours, theirs, places)


class Groups:
    """Endless batches of groups, lists of four pairs."""

    def __init__(self, layout, teacher, rows, passages, args):
        """`passages` {id: text}."""
        self.layout, self.teacher, self.args = layout, teacher, args
        self.rows, self.passages = rows, passages
        self.rng = random.Random(args.seed)

    def four(self, row):
        """Passages of a row: a positive, two hard negatives, a random one."""
        keys = [
            self.rng.choice(row["pos"]),
            *self.rng.sample(row["neg"], 2),
            self.rng.choice(row["rand"]),
        ]
        return [self.passages[key] for key in keys]

    def question(self, row):
        """The group of a training query."""
        return self.pairs(row["query"], self.four(row))

    def cropped(self, row):
        """The group of a cropped query and the shortened passages of a row."""
        texts = self.four(row)
        self.rng.shuffle(texts)
        texts = [window(text, CROP_CHARACTERS, self.rng) for text in texts]
        return self.pairs(crop(texts[0], self.rng), texts)

    def pairs(self, query, texts):
        """Inputs of the model and of the teacher."""
        (q,) = zip(self.layout.ends([f"A: {query}"]), self.teacher.ends([query]), strict=True)
        passages = zip(
            self.layout.ends([f"B: {text}" for text in texts]),
            self.teacher.ends(texts),
            strict=True,
        )
        return [make_pair(self.layout, q, p, self.args.max_length) for p in passages]

    def batches(self, crop_share):
        """Endless batches of similar length; `crop_share()` is the share of cropped queries at the moment."""
        usable = [row for row in self.rows if len(row["neg"]) >= 2 and row["rand"]]
        size = self.args.queries
        while True:
            self.rng.shuffle(usable)
            for start in range(0, len(usable) - size * 16 + 1, size * 16):
                groups = [self.question(row) for row in usable[start : start + size * 16]]
                groups.sort(key=lambda group: max(len(pair.ours) for pair in group))
                batches = [groups[i : i + size] for i in range(0, len(groups), size)]
                self.rng.shuffle(batches)
                for batch in batches:
                    while self.rng.random() < crop_share():
                        yield [self.cropped(row) for row in self.rng.sample(usable, size)]
                    yield batch
