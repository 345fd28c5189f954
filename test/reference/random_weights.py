"""Random weights of every reranker family, written straight to safetensors.

The weights are random but not small: every bias, norm weight and position row is far from its usual
initial value, so that leaving one of them out, or shifting positions by one, moves the score visibly.

Each tensor has its own generator, seeded by (seed, tensor name): the values depend neither on the order
nor on the number of shards. float16 and bfloat16 files hold the float32 values of the same seed, rounded.
One tensor at a time is in memory, so that a full-size model needs little of it.
"""

import hashlib
import json
import math
import struct
from dataclasses import dataclass

import torch

from model_configs import is_tied
from newer_encoders import newer_encoder_specs

DTYPES = {
    "float32": ("F32", torch.float32),
    "float16": ("F16", torch.float16),
    "bfloat16": ("BF16", torch.bfloat16),
}
SCRATCH_VALUES = 1 << 24  # float32 values drawn at a time: 64 MiB


@dataclass(frozen=True)
class TensorSpec:
    """A tensor to make: normally distributed, or the row 0, 1, 2, … in int64 where `counts` is set."""

    name: str
    shape: tuple
    mean: float = 0.0
    std: float = 1.0
    counts: bool = False

    def size(self):
        """Number of values."""
        return math.prod(self.shape)

    def nbytes(self, dtype):
        """Bytes in the file when the floats are stored as `dtype`."""
        return self.size() * (8 if self.counts else dtype.itemsize)


class SpecList(list):
    """A list of TensorSpec with short names for the usual groups."""

    def table(self, name, rows, columns, std):
        """An embedding table [rows, columns]."""
        self.append(TensorSpec(name + ".weight", (rows, columns), 0.0, std))

    def layer_norm(self, name, hidden):
        """A norm with weight around 1 and bias around 0."""
        self.append(TensorSpec(name + ".weight", (hidden,), 1.0, 0.25))
        self.append(TensorSpec(name + ".bias", (hidden,), 0.0, 0.2))

    def scale(self, name, size, bias=False):
        """A norm with weight around 1, and where asked for a bias around 0."""
        self.append(TensorSpec(name + ".weight", (size,), 1.0, 0.25))
        if bias:
            self.append(TensorSpec(name + ".bias", (size,), 0.0, 0.2))

    def linear(self, name, rows, columns, gain, bias=0.2):
        """A matrix [rows, columns] whose product with unit variance has the standard deviation `gain`."""
        self.append(TensorSpec(name + ".weight", (rows, columns), 0.0, gain / math.sqrt(columns)))
        if bias is not None:
            self.append(TensorSpec(name + ".bias", (rows,), 0.0, bias))


def tensor_specs(family, config):
    """The tensors of a checkpoint of this family and configuration."""
    if family in ("xlm-roberta", "bert", "roberta", "electra"):
        return bert_like_specs(family, config)
    if family == "deberta-v2":
        return deberta_specs(config)
    if family in ("modernbert", "jina-bert", "jina-bert-qk", "gte-new", "jina-xlmr"):
        return newer_encoder_specs(SpecList(), family, config)
    return decoder_specs(family, config)


def is_backbone(config):
    """Whether a checkpoint is a backbone alone, as embedders have it: no prefix, no head."""
    return config["architectures"][0].endswith("Model")


