"""The BM25 of the first stage and of the hard negatives. Small and deterministic.

Tokens: Unicode NFKC and lower case; maximal runs of letters, marks and digits; a run is cut where it changes
between a script written without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar) and anything else; a piece in
such a script gives its overlapping pairs of characters, any other piece is one token. No stop words, no
stemming.

Score, the form that Lucene uses: the sum over the tokens t of the query of
    ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * |d| / avgdl))
"""

import unicodedata

K1 = 0.9
B = 0.4
UNSPACED_SCRIPTS = [
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # iteration and closing marks of Han, zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3134F),
]


def is_unspaced(char):
    """Whether the character belongs to a script written without spaces."""
    code = ord(char)
    return any(first <= code <= last for first, last in UNSPACED_SCRIPTS)


def pieces(text):
    """(piece, whether it is in an unspaced script) for every run of letters, marks and digits."""
    piece, unspaced = [], False
    for char in text:
        if unicodedata.category(char)[0] not in "LMN":
            if piece:
                yield "".join(piece), unspaced
            piece = []
            continue
        kind = is_unspaced(char)
        if piece and kind != unspaced:
            yield "".join(piece), unspaced
            piece = []
        unspaced = kind
        piece.append(char)
    if piece:
        yield "".join(piece), unspaced


def tokenize(text):
    """The tokens of a text."""
    tokens = []
    for piece, unspaced in pieces(unicodedata.normalize("NFKC", text).casefold()):
        if unspaced and len(piece) > 1:
            tokens += [piece[i : i + 2] for i in range(len(piece) - 1)]
        else:
            tokens.append(piece)
    return tokens


class Index:
    """Scores of one collection of texts for a query."""

    def __init__(self, texts):
        """Index the texts; needs the package bm25s."""
        import bm25s

        self.index = bm25s.BM25(method="lucene", k1=K1, b=B)
        self.index.index([tokenize(text) or [""] for text in texts], show_progress=False)

    def scores(self, query):
        """One score a text as a numpy array; None where no token of the query is known."""
        tokens = [token for token in tokenize(query) if token in self.index.vocab_dict]
        return self.index.get_scores(tokens) if tokens else None
