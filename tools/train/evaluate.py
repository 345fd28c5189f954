#!/usr/bin/env python3
"""nDCG@10, MRR@10 and hit@10 of a reranker over the first-stage run of BEIR-format folders.

    evaluate.py --model FOLDER --top 20 SET...

A SET has corpus.jsonl, queries.jsonl, qrels/test.tsv and bm25.trec (plain or .gz). PyTorch, float32 on the
CPU: the figures that `dawnrank eval` on the same weights must give to three decimals. One JSON line a set.
"""

import argparse
import csv
import gzip
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytrec_eval
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification

from layouts import LAYOUTS
from read_model import read_config, read_tensors

BATCH = 32
BI_ENCODER = "bi_encoder."
WORDS = "embeddings.word_embeddings.weight"


def read_lines(folder, name):
    """The lines of FOLDER/NAME or FOLDER/NAME.gz."""
    for path, opener in ((folder / name, open), (folder / f"{name}.gz", gzip.open)):
        if path.exists():
            with opener(path, "rt", encoding="utf-8") as file:
                return file.read().splitlines()
    sys.exit(f"{folder}: has neither {name} nor {name}.gz")


def read_set(folder):
    """corpus {id: text}, queries {id: text}, qrels {query: {document: grade}}, run {query: {document: score}}."""
    documents = map(json.loads, read_lines(folder, "corpus.jsonl"))
    corpus = {d["_id"]: (d.get("title", "") + " " + d["text"]).strip() for d in documents}
    queries = {q["_id"]: q["text"] for q in map(json.loads, read_lines(folder, "queries.jsonl"))}
    qrels, run = {}, {}
    for query, document, grade in csv.reader(
        read_lines(folder, "qrels/test.tsv")[1:], delimiter="\t"
    ):
        qrels.setdefault(query, {})[document] = int(grade)
    for line in read_lines(folder, "bm25.trec"):
        query, _, document, _, score, *_ = line.split()
        run.setdefault(query, {})[document] = float(score)
    return corpus, queries, qrels, run


def load(model, tensors):
    """Fill a model with tensors; it must have no other."""
    # The config may name 16 bits.
    missing, _ = model.float().load_state_dict(tensors, strict=False)
    if missing:
        sys.exit(f"the folder lacks {missing}")
    model.eval()


