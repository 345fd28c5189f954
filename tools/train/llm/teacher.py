"""The XLM-R reranker as a teacher: its scores, and its hidden states where the decoder has the same text."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModelForSequenceClassification

import attention
from llm.decoder import linear

PAD = 1


class Teacher:
    """Runs the reranker on the texts of a batch."""

    def __init__(self, folder):
        """Load the folder."""
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=attention.NAME
        )
        self.model.train()  # for attention in bfloat16; the model has no dropout
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.size = self.model.config.hidden_size
        self.layers = self.model.config.num_hidden_layers

    def ends(self, texts):
        """[(ids, character at which each ends)] of texts."""
        found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [(e.ids, [end for _, end in e.offsets]) for e in found]

    def __call__(self, sequences):
        """Scores [batch] and the states of every layer, each [batch, tokens, hidden], of id lists."""
        ids = torch.full((len(sequences), max(map(len, sequences))), PAD)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            out = self.model(
                input_ids=ids, attention_mask=(ids != PAD).long(), output_hidden_states=True
            )
        return out.logits[:, 0].float(), out.hidden_states[1:]


class StateLoss(nn.Module):
    """How much of the teacher's states the decoder's do not tell, after a linear map for each layer.

    The teacher's layer i is told from the decoder's layer i + 1. 0: everything; 1: no more than their mean.
    """

    def __init__(self, layers, size):
        """Maps for the teacher's layers."""
        super().__init__()
        self.maps = nn.ModuleList(linear(size, size) for _ in range(layers))
        self.moments = None

    def examples(self, states, theirs, places):
        """[(decoder's states, teacher's states)] by layer, [tokens, hidden] each. places: (row, ours, theirs)."""
        row, ours, other = torch.tensor(places).T
        for x, target in zip(states, theirs, strict=True):
            x = x[row, ours].float()
            yield (
                x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5),
                target[row, other].float(),
            )

    def start(self, states, theirs, places):
        """Fit the maps to a first batch by ridge regression."""
        self.moments = []
        for linear_map, (x, target) in zip(
            self.maps, self.examples(states, theirs, places), strict=True
        ):
            mean, deviation = target.mean(0), target.std(0) + 1e-3
            self.moments.append((mean, deviation))
            gram = x.T @ x / len(x)
            gram += 0.1 * gram.diagonal().mean() * torch.eye(len(gram))
            fitted = torch.linalg.solve(gram, x.T @ ((target - mean) / deviation) / len(x))
            linear_map.weight.copy_(fitted.T)

    def forward(self, states, theirs, places):
        """The loss, a mean over the layers; and that of each layer."""
        losses = []
        for linear_map, (mean, deviation), (x, target) in zip(
            self.maps, self.moments, self.examples(states, theirs, places), strict=True
        ):
            difference = linear_map(x) - (target - mean) / deviation
            losses.append(difference.pow(2).mean())
        losses = torch.stack(losses)
        return losses.mean(), losses.detach()
