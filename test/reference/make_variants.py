#!/usr/bin/env python3
"""Small models that differ from the published configurations in one thing or two, with the reference's answers.

    make_variants.py --out ../fixtures/variants [NAME...]

Each goes to OUT/NAME/model and OUT/NAME/fixtures.json. A variant names the settings that it is there for; they are
checked to matter: with their usual values the same weights must give other scores.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import torch

import pairs
from make_fixtures import make_document, write
from make_models import make_model
from reference_model import Reference

SEED = 43
TOKENIZER_VOCAB = 850
SMALLEST_CHANGE = 5e-4  # relative to max(1, |score|): five times the tolerance of the tests
CASES = (
    "panda-hi panda-bear empty-both one-token emoji arabic chinese code medium-512 long-passage-512 "
    "both-long-64 exact-16 prompt"
).split()
BATCHES = [{"id": "several", "cases": ["panda-hi", "medium-512", "empty-both", "chinese", "code"]}]


@dataclass(frozen=True)
class Variant:
    """A family's tiny model with other settings, and usual ones that must change its scores."""

    family: str
    settings: dict
    usual: dict = field(default_factory=dict)


SMALL = {"hidden_size": 40, "intermediate_size": 72}  # over what the tiny models have
LAST_TWO = {"num_hidden_layers": 4, "start_layer": 3}
FEW = {"num_hidden_layers": 4, "start_layer": 2}
VARIANTS = {
    "minicpm-raw": Variant(
        "minicpm-layerwise", {**LAST_TWO, "head_type": "raw"}, {"dim_model_base": 40}
    ),
    "minicpm-raw-one": Variant(
        "minicpm-layerwise",
        {**FEW, "head_type": "raw", "head_multi": False, "tie_word_embeddings": False},
        {"dim_model_base": 40},
    ),
    # without tie_word_embeddings the class takes the table of the embeddings for a single bare head
    "minicpm-raw-tied": Variant(
        "minicpm-layerwise",
        {**FEW, "head_type": "raw", "head_multi": False},
        {"dim_model_base": 40},
    ),
    "minicpm-complex": Variant(
        "minicpm-layerwise", {**LAST_TWO, "head_type": "complex"}, {"dim_model_base": 40}
    ),
    "minicpm-complex-one": Variant(
        "minicpm-layerwise",
        {"num_hidden_layers": 3, "start_layer": 3, "head_type": "complex", "head_multi": False},
        {"dim_model_base": 40},
    ),
    "minicpm-simple-one": Variant(
        "minicpm-layerwise",
        {
            "num_hidden_layers": 3,
            "start_layer": 1,
            "head_multi": False,
            "attention_bias": True,
            "num_key_value_heads": 1,
        },
    ),
    "mistral-window": Variant("mistral", {"sliding_window": 33}, {"sliding_window": None}),
    "mistral-head-dim": Variant(
        "mistral", {"head_dim": 24, "sliding_window": None, "tie_word_embeddings": True}
    ),
    "gemma-heads": Variant(
        "gemma",
        {
            "hidden_size": 32,
            "head_dim": 256,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "num_hidden_layers": 2,
            "hidden_activation": "gelu_pytorch_tanh",
        },
    ),
    "gemma-gelu": Variant(
        "gemma",
        {
            "num_hidden_layers": 5,
            "hidden_activation": "gelu",
            "attention_bias": True,
            "tie_word_embeddings": False,
        },
        {"hidden_activation": "gelu_pytorch_tanh"},
    ),
    # heads on every second layer, biases, no cap of the scores, a window shorter than the question
    "gemma2-step": Variant(
        "gemma2-lightweight",
        {
            "num_hidden_layers": 5,
            "start_layer": 1,
            "layer_sep": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 34,
            "query_pre_attn_scalar": 9.5,
            "sliding_window": 5,
            "final_logit_softcapping": None,
            "attention_bias": True,
            "hidden_activation": "gelu",
        },
        {"query_pre_attn_scalar": 34, "hidden_activation": "gelu_pytorch_tanh"},
    ),
    # the config can ask for the attention that caps its scores
    "gemma2-eager": Variant(
        "gemma2-lightweight",
        {
            "num_hidden_layers": 3,
            "start_layer": 3,
            "attn_logit_softcapping": 2.5,
            "final_logit_softcapping": 3.0,
            "_attn_implementation": "eager",
        },
        {"_attn_implementation": "sdpa"},
    ),
    # a Llama has no window, whatever its config says
    "llama": Variant(
        "llama",
        {"rope_theta": 500000.0, "rms_norm_eps": 1e-6, "sliding_window": 33},
        {"rope_theta": 10000.0},
    ),
    "llama-biases": Variant(
        "llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}
    ),
}


def scores_of(folder, cases):
    """The last layer's scores of the FlagEmbedding class."""
    reference = Reference(folder)
    return [reference.flag_scores([(case["query"], case["passage"])], {})[0] for case in cases]


def check_usual(name, folder, usual, cases):
    """The same weights with the usual settings must give other scores."""
    with tempfile.TemporaryDirectory() as scratch:
        other = Path(scratch) / "model"
        shutil.copytree(folder, other)
        config = json.loads((other / "config.json").read_text())
        (other / "config.json").write_text(json.dumps({**config, **usual}))
        both = zip(scores_of(folder, cases), scores_of(other, cases), strict=True)
        change = max(abs(a - b) / max(1, abs(a)) for a, b in both)
    print(f"{name}: {usual} would move a score by {change:.1e} times its size")
    if change < SMALLEST_CHANGE:
        raise SystemExit(f"{name}: {usual} makes no difference to these cases")


def make(name, out, cases):
    """Make one model with its fixture."""
    variant = VARIANTS[name]
    folder = out / name / "model"
    shutil.rmtree(out / name, ignore_errors=True)
    make_model(
        folder,
        variant.family,
        "tiny",
        seed=SEED,
        dtype="float16",
        tokenizer_vocab=TOKENIZER_VOCAB,
        overrides={**SMALL, **variant.settings},
    )
    document, moved = make_document(Reference(folder), cases, BATCHES, 0)
    write(document, out / name / "fixtures.json")
    print(f"{name}: {json.dumps(document['summary'])}")
    if moved > 1e-4 * max(1, document["summary"]["std"]):
        raise SystemExit(f"{name}: padding changes the scores")
    if variant.usual:
        check_usual(name, folder, variant.usual, cases[:10])
    (
        folder / "tokenizer.model"
    ).unlink()  # tokenizer.json says it all; only transformers wants this one too


def main():
    """Make the variants named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=" | ".join(VARIANTS))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    unknown = set(args.names) - set(VARIANTS)
    if unknown:
        parser.error(f"no such variant: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    by_id = {case["id"]: case for case in pairs.cases()}
    for name in args.names or VARIANTS:
        make(name, args.out, [by_id[case] for case in CASES])


if __name__ == "__main__":
    main()
