"""Train a decoder reranker, Gemma-type or layerwise, from a start folder.

    python -m llm.train --groups SET --start FOLDER --out FOLDER

Queries, candidates, the teacher's scores, the loss and the run are those of cross/train.py: the teacher is a
bi-encoder, whose cosines were computed once, or the combined model, whose scores cross/score_groups.py wrote, so that no
other model reads along. Every head layer has the loss, with a weight that grows with its depth. Word embeddings stay as
they are.
"""

import torch

from cross.examples import Groups
from cross.train import Run, parser_of, train
from llm.decoder import PADDING, Attention, load_with_layout, save

QUESTIONS = 0.5  # share of the queries


class DecoderGroups(Groups):
    """Batches of a decoder's inputs. A length counts the passage, and the query beyond the prompt's length."""

    marks = "A: ", "B: "
    padding = PADDING

    def __init__(self, folder, layout, args):
        """Read the set of cross/make_groups.py."""
        super().__init__(folder, layout.tokenizer, args, layout)

    def pair(self, query, passage, max_length):
        """The whole input."""
        return self.layout.pair(query, passage, max_length, max_length // 3)

    def question_share(self, number):
        """The same in every block."""
        return QUESTIONS


class DecoderRun(Run):
    """The state of a decoder's run."""

    def rate(self, name):
        """The learning rate of a parameter, relative to that of the layers."""
        return 1

    def layers(self):
        """What is compiled: the last layer reads one token only, and differs."""
        return self.model.model.layers[:-1]

    def weights(self):
        """The deeper the head, the more."""
        return self.model.head_layers

    def scores(self, batch):
        """Scores [heads, queries, candidates]."""
        scores = self.model.scores(batch.ids, batch.lengths - 1, torch.bfloat16)
        return scores.view(-1, *batch.scores.shape)

    def named(self, scores, batch):
        """The scores of each head."""
        return {f"layer {n}": s for n, s in zip(self.model.head_layers, scores, strict=True)}

    def export(self, folder):
        """Write the model."""
        save(self.model, folder, self.args.start, self.shipped())


def main():
    """Train the decoder."""
    args = parser_of(__doc__, "layerwise or Gemma-type folder", 1e-4, [64, 96, 144]).parse_args()
    torch.manual_seed(args.seed)
    model, layout = load_with_layout(args.start)
    model.model.embed_tokens.weight.requires_grad_(False)
    Attention.fused = args.device == "cuda"
    train(DecoderRun(args, model.to(args.device)), DecoderGroups(args.groups, layout, args))


if __name__ == "__main__":
    main()
