# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches the entries of a plan (docs/plan-format.md) through CuPy, on PyTorch tensors and PyTorch's current stream."""
import functools
import json
import math
import pathlib
import sys

import cupy
import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples" / "python"))
from cupy_rawmodule import encode_tensor_map

TYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "i32": torch.int32, "u16": torch.uint16,
         "bool": torch.bool}
OPERATORS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b), "mod": lambda a, b: a % b, "min": min, "max": max,
    "eq": lambda a, b: int(a == b), "ne": lambda a, b: int(a != b), "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b), "gt": lambda a, b: int(a > b), "ge": lambda a, b: int(a >= b),
}


def fill(tensor, value, size):
    """Sets `size` bytes, as the runtime does, on PyTorch's stream."""
    cupy.cuda.runtime.memsetAsync(tensor.data_ptr(), value, size, torch.cuda.current_stream().cuda_stream)


class Plan:
    """One entry of a plan."""

    def __init__(self, path):
        path = pathlib.Path(path)
        plan = json.loads(path.read_text())
        (self.entry,) = plan["entries"]
        self.module = cupy.RawModule(path=str(path.parent / plan["module"]["ptx"]))
        self.kernels = {}

    def evaluate(self, expression, sizes, tensors):
        if isinstance(expression, int):
            return expression
        if isinstance(expression, str):
            return sizes[expression]
        operator, *operands = expression
        evaluate = lambda operand: self.evaluate(operand, sizes, tensors)
        if operator == "stride":
            tensor, dimension = tensors[operands[0]], operands[1]
            if tensor.shape[dimension] == 1:  # says nothing: what it would be without gaps
                return math.prod(tensor.shape[dimension + 1 :])
            return tensor.stride(dimension)
        if operator == "select":
            return evaluate(operands[1] if evaluate(operands[0]) else operands[2])
        if operator == "and":
            return int(bool(evaluate(operands[0]) and evaluate(operands[1])))
        if operator == "or":
            return int(bool(evaluate(operands[0]) or evaluate(operands[1])))
        return OPERATORS[operator](*map(evaluate, operands))

    def shapes(self):
        return {argument["name"]: argument["shape"] for argument in self.entry["arguments"]}

    def bind(self, given):
        """(steps, outputs): a (name, callable) for each step that is not left out, and output tensors by name.

        Outputs that are not given are made here, filled with NaN or -1.
        """
        tensors = dict(given)
        sizes = {"multiprocessors": torch.cuda.get_device_properties(0).multi_processor_count}
        for argument in self.entry["arguments"]:
            for extent, found in zip(argument["shape"], tensors[argument["name"]].shape
                                     if argument["role"] == "input" else ()):
                if isinstance(extent, str):
                    sizes.setdefault(extent, found)
        evaluate = lambda expression: self.evaluate(expression, sizes, tensors)
        for requirement in self.entry["requirements"]:
            if not evaluate(requirement["condition"]):
                raise ValueError(requirement["message"])
        outputs = {}
        for argument in self.entry["arguments"]:
            if argument["role"] == "output" and argument["name"] in given:
                outputs[argument["name"]] = given[argument["name"]]
            elif argument["role"] == "output":
                shape = [evaluate(extent) for extent in argument["shape"]]
                tensor = torch.empty(shape, dtype=TYPES[argument["type"]], device="cuda")
                tensor.view(torch.uint8).fill_(255)
                outputs[argument["name"]] = tensors[argument["name"]] = tensor
        for buffer in self.entry["buffers"]:
            tensors[buffer["name"]] = torch.empty(max(evaluate(buffer["bytes"]), 1), dtype=torch.uint8, device="cuda")
        maps = {entry["name"]: encode_tensor_map(entry, tensors[entry["tensor"]].data_ptr(), evaluate)
                for entry in self.entry["tensor_maps"]}
        steps = []
        for step in self.entry["steps"]:
            if "guard" in step and not evaluate(step["guard"]):
                continue
            if "memset" in step:
                memset = step["memset"]
                steps.append(("memset", functools.partial(fill, tensors[memset["buffer"]], memset["value"],
                                                          evaluate(memset["bytes"]))))
            else:
                bound = self.bind_launch(step["launch"], evaluate, tensors, maps)
                if bound:
                    steps.append((step["launch"]["kernel"], bound))
        return steps, outputs

    def bind_launch(self, launch, evaluate, tensors, maps):
        grid = tuple(evaluate(extent) for extent in launch["grid"])
        if 0 in grid:
            return None
        arguments = []
        for parameter in launch["parameters"]:
            if "pointer" in parameter:
                offset = evaluate(parameter.get("offset", 0))
                arguments.append(np.uint64(tensors[parameter["pointer"]].data_ptr() + offset))
            elif "i64" in parameter:
                arguments.append(np.int64(evaluate(parameter["i64"])))
            elif "i32" in parameter:
                arguments.append(np.int32(evaluate(parameter["i32"])))
            elif "f32" in parameter:
                arguments.append(np.float32(parameter["f32"]))
            else:
                arguments.append(maps[parameter["tensor_map"]])
        kernel = self.kernels.setdefault(launch["kernel"], self.module.get_function(launch["kernel"]))
        shared = evaluate(launch["shared_bytes"])
        if shared > 49152:
            kernel.max_dynamic_shared_size_bytes = max(shared, kernel.max_dynamic_shared_size_bytes)

        def run():
            with cupy.cuda.Stream.from_external(torch.cuda.current_stream()):
                kernel(grid, tuple(launch["block"]), tuple(arguments), shared_mem=shared)

        # What a kernel gets by address alone has to live as long.
        run.tensors = tensors
        return run
