#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Configures and builds into build/; binaries are in build/bin.
set -euo pipefail
cd "$(dirname "$0")/.."
# ccache may reuse objects of sources that were built with precompiled headers.
export CCACHE_SLOPPINESS=pch_defines,time_macros
cmake --preset default
cmake --build --preset default "$@"
