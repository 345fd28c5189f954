"""How much of the last layer's score each layer's hidden state holds: a linear probe, fitted to half of the pairs, checked on the other half.

    dawnrank layers --file pairs.jsonl --no-times --json report.json --hidden-states states.safetensors --layers 0,2,4,6,8
    python examples/layers/probe.py states.safetensors report.json        # needs numpy and safetensors
"""

import json
import sys

import numpy as np
from safetensors.numpy import load_file

states = load_file(sys.argv[1])
report = json.load(open(sys.argv[2]))
target = np.array([pair["scores"][-1] for pair in report["pairs"]])
learn = np.arange(len(target)) % 2 == 0


def fitted(x, y, ridge=1.0):
    """The weights of a ridge regression."""
    return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)


for name, x in states.items():
    x = (x - x[learn].mean(0)) / (x[learn].std(0) + 1e-6)
    x = np.hstack([x, np.ones((len(x), 1))])
    found = x[~learn] @ fitted(x[learn], target[learn])
    rest = np.square(found - target[~learn]).sum()
    print(f"{name}: R2 {1 - rest / np.square(target[~learn] - target[~learn].mean()).sum():.3f}")
