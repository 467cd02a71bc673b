# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""pbs.select, full_selection, selection_from_mask and selection_from_lists."""
import numpy as np

import harness
import twin

random = harness.make_random()
COUNTS = "tensor<?x{}xi32>"


def check(actual, listed, geometry, order, what):
    counts, indices = twin.lists(listed, geometry, order)
    harness.assert_equal(actual[0], counts, f"{what}: counts")
    harness.assert_equal(actual[1], indices, f"{what}: indices")


def check_limited(actual, limited, geometry, order, capacity, what):
    """The selection with its capacity, and the counts of cut query blocks."""
    listed, cut = limited
    for name, got, expected in zip(("counts", "indices"), actual, twin.lists(listed, geometry, order, capacity)):
        harness.assert_equal(got, expected, f"{what}: {name}")
    assert actual[2].dtype == np.int32, what
    harness.assert_equal(actual[2], cut, f"{what}: cut")


def scores_of(geometry, shape, kind):
    """Scores of the candidates."""
    scores = random.exponential(size=shape + (geometry.query_blocks, geometry.key_blocks)) ** 2
    if kind == "tied":
        scores = np.ones_like(scores)
    if kind == "halves":  # 1/2, 1/4, ... in any order, so that prefix sums are exact
        return random.permuted(np.broadcast_to(0.5 ** np.arange(1, geometry.key_blocks + 1), scores.shape),
                               axis=-1).astype(np.float32)
    scores *= geometry.candidates()
    scores /= np.maximum(scores.sum(axis=-1, keepdims=True), 1e-9)
    if kind == "zero":
        scores[...] = 0
    if kind == "nan":  # one candidate of each row
        scores[..., 0] = np.nan
    return scores.astype(np.float32)


def rule_named(name):
    """The twin's rule for an attribute such as top_p<0.5>."""
    kind, _, number = name.rstrip(">").partition("<")
    return twin.rule_named(kind.replace("_", "-"), float(number) if number else None)


