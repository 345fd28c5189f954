#!/usr/bin/env python3
"""Write the text set of the tokenizer fixtures: one {"tag", "text"} a line.

    make_token_texts.py --out texts.jsonl.gz [--locales FOLDER] [--charsmap FILE.model]

The texts are those of token-texts.json, forms derived from them, rows of special code points, and seeded
random strings. With --locales also words of glibc's locale sources; with --charsmap also every code point
that the normalization of a SentencePiece model changes; with faker installed also made-up names and
addresses. No text has a lone surrogate: it would have no UTF-8 form.
"""

import argparse
import base64
import gzip
import json
import random
import re
import unicodedata
from pathlib import Path

DATA = Path(__file__).resolve().parent / "token-texts.json"
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
LONG_RUNS = [
    ("a", 10000),
    ("中", 10000),
    ("😀", 5000),
    (" ", 3000),
    ("\n", 2000),
    ("\t", 500),
    ("-", 3000),
    ("é", 2000),
    ("e\u0301", 1000),
    ("ab ", 2000),
    ("\u0301", 600),
    ("가", 2000),
    ("ก", 2000),
    ("0", 3000),
    ("_", 1000),
    ("ａ", 2000),
    ("\u3000", 600),
    ("👨‍👩‍👧‍👦", 300),
    ("\U000f0000", 300),
    ("\0", 300),
]
HALF_WIDTH_KANA = "ｳｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎ"
EDGES = [0xFFFE, 0xFFFF, 0xFDD0, 0x1FFFE, 0x10FFFF, 0x10FFFE, 0x20000, 0x2A6DF]
EDGES += [0x30000, 0x323AF, 0x1F9FF, 0x1FAFF, 0x16FE4, 0x1B000, 0x1D7FF, 0x1E900]
LARGE_SCRIPTS = [
    range(0x3400, 0xA000),
    range(0xAC00, 0xD7A4),
    range(0x20000, 0x40000),
    range(0x17000, 0x19000),
    range(0x12000, 0x15000),
]
FAKER_KINDS = ("name", "address", "text", "company")


def is_surrogate(code):
    """Surrogates are no characters."""
    return 0xD800 <= code < 0xE000


def assigned(first, end):
    """Code points with a character, without private use."""
    unassigned = ("Cn", "Co", "Cs")
    return [
        code
        for code in range(first, end)
        if not is_surrogate(code) and unicodedata.category(chr(code)) not in unassigned
    ]


def changed_forms(text, forms):
    """(form, text in it) for the normalization forms that change the text."""
    for form in forms:
        changed = unicodedata.normalize(form, text)
        if changed != text:
            yield form.lower(), changed


def written_texts(data):
    """The texts of token-texts.json in their contexts."""
    yield "empty", ""
    for language, sentences in data["languages"].items():
        for sentence in sentences:
            yield "lang:" + language, sentence
            for form, changed in changed_forms(sentence, ("NFC", "NFD")):
                yield f"norm:{form}:{language}", changed
    for code in range(0x100):
        yield "char", chr(code)
    for code in range(0x20):
        char = chr(code)
        yield "ctrl", f"a{char}b {char} c{char}"
    for emoji in data["emoji"]:
        yield "emoji", emoji
        yield "emoji", f"I {emoji} you{emoji}!"
    yield "emoji", " ".join(data["emoji"])
    yield "emoji", "".join(data["emoji"])
    for text in data["compatibility"]:
        yield "compat", text
        for form, changed in changed_forms(text, FORMS):
            yield "compat:" + form, changed
    for name, space in data["white_space_and_invisible"].items():
        yield from ((f"space:{name}", text) for text in around_space(space))
    for tag, kind in (("num", "numbers"), ("url", "urls_and_paths"), ("code", "code")):
        yield from ((tag, text) for text in data[kind])


def around_space(space):
    """A white space or invisible character alone, at the edges, and between letters."""
    return [
        space,
        space + "ab",
        "ab" + space,
        f"ab{space}cd",
        f"ab {space} cd",
        f"中{space}文",
        f"{space}{space}ab{space}{space}cd{space}{space}",
    ]


def encoded_bytes(rng):
    """Random bytes as base64 and hexadecimal."""
    for _ in range(16):
        data = bytes(rng.randrange(256) for _ in range(rng.randrange(3, 90)))
        yield "base64", base64.b64encode(data).decode()
        yield "hex", data.hex()


def special_texts(data):
    """Literal special tokens in their contexts and in the other case."""
    for token in data["special_tokens"]:
        for context in data["special_token_contexts"]:
            yield "special", context.replace("{}", token)
        if token.lower() != token:
            yield "special", f"x {token.lower()} y"
        elif token.upper() != token:
            yield "special", f"x {token.upper()} y"


def long_runs():
    """One character thousands of times, and words around 100 characters."""
    for text, count in LONG_RUNS:
        yield "run", text * count
    yield "run", " ".join(["a" * 99, "b" * 100, "c" * 101, "d" * 200, "e"])


def code_point_rows():
    """Composites, compatibility characters and half-width kana, many to a row."""
    everything = range(0xA0, 0x2FA20)
    decomposition = {code: unicodedata.decomposition(chr(code)) for code in everything}
    canonical = [c for c, d in decomposition.items() if d and not d.startswith("<")]
    compatible = [c for c, d in decomposition.items() if d.startswith("<")]
    for start in range(0, len(canonical), 24):
        row = canonical[start : start + 24]
        yield "nfd-row", " ".join(unicodedata.normalize("NFD", chr(c)) for c in row)
    for start in range(0, len(canonical), 48):
        yield "composite-row", "".join(map(chr, canonical[start : start + 48]))
    for start in range(0, len(compatible), 40):
        yield "compat-row", " ".join(map(chr, compatible[start : start + 40]))
    yield "halfkana", " ".join(kana + "ﾞ" for kana in HALF_WIDTH_KANA)
    yield "halfkana", "".join(kana + "ﾟ" for kana in HALF_WIDTH_KANA)
    yield "halfkana", "".join(kana + "ﾞ" for kana in HALF_WIDTH_KANA)


