# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests the judges: the twin's own results pass, and each result that is spoiled in one way fails for that reason."""
import random as python_random
import secrets
import sys

import numpy as np

import algorithm
import algorithm_case
import covering_array
import judges
from algorithm import twin

# A case in which every kind of result is there to be spoiled.
RICH = {"heads": (4, 2), "head_dim": 64, "dtype": "bf16", "query_block": 64, "key_block": 64, "segment": 128,
        "permutation": "per-query-head", "rule": "top-p=0.5", "score": "pooled=mean", "causal": True, "window": "none",
        "capacity": "smallest", "scale": "own", "chip": "sm_80", "batch": 2, "keys": "many", "queries": "all",
        "region": "none", "shapes": "dynamic", "data": "normal", "returned": "everything"}


def results_of(case, q, k, v):
    """What a device returns, from the twin."""
    everything = twin.prefill(q, k, v, case.geometry, case.permutation, case.take, case.scale, case.pooling,
                              case.capacity, row_stride=case.row_stride)
    order = everything.get("permutation")
    found = {"counts": everything["counts"], "indices": everything["indices"],
             "scores": everything["scores"].astype(np.float32)}
    keys = judges.wide(k)[0] if order is None else twin.permute(judges.wide(k)[0], order)
    found["pooled_key"] = twin.pool(keys, case.pooling, case.key_block).astype(np.float32)
    if case.capacity is not None:
        found["cut"] = everything["cut"].astype(np.int32)
    if order is not None:
        found["importance"] = everything["importance"].astype(np.float32)
        found["permutation"] = order.astype(np.int32)
        found["permuted_value"] = twin.permute(v, order)
    found["out"], found["lse"] = (x.astype(np.float32) for x in twin.attention(
        *judges.wide(q, k, v), everything["listed"], case.geometry, order, case.scale, modify=case.modify))
    return found


def make_case(row, random):
    case = algorithm.configure(row, random)
    inputs = algorithm.inputs(case, random)
    return case, inputs, results_of(case, *inputs)


