# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the kernel of emulate.mlir on the emulator and compares with NumPy.

out = maxima of the rows, product = A B^T B with the rows of B gathered through
a permutation; both products are of bf16 or f16 with f32 sums.
"""
import os
import subprocess
import sys

import numpy as np


def round_to(array, kind):
    """To the element type, kept as f32."""
    if kind == "f16":
        return array.astype(np.float16).astype(np.float32)
    bits = array.astype(np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def main(plan, kind, rows, keys):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}, {kind}, {rows} rows, {keys} keys")
    random = np.random.default_rng(seed)
    a = round_to(random.standard_normal((rows, 128)), kind)
    b = round_to(random.standard_normal((keys, 128)), kind)
    permutation = random.permutation(keys).astype(np.int32)
    for name, array in (("a", a), ("b", b), ("p", permutation)):
        np.save(name + ".npy", array)
    subprocess.run(
        ["pbs-launch", plan, "--device=emulator", "--arg=a.npy", "--arg=b.npy", "--arg=p.npy",
         "--result=product.npy", "--result=maxima.npy"],
        check=True,
    )
    # Places past the last key read as zero rows of B.
    gathered = np.zeros((64, 128))
    gathered[:keys] = b[permutation].astype(np.float64)
    scores = a.astype(np.float64) @ gathered.T
    maxima = scores.max(axis=1)
    product = round_to(scores, kind).astype(np.float64) @ gathered

    def check(name, expected, tolerance):
        found = np.load(name + ".npy").astype(np.float64)
        assert found.shape == expected.shape, (name, found.shape, expected.shape)
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        print(f"{name}: relative error {error:.1e}")
        assert error <= tolerance, (name, error)

    check("maxima", maxima, 1e-6)
    # One rounding to the element type at the end and some different ones of the
    # scores, whose f32 sums round differently.
    check("product", product, 5e-3 if kind == "bf16" else 1e-3)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
