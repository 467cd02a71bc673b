# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs compiled attention on the emulator with one NaN or infinity in q, k or v, and with rows without any key.

What the value reaches is what it reaches in the NumPy twin; every other row of the output and the log-sum-exp is
bit-identical to a run without it.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import attention_case
from attention_case import BLOCK, TOLERANCE, draw_seed, judge, twin

BATCH, Q_HEADS, KV_HEADS, QUERIES, KEYS, DEPTH = 2, 4, 2, 200, 450, 64


def run(folder, arrays):
    command = ["pbs-launch", str(folder / "attention.plan.json")]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        command.append(f"--arg={folder / name}.npy")
    files = [folder / "out.npy", folder / "lse.npy"]
    subprocess.run(command + [f"--result={file}" for file in files], check=True)
    return [np.load(file) for file in files]


def differing_rows(a, b):
    """Boolean (B, H, N): the row's bits differ."""
    different = a.view(np.uint32) != b.view(np.uint32)
    return different.any(axis=-1) if a.ndim == 4 else different


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=TOLERANCE, default="bf16")
    parser.add_argument("--permutation", default="per-query-head")
    parser.add_argument("--seed", type=int, default=draw_seed())
    options = parser.parse_args()
    print(f"seed {options.seed}")
    random = np.random.default_rng(options.seed)
    case = argparse.Namespace(batch=BATCH, q_heads=Q_HEADS, kv_heads=KV_HEADS, query_length=QUERIES, key_length=KEYS,
                              head_dim=DEPTH, query_block=BLOCK, key_block=BLOCK, segment=256, no_causal=False, window=None, lists="random", scale=DEPTH**-0.5,
                              dtype=options.dtype, permutation=options.permutation)
    geometry, q, k, v, permutation, listed = attention_case.make_case(case, random)
    # Rows without a listed block, and a query block that only lists a block which it may not attend.
    listed[0, 1] = False
    listed[0, 2, 0] = [False, False, False, True]
    failures = []

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        generate = ["pbs-gen", "--stages=attention", f"--q-heads={Q_HEADS}", f"--kv-heads={KV_HEADS}",
                    f"--head-dim={DEPTH}", f"--dtype={options.dtype}", f"--permutation={options.permutation}"]
        module = subprocess.run(generate, check=True, capture_output=True).stdout
        subprocess.run(["pbs-compile", "-", "-o", str(folder / "attention.ptx")], input=module, check=True)
        counts, indices = twin.lists(listed, geometry, permutation)
        lists = {"counts": counts, "indices": indices}
        if permutation is not None:
            lists = {"permutation": permutation.astype(np.int32), **lists}
        clean = run(folder, {"q": q, "k": k, "v": v, **lists})
        clean_expected = twin.attention(*(x.astype(np.float64) for x in (q, k, v)), listed, geometry, permutation,
                                        case.scale)

        def check(name, inputs):
            found = run(folder, {**inputs, **lists})
            wide = (inputs[x].astype(np.float64) for x in "qkv")
            out, lse = twin.attention(*wide, listed, geometry, permutation, case.scale)
            # An infinite score may also take a key's weight away; NaN equals nothing.
            reached = (out != clean_expected[0]).any(axis=-1) | (lse != clean_expected[1])
            for result, expected, was in zip(found, (out, lse), clean):
                if not np.array_equal(np.isfinite(result), np.isfinite(expected)):
                    failures.append(f"{name}: not finite in {np.sum(~np.isfinite(result))} places, "
                                    f"expected {np.sum(~np.isfinite(expected))}")
                if np.any(differing_rows(result, was) & ~reached):
                    failures.append(f"{name}: changes rows that it does not reach")
            return reached

        check("clean", {"q": q, "k": k, "v": v})
        failures += judge("clean", *clean, *clean_expected, TOLERANCE[options.dtype])
        b, h = 1, 3
        row = int(random.integers(QUERIES))
        # A key of a block that the head's last query block lists.
        listed_blocks = np.flatnonzero(listed[b, h, -1])
        for value in (np.nan, np.inf, -np.inf):
            for argument in "qkv":
                inputs = {"q": q.copy(), "k": k.copy(), "v": v.copy()}
                if argument == "q":
                    inputs["q"][b, h, row, 5] = value
                elif not listed_blocks.size:
                    continue
                else:
                    place = int(listed_blocks[0]) * BLOCK + 3
                    key = place if permutation is None else int(permutation[b, h, place])
                    inputs[argument][b, h // 2, key, 5] = value
                reached = check(f"{value} in {argument}", inputs)
                if argument != "q" and not reached[b, h].any():
                    failures.append(f"{value} in {argument} reaches nothing")
    print("\n".join(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
