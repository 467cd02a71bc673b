# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention "pbs" for Hugging Face's transformers, registered by importing this module.

    import pbs.transformers
    model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="pbs", dtype="bfloat16")

Prefill goes to PBS: several queries, plain causal or with a sliding window, bf16 or f16, no padding, no gradients. Anything
else is computed by transformers' own attention; logger "pbs.transformers" says why, once for each reason, and
statistics() counts.
"""
import collections
import inspect
import logging
import os
import sys
import threading

import torch
import transformers
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

import pbs
from pbs import torch as operators
from pbs._compiler import RULES, resolve
from pbs._frameworks import Torch

if not {"q_length", "q_offset", "kv_length"} <= set(inspect.signature(sdpa_mask).parameters):
    raise ImportError("pbs.transformers needs a transformers whose mask functions take q_length and q_offset, such as 5.24, "
                      f"not {transformers.__version__}")

log = logging.getLogger(__name__)

_DEFAULTS = {"method": "pbs-attn", **dict.fromkeys(RULES), "all": False, "segment": None, "block": None, "query_block": None,
             "permutation": None, "pooling": "mean", "score": None, "score_stride": 16, "capacity": None,
             "expected_density": None, "strategy": "auto", "device": None, "fallback": "sdpa", "min_queries": 32,
             "density": False}
_DTYPES = {torch.bfloat16: "bf16", torch.float16: "f16"}
# Arguments of attention functions that change nothing here, or are looked at by name below.
_KNOWN = {"position_ids", "position_embeddings", "cache_position", "use_cache", "return_dict", "output_hidden_states",
          "output_attentions", "output_router_logits", "logits_to_keep", "num_items_in_batch", "sliding_window", "softcap",
          "is_causal", "dropout", "scaling"}

_lock = threading.Lock()
_options = dict(_DEFAULTS)
_prefills = 0
_fallbacks = collections.Counter()
# By layer: blocks that were computed, a tensor on the layer's device, and all that might have been.
_listed = {}
_reachable = collections.Counter()


def configure(**options):
    """Sets options for all models from now on; those that are not named take their defaults.

    method="pbs-attn", top_p=None, top_k=None, threshold=None, threshold_by_length=None, max_threshold=None, all=False,
    segment=None, block=None, query_block=None, permutation=None, pooling="mean", score=None, score_stride=16, capacity=None,
    expected_density=None, strategy="auto": as in pbs.compile(). device: "emulator" runs models on the CPU through the
    emulator; by default (PBS_DEVICE, else None) they fall back. fallback: "sdpa" or "eager", what computes everything else.
    min_queries=32: calls with fewer are no prefill but, for instance, the verification of guessed tokens, which must be
    exact. density=False: whether statistics() tells the share of blocks that each layer computed, which costs a small sum
    on the GPU for each call. TypeError for an unknown option.
    """
    unknown = set(options) - set(_DEFAULTS)
    if unknown:
        raise TypeError(f"configure() has no option {', '.join(sorted(unknown))}, but {', '.join(_DEFAULTS)}")
    if options.get("fallback", "sdpa") not in ("sdpa", "eager"):
        raise ValueError(f'fallback must be "sdpa" or "eager", not {options["fallback"]!r}')
    global _options
    with _lock:
        _options = {**_DEFAULTS, **options}


def statistics(reset=False):
    """{"pbs": calls that PBS computed, "fallback": {reason: calls}} of attention functions since the last reset.

    With configure(density=True) also "density": {layer: the share of blocks that its calls to PBS computed, of all blocks of
    the segments up to a query block's own}, in the unit of expected_density; asking waits for the GPU.

    Under torch.compile calls are counted when they are compiled, not when they run, and have no density.
    """
    global _prefills
    with _lock:
        result = {"pbs": _prefills, "fallback": dict(_fallbacks)}
        if _options["density"]:
            result["density"] = {layer: listed.item() / _reachable[layer] for layer, listed in _listed.items()}
        if reset:
            _prefills = 0
            _fallbacks.clear()
            _listed.clear()
            _reachable.clear()
    return result


def _count_reachable(queries, keys, query_block, block, segment):
    """Pairs of a query block and a key block of the segments up to its last own one (causal)."""
    result, key_blocks = 0, -(-keys // block)
    for end in range(query_block, queries + query_block, query_block):
        last = min(end, queries) - 1 + keys - queries
        result += min((last // segment + 1) * segment // block, key_blocks)
    return result


def _measure(layer, counts, query, keys):
    """Adds the blocks that a call listed, counts (B, Hq, Qb, 2), to those of its layer. Does not wait for the GPU."""
    plan = resolve(_options["method"], {name: _options[name] for name in ("block", "query_block", "segment")})
    reachable = _count_reachable(query.shape[2], keys, plan.query_block or plan.block, plan.block, plan.segment)
    listed = counts.sum(dtype=torch.int64)
    with _lock:
        known = _listed.get(layer)
        _listed[layer] = listed if known is None else known.to(listed.device) + listed
        _reachable[layer] += query.shape[0] * query.shape[1] * reachable


@torch.compiler.assume_constant_result
def _count(reason):
    """Counts a call; inside torch.compile, one for each compiled graph."""
    global _prefills
    with _lock:
        if reason is None:
            _prefills += 1
            return True
        _fallbacks[reason] += 1
        first = _fallbacks[reason] == 1 and reason not in _said
        _said.add(reason)
    if first:  # decoding is nothing to be warned of
        level = logging.INFO if reason in ("decode step", "few queries") else logging.WARNING
        log.log(level, "not PBS, but transformers' own attention: %s", reason)
    return True


_said = set()
_kernel_names = {}


@torch.compiler.assume_constant_result
def _kernel(q_heads, kv_heads, head_dim, dtype, scale, window, soft_cap, device):
    """The name in pbs::run of the kernel for a layer, compiled at the first call."""
    options = {name: value for name, value in _options.items() if name not in ("device", "fallback", "min_queries", "density")}
    options["return_selection"] = _options["density"]
    key = q_heads, kv_heads, head_dim, dtype, scale, window, soft_cap, device, *options.values()
    if key not in _kernel_names:
        kernel = pbs.compile(q_heads=q_heads, kv_heads=kv_heads, head_dim=head_dim, dtype=dtype, scale=scale, window=window,
                             soft_cap=soft_cap, device=device, **options)
        _kernel_names[key] = operators.register(kernel)
    return _kernel_names[key]


def _window(module, given):
    """Keys that a query attends up to its own, or None: the call's, or what the layer is said to be."""
    if "sliding_window" in given:
        return given["sliding_window"]
    config = getattr(module, "config", None)
    types, layer = getattr(config, "layer_types", None), getattr(module, "layer_idx", None)
    if types and layer is not None and types[layer] != "sliding_attention":
        return None
    return getattr(config, "sliding_window", None)


def _is_causal(module, given):
    causal = given.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    return causal and getattr(getattr(module, "config", None), "is_causal", True) is not False


def _why_not(module, query, key, value, attention_mask, dropout, given):
    """Why PBS does not compute a call, or None."""
    if query.shape[2] == 1:
        return "decode step"
    if query.shape[2] < _options["min_queries"]:
        return "few queries"
    if attention_mask is not None:
        return "attention mask"
    if not _is_causal(module, given):
        return "not causal"
    if dropout:
        return "dropout"
    if given.get("output_attentions"):
        return "output_attentions"
    if any(map(Torch.is_differentiated, (query, key, value))):
        return "gradients"
    # Reentrant checkpointing runs a layer without gradients, and again with them: both must compute the same.
    if getattr(module, "training", False) and not torch.is_grad_enabled():
        return "training mode"
    unknown = sorted(name for name, one in given.items() if one is not None and name not in _KNOWN)
    if unknown:
        return f"argument {unknown[0]}"
    if query.dtype not in _DTYPES or key.dtype != query.dtype or value.dtype != query.dtype:
        return f"dtype {query.dtype}"
    if query.shape[3] not in (64, 128) or value.shape[3] != query.shape[3]:
        return f"head dimension {query.shape[3]}" + (f", {value.shape[3]} of values" * (value.shape[3] != query.shape[3]))
    if query.shape[2] > key.shape[2]:
        return "more queries than keys"
    if any(one.stride(3) != 1 or any(stride % 8 for stride in one.stride()[:3]) for one in (query, key, value)):
        return "strides"
    # Unknown while a graph is traced.
    if not torch.compiler.is_compiling() and any(one.storage_offset() % 8 for one in (query, key, value)):
        return "alignment"
    if query.device.type != "cuda" and _device(query) != "emulator":
        return f"tensors on {query.device.type}"
    return None


def _device(query):
    """The device's name for pbs.compile()."""
    if query.device.type == "cuda":
        return f"cuda:{query.device.index}"
    return _options["device"] or os.environ.get("PBS_DEVICE")


def attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **given):
    """An attention function of transformers: query (B, Hq, Nq, D), key and value (B, Hkv, Nkv, D) -> (B, Nq, Hq, D), None.

    Without a mask, queries are the last ones of the keys, as pbs_mask() below says.
    """
    window = _window(module, given)
    reason = _why_not(module, query, key, value, attention_mask, dropout, given)
    _count(reason)
    if reason is not None:
        return _fall_back(module, query, key, value, attention_mask, dropout, scaling, window, given)
    name = _kernel(query.shape[1], key.shape[1], query.shape[3], _DTYPES[query.dtype], scaling, window, given.get("softcap"),
                   _device(query))
    with torch.no_grad():
        outputs = torch.ops.pbs.run([query, key, value], name)
        if _options["density"] and not torch.compiler.is_compiling():
            # The last two are the selection's counts and indices.
            _measure(getattr(module, "layer_idx", None), outputs[-2], query, key.shape[2])
    # A view where q was one of (B, N, H, D): out is allocated in q's order.
    return outputs[0].transpose(1, 2), None


