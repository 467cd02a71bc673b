# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The comparison of traffic_case.py for kernels that no module of pbs-gen has: given masks, scores that are returned, the
identity, and a sort of its own. Sizes and data are fresh; --seed repeats a failure."""
import pathlib
import secrets
import sys
import tempfile

import numpy as np

from traffic_case import counted, predicted, run

seed = int(sys.argv[1].removeprefix("--seed=")) if len(sys.argv) > 1 else secrets.randbits(32)
random = np.random.default_rng(seed)
keys = int(random.integers(1, 1200))
queries = int(random.integers(1, keys + 1))
print(f"seed {seed}: {queries} queries, {keys} keys")
rows = "tensor<?x4x?x64xf32>"
permutation = "!pbs.permutation<heads = 4, segment = 256>"
selection = "!pbs.selection<128x128>"
MODULE = f"""
func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %importance: tensor<?x4x?xf32>, %mask: tensor<?x4x?x?xi1>)
    -> (tensor<?x4x?x?xf32>, {selection}, {selection}, {selection}, {permutation}) {{
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x4x?x64xbf16>
  %nq = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
  %n = tensor.dim %k, %c2 : tensor<?x2x?x64xbf16>
  %identity = pbs.identity_permutation %b, %n : {permutation}
  %p = pbs.segment_sort %importance : tensor<?x4x?xf32> -> {permutation}
  %qb = pbs.pool %q max block = 128 : tensor<?x4x?x64xbf16> -> {rows}
  %kb = pbs.pool %k permutation(%p) mean block = 128 : tensor<?x2x?x64xbf16>, {permutation} -> {rows}
  %scores = pbs.block_scores %qb, %kb lengths(%nq, %n) blocks = [128, 128] segment = 256 scale = 0.125 causal
    : {rows}, {rows} -> tensor<?x4x?x?xf32>
  %s0 = pbs.select %scores lengths(%nq, %n) permutation(%p) rule = #pbs.top_k<2> segment = 256 causal
    : tensor<?x4x?x?xf32>, {permutation} -> {selection}
  %s1 = pbs.selection_from_mask %mask lengths(%nq, %n) permutation(%p) causal
    : tensor<?x4x?x?xi1>, {permutation} -> {selection}
  %s2 = pbs.full_selection %b lengths(%nq, %n) permutation(%p : {permutation}) heads = 4 window = 200 : {selection}
  return %scores, %s0, %s1, %s2, %identity : tensor<?x4x?x?xf32>, {selection}, {selection}, {selection}, {permutation}
}}
"""


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "in.mlir").write_text(MODULE)
    run("pbs-compile", folder / "in.mlir", "-o", folder / "out.ptx", f"--dump-phases={folder}")
    arrays = [random.standard_normal((2, heads, length, 64)).astype(np.float32) for heads, length in ((4, queries), (2, keys))]
    arrays.append(random.random((2, 4, keys), np.float32))
    arrays.append(random.random((2, 4, -(-queries // 128), -(-keys // 128))) < 0.5)
    launch = ["pbs-launch", folder / "out.plan.json", "--device=emulator", "--profile"]
    for index, array in enumerate(arrays):
        np.save(folder / f"{index}.npy", array)
        launch.append(f"--arg={folder / str(index)}.npy")
    actual = counted(run(*launch).stdout)
    table = run("pbs-opt", folder / "0-pbs.mlir", "-o", "/dev/null",
                f"--pbs-print-traffic=batch=2 query-length={queries} key-length={keys}").stderr
assert len(actual) == 8, actual
if actual != predicted(table):
    sys.exit(f"{table}\nfound {actual}")
