#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Builds the runtime in this folder and runs every test of the bundle on the GPU: see scripts/gpu_bundle/check.py --help.
exec python3 "$(dirname "$0")/scripts/gpu_bundle/check.py" "$@"
