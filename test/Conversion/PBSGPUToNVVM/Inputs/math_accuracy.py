# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles each function of the math dialect that kernels know, runs it on the emulator, and compares with libm.

Exact forms are within 1e-6 of the result; forms with fastmath<afn> within what the PTX ISA states of their instruction.
Results and arguments below the smallest normal number count as zero, as kernels flush them.
"""
import os
import subprocess
import tempfile

import numpy as np

MODULE = """
gpu.module @kernels {
  pbsgpu.kernel @function(%in: memref<?xf32>, %out: memref<?xf32>) warps = 4 {
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %threads = arith.constant 128 : index
    %first = arith.muli %block, %threads : index
    %i = arith.addi %first, %thread : index
    %x = memref.load %in[%i] : memref<?xf32>
    %y = math.NAME %x FLAGS : f32
    memref.store %y, %out[%i] : memref<?xf32>
    pbsgpu.return
  }
}
pbsgpu.plan @function {
  %n = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %threads = arith.constant 128 : index
  %blocks = arith.floordivsi %n, %threads : index
  %in = pbsgpu.argument "in" input [%n] align 4 : memref<?xf32>
  %out = pbsgpu.argument "out" output [%n] align 4 : memref<?xf32>
  pbsgpu.launch @kernels::@function grid(%blocks, %c1, %c1)
    arguments(%in, %out : memref<?xf32>, memref<?xf32>)
}
"""
COUNT = 128 * 512
SMALLEST = np.finfo(np.float32).tiny
EXACT = 1e-6

seed = int.from_bytes(os.urandom(4), "little")
print("seed", seed)
random = np.random.default_rng(seed)


def samples(low, high):
    """Edges, numbers of every size, and numbers evenly from low to high."""
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.25, 0.55, -0.55, 0.75, 1.25, 88, -88, 104, -104, 1e-30, 3e38]
    sizes = np.exp(random.uniform(np.log(SMALLEST), np.log(3e38), COUNT // 4)) * random.choice([-1, 1], COUNT // 4)
    near_one = 1 + random.standard_normal(COUNT // 4) * 1e-3
    even = random.uniform(low, high, COUNT - len(edges) - len(sizes) - len(near_one))
    return np.concatenate([edges, sizes, near_one, even]).astype(np.float32)


def flush(values):
    return np.where(np.abs(values) < SMALLEST, 0, values)


def check(name, function, low, high, flags="", relative=EXACT, absolute=0):
    x = samples(low, high)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        text = MODULE.replace("NAME", name).replace("FLAGS", flags)
        subprocess.run(["pbs-compile", "-", "-o", f"{folder}/f.ptx"], input=text, text=True, check=True)
        subprocess.run(["pbs-launch", f"{folder}/f.plan.json", f"--arg={folder}/x.npy", f"--result={folder}/y.npy"],
                       check=True)
        y = np.load(f"{folder}/y.npy")
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = function(wide)
        rounded = flush(expected.astype(np.float32))
        # What rounds to infinity or zero may as well be the last number before it.
        expected = np.where(np.isfinite(expected), flush(expected), expected)
        error = np.abs(y - expected)
        bound = relative * np.abs(expected) + absolute
        good = (error <= bound) | (y == rounded) | (np.isnan(y) & np.isnan(expected))
        near_end = (np.abs(expected) > 3.4e38) & np.isinf(y) | (np.abs(expected) < 1.2e-38) & (y == 0)
        worst = np.nanmax(np.where(np.isfinite(error) & (expected != 0), error / np.abs(expected), 0))
    good |= near_end
    print(f"{name} {flags}: largest relative error {worst:.2e}")
    bad = np.flatnonzero(~good)
    assert not bad.size, f"{name}({x[bad[0]]!r}) = {y[bad[0]]!r}, not {expected[bad[0]]!r}; {bad.size} in all"


AFN = "fastmath<afn>"
check("absf", np.abs, -9, 9, relative=0)
check("sqrt", np.sqrt, 0, 9)
check("rsqrt", lambda x: 1 / np.sqrt(x), 0, 9)
check("exp2", np.exp2, -30, 30)
check("exp", np.exp, -90, 90)
check("log2", np.log2, 0.5, 2)
check("log", np.log, 0.5, 2)
check("tanh", np.tanh, -3, 3)
check("sqrt", np.sqrt, 0, 9, AFN)
check("rsqrt", lambda x: 1 / np.sqrt(x), 0, 9, AFN)
check("exp2", np.exp2, -30, 30, AFN)
# The product with log2(e) is rounded first: its error grows with x.
check("exp", np.exp, -90, 90, AFN, relative=1e-5)
for name, function in (("log2", np.log2), ("log", np.log)):
    check(name, function, 0.5, 2, AFN, absolute=2.0**-22)
check("tanh", np.tanh, -3, 3, AFN, relative=2.0**-11)
