# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Judges what a device computed by the NumPy twin, in double precision; docs/spec.md, near-ties.

Each judge yields one line for everything that is wrong. What a device decides in float32 is followed: scores and
selection are judged with its own permutation, attention with its own permutation and selection.
"""
import numpy as np

from algorithm import twin

NEAR = 1e-5  # how near two scores, or a sum of scores and p, are equal
SMALLEST = float(np.finfo(np.float32).tiny)
ERROR = {"bf16": 5e-3, "f16": 1e-3}


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def first(where):
    """The first index at which something is true, for messages."""
    return tuple(int(index) for index in np.argwhere(where)[0])


def check_close(name, actual, expected, relative, absolute):
    if actual.shape != expected.shape:
        yield f"{name}: has shape {actual.shape}, expected {expected.shape}"
        return
    with np.errstate(invalid="ignore"):
        far = ~(np.abs(actual - expected) <= relative * np.abs(expected) + absolute)
    far &= ~(np.isnan(actual) & np.isnan(expected)) & ~(np.isinf(expected) & (actual == expected))
    if far.any():
        at = first(far)
        yield (f"{name}: {far.sum()} of {far.size} values are off, as at {list(at)}: {actual[at]!r}, "
               f"expected {expected[at]!r}")


def rounding_of_products(q, k, case):
    """The relative error that rounded products make in a softmax weight.

    A score is a sum of head_dim exact products in float32, scaled. With L the largest sum of absolute products, its
    rounding is below 8 units of 2^-24 L: one for each of at most 8 matrix instructions. Scaling and the difference to
    the maximum add less. It enters once in a weight and once in their sum.
    """
    keys = np.repeat(np.abs(k), case.q_heads // case.kv_heads, axis=1)
    return 2.0**-20 * case.scale * twin.dot(np.abs(q), keys).max()


def check_importance(actual, q, k, case, heads):
    """Relative error 1e-5 for the sums, exp2 and the division in float32, and as much as a rounded score makes.

    The smallest normal float32 is for what underflows.
    """
    expected = twin.importance(q, k, case.query_block, case.segment, case.scale, heads)
    rounding = rounding_of_products(q[:, :, -case.query_block:], k, case)
    yield from check_close("importance", actual, expected, 1e-5 + rounding, SMALLEST)
    complete = case.key_length // case.segment * case.segment
    if np.any(actual[..., complete:] != 0):
        yield "importance: not 0 beyond the complete segments"


def check_order(permutation, case, heads):
    """Each complete segment onto itself, the tail and fewer keys than a segment in place."""
    shape = (case.batch, heads, case.key_length)
    if permutation.shape != shape or permutation.dtype != np.int32:
        yield f"permutation: {permutation.dtype} of shape {permutation.shape}, expected int32 {shape}"
        return
    complete = case.key_length // case.segment * case.segment
    places = np.arange(case.key_length)
    parts = np.sort(permutation[..., :complete].reshape(*shape[:2], -1, case.segment), axis=-1)
    if np.any(parts.reshape(*shape[:2], complete) != places[:complete]):
        yield "permutation: does not map every complete segment onto itself"
    if np.any(permutation[..., complete:] != places[complete:]):
        yield "permutation: moves the tail"
    if case.key_length <= case.segment and np.any(permutation != places):
        yield "permutation: moves keys of one segment"


def block_sums(importance, order, key_block):
    starts = np.arange(0, order.shape[-1], key_block)
    return np.add.reduceat(np.take_along_axis(importance, order, axis=-1), starts, axis=-1)


def check_permutation(permutation, importance, case):
    """Importance (double) of each key block sums to what it does in the twin's order."""
    faults = list(check_order(permutation, case, importance.shape[1]))
    yield from faults
    if faults:
        return
    sums = block_sums(importance, permutation, case.key_block)
    expected = block_sums(importance, twin.segment_sort(importance, case.segment), case.key_block)
    # A float32 below the smallest normal one may count as 0.
    yield from check_close("importance of a key block", sums, expected, NEAR, case.key_block * SMALLEST)


def nearness(q, k, case):
    """How near scores are equal; docs/spec.md, near-ties."""
    return NEAR + (0 if case.row_stride is None else rounding_of_products(q, k, case))


