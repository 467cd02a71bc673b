#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs compiled attention on an NVIDIA GPU beside PyTorch's flash attention: correctness, then TFLOP/s.

Takes the PTX and plan of `pbs-gen --stages=attention | pbs-compile`, launches them through CuPy from the plan alone, and
compares with PyTorch on the same blocks. Needs a GPU, PyTorch and CuPy; neither is needed anywhere else.

    pbs-gen --stages=attention --q-heads=32 --kv-heads=8 --permutation=none | pbs-compile - -o plain.ptx --chip=sm_80
    python3 bench/attention_gpu.py --plan=plain.plan.json --plan=gather.plan.json --json=results.json
"""
import argparse
import datetime
import json
import pathlib
import statistics

import cupy
import numpy as np
import torch

BLOCK = 128
OPERATORS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b), "mod": lambda a, b: a % b, "min": min, "max": max,
    "eq": lambda a, b: int(a == b), "ne": lambda a, b: int(a != b), "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b), "gt": lambda a, b: int(a > b), "ge": lambda a, b: int(a >= b),
    "and": lambda a, b: int(bool(a and b)), "or": lambda a, b: int(bool(a or b)), "select": lambda c, a, b: a if c else b,
}


class Attention:
    """One entry of a plan with a single launch, bound to tensors by name."""

    def __init__(self, path):
        path = pathlib.Path(path)
        plan = json.loads(path.read_text())
        self.entry = plan["entries"][0]
        (step,) = self.entry["steps"]
        self.launch = step["launch"]
        module = cupy.RawModule(path=str(path.parent / plan["module"]["ptx"]))
        self.kernel = module.get_function(self.launch["kernel"])
        self.kernel.max_dynamic_shared_size_bytes = self.launch["shared_bytes"]
        self.shapes = {a["name"]: a["shape"] for a in self.entry["arguments"]}

    def evaluate(self, expression, sizes, tensors):
        if isinstance(expression, int):
            return expression
        if isinstance(expression, str):
            return sizes[expression]
        operator, *operands = expression
        if operator == "stride":
            return tensors[operands[0]].stride(operands[1])
        return OPERATORS[operator](*(self.evaluate(x, sizes, tensors) for x in operands))

    def bind(self, tensors):
        """A callable that launches on the current PyTorch stream."""
        sizes = {"multiprocessors": torch.cuda.get_device_properties(0).multi_processor_count}
        for name, shape in self.shapes.items():
            for extent, found in zip(shape, tensors[name].shape):
                if isinstance(extent, str):
                    sizes.setdefault(extent, found)
        evaluate = lambda expression: self.evaluate(expression, sizes, tensors)
        grid = tuple(evaluate(x) for x in self.launch["grid"])
        arguments = []
        for parameter in self.launch["parameters"]:
            if "pointer" in parameter:
                offset = evaluate(parameter.get("offset", 0))
                arguments.append(np.uint64(tensors[parameter["pointer"]].data_ptr() + offset))
            elif "i64" in parameter:
                arguments.append(np.int64(evaluate(parameter["i64"])))
            elif "i32" in parameter:
                arguments.append(np.int32(evaluate(parameter["i32"])))
            else:
                arguments.append(np.float32(parameter["f32"]))

        def run():
            with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
                self.kernel(grid, tuple(self.launch["block"]), tuple(arguments), shared_mem=self.launch["shared_bytes"])

        return run


def random_lists(batch, heads, length, density, permutation, segment):
    """Causal lists: own segments, and uniform random blocks before them, as (counts, indices, listed)."""
    blocks = -(-length // BLOCK)
    per_segment = segment // BLOCK
    rows = torch.arange(blocks)
    own = (rows[None, :] // per_segment == rows[:, None] // per_segment) if permutation else rows[None, :] == rows[:, None]
    before = rows[None, :] < (rows[:, None] // per_segment * per_segment if permutation else rows[:, None])
    noise = torch.rand(batch, heads, blocks, blocks).masked_fill(~before, 2)
    rank = noise.argsort(-1).argsort(-1)
    wanted = (density * before.sum(-1)).round()
    chosen = (rank < wanted[:, None]) & before
    counts = torch.stack([chosen.sum(-1), own.sum(-1).expand(batch, heads, -1)], -1).int()
    order = torch.where(chosen, 0, torch.where(own, 1, 2)).argsort(dim=-1, stable=True)
    indices = torch.where(torch.arange(blocks) < counts.sum(-1, keepdim=True), order, 65535)
    listed = chosen | own
    return counts.cuda(), indices.to(torch.uint16).cuda(), listed.cuda()


def random_permutation(batch, heads, length, segment):
    complete = length // segment * segment
    result = torch.arange(length).expand(batch, heads, length).clone()
    shuffled = torch.rand(batch, heads, complete // segment, segment).argsort(-1)
    shuffled += torch.arange(0, complete, segment)[:, None]
    result[..., :complete] = shuffled.flatten(-2)
    return result.int().cuda()


def make(attention, length, density, segment=256, batch=1):
    """Fresh tensors for every argument, and the listed blocks."""
    shapes = attention.shapes
    heads = shapes["q"][1]
    permuted = "permutation" in shapes
    tensors = {}
    for name in ("q", "k", "v"):
        tensors[name] = torch.randn(batch, shapes[name][1], length, shapes[name][3], device="cuda").bfloat16()
    if permuted:
        tensors["permutation"] = random_permutation(batch, shapes["permutation"][1], length, segment)
    tensors["counts"], tensors["indices"], listed = random_lists(batch, heads, length, density, permuted, segment)
    tensors["out"] = torch.full_like(tensors["q"], float("nan"))
    tensors["lse"] = torch.full((batch, heads, length), float("nan"), device="cuda")
    return tensors, listed


def check(attention, length, density):
    """Worst relative Frobenius error of a query block, and worst error of lse, against float64."""
    tensors, listed = make(attention, length, density)
    attention.bind(tensors)()
    torch.cuda.synchronize()
    worst, worst_lse = 0.0, 0.0
    q, k, v = (tensors[name].double() for name in ("q", "k", "v"))
    group = q.shape[1] // k.shape[1]
    positions = torch.arange(length, device="cuda")
    for h in range(q.shape[1]):
        order = tensors["permutation"][0, h].long() if "permutation" in tensors else positions
        scores = q[0, h] @ k[0, h // group][order].T * q.shape[-1] ** -0.5
        block = positions // BLOCK
        allowed = listed[0, h][block][:, block] & (order[None, :] <= positions[:, None])
        scores = scores.masked_fill(~allowed, float("-inf"))
        lse = scores.logsumexp(-1)
        expected = torch.nan_to_num(torch.exp(scores - lse[:, None])) @ v[0, h // group][order]
        for rows in torch.arange(length).split(BLOCK):
            difference = (tensors["out"][0, h, rows].double() - expected[rows]).norm()
            worst = max(worst, (difference / expected[rows].norm()).item())
        worst_lse = max(worst_lse, (tensors["lse"][0, h].double() - lse).abs().max().item())
    return {"length": length, "density": density, "worst_block_error": worst, "worst_lse_error": worst_lse}


def median_milliseconds(runs, repeats=15):
    """Median time of one launch, inputs rotated."""
    for run in runs:
        run()
    times = []
    for i in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        runs[i % len(runs)]()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def measure(attention, length, density, sets=2):
    """Rate of ours over the computed tiles, and of flash attention over the causal triangle."""
    cases = [make(attention, length, density) for _ in range(sets)]
    ours = median_milliseconds([attention.bind(tensors) for tensors, _ in cases])
    shape = cases[0][0]["q"].shape
    tile = 4 * BLOCK * BLOCK * shape[-1]
    blocks = sum(listed.sum().item() for _, listed in cases) / sets
    triangle = shape[1] * (length // BLOCK) * (length // BLOCK + 1) / 2
    flash = []
    for tensors, _ in cases:
        flash.append(lambda t=tensors: torch.nn.functional.scaled_dot_product_attention(
            t["q"], t["k"], t["v"], is_causal=True, enable_gqa=True))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
        theirs = median_milliseconds(flash)
    return {"length": length, "density": density, "ours_ms": ours, "ours_tflops": blocks * tile / ours / 1e9,
            "torch_flash_dense_ms": theirs, "torch_flash_dense_tflops": triangle * tile / theirs / 1e9}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", action="append", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--length", type=int, action="append", help="lengths to time at (16384)")
    parser.add_argument("--check-only", action="store_true", help="one short check, for compute-sanitizer")
    options = parser.parse_args()
    seed = torch.seed()
    report = {"date": datetime.date.today().isoformat(), "gpu": torch.cuda.get_device_name(0), "seed": seed, "plans": []}
    for path in options.plan:
        attention = Attention(path)
        result = {"plan": pathlib.Path(path).name, "checks": [], "times": []}
        for length, density in [(700, 0.5)] if options.check_only else [(1, 1), (200, 1), (1000, 0.4), (2048, 0.3)]:
            result["checks"].append(check(attention, length, density))
            print(result["checks"][-1], flush=True)
        for length in [] if options.check_only else options.length or [16384]:
            for density in (1, 0.3):
                result["times"].append(measure(attention, length, density))
                print(result["times"][-1], flush=True)
        report["plans"].append(result)
    pathlib.Path(options.json).write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