def spoilings(case, inputs, found):
    """(what, how the judge's line begins, the results that are wrong)."""
    def changed(name, change):
        copy = found[name].copy()
        replaced = change(copy)
        return {**found, name: copy if replaced is None else replaced}

    def put(name, at, value):
        return changed(name, lambda array: array.__setitem__(at, value))

    geometry = case.geometry
    permutation = found["permutation"]
    here = 1, 2

    def swap(array, a, b):
        array[here + ([a, b],)] = array[here + ([b, a],)]

    yield "importance", "importance:", changed("importance", lambda array: array.__imul__(1.001))
    tail = case.key_length // case.segment * case.segment
    if tail < case.key_length:
        yield "importance of the tail", "importance: not 0", put("importance", (*here, tail), 1e-38)
    yield "order of the segments", "permutation: does not map", changed(
        "permutation", lambda array: swap(array, 0, case.segment))
    yield "repeated key", "permutation: does not map", put("permutation", (*here, 3), permutation[here + (4,)])
    if tail + 1 < case.key_length:
        yield "order of the tail", "permutation: moves", changed(
            "permutation", lambda array: swap(array, tail, tail + 1))
    # The most and the least important key of a segment.
    yield "keys of two blocks", "importance of a key block:", changed(
        "permutation", lambda array: swap(array, 0, case.segment - 1))
    yield "a permuted value", "permuted_value:", put("permuted_value", (*here, 5, 5), 100)
    yield "a pooled key", "pooled_key:", changed("pooled_key", lambda array: array.__iadd__(1e-4))
    yield "a score", "scores: 1 of", put("scores", (*here, -1, 1), found["scores"][here + (-1, 1)] + 2e-5)
    yield "a score of no candidate", "scores: not 0", put("scores", (*here, 0, -1), 1e-9)

    listed = twin.listed_blocks(found["counts"], found["indices"], geometry.key_blocks)

    def listing(change):
        mask = listed.copy()
        change(mask)
        counts, indices = twin.lists(mask, geometry, permutation, case.capacity)
        return {**found, "counts": counts, "indices": indices}

    positions = geometry.positions(permutation, case.q_heads)
    last = geometry.query_blocks - 1
    forced = np.broadcast_to(twin.forced(geometry, positions), listed.shape)[here][last]
    chosen = np.flatnonzero(listed[here][last] & ~forced)
    free = np.flatnonzero(~listed[here][last] & geometry.candidates()[last])
    worst = free[np.argmin(found["scores"][here][last][free])]
    if len(chosen):
        yield "a chosen block missing", "selection:", listing(
            lambda mask: mask.__setitem__((*here, last, chosen[0]), False))
        def exchange(mask):
            mask[(*here, last, chosen[0])], mask[(*here, last, worst)] = False, True
        yield "a worse block instead", "selection:", listing(exchange)
    yield "a forced block missing", "selection:", listing(
        lambda mask: mask.__setitem__((*here, last, np.flatnonzero(forced)[0]), False))
    # The first query block attends no block of a later segment: exchanged for one, since there may be no room.
    def unattendable(mask):
        mask[(*here, 0)][np.flatnonzero(mask[(*here, 0)])[-1]] = False
        mask[(*here, 0, geometry.key_blocks - 1)] = True
    yield "a block that is not attended", "selection:", listing(unattendable)
    yield "a masked block called whole", "counts:", changed("counts", lambda array: array[here].__iadd__([1, -1]))
    yield "a block twice", "indices:", put("indices", (*here, last, 1), found["indices"][here + (last, 0)])
    yield "no filler", "indices:", changed("indices", lambda array: np.where(array == twin.UNUSED, 0, array))
    yield "a block that does not exist", "indices: a listed block", put(
        "indices", (*here, last, 0), geometry.key_blocks)
    yield "too large a count", "counts:", put("counts", (*here, last), [2**31 - 1, 1])
    yield "cut", "cut:", changed("cut", lambda array: array.__iadd__(1))

    rows = (*here, slice(case.query_block, 2 * case.query_block))
    for factor in (0.999, 1.001):
        norm = np.linalg.norm(found["out"][rows])
        noise = np.random.default_rng(0).standard_normal(found["out"][rows].shape)
        noise *= factor * judges.ERROR[case.dtype] * norm / np.linalg.norm(noise)
        yield f"{factor} of the bound", "attention: batch 1 head 2 query block 1: error" if factor > 1 else None, put(
            "out", rows, found["out"][rows] + noise)
    yield "NaN in the output", "attention: batch 1 head 2 query block 1: error", put("out", (*here, 70, 3), np.nan)
    yield "log-sum-exp", "attention: batch 1 head 2 query block 1: lse", put(
        "lse", (*here, 70), found["lse"][here + (70,)] + 3e-4)
    yield "infinite log-sum-exp", "attention: batch 1 head 2 query block 1: lse", put("lse", (*here, 70), -np.inf)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else secrets.randbits(32)
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    rows = covering_array.make_rows(algorithm.DIMENSIONS, algorithm.allowed, python_random.Random(seed))
    for row in rows[:6]:
        case, inputs, found = make_case(row, random)
        faults = list(algorithm_case.judge(found, *inputs, case))
        assert not faults, f"{algorithm.describe(case)}: {faults}"
    count = 0
    for _ in range(2):
        case, inputs, found = make_case(RICH, random)
        for what, start, spoiled in spoilings(case, inputs, found):
            faults = list(algorithm_case.judge(spoiled, *inputs, case))
            hit = not faults if start is None else any(fault.startswith(start) for fault in faults)
            assert hit, f"{what}: {algorithm.describe(case)}: {faults}"
            count += 1
    print(f"{count} spoiled results")


main()
