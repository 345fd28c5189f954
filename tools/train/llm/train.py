"""Train a decoder reranker, Gemma-type or layerwise, from a start folder.

    python -m llm.train --data TRAINING_SET --teacher FOLDER --start FOLDER --out FOLDER --minutes 70

Each step takes 8 queries with four passages each, or 8 cropped sentences with four shorter ones; there are fewer and
fewer of these. The target of the four is half the label, half the teacher's softmax; the loss is a cross-entropy over
the four plus half a binary one, so that the sigmoid of a score means something. Every head layer has the loss, with a
weight that grows with depth. To it comes how much of the teacher's hidden states the layers do not tell, with a weight
that falls to zero. The folder is written every few minutes and can be used at any time. bfloat16 products on the CPU,
float32 weights; the learning rate falls with the clock.
"""

import argparse
import random
import time
from pathlib import Path

import torch
from torch.nn import functional

from llm.decoder import load_with_layout, save
from llm.examples import Groups, truecaser
from llm.teacher import StateLoss, Teacher
from training_data import balanced, english, read_jsonl, read_queries

LOWER_CASED = "squadtrain"
PASSAGES = 4
MAPS_RATE = 8  # of the maps of the states' loss, relative to the model's


def read_data(folder, rng):
    """Balanced English rows and {passage id: text}; the lower-cased source gets capitals back."""
    passages = english(read_jsonl(folder / "passages.jsonl.gz"))
    restore = truecaser([p["text"] for p in passages if p["source"] != LOWER_CASED])
    texts = {
        p["id"]: restore(p["text"]) if p["source"] == LOWER_CASED else p["text"] for p in passages
    }
    rows = balanced(english(read_queries(folder, "train")), rng)
    for row in rows:
        if row["source"] == LOWER_CASED and rng.random() < 0.7:
            row["query"] = restore(row["query"])
    return rows, texts


def loss_of(scores, teacher):
    """Loss of scores [heads, queries, 4], the relevant passage first; teacher: its scores [queries, 4]."""
    label = torch.zeros_like(teacher)
    label[:, 0] = 1
    target = (label + functional.softmax(teacher, -1)) / 2
    odds = (label + torch.sigmoid(teacher)) / 2
    heads = len(scores)
    weights = torch.arange(1, heads + 1) / sum(range(1, heads + 1))
    listwise = -(target * functional.log_softmax(scores, -1)).sum(-1).mean(-1)
    binary = functional.binary_cross_entropy_with_logits(
        scores, odds.expand_as(scores), reduction="none"
    )
    return (weights * (listwise + 0.5 * binary.mean((1, 2)))).sum()


def hits(scores):
    """Share of queries whose first passage scores best, at every head."""
    return (scores[:, :, :1] > scores[:, :, 1:]).all(-1).float().mean(-1)


