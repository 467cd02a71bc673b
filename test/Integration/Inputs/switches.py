# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs attention on the emulator's sm_90a, all checks on, over a pairwise covering array of the passes that can be left
out, of what attention can be, and of how many multiprocessors there are; each row in an order of warps and copies of its own.

A fresh seed makes rows and inputs; --seed and --row of a failure's report repeat it.
"""
import argparse
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "Reference")]
import covering_array
from harness import draw_seed

CASE = HERE / "attention_case.py"


def optional_passes():
    """Those that --schedule can leave out, as the compiler's help lists them."""
    text = subprocess.run(["pbs-compile", "--help"], check=True, capture_output=True, text=True).stdout
    return [line.strip().partition("=")[0] for line in text.splitlines() if "=on|off: " in line]


def dimensions():
    return {
        **{name: ["on", "off"] for name in optional_passes()},
        "head-dim": [64, 128],
        "dtype": ["bf16", "f16"],
        "query-block": [64, 128, 192],
        "key-block": [64, 128],
        "stages": [2, 3],
        "permutation": ["none", "per-query-head", "per-kv-head"],
        "mask": ["causal", "none", "causal window", "window"],
        "score": ["plain", "soft-cap", "scalars"],
        "queries": [1, 130, 300],
        "keys": [300, 515],
        "batch": [1, 2],
        "multiprocessors": [1, 2, 132],
        "lists": ["random", "full"],
    }


def is_allowed(row):
    """Three stages of the largest tiles, or two with two tiles of queries and more, have no room."""
    large = row.get("head-dim") == 128 and row.get("stages") == 3 and row.get("key-block") == 128
    return not large


def command(row, seed, number):
    passes = optional_passes()
    off = [f"{name}=off" for name in passes if row[name] == "off"]
    flags = ["--schedule=" + ",".join([*off, f"stages={row['stages']}"])]
    flags += ["--chip=sm_90a", "--q-heads=2", "--kv-heads=1", f"--seed={seed + number}", f"--order={number}"]
    flags += [f"--{name}={row[name]}" for name in
              ("head-dim", "dtype", "query-block", "key-block", "permutation", "batch", "multiprocessors", "lists")]
    flags += [f"--query-length={row['queries']}", f"--key-length={row['keys']}"]
    if "causal" not in row["mask"]:
        flags.append("--no-causal")
    if "window" in row["mask"]:
        flags.append("--window=150")
    flags += {"plain": [], "soft-cap": ["--soft-cap=5"], "scalars": ["--scalars"]}[row["score"]]
    return [sys.executable, str(CASE), *flags]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--row", type=int, help="only this one")
    options = parser.parse_args()
    seed = draw_seed() if options.seed is None else options.seed
    rows = covering_array.make_rows(dimensions(), is_allowed, random.Random(seed))
    print(f"seed {seed}: {len(rows)} rows")
    failures = 0
    for number, row in enumerate(rows):
        if options.row not in (None, number):
            continue
        run = command(row, seed, number)
        result = subprocess.run(run, capture_output=True, text=True)
        if result.returncode:
            failures += 1
            print(f"--seed={seed} --row={number}: {' '.join(run[2:])}\n{result.stdout}{result.stderr}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
