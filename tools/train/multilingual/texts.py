"""Readers of translated manuals: titles and paragraphs of sections, by language.

A reader takes the folder of the unpacked packages and yields `Section`s. README.md names packages and licences.
"""

import html
import re
from typing import NamedTuple

from cross.texts import TAG, one_line

HANDBOOK_BLOCK = re.compile(r"<(h[1-4]|div class=\"para\")[^>]*>(.*?)</(?:h[1-4]|div)>", re.S)
HELP_BLOCK = re.compile(r"<(h[1-4]|p)\b[^>]*?(?:class=\"(\w+)\"[^>]*)?>(.*?)</\1>", re.S)
HELP_PARAGRAPHS = ("paragraph", "tip", "note")
HANDBOOK = "debian-handbook/usr/share/doc/debian-handbook/html"
HELP = "libreoffice-help-{0}/usr/share/libreoffice/help/{0}/text"
HELP_LANGUAGES = "cs de el es fi fr hi hu it ja ko nl pl pt ru sv tr vi zh-cn".split()
LEAST_CHARACTERS, MOST_CHARACTERS = 160, 480
LEAST_CHARACTERS_OF_HAN = 70
PARAGRAPH_CHARACTERS = 30
ENGLISH_WORDS = set("the and to are with for you this that from can which".split())
ENGLISH_SHARE = 0.1  # of the words, from where on a paragraph counts as not translated


class Section(NamedTuple):
    """A run of paragraphs and what it is called."""

    language: str
    title: str
    text: str


def plain(markup):
    """The text of a piece of HTML in one line."""
    return one_line(html.unescape(TAG.sub("", markup)))


def is_english(text):
    """Whether a paragraph of a translation is still English."""
    words = text.lower().split()
    return sum(word in ENGLISH_WORDS for word in words) > ENGLISH_SHARE * len(words)


def packed(language, title, paragraphs):
    """Sections of whole paragraphs of up to MOST_CHARACTERS; the title belongs to the first."""
    least = LEAST_CHARACTERS_OF_HAN if language in ("zh", "ja") else LEAST_CHARACTERS
    part = ""
    for paragraph in [*paragraphs, None]:
        if part and (paragraph is None or len(part) + len(paragraph) > MOST_CHARACTERS):
            if len(part) >= least:
                yield Section(language, title, part)
                title = ""
            part = ""
        if paragraph and len(paragraph) <= MOST_CHARACTERS and not is_english(paragraph):
            part = f"{part} {paragraph}".strip()


def handbook(folder):
    """Sections of the Debian Administrator's Handbook in all its languages but English."""
    for place in sorted((folder / HANDBOOK).iterdir()):
        language = place.name[:2]
        if language == "en":
            continue
        for path in sorted(place.glob("*.html")):
            title, paragraphs = "", []
            for tag, body in HANDBOOK_BLOCK.findall(path.read_text(encoding="utf-8")):
                line = plain(body)
                if tag[0] != "h":
                    paragraphs.append(line)
                    continue
                yield from packed(language, title, paragraphs)
                title, paragraphs = re.sub(r"^[\d.]+\s*", "", line), []
            yield from packed(language, title, paragraphs)


def help_paragraphs(path):
    """(title, paragraphs) of a page of LibreOffice's help."""
    title, paragraphs = "", []
    for tag, kind, body in HELP_BLOCK.findall(path.read_text(encoding="utf-8")):
        line = plain(body)
        if tag == "h1" and not title:
            title = line
        elif kind in HELP_PARAGRAPHS and len(line) >= PARAGRAPH_CHARACTERS:
            paragraphs.append(line)
    return title, paragraphs


def office_help(folder):
    """Pages of LibreOffice's help."""
    for name in HELP_LANGUAGES:
        for path in sorted((folder / HELP.format(name)).rglob("*.html")):
            yield from packed(name[:2], *help_paragraphs(path))


def translated_sections(folder, most, rng):
    """{language: at most `most` different sections} of both."""
    found = {}
    for section in (*handbook(folder), *office_help(folder)):
        found.setdefault(section.language, {})[section.text] = section
    return {
        language: rng.sample(list(texts.values()), min(most, len(texts)))
        for language, texts in sorted(found.items())
    }
