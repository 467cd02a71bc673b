# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""The module of pbs-gen, every stage of it, over shapes and options."""
import pathlib
import subprocess
import tempfile

import numpy as np

import harness
import twin

random = harness.make_random()


def rule_of(flag):
    """The twin's rule for a flag of pbs-gen."""
    name, _, number = flag.partition("=")
    return twin.rule_named(name[2:], float(number) if number else None)


def check(batch, q_heads, kv_heads, queries, keys, depth, dtype, permutation, causal, rule, segment=256, pooling="mean", capacity=None, window=None, blocks=(128, 128), row_stride=None):
    what = f"check{(batch, q_heads, kv_heads, queries, keys, depth, dtype, permutation, causal, rule, segment, pooling, capacity, window, blocks, row_stride)}"
    module = subprocess.run(
        ["pbs-gen", f"--q-heads={q_heads}", f"--kv-heads={kv_heads}", f"--head-dim={depth}", f"--dtype={dtype}",
         f"--query-block={blocks[0]}", f"--block={blocks[1]}", f"--segment={segment}", rule, f"--permutation={permutation}",
         *([f"--pooling={pooling}"] if row_stride is None else ["--score=rows", f"--score-stride={row_stride}"])]
        + ["--no-causal"] * (not causal) + [f"--capacity={capacity}"] * (capacity is not None)
        + [f"--window={window}"] * (window is not None), check=True, text=True, capture_output=True).stdout
    q, k, v = harness.make_inputs(random.integers(2**32), batch, q_heads, kv_heads, queries, keys, depth, dtype)
    geometry = twin.Geometry(queries, keys, *blocks, segment, causal, window)
    expected = twin.prefill(q, k, v, geometry, permutation, rule_of(rule), pooling=pooling, capacity=capacity,
                            row_stride=row_stride)
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder) / "dump"
        out, lse, *cut = harness.run(module, [q, k, v], 2 if capacity is None else 3, [f"--dump-intermediates={dump}"])
        dumped = {file.stem: np.load(file) for file in dump.iterdir()}
    assert set(dumped) == set(expected) - {"listed", "out", "lse", "cut"}, what
    for name in ("permutation", "counts", "indices"):
        if name in dumped:
            harness.assert_equal(dumped[name], expected[name], f"{name} {what}")
    for name in ("importance", "scores"):
        if name in dumped:
            harness.assert_close(dumped[name], expected[name], f"{name} {what}")
    harness.assert_close(out, expected["out"], f"out {what}")
    harness.assert_close(lse, expected["lse"], f"lse {what}")
    if capacity is not None:
        harness.assert_equal(cut[0], expected["cut"], f"cut {what}")


check(1, 1, 1, 1, 1, 64, "bf16", "per-query-head", True, "--top-p=0.9")
check(1, 4, 1, 100, 100, 128, "bf16", "per-query-head", True, "--top-p=0.9")
check(1, 4, 1, 256, 256, 64, "f16", "per-kv-head", True, "--top-p=0.5")
check(2, 4, 4, 700, 700, 64, "bf16", "per-query-head", True, "--top-p=0.9")
check(1, 8, 1, 1100, 1100, 128, "bf16", "per-kv-head", True, "--top-p=0.5")
check(1, 8, 2, 200, 1400, 64, "f16", "per-query-head", True, "--top-p=0.9")
check(2, 2, 1, 1, 1025, 128, "bf16", "per-query-head", True, "--top-p=0.0")
check(1, 4, 1, 900, 1300, 64, "bf16", "none", True, "--top-p=0.9")
check(1, 4, 2, 600, 600, 64, "f16", "per-query-head", False, "--top-p=0.5")
check(1, 2, 2, 300, 1000, 128, "bf16", "none", False, "--top-p=1.0")
check(1, 2, 1, 1200, 1200, 64, "bf16", "per-query-head", True, "--top-p=1.0", segment=512)
check(1, 2, 1, 1000, 2100, 64, "bf16", "per-kv-head", False, "--top-p=0.0", segment=1024)
check(1, 4, 2, 900, 1400, 64, "bf16", "per-query-head", True, "--top-k=2")
check(1, 2, 1, 700, 900, 64, "bf16", "per-kv-head", False, "--top-k=0")
check(1, 2, 1, 1, 1200, 64, "f16", "per-query-head", True, "--all")
check(1, 4, 2, 1000, 1300, 64, "bf16", "per-query-head", True, "--top-p=0.5", pooling="max")
check(2, 4, 2, 1500, 1600, 64, "bf16", "per-query-head", True, "--all", capacity=6)
check(1, 4, 1, 1200, 1200, 64, "bf16", "per-kv-head", False, "--top-p=0.9", segment=128, capacity=3)
check(1, 2, 1, 300, 500, 64, "bf16", "none", True, "--all", capacity=5)
check(1, 4, 2, 1100, 1300, 64, "bf16", "per-query-head", True, "--top-p=0.5", window=200)
check(1, 2, 1, 700, 1200, 64, "bf16", "per-kv-head", False, "--all", capacity=5, window=400)
check(1, 4, 2, 500, 700, 64, "bf16", "per-query-head", True, "--top-p=0.7", segment=64, blocks=(64, 64))
check(1, 2, 1, 300, 600, 64, "f16", "per-kv-head", True, "--all", segment=64, capacity=4, blocks=(128, 64))
check(1, 2, 1, 500, 700, 64, "bf16", "per-query-head", True, "--top-p=0.5", segment=192, blocks=(192, 64))
for _ in range(6):
    kv_heads = int(random.choice([1, 2]))
    keys = int(random.integers(1, 1500))
    check(int(random.integers(1, 3)), kv_heads * int(random.choice([1, 2, 4])), kv_heads,
          int(random.integers(1, keys + 1)), keys, int(random.choice([64, 128])), str(random.choice(["bf16", "f16"])),
          str(random.choice(["none", "per-query-head", "per-kv-head"])), bool(random.integers(2)),
          str(random.choice(["--top-p=0", "--top-p=0.5", "--top-p=0.9", "--top-p=1", "--top-k=2", "--all"])),
          int(random.choice([128, 256, 512])), str(random.choice(["mean", "max"])),
          blocks=(int(random.choice([64, 128, 192])), int(random.choice([64, 128]))))
check(1, 4, 2, 500, 900, 64, "bf16", "per-kv-head", True, "--threshold-by-length=0.2", row_stride=16)
check(2, 2, 1, 333, 700, 64, "f16", "none", True, "--max-threshold=0.5", blocks=(192, 64), segment=64, row_stride=4)
check(1, 4, 4, 300, 600, 128, "bf16", "per-query-head", False, "--threshold=0.05", row_stride=64)
