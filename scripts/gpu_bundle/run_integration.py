#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the tests of test/Integration that launch kernels, with the tools that are in PATH.

Each RUN line is a command; PBS_SEED is their seed. Prints a line for each test and, with --json, writes what each did.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FOLDER = SOURCE / "test" / "Integration"
# These launch nothing, or are about the tools' own messages.
LEFT_OUT = {"bad-inputs", "covering-array", "judges"}


def commands(path, seed):
    for line in re.findall(r"^# RUN: (.*)$", path.read_text(), re.MULTILINE):
        for name, value in {"%python": sys.executable, "%S": str(FOLDER), "%pbs_source": str(SOURCE),
                            "%run_seed": str(seed)}.items():
            line = line.replace(name, value)
        yield shlex.split(line)


def run(path, seed):
    start = time.monotonic()
    output = ""
    code = 0
    for command in commands(path, seed):
        done = subprocess.run(command, env={**os.environ, "PBS_SEED": str(seed)}, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        output += done.stdout
        code = code or done.returncode
    return {"test": path.stem, "passed": code == 0, "seconds": round(time.monotonic() - start, 2),
            "output": "" if code == 0 else output[-4000:]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="a regular expression for names of tests")
    parser.add_argument("--json")
    options = parser.parse_args()
    paths = [path for path in sorted(FOLDER.glob("*.test")) if path.stem not in LEFT_OUT and re.search(options.only, path.stem)]
    results = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda path: run(path, options.seed), paths):
            results.append(result)
            print(f"{'PASS' if result['passed'] else 'FAIL'}: {result['test']} ({result['seconds']} s)\n{result['output']}",
                  end="", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    failed = sum(not result["passed"] for result in results)
    print(f"{len(results)} integration tests, {failed} failed")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
