#!/usr/bin/env python3
"""PyTorch on a CUDA device, for models of the shapes of rerankers: pairs per second.

    pytorch_gpu.py --model FOLDER --tokens 128 256 512 --passages 100 --dtype float16|bfloat16

Only FOLDER/config.json is read; the weights are random. transformers with sdpa attention, batches without padding,
the best of the batch sizes; of a causal model the logits of the last token alone. MiniCPM, whose code transformers
does not have, is a Llama of the same shape. Prints one JSON line {version, device, pairs_per_second}.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    LlamaConfig,
)

WARM_UPS = 2
ROUNDS = 5
LLAMA_KEYS = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "vocab_size",
)


def make_model(folder, dtype):
    """The model on the device, and what its pass is called with besides the ids."""
    read = json.loads((folder / "config.json").read_text())
    if read["model_type"] == "minicpm":
        config = LlamaConfig(**{key: read[key] for key in LLAMA_KEYS})
    else:
        config = AutoConfig.from_pretrained(folder)
    causal = read["architectures"][0].endswith("CausalLM")
    make = AutoModelForCausalLM if causal else AutoModelForSequenceClassification
    with torch.device("cuda"):
        model = make.from_config(config, attn_implementation="sdpa", dtype=dtype)
    return model.eval(), {"logits_to_keep": 1} if causal else {}


def seconds(model, more, ids, batch):
    """The quickest pass over all sequences."""
    times = []
    for round_number in range(WARM_UPS + ROUNDS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for rows in ids.split(batch):
            model(input_ids=rows, **more).logits.float().sum().item()
        torch.cuda.synchronize()
        if round_number >= WARM_UPS:
            times.append(time.perf_counter() - start)
    return min(times)


def main():
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tokens", type=int, nargs="+", required=True)
    parser.add_argument("--passages", type=int, required=True)
    parser.add_argument("--dtype", required=True, choices=["bfloat16", "float16"])
    args = parser.parse_args()
    model, more = make_model(args.model, getattr(torch, args.dtype))
    found = {}
    with torch.inference_mode():
        for tokens in args.tokens:
            shape = (args.passages, tokens)
            ids = torch.randint(4, model.config.vocab_size, shape, device="cuda")
            best = min(seconds(model, more, ids, batch) for batch in (16, 32, args.passages))
            found[tokens] = args.passages / best
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    device = torch.cuda.get_device_name()
    print(json.dumps({"version": versions, "device": device, "pairs_per_second": found}))


if __name__ == "__main__":
    main()
