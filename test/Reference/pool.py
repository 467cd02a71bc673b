# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.pool: mean and maximum, short last blocks, NaN."""
import numpy as np

import harness
import twin

random = harness.make_random()
for kind in ("mean", "max"):
    for batch, heads, length, depth, dtype, block in [
        (1, 1, 1, 64, "bf16", 128), (2, 3, 300, 128, "f16", 128), (1, 2, 256, 64, "bf16", 128), (2, 1, 300, 64, "f16", 64),
        (1, 1, 500, 64, "bf16", 192)
    ]:
        source = harness.half(random, (batch, heads, length, depth), dtype)
        source[:, :, length // 2, 3] = np.nan
        source[:, :, length // 3, 4] = -np.inf
        tensor, result = f"tensor<?x{heads}x?x{depth}x{dtype}>", f"tensor<?x{heads}x?x{depth}xf32>"
        module = harness.function([tensor], [result], f"%r0 = pbs.pool %0 {kind} block = {block} : {tensor} -> {result}")
        (actual,) = harness.run(module, [source], 1)
        harness.assert_close(actual, twin.pool(source.astype(float), kind, block), f"{kind} {block} {source.shape}")
