#!/usr/bin/env python3
"""Folders in which several files make a tokenizer, and what transformers makes of them: writes
../fixtures/tokenizers/files.json.

A case is a fixture's folder with edits: `[file]` takes the file away, `[file, path]` a member, `[file, path, value]`
sets one ("+" appends to a list), and the path "text" sets the whole file. What is told in tokenizer_config.json by
transformers 5 alone is asked of transformers 5 (run the script again there); all else of transformers 4.46.

    make_tokenizer_files.py          with transformers 4.46.3, tokenizers 0.20.3
    make_tokenizer_files.py          with transformers 5.24.0, tokenizers 0.23.3, afterwards

needs: transformers, sentencepiece, protobuf
"""
import json, os, shutil, sys, tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import tokenizers, transformers
from transformers import AutoTokenizer
from transformers.utils import logging

logging.set_verbosity(50)
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
ANSWERS = os.path.join(FIXTURES, "tokenizers", "files.json")
FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model",
         "sentencepiece.bpe.model"]
FIVE = transformers.__version__.startswith("5.")
TC, TJ, MAP, ADDED, CONFIG = "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json", "config.json"
TEXTS = {
    "xlm-roberta-514": ["what is panda?", "[TITLE] The giant panda </s> is a bear. x <mask>y", " [A]  [TITLE]\n<s>[A][B]<pad> \n  a  b\n "],
    "mistral": ["what is panda?", "[TITLE] The giant panda </s> is a bear. x <s>y", "  [A] [TITLE]\n<unk>[A]  z"],
    "gemma": ["what is panda?", "[TITLE] The <bos>panda <start_of_turn> is <table> x\n\ny", "  [A] [TITLE]\n<eos>[A]  z"],
}


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True, **flags}


def typed(content, **flags):
    return {"__type": "AddedToken", **token(content, **flags)}


def decoder(id, content, **flags):
    return [TC, ["added_tokens_decoder", str(id)], token(content, **flags)]


def added(id, content, **flags):
    return [TJ, ["added_tokens", "+"], {"id": id, **token(content, **flags)}]


def config(**members):
    return [[TC, [key], value] for key, value in members.items()]


def template(*parts):
    return [({"Sequence": {"id": p, "type_id": 0}} if p in "AB" else {"SpecialToken": {"id": p, "type_id": 0}}) for p in parts]


OLD = [TC, ["added_tokens_decoder"]]
NO_CLASS = [TC, ["tokenizer_class"]]
NO_PREFIX = [TC, ["add_prefix_space"]]
POST = [TJ, ["post_processor"]]
ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": True}
BERT = {"type": "BertProcessing", "sep": ["<unk>", 3], "cls": ["<pad>", 1]}
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
TEMPLATE = {"type": "TemplateProcessing", "single": template("<s>", "A"), "pair": template("<s>", "A", "</s>", "B"),
            "special_tokens": {k: {"id": k, "ids": [i], "tokens": [k]} for k, i in (("<s>", 0), ("</s>", 2))}}
CUT = {"direction": "Left", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
PAD = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0, "pad_token": "<s>"}
SPM5 = [
    [TJ, ["normalizer"], {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        {"type": "Replace", "pattern": {"Regex": "\\A▁"}, "content": "▁▁"}]}],
    [TJ, ["pre_tokenizer"], {"type": "Sequence", "pretokenizers": [
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False}]}],
]

