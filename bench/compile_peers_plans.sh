#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Writes the plans and PTX that bench/peers.py measures to a folder, for sm_80 and sm_90a: attention over given lists, without a
# permutation and with one for each query head, with the pipeline's own tiling and others (NAME-wWARPSkKEYS); and the whole
# prefill. Needs pbs-gen, pbs-opt and pbs-compile on the PATH, and no GPU.
#
#   bench/compile_peers_plans.sh OUT [--tiling=WARPSxKEYS]... [--expected-density=SHARE] [--top-p=P]
#                                    [--q-heads=N] [--kv-heads=N] [--head-dim=N] [--dtype=bf16|f16]
set -euo pipefail
usage() {
  sed --quiet '3,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"
  exit "$1"
}

out="" tilings=() density=0.6 top_p=0.9 shape=()
for argument; do
  case $argument in
    --help) usage 0 ;;
    --tiling=*x*) tilings+=("${argument#*=}") ;;
    --expected-density=*) density=${argument#*=} ;;
    --top-p=*) top_p=${argument#*=} ;;
    --q-heads=* | --kv-heads=* | --head-dim=* | --dtype=*) shape+=("$argument") ;;
    -*) usage 2 >&2 ;;
    *) out=$argument ;;
  esac
done
[[ $out ]] || usage 2 >&2
[[ ${tilings[*]} ]] || tilings=(4x64)
mkdir --parents "$out"

module=$(mktemp)
trap 'rm --force "$module" "$module.pbsgpu"' EXIT
for permutation in none per-query-head; do
  pbs-gen --stages=attention --permutation=$permutation "${shape[@]}" >"$module"
  for chip in sm_80 sm_90a; do
    pbs-compile "$module" -o "$out/attention-$permutation.$chip.ptx" --chip=$chip
    for tiling in "${tilings[@]}"; do
      warps=${tiling%x*} keys=${tiling#*x}
      pbs-compile "$module" --schedule="warps=$warps,key-tile=$keys" -o "$out/attention-$permutation-w${warps}k$keys.$chip.ptx" --chip=$chip
    done
  done
done
pbs-gen --top-p="$top_p" --expected-density="$density" "${shape[@]}" >"$module"
for chip in sm_80 sm_90a; do
  pbs-compile "$module" -o "$out/prefill-per-query-head.$chip.ptx" --chip=$chip
done
