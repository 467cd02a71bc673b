#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# fuzz.sh [SECONDS] [TARGET...]: builds the fuzz targets into build-fuzz/ and runs each, one
# after the other, for SECONDS (60). What a run learns stays in build-fuzz/corpus/TARGET for
# the next; inputs that crash are left in build-fuzz/crashes/. docs/fuzzing.md says more.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
if ! [[ $seconds =~ ^[0-9]+$ ]]; then
  echo "fuzz.sh: '$seconds' is no number of seconds; usage: fuzz.sh [SECONDS] [TARGET...]" >&2
  exit 1
fi
# Longest input in bytes: what a reader needs to reach all of its code.
declare -A longest=([plan]=8192 [npy]=512 [safetensors]=1024 [ptx]=4096 [mlir]=8192 [passes]=8192)
targets=("$@")
[ $# -gt 0 ] || targets=(plan npy safetensors ptx mlir passes)
for target in "${targets[@]}"; do
  if [ -z "${longest[$target]:-}" ]; then
    echo "fuzz.sh: no target '$target', there are: ${!longest[*]}" >&2
    exit 1
  fi
done

export CCACHE_SLOPPINESS=pch_defines,time_macros
mkdir -p build-fuzz/crashes
cmake --preset fuzz >build-fuzz/configure.log 2>&1 || { cat build-fuzz/configure.log >&2; exit 1; }
cmake --build build-fuzz --target "${targets[@]/#/fuzz-}"

# MLIR itself is built without sanitizers: what it puts into containers and arenas that our
# code has marked as unused would count as an error.
export ASAN_OPTIONS=detect_container_overflow=0:allow_user_poisoning=0
status=0
for target in "${targets[@]}"; do
  seeds=build-fuzz/seeds/$target corpus=build-fuzz/corpus/$target
  kept=${target/passes/mlir}
  mkdir -p "$corpus"
  /usr/bin/python3 test/Fuzz/seeds.py "$kept" "$seeds"
  echo "== $target, $seconds s"
  "build-fuzz/test/Fuzz/fuzz-$target" "$corpus" "test/Fuzz/corpus/$kept" "$seeds" \
    -dict="$seeds.dict" -max_total_time="$seconds" -max_len="${longest[$target]}" \
    -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/crashes/$target-" || status=1
done
exit $status
