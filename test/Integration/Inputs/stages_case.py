# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs each stage of the algorithm on inputs of its own, on the emulator, over a pairwise covering array.

Nearly all stages of a row are one function, whose results the NumPy twin judges; in half of the rows one of them runs
alone as well.
"""
import numpy as np

import algorithm
import judges
import running
from algorithm import twin
from harness import random_permutation


# What may be the same value: a function cannot return one twice.
ALIKE = [("segment_sort", "identity"), ("select", "full"), ("pooled_through_order", "pooled_permuted")]


class Stages:
    """A function's arguments, operations and results, and who judges the results."""

    def __init__(self, case):
        self.case = case
        self.arguments, self.types = {}, {}
        self.stages = {}  # name: its operations and result types, by name, and its judge
        batch, queries, keys = case.batch, case.query_length, case.key_length
        blocks = case.geometry.query_blocks, case.geometry.key_blocks
        heads = case.permutation_heads
        self.extents = {"B": batch, "Nq": queries, "Nkv": keys, "Qb": blocks[0], "Kb": blocks[1], "Hq": case.q_heads,
                        "Hkv": case.kv_heads, "Hp": heads, "D": case.head_dim}

    def tensor(self, shape, element):
        """The type B x ..., its extents by name; heads and head dimension are static in any case."""
        def extent(name):
            is_open = name in ("B", "Nq", "Nkv", "Qb", "Kb") and self.case.shapes == "dynamic"
            return "?" if is_open else str(self.extents.get(name, name))
        return f"tensor<{'x'.join([extent(name) for name in shape.split()] + [element])}>"

    def argument(self, name, array, kind):
        self.arguments[name], self.types[name] = array, kind

    def add(self, name, results, text, judge):
        self.stages[name] = results, text, judge

    def module(self, names):
        """Text, and names of results."""
        chosen = [self.stages[name] for name in names]
        results = {name: kind for each, _, _ in chosen for name, kind in each.items()}
        arguments = ", ".join(f"%{name}: {kind}" for name, kind in self.types.items())
        lengths = f"""
            %two = arith.constant 2 : index
            %zero = arith.constant 0 : index
            %batch = tensor.dim %q, %zero : {self.types["q"]}
            %queries = tensor.dim %q, %two : {self.types["q"]}
            %keys = tensor.dim %k, %two : {self.types["k"]}"""
        text = (f"func.func @stages({arguments}) -> ({', '.join(results.values())}) {{{lengths}\n"
                + "\n".join(text for _, text, _ in chosen)
                + f"\nreturn {', '.join('%' + name for name in results)} : {', '.join(results.values())}\n}}")
        arrays = []
        for name, kind in results.items():
            arrays += [f"{name}_counts", f"{name}_indices"] if kind.startswith("!pbs.selection") else [name]
        return text, arrays

    def files(self):
        """Arguments by name, a selection as two."""
        result = {}
        for name, array in self.arguments.items():
            result.update({f"{name}_{part}": each for part, each in array.items()} if isinstance(array, dict)
                          else {name: array})
        return result


def given_scores(case, random):
    """Scores of all blocks, float32; sums of the halves are exact."""
    geometry = case.geometry
    shape = case.batch, case.q_heads, geometry.query_blocks, geometry.key_blocks
    if case.scores == "halves":
        halves = 0.5 ** np.minimum(np.arange(1, geometry.key_blocks + 1), 20)
        return random.permuted(np.broadcast_to(halves, shape), axis=-1).astype(np.float32)
    if case.scores == "tied":
        return np.full(shape, 0.25, np.float32)
    scores = random.exponential(size=shape) ** 2 * geometry.candidates()
    scores /= np.maximum(scores.sum(axis=-1, keepdims=True), 1e-9)
    if case.scores == "zero":
        scores[...] = 0
    if case.scores == "nan":
        np.put_along_axis(scores, random.integers(0, geometry.key_blocks, shape[:3] + (1,)), np.nan, axis=-1)
        scores[random.random(shape[:3]) < 0.5] = 0.125
    return scores.astype(np.float32)


def given_importance(case, random, heads):
    shape = case.batch, heads, case.key_length
    values = random.random(shape)
    if case.importance != "random":
        values = random.integers(0, 4, shape).astype(float)
    if case.importance == "nan":
        values[random.random(shape) < 0.3] = np.nan
    if case.importance == "infinite":
        values[random.random(shape) < 0.2] = np.inf
        values[random.random(shape) < 0.2] = -np.inf
        values[random.random(shape) < 0.2] = -0.0
    return values.astype(np.float32)


