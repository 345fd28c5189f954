#!/usr/bin/env python3
"""Train the cross-encoder: the labels and the bi-encoder's cosines as one teacher.

    python -m cross.train --groups SET --start FOLDER --out FOLDER

The teacher's score of a pair is a multiple of the cosine, plus a bonus for the passage that answers the query where that is
known. The cross-encoder learns that score; with --residual it learns what is missing from the multiple of the cosine, to which
combine.py adds it. The loss is the cross-entropy of its softmax over the candidates, plus the squared error of the centred
scores, which also orders the poor candidates, plus a little binary cross-entropy of the labels, so that the
sigmoid of a score means something. Word embeddings stay as they are. bfloat16 products, float32 weights.

The run has no end: the learning rate is constant, and what is shipped is a moving average of the weights. Every few
minutes, and on SIGTERM, OUT/state.pt and OUT/model are written; the same command goes on from there.
"""

import argparse
import json
import os
import shutil
import signal
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import AutoConfig, AutoModelForSequenceClassification

import attention
from cross.examples import KINDS, Groups, batch_of
from evaluate import LAYOUTS
from read_model import read_tensors

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
SQUARED, BINARY = 0.05, 0.1  # weights in the loss
WORDS = "embeddings.word_embeddings.weight"
HEADS = ("classifier.",)


