"""The tensors of a model folder as float32, also of one that `dawnrank quantize` wrote."""

import json

import torch
from safetensors.torch import load_file

SCALES = ".scales"


def read_config(folder):
    """config.json."""
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def read_tensors(folder):
    """{name: float32 tensor}. src/checkpoint/quantization.ts describes how whole numbers are stored."""
    stored = load_file(folder / "model.safetensors")
    group = read_config(folder).get("quantization_config", {}).get("group_size")
    tensors = {}
    for name, tensor in stored.items():
        if name.endswith(SCALES):
            continue
        scales = stored.get(name + SCALES)
        tensors[name] = tensor.float() if scales is None else dequantized(tensor, scales, group)
    return tensors


def dequantized(numbers, scales, group):
    """numbers uint8 [rows, inner] (in four bits: two to a byte, the first in the low half), scales [rows, groups, 2]."""
    rows, groups, _ = scales.shape
    if numbers.shape[1] <= groups * group // 2:
        numbers = torch.stack((numbers & 15, numbers >> 4), -1).view(rows, -1)
    steps, offsets = scales.float().repeat_interleave(group, 1)[:, : numbers.shape[1]].unbind(-1)
    return numbers.float() * steps + offsets
