#!/usr/bin/env python3
"""Fine-tune the start point as a reranker.

    train.py --data TRAINING_SET --start FOLDER --out FOLDER

Each step takes 8 queries with 4 passages each: the positive, two BM25 negatives, one random passage. The loss
is a softmax over the four (which is best) plus half a binary cross-entropy (is it relevant at all), so that
the sigmoid of a score means something. Word embeddings stay as they are. bfloat16 on the CPU.
"""

import argparse
import json
import random
import shutil
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import XLMRobertaForSequenceClassification

import attention
from training_data import read_passages, read_queries

MAX_TOKENS = 224
MAX_QUERY_TOKENS = 64
QUERIES_PER_STEP = 8
PASSAGES_PER_QUERY = 4
WINDOW_STEPS = (
    32  # queries of so many steps are sorted by length together, so that a batch pads little
)
QUERIES_PER_SOURCE = 9000
QUERIES_OF = {"medquad": 5000}  # built from templates, hence fewer
BOS, PAD, EOS = 0, 1, 2
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def encode_queries(tokenizer, rows):
    """Token ids of the queries, cut to MAX_QUERY_TOKENS."""
    encodings = tokenizer.encode_batch([row["query"] for row in rows], add_special_tokens=False)
    return [encoding.ids[:MAX_QUERY_TOKENS] for encoding in encodings]


def encode_passages(tokenizer, passages):
    """{passage id: token ids}."""
    encodings = tokenizer.encode_batch(list(passages.values()), add_special_tokens=False)
    return {key: encoding.ids for key, encoding in zip(passages, encodings, strict=True)}


def pair(query, passage):
    """<s> query </s></s> passage </s>, the passage cut to fit."""
    return ([BOS, *query, EOS, EOS, *passage])[: MAX_TOKENS - 1] + [EOS]


def balanced(rows, rng):
    """The rows, shuffled, with no more of a source than its share."""
    by_source = {}
    for row in rows:
        by_source.setdefault(row["source"], []).append(row)
    chosen = []
    for source, members in by_source.items():
        rng.shuffle(members)
        chosen += members[: QUERIES_OF.get(source, QUERIES_PER_SOURCE)]
    rng.shuffle(chosen)
    return chosen


def sampled_passages(row, rng):
    """Ids of a positive, two hard negatives and a random passage; None where the row has too few."""
    negatives = rng.sample(row["neg"], min(2, len(row["neg"]))) + rng.sample(row["rand"], 1)
    if len(negatives) < PASSAGES_PER_QUERY - 1:
        return None
    return [rng.choice(row["pos"]), *negatives]


def batches(rows, queries, passages, rng):
    """Endless batches: lists of QUERIES_PER_STEP groups of token lists, the positive first in each."""
    window = QUERIES_PER_STEP * WINDOW_STEPS
    while True:
        order = list(range(len(rows)))
        rng.shuffle(order)
        for start in range(0, len(order), window):
            groups = []
            for i in order[start : start + window]:
                keys = sampled_passages(rows[i], rng)
                if keys:
                    groups.append([pair(queries[i], passages[key]) for key in keys])
            groups.sort(key=lambda group: max(map(len, group)))
            parts = [
                groups[k : k + QUERIES_PER_STEP] for k in range(0, len(groups), QUERIES_PER_STEP)
            ]
            rng.shuffle(parts)
            yield from parts


def load_model(folder, layers):
    """The start model with these of its layers, ready for training."""
    model = XLMRobertaForSequenceClassification.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation=attention.NAME,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
    )
    encoder = model.roberta.encoder
    encoder.layer = torch.nn.ModuleList([encoder.layer[i] for i in layers])
    model.config.num_hidden_layers = len(layers)
    model.roberta.embeddings.word_embeddings.weight.requires_grad_(False)
    return model.train()


def logits(model, sequences):
    """Scores of token lists, padded into one batch."""
    ids = torch.full((len(sequences), max(map(len, sequences))), PAD)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(input_ids=ids, attention_mask=(ids != PAD).long()).logits
    return out.view(-1).float()


