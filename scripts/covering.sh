#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Runs the algorithm and each of its stages on the emulator over many pairwise covering arrays, and the directed cases.
#
#   scripts/covering.sh [seconds] [seed]
#
# For so many seconds, 600 if not given, each array with a seed of its own, which counts up from the given or a fresh
# one. A report of a failure holds the options that repeat its row, with build/bin in PATH:
# test/Integration/Inputs/algorithm_case.py --seed=S --row=R, or stages_case.py; of directed_cases.py --seed=S and the
# group. PBS_COVERING_JOBS is the number of rows at a time, 2 if not given.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-600}
seed=${2:-$((SRANDOM % 1000000000))}
jobs=${PBS_COVERING_JOBS:-2}
export PATH=$root/build/bin:$PATH

end=$((SECONDS + seconds))
failed=0
while (( SECONDS < end )); do
  for script in algorithm_case.py stages_case.py; do
    left=$((end - SECONDS))
    (( left > 0 )) || break
    echo "$script --seed=$seed"
    /usr/bin/python3 "$root/test/Integration/Inputs/$script" --seed="$seed" --jobs="$jobs" --seconds="$left" || failed=1
  done
  echo "directed_cases.py --seed=$seed"
  /usr/bin/python3 "$root/test/Integration/Inputs/directed_cases.py" --seed="$seed" equal_keys equal_scores one_block shares \
    capacity lengths chunks windows not_finite || failed=1
  seed=$((seed + 1))
done
exit $failed