XLM_ROBERTA = {
    "as it is": [],
    "added token in config alone": [decoder(1002, "[TITLE]")],
    "added tokens out of order": [decoder(1003, "[TITLE]"), decoder(1002, "[A]"), decoder(1010, "what")],
    "added token under the id of a piece": [decoder(5, "[TITLE]")],
    "added tokens that are not special": [decoder(1002, "[TITLE]", special=False), decoder(1003, "Giant", special=False, normalized=True)],
    "added token that is normalized": [decoder(1002, "[ＴＩＴＬＥ]", special=False, normalized=True)],
    "added token without normalized": [[TC, ["added_tokens_decoder", "1002"], {"content": "[TITLE]"}]],
    "added tokens with flags": [decoder(1002, "[TITLE]", rstrip=True), decoder(1003, "[A]", lstrip=True), decoder(1004, "an", single_word=True),
                               decoder(1005, "is", single_word=True, special=False)],
    "flags of tokenizer.json overridden": [decoder(1001, "<mask>"), decoder(2, "</s>", lstrip=True, rstrip=True), decoder(1, "<pad>", special=False)],
    "normalized of tokenizer.json kept": [decoder(2, "</s>", normalized=True, rstrip=True), decoder(0, "<s>", normalized=True)],
    "white space taken along twice": [decoder(4, "▁", normalized=True, lstrip=True, rstrip=True), decoder(1002, "\n", normalized=True, rstrip=True)],
    "one content under two ids": [decoder(1002, "[TITLE]", lstrip=True), decoder(1003, "[TITLE]", rstrip=True)],
    "added token that is a piece": [decoder(1002, "▁panda"), decoder(1003, "p", special=False)],
    "additional special token": config(additional_special_tokens=["[TITLE]"]),
    "additional special tokens": config(additional_special_tokens=["[B]", "[TITLE]", "</s>", "[A]", "[B]"]),
    "additional special tokens as objects": config(additional_special_tokens=[typed("[TITLE]", rstrip=True), typed("[A]", lstrip=True, special=False)]),
    "additional special tokens that are listed": [*config(additional_special_tokens=["[A]", "[TITLE]"]), decoder(1002, "[TITLE]", special=False, rstrip=True)],
    "no additional special tokens": config(additional_special_tokens=None),
    "listed and additional": [*config(additional_special_tokens=["[A]"]), decoder(1002, "[TITLE]")],
    "named token as an object": config(mask_token=typed("[TITLE]", lstrip=True), pad_token=typed("<pad>", rstrip=True)),
    "named token that is new": config(mask_token="[TITLE]"),
    "class names the mask": [[TC, ["mask_token"]], [TC, ["added_tokens_decoder", "1001"]]],
    "class names all": [[TC, [name + "_token"]] for name in ("bos", "eos", "cls", "sep", "pad", "unk", "mask")],
    "other cls and sep": config(cls_token="<pad>", sep_token="[B]"),
    "no bos, no eos": config(bos_token=None, eos_token=None),
    "split special tokens": config(split_special_tokens=True),
    "split special tokens among others": [*config(split_special_tokens=True, additional_special_tokens=["[A]"]), decoder(1002, "[TITLE]", special=False), added(1003, "[B]", special=False)],
    "old: as it is": [OLD],
    "old: map names additional special tokens": [OLD, [MAP, ["additional_special_tokens"], ["[TITLE]", token("[A]", special=False, lstrip=True)]]],
    "old: map and config name additional special tokens": [OLD, *config(additional_special_tokens=["[B]", "[TITLE]"]), [MAP, ["additional_special_tokens"], ["[A]", "[TITLE]"]]],
    "old: map names tokens": [OLD, [MAP, ["mask_token"], "[TITLE]"], [MAP, ["cls_token"], {"content": "<unk>", "rstrip": True}], [MAP, ["sep_token"], "[A]"]],
    "old: map says null": [OLD, [MAP, ["bos_token"], None]],
    "old: added_tokens.json": [OLD, [ADDED, [], {"[TITLE]": 1003, "[A]": 1002}]],
    "old: added_tokens.json and names": [OLD, *config(additional_special_tokens=["[A]"]), [MAP, ["mask_token"], "[TITLE]"], [ADDED, [], {"[A]": 1002, "[TITLE]": 1003, "[B]": 1004}]],
    "old: added_tokens.json against tokenizer.json": [OLD, [ADDED, [], {"[TITLE]": 2, "<mask>": 1001, "<pad>": 1005}]],
    "old: split special tokens of the map": [OLD, [MAP, ["split_special_tokens"], True]],
    "listed: map and added_tokens.json do not count": [[MAP, ["additional_special_tokens"], ["[TITLE]"]], [ADDED, [], {"[A]": 1002}]],
    "no tokenizer_config.json": [[TC], [MAP, ["additional_special_tokens"], ["[TITLE]"]]],
    "no tokenizer_config.json, no map": [[TC], [MAP]],
    "no tokenizer_config.json, but added_tokens.json": [[TC], [MAP], [ADDED, [], {"[TITLE]": 1002}]],
    "class of config.json": [NO_CLASS, [CONFIG, ["tokenizer_class"], "RobertaTokenizer"]],
    "class of model_type": config(tokenizer_class=None),
    "class ends in Fast": config(tokenizer_class="XLMRobertaTokenizerFast"),
    "class of RoBERTa": config(tokenizer_class="RobertaTokenizer", bos_token="<pad>", cls_token="<unk>"),
    "class of BERT": config(tokenizer_class="BertTokenizer"),
    "class of BERT names all": [*config(tokenizer_class="BertTokenizer"), *([TC, [name + "_token"]] for name in ("cls", "sep", "pad", "unk", "mask"))],
    "any class": config(tokenizer_class="PreTrainedTokenizerFast"),
    "any class, no names": [*config(tokenizer_class="PreTrainedTokenizerFast"), *([TC, [name + "_token"]] for name in ("bos", "eos", "cls", "sep", "pad", "unk", "mask"))],
    "no post-processor": [[*POST, None]],
    "post-processor of RoBERTa": [[*POST, ROBERTA]],
    "post-processor of BERT": [[*POST, BERT]],
    "post-processor of bytes": [[*POST, BYTES]],
    "post-processors": [[*POST, {"type": "Sequence", "processors": [BYTES, TEMPLATE]}]],
    "post-processors the other way": [[*POST, {"type": "Sequence", "processors": [ROBERTA, BYTES]}]],
    "post-processor of a class without one": [*config(tokenizer_class="PreTrainedTokenizerFast"), [*POST, BERT]],
    "truncation on the left": config(truncation_side="left"),
    "truncation section on the left": [[TJ, ["truncation"], CUT]],
    "truncation section, and config": [[TJ, ["truncation"], CUT], *config(truncation_side="right")],
    "padding section": [[TJ, ["padding"], PAD]],
    "ids of tokenizer.json out of order": [added(1003, "[A]"), added(1002, "[TITLE]")],
    "ids of tokenizer.json with a gap": [added(1004, "[TITLE]")],
    "NaN and Infinity": [[TC, "text", '{"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": Infinity, "x": [NaN, -Infinity], "additional_special_tokens": ["[TITLE]"]}']],
    "no tokenizer.json": [[TJ], decoder(1002, "[TITLE]"), *config(additional_special_tokens=["[A]"])],
    "no tokenizer.json, old": [[TJ], OLD, [MAP, ["additional_special_tokens"], ["[TITLE]"]], [ADDED, [], {"[A]": 1002}]],
    "no tokenizer.json, split special tokens": [[TJ], *config(split_special_tokens=True, tokenizer_class=None)],
}
LLAMA = {
    "as it is": [],
    "a prefix asks for tokenizer.model": [added(1600, "[TITLE]"), decoder(1600, "[A]")],
    "a prefix, old: tokens of tokenizer.json are listed": [OLD, added(1600, "[TITLE]", lstrip=True, rstrip=True)],
    "no prefix": [NO_PREFIX, added(1600, "[TITLE]"), decoder(1601, "[A]", special=False)],
    "prefix is null": [*config(add_prefix_space=None), added(1600, "[TITLE]")],
    "prefix is false": config(add_prefix_space=False),
    "prefix, not legacy": config(legacy=False),
    "vocabulary with a hole": [NO_PREFIX, [TJ, ["model", "vocab", "。"]]],
    "vocabulary with a hole, and an added token": [NO_PREFIX, [TJ, ["model", "vocab", "。"]], added(1600, "[TITLE]")],
    "vocabulary with a hole, and a token for it": [NO_PREFIX, [TJ, ["model", "vocab", "。"]], decoder(1599, "[TITLE]"), decoder(1600, "[A]")],
    "vocabulary with holes at the end": [NO_PREFIX, [TJ, ["model", "vocab", "。"], 5000]],
    "spelled-out defaults": [NO_PREFIX, [TJ, ["model", "dropout"], 0.0], [TJ, ["model", "ignore_merges"], False], [TJ, ["model", "continuing_subword_prefix"], None]],
    "merges ignored": [NO_PREFIX, [TJ, ["model", "ignore_merges"], True]],
    "bos is the padding of tokenizer.json": [NO_PREFIX, [TC, ["pad_token"]], [TJ, ["padding"], PAD]],
    "bos is the padding": config(pad_token="<s>"),
    "no bos around texts": config(add_bos_token=False, add_eos_token=True),
    "neither around texts": config(add_bos_token=None),
    "bos and eos around texts": [NO_PREFIX, *config(add_eos_token=True)],
    "bos is new": [NO_PREFIX, *config(bos_token="<BOS>")],
    "bos is null": [NO_PREFIX, *config(bos_token=None)],
    "bos is null, and not added": [NO_PREFIX, *config(bos_token=None, add_bos_token=False)],
    "any class": config(tokenizer_class="PreTrainedTokenizerFast"),
    "any class, no bos": [*config(tokenizer_class="PreTrainedTokenizerFast"), [TC, ["bos_token"]]],
    "any class, bos is null": config(tokenizer_class="PreTrainedTokenizerFast", bos_token=None, add_eos_token=True),
    "no tokenizer_config.json": [[TC], [MAP]],
    "no tokenizer_config.json, but the map": [[TC], [MAP, ["bos_token"], "</s>"]],
    "class of model_type": [NO_CLASS, NO_PREFIX],
    "split special tokens": config(split_special_tokens=True),
    "split special tokens, no prefix": [NO_PREFIX, *config(split_special_tokens=True), decoder(1600, "[TITLE]", special=False)],
    "Regex with an anchor": [NO_PREFIX, *SPM5],
    "Regex with anchors at the end": [NO_PREFIX, SPM5[1], [TJ, ["normalizer"], {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"Regex": " +$"}, "content": "_"}, {"type": "Replace", "pattern": {"Regex": "^x"}, "content": "zz"},
        {"type": "Replace", "pattern": {"Regex": "\\A[A-Z]"}, "content": "b"}, {"type": "Replace", "pattern": {"Regex": "[?z]\\z"}, "content": "!"}]}]],
    "truncation on the left": config(truncation_side="left"),
    "no tokenizer.json": [[TJ], decoder(1605, "[TITLE]"), decoder(1600, "[A]", lstrip=True), *config(additional_special_tokens=["z"])],
    "no tokenizer.json, old": [[TJ], OLD, NO_PREFIX, [MAP, ["additional_special_tokens"], ["[TITLE]"]], [ADDED, [], {"[A]": 1600}]],
    "no tokenizer.json, class of model_type": [[TJ], NO_CLASS],
}
GEMMA = {
    "as it is": [],
    "no tokenizer_config.json": [[TC], [MAP]],
    "no tokenizer_config.json, but the map": [[TC], [MAP, ["bos_token"], "<mask>"]],
    "class of model_type": [NO_CLASS, [TC, ["bos_token"]]],
    "no bos around texts": config(add_bos_token=False),
    "bos and eos around texts": config(add_eos_token=True),
    "bos is null": config(bos_token=None),
    "pad is bos": config(pad_token="<bos>"),
    "class of Llama": [*config(tokenizer_class="LlamaTokenizer"), [TC, ["bos_token"]], [TC, ["eos_token"]]],
    "any class, no bos": [*config(tokenizer_class="PreTrainedTokenizerFast"), [TC, ["bos_token"]]],
    "any class of config.json": [NO_CLASS, [CONFIG, ["tokenizer_class"], "PreTrainedTokenizerFast"]],
    "split special tokens": config(split_special_tokens=True),
    "added tokens": [decoder(1600, "[TITLE]", rstrip=True), decoder(1601, "[A]", special=False, normalized=True)],
    "old: added_tokens.json": [OLD, [ADDED, [], {"[TITLE]": 1600, "[A]": 1601}], *config(additional_special_tokens=["<table>"])],
    "no post-processor": [[*POST, None]],
    "truncation on the left": config(truncation_side="left"),
    "no tokenizer.json": [[TJ], decoder(1600, "[TITLE]"), *config(additional_special_tokens=["[A]"])],
}
# What transformers 5 alone writes or reads.
LATER = {
    "xlm-roberta-514": {
        "extra special tokens": config(extra_special_tokens=["[TITLE]", "[A]"]),
        "extra special tokens by name": config(extra_special_tokens={"title_token": "[TITLE]"}),
        "class of transformers 5": [OLD, [MAP], *config(tokenizer_class="TokenizersBackend", backend="tokenizers", is_local=True)],
    },
    "mistral": {
        "class of transformers 5": [OLD, [MAP], *config(tokenizer_class="TokenizersBackend"), [TC, ["add_bos_token"]], [TC, ["add_eos_token"]], *SPM5],
        "class of transformers 5, told of eos": [OLD, [MAP], *config(tokenizer_class="TokenizersBackend", add_bos_token=False, add_eos_token=True)],
        "class of transformers 5, no bos": [OLD, [MAP], *config(tokenizer_class="TokenizersBackend", bos_token=None), *SPM5],
        "class of transformers 5, extra special tokens": [OLD, [MAP], *config(tokenizer_class="TokenizersBackend", extra_special_tokens=["[TITLE]"])],
    },
    "gemma": {"extra special tokens": config(extra_special_tokens=["[TITLE]", "<table>"])},
}
EARLIER = {"xlm-roberta-514": XLM_ROBERTA, "mistral": LLAMA, "gemma": GEMMA}


