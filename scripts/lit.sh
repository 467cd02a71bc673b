#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Runs single lit tests, or folders of them: scripts/lit.sh test/Dialect/PBSGPU/walk-list.mlir [...]. Options go to lit; a failed
# test's commands and output are printed. PBS_BUILD names another folder than build/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath "${PBS_BUILD:-$root/build}")
arguments=()
for argument; do
  case $argument in
    -*) arguments+=("$argument") ;;
    *)
      path=$(realpath "$argument")
      if [[ ! -e $path || $path != "$root"/test/* ]]; then
        echo "lit.sh: $argument: no test of $root/test" >&2
        exit 1
      fi
      # lit finds its configuration in the build's folder of the same name.
      arguments+=("$build/$(realpath --relative-to="$root" "$path")")
      ;;
  esac
done
if [[ ! ${arguments[*]} ]]; then
  echo "usage: lit.sh TEST..." >&2
  exit 2
fi
if [[ ! -e $build/test/lit.site.cfg.py ]]; then
  echo "lit.sh: $build is not configured; run scripts/build.sh" >&2
  exit 1
fi
lit=$(sed --quiet 's/^PBS_LIT:[^=]*=//p' "$build/CMakeCache.txt")
exec "$(sed --quiet 's/^config\.python = "\(.*\)"$/\1/p' "$build/test/lit.site.cfg.py")" "$lit" -v "${arguments[@]}"
