#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Sets up, builds and runs the main job; `scripts/demo.sh --help` lists its options.
set -euo pipefail
for argument in "$@"; do
  case $argument in
    -h | --help)
      # Before anything is installed, even Python.
      cat <<'EOF'
usage: scripts/demo.sh [options]

Installs what is needed (Debian 12, as root), builds, and goes from q, k and v to the output: compiles the prefill of Llama
3.1 8B's attention, runs the same algorithm with fewer heads on the emulator, with and without the permutation, checks and
measures it, and draws what one head selected.

  --q=FILE, --k=FILE, --v=FILE  own data: FILE.npy or FILE.safetensors:NAME, (B, H, N, D); else test data of
  --q-heads=4 --kv-heads=1 --length=4096 --head-dim=128
  --seed=1                      of the test data
  --dtype=bf16|f16              element type (bf16)
  --top-p=0.9                   share of the scores that each query block keeps
  --segment=256, --block=128    keys of a segment and of a block
  --head=0                      query head of the picture
  --out=build/demo              folder for every file
  --help                        this text; nothing is installed
EOF
      exit
      ;;
  esac
done
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh
exec /usr/bin/python3 scripts/demo.py "$@"
