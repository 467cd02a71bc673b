# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Densities: the area of the computed blocks as a share of that of the causal blocks of 128 by 128, whatever a method's are."""


def causal_area(length):
    """Pairs of a query and a key in the causal blocks of 128 by 128, for one head; `length` is a multiple of 128."""
    blocks = length // 128
    return blocks * (blocks + 1) // 2 * 128 * 128


def reachable_blocks(length, query_block, block, segment):
    """What statistics() of pbs.transformers counts densities in, for one head: for each query block all key blocks of the
    segments up to the one that its last row is in. `length` queries and keys."""
    key_blocks = -(-length // block)
    return sum(min((min(end, length) - 1) // segment * segment + segment, key_blocks * block) // block
               for end in range(query_block, length + query_block, query_block))


def density(share, length, options):
    """A share of statistics() -> area of the computed blocks, as a share of causal_area(). Above 1 where segments reach past
    the diagonal."""
    query_block, block = options["query_block"], options["block"]
    blocks = reachable_blocks(length, query_block, block, options["segment"])
    return share * blocks * query_block * block / causal_area(length)
