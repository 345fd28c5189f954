"""Writes a safetensors file again with its float32 tensors in float16.

    to_f16.py IN OUT
"""
import json
import sys

import numpy as np


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    entries, parts, end = {"__metadata__": {"format": "pt"}}, [], 0
    for name, info in sorted(header.items(), key=lambda entry: entry[1]["data_offsets"]):
        start, stop = info["data_offsets"]
        part, dtype = data[start:stop], info["dtype"]
        if dtype == "F32":
            part, dtype = np.frombuffer(part, np.float32).astype(np.float16).tobytes(), "F16"
        entries[name] = {"dtype": dtype, "shape": info["shape"], "data_offsets": [end, end + len(part)]}
        end += len(part)
        parts.append(part)
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(parts))


if __name__ == "__main__":
    main()
