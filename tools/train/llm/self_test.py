"""Check a model folder against FlagEmbedding in float32, and write its self-test.

    python -m llm.self_test --model FOLDER [--quantized FOLDER]

Scores a few pairs with FlagEmbedding's class for the folder and with llm/decoder.py, at every head layer, and fails
where they differ. Needs FlagEmbedding 1.4.2 with transformers 4.46. FlagEmbedding does not read what `dawnrank quantize`
writes: --quantized names such a copy of the folder, whose self-test is then the score of llm/decoder.py.
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
QUANTIZED_TOLERANCE = 1e-3


def scores(folder):
    """Head layers, and scores [layers, pairs] of llm/decoder.py."""
    model, layout = load_with_layout(folder)
    out = torch.zeros(len(model.head_layers), len(PAIRS))
    with torch.inference_mode():
        for column, (query, passage) in enumerate(PAIRS):
            (q,), (p,) = layout.queries([query]), layout.passages([passage])
            out[:, column] = model([layout.pair(q, p, 512)])[:, 0]
    return model.head_layers, out


def main():
    """Compare, and write self-test.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument(
        "--quantized", type=Path, help="a quantized copy, to write the self-test of"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    layers, ours = scores(args.model)
    if len(layers) == 1:
        theirs = [FlagLLMReranker(str(args.model), devices="cpu").compute_score(PAIRS)]
    else:
        reranker = LayerWiseFlagLLMReranker(str(args.model), devices="cpu")
        theirs = reranker.compute_score(PAIRS, cutoff_layers=layers)
    theirs = torch.tensor(theirs).view(ours.shape)
    error = ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max()
    print(f"largest difference {error:.2e} over {ours.numel()} scores", flush=True)
    for layer, row in zip(layers, theirs.tolist(), strict=True):
        print(f"layer {layer}: {[round(x, 4) for x in row]}")
    if error > TOLERANCE:
        raise SystemExit(f"{args.model}: differs from FlagEmbedding by {error:.2e}")
    score, tolerance = float(theirs[-1, 0]), TOLERANCE
    if args.quantized:
        score, tolerance = float(scores(args.quantized)[1][-1, 0]), QUANTIZED_TOLERANCE
    test = {"query": QUERY, "passage": PASSAGE, "score": score, "tolerance": tolerance}
    path = (args.quantized or args.model) / "self-test.json"
    path.write_text(json.dumps(test, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {score}")


if __name__ == "__main__":
    main()
