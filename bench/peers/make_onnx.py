#!/usr/bin/env python3
"""Export an encoder with one label to ONNX for onnxruntime, in float32.

    make_onnx.py --model FOLDER --out FOLDER

Writes plain/model.onnx, the graph as exported, and fused/model.onnx, the same after onnxruntime's transformer
optimizer (attention, GELU and layer norm as one operator each). Both are compared with PyTorch.
"""

import argparse
import collections
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from transformers import AutoModelForSequenceClassification

TOLERANCE = 1e-3


class Logits(torch.nn.Module):
    """The model as a function of ids and mask to logits [batch, 1]."""

    def __init__(self, model):
        """Wrap a sequence classification model."""
        super().__init__()
        self.model = model

    def forward(self, *values):
        """int64 [batch, tokens] each, in the order of `inputs_of`."""
        named = dict(zip(inputs_of(self.model.config), values, strict=True))
        return self.model(**named).logits


def inputs_of(config):
    """The names of what a model is given: token types where it has some."""
    types = ["token_type_ids"] if config.type_vocab_size > 1 else []
    return ["input_ids", "attention_mask", *types]


def example_batch(config):
    """Two sequences of 20 tokens, the second padded from 13."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(4, config.vocab_size, (2, 20), generator=generator)
    mask = torch.ones_like(ids)
    ids[1, 13:], mask[1, 13:] = config.pad_token_id, 0
    types = torch.zeros_like(ids)
    types[:, 6:] = mask[:, 6:]
    return (ids, mask, types)[: len(inputs_of(config))]


def export(model, batch, path):
    """Write the plain graph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = inputs_of(model.model.config)
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    with torch.no_grad():
        torch.onnx.export(
            model,
            batch,
            str(path),
            input_names=inputs,
            output_names=["logits"],
            dynamic_axes={**axes, "logits": {0: "batch"}},
            opset_version=17,
            do_constant_folding=True,
            dynamo=False,
        )


def fuse(source, config, path):
    """Write the fused graph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fused = optimizer.optimize_model(
        str(source),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=FusionOptions("bert"),
        opt_level=0,
        use_gpu=False,
    )
    fused.save_model_to_file(str(path))


def check(path, inputs, batch, expected):
    """Compare a graph with PyTorch; end with a message where they differ."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = dict(zip(inputs, (tensor.numpy() for tensor in batch), strict=True))
    difference = float(np.abs(session.run(None, feed)[0] - expected).max())
    graph = onnx.load(str(path), load_external_data=False).graph
    operators = collections.Counter(node.op_type for node in graph.node).most_common(6)
    print(
        f"{path}: {path.stat().st_size / 2**20:.0f} MiB, {len(graph.node)} nodes {dict(operators)}"
    )
    print(f"  largest difference to PyTorch {difference:.1e} of {np.abs(expected).max():.3f}")
    if difference > TOLERANCE * max(1, np.abs(expected).max()):
        sys.exit(f"{path}: does not compute what PyTorch does")


def main():
    """Export one model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="Hugging Face model folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    model = AutoModelForSequenceClassification.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    logits = Logits(model)
    batch = example_batch(model.config)
    with torch.no_grad():
        expected = logits(*batch).numpy()
    plain, fused = (args.out / kind / "model.onnx" for kind in ("plain", "fused"))
    export(logits, batch, plain)
    fuse(plain, model.config, fused)
    for path in (plain, fused):
        check(path, inputs_of(model.config), batch, expected)


if __name__ == "__main__":
    main()
