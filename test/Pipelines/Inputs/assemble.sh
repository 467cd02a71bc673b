#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# assemble.sh PTXAS OPTIONS-OF-PBS-GEN...: what ptxas says of attention, for each
# chip that the kernels are for.
set -euo pipefail
ptxas=$1
shift
for chip in sm_80 sm_90a; do
  pbs-gen --stages=attention "$@" | pbs-compile - -o attention.ptx --chip="$chip"
  echo "$* $chip"
  "$ptxas" -v -arch="$chip" attention.ptx -o attention.cubin 2>&1
done
