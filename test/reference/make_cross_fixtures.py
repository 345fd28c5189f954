#!/usr/bin/env python3
"""Run sentence-transformers' CrossEncoder on a model folder over query/passage cases and write JSON.

    make_cross_fixtures.py MODEL_FOLDER --out FILE.json [--cases N]

Float32 on the CPU. README.md describes the file.
"""

import argparse
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import pairs as default_pairs
from make_fixtures import settings_of, write
from reference_model import f32, nested_f32, unmasked

# settings that CrossEncoder does not have
FLAG_ALONE = {
    "query_max_length",
    "normalize",
    "query_instruction",
    "passage_instruction",
    "prompt",
}
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Cross:
    """The reference, with what was fed to its model last."""

    def __init__(self, path):
        """Load the folder."""
        from sentence_transformers import CrossEncoder

        model_kwargs = {"torch_dtype": torch.float32}
        self.encoder = CrossEncoder(str(path), device="cpu", model_kwargs=model_kwargs)
        self.model, self.tokenizer = self.encoder.model.eval(), self.encoder.tokenizer
        self.max_length = self.encoder.max_seq_length
        self.fed = []
        self.encoder[0].register_forward_pre_hook(self.note_fed)

    def note_fed(self, _module, args):
        """Keep the inputs of a batch."""
        self.fed.append({key: args[0][key].tolist() for key in INPUTS if key in args[0]})

    def scores(self, pairs, settings):
        """The inputs of the first pair without padding, and of each pair the logit and the score."""
        self.encoder.max_seq_length = settings.get("max_length", self.max_length)
        self.fed.clear()
        options = {"convert_to_numpy": True, "show_progress_bar": False}
        logits = self.encoder.predict(pairs, activation_fn=torch.nn.Identity(), **options)
        scores = self.encoder.predict(pairs, **options)
        fed = self.fed[0]
        inputs = {
            key: unmasked(fed[key][0], fed["attention_mask"][0])
            for key in ("input_ids", "token_type_ids")
            if key in fed
        }
        both = zip(logits.reshape(-1), scores.reshape(-1), strict=True)
        return inputs, [{"logit": f32(logit), "score": f32(score)} for logit, score in both]

    def trace(self, ids, types):
        """The state of the first token after the embeddings and after each layer."""
        entries, hooks = [], []

        def note(name, value):
            state = value[0] if isinstance(value, tuple) else value
            entries.append({"name": name, "first": nested_f32(state[0, 0, :8].tolist())})

        for name, module in self.model.named_modules():
            layer = re.fullmatch(r"\w+\.encoder\.layer\.(\d+)", name)
            if not layer:
                continue
            if layer[1] == "0":
                before = lambda _module, args: note("embeddings", args[0])  # noqa: E731
                hooks.append(module.register_forward_pre_hook(before))
            after = lambda _module, _args, out, name=name: note(name, out)  # noqa: E731
            hooks.append(module.register_forward_hook(after))
        inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids))}
        if types is not None:
            inputs["token_type_ids"] = torch.tensor([types])
        self.model(**inputs)
        for hook in hooks:
            hook.remove()
        return entries


def make_document(reference, config, cases, batches):
    """The contents of the file."""
    texts = dict.fromkeys(t for c in cases for t in (c["query"], c["passage"]) if len(t) <= 300)
    document = {
        "family": config["model_type"],
        "class": "CrossEncoder",
        "versions": {
            name: version(name)
            for name in ("torch", "transformers", "tokenizers", "sentence-transformers")
        },
        "dtype": "float32",
        "defaults": {
            "max_length": reference.max_length,
            "activation": type(reference.encoder.activation_fn).__name__,
        },
        "tokenizer": {"class": type(reference.tokenizer).__name__},
        "tokenization": [
            {"text": t, "ids": reference.tokenizer(t, add_special_tokens=False)["input_ids"]}
            for t in texts
        ],
    }
    entries = {}
    for number, case in enumerate(cases):
        settings = settings_of(case)
        inputs, [answer] = reference.scores([(case["query"], case["passage"])], settings)
        entry = {key: case[key] for key in ("id", "query", "passage")}
        entry.update(settings=settings, reference={**inputs, **answer})
        if number < 8:
            entry["trace"] = reference.trace(inputs["input_ids"], inputs.get("token_type_ids"))
        entries[case["id"]] = entry
    document["cases"] = list(entries.values())
    document["batches"] = []
    for batch in batches:
        settings = settings_of(batch)
        chosen = [entries[i] for i in batch["cases"] if i in entries]
        _, answers = reference.scores([(c["query"], c["passage"]) for c in chosen], settings)
        document["batches"].append(
            {
                "id": batch["id"],
                "settings": settings,
                "cases": [c["id"] for c in chosen],
                "logits": [answer["logit"] for answer in answers],
            }
        )
    return document


def read_options(description):
    """The arguments of a script that records answers, for which PyTorch is set up."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, help="only so many cases, and no batches")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    return parser.parse_args()


def main():
    """Read the arguments and write the file."""
    options = read_options(__doc__)
    config = json.loads((options.model / "config.json").read_text())
    reference = Cross(options.model)
    limit = config["max_position_embeddings"]
    cases = [
        case
        for case in default_pairs.cases()
        if not FLAG_ALONE & set(case) and case.get("max_length", 0) < limit
    ][: options.cases]
    batches = [
        batch
        for batch in default_pairs.batches()
        if not batch.get("normalize") and batch.get("max_length", 0) < limit and not options.cases
    ]
    document = make_document(reference, config, cases, batches)
    write(document, options.out)
    logits = [case["reference"]["logit"] for case in document["cases"]]
    print(f"{options.out}: {len(logits)} cases, std {np.std(logits):.3f}")


if __name__ == "__main__":
    sys.exit(main())
