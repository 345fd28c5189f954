#!/usr/bin/env python3
"""Record attention maps and logit-lens scores of PyTorch for the ids of a recorded case.

    make_research_fixtures.py FIXTURE... --out research.json

FIXTURE is a folder of test/fixtures. Everything runs in float32 on the CPU with eager attention. `lens` has the score of the model's
own head at the hidden states of each layer from 1 on: of the last layer it is the model's score. `attentions` has the softmax
probabilities [heads, tokens, tokens] of the layers listed, counted from 1, with 6 decimals. A model that is in the file already is
recorded anew, the others stay: those that the pinned transformers does not know are recorded with a newer one.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

CASE = "panda-bear"
MOST_TOKENS = 24


def minicpm():
    """FlagEmbedding's model class, whose eager attention gives its probabilities."""
    from FlagEmbedding.inference.reranker.decoder_only.models import modeling_minicpm_reranker

    return modeling_minicpm_reranker.LayerWiseMiniCPMForCausalLM


def load(folder):
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False) if "minicpm" not in str(folder) else None
    if config is None:
        cls = minicpm()
        config = cls.config_class.from_pretrained(folder)
    elif config.architectures[0].endswith("ForSequenceClassification"):
        cls = AutoModelForSequenceClassification
    else:
        cls = AutoModelForCausalLM
    more = {"attn_implementation": "eager"}
    return cls.from_pretrained(folder, config=config, torch_dtype=torch.float32, **more).eval()


def classifier_head(model):
    """The head of a model with a classifier, as a function of all hidden states of a layer."""
    kind = type(model).__name__
    if kind.startswith(("XLMRoberta", "Roberta", "Electra")):
        return model.classifier
    if kind.startswith("Bert"):
        return lambda states: model.classifier(model.bert.pooler(states))
    if kind.startswith("Deberta"):
        return lambda states: model.classifier(model.pooler(states))
    if kind.startswith("ModernBert"):
        def score(states):
            states = model.model.final_norm(states)
            cls = model.config.classifier_pooling == "cls"
            pooled = states[:, 0] if cls else states.mean(1)
            return model.classifier(model.head(pooled))
        return score
    raise SystemExit(f"no head known for {kind}")


def lens(model, output, yes_id):
    """The head at every layer; the last hidden state of decoders and ModernBERT is normed already."""
    kind = type(model).__name__
    if kind == "LayerWiseMiniCPMForCausalLM":
        return None
    states = output.hidden_states
    if kind.endswith("ForCausalLM"):
        inner = [model.lm_head(model.model.norm(s))[0, -1, yes_id].item() for s in states[1:-1]]
        return [*inner, output.logits[0, -1, yes_id].item()]
    head = classifier_head(model)
    return [*(head(s)[0, 0].item() for s in states[1:-1]), output.logits[0, 0].item()]


def record(folder):
    answers = json.loads((folder / "fixtures.json").read_text())
    case = next(c for c in answers["cases"] if c["id"] == CASE)
    source = case.get("flag") or case["reference"]
    ids = source["input_ids"][:MOST_TOKENS]
    types = source.get("token_type_ids")
    model = load(folder / "model")
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if types:
        inputs["token_type_ids"] = torch.tensor([types[:MOST_TOKENS]])
    with torch.no_grad():
        if "minicpm" in folder.name:
            output = model.model(**inputs, output_attentions=True, output_hidden_states=True)
        else:
            output = model(**inputs, output_attentions=True, output_hidden_states=True)
        scores = lens(model, output, (answers["tokenizer"].get("yes_ids") or [None])[0])
    count = len(output.attentions)
    maps = {
        layer: [round(p, 6) for p in output.attentions[layer - 1][0].flatten().tolist()]
        for layer in (1, count)
    }
    return {
        "versions": {k: version(k) for k in ("torch", "transformers")},
        "ids": ids,
        **({"types": types[:MOST_TOKENS]} if types else {}),
        **({"lens": scores} if scores else {}),
        "heads": output.attentions[0].shape[1],
        "attentions": maps,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    models = json.loads(args.out.read_text())["models"] if args.out.exists() else {}
    models.update({folder.name: record(folder) for folder in args.folders})
    args.out.write_text(json.dumps({"case": CASE, "models": models}) + "\n")


if __name__ == "__main__":
    main()
