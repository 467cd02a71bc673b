# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The dimensions in which the algorithm varies, which of their values go together, and a configuration from a row."""
import os
import pathlib
import re
import subprocess
import sys
import types

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: threads on small products only spin
import numpy as np

SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path += [str(SOURCE / "test" / "Reference"), str(SOURCE / "scripts")]
import twin
from make_inputs import make_inputs, round_to

DIMENSIONS = {
    "heads": [(1, 1), (4, 1), (4, 2), (6, 2), (3, 3)],
    "head_dim": [64, 128],
    "dtype": ["bf16", "f16"],
    "query_block": [64, 128, 192],
    "key_block": [64, 128],
    "segment": [64, 128, 192, 256, 384, 512, 1024],
    "permutation": ["none", "per-query-head", "per-kv-head"],
    "rule": ["top-p=0", "top-p=0.5", "top-p=0.9", "top-p=1", "top-k=0", "top-k=1", "top-k=3", "top-k=huge", "all",
             "threshold=0.02", "threshold-by-length=0.2", "max-threshold=0.3"],
    "score": ["pooled=mean", "pooled=max", "rows=1", "rows=4", "rows=16", "rows=64"],
    "causal": [True, False],
    "window": ["none", "small", "medium", "huge"],
    "capacity": ["none", "smallest", "small", "huge"],
    "scale": ["default", "own"],
    "chip": ["sm_80", "sm_90a"],
    "batch": [1, 2],
    # Of the keys, in terms of the segment s: 1, less than s, s and less than a block, s and whole blocks, more than
    # 2 s, more than 5 s.
    "keys": ["one", "short", "over", "blocks", "several", "many"],
    "queries": ["all", "one", "few", "chunk", "straddle"],
    "region": ["none", "soft-cap", "alibi", "both"],
    "shapes": ["dynamic", "static"],
    "data": ["normal", "strong", "tied", "peaked", "zero"],
    # What the function returns beside output and log-sum-exp; "needed" is permutation and selection.
    "returned": ["nothing", "needed", "importance", "pooled", "scores", "permuted", "everything"],
}

# Each stage on inputs of its own. What they hold takes the place of data and returned.
STAGE_DIMENSIONS = {
    **{name: values for name, values in DIMENSIONS.items() if name not in ("data", "returned")},
    "rule": ["top-p=0.5", "top-p=0.9", "top-p=1", "top-k=0", "top-k=3", "all", "threshold=0.25",
             "threshold-by-length=0.375", "max-threshold=0.25"],
    "keys": ["one", "short", "over", "several", "many"],
    "scores": ["random", "tied", "zero", "halves", "nan"],
    "importance": ["random", "tied", "nan", "infinite"],
}

LARGEST_WORK = 8e6  # pairs of a query and a key, over all heads


def fewest_keys(keys, segment):
    """A lower bound of Nkv."""
    return {"one": 1, "short": 2, "over": segment + 1, "blocks": segment + 64, "several": 2 * segment + 1,
            "many": 5 * segment + 1}[keys]


def allowed(row):
    """Whether these values go together, as far as they are given."""
    segment, keys, queries = row.get("segment"), row.get("keys"), row.get("queries")
    if segment and segment % row.get("key_block", 64):
        return False
    if keys == "one" and queries in ("few", "chunk", "straddle"):
        return False
    if keys == "short" and queries == "straddle":
        return False
    if keys == "many" and segment and segment > 192:
        return False
    if segment and keys:
        q_heads, _ = row.get("heads", (1, 1))
        return q_heads * row.get("batch", 1) * fewest_keys(keys, segment) ** 2 <= LARGEST_WORK
    return True


