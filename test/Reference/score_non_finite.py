# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""Score regions that make -inf, inf and NaN of scores, on the reference or the device that the first argument names.

-inf takes a key's weight, all of them make a row as one without keys; inf and NaN make the row NaN; and nothing of it
counts where the key is masked.
"""
import sys

import numpy as np

import harness
import twin

device = sys.argv[1] if len(sys.argv) > 1 else "reference"
random = harness.make_random()
HEADS, QUERIES, KEYS, DEPTH = 2, 150, 400, 64
TENSOR, LSE = f"tensor<?x{HEADS}x?x{DEPTH}xf16>", f"tensor<?x{HEADS}x?xf32>"
PERMUTATION = f"!pbs.permutation<heads = {HEADS}, segment = 256>"

# In head 0 the row at position %none gets no key, that at %nan NaN and that at %inf infinity for key %j0; every row
# loses key %lost. In head 1 only keys after the row's position become NaN.
MODULE = f"""
func.func @f(%q: {TENSOR}, %k: {TENSOR}, %v: {TENSOR}, %s: !pbs.selection<128x128>, %p: {PERMUTATION}, %a: tensor<i32>,
             %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>, %e: tensor<i32>) -> ({TENSOR}, {LSE}) {{
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : {TENSOR}, {TENSOR}, {TENSOR}, !pbs.selection<128x128>, {PERMUTATION} -> {TENSOR}, {LSE}
    score(%a, %b, %c, %d, %e : tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) {{
    ^bb0(%score: f32, %batch: i32, %head: i32, %i: i32, %j: i32, %none: i32, %nan: i32, %inf: i32, %j0: i32, %lost: i32):
      %c0 = arith.constant 0 : i32
      %fnan = arith.constant 0x7FC00000 : f32
      %finf = arith.constant 0x7F800000 : f32
      %fminus = arith.constant 0xFF800000 : f32
      %is_none = arith.cmpi eq, %i, %none : i32
      %is_lost = arith.cmpi eq, %j, %lost : i32
      %is_away = arith.ori %is_none, %is_lost : i1
      %is_key = arith.cmpi eq, %j, %j0 : i32
      %is_nan = arith.cmpi eq, %i, %nan : i32
      %is_inf = arith.cmpi eq, %i, %inf : i32
      %to_nan = arith.andi %is_key, %is_nan : i1
      %to_inf = arith.andi %is_key, %is_inf : i1
      %x = arith.select %is_away, %fminus, %score : f32
      %y = arith.select %to_nan, %fnan, %x : f32
      %z = arith.select %to_inf, %finf, %y : f32
      %is_later = arith.cmpi sgt, %j, %i : i32
      %w = arith.select %is_later, %fnan, %score : f32
      %is_first = arith.cmpi eq, %head, %c0 : i32
      %new = arith.select %is_first, %z, %w : f32
      pbs.yield %new
    }}
  return %out, %lse : {TENSOR}, {LSE}
}}"""

geometry = twin.Geometry(QUERIES, KEYS)
q = harness.half(random, (1, HEADS, QUERIES, DEPTH), "f16")
k, v = (harness.half(random, (1, HEADS, KEYS, DEPTH), "f16") for _ in range(2))
order = harness.random_permutation(random, 1, HEADS, KEYS, 256)
none, nan, inf = random.choice(np.arange(KEYS - QUERIES, KEYS), 3, replace=False)
key, lost = random.choice(KEYS - QUERIES, 2, replace=False)


def modify(scores, batch, head, queries, keys):
    if head == 1:
        return np.where(keys > queries, np.nan, scores)
    scores = np.where((queries == none) | (keys == lost), -np.inf, scores)
    scores = np.where((queries == nan) & (keys == key), np.nan, scores)
    return np.where((queries == inf) & (keys == key), np.inf, scores)


listed = np.broadcast_to(twin.attendable(geometry, geometry.positions(order, HEADS)),
                         (1, HEADS, geometry.query_blocks, geometry.key_blocks))
counts, indices = twin.lists(listed, geometry, order)
scalars = [np.int32(x) for x in (none, nan, inf, key, lost)]
out, lse = harness.run(MODULE, [q, k, v, counts, indices, order, *scalars], 2, device=device)
expected, expected_lse = twin.attention(*(x.astype(float) for x in (q, k, v)), listed, geometry, order, 0.125,
                                        modify=modify)

rows = np.arange(KEYS - QUERIES, KEYS)
is_nan = np.zeros((1, HEADS, QUERIES), bool)
is_nan[0, 0] = (rows == nan) | (rows == inf)
assert np.array_equal(np.isnan(lse), is_nan) and np.array_equal(np.isnan(expected_lse), is_nan)
assert np.array_equal(np.isnan(out), np.repeat(is_nan[..., None], DEPTH, axis=-1))
row = none - (KEYS - QUERIES)
assert np.all(out[0, 0, row] == 0) and lse[0, 0, row] == -np.inf
finite = np.isfinite(expected_lse)
assert np.array_equal(finite, np.isfinite(lse))
assert np.all(np.abs(lse - expected_lse)[finite] <= 2e-4)
error = np.linalg.norm((out - expected)[finite]) / np.linalg.norm(expected[finite])
assert error <= 1e-3, error
