#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Packs what a GPU host without LLVM needs to check the project there: compiled plans, the runtime's sources, tests with
# their seed and expected results, benchmarks. On the host, gpu-check.sh in the folder is the one command.
#
#   scripts/gpu-bundle.sh [--only=REGEX] OUT
#
# OUT must not exist. With --only the bundle has the integration tests whose names match, and no Python tests, plans or
# benchmarks: enough to check that bundles build. Needs a built tree, in PBS_BUNDLE_BUILD if not in build. PBS_BUNDLE_PYTHON
# names a Python with PyTorch and transformers, without which what their tests compile is not in the bundle; PBS_SEED the seed
# of all tests.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=${PBS_BUNDLE_BUILD:-$root/build}
only=
is_small=
case ${1:-} in --only=*)
  only=${1#--only=}
  is_small=1
  shift
esac
[ $# -eq 1 ] || { echo "usage: gpu-bundle.sh [--only=REGEX] OUT" >&2; exit 1; }
[ ! -e "$1" ] || { echo "gpu-bundle.sh: $1 exists" >&2; exit 1; }
[ -x "$build/bin/pbs-run" ] && [ -e "$build/gpu-bundle.json" ] ||
  { echo "gpu-bundle.sh: $build has no tools and tests; scripts/build.sh makes them" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
log=$out.log
python=${PBS_BUNDLE_PYTHON:-/usr/bin/python3}
seed=${PBS_SEED:-$SRANDOM}
maximum=$((40 << 20))

cd "$root"
git ls-files -z LICENSE runtime tools/common tools/pbs-launch python test/Integration test/Reference test/Python \
  test/Target/PTX/Inputs/copy-tiles.mlir test/Unit/Runtime scripts/make_inputs.py scripts/gpu_bundle bench examples \
  cmake/pbs-runtime.pc.in |
  xargs -0 cp --parents --target-directory="$out"
mkdir -p "$out/third_party"
cp -r /usr/include/nlohmann "$out/third_party/"
cp -r /usr/src/googletest/googletest /usr/src/googletest/googlemock "$out/third_party/"
rm -rf "$out"/third_party/*/{test,docs,samples} "$out"/bench/results
cp "$build/gpu-bundle.json" "$out/"
cp scripts/gpu_bundle/gpu-check.sh "$out/gpu-check.sh"
/usr/bin/python3 scripts/gpu_bundle/recorded_tools.py "$out/bin"
/usr/bin/python3 -c 'import json, sys; print(json.dumps(dict(zip(("commit", "date", "only", "seed"), sys.argv[1:4] + [int(sys.argv[4])]))))' \
  "$(git rev-parse --short HEAD)" "$(date +%F)" "$only" "$seed" >"$out/bundle.json"

# Every test runs here once, so that all it asks of the compiler is kept.
export PBS_SEED=$seed PBS_RECORD=$out/recorded PBS_RECORD_TOOLS=$build/bin PYTHONDONTWRITEBYTECODE=1
export PATH=$out/bin:$PATH
echo "seed $seed; recording the integration tests"
/usr/bin/python3 scripts/gpu_bundle/run_integration.py --seed="$seed" --only="$only" >"$log" || { tail -50 "$log" >&2; exit 1; }
[ -z "$is_small" ] || exit 0
echo "recording the Python tests"
(
  cd test/Python
  export PBS_HOME=$out PYTHONPATH=$root/python PBS_RUNTIME_LIBRARY=$build/lib/libpbs_runtime.so.1
  export PBS_RECORD_CHIPS="sm_80 sm_90a sm_100a sm_120a" PBS_TEST_DEVICE=emulator
  for test in test_*.py; do
    PBS_CACHE_DIR=$(mktemp -d) "$python" -m unittest "${test%.py}" >>"$log" 2>&1 || { tail -50 "$log" >&2; exit 1; }
  done
  if "$python" -c "import transformers" 2>/dev/null; then
    PBS_CACHE_DIR=$(mktemp -d) PBS_DEVICE=emulator "$python" "$root/examples/python/llama.py" >>"$log" 2>&1
  fi
)
unset PBS_RECORD

echo "compiling plans"
export PATH=$build/bin:$PATH
mkdir -p "$out/plans"
pbs-gen --q-heads=4 --kv-heads=1 | pbs-compile - -o "$out/plans/prefill.ptx"
pbs-gen --q-heads=4 --kv-heads=1 --dtype=f16 | pbs-compile - -o "$out/plans/prefill-f16.ptx"
/usr/bin/python3 scripts/make_inputs.py --seed="$seed" --q-heads=4 --kv-heads=1 --key-length=1000 --out="$out/plans"
bench/compile_peers_plans.sh "$out/bench/plans" >>"$log"
find "$out" -name __pycache__ -prune -exec rm -rf {} +
size=$(du --summarize --bytes "$out" | cut -f1)
echo "$out: $((size >> 20)) MiB, $(ls "$out/recorded" | wc -l) recordings"
[ "$size" -le "$maximum" ] || { echo "gpu-bundle.sh: larger than 40 MiB" >&2; exit 1; }
