#!/usr/bin/env python3
"""Put the bi-encoder beside the cross-encoder: one model whose score is logit + SCALE * cosine.

    python -m cross.combine --model FOLDER --bi-encoder FOLDER --scale 20 --center 12 --out FOLDER

The bias of the classifier loses CENTER, so that the sigmoid of a score is about even between the passages that answer the
questions of the training set's dev part and their hard negatives. Both have the same word embeddings, which training left as they were; they are stored once. float16.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

ARCHITECTURE = "BertWithSimilarityForSequenceClassification"
WORDS = "embeddings.word_embeddings.weight"
UNUSED = ("pooler.", "embeddings.position_ids")


def combined(cross, bi_encoder):
    """The tensors of both."""
    if not torch.equal(cross[f"bert.{WORDS}"].half(), bi_encoder[WORDS].half()):
        raise SystemExit("the word embeddings of the two models differ: they cannot be shared")
    own = {
        f"bi_encoder.{k}": v for k, v in bi_encoder.items() if not k.startswith((WORDS, *UNUSED))
    }
    return {name: tensor.half().contiguous() for name, tensor in {**cross, **own}.items()}


def main():
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the cross-encoder")
    parser.add_argument("--bi-encoder", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--scale", type=float, default=20, help="of the cosine (20)")
    parser.add_argument("--center", type=float, default=12, help="the score that becomes 0 (12)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    tensors = combined(
        load_file(args.model / "model.safetensors"),
        load_file(args.bi_encoder / "model.safetensors"),
    )
    tensors["classifier.bias"] -= args.center
    shutil.copytree(args.model, args.out, dirs_exist_ok=True)
    save_file(tensors, args.out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((args.model / "config.json").read_text())
    config.update(architectures=[ARCHITECTURE], similarity_scale=args.scale)
    (args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
