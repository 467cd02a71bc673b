# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs rows of a covering array, some at a time, and reports every one that fails with what repeats it."""
import argparse
import concurrent.futures
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import traceback

import numpy as np

import algorithm
import covering_array
from harness import draw_seed


def run_module(text, chip, arguments, results, device="emulator", flags=()):
    """Results by name. A selection is two arrays, of argument or result names that follow each other."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = ["pbs-run", "-", f"--device={device}", f"--chip={chip}", *flags]
        if device == "emulator":
            command.append("--checks=all")
        for name, array in arguments.items():
            np.save(folder / f"argument_{name}.npy", array)
            command.append(f"--arg={folder}/argument_{name}.npy")
        files = {name: folder / f"{name}.npy" for name in results}
        command += [f"--result={file}" for file in files.values()]
        done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=600)
        if done.returncode or done.stderr:
            raise RuntimeError(f"pbs-run: exit code {done.returncode}: {done.stderr.strip()[:2000]}\n{text}")
        return {name: np.load(file) for name, file in files.items()}


def parse_options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=draw_seed(), help="drawn and printed if not given")
    parser.add_argument("--row", type=int, help="run this row only")
    parser.add_argument("--part", default="1/1", help="I/N runs every Nth row from the Ith on")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time")
    parser.add_argument("--seconds", type=float, help="start no row after so much time")
    parser.add_argument("--verbose", action="store_true", help="print every row")
    return parser.parse_args()


def main(dimensions, run_row, description):
    """Runs run_row(row, random generator, faults) for each row; it tells what the row is and adds to faults."""
    options = parse_options(description)
    print(f"seed {options.seed}", flush=True)
    rows = list(enumerate(covering_array.make_rows(dimensions, algorithm.allowed, random.Random(options.seed))))
    part, parts = map(int, options.part.split("/"))
    rows = rows[part - 1 :: parts] if options.row is None else rows[options.row : options.row + 1]
    start = time.monotonic()
    failures = []
    run = 0

    def attempt(number, row):
        nonlocal run
        if options.seconds and time.monotonic() - start > options.seconds:
            return
        faults = []
        what = row
        try:
            what = run_row(row, np.random.default_rng([options.seed, number]), faults)
        except Exception:
            faults.append(traceback.format_exc())
        run += 1
        if faults:
            failures.append(number)
            print(f"--seed={options.seed} --row={number}: {what}\n  " + "\n  ".join(faults[:8]), flush=True)
        elif options.verbose:
            print(f"row {number}: {what}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(attempt, *zip(*rows)))
    print(f"{run} rows, {len(failures)} failed")
    sys.exit(1 if failures else 0)
