#!/usr/bin/env python3
"""Random-weight checkpoints of the published rerankers, with the scores of the reference.

    real_sizes.py base large v2-m3 --tokenizer XLM_ROBERTA_TOKENIZER_FOLDER --work FOLDER
    real_sizes.py v2-gemma v2-minicpm-layerwise e5-mistral-8-layers --work FOLDER
    real_sizes.py mxbai-rerank-large gte-modernbert-base qwen3-reranker-0.6b --work FOLDER

The last line needs transformers 5 and sentence-transformers (see make_prompt_fixtures.py in README.md). Each goes to
FOLDER/NAME: the model folder in float16 (the decoders in bfloat16) and expected.json {pairs, ids, scores, max_length,
versions}, for the layerwise model also layer_scores, for an embedder {texts, ids, embeddings}. The answers are those of the
stored weights computed in float32: by transformers for the encoders, by FlagEmbedding's classes, Qwen's model card or
sentence-transformers for the others. `node bench/real-sizes.mjs FOLDER` loads the same folders with dawnrank and compares.

Without --tokenizer a small one of the family's type is trained; the embedding table has its published size all the
same. One model is in memory at a time: about 1.3 GB for base, 3 GB for large, v2-m3 and mxbai-rerank-large, 4 GB for
qwen3-reranker-0.6b, 12 GB for the other decoders, which take 4 to 5 GB of disk each.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from embedder_files import write_modules
from make_models import make_model
from pairs import PANDA, PARAGRAPH
from reference_model import Reference, unmasked


@dataclass(frozen=True)
class Shape:
    """A model to make, and the limit its pairs are scored with."""

    family: str
    size: str
    shards: int
    dtype: str
    max_length: int
    positions: int | None = None
    layers: tuple = ()  # whose scores are kept, the last one last
    embeds: bool = False
    overrides: dict | None = None  # of config.json


SHAPES = {
    "base": Shape("xlm-roberta", "base", 1, "float16", 512, positions=514),
    "large": Shape("xlm-roberta", "full", 1, "float16", 512, positions=514),
    "v2-m3": Shape("xlm-roberta", "full", 3, "float16", 1024, positions=8194),
    "v2-gemma": Shape("gemma", "full", 3, "bfloat16", 512),
    "v2-minicpm-layerwise": Shape(
        "minicpm-layerwise", "full", 3, "bfloat16", 512, layers=(8, 24, 40)
    ),
    "mxbai-rerank-large": Shape("deberta-v2", "full", 1, "float16", 512),
    "gte-modernbert-base": Shape("modernbert", "full", 1, "float16", 512),
    "qwen3-reranker-0.6b": Shape("qwen3", "full", 1, "bfloat16", 8192),
    "e5-mistral-8-layers": Shape(
        "mistral",
        "full",
        2,
        "bfloat16",
        4096,
        embeds=True,
        overrides={"num_hidden_layers": 8, "architectures": ["MistralModel"]},
    ),
}
ENCODERS = ("xlm-roberta", "deberta-v2", "modernbert")
SEED = 20261123
SMALLEST_SPREAD = 0.05


def scored_pairs(max_length):
    """Eight pairs from 9 tokens to just under the limit, in several scripts."""
    long = PARAGRAPH * (2 if max_length <= 512 else 5)
    return [
        *PANDA,
        ("什么是熊猫？", "大熊猫是一种主要栖息于中国中部山区的熊科动物，以竹子为食。"),
        ("แพนด้าคืออะไร", "แพนด้ายักษ์เป็นหมีที่อาศัยอยู่ในประเทศจีนและกินไผ่"),
        ("ما هو الباندا؟", "الباندا العملاقة دب يعيش في الصين ويأكل الخيزران."),
        ("what does a panda eat?", PARAGRAPH[:230]),
        (PARAGRAPH[:120], PARAGRAPH),
        ("how many pandas live in the wild?", long),
    ]


def decoder_pairs():
    """Four pairs of 80 to 150 tokens by the small tokenizers."""
    return [
        PANDA[1],
        ("什么是熊猫？", "大熊猫生活在山里，每天吃很多竹子。"),
        ("what does a panda eat?", PARAGRAPH[230:330]),
        ("how many pandas live in the wild?", PARAGRAPH[-120:]),
    ]


def encoder_scores(folder, max_length, pairs):
    """Token ids and float32 scores of the pairs, each alone, so that nothing is padded."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, torch_dtype=torch.float32)
    model.eval()
    ids, scores = [], []
    for query, passage in pairs:
        tokens = tokenizer(query, passage)["input_ids"]
        if len(tokens) > max_length:
            sys.exit(f"a pair has {len(tokens)} tokens, more than {max_length}: shorten it")
        with torch.inference_mode():
            logits = model(
                input_ids=torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens))
            ).logits
        ids.append(tokens)
        scores.append(float(logits[0, 0]))
    return {"pairs": pairs, "ids": ids, "scores": scores}