class Reranker:
    """Scores pairs as FlagEmbedding's FlagReranker does."""

    def __init__(self, folder, max_length):
        """Load the model folder in float32."""
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        config, tensors = AutoConfig.from_pretrained(folder), read_tensors(folder)
        self.model = AutoModelForSequenceClassification.from_config(config)
        load(self.model, tensors)
        self.layout = LAYOUTS[config.model_type]
        self.vectors = {}  # by token ids: a passage is a candidate of many queries
        self.max_length = max_length
        settings = read_config(folder)
        self.scale = settings.get("similarity_scale")
        if self.scale is not None:
            self.prefixes = settings.get("similarity_prefixes") or {}
            self.longest = config.max_position_embeddings - self.layout.position
            own = {k[len(BI_ENCODER) :]: v for k, v in tensors.items() if k.startswith(BI_ENCODER)}
            layers = settings.get("similarity_layers") or config.num_hidden_layers
            config = AutoConfig.from_pretrained(folder, num_hidden_layers=layers)
            self.bi_encoder = self.layout.encoder(config, add_pooling_layer=False)
            words = tensors[f"{self.model.base_model_prefix}.{WORDS}"]
            load(self.bi_encoder, {**own, WORDS: words})

    def scores(self, query, passages):
        """One logit a passage. The query is cut to 3/4 of max_length, then the passage to what is left."""
        query_ids = self.tokenizer.encode(query, add_special_tokens=False).ids
        query_ids = query_ids[: self.max_length * 3 // 4]
        head = [self.layout.first, *query_ids, *self.layout.separator]
        room = max(0, self.max_length - len(head) - 1)
        encodings = self.tokenizer.encode_batch(passages, add_special_tokens=False)
        passage_ids = [e.ids[:room] for e in encodings]
        logits = self.logits([[*head, *ids, self.layout.last] for ids in passage_ids], len(head))
        if self.scale is None:
            return logits
        cosines = self.similarities(query_ids, passage_ids)
        return [x + self.scale * y for x, y in zip(logits, cosines, strict=True)]

    def logits(self, pairs, head):
        """The cross-encoder's, in batches of similar length, longest first. head: tokens before the passage."""
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i]))
        out = [0.0] * len(pairs)
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                part = order[start : start + BATCH]
                ids = torch.full((len(part), len(pairs[part[0]])), self.layout.padding)
                mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
                for row, i in enumerate(part):
                    ids[row, : len(pairs[i])] = torch.tensor(pairs[i])
                    mask[row, : len(pairs[i])] = 1
                    types[row, head : len(pairs[i])] = int(self.layout.typed)
                inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
                logits = self.model(**inputs).logits.view(-1).tolist()
                for i, logit in zip(part, logits, strict=True):
                    out[i] = logit
        return out

    def similarities(self, query, passages):
        """Cosines of the bi-encoder's vectors of query and passages, given as token ids."""
        with torch.inference_mode():
            vectors = torch.stack([self.vector(ids, "passage") for ids in passages])
            return (vectors @ self.vector(query, "query")).tolist()

    def vector(self, ids, kind):
        """The mean of the states, of length 1. What does not fit beside the prefix is cut at its end."""
        first = [self.layout.first, *self.prefixes.get(kind, [])]
        ids = (*first, *ids[: self.longest - len(first) - 1], self.layout.last)
        if ids not in self.vectors:
            states = self.bi_encoder(input_ids=torch.tensor([ids])).last_hidden_state
            self.vectors[ids] = torch.nn.functional.normalize(states.mean(1)[0], dim=0)
        return self.vectors[ids]


def rerank(reranker, corpus, queries, first, top):
    """The run of the reranker over the first `top` documents of every query."""
    run = {}
    for query, documents in first.items():
        ids = sorted(documents, key=lambda d: -documents[d])[:top]
        scores = reranker.scores(queries[query], [corpus[d] for d in ids])
        run[query] = dict(zip(ids, scores, strict=True))
    return run


def measure(qrels, run):
    """Means over the judged queries; a query that the run lacks counts 0."""
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recip_rank", "success.10"})
    result = evaluator.evaluate(run)

    def mean(values):
        return round(sum(values) / len(qrels), 4)

    # the first relevant document is at rank 1 / recip_rank
    return {
        "ndcg@10": mean(v["ndcg_cut_10"] for v in result.values()),
        "mrr@10": mean(v["recip_rank"] for v in result.values() if v["success_10"]),
        "hit@10": mean(v["success_10"] for v in result.values()),
    }


def write_run(path, run, tag):
    """A run in TREC format, best first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for query, documents in run.items():
            ranked = sorted(documents.items(), key=lambda item: -item[1])
            for rank, (document, score) in enumerate(ranked, 1):
                file.write(f"{query} Q0 {document} {rank} {score:.6f} {tag}\n")


def main():
    """Evaluate the model on every set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="BEIR-format folder")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--top", type=int, default=100, help="documents reranked a query (100)")
    parser.add_argument("--max-length", type=int, default=512, help="tokens a pair (512)")
    parser.add_argument("--run-out", type=Path, help="folder for the runs, SET.trec each")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    reranker = Reranker(args.model, args.max_length)
    for folder in args.sets:
        began = time.time()
        corpus, queries, qrels, first = read_set(folder)
        run = rerank(reranker, corpus, queries, first, args.top)
        report = {
            "set": folder.name,
            "top": args.top,
            "max_length": args.max_length,
            "bm25": measure(qrels, first),
            "rerank": measure(qrels, run),
            "seconds": round(time.time() - began),
        }
        print(json.dumps(report), flush=True)
        if args.run_out:
            write_run(args.run_out / f"{folder.name}.trec", run, args.model.resolve().name)


if __name__ == "__main__":
    main()
