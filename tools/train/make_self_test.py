#!/usr/bin/env python3
"""Write the self-test of a model folder: a pair, and the score that PyTorch gives it in float32.

    make_self_test.py --model ../../weights/xlm-roberta-6x384

dawnrank scores the pair when it is asked for a self-test, and compares.
"""

import argparse
import json
from pathlib import Path

from evaluate import Reranker

QUERY = "what is panda?"
PASSAGE = (
    "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, is a bear species "
    "endemic to China. 大熊猫是中国特有的熊科动物，主要生活在四川的山区，以竹子为食。"
)
TOLERANCE = 1e-3  # relative to max(1, |score|): adapters sum in different orders


def main():
    """Write self-test.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    args = parser.parse_args()
    (score,) = Reranker(args.model, max_length=512).scores(QUERY, [PASSAGE])
    test = {"query": QUERY, "passage": PASSAGE, "score": score, "tolerance": TOLERANCE}
    path = args.model / "self-test.json"
    path.write_text(json.dumps(test, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {score}")


if __name__ == "__main__":
    main()
