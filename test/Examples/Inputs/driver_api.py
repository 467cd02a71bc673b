# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds examples/driver_api, runs plans on fresh inputs on the emulated CUDA driver, and compares with pbs-launch.

The results must be the same bits. Then it breaks plans and arguments: each case must end with exit code 1, one line on the
standard error stream that says what is wrong, and no result.
"""
import argparse
import copy
import json
import os
import pathlib
import re
import secrets
import shlex
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Reference"))
import twin
from harness import random_permutation

SEGMENT = 256


class Launcher:
    """The example's binary, and how it is called."""

    def __init__(self, options, folder):
        self.binary = folder / "launch_plan"
        self.environment = {**os.environ, "LD_LIBRARY_PATH": options.driver}
        source = pathlib.Path(options.source) / "launch_plan.c"
        command = [*shlex.split(options.cc), "-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                   f"-I{options.include}", source, f"-L{options.driver}", "-lcuda", "-ljansson", "-o", self.binary]
        subprocess.run(command, check=True)

    def run(self, words):
        return subprocess.run([self.binary, *words], env=self.environment, capture_output=True, text=True, timeout=300)


def compile_plan(folder, name, flags, chip="sm_80"):
    module = subprocess.run(["pbs-gen", *flags], check=True, capture_output=True).stdout
    return compile_module(folder, name, module, chip)


def compile_module(folder, name, module, chip):
    (folder / f"{name}.mlir").write_bytes(module)
    subprocess.run(["pbs-compile", folder / f"{name}.mlir", "-o", folder / f"{name}.ptx", f"--chip={chip}"], check=True)
    return folder / f"{name}.plan.json"


def file_options(folder, arrays):
    words = []
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.array(array, order="C"))
        words.append(f"--arg={folder}/{name}.npy")
    return words


def compare(launcher, folder, plan, arrays):
    """Runs a plan's entry both ways on the same files."""
    inputs = file_options(folder, arrays)
    outputs = [a["name"] for a in json.loads(plan.read_text())["entries"][0]["arguments"] if a["role"] == "output"]
    results = {}
    for run in ("expected", "found"):
        files = [folder / f"{run}-{name}.npy" for name in outputs]
        words = [*inputs, *(f"--result={file}" for file in files)]
        if run == "expected":
            done = subprocess.run(["pbs-launch", plan, "--device=emulator", *words], capture_output=True, text=True)
        else:
            done = launcher.run([plan, "prefill", *words])
        assert done.returncode == 0 and not done.stderr, f"{run}: {done.returncode}: {done.stderr}"
        results[run] = [np.load(file) for file in files]
    for name, expected, found in zip(outputs, *results.values()):
        assert expected.dtype == found.dtype and expected.shape == found.shape, f"{name}: {found.dtype} {found.shape}"
        assert expected.tobytes() == found.tobytes(), f"{plan.name}: {name} differs"
        assert found.size and np.isfinite(found).any(), f"{plan.name}: {name} holds nothing"


def floats(random, heads, queries, keys, head_dim=128):
    """q, k and v with values that f16 and bf16 round, subnormal ones among them."""
    arrays = {}
    for name, count, length in (("q", heads[0], queries), ("k", heads[1], keys), ("v", heads[1], keys)):
        values = random.standard_normal((1, count, length, head_dim))
        values *= np.where(random.random(values.shape) < 0.1, 2.0 ** random.integers(-26, -10, values.shape), 1)
        arrays[name] = values.astype(np.float32)
    return arrays


def attention_arrays(random, queries, keys):
    """Arguments of the attention stage of two query heads and one key head."""
    geometry = twin.Geometry(queries, keys, segment=SEGMENT)
    permutation = random_permutation(random, 1, 2, keys, SEGMENT)
    attendable = np.broadcast_to(twin.attendable(geometry, permutation), (1, 2, geometry.query_blocks, geometry.key_blocks))
    listed = attendable & (random.random(attendable.shape) < 0.7)
    listed[..., 0] = attendable[..., 0]
    counts, indices = twin.lists(listed, geometry, permutation)
    return {**floats(random, (2, 1), queries, keys), "permutation": permutation, "counts": counts, "indices": indices}