def expected_scores(q, k, permutation, case):
    if case.row_stride is not None:
        return twin.row_scores(q, k, case.geometry, permutation, case.row_stride, case.scale)
    keys = k if permutation is None else twin.permute(k, permutation)
    pooled = twin.pool(q, case.pooling, case.query_block), twin.pool(keys, case.pooling, case.key_block)
    return twin.block_scores(*pooled, case.geometry, case.scale)


def check_scores(actual, expected, case, near=NEAR):
    yield from check_close("scores", actual, expected, 0, near)
    if actual.shape == expected.shape and np.any(actual[..., ~case.geometry.candidates()] != 0):
        yield "scores: not 0 where a block is no candidate"


def possible_ends(rule, number, falling, key_blocks, near):
    """How many candidates may be taken, given their scores in falling order."""
    least = {"threshold": lambda: number, "threshold-by-length": lambda: number / key_blocks**0.5,
             "max-threshold": lambda: number * max(falling, default=0)}.get(rule)
    if least:
        return range(np.sum(falling >= least() + near), np.sum(falling >= least() - near) + 1)
    if rule == "all" or rule == "top-p" and number >= 1:
        return [len(falling)]
    if rule == "top-k":
        return [int(min(number, len(falling)))]
    if number == 0:
        return [0]
    sums = np.concatenate([[0], np.cumsum(falling)])
    # The prefix before the last one did not reach p, this one does, or it is all there is.
    may_end = sums >= number - NEAR
    may_end[-1] = True
    may_go_on = sums < number + NEAR
    return [end for end in range(1, len(sums)) if may_end[end] and may_go_on[end - 1]] or [0]


class Prefix:
    """The first of some blocks by falling score, as far as near-ties decide it."""

    def __init__(self, scores, among, size, near):
        order = [block for block in twin.falling_order(scores, among) if among[block]]
        self.certain, self.possible = set(order[:size]), set(order[:size])
        if near and 0 < size < len(order):
            cut = scores[order[size - 1]]
            self.certain = {block for block in order if scores[block] > cut + near}
            self.possible = {block for block in order if scores[block] >= cut - near}


def explain(listed, scores, near, candidates, forced, attendable, case):
    """Whether the prefix of candidates that some choice of near-ties takes is what is listed for a query block.

    Returns whether blocks were lost to the capacity, False or True, for each explanation there is: none if it is wrong.
    Listed are the candidates taken and the forced ones, of these the attendable ones, of these as many as there is room
    for. Candidates that are forced or not attendable are listed or not whatever the rule says, so that they make up any
    difference between what is seen and the size of the prefix.
    """
    if np.any(listed & ~attendable) or np.any(forced & attendable & ~listed):
        return set()
    if np.any(listed & ~forced & ~candidates):
        return set()
    free = candidates & attendable & ~forced
    seen = set(np.flatnonzero(listed & free))
    shown = set(np.flatnonzero(free))
    kept = int(np.sum(forced & attendable))
    falling = -np.sort(-scores[candidates])
    result = set()
    for end in possible_ends(case.rule_name, case.number, falling, len(scores), near):
        taken = Prefix(scores, candidates, end, near)
        hidden = len(taken.certain - shown), len(taken.possible - shown)
        fewest = max(len(taken.certain & shown), end - hidden[1])
        most = min(len(taken.possible & shown), end - hidden[0])
        room = len(shown) if case.capacity is None else case.capacity - kept
        if fewest <= len(seen) <= most and len(seen) <= room and taken.certain & shown <= seen <= taken.possible:
            result.add(False)
        # Of more than there is room for, those with the highest scores.
        if most > room:
            stays = Prefix(scores, free, room, near)
            if len(seen) == room and stays.certain <= seen <= stays.possible & taken.possible:
                result.add(True)
    return result


def listed_of(counts, indices, case, faults):
    """The lists as a mask; faults gets a line where they are not of the form that the type states."""
    geometry = case.geometry
    shape = (case.batch, case.q_heads, geometry.query_blocks)
    room = geometry.key_blocks if case.capacity is None else min(case.capacity, geometry.key_blocks)
    for name, array, last, dtype in (("counts", counts, 2, np.int32), ("indices", indices, room, np.uint16)):
        if array.shape != shape + (last,) or array.dtype != dtype:
            faults.append(f"{name}: {array.dtype} of shape {array.shape}, expected {shape + (last,)}")
    if faults:
        return None
    wrong = (counts < 0).any(axis=-1) | (counts.sum(axis=-1, dtype=np.int64) > room)
    if wrong.any():
        at = first(wrong)
        faults.append(f"counts: {list(at)} is {counts[at].tolist()}, expected from 0 to {room} blocks")
        return None
    used = np.arange(room) < counts.sum(axis=-1, keepdims=True)
    if np.any(indices[used] >= geometry.key_blocks):
        faults.append("indices: a listed block does not exist")
        return None
    return twin.listed_blocks(counts, indices, geometry.key_blocks)


