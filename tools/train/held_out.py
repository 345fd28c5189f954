"""What must stay out of the training data: SQuAD 1.1 dev, XQuAD in all its languages, Cranfield."""

import html
import json
import re
import unicodedata

from bm25 import tokenize
from evaluate import read_set

RUN_TOKENS = 13
RUN_TOKENS_OF = {"th": 40}  # a Thai token is a pair of characters: 40 of them are about 10 words

PARAGRAPH = re.compile(
    r'<div class="para-wrap">.*?<pre>(.*?)</pre>(.*?)(?=<div class="para-wrap">|$)', re.S
)
QUESTION = re.compile(
    r'<div class="qa-wrap" data-id="[0-9a-f]+"><p>\s*<strong class="question">(.*?)</strong>', re.S
)


def normalized(text):
    """A text as its tokens, for comparison."""
    return " ".join(tokenize(text))


def normalized_title(text):
    """An article's title, for comparison."""
    text = re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found.group(1), 16)), text)
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def token_runs(text, length):
    """Hashes of all runs of `length` tokens."""
    tokens = tokenize(text)
    return {hash(tuple(tokens[i : i + length])) for i in range(len(tokens) - length + 1)}


class HeldOut:
    """Titles, questions and token runs of the evaluation sets."""

    def __init__(self):
        """Keep nothing out."""
        self.titles, self.questions = set(), set()
        self.runs = {length: set() for length in {RUN_TOKENS, *RUN_TOKENS_OF.values()}}

    @classmethod
    def of_sets(cls, folders):
        """Everything of evaluation sets in BEIR format."""
        self = cls()
        for folder in folders:
            corpus, queries, _, _ = read_set(folder)
            for text in (*corpus.values(), *queries.values()):
                self.add(text, [])
            self.questions |= {normalized(text) for text in queries.values()}
        return self

    @classmethod
    def of_checkouts(cls, folder):
        """All of SQuAD dev, XQuAD and Cranfield, from the checkouts below `folder`."""
        self = cls()
        for title, text, questions in squad_dev(folder / "SQuAD-explorer"):
            self.titles.add(normalized_title(title))
            self.add(text, questions)
        for text, questions in xquad(folder / "xquad"):
            self.add(text, questions)
        for text in cranfield_texts(folder / "cranfield" / "cran.all.1400"):
            self.add(text, [])
        for text in cranfield_texts(folder / "cranfield" / "cran.qry"):
            self.add(text, [text])
        return self

    def add(self, text, questions):
        """Keep one passage and its questions out."""
        for length, runs in self.runs.items():
            runs |= token_runs(text, length)
        self.questions |= {normalized(question) for question in questions}

    def has_title(self, title):
        """Whether an article of this title is in an evaluation set."""
        return bool(title) and normalized_title(title) in self.titles

    def shares_run(self, text, language):
        """Whether the text has a run of tokens in common with an evaluation passage."""
        length = RUN_TOKENS_OF.get(language, RUN_TOKENS)
        return not self.runs[length].isdisjoint(token_runs(text, length))

    def has_question(self, question):
        """Whether the question is one of an evaluation set."""
        return normalized(question) in self.questions


def squad_dev(folder):
    """(title, paragraph, questions) of SQuAD 1.1 dev, from the pages of its explorer."""
    for path in sorted((folder / "explore" / "1.1" / "dev").glob("*.html")):
        if path.stem == "index":
            continue
        for text, rest in PARAGRAPH.findall(path.read_text(encoding="utf-8")):
            questions = [" ".join(html.unescape(q).split()) for q in QUESTION.findall(rest)]
            yield path.stem, " ".join(html.unescape(text).split()), questions


def xquad(folder):
    """(paragraph, questions) in every language."""
    for path in sorted(folder.glob("xquad.*.json")):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                yield paragraph["context"], [row["question"] for row in paragraph["qas"]]


def cranfield_texts(path):
    """The .W fields of a Cranfield file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for record in re.split(r"^\.I\s+", text, flags=re.M)[1:]:
        fields = re.split(r"^\.(?=[TABW]\s*$)", record, flags=re.M)[1:]
        bodies = dict(field.split("\n", 1) for field in fields if "\n" in field)
        found = next((body for tag, body in bodies.items() if tag.strip() == "W"), "")
        yield " ".join(found.split())
