"""Configurations of the reranker families, as their published checkpoints have them.

`BASE_CONFIG` holds what does not depend on the size, `SIZES` the rest: `full` is the published model,
`base` the published smaller one (encoders) or the full width with few layers (decoders), and `tiny` is
for fixtures that live in the repository.
"""

from newer_configs import NEWER_CONFIG, NEWER_SIZES

FAMILIES = [
    "xlm-roberta",
    "gemma",
    "minicpm-layerwise",
    "bert",
    "deberta-v2",
    "roberta",
    "electra",
    "gemma2-lightweight",
    "llama",
    "mistral",
    *NEWER_CONFIG,
]

# causal models whose head has its own weights unless the config says otherwise
UNTIED = ("llama", "mistral")

ENCODER = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "id2label": {"0": "LABEL_0"},
    "initializer_range": 0.02,
    "label2id": {"LABEL_0": 0},
}

BASE_CONFIG = {
    "xlm-roberta": {
        **ENCODER,
        "architectures": ["XLMRobertaForSequenceClassification"],
        "model_type": "xlm-roberta",
        "bos_token_id": 0,
        "classifier_dropout": None,
        "eos_token_id": 2,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": 514,
        "output_past": True,
        "pad_token_id": 1,
        "position_embedding_type": "absolute",
        "type_vocab_size": 1,
        "use_cache": True,
        "vocab_size": 250002,
    },
    "bert": {
        **ENCODER,
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "classifier_dropout": None,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "use_cache": True,
        "vocab_size": 30522,
    },
    "deberta-v2": {
        **ENCODER,
        "architectures": ["DebertaV2ForSequenceClassification"],
        "model_type": "deberta-v2",
        "layer_norm_eps": 1e-7,
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "pad_token_id": 0,
        "pooler_dropout": 0,
        "pooler_hidden_act": "gelu",
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 256,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "vocab_size": 128100,
    },
    "roberta": {
        **ENCODER,
        "architectures": ["RobertaForSequenceClassification"],
        "model_type": "roberta",
        "bos_token_id": 0,
        "classifier_dropout": None,
        "eos_token_id": 2,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": 514,
        "pad_token_id": 1,
        "position_embedding_type": "absolute",
        "type_vocab_size": 1,
        "use_cache": True,
        "vocab_size": 50265,
    },
    "electra": {
        **ENCODER,
        "architectures": ["ElectraForSequenceClassification"],
        "model_type": "electra",
        "classifier_dropout": None,
        "embedding_size": 768,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "summary_activation": "gelu",
        "summary_last_dropout": 0.1,
        "summary_type": "first",
        "summary_use_proj": True,
        "type_vocab_size": 2,
        "use_cache": True,
        "vocab_size": 30522,
    },
    "gemma": {
        "architectures": ["GemmaForCausalLM"],
        "model_type": "gemma",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "hidden_act": "gelu",
        "initializer_range": 0.02,
        "max_position_embeddings": 8192,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-6,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "use_cache": True,
        "vocab_size": 256000,
    },
    "minicpm-layerwise": {
        "architectures": ["LayerWiseMiniCPMForCausalLM"],
        "model_type": "minicpm",
        "auto_map": {
            "AutoConfig": "configuration_minicpm_reranker.LayerWiseMiniCPMConfig",
            "AutoModel": "modeling_minicpm_reranker.LayerWiseMiniCPMModel",
            "AutoModelForCausalLM": "modeling_minicpm_reranker.LayerWiseMiniCPMForCausalLM",
        },
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "dim_model_base": 256,
        "eos_token_id": 2,
        "head_multi": True,
        "head_type": "simple",
        "hidden_act": "silu",
        "initializer_range": 0.1,
        "max_position_embeddings": 2048,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-5,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "scale_depth": 1.4,
        "scale_emb": 12,
        "start_layer": 8,
        "use_cache": True,
        "vocab_size": 122753,
    },
    "gemma2-lightweight": {
        "architectures": ["CostWiseGemmaForCausalLM"],
        "model_type": "cost_wise_gemma",
        "auto_map": {
            "AutoConfig": "gemma_config.CostWiseGemmaConfig",
            "AutoModel": "gemma_model.CostWiseGemmaModel",
            "AutoModelForCausalLM": "gemma_model.CostWiseGemmaForCausalLM",
        },
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": 50.0,
        "bos_token_id": 2,
        "cache_implementation": "hybrid",
        "eos_token_id": 1,
        "final_logit_softcapping": 30.0,
        "head_dim": 256,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "initializer_range": 0.02,
        "layer_sep": 1,
        "layer_wise": True,
        "max_position_embeddings": 8192,
        "pad_token_id": 0,
        "query_pre_attn_scalar": 256,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "start_layer": 8,
        "use_cache": True,
        "vocab_size": 256000,
    },
    "llama": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 4096,
        "mlp_bias": False,
        "rms_norm_eps": 1e-5,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "use_cache": True,
        "vocab_size": 32000,
    },
    "mistral": {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "use_cache": True,
        "vocab_size": 32000,
    },
    **NEWER_CONFIG,
}


