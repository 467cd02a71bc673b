# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.block_scores: which blocks are candidates, rows with NaN, and sampled rows."""
import numpy as np

import harness
import twin

random = harness.make_random()
for batch, q_heads, kv_heads, queries, keys, blocks, segment in [
    (1, 1, 1, 1, 1, (128, 128), 128),
    (2, 4, 1, 700, 700, (128, 128), 256),
    (1, 4, 2, 200, 1500, (128, 128), 256),  # query blocks stand in two segments
    (1, 2, 2, 900, 1300, (128, 128), 512),
    (1, 4, 2, 300, 700, (128, 64), 64),  # query blocks stand in three segments
    (1, 2, 1, 400, 650, (64, 128), 256),
    (1, 2, 1, 500, 650, (192, 64), 128),  # query blocks stand in three segments
    (1, 2, 2, 333, 555, (64, 64), 192),
]:
    for causal in (True, False):
        geometry = twin.Geometry(queries, keys, *blocks, segment=segment, causal=causal)
        q = random.standard_normal((batch, q_heads, geometry.query_blocks, 64)).astype(np.float32)
        k = random.standard_normal((batch, kv_heads, geometry.key_blocks, 64)).astype(np.float32)
        k[0, 0, geometry.key_blocks // 3, 5] = np.nan
        types = [f"tensor<?x{q_heads}x?x64xf32>", f"tensor<?x{kv_heads}x?x64xf32>"]
        result = f"tensor<?x{q_heads}x?x?xf32>"
        module = harness.function(types, [result], f"""
            {harness.constants(queries=queries, keys=keys)}
            %r0 = pbs.block_scores %0, %1 lengths(%queries, %keys) blocks = {list(blocks)} segment = {segment}
              scale = 0.3 {"causal" if causal else ""} : {types[0]}, {types[1]} -> {result}""")
        (actual,) = harness.run(module, [q, k], 1)
        expected = twin.block_scores(q.astype(float), k.astype(float), geometry, 0.3)
        harness.assert_close(actual, expected, f"{queries} {keys} {blocks} {segment} causal={causal}")
        for stride, heads in ((1, 0), (8, kv_heads), (64, q_heads)):
            order = harness.random_permutation(random, batch, heads, keys, segment) if heads else None
            q = random.standard_normal((batch, q_heads, queries, 64)).astype(np.float16)
            k = random.standard_normal((batch, kv_heads, keys, 64)).astype(np.float16)
            k[0, 0, keys // 3, 5] = np.nan
            types = [f"tensor<?x{q_heads}x?x64xf16>", f"tensor<?x{kv_heads}x?x64xf16>"]
            use, and_type = "", ""
            if heads:
                types.append(f"!pbs.permutation<heads = {heads}, segment = {segment}>")
                use, and_type = "permutation(%2)", f", {types[2]}"
            module = harness.function(types, [result], f"""
                {harness.constants(queries=queries, keys=keys)}
                %r0 = pbs.block_scores %0, %1 lengths(%queries, %keys) {use} score = #pbs.rows<stride = {stride}>
                  blocks = {list(blocks)} segment = {segment} scale = 0.1 {"causal" if causal else ""}
                  : {types[0]}, {types[1]} {and_type} -> {result}""")
            (actual,) = harness.run(module, [q, k] + ([order] if heads else []), 1)
            expected = twin.row_scores(q.astype(float), k.astype(float), geometry, order, stride, 0.1)
            harness.assert_close(actual, expected, f"rows {stride} {heads} {queries} {keys} {blocks} {segment} causal={causal}")
