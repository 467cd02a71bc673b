# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.prefill, with score regions, which change attention and no stage before it."""
import subprocess

import harness
import twin

random = harness.make_random()


def check(q_heads, kv_heads, queries, keys, permutation, causal, soft_cap=None, alibi=False, capacity=None):
    flags = ["--composite", f"--q-heads={q_heads}", f"--kv-heads={kv_heads}", "--head-dim=64",
             f"--permutation={permutation}"]
    flags += ["--no-causal"] * (not causal) + [f"--capacity={capacity}"] * (capacity is not None)
    flags += [f"--soft-cap={soft_cap}"] * (soft_cap is not None) + ["--alibi"] * alibi
    module = subprocess.run(["pbs-gen", *flags], check=True, text=True, capture_output=True).stdout
    assert "pbs.prefill" in module and "pbs.attention" not in module, module
    q, k, v = harness.make_inputs(random.integers(2**32), 1, q_heads, kv_heads, queries, keys, 64, "bf16")
    modifications = [twin.soft_cap(soft_cap)] * (soft_cap is not None) + [twin.alibi(q_heads, causal)] * alibi
    expected = twin.prefill(q, k, v, twin.Geometry(queries, keys, causal=causal), permutation, capacity=capacity,
                            modify=twin.in_turn(*modifications))
    out, lse, *cut = harness.run(module, [q, k, v], 2 if capacity is None else 3)
    # Constants of the region are f32.
    assert abs(out - expected["out"]).max() <= 1e-4, flags
    assert abs(lse - expected["lse"]).max() <= 1e-4, flags
    if capacity is not None:
        harness.assert_equal(cut[0], expected["cut"], f"cut {flags}")


check(4, 2, 700, 900, "per-query-head", True)
check(4, 1, 600, 900, "per-query-head", True, soft_cap=8)
check(6, 2, 500, 800, "per-kv-head", True, alibi=True, capacity=5)
check(2, 2, 300, 700, "none", True, soft_cap=5, alibi=True)
check(4, 2, 400, 600, "per-query-head", False, alibi=True)
