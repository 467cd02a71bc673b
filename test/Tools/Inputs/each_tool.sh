#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# each_tool.sh OUTPUT ARGUMENTS...: runs every tool with the arguments and its standard output going to OUTPUT, and prints
# what each says of errors, and its exit status.
output=$1
shift
for tool in pbs-compile pbs-gen pbs-launch pbs-lsp-server pbs-opt pbs-run; do
  "$tool" "$@" 2>&1 > "$output" < /dev/null
  echo "$tool: exit $?"
done
