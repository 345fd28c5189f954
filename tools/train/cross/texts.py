"""Readers of texts of many domains, for queries that nobody wrote: titles, headwords, sentences.

A reader takes the folder of its source and yields a `Text`. README.md names packages, commits and licences.
"""

import gzip
import html
import json
import re
from typing import NamedTuple

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(\"])")
CITED = re.compile(r"\[[^\]]*\]|\s--[A-Z][\w. ]+|\{|\}")
PRONOUNCED = re.compile(r"\([^)]*\)|\\")
SENSE = re.compile(r"^\s*(?:\d+\.|\([a-z]\))\s*", re.M)
TAG = re.compile(r"<[^>]+>")
BLOCK = re.compile(r"<(h[1-4]|div class=\"para\")[^>]*>(.*?)</(?:h[1-4]|div)>", re.S)
HEADING = re.compile(r"^(\S.*)\n([=\-~^*])\2{2,}\s*$", re.M)
MARKUP = re.compile(r":[a-z:]+:`([^`]*)`|``?([^`]*)``?_?|\*\*?([^*]+)\*\*?")
ROFF = re.compile(r"\\f.|\\[&%|]|\\\*\(..|\\s[-+]?\d")
PROSE = re.compile(r"[A-Z(\"'`][^|{}<>=;\\]{60,}")


class Text(NamedTuple):
    """A text, what it is called, and what summarises it."""

    title: str
    text: str
    summaries: tuple = ()


def one_line(text):
    """The text with single spaces."""
    return " ".join(text.split())


