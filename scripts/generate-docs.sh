#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# generate-docs.sh [--check]: writes the reference pages docs/Dialects/*.md and
# docs/Passes.md from the TableGen sources. With --check it writes nothing and
# fails if the pages are not what the sources give.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$*" != "" ] && [ "$*" != "--check" ]; then
  echo "usage: generate-docs.sh [--check]" >&2
  exit 2
fi
target=$(mktemp --directory)
trap 'rm --recursive "$target"' EXIT

tablegen() { mlir-tblgen-22 -I include -I "$(llvm-config-22 --includedir)" "$@"; }
page() { scripts/reference_page.py "$@"; }

mkdir --parents "$target/Dialects"
for ops in include/pbs/Dialect/*/IR/; do
  dialect=$(basename "$(dirname "$ops")")
  {
    tablegen -gen-dialect-doc -dialect="${dialect,,}" "$ops${dialect}Ops.td"
    if [ -e "$ops${dialect}Interfaces.td" ]; then
      tablegen -gen-attr-interface-docs "$ops${dialect}Interfaces.td"
    fi
  } | page dialect "$ops" >"$target/Dialects/$dialect.md"
done

while IFS= read -r file; do
  tablegen -gen-pass-doc "$file"
done < <(find include/pbs -name Passes.td | sort) | page passes 'include/pbs/**/Passes.td' >"$target/Passes.md"

if [ "$*" = "" ]; then
  rm --recursive --force docs/Dialects
  cp --recursive "$target/." docs
  exit
fi
status=0
diff --unified docs/Passes.md "$target/Passes.md" || status=1
diff --unified --recursive --new-file docs/Dialects "$target/Dialects" || status=1
[ $status -eq 0 ] || echo "The reference pages are not what TableGen gives; write them with scripts/generate-docs.sh" >&2
exit $status
