#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs what the build and the tests need, from Debian's packages.
set -euo pipefail

packages=(
  cmake ninja-build ccache git pkgconf
  g++ clang-22 libclang-rt-22-dev lld-22 clang-format-22 clang-tidy-22
  llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  zlib1g-dev libzstd-dev
  nlohmann-json3-dev libjansson-dev libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-numpy python3-matplotlib
  python3-pip python3-setuptools python3-venv python3-wheel
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null |
    grep --quiet --line-regexp installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id --user)" -ne 0 ]; then
  echo "setup.sh: run as root to install: ${missing[*]}" >&2
  exit 1
fi
apt-get update --quiet
DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
