#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# tidy.sh [BUILD]: runs clang-tidy over the C++ sources that differ from main,
# or from the branch that PBS_TIDY_BASE names. BUILD has compile_commands.json.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
base=$(git merge-base "${PBS_TIDY_BASE:-main}" HEAD)
sources=$(git diff --name-only --diff-filter=d "$base" -- '*.cpp'
          git ls-files --others --exclude-standard -- '*.cpp')
if [ -z "$sources" ]; then
  echo "tidy.sh: no C++ source differs from ${PBS_TIDY_BASE:-main}"
  exit 0
fi
xargs clang-tidy-22 --quiet --warnings-as-errors='*' -p "$build" <<<"$sources"
