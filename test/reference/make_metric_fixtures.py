#!/usr/bin/env python3
"""Write the expected values of retrieval metrics for made-up runs (metric_runs.py).

    make_metric_fixtures.py --out FOLDER                # one JSON file a run
    make_metric_fixtures.py --out FOLDER --beir SETS    # also the BM25 runs of BEIR-format folders

A file has
    name, description
    qrels      {query: {document: grade}}         grades are integers, may be 0 or negative
    run        {query: [[document, score], ...]}  in the order the system gave them, not sorted
    expected.trec_eval
        per_query       {query: {measure: value}}  for the queries that are in both qrels and run
        mean            mean over those queries                                       (pytrec_eval, BEIR)
        mean_complete   mean over every query in qrels, a missing one counting 0      (trec_eval -c)
    expected.beir           MRR@k as BEIR's and FlagEmbedding's code computes it, see below
    expected.llama_index    hit_rate and mrr as llama-index's evaluators compute them, see below
    expected.ndcg_exp_10    nDCG@10 with the gain 2^grade - 1 instead of the grade

Definitions that are easy to get wrong
  * trec_eval ignores the rank: it sorts by score, descending, and breaks ties by document id, DESCENDING (bytes
    of the UTF-8 id). Scores are compared as 32-bit floats, so scores that differ less than that are ties.
  * A document is relevant when its grade is >= 1. A grade < 0 and a document without judgement give no gain.
  * nDCG uses the grade itself as gain (not 2^grade - 1) and log2(rank + 1); the ideal list has all judged
    documents.
  * map_cut_k, recall_k: the divisor is the number of all relevant documents. P_k: the divisor is k, always.
  * A query without any relevant document gives 0 for every measure and counts in the mean.
  * recip_rank_cut_k is recip_rank if the first relevant document is in the top k, else 0. success_k is the hit
    rate.
  * BEIR's MRR@k sorts by score, descending, with a stable sort, so ties keep the order of the run; relevant means
    grade > 0; the divisor is the number of queries in the qrels; BEIR rounds to 5 digits (not rounded here).
  * llama-index's hit_rate and mrr look at the retrieved ids in the given order, without scores: hit_rate is 1 if
    any expected id is retrieved; mrr is 1 / rank of the first expected id, else 0. The granular variants: hit_rate
    = retrieved expected ids / expected ids; mrr = mean of 1 / rank over the expected ids THAT WERE RETRIEVED (0 if
    none). Here the ids given are the run's first 10 in trec_eval's order, and the expected ids are the documents
    with grade >= 1; queries without one are left out, as llama-index refuses them.
"""

import argparse
import gzip
import json
import math
from pathlib import Path

import ir_measures
import numpy as np
import pytrec_eval
import ranx
from ir_measures import AP, RR, P, R, Success, nDCG
from llama_index.core.evaluation.retrieval.metrics import MRR, HitRate

from metric_runs import metric_runs

CUTS = [1, 3, 5, 10, 20, 100]
CUT_MEASURES = ("ndcg_cut", "map_cut", "recall", "P", "success")
MEASURES = {"ndcg", "map", "recip_rank", "num_rel", "num_rel_ret"}
MEASURES |= {f"{measure}.{cut}" for measure in CUT_MEASURES for cut in CUTS}
BEIR_CUTS = (1, 3, 5, 10, 100)
TOP = 10
SUMMARY = [
    "ndcg_cut_10",
    "recip_rank_cut_10",
    "recip_rank_cut_100",
    "success_1",
    "success_10",
    "map_cut_100",
    "recall_10",
    "recall_100",
    "P_10",
]
IR_MEASURES_NAMES = {
    nDCG @ 10: "ndcg_cut_10",
    AP @ 100: "map_cut_100",
    RR: "recip_rank",
    R @ 100: "recall_100",
    P @ 10: "P_10",
    Success @ 10: "success_10",
}
RANX_NAMES = {
    "ndcg@10": "ndcg_cut_10",
    "map@100": "map_cut_100",
    "mrr@10": "recip_rank_cut_10",
    "recall@100": "recall_100",
    "precision@10": "P_10",
    "hit_rate@10": "success_10",
}


