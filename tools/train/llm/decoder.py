"""Small Gemma-type and layerwise MiniCPM-type decoders, written for fast training on a CPU.

Parameter names, config keys and arithmetic are those of transformers' GemmaForCausalLM and FlagEmbedding's
LayerWiseMiniCPMForCausalLM, so that a saved folder loads there as it is. Sequences are padded on the right: with
causal attention no mask is needed then. Only the scored token goes through the last layer's queries and MLP.
"""

import json
import math
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from cross.examples import padded
from llm.prompt import Layout
from read_model import read_config, read_tensors

PADDING = 0  # any token: none that is scored sees those on its right
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
)


def config_of(family, vocab_size, **shape):
    """A config.json. `shape`: hidden_size, num_hidden_layers, intermediate_size, heads and key/value heads."""
    common = {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "max_position_embeddings": 2048,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": vocab_size,
        **shape,
    }
    if family == "gemma":
        return {
            "architectures": ["GemmaForCausalLM"],
            "model_type": "gemma",
            **common,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "head_dim": shape["hidden_size"] // shape["num_attention_heads"],
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": True,
        }
    return {
        "architectures": ["LayerWiseMiniCPMForCausalLM"],
        "model_type": "minicpm",
        "auto_map": {
            "AutoConfig": "configuration_minicpm_reranker.LayerWiseMiniCPMConfig",
            "AutoModel": "modeling_minicpm_reranker.LayerWiseMiniCPMModel",
            "AutoModelForCausalLM": "modeling_minicpm_reranker.LayerWiseMiniCPMForCausalLM",
        },
        **common,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dim_model_base": 256,
        "head_multi": True,
        "head_type": "simple",
        "hidden_act": "silu",
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-5,
        "scale_depth": 1.4,
        "scale_emb": 12,
        "start_layer": 2,
    }


class Norm(nn.Module):
    """RMSNorm; Gemma's stores its weight minus one."""

    def __init__(self, size, eps, offset):
        """`offset` is added to the weight."""
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), 1.0 - offset))
        self.eps, self.offset = eps, offset

    def forward(self, x):
        """Normalize the last axis in float32."""
        x = x.float()
        scaled = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return scaled * (self.weight + self.offset)


def linear(inputs, outputs):
    """A linear layer without bias."""
    return nn.Linear(inputs, outputs, bias=False)


