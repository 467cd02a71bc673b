#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the whole compiled algorithm on an NVIDIA GPU: correctness against NumPy, then the time of each stage.

Takes a plan whose entry returns out and lse, and for --check also permutation and selection. Needs a GPU, PyTorch and
CuPy; neither is needed anywhere else.

    python3 bench/prefill_gpu.py --plan=prefill.plan.json --check=check.plan.json --json=results.json
"""
import argparse
import datetime
import json
import pathlib
import statistics
import sys

import numpy as np
import torch

from plan_launcher import Plan

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "test/Reference")]
import twin  # noqa: E402
from make_inputs import make_inputs  # noqa: E402


def inputs_on_gpu(shapes, length, seed):
    """The test data of scripts/make_inputs.py for bf16 q, k and v."""
    arrays = make_inputs(seed, 1, shapes["q"][1], shapes["k"][1], length, length, shapes["q"][3], "bf16")
    return {name: torch.tensor(x, device="cuda").bfloat16() for name, x in zip("qkv", arrays)}


def check(plan, length, options):
    """How far a run is from the NumPy twin on the device's own permutation and selection."""
    shapes = plan.shapes()
    tensors = inputs_on_gpu(shapes, length, options.seed)
    steps, outputs = plan.bind(tensors)
    for _, run in steps:
        run()
    torch.cuda.synchronize()
    q, k, v = (tensors[name].float().cpu().numpy().astype(np.float64) for name in "qkv")
    geometry = twin.Geometry(length, length, options.block, options.block, options.segment)
    scale = q.shape[-1] ** -0.5
    order = outputs["permutation"].cpu().numpy()
    importance = twin.importance(q, k, options.block, options.segment, scale, order.shape[1])
    expected = twin.segment_sort(importance, options.segment)
    sums = [np.add.reduceat(np.take_along_axis(importance, x.astype(np.int64), axis=2),
                            np.arange(0, length, options.block), axis=2) for x in (order, expected)]
    scores = twin.block_scores(twin.pool(q, "mean", options.block),
                               twin.pool(twin.permute(k, order.astype(np.int64)), "mean", options.block), geometry, scale)
    wanted = twin.select(scores, geometry, order, twin.top_p(options.top_p))
    counts, indices = (outputs[f"selection_{part}"].cpu().numpy() for part in ("counts", "indices"))
    listed = twin.listed_blocks(counts, indices, geometry.key_blocks)
    out, lse = twin.attention(q, k, v, listed, geometry, order.astype(np.int64), scale)
    worst = 0.0
    ours = outputs["out"].float().cpu().numpy()
    for first in range(0, length, options.block):
        rows = slice(first, first + options.block)
        difference = np.linalg.norm(ours[:, :, rows] - out[:, :, rows], axis=(2, 3))
        worst = max(worst, (difference / np.linalg.norm(out[:, :, rows], axis=(2, 3))).max())
    return {"length": length, "worst_block_error": float(worst),
            "worst_lse_error": float(np.abs(outputs["lse"].cpu().numpy() - lse).max()),
            "worst_importance_sum_error": float((np.abs(sums[0] - sums[1]) / np.maximum(sums[1], 1e-30)).max()),
            "query_blocks_listed_otherwise": int((wanted != listed).any(axis=-1).sum()),
            "query_blocks": int(np.prod(listed.shape[:3]))}


def data_on_gpu(shapes, length, seed):
    """Random data of the same kind in bf16, made on the GPU: the test data would take minutes."""
    torch.manual_seed(seed)
    direction = torch.nn.functional.normalize(torch.randn(1, shapes["k"][1], 1, shapes["k"][3], device="cuda"), dim=-1)
    strong = (torch.rand(1, shapes["k"][1], length, 1, device="cuda") < 0.4).float()
    group = shapes["q"][1] // shapes["k"][1]
    noise = lambda name: torch.randn(1, shapes[name][1], length, shapes[name][3], device="cuda")
    return {"k": (0.7 * noise("k") + 12 * strong * direction).bfloat16(),
            "q": (0.7 * noise("q") + 2.5 * direction.repeat_interleave(group, 1)).bfloat16(),
            "v": noise("v").bfloat16()}


def measure(plan, length, options, repeats=15):
    """Median milliseconds of each step, and of all of them."""
    sets = []
    for i in range(2):
        tensors = data_on_gpu(plan.shapes(), length, options.seed + i)
        sets.append((tensors, plan.bind(tensors)[0]))
    names = [name for name, _ in sets[0][1]]
    times = [[] for _ in names]
    whole = []
    for repeat in range(repeats + 1):
        steps = sets[repeat % 2][1]
        events = [torch.cuda.Event(enable_timing=True) for _ in range(len(steps) + 1)]
        events[0].record()
        for event, (_, run) in zip(events[1:], steps):
            run()
            event.record()
        torch.cuda.synchronize()
        if repeat:
            for i in range(len(steps)):
                times[i].append(events[i].elapsed_time(events[i + 1]))
            whole.append(events[0].elapsed_time(events[-1]))
    q = sets[0][0]["q"]
    flash = []
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
        for repeat in range(repeats + 1):
            t = sets[repeat % 2][0]
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            torch.nn.functional.scaled_dot_product_attention(t["q"], t["k"], t["v"], is_causal=True, enable_gqa=True)
            end.record()
            end.synchronize()
            flash.append(start.elapsed_time(end))
    # Of all blocks up to the diagonal, by the kernels' own counts.
    counts = next(run.tensors["counts"] for _, run in sets[0][1] if "counts" in run.tensors)
    counts = counts.view(torch.int32).sum().item()
    blocks = -(-length // options.block)
    share = counts / (q.shape[1] * blocks * (blocks + 1) / 2)
    return {"length": length, "heads": list(q.shape[1:2]), "share_of_causal_blocks": share,
            "milliseconds": statistics.median(whole),
            "torch_flash_dense_milliseconds": statistics.median(flash[1:]),
            "steps": [{"kernel": name, "milliseconds": statistics.median(x)} for name, x in zip(names, times)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", action="append", default=[], help="plans to time")
    parser.add_argument("--check", action="append", default=[], help="plans to check")
    parser.add_argument("--json", required=True)
    parser.add_argument("--length", type=int, action="append", help="lengths to time at (16384)")
    parser.add_argument("--check-length", type=int, action="append", help="lengths to check at")
    parser.add_argument("--block", type=int, default=128)
    parser.add_argument("--segment", type=int, default=256)
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=np.random.randint(2**31))
    options = parser.parse_args()
    report = {"date": datetime.date.today().isoformat(), "gpu": torch.cuda.get_device_name(0), "seed": options.seed,
              "checks": [], "times": []}
    for path in options.check:
        for length in options.check_length or [1, 200, 1000, 2048]:
            report["checks"].append({"plan": pathlib.Path(path).name, **check(Plan(path), length, options)})
            print(report["checks"][-1], flush=True)
    for path in options.plan:
        for length in options.length or [16384]:
            report["times"].append({"plan": pathlib.Path(path).name, **measure(Plan(path), length, options)})
            print(report["times"][-1], flush=True)
    pathlib.Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