def trec_order(rows):
    """Documents in trec_eval's order."""
    key = [(np.float32(score), document.encode()) for document, score in rows]
    order = sorted(range(len(rows)), key=lambda i: key[i], reverse=True)
    return [rows[i][0] for i in order]


def trec_eval(qrels, run):
    """Every measure per query and its two means."""
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, MEASURES)
    result = evaluator.evaluate({q: {d: float(s) for d, s in rows} for q, rows in run.items()})
    per_query = {}
    for query, found in result.items():
        values = {name: float(value) for name, value in found.items()}
        for cut in CUTS:
            in_top = values["recip_rank"] * cut >= 1 - 1e-9
            values[f"recip_rank_cut_{cut}"] = values["recip_rank"] if in_top else 0.0
        per_query[query] = dict(sorted(values.items()))
    names = sorted(next(iter(per_query.values()))) if per_query else []
    sums = {name: sum(values[name] for values in per_query.values()) for name in names}
    return {
        "per_query": per_query,
        "mean": {name: total / len(per_query) for name, total in sums.items()},
        "mean_complete": {name: total / len(qrels) for name, total in sums.items()},
    }


def first_relevant(ranked, relevant):
    """1 / rank of the first relevant document, else 0."""
    for rank, document in enumerate(ranked, 1):
        if document in relevant:
            return 1.0 / rank
    return 0.0


def beir_mrr(qrels, run):
    """MRR@k by BEIR's definition."""
    out = {}
    for cut in BEIR_CUTS:
        total = 0.0
        for query, grades in qrels.items():
            relevant = {document for document, grade in grades.items() if grade > 0}
            ranked = sorted(run.get(query, []), key=lambda row: float(row[1]), reverse=True)
            total += first_relevant([document for document, _ in ranked[:cut]], relevant)
        out[f"MRR@{cut}"] = total / len(qrels)
    return out


def llama_index_metrics():
    """Their two metrics and the granular variants."""
    metrics = {
        "hit_rate": HitRate(),
        "mrr": MRR(),
        "hit_rate_granular": HitRate(),
        "mrr_granular": MRR(),
    }
    metrics["hit_rate_granular"].use_granular_hit_rate = True
    metrics["mrr_granular"].use_granular_mrr = True
    return metrics


def llama_index(qrels, run):
    """llama-index's metrics over the first TOP documents."""
    metrics = llama_index_metrics()
    per_query = {}
    for query, grades in qrels.items():
        expected = [document for document, grade in grades.items() if grade >= 1]
        retrieved = trec_order(run.get(query, []))[:TOP]
        if expected and retrieved:
            per_query[query] = {
                name: float(metric.compute(expected_ids=expected, retrieved_ids=retrieved).score)
                for name, metric in metrics.items()
            }
    mean = {}
    if per_query:
        for name in metrics:
            mean[name] = sum(values[name] for values in per_query.values()) / len(per_query)
    return {"top_k": TOP, "per_query": per_query, "mean": mean}


def dcg(gains):
    """Discounted cumulative gain of a ranked list of gains."""
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def ndcg_exp(qrels, run):
    """NDCG@TOP with exponential gains, per query."""

    def gain(grade):
        return 2.0**grade - 1 if grade > 0 else 0.0

    out = {}
    for query, rows in run.items():
        if query not in qrels:
            continue
        grades = qrels[query]
        ranked = [gain(grades.get(document, 0)) for document in trec_order(rows)[:TOP]]
        ideal = dcg(sorted(map(gain, grades.values()), reverse=True)[:TOP])
        out[query] = dcg(ranked) / ideal if ideal > 0 else 0.0
    return out