def rotate(x, cos, sin):
    """Rotary embedding of [batch, heads, tokens, head_dim], halves paired."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Attention(nn.Module):
    """Causal attention with grouped key/value heads."""

    fused = False  # by PyTorch's own kernel, for a GPU

    def __init__(self, config):
        """Sizes from the config."""
        super().__init__()
        hidden = config["hidden_size"]
        self.heads = config["num_attention_heads"]
        self.groups = config["num_key_value_heads"]
        self.size = config.get("head_dim") or hidden // self.heads
        self.q_proj = linear(hidden, self.heads * self.size)
        self.k_proj = linear(hidden, self.groups * self.size)
        self.v_proj = linear(hidden, self.groups * self.size)
        self.o_proj = linear(self.heads * self.size, hidden)

    def forward(self, x, tables, last=None):
        """[batch, tokens, hidden] -> the same; with `last` [batch] only those tokens: [batch, 1, hidden].

        Plain matmul, softmax, matmul where it is not fused: see attention.py for why.
        """
        cos, sin, mask = tables
        batch, tokens, _ = x.shape
        keys = self.k_proj(x).view(batch, tokens, self.groups, self.size).transpose(1, 2)
        values = self.v_proj(x).view(batch, tokens, self.groups, self.size).transpose(1, 2)
        keys = rotate(keys, cos, sin)
        if last is None:
            queries = self.q_proj(x).view(batch, tokens, self.heads, self.size).transpose(1, 2)
            queries = rotate(queries, cos, sin)
            if self.fused:
                out = functional.scaled_dot_product_attention(
                    queries, keys, values, is_causal=True, enable_gqa=self.heads != self.groups
                )
                return self.o_proj(out.transpose(1, 2).reshape(batch, tokens, -1))
        else:
            rows = torch.arange(batch, device=x.device)
            queries = self.q_proj(x[rows, last]).view(batch, self.heads, 1, self.size)
            queries = rotate(queries, cos[last][:, None, None], sin[last][:, None, None])
            mask = mask[last][:, None, None]
        # the query heads of one group, one after another along the token axis, meet its keys in one matmul
        count = queries.shape[2]
        queries = queries.reshape(batch, self.groups, -1, self.size) * self.size**-0.5
        scores = torch.matmul(queries, keys.transpose(2, 3))
        scores = scores.view(batch, self.heads, count, tokens) + mask
        weights = torch.softmax(scores, -1).view(batch, self.groups, -1, tokens)
        out = torch.matmul(weights, values).view(batch, self.heads, count, self.size)
        return self.o_proj(out.transpose(1, 2).reshape(batch, count, -1))


class Mlp(nn.Module):
    """Gated MLP."""

    def __init__(self, config):
        """Sizes and activation from the config."""
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gelu = config["model_type"] == "gemma"
        self.gate_proj = linear(hidden, inner)
        self.up_proj = linear(hidden, inner)
        self.down_proj = linear(inner, hidden)

    def forward(self, x):
        """[…, hidden] -> the same."""
        gate = self.gate_proj(x)
        gate = functional.gelu(gate, approximate="tanh") if self.gelu else functional.silu(gate)
        return self.down_proj(gate * self.up_proj(x))


class Layer(nn.Module):
    """Pre-norm decoder layer."""

    def __init__(self, config):
        """Sizes from the config."""
        super().__init__()
        norm = (
            config["hidden_size"],
            config["rms_norm_eps"],
            float(config["model_type"] == "gemma"),
        )
        self.self_attn = Attention(config)
        self.mlp = Mlp(config)
        self.input_layernorm = Norm(*norm)
        self.post_attention_layernorm = Norm(*norm)
        depth = config.get("scale_depth")
        self.scale = depth / math.sqrt(config["num_hidden_layers"]) if depth else 1.0

    def forward(self, x, tables, last=None):
        """The residual stream after the layer, of all tokens or of the `last` of each sequence."""
        y = self.self_attn(self.input_layernorm(x), tables, last)
        if last is not None:
            x = x[torch.arange(len(x), device=x.device), last][:, None]
        x = x + y * self.scale
        return x + self.mlp(self.post_attention_layernorm(x)) * self.scale


class Decoder(nn.Module):
    """Scores of token sequences: at every head layer (layerwise), or the logit of one token (Gemma)."""

    def __init__(self, config, yes=None):
        """`yes`: id of "Yes", whose logit is Gemma's score."""
        super().__init__()
        self.config, self.yes = config, yes
        self.gemma = config["model_type"] == "gemma"
        hidden, layers = config["hidden_size"], config["num_hidden_layers"]
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(config["vocab_size"], hidden)
        self.model.layers = nn.ModuleList([Layer(config) for _ in range(layers)])
        self.model.norm = Norm(hidden, config["rms_norm_eps"], float(self.gemma))
        self.scale = math.sqrt(hidden) if self.gemma else config["scale_emb"]
        self.head_layers = (
            [layers] if self.gemma else list(range(config["start_layer"], layers + 1))
        )
        if not self.gemma:
            self.lm_head = nn.ModuleList(
                nn.ModuleDict({"linear_head": linear(hidden, 1)}) for _ in self.head_layers
            )
        size = self.model.layers[0].self_attn.size
        rates = config["rope_theta"] ** -(torch.arange(0, size, 2) / size)
        angles = torch.outer(torch.arange(config["max_position_embeddings"]), rates).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def tables(self, tokens, dtype):
        """Rotary tables and causal mask for sequences of `tokens`."""
        mask = torch.full((tokens, tokens), -1e4, device=self.cos.device).triu(1)
        return self.cos[:tokens].to(dtype), self.sin[:tokens].to(dtype), mask.to(dtype)

    def score(self, state, head):
        """Scores [batch] from the final norm of the scored tokens' state [batch, hidden]."""
        state = self.model.norm(state)
        if self.gemma:
            return state @ self.model.embed_tokens.weight[self.yes]
        return (state @ self.lm_head[head]["linear_head"].weight.float().T)[:, 0]

    def forward(self, sequences, dtype=torch.float32, states=None):
        """Scores [heads, batch] of token lists; `dtype` and `states` as in scores."""
        ids, lengths = map(torch.from_numpy, padded(sequences, PADDING))
        return self.scores(ids, lengths - 1, dtype, states)

    def scores(self, ids, last, dtype=torch.float32, states=None):
        """Scores [heads, batch] at the tokens `last` [batch] of ids [batch, tokens].

        `dtype` of the matrix products: float32 or bfloat16. A list `states` takes the residual stream after every layer,
        [batch, tokens, hidden]; of the last layer that of the scored tokens.
        """
        device = ids.device.type
        rows = torch.arange(len(ids), device=ids.device)
        tables = self.tables(ids.shape[1], dtype)
        count = len(self.model.layers)
        scores = []
        with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            x = self.model.embed_tokens(ids) * self.scale
            for number, layer in enumerate(self.model.layers, 1):
                x = layer(x, tables, last if number == count else None)
                if states is not None:
                    states.append(x)
                if number in self.head_layers:
                    state = x[:, 0] if number == count else x[rows, last]
                    with torch.autocast(device, enabled=False):
                        scores.append(self.score(state.float(), len(scores)))
        return torch.stack(scores)


def save(model, folder, tokenizer, weights=None):
    """Write config.json, float16 weights and the tokenizer's files; `weights` replace the model's own."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {**model.state_dict(), **(weights or {})}
    weights = {name: tensor.detach().half().cpu().contiguous() for name, tensor in weights.items()}
    path = folder / "model.safetensors"
    save_file(weights, path, metadata={"format": "pt"})
    path.chmod(0o644)
    (folder / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")
    for name in TOKENIZER_FILES:
        if (tokenizer / name).exists() and tokenizer != folder:
            shutil.copyfile(tokenizer / name, folder / name)


def load(folder, yes=None):
    """The model of a folder, in float32."""
    config = read_config(folder)
    config.pop("quantization_config", None)
    model = Decoder(config, yes)
    model.load_state_dict(read_tensors(folder))
    return model


def load_with_layout(folder):
    """The model of a folder and the layout of its inputs."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = read_config(folder)
    (yes,) = tokenizer.encode("Yes", add_special_tokens=False).ids[-1:]
    return load(folder, yes), Layout(tokenizer, config["bos_token_id"])
