# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Permuted block-sparse attention (PBS-Attn, arXiv 2510.21270): compile it, load compiled plans, run them on arrays.

    kernel = pbs.compile(q_heads=32, kv_heads=8, top_p=0.9)
    out, lse = kernel(q, k, v)

pbs.torch makes operators for torch.compile of kernels; importing pbs.transformers registers attention "pbs" with Hugging
Face's transformers. docs/python.md is the guide.
"""
import importlib
import threading

from . import _compiler, _library
from ._kernel import Graph, Kernel
from ._library import Error

__version__ = "0.1.0"
__all__ = ["Error", "Graph", "Kernel", "compile", "load"]

_lock = threading.Lock()
_kernels = {}


def compile(module=None, *, method="pbs-attn", q_heads=32, kv_heads=8, head_dim=128, dtype="bf16", block=None, query_block=None,
            segment=None, top_p=None, top_k=None, threshold=None, threshold_by_length=None, max_threshold=None, all=False,
            permutation=None, pooling="mean", score=None, score_stride=16, causal=True, window=None, scale=None, soft_cap=None,
            alibi=False, capacity=None, stages="all", return_selection=False, expected_density=None, strategy="auto",
            schedule=None, device=None, chip=None, entry=None):
    """The Kernel of a configuration, compiled unless this process or the cache on disk has it.

    The prefill of one attention layer: inputs q (B, q_heads, Nq, head_dim), k and v (B, kv_heads, Nkv, head_dim), outputs
    out like q and lse (B, q_heads, Nq), f32. Batch and lengths are open, the queries are the last of the sequence.

    method: what block, query_block, segment, permutation, score and the rule are where they are None. "pbs-attn" is permuted
    block-sparse attention as published, "rows" scores by sampled queries, with a threshold, keys in their order.

    dtype: "bf16" or "f16". block: 64 or 128 keys (128). query_block: 64, 128 or 192 queries (as block). segment: keys that are
    reordered among each other, a multiple of the block up to 1024 (256). One of top_p (0.9 if none is given), top_k,
    threshold, threshold_by_length, max_threshold and all says which key blocks a query block takes. permutation: "none",
    "per-query-head" or "per-kv-head". score: "pooled", or "rows" for what one of each score_stride
    queries attends. pooling: "mean" or "max", how the rows of a block become the one that is scored. window: keys up to its
    own that a query attends. scale: factor on the dot products (1/sqrt(head_dim)). soft_cap, alibi: what is done to scaled
    scores. capacity: most key blocks of a query block; a third output `cut` counts query blocks that lost some. stages: "all",
    or "attention" with inputs q, k, v, permutation, counts, indices. return_selection: two last outputs say which blocks
    attention lists, selection_counts and selection_indices.

    module: instead of all of the above, the path of an MLIR file or its text, and `entry` one of its functions.

    expected_density, strategy ("gather", "write" or "auto"): how attention reads permuted keys. schedule: how attention is
    cut and which optional passes are off, "key-tile=64,walk-list=off" or {"key-tile": 64, "walk-list": "off"}; the rest, or
    all of it, is the compiler's choice (`pbs-compile --help` lists the keys). device: "cuda", "cuda:N" or
    "emulator"; None runs each call on the GPU its arrays are on, and arrays in host memory on PBS_DEVICE, else on the first
    GPU, else on the emulator. chip: "sm_80" and so on, by default the module's, or else the device's.

    ValueError or TypeError for options that do not go together, pbs.Error with the compiler's line for what it refuses.
    """
    options = _compiler.resolve(method, {
        "q_heads": q_heads, "kv_heads": kv_heads, "head_dim": head_dim, "dtype": dtype, "block": block,
        "query_block": query_block, "segment": segment, "top_p": top_p, "top_k": top_k, "threshold": threshold,
        "threshold_by_length": threshold_by_length, "max_threshold": max_threshold, "all": all, "permutation": permutation,
        "pooling": pooling, "score": score, "score_stride": score_stride, "causal": causal, "window": window, "scale": scale,
        "soft_cap": soft_cap, "alibi": alibi, "capacity": capacity, "stages": stages, "return_selection": return_selection})
    if module is not None and options != _compiler.Configuration():
        raise TypeError("a module says itself what it computes: only expected_density, strategy, schedule, device, chip and "
                        "entry go with it")
    text = None if module is None else _compiler.read_module(module)
    flags = [f"--strategy={strategy}"]
    if expected_density is not None:
        flags.append(f"--expected-density={float(expected_density)!r}")
    if schedule:
        parts = schedule if isinstance(schedule, str) else ",".join(f"{key}={value}" for key, value in schedule.items())
        flags.append(f"--schedule={parts}")
    if chip is None and not (text and _compiler.has_target(text)):
        chip = _library.device(device or _library.default_device()).chip
    plan = _compiler.compile_plan(options, text, flags, chip)
    key = plan, entry, device and _library.normalize(device)
    with _lock:
        if key not in _kernels:
            _kernels[key] = Kernel(*key)
        return _kernels[key]


def load(plan, entry=None, device=None):
    """The Kernel of a compiled plan, whose PTX lies beside it. Needs no compiler. device is as for compile()."""
    return Kernel(plan, entry, device)


def __getattr__(name):
    if name in ("torch", "transformers"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
