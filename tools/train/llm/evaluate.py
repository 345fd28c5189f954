"""nDCG@10, MRR@10 and hit@10 of a decoder reranker over first-stage runs, at every head layer.

    python -m llm.evaluate --model FOLDER --top 20 SET...

The sets and measures are those of the evaluate.py one folder up. PyTorch, float32 on the CPU, inputs as
FlagEmbedding's classes build them. One JSON line a set and layer.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from evaluate import measure, read_set
from llm.decoder import load_with_layout

BATCH = 16


class Reranker:
    """Scores pairs as FlagEmbedding's decoder classes do, at all head layers."""

    def __init__(self, folder, max_length):
        """Load the folder in float32."""
        self.model, self.layout = load_with_layout(folder)
        self.model.eval()
        self.max_length = max_length

    def scores(self, pairs):
        """[heads, pairs] of (query, passage) texts, in batches of similar length."""
        queries = self.layout.queries([query for query, _ in pairs])
        passages = self.layout.passages([passage for _, passage in pairs])
        sequences = [
            self.layout.pair(q, p, self.max_length) for q, p in zip(queries, passages, strict=True)
        ]
        order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
        out = torch.zeros(len(self.model.head_layers), len(sequences))
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                part = order[start : start + BATCH]
                out[:, part] = self.model([sequences[i] for i in part])
        return out


def main():
    """Evaluate the model on every set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="BEIR-format folder")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--top", type=int, default=20, help="documents reranked a query (20)")
    parser.add_argument("--first", type=int, help="only so many queries of a set")
    parser.add_argument("--max-length", type=int, default=512, help="as in FlagEmbedding (512)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    reranker = Reranker(args.model, args.max_length)
    layers = reranker.model.head_layers
    for folder in args.sets:
        began = time.time()
        corpus, queries, qrels, first = read_set(folder)
        chosen = [query for query in queries if query in qrels][: args.first]
        qrels, first = ({q: x[q] for q in chosen if q in x} for x in (qrels, first))
        best = [
            (query, document)
            for query, documents in first.items()
            for document in sorted(documents, key=lambda d: -documents[d])[: args.top]
        ]
        scores = reranker.scores([(queries[q], corpus[d]) for q, d in best])
        runs = {layer: {query: {} for query in first} for layer in layers}
        for layer, row in zip(layers, scores.tolist(), strict=True):
            for (query, document), score in zip(best, row, strict=True):
                runs[layer][query][document] = score
        name = "/".join(folder.parts[-2:]) if len(folder.name) == 2 else folder.name
        print(json.dumps({"set": name, "top": args.top, "bm25": measure(qrels, first)}), flush=True)
        for layer in layers:
            line = {"set": name, "layer": layer, **measure(qrels, runs[layer])}
            print(json.dumps({**line, "seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