def _causal_mask(query, key, window):
    """Boolean (1, 1, Nq, Nkv) for queries that are the last ones of the keys."""
    keys = torch.arange(key.shape[2], device=query.device)
    queries = torch.arange(query.shape[2], device=query.device)[:, None] + key.shape[2] - query.shape[2]
    mask = keys <= queries
    if window is not None:
        mask = mask & (keys > queries - window)
    return mask[None, None]


def _fall_back(module, query, key, value, mask, dropout, scaling, window, given):
    """transformers' own attention, with the mask that pbs_mask() left away where that function needs it."""
    eager = getattr(sys.modules.get(type(module).__module__), "eager_attention_forward", None)
    # sdpa has neither attention weights, nor caps, nor sinks.
    needs_eager = given.get("output_attentions") or given.get("softcap") is not None or given.get("s_aux") is not None
    use_eager = eager is not None and (needs_eager or _options["fallback"] == "eager")
    queries, keys = query.shape[2], key.shape[2]
    if mask is None and queries > 1 and _is_causal(module, given):
        if use_eager or queries < keys or (window is not None and keys > window):
            mask = _causal_mask(query, key, window)
    if not use_eager:
        return AttentionInterface._global_mapping["sdpa"](module, query, key, value, mask, dropout=dropout, scaling=scaling,
                                                          **given)
    if mask is not None and mask.dtype == torch.bool:
        lowest = torch.finfo(query.dtype).min
        mask = torch.zeros((), dtype=query.dtype, device=query.device).masked_fill(~mask, lowest)
    return eager(module, query, key, value, mask, dropout=dropout, scaling=scaling, **given)


