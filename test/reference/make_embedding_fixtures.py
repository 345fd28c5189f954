#!/usr/bin/env python3
"""Run sentence-transformers on an embedder's folder over texts and write ids and embeddings as JSON.

    make_embedding_fixtures.py MODEL_FOLDER --out FILE.json [--query-prompt TEXT] [--dimensions N]

Of bge-m3 FlagEmbedding gives the sparse weights, the vectors of tokens and the three scores. Float32 on the CPU.
README.md describes the file.
"""

import argparse
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from embedding_texts import QUERIES, texts
from make_fixtures import write
from reference_model import f32, unmasked

os.environ.setdefault("HF_HUB_OFFLINE", "1")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SHORT = 24  # tokens; of longer texts three vectors are kept
M3_WEIGHTS = (None, [1, 0.3, 1], [0.4, 0.2, 0.4])


def row(vector):
    """A vector as the shortest decimals that read back as the same float32."""
    return [f32(one) for one in vector]


class Embedder:
    """The reference, with what was fed to its model last."""

    def __init__(self, path):
        """Load the folder."""
        from sentence_transformers import SentenceTransformer

        kwargs = {"torch_dtype": torch.float32}
        self.model = SentenceTransformer(str(path), device="cpu", model_kwargs=kwargs)
        self.fed = []
        self.model[0].register_forward_pre_hook(self.note_fed)

    def note_fed(self, _module, args):
        """Keep the inputs of a batch."""
        self.fed.append({key: args[0][key].tolist() for key in INPUTS if key in args[0]})

    def embed(self, some, prompt, **options):
        """The embeddings of texts."""
        options = {"convert_to_numpy": True, "show_progress_bar": False, **options}
        return self.model.encode(some, prompt=prompt, **options)

    def ids(self):
        """What was fed for the first text of the last batch, without padding."""
        return unmasked(self.fed[-1]["input_ids"][0], self.fed[-1]["attention_mask"][0])


def read_json(path):
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def prompts_of(stored, options):
    """The text before queries and passages: what is asked for, else what the files hold."""
    asked = {"query": options.query_prompt, "passage": options.passage_prompt}
    names = {"query": ("query", "web_search_query"), "passage": ("passage", "document")}
    found = {}
    for kind, text in asked.items():
        own = [stored[name] for name in names[kind] if name in stored]
        found[kind] = text if text is not None else (own or [""])[0]
    return found


def header(path, embedder, prompts, stored):
    """What was run."""
    pooling = read_json(path / "1_Pooling" / "config.json")
    [mode] = [key for key, on in pooling.items() if key.startswith("pooling_mode_") and on is True]
    file = sorted(path.glob("model*.safetensors"))[0]
    with safe_open(file, "np") as tensors:
        kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
    modules = [type(module).__name__ for module in embedder.model]
    tokenizer = embedder.model.tokenizer
    names = ("torch", "transformers", "tokenizers", "sentence-transformers")
    return {
        "family": read_json(path / "config.json")["model_type"],
        "class": "SentenceTransformer",
        "modules": modules,
        "pooling": mode.removeprefix("pooling_mode_")
        .removesuffix("_token")
        .removesuffix("_tokens"),
        "normalize": "Normalize" in modules,
        "stored_dtype": min(kinds - {"I64"}),
        "dtype": "float32",
        "versions": {name: version(name) for name in names},
        "defaults": {
            "max_length": embedder.model.max_seq_length,
            "prompts": prompts,
            "stored_prompts": stored,
        },
        "tokenizer": {
            "class": type(tokenizer).__name__,
            "padding_side": tokenizer.padding_side,
            **{
                f"{name}_id": getattr(tokenizer, f"{name}_token_id")
                for name in ("pad", "bos", "eos", "cls", "sep")
            },
        },
    }


