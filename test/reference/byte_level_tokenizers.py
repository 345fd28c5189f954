"""Small byte-level BPE tokenizers laid out as the published files of Qwen2, Qwen3, JinaBERT and ModernBERT."""

import json

QWEN_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
EXTRA_LINES = ["yes", "no", "0", "1", "document: x", "query: x", "\n\n"] * 60
FIRST_TOKENS = {
    "roberta": ["<s>", "<pad>", "</s>", "<unk>"],
    "modernbert": ["|||IP_ADDRESS|||", "<|padding|>"],
}
ROBERTA_SPECIALS = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "mask_token": "<mask>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
}
MODERNBERT_SPECIALS = {
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "pad_token": "[PAD]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
}


def train_byte_level(kind, folder, vocab_size):
    """Train a tokenizer of the kind qwen2, qwen3, roberta or modernbert and write its files."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    from corpus import sentences

    is_qwen = kind.startswith("qwen")
    byte_level = {"add_prefix_space": False, "trim_offsets": not is_qwen}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**byte_level, use_regex=not is_qwen)
    if is_qwen:
        split = pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated", invert=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, tokenizer.pre_tokenizer])
    if kind != "roberta":
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=FIRST_TOKENS.get(kind, []),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([*sentences(), *EXTRA_LINES], trainer)
    decoding = {"use_regex": False} if is_qwen else {}
    tokenizer.decoder = decoders.ByteLevel(**byte_level, **decoding)
    add = add_qwen if is_qwen else add_roberta if kind == "roberta" else add_modernbert
    config, specials = add(tokenizer, kind, byte_level)
    write_files(tokenizer, folder, config, specials, older_merges=kind != "qwen3")


def plain(texts, **options):
    """Added tokens that are no special ones."""
    from tokenizers import AddedToken

    return [AddedToken(text, special=False, **{"normalized": False, **options}) for text in texts]


def mask(text):
    """A mask token that takes the space before it."""
    from tokenizers import AddedToken

    return AddedToken(text, lstrip=True, normalized=False, special=True)


def add_qwen(tokenizer, kind, byte_level):
    """Tokens and settings of Qwen2 and Qwen3."""
    from tokenizers import processors

    newer = kind == "qwen3"
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    thoughts = ["<think>", "</think>"] if newer else []
    tokenizer.add_tokens(plain(["<tool_call>", "</tool_call>", *thoughts]))
    tokenizer.post_processor = processors.ByteLevel(**byte_level, use_regex=False)
    end = "<|im_end|>" if newer else "<|endoftext|>"
    specials = {"eos_token": end, "pad_token": "<|endoftext|>"}
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 131072 if newer else 32768,
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
        **specials,
    }
    return config, specials


def add_roberta(tokenizer, _kind, _byte_level):
    """Tokens and settings of RoBERTa, as JinaBERT has them."""
    from tokenizers import processors

    tokenizer.add_special_tokens([mask("<mask>")])
    end, start = ((text, tokenizer.token_to_id(text)) for text in ("</s>", "<s>"))
    spaces = {"trim_offsets": True, "add_prefix_space": False}
    tokenizer.post_processor = processors.RobertaProcessing(end, start, **spaces)
    config = {
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": True,
        "errors": "replace",
        "model_max_length": 8192,
        "tokenizer_class": "RobertaTokenizer",
        "trim_offsets": True,
        **ROBERTA_SPECIALS,
    }
    return config, ROBERTA_SPECIALS


def add_modernbert(tokenizer, _kind, _byte_level):
    """Tokens and settings of ModernBERT, which has GPT-NeoX's."""
    from tokenizers import processors

    tokenizer.add_tokens(
        plain((" " * n for n in range(24, 1, -1)), normalized=True)
        + plain(["|||EMAIL_ADDRESS|||", "|||PHONE_NUMBER|||"])
    )
    names = ["<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", mask("[MASK]")]
    tokenizer.add_special_tokens(names)
    tokenizer.add_tokens(plain(f"[unused{i}]" for i in range(4)))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(text, tokenizer.token_to_id(text)) for text in ("[CLS]", "[SEP]")],
    )
    config = {
        "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 8192,
        "tokenizer_class": "PreTrainedTokenizerFast",
        **MODERNBERT_SPECIALS,
    }
    return config, MODERNBERT_SPECIALS


def write_files(tokenizer, folder, config, specials, older_merges):
    """Write tokenizer.json and the files beside it; older files have a merge as one text."""
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    content = json.loads(path.read_text(encoding="utf-8"))
    if older_merges:
        merges = content["model"]["merges"]
        content["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in merges]
    added = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in content["added_tokens"]
    }
    files = {
        "tokenizer.json": content,
        "tokenizer_config.json": {**config, "added_tokens_decoder": added},
        "special_tokens_map.json": specials,
    }
    for name, value in files.items():
        text = json.dumps(value, ensure_ascii=False, indent=2)
        (folder / name).write_text(text, encoding="utf-8")
