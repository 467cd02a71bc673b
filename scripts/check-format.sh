#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Fails if a tracked C or C++ source is not as clang-format leaves it, or if a file that
# can hold a comment does not name its licence in the first two lines. Inputs for fuzzing are
# what they are.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$(git ls-files '*.cpp' '*.c' '*.h')
xargs --no-run-if-empty clang-format-22 --dry-run -Werror <<<"$sources"

status=0
while IFS= read -r file; do
  head --lines=2 "$file" | grep --quiet 'SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception' && continue
  echo "$file: names no licence: its first line must be an SPDX line" >&2
  status=1
done < <(git ls-files -- ':!LICENSE' ':!*.json' ':!*.png' ':!test/Fuzz/corpus')
exit $status
