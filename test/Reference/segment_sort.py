# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.segment_sort: ties by lower index, NaN last, the tail stays."""
import numpy as np

import harness
import twin

random = harness.make_random()
for batch, heads, length, segment in [(1, 1, 1, 128), (2, 3, 256, 256), (1, 2, 257, 256), (2, 4, 1100, 256), (1, 2, 500, 64)]:
    distinct = random.random((batch, heads, length))
    tied = random.integers(0, 4, distinct.shape).astype(float)
    tied[random.random(distinct.shape) < 0.1] = np.nan
    tied[random.random(distinct.shape) < 0.1] = -np.inf
    result = f"!pbs.permutation<heads = {heads}, segment = {segment}>"
    module = harness.function([f"tensor<?x{heads}x?xf32>"], [result], f"""
        %r0 = pbs.segment_sort %0 : tensor<?x{heads}x?xf32> -> {result}""")
    for importance in (distinct.astype(np.float32), tied.astype(np.float32)):
        (actual,) = harness.run(module, [importance], 1)
        harness.assert_equal(actual, twin.segment_sort(importance.astype(float), segment), f"{importance.shape}")
