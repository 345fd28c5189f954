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

With --decay the run ends at --steps: the learning rate falls linearly to 0, the weights themselves are shipped, and nothing
is written before. --minutes chooses the number of steps. OUT/run.json has that number; --steps with it repeats the run.
"""

import argparse
import itertools
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
from cross.examples import KINDS, Groups
from layouts import LAYOUTS
from read_model import read_tensors

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
SQUARED, BINARY = 0.05, 0.1  # weights in the loss
WORDS = "embeddings.word_embeddings.weight"
HEADS = ("classifier.",)
FUSED = "sdpa"  # PyTorch's own attention
REPORT = 50  # steps between two lines; a GPU is waited for only then
MEASURED, FIXED = 100, 200  # steps between which --minutes measures; from FIXED on the rate falls
BEGAN = time.time()
torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape


def load(folder, vocabulary, device="cpu"):
    """The encoder with a classifier, ready for training; words and tokenizer are those of the folder `vocabulary`."""
    implementation = attention.NAME if device == "cpu" else FUSED
    options = {"num_labels": 1, "attn_implementation": implementation}
    options |= {"attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}
    vocab_size = AutoConfig.from_pretrained(vocabulary).vocab_size
    config = AutoConfig.from_pretrained(folder, vocab_size=vocab_size, **options)
    # What is trained has neither a bi-encoder beside it nor int8.
    for name in [n for n in vars(config) if n.startswith(("quantization_", "similarity_"))]:
        delattr(config, name)
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
    return model.train().to(device)


def logits(model, ids):
    """Scores of pairs, whose ids [pairs, tokens] are padded."""
    layout = LAYOUTS[model.config.model_type]
    ids, mask, ends = ids.long(), ids != layout.padding, (ids == layout.last).long()
    types = (mask & (ends.cumsum(1) > ends)).long() * layout.typed
    # PyTorch's own attention takes it as it is; of a 2-D mask transformers asks whether anything is padded, and waits for the GPU.
    fused = model.config._attn_implementation == FUSED
    mask = mask[:, None, None] if fused else mask.long()
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
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


def figures_of(scores, teacher):
    """How often the scores and the teacher have the same first candidate, and the own passage's mean reciprocal rank."""
    agreement = (scores.argmax(-1) == teacher.argmax(-1)).float().mean()
    ranks = 1 + (scores[:, 1:] > scores[:, :1]).sum(-1)
    return {"agreement": round(float(agreement), 4), "mrr": round(float((1 / ranks).mean()), 4)}


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
    state = {n: weights.get(n, tensor).half().cpu() for n, tensor in model.state_dict().items()}
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
        weights = torch.tensor(self.weights(), dtype=torch.float32)
        self.head_weights = (weights / weights.sum()).to(args.device)
        self.dev = []  # figures by step
        path = args.out / "state.pt"
        if path.exists():
            state = torch.load(path, map_location=args.device)
            self.step, self.average = state["step"], state["average"]
            self.model.load_state_dict(state["model"], strict=False)
            self.optimizer.load_state_dict(state["optimizer"])

    def rate(self, name):
        """The learning rate of a parameter, relative to that of the layers."""
        return self.args.head_rate if "classifier" in name or "pooler" in name else 1

    def layers(self):
        """What is compiled."""
        return self.model.base_model.encoder.layer

    def weights(self):
        """Weight of each head in the loss."""
        return [1]

    def scores(self, batch):
        """Scores [heads, queries, candidates]."""
        scores = logits(self.model, batch.ids).view(batch.scores.shape)
        return (scores + batch.similarities if self.args.residual else scores)[None]

    def named(self, scores, batch):
        """{name: scores [queries, candidates]} of what the held-out groups measure."""
        if self.args.residual:
            return {"sum": scores[0]}
        return {"logit": scores[0], "sum": scores[0] + batch.similarities}

    def losses(self, batch):
        """Loss of each query and its candidates' scores at the last head."""
        scores = self.scores(batch)
        # With --residual the sum's zero means nothing.
        labelled = batch.labelled * (not getattr(self.args, "residual", False))
        return self.head_weights @ loss_of(scores, batch.scores, labelled), scores[-1]

    def export(self, folder):
        """Write the model."""
        export(self.model, self.shipped(), self.args.vocabulary or self.args.start, folder)

    def shipped(self):
        """The weights to ship: the average, or at the end of a falling rate the last ones."""
        return {} if self.args.decay and self.step >= self.args.steps else self.average

    def save(self):
        """Write state.pt, the model folder and run.json."""
        state = {
            "step": self.step,
            "model": {name: p.detach() for name, p in self.trained.items()},
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }
        atomically(self.args.out / "state.pt", lambda path: torch.save(state, path))
        atomically(self.args.out / "model", self.export)
        told = {"steps": self.step, "seconds": round(time.time() - BEGAN), "dev": self.dev}
        told["arguments"] = {name: str(value) for name, value in vars(self.args).items()}
        (self.args.out / "run.json").write_text(json.dumps(told, indent=1) + "\n")

    def compile(self, batch):
        """Compile the layers; where that fails, go on without."""
        for layer in self.layers():
            layer.compile(dynamic=True)
        began = time.time()
        try:
            self.losses(batch)[0].mean().backward()
            print(f"compiled in {time.time() - began:.0f} s", flush=True)
        except Exception as error:  # whatever a compiler may raise
            torch.compiler.set_stance("force_eager")
            print(f"not compiled: {type(error).__name__}: {error}", flush=True)
        self.optimizer.zero_grad()

    def measure(self, groups):
        """Print and keep the figures of the held-out groups, if there are any."""
        if not self.args.dev:
            return
        told = {"step": self.step}
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            for part in groups.dev:
                parts, teacher = defaultdict(list), []
                for batch in groups.dev_batches(part):
                    batch = batch.to(self.args.device)
                    for name, scores in self.named(self.scores(batch), batch).items():
                        parts[name].append(scores)
                    teacher.append(batch.scores)
                for name, scores in parts.items():
                    told[f"{part}, {name}"] = figures_of(torch.cat(scores), torch.cat(teacher))
        self.dev.append(told)
        print("held out", json.dumps(told), flush=True)

    def pace(self):
        """Factor of the learning rate at this step."""
        warm = min(1, (self.step + 1) / self.args.warmup)
        if not self.args.decay:
            return warm
        return warm * min(1, (self.args.steps - self.step) / max(1, self.args.steps - FIXED))

    def learn(self, batch):
        """One step; the losses and whether the own passage is first, by query."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.learning_rate * group["scale"] * self.pace()
        losses, scores = self.losses(batch)
        self.optimizer.zero_grad()
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(self.args.average, self.step / (self.step + 9))
        with torch.no_grad():
            for name, parameter in self.trained.items():
                self.average[name].lerp_(parameter, 1 - decay)
        return losses.detach(), scores.argmax(-1) == batch.scores.argmax(-1)


def parser_of(description, start, learning_rate, lengths):
    """Parser of the command line, with these defaults; start: what --start is."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=Path, required=True, help="folder of make_groups.py")
    parser.add_argument("--start", type=Path, required=True, help=start)
    parser.add_argument("--out", type=Path, required=True, help="folder of the state and the model")
    parser.add_argument("--steps", type=int, default=10**9, help="where to stop (never)")
    parser.add_argument("--decay", action="store_true", help="to a learning rate of 0 at --steps")
    parser.add_argument(
        "--minutes", type=float, help="with --decay, of the process: at most so many, by its speed"
    )
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help="of the layers")
    parser.add_argument(
        "--cosine-scale", type=float, default=20, help="of the teacher's cosine (20)"
    )
    parser.add_argument(
        "--bonus-scale", type=float, help="of the own passage's bonus (1; 0.5 beside scores)"
    )
    parser.add_argument(
        "--dev", type=int, default=0, help="hold out groups and measure so many of either part (0)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
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


def report(kept):
    """Mean loss and agreement by kind of (kinds, losses, agreements) by query."""
    losses, agrees = defaultdict(list), defaultdict(list)
    for kinds, *numbers in kept:
        for kind, loss, agree in zip(kinds, *(n.tolist() for n in numbers), strict=True):
            losses[kind].append(loss)
            agrees[kind].append(agree)
    return {
        k: f"{sum(losses[k]) / len(losses[k]):.3f} {sum(agrees[k]) / len(agrees[k]):.2f}"
        for k in KINDS
        if losses[k]
    }


def train(run, groups):
    """Train until stopped."""
    args = run.args
    if args.minutes and (run.step or not args.decay):
        raise SystemExit(
            "--minutes is for the start of a run with --decay; then --steps of run.json"
        )
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "pid").write_text(str(os.getpid()))
    stopped = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _frame: stopped.append(number))
    sizes = {kind: len(rows) for kind, rows in groups.rows.items()}
    print(f"from step {run.step}, {sizes}, process {os.getpid()}", flush=True)
    batches = groups.batches(run.step)
    first = next(batches)
    if args.compile:
        run.compile(first.to(args.device))
    run.measure(groups)
    began, start, saved, kept, times = time.time(), run.step, time.time(), [], {}
    for batch in itertools.chain([first], batches):
        if stopped or run.step >= args.steps:
            break
        kept.append((batch.kinds, *run.learn(batch.to(args.device))))
        if run.step % REPORT == 0:
            means = report(kept)
            kept.clear()
            times[run.step] = time.time()
            speed = (run.step - start) * 60 / (times[run.step] - began)
            print(f"step {run.step}: loss, agreement {means}, {speed:.1f} steps/min", flush=True)
        if args.minutes and run.step == FIXED:
            seconds = (times[FIXED] - times[MEASURED]) / (FIXED - MEASURED)
            left = BEGAN + args.minutes * 60 - times[FIXED]
            args.steps = min(args.steps, max(FIXED, FIXED + int(left / seconds)))
            print(f"{args.steps} steps", flush=True)
        if run.step == args.steps // 2:
            run.measure(groups)
        if not args.decay and time.time() - saved > args.save_every * 60:
            run.save()
            saved = time.time()
    run.measure(groups)
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
    model = load(args.start, vocabulary, args.device)
    tokenizer = Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    layout = LAYOUTS[model.config.model_type]
    train(Run(args, model), Groups(args.groups, tokenizer, args, layout))


if __name__ == "__main__":
    main()