def folder(base, edits):
    path = tempfile.mkdtemp()
    for file in FILES:
        if os.path.exists(os.path.join(FIXTURES, base, "model", file)):
            shutil.copy(os.path.join(FIXTURES, base, "model", file), path)
    for file, *edit in edits:
        file = os.path.join(path, file)
        if not edit:
            os.remove(file)
            continue
        if edit[0] == "text":
            open(file, "w").write(edit[1])
            continue
        steps = edit[0]
        content = {"": json.load(open(file)) if os.path.exists(file) else None}
        *before, last = ["", *steps]
        at = content
        for step in before:
            at = at[step]
        if len(edit) == 1:
            del at[last]
        elif last == "+":
            at.append(edit[1])
        else:
            at[last] = edit[1]
        json.dump(content[""], open(file, "w"))
    return path


def flag(tokenizer, base, query, passage, max_length):
    """As FlagEmbedding 1.4.2 does (BaseReranker, BaseLLMReranker), with the prompt "Yes?"."""
    def ids(text, length):
        return tokenizer([text], add_special_tokens=False, max_length=length, truncation=True)["input_ids"][0]

    a, b = ids(query, max_length * 3 // 4), ids(passage, max_length)
    if base == "xlm-roberta-514":
        return tokenizer.prepare_for_model(a, b, truncation="only_second", max_length=max_length, padding=False)["input_ids"]
    newline, prompt = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("\n", "Yes?"))
    if tokenizer.bos_token_id is not None and tokenizer.bos_token_id != tokenizer.pad_token_id:
        a = [tokenizer.bos_token_id] + a
    pair = tokenizer.prepare_for_model(a, newline + b, truncation="only_second", max_length=max_length + len(newline) + len(prompt),
                                       padding=False, return_attention_mask=False, return_token_type_ids=False, add_special_tokens=False)
    return pair["input_ids"] + newline + prompt


