# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pairwise covering arrays: few rows in which every two values of two dimensions meet.

A dimension has a name and values. A row has a value for each dimension. `allowed` says of some of a row's values
whether they go together; what it refuses, it must refuse with more values too. Pairs of values that no allowed row
holds are left out.
"""
import itertools

TRIES = 8  # rows from which the best is taken


def pairs_of(row):
    """The pairs in a row, as frozensets of two (name, value)."""
    return {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}


def complete(partial, dimensions, allowed, random=None, gain=None):
    """An allowed row that contains the given values, or None where there is none.

    Tries values with the greatest gain first, a number that gain(partial, name, value) tells.
    """
    missing = [name for name in dimensions if name not in partial]
    if not missing:
        return partial
    # A dimension with few values left is decided before it has none.
    choices = {name: [value for value in dimensions[name] if allowed({**partial, name: value})] for name in missing}
    if not all(choices.values()):
        return None
    if random is not None:
        random.shuffle(missing)
    name = min(missing, key=lambda name: len(choices[name]) > 1)
    values = choices[name]
    if random is not None:
        random.shuffle(values)
        values.sort(key=lambda value: -gain(partial, name, value))
    for value in values:
        row = complete({**partial, name: value}, dimensions, allowed, random, gain)
        if row is not None:
            return row
    return None


def possible_pairs(dimensions, allowed):
    """Every pair of values that some allowed row holds."""
    result = set()
    for (first, its_values), (second, other_values) in itertools.combinations(dimensions.items(), 2):
        for a, b in itertools.product(its_values, other_values):
            pair = frozenset({(first, a), (second, b)})
            if pair in result or not allowed({first: a, second: b}):
                continue
            row = complete({first: a, second: b}, dimensions, allowed)
            if row is not None:
                result |= pairs_of(row)
    return result


def make_rows(dimensions, allowed, random):
    """Rows that hold every possible pair; `random` is a random.Random."""
    missing = {(name, value): set() for name in dimensions for value in dimensions[name]}
    for first, second in possible_pairs(dimensions, allowed):
        missing[first].add(second)
        missing[second].add(first)

    def gain(partial, name, value):
        return len(missing[name, value].intersection(partial.items()))

    def gain_of(row):
        return sum(len(missing[item].intersection(row.items())) for item in row.items())

    rows = []
    while any(missing.values()):
        tries = []
        items = [item for item, others in missing.items() if others]
        for _ in range(TRIES):
            item = random.choice(items)
            other = random.choice(sorted(missing[item], key=repr))
            tries.append(complete(dict([item, other]), dimensions, allowed, random, gain))
        rows.append(max(tries, key=gain_of))
        for item in rows[-1].items():
            missing[item].difference_update(rows[-1].items())
    random.shuffle(rows)
    return [{name: row[name] for name in dimensions} for row in rows]
