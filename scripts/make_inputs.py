#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes q.npy, k.npy and v.npy on which permuting keys pays off.

Each kv head has a unit vector u. Keys are 0.7 noise + 0.5 topic, and 40 % of
them, at random places, carry 12 u on top; queries are 0.7 noise + 0.5 topic +
2.5 u; a topic is constant over 64 tokens. Every query thus attends the strong
keys wherever they stand, which is what makes plain block selection dense. With
few or weak strong keys the permutation does not help. Values are float32,
rounded to the given type.
"""
import argparse
import pathlib
import secrets

import numpy as np

TOPIC_TOKENS = 64


def round_to(values, dtype):
    """The nearest bf16 or f16 values (ties to even), as float32."""
    values = values.astype(np.float32)
    if dtype == "f16":
        return values.astype(np.float16).astype(np.float32)
    bits = values.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


def make_inputs(seed, batch, q_heads, kv_heads, query_length, key_length, head_dim, dtype):
    """q (B, Hq, Nq, D) and k, v (B, Hkv, Nkv, D)."""
    random = np.random.default_rng(seed)
    key_shape = (batch, kv_heads, key_length, head_dim)
    direction = random.standard_normal((batch, kv_heads, 1, head_dim))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    topics = random.standard_normal((batch, kv_heads, -(-key_length // TOPIC_TOKENS), head_dim))
    topic = np.repeat(topics, TOPIC_TOKENS, axis=2)[:, :, :key_length]
    strong = random.random((batch, kv_heads, key_length, 1)) < 0.4
    strong[:, :, 0] = True
    k = 0.7 * random.standard_normal(key_shape) + 0.5 * topic + 12 * strong * direction
    q = 0.7 * random.standard_normal((batch, q_heads, query_length, head_dim))
    group = q_heads // kv_heads
    q += np.repeat(0.5 * topic[:, :, key_length - query_length :] + 2.5 * direction, group, axis=1)
    v = random.standard_normal(key_shape)
    return tuple(round_to(x, dtype) for x in (q, k, v))


def check_extents(parser, batch, q_heads, kv_heads, query_length, key_length, head_dim):
    """Ends with an error of `parser` if make_inputs() has no inputs of these extents."""
    if min(batch, q_heads, kv_heads, query_length, head_dim) < 1:
        parser.error("every extent must be at least 1")
    if q_heads % kv_heads:
        parser.error(f"--q-heads={q_heads} is no multiple of --kv-heads={kv_heads}")
    if query_length > key_length:
        parser.error(f"--query-length={query_length} exceeds --key-length={key_length}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for q.npy, k.npy and v.npy")
    parser.add_argument("--seed", type=int, help="drawn and printed if not given")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--q-heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=1)
    parser.add_argument("--query-length", type=int, help="the key length if not given")
    parser.add_argument("--key-length", type=int, default=2048)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--dtype", choices=["bf16", "f16"], default="bf16")
    options = parser.parse_args()
    query_length = options.key_length if options.query_length is None else options.query_length
    check_extents(parser, options.batch, options.q_heads, options.kv_heads, query_length, options.key_length,
                  options.head_dim)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}")
    arrays = make_inputs(seed, options.batch, options.q_heads, options.kv_heads, query_length,
                         options.key_length, options.head_dim, options.dtype)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, array in zip(("q", "k", "v"), arrays):
        np.save(options.out / f"{name}.npy", array)


if __name__ == "__main__":
    main()
