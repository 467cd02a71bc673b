# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.importance: complete segments only, per query head and per key head."""
import harness
import twin

random = harness.make_random()
for batch, q_heads, kv_heads, queries, keys, depth, dtype, block, segment in [
    (1, 1, 1, 1, 1, 64, "bf16", 128, 256),
    (2, 4, 1, 200, 200, 128, "bf16", 128, 256),
    (1, 4, 2, 64, 513, 64, "f16", 128, 256),
    (2, 8, 1, 300, 700, 128, "bf16", 128, 128),
    (1, 2, 2, 512, 1024, 64, "f16", 128, 1024),
    (1, 4, 2, 300, 500, 64, "bf16", 64, 192),
    (1, 2, 1, 300, 500, 64, "bf16", 192, 128),
]:
    q = harness.half(random, (batch, q_heads, queries, depth), dtype)
    k = harness.half(random, (batch, kv_heads, keys, depth), dtype)
    scale = random.uniform(0.05, 0.5)
    for heads in {q_heads, kv_heads}:
        types = [f"tensor<?x{q_heads}x?x{depth}x{dtype}>", f"tensor<?x{kv_heads}x?x{depth}x{dtype}>"]
        result = f"tensor<?x{heads}x?xf32>"
        module = harness.function(types, [result], f"""
            %r0 = pbs.importance %0, %1 query_block = {block} segment = {segment} scale = {scale}
              : {types[0]}, {types[1]} -> {result}""")
        (actual,) = harness.run(module, [q, k], 1)
        expected = twin.importance(q.astype(float), k.astype(float), block, segment, scale, heads)
        harness.assert_close(actual, expected, f"{q.shape} {k.shape} {block} {segment} {heads}")