WRITE = """.version 7.0
.target sm_80
.address_size 64
.visible .entry write(.param .u64 to, .param .u64 value, .param .u32 word, .param .f32 number)
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<3>;
  ld.param.u64 %rd1, [to];
  ld.param.u64 %rd2, [value];
  ld.param.u32 %r1, [word];
  ld.param.b32 %r2, [number];
  st.global.u64 [%rd1], %rd2;
  st.global.u32 [%rd1+8], %r1;
  st.global.u32 [%rd1+12], %r2;
  ret;
}
"""
OPERATIONS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "min": min, "max": max,
    "floordiv": lambda a, b: a // b, "ceildiv": lambda a, b: -(-a // b), "mod": lambda a, b: a % b,
    "eq": lambda a, b: int(a == b), "ne": lambda a, b: int(a != b), "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b), "gt": lambda a, b: int(a > b), "ge": lambda a, b: int(a >= b),
    "and": lambda a, b: int(bool(a) and bool(b)), "or": lambda a, b: int(bool(a) or bool(b)),
}


def random_expression(random, names, depth):
    """An expression and its value; none whose value does not fit 64 bits."""
    choice = random.random()
    if depth == 0 or choice < 0.15:
        value = int(random.integers(-9, 10))
        return names[random.integers(len(names))] if random.random() < 0.5 else (value, value)
    if choice < 0.25:
        condition, truth = random_expression(random, names, depth - 1)
        taken, value = random_expression(random, names, depth - 1)
        wrong = ["mod", taken, 0]
        return (["select", condition, taken, wrong] if truth else ["select", condition, wrong, taken]), value
    while True:
        name = list(OPERATIONS)[random.integers(len(OPERATIONS))]
        (left, a), (right, b) = (random_expression(random, names, depth - 1) for _ in range(2))
        if b == 0 and name in ("floordiv", "ceildiv", "mod"):
            continue
        value = OPERATIONS[name](a, b)
        if -(2**63) <= value < 2**63:
            return [name, left, right], value


