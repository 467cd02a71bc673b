#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs examples/roles on fresh inputs and compares with products in double precision.

    roles.py PLAN FOLDER
"""
import os
import secrets
import subprocess
import sys

import numpy as np

plan, folder = sys.argv[1:]
seed = int(os.environ.get("PBS_SEED", secrets.randbits(32)))
device = os.environ.get("PBS_TEST_DEVICE", "emulator")
print(f"seed {seed}")
random = np.random.default_rng(seed)


def bf16(*shape):
    """Random numbers that bf16 holds exactly."""
    bits = random.standard_normal(shape).astype(np.float32).view(np.uint32)
    return (bits & 0xFFFF0000).view(np.float32)


def run(entry, *arrays):
    command = ["pbs-launch", plan, f"--entry={entry}", f"--device={device}", f"--result={folder}/c.npy"]
    for i, array in enumerate(arrays):
        np.save(f"{folder}/{i}.npy", array)
        command.append(f"--arg={folder}/{i}.npy")
    if device == "emulator":
        command += ["--checks=all", "--seed=1..8"]
    subprocess.run(command, check=True)
    return np.load(f"{folder}/c.npy")


def compare(what, found, wanted):
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    print(f"{what}: largest error {error:.1e} of the largest value")
    assert found.shape == wanted.shape and error < 1e-5, what


for slices in (1, 3, int(random.integers(4, 9))):
    rows = int(random.integers(1, 300))
    a, b = bf16(slices, rows, 64), bf16(slices, 128, 64)
    wanted = np.einsum("tmk,tnk->mn", a.astype(float), b.astype(float))
    compare(f"product of {slices} slices, {rows} rows", run("product", a, b), wanted)

for length in (1, 128, int(random.integers(400, 900))):
    rows = int(random.integers(1, 200))
    a, keys = bf16(1, rows, 64), bf16(1, length, 64)
    permutation = random.permutation(length).astype(np.int32)
    padded = np.zeros((-(-length // 128) * 128, 64))
    padded[:length] = keys[0, permutation]
    wanted = a[0].astype(float) @ padded.reshape(-1, 128, 64).sum(0).T
    compare(f"{length} gathered keys, {rows} rows", run("gathered", a, keys, permutation), wanted)
