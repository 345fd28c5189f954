#!/usr/bin/env python3
"""Write a complete model folder (config.json, safetensors, tokenizer) with random weights.

    make_models.py --family xlm-roberta --size tiny --seed 1 --out FOLDER

The same arguments give the same weights: see random_weights.py, model_configs.py and small_tokenizers.py.
"""

import argparse
import json
from pathlib import Path

import torch

from embedder_files import append_end_token, write_m3_heads, write_modules
from model_configs import FAMILIES, configuration
from random_weights import DTYPES, tensor_specs, write_weights
from small_tokenizers import copy_tokenizer, train_tokenizer


def make_model(
    folder,
    family,
    size,
    *,
    seed=1,
    dtype="float32",
    shards=1,
    tokenizer=None,
    tokenizer_vocab=None,
    tokenizer_layout="converter",
    positions=None,
    overrides=None,
    add_eos=False,
):
    """Write the model folder; return (parameters, bytes of weights). See the arguments of the command."""
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer:
        copy_tokenizer(tokenizer, folder)
    else:
        train_tokenizer(family, folder, tokenizer_vocab, tokenizer_layout, add_eos)

    sizes = tokenizer_sizes(family, folder) if size == "tiny" else {}
    if positions:
        sizes["max_position_embeddings"] = positions
        if family in ("xlm-roberta", "jina-xlmr", "gte-new"):
            limit = positions if family == "gte-new" else positions - 2
            set_tokenizer_limit(folder / "tokenizer_config.json", limit)
    config = configuration(family, size, {**sizes, **(overrides or {})})
    config["torch_dtype"] = dtype
    text = json.dumps(dict(sorted(config.items())), indent=2)
    (folder / "config.json").write_text(text + "\n")

    specs = tensor_specs(family, config)
    total = write_weights(folder, specs, seed, dtype, shards)
    return sum(spec.size() for spec in specs if not spec.counts), total


def tokenizer_sizes(family, folder):
    """What config.json says of a small tokenizer; some published models have more rows than ids."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = len(tokenizer)
    if family not in ("qwen2", "qwen3", "modernbert", "gte-new"):
        return {"vocab_size": ids}
    sizes = {"vocab_size": ids + -ids % 64}
    if family.startswith("qwen"):
        sizes["bos_token_id"] = tokenizer.pad_token_id
        sizes["eos_token_id"] = tokenizer.eos_token_id
    elif family == "modernbert":
        for name in ("cls", "sep", "pad"):
            sizes[f"{name}_token_id"] = getattr(tokenizer, f"{name}_token_id")
        sizes["bos_token_id"] = tokenizer.cls_token_id
        sizes["eos_token_id"] = tokenizer.sep_token_id
    return sizes


def set_tokenizer_limit(path, tokens):
    """The tokenizer's own limit follows the position table."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["model_max_length"] = tokens
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")


def key_value(text):
    """KEY=JSON of the command line as a pair."""
    key, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected KEY=JSON")
    return key, json.loads(value)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", required=True, choices=FAMILIES)
    parser.add_argument("--size", default="tiny", choices=["tiny", "base", "full"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", default="float32", choices=list(DTYPES))
    parser.add_argument("--shards", type=int, default=1, help="number of safetensors files")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        help="folder to copy tokenizer files from; without it a small one is trained",
    )
    parser.add_argument(
        "--tokenizer-vocab",
        type=int,
        help="vocabulary of a trained tokenizer (1000, or 1600 for byte-fallback BPE)",
    )
    parser.add_argument(
        "--tokenizer-layout",
        default="converter",
        choices=["converter", "published", "no-charsmap"],
        help="XLM-R's type only: tokenizer.json as today's converter writes it, as the published models have it, "
        "or the former without a character map",
    )
    parser.add_argument(
        "--positions", type=int, help="max_position_embeddings (bge-reranker-v2-m3 has 8194)"
    )
    parser.add_argument(
        "--set",
        type=key_value,
        action="append",
        default=[],
        metavar="KEY=JSON",
        help="override one value of config.json",
    )
    parser.add_argument(
        "--add-eos",
        action="store_true",
        help="Llama's type of tokenizer only: </s> after each text",
    )
    embedders = parser.add_argument_group(
        "embedders", "with --set 'architectures=[\"BertModel\"]' or the like"
    )
    embedders.add_argument("--pooling", choices=["cls", "mean", "lasttoken"])
    embedders.add_argument("--no-normalize", action="store_true", help="no module Normalize")
    embedders.add_argument("--max-seq-length", type=int, default=512)
    embedders.add_argument("--lower", action="store_true", help="do_lower_case")
    embedders.add_argument("--prompts", type=json.loads, help="stored prompts, as JSON")
    embedders.add_argument("--end-token", help="tokenizer.json puts it after each text (Qwen3)")
    embedders.add_argument("--m3-heads", action="store_true", help="bge-m3's two extra layers")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def add_embedder(args):
    """The files of an embedder, as the arguments say."""
    hidden = json.loads((args.out / "config.json").read_text())["hidden_size"]
    if args.pooling:
        normalize = not args.no_normalize
        rest = (args.max_seq_length, args.lower, args.prompts)
        write_modules(args.out, hidden, args.pooling, normalize, *rest)
    if args.end_token:
        append_end_token(args.out, args.end_token)
    if args.m3_heads:
        write_m3_heads(args.out, hidden, args.seed, args.dtype)


def main():
    """Make one model as the arguments say."""
    args = arguments()
    torch.set_num_threads(2)
    parameters, total = make_model(
        args.out,
        args.family,
        args.size,
        seed=args.seed,
        dtype=args.dtype,
        shards=args.shards,
        tokenizer=args.tokenizer,
        tokenizer_vocab=args.tokenizer_vocab,
        tokenizer_layout=args.tokenizer_layout,
        positions=args.positions,
        overrides=dict(args.set),
        add_eos=args.add_eos,
    )
    add_embedder(args)
    print(
        f"{args.out}: {args.family} {args.size}, {parameters / 1e6:.3f} M parameters, "
        f"{total / 2**20:.2f} MiB {args.dtype}"
    )


if __name__ == "__main__":
    main()
