# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs prefill compiled to gather, to write permuted copies, and to do either by the number of keys.

The three must give the same bits: they compute the same in the same order. The last one runs below and from its crossover
on, which is set to a small number here, and on the reference. Sizes and data are fresh; --seed repeats a failure.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path += [str(SOURCE / "scripts"), str(SOURCE / "test" / "Reference")]
from harness import draw_seed
from make_inputs import make_inputs

CROSSOVER = 600


def run(*command):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout


def set_crossover(text):
    """The module at the pbs stop, with another crossover."""
    constant = re.search(r"arith.cmpi sge, %\w+, (%\w+) : index", text)[1]
    text, count = re.subn(rf"{constant} = arith.constant \d+ : index", f"{constant} = arith.constant {CROSSOVER} : index", text)
    assert count == 1, text
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int)
    parser.add_argument("flags", nargs="*", help="of pbs-gen")
    options = parser.parse_args()
    seed = draw_seed() if options.seed is None else options.seed
    random = np.random.default_rng(seed)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        given = folder / "in.mlir"
        given.write_text(run("pbs-gen", "--q-heads=4", "--kv-heads=2", "--head-dim=64", "--expected-density=0.6", *options.flags))
        for strategy in ("gather", "write"):
            run("pbs-compile", given, "-o", folder / f"{strategy}.ptx", f"--strategy={strategy}")
        both = folder / "both.mlir"
        both.write_text(set_crossover(run("pbs-compile", given, "-o", "-", "--compile-to=pbs")))
        run("pbs-compile", both, "-o", folder / "both.ptx")
        for keys in (int(random.integers(1, CROSSOVER)), CROSSOVER, int(random.integers(CROSSOVER + 1, 1300))):
            queries = int(random.integers(1, keys + 1))
            files = []
            for name, array in zip("qkv", make_inputs(int(random.integers(2**32)), 1, 4, 2, queries, keys, 64, "bf16")):
                np.save(folder / f"{name}.npy", array)
                files.append(f"--arg={folder / name}.npy")
            results = {}

            def launch(name, *command):
                places = [folder / f"{name}.{result}.npy" for result in ("out", "lse")]
                text = run(*command, *files, *(f"--result={place}" for place in places))
                results[name] = [np.load(place) for place in places]
                return text

            for name in ("gather", "write", "both"):
                profile = launch(name, "pbs-launch", folder / f"{name}.plan.json", "--device=emulator", "--profile")
                writes = "\npermute:" in profile
                assert writes == (name == "write" or name == "both" and keys >= CROSSOVER), (name, keys, profile)
                assert len(re.findall(r"^attention\d*:", profile, re.MULTILINE)) == 1, profile
            for name in ("write", "both"):
                for found, expected in zip(results[name], results["gather"]):
                    np.testing.assert_array_equal(found, expected, f"{name}, {queries} queries, {keys} keys")
            launch("reference", "pbs-run", both)
            # Selections may differ in near-ties, so that this compares few blocks' worth of rows at most.
            error = np.abs(results["both"][1] - results["reference"][1]) > 1e-3
            assert error.mean() < 0.2, (queries, keys, error.mean())


if __name__ == "__main__":
    main()
