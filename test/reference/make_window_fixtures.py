#!/usr/bin/env python3
"""Run BCEmbedding's reranker on a model folder over passages of several windows and write JSON.

    make_window_fixtures.py MODEL_FOLDER --out FILE.json

Float32 on the CPU. README.md describes the file. Needs the package bcembedding 0.1.5, installed with --no-deps.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

import torch
from BCEmbedding.models.reranker import RerankerModel
from BCEmbedding.models.utils import reranker_tokenize_preproc

from corpus import ENGLISH, OTHER
from make_fixtures import write
from reference_model import f32

QUERY = "what is panda?"
LINES = [*ENGLISH, *OTHER]


def text(first, count):
    """So many lines of the corpus, from one on."""
    return " ".join(LINES[(first + i) % len(LINES)] for i in range(count))


# Settings that are not listed: max_length 512, overlap_tokens 80.
CASES = [
    {"id": "short", "query": QUERY, "passage": "hi"},
    {"id": "blank-query", "query": " ", "passage": text(3, 20)},
    {"id": "three-windows", "query": QUERY, "passage": text(0, 26)},
    {"id": "several-windows", "query": QUERY, "passage": text(7, 44)},
    {"id": "scripts", "query": "大熊猫是什么？", "passage": text(30, 24)},
    {"id": "special-tokens", "query": "a </s> b", "passage": f"<mask> {text(5, 40)} </s> <s>"},
    {"id": "short-windows", "query": QUERY, "passage": text(11, 20), "max_length": 128},
    {
        "id": "no-overlap",
        "query": QUERY,
        "passage": text(2, 24),
        "max_length": 160,
        "overlap_tokens": 0,
    },
    {
        "id": "small-overlap",
        "query": QUERY,
        "passage": text(9, 24),
        "max_length": 160,
        "overlap_tokens": 7,
    },
    {
        "id": "large-overlap",
        "query": QUERY,
        "passage": text(4, 20),
        "max_length": 160,
        "overlap_tokens": 100,
    },
    {"id": "long-query", "query": text(0, 11), "passage": text(20, 6)},
]
# Passages that fill a window to the token, and one more.
EDGES = [-1, 0, 1]
TOO_LONG = text(0, 12)


def settings_of(case):
    """The settings that a case names."""
    return {key: case[key] for key in ("max_length", "overlap_tokens") if key in case}


def with_edges(tokenizer):
    """The cases, with passages of as many tokens as fit into one window, one fewer and one more."""
    room = 128 - len(tokenizer(QUERY)["input_ids"]) - 2
    word = " panda"
    assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1
    for more in EDGES:
        passage = (word * (room + more)).strip()
        yield {"id": f"room{more:+}", "query": QUERY, "passage": passage, "max_length": 128}
    yield from CASES


def entry(reranker, case):
    """The windows of a case, the logit of each, and the score that the class gives."""
    settings = settings_of(case)
    reranker.max_length = settings.get("max_length", 512)
    reranker.overlap_tokens = settings.get("overlap_tokens", 80)
    windows, _ = reranker_tokenize_preproc(
        case["query"],
        [case["passage"]],
        tokenizer=reranker.tokenizer,
        max_length=reranker.max_length,
        overlap_tokens=reranker.overlap_tokens,
    )
    ids = [window["input_ids"] for window in windows]
    logits = [f32(reranker.model(torch.tensor([row])).logits.item()) for row in ids]
    [score] = reranker.rerank(case["query"], [case["passage"]])["rerank_scores"]
    return {
        **{key: case[key] for key in ("id", "query", "passage")},
        "settings": settings,
        "windows": [
            {"input_ids": row, "logit": logit} for row, logit in zip(ids, logits, strict=True)
        ],
        "score": f32(score),
    }


def refusal(reranker):
    """What the class says of a query that leaves no room."""
    reranker.max_length, reranker.overlap_tokens = 512, 80
    try:
        reranker.rerank(TOO_LONG, ["hi"])
    except AssertionError as error:
        return {"query": TOO_LONG, "passage": "hi", "message": str(error)}
    raise SystemExit("the query is not too long")


def main():
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    reranker = RerankerModel(str(options.model), device="cpu")
    reranker.model.float()
    cases = [entry(reranker, case) for case in with_edges(reranker.tokenizer)]
    several = [case for case in cases if case["query"] == QUERY and not case["settings"]]
    reranker.max_length, reranker.overlap_tokens = 512, 80
    ranked = reranker.rerank(QUERY, [case["passage"] for case in several])
    names = ("torch", "transformers", "tokenizers")
    document = {
        "class": "RerankerModel",
        "versions": {"bcembedding": "0.1.5", **{name: version(name) for name in names}},
        "dtype": "float32",
        "defaults": {"max_length": 512, "overlap_tokens": 80},
        "cases": cases,
        "ranked": {
            "cases": [several[i]["id"] for i in ranked["rerank_ids"]],
            "scores": [f32(score) for score in ranked["rerank_scores"]],
        },
        "refused": refusal(reranker),
    }
    write(document, options.out)


if __name__ == "__main__":
    main()
