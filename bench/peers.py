#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times compiled attention on an NVIDIA GPU beside its peers, and prints a Markdown table; --json and --plot keep the result.

Ours: attention over lists of every block and of given shares, without and with a permutation, and the whole prefill. Peers:
torch's attention with its flash and its cuDNN backend, FlexAttention over the same lists, FlashAttention-3 (fa3-fwd),
FlashAttention-4 over the same lists (flash-attn-4) and the authors' package where they are installed, and a matrix product as
ceiling. Needs PyTorch 2.9 or newer, CuPy, and for FlexAttention Triton; the plot needs matplotlib. A table or plot from an earlier --json needs no GPU.

    bench/compile_peers_plans.sh plans
    python3 bench/peers.py --plans=plans --json=peers.json --plot=peers.png
    python3 bench/peers.py --from-json=peers.json --plot=peers.png
"""
import argparse
import json
import pathlib
import random
import sys

import peers_report


def lengths(value):
    """Lengths such as 8192 or 8K, separated by commas."""
    return [int(x[:-1]) * 1024 if x[-1:] in "kK" else int(x) for x in value.split(",")]


def shares(value):
    """Shares of the causal blocks, above 0 and below 1, separated by commas; empty for none."""
    result = [float(x) for x in value.split(",") if x]
    if not all(0 < x < 1 for x in result):
        raise argparse.ArgumentTypeError("a share lies above 0 and below 1")
    return result


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plans", help="folder that compile_peers_plans.sh wrote")
    parser.add_argument("--from-json", help="measure nothing, read an earlier --json")
    parser.add_argument("--json", help="file for all figures; complete after each row")
    parser.add_argument("--plot", help="PNG to draw")
    parser.add_argument("--lengths", type=lengths, default=lengths("8K,16K,32K,64K,128K"), help="(8K,16K,32K,64K,128K)")
    parser.add_argument("--shares", type=shares, default=shares("0.1,0.3,0.5"),
                        help="shares of the causal blocks beside all of them (0.1,0.3,0.5)")
    parser.add_argument("--per-row", type=lambda value: [int(x) for x in value.split(",") if x], default=[],
                        help="also lists with so many blocks in each row, such as 256 (none)")
    parser.add_argument("--no-dense", action="store_true", help="lists only, not every block")
    parser.add_argument("--chip", help="whose plans to take (sm_90a where the device has compute capability 9.0, else sm_80)")
    parser.add_argument("--rows", default="", metavar="REGEX", help="only kernels whose name this finds")
    parser.add_argument("--skip", default="", metavar="REGEX", help="no kernels whose name this finds")
    parser.add_argument("--repeats", type=int, default=25, help="timed calls of a row, at most (%(default)s)")
    parser.add_argument("--min-repeats", type=int, default=5, help="and at least (%(default)s)")
    parser.add_argument("--row-seconds", type=float, default=1.5, help="seconds that a row's timed calls take about (%(default)s)")
    parser.add_argument("--warm-seconds", type=float, default=0.45,
                        help="load before a row is timed again at the power limit; 0: it is not (%(default)s)")
    parser.add_argument("--warmup", type=int, default=2, help="calls before, one for each input set at least (%(default)s)")
    parser.add_argument("--budget", type=float, help="start no row after so many seconds (no limit)")
    parser.add_argument("--flex-dynamic", action="store_true", help="compile FlexAttention for all lengths at once")
    parser.add_argument("--flex-mode", help="mode of torch.compile for FlexAttention (its default)")
    parser.add_argument("--top-p", type=float, default=0.9, help="p of the authors' package, as of the prefill plan (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.getrandbits(31), help="(drawn, in the report)")
    options = parser.parse_args(arguments)
    if bool(options.plans) == bool(options.from_json):
        parser.error("either --plans or --from-json")
    if min(options.repeats, options.min_repeats, options.warmup) < 1:
        parser.error("counts are at least 1")
    return options


def measure(options):
    import torch

    import peers_measure

    if not torch.cuda.is_available():
        sys.exit("no CUDA device: only --from-json works without one")
    options.chip = options.chip or ("sm_90a" if torch.cuda.get_device_capability(0) == (9, 0) else "sm_80")
    attention, prefill = peers_measure.load_plans(options.plans, options.chip)
    if not attention and not prefill:
        sys.exit(f"{options.plans}: no plans for {options.chip}; bench/compile_peers_plans.sh writes them")
    bench = peers_measure.Bench(options)
    bench.run(attention, prefill)
    return bench.report


def main():
    options = parse()
    report = json.loads(pathlib.Path(options.from_json).read_text()) if options.from_json else measure(options)
    print(peers_report.table(report))
    if options.plot:
        peers_report.plot(report, options.plot)


if __name__ == "__main__":
    main()
