"""The inputs of the encoders, by model type."""

from typing import NamedTuple

from transformers import BertModel, XLMRobertaModel


class Layout(NamedTuple):
    """Special ids of a model type: [first query separator passage last], and whether the passage has type 1."""

    first: int
    separator: tuple
    last: int
    padding: int
    typed: bool
    """Position of the first token, and the class of a bi-encoder."""
    position: int
    encoder: type


LAYOUTS = {
    "xlm-roberta": Layout(
        0, (2, 2), 2, padding=1, typed=False, position=2, encoder=XLMRobertaModel
    ),
    "bert": Layout(101, (102,), 102, padding=0, typed=True, position=0, encoder=BertModel),
}