def papers_of_scitldr(folder):
    """Abstracts of SciTLDR with their title and one-sentence summaries."""
    for path in sorted((folder / "SciTLDR-Data" / "SciTLDR-A").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield Text(
                row.get("title") or "",
                one_line(" ".join(row["source"])),
                tuple(map(one_line, row["target"])),
            )


def papers_of_arxiv(folder):
    """Abstracts of arXiv by day."""
    seen = set()
    for path in sorted((folder / "data").glob("*/arxiv.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["papers"]:
            if row["title"] not in seen:
                seen.add(row["title"])
                yield Text(one_line(row["title"]), one_line(row["summary"]))


def paragraphs_of_papers(folder):
    """Paragraphs of papers of physics, materials and computer science, with their key phrases."""
    for path in sorted((folder / "docsutf8").glob("*.txt")):
        keys = (folder / "keys" / f"{path.stem}.key").read_text(encoding="utf-8").splitlines()
        phrases = [one_line(key) for key in keys if key.strip()][:4]
        yield Text(", ".join(phrases), one_line(path.read_text(encoding="utf-8")))


def dictionary(path):
    """(headword, definition) of a dictd file: entries begin in column 0."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        entries = re.split(r"\n(?=\S)", file.read())
    for entry in entries:
        head, _, body = entry.partition("\n")
        if body.strip() and not head.startswith("00-database"):
            yield head.strip(), body


def gcide(folder):
    """Definitions of GCIDE."""
    for head, body in dictionary(folder / "usr/share/dictd/gcide.dict.dz"):
        headword = one_line(PRONOUNCED.sub(" ", head.split("\\")[0].split(",")[0]))
        yield Text(headword, one_line(SENSE.sub("", CITED.sub(" ", body))))


def foldoc(folder):
    """Entries of the Free On-line Dictionary of Computing."""
    for head, body in dictionary(folder / "usr/share/dictd/foldoc.dict.dz"):
        body = re.sub(r"\((?:19|20)\d\d-\d\d-\d\d\)|^\s*<[^>]+>", " ", body)
        yield Text(head, one_line(CITED.sub(" ", body)))


def wordnet(folder):
    """Glosses of WordNet's synsets with their words."""
    for part in ("noun", "verb", "adj", "adv"):
        path = folder / "usr/share/wordnet" / f"data.{part}"
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(" ") or " | " not in line:
                continue
            fields, gloss = line.split(" | ", 1)
            fields = fields.split()
            count = int(fields[3], 16)
            words = [
                re.sub(r"\(\w+\)$", "", fields[4 + 2 * i]).replace("_", " ") for i in range(count)
            ]
            yield Text(", ".join(words[:3]), one_line(gloss))


def web_pages(folder):
    """Sections of HTML pages under a heading."""
    for path in sorted(folder.glob("usr/share/doc/*/html/en-US/*.html")):
        heading, parts = "", []
        for tag, body in BLOCK.findall(path.read_text(encoding="utf-8")):
            line = one_line(html.unescape(TAG.sub("", body)))
            if tag[0] != "h":
                parts.append(line)
                continue
            yield Text(heading, " ".join(parts))
            heading, parts = re.sub(r"^[\d.]+\s*", "", line), []
        yield Text(heading, " ".join(parts))


def prose(text):
    """The paragraphs that read like prose, in one line."""
    paragraphs = (one_line(p) for p in re.split(r"\n\s*\n", text))
    return " ".join(p for p in paragraphs if PROSE.match(p) and p.endswith((".", ":")))


def rst(folder):
    """Sections of the kernel's documentation."""
    for path in sorted(folder.glob("usr/share/doc/*/Documentation/**/*.rst.gz")):
        if "translations" in path.parts:
            continue
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            parts = HEADING.split(file.read())
        for title, body in zip(parts[1::3], parts[3::3], strict=False):
            body = MARKUP.sub(lambda m: next(filter(None, m.groups()), ""), body)
            yield Text(one_line(MARKUP.sub(lambda m: m[0].strip("`*"), title)), prose(body))


def manual_pages(folder):
    """Descriptions of manual pages, under the line that names them."""
    for path in sorted(folder.glob("usr/share/man/man*/*.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            sections = re.split(r"^\.SH\s+", ROFF.sub("", file.read()), flags=re.M)
        bodies = dict(section.split("\n", 1) for section in sections[1:] if "\n" in section)
        bodies = {name.strip('" '): body for name, body in bodies.items()}
        name = one_line(re.sub(r"^\.\S+ ?|\\", "", bodies.get("NAME", ""), flags=re.M))
        body = re.sub(
            r"^\.(?:[PLI]?P|TP|sp|br).*$", "\n", bodies.get("DESCRIPTION", ""), flags=re.M
        )
        body = re.sub(r"^\.(?:BR?|IR?|RB|RI|BI|IB)\s+|^'\\\".*$", "", body, flags=re.M)
        body = re.sub(r"^\..*$", "", body, flags=re.M)
        yield Text(name.partition(" - ")[2], prose(body.replace("\\-", "-").replace('"', "")))


READERS = {  # source: (folder, reader, most passages, how much a title tells of its text)
    "scitldr": ("scitldr", papers_of_scitldr, 8000, 4.0),
    "arxiv": ("arxiv-daily-scroll", papers_of_arxiv, 2000, 4.0),
    "semeval": ("SemEval2017", paragraphs_of_papers, 1000, 1.0),
    "foldoc": ("dict-foldoc", foldoc, 4000, 3.0),
    "gcide": ("dict-gcide", gcide, 4000, 2.0),
    "wordnet": ("wordnet-base", wordnet, 4000, 2.0),
    "handbook": ("debian-handbook", web_pages, 1200, 0.0),
    "linux": ("linux-doc-6.12", rst, 3000, 0.0),
    "manpages": ("manpages-dev", manual_pages, 1000, 2.0),
}


def sentences(text):
    """The sentences of a text."""
    return [s for s in SENTENCE_END.split(text) if s]


def windows(text, characters):
    """Runs of whole sentences of up to that many characters."""
    part = ""
    for sentence in sentences(text):
        if part and len(part) + len(sentence) > characters:
            yield part
            part = ""
        part = f"{part} {sentence}".strip()
    if part:
        yield part
