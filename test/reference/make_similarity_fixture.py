#!/usr/bin/env python3
"""Put a bi-encoder with random weights beside a BERT cross-encoder, and add its similarity to recorded answers.

    make_similarity_fixture.py BERT_FOLDER CROSS_FIXTURES --out FOLDER

The folder gets model/ (`BertWithSimilarityForSequenceClassification`) and fixtures.json: the cases of CROSS_FIXTURES with
logit + scale * cosine, where the cosine is that of the mean-pooled states (sentence-transformers' `mean`) of
`[CLS] query [SEP]` and `[CLS] passage [SEP]`. Float32 on the CPU.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from make_fixtures import write
from reference_model import f32

ARCHITECTURE = "BertWithSimilarityForSequenceClassification"
SCALE = 2.5
WORDS = "embeddings.word_embeddings.weight"
POOLER = "pooler."


def bi_encoder(folder, cross, seed):
    """A BertModel with the words of the cross-encoder and weights of its own, larger than those of a fresh one."""
    torch.manual_seed(seed)
    model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        norm = "LayerNorm.weight" in name
        parameter.copy_((1.0 if norm else 0.0) + 0.15 * torch.randn_like(parameter))
    model.embeddings.word_embeddings.weight.copy_(cross[f"bert.{WORDS}"])
    return model


def split(ids, types):
    """The inputs of the bi-encoder: a pair is [CLS] query [SEP] of type 0 and passage [SEP] of type 1."""
    middle = types.index(1)
    return ids[:middle], [ids[0], *ids[middle:]]


def similarity(model, ids, types):
    """Cosine of the means of the states of query and passage."""
    pooled = [
        torch.nn.functional.normalize(
            model(input_ids=torch.tensor([part])).last_hidden_state.mean(1)
        )
        for part in split(ids, types)
    ]
    return float((pooled[0] * pooled[1]).sum())


def main():
    """Write both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a BERT cross-encoder")
    parser.add_argument("fixtures", type=Path, help="what CrossEncoder answers with it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=53)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)

    target = args.out / "model"
    shutil.copytree(args.folder, target, dirs_exist_ok=True)
    tensors = load_file(args.folder / "model.safetensors")
    model = bi_encoder(args.folder, tensors, args.seed)
    own = {f"bi_encoder.{k}": v for k, v in model.state_dict().items() if k != WORDS}
    save_file(
        {**tensors, **{name: value.contiguous() for name, value in own.items()}},
        target / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = json.loads((args.folder / "config.json").read_text())
    config.update(architectures=[ARCHITECTURE], similarity_scale=SCALE)
    (target / "config.json").write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")

    document = json.loads(args.fixtures.read_text())
    document.update(architecture=ARCHITECTURE, similarity_scale=SCALE)
    document["class"] = "BertForSequenceClassification + BertModel"
    logits = {}
    for case in document["cases"]:
        reference = case["reference"]
        cosine = similarity(model, reference["input_ids"], reference["token_type_ids"])
        logit = f32(reference["logit"] + SCALE * cosine)
        score = f32(torch.sigmoid(torch.tensor(logit)).item())
        reference.update(logit=logit, score=score, similarity=f32(cosine))
        logits[case["id"]] = logit
    # Batches of the cross-encoder are truncated to lengths of their own; its tokenizer is tested there.
    document["batches"] = document["tokenization"] = []
    document.pop("summary", None)
    write(document, args.out / "fixtures.json")


if __name__ == "__main__":
    main()