def answer(base, edits):
    path = folder(base, edits)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except ValueError as fault:
        return {"error": str(fault)}
    finally:
        shutil.rmtree(path)
    texts = TEXTS[base]
    found = {
        "ids": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts],
        "single": tokenizer(texts[0])["input_ids"],
        "pair": tokenizer(texts[0], texts[1])["input_ids"],
        "bos": tokenizer.bos_token_id,
        "pad": tokenizer.pad_token_id,
    }
    if FIVE:
        return found
    found["flag"] = [flag(tokenizer, base, texts[0], texts[1], length) for length in (512, 12)]
    if base == "xlm-roberta-514":
        found["plain"] = tokenizer(texts[0], texts[1], truncation=True, max_length=12)["input_ids"]
    return found


def main():
    stored = json.load(open(ANSWERS)) if FIVE else {"texts": TEXTS, "by": [], "cases": []}
    by = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
    stored["by"] = [other for other in stored["by"] if other != by] + [by]
    stored["cases"] = [case for case in stored["cases"] if case["by"] != by]
    for base, cases in (LATER if FIVE else EARLIER).items():
        for name, edits in cases.items():
            stored["cases"].append({"base": base, "name": name, "by": by, "edits": edits, **answer(base, edits)})
    lines = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in stored["cases"])
    with open(ANSWERS, "w") as out:
        out.write(f'{{\n "by": {json.dumps(stored["by"])},\n "texts": {json.dumps(stored["texts"], ensure_ascii=False)},\n "cases": [\n{lines}\n ]\n}}\n')
    print(f"{len(stored['cases'])} cases", file=sys.stderr)


main()
