"""Train the two SentencePiece BPE vocabularies, and write them as Hugging Face lays such tokenizers out.

    python -m llm.make_tokenizers --data TRAINING_SET --out FOLDER

Writes FOLDER/gemma (no dummy prefix; <pad> <eos> <bos> <unk>) and FOLDER/minicpm (a leading "▁" for every text;
<unk> <s> </s>). Both are trained on the same English passages and queries, so that most of their pieces agree. Needs transformers 4.46 with sentencepiece and protobuf.
"""

import argparse
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from transformers import GemmaTokenizerFast, LlamaTokenizerFast

from llm.prompt import PROMPT
from training_data import english, read_jsonl, read_queries

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
    """Lines of English passages and queries, balanced over the sources."""
    rows = [(p["source"], p["text"]) for p in english(read_jsonl(folder / "passages.jsonl.gz"))]
    rows += [(q["source"], q["query"]) for q in english(read_queries(folder, "train"))]
    rng.shuffle(rows)
    by_source, lines = {}, []
    for source, text in rows:
        if by_source.get(source, 0) < CHARACTERS_OF_SOURCE:
            by_source[source] = by_source.get(source, 0) + len(text)
            lines += [line for line in text.split("\n") if line]
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
    # the file says where it was made
    path = Path(f"{prefix}.model")
    model = ModelProto.FromString(path.read_bytes())
    model.trainer_spec.model_prefix = "tokenizer"
    path.write_bytes(model.SerializeToString())


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
    parser.add_argument("--vocab-size", type=int, default=8000, help="pieces of each (8000)")
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
