"""The layer that makes positions: a decoder has none to add, an encoder cannot do without.

Its heads look at the first token and at the newline, so that their weights c / (c + t) are smooth functions of the
position t; the output matrix is fitted to the encoder's table.
"""

import math

import torch

FIRST_TOKEN_HEADS = (1.5, 4, 10, 25, 60, 150, 400, 1500)  # c of c / (c + t)
NEWLINE_HEADS = (3, 15, 60, 300)
FIRST_POSITION = 2  # row of the encoder's table for its first token
MARK = 3.0  # value of the dimensions that mark the first token and the newline


def position_features(starts, length):
    """Weights of the heads of the position layer: [heads, tokens] for a text whose newlines are at `starts`."""
    t = torch.arange(length).float()
    newlines = sum((t >= start).float() for start in starts)
    first = [c / (c + t) for c in FIRST_TOKEN_HEADS]
    return torch.stack(
        first + [c * newlines / (c * newlines + t + 1 - newlines) for c in NEWLINE_HEADS]
    )


def fit_positions(table, layout):
    """Vectors [heads, hidden] whose weighted sum is about the teacher's position vector of each token."""
    features, targets, importance = [], [], []
    tail = len(layout.separator) + len(layout.prompt)
    for query in range(5, 30, 3):
        for passage in range(30, 200, 15):
            newline = 3 + query + len(layout.separator) - 1
            end = newline + 3 + passage
            length = end + tail
            t = torch.arange(length)
            place = torch.where(t <= newline, t - 2, t - 4).clamp(min=1, max=250)
            target = table[FIRST_POSITION + place]
            weight = torch.ones(length)
            target[0], weight[0] = 0, 100  # has its position in its row
            target[end:], weight[end:] = table[FIRST_POSITION + 1 : 202].mean(0), 0.2
            target[-1], weight[-1] = 0, 30  # the same
            features.append(position_features([newline, end + len(layout.separator) - 1], length).T)
            targets.append(target)
            importance.append(weight)
    features, targets = torch.cat(features).double(), torch.cat(targets).double()
    weight = torch.cat(importance).double()[:, None]
    gram = features.T @ (weight * features) / len(features)
    gram += 1e-6 * torch.eye(len(gram)).double()
    vectors = torch.linalg.solve(gram, features.T @ (weight * targets) / len(features))
    ordinary = (weight == 1)[:, 0]
    left = (features @ vectors - targets)[ordinary].pow(2).mean()
    spread = (targets[ordinary] - targets[ordinary].mean(0)).pow(2).mean()
    print(
        f"positions: {left / spread:.3f} of their variance is lost, largest weight {vectors.abs().max():.1f}"
    )
    return vectors.float()


def set_position_layer(layer, vectors, marks):
    """The layer that adds the positions. marks: dimensions of the constant, first token and newline."""
    constant, first, newline = marks
    attention, size = layer.self_attn, layer.self_attn.size
    for parameter in layer.parameters():
        if parameter.ndim == 2:
            parameter.zero_()
    slow = size // 2 - 1
    heads = [(first, c) for c in FIRST_TOKEN_HEADS] + [(newline, c) for c in NEWLINE_HEADS]
    for head, (mark, c) in enumerate(heads):
        row = head * size + slow
        attention.q_proj.weight[row, constant] = 1
        attention.k_proj.weight[row, mark] = math.log(c) * math.sqrt(size) / MARK
        attention.v_proj.weight[row, mark] = 1 / MARK
        attention.o_proj.weight[:, row] = vectors[head] / layer.scale
    # small random neurons that do nothing yet
    for linear in (layer.mlp.gate_proj, layer.mlp.up_proj):
        linear.weight.normal_(0, 0.02)
