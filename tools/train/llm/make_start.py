"""The start point of the layerwise decoder, made from the weights of the XLM-R reranker.

    python -m llm.make_start --teacher FOLDER --tokenizer FOLDER --data TRAINING_SET --out FOLDER

The teacher is a post-norm encoder with biases, the decoder a pre-norm one without. What is carried over:

- Residual stream. With z the sum before a layer norm (weight g, bias b, deviation s), the teacher goes on from
  g * z / s + b. The decoder's stream is R = S * z / G, where G is the product of the g so far and S that of the mean
  s: R then only ever has terms added to it, and RMSNorm with weight g * G stands for the layer norm.
- Positions. The teacher adds a vector for each position and ranks no better than by chance without them; smoothed
  ones do. The first layer of the decoder makes them: its heads look at the first token and at the newline, so their
  weights c / (c + t) are smooth functions of the position t, and the output matrix is fitted to the teacher's table.
- Biases. One hidden dimension becomes a constant; its column of a matrix is the bias. Constants that the teacher's
  attention adds to its stream are put into the biases of the MLP, which makes up for them by a neuron that is always
  on. Two more dimensions mark the first token and the newline. The three are those that carry least.
- Attention. Each head's query-key form is taken apart by SVD, and its strong directions are put where the rotary
  embedding turns slowly.
- MLP. The neurons that carry most are kept, the output matrix is fitted anew to them by least squares;
  gelu(x) is about silu(1.702 x) / 1.702, the second factor of the gated MLP is the constant.
- Layers beyond the teacher's copy its last one, with zeroed output matrices.
- Embedding rows by piece string; a piece that the teacher lacks is the mean of the pieces that spell it. The last
  token of the prompt, where the score is read, starts as the teacher's <s>, the newline as its </s>.

Heads above the teacher's last layer start from its classifier, the others from zero.
"""

import argparse
import json
import math
import random
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from llm.decoder import Decoder, config_of, save
from llm.positions import FIRST_POSITION, MARK, fit_positions, set_position_layer
from llm.prompt import Layout
from training_data import balanced, english, read_passages, read_queries

GELU_TO_SILU = 1.702
ROPE_THETA = 1e6  # most directions turn slowly, as the teacher has no rotary embedding
ALWAYS_ON = 8.0  # silu of it is nearly itself
MAX_TOKENS = 224
BOS, EOS, UNK = 0, 2, 3


def layer_norm(x, weights, name):
    """Layer norm over the last axis; also the deviations."""
    x = x - x.mean(-1, keepdim=True)
    deviation = x.pow(2).mean(-1, keepdim=True).sqrt()
    return x / deviation * weights[name + ".weight"] + weights[name + ".bias"], deviation


def teacher_states(weights, config, sequences):
    """What the teacher computes on token lists: for every layer the sums before its two norms and the neurons.

    Returns lists by layer, over all tokens: inputs of attention, sums before norm 1, inputs of the MLP, neurons,
    sums before norm 2.
    """
    heads = config["num_attention_heads"]
    out = [
        {"x": [], "z1": [], "y": [], "neurons": [], "z2": []}
        for _ in range(config["num_hidden_layers"])
    ]
    e = "roberta.embeddings."
    for sequence in sequences:
        ids = torch.tensor(sequence)
        x = (
            weights[e + "word_embeddings.weight"][ids]
            + weights[e + "token_type_embeddings.weight"][0]
        )
        x = x + weights[e + "position_embeddings.weight"][2 : 2 + len(ids)]
        x, _ = layer_norm(x, weights, e + "LayerNorm")
        for number, states in enumerate(out):
            p = f"roberta.encoder.layer.{number}."

            def apply(name, value, p=p):
                return value @ weights[p + name + ".weight"].T + weights[p + name + ".bias"]

            states["x"].append(x)
            q, k, v = (
                apply(f"attention.self.{n}", x).view(len(x), heads, -1).transpose(0, 1)
                for n in ("query", "key", "value")
            )
            attention = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), -1) @ v
            z = x + apply("attention.output.dense", attention.transpose(0, 1).reshape(len(x), -1))
            states["z1"].append(z)
            y, _ = layer_norm(z, weights, p + "attention.output.LayerNorm")
            states["y"].append(y)
            neurons = torch.nn.functional.gelu(apply("intermediate.dense", y))
            states["neurons"].append(neurons)
            z = y + apply("output.dense", neurons)
            states["z2"].append(z)
            x, _ = layer_norm(z, weights, p + "output.LayerNorm")
    return [{name: torch.cat(parts) for name, parts in states.items()} for states in out]


