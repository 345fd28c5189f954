"""Training groups for the decoders: a query and four passages, the relevant one first."""

import random
import re

SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s*")
CROP_CHARACTERS = {"en": 320, "ar": 280, "th": 300, "zh": 110, "ja": 130}
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
        out += sentence + (" " if sentence.isascii() else "")
    return out[: 2 * characters].strip() or text[:characters]


def crop(text, rng):
    """A query-like part of a text: some of the words (or spans of characters) of one of its sentences."""
    sentences = [s for s in SENTENCE_END.split(text) if len(s) > 8] or [text]
    sentence = rng.choice(sentences)
    words = sentence.split()
    if len(words) > 5:
        length = rng.randint(4, 14)
        start = rng.randrange(max(1, len(words) - length))
        kept = [w for w in words[start : start + length] if rng.random() < 0.7]
        return " ".join(kept) or sentence
    length = rng.randint(6, 16)
    start = rng.randrange(max(1, len(sentence) - length))
    return sentence[start : start + length]


class Groups:
    """Endless batches of groups. A group: ([4 token lists], [4 targets], whether teacher scores are there)."""

    def __init__(self, layout, rows, passages, languages, teacher, args):
        """`passages` {id: text}, `teacher` {row id: (passage ids, scores)}."""
        self.layout, self.rows, self.passages = layout, rows, passages
        self.languages, self.teacher, self.args = languages, teacher, args
        self.rng = random.Random(args.seed)

    def question(self, row):
        """Token lists and teacher scores (or None) of a training query."""
        if row["id"] in self.teacher:
            keys, scores = self.teacher[row["id"]]
        else:
            keys = [self.rng.choice(row["pos"]), *self.rng.sample(row["neg"], 2)]
            keys.append(self.rng.choice(row["rand"]))
            scores = None
        return self.pairs(row["query"], [self.passages[key] for key in keys]), scores

    def cropped(self, row):
        """Token lists of a cropped query and the shortened passages of a row; no scores."""
        keys = [self.rng.choice(row["pos"]), *self.rng.sample(row["neg"], 2)]
        keys.append(self.rng.choice(row["rand"]))
        self.rng.shuffle(keys)
        size = CROP_CHARACTERS[self.languages[keys[0]]]
        texts = [window(self.passages[key], size, self.rng) for key in keys]
        return self.pairs(crop(texts[0], self.rng), texts), None

    def pairs(self, query, texts):
        """Inputs of the model."""
        (query_ids,) = self.layout.queries([query])
        return [
            self.layout.pair(query_ids, ids, self.args.max_length, self.args.max_length // 3)
            for ids in self.layout.passages(texts)
        ]

    def batches(self, crop_share):
        """Endless batches; `crop_share()` is the share of batches with cropped queries at the moment."""
        usable = [row for row in self.rows if len(row["neg"]) >= 2 and row["rand"]]
        size = self.args.queries
        while True:
            # rows that the teacher scored come first
            self.rng.shuffle(usable)
            usable.sort(key=lambda row: row["id"] not in self.teacher)
            taught = sum(row["id"] in self.teacher for row in usable)
            limit = max(taught, size * 16) if self.args.taught_only else len(usable)
            for start in range(0, limit - size * 16 + 1, size * 16):
                part = usable[start : start + size * 16]
                groups = [self.question(row) for row in part]
                groups.sort(key=lambda group: max(map(len, group[0])))
                batches = [groups[i : i + size] for i in range(0, len(groups), size)]
                self.rng.shuffle(batches)
                for batch in batches:
                    while self.rng.random() < crop_share():
                        yield [self.cropped(row) for row in self.rng.sample(usable, 2 * size)]
                    yield batch
