# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the kernel of ring.mlir on the emulator with all checks and compares with
NumPy; then plants the mistakes that no verifier knows (docs/spec-pbsgpu.md), each
of which must be reported as one of its hazards.

    check_ring.py RING_MLIR
"""
import os
import pathlib
import re
import subprocess
import sys

import numpy as np

FILL = "scf.for %v = %c0 to %n step %c1 {"
AWAIT = "%full = pbsgpu.await %ring[%v]"
RELEASE = "pbsgpu.release %full : !tile"
PRODUCT = "%next = pbsgpu.mma"


def release_if(condition):
    return f"%if = {condition}\n scf.if %if {{\n {RELEASE}\n }}\n"


# Name: what is replaced by what, and the hazards that may report it.
MISTAKES = {
    "a visit is never filled": (
        [(FILL, "%m = arith.subi %n, %c1 : index\n" + FILL.replace("%n", "%m"))], {"deadlock"}),
    "a copy is never awaited": (
        [(FILL, "%m = arith.addi %n, %c1 : index\n" + FILL.replace("%n", "%m"))], {"overwrite-in-flight"}),
    "later tiles are not released": (
        [(RELEASE, release_if("arith.cmpi slt, %v, %c1 : index"))], {"deadlock"}),
    "some warps do not release": (
        [(RELEASE, "%thread = gpu.thread_id x\n" + release_if("arith.cmpi ult, %thread, %c64 : index"))],
        {"deadlock", "divergence"}),
    "the first tile is released twice": (
        [(RELEASE, release_if("arith.cmpi slt, %v, %c1 : index") + release_if("arith.cmpi sge, %v, %c0 : index")
          .replace("%if", "%always"))],
        {"deadlock", "read-before-wait", "overwrite-in-flight", "race-proxy", "mbarrier"}),
    "a tile is released before it is read": (
        [(RELEASE, ""), (PRODUCT, release_if("arith.cmpi sge, %v, %c0 : index") + PRODUCT)],
        {"race-proxy", "read-before-wait"}),
    "a visit is left out": (
        [(AWAIT, "%w = arith.addi %v, %c2 : index\n" + AWAIT.replace("%v", "%w"))],
        {"read-before-wait", "uninitialised", "mbarrier", "deadlock", "race-proxy"}),
}


def launch(text, rows):
    """Compiles and runs the module `text`; whether it ends, and what is printed."""
    pathlib.Path("k.mlir").write_text(text)
    np.save("x.npy", rows)
    subprocess.run(["pbs-compile", "k.mlir", "--chip=sm_90a", "-o", "k.ptx"], check=True)
    result = subprocess.run(
        ["pbs-launch", "k.plan.json", "--checks=all", "--max-steps=10000000", "--arg=x.npy", "--result=y.npy"],
        capture_output=True, text=True)
    return result.returncode == 0, result.stderr


def main(path):
    seed = int(os.environ.get("PBS_SEED", int.from_bytes(os.urandom(4), "little")))
    random = np.random.default_rng(seed)
    visits = int(random.integers(4, 10))
    print(f"seed {seed}, {visits} visits")
    # Exact in bf16, and so are the sums in f32.
    rows = random.integers(-8, 9, (64 * visits, 64)).astype(np.float32)
    text = pathlib.Path(path).read_text()
    ends, messages = launch(text, rows)
    assert ends, messages
    blocks = rows.reshape(visits, 64, 64)
    assert np.array_equal(np.load("y.npy"), np.einsum("vik,vjk->ij", blocks, blocks))
    for name, (changes, hazards) in MISTAKES.items():
        changed = text
        for before, after in changes:
            assert changed.count(before) >= 1, (name, before)
            changed = changed.replace(before, after, 1)
        ends, messages = launch(changed, rows)
        found = set(re.findall(r"hazard: ([a-z-]+):", messages))
        print(f"{name}: {' '.join(sorted(found)) or messages}")
        assert not ends and found and found <= hazards, (name, messages)


if __name__ == "__main__":
    main(sys.argv[1])
