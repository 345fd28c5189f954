"""Train the two SentencePiece BPE vocabularies, and write them as Hugging Face lays such tokenizers out.

    python -m llm.make_tokenizers --data TRAINING_SET --out FOLDER

Writes FOLDER/gemma (no dummy prefix; <pad> <eos> <bos> <unk>) and FOLDER/minicpm (a leading "▁" for every text;
<unk> <s> </s>). Both are trained on the same passages and queries, balanced over the languages, so that most of
their pieces agree. Needs transformers 4.46 with sentencepiece and protobuf.
"""

import argparse
import random
import re
import shutil
import tempfile
from pathlib import Path

import sentencepiece
from transformers import GemmaTokenizerFast, LlamaTokenizerFast

from llm.prompt import PROMPT
from training_data import read_jsonl, read_queries

# Characters of text a language gives; a source of it gives no more than CHARACTERS_OF_SOURCE.
CHARACTERS_OF_LANGUAGE = {
    "en": 6_000_000,
    "zh": 1_500_000,
    "ja": 700_000,
    "th": 1_500_000,
    "ar": 700_000,
}
CHARACTERS_OF_SOURCE = 2_000_000
PROMPT_COPIES = 3000  # so that every word of the prompt, "Yes" too, becomes one piece
MODEL_MAX_LENGTH = 1024
# What Gemma's own vocabulary defines beyond the trained pieces, in small.
GEMMA_SYMBOLS = (
    ["<mask>", "<unused0>", "<unused1>", "<start_of_turn>", "<end_of_turn>"]
    + ["\n" * n for n in range(1, 5)]
    + ["▁" * n for n in range(2, 9)]
)


def sample_texts(folder, rng):
    """Lines of passages and queries, balanced over the languages."""
    rows = [(p["lang"], p["source"], p["text"]) for p in read_jsonl(folder / "passages.jsonl.gz")]
    rows += [(q["lang"], q["source"], q["query"]) for q in read_queries(folder, "train")]
    rng.shuffle(rows)
    by_language, by_source, lines = {}, {}, []
    for language, source, text in rows:
        if by_language.get(language, 0) >= CHARACTERS_OF_LANGUAGE[language]:
            continue
        if by_source.get(source, 0) >= CHARACTERS_OF_SOURCE:
            continue
        by_language[language] = by_language.get(language, 0) + len(text)
        by_source[source] = by_source.get(source, 0) + len(text)
        # shorter lines: text without spaces is one "word" a line, and merging in long ones is slow
        lines += [part for part in re.split(r"(?<=[。！？])|\n", text) if part]
    return lines + [PROMPT] * PROMPT_COPIES


def train_sentencepiece(lines, prefix, vocab_size, coverage, **options):
    """A BPE model with byte fallback at PREFIX.model."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(prefix),
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        character_coverage=coverage,
        max_sentence_length=100_000,
        shuffle_input_sentence=False,
        num_threads=2,
        minloglevel=1,
        **options,
    )


def make_gemma(lines, out, vocab_size, coverage):
    """A tokenizer of Gemma's layout."""
    with tempfile.TemporaryDirectory() as scratch:
        prefix = Path(scratch) / "tokenizer"
        train_sentencepiece(
            lines,
            prefix,
            vocab_size,
            coverage,
            pad_id=0,
            eos_id=1,
            bos_id=2,
            unk_id=3,
            pad_piece="<pad>",
            eos_piece="<eos>",
            bos_piece="<bos>",
            add_dummy_prefix=False,
            user_defined_symbols=GEMMA_SYMBOLS,
        )
        tokenizer = GemmaTokenizerFast(
            vocab_file=f"{prefix}.model", model_max_length=MODEL_MAX_LENGTH
        )
        tokenizer.save_pretrained(out)
        shutil.copyfile(f"{prefix}.model", out / "tokenizer.model")


def make_minicpm(lines, out, vocab_size, coverage):
    """A tokenizer of the Llama layout, which MiniCPM has."""
    with tempfile.TemporaryDirectory() as scratch:
        prefix = Path(scratch) / "tokenizer"
        train_sentencepiece(
            lines,
            prefix,
            vocab_size,
            coverage,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            add_dummy_prefix=True,
        )
        tokenizer = LlamaTokenizerFast(
            vocab_file=f"{prefix}.model",
            bos_token="<s>",
            eos_token="</s>",
            unk_token="<unk>",
            pad_token="<unk>",
            legacy=True,
            add_prefix_space=True,
            add_bos_token=True,
            add_eos_token=False,
            clean_up_tokenization_spaces=False,
            model_max_length=MODEL_MAX_LENGTH,
        )
        tokenizer.save_pretrained(out)
        shutil.copyfile(f"{prefix}.model", out / "tokenizer.model")


def main():
    """Train and write both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="training set folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--vocab-size", type=int, default=12000, help="pieces of each (12000)")
    parser.add_argument(
        "--coverage", type=float, default=0.997, help="share of characters with a piece (0.997)"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    lines = sample_texts(args.data, random.Random(args.seed))
    print(f"{len(lines)} lines, {sum(map(len, lines))} characters", flush=True)
    for name, make in (("minicpm", make_minicpm), ("gemma", make_gemma)):
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        make(lines, folder, args.vocab_size, args.coverage)
        print(f"{folder}: written", flush=True)


if __name__ == "__main__":
    main()
