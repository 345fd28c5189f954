"""The bi-encoder as a teacher: vectors of all-MiniLM-L6-v2 or multilingual-e5-small and the cosine of two of them."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

MAX_TOKENS = 256  # as sentence_bert_config.json says
FEW_TOKENS = 192  # enough for what the cross-encoder reads in training
BATCH = 64


class BiEncoder:
    """Mean-pooled, normalised vectors as sentence-transformers makes them."""

    def __init__(self, folder, dtype=torch.float32, max_tokens=MAX_TOKENS):
        """Load the folder. dtype: of the products."""
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.padding = self.model.config.pad_token_id
        self.dtype = dtype

    def vectors(self, texts):
        """Vectors [texts, 384], of length 1."""
        encodings = self.tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda i: -len(encodings[i].ids))
        out = np.empty((len(texts), self.model.config.hidden_size), np.float32)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            ids = torch.full((len(part), len(encodings[part[0]].ids)), self.padding)
            for row, i in enumerate(part):
                ids[row, : len(encodings[i].ids)] = torch.tensor(encodings[i].ids)
            mask = (ids != self.padding).long()
            enabled = self.dtype != torch.float32
            with torch.inference_mode(), torch.autocast("cpu", self.dtype, enabled=enabled):
                states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            out[part] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
        return out

    def scores(self, query, passages):
        """Cosines of a query and passages, as evaluate.py wants them."""
        vectors = self.vectors([query, *passages])
        return (vectors[1:] @ vectors[0]).tolist()
