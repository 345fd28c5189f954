"""One model folder, seen through FlagEmbedding's reranker classes and through plain transformers.

Everything runs in float32 on the CPU.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import torch
import transformers
from safetensors import safe_open

from model_configs import is_tied

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
torch.set_grad_enabled(False)

PROMPT = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)
LIGHTWEIGHT_PROMPT = "Predict whether passage B contains an answer to query A."
FAMILY_OF_TYPE = {
    "xlm-roberta": "xlm-roberta",
    "bert": "bert",
    "deberta-v2": "deberta-v2",
    "gemma": "gemma",
    "llama": "llama",
    "mistral": "mistral",
    "minicpm": "minicpm-layerwise",
    "cost_wise_gemma": "gemma2-lightweight",
}
ENCODER_BODY = {"xlm-roberta": "roberta", "bert": "bert", "deberta-v2": "deberta"}
CLASS_OF_FAMILY = {
    "gemma": "FlagLLMReranker",
    "llama": "FlagLLMReranker",
    "mistral": "FlagLLMReranker",
    "minicpm-layerwise": "LayerWiseFlagLLMReranker",
    "gemma2-lightweight": "LightWeightFlagLLMReranker",
}
FED = ("input_ids", "attention_mask", "token_type_ids")


def f32(value):
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))


def nested_f32(values):
    """The same for nested lists."""
    if isinstance(values, (list, tuple)):
        return [nested_f32(value) for value in values]
    return f32(values)


def unmasked(ids, mask):
    """The ids that are no padding."""
    return [i for i, keep in zip(ids, mask, strict=True) if keep]


class Reference:
    """A loaded model with its tokenizer."""

    def __init__(self, path):
        """Load the folder with the FlagEmbedding class of its family."""
        import FlagEmbedding

        self.path = Path(path)
        self.config = json.loads((self.path / "config.json").read_text())
        self.family = FAMILY_OF_TYPE[self.config["model_type"]]
        self.encoder = self.family in ENCODER_BODY
        self.lightweight = self.family == "gemma2-lightweight"
        self.class_name = CLASS_OF_FAMILY.get(self.family, "FlagReranker")
        reranker_class = getattr(FlagEmbedding, self.class_name)
        self.flag = reranker_class(str(path), use_fp16=False, devices="cpu")
        self.model, self.tokenizer = self.flag.model.eval(), self.flag.tokenizer
        if next(self.model.parameters()).dtype != torch.float32:
            sys.exit(f"{path}: was not loaded in float32")
        self.check_names()
        self.layers = self.head_layers()
        self.instructions = (
            self.flag.query_instruction_for_rerank,
            self.flag.passage_instruction_for_rerank,
        )
        self.fed = []
        self.model.register_forward_pre_hook(self.note_fed, with_kwargs=True)

    def note_fed(self, _module, _args, kwargs):
        """Keep what the model is called with."""
        self.fed.append({name: kwargs[name].tolist() for name in FED if name in kwargs})

    def head_layers(self):
        """The layers that have a head of their own, or None."""
        first, last = self.config.get("start_layer"), self.config["num_hidden_layers"]
        if self.family == "minicpm-layerwise":
            return list(range(first, last + 1))
        if self.lightweight:
            return list(range(first, last + 1, self.config["layer_sep"]))
        return None

    def check_names(self):
        """Every weight must come from the files: the loader would fill a missing one at random."""
        names = set()
        for path in self.path.glob("*.safetensors"):
            with safe_open(path, "pt") as file:
                names |= set(file.keys())
        expected = set(self.model.state_dict())
        if is_tied(self.family, self.config):
            expected.discard("lm_head.weight")
        missing = expected - names
        unknown = {name for name in names - expected if not name.endswith("position_ids")}
        if missing or unknown:
            sys.exit(f"{self.path}: missing tensors {sorted(missing)}, unknown {sorted(unknown)}")

    def capacity(self):
        """The longest sequence the model can take, or None."""
        positions = self.config["max_position_embeddings"]
        return {"xlm-roberta": positions - 2, "bert": positions}.get(self.family)

    def ids(self, text):
        """Token ids of a text without special tokens."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def flag_scores(self, pairs, settings, **more):
        """What compute_score of the FlagEmbedding class returns."""
        known = ("max_length", "query_max_length", "normalize", "batch_size")
        options = {name: settings[name] for name in known if name in settings}
        if not self.encoder and "prompt" in settings:
            options["prompt"] = settings["prompt"]
        query, passage = self.instructions
        self.flag.query_instruction_for_rerank = settings.get("query_instruction", query)
        self.flag.passage_instruction_for_rerank = settings.get("passage_instruction", passage)
        self.fed.clear()
        return self.flag.compute_score([list(pair) for pair in pairs], **options, **more)

    # ---- the plain recipes of the model cards

    def plain_max_length(self, settings):
        """Their default is 512 for encoders and 1024 for decoders."""
        return settings.get("max_length", 512 if self.encoder else 1024)

    def plain_inputs(self, query, passage, settings):
        """The tensors that the plain recipe feeds to the model."""
        limit = self.plain_max_length(settings)
        if self.encoder:
            return self.tokenizer(
                [[query, passage]],
                padding=True,
                truncation=True,
                return_tensors="pt",
                max_length=limit,
            )

        def ids(text, **options):
            return self.tokenizer(text, return_tensors=None, add_special_tokens=False, **options)[
                "input_ids"
            ]

        newline = ids("\n")
        prompt = ids(settings.get("prompt", LIGHTWEIGHT_PROMPT if self.lightweight else PROMPT))
        query_ids = ids(f"A: {query}", max_length=limit * 3 // 4, truncation=True)
        passage_ids = ids(f"B: {passage}", max_length=limit, truncation=True)
        item = self.tokenizer.prepare_for_model(
            [self.tokenizer.bos_token_id] + query_ids,
            newline + passage_ids,
            truncation="only_second",
            max_length=limit,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            add_special_tokens=False,
        )
        item["input_ids"] = item["input_ids"] + newline + prompt
        item["attention_mask"] = [1] * len(item["input_ids"])
        return self.tokenizer.pad(
            [item],
            padding=True,
            max_length=limit + len(newline) + len(prompt),
            pad_to_multiple_of=8,
            return_tensors="pt",
        )

    def plain(self, query, passage, settings):
        """Ids and score of the plain recipe; None where the model cannot take the sequence."""
        inputs = self.plain_inputs(query, passage, settings)
        ids = unmasked(inputs["input_ids"].tolist()[0], inputs["attention_mask"].tolist()[0])
        if self.capacity() and len(ids) > self.capacity():
            return None
        out = {"max_length": self.plain_max_length(settings), "input_ids": ids}
        if self.encoder:
            out["score"] = f32(self.model(**inputs, return_dict=True).logits.view(-1).float()[0])
        elif self.layers:
            got = self.model(**inputs, return_dict=True, cutoff_layers=self.layers)
            # the lightweight class pads on the right
            last = int(inputs["attention_mask"].sum()) - 1 if self.lightweight else -1
            out["scores"] = {
                str(layer): f32(logits[:, last].view(-1).float()[0])
                for layer, logits in zip(self.layers, got.logits, strict=True)
            }
            out["score"] = out["scores"][str(self.layers[-1])]
        else:
            yes = self.ids("Yes")[0]
            logits = self.model(**inputs, return_dict=True).logits
            out["score"] = f32(logits[:, -1, yes].view(-1).float()[0])
        return out

    # ---- hidden states

    def trace(self, ids, types, detail):
        """Hidden states of one unpadded sequence, and its score.

        The first token of an encoder, the last one of a decoder; with `detail` also inside the layers.
        """
        states, hooks = [], []
        at = 0 if self.encoder else -1

        def note(name, value):
            value = (value[0] if isinstance(value, tuple) else value).detach().float()
            rows = value.reshape(-1, value.shape[-1])
            row = rows[at]
            states.append(
                {
                    "name": name,
                    "first": nested_f32(row[:8].tolist()),
                    "mean": f32(row.mean()),
                    "std": f32(row.std(correction=0)),
                    "all_mean": f32(rows.mean()),
                    "all_std": f32(rows.std(correction=0)),
                }
            )

        def after(module, name):
            hooks.append(module.register_forward_hook(lambda _m, _args, out: note(name, out)))

        def before(module, name):
            def hook(_module, args, kwargs):
                note(name, args[0] if args else kwargs["hidden_states"])

            hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))

        if self.encoder:
            self.watch_encoder(after, detail)
        else:
            self.watch_decoder(before, after, detail)
        inputs = {
            "input_ids": torch.tensor([ids]),
            "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        }
        if types is not None:
            inputs["token_type_ids"] = torch.tensor([types])
        if self.layers:
            inputs["cutoff_layers"] = self.layers[-1:]
        try:
            logits = self.model(**inputs, return_dict=True).logits
        finally:
            for hook in hooks:
                hook.remove()
        if self.encoder:
            return states, f32(logits.view(-1)[0])
        if self.layers:
            return states, f32(logits[0][0, -1])
        return states, f32(logits[0, -1, self.flag.yes_loc])

    def watch_encoder(self, after, detail):
        """Name the states of an encoder."""
        body = getattr(self.model, ENCODER_BODY[self.family])
        after(body.embeddings, "embeddings")
        for i, layer in enumerate(body.encoder.layer):
            if detail:
                after(layer.attention.self, f"layer.{i}.attention.context")
                after(layer.attention, f"layer.{i}.attention.normed")
                after(layer.intermediate, f"layer.{i}.intermediate")
            after(layer, f"layer.{i}")
        if self.family == "xlm-roberta":
            after(self.model.classifier.dense, "classifier.dense")
        else:
            after(self.model.pooler if self.family == "deberta-v2" else body.pooler, "pooler")

    def watch_decoder(self, before, after, detail):
        """Name the states of a decoder."""
        body = self.model.model
        before(body.layers[0], "embeddings")
        for i, layer in enumerate(body.layers):
            if detail:
                after(layer.input_layernorm, f"layer.{i}.input_norm")
                after(layer.self_attn, f"layer.{i}.attention")
                after(layer.mlp, f"layer.{i}.mlp")
            after(layer, f"layer.{i}")
        after(body.norm, "norm")
