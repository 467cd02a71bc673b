# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles one configuration of attention, runs its PTX on the emulator, and judges the results twice.

Once by `pbs-run --check` (the project's own reference) and once here by the NumPy twin, which shares no code with it.
Inputs are fresh; a failure prints the seed, and --seed repeats it.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path += [str(SOURCE / "test" / "Reference"), str(SOURCE / "scripts")]
import twin
from harness import draw_seed, random_permutation
from make_inputs import round_to

BLOCK = 128
TOLERANCE = {"bf16": 5e-3, "f16": 1e-3}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--q-heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=1)
    parser.add_argument("--query-length", type=int)
    parser.add_argument("--key-length", type=int, required=True)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--dtype", choices=TOLERANCE, default="bf16")
    parser.add_argument("--query-block", type=int, default=BLOCK)
    parser.add_argument("--key-block", type=int, default=BLOCK)
    parser.add_argument("--segment", type=int, default=256)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--no-causal", action="store_true")
    parser.add_argument("--window", type=int)
    parser.add_argument("--empty-rows", action="store_true", help="fail unless some row has no key in its listed blocks")
    parser.add_argument("--permutation", choices=["none", "per-query-head", "per-kv-head"], default="per-query-head")
    parser.add_argument("--lists", choices=["random", "top-p", "full"], default="random")
    parser.add_argument("--soft-cap", type=float)
    parser.add_argument("--alibi", action="store_true")
    parser.add_argument("--scalars", action="store_true", help="a score region that takes two scalar arguments")
    parser.add_argument("--chip", default="sm_80")
    parser.add_argument("--schedule", help="as for pbs-compile")
    parser.add_argument("--multiprocessors", type=int, help="of the emulator, as for pbs-run")
    parser.add_argument("--order", type=int, help="the emulator's --seed: when asynchronous work is done, how warps run")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    options.query_length = options.query_length or options.key_length
    options.scale = options.scale or options.head_dim**-0.5
    options.seed = draw_seed() if options.seed is None else options.seed
    return options


# Weakens scores by a factor, but not those of the first keys.
SCORE_REGION = """ score(%factor, %sinks : tensor<f32>, tensor<i32>) {
    ^bb0(%score: f32, %batch: i32, %head: i32, %query: i32, %key: i32, %f: f32, %n: i32):
      %weak = arith.mulf %score, %f : f32
      %is_sink = arith.cmpi slt, %key, %n : i32
      %new = arith.select %is_sink, %score, %weak : f32
      pbs.yield %new
    }"""


def add_scalars(module):
    """The module with two more arguments and a score region that takes them."""
    module = module.replace("%q: ", '%factor: tensor<f32> {pbs.name = "factor"}, '
                            '%sinks: tensor<i32> {pbs.name = "sinks"}, %q: ', 1)
    module, count = re.subn(r"(pbs\.attention .*)", lambda op: op[1] + SCORE_REGION, module)
    assert count == 1, module
    return module


def modification(options, scalars):
    """What the options make of scores, or None."""
    modifications = []
    if options.soft_cap is not None:
        modifications.append(twin.soft_cap(options.soft_cap))
    if options.alibi:
        modifications.append(twin.alibi(options.q_heads, not options.no_causal))
    if options.scalars:
        modifications.append(lambda scores, batch, head, queries, keys:
                             np.where(keys < scalars["sinks"], scores, scalars["factor"] * scores))
    return twin.in_turn(*modifications)


def make_case(options, random):
    """q, k, v, the permutation or None, and the listed blocks."""
    geometry = twin.Geometry(options.query_length, options.key_length, options.query_block, options.key_block,
                             options.segment, not options.no_causal, options.window)
    def tensor(heads, length):
        return round_to(random.standard_normal((options.batch, heads, length, options.head_dim)), options.dtype)

    q = tensor(options.q_heads, options.query_length)
    k, v = (tensor(options.kv_heads, options.key_length) for _ in range(2))
    permutation = None
    if options.permutation != "none":
        heads = options.q_heads if options.permutation == "per-query-head" else options.kv_heads
        permutation = random_permutation(random, options.batch, heads, options.key_length, options.segment).astype(np.int64)
    if options.lists == "top-p":
        keys = k if permutation is None else twin.permute(k, permutation)
        pooled = twin.pool(q, "mean", options.query_block), twin.pool(keys, "mean", options.key_block)
        scores = twin.block_scores(*pooled, geometry, options.scale)
        listed = twin.select(scores, geometry, permutation, twin.top_p(0.9))
    else:
        listed = np.broadcast_to(twin.attendable(geometry, geometry.positions(permutation, options.q_heads)),
                                 (options.batch, options.q_heads, geometry.query_blocks, geometry.key_blocks)).copy()
        if options.lists == "random":
            listed &= random.random(listed.shape) < random.random(listed.shape[:3] + (1,))
    return geometry, q, k, v, permutation, listed