def random_texts(rng):
    """Seeded random strings of several kinds, 60 each."""
    basic, all_codes = assigned(0x20, 0x10000), assigned(0x20, 0x110000)
    small_scripts = [c for c in all_codes if not any(c in block for block in LARGE_SCRIPTS)]
    marks = [c for c in all_codes if unicodedata.category(chr(c)).startswith("M")]
    letters = ["a", "e", " ", "中", "x", "1"]

    def mixed():
        return rng.choice(letters) if rng.random() < 0.5 else chr(rng.choice(small_scripts))

    def marked():
        return chr(rng.choice(marks)) if rng.random() < 0.5 else rng.choice("aeiounAE чи한ไअ")

    makers = [
        ("rand:bmp", 60, lambda: chr(rng.choice(basic))),
        ("rand:noncjk", 60, lambda: chr(rng.choice(small_scripts))),
        ("rand:mixed", 80, mixed),
        ("rand:marks", 50, marked),
    ]
    for tag, limit, make in makers:
        for _ in range(60):
            yield tag, "".join(make() for _ in range(rng.randrange(1, limit)))
    for _ in range(60):
        yield "rand:any", any_code_points(rng)
    for tag, codes in (("rand:ascii", range(0x80)), ("rand:latin", range(0x20, 0x250))):
        for _ in range(60):
            yield tag, "".join(chr(rng.choice(codes)) for _ in range(rng.randrange(1, 80)))
    for first in range(0x80, 0x11000, 0x80):  # one string for every half block
        codes = assigned(first, first + 0x80)
        if codes and not (0x3400 <= first < 0xA000 or 0xAC00 <= first < 0xD780):
            yield "block", "".join(chr(rng.choice(codes)) for _ in range(24))
    for _ in range(20):
        yield "private", private_use(rng) + rng.choice(["", " a", "中"])


def any_code_points(rng):
    """Code points of all planes, assigned or not."""
    chars = []
    while len(chars) < rng.randrange(1, 40):
        code = rng.randrange(0x110000)
        if not is_surrogate(code):
            chars.append(chr(code))
    return "".join(chars)


def private_use(rng):
    """Up to 11 private-use characters."""
    areas = ((0xE000, 0xF900), (0xF0000, 0xFFFFE), (0x100000, 0x10FFFE))
    return "".join(
        chr(rng.choice([rng.randrange(*area) for area in areas]))
        for _ in range(rng.randrange(1, 12))
    )


def charsmap_rows(path):
    """Every code point that the model's normalization changes, 32 a row."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    changed = []
    for code in range(1, 0x30000):
        text = "" if is_surrogate(code) else f"a{chr(code)}b"
        if text and model.normalize(text) != "▁" + text:
            changed.append(code)
    for start in range(0, len(changed), 32):
        yield "charsmap-row", "a".join(map(chr, changed[start : start + 32]))


def locale_words(folder):
    """Names of days and months of glibc's locale sources."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if not path.is_file() or "_" not in path.name:
            continue
        source = path.read_text(encoding="utf-8", errors="replace")
        words = []
        for key in ("day", "mon"):
            found = re.search(rf"^{key}\s+((?:\".*?\"[;/\s]*)+)", source, re.M)
            if found:
                words += re.findall(r"\"(.*?)\"", found.group(1))
        words = [
            re.sub(r"<U([0-9A-Fa-f]+)>", lambda m: chr(int(m.group(1), 16)), word) for word in words
        ]
        if words:
            yield "locale:" + path.name.split("_")[0], ", ".join(words)


def faker_texts(seed):
    """Made-up names, addresses, texts and companies of every locale that faker knows."""
    try:
        from faker import Faker
        from faker.config import AVAILABLE_LOCALES
    except ImportError:
        return
    for locale in sorted(AVAILABLE_LOCALES):
        maker = Faker(locale)
        maker.seed_instance(seed)
        for kind in FAKER_KINDS:
            try:
                text = getattr(maker, kind)()
            except (AttributeError, NotImplementedError):  # not every locale has every kind
                continue
            yield "faker:" + locale, text


def all_texts(seed, locales, charsmap):
    """Every (tag, text), in the order of the file; the first of equal texts stays."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    rng = random.Random(seed)
    parts = [
        written_texts(data),
        encoded_bytes(rng),
        special_texts(data),
        long_runs(),
        code_point_rows(),
        random_texts(rng),
        (("edge", f"x{chr(code)}y {chr(code)}") for code in EDGES),
        charsmap_rows(charsmap) if charsmap else (),
        locale_words(locales) if locales else (),
        faker_texts(seed),
    ]
    tags = {}
    for part in parts:
        for tag, text in part:
            tags.setdefault(text, tag)
    return [(tag, text) for text, tag in tags.items()]


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, .gz or not")
    parser.add_argument("--locales", type=Path, help="folder of glibc's locale sources")
    parser.add_argument("--charsmap", type=Path, help="SentencePiece model")
    parser.add_argument("--seed", type=int, default=20261122)
    args = parser.parse_args()
    texts = all_texts(args.seed, args.locales, args.charsmap)
    lines = (json.dumps({"tag": tag, "text": text}, ensure_ascii=True) for tag, text in texts)
    data = "".join(line + "\n" for line in lines).encode()
    args.out.write_bytes(gzip.compress(data, mtime=0) if args.out.suffix == ".gz" else data)
    print(f"{len(texts)} texts")


if __name__ == "__main__":
    main()
