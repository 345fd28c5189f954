#!/usr/bin/env python3
"""Make a Qwen3 sequence classifier of a causal model, as the published conversions do: score = head[yes] - head[no].

convert_seq_cls.py CAUSAL_FOLDER OUT_FOLDER
"""

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from small_tokenizers import copy_tokenizer


def read_json(path):
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def main():
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    source, out = options.source, options.out
    out.mkdir(parents=True, exist_ok=True)
    copy_tokenizer(source, out)

    tokenizer = read_json(source / "tokenizer.json")
    vocab = tokenizer["model"]["vocab"]
    tensors = {}
    for file in sorted(source.glob("*.safetensors")):
        tensors.update(load_file(file))
    head = tensors.pop("lm_head.weight", tensors["model.embed_tokens.weight"])
    score = head[vocab["yes"]].float() - head[vocab["no"]].float()
    tensors["score.weight"] = score.unsqueeze(0).to(head.dtype)
    save_file(tensors, out / "model.safetensors", {"format": "pt"})

    pad = read_json(source / "tokenizer_config.json")["pad_token"]
    [pad_id] = [token["id"] for token in tokenizer["added_tokens"] if token["content"] == pad]
    config = {
        **read_json(source / "config.json"),
        "architectures": ["Qwen3ForSequenceClassification"],
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "pad_token_id": pad_id,
    }
    text = json.dumps(dict(sorted(config.items())), indent=2)
    (out / "config.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
