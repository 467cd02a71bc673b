# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention "pbs-fidelity" of transformers: in chosen layers that of pbs.transformers, and beside it full attention.

The kernels take f16 and bf16. So that only what they do is measured, the rest of the model may run in float32: this
function rounds q, k and v to the kernels' type and the result back. Full attention over the very same q, k and v, in the
model's type, is what a layer's error is relative to, and what layers that are not chosen compute.
"""
import torch
import torch.nn.functional as functional
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

import pbs.transformers

from .density import causal_area, density

NAME = "pbs-fidelity"


def full(query, key, value, scale):
    """Causal attention: query (B, Hq, N, D), key and value (B, Hkv, N, D) -> (B, Hq, N, D)."""
    group = query.shape[1] // key.shape[1]
    return functional.scaled_dot_product_attention(query, key.repeat_interleave(group, 1), value.repeat_interleave(group, 1),
                                                   is_causal=True, scale=scale)


def best_blocks(mass, threshold):
    """Block mass (Qb, Kb), the share of a query block's attention -> which blocks a threshold takes, and those that every
    method takes: the first and the own ones."""
    rows = torch.arange(mass.shape[0], device=mass.device)
    taken = mass >= threshold
    taken[:, 0] = True
    taken[rows, rows] = True
    return taken & (rows[None] <= rows[:, None])


def oracle(query, key, value, scale, threshold, block=128):
    """Attention over the blocks whose true mass reaches a threshold: (out, as full()'s; density). One head after the other,
    dense: length^2 floats at once."""
    batch, heads, length, _ = query.shape
    group, blocks = heads // key.shape[1], length // block
    later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu_(1)
    out, listed = torch.empty_like(query), 0
    for one in range(batch):
        for head in range(heads):
            scores = query[one, head] @ key[one, head // group].T * scale
            shares = torch.softmax(scores.masked_fill_(later, float("-inf")), -1)
            taken = best_blocks(shares.view(blocks, block, blocks, block).mean(1).sum(-1), threshold)
            shares.view(blocks, block, blocks, block).mul_(taken[:, None, :, None])
            out[one, head] = shares @ value[one, head // group] / shares.sum(-1, keepdim=True)
            listed += taken.sum()
    return out, float(listed) * block * block / causal_area(length) / (batch * heads)


class Pass:
    """What one forward pass computes, and what is known after it: `errors` and `densities` by layer.

    method: a Method, or None for full attention everywhere; settings: its options; layers: numbers of those it computes;
    dtype: of the kernels; device: "emulator" for models on the CPU.
    """

    def __init__(self, method=None, settings=None, layers=(), dtype=torch.float16, device=None):
        self.method, self.settings, self.layers, self.dtype = method, settings or {}, frozenset(layers), dtype
        self.errors, self.densities = {}, {}
        self._compiled = method is not None and not method.is_oracle
        if self._compiled:
            pbs.transformers.configure(**self.settings, density=True, device=device)
            pbs.transformers.statistics(reset=True)

    def __enter__(self):
        global _current
        _current = self
        return self

    def __exit__(self, kind, error, trace):
        global _current
        _current = None

    def attention(self, module, query, key, value, mask, scaling, given):
        layer = module.layer_idx
        exact = full(query, key, value, scaling)
        if self.method is None or layer not in self.layers:
            return exact
        if self.method.is_oracle:
            found, self.densities[layer] = oracle(query, key, value, scaling, self.settings["threshold"])
        else:
            rounded = (one.to(self.dtype) for one in (query, key, value))
            found, _ = pbs.transformers.attention(module, *rounded, mask, scaling=scaling, **given)
            found = found.transpose(1, 2).to(query.dtype)
        self.errors[layer] = (found - exact).norm() / exact.norm()
        return found

    def finish(self, length):
        """After the pass: errors and densities as numbers. RuntimeError if a layer was not computed as asked."""
        self.errors = {layer: float(error) for layer, error in self.errors.items()}
        if not self._compiled:
            return
        statistics = pbs.transformers.statistics(reset=True)
        if statistics["fallback"] or statistics["pbs"] != len(self.layers):
            raise RuntimeError(f"of {len(self.layers)} layers {statistics['pbs']} ran PBS, others fell back: "
                               f"{statistics['fallback']}")
        self.densities = {layer: density(share, length, self.settings) for layer, share in statistics["density"].items()}


_current = None


def attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **given):
    """An attention function of transformers, as pbs.transformers.attention() is; only inside `with Pass(...)`."""
    out = _current.attention(module, query, key, value, attention_mask, scaling, given)
    return out.transpose(1, 2), None


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, pbs.transformers.pbs_mask)