def check_form(counts, indices, listed, permutation, case):
    """Whole blocks, masked blocks and fillers are what the listed blocks make them."""
    for name, actual, expected in zip(("counts", "indices"), (counts, indices),
                                      twin.lists(listed, case.geometry, permutation, case.capacity)):
        if not np.array_equal(actual, expected):
            at = first((actual != expected).any(axis=-1))
            yield f"{name}: {list(at)} is {actual[at].tolist()}, expected {expected[at].tolist()}"


def check_selection(counts, indices, cut, scores, permutation, case, near=NEAR):
    """The selection by pbs.select of scores in double precision; cut is None without a capacity.

    Scores at most `near` apart may be in either order, equal ones then too. With near = 0 the lower index comes first.
    """
    faults = []
    listed = listed_of(counts, indices, case, faults)
    yield from faults
    if faults:
        return
    yield from check_form(counts, indices, listed, permutation, case)
    geometry = case.geometry
    positions = geometry.positions(permutation, case.q_heads)
    forced = np.broadcast_to(twin.forced(geometry, positions), listed.shape)
    attendable = np.broadcast_to(twin.attendable(geometry, positions), listed.shape)
    scores = twin.without_nan(scores)
    fewest_lost, most_lost = np.zeros((2,) + listed.shape[:2], int)
    for b, h, block in np.ndindex(listed.shape[:3]):
        here = b, h, block
        exact = not scores[here].any()  # what contains NaN
        lost = explain(listed[here], scores[here], 0 if exact else near, geometry.candidates()[block], forced[here],
                       attendable[here], case)
        if not lost:
            yield (f"selection: batch {b} head {h} query block {block} lists {np.flatnonzero(listed[here]).tolist()}; "
                   f"scores {scores[here].tolist()}, forced {np.flatnonzero(forced[here]).tolist()}")
            return
        fewest_lost[b, h] += min(lost)
        most_lost[b, h] += max(lost)
    if case.capacity is not None:
        if cut.shape != fewest_lost.shape or cut.dtype != np.int32:
            yield f"cut: {cut.dtype} of shape {cut.shape}, expected int32 {fewest_lost.shape}"
        elif np.any((cut < fewest_lost) | (cut > most_lost)):
            yield f"cut: {cut.tolist()}, expected from {fewest_lost.tolist()} to {most_lost.tolist()}"


def check_attention(out, lse, q, k, v, listed, permutation, case, name="attention"):
    expected_out, expected_lse = twin.attention(q, k, v, listed, case.geometry, permutation, case.scale,
                                                modify=case.modify)
    for result, actual, expected in (("out", out, expected_out), ("lse", lse, expected_lse)):
        if actual.shape != expected.shape:
            yield f"{name}: {result} has shape {actual.shape}, expected {expected.shape}"
            return
    for b, h, block in np.ndindex(*out.shape[:2], case.geometry.query_blocks):
        rows = b, h, slice(block * case.query_block, (block + 1) * case.query_block)
        where = f"{name}: batch {b} head {h} query block {block}"
        norm, error = np.linalg.norm(expected_out[rows]), np.linalg.norm(out[rows] - expected_out[rows])
        if not error <= ERROR[case.dtype] * norm:  # 0 where the block is 0
            yield f"{where}: error {error} of {norm}"
        yield from check_close(f"{where}: lse", lse[rows], expected_lse[rows], 1e-6, 2e-4)


def check_pool(name, actual, rows, kind, block):
    """Sums of at most 128 values in float32: relative to the sum of absolute values, a tree or chain of them."""
    expected = twin.pool(rows, kind, block)
    if kind == "max":
        yield from check_close(name, actual, expected, 0, 0)
    else:
        yield from check_close(name, actual, expected, 0, block * 2.0**-24 * twin.pool(np.abs(rows), kind, block))
