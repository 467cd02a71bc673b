#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From q, k and v to PTX that has run: selects blocks, compiles attention over them, executes the PTX on the emulator.

The reference computes the permutation and the block lists; the compiler turns attention over them into PTX and a plan
for each chip; the emulator runs that very PTX. The report sets its output against the reference on the same blocks,
and against full attention.
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import time

import numpy as np

from make_inputs import check_extents, make_inputs

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "bin"
BLOCK = 128
CHIPS = ("sm_80", "sm_90a")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in "qkv":
        parser.add_argument(f"--{name}", help=f"own {name}: FILE.npy or FILE.safetensors:NAME, (B, H, N, D)")
    parser.add_argument("--q-heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=1)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--dtype", choices=["bf16", "f16"], default="bf16")
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--segment", type=int, default=256)
    parser.add_argument("--seed", type=int, help="of the test data; drawn and printed if not given")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "demo", help="folder for every file")
    options = parser.parse_args()
    own = [getattr(options, name) for name in "qkv"]
    if any(own) and not all(own):
        parser.error("--q, --k and --v go together")
    options.own = own if all(own) else None
    if not options.own:
        check_extents(parser, 1, options.q_heads, options.kv_heads, options.length, options.length, options.head_dim)
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


def generate(path, options, *flags):
    with open(path, "w") as file:
        run("pbs-gen", f"--q-heads={options.q_heads}", f"--kv-heads={options.kv_heads}",
            f"--head-dim={options.head_dim}", f"--dtype={options.dtype}", f"--segment={options.segment}",
            *flags, output=file)


def prefill_reference(options, inputs, name, permutation, top_p):
    """Runs the whole algorithm in the interpreter; returns the folder of its results."""
    folder = options.out / name
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / "prefill.mlir"
    generate(module, options, f"--permutation={permutation}", f"--top-p={top_p}")
    run("pbs-run", module, "--entry=prefill", "--device=reference", *(f"--arg={x}" for x in inputs),
        f"--result={folder / 'out.npy'}", f"--result={folder / 'lse.npy'}", f"--dump-intermediates={folder}")
    return folder


def share_computed(folder, query_length, key_length, segment):
    """Listed blocks over all blocks of the segments up to each query block's last own one."""
    listed = np.load(folder / "counts.npy").sum(axis=-1)
    last_rows = np.minimum(np.arange(1, listed.shape[-1] + 1) * BLOCK, query_length) - 1
    last_segments = (last_rows + key_length - query_length) // segment
    key_blocks = -(-key_length // BLOCK)
    reachable = np.minimum((last_segments + 1) * (segment // BLOCK), key_blocks)
    return listed.sum() / (listed.shape[0] * listed.shape[1] * reachable.sum())


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def main():
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.own:
        inputs = options.own
        (_, options.q_heads, query_length, options.head_dim) = shape_of(inputs[0])
        (_, options.kv_heads, key_length, _) = shape_of(inputs[1])
        print("q, k, v:", *inputs)
    else:
        query_length = key_length = options.length
        seed = options.seed if options.seed is not None else time.time_ns() % 2**32
        inputs = [options.out / f"{name}.npy" for name in "qkv"]
        arrays = make_inputs(seed, 1, options.q_heads, options.kv_heads, query_length, key_length, options.head_dim,
                             options.dtype)
        for path, array in zip(inputs, arrays):
            np.save(path, array)
        print(f"q, k, v: test data of seed {seed}")
    print(f"Hq={options.q_heads} Hkv={options.kv_heads} Nq={query_length} Nkv={key_length} D={options.head_dim} "
          f"{options.dtype}, p={options.top_p}, segments of {options.segment}")

    print("\nSelecting blocks with the reference ...")
    permuted = prefill_reference(options, inputs, "permuted", "per-query-head", options.top_p)
    plain = prefill_reference(options, inputs, "plain", "none", options.top_p)
    full = prefill_reference(options, inputs, "full", "none", 1)

    module = options.out / "attention.mlir"
    generate(module, options, "--stages=attention", "--permutation=per-query-head")
    for chip in CHIPS:
        ptx = options.out / f"attention.{chip}.ptx"
        seconds = run("pbs-compile", module, "-o", ptx, f"--chip={chip}")
        print(f"{chip}: {ptx} ({len(ptx.read_text().splitlines())} lines) and its plan in {seconds:.2f} s")

    results = [f"--result={options.out / name}" for name in ("out.npy", "lse.npy")]
    for chip in CHIPS:
        print(f"\nRunning the PTX for {chip} on the emulator ...", flush=True)
        seconds = run("pbs-run", module, "--entry=prefill", "--device=emulator", f"--chip={chip}", "--check",
                      *(f"--arg={x}" for x in inputs),
                      *(f"--arg={permuted / name}" for name in ("permutation.npy", "counts.npy", "indices.npy")),
                      *results)
        print(f"{seconds:.1f} s with the check")

    out, reference, exact = (np.load(x / "out.npy").astype(np.float64) for x in (options.out, permuted, full))
    print("\nquery block   error against the reference   error against full attention")
    for first in range(0, query_length, BLOCK):
        rows = (slice(None), slice(None), slice(first, first + BLOCK))
        print(f"{first // BLOCK:11d}   {relative_error(out[rows], reference[rows]):27.2e}"
              f"   {relative_error(out[rows], exact[rows]):28.4f}")
    print(f"{'all':>11}   {relative_error(out, reference):27.2e}   {relative_error(out, exact):28.4f}")
    plain_error = relative_error(np.load(plain / "out.npy").astype(np.float64), exact)
    lengths = query_length, key_length, options.segment
    print(f"\nblocks computed with the permutation:    {share_computed(permuted, *lengths):.3f}, "
          f"error against full attention {relative_error(out, exact):.4f}")
    print(f"blocks computed without the permutation: {share_computed(plain, *lengths):.3f}, "
          f"error against full attention {plain_error:.4f} (by the reference)")


if __name__ == "__main__":
    main()
