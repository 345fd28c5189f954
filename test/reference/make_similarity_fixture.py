#!/usr/bin/env python3
"""Put a bi-encoder with random weights beside a cross-encoder, and add its similarity to recorded answers.

    make_similarity_fixture.py FOLDER FIXTURES --out FOLDER [--layers N] [--query-prefix TEXT --passage-prefix TEXT]

FOLDER is a model of type BERT or XLM-R, FIXTURES what CrossEncoder or FlagReranker answers with it. The new folder gets model/
(`BertWithSimilarityForSequenceClassification`, `XLMRoberta...`) and fixtures.json: the cases with
logit + scale * cosine, where the cosine is that of the mean-pooled states (sentence-transformers' `mean`) of query and
passage in sequences of their own, with their prefixes. Of XLM-R there are some cases more, and `plain` has the answers without
`similarity_layers` and `similarity_prefixes`. Float32 on the CPU.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    BertModel,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from make_fixtures import write
from reference_model import f32

SCALE = 2.5
WORDS = "embeddings.word_embeddings.weight"
KINDS = ("query", "passage")
NAMES = {
    "bert": ("bert", BertModel, "BertForSequenceClassification"),
    "xlm-roberta": ("roberta", XLMRobertaModel, "XLMRobertaForSequenceClassification"),
}
LONG = "The giant panda eats bamboo, says </s></s> the keeper. " * 60
# {id: (query, passage)}, as FlagReranker builds them with 512 tokens.
MORE = {
    "separators-query": ("what is </s></s> a panda?", "The panda is a bear."),
    "separators-passage": ("what is a panda?", "The panda </s></s> is a bear.</s></s>"),
    "separators-both": ("</s></s>", "</s></s>"),
    "separators-end": ("what is a panda?</s></s>", "</s></s></s>"),
    "padding": ("what <pad> is", "<pad><pad> The panda is a bear."),
    "limit-empty-query": ("", LONG),
    "limit-short-query": ("panda", LONG),
    "limit-long-query": ("what is a panda? " * 200, LONG),
}


def bi_encoder(folder, words, layers, seed):
    """A model with the words of the cross-encoder and weights of its own, larger than those of a fresh one."""
    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder)
    config.num_hidden_layers = layers or config.num_hidden_layers
    model = NAMES[config.model_type][1](config, add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        norm = "LayerNorm.weight" in name
        parameter.copy_((1.0 if norm else 0.0) + 0.15 * torch.randn_like(parameter))
    model.embeddings.word_embeddings.weight.copy_(words)
    return model


def cut_short(model, layers):
    """The same weights with the first layers alone."""
    config = type(model.config).from_dict(model.config.to_dict())
    config.num_hidden_layers = layers
    shorter = type(model)(config, add_pooling_layer=False).eval()
    shorter.load_state_dict(model.state_dict(), strict=False)
    return shorter


def similarity(model, texts, ends, prefixes):
    """Cosine of the means of the states of query and passage. ends: first and last special token."""
    longest = model.config.max_position_embeddings
    if model.config.model_type == "xlm-roberta":
        longest -= model.config.pad_token_id + 1
    pooled = []
    for kind, text in zip(KINDS, texts, strict=True):
        front = [ends[0], *prefixes.get(kind, [])]
        ids = [*front, *text][: longest - 1] + [ends[1]]
        states = model(input_ids=torch.tensor([ids])).last_hidden_state
        pooled.append(torch.nn.functional.normalize(states.mean(1)))
    return float((pooled[0] * pooled[1]).sum())


def recorded(case):
    """{input_ids, token_type_ids, logit} of a case by either class; None where instructions or a sigmoid take part."""
    if "reference" in case:
        return case["reference"]
    if {"normalize", "query_instruction"} & case["settings"].keys():
        return None
    flag = case["flag"]
    return {"input_ids": flag["input_ids"], "logit": flag["score"]}


def texts_of(case, reference, tokenizer):
    """The ids of query and passage in a recorded input: [CLS] query [SEP] passage [SEP], <s> query </s></s> passage </s>."""
    ids, types = reference["input_ids"], reference.get("token_type_ids")
    if types:
        middle = types.index(1)
        return ids[1 : middle - 1], ids[middle:-1]
    longest = case["settings"].get("max_length", 512)
    most = case["settings"].get("query_max_length", longest * 3 // 4)
    query = tokenizer.encode(case["query"], add_special_tokens=False).ids[:most]
    end = 1 + len(query)
    if [*query, 2, 2] != ids[1 : end + 2]:
        raise SystemExit(f"{case['id']}: the query is not where it was expected")
    return query, ids[end + 2 : -1]


def more_cases(folder, tokenizer):
    """Cases of XLM-R that are not recorded."""
    model = XLMRobertaForSequenceClassification.from_pretrained(folder).eval()
    for name, texts in MORE.items():
        query, passage = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
        query = query[: 512 * 3 // 4]
        ids = [0, *query, 2, 2, *passage[: 512 - 4 - len(query)], 2]
        logit = f32(model(input_ids=torch.tensor([ids])).logits.item())
        case = dict(zip(("id", *KINDS), (name, *texts), strict=True))
        yield {**case, "settings": {}, "reference": {"input_ids": ids, "logit": logit}}


def main():
    """Write both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a cross-encoder")
    parser.add_argument("fixtures", type=Path, help="what the reference answers with it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, help="of the bi-encoder (as many)")
    for kind in KINDS:
        parser.add_argument(f"--{kind}-prefix", default="", help="before the bi-encoder's texts")
    parser.add_argument("--seed", type=int, default=53)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)

    config = json.loads((args.folder / "config.json").read_text())
    prefix, encoder, cross = NAMES[config["model_type"]]
    architecture = cross.replace("For", "WithSimilarityFor", 1)
    tokenizer = Tokenizer.from_file(str(args.folder / "tokenizer.json"))
    target = args.out / "model"
    unused = shutil.ignore_patterns("sentencepiece*")
    shutil.copytree(args.folder, target, dirs_exist_ok=True, ignore=unused)
    tensors = load_file(args.folder / "model.safetensors")
    model = bi_encoder(args.folder, tensors[f"{prefix}.{WORDS}"], args.layers, args.seed)
    own = {f"bi_encoder.{k}": v for k, v in model.state_dict().items() if k != WORDS}
    save_file(
        {**tensors, **{name: value.contiguous() for name, value in own.items()}},
        target / "model.safetensors",
        metadata={"format": "pt"},
    )
    prefixes = {
        kind: tokenizer.encode(text, add_special_tokens=False).ids
        for kind in KINDS
        if (text := getattr(args, f"{kind}_prefix"))
    }
    layers = config["num_hidden_layers"]
    config.update(architectures=[architecture], similarity_scale=SCALE)
    if args.layers:
        config["similarity_layers"] = args.layers
    if prefixes:
        config["similarity_prefixes"] = prefixes
    (target / "config.json").write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")

    document = json.loads(args.fixtures.read_text())
    document.update(architecture=architecture, similarity_scale=SCALE)
    document["class"] = f"{cross} + {encoder.__name__}"
    shorter = cut_short(model, layers) if args.layers else model
    cases = [{**case, "reference": recorded(case)} for case in document["cases"]]
    if prefix == "roberta":
        cases += more_cases(args.folder, tokenizer)
    document["cases"] = [case for case in cases if case["reference"]]
    for case in document["cases"]:
        reference = case["reference"]
        for form in ("flag", "plain"):
            case.pop(form, None)
        texts = texts_of(case, reference, tokenizer)
        ends = reference["input_ids"][0], reference["input_ids"][-1]

        def answer(model, prefixes, logit=reference["logit"], texts=texts, ends=ends):
            cosine = similarity(model, texts, ends, prefixes)
            logit = f32(logit + SCALE * cosine)
            score = f32(torch.sigmoid(torch.tensor(logit)).item())
            return {"logit": logit, "score": score, "similarity": f32(cosine)}

        if prefix == "roberta":
            reference["query_tokens"] = len(texts[0])
            case["plain"] = answer(shorter, {})
        reference.update(answer(model, prefixes))
    # Batches of the cross-encoder are truncated to lengths of their own; its tokenizer is tested there.
    document["batches"] = document["tokenization"] = []
    document.pop("summary", None)
    write(document, args.out / "fixtures.json")


if __name__ == "__main__":
    main()
