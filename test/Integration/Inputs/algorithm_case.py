# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the whole algorithm on the emulator over a pairwise covering array of what it can be configured to.

Each row is a module of pbs-gen, made to return some of its intermediate values. All of them are judged by the NumPy
twin. A fresh seed makes rows and inputs; --seed and --row of a failure's report repeat it.
"""
import re

import numpy as np

import algorithm
import judges
import running
from algorithm import twin

# Beside output and log-sum-exp. What decides the rest comes back in any case but one.
RETURNED = {"nothing": [], "needed": [], "importance": ["importance"], "pooled": ["pooled_query", "pooled_key"],
            "scores": ["scores"], "permuted": ["permuted_key", "permuted_value"]}
RETURNED["everything"] = [name for names in RETURNED.values() for name in names]
NEEDED = ["permutation", "selection"]


def returning(module, names):
    """The module with these values, as far as it has them, as further results; and the names of its results."""
    values = {}
    for name in names:
        # A selection may have the count of cut query blocks beside it.
        found = re.search(rf"%{name}(?:, %\w+)? = .* -> (!pbs.selection<\w+>|.*)", module)
        if found:
            values[name] = found[1]
    types = "".join(f", {kind}" for kind in values.values())
    module, changed = re.subn(r"(func\.func .*)\) \{$", lambda line: f"{line[1]}{types}) {{", module, flags=re.M)
    assert changed == 1, module
    operands = "".join(f", %{name}" for name in values)
    module, changed = re.subn(r"return (.*) : (.*)",
                              lambda line: f"return {line[1]}{operands} : {line[2]}{types}", module)
    assert changed == 1, module
    results = re.findall(r'pbs\.name = "(\w+)"', module)[3:]
    for name in values:
        results += ["counts", "indices"] if name == "selection" else [name]
    return module, results


def judge(found, q, k, v, case):
    q, k, v = judges.wide(q, k, v)
    permutation = found.get("permutation")
    if case.permutation != "none":
        importance = twin.importance(q, k, case.query_block, case.segment, case.scale, case.permutation_heads)
        faults = list(judges.check_permutation(permutation, importance, case))
        yield from faults
        if faults:
            return
    if "importance" in found:
        yield from judges.check_importance(found["importance"], q, k, case, case.permutation_heads)
    keys, values = k, v
    if permutation is not None:
        keys, values = twin.permute(k, permutation), twin.permute(v, permutation)
    for name, rows in (("permuted_key", keys), ("permuted_value", values)):
        if name in found and not np.array_equal(found[name], rows):
            yield f"{name}: differs"
    for name, rows, block in (("pooled_query", q, case.query_block), ("pooled_key", keys, case.key_block)):
        if name in found:
            yield from judges.check_pool(name, found[name], rows, case.pooling, block)
    scores = judges.expected_scores(q, k, permutation, case)
    near = judges.nearness(q, k, case)
    if "scores" in found:
        yield from judges.check_scores(found["scores"], scores, case, near)
    counts, indices = found["counts"], found["indices"]
    faults = list(judges.check_selection(counts, indices, found.get("cut"), scores, permutation, case,
                                         near))
    yield from faults
    if faults:
        return
    listed = twin.listed_blocks(counts, indices, case.geometry.key_blocks)
    yield from judges.check_attention(found["out"], found["lse"], q, k, v, listed, permutation, case)


def run_row(row, random, faults):
    case = algorithm.configure(row, random)
    what = f"{algorithm.describe(case)}; {case.shapes}, {case.data} data, returns {case.returned}"
    inputs = dict(zip("qkv", algorithm.inputs(case, random)))
    plain = algorithm.generate(case)
    module, results = returning(plain, RETURNED[case.returned] + NEEDED)
    found = running.run_module(module, case.chip, inputs, results)
    if case.returned == "nothing":
        # Permutation and selection of the run above, the rest of one that does not return them.
        _, results = returning(plain, [])
        found.update(running.run_module(plain, case.chip, inputs, results))
    faults += judge(found, *inputs.values(), case)
    return what


if __name__ == "__main__":
    running.main(algorithm.DIMENSIONS, run_row, __doc__.splitlines()[0])
