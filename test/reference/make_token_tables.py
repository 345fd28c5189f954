#!/usr/bin/env python3
"""Write the classes of code points as Hugging Face's tokenizers have them.

    make_token_tables.py --out codepoints.json

They follow the Unicode versions of the libraries that package is built with, so a JavaScript \\p{...} may
differ. Lists of [first, last] ranges, hexadecimal; ../fixtures/tokenizers/make-code-point-data.mjs makes the data
in src/tokenizers of them:

  bert_punctuation   code points that BertPreTokenizer and Punctuation isolate
  bert_removed       code points that BertNormalizer(clean_text) drops
  bert_to_space      code points that it turns into a space
  bert_cjk           code points that it puts spaces around
  bert_stripped      code points that strip_accents drops (after clean_text kept them)
  stripped           code points that StripAccents drops
  nfkd               code points that NFKD changes
  reordered          code points that NFD puts before a mark of the highest combining class
  white_space        code points that WhitespaceSplit splits at
  word               code points that \\w of Whitespace matches
  numeric            code points that Digits splits at
  regex_Lu, ...      code points that \\p{Lu}, ... of a Split matches, by general category; those of Cn are left out
  regex_w            code points that \\w of a Split matches
"""

import argparse
import json
from pathlib import Path

from tokenizers import Regex, __version__, normalizers, pre_tokenizers

CATEGORIES = (
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co"
).split()


def bert_normalizer(**switches):
    """A BertNormalizer that does only what is named."""
    off = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    return normalizers.BertNormalizer(**{**dict.fromkeys(off, False), **switches})


def classes():
    """{class: function from code point to bool}."""
    clean = bert_normalizer(clean_text=True).normalize_str
    cjk = bert_normalizer(handle_chinese_chars=True).normalize_str
    accents = bert_normalizer(strip_accents=True).normalize_str
    stripped = normalizers.StripAccents().normalize_str
    nfd = normalizers.NFD().normalize_str
    nfkd = normalizers.NFKD().normalize_str
    punctuation = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    white_space = pre_tokenizers.WhitespaceSplit().pre_tokenize_str
    word = pre_tokenizers.Whitespace().pre_tokenize_str
    digits = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str
    return {
        "bert_punctuation": lambda c: len(punctuation(f"a{c}b")) == 3,
        "bert_removed": lambda c: clean(f"a{c}b") == "ab",
        "bert_to_space": lambda c: c != " " and clean(f"a{c}b") == "a b",
        "bert_cjk": lambda c: cjk(f"a{c}b") == f"a {c} b",
        "bert_stripped": lambda c: accents(f"a{c}b") == "ab",
        "stripped": lambda c: stripped(c) == "",
        "nfkd": lambda c: nfkd(c) != c,
        "reordered": lambda c: nfd(f"\u0345{c}") != f"\u0345{nfd(c)}",
        "white_space": lambda c: len(white_space(f"a{c}b")) == 2,
        "word": lambda c: len(word(f"a{c}b")) == 1,
        "numeric": lambda c: len(digits(f"a{c}b")) == 3,
    }


def matched(pattern, codes):
    """The code points that a regular expression of Split matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str
    found = []
    for start in range(0, len(codes), 1 << 14):
        part = codes[start : start + (1 << 14)]
        at = 0
        for _, (first, end) in [*split("".join(map(chr, part))), ("", (len(part), 0))]:
            found += part[at:first]
            at = end
    return found


def ranges(codes):
    """[[first, last], ...] in hexadecimal of ascending code points."""
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return [[f"{first:X}", f"{last:X}"] for first, last in out]


def main():
    """Write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    tests = classes()
    members = {name: [] for name in tests}
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for code in codes:
        for name, test in tests.items():
            if test(chr(code)):
                members[name].append(code)
    for category in CATEGORIES:
        members[f"regex_{category}"] = matched(rf"\p{{{category}}}", codes)
    members["regex_w"] = matched(r"\w", codes)
    tables = {"tokenizers": __version__}
    tables.update({name: ranges(codes) for name, codes in members.items()})
    args.out.write_text(json.dumps(tables, separators=(",", ":")))
    print({name: len(codes) for name, codes in members.items()})


if __name__ == "__main__":
    main()
