#!/usr/bin/env python3
"""Run the reference implementations over a list of cases; write their inputs, scores and hidden states as JSON.

    make_fixtures.py MODEL_FOLDER --out FILE.json [--pairs FILE.json]

Everything runs in float32 on the CPU. Numbers are the shortest decimals that read back as the same float32.
The format is described in README.md.
"""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import pairs as default_pairs
from compression import compressed_batches, compressed_case
from reference_model import LIGHTWEIGHT_PROMPT, PROMPT, Reference, f32, nested_f32, unmasked

SMALL_MODEL = 5e6  # parameters; larger ones get no hidden states
SHORT_TEXT = 300  # characters, for the tokenization list
SHOWN_BATCH = 6000  # tokens with padding
COMPRESSED_TOGETHER = 12  # cases
TOLERANCE = 1e-4


def settings_of(case):
    """What differs from the defaults."""
    return {k: v for k, v in case.items() if k not in ("id", "query", "passage", "cases")}


def as_written(settings):
    """How a score of these settings is written: normalized scores are float64."""
    return float if settings.get("normalize") else f32


def header(reference, cases):
    """Versions, defaults and the tokenizer."""
    tokenizer, flag = reference.tokenizer, reference.flag
    document = {
        "family": reference.family,
        "class": reference.class_name,
        "versions": {
            k: version(k) for k in ("torch", "transformers", "tokenizers", "FlagEmbedding")
        },
        "dtype": "float32",
        "attention": reference.model.config._attn_implementation,
        "defaults": {
            "max_length": flag.max_length,
            "query_max_length": None,
            "normalize": False,
            "batch_size": flag.batch_size,
            "query_instruction": reference.instructions[0],
            "passage_instruction": reference.instructions[1],
        },
        "tokenizer": {
            "class": type(tokenizer).__name__,
            "length": len(tokenizer),
            "padding_side": tokenizer.padding_side,
            "pad_id": tokenizer.pad_token_id,
            "bos_id": tokenizer.bos_token_id,
            "eos_id": tokenizer.eos_token_id,
            "unk_id": tokenizer.unk_token_id,
            "cls_id": tokenizer.cls_token_id,
            "sep_id": tokenizer.sep_token_id,
            "mask_id": tokenizer.mask_token_id,
        },
    }
    if not reference.encoder:
        prompt = LIGHTWEIGHT_PROMPT if reference.lightweight else PROMPT
        document["defaults"]["prompt"] = prompt
        document["tokenizer"].update(
            newline_ids=reference.ids("\n"),
            yes_ids=reference.ids("Yes"),
            prompt_ids=reference.ids(prompt),
            pad_to_multiple_of=8,
        )
    if reference.layers:
        document["head_layers"] = reference.layers
    texts = [text for case in cases for text in (case["query"], case["passage"])]
    document["tokenization"] = [
        {"text": text, "ids": reference.ids(text)}
        for text in dict.fromkeys(texts)
        if len(text) <= SHORT_TEXT
    ]
    return document


