# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.attention over random lists: gathered, in order, without permutation."""
import numpy as np

import harness
import twin

random = harness.make_random()


def run(q, k, v, selection, geometry, order, scale, dtype, in_order):
    """The results of pbs.attention; k and v are in permuted order if in_order."""
    def tensor(x):
        return f"tensor<?x{x.shape[1]}x?x{x.shape[3]}x{dtype}>"
    segment = geometry.segment
    selection_type = f"!pbs.selection<{geometry.query_block}x{geometry.key_block}>"
    key = f"!pbs.permuted<{tensor(k)}, segment = {segment}>" if in_order else tensor(k)
    arguments, types, use = [q, k, v, *selection], [tensor(q), key, key, selection_type], ""
    if order is not None:
        arguments.append(order)
        types.append(f"!pbs.permutation<heads = {order.shape[1]}, segment = {segment}>")
        use = "permutation(%4)"
    results = [tensor(q), f"tensor<?x{q.shape[1]}x?xf32>"]
    module = harness.function(types, results, f"""
        %r0, %r1 = pbs.attention %0, %1, %2, %3 {use} scale = {scale} {"causal" if geometry.causal else ""}
          {"" if geometry.window is None else f"window = {geometry.window}"}
          : {", ".join(types)} -> {", ".join(results)}""")
    return harness.run(module, arguments, 2)


for batch, q_heads, kv_heads, order_heads, queries, keys, depth, dtype, causal, window, blocks, segment in [
    (1, 1, 1, 0, 1, 1, 64, "bf16", True, None, (128, 128), 256),
    (2, 4, 1, 4, 300, 513, 64, "bf16", True, 100, (128, 128), 256),
    (1, 8, 1, 1, 130, 700, 128, "f16", True, None, (128, 128), 256),
    (1, 4, 2, 2, 257, 300, 64, "bf16", False, 70, (128, 128), 256),
    (2, 2, 2, 0, 200, 600, 128, "f16", True, 1, (128, 128), 256),
    (1, 2, 1, 0, 129, 900, 64, "bf16", False, None, (128, 128), 256),
    (1, 2, 1, 2, 200, 900, 64, "bf16", True, 10**15, (128, 128), 256),
    (1, 4, 2, 4, 200, 500, 64, "bf16", True, None, (64, 64), 64),
    (1, 2, 1, 2, 300, 450, 64, "f16", True, 90, (64, 128), 256),
    (1, 4, 1, 1, 150, 600, 64, "bf16", False, None, (128, 64), 192),
    (1, 2, 1, 2, 500, 700, 64, "bf16", True, 250, (192, 64), 128),
]:
    geometry = twin.Geometry(queries, keys, *blocks, segment, causal, window)
    q = harness.half(random, (batch, q_heads, queries, depth), dtype)
    k, v = (harness.half(random, (batch, kv_heads, keys, depth), dtype) for _ in range(2))
    order = harness.random_permutation(random, batch, order_heads, keys, segment) if order_heads else None
    # Few enough blocks that some rows have no key at all.
    listed = random.random((batch, q_heads, geometry.query_blocks, geometry.key_blocks)) < 0.5
    listed &= twin.attendable(geometry, geometry.positions(order, q_heads))
    selection = twin.lists(listed, geometry, order)
    scale = random.uniform(0.1, 1)
    wide = [x.astype(float) for x in (q, k, v)]
    expected = twin.attention(*wide, listed, geometry, order, scale)
    for in_order in [False] if order is None else [False, True]:
        keys_given = [twin.permute(x, order) for x in (k, v)] if in_order else [k, v]
        actual = run(q, *keys_given, selection, geometry, order, scale, dtype, in_order)
        what = f"{queries} {keys} {order_heads} causal={causal} window={window} {blocks} {segment} in_order={in_order}"
        harness.assert_close(actual[0], expected[0], f"out {what}")
        harness.assert_close(actual[1], expected[1], f"lse {what}")

# A query block without blocks gives 0 and -inf.
geometry = twin.Geometry(200, 200)
q, k, v = (harness.half(random, (1, 1, 200, 64)) for _ in range(3))
empty = twin.lists(np.zeros((1, 1, 2, 2), bool), geometry, None)
out, lse = run(q, k, v, empty, geometry, None, 1.0, "bf16", False)
assert np.all(out == 0) and np.all(lse == -np.inf)
