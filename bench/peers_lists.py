# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random block lists with an exact share, and the FlexAttention block mask that says the same.

Lists are those of docs/plan-format.md: counts (1, Hq, Qb, 2), whole and masked blocks, and indices (1, Hq, Qb, Qb), the whole
blocks ascending, then the masked ones ascending, then 65535. Query and key lengths are equal and complete blocks.
"""
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Layout:
    """Blocks of a causal attention; `segment_blocks` is how many blocks a segment has."""

    heads: int
    blocks: int
    segment_blocks: int
    permuted: bool

    def own(self):
        """First block and end of what each query block's own segment forces, two (Qb) arrays of blocks.

        Without a permutation no key after the query block's own can be attended, so the list ends there; with one, every
        block of the own segment may hold earlier keys.
        """
        rows = np.arange(self.blocks)
        first = rows // self.segment_blocks * self.segment_blocks
        return first, np.minimum(first + self.segment_blocks, self.blocks) if self.permuted else rows + 1

    def causal_blocks(self):
        """Blocks up to the diagonal, it included, of all heads."""
        return self.heads * self.blocks * (self.blocks + 1) // 2

    def free_counts(self, share):
        """How many blocks before its own segment each query block lists, int64 (Hq, Qb).

        Together with the forced blocks they come to `share` of the causal blocks over all heads, rounded to one block; a
        query block's part is as large as the number of blocks it may choose from. A share of 1 lists all there are. Above 1
        it is no share but a number: so many blocks of each row, with the forced ones, where there are as many.
        """
        first, end = self.own()
        if share > 1:
            return np.tile(np.clip(share - (end - first), 0, first), (self.heads, 1))
        candidates = np.cumsum(np.tile(first, self.heads))
        free = int(candidates[-1])
        forced = self.heads * int((end - first).sum())
        wanted = free if share == 1 else round(share * self.causal_blocks()) - forced
        if not 0 <= wanted <= free:
            raise ValueError(f"a share of {share} is out of reach: {forced} blocks of {self.causal_blocks()} are forced")
        # Rounded sums instead of rounded parts: no error adds up, and none exceeds its candidates.
        sums = candidates * wanted // max(free, 1)
        return np.diff(sums, prepend=0).reshape(self.heads, self.blocks)


@dataclasses.dataclass
class Lists:
    """Lists on a device; `listed` counts blocks over all heads, `share` is that by the causal blocks."""

    counts: object
    indices: object
    listed: int
    share: float

    def bytes(self):
        return sum(x.numel() * x.element_size() for x in (self.counts, self.indices))


def random_lists(layout, share, device, generator=None):
    """Uniform lists without replacement, independent for each head and query block, the own segment always among them."""
    import torch

    blocks = layout.blocks
    free = torch.from_numpy(layout.free_counts(share)).to(device)
    first, end = (torch.from_numpy(x).to(device)[:, None] for x in layout.own())
    column = torch.arange(blocks, device=device)[None, :]
    diagonal = torch.arange(blocks, device=device)[:, None]
    own = (column >= first) & (column < end)
    masked = own if layout.permuted else own & (column == diagonal)
    counts = torch.empty(1, layout.heads, blocks, 2, dtype=torch.int32, device=device)
    indices = torch.empty(1, layout.heads, blocks, blocks, dtype=torch.int16, device=device)
    # Head by head: the sorts of all heads at once take gigabytes at 1024 blocks.
    for head in range(layout.heads):
        noise = torch.rand(blocks, blocks, device=device, generator=generator).masked_fill(column >= first, 2)
        chosen = torch.zeros(blocks, blocks, dtype=torch.bool, device=device)
        chosen.scatter_(1, noise.argsort(dim=1), column < free[head][:, None])
        whole = chosen | (own & ~masked)
        key = torch.where(whole, column, torch.where(masked, column + blocks, 2 * blocks)).sort(dim=1).values
        # As i16, -1 is 65535.
        indices[0, head] = torch.where(key < 2 * blocks, key % blocks, -1)
        counts[0, head, :, 0] = whole.sum(1)
        counts[0, head, :, 1] = masked.sum(1)
    listed = int(counts.sum(dtype=torch.int64))
    return Lists(counts, indices.view(torch.uint16), listed, listed / layout.causal_blocks())


def every_block(heads, length, query_block, key_block, device):
    """Lists of all causal blocks, of any sizes; keys in their own order."""
    import torch

    rows, columns = -(-length // query_block), -(-length // key_block)
    first = torch.arange(rows, device=device) * query_block
    whole = (first + 1) // key_block
    listed = (torch.clamp(first + query_block, max=length) - 1) // key_block + 1
    counts = torch.stack([whole, listed - whole], 1).int().expand(1, heads, rows, 2).contiguous()
    column = torch.arange(columns, device=device)
    indices = torch.where(column < listed[:, None], column, -1).to(torch.int16).expand(1, heads, rows, columns).contiguous()
    return Lists(counts, indices.view(torch.uint16), int(counts.sum(dtype=torch.int64)), 1.0)


def cut(lists, length, query_block, key_block):
    """The same blocks in blocks of another size: key blocks that divide them, or, where all are listed, any."""
    blocks = lists.indices.shape[2]
    size = length // blocks
    if query_block == size and size % key_block == 0:
        return divide(lists, size // key_block)
    if lists.share == 1:
        return every_block(lists.indices.shape[1], length, query_block, key_block, lists.indices.device)
    raise ValueError(f"blocks of {query_block} x {key_block} cannot say what blocks of {size} do")


def divide(lists, parts):
    """The same lists with each block in `parts` blocks, all of them whole or masked as it is."""
    import torch

    if parts == 1:
        return lists
    wide = wide_indices(lists)
    places = torch.arange(parts, device=wide.device)
    indices = torch.where(wide[..., None] == 0xFFFF, 0xFFFF, wide[..., None] * parts + places).flatten(-2)
    # As i16, -1 is 65535.
    narrow = torch.where(indices == 0xFFFF, -1, indices).to(torch.int16).view(torch.uint16)
    return Lists(lists.counts * parts, narrow, lists.listed * parts, lists.share)


def wide_indices(lists):
    """The indices as int32, 65535 where nothing is listed."""
    import torch

    return lists.indices.view(torch.int16).int() & 0xFFFF


def listed_blocks(lists):
    """bool (1, Hq, Qb, Kb): what is listed."""
    import torch

    blocks = lists.indices.shape[-1]
    dense = torch.zeros(*lists.indices.shape[:-1], blocks + 1, dtype=torch.bool, device=lists.indices.device)
    return dense.scatter_(-1, wide_indices(lists).clamp(max=blocks).long(), True)[..., :blocks]


def causal_mask(batch, head, query, key):
    """The mask of partial blocks. A function of the module, so that equal masks compile once."""
    return query >= key


def partial_and_full(lists):
    """Lists without a permutation as peers take them, i32: (masked count, masked blocks, whole count, whole blocks)."""
    import torch

    indices = wide_indices(lists)
    blocks = indices.shape[-1]
    column = torch.arange(blocks, device=indices.device, dtype=torch.int64)
    whole, masked = (lists.counts[..., i].contiguous() for i in (0, 1))
    # What lies past a count is not read as a block, but is an index that an eager load may take: keep it in range.
    full = torch.where(column < whole[..., None], indices, 0)
    places = (column + whole[..., None]).clamp(max=blocks - 1)
    partial = torch.where(column < masked[..., None], indices.gather(-1, places), 0)
    return masked, partial, whole, full


def block_mask(lists, block):
    """The BlockMask of lists without a permutation: whole blocks are full ones, masked blocks partial ones."""
    from torch.nn.attention.flex_attention import BlockMask

    return BlockMask.from_kv_blocks(*partial_and_full(lists), BLOCK_SIZE=block, mask_mod=causal_mask)