def same_sets(permutation, importance, case):
    """Each key block holds the very keys that it does in the twin's order."""
    faults = list(judges.check_order(permutation, case, importance.shape[1]))
    yield from faults
    if faults:
        return
    expected = twin.segment_sort(importance.astype(np.float64), case.segment)
    for start in range(0, case.key_length, case.key_block):
        part = slice(start, start + case.key_block)
        wrong = (np.sort(permutation[..., part], axis=-1) != np.sort(expected[..., part], axis=-1)).any(axis=-1)
        if wrong.any():
            yield f"segment_sort: batch and head {judges.first(wrong)} hold other keys in the block from {start}"


def same(name, found, expected):
    if found.shape != expected.shape or not np.array_equal(found, expected):
        yield f"{name}: differs: shape {found.shape}, expected {expected.shape}"


def add_order_stages(stages, random):
    """Importance, sort and what follows from a given permutation."""
    case, tensor = stages.case, stages.tensor
    half = case.dtype
    heads = case.permutation_heads or int(random.choice([case.q_heads, case.kv_heads]))
    with_heads = f"B {heads} Nkv"
    floats = tensor(with_heads, "f32")
    q, k, v = judges.wide(*(stages.arguments[name] for name in "qkv"))

    stages.add("importance", {"importance": floats}, f"""
        %importance = pbs.importance %q, %k query_block = {case.query_block} segment = {case.segment}
          scale = {case.scale!r} : {stages.types["q"]}, {stages.types["k"]} -> {floats}""",
        lambda found: judges.check_importance(found["importance"], q, k, case, heads))
    weights = given_importance(case, random, heads)
    stages.argument("weights", weights, floats)
    order_type = f"!pbs.permutation<heads = {heads}, segment = {case.segment}>"
    stages.add("segment_sort", {"sorted": order_type}, f"""
        %sorted = pbs.segment_sort %weights : {floats} -> {order_type}""",
        lambda found: same_sets(found["sorted"], weights, case))
    stages.add("identity", {"identity": order_type}, f"""
        %identity = pbs.identity_permutation %batch, %keys : {order_type}""",
        lambda found: same("identity", found["identity"],
                           np.broadcast_to(np.arange(case.key_length), (case.batch, heads, case.key_length))))

    def pool(name, source, rows, kind, block, blocks, result_heads, use="", order=""):
        pooled = tensor(f"B {result_heads} {blocks} D", "f32")
        stages.add(name, {name: pooled}, f"""
            %{name} = pbs.pool %{source} {use} {case.pooling} block = {block} : {kind} {order} -> {pooled}""",
            lambda found: judges.check_pool(name, found[name], rows, case.pooling, block))

    pool("pooled_queries", "q", q, stages.types["q"], case.query_block, "Qb", "Hq")
    pool("pooled_plain_keys", "k", k, stages.types["k"], case.key_block, "Kb", "Hkv")
    if case.permutation == "none":
        return None
    order = random_permutation(random, case.batch, heads, case.key_length, case.segment)
    stages.argument("order", order, order_type)
    kind = f"!pbs.permuted<{tensor(f'B {heads} Nkv D', half)}, segment = {case.segment}>"
    for name in "kv":
        rows = twin.permute(stages.arguments[name], order)
        stages.add(f"permute_{name}", {f"permuted_{name}": kind}, f"""
            %permuted_{name} = pbs.permute %{name}, %order : {stages.types[name]}, {order_type} -> {kind}""",
            lambda found, name=name, rows=rows: same(f"permuted_{name}", found[f"permuted_{name}"], rows))
    permuted = twin.permute(k, order)
    pool("pooled_through_order", "k", permuted, stages.types["k"], case.key_block, "Kb", heads, "permutation(%order)",
         f", {order_type}")
    stages.add("pooled_permuted", {"pooled_permuted": tensor(f"B {heads} Kb D", "f32")}, f"""
        %keys_to_pool = pbs.permute %k, %order : {stages.types["k"]}, {order_type} -> {kind}
        %pooled_permuted = pbs.pool %keys_to_pool {case.pooling} block = {case.key_block}
          : {kind} -> {tensor(f"B {heads} Kb D", "f32")}""",
        lambda found: judges.check_pool("pooled_permuted", found["pooled_permuted"], permuted, case.pooling,
                                        case.key_block))
    return order


