#!/usr/bin/env python3
"""Frequencies of scaled rotary positions, and scores of small decoders with them, by transformers 5.

    make_rope_fixtures.py --fixtures ../fixtures --out ../fixtures/rope-scaling.json

Float32 on the CPU. README.md describes the file.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from make_fixtures import write
from reference_model import f32

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"rope_type": "yarn", "factor": 4.0}

# head size, base, max_position_embeddings, scaling, length of the sequence
TABLES = [
    (64, 10000.0, 2048, {"rope_type": "linear", "factor": 2.5}, None),
    (18, 10000.0, 2048, {"rope_type": "linear", "factor": 3.0}, None),
    (128, 500000.0, 131072, {**LLAMA3, "original_max_position_embeddings": 8192}, None),
    (
        64,
        500000.0,
        131072,
        {**LLAMA3, "factor": 32.0, "original_max_position_embeddings": 8192},
        None,
    ),
    (24, 10000.0, 512, LLAMA3, None),
    (128, 1000000.0, 131072, {**YARN, "original_max_position_embeddings": 32768}, None),
    (64, 1000000.0, 32768, YARN, None),
    (18, 10000.0, 256, {**YARN, "factor": 2.0, "beta_fast": 16, "beta_slow": 2}, None),
    (64, 10000.0, 4096, {**YARN, "factor": 40.0, "mscale": 1.0, "mscale_all_dim": 0.8}, None),
    (64, 10000.0, 4096, {**YARN, "truncate": False, "attention_factor": 1.25}, None),
    (64, 10000.0, 4096, {**YARN, "factor": 1.0}, None),
    (128, 10000.0, 2048, {"rope_type": "dynamic", "factor": 4.0}, 2048),
    (128, 10000.0, 2048, {"rope_type": "dynamic", "factor": 4.0}, 2049),
    (128, 10000.0, 2048, {"rope_type": "dynamic", "factor": 4.0}, 9000),
    (18, 500000.0, 96, {"rope_type": "dynamic", "factor": 1.5}, 1000),
]

# what is set in config.json of each model; cases shorter and longer than these max_position_embeddings
SCALINGS = [
    {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 128}},
    {"rope_parameters": {**YARN, "original_max_position_embeddings": 64}},
    {
        "rope_parameters": {**YARN, "attention_factor": 1.25, "truncate": False},
        "max_position_embeddings": 256,
    },
    {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}, "max_position_embeddings": 96},
]
MODELS = {"variants/llama": "flag", "qwen3": "reference", "mxbai-rerank-v2": "reference"}
CASES = ["panda-hi", "medium-512", "chinese"]


def table(head, theta, positions, scaling, length):
    """The frequencies and the factor of attention of one scaling."""
    config = LlamaConfig(
        hidden_size=4 * head,
        num_attention_heads=4,
        head_dim=head,
        max_position_embeddings=positions,
        rope_parameters={**scaling, "rope_theta": theta},
    )
    seq_len = None if length is None else torch.tensor(length)
    frequencies, attention = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config, "cpu", seq_len)
    return {
        "head_dim": head,
        "config": {
            "rope_theta": theta,
            "max_position_embeddings": positions,
            "rope_scaling": scaling,
        },
        "length": length,
        "frequencies": [f32(one) for one in frequencies.tolist()],
        "attention": attention,
    }


def scores(fixtures, name, answers, settings):
    """The scores of some cases of a model with other settings."""
    stored = json.loads((fixtures / name / "fixtures.json").read_text())
    folder = fixtures / name / "model"
    config = AutoConfig.from_pretrained(folder)
    theta = config.rope_parameters["rope_theta"]
    for key, value in settings.items():
        setattr(config, key, {**value, "rope_theta": theta} if key == "rope_parameters" else value)
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32).eval()
    defaults, tokenizer = stored["defaults"], stored["tokenizer"]
    yes = defaults["yes_id"] if "yes_id" in defaults else tokenizer["yes_ids"][0]
    chosen = [case for case in stored["cases"] if case["id"] in CASES]
    found = []
    for case in chosen:
        ids = case[answers]["input_ids"]
        logits = model(torch.tensor([ids])).logits[0, -1]
        score = logits[yes] - logits[defaults["no_id"]] if "no_id" in defaults else logits[yes]
        found.append({"id": case["id"], "tokens": len(ids), "score": f32(score.item())})
    return {"model": name, "settings": settings, "scores": found}


def main():
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    document = {
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "tables": [table(*row) for row in TABLES],
        "scores": [
            scores(options.fixtures, name, answers, settings)
            for name, answers in MODELS.items()
            for settings in SCALINGS
        ],
    }
    write(document, options.out)


if __name__ == "__main__":
    main()
