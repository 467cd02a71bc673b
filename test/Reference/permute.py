# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.permute by a tensor of indices, the identity, and an entry argument."""
import numpy as np

import harness
import twin

random = harness.make_random()
for batch, kv_heads, heads, length, segment in [(1, 1, 1, 1, 128), (2, 1, 4, 700, 256), (1, 2, 2, 513, 512), (1, 2, 4, 300, 64)]:
    source = harness.half(random, (batch, kv_heads, length, 64))
    order = harness.random_permutation(random, batch, heads, length, segment)
    tensor = f"tensor<?x{kv_heads}x?x64xbf16>"
    permutation = f"!pbs.permutation<heads = {heads}, segment = {segment}>"
    permuted = f"!pbs.permuted<tensor<?x{heads}x?x64xbf16>, segment = {segment}>"
    indices = f"tensor<?x{heads}x?xi32>"
    apply = f"%r0 = pbs.permute %0, %p : {tensor}, {permutation} -> {permuted}"
    expected = twin.permute(source, order)

    module = harness.function([tensor, indices], [permuted, permutation], f"""
        %r1 = pbs.permutation_from_tensor %1 : {indices} -> {permutation}
        {apply.replace("%p", "%r1")}""")
    rows, kept = harness.run(module, [source, order], 2)
    harness.assert_equal(rows, expected, "from a tensor")
    harness.assert_equal(kept, order, "the permutation itself")

    module = harness.function([tensor, permutation], [permuted], apply.replace("%p", "%1"))
    harness.assert_equal(harness.run(module, [source, order], 1)[0], expected, "from an argument")

    module = harness.function([tensor], [permuted], f"""
        {harness.constants(c0=0, c2=2)}
        %batch = tensor.dim %0, %c0 : {tensor}
        %length = tensor.dim %0, %c2 : {tensor}
        %p = pbs.identity_permutation %batch, %length : {permutation}
        {apply}""")
    (actual,) = harness.run(module, [source], 1)
    harness.assert_equal(actual, np.repeat(source, heads // kv_heads, axis=1), "by the identity")