def centered(x):
    """Mean 0 over the last axis."""
    return x - x.mean(-1, keepdim=True)


def embedding_rows(weights, teacher, tokenizer, layout):
    """The teacher's embedding of every piece, without positions; and the deviation that positions would lead to."""
    e = "roberta.embeddings."
    words = weights[e + "word_embeddings.weight"] + weights[e + "token_type_embeddings.weight"][0]
    positions = weights[e + "position_embeddings.weight"]
    vocabulary = teacher.get_vocab()
    rows = torch.zeros(tokenizer.get_vocab_size(), words.shape[1])
    for piece, i in tokenizer.get_vocab().items():
        known = vocabulary.get(piece)
        if known is None or known < 4:
            text = piece.replace("▁", " ")
            parts = teacher.encode(text, add_special_tokens=False).ids
            known = [part for part in parts if part != UNK] or [UNK]
        rows[i] = words[known].mean(0) if isinstance(known, list) else words[known]
    rows[layout.separator[-1]] = words[EOS]
    rows = centered(rows)
    spread = centered(positions[FIRST_POSITION + 1 : 200]).pow(2).mean()
    deviations = (rows.pow(2).mean(-1, keepdim=True) + spread).sqrt()
    first = centered(words[BOS] + positions[FIRST_POSITION])
    for special in (layout.bos, layout.prompt[-1]):
        rows[special], deviations[special] = first, first.pow(2).mean().sqrt()
    return rows / deviations, float(deviations.median())


def rotary_basis(query, key, covariance, size):
    """Query and key matrices of one head, in the basis that suits the rotary embedding.

    query, key: [size, hidden + 1], the last column the bias; the products query · key stay the same.
    """
    root = torch.linalg.cholesky(covariance)
    left, right = query @ root, key @ root
    q1, r1 = torch.linalg.qr(left.T)
    q2, r2 = torch.linalg.qr(right.T)
    u, s, v = torch.linalg.svd(r1 @ r2.T)
    inverse = torch.linalg.inv(root)
    new_query = (s.sqrt()[:, None] * (q1 @ u).T) @ inverse
    new_key = (s.sqrt()[:, None] * (q2 @ v.T).T) @ inverse
    # strongest first; the slowest pair is (size / 2 - 1, size - 1)
    half = size // 2
    order = [0] * size
    for rank in range(half):
        order[half - 1 - rank], order[size - 1 - rank] = 2 * rank, 2 * rank + 1
    return new_query[order], new_key[order]


def second_moment(x):
    """Mean of outer products of [tokens, n] with a 1 appended, made safe to invert."""
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    return x.T @ x / len(x) + 1e-4 * torch.eye(x.shape[1])


def kept_neurons(states, weight, bias, count):
    """The `count` neurons that carry most, and the output matrix and bias fitted to them."""
    neurons = states["neurons"]
    carried = neurons.var(0) * weight.pow(2).sum(0)
    kept = carried.topk(count).indices.sort().values
    features = torch.cat([neurons[:, kept], torch.ones(len(neurons), 1)], 1)
    target = neurons @ weight.T + bias
    gram = features.T @ features / len(features)
    gram += 1e-3 * gram.diagonal().mean() * torch.eye(len(gram))
    fitted = torch.linalg.solve(gram, features.T @ target / len(features)).T
    error = (features @ fitted.T - target).pow(2).mean() / target.var(0).mean()
    return kept, fitted[:, :-1], fitted[:, -1], float(error)


