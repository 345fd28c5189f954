"""Small tokenizers of every family's type, trained on corpus.py and saved as the published models have them."""

import json
import tempfile
from functools import partial
from pathlib import Path

from byte_level_tokenizers import train_byte_level

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "spm.model",
    "vocab.txt",
)


BYTE_LEVEL = {
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "modernbert": "modernbert",
    "jina-bert": "roberta",
    "jina-bert-qk": "roberta",
}
UNIGRAM = ("xlm-roberta", "gte-new", "jina-xlmr")


def train_tokenizer(family, folder, vocab_size, layout, add_eos=False):
    """Train a tokenizer and put its files into `folder`.

    `layout` matters to XLM-R's type only: tokenizer.json as today's converter writes it ('converter'), as the
    published models have it ('published'), or the former without a character map ('no-charsmap').
    `add_eos` matters to Llama's type only: `</s>` after every text, and padding on the left.
    """
    train = {
        **{name: partial(train_xlm_roberta, layout=layout) for name in UNIGRAM},
        **{name: partial(train_byte_level, kind) for name, kind in BYTE_LEVEL.items()},
        "gemma": train_gemma,
        "gemma2-lightweight": train_gemma,
        **{
            name: partial(train_llama, add_eos=add_eos)
            for name in ("minicpm-layerwise", "llama", "mistral")
        },
        "deberta-v2": train_deberta,
        "bert": train_bert,
        "electra": train_bert,
        "roberta": train_roberta,
    }[family]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        train(scratch, vocab_size or default_vocab_size(family))
        if family == "xlm-roberta" and layout == "published":
            to_published_layout(scratch / "tokenizer.json")
        copy_tokenizer(scratch, folder)


def default_vocab_size(family):
    """Byte fallback needs 256 pieces more."""
    small = (*UNIGRAM, "bert", "deberta-v2", "roberta", "electra")
    return 1000 if family in small else 1600


def copy_tokenizer(source, folder):
    """Copy the tokenizer files that `source` has."""
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            (folder / name).write_bytes((source / name).read_bytes())


def train_sentencepiece(path, **options):
    """Train a SentencePiece model on the corpus and write it to `path`."""
    import sentencepiece

    from corpus import sentences

    # a writer in place of a prefix: the file would otherwise carry the path of the scratch folder
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences()),
            model_writer=file,
            hard_vocab_limit=False,
            num_threads=2,
            minloglevel=2,
            max_sentence_length=100000,
            **options,
        )


def train_xlm_roberta(folder, vocab_size, layout):
    """Unigram with XLM-R's character map, unless the layout is without one."""
    from transformers import XLMRobertaTokenizerFast

    train_sentencepiece(
        folder / "sentencepiece.bpe.model",
        model_type="unigram",
        vocab_size=vocab_size,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        character_coverage=0.999,
        normalization_rule_name="identity" if layout == "no-charsmap" else "nmt_nfkc",
    )
    model = str(folder / "sentencepiece.bpe.model")
    XLMRobertaTokenizerFast(vocab_file=model, model_max_length=512).save_pretrained(folder)


def to_published_layout(path):
    """Rewrite tokenizer.json as the older converter did, whose files the published models carry.

    Only the character map as normalizer, and a split on white space before the metaspace step.
    """
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    steps = tokenizer["normalizer"]["normalizers"]
    tokenizer["normalizer"] = next(step for step in steps if step["type"] == "Precompiled")
    metaspace = {
        "type": "Metaspace",
        "replacement": "\u2581",
        "prepend_scheme": "always",
        "split": True,
    }
    tokenizer["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace],
    }
    path.write_text(json.dumps(tokenizer, ensure_ascii=False, indent=2), encoding="utf-8")


BYTE_FALLBACK_BPE = {
    "model_type": "bpe",
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "split_digits": True,
    "character_coverage": 0.995,
    "allow_whitespace_only_pieces": True,
}


def train_gemma(folder, vocab_size):
    """BPE with byte fallback and Gemma's symbols."""
    from transformers import GemmaTokenizerFast

    symbols = ["<mask>", "<2mass>", "[@BOS@]"] + [f"<unused{i}>" for i in range(8)]
    symbols += ["<start_of_turn>", "<end_of_turn>"] + ["\n" * n for n in range(1, 9)]
    symbols += ["\u2581" * n for n in range(2, 9)]
    symbols += ["<table>", "</table>", "<h1>", "</h1>", "<b>", "</b>"]
    train_sentencepiece(
        folder / "tokenizer.model",
        vocab_size=vocab_size,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        add_dummy_prefix=False,
        user_defined_symbols=symbols,
        **BYTE_FALLBACK_BPE,
    )
    GemmaTokenizerFast(vocab_file=str(folder / "tokenizer.model")).save_pretrained(folder)


def train_llama(folder, vocab_size, add_eos=False):
    """BPE with byte fallback, as Llama, Mistral and MiniCPM have it."""
    from transformers import LlamaTokenizerFast

    train_sentencepiece(
        folder / "tokenizer.model",
        vocab_size=vocab_size,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        add_dummy_prefix=True,
        **BYTE_FALLBACK_BPE,
    )
    LlamaTokenizerFast(
        vocab_file=str(folder / "tokenizer.model"),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>" if add_eos else "<unk>",
        legacy=True,
        add_prefix_space=True,
        add_bos_token=True,
        add_eos_token=add_eos,
        clean_up_tokenization_spaces=False,
        **({"padding_side": "left"} if add_eos else {}),
    ).save_pretrained(folder)


def train_deberta(folder, vocab_size):
    """Unigram in DeBERTa-v2's id layout."""
    from transformers import DebertaV2TokenizerFast

    train_sentencepiece(
        folder / "spm.model",
        model_type="unigram",
        vocab_size=vocab_size,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        unk_piece="[UNK]",
        character_coverage=0.999,
        normalization_rule_name="nmt_nfkc",
    )
    model = str(folder / "spm.model")
    DebertaV2TokenizerFast(vocab_file=model, do_lower_case=False, vocab_type="spm").save_pretrained(
        folder
    )


def train_bert(folder, vocab_size):
    """WordPiece, lower case."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    from corpus import sentences

    word_piece = BertWordPieceTokenizer(lowercase=True)
    word_piece.train_from_iterator(
        sentences(), vocab_size=vocab_size, min_frequency=2, show_progress=False
    )
    word_piece.save_model(str(folder))
    BertTokenizerFast(
        vocab_file=str(folder / "vocab.txt"), do_lower_case=True, model_max_length=512
    ).save_pretrained(folder)


def train_roberta(folder, vocab_size):
    """Byte-level BPE."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizerFast

    from corpus import sentences

    byte_level = ByteLevelBPETokenizer()
    byte_level.train_from_iterator(
        sentences(),
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    byte_level.save_model(str(folder))
    vocab, merges = (str(folder / name) for name in ("vocab.json", "merges.txt"))
    RobertaTokenizerFast(vocab, merges, model_max_length=512).save_pretrained(folder)
