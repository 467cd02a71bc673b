#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# assemble.sh PTXAS OPTIONS-OF-PBS-GEN...: what ptxas says of the kernels, for
# each chip that they are for.
set -euo pipefail
ptxas=$1
shift
for chip in sm_80 sm_90a; do
  pbs-gen "$@" | pbs-compile - -o out.ptx --chip="$chip"
  echo "$* $chip"
  "$ptxas" -v -arch="$chip" out.ptx -o out.cubin 2>&1
done
