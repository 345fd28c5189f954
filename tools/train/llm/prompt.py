"""The input of the decoder rerankers, as FlagEmbedding's classes build it."""

PROMPT = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query "
    "by providing a prediction of either 'Yes' or 'No'."
)
SEPARATOR = "\n"


class Layout:
    """Token ids of `[bos] A: query \\n B: passage \\n prompt`; every part is tokenized by itself."""

    def __init__(self, tokenizer, bos):
        """`tokenizer`: tokenizers.Tokenizer; `bos`: id of its first token."""
        self.tokenizer = tokenizer
        self.bos = bos
        self.separator = self.encode([SEPARATOR])[0]
        self.prompt = self.encode([PROMPT])[0]

    def encode(self, texts):
        """Ids of texts, without special tokens."""
        return [e.ids for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def queries(self, texts):
        """Ids of `A: query`."""
        return self.encode([f"A: {text}" for text in texts])

    def passages(self, texts):
        """Ids of `B: passage`."""
        return self.encode([f"B: {text}" for text in texts])

    def pair(self, query, passage, max_length, query_max_length=None):
        """The whole input. `max_length` counts bos, query, separator and passage and what the class adds to it."""
        query = query[: max_length * 3 // 4 if query_max_length is None else query_max_length]
        room = max_length + len(self.prompt) - 1 - len(query)
        passage = passage[: min(max_length, room)]
        return [self.bos, *query, *self.separator, *passage, *self.separator, *self.prompt]
