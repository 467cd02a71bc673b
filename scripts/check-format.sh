#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Fails if a tracked C++ source is not as clang-format leaves it.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$(git ls-files '*.cpp' '*.h')
xargs --no-run-if-empty clang-format-22 --dry-run -Werror <<<"$sources"