def too_long(reference, case):
    """Whether the reference would fail: it breaks on sequences longer than the position table."""
    if not reference.capacity():
        return False
    settings = settings_of(case)
    limit = settings.get("max_length", 512)
    query_limit = settings.get("query_max_length", limit * 3 // 4)
    query = len(reference.ids(case["query"])[:query_limit])
    uncut = query + 4 + len(reference.ids(case["passage"]))
    # a query that leaves no room keeps the passage whole, up to the limit
    kept = query + 4 + (limit if limit <= query + 4 else 0)
    return min(uncut, max(limit, kept)) > reference.capacity()


def flag_entry(reference, pair, settings):
    """Ids and scores of the FlagEmbedding class."""
    more = {"cutoff_layers": reference.layers} if reference.layers else {}
    got = reference.flag_scores([pair], settings, **more)
    got = [got] if len(reference.layers or []) == 1 else got  # the class unwraps a single layer
    fed = reference.fed[-1]
    mask = fed["attention_mask"][0]
    written = as_written(settings)
    entry = {
        "input_ids": unmasked(fed["input_ids"][0], mask),
        "padded_length": len(fed["input_ids"][0]),
    }
    if "token_type_ids" in fed:
        entry["token_type_ids"] = unmasked(fed["token_type_ids"][0], mask)
    if reference.layers:
        entry["scores"] = {
            str(layer): written(values[0])
            for layer, values in zip(reference.layers, got, strict=True)
        }
        entry["score"] = entry["scores"][str(reference.layers[-1])]
    else:
        entry["score"] = written(got[0])
    return entry


def case_entry(reference, case, number, small, detail):
    """Everything about one case, and how far padding moved its score."""
    settings = settings_of(case)
    pair = (case["query"], case["passage"])
    flag = flag_entry(reference, pair, settings)
    entry = {"id": case["id"], "query": pair[0], "passage": pair[1], "settings": settings}
    entry["flag"] = flag
    drift = 0.0
    not_plain = ("normalize", "query_max_length", "query_instruction")
    if not any(name in settings for name in not_plain):
        plain = reference.plain(*pair, settings)
        if plain:
            entry["plain"] = plain
    if small:
        types = None if reference.lightweight else flag.get("token_type_ids")
        entry["trace"], unpadded = reference.trace(flag["input_ids"], types, detail)
        # the lightweight class pairs the one layer of the trace with the first head
        if not settings.get("normalize") and not reference.lightweight:
            drift = abs(unpadded - flag["score"])
    if reference.lightweight:
        entry["compressed"] = compressed_case(
            reference, number, pair, settings, len(flag["input_ids"]), as_written(settings)
        )
    return entry, drift


def batch_entry(reference, batch, chosen):
    """Several cases in one call, and how far that moved a score."""
    settings = settings_of(batch)
    pairs = [(case["query"], case["passage"]) for case in chosen]
    more = {"cutoff_layers": reference.layers} if reference.layers else {}
    got = reference.flag_scores(pairs, settings, **more)
    got = [got] if len(reference.layers or []) == 1 else got
    written = as_written(settings)
    if reference.layers:
        scores = {
            str(layer): [written(x) for x in values]
            for layer, values in zip(reference.layers, got, strict=True)
        }
        last = got[-1]
    else:
        scores, last = [written(x) for x in got], got
    worst = 0.0
    if "max_length" not in settings and not settings.get("normalize"):
        differences = [abs(x - c["flag"]["score"]) for x, c in zip(last, chosen, strict=True)]
        worst = max(differences, default=0.0)
    calls = reference.fed[1:]  # the first call only probes the batch size
    fed = []
    for call in calls:
        width = len(call["input_ids"][0])
        note = {
            "lengths": [sum(mask) for mask in call["attention_mask"]],
            "padded_length": width,
            "order_note": "longest first",
        }
        if batch["id"] == "mixed-lengths" and len(call["input_ids"]) * width <= SHOWN_BATCH:
            note["input_ids"] = call["input_ids"]
            note["attention_mask"] = call["attention_mask"]
        fed.append(note)
    entry = {
        "id": batch["id"],
        "settings": settings,
        "cases": [case["id"] for case in chosen],
        "scores": scores,
        "fed": fed,
    }
    return entry, worst


def cutoff_cases(reference, case):
    """What the reference does with unusual cutoff_layers: out of order, repeated, out of range."""
    first, last = reference.layers[0], reference.layers[-1]
    unusual = [None, [last], [first], [first, last], [last, first], [first, first]]
    unusual += [[0, last], [last + 1, first], [0]]
    pair = (case["query"], case["passage"])
    out = []
    for layers in unusual:
        try:
            got = reference.flag_scores([pair], {}, cutoff_layers=layers)
            out.append({"cutoff_layers": layers, "result": nested_f32(got)})
        except ValueError as error:
            out.append({"cutoff_layers": layers, "error": str(error)})
    return out


def write(document, path):
    """One line per top-level entry and per list item, so that files stay small but differ readably."""

    def dump(value):
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"))

    entries = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(dump(item) for item in value) + "\n]"
        else:
            text = dump(value)
        entries.append(f"{dump(key)}:{text}")
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="ascii")


def make_document(reference, cases, batches, details):
    """The whole fixture, and the largest change that padding made."""
    small = sum(p.numel() for p in reference.model.parameters()) < SMALL_MODEL
    torch.set_num_threads(1 if small else 2)
    document = header(reference, cases)
    document["cases"], drift, skipped = [], 0.0, []
    for number, case in enumerate(cases):
        if reference.encoder and "prompt" in case:
            continue
        if too_long(reference, case):
            skipped.append(case["id"])
            continue
        entry, moved = case_entry(reference, case, number, small, number < details)
        document["cases"].append(entry)
        drift = max(drift, moved)
    by_id = {entry["id"]: entry for entry in document["cases"]}
    document["batches"], worst = [], 0.0
    for batch in batches:
        chosen = [by_id[name] for name in batch["cases"] if name in by_id]
        entry, moved = batch_entry(reference, batch, chosen)
        document["batches"].append(entry)
        worst = max(worst, moved)
    compressed = 0.0
    if reference.lightweight:
        chosen = [case for case in document["cases"] if not case["settings"]][:COMPRESSED_TOGETHER]
        document["compressed_batches"], compressed = compressed_batches(reference, chosen, f32)
        worst = max(worst, compressed)
    if reference.layers:
        document["cutoff_cases"] = cutoff_cases(reference, cases[1])
    values = [
        entry["flag"]["score"]
        for entry in document["cases"]
        if not entry["settings"].get("normalize")
    ]
    document["summary"] = {
        "cases": len(document["cases"]),
        "distinct": len(set(values)),
        "mean": f32(np.mean(values)),
        "std": f32(np.std(values)),
        "min": min(values),
        "max": max(values),
        "largest_batch_difference": f32(worst),
        **(
            {"largest_compressed_batch_difference": f32(compressed)}
            if reference.lightweight
            else {}
        ),
        "largest_padding_difference": f32(drift),
        "skipped": skipped,
    }
    return document, max(worst, drift)


def main():
    """Write the fixture of one model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--pairs",
        type=Path,
        help='JSON in place of pairs.py: {"cases": [{"id", "query", "passage", ...settings}], "batches": [...]}',
    )
    parser.add_argument(
        "--details", type=int, default=3, help="cases with hidden states inside the layers as well"
    )
    args = parser.parse_args()
    if args.pairs:
        given = json.loads(args.pairs.read_text(encoding="utf-8"))
        cases, batches = given["cases"], given["batches"]
    else:
        cases, batches = default_pairs.cases(), default_pairs.batches()
    reference = Reference(args.model)
    document, moved = make_document(reference, cases, batches, args.details)
    write(document, args.out)
    print(f"{args.out}: {reference.family}: {json.dumps(document['summary'])}")
    if moved > TOLERANCE * max(1, document["summary"]["std"]):
        sys.exit("padding changes the scores")


if __name__ == "__main__":
    main()