def load(folder, vocabulary):
    """The encoder with a classifier, ready for training; words and tokenizer are those of the folder `vocabulary`."""
    options = {"num_labels": 1, "attn_implementation": attention.NAME}
    options |= {"attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}
    vocab_size = AutoConfig.from_pretrained(vocabulary).vocab_size
    config = AutoConfig.from_pretrained(folder, vocab_size=vocab_size, **options)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    tensors, theirs = read_tensors(folder), read_tensors(vocabulary)
    words = next(tensor for name, tensor in theirs.items() if name.endswith(WORDS))
    prefix = f"{model.base_model_prefix}."
    own = {
        name if name.startswith(HEADS) else prefix + name.removeprefix(prefix): t
        for name, t in tensors.items()
    }
    missing, _ = model.load_state_dict({**own, prefix + WORDS: words}, strict=False)
    if unexpected := [name for name in missing if not name.startswith(HEADS)]:
        raise SystemExit(f"{folder} lacks {unexpected}")
    model.get_input_embeddings().weight.requires_grad_(False)
    return model.train()


def logits(model, pairs):
    """Scores of pairs."""
    ids, types, mask = batch_of(LAYOUTS[model.config.model_type], pairs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(input_ids=ids, token_type_ids=types, attention_mask=mask).logits
    return out.view(-1).float()


def loss_of(scores, teacher, labelled):
    """Loss of each query. scores [..., queries, candidates], the own passage first; teacher: one such; labelled [queries]."""
    listwise = -(functional.softmax(teacher, -1) * functional.log_softmax(scores, -1)).sum(-1)
    listwise = listwise + (
        functional.softmax(teacher, -1) * functional.log_softmax(teacher, -1)
    ).sum(-1)
    squared = (scores - scores.mean(-1, keepdim=True)) - (teacher - teacher.mean(-1, keepdim=True))
    target = torch.zeros_like(scores)
    target[..., 0] = 1
    binary = functional.binary_cross_entropy_with_logits(scores, target, reduction="none").mean(-1)
    return listwise + SQUARED * squared.pow(2).mean(-1) + BINARY * labelled * binary


def pairs_of(batch):
    """The pairs of all groups of a batch."""
    return [pair for group in batch for pair in group.pairs]


def atomically(path, write):
    """Write a file or folder under another name first."""
    fresh = path.with_name(path.name + ".new")
    old = path.with_name(path.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    write(fresh)
    if path.is_dir():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def export(model, weights, start, out):
    """Write a model folder in float16 with the start's tokenizer, which transformers 4 and 5 read."""
    state = {name: weights.get(name, tensor).half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(out, state_dict=state)
    path = out / "config.json"
    config = json.loads(path.read_text())
    config.pop("dtype", None)
    config["torch_dtype"] = "float16"
    config["attention_probs_dropout_prob"] = config["hidden_dropout_prob"] = 0.1
    path.write_text(json.dumps(config, indent=2) + "\n")
    for name in TOKENIZER_FILES:
        shutil.copyfile(start / name, out / name)
    path = out / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    path.write_text(
        json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
    )


class Run:
    """The state of a run: weights, their moving average, the optimizer, the number of the next batch."""

    def __init__(self, args, model):
        """Start with the model, or go on from what OUT has."""
        self.args, self.step, self.model = args, 0, model
        self.trained = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self.average = {n: p.detach().clone() for n, p in self.trained.items()}
        scaled = defaultdict(list)
        for name, parameter in self.trained.items():
            scaled[self.rate(name)].append(parameter)
        groups = [{"params": p, "scale": scale} for scale, p in sorted(scaled.items())]
        self.optimizer = torch.optim.AdamW(
            groups, lr=args.learning_rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True
        )
        path = args.out / "state.pt"
        if path.exists():
            state = torch.load(path)
            self.step, self.average = state["step"], state["average"]
            self.model.load_state_dict(state["model"], strict=False)
            self.optimizer.load_state_dict(state["optimizer"])
        for layer in self.layers() if args.compile else ():
            layer.compile(dynamic=True)

    def rate(self, name):
        """The learning rate of a parameter, relative to that of the layers."""
        return self.args.head_rate if "classifier" in name or "pooler" in name else 1

    def layers(self):
        """What is compiled."""
        return self.model.base_model.encoder.layer

    def losses(self, batch, teacher, labelled):
        """Loss of each query and its candidates' scores; teacher [queries, candidates]."""
        scores = logits(self.model, pairs_of(batch)).view(teacher.shape)
        if self.args.residual:
            scores = scores + torch.tensor([group.similarities for group in batch])
            labelled = torch.zeros(len(batch))  # the sum's zero means nothing
        return loss_of(scores, teacher, labelled), scores

    def export(self, folder):
        """Write the averaged model."""
        export(self.model, self.average, self.args.vocabulary or self.args.start, folder)

    def save(self):
        """Write state.pt and the model folder."""
        state = {
            "step": self.step,
            "model": {name: p.detach() for name, p in self.trained.items()},
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }
        atomically(self.args.out / "state.pt", lambda path: torch.save(state, path))
        atomically(self.args.out / "model", self.export)

    def learn(self, batch):
        """One step; the losses and whether the own passage is first, by query."""
        for group in self.optimizer.param_groups:
            warm = min(1, (self.step + 1) / self.args.warmup)
            group["lr"] = self.args.learning_rate * group["scale"] * warm
        teacher = torch.tensor([group.scores for group in batch])
        labelled = torch.tensor([float(group.labelled) for group in batch])
        losses, scores = self.losses(batch, teacher, labelled)
        self.optimizer.zero_grad()
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(self.args.average, self.step / (self.step + 9))
        with torch.no_grad():
            for name, parameter in self.trained.items():
                self.average[name].lerp_(parameter, 1 - decay)
        agrees = (scores.argmax(-1) == teacher.argmax(-1)).float()
        return losses.detach().tolist(), agrees.tolist()


def parser_of(description, start, learning_rate, lengths):
    """Parser of the command line, with these defaults; start: what --start is."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=Path, required=True, help="folder of make_groups.py")
    parser.add_argument("--start", type=Path, required=True, help=start)
    parser.add_argument("--out", type=Path, required=True, help="folder of the state and the model")
    parser.add_argument("--steps", type=int, default=10**9, help="where to stop (never)")
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help="of the layers")
    parser.add_argument(
        "--cosine-scale", type=float, default=20, help="of the teacher's cosine (20)"
    )
    parser.add_argument("--warmup", type=int, default=200, help="steps of rising rate (200)")
    parser.add_argument("--average", type=float, default=0.998, help="decay of the average (0.998)")
    parser.add_argument("--queries", type=int, default=4, help="queries a step (4)")
    parser.add_argument("--candidates", type=int, default=8, help="passages a query (8)")
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=lengths, help="of pairs, in tokens"
    )
    parser.add_argument("--save-every", type=float, default=8, help="minutes (8)")
    parser.add_argument("--compile", action="store_true", help="compile the layers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def train(run, groups):
    """Train until stopped."""
    args = run.args
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "pid").write_text(str(os.getpid()))
    stopped = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _frame: stopped.append(number))
    sizes = {kind: len(rows) for kind, rows in groups.rows.items()}
    print(f"from step {run.step}, {sizes}, process {os.getpid()}", flush=True)
    began, first, saved = time.time(), run.step, time.time()
    losses, agrees = defaultdict(list), defaultdict(list)
    for _, batch in groups.batches(run.step):
        if stopped or run.step >= args.steps:
            break
        for group, loss, agree in zip(batch, *run.learn(batch), strict=True):
            losses[group.kind].append(loss)
            agrees[group.kind].append(agree)
        if run.step % 50 == 0:
            means = {
                k: f"{sum(losses[k]) / len(losses[k]):.3f} {sum(agrees[k]) / len(agrees[k]):.2f}"
                for k in KINDS
                if losses[k]
            }
            speed = (run.step - first) * 60 / (time.time() - began)
            print(f"step {run.step}: loss, agreement {means}, {speed:.1f} steps/min", flush=True)
            losses.clear()
            agrees.clear()
        if time.time() - saved > args.save_every * 60:
            run.save()
            saved = time.time()
    run.save()
    print(f"saved at step {run.step}", flush=True)


def main():
    """Train the cross-encoder."""
    parser = parser_of(__doc__, "folder of the encoder", 1e-4, [80, 112, 144, 192])
    parser.add_argument("--vocabulary", type=Path, help="folder of words and tokenizer (START)")
    parser.add_argument(
        "--head-rate", type=float, default=4, help="of classifier and pooler, in learning rates (4)"
    )
    parser.add_argument("--residual", action="store_true", help="add to the scaled cosine")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    vocabulary = args.vocabulary or args.start
    model = load(args.start, vocabulary)
    tokenizer = Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    layout = LAYOUTS[model.config.model_type]
    train(Run(args, model), Groups(args.groups, tokenizer, args, layout))


if __name__ == "__main__":
    main()
