"""Readers of the public question-answering sets that the training data is made of.

Each reader takes the folder with the checkouts (README.md names repositories and commits) and returns
    passages  {passage id: (title, text)}
    queries   [Query]
"""

import io
import json
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import defaultdict
from typing import NamedTuple


class Query(NamedTuple):
    """A question with the passage that answers it; `group` is its article."""

    id: str
    text: str
    passage: str
    answers: list
    group: str


def clean(text):
    """White space as single spaces."""
    return " ".join(text.split())


# ---- passages out of longer texts

SENTENCE_END = re.compile(r"(?<=[.!?。！？؟])\s+|(?<=[。！？])|\n+")


def chunks(text, limit):
    """(start, end) spans of at most about `limit` characters, cut at sentence ends where there are any."""
    cuts = sorted({0, len(text), *(found.end() for found in SENTENCE_END.finditer(text))})
    spans, start = [], 0
    for before, cut in zip(cuts, cuts[1:], strict=False):
        if cut - start > limit and before > start:
            spans.append((start, before))
            start = before
        while cut - start > 2 * limit:
            space = text.rfind(" ", start + limit // 2, start + limit)
            end = space + 1 if space > 0 else start + limit
            spans.append((start, end))
            start = end
    if start < len(text):
        spans.append((start, len(text)))
    return spans


# ---- the form of SQuAD: paragraphs with questions whose answers are spans


def from_paragraphs(paragraphs, prefix, limit):
    """Cut paragraphs into passages and give every question the one that its answer lies in.

    paragraphs: (group, title, text, [(question, answers, position of the answer)]).
    """
    passages, queries = {}, []
    for group, title, text, questions in paragraphs:
        spans = chunks(text, limit)
        ids = [f"{prefix}-{len(passages) + i}" for i in range(len(spans))]
        for passage, (start, end) in zip(ids, spans, strict=True):
            passages[passage] = (title, clean(text[start:end]))
        for question, answers, at in questions:
            hits = (p for p, (start, end) in zip(ids, spans, strict=True) if start <= at < end)
            passage = next(hits, None)
            if passage and any(clean(answer) in passages[passage][1] for answer in answers):
                name = f"{prefix}-q{len(queries)}"
                queries.append(Query(name, clean(question), passage, answers, group))
    return passages, queries


def answer_position(text, answer, stated):
    """Where the answer is: the stated position is wrong in some sets."""
    return stated if text[stated : stated + len(answer)] == answer else text.find(answer)


def squad_paragraphs(paths):
    """The paragraphs of JSON files in SQuAD's form."""
    for path in paths:
        for number, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
            title = clean(str(article.get("title") or ""))
            for paragraph in article["paragraphs"]:
                text, questions = paragraph["context"], []
                for row in paragraph["qas"]:
                    answers = [answer["text"] for answer in row["answers"] if answer["text"]]
                    at = -1
                    if answers:
                        at = answer_position(text, answers[0], row["answers"][0]["answer_start"])
                    questions.append((row["question"], sorted(set(answers)), at))
                yield f"{path.name}:{title or number}", title, text, questions


def cmrc(folder):
    """CMRC 2018, Chinese (simplified): dev and trial."""
    root = folder / "cmrc2018" / "squad-style-data"
    paths = [root / "cmrc2018_dev.json", root / "cmrc2018_trial.json"]
    return from_paragraphs(squad_paragraphs(paths), "cmrc", 600)


def drcd(folder):
    """DRCD, Chinese (traditional): dev and test."""
    paths = [folder / "DRCD" / f"DRCD_{part}.json" for part in ("dev", "test")]
    return from_paragraphs(squad_paragraphs(paths), "drcd", 600)


def jsquad(folder):
    """JSQuAD of JGLUE, Japanese: validation. A paragraph reads "title [SEP] text"."""

    def paragraphs():
        path = folder / "JGLUE" / "datasets" / "jsquad-v1.3" / "valid-v1.3.json"
        for group, title, text, questions in squad_paragraphs([path]):
            head, separator, _ = text.partition(" [SEP] ")
            skip = len(head) + len(separator) if separator else 0
            moved = [(q, answers, at - skip) for q, answers, at in questions if at >= skip]
            yield group, title, text[skip:], moved

    return from_paragraphs(paragraphs(), "jsquad", 600)


def arcd(folder):
    """ARCD, Arabic."""
    path = folder / "SOQAL" / "data" / "arcd.json"
    return from_paragraphs(squad_paragraphs([path]), "arcd", 1000)


def covid(folder):
    """COVID-QA, English: papers."""
    path = folder / "covidqa" / "data" / "question-answering" / "200423_covidQA.json"
    numbered = (
        (f"covid:{number}", title, text, questions)
        for number, (_, title, text, questions) in enumerate(squad_paragraphs([path]))
    )
    return from_paragraphs(numbered, "covid", 900)


def iapp(folder):
    """iapp-wiki-qa, Thai: all parts."""
    archive = zipfile.ZipFile(folder / "iapp" / "squad_format" / "data.zip")
    articles = {}
    for part in ("train", "valid", "test"):
        with archive.open(f"data/{part}.jsonl") as file:
            rows = [json.loads(line) for line in io.TextIOWrapper(file, encoding="utf-8")]
        for row in rows:
            answers, text = row["answers"], row["context"]
            answer = answers["text"][0].strip()
            stated = (answers.get("answer_start") or answers.get("answer_begin"))[0]
            at = answer_position(text, answer, stated)
            key = (row["article_id"], text)
            article = articles.setdefault(key, (row.get("title") or "", []))
            article[1].append((row["question"], [answer], at))
    paragraphs = (
        (group, clean(title), text, questions)
        for (group, text), (title, questions) in articles.items()
    )
    return from_paragraphs(paragraphs, "iapp", 600)


def selqa(folder):
    """SelQA, English: answer sentence selection, dev and test."""
    sections = defaultdict(list)
    for part in ("dev", "test"):
        path = folder / "selqa" / "ass" / f"selqa-ass-{part}.json"
        for row in json.loads(path.read_text(encoding="utf-8")):
            sections[row["article"], tuple(row["candidates"])].append(row)

    def paragraphs():
        for (article, sentences), rows in sections.items():
            starts, length = [], 0
            for sentence in sentences:
                starts.append(length)
                length += len(sentence) + 1
            text = "".join(sentence + " " for sentence in sentences)
            firsts = [(row["question"], row["answers"][0]) for row in rows if row["answers"]]
            questions = [(question, [sentences[i]], starts[i]) for question, i in firsts]
            yield f"selqa:{article}", article, text, questions

    return from_paragraphs(paragraphs(), "selqa", 900)


# ---- other forms


def detokenize(text):
    """Plain text of tokens with spaces between them."""
    for token, char in (("-lrb-", "("), ("-rrb-", ")"), ("-lsb-", "["), ("-rsb-", "]")):
        text = text.replace(token, char)
    text = text.replace("``", '"').replace("''", '"')
    text = re.sub(r"\s+([,.;:?!%)\]])", r"\1", text)
    text = re.sub(r"([(\[$])\s+", r"\1", text)
    text = re.sub(r"\s+('s|'t|'re|'ve|'ll|'d|'m|n't)\b", r"\1", text)
    text = re.sub(r'"\s+([^"]*?)\s+"', r'"\1"', text)
    return clean(text)


SQUAD_WORDS = 90


def squad_train(folder):
    """44 articles of SQuAD 1.1 train, the test list of nqg: lower-cased questions and the sentences that answer.

    Neighbouring distinct sentences are put together into passages of up to 90 words.
    """
    base = folder / "nqg" / "data" / "processed"
    sentences, questions = (
        [detokenize(x) for x in (base / name).read_text(encoding="utf-8").splitlines()]
        for name in ("src-test.txt", "tgt-test.txt")
    )
    groups, words = [], 0
    for sentence in dict.fromkeys(sentences):
        count = len(sentence.split())
        if not groups or words + count > SQUAD_WORDS:
            groups.append([])
            words = 0
        groups[-1].append(sentence)
        words += count
    passages = {f"squadtrain-{i}": ("", " ".join(group)) for i, group in enumerate(groups)}
    owner = {sentence: f"squadtrain-{i}" for i, group in enumerate(groups) for sentence in group}
    rows = enumerate(zip(sentences, questions, strict=True))
    queries = [
        Query(f"squadtrain-q{i}", question, owner[sentence], [], f"squadtrain:{i // 300}")
        for i, (sentence, question) in rows
        if len(question.split()) >= 4
    ]
    return passages, queries


def qed(folder):
    """QED, English: dev; real search questions."""
    passages, queries, known = {}, [], {}
    for line in (folder / "qed" / "qed-dev.jsonlines").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        title, text = row["title_text"], detokenize(row["paragraph_text"])
        if not 40 <= len(text) <= 2500:
            continue
        if text not in known:
            known[text] = f"qed-{len(passages)}"
            passages[known[text]] = (title, text)
        question = clean(row["question_text"]) + "?"
        queries.append(Query(f"qed-q{len(queries)}", question, known[text], [], f"qed:{title}"))
    return passages, queries


def medquad(folder):
    """MedQuAD, English: answers are cut at about 800 characters."""
    passages, queries, known = {}, [], {}
    for path in sorted((folder / "MedQuAD").glob("*/*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError:
            continue
        for row in root.iter("QAPair"):
            question, answer = row.findtext("Question"), clean(row.findtext("Answer") or "")
            if not question or len(answer) < 80:
                continue
            if len(answer) > 900:
                answer = answer[: chunks(answer, 800)[0][1]].strip()
            if answer not in known:
                known[answer] = f"medquad-{len(passages)}"
                passages[known[answer]] = ("", answer)
            question = re.sub(r"[\s?]+$", "?", clean(question)).replace("What is (are)", "What is")
            group = f"medquad:{path.parent.name}/{path.stem}"
            name = f"medquad-q{len(queries)}"
            queries.append(Query(name, question, known[answer], [], group))
    return passages, queries


def pubmedqa(folder):
    """PubMedQA, English: a paper's title as the question, its abstract without the conclusion as the passage."""
    path = folder / "pubmedqa" / "data" / "ori_pqal.json"
    passages, queries = {}, []
    for key, row in sorted(json.loads(path.read_text(encoding="utf-8")).items()):
        passage = f"pubmedqa-{key}"
        passages[passage] = ("", clean(" ".join(row["CONTEXTS"])))
        question = clean(row["QUESTION"])
        queries.append(Query(f"pubmedqa-q{key}", question, passage, [], passage))
    return passages, queries


SOURCES = {
    "squadtrain": ("en", squad_train),
    "medquad": ("en", medquad),
    "selqa": ("en", selqa),
    "qed": ("en", qed),
    "covid": ("en", covid),
    "pubmedqa": ("en", pubmedqa),
    "cmrc": ("zh", cmrc),
    "drcd": ("zh", drcd),
    "jsquad": ("ja", jsquad),
    "iapp": ("th", iapp),
    "arcd": ("ar", arcd),
}
