#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From q, k and v to the output: the whole prefill compiled, run on the emulator, checked and measured.

Compiles the prefill of Llama 3.1 8B's attention for sm_80 and sm_90a. Then runs the PTX of the same algorithm with fewer
heads on the emulator, on test data or on your own q, k and v, with and without the permutation: errors against the
double-precision reference and against full attention, the share of blocks computed, what each kernel did, and a picture
of what one head selected.
"""
import argparse
import json
import pathlib
import re
import struct
import subprocess
import sys
import time

import numpy as np

from make_inputs import check_extents, make_inputs
from plot_selection import Layout, load_selection, plot_selection

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "bin"
CHIPS = ("sm_80", "sm_90a")
LLAMA = {"q_heads": 32, "kv_heads": 8, "head_dim": 128, "dtype": "bf16"}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in "qkv":
        parser.add_argument(f"--{name}", help=f"own {name}: FILE.npy or FILE.safetensors:NAME, (B, H, N, D)")
    parser.add_argument("--q-heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=1)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--dtype", choices=["bf16", "f16"], default="bf16")
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--segment", type=int, default=256)
    parser.add_argument("--block", type=int, choices=[64, 128], default=128)
    parser.add_argument("--head", type=int, default=0, help="query head of the picture")
    parser.add_argument("--seed", type=int, default=1, help="of the test data (1)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "demo", help="folder for every file")
    options = parser.parse_args()
    own = [getattr(options, name) for name in "qkv"]
    if any(own) and not all(own):
        parser.error("--q, --k and --v go together")
    options.own = own if all(own) else None
    if options.own:
        (_, options.q_heads, options.query_length, options.head_dim) = shape_of(own[0])
        (_, options.kv_heads, options.key_length, _) = shape_of(own[1])
    else:
        options.query_length = options.key_length = options.length
        check_extents(parser, 1, options.q_heads, options.kv_heads, options.length, options.length, options.head_dim)
    if not 0 <= options.head < options.q_heads:
        parser.error(f"--head={options.head} is none of {options.q_heads} query heads")
    return options


def shape_of(argument):
    """The shape (B, H, N, D) of FILE.npy or FILE.safetensors:NAME, from its header; ends the demo if there is none."""
    path, separator, name = argument.rpartition(":")
    try:
        if not separator:
            shape = np.load(argument, mmap_mode="r").shape
        else:
            with open(path, "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                shape = tuple(json.loads(file.read(length))[name]["shape"])
    except OSError as error:
        sys.exit(f"demo.py: {argument}: {error.strerror or error}")
    except KeyError:
        sys.exit(f"demo.py: {path}: has no tensor '{name}'")
    except (ValueError, TypeError, AttributeError, EOFError, struct.error):
        sys.exit(f"demo.py: {argument}: is no {'safetensors' if separator else '.npy'} file")
    if len(shape) != 4:
        sys.exit(f"demo.py: {argument}: has shape {shape}, but (B, H, N, D) is needed")
    return shape


def run(tool, *arguments, output=None):
    """Runs one of our tools; returns its seconds. Its message is enough when it fails."""
    start = time.perf_counter()
    result = subprocess.run([str(BIN / tool), *map(str, arguments)], stdout=output)
    if result.returncode:
        sys.exit(result.returncode)
    return time.perf_counter() - start


def generate(path, extents, options, *flags):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        run("pbs-gen", f"--q-heads={extents['q_heads']}", f"--kv-heads={extents['kv_heads']}",
            f"--head-dim={extents['head_dim']}", f"--dtype={extents['dtype']}", f"--segment={options.segment}",
            f"--block={options.block}", f"--query-block={options.block}", *flags, output=file)
    return path


def compile_llama(options):
    """The model's own heads, for each chip."""
    module = generate(options.out / "llama-3.1-8b" / "prefill.mlir", LLAMA, options, f"--top-p={options.top_p}")
    print("Prefill of Llama 3.1 8B (Hq=32, Hkv=8, D=128, bf16), any batch and length:")
    for chip in CHIPS:
        ptx = module.parent / chip / "prefill.ptx"
        ptx.parent.mkdir(exist_ok=True)
        seconds = run("pbs-compile", module, "-o", ptx, f"--chip={chip}")
        (entry,) = json.loads(ptx.with_suffix(".plan.json").read_text())["entries"]
        launches = sum("launch" in step for step in entry["steps"])
        print(f"  {chip:7} {ptx} and plan: {launches} launches, {len(ptx.read_text().splitlines())} lines of PTX, "
              f"in {seconds:.2f} s")


def read_profile(text):
    """(kernel, {what: number}) of each launch that pbs-run --profile prints."""
    launches = []
    for line in text.splitlines():
        if match := re.match(r"(\w+): grid ", line):
            launches.append((match[1], {}))
        elif (match := re.match(r" +(.+?) +([\d,]+)$", line)) and launches:
            launches[-1][1][match[2 - 1]] = int(match[2].replace(",", ""))
    return launches


