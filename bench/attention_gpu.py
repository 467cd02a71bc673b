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

import torch

from plan_launcher import Plan

BLOCK = 128

def launcher(plan, tensors):
    """A callable that runs the plan on the current PyTorch stream."""
    steps, _ = plan.bind(tensors)

    def run():
        for _, step in steps:
            step()

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
    shapes = attention.shapes()
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
    launcher(attention, tensors)()
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
    ours = median_milliseconds([launcher(attention, tensors) for tensors, _ in cases])
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
        attention = Plan(path)
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