def add_m3(document, path, length):
    """What FlagEmbedding gives of bge-m3 besides: one text at a time, for its padding changes scores."""
    from FlagEmbedding import BGEM3FlagModel

    model = BGEM3FlagModel(str(path), use_fp16=False, devices="cpu", normalize_embeddings=True)
    wanted = {"return_dense": True, "return_sparse": True, "return_colbert_vecs": True}
    for case in document["cases"]:
        found = model.encode([case["text"]], batch_size=1, max_length=length, **wanted)
        weights = sorted(found["lexical_weights"][0].items(), key=lambda one: int(one[0]))
        case["sparse"] = {key: f32(weight) for key, weight in weights}
        vectors = found["colbert_vecs"][0]
        short = len(case["input_ids"]) <= SHORT
        case["colbert"] = [row(vector) for vector in vectors] if short else None
        if not short:
            some = {"first": vectors[0], "second": vectors[1], "last": vectors[-1]}
            some = {name: row(vector) for name, vector in some.items()}
            case["colbert_some"] = {"count": len(vectors), **some}
    queries = [case["text"] for case in document["cases"] if case["kind"] == "query"]
    passages = [case["text"] for case in document["cases"] if case["kind"] == "passage"]
    pairs = [[a, b] for a in queries[:6] for b in passages[len(queries) : len(queries) + 8]]
    limits = {"batch_size": 1, "max_query_length": length, "max_passage_length": length}
    scores = {}
    for weights in M3_WEIGHTS:
        found = model.compute_score(pairs, weights_for_different_modes=weights, **limits)
        name = "default" if weights is None else ",".join(map(str, weights))
        scores[name] = {key: row(values) for key, values in found.items()}
    document["m3_scores"] = {"pairs": pairs, "weights": "dense,sparse,colbert", "scores": scores}


def make_document(path, options):
    """The contents of the file, and the largest change that padding made."""
    embedder = Embedder(path)
    stored = read_json(path / "config_sentence_transformers.json").get("prompts") or {}
    prompts = prompts_of(stored, options)
    document = header(path, embedder, prompts, stored)
    items = [("query", *one) for one in texts()[:QUERIES]] + [("passage", *one) for one in texts()]
    vectors, document["cases"] = [], []
    for kind, name, text in items:
        [vector] = embedder.embed([text], prompts[kind])
        vectors.append(vector)
        case = {"id": name, "kind": kind, "text": text, "input_ids": embedder.ids()}
        document["cases"].append({**case, "embedding": row(vector)})
    vectors = np.stack(vectors)
    changes = []
    for kind in ("query", "passage"):
        at = [i for i, (own, _, _) in enumerate(items) if own == kind]
        some = [items[i][2] for i in at]
        changes.append(
            np.abs(embedder.embed(some, prompts[kind], batch_size=8) - vectors[at]).max()
        )
        if kind == "query" and options.dimensions:
            shorter = {"truncate_dim": options.dimensions, "normalize_embeddings": True}
            cut = embedder.embed(some, prompts[kind], **shorter)
            document["shortened"] = {
                "dimensions": options.dimensions,
                "queries": [row(vector) for vector in cut],
            }
    scores = vectors[:QUERIES] @ vectors[QUERIES:].T
    document["similarity"] = {
        "of": "dot product, queries x passages, in the order of the cases",
        "matrix": [row(one) for one in scores],
    }
    if (path / "sparse_linear.pt").exists():
        add_m3(document, path, embedder.model.max_seq_length)
    worst = float(max(changes))
    document["summary"] = {
        "cases": len(items),
        "dimension": vectors.shape[1],
        "longest": max(len(case["input_ids"]) for case in document["cases"]),
        "similarity": [f32(scores.min()), f32(scores.max())],
        "largest_padding_difference": f32(worst),
    }
    return document, worst / max(1, float(np.abs(vectors).max()))


def main():
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--query-prompt", help="default: the stored prompt for queries, if any")
    parser.add_argument("--passage-prompt", help="default: the stored prompt for passages, if any")
    parser.add_argument("--dimensions", type=int, help="also embeddings of so many numbers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    document, change = make_document(options.model, options)
    write(document, options.out)
    print(f"{options.out}: {json.dumps(document['summary'])}")
    if change > 2e-5:
        sys.exit("padding changes the embeddings")


if __name__ == "__main__":
    main()