def check_steps(launcher, folder, random):
    """A plan written by hand: what compiled plans seldom have, and expressions whose values Python knows."""
    rows, columns, count = 3, int(random.integers(2, 9)), 60
    names = [("N", columns), ("multiprocessors", 132), (["stride", "a", 0], columns), (["stride", "a", 1], 1)]
    row, steps, expected = 16, [], []

    def write(pointer, offset, value, word, number, guard=None):
        launch = {"kernel": "write", "grid": [1, ["min", "N", 1], 1], "block": [1, 1, 1], "shared_bytes": 0,
                  "cluster": [1, 1, 1], "attributes": {"programmatic_stream_serialization": False},
                  "parameters": [{"pointer": pointer, "offset": offset}, {"i64": value}, {"i32": word}, {"f32": number}]}
        steps.append({"launch": launch} if guard is None else {"guard": guard, "launch": launch})

    for i in range(count):
        expression, value = random_expression(random, names, 4)
        number = float(np.float32(random.standard_normal()))
        write("out", ["mul", i, row], expression, ["sub", i, 30], number)
        expected.append(np.int64(value).tobytes() + np.int32(i - 30).tobytes() + np.float32(number).tobytes())
    # Left out: the guard is 0, or an extent of the grid; what else they say is not evaluated.
    write("out", 0, ["floordiv", 1, 0], 0, 0, guard=["lt", "N", 0])
    steps.append({"launch": {**steps[0]["launch"], "grid": [["sub", "N", "N"], 1, 1],
                             "parameters": [{"pointer": "out"}, {"i64": ["mod", 1, 0]}, {"i32": 0}, {"f32": 0}]}})
    steps.append({"guard": "N", "memset": {"buffer": "out", "value": 171, "bytes": row}})
    expected[0] = bytes([171] * row)
    for buffer in ("workspace", "empty"):
        steps.append({"memset": {"buffer": buffer, "value": 0, "bytes": 0}})
    write("workspace", 48, 1, 1, 1)
    plan = {
        "format": "pbs-plan", "version": 1, "producer": "a test",
        "module": {"ptx": "write.ptx", "chip": "sm_80", "ptx_version": "7.0"},
        "entries": [{
            "name": "prefill", "sizes": ["N"],
            "arguments": [
                {"name": "flag", "role": "input", "type": "bool", "shape": [], "strides": "contiguous", "alignment": 1},
                {"name": "a", "role": "input", "type": "u16", "shape": [["sub", ["mul", "N", 0], -rows], "N"],
                 "strides": "rows", "alignment": 2},
                {"name": "out", "role": "output", "type": "i32", "shape": [count, row // 4], "strides": "contiguous",
                 "alignment": 512},
            ],
            "requirements": [{"condition": ["and", ["eq", ["stride", "a", 1], 1], 1], "message": "a has rows"}],
            "buffers": [{"name": "workspace", "bytes": ["mul", 64, "N"], "alignment": 4096},
                        {"name": "empty", "bytes": 0, "alignment": 1}],
            "tensor_maps": [], "steps": steps}]}
    (folder / "write.ptx").write_text(WRITE)
    (folder / "write.plan.json").write_text(json.dumps(plan))
    arrays = {"flag": np.array(True), "a": random.integers(0, 65536, (rows, columns)).astype(np.uint16)}
    compare(launcher, folder, folder / "write.plan.json", arrays)
    found = np.load(folder / "found-out.npy")
    for i, want in enumerate(expected):
        assert found[i].tobytes() == want, f"row {i}: {found[i]}: {json.dumps(steps[i])}"


def set_key(*path, value):
    """A change of the plan at a path of keys and indices."""

    def change(plan):
        for key in path[:-1]:
            plan = plan[key]
        plan[path[-1]] = value

    return change


def entry_key(*path, value):
    return set_key("entries", 0, *path, value=value)


def launch_key(key, value):
    return lambda plan: next(s for s in plan["entries"][0]["steps"] if "launch" in s)["launch"].update({key: value})


def grid_x(expression):
    return launch_key("grid", [expression, 1, 1])


def nested(depth):
    return 1 if depth == 0 else ["add", nested(depth - 1), 1]


PLAN_CASES = [
    ("format", set_key("format", value="plan"), r"is no launch plan"),
    ("version", set_key("version", value=2), r"is of a version other than 1"),
    ("key of the plan", set_key("colour", value=1), r"unknown key 'colour'"),
    ("key of the module", set_key("module", "colour", value=1), r"unknown key 'colour'"),
    ("key of an entry", entry_key("colour", value=1), r"an entry: unknown key 'colour'"),
    ("key of an argument", entry_key("arguments", 1, "colour", value=1), r"argument 1: unknown key 'colour'"),
    ("key of a step", entry_key("steps", 0, "colour", value=1), r"step 0: unknown key 'colour'"),
    ("key of a launch", launch_key("colour", 1), r"step \d+: unknown key 'colour'"),
    ("attribute", launch_key("attributes", {"colour": True}), r"step \d+: unknown key 'colour'"),
    ("parameter", launch_key("parameters", [{"i8": 1}]), r"a parameter is none of pointer, .*"),
    ("missing key", lambda plan: plan["entries"][0]["arguments"][0].pop("role"), r"argument 0: has no 'role'"),
    ("type of a value", entry_key("arguments", 0, "alignment", value="16"), r"argument 0: 'alignment' is no integer"),
    ("element type", entry_key("arguments", 0, "type", value="fp8"), r"argument 0: unknown type 'fp8'"),
    ("role", entry_key("arguments", 0, "role", value="both"), r"argument 0: unknown role 'both'"),
    ("strides", entry_key("arguments", 0, "strides", value="columns"), r"argument 0: unknown strides 'columns'"),
    ("alignment", entry_key("arguments", 0, "alignment", value=24), r"alignment 24 is no power of two"),
    ("row alignment", entry_key("arguments", 0, "alignment", value=1 << 20),
     r"argument 'q': stride \d is \d+ bytes, no multiple of 1048576"),
    ("same name", entry_key("arguments", 1, "name", value="q"), r"argument 1: the name 'q' stands twice"),
    ("unbound size", lambda plan: plan["entries"][0]["sizes"].append("X"), r"no input binds size 'X'"),
    ("folder", set_key("module", "ptx", value="../prefill.ptx"), r"the PTX is not a file beside the plan"),
    ("missing PTX", set_key("module", "ptx", value="none.ptx"), r".*/none\.ptx: cannot be opened"),
    ("requirement", lambda plan: plan["entries"][0]["requirements"].append(
        {"condition": ["lt", "Nq", 1], "message": "there are no queries"}), r"not met: there are no queries"),
    ("operator", grid_x(["power", 2, 3]), r'\["power",2,3\] is no integer, size or \[operator, \.\.\.\]'),
    ("operands", grid_x(["add", 2]), r'\["add",2\] is no integer, .*'),
    ("unknown size", grid_x("X"), r"'X' is no size known here"),
    ("unreached operand", grid_x(["select", 1, 1, "X"]), r"'X' is no size known here"),
    ("overflow", grid_x(["mul", 4611686018427387904, 2]), r'\["mul",4611686018427387904,2\] overflows 64 bits'),
    ("quotient that overflows", grid_x(["floordiv", -9223372036854775808, -1]), r"\[.*\] overflows 64 bits"),
    ("division by zero", grid_x(["mod", 1, ["sub", "B", "B"]]), r'\["mod",.*\] divides by zero'),
    ("integer", grid_x(9223372036854775808), r".*:\d+:\d+: too big integer.*"),
    ("depth", grid_x(nested(120)), r"values nest deeper than 100 levels"),
    ("grid", grid_x(2147483648), r"grid x is 2147483648, expected 0 to 2147483647"),
    ("negative grid", grid_x(-1), r"grid x is -1, expected 0 to 2147483647"),
    ("cluster", launch_key("cluster", [1, 1, 32]), r"cluster is 32, expected 1 to 16"),
    ("block", launch_key("block", [1024, 2, 1]), r"block is 2048, expected 1 to 1024"),
    ("shared memory", launch_key("shared_bytes", -1), r"shared_bytes is -1, expected 0 to 2147483647"),
    ("too much shared memory", launch_key("shared_bytes", 300000), r"CUDA_ERROR_INVALID_VALUE \(invalid argument\)"),
    ("kernel", launch_key("kernel", "none"), r"kernel 'none': CUDA_ERROR_NOT_FOUND \(named symbol not found\)"),
    ("32 bits", launch_key("parameters", [{"i32": 2147483648}]), r"i32 is 2147483648, expected -2147483648 to 2147483647"),
    ("offset", launch_key("parameters", [{"pointer": "lse", "offset": -4}]), r"offset is -4, expected 0 to \d+"),
    ("pointer", launch_key("parameters", [{"pointer": "none"}]), r"no argument or buffer 'none'"),
    ("too few parameters", launch_key("parameters", [{"pointer": "q"}]),
     r"parameter 1 has \d+ bytes, the plan gives 0"),
    ("size of a parameter", launch_key("parameters", [{"i32": 1}]),
     r"parameter 0 has \d+ bytes, the plan gives 4"),
    ("memset of an input", entry_key("steps", 0, value={"memset": {"buffer": "q", "value": 0, "bytes": 1}}),
     r"'q' is no buffer or contiguous output"),
    ("memset beyond", entry_key("steps", 0, value={"memset": {"buffer": "lse", "value": 0, "bytes": 1 << 40}}),
     r"bytes is 1099511627776, expected 0 to \d+"),
    ("negative buffer", entry_key("buffers", 0, "bytes", value=["sub", 0, "B"]), r"bytes is -1, expected 0 to 9223372036854775807"),
    ("tensor map", lambda plan: (
        entry_key("tensor_maps", value=[{"name": "m", "tensor": "q", "type": "bf16", "shape": [128, "Nq"], "strides": [24],
                                         "box": [64, 64], "swizzle": 0}])(plan),
        launch_key("parameters", [{"tensor_map": "m"}])(plan)), r"tensor map 'm': stride 24 is no multiple of 16"),
    ("chip", set_key("module", "chip", value=90), r"'chip' is no string"),
]


def check_message(launcher, name, words, result, pattern):
    done = launcher.run([*words, f"--result={result}"])
    lines = done.stderr.splitlines()
    # The emulated driver may say more ahead of the program.
    own = [line for line in lines if not line.startswith("emulated CUDA driver: ")]
    assert done.returncode == 1, f"{name}: exit code {done.returncode}: {done.stderr}"
    assert len(own) == 1 and re.fullmatch(f"launch_plan: (.*[:,] )?{pattern}", own[0]), f"{name}: {done.stderr}"
    assert not done.stdout and not result.exists(), f"{name}: {done.stdout}"


def check_plans(launcher, folder, plan, inputs):
    good = json.loads(plan.read_text())
    bad = folder / "bad.plan.json"
    result = folder / "never.npy"
    for name, change, pattern in PLAN_CASES:
        broken = copy.deepcopy(good)
        change(broken)
        bad.write_text(json.dumps(broken))
        check_message(launcher, name, [bad, "prefill", *inputs], result, pattern)
    for name, text, pattern in (
        ("syntax", plan.read_text()[:-3], r".*:\d+:\d+: .*"),
        ("key twice", plan.read_text().replace('"version": 1', '"version": 1, "version": 1', 1), r".*:\d+:\d+: duplicate .*"),
    ):
        assert text != plan.read_text()
        bad.write_text(text)
        check_message(launcher, name, [bad, "prefill", *inputs], result, pattern)
    ptx = folder / "broken.ptx"
    ptx.write_text((folder / good["module"]["ptx"]).read_text() + "\n.entry more() { nothing; }\n")
    bad.write_text(json.dumps({**good, "module": {**good["module"], "ptx": "broken.ptx"}}))
    check_message(launcher, "PTX", [bad, "prefill", *inputs], result, r".*line \d+; error.*CUDA_ERROR_INVALID_PTX.*")


def check_arguments(launcher, folder, plan, arrays):
    result = folder / "never.npy"
    words = [plan, "prefill", *file_options(folder, arrays)]
    replaced = folder / "replaced.npy"

    def check_array(case, name, array, pattern):
        np.save(replaced, array)
        given = [f"--arg={replaced}" if word == f"--arg={folder}/{name}.npy" else word for word in words]
        assert given != words
        check_message(launcher, case, given, result, pattern)

    q, permutation, counts, indices = (arrays[name] for name in ("q", "permutation", "counts", "indices"))
    check_array("rank", "q", q[0], r"argument 'q': has 4 dimensions, the file 3")
    check_array("heads", "q", q[:, :1], r"argument 'q': extent 1 is 1, expected 2")
    check_array("keys and values", "v", arrays["v"][:, :, :-1], r"argument 'v': extent 2 is \d+, expected \d+")
    check_array("no rows", "q", q[:, :, :0], r"argument 'q': extent 2 is 0")
    check_array("integers", "q", q.astype(np.int32), r"argument 'q': takes <f4 for bf16, the file holds <i4")
    check_array("doubles", "q", q.astype(np.float64), r"argument 'q': takes <f4 for bf16, the file holds <f8")
    check_array("order", "q", np.asfortranarray(q), r"the file is in Fortran's order")
    twice = permutation.copy()
    twice[0, 1, 1] = twice[0, 1, 0]
    check_array("permutation", "permutation", twice, r"row 1, place 1 holds \d+, which breaks the permutation")
    many = counts.copy()
    many[0, 1, 0] = [0, indices.shape[3] + 1]
    check_array("counts", "counts", many, r"batch 0, head 1, query block 0 counts 0 whole and \d+ masked blocks")
    # The last complete key block holds later keys than the first query's.
    late_counts, late_indices = counts.copy(), indices.copy()
    late_counts[0, 1, 0] = [1, 0]
    late_indices[0, 1, 0] = [arrays["k"].shape[2] // 128 - 1, *[65535] * (indices.shape[3] - 1)]
    np.save(folder / "indices.npy", late_indices)
    check_array("later keys", "counts", late_counts, r"batch 0, head 1, query block 0: place 0 lists block \d+")
    np.save(folder / "indices.npy", indices)
    beyond = indices.copy()
    beyond[0, 0, 0, 0] = 60000
    check_array("index", "indices", beyond, r"batch 0, head 0, query block 0: place 0 lists block 60000")

    np.save(replaced, q)
    replaced.write_bytes(replaced.read_bytes()[:-1])
    given = [plan, "prefill", f"--arg={replaced}", *words[3:]]
    check_message(launcher, "short file", given, result, r"the file has more or fewer bytes than its header says")
    missing = [plan, "prefill", f"--arg={folder}/none.npy", *words[3:]]
    check_message(launcher, "missing file", missing, result, r".*/none\.npy: argument 'q': cannot be opened")
    check_message(launcher, "too few", words[:-1], result, r"prefill: takes 6 inputs, found 5 --arg")
    check_message(launcher, "entry", [plan, "none", *words[2:]], result, r"no entry 'none'")
    check_message(launcher, "missing plan", [folder / "none.json", *words[1:]], result, r".*/none\.json: cannot be opened")
    check_message(launcher, "option", [*words, "--fast"], result, r"unknown option '--fast'")
    check_message(launcher, "results", [*words, *[f"--result={result}"] * 2], result, r"prefill has 2 outputs, found 3 --result")
    check_message(launcher, "result's folder", [*words, f"--result={folder}/none/out.npy"], result, r"cannot be opened")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(os.environ.get("PBS_SEED", secrets.randbits(32))))
    parser.add_argument("--cc", required=True, help="the C compiler, with flags")
    parser.add_argument("--include", required=True, help="the folder of cuda.h")
    parser.add_argument("--driver", required=True, help="the folder of the emulated driver")
    parser.add_argument("--source", required=True, help="the example's folder")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        launcher = Launcher(options, folder)
        heads = ["--q-heads=2", "--kv-heads=1"]
        prefill = compile_plan(folder, "prefill", heads)
        keys = int(random.integers(400, 700))
        queries = int(random.integers(260, keys))
        print(f"{queries} queries, {keys} keys", flush=True)
        check_steps(launcher, folder, random)
        arrays = floats(random, (2, 1), queries, keys)
        compare(launcher, folder, prefill, arrays)
        check_plans(launcher, folder, prefill, file_options(folder, arrays))
        half = compile_plan(folder, "half", [*heads, "--dtype=f16", "--head-dim=64"])
        compare(launcher, folder, half, floats(random, (2, 1), queries, keys, 64))
        # Tensor maps of an input, a buffer and an output, and lengths that are no multiple of the tile.
        module = pathlib.Path(__file__).resolve().parents[2] / "Target/PTX/Inputs/copy-tiles.mlir"
        tiles = compile_module(folder, "tiles", module.read_bytes(), "sm_90a")
        compare(launcher, folder, tiles, {"x": random.standard_normal((2, 3, keys, 128)).astype(np.float32)})
        attention = compile_plan(folder, "attention", [*heads, "--stages=attention"])
        arrays = attention_arrays(random, queries, keys)
        compare(launcher, folder, attention, arrays)
        check_arguments(launcher, folder, attention, arrays)


if __name__ == "__main__":
    main()