def add_selection_stages(stages, random, order):
    """Scores of given pooled rows, and every way to make a selection."""
    case, geometry, tensor = stages.case, stages.case.geometry, stages.tensor
    shape = case.batch, case.q_heads, geometry.query_blocks, geometry.key_blocks
    selection = f"!pbs.selection<{case.query_block}x{case.key_block}>"
    causal = "causal" if case.causal else ""
    limits = causal + ("" if case.window is None else f" window = {case.window}")
    order_type = stages.types.get("order", "")
    use, use_type, and_type = ("", "", "") if order is None else (
        "permutation(%order)", f"permutation(%order : {order_type})", f", {order_type}")

    pooled = []
    for name, heads, blocks in (("pooled_q", case.q_heads, "Qb"), ("pooled_k", case.kv_heads, "Kb")):
        rows = random.standard_normal((case.batch, heads, stages.extents[blocks], case.head_dim)).astype(np.float32)
        if case.scores == "nan" and name == "pooled_k":
            rows[0, 0, random.integers(geometry.key_blocks), 5] = np.nan
        stages.argument(name, rows, tensor(f"B {heads} {blocks} D", "f32"))
        pooled.append(rows.astype(np.float64))
    scores_type = tensor("B Hq Qb Kb", "f32")
    stages.add("block_scores", {"computed_scores": scores_type}, f"""
        %computed_scores = pbs.block_scores %pooled_q, %pooled_k lengths(%queries, %keys)
          blocks = [{case.query_block}, {case.key_block}] segment = {case.segment} scale = {case.scale!r} {causal}
          : {stages.types["pooled_q"]}, {stages.types["pooled_k"]} -> {scores_type}""",
        lambda found: judges.check_scores(found["computed_scores"],
                                          twin.block_scores(*pooled, geometry, case.scale), case))

    q, k = judges.wide(stages.arguments["q"], stages.arguments["k"])
    stride = case.row_stride or int(random.choice([1, 2, 8, 32]))
    stages.add("row_scores", {"sampled_scores": scores_type}, f"""
        %sampled_scores = pbs.block_scores %q, %k lengths(%queries, %keys) {use} score = #pbs.rows<stride = {stride}>
          blocks = [{case.query_block}, {case.key_block}] segment = {case.segment} scale = {case.scale!r} {causal}
          : {stages.types["q"]}, {stages.types["k"]} {and_type} -> {scores_type}""",
        lambda found: judges.check_scores(
            found["sampled_scores"], twin.row_scores(q, k, geometry, order, stride, case.scale), case,
            judges.NEAR + judges.rounding_of_products(q, k, case)))

    scores = given_scores(case, random)
    stages.argument("scores", scores, scores_type)
    limited = case.capacity is not None
    cut_type = tensor("B Hq", "i32")
    number = {"top-k": lambda: f"<{int(case.number)}>", "all": lambda: ""}.get(case.rule_name,
                                                                               lambda: f"<{case.number!r}>")()
    capacity = f"capacity = {case.capacity}" if limited else ""
    stages.add("select", {"selected": selection, **({"cut": cut_type} if limited else {})}, f"""
        %selected{", %cut" if limited else ""} = pbs.select %scores lengths(%queries, %keys) {use}
          rule = #pbs.{case.rule_name.replace("-", "_")}{number} segment = {case.segment} {capacity} {limits}
          : {scores_type} {and_type} -> {selection} {f", {cut_type}" if limited else ""}""",
        lambda found: judges.check_selection(found["selected_counts"], found["selected_indices"], found.get("cut"),
                                             scores.astype(np.float64), order, case, near=0))

    attendable = np.broadcast_to(twin.attendable(geometry, geometry.positions(order, case.q_heads)), shape)
    mask = random.random(shape) < random.choice([0, 0.2, 0.5, 0.9, 1], shape[:3] + (1,))
    stages.argument("mask", mask, tensor("B Hq Qb Kb", "i1"))

    def check_lists(found, name, listed, room=None):
        for part, expected in zip(("counts", "indices"), twin.lists(listed, geometry, order, room)):
            yield from same(f"{name} {part}", found[f"{name}_{part}"], expected)

    stages.add("full", {"full": selection}, f"""
        %full = pbs.full_selection %batch lengths(%queries, %keys) {use_type} heads = {case.q_heads} {limits}
          : {selection}""", lambda found: check_lists(found, "full", attendable))
    stages.add("masked", {"masked": selection}, f"""
        %masked = pbs.selection_from_mask %mask lengths(%queries, %keys) {use} {limits}
          : {stages.types["mask"]} {and_type} -> {selection}""",
        lambda found: check_lists(found, "masked", mask & attendable))
    room = int(random.integers(1, geometry.key_blocks + 2))

    def check_limited(found):
        listed, cut = twin.limit(mask & attendable, False, np.zeros(shape), room)
        yield from check_lists(found, "few", listed, room)
        yield from same("few_cut", found["few_cut"], cut)

    stages.add("masked_limited", {"few": selection, "few_cut": cut_type}, f"""
        %few, %few_cut = pbs.selection_from_mask %mask lengths(%queries, %keys) {use} capacity = {room} {limits}
          : {stages.types["mask"]} {and_type} -> {selection}, {cut_type}""", check_limited)