def convert(weights, config, states, model, rows, layout):
    """Fill the decoder with the teacher's weights. rows: embedding_rows()."""
    hidden, size = config["hidden_size"], model.model.layers[0].self_attn.size
    rows, typical = rows
    count = len(states)
    carried = sum(s["x"].var(0) + s["y"].var(0) for s in states)
    marks = carried.topk(3, largest=False).indices.tolist()
    constant = marks[0]
    keep = torch.ones(hidden)
    keep[marks] = 0
    gain, scale, missing = torch.ones(hidden), 1.0, torch.zeros(hidden)  # G, S and what R lacks
    # of the norm before
    e = "roberta.embeddings.LayerNorm"
    weight, bias, deviation = weights[e + ".weight"], weights[e + ".bias"], 1.0
    level = 1.0  # of the constant in the stream

    def norm_of(z, norm):
        """Set an RMSNorm; returns the bias vector for what reads it."""
        stream = (scale * z / gain - missing) * keep
        stream[:, constant] = level
        rms = stream.pow(2).mean(-1).sqrt().median()
        norm.weight.copy_(weight * gain / (scale * deviation) * rms)
        norm.weight[constant] = rms / level
        return bias + weight * gain * missing / (scale * deviation)

    def with_bias(matrix, values):
        """The matrix with its constant column set."""
        matrix = matrix * keep
        matrix[:, constant] = values
        return matrix

    def advance(z, name):
        """Pass a layer norm of the teacher: new G, S, deviation."""
        nonlocal weight, bias, deviation
        weight, bias = weights[name + ".weight"], weights[name + ".bias"]
        deviation = z.var(-1, unbiased=False).sqrt().median()

    def add(matrix, constants):
        """The output matrix of a sublayer in R's coordinates; notes its constants as missing."""
        nonlocal gain, scale, missing
        gain, scale = gain * weight, scale * float(deviation)
        missing = missing + scale * (constants + bias) / gain
        return matrix * (scale / gain * keep)[:, None] / layer.scale

    embedding = rows * keep
    embedding[:, constant] = level
    # RMSNorm divides by the row's own size: the marks are MARK after it
    size_of = (embedding.pow(2).sum(-1) / (hidden - MARK**2)).sqrt()
    embedding[layout.bos, marks[1]] = MARK * size_of[layout.bos]
    newline = layout.separator[-1]
    embedding[newline, marks[2]] = MARK * size_of[newline]
    model.model.embed_tokens.weight.copy_(embedding / model.scale)
    table = centered(weights["roberta.embeddings.position_embeddings.weight"]) / typical * keep
    set_position_layer(model.model.layers[0], fit_positions(table, layout), marks)
    report = []
    for number, state in enumerate(states):
        layer, p = model.model.layers[number + 1], f"roberta.encoder.layer.{number}."

        def of(name, p=p):
            return weights[p + name + ".weight"], weights[p + name + ".bias"]

        source = (state["x"] - bias) / weight if number == 0 else states[number - 1]["z2"]
        offset = norm_of(source, layer.input_layernorm)
        attention = layer.self_attn
        (q, q_bias), (k, k_bias), (v, v_bias) = (
            of(f"attention.self.{n}") for n in ("query", "key", "value")
        )
        moment = second_moment(state["x"])
        for head in range(attention.heads):
            part = slice(head * size, (head + 1) * size)
            query, key = rotary_basis(
                torch.cat([q[part], q_bias[part, None]], 1),
                torch.cat([k[part], k_bias[part, None]], 1),
                moment,
                size,
            )
            for linear, matrix in ((attention.q_proj, query), (attention.k_proj, key)):
                values = matrix[:, -1] + matrix[:, :-1] @ offset
                linear.weight[part] = with_bias(matrix[:, :-1], values)
        attention.v_proj.weight.copy_(with_bias(v, v_bias + v @ offset))
        matrix, out_bias = of("attention.output.dense")
        attention.o_proj.weight.copy_(add(matrix, out_bias))

        advance(state["z1"], p + "attention.output.LayerNorm")
        offset = norm_of(state["z1"], layer.post_attention_layernorm)
        (w1, b1), (w2, b2) = of("intermediate.dense"), of("output.dense")
        kept, w2, b2, error = kept_neurons(state, w2, b2, model.config["intermediate_size"] - 1)
        report.append(round(error, 3))
        w1, b1 = w1[kept], b1[kept]
        mlp = layer.mlp
        mlp.gate_proj.weight[:-1] = with_bias(w1, b1 + w1 @ offset) * GELU_TO_SILU
        mlp.up_proj.weight.zero_()
        mlp.up_proj.weight[:, constant] = 1 / GELU_TO_SILU
        mlp.down_proj.weight[:, :-1] = add(w2, b2)
        mlp.gate_proj.weight[-1] = 0
        mlp.gate_proj.weight[-1, constant] = ALWAYS_ON
        mlp.down_proj.weight[:, -1] = missing * keep * GELU_TO_SILU / ALWAYS_ON / layer.scale
        missing = torch.zeros(hidden)
        advance(state["z2"], p + "output.LayerNorm")
    norm_of(states[-1]["z2"], model.model.norm)
    for layer in model.model.layers[count + 1 :]:
        layer.load_state_dict(model.model.layers[count].state_dict())
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    print(
        f"marks in dimensions {marks}; part of the MLP outputs that is lost: {report}", flush=True
    )


