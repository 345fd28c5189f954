"""Scores of the lightweight reranker with token compression, and with the soft-capped attention that the loading default leaves out."""

import torch

# Tokens of the longest case that is run with all plans.
FEW_PLANS_FROM = 200


def plans(layers, first):
    """Ratios, and the layers after which tokens are merged: at one layer, at several, at all of them."""
    middle = max(1, layers - 2)
    return [
        (2, [first]),
        (4, [first, layers - 1]),
        (8, [1, middle]),
        (2, list(range(1, layers))),
        (8, [layers - 1]),
        (4, [1]),
        (4, [1, min(2, layers - 1), middle]),
        (2, [layers - 1, 1]),
        (8, [1, min(2, layers - 1)]),
    ]


def plans_of(number, tokens, layers, first):
    """Some of the plans: three for each case in turn, of long ones one."""
    every = plans(layers, first)
    count = 3 if tokens <= FEW_PLANS_FROM else 1
    return [every[(number * count + i) % len(every)] for i in range(count)]


def eager_model(reference):
    """The same weights with the attention that applies attn_logit_softcapping."""
    if not hasattr(reference, "eager"):
        from FlagEmbedding.inference.reranker.decoder_only.models.gemma_model import (
            CostWiseGemmaForCausalLM,
        )

        reference.eager = CostWiseGemmaForCausalLM.from_pretrained(
            reference.path, attn_implementation="eager", torch_dtype=torch.float32
        ).eval()
    return reference.eager


def scores_with(reference, pairs, settings, plan, written):
    """The scores of pairs in one call, by layer."""
    ratio, at = plan
    got = reference.flag_scores(
        pairs, settings, cutoff_layers=reference.layers, compress_ratio=ratio, compress_layers=at
    )
    got = [got] if len(reference.layers) == 1 else got  # the class unwraps a single layer
    return {
        str(layer): [written(value) for value in values]
        for layer, values in zip(reference.layers, got, strict=True)
    }


def compressed_case(reference, number, pair, settings, tokens, written):
    """One case with some of the plans, and with eager attention without and with one of them."""
    layers = reference.config["num_hidden_layers"]
    first = min(reference.layers[0], layers - 1)
    chosen = plans_of(number, tokens, layers, first)
    runs = [("default", reference.model, chosen)]
    if reference.model.config._attn_implementation != "eager":
        every = plans(layers, first)
        some = [(1, []), every[number % len(every)]]
        runs.append(("eager", eager_model(reference), some))
    out = []
    for attention, model, some in runs:
        reference.flag.model = model
        for ratio, at in some:
            scores = scores_with(reference, [pair], settings, (ratio, at), written)
            out.append(
                {
                    "attention": attention,
                    "compress_ratio": ratio,
                    "compress_layers": at,
                    "scores": {layer: values[0] for layer, values in scores.items()},
                }
            )
    reference.flag.model = reference.model
    return out


def compressed_batches(reference, chosen, written):
    """Cases of different lengths in one call with every plan, and how far that moves a score from the case alone."""
    layers = reference.config["num_hidden_layers"]
    first = min(reference.layers[0], layers - 1)
    pairs = [(case["query"], case["passage"]) for case in chosen]
    out, worst = [], 0.0
    for ratio, at in plans(layers, first):
        scores = scores_with(reference, pairs, {}, (ratio, at), written)
        for i, pair in enumerate(pairs):
            alone = scores_with(reference, [pair], {}, (ratio, at), written)
            moved = max(abs(alone[layer][0] - scores[layer][i]) for layer in scores)
            worst = max(worst, moved)
        out.append(
            {
                "compress_ratio": ratio,
                "compress_layers": at,
                "cases": [case["id"] for case in chosen],
                "scores": scores,
            }
        )
    return out, worst