def bert_like_specs(family, config):
    """BERT, RoBERTa, XLM-RoBERTa and ELECTRA with a sequence classification head, or backbones alone."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    positions = config["max_position_embeddings"]
    embedding = config.get("embedding_size", hidden)
    root = {"bert": "bert.", "electra": "electra."}.get(family, "roberta.")
    root = "" if is_backbone(config) else root
    emb = root + "embeddings."
    specs = SpecList()
    # the published files carry this unused buffer
    specs.append(TensorSpec(emb + "position_ids", (1, positions), counts=True))
    specs.table(emb + "word_embeddings", config["vocab_size"], embedding, 1.0)
    specs.table(emb + "position_embeddings", positions, embedding, 0.6)
    specs.table(emb + "token_type_embeddings", config["type_vocab_size"], embedding, 0.5)
    specs.layer_norm(emb + "LayerNorm", embedding)
    if embedding != hidden:
        specs.linear(root + "embeddings_project", hidden, embedding, 1.0)
    for i in range(config["num_hidden_layers"]):
        layer = f"{root}encoder.layer.{i}."
        specs.linear(layer + "attention.self.query", hidden, hidden, 1.6)
        specs.linear(layer + "attention.self.key", hidden, hidden, 1.6)
        encoder_layer_rest(specs, layer, "attention.self.value", hidden, inner)
    if is_backbone(config):
        specs.linear("pooler.dense", hidden, hidden, 1.3)
    elif family != "bert":
        specs.linear("classifier.dense", hidden, hidden, 1.3)
        specs.linear("classifier.out_proj", 1, hidden, 6.0, 0.5)
    else:
        specs.linear("bert.pooler.dense", hidden, hidden, 1.3)
        specs.linear("classifier", 1, hidden, 6.0, 0.5)
    return specs


def deberta_specs(config):
    """DeBERTa-v2 with relative positions and a sequence classification head."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    specs = SpecList()
    embedding = config.get("embedding_size", hidden)
    emb = "deberta.embeddings."
    specs.table(emb + "word_embeddings", config["vocab_size"], embedding, 1.0)
    if config["position_biased_input"]:
        specs.table(emb + "position_embeddings", config["max_position_embeddings"], embedding, 0.6)
    if config["type_vocab_size"]:
        specs.table(emb + "token_type_embeddings", config["type_vocab_size"], embedding, 0.5)
    if embedding != hidden:
        specs.linear(emb + "embed_proj", hidden, embedding, 1.0, None)
    specs.layer_norm(emb + "LayerNorm", hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"deberta.encoder.layer.{i}."
        specs.linear(layer + "attention.self.query_proj", hidden, hidden, 2.6)
        specs.linear(layer + "attention.self.key_proj", hidden, hidden, 2.6)
        for term, name in (("c2p", "pos_key_proj"), ("p2c", "pos_query_proj")):
            if not config["share_att_key"] and term in config["pos_att_type"]:
                specs.linear(layer + "attention.self." + name, hidden, hidden, 2.0)
        encoder_layer_rest(specs, layer, "attention.self.value_proj", hidden, inner)
    buckets = config["position_buckets"]
    longest = config["max_relative_positions"]
    longest = longest if longest >= 1 else config["max_position_embeddings"]
    span = buckets if buckets > 0 else longest
    specs.table("deberta.encoder.rel_embeddings", 2 * span, hidden, 0.8)
    if "layer_norm" in config["norm_rel_ebd"]:
        specs.layer_norm("deberta.encoder.LayerNorm", hidden)
    size = config.get("conv_kernel_size", 0)
    if size:
        shape, std = (hidden, hidden, size), 1.2 / math.sqrt(hidden * size)
        specs.append(TensorSpec("deberta.encoder.conv.conv.weight", shape, 0.0, std))
        specs.append(TensorSpec("deberta.encoder.conv.conv.bias", (hidden,), 0.0, 0.2))
        specs.layer_norm("deberta.encoder.conv.LayerNorm", hidden)
    specs.linear("pooler.dense", hidden, hidden, 1.3)
    specs.linear("classifier", 1, hidden, 2.5, 0.5)
    return specs


def encoder_layer_rest(specs, layer, value, hidden, inner):
    """What the layers of all encoders have after query and key."""
    specs.linear(layer + value, hidden, hidden, 1.4)
    specs.linear(layer + "attention.output.dense", hidden, hidden, 2.0)
    specs.layer_norm(layer + "attention.output.LayerNorm", hidden)
    specs.linear(layer + "intermediate.dense", inner, hidden, 1.4)
    specs.linear(layer + "output.dense", hidden, inner, 1.6)
    specs.layer_norm(layer + "output.LayerNorm", hidden)


# the two Gemma families add onto a larger residual stream, hence larger output gains
ATTENTION_GAIN = {
    "gemma": 4.0,
    "gemma2-lightweight": 1.5,
    "llama": 2.5,
    "mistral": 2.5,
    "qwen2": 2.5,
    "qwen3": 2.5,
    "minicpm-layerwise": 4.0,
}
MLP_GAIN = {
    "gemma": 1.5,
    "gemma2-lightweight": 1.5,
    "llama": 1.0,
    "mistral": 1.0,
    "qwen2": 1.0,
    "qwen3": 1.0,
    "minicpm-layerwise": 1.0,
}


def embedding_std(family, config):
    """So that the scaled embeddings of every decoder have a usual size."""
    root = math.sqrt(config["hidden_size"])
    return {
        "gemma": 2.5 / root,
        "gemma2-lightweight": 2.0 / root,
        "llama": 1.0,
        "mistral": 1.0,
        "qwen2": 0.3,
        "qwen3": 0.3,
        "minicpm-layerwise": 1.5 / config.get("scale_emb", 1),
    }[family]


def decoder_specs(family, config):
    """Gemma, Llama, Mistral, Qwen, layerwise MiniCPM and the lightweight Gemma 2, with their heads."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or hidden // heads
    bias = 0.2 if config.get("attention_bias", family == "qwen2") else None
    root = "" if is_backbone(config) else "model."
    mlp_bias = 0.2 if config.get("mlp_bias") else None
    # the norms of the Gemma families multiply by 1 + weight
    norm_mean = 0.0 if family in ("gemma", "gemma2-lightweight") else 1.0
    query_key = 1.3
    if (
        family == "gemma2-lightweight"
    ):  # scores are scaled by query_pre_attn_scalar, not by head_dim
        query_key *= (config["query_pre_attn_scalar"] / head_dim) ** 0.25
    norms = ["input_layernorm", "post_attention_layernorm"]
    if family == "gemma2-lightweight":
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]

    specs = SpecList()
    std = embedding_std(family, config)
    specs.table(root + "embed_tokens", config["vocab_size"], hidden, std)
    for i in range(config["num_hidden_layers"]):
        layer = f"{root}layers.{i}."
        attention = layer + "self_attn."
        specs.append(TensorSpec(f"{layer}{norms[0]}.weight", (hidden,), norm_mean, 0.25))
        specs.linear(attention + "q_proj", heads * head_dim, hidden, query_key, bias)
        specs.linear(attention + "k_proj", kv_heads * head_dim, hidden, query_key, bias)
        specs.linear(attention + "v_proj", kv_heads * head_dim, hidden, 1.2, bias)
        if family == "qwen3":
            specs.scale(attention + "q_norm", head_dim)
            specs.scale(attention + "k_norm", head_dim)
        output_bias = None if family == "qwen2" else bias
        gain = ATTENTION_GAIN[family]
        specs.linear(attention + "o_proj", hidden, heads * head_dim, gain, output_bias)
        for norm in norms[1:]:
            specs.append(TensorSpec(f"{layer}{norm}.weight", (hidden,), norm_mean, 0.25))
        specs.linear(layer + "mlp.gate_proj", inner, hidden, 1.2, mlp_bias)
        specs.linear(layer + "mlp.up_proj", inner, hidden, 1.2, mlp_bias)
        specs.linear(layer + "mlp.down_proj", hidden, inner, MLP_GAIN[family], mlp_bias)
    specs.append(TensorSpec(root + "norm.weight", (hidden,), norm_mean, 0.25))
    if not is_backbone(config):
        head_specs(specs, family, config)
    return specs


def head_specs(specs, family, config):
    """The heads of a decoder; one tied to the embeddings has no tensor of its own."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    if family in ("gemma", "llama", "mistral", "qwen2", "qwen3"):
        if not is_tied(family, config):
            specs.linear("lm_head", config["vocab_size"], hidden, 3.0, None)
    elif family == "gemma2-lightweight" and config["layer_wise"]:
        for k in range(len(range(config["start_layer"], layers + 1, config["layer_sep"]))):
            specs.linear(f"lm_head.{k}.linear_head", 1, hidden, 3.0, None)
    elif family == "minicpm-layerwise":
        # only a bare nn.Linear is tied; the other heads are modules around one
        if config["head_type"] == "raw" and not config["head_multi"] and is_tied(family, config):
            return
        rows = 1 if config["head_type"] == "simple" else config["vocab_size"]
        for k in range(layers + 1 - config["start_layer"] if config["head_multi"] else 1):
            name = f"lm_head.{k}" if config["head_multi"] else "lm_head"
            if config["head_type"] != "raw":
                name += ".linear_head"
            specs.linear(name, rows, hidden, 3.0, None)


def make_tensor(spec, seed, dtype):
    """The values of one tensor."""
    if spec.counts:
        return torch.arange(spec.shape[-1], dtype=torch.int64).reshape(spec.shape)
    digest = hashlib.sha256(f"{seed}:{spec.name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    tensor = torch.empty(spec.shape, dtype=dtype)
    rows = tensor.view(spec.shape[0], -1)
    step = max(1, SCRATCH_VALUES // rows.shape[1])
    for start in range(0, spec.shape[0], step):
        count = min(step, spec.shape[0] - start)
        part = torch.empty((count, rows.shape[1]), dtype=torch.float32)
        part.normal_(spec.mean, spec.std, generator=generator)
        rows[start : start + count] = part.to(dtype)
    return tensor


def write_file(path, specs, seed, dtype_name):
    """Write one safetensors file."""
    tag, dtype = DTYPES[dtype_name]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for spec in specs:
        end = offset + spec.nbytes(dtype)
        header[spec.name] = {
            "dtype": "I64" if spec.counts else tag,
            "shape": list(spec.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for spec in specs:
            tensor = make_tensor(spec, seed, dtype).contiguous().view(-1)
            file.write(memoryview(tensor.view(torch.uint8).numpy()))


def write_weights(folder, specs, seed, dtype_name, shards):
    """Write model.safetensors, or `shards` files of about equal size with their index; return the bytes."""
    dtype = DTYPES[dtype_name][1]
    total = sum(spec.nbytes(dtype) for spec in specs)
    if shards <= 1:
        write_file(folder / "model.safetensors", specs, seed, dtype_name)
        return total
    groups, done = [[] for _ in range(shards)], 0
    for spec in specs:
        groups[min(shards - 1, done * shards // total)].append(spec)
        done += spec.nbytes(dtype)
    groups = [group for group in groups if group]
    weight_map = {}
    for number, group in enumerate(groups, 1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        write_file(folder / name, group, seed, dtype_name)
        weight_map.update({spec.name: name for spec in group})
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    return total