def decoder_scores(folder, max_length, layers):
    """Token ids and float32 scores of FlagEmbedding's class, each pair alone."""
    reference = Reference(folder)
    pairs = decoder_pairs()
    ids, rows = [], []
    for pair in pairs:
        more = {"cutoff_layers": list(layers)} if layers else {}
        got = reference.flag_scores([pair], {"max_length": max_length}, **more)
        fed = reference.fed[-1]
        ids.append(unmasked(fed["input_ids"][0], fed["attention_mask"][0]))
        rows.append([values[0] for values in got] if layers else got)
    answers = {"pairs": pairs, "ids": ids, "scores": [row[-1] for row in rows]}
    if layers:
        columns = zip(*rows, strict=True)
        answers["layer_scores"] = {
            str(layer): list(column) for layer, column in zip(layers, columns, strict=True)
        }
    return answers


def qwen3_scores(folder):
    """Token ids and float32 scores by Qwen's model card, each pair alone."""
    from make_prompt_fixtures import Qwen3

    reference = Qwen3(folder)
    pairs = decoder_pairs()
    ids, scores = [], []
    with torch.inference_mode():
        for pair in pairs:
            inputs, answers = reference.scores([pair], {})
            ids.append(inputs["input_ids"])
            scores.append(answers[0]["logit"])
    return {"pairs": pairs, "ids": ids, "scores": scores}


def passage_embeddings(folder):
    """Token ids and float32 embeddings by sentence-transformers, each text alone."""
    from make_embedding_fixtures import Embedder

    embedder = Embedder(folder)
    texts = [passage for _, passage in decoder_pairs()]
    ids, embeddings = [], []
    for text in texts:
        embedder.fed.clear()
        embeddings.append(embedder.embed([text], "")[0].tolist())
        ids.append(embedder.ids())
    return {"texts": texts, "ids": ids, "embeddings": embeddings}


def check_spread(name, scores):
    """Random weights can give every pair the same score; such a model would check nothing."""
    ordered = sorted(scores)
    gap = min(b - a for a, b in zip(ordered, ordered[1:], strict=False))
    spread = ordered[-1] - ordered[0]
    print(
        f"{name}: scores {[round(x, 4) for x in scores]}, spread {spread:.3f}, smallest gap {gap:.4f}"
    )
    if spread < SMALLEST_SPREAD or gap == 0:
        sys.exit(f"{name}: the scores hardly differ; take another --seed")


def answers_of(folder, shape):
    """What the reference of a shape gives."""
    if shape.embeds:
        return passage_embeddings(folder)
    if shape.family == "qwen3":
        return qwen3_scores(folder)
    if shape.family in ENCODERS:
        # A small tokenizer knows two of the scripts alone.
        published = shape.family == "xlm-roberta"
        pairs = scored_pairs(shape.max_length) if published else decoder_pairs()
        return encoder_scores(folder, shape.max_length, pairs)
    return decoder_scores(folder, shape.max_length, shape.layers)


def make(name, args):
    """Make one checkpoint and its expected scores."""
    shape = SHAPES[name]
    seed = args.seed + list(SHAPES).index(name)  # large and v2-m3 would share their layers
    folder = args.work / name
    start = time.time()
    parameters, total = make_model(
        folder,
        shape.family,
        shape.size,
        seed=seed,
        dtype=shape.dtype,
        shards=shape.shards,
        tokenizer=args.tokenizer,
        positions=shape.positions,
        overrides=shape.overrides,
        add_eos=shape.embeds,
    )
    if shape.embeds:
        hidden = json.loads((folder / "config.json").read_text())["hidden_size"]
        write_modules(folder, hidden, "lasttoken", True, shape.max_length, False, None)
    made = time.time()
    answers = answers_of(folder, shape)
    if "scores" in answers:
        check_spread(name, answers["scores"])
    packages = ("torch", "transformers", "tokenizers")
    expected = {
        "model": f"{shape.family} of the shape of {name}, random weights, seed {seed}",
        "dtype": f"float32 on the stored {shape.dtype} weights",
        "versions": {k: version(k) for k in packages},
        "max_length": shape.max_length,
        **answers,
    }
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")
    print(
        f"{folder}: {parameters / 1e6:.1f} M parameters, {total / 2**20:.0f} MiB in {shape.shards} file(s); "
        f"tokens {[len(x) for x in answers['ids']]}; "
        f"made in {made - start:.0f} s, scored in {time.time() - made:.0f} s"
    )


def main():
    """Make the models named, one after another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="+", choices=list(SHAPES), metavar="NAME", help=" | ".join(SHAPES)
    )
    parser.add_argument(
        "--tokenizer",
        type=Path,
        help="folder with the family's tokenizer, such as XLM-R's of 250002 pieces",
    )
    parser.add_argument("--work", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    torch.set_num_threads(2)
    for name in args.names:
        make(name, args)


if __name__ == "__main__":
    main()