def linear_head(weights, states):
    """The teacher's classifier (dense, tanh, projection) as one vector, linear around its usual input."""
    norm = f"roberta.encoder.layer.{len(states) - 1}.output.LayerNorm"
    usual, _ = layer_norm(states[-1]["z2"][0], weights, norm)
    c = "classifier."
    inner = usual @ weights[c + "dense.weight"].T + weights[c + "dense.bias"]
    slope = 1 - torch.tanh(inner).pow(2)
    return (weights[c + "out_proj.weight"] * slope) @ weights[c + "dense.weight"]


def main():
    """Write the start point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teacher", type=Path, required=True, help="folder of the XLM-R reranker")
    parser.add_argument("--tokenizer", type=Path, required=True, help="MiniCPM-type tokenizer")
    parser.add_argument("--data", type=Path, required=True, help="training set folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--intermediate", type=int, default=496, help="neurons a layer (496)")
    parser.add_argument("--calibration", type=int, default=40, help="pairs run by the teacher (40)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    teacher = Tokenizer.from_file(str(args.teacher / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    layout = Layout(tokenizer, bos=1)
    weights = {k: v.float() for k, v in load_file(args.teacher / "model.safetensors").items()}
    config = json.loads((args.teacher / "config.json").read_text())
    passages = read_passages(args.data)
    rows = balanced(english(read_queries(args.data, "train")), random.Random(1))

    def ids(text):
        return teacher.encode(text, add_special_tokens=False).ids

    # every other pair with a passage that is not the right one
    sequences = [
        [BOS, *ids(row["query"]), EOS, EOS, *ids(passages[[*row["pos"], *row["neg"]][i % 2]])][
            :MAX_TOKENS
        ]
        + [EOS]
        for i, row in enumerate(rows[: args.calibration])
    ]
    shape = {
        "hidden_size": config["hidden_size"],
        "num_hidden_layers": args.layers,
        "intermediate_size": args.intermediate,
        "num_attention_heads": config["num_attention_heads"],
        "num_key_value_heads": config["num_attention_heads"],
    }
    model_config = config_of("minicpm", tokenizer.get_vocab_size(), **shape)
    model_config["rope_theta"] = ROPE_THETA
    model = Decoder(model_config)
    with torch.no_grad():
        states = teacher_states(weights, config, sequences)
        table = embedding_rows(weights, teacher, tokenizer, layout)
        convert(weights, config, states, model, table, layout)
        classifier = linear_head(weights, states)
        for layer, head in zip(model.head_layers, model.lm_head, strict=True):
            above = layer > config["num_hidden_layers"]
            head["linear_head"].weight.copy_(classifier * above)
    save(model, args.out, args.tokenizer)
    count = sum(p.numel() for p in model.parameters())
    print(f"{args.out}: {count / 1e6:.3f} M parameters", flush=True)


if __name__ == "__main__":
    main()
