# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the kernel of reductions.mlir on the emulator and compares with NumPy.

Every thread has the same bits: lanes combine in pairs, 16 apart first, and
warps in order.
"""
import functools
import os
import subprocess
import sys

import numpy as np


def of_warps(combine, rows):
    """Each lane's result, (rows, warps, 32)."""
    values = rows.reshape(rows.shape[0], -1, 32)
    for distance in (16, 8, 4, 2, 1):
        values = combine(values, values[:, :, np.arange(32) ^ distance])
    return values


def of_cta(combine, rows):
    warps = of_warps(combine, rows)[:, :, 0]
    return functools.reduce(combine, np.moveaxis(warps, 1, 0))


def main(plan, threads):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}, {threads} threads")
    random = np.random.default_rng(seed)
    rows = int(random.integers(2, 6))
    x = random.standard_normal((rows, threads)).astype(np.float32)
    # Minima and maxima leave NaN out, unless there is nothing else.
    x[0, random.integers(0, threads, 5)] = np.nan
    x[1] = np.nan
    n = random.integers(-(2**31), 2**31, (rows, threads)).astype(np.int32)
    # Something is left of the conjunction, and of the disjunction.
    n[0] |= 0x00010100
    n[1] &= 0x7FF7EFFF
    np.save("x.npy", x)
    np.save("n.npy", n)
    subprocess.run(
        ["pbs-launch", plan, "--device=emulator", "--arg=x.npy", "--arg=n.npy"]
        + [f"--result={name}.npy" for name in ("reals", "integers", "counters")],
        check=True,
    )

    def check(name, kinds, rows_of):
        found = np.load(name + ".npy")
        expected = []
        for reduce in (of_warps, of_cta):
            for combine in kinds:
                result = reduce(combine, rows_of).reshape(rows, -1)
                expected.append(np.broadcast_to(result, (rows, threads)))
        expected = np.stack(expected, axis=1)
        # NaN is NaN, whatever its bits; all else is equal to the bit.
        wrong = np.argwhere(~((found == expected) | ((found != found) & (expected != expected))))
        assert found.shape == expected.shape, (name, found.shape)
        assert not len(wrong), (name, wrong[0], found[tuple(wrong[0])], expected[tuple(wrong[0])])

    with np.errstate(over="ignore"):
        check("reals", (np.add, np.fmin, np.fmax), x)
        check("integers", (np.add, np.minimum, np.maximum, np.bitwise_and, np.bitwise_or), n)
        counters = np.zeros(8, np.int32)
        np.add.at(counters, n.ravel() & 7, n.ravel())
    found = np.load("counters.npy")
    assert (found == counters).all(), (found, counters)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
