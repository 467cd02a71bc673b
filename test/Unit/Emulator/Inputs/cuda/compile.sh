#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Makes each .ptx here from the .cu beside it: what nvcc prints, below an SPDX line.
set -euo pipefail
cd "$(dirname "$0")"

compile() { # name, architecture, options
  nvcc --ptx --std=c++17 --gpu-architecture="$2" "${@:3}" --output-file "$1.tmp" "$1.cu"
  { echo '// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception'; cat "$1.tmp"; } > "$1.ptx"
  rm "$1.tmp"
}

for name in vector_sum reduction tiled_product mma_product warp_scan histogram cooperative_groups \
  stack_machine half_arithmetic math_functions; do
  compile $name compute_80
done
compile cluster_histogram compute_90
compile bulk_copy compute_90a
