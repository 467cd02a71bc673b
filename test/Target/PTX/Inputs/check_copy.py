# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the plan of copy-tiles.mlir and compares every bit: tiles with zeros past the last row, and the copy.

    check_copy.py PLAN TYPE LAUNCHER...   such as pbs-launch --device=emulator
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np


def round_to(array, kind):
    """Random f32 that the element type holds exactly."""
    if kind == "f16":
        return array.astype(np.float16).astype(np.float32)
    return (array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def tiles_of(array):
    """(B, H, N, 128) as (B, H, tiles, 64, 128), with zeros past the last row."""
    batch, heads, length, columns = array.shape
    padded = np.zeros((batch, heads, -(-length // 64) * 64, columns), array.dtype)
    padded[:, :, :length] = array
    return padded.reshape(batch, heads, -1, 64, columns)


def main(plan, kind, *launcher):
    seed = int(os.environ.get("PBS_SEED", int.from_bytes(os.urandom(4), "little")))
    random = np.random.default_rng(seed)
    shape = int(random.integers(2, 4)), int(random.integers(2, 4)), int(random.integers(65, 200)), 128
    print(f"seed {seed}, {kind}, {shape}")
    x = round_to(random.standard_normal(shape, dtype=np.float32), kind)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        outputs = [folder / f"{name}.npy" for name in ("first", "second", "copy")]
        subprocess.run([*launcher[:1], plan, *launcher[1:], f"--arg={folder}/x.npy", *(f"--result={file}" for file in outputs)],
                       check=True)
        for file, expected in zip(outputs, (tiles_of(x), tiles_of(x), x)):
            np.testing.assert_array_equal(np.load(file), expected, file.stem)


if __name__ == "__main__":
    main(*sys.argv[1:])
