#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times attention that gathers keys and values against permuting them first, launch by launch, on an NVIDIA GPU.

Takes pairs of plans of the same attention, made with `--strategy=gather` and `--strategy=write`, launches them through
CuPy, compares their results, and prints the median time of each launch. The figures of docs/Rationale/Fusion.md are its.

    pbs-gen --stages=attention > attention.mlir
    for s in gather write; do pbs-compile attention.mlir --strategy=$s -o $s.ptx --chip=sm_90a; done
    python3 bench/fusion_gpu.py --gather=gather.plan.json --write=write.plan.json --json=fusion.json
"""
import argparse
import datetime
import json
import math
import pathlib
import statistics

import torch

import attention_gpu
from attention_gpu import BLOCK
from plan_launcher import Plan


def time_launches(plan, cases, repeats, batch=20):
    """Median milliseconds of each launch: batches of one kernel's launches, inputs rotated, are replayed as a graph, so
    that neither the host nor a warm cache shows."""
    bound = [plan.bind(tensors)[0] for tensors in cases]
    times = {}
    for index, (name, run) in enumerate(bound[0]):
        run()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for turn in range(batch):
                bound[turn % len(bound)][index][1]()
        for turn in range(repeats + 1):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            graph.replay()
            end.record()
            end.synchronize()
            if turn:
                times.setdefault(name, []).append(start.elapsed_time(end) / batch)
    return {name: statistics.median(values) for name, values in times.items()}


def reach(length, segment):
    """Blocks of the segments up to a query block's own, summed over the query blocks."""
    blocks, per_segment = math.ceil(length / BLOCK), segment // BLOCK
    return sum(min(blocks, (row // per_segment + 1) * per_segment) for row in range(blocks))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gather", action="append", required=True)
    parser.add_argument("--write", action="append", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--length", type=int, action="append")
    parser.add_argument("--density", type=float, action="append")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    report = {"date": datetime.date.today().isoformat(), "gpu": torch.cuda.get_device_name(0), "seed": torch.seed(), "times": []}
    for paths in zip(options.gather, options.write):
        plans = [Plan(path) for path in paths]
        shapes = plans[0].shapes()
        for length in options.length or [1024, 2048, 4096, 8192, 16384, 32768]:
            for density in options.density or [0.1, 0.3, 1]:
                cases, listed = [], 0
                for _ in range(2):
                    tensors, blocks = attention_gpu.make(plans[0], length, density)
                    cases.append(tensors)
                    listed += blocks.sum().item() / 2
                outputs = []
                for plan in plans:
                    cases[0]["out"].fill_(math.nan)
                    for _, run in plan.bind(cases[0])[0]:
                        run()
                    outputs.append(cases[0]["out"].clone())
                # The same sums in the same order.
                assert torch.equal(*outputs), (paths, length, density)
                heads = shapes["q"][1]
                row = {"plans": [pathlib.Path(path).name for path in paths], "length": length,
                       "share": listed / (heads * reach(length, 256)), "listed": listed,
                       "gather_ms": time_launches(plans[0], cases, options.repeats),
                       "write_ms": time_launches(plans[1], cases, options.repeats)}
                report["times"].append(row)
                print(row, flush=True)
                pathlib.Path(options.json).write_text(json.dumps(report, indent=1))
                del cases, outputs, tensors
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