def run_prefill(title, folder, options, inputs, *flags):
    """Runs the compiled prefill on the emulator; returns its folder and what its launches did."""
    module = generate(folder / "prefill.mlir", vars(options), options, f"--top-p={options.top_p}", *flags)
    print(f"\n{title}:", flush=True)
    log = folder / "run.txt"
    with open(log, "w") as file:
        seconds = run("pbs-run", module, "--entry=prefill", "--device=emulator", "--check", "--profile", "--progress",
                      *(f"--arg={x}" for x in inputs), *(f"--result={folder / x}.npy" for x in ("out", "lse")),
                      output=file)
    text = log.read_text()
    print(*(line for line in text.splitlines() if line.startswith("checked") or "blocks are listed" in line), sep="\n")
    print(f"{seconds:.1f} s with the check against the reference")
    # Intermediates are those of a run that keeps every stage apart.
    with open(folder / "intermediates.txt", "w") as file:
        run("pbs-run", module, "--entry=prefill", "--device=emulator", *(f"--arg={x}" for x in inputs),
            f"--dump-intermediates={folder}", f"--report={folder / 'report.html'}", output=file)
    return folder, read_profile(text)


def full_attention(options, inputs):
    """The output of causal attention over every block, by the reference."""
    folder = options.out / "full"
    module = generate(folder / "attention.mlir", vars(options), options, "--permutation=none", "--all")
    run("pbs-run", module, "--entry=prefill", "--device=reference", *(f"--arg={x}" for x in inputs),
        *(f"--result={folder / x}.npy" for x in ("out", "lse")))
    return np.load(folder / "out.npy").astype(np.float64)


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def worst_block_error(log):
    return float(re.search(r"largest error ([\d.E+-]+|0)", log.read_text())[1])


def print_stages(launches):
    print(f"\n{'launch':22}{'bytes read':>15}{'bytes written':>15}{'lane-instructions':>19}{'matrix GFLOP':>14}")
    total = {}
    for kernel, counted in launches:
        row = {"read": counted["global bytes loaded"] + counted["asynchronously copied bytes"],
               "written": counted["global bytes stored"], "instructions": counted["active lane-instructions"],
               "flops": counted["matrix flops"]}
        for key, value in row.items():
            total[key] = total.get(key, 0) + value
        print_stage(kernel, row)
    print_stage(f"{len(launches)} launches", total)


def print_stage(name, row):
    print(f"{name:22}{row['read']:15,}{row['written']:15,}{row['instructions']:19,}{row['flops'] / 1e9:14.2f}")


def main():
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    compile_llama(options)

    if options.own:
        inputs = options.own
        print("\nq, k, v:", *inputs)
    else:
        inputs = [options.out / f"{name}.npy" for name in "qkv"]
        arrays = make_inputs(options.seed, 1, options.q_heads, options.kv_heads, options.query_length, options.key_length,
                             options.head_dim, options.dtype)
        for path, array in zip(inputs, arrays):
            np.save(path, array)
        print(f"\nq, k, v: test data of seed {options.seed}")
    print(f"Hq={options.q_heads} Hkv={options.kv_heads} Nq={options.query_length} Nkv={options.key_length} "
          f"D={options.head_dim} {options.dtype}, p={options.top_p}, blocks of {options.block}, segments of "
          f"{options.segment}, on the emulator")

    start = time.perf_counter()
    folder, launches = run_prefill("With the permutation", options.out / "permuted", options, inputs)
    plain, _ = run_prefill("Without the permutation", options.out / "plain", options, inputs, "--permutation=none")
    print(f"\nBoth took {time.perf_counter() - start:.0f} s. Full attention by the reference ...", flush=True)
    exact = full_attention(options, inputs)

    layout = Layout(options.query_length, options.key_length, options.segment, options.block, options.block)
    print(f"\n{'':24}{'blocks computed':>17}{'error against the reference':>30}{'against full attention':>25}")
    errors, shares = [], []
    for name, place in (("with the permutation", folder), ("without", plain)):
        errors.append(relative_error(np.load(place / "out.npy").astype(np.float64), exact))
        counts, _ = load_selection(place)
        shares.append(counts.sum() / (counts.shape[0] * counts.shape[1] * layout.reachable().sum()))
        print(f"{name:24}{shares[-1]:17.3f}{worst_block_error(place / 'run.txt'):30.2e}{errors[-1]:25.4f}")
    print("(the worst query block's error against the reference on the same blocks; all rows' against full attention)")
    print_stages(launches)

    picture = options.out / "selection.png"
    one = lambda place: tuple(array[0, options.head] for array in load_selection(place))
    plot_selection(picture, one(plain), one(folder), layout, errors=errors[::-1], shares=shares[::-1], head=options.head)
    print(f"\nWhat head {options.head} selected: {picture}\nAll heads: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