for batch, q_heads, order_heads, queries, keys, blocks, segment, causal, window in [
    (1, 1, 1, 1, 1, (128, 128), 128, True, 1),
    (1, 2, 0, 700, 700, (128, 128), 256, True, 300),
    (2, 4, 4, 1000, 1100, (128, 128), 256, True, None),
    (1, 4, 1, 300, 1700, (128, 128), 512, True, 100),
    (1, 2, 0, 300, 427, (128, 128), 128, True, None),  # first rows stand at the last key of a block
    (1, 4, 2, 130, 900, (128, 128), 256, False, 1),
    (1, 2, 2, 400, 900, (128, 128), 256, True, 200),
    (2, 2, 0, 500, 600, (128, 128), 256, False, None),
    (1, 4, 4, 300, 470, (64, 64), 64, True, None),
    (1, 2, 1, 330, 700, (64, 128), 256, True, 150),
    (2, 2, 0, 200, 540, (128, 64), 64, True, None),  # query blocks stand in three segments
    (1, 2, 2, 300, 600, (128, 64), 192, False, 40),
    (1, 2, 1, 500, 650, (192, 64), 64, True, None),  # query blocks stand in four segments
]:
    geometry = twin.Geometry(queries, keys, *blocks, segment, causal, window)
    selection = "!pbs.selection<{}x{}>".format(*blocks)
    # Blocks that may be forced: those of every segment that a query block's rows may stand in, and that of token 0.
    forced = ((blocks[0] - 2) // segment + 2) * (segment // blocks[1]) + 1
    what = f"{queries} {keys} {blocks} {segment} {order_heads} causal={causal} window={window}"
    order = None
    optional = {"arguments": [], "types": [], "use": "", "use and type": "", "and type": ""}
    if order_heads:
        order = harness.random_permutation(random, batch, order_heads, keys, segment)
        permutation = f"!pbs.permutation<heads = {order_heads}, segment = {segment}>"
        optional = {"arguments": [order], "types": [permutation], "use": "permutation(%0)",
                    "use and type": f"permutation(%0 : {permutation})", "and type": f", {permutation}"}
    causality = ("causal" if causal else "") + ("" if window is None else f" window = {window}")
    lengths = harness.constants(batch=batch, queries=queries, keys=keys)
    last = f"%{len(optional['types'])}"

    module = harness.function(optional["types"], [selection], f"""{lengths}
        %r0 = pbs.full_selection %batch lengths(%queries, %keys) {optional["use and type"]}
          heads = {q_heads} {causality} : {selection}""")
    everything = np.ones((batch, q_heads, geometry.query_blocks, geometry.key_blocks), bool)
    listed = everything & twin.attendable(geometry, geometry.positions(order, q_heads))
    check(harness.run(module, optional["arguments"], 2), listed, geometry, order, f"full {what}")

    mask = random.random(everything.shape) < 0.5
    tensor = f"tensor<?x{q_heads}x?x?xi1>"
    module = harness.function(optional["types"] + [tensor], [selection], f"""{lengths}
        %r0 = pbs.selection_from_mask {last} lengths(%queries, %keys) {optional["use"]} {causality}
          : {tensor} {optional["and type"]} -> {selection}""")
    check(harness.run(module, optional["arguments"] + [mask], 2), listed & mask, geometry, order, f"mask {what}")

    capacity = int(random.integers(1, geometry.key_blocks + 2))
    module = harness.function(optional["types"] + [tensor], [selection, COUNTS.format(q_heads)], f"""{lengths}
        %r0, %r1 = pbs.selection_from_mask {last} lengths(%queries, %keys) {optional["use"]} capacity = {capacity}
          {causality} : {tensor} {optional["and type"]} -> {selection}, {COUNTS.format(q_heads)}""")
    limited = twin.limit(listed & mask, False, np.zeros(mask.shape), capacity)
    check_limited(harness.run(module, optional["arguments"] + [mask], 3), limited, geometry, order, capacity,
                  f"mask, at most {capacity} {what}")

    # Lists stand as they are, with a capacity of their own.
    counts, indices = twin.lists(listed & mask, geometry, order)
    indices = indices[..., : max(1, counts.sum(axis=-1).max())]
    types = [f"tensor<?x{q_heads}x?x2xi32>", f"tensor<?x{q_heads}x?x?xi16>"]
    module = harness.function(types, [selection], f"""
        %r0 = pbs.selection_from_lists %0, %1 : {types[0]}, {types[1]} -> {selection}""")
    for actual, expected in zip(harness.run(module, [counts, indices], 2), (counts, indices)):
        harness.assert_equal(actual, expected, f"lists {what}")

    for kind, name in [("random", "top_p<0.0>"), ("random", "top_p<0.5>"), ("random", "top_p<0.9>"),
                       ("random", "top_p<1.0>"), ("tied", "top_p<0.6>"), ("zero", "top_p<0.5>"),
                       ("halves", "top_p<0.75>"), ("random", "top_k<0>"), ("random", "top_k<3>"),
                       ("random", "top_k<100>"), ("tied", "top_k<2>"), ("zero", "top_k<1>"), ("nan", "top_k<2>"),
                       ("nan", "top_p<0.5>"), ("random", "all"), ("zero", "all"),
                       ("random", "threshold<0.1>"), ("halves", "threshold<0.125>"), ("zero", "threshold<0.0>"),
                       ("nan", "threshold<0.01>"), ("random", "threshold_by_length<0.2>"),
                       ("halves", "max_threshold<0.25>"), ("random", "max_threshold<0.3>"),
                       ("tied", "max_threshold<1.0>"), ("nan", "max_threshold<0.5>")]:
        scores = scores_of(geometry, (batch, q_heads), kind)
        tensor = f"tensor<?x{q_heads}x?x?xf32>"
        module = harness.function(optional["types"] + [tensor], [selection], f"""{lengths}
            %r0 = pbs.select {last} lengths(%queries, %keys) {optional["use"]} rule = #pbs.{name}
              segment = {segment} {causality} : {tensor} {optional["and type"]} -> {selection}""")
        listed_now = twin.select(scores.astype(float), geometry, order, rule_named(name))
        check(harness.run(module, optional["arguments"] + [scores], 2), listed_now, geometry, order,
              f"select {kind} {name} {what}")
        # The smallest capacity allowed, and one above it.
        kept = twin.forced(geometry, geometry.positions(order, q_heads))
        for capacity in {forced, forced + 2}:
            module = harness.function(optional["types"] + [tensor], [selection, COUNTS.format(q_heads)], f"""{lengths}
                %r0, %r1 = pbs.select {last} lengths(%queries, %keys) {optional["use"]} rule = #pbs.{name}
                  segment = {segment} capacity = {capacity} {causality}
                  : {tensor} {optional["and type"]} -> {selection}, {COUNTS.format(q_heads)}""")
            limited = twin.limit(listed_now, kept, scores.astype(float), capacity)
            check_limited(harness.run(module, optional["arguments"] + [scores], 3), limited, geometry, order, capacity,
                          f"select {kind} {name}, at most {capacity} {what}")
