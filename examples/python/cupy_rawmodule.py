# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches a compiled plan through CuPy, from docs/plan-format.md alone: neither the runtime library nor its package.

    pbs-gen --q-heads=4 --kv-heads=1 --dtype=f16 | pbs-compile - -o prefill.ptx --chip=sm_90a
    python3 cupy_rawmodule.py prefill.plan.json

It leaves out what a plan may have and pbs-compile's do not need: clusters.
"""
import ctypes
import json
import math
import pathlib
import sys

import cupy
import numpy as np

TYPES = {"f16": "float16", "f32": "float32", "i32": "int32", "u16": "uint16", "bool": "bool"}
BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b), "mod": lambda a, b: a % b, "min": min, "max": max, "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
# CUtensorMapDataType and CUtensorMapSwizzle.
MAP_TYPES = {"bool": 0, "u16": 1, "i32": 3, "f16": 6, "f32": 7, "bf16": 9}
MAP_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
MAP = np.dtype([("bytes", "uint8", 128)])


def encode_tensor_map(entry, address, value):
    """A tensor map of the plan, for memory at an address, as a kernel takes it. value evaluates expressions.

    CuPy passes a NumPy array of one element by value.
    """
    room = np.zeros(MAP.itemsize + 64, "uint8")
    begin = -room.ctypes.data % 64
    encoded = room[begin : begin + MAP.itemsize]
    list_of = lambda kind, values: (kind * len(values))(*values)
    sizes = [list_of(ctypes.c_uint64, [value(expression) for expression in entry[key]]) for key in ("shape", "strides")]
    boxes = [list_of(ctypes.c_uint32, numbers) for numbers in (entry["box"], [1] * len(entry["box"]))]
    status = ctypes.CDLL("libcuda.so.1").cuTensorMapEncodeTiled(
        ctypes.c_void_p(encoded.ctypes.data), MAP_TYPES[entry["type"]], len(entry["box"]),
        ctypes.c_void_p(address + value(entry.get("offset", 0))), *sizes, *boxes, 0, MAP_SWIZZLES[entry["swizzle"]], 3, 0)
    assert status == 0, f"tensor map {entry['name']}: CUDA error {status}"
    return encoded.view(MAP)


class Plan:
    """The only entry of a plan; bf16 is left out, which CuPy may lack."""

    def __init__(self, path):
        path = pathlib.Path(path)
        plan = json.loads(path.read_text(encoding="utf-8"))
        assert plan["format"] == "pbs-plan" and plan["version"] == 1, "a later version may mean something else"
        (self.entry,) = plan["entries"]
        # The driver compiles PTX for the GPU.
        self.module = cupy.RawModule(path=str(path.parent / plan["module"]["ptx"]))

    def run(self, *inputs):
        """Enqueues the entry on CuPy's current stream; the outputs."""
        arguments = self.entry["arguments"]
        arrays = dict(zip((argument["name"] for argument in arguments if argument["role"] == "input"), inputs, strict=True))
        sizes = {"multiprocessors": cupy.cuda.Device().attributes["MultiProcessorCount"]}

        # 1. The inputs' shapes give the sizes. Then everything is checked that the kernels take for granted.
        for argument in arguments:
            array = arrays.get(argument["name"])
            if array is not None:
                assert array.dtype == TYPES[argument["type"]] and array.ndim == len(argument["shape"]), argument["name"]
                assert array.data.ptr % argument["alignment"] == 0, argument["name"]
                assert array.flags.c_contiguous or argument["strides"] == "rows" and array.strides[-1] == array.itemsize
                for extent, found in zip(argument["shape"], array.shape):
                    if isinstance(extent, str):
                        sizes.setdefault(extent, found)

        def value(expression):
            """An expression is a number, the name of a size, or an operator with expressions."""
            if isinstance(expression, int):
                return expression
            if isinstance(expression, str):
                return sizes[expression]
            operator, *operands = expression
            if operator == "stride":  # in elements
                array, dimension = arrays[operands[0]], operands[1]
                if array.shape[dimension] == 1:  # says nothing: what it would be without gaps
                    return math.prod(array.shape[dimension + 1 :])
                return array.strides[dimension] // array.itemsize
            if operator == "select":  # only what is needed is evaluated
                return value(operands[1] if value(operands[0]) else operands[2])
            if operator in ("and", "or"):
                first = value(operands[0])
                return int(bool(value(operands[1]) if bool(first) == (operator == "and") else first))
            return int(BINARY[operator](*map(value, operands)))

        for name, array in arrays.items():
            shape = next(argument["shape"] for argument in arguments if argument["name"] == name)
            assert array.shape == tuple(map(value, shape)), name
        for requirement in self.entry["requirements"]:
            assert value(requirement["condition"]), requirement["message"]

        # 2. The caller allocates outputs, the launcher the workspace. CuPy's pool reuses memory in the order of the stream.
        outputs = [argument for argument in arguments if argument["role"] == "output"]
        for argument in outputs:
            arrays[argument["name"]] = cupy.empty(tuple(map(value, argument["shape"])), TYPES[argument["type"]])
        for buffer in self.entry["buffers"]:
            arrays[buffer["name"]] = cupy.empty(max(value(buffer["bytes"]), 1), "uint8")

        # 3. Tensor maps, which the kernels take by value.
        maps = {entry["name"]: encode_tensor_map(entry, arrays[entry["tensor"]].data.ptr, value)
                for entry in self.entry["tensor_maps"]}

        # 4. The steps, one after the other.
        for step in self.entry["steps"]:
            if not value(step.get("guard", 1)):
                continue
            if "memset" in step:
                memset = step["memset"]
                arrays[memset["buffer"]].view("uint8").ravel()[: value(memset["bytes"])].fill(memset["value"])
            else:
                self.launch(step["launch"], arrays, maps, value)
        return tuple(arrays[argument["name"]] for argument in outputs)

    def launch(self, launch, arrays, maps, value):
        grid = tuple(map(value, launch["grid"]))
        if 0 in grid:
            return
        assert "cluster" not in launch, "needs cuLaunchKernelEx, which RawKernel does not call"
        parameters = []
        for parameter in launch["parameters"]:
            if "pointer" in parameter:
                parameters.append(np.uint64(arrays[parameter["pointer"]].data.ptr + value(parameter.get("offset", 0))))
            elif "i64" in parameter:
                parameters.append(np.int64(value(parameter["i64"])))
            elif "i32" in parameter:
                parameters.append(np.int32(value(parameter["i32"])))
            elif "f32" in parameter:
                parameters.append(np.float32(parameter["f32"]))
            else:
                parameters.append(maps[parameter["tensor_map"]])
        kernel = self.module.get_function(launch["kernel"])
        shared = value(launch["shared_bytes"])
        if shared > 49152:
            kernel.max_dynamic_shared_size_bytes = shared
        kernel(grid, tuple(launch["block"]), tuple(parameters), shared_mem=shared)


def main():
    plan = Plan(sys.argv[1])
    shapes = {argument["name"]: argument["shape"] for argument in plan.entry["arguments"]}
    length, (_, q_heads, _, depth), (_, kv_heads, _, _) = 4096, shapes["q"], shapes["k"]
    # (B, N, H, D) in memory, as a projection gives it, seen as (B, H, N, D).
    q, k, v = (cupy.random.standard_normal((1, length, heads, depth), "float32").astype("float16").transpose(0, 2, 1, 3)
               for heads in (q_heads, kv_heads, kv_heads))
    out, lse = plan.run(q, k, v)
    print("out", out.shape, "lse", lse.shape, "mean lse", float(lse.mean()))


if __name__ == "__main__":
    main()