def dims(hidden, heads, intermediate, layers, **more):
    """The sizes of a transformer under their names in config.json."""
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        **more,
    }


SIZES = {
    "xlm-roberta": {
        "tiny": dims(64, 4, 128, 3),
        "base": dims(768, 12, 3072, 12),
        "full": dims(1024, 16, 4096, 24),
    },
    "bert": {
        "tiny": dims(64, 4, 128, 3),
        "base": dims(768, 12, 3072, 12),
        "full": dims(1024, 16, 4096, 24),
    },
    "deberta-v2": {
        "tiny": dims(64, 4, 128, 3),
        "base": dims(768, 12, 3072, 12),
        "full": dims(1024, 16, 4096, 24),
    },
    "roberta": {
        "tiny": dims(48, 4, 96, 3),
        "base": dims(768, 12, 3072, 12),
        "full": dims(1024, 16, 4096, 24),
    },
    "electra": {
        "tiny": dims(48, 4, 96, 3, embedding_size=20),
        "base": dims(768, 12, 3072, 12),
        "full": dims(1024, 16, 4096, 24, embedding_size=1024),
    },
    "gemma": {
        "tiny": dims(64, 4, 160, 3, num_key_value_heads=1, head_dim=32),
        "base": dims(2048, 8, 16384, 4, num_key_value_heads=1, head_dim=256),
        "full": dims(2048, 8, 16384, 18, num_key_value_heads=1, head_dim=256),
    },
    "minicpm-layerwise": {
        "tiny": dims(72, 4, 160, 6, num_key_value_heads=4, start_layer=2),
        "base": dims(2304, 36, 5760, 10, num_key_value_heads=36),
        "full": dims(2304, 36, 5760, 40, num_key_value_heads=36),
    },
    "gemma2-lightweight": {
        "tiny": dims(
            64,
            4,
            160,
            6,
            num_key_value_heads=2,
            head_dim=24,
            start_layer=2,
            sliding_window=48,
            query_pre_attn_scalar=20,
            attn_logit_softcapping=6.0,
            final_logit_softcapping=8.0,
        ),
        "base": dims(3584, 16, 14336, 10, num_key_value_heads=8),
        "full": dims(3584, 16, 14336, 42, num_key_value_heads=8),
    },
    "llama": {
        "tiny": dims(64, 4, 160, 3, num_key_value_heads=2),
        "base": dims(4096, 32, 11008, 4, num_key_value_heads=32),
        "full": dims(4096, 32, 11008, 32, num_key_value_heads=32),
    },
    "mistral": {
        "tiny": dims(64, 4, 160, 3, num_key_value_heads=2),
        "base": dims(4096, 32, 14336, 4, num_key_value_heads=8),
        "full": dims(4096, 32, 14336, 32, num_key_value_heads=8),
    },
    **{
        family: {size: dims(*most, **rest) for size, (*most, rest) in sizes.items()}
        for family, sizes in NEWER_SIZES.items()
    },
}


def is_tied(family, config):
    """Whether the table of the embeddings is the head's weight too."""
    return config.get("tie_word_embeddings", family not in UNTIED)


def configuration(family, size, overrides):
    """The config.json of a family and size as a dict; `overrides` replaces single values."""
    config = {**BASE_CONFIG[family], **SIZES[family][size], **overrides}
    if family == "deberta-v2":
        config["pooler_hidden_size"] = config["hidden_size"]
    return config