def key_length(random, keys, segment, key_block):
    if keys == "short":
        return int(random.integers(2, segment))
    if keys == "over":
        return segment + int(random.integers(1, key_block))
    if keys == "blocks":  # at least one complete segment
        return segment + key_block * int(random.integers(1, max(2, segment // key_block)))
    if keys == "several":
        return int(random.integers(2 * segment + 1, max(2 * segment + 101, min(4 * segment, 700))))
    if keys == "many":
        return int(random.integers(5 * segment + 1, 7 * segment))
    return 1


def query_length(random, queries, keys, segment, query_block):
    if queries == "straddle":  # a segment begins at a row of a query block that is not its first
        border = segment * int(random.integers(1, (keys - 1) // segment + 1))
        before = min(int(random.integers(1, query_block)), border)
        before += query_block * int(random.integers(0, (border - before) // query_block + 1))
        return keys - border + before
    return {"all": lambda: keys, "one": lambda: 1, "few": lambda: int(random.integers(1, min(64, keys))),
            "chunk": lambda: int(random.integers(1, keys))}[queries]()


def forced_blocks(query_block, key_block, segment):
    """Most blocks that may be forced; docs/spec.md, pbs.select."""
    return (-(-(query_block - 1) // segment) + 1) * (segment // key_block) + 1


def configure(row, random):
    """The row with numbers for what it describes by words."""
    case = types.SimpleNamespace(**row)
    case.q_heads, case.kv_heads = case.heads
    case.key_length = key_length(random, case.keys, case.segment, case.key_block)
    case.query_length = query_length(random, case.queries, case.key_length, case.segment, case.query_block)
    case.window = {
        "none": lambda: None,
        "small": lambda: int(random.choice([1, random.integers(1, case.key_block)])),
        "medium": lambda: int(random.integers(case.key_block, max(case.key_block, case.key_length) + 1)),
        "huge": lambda: int(random.choice([case.key_length, case.key_length + 1, 2**31 - 1, 2**31, 2**40, 2**62])),
    }[case.window]()
    case.geometry = twin.Geometry(case.query_length, case.key_length, case.query_block, case.key_block, case.segment,
                                  case.causal, case.window)
    smallest = forced_blocks(case.query_block, case.key_block, case.segment)
    case.capacity = {"none": None, "smallest": smallest, "small": smallest + int(random.integers(1, 4)),
                     "huge": int(random.choice([case.geometry.key_blocks + smallest, 16384]))}[case.capacity]
    if case.rule == "top-k=huge":
        case.rule = f"top-k={random.choice([case.geometry.key_blocks, 16384, 2**31, 2**62])}"
    case.rule_name, _, case.number = case.rule.partition("=")
    case.number = float(case.number) if case.number else None
    case.take = twin.rule_named(case.rule_name, case.number)
    kind, _, detail = case.score.partition("=")
    # Pooling of the stages that pool, whatever the score is.
    case.pooling = detail if kind == "pooled" else str(random.choice(["mean", "max"]))
    case.row_stride = int(detail) if kind == "rows" else None
    case.scale = case.head_dim**-0.5 if case.scale == "default" else float(np.round(random.uniform(0.02, 0.3), 4))
    case.permutation_heads = {"none": None, "per-query-head": case.q_heads,
                              "per-kv-head": case.kv_heads}[case.permutation]
    case.cap = float(np.round(random.uniform(0.5, 20), 3)) if case.region in ("soft-cap", "both") else None
    case.has_alibi = case.region in ("alibi", "both")
    modifications = [twin.soft_cap(case.cap)] * (case.cap is not None)
    modifications += [twin.alibi(case.q_heads, case.causal)] * case.has_alibi
    case.modify = twin.in_turn(*modifications)
    return case


def flags(case):
    """Options of pbs-gen."""
    result = [f"--q-heads={case.q_heads}", f"--kv-heads={case.kv_heads}", f"--head-dim={case.head_dim}",
              f"--dtype={case.dtype}", f"--query-block={case.query_block}", f"--block={case.key_block}",
              f"--segment={case.segment}", f"--permutation={case.permutation}", f"--{case.rule}",
              f"--scale={case.scale!r}"]
    result += ([f"--pooling={case.pooling}"] if case.row_stride is None else
               ["--score=rows", f"--score-stride={case.row_stride}"])
    result += ["--no-causal"] * (not case.causal) + ["--alibi"] * case.has_alibi
    for name, value in (("window", case.window), ("capacity", case.capacity), ("soft-cap", case.cap)):
        if value is not None:
            result.append(f"--{name}={value!r}")
    return result


# What the tensors of an operation, or of a line of the function, have beside batch, heads and head dimension.
EXTENTS = {"func.func": "q k k q q -", "tensor.dim %q": "q", "tensor.dim %k": "k", "pbs.importance": "q k k",
           "pbs.segment_sort": "k", "pbs.permute": "k k", "%pooled_query =": "q Qb", "%pooled_key =": "k Kb",
           "score = ": "q k QbKb", "pbs.block_scores": "Qb Kb QbKb", "pbs.select": "QbKb -", "pbs.attention": "q k k q q", "return": "q q -"}


def make_static(module, case):
    """The module with batch and lengths in its types."""
    geometry = case.geometry
    extents = {"-": [], "q": [case.query_length], "k": [case.key_length], "Qb": [geometry.query_blocks],
               "Kb": [geometry.key_blocks], "QbKb": [geometry.query_blocks, geometry.key_blocks]}
    lines = module.split("\n")
    for number, line in enumerate(lines):
        kinds = next((kinds for start, kinds in EXTENTS.items() if start in line.split(":")[0]), "").split()
        values = iter(kinds)

        def replace(tensor):
            numbers = iter([case.batch] + extents[next(values)])
            return re.sub(r"\?", lambda open_extent: str(next(numbers)), tensor[0])

        lines[number] = re.sub(r"tensor<\?[^>]*>", replace, line)
    return "\n".join(lines)


def generate(case):
    """The module of pbs-gen."""
    module = subprocess.run(["pbs-gen", *flags(case)], check=True, text=True, capture_output=True).stdout
    return make_static(module, case) if case.shapes == "static" else module


def score_region(case):
    """Text of the score region that the flags give attention."""
    if case.modify is None:
        return ""
    lines = []
    score = "score"
    if case.cap is not None:
        lines += [f"%cap = arith.constant {case.cap!r} : f32", "%share = arith.divf %score, %cap : f32",
                  "%bounded = math.tanh %share : f32", "%capped = arith.mulf %bounded, %cap : f32"]
        score = "capped"
    if case.has_alibi:
        lines += ["%minus = arith.subi %key, %query : i32", "%behind = arith.subi %query, %key : i32",
                  "%distance = arith.maxsi %minus, %behind : i32", "%far = arith.sitofp %distance : i32 to f32",
                  "%one = arith.constant 1 : i32", "%number = arith.addi %head, %one : i32",
                  "%number_float = arith.sitofp %number : i32 to f32",
                  f"%step = arith.constant {-8 / case.q_heads!r} : f32",
                  "%exponent = arith.mulf %step, %number_float : f32", "%slope = math.exp2 %exponent : f32",
                  "%bias = arith.mulf %slope, %far : f32", f"%biased = arith.subf %{score}, %bias : f32"]
        score = "biased"
    arguments = "%score: f32, %batch_index: i32, %head: i32, %query: i32, %key: i32"
    return f"score {{\n^bb0({arguments}):\n" + "\n".join(lines) + f"\npbs.yield %{score}\n}}"


def tensor(random, case, heads, length):
    """Normally distributed values of the case's type, as float32."""
    return round_to(random.standard_normal((case.batch, heads, length, case.head_dim)), case.dtype)


def inputs(case, random):
    """q, k and v as float32."""
    if case.data == "strong":
        return make_inputs(random.integers(2**32), case.batch, case.q_heads, case.kv_heads, case.query_length,
                           case.key_length, case.head_dim, case.dtype)
    q = tensor(random, case, case.q_heads, case.query_length)
    k, v = (tensor(random, case, case.kv_heads, case.key_length) for _ in range(2))
    if case.data == "zero":
        q[...] = 0
    elif case.data == "tied":  # few different keys
        k = np.take(k, random.integers(0, min(5, case.key_length), case.key_length), axis=2)
    elif case.data == "peaked":  # few keys take nearly all; the importance of most is below the smallest float32
        strong = random.random(case.key_length) < 0.02
        strong[random.integers(case.key_length)] = True
        rise = random.choice([30, 60, 120])  # of the score
        direction = random.standard_normal(case.head_dim)
        direction *= np.sqrt(case.head_dim) / np.linalg.norm(direction)
        q = round_to(q + direction * 2, case.dtype)
        k[:, :, strong] = round_to(k[:, :, strong] + rise / (2 * case.head_dim * case.scale) * direction, case.dtype)
    return q, k, v


def describe(case):
    """The case in one line, as an option for each command that repeats it."""
    return (f"{' '.join(flags(case))} --chip={case.chip}; batch {case.batch}, {case.query_length} queries, "
            f"{case.key_length} keys")
