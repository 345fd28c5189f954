"""The tensors of the newer encoders: JinaBERT, GTE, jina-reranker-v2's XLM-R and ModernBERT."""


def newer_encoder_specs(specs, family, config):
    """Append the tensors of a checkpoint to a SpecList."""
    make = {
        "jina-bert": jina_bert,
        "jina-bert-qk": jina_bert_qk,
        "gte-new": gte,
        "jina-xlmr": jina_xlmr,
        "modernbert": modernbert,
    }[family]
    make(specs, config)
    return specs


def jina_bert_start(specs, config):
    """The embeddings of JinaBERT."""
    hidden = config["hidden_size"]
    specs.table("bert.embeddings.word_embeddings", config["vocab_size"], hidden, 1.0)
    specs.table("bert.embeddings.token_type_embeddings", config["type_vocab_size"], hidden, 0.5)
    specs.layer_norm("bert.embeddings.LayerNorm", hidden)


def jina_bert_attention(specs, layer, hidden):
    """The attention of a layer of JinaBERT."""
    for name in ("query", "key", "value"):
        specs.linear(f"{layer}attention.self.{name}", hidden, hidden, 1.5)
    specs.linear(layer + "attention.output.dense", hidden, hidden, 2.0)
    specs.layer_norm(layer + "attention.output.LayerNorm", hidden)


def pooled_head(specs, root, hidden):
    """A pooler and a classifier."""
    specs.linear(root + "pooler.dense", hidden, hidden, 1.3)
    specs.linear("classifier", 1, hidden, 6.0, 0.5)


def jina_bert(specs, config):
    """JinaBERT of the first layout."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    jina_bert_start(specs, config)
    for i in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{i}."
        jina_bert_attention(specs, layer, hidden)
        specs.linear(layer + "mlp.gated_layers", 2 * inner, hidden, 1.4, None)
        specs.linear(layer + "mlp.wo", hidden, inner, 1.6)
        specs.layer_norm(layer + "mlp.layernorm", hidden)
    pooled_head(specs, "bert.", hidden)


def jina_bert_qk(specs, config):
    """JinaBERT with norms of queries and keys."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    jina_bert_start(specs, config)
    gated = config["feed_forward_type"].endswith("glu")
    for i in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{i}."
        jina_bert_attention(specs, layer, hidden)
        for name in ("attention.self.layer_norm_q", "attention.self.layer_norm_k"):
            specs.layer_norm(layer + name, hidden)
        specs.layer_norm(layer + "layer_norm_1", hidden)
        specs.layer_norm(layer + "layer_norm_2", hidden)
        name = "mlp.up_gated_layer" if gated else "mlp.up_layer"
        specs.linear(layer + name, (2 if gated else 1) * inner, hidden, 1.4, None)
        specs.linear(layer + "mlp.down_layer", hidden, inner, 1.6)
    pooled_head(specs, "bert.", hidden)


def gte(specs, config):
    """GTE's new implementation of BERT."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    specs.table("new.embeddings.word_embeddings", config["vocab_size"], hidden, 1.0)
    if config["type_vocab_size"]:
        specs.table("new.embeddings.token_type_embeddings", config["type_vocab_size"], hidden, 0.5)
    specs.layer_norm("new.embeddings.LayerNorm", hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"new.encoder.layer.{i}."
        if config["pack_qkv"]:
            specs.linear(layer + "attention.qkv_proj", 3 * hidden, hidden, 1.6)
        else:
            for name in "qkv":
                specs.linear(f"{layer}attention.{name}_proj", hidden, hidden, 1.6)
        specs.linear(layer + "attention.o_proj", hidden, hidden, 2.0)
        specs.layer_norm(layer + "attn_ln", hidden)
        specs.linear(layer + "mlp.up_gate_proj", 2 * inner, hidden, 1.4, None)
        specs.linear(layer + "mlp.down_proj", hidden, inner, 1.6)
        specs.layer_norm(layer + "mlp_ln", hidden)
    pooled_head(specs, "new.", hidden)


def jina_xlmr(specs, config):
    """XLM-R under the names of jina-reranker-v2."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    emb = "roberta.embeddings."
    specs.table(emb + "word_embeddings", config["vocab_size"], hidden, 1.0)
    specs.table(emb + "position_embeddings", config["max_position_embeddings"], hidden, 0.6)
    specs.table(emb + "token_type_embeddings", config["type_vocab_size"], hidden, 0.5)
    specs.layer_norm("roberta.emb_ln", hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"roberta.encoder.layers.{i}."
        specs.linear(layer + "mixer.Wqkv", 3 * hidden, hidden, 1.6)
        specs.linear(layer + "mixer.out_proj", hidden, hidden, 2.0)
        specs.layer_norm(layer + "norm1", hidden)
        specs.linear(layer + "mlp.fc1", inner, hidden, 1.4)
        specs.linear(layer + "mlp.fc2", hidden, inner, 1.6)
        specs.layer_norm(layer + "norm2", hidden)
    specs.linear("classifier.dense", hidden, hidden, 1.3)
    specs.linear("classifier.out_proj", 1, hidden, 6.0, 0.5)


def modernbert(specs, config):
    """ModernBERT with its classifier."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]

    def norm(name):
        specs.scale(name, hidden, config["norm_bias"])

    def bias(key):
        return 0.2 if config[key] else None

    specs.table("model.embeddings.tok_embeddings", config["vocab_size"], hidden, 1.0)
    norm("model.embeddings.norm")
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        if i:
            norm(layer + "attn_norm")
        specs.linear(layer + "attn.Wqkv", 3 * hidden, hidden, 1.6, bias("attention_bias"))
        specs.linear(layer + "attn.Wo", hidden, hidden, 2.0, bias("attention_bias"))
        norm(layer + "mlp_norm")
        specs.linear(layer + "mlp.Wi", 2 * inner, hidden, 1.4, bias("mlp_bias"))
        specs.linear(layer + "mlp.Wo", hidden, inner, 1.8, bias("mlp_bias"))
    norm("model.final_norm")
    specs.linear("head.dense", hidden, hidden, 1.3, bias("classifier_bias"))
    norm("head.norm")
    specs.linear("classifier", 1, hidden, 4.0, 0.5)
