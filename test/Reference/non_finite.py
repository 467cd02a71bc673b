# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""NaN and infinities are legal input: they stay in the rows that they reach."""
import subprocess

import numpy as np

import harness
import twin

random = harness.make_random()
N, Q_HEADS, KV_HEADS = 1100, 4, 2
POOLING = random.choice(["mean", "max"])
print(f"pooling {POOLING}")
module = subprocess.run(["pbs-gen", f"--q-heads={Q_HEADS}", f"--kv-heads={KV_HEADS}", "--head-dim=64",
                         f"--pooling={POOLING}"], check=True, text=True, capture_output=True).stdout
geometry = twin.Geometry(N, N)
q, k, v = harness.make_inputs(random.integers(2**32), 2, Q_HEADS, KV_HEADS, N, N, 64, "bf16")
clean = harness.run(module, [q, k, v], 2)

for name in "qkv":
    for value in (np.nan, np.inf, -np.inf):
        inputs = {"q": q.copy(), "k": k.copy(), "v": v.copy()}
        # The last keys have few readers, who may all score an infinity as -inf and so drop the key.
        row, column = random.integers(N - 64 if name == "k" else N), random.integers(64)
        inputs[name][1, 1, row, column] = value
        what = f"{name}[1, 1, {row}, {column}] = {value}"
        actual = harness.run(module, list(inputs.values()), 2)
        expected = twin.prefill(*inputs.values(), geometry, pooling=POOLING)
        harness.assert_close(actual[0], expected["out"], f"out, {what}")
        harness.assert_close(actual[1], expected["lse"], f"lse, {what}")
        order = expected["permutation"]
        assert np.all(np.sort(order) == np.arange(N)), what
        # Other batches and heads are untouched, to the bit.
        touched = np.zeros((2, Q_HEADS), bool)
        touched[1, 1 if name == "q" else slice(2, 4)] = True
        for got, before in zip(actual, clean):
            harness.assert_equal(got[~touched], before[~touched], what)
        # An infinity in q or k may only lower scores to -inf; a row with no others is 0, with a log-sum-exp of -inf.
        assert not all(np.all(np.isfinite(got[touched])) for got in actual), f"{what} reached nothing"

# Files in float32 are rounded to the entry's type first.
wide = [x + np.float32(1e-3) * random.standard_normal(x.shape).astype(np.float32) for x in (q, k, v)]
rounded = [harness.round_to(x, "bf16") for x in wide]
for got, expected in zip(harness.run(module, wide, 2), harness.run(module, rounded, 2)):
    harness.assert_equal(got, expected, "unrounded input")
