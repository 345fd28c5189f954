"""Check a model folder against FlagEmbedding in float32, and write its self-test.

    python -m llm.self_test --model FOLDER

Scores a few pairs with FlagEmbedding's class for the folder and with llm/decoder.py, at every head layer, and fails
where they differ. Needs FlagEmbedding 1.4.2 with transformers 4.46.
"""

import argparse
import json
from pathlib import Path

import torch
from FlagEmbedding import FlagLLMReranker, LayerWiseFlagLLMReranker

from llm.decoder import load_with_layout

QUERY = "what is panda?"
PASSAGE = (
    "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, is a bear species "
    "endemic to China. 大熊猫是中国特有的熊科动物，主要生活在四川的山区，以竹子为食。"
)
PAIRS = [
    [QUERY, PASSAGE],
    [QUERY, "hi"],
    ["ประเทศไทยมีเมืองหลวงชื่ออะไร", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"],
    ["Who wrote the report?", "The report was written by a committee of nine.\n" * 60],
    ["", ""],
]
TOLERANCE = 1e-4


def main():
    """Compare, and write self-test.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, layout = load_with_layout(args.model)
    layers = model.head_layers
    if model.gemma:
        theirs = [FlagLLMReranker(str(args.model), devices="cpu").compute_score(PAIRS)]
    else:
        reranker = LayerWiseFlagLLMReranker(str(args.model), devices="cpu")
        theirs = reranker.compute_score(PAIRS, cutoff_layers=layers)
    theirs = torch.tensor(theirs)
    ours = torch.zeros(len(layers), len(PAIRS))
    with torch.inference_mode():
        for column, (query, passage) in enumerate(PAIRS):
            (q,), (p,) = layout.queries([query]), layout.passages([passage])
            ours[:, column] = model([layout.pair(q, p, 512)])[:, 0]
    error = ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max()
    print(f"largest difference {error:.2e} over {ours.numel()} scores", flush=True)
    for layer, row in zip(layers, theirs.tolist(), strict=True):
        print(f"layer {layer}: {[round(x, 4) for x in row]}")
    if error > TOLERANCE:
        raise SystemExit(f"{args.model}: differs from FlagEmbedding by {error:.2e}")
    score = float(theirs[-1, 0])
    test = {"query": QUERY, "passage": PASSAGE, "score": score, "tolerance": TOLERANCE}
    path = args.model / "self-test.json"
    path.write_text(json.dumps(test, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {score}")


if __name__ == "__main__":
    main()