def dev_mrr(model, layout, rows, texts, max_length):
    """MRR at every head of the positive among its negatives; a tie counts against it."""
    model.eval()
    total = torch.zeros(len(model.head_layers))
    with torch.no_grad():
        for row in rows:
            keys = [row["pos"][0], *row["neg"], *row["rand"]]
            (query,) = layout.queries([row["query"]])
            passages = layout.passages([texts[key] for key in keys])
            scores = model([layout.pair(query, p, max_length) for p in passages], torch.bfloat16)
            total += 1 / (1 + (scores[:, 1:] >= scores[:, :1]).sum(1))
    model.train()
    return [round(x, 3) for x in (total / len(rows)).tolist()]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="training set folder")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of the XLM-R reranker")
    parser.add_argument("--start", type=Path, required=True, help="folder to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--minutes", type=float, required=True, help="the learning rate falls over")
    parser.add_argument("--learning-rate", type=float, default=3e-4, help="at its peak (3e-4)")
    parser.add_argument("--warmup", type=int, default=30, help="steps of rising rate (30)")
    parser.add_argument("--queries", type=int, default=8, help="queries a step (8)")
    parser.add_argument("--max-length", type=int, default=144, help="of query and passage (144)")
    parser.add_argument(
        "--crops", type=float, default=0.6, help="share of cropped batches at the start (0.6)"
    )
    parser.add_argument("--states", type=float, default=2.0, help="weight of the states' loss (2)")
    parser.add_argument("--compile", action="store_true", help="compile the layers")
    parser.add_argument("--dev", type=int, default=60, help="dev queries per evaluation (60)")
    parser.add_argument("--save-every", type=float, default=5, help="minutes (5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def places_of(pairs):
    """(row, ours, theirs) of all places of a batch."""
    return [(row, *place) for row, pair in enumerate(pairs) for place in pair.places]


def main():
    """Train and write the model."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rows, texts = read_data(args.data, random.Random(args.seed))
    dev = english(read_queries(args.data, "dev"))[: args.dev]
    teacher = Teacher(args.teacher)
    model, layout = load_with_layout(args.start)
    told = slice(1, 1 + teacher.layers)  # the decoder's layers that tell the teacher's
    state_loss = StateLoss(teacher.layers, teacher.size)
    if args.compile:
        for layer in (*model.model.layers[:-1], *teacher.model.roberta.encoder.layer):
            layer.compile(dynamic=True)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    maps = list(state_loss.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": 0.01},
            {"params": vectors, "weight_decay": 0.0},
            {"params": maps, "weight_decay": 0.0, "scale": MAPS_RATE},
        ],
        lr=args.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    print(f"{len(rows)} queries", flush=True)
    groups = Groups(layout, teacher, rows, texts, args)
    began = saved = time.time()
    losses, rates, untold = [], [], None

    def progress():
        return (time.time() - began) / 60 / args.minutes

    for step, batch in enumerate(groups.batches(lambda: args.crops * (1 - progress())), 1):
        left = 1 - progress()
        if left <= 0:
            break
        for group in optimizer.param_groups:
            rate = args.learning_rate * group.get("scale", 1)
            group["lr"] = rate * min(1, step / args.warmup) * left
        pairs = [pair for four in batch for pair in four]
        states = []
        scores = model([pair.ours for pair in pairs], torch.bfloat16, states)
        their_scores, their_states = teacher([pair.theirs for pair in pairs])
        loss = loss_of(
            scores.view(len(scores), len(batch), PASSAGES), their_scores.view(-1, PASSAGES)
        )
        losses.append(float(loss.detach()))
        if args.states > 0:
            places = places_of(pairs)
            if step == 1:
                with torch.no_grad():
                    state_loss.start(states[told], their_states, places)
            told_loss, untold = state_loss(states[told], their_states, places)
            loss = loss + args.states * left * told_loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if len(batch) == args.queries:
            rates.append(hits(scores.detach().view(len(scores), -1, PASSAGES)))
        if step in (1, 2, 5, 10) or step % 20 == 0:
            recent = torch.stack(rates[-20:]).mean(0).tolist() if rates else []
            print(
                f"step {step}: {(time.time() - began) / 60:.1f} min, loss {sum(losses[-20:]) / len(losses[-20:]):.4f}, "
                f"hit@1 of 4 by head {[round(x, 2) for x in recent]}, "
                f"untold {[] if untold is None else [round(x, 2) for x in untold.tolist()]}",
                flush=True,
            )
        if time.time() - saved > args.save_every * 60:
            save(model, args.out, args.start)
            mrr = dev_mrr(model, layout, dev, texts, args.max_length)
            print(f"step {step}: dev MRR by head {mrr}", flush=True)
            saved = time.time()
    save(model, args.out, args.start)
    print(
        f"{step} steps, dev MRR {dev_mrr(model, layout, dev, texts, args.max_length)}", flush=True
    )


if __name__ == "__main__":
    main()
