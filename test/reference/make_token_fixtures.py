#!/usr/bin/env python3
"""Write the ids that Hugging Face's tokenizers give to every text of a list.

    make_token_fixtures.py TOKENIZER_FOLDER --texts texts.jsonl.gz --out fixtures.jsonl.gz

TOKENIZER_FOLDER has tokenizer.json, or overlay.json {"base": "../other", "set": {"normalizer": ...}}: the
tokenizer.json of the base with some of its members replaced. A SentencePiece file (*.model) may lie beside it.

Every line of --texts is {"tag", "text"}. Every line written is

  i, tag, text
  ids                without special tokens, by tokenizer.json through Hugging Face tokenizers
  ids_with_specials  with the post-processor
  pair_with          j, and pair_ids: text i as the first, text j as the second, with the post-processor;
                     null for long texts
  pair_types         run lengths of the type ids of the pair, [[type, count], ...]
  ids_auto           only where AutoTokenizer of the installed transformers gives other ids
  ids_spm            only where SentencePiece gives other ids (its pieces looked up in tokenizer.json)

and the last is {"summary": {...}}: versions, counts, and disagreements by tag. Truncation and padding that a
tokenizer.json carries are off, as they are in a plain call of AutoTokenizer.
"""

import argparse
import collections
import gzip
import json
import tempfile
from pathlib import Path

import tokenizers

LONGEST_PAIR = 1200  # characters


def read_lines(path):
    """The lines of a text file, gzipped or not."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return [line for line in text.split("\n") if line]


def write_lines(path, lines):
    """Lines to a text file, gzipped or not."""
    data = "".join(line + "\n" for line in lines).encode("utf-8")
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def load_tokenizer_json(folder):
    """tokenizer.json as a dict, put together from an overlay where there is one."""
    path = folder / "tokenizer.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    overlay = json.loads((folder / "overlay.json").read_text(encoding="utf-8"))
    base = load_tokenizer_json(folder / overlay["base"])
    for key, value in overlay["set"].items():
        if key == "normalizer":
            value = fill_charsmap(value, find_charsmap(base.get("normalizer")))
        base[key] = value
    return base


def find_charsmap(normalizer):
    """The character map of a normalizer or of one inside it."""
    if not normalizer:
        return None
    if normalizer.get("type") == "Precompiled":
        return normalizer["precompiled_charsmap"]
    found = map(find_charsmap, normalizer.get("normalizers", []))
    return next((charsmap for charsmap in found if charsmap), None)


def fill_charsmap(value, charsmap):
    """Put the base's character map wherever the overlay says "@base"."""
    if isinstance(value, dict):
        return {key: fill_charsmap(item, charsmap) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_charsmap(item, charsmap) for item in value]
    return charsmap if value == "@base" else value


def runs(values):
    """Run lengths: [[value, count], ...]."""
    out = []
    for value in values:
        if out and out[-1][0] == value:
            out[-1][1] += 1
        else:
            out.append([value, 1])
    return out


def auto_tokenizer(folder, tokenizer_json, versions):
    """AutoTokenizer over this tokenizer.json, or None where transformers is not installed."""
    try:
        import transformers
    except ImportError:
        return None
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for path in folder.glob("*.json"):
            if path.name not in ("tokenizer.json", "overlay.json"):
                (scratch / path.name).write_bytes(path.read_bytes())
        (scratch / "tokenizer.json").write_text(json.dumps(tokenizer_json), encoding="utf-8")
        auto = transformers.AutoTokenizer.from_pretrained(scratch)
    versions["transformers"] = transformers.__version__
    versions["auto_class"] = type(auto).__name__
    return lambda text: auto(text, add_special_tokens=False)["input_ids"]


def sentencepiece_tokenizer(folder, tokenizer_json, tokenizer, versions):
    """SentencePiece with its ids translated to tokenizer.json's, or None where there is none."""
    models = sorted(folder.glob("*.model"))
    if not models:
        return None
    try:
        import sentencepiece
    except ImportError:
        return None
    model = sentencepiece.SentencePieceProcessor(model_file=str(models[0]))
    versions["sentencepiece"] = sentencepiece.__version__
    unknown = tokenizer_json["model"].get("unk_id")
    if unknown is None:
        unknown = tokenizer.token_to_id(tokenizer_json["model"].get("unk_token") or "<unk>")
    translated = []
    for i in range(model.get_piece_size()):
        known = tokenizer.token_to_id(model.id_to_piece(i))
        translated.append(unknown if known is None or model.is_unknown(i) else known)
    return lambda text: [translated[i] for i in model.encode(text)]


def entry(tokenizer, texts, i):
    """One line without the comparisons."""
    text = texts[i]["text"]
    j = (i * 7 + 3) % len(texts)
    second = texts[j]["text"]
    out = {
        "i": i,
        "tag": texts[i]["tag"],
        "text": text,
        "ids": tokenizer.encode(text, add_special_tokens=False).ids,
        "ids_with_specials": tokenizer.encode(text).ids,
        "pair_with": None,
        "pair_ids": None,
        "pair_types": None,
    }
    if len(text) + len(second) <= LONGEST_PAIR:
        pair = tokenizer.encode(text, second)
        out.update(pair_with=j, pair_ids=pair.ids, pair_types=runs(pair.type_ids))
    return out


def main():
    """Write the fixture of one tokenizer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="tokenizer folder")
    parser.add_argument("--texts", type=Path, required=True, help="of make_token_texts.py")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, .gz or not")
    parser.add_argument("--no-auto", action="store_true", help="do not compare with AutoTokenizer")
    parser.add_argument("--no-spm", action="store_true", help="do not compare with SentencePiece")
    args = parser.parse_args()

    tokenizer_json = load_tokenizer_json(args.folder)
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    versions = {"tokenizers": tokenizers.__version__}
    others = {}
    if not args.no_auto:
        others["auto"] = auto_tokenizer(args.folder, tokenizer_json, versions)
    if not args.no_spm:
        others["spm"] = sentencepiece_tokenizer(args.folder, tokenizer_json, tokenizer, versions)
    others = {name: encode for name, encode in others.items() if encode}

    texts = [json.loads(line) for line in read_lines(args.texts)]
    lines, count = [], 0
    disagreements = {name: collections.Counter() for name in others}
    for i in range(len(texts)):
        line = entry(tokenizer, texts, i)
        count += len(line["ids"])
        for name, encode in others.items():
            ids = encode(line["text"])
            if ids != line["ids"]:
                line[f"ids_{name}"] = ids
                disagreements[name][line["tag"]] += 1
        lines.append(json.dumps(line, ensure_ascii=True, separators=(",", ":")))
    summary = {"versions": versions, "texts": len(texts), "ids": count}
    for name, tags in disagreements.items():
        summary[f"{name}_disagrees"] = {
            "texts": sum(tags.values()),
            "by_tag": dict(sorted(tags.items())),
        }
    lines.append(json.dumps({"summary": summary}, separators=(",", ":")))
    write_lines(args.out, lines)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
