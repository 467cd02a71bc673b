# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the bytes that --pbs-print-traffic predicts for each kernel with those that the emulator counts.

Sizes and data are fresh; a failure prints the seed, and --seed repeats it. Density and masked blocks are those of the run.
Every count must be what was predicted, but for what docs/Rationale/Fusion.md names.
"""
import argparse
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile

import numpy as np

SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path += [str(SOURCE / "scripts")]
from make_inputs import make_inputs

COLUMNS = ("loaded", "stored", "copied")


def run(*command):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strategy", default="gather")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--q-heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--most-keys", type=int, default=1500)
    parser.add_argument("--seed", type=int)
    parser.add_argument("flags", nargs="*", help="of pbs-gen")
    options = parser.parse_args()
    options.seed = secrets.randbits(32) if options.seed is None else options.seed
    return options


def flag(flags, name, default):
    return next((int(f.split("=")[1]) for f in flags if f.startswith(f"--{name}=")), default)


def return_selection(module):
    """The module, its function returning the selection as well."""
    name, selection = re.search(r"(%selection\b).*-> (!pbs\.selection<\w+>)", module).groups()
    module = re.sub(r'(pbs.name = "lse"}(?:, [^)]*)?)\) {', rf"\1, {selection}) {{", module)
    module = re.sub(r"return (.*) : (.*)", rf"return \1, {name} : \2, {selection}", module)
    return module


def count_reach(queries, keys, query_block, key_block, segment, causal):
    """All blocks of the segments up to a query block's own, over the query blocks."""
    key_blocks = -(-keys // key_block)
    total = 0
    for first in range(0, queries, query_block):
        last = min(first + query_block, queries) - 1 + keys - queries
        total += min(key_blocks, (last // segment + 1) * (segment // key_block)) if causal else key_blocks
    return total


def counted(profile):
    """Kernel and bytes of each launch that --profile prints."""
    names = dict(zip(("global bytes loaded", "global bytes stored", "asynchronously copied bytes"), COLUMNS))
    result = []
    for line in profile.splitlines():
        if match := re.match(r"(\w+): grid", line):
            result.append((match[1], {}))
        elif match := re.match(r"  (\D*?) +([\d,]+)$", line):
            if match[1] in names:
                result[-1][1][names[match[1]]] = int(match[2].replace(",", ""))
    return result


def predicted(table):
    """The same of the rows that --pbs-print-traffic prints."""
    rows = re.findall(r"^  ([a-z]\w*)((?: +\d+){4}) +\S+$", table, re.MULTILINE)
    return [(name, dict(zip(COLUMNS, map(int, numbers.split())))) for name, numbers in rows]


def main():
    options = parse_options()
    random = np.random.default_rng(options.seed)
    flags = options.flags
    keys = int(random.integers(1, options.most_keys))
    queries = int(random.integers(1, keys + 1))
    query_block, key_block = flag(flags, "query-block", flag(flags, "block", 128)), flag(flags, "block", 128)
    segment, head_dim = flag(flags, "segment", 256), flag(flags, "head-dim", 128)
    if "--permutation=none" in flags and "--all" in flags:
        segment = key_block  # nothing knows of segments
    print(f"seed {options.seed}: {queries} queries, {keys} keys")

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        module = return_selection(
            run("pbs-gen", f"--q-heads={options.q_heads}", f"--kv-heads={options.kv_heads}", *flags).stdout)
        (folder / "in.mlir").write_text(module)
        run("pbs-compile", folder / "in.mlir", "-o", folder / "out.ptx", f"--dump-phases={folder}",
            f"--strategy={options.strategy}")
        inputs = make_inputs(int(random.integers(2**32)), options.batch, options.q_heads, options.kv_heads, queries, keys,
                             head_dim, "f16" if "--dtype=f16" in flags else "bf16")
        launch = ["pbs-launch", folder / "out.plan.json", "--device=emulator", "--profile"]
        for name, array in zip("qkv", inputs):
            np.save(folder / f"{name}.npy", array)
            launch.append(f"--arg={folder / name}.npy")
        names = ["out", "lse", *["cut"] * any(f.startswith("--capacity") for f in flags), "counts", "indices"]
        launch += [f"--result={folder / name}.npy" for name in names]
        actual = counted(run(*launch).stdout)
        counts = np.load(folder / "counts.npy")
        cut = int(np.load(folder / "cut.npy").sum()) if "cut" in names else 0
        listed, masked = int(counts.sum()), int(counts[..., 1].sum())
        reach = options.batch * options.q_heads * count_reach(queries, keys, query_block, key_block, segment,
                                                              "--no-causal" not in flags)
        table = run("pbs-opt", folder / "0-pbs.mlir", "-o", "/dev/null",
                    f"--pbs-print-traffic=batch={options.batch} query-length={queries} key-length={keys} "
                    f"density={listed / reach!r} masked={masked / listed!r}").stderr
        expected = predicted(table)

    # Where attention is not causal, data decides which lists hold a short last block.
    short = keys % key_block if "--no-causal" in flags else 0
    slack = 2 * 2 * head_dim * (key_block - short) * counts[..., 0].size if short else 0
    failures = [] if [name for name, _ in actual] == [name for name, _ in expected] else ["the kernels differ"]
    for (name, found), (_, bytes_) in zip(actual, expected):
        if name == "select":  # an atomic addition for each query block that was cut
            bytes_["loaded"] += 4 * cut
            bytes_["stored"] += 4 * cut
        for column in COLUMNS:
            more = found[column] - bytes_[column]
            if abs(more) > (slack if (name, column) == ("attention", "copied") else 0):
                failures.append(f"{name}: {found[column]} bytes {column}, {bytes_[column]} predicted, {more} more")
    if failures:
        print(table, f"{listed} of {reach} blocks listed, {masked} masked", *failures, sep="\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