def pbs_mask(batch_size, q_length, kv_length, q_offset=0, kv_offset=0, attention_mask=None, local_size=None,
             allow_is_causal_skip=True, config=None, **given):
    """A mask function of transformers: None where attention() knows the mask, else sdpa's boolean (B, 1, Nq, Nkv).

    It does where nothing is padded and the queries are the last ones of the keys, plain causal or with the configuration's
    sliding window. A static cache has room behind the queries, and so a mask.
    """
    windowed = local_size is not None and kv_length >= local_size
    slides = getattr(config, "sliding_window", None) == local_size and getattr(config, "attention_chunk_size", None) is None
    # Layers that attend all keys in spite of the configuration's window, which attention() takes for theirs: see _window().
    window = None if getattr(config, "layer_types", None) else getattr(config, "sliding_window", None)
    ignores_window = local_size is None and window is not None and kv_length > window
    if (allow_is_causal_skip and q_length > 1 and (slides or not windowed) and not ignores_window and isinstance(q_offset, int)
            and q_offset + q_length == kv_offset + kv_length and not _is_padded(attention_mask, kv_length, kv_offset)):
        return None
    at_end = not isinstance(q_offset, int) or q_offset + q_length == kv_offset + kv_length
    can_skip = q_length == 1 or (at_end and not ignores_window)
    return sdpa_mask(batch_size, q_length, kv_length, q_offset, kv_offset, attention_mask=attention_mask,
                     local_size=local_size, allow_is_causal_skip=allow_is_causal_skip and can_skip, config=config, **given)


def _is_padded(mask, kv_length, kv_offset):
    """Whether a (B, keys) mask leaves keys out, or cannot be read while a graph is traced."""
    if mask is None:
        return False
    if torch.compiler.is_compiling():
        return True
    return mask.shape[-1] < kv_offset + kv_length or not bool(mask[:, kv_offset : kv_offset + kv_length].all())


AttentionInterface.register("pbs", attention)
AttentionMaskInterface.register("pbs", pbs_mask)
