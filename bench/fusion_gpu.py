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

import cupy
import numpy as np
import torch

import attention_gpu
from attention_gpu import BLOCK, OPERATORS


class Plan:
    """One entry of a plan, whose launches are bound to tensors and timed one by one."""

    def __init__(self, path):
        path = pathlib.Path(path)
        plan = json.loads(path.read_text())
        (self.entry,) = plan["entries"]
        self.module = cupy.RawModule(path=str(path.parent / plan["module"]["ptx"]))
        self.shapes = {a["name"]: a["shape"] for a in self.entry["arguments"]}

    def bind(self, tensors):
        """(kernel name, callable) of each launch."""
        sizes = {"multiprocessors": torch.cuda.get_device_properties(0).multi_processor_count}
        for name, shape in self.shapes.items():
            sizes.update((e, n) for e, n in zip(shape, tensors[name].shape) if isinstance(e, str))

        def evaluate(expression):
            if isinstance(expression, int):
                return expression
            if isinstance(expression, str):
                return sizes[expression]
            operator, *operands = expression
            if operator == "stride":
                return tensors[operands[0]].stride(operands[1])
            return OPERATORS[operator](*map(evaluate, operands))

        memory = dict(tensors)
        for buffer in self.entry["buffers"]:
            memory[buffer["name"]] = torch.empty(evaluate(buffer["bytes"]), dtype=torch.uint8, device="cuda")
        launches = []
        for step in self.entry["steps"]:
            if "guard" in step and not evaluate(step["guard"]):
                continue
            launch = step["launch"]
            kernel = self.module.get_function(launch["kernel"])
            kernel.max_dynamic_shared_size_bytes = evaluate(launch["shared_bytes"])
            arguments = []
            for parameter in launch["parameters"]:
                if "pointer" in parameter:
                    arguments.append(np.uint64(memory[parameter["pointer"]].data_ptr() + evaluate(parameter.get("offset", 0))))
                elif "i64" in parameter:
                    arguments.append(np.int64(evaluate(parameter["i64"])))
                else:
                    arguments.append(np.int32(evaluate(parameter["i32"])))
            grid = tuple(map(evaluate, launch["grid"]))
            shared = evaluate(launch["shared_bytes"])

            def run(kernel=kernel, grid=grid, block=tuple(launch["block"]), arguments=tuple(arguments), shared=shared):
                with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
                    kernel(grid, block, arguments, shared_mem=shared)

            launches.append((launch["kernel"], run))
        self.memory = memory  # keeps the buffers alive
        return launches


def time_launches(plan, cases, repeats, batch=20):
    """Median milliseconds of each launch: batches of one kernel's launches, inputs rotated, are replayed as a graph, so
    that neither the host nor a warm cache shows."""
    bound, memories = [], []
    for tensors in cases:
        bound.append(plan.bind(tensors))
        memories.append(plan.memory)
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
        shapes = plans[0].shapes
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
                    for _, run in plan.bind(cases[0]):
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
