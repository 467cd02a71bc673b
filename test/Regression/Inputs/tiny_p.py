# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The selection of given scores by p from 1e-310 to 1e-30, on the emulator: the best block, or all of a row with NaN."""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Reference"))
import harness
import twin

random = harness.make_random()
LENGTH, SEGMENT = 1500, 128
geometry = twin.Geometry(LENGTH, LENGTH, segment=SEGMENT)
scores = random.random((1, 1, geometry.query_blocks, geometry.key_blocks)).astype(np.float32)
scores[:, :, 7] = np.nan
for p in (1e-310, 1e-60, 1e-40, 1e-30):
    module = harness.function(["tensor<1x1x?x?xf32>"], ["!pbs.selection<128x128>"], f"""
        {harness.constants(length=LENGTH)}
        %r0 = pbs.select %0 lengths(%length, %length) rule = #pbs.top_p<{p:.1e} : f64> segment = {SEGMENT} causal
          : tensor<1x1x?x?xf32> -> !pbs.selection<128x128>""")
    actual = harness.run(module, [scores], 2, device="emulator")
    listed = twin.select(scores.astype(float), geometry, None, twin.top_p(p))
    for found, expected in zip(actual, twin.lists(listed, geometry, None)):
        harness.assert_equal(found, expected, f"p = {p}")
