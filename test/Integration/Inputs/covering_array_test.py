# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests covering_array on small tables of dimensions, by enumeration of all rows, and on that of the algorithm."""
import itertools
import random
import secrets
import sys

import algorithm
import covering_array


def all_rows(dimensions, allowed):
    for values in itertools.product(*dimensions.values()):
        row = dict(zip(dimensions, values))
        if allowed(row):
            yield row


def check(what, dimensions, allowed, source, pairs=None):
    """The rows, which are allowed and hold each pair that an allowed row can hold."""
    rows = covering_array.make_rows(dimensions, allowed, source)
    for row in rows:
        assert list(row) == list(dimensions), what
        assert all(row[name] in dimensions[name] for name in row), what
        assert allowed(row), what
    if pairs is None:
        pairs = set().union(*map(covering_array.pairs_of, all_rows(dimensions, allowed)))
    covered = set().union(*map(covering_array.pairs_of, rows))
    assert covered == pairs, f"{what}: {len(pairs - covered)} pairs are missing, {len(covered - pairs)} too many"
    return rows


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else secrets.randbits(32)
    print(f"seed {seed}")
    source = random.Random(seed)
    two = {"a": [0, 1], "b": "xy"}
    assert len(check("two", two, lambda row: True, source)) == 4
    # Fewer rows than combinations, and not fewer than the two largest dimensions ask for.
    sizes = {name: range(source.randint(2, 5)) for name in "abcdef"}
    rows = check("six", sizes, lambda row: True, source)
    first, second = sorted(map(len, sizes.values()))[-2:]
    assert first * second <= len(rows) <= 2 * first * second + 4, len(rows)
    # A pair that only a third value makes impossible: b is 0 with either c, a = 1 wants c = 0 and b = 1 wants c = 1.
    implied = {"a": [0, 1], "b": [0, 1], "c": [0, 1]}
    wants = lambda row: not (row.get("a") == 1 and row.get("c") == 1) and not (row.get("b") == 1 and row.get("c") == 0)
    check("implied", implied, wants, source)
    for number in range(20):
        dimensions = {name: range(source.randint(1, 4)) for name in "abcde"}
        refused = [frozenset((name, source.choice(dimensions[name])) for name in source.sample("abcde", size))
                   for size in (1, 2, 2, 2, 3)]
        allowed = lambda row: not any(clause <= set(row.items()) for clause in refused)
        if any(all_rows(dimensions, allowed)):
            check(f"random {number}", dimensions, allowed, source)
    # The same seed gives the same rows.
    again = [covering_array.make_rows(sizes, lambda row: True, random.Random(seed)) for _ in range(2)]
    assert again[0] == again[1]
    # Too many rows to enumerate. Pairs that are possible are found by the generator's search; what it leaves out is
    # refused as it stands or known to be impossible.
    for dimensions in (algorithm.DIMENSIONS, algorithm.STAGE_DIMENSIONS):
        pairs = covering_array.possible_pairs(dimensions, algorithm.allowed)
        for first, second in itertools.combinations(dimensions, 2):
            for values in itertools.product(dimensions[first], dimensions[second]):
                row = dict(zip((first, second), values))
                assert (frozenset(row.items()) in pairs) == algorithm.allowed(row), row
        print(len(check("algorithm", dimensions, algorithm.allowed, source, pairs)), "rows")


main()
