"""What an embedder's folder has besides the model: sentence-transformers' files, and the heads of bge-m3."""

import json
import math

import torch

from random_weights import DTYPES, TensorSpec, make_tensor

VERSIONS = {"sentence_transformers": "2.2.2", "transformers": "4.28.1", "pytorch": "1.13.0+cu117"}


def write_json(path, value):
    """Write a JSON file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")


def write_modules(folder, hidden, pooling, normalize, max_seq_length, lower, prompts):
    """Pooling, normalization, length and prompts."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    kinds += [("2_Normalize", "Normalize")] if normalize else []
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)
    length = {"max_seq_length": max_seq_length, "do_lower_case": lower}
    write_json(folder / "sentence_bert_config.json", length)
    stored = {} if prompts is None else {"prompts": prompts, "default_prompt_name": None}
    settings = {"__version__": VERSIONS, **stored}
    write_json(folder / "config_sentence_transformers.json", settings)
    modes = {
        "cls_token": pooling == "cls",
        "mean_tokens": pooling == "mean",
        "max_tokens": False,
        "mean_sqrt_len_tokens": False,
    }
    if pooling == "lasttoken":
        modes |= {"weightedmean_tokens": False, "lasttoken": True}
    modes = {f"pooling_mode_{name}": on for name, on in modes.items()}
    pooling_config = {"word_embedding_dimension": hidden, **modes}
    write_json(folder / "1_Pooling" / "config.json", pooling_config)


def append_end_token(folder, token):
    """As Qwen3-Embedding's tokenizer.json has it: a token after every text; padding on the left."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    [id_] = [one["id"] for one in tokenizer["added_tokens"] if one["content"] == token]

    def text(name, kind):
        return [
            {"Sequence": {"id": name, "type_id": kind}},
            {"SpecialToken": {"id": token, "type_id": kind}},
        ]

    template = {
        "type": "TemplateProcessing",
        "single": text("A", 0),
        "pair": text("A", 0) + text("B", 1),
        "special_tokens": {token: {"id": token, "ids": [id_], "tokens": [token]}},
    }
    processors = [tokenizer["post_processor"], template]
    tokenizer["post_processor"] = {"type": "Sequence", "processors": processors}
    write_json(path, tokenizer)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    write_json(folder / "tokenizer_config.json", {**config, "padding_side": "left"})


def write_m3_heads(folder, hidden, seed, dtype):
    """The two linear layers of bge-m3, as published (pickles of tensors) and as safetensors."""
    from safetensors.torch import save_file

    for name, rows in (("colbert_linear", hidden), ("sparse_linear", 1)):
        specs = {
            "weight": TensorSpec(f"{name}.weight", (rows, hidden), 0.0, 2.0 / math.sqrt(hidden)),
            "bias": TensorSpec(f"{name}.bias", (rows,), 0.0, 0.2),
        }
        tensors = {key: make_tensor(spec, seed, DTYPES[dtype][1]) for key, spec in specs.items()}
        torch.save(tensors, folder / f"{name}.pt")
        save_file(tensors, folder / f"{name}.safetensors")