def judge(name, out, lse, expected_out, expected_lse, tolerance, block=BLOCK):
    """One line for each query block of `block` rows that is out of bounds."""
    failures = []
    for b, h in np.ndindex(out.shape[:2]):
        for first in range(0, out.shape[2], block):
            rows = slice(first, first + block)
            where = f"{name}: batch {b} head {h} query block {first // block}"
            norm = np.linalg.norm(expected_out[b, h, rows])
            error = np.linalg.norm(out[b, h, rows] - expected_out[b, h, rows])
            if not error <= tolerance * norm:
                failures.append(f"{where}: error {error} of {norm}")
            same_infinity = np.array_equal(np.isneginf(lse[b, h, rows]), np.isneginf(expected_lse[b, h, rows]))
            finite = np.isfinite(expected_lse[b, h, rows])
            bound = 2e-4 + 1e-6 * np.abs(expected_lse[b, h, rows][finite])
            off = np.abs(lse[b, h, rows][finite] - expected_lse[b, h, rows][finite])
            if not same_infinity or not np.all(off <= bound):
                failures.append(f"{where}: lse is off by {off.max(initial=0)}")
    return failures


def main():
    options = parse_options()
    print(f"seed {options.seed}")
    random = np.random.default_rng(options.seed)
    geometry, q, k, v, permutation, listed = make_case(options, random)
    counts, indices = twin.lists(listed, geometry, permutation)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        scalars = {}
        if options.scalars:
            scalars = {"factor": np.float32(random.uniform(0.2, 0.8)), "sinks": np.int32(random.integers(1, 200))}
        arguments = {**scalars, "q": q, "k": k, "v": v}
        if permutation is not None:
            arguments["permutation"] = permutation.astype(np.int32)
        arguments.update(counts=counts, indices=indices)
        generate = ["pbs-gen", "--stages=attention", f"--q-heads={options.q_heads}", f"--kv-heads={options.kv_heads}",
                    f"--head-dim={options.head_dim}", f"--dtype={options.dtype}", f"--segment={options.segment}",
                    f"--block={options.key_block}", f"--query-block={options.query_block}",
                    f"--permutation={options.permutation}", f"--scale={options.scale!r}"]
        if options.no_causal:
            generate.append("--no-causal")
        if options.window is not None:
            generate.append(f"--window={options.window}")
        if options.soft_cap is not None:
            generate.append(f"--soft-cap={options.soft_cap!r}")
        if options.alibi:
            generate.append("--alibi")
        text = subprocess.run(generate, check=True, stdout=subprocess.PIPE, text=True).stdout
        module = folder / "attention.mlir"
        module.write_text(add_scalars(text) if options.scalars else text)
        run = ["pbs-run", str(module), "--entry=prefill", "--device=emulator", f"--chip={options.chip}", "--check",
               "--checks=all"]
        if options.schedule:
            run.append(f"--schedule={options.schedule}")
        if options.multiprocessors:
            run.append(f"--multiprocessors={options.multiprocessors}")
        if options.order is not None:
            run.append(f"--seed={options.order}")
        for name, array in arguments.items():
            np.save(folder / f"{name}.npy", array)
            run.append(f"--arg={folder / name}.npy")
        run += [f"--result={folder / name}.npy" for name in ("out", "lse")]
        status = subprocess.run(run).returncode
        if status:
            sys.exit(f"pbs-run failed with exit code {status}")
        out, lse = (np.load(folder / f"{name}.npy").astype(np.float64) for name in ("out", "lse"))

    wide = (x.astype(np.float64) for x in (q, k, v))
    expected = twin.attention(*wide, listed, geometry, permutation, options.scale,
                              modify=modification(options, scalars))
    if options.empty_rows and not np.isneginf(expected[1]).any():
        sys.exit("every row has a key")
    failures = judge("twin", out, lse, *expected, TOLERANCE[options.dtype], options.query_block)
    print("\n".join(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