def ir_measures_difference(qrels, run, per_query):
    """The largest difference to the package ir_measures."""
    judged = [ir_measures.Qrel(q, d, g) for q, grades in qrels.items() for d, g in grades.items()]
    scored = [ir_measures.ScoredDoc(q, d, s) for q, rows in run.items() for d, s in rows]
    differences = [
        abs(metric.value - per_query[metric.query_id][IR_MEASURES_NAMES[metric.measure]])
        for metric in ir_measures.iter_calc(list(IR_MEASURES_NAMES), judged, scored)
        if metric.query_id in per_query
    ]
    return max(differences, default=0.0)


def ranx_agrees_on(qrels, run):
    """Whether ranx means the same here: it has no rule for ties and takes negative grades as gains."""
    has_ties = any(len({np.float32(s) for _, s in rows}) != len(rows) for rows in run.values())
    has_negative = any(grade < 0 for grades in qrels.values() for grade in grades.values())
    return not has_ties and not has_negative and any(run.values())


def ranx_difference(qrels, run, per_query):
    """The largest difference to the package ranx."""
    queries = [q for q in qrels if run.get(q) and any(g > 0 for g in qrels[q].values())]
    judged = ranx.Qrels({q: {d: g for d, g in qrels[q].items() if g > 0} for q in queries})
    scored = ranx.Run({q: {d: float(s) for d, s in run[q]} for q in queries})
    ranx.evaluate(judged, scored, list(RANX_NAMES))
    return max(
        abs(float(scored.scores[name][query]) - per_query[query][trec_name])
        for name, trec_name in RANX_NAMES.items()
        for query in queries
    )


def fixture(name, description, qrels, run):
    """One fixture with its expected values, checked against two other packages."""
    expected = trec_eval(qrels, run)
    check = {
        "ir_measures_max_difference": ir_measures_difference(qrels, run, expected["per_query"])
    }
    if ranx_agrees_on(qrels, run):
        check["ranx_max_difference"] = ranx_difference(qrels, run, expected["per_query"])
    return {
        "name": name,
        "description": description,
        "qrels": qrels,
        "run": run,
        "expected": {
            "trec_eval": expected,
            "beir": beir_mrr(qrels, run),
            "llama_index": llama_index(qrels, run),
            "ndcg_exp_10": ndcg_exp(qrels, run),
        },
        "cross_check": check,
    }


def read_lines(path):
    """The lines of a file or of its .gz."""
    if path.exists():
        return path.read_text(encoding="utf-8").splitlines()
    with gzip.open(f"{path}.gz", "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def read_bm25(folder):
    """Judgements and BM25 run of a BEIR-format folder."""
    qrels, run = {}, {}
    for line in read_lines(folder / "qrels" / "test.tsv")[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    for line in read_lines(folder / "bm25.trec"):
        query, _, document, _, score, _ = line.split(" ")
        run.setdefault(query, []).append([document, float(score)])
    return qrels, run


def baselines(root):
    """Means of the BM25 runs below a folder, by set."""
    rows = {}
    for path in sorted(root.rglob("bm25.trec*")):
        qrels, run = read_bm25(path.parent)
        expected = trec_eval(qrels, run)
        means = llama_index(qrels, run)["mean"]
        rows[str(path.parent.relative_to(root))] = {
            "queries": len(qrels),
            **{name: round(expected["mean_complete"][name], 6) for name in SUMMARY},
            "beir": {name: round(value, 6) for name, value in beir_mrr(qrels, run).items()},
            "llama_index_top10": {name: round(value, 6) for name, value in means.items()},
        }
    return rows


def main():
    """Write the fixtures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beir", type=Path, help="folder of BEIR-format folders with BM25 runs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, description, qrels, run in metric_runs(args.seed):
        made = fixture(name, description, qrels, run)
        text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        (args.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        ndcg = made["expected"]["trec_eval"]["mean"]["ndcg_cut_10"]
        print(f"{name:20s} nDCG@10 {ndcg:.4f}  {made['cross_check']}")
    if args.beir:
        rows = baselines(args.beir)
        (args.out / "bm25-baselines.json").write_text(json.dumps(rows, indent=1) + "\n")
        for name, row in rows.items():
            print(f"{name:22s} " + " ".join(f"{m} {row[m]:.4f}" for m in SUMMARY))


if __name__ == "__main__":
    main()
