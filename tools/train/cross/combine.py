#!/usr/bin/env python3
"""Put the bi-encoder beside the cross-encoder: one model whose score is logit + SCALE * cosine.

    python -m cross.combine --model FOLDER --bi-encoder FOLDER --scale 20 --center 12 --out FOLDER

Both are of type BERT or both of XLM-R; the bi-encoder may have more layers or fewer. E5 needs `--query-prefix "query:"
--passage-prefix "passage:"`. The bias of the last layer of the classifier loses CENTER, so that the sigmoid of a
score is about even between the passages that answer the questions of the training set's dev part and their hard
negatives. Both have the same word embeddings, which training left as they were; they are stored once. float16.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from read_model import read_config

WORDS = "embeddings.word_embeddings.weight"
ENCODER = ("embeddings.", "encoder.")
UNUSED = "embeddings.position_ids"
# Keys of config.json that both encoders must have alike.
SHARED = (
    *("model_type", "vocab_size", "hidden_size", "num_attention_heads", "intermediate_size"),
    *("max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act"),
)


class Type(NamedTuple):
    """A model type: what the combined one is called, its encoder's prefix, the bias of the last layer of its classifier."""

    architecture: str
    prefix: str
    bias: str


TYPES = {
    "bert": Type("BertWithSimilarityForSequenceClassification", "bert.", "classifier.bias"),
    "xlm-roberta": Type(
        "XLMRobertaWithSimilarityForSequenceClassification", "roberta.", "classifier.out_proj.bias"
    ),
}


def encoder_of(tensors, prefix):
    """The tensors of the encoder, also of a folder that holds a classifier too, without its prefix."""
    bare = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return {k: v for k, v in bare.items() if k.startswith(ENCODER) and k != UNUSED}


def combined(cross, bi_encoder, prefix):
    """The tensors of both. prefix: that of the cross-encoder's."""
    if not torch.equal(cross[prefix + WORDS].half(), bi_encoder[WORDS].half()):
        raise SystemExit("the word embeddings of the two models differ: they cannot be shared")
    kept = {k: v for k, v in cross.items() if not k.endswith(UNUSED)}
    own = {f"bi_encoder.{k}": v for k, v in bi_encoder.items() if k != WORDS}
    return {name: tensor.half().contiguous() for name, tensor in {**kept, **own}.items()}


def check_alike(config, other):
    """Stop where the encoders differ in more than the number of layers."""
    for key in SHARED:
        if config.get(key) != other.get(key):
            raise SystemExit(
                f"{key} is {config.get(key)} of the cross-encoder and {other.get(key)} of the bi-encoder"
            )


def prefixes_of(folder, texts):
    """{"query": ids, "passage": ids} of those texts that are given."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return {
        name: tokenizer.encode(text, add_special_tokens=False).ids
        for name, text in texts.items()
        if text
    }


def main():
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the cross-encoder")
    parser.add_argument("--bi-encoder", type=Path, required=True, help="folder of the bi-encoder")
    parser.add_argument("--scale", type=float, default=20, help="of the cosine (20)")
    parser.add_argument("--center", type=float, default=12, help="the score that becomes 0 (12)")
    parser.add_argument("--query-prefix", default="", help="before the bi-encoder's queries")
    parser.add_argument("--passage-prefix", default="", help="before the bi-encoder's passages")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config, other = read_config(args.model), read_config(args.bi_encoder)
    check_alike(config, other)
    architecture, prefix, bias = TYPES[config["model_type"]]
    bi_encoder = encoder_of(load_file(args.bi_encoder / "model.safetensors"), prefix)
    tensors = combined(load_file(args.model / "model.safetensors"), bi_encoder, prefix)
    tensors[bias] -= args.center
    shutil.copytree(args.model, args.out, dirs_exist_ok=True)
    save_file(tensors, args.out / "model.safetensors", metadata={"format": "pt"})
    config.update(architectures=[architecture], similarity_scale=args.scale)
    if other["num_hidden_layers"] != config["num_hidden_layers"]:
        config["similarity_layers"] = other["num_hidden_layers"]
    if prefixes := prefixes_of(
        args.model, {"query": args.query_prefix, "passage": args.passage_prefix}
    ):
        config["similarity_prefixes"] = prefixes
    (args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