def loss_of(scores):
    """Loss of scores [queries, passages] whose first column is the positive."""
    target = torch.zeros_like(scores)
    target[:, 0] = 1
    best = torch.zeros(len(scores), dtype=torch.long)
    softmax = torch.nn.functional.cross_entropy(scores, best)
    binary = torch.nn.functional.binary_cross_entropy_with_logits(
        scores, target, pos_weight=torch.tensor(2.0)
    )
    return softmax + 0.5 * binary


def dev_mrr(model, rows, queries, passages):
    """MRR of the positive among its negatives; a tie counts against it."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for row, query in zip(rows, queries, strict=True):
            keys = [row["pos"][0], *row["neg"], *row["rand"]]
            scores = logits(model, [pair(query, passages[key]) for key in keys])
            total += 1 / (1 + int((scores[1:] >= scores[0]).sum()))
    model.train()
    return total / len(rows)


def save(model, start, out):
    """Write the model in float16 with its tokenizer, in a form that transformers 4 and 5 read."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(out, state_dict=weights)
    path = out / "config.json"
    config = json.loads(path.read_text())
    config.pop("dtype", None)
    config["torch_dtype"] = "float16"
    config["attention_probs_dropout_prob"] = config["hidden_dropout_prob"] = 0.1
    path.write_text(json.dumps(config, indent=2) + "\n")
    for name in TOKENIZER_FILES:
        if (start / name).exists():
            shutil.copyfile(start / name, out / name)


def train(model, rows, queries, passages, args, report):
    """Run the steps; `report(step)` is called now and then."""
    rng = random.Random(args.seed + 1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=args.learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    losses, began = [], time.time()
    for step, groups in enumerate(batches(rows, queries, passages, rng), 1):
        factor = min(1, step / args.warmup) * (1 - (step - 1) / args.steps)
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * factor
        scores = logits(model, [sequence for group in groups for sequence in group])
        loss = loss_of(scores.view(len(groups), PASSAGES_PER_QUERY))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        if step in (5, 10, 20, 50) or step % 100 == 0 or step == args.steps:
            recent = losses[-args.mean_over :]
            speed = step * QUERIES_PER_STEP / (time.time() - began)
            mean = sum(recent) / len(recent)
            print(
                f"step {step}: loss {mean:.4f} over {len(recent)} steps, {speed:.1f} queries/s",
                flush=True,
            )
        if step % 500 == 0:
            report(step)
        if step == args.steps:
            return


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="training set folder")
    parser.add_argument("--start", type=Path, required=True, help="model folder of make_start.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument(
        "--layers",
        type=lambda text: [int(x) for x in text.split(",")],
        default=[1, 3, 5, 7, 9, 11],
        help="layers of the start model that stay (1,3,5,7,9,11)",
    )
    parser.add_argument("--steps", type=int, default=2750, help="of 8 queries each (2750)")
    parser.add_argument(
        "--warmup", type=int, default=100, help="steps of rising learning rate (100)"
    )
    parser.add_argument("--learning-rate", type=float, default=1.5e-4, help="at its peak (1.5e-4)")
    parser.add_argument("--mean-over", type=int, default=100, help="steps in a reported loss (100)")
    parser.add_argument("--dev", type=int, default=200, help="dev queries per evaluation (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    """Train and write the model."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json"))
    passages = encode_passages(tokenizer, read_passages(args.data))
    rows = balanced(read_queries(args.data, "train"), random.Random(args.seed))
    queries = encode_queries(tokenizer, rows)
    dev = read_queries(args.data, "dev")[: args.dev]
    dev_queries = encode_queries(tokenizer, dev)
    print(f"{len(rows)} queries, {len(passages)} passages, {len(dev)} dev queries", flush=True)
    model = load_model(args.start, args.layers)

    def report(step):
        mrr = dev_mrr(model, dev, dev_queries, passages)
        print(f"step {step}: dev MRR {mrr:.4f}", flush=True)
        if step:
            save(model, args.start, args.out)

    report(0)
    train(model, rows, queries, passages, args, report)
    report(args.steps)


if __name__ == "__main__":
    main()
