# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ways to select blocks that are compared: options of pbs.transformers.configure(), with one knob that is swept."""
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Method:
    """`values` of the option `knob`, each with `options` beside it. A method that computes every block has no knob."""

    name: str
    title: str
    options: dict
    knob: str | None = None
    values: tuple = (None,)
    # What a preset of the project would be; the goals of README.md are for it.
    recommended: bool = False
    # Not compiled: dense attention in PyTorch under a mask of blocks, chosen by what attention really gives them.
    is_oracle: bool = False

    def settings(self, value):
        """Options of pbs.transformers.configure() for a value of the knob."""
        return {**self.options, **({self.knob: value} if self.knob else {})}

    def describe(self):
        return {"name": self.name, "title": self.title, "options": self.options, "knob": self.knob,
                "values": list(self.values), "recommended": self.recommended, "is_oracle": self.is_oracle}


def _rounded(values):
    return tuple(float(f"{value:.3g}") for value in values)


_TOP_P = (0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
# Where scores are shares of all mass, the own blocks' too, candidates sum to less than 1.
_TOP_P_OF_ALL = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Factors c of thresholds c / sqrt(number of key blocks); from what computes nearly all to what computes little.
_BY_LENGTH = _rounded(np.geomspace(0.4, 0.005, 10))
_TOP_K = (2, 4, 6, 8, 12, 16, 24, 32, 48)
_TAU = _rounded(np.geomspace(0.08, 0.001, 9))

# Without a permutation the shortest segments leave most blocks to the selection.
_OWN_ORDER = {"permutation": "none", "segment": 128, "block": 128, "query_block": 128}
_PERMUTED = {"segment": 256, "block": 128, "query_block": 128}
_ROWS = {"score": "rows", "score_stride": 16}
_NARROW = {"block": 64, "segment": 64}

# The first rows are measured first, should time run out.
METHODS = (
    Method("dense", "every block", {**_OWN_ORDER, "all": True}),
    Method("pbs-attn", "PBS-Attn: order per query head, mean pooling, top-p",
           {**_PERMUTED, "permutation": "per-query-head", "pooling": "mean"}, "top_p", _TOP_P),
    Method("mean", "mean pooling, top-p", {**_OWN_ORDER, "pooling": "mean"}, "top_p", _TOP_P),
    Method("rows", "sampled rows, threshold", {**_OWN_ORDER, **_ROWS}, "threshold_by_length", _BY_LENGTH),
    Method("rows-64", "sampled rows, threshold, key blocks of 64", {**_OWN_ORDER, **_ROWS, **_NARROW}, "threshold_by_length",
           _BY_LENGTH, recommended=True),
    Method("rows-kv", "sampled rows, threshold, order per key head", {**_PERMUTED, **_ROWS, "permutation": "per-kv-head"},
           "threshold_by_length", _BY_LENGTH),
    Method("rows-64-kv", "sampled rows, threshold, key blocks of 64, order per key head",
           {**_PERMUTED, **_ROWS, "block": 64, "permutation": "per-kv-head"}, "threshold_by_length", _BY_LENGTH),
    Method("rows-top-p", "sampled rows, top-p", {**_OWN_ORDER, **_ROWS}, "top_p", _TOP_P_OF_ALL),
    Method("rows-8", "sampled rows (every 8th), threshold", {**_OWN_ORDER, **_ROWS, "score_stride": 8}, "threshold_by_length",
           _BY_LENGTH),
    Method("rows-64-every-8th", "sampled rows (every 8th), threshold, key blocks of 64",
           {**_OWN_ORDER, **_ROWS, **_NARROW, "score_stride": 8}, "threshold_by_length", _BY_LENGTH),
    Method("rows-64-every-32nd", "sampled rows (every 32nd), threshold, key blocks of 64",
           {**_OWN_ORDER, **_ROWS, **_NARROW, "score_stride": 32}, "threshold_by_length", _BY_LENGTH),
    Method("rows-64-every-64th", "sampled rows (every 64th), threshold, key blocks of 64",
           {**_OWN_ORDER, **_ROWS, **_NARROW, "score_stride": 64}, "threshold_by_length", _BY_LENGTH),
    Method("pbs-attn-kv", "PBS-Attn, order per key head",
           {**_PERMUTED, "permutation": "per-kv-head", "pooling": "mean"}, "top_p", _TOP_P),
    Method("mean-threshold", "mean pooling, threshold", {**_OWN_ORDER, "pooling": "mean"}, "threshold_by_length", _BY_LENGTH),
    Method("mean-top-k", "mean pooling, top-k", {**_OWN_ORDER, "pooling": "mean"}, "top_k", _TOP_K),
    Method("oracle", "oracle: blocks by their true mass", {**_OWN_ORDER}, "threshold", _TAU, is_oracle=True),
)


def choose(names):
    """Methods by name, in the order of the table; all for None. ValueError for a name that there is not."""
    unknown = set(names or ()) - {method.name for method in METHODS}
    if unknown:
        raise ValueError(f"no method {', '.join(sorted(unknown))}, but {', '.join(method.name for method in METHODS)}")
    return [method for method in METHODS if names is None or method.name in names]


def thin(values, count):
    """At most `count` of the values, evenly spread; the middle one for 1. All for None."""
    if count is None or count >= len(values):
        return tuple(values)
    places = np.linspace(0, len(values) - 1, count) if count > 1 else [len(values) // 2]
    return tuple(values[round(place)] for place in places)


def why_not(method, configure):
    """Why a method cannot run with this `configure` of pbs.transformers, or None. It changes what is configured."""
    if method.is_oracle:
        return None
    try:
        configure(**method.settings(method.values[0]))
    except TypeError as error:
        return str(error).partition(", but")[0]  # without all that there is
    return None


def score_cost(method, length):
    """Products that choosing blocks takes, as a share of those of full causal attention over `length` tokens.

    Attention has 2 D multiplications for each pair of a query and an earlier key, length^2 / 2 of them. Importance for a
    permutation is the last query block against all keys; sampled rows are every stride-th query against all earlier keys,
    and pooled scores one row of each query block against one of each key block. None for the oracle, which knows all.
    """
    if method.is_oracle:
        return None
    options = method.options
    if options.get("all"):
        return 0.0
    pairs = length * length / 2
    scored = pairs / options["score_stride"] if options.get("score") == "rows" else (
        pairs / (options["query_block"] * options["block"]))
    important = options["query_block"] * length if options["permutation"] != "none" else 0
    return (scored + important) / (2 * pairs)
