"""A Gemma-type model that computes what the layerwise one does at its last layer.

    python -m llm.to_gemma --model LAYERWISE_FOLDER --tokenizer FOLDER --out FOLDER

The two families differ in constants only, and these go into the weights: the embedding and residual scales, norms
that store their weight minus one, and gelu(x), which is about silu(1.702 x) / 1.702. The row of "Yes" becomes the
last head. Rows are taken over by piece string; the result is meant to be trained a little further.
"""

import argparse
import json
import math
from pathlib import Path

import torch
from tokenizers import Tokenizer

from llm.decoder import Decoder, config_of, load, save
from llm.make_start import GELU_TO_SILU

SPECIAL = {"<pad>": "<unk>", "<eos>": "</s>", "<bos>": "<s>", "<unk>": "<unk>", "\n": "<0x0A>"}


def embedding(rows, source, target):
    """The rows of the target tokenizer's pieces, from those of the source's."""
    vocabulary = source.get_vocab()
    out = torch.zeros(target.get_vocab_size(), rows.shape[1])
    for piece, i in target.get_vocab().items():
        known = vocabulary.get(SPECIAL.get(piece, piece))
        if known is None:
            text = piece.replace("▁", " ")
            parts = source.encode(text, add_special_tokens=False).ids
            out[i] = rows[parts].mean(0) if parts else rows[0]
        else:
            out[i] = rows[known]
    return out


def convert(model, config, rows, yes):
    """The Gemma-type model."""
    gemma = Decoder(config, yes)
    hidden = config["hidden_size"]
    with torch.no_grad():
        table = rows * model.scale / math.sqrt(hidden)
        table[yes] = model.lm_head[-1]["linear_head"].weight[0]
        gemma.model.embed_tokens.weight.copy_(table)
        for old, new in zip(model.model.layers, gemma.model.layers, strict=True):
            new.load_state_dict(old.state_dict())
            new.self_attn.o_proj.weight.mul_(old.scale)
            new.mlp.down_proj.weight.mul_(old.scale)
            new.mlp.gate_proj.weight.div_(GELU_TO_SILU)
            new.mlp.up_proj.weight.mul_(GELU_TO_SILU)
            new.input_layernorm.weight.sub_(1)
            new.post_attention_layernorm.weight.sub_(1)
        gemma.model.norm.weight.copy_(model.model.norm.weight - 1)
    return gemma


def main():
    """Write the Gemma-type folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="layerwise model folder")
    parser.add_argument("--tokenizer", type=Path, required=True, help="Gemma-type tokenizer folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    args = parser.parse_args()
    source = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    target = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    model = load(args.model)
    names = (
        "hidden_size",
        "num_hidden_layers",
        "intermediate_size",
        "num_attention_heads",
        "num_key_value_heads",
        "rope_theta",
    )
    config = config_of(
        "gemma", target.get_vocab_size(), **{name: model.config[name] for name in names}
    )
    (yes,) = target.encode("Yes", add_special_tokens=False).ids
    rows = embedding(model.model.embed_tokens.weight.detach(), source, target)
    save(convert(model, config, rows, yes), args.out, args.tokenizer)
    print(json.dumps({"out": str(args.out), "yes": yes}), flush=True)


if __name__ == "__main__":
    main()
