#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Writes the plans and PTX that bench/peers.py measures to a folder, for sm_80 and sm_90a: attention over given lists, without a
# permutation and with one for each query head, with the pipeline's own tiling and others (NAME-wWARPSkKEYS); and the whole
# prefill. With --ablation also attention without a permutation with each optional pass off (NAME-no-PASS), for sm_90a. With
# --wide also with keys for each query head, with key blocks of 64, and with query blocks of 192. Needs pbs-gen, pbs-opt and
# pbs-compile on the PATH, and no GPU.
#
#   bench/compile_peers_plans.sh OUT [--tiling=WARPSxKEYS]... [--ablation] [--wide] [--expected-density=SHARE] [--top-p=P]
#                                    [--q-heads=N] [--kv-heads=N] [--head-dim=N] [--dtype=bf16|f16]
set -euo pipefail
usage() {
  sed --quiet '3,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"
  exit "$1"
}

out="" tilings=() density=0.6 top_p=0.9 shape=() heads=32 groups=() ablation="" wide=""
for argument; do
  case $argument in
    --help) usage 0 ;;
    --tiling=*x*) tilings+=("${argument#*=}") ;;
    --ablation) ablation=1 ;;
    --wide) wide=1 ;;
    --expected-density=*) density=${argument#*=} ;;
    --top-p=*) top_p=${argument#*=} ;;
    --q-heads=*) shape+=("$argument") heads=${argument#*=} ;;
    --kv-heads=*) groups=("$argument") ;;
    --head-dim=* | --dtype=*) shape+=("$argument") ;;
    -*) usage 2 >&2 ;;
    *) out=$argument ;;
  esac
done
[[ $out ]] || usage 2 >&2
mkdir --parents "$out"

module=$(mktemp)
trap 'rm --force "$module" "$module.pbsgpu"' EXIT
for permutation in none per-query-head; do
  pbs-gen --stages=attention --permutation=$permutation "${shape[@]}" "${groups[@]}" >"$module"
  for chip in sm_80 sm_90a; do
    pbs-compile "$module" -o "$out/attention-$permutation.$chip.ptx" --chip=$chip
    for tiling in "${tilings[@]}"; do
      warps=${tiling%x*} keys=${tiling#*x}
      pbs-compile "$module" --schedule="warps=$warps,key-tile=$keys" -o "$out/attention-$permutation-w${warps}k$keys.$chip.ptx" --chip=$chip
    done
  done
done
plain=(--stages=attention --permutation=none "${shape[@]}")
if [[ $ablation ]]; then
  for pass in $(pbs-compile --help | sed --quiet 's/^ *\([a-z-]*\)=on|off: .*/\1/p'); do
    pbs-gen "${plain[@]}" "${groups[@]}" | pbs-compile - --schedule="$pass=off" -o "$out/attention-none-no-$pass.sm_90a.ptx" --chip=sm_90a
  done
fi
if [[ $wide ]]; then
  pbs-gen "${plain[@]}" --kv-heads="$heads" | pbs-compile - -o "$out/attention-none-copies.sm_90a.ptx" --chip=sm_90a
  pbs-gen "${plain[@]}" "${groups[@]}" --block=64 --query-block=128 |
    pbs-compile - -o "$out/attention-none-k64.sm_90a.ptx" --chip=sm_90a
  pbs-gen "${plain[@]}" "${groups[@]}" --query-block=192 |
    pbs-compile - -o "$out/attention-none-q192.sm_90a.ptx" --chip=sm_90a
fi
pbs-gen --top-p="$top_p" --expected-density="$density" "${shape[@]}" "${groups[@]}" >"$module"
for chip in sm_80 sm_90a; do
  pbs-compile "$module" -o "$out/prefill-per-query-head.$chip.ptx" --chip=$chip
done