def add_attention_stages(stages, random, order):
    """Over lists, a mask or all blocks; through the permutation or over permuted keys."""
    case, geometry, tensor = stages.case, stages.case.geometry, stages.tensor
    shape = case.batch, case.q_heads, geometry.query_blocks, geometry.key_blocks
    limits = ("causal" if case.causal else "") + ("" if case.window is None else f" window = {case.window}")
    selection = f"!pbs.selection<{case.query_block}x{case.key_block}>"
    out, lse = stages.types["q"], tensor("B Hq Nq", "f32")
    q, k, v = judges.wide(*(stages.arguments[name] for name in "qkv"))
    order_type = stages.types.get("order", "")
    use, and_type = ("", "") if order is None else ("permutation(%order)", f", {order_type}")
    region = algorithm.score_region(case)

    def attend(name, made, source, keys, values, kind, listed):
        stages.add(name, {f"{name}_out": out, f"{name}_lse": lse}, f"""{made}
            %{name}_out, %{name}_lse = pbs.attention %q, %{keys}, %{values}, %{source} {use}
              scale = {case.scale!r} {limits}
              : {out}, {kind}, {kind}, {selection} {and_type} -> {out}, {lse} {region}""",
            lambda found: judges.check_attention(found[f"{name}_out"], found[f"{name}_lse"], q, k, v, listed, order,
                                                 case, name))

    listed = random.random(shape) < random.random(shape[:3] + (1,))
    counts, indices = twin.lists(listed, geometry, order)
    indices = indices[..., : max(1, counts.sum(axis=-1).max())]
    stages.argument("lists", {"counts": counts, "indices": indices}, selection)
    optional = "" if order is None else f"permutation(%order : {order_type})"
    attendable = twin.attendable(geometry, geometry.positions(order, case.q_heads))
    kind = f"!pbs.permuted<{tensor(f'B {case.permutation_heads} Nkv D', case.dtype)}, segment = {case.segment}>"
    permute = "".join(f"""
            %{name}_to_attend = pbs.permute %{name}, %order : {stages.types[name]}, {order_type} -> {kind}"""
                      for name in "kv")
    form = random.choice(["lists", "lists", "mask", "full"] + ["permuted"] * (order is not None))
    if form == "lists":
        attend("attention", "", "lists", "k", "v", stages.types["k"], listed)
    elif form == "mask":
        attend("attention_mask", f"""
            %mask_to_attend = pbs.selection_from_mask %mask lengths(%queries, %keys) {use} {limits}
              : {stages.types["mask"]} {and_type} -> {selection}""", "mask_to_attend", "k", "v", stages.types["k"],
            stages.arguments["mask"] & attendable)
    elif form == "full":
        attend("attention_full", f"""
            %all_to_attend = pbs.full_selection %batch lengths(%queries, %keys) {optional} heads = {case.q_heads}
              {limits} : {selection}""", "all_to_attend", "k", "v", stages.types["k"], np.ones(shape, bool))
    else:
        attend("attention_permuted", permute, "lists", "k_to_attend", "v_to_attend", kind, listed)


def run_row(row, random, faults):
    case = algorithm.configure(row, random)
    stages = Stages(case)
    stages.argument("q", algorithm.tensor(random, case, case.q_heads, case.query_length),
                    stages.tensor("B Hq Nq D", case.dtype))
    for name in "kv":
        stages.argument(name, algorithm.tensor(random, case, case.kv_heads, case.key_length),
                        stages.tensor("B Hkv Nkv D", case.dtype))
    order = add_order_stages(stages, random)
    add_selection_stages(stages, random, order)
    add_attention_stages(stages, random, order)
    alone = str(random.choice(list(stages.stages)))
    left_out = [random.choice(pair) for pair in ALIKE]
    together = [name for name in stages.stages if name not in left_out]
    for names in [together] + [[alone]] * int(random.integers(2)):
        text, results = stages.module(names)
        found = running.run_module(text, case.chip, stages.files(), results)
        for name in names:
            where = f"{name} alone" if names == [alone] else name
            faults += [f"{where}: {fault}" for fault in stages.stages[name][2](found)]
    return f"{algorithm.describe(case)}; {case.scores} scores, {case.importance} importance, {case.shapes}; {alone}"


if __name__ == "__main__":
    running.main(algorithm.STAGE_DIMENSIONS, run_row, __doc__.splitlines()[0])
