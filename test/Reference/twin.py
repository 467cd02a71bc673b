# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Permuted block-sparse attention (PBS-Attn, arXiv 2510.21270) in NumPy.

An implementation of the algorithm's text that shares nothing with the
interpreter in lib/Reference, so that each checks the other. Everything is
float64. Shapes: q (B, Hq, Nq, D); k, v (B, Hkv, Nkv, D); query i stands at
position i + Nkv - Nq. Qb and Kb count query and key blocks.
"""
import numpy as np

UNUSED = 65535  # fills index lists beyond their last entry


def ceil_div(a, b):
    return -(-a // b)


def softmax(logits):
    """Along the last axis; NaN wherever IEEE arithmetic says so."""
    with np.errstate(invalid="ignore"):
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)


def dot(a, b):
    """a b^T over the last two axes."""
    with np.errstate(invalid="ignore", over="ignore"):
        return a @ np.swapaxes(b, -1, -2)


# Permutation


def importance(q, k, query_block, segment, scale, heads):
    """(B, heads, Nkv): mean softmax weight that the last queries give each key."""
    batch, q_heads, _, _ = q.shape
    kv_heads, key_length = k.shape[1:3]
    complete = key_length // segment * segment
    result = np.zeros((batch, q_heads, key_length))
    if complete:
        last = q[:, :, -query_block:]
        keys = np.repeat(k[:, :, :complete], q_heads // kv_heads, axis=1)
        result[:, :, :complete] = softmax(scale * dot(last, keys)).mean(axis=2)
    return result.reshape(batch, heads, q_heads // heads, key_length).mean(axis=2)


def segment_sort(weights, segment):
    """(B, Hp, Nkv) original indices: each segment's keys by falling weight."""
    batch, heads, length = weights.shape
    result = np.broadcast_to(np.arange(length), weights.shape).copy()
    if length > segment:
        complete = length // segment * segment
        parts = weights[:, :, :complete].reshape(batch, heads, -1, segment)
        order = np.lexsort((-parts, np.isnan(parts)), axis=-1)
        starts = np.arange(0, complete, segment)[:, None]
        result[:, :, :complete] = (order + starts).reshape(batch, heads, complete)
    return result


def permute(source, permutation):
    """(B, Hp, Nkv, D): row j of head h is row permutation[h, j] of its source head."""
    repeated = np.repeat(source, permutation.shape[1] // source.shape[1], axis=1)
    return np.take_along_axis(repeated, permutation[..., None], axis=2)


# Selection


def pool(source, kind, block):
    """(B, H, blocks, D): one row for each block of rows."""
    rows = source.shape[2]
    starts = np.arange(0, rows, block)
    if kind == "max":
        return np.maximum.reduceat(source, starts, axis=2)
    with np.errstate(invalid="ignore"):
        return np.add.reduceat(source, starts, axis=2) / block


class Geometry:
    """Who stands where: lengths, block extents, segments, causality."""

    def __init__(self, query_length, key_length, query_block=128, key_block=128, segment=256, causal=True, window=None):
        self.query_length, self.key_length = query_length, key_length
        self.query_block, self.key_block = query_block, key_block
        self.segment, self.causal, self.window = segment, causal, window
        self.query_blocks = ceil_div(query_length, query_block)
        self.key_blocks = ceil_div(key_length, key_block)
        firsts = np.arange(self.query_blocks) * query_block
        lasts = np.minimum(firsts + query_block, query_length) - 1
        offset = key_length - query_length
        self.first_position, self.last_position = firsts + offset, lasts + offset
        self.first_segment = self.first_position // segment
        self.last_segment = self.last_position // segment
        self.block_segment = np.arange(self.key_blocks) * key_block // segment

    def own(self):
        """(Qb, Kb): the block lies in a segment of the query block's rows."""
        return (self.block_segment >= self.first_segment[:, None]) & (self.block_segment <= self.last_segment[:, None])

    def candidates(self):
        """(Qb, Kb): the block takes part in the choice."""
        return self.block_segment < self.first_segment[:, None] if self.causal else ~self.own()

    def reachable(self):
        """(Qb, Kb): the block lies in a segment up to the query block's last own one."""
        if not self.causal:
            return np.ones((self.query_blocks, self.key_blocks), bool)
        return self.block_segment <= self.last_segment[:, None]

    def attends(self, rows, positions):
        """(..., rows, Nkv): the row may attend the key at each place, whose positions are (..., Nkv)."""
        own, keys = (rows + self.key_length - self.query_length)[:, None], positions[..., None, :]
        result = np.ones(np.broadcast_shapes(own.shape, keys.shape), bool)
        if self.causal:
            result &= keys <= own
        if self.window is not None:
            result &= keys > own - self.window
        return result

    def positions(self, permutation, q_heads):
        """(B or 1, Hq, Nkv): the original position of the key at each place."""
        if permutation is None:
            return np.broadcast_to(np.arange(self.key_length), (1, q_heads, self.key_length))
        return np.repeat(permutation, q_heads // permutation.shape[1], axis=1)


def block_scores(pooled_q, pooled_k, geometry, scale):
    """(B, Hq, Qb, Kb): softmax over the candidates, 0 elsewhere."""
    candidates = geometry.candidates()
    keys = np.repeat(pooled_k, pooled_q.shape[1] // pooled_k.shape[1], axis=1)
    logits = np.where(candidates, scale * dot(pooled_q, keys), -np.inf)
    scores = np.where(candidates, softmax(logits), 0)
    return np.where(np.isnan(scores).any(axis=-1, keepdims=True), 0, scores)


def row_scores(q, k, geometry, permutation, stride, scale):
    """(B, Hq, Qb, Kb): what each candidate has of the attention of sampled rows, 0 elsewhere.

    Of each `stride` queries the one in the middle is sampled, or the last there is; it attends all keys up to its own if
    attention is causal, and all keys if it is not.
    """
    q_heads = q.shape[1]
    starts = np.arange(0, geometry.query_length, stride)
    rows = np.minimum(starts + stride // 2, geometry.query_length - 1)
    positions = geometry.positions(permutation, q_heads)
    keys = np.repeat(k, q_heads // k.shape[1], axis=1) if permutation is None else np.repeat(
        permute(k, permutation), q_heads // permutation.shape[1], axis=1)
    own = (rows + geometry.key_length - geometry.query_length)[:, None]
    seen = positions[:, :, None, :] <= own if geometry.causal else True
    with np.errstate(invalid="ignore"):
        weights = softmax(np.where(seen, scale * dot(q[:, :, rows], keys), -np.inf))
    by_key_block = np.add.reduceat(weights, np.arange(0, geometry.key_length, geometry.key_block), axis=-1)
    firsts = np.arange(0, len(rows), geometry.query_block // stride)
    sums = np.add.reduceat(by_key_block, firsts, axis=-2)
    scores = sums / np.diff(firsts, append=len(rows))[:, None]
    broken = np.isnan(scores).any(axis=-1, keepdims=True)
    return np.where(geometry.candidates() & ~broken, scores, 0)


def falling_order(scores, candidates):
    """Blocks by falling score, ties by lower index; those that are no candidates come last."""
    return np.argsort(np.where(candidates, -scores, np.inf), axis=-1, kind="stable")


def top_p(p):
    """The rule that takes the shortest prefix by falling score that sums to p.

    A rule maps scores and candidates to a boolean like scores: what is taken.
    """
    def take(scores, candidates):
        if p <= 0:
            return np.zeros(scores.shape, bool)
        if p >= 1:
            return take_all(scores, candidates)
        order = falling_order(scores, candidates)
        falling = np.take_along_axis(np.where(candidates, scores, 0), order, axis=-1)
        before = np.zeros_like(falling)
        before[..., 1:] = np.cumsum(falling, axis=-1)[..., :-1]
        taken = np.zeros(scores.shape, bool)
        np.put_along_axis(taken, order, before < p, axis=-1)
        return taken & candidates
    return take


def top_k(k):
    """The rule that takes the k best."""
    def take(scores, candidates):
        rank = np.argsort(falling_order(scores, candidates), axis=-1)
        return (rank < k) & candidates
    return take


def threshold(tau):
    """The rule that takes what scores at least tau."""
    def take(scores, candidates):
        return (scores >= tau) & candidates
    return take


def threshold_by_length(c):
    """The rule that takes what scores at least c over the root of the number of key blocks."""
    def take(scores, candidates):
        return threshold(c / scores.shape[-1] ** 0.5)(scores, candidates)
    return take


def max_threshold(alpha):
    """The rule that takes what scores at least alpha times as much as the best candidate."""
    def take(scores, candidates):
        best = np.where(candidates, scores, -np.inf).max(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore"):  # no candidates
            return (scores >= alpha * best) & candidates
    return take


def take_all(scores, candidates):
    """The rule that takes every candidate."""
    return np.broadcast_to(candidates, scores.shape).copy()


RULES = {"top-p": top_p, "top-k": top_k, "threshold": threshold, "threshold-by-length": threshold_by_length,
         "max-threshold": max_threshold}


def rule_named(name, number=None):
    """A rule by the name of its option of pbs-gen."""
    return RULES[name](number) if name in RULES else take_all


def select(scores, geometry, permutation, rule):
    """Boolean (B, Hq, Qb, Kb): chosen and forced blocks that some row may attend."""
    chosen = rule(without_nan(scores), geometry.candidates())
    positions = geometry.positions(permutation, scores.shape[1])
    return (chosen | forced(geometry, positions)) & attendable(geometry, positions)


def without_nan(scores):
    """A row that contains NaN counts as all 0."""
    return np.where(np.isnan(scores).any(axis=-1, keepdims=True), 0, scores)


def forced(geometry, positions):
    """(B or 1, Hq, Qb, Kb): the block holds token 0 or lies in an own segment."""
    token_zero_block = np.argmax(positions == 0, axis=-1) // geometry.key_block
    holds_token_zero = np.arange(geometry.key_blocks) == token_zero_block[..., None]
    return holds_token_zero[:, :, None, :] | geometry.own()


def limit(listed, kept, scores, capacity):
    """At most capacity blocks of listed for each query block, and how many query blocks (B, Hq) lost some.

    The kept ones stay, and beside them those with the highest scores.
    """
    scores = np.where(kept, np.inf, without_nan(scores))
    rank = np.argsort(falling_order(scores, listed), axis=-1)
    return listed & (rank < capacity), (listed.sum(axis=-1) > capacity).sum(axis=-1)


def block_extremes(geometry, positions):
    """Lowest and highest key position of each block, (B or 1, Hq, Kb) each."""
    starts = np.arange(0, geometry.key_length, geometry.key_block)
    return np.minimum.reduceat(positions, starts, axis=-1), np.maximum.reduceat(positions, starts, axis=-1)


def by_blocks(reduce, geometry, positions):
    """(B or 1, Hq, Qb, Kb): what the pairs of a row and a key that it may attend come to in each pair of blocks."""
    pairs = geometry.attends(np.arange(geometry.query_length), positions)
    pairs = reduce.reduceat(pairs, np.arange(0, geometry.query_length, geometry.query_block), axis=-2)
    return reduce.reduceat(pairs, np.arange(0, geometry.key_length, geometry.key_block), axis=-1)


def attendable(geometry, positions):
    """Some row of the query block may attend some key of the key block."""
    if geometry.window is not None:
        return by_blocks(np.logical_or, geometry, positions)
    if not geometry.causal:
        return True
    lowest, _ = block_extremes(geometry, positions)
    return lowest[:, :, None, :] <= geometry.last_position[:, None]


def lists(listed, geometry, permutation, capacity=None):
    """counts (B, Hq, Qb, 2) = [whole, masked] and indices (B, Hq, Qb, C)."""
    batch, q_heads, query_blocks, key_blocks = listed.shape
    positions = geometry.positions(permutation, q_heads)
    starts = np.arange(key_blocks) * geometry.key_block
    whole = starts + geometry.key_block <= geometry.key_length
    if geometry.window is not None:
        whole = whole & by_blocks(np.logical_and, geometry, positions)
    elif geometry.causal:
        _, highest = block_extremes(geometry, positions)
        whole = whole & (highest[:, :, None, :] <= geometry.first_position[:, None])
    whole = np.broadcast_to(whole, listed.shape) & listed
    counts = np.stack([whole.sum(axis=-1), (listed & ~whole).sum(axis=-1)], axis=-1).astype(np.int32)
    # Whole blocks, then masked ones, then the rest; ascending in each part.
    order = np.argsort(np.where(whole, 0, np.where(listed, 1, 2)), axis=-1, kind="stable")
    used = np.arange(key_blocks) < counts.sum(axis=-1, keepdims=True)
    indices = np.where(used, order, UNUSED).astype(np.uint16)
    return counts, indices[..., : capacity or key_blocks]


def listed_blocks(counts, indices, key_blocks):
    """The inverse of lists: boolean (B, Hq, Qb, Kb)."""
    result = np.zeros(counts.shape[:3] + (key_blocks,), bool)
    for where in np.ndindex(counts.shape[:3]):
        result[where][indices[where][: counts[where].sum()]] = True
    return result


def share_computed(listed, geometry):
    """Listed blocks over all blocks of the segments up to the last own one."""
    batch, heads = listed.shape[:2]
    return listed.sum() / (batch * heads * geometry.reachable().sum())


# Attention


def soft_cap(cap):
    """Scores that stay between -cap and cap.

    What modifies scores maps them, batch, head, and the positions of queries and keys to new ones.
    """
    return lambda scores, batch, head, queries, keys: cap * np.tanh(scores / cap)


def alibi(q_heads, causal=True):
    """Linear biases (arXiv 2108.12409): keys count less the farther they are."""
    def modify(scores, batch, head, queries, keys):
        distance = queries - keys
        return scores - 2.0 ** (-8 * (head + 1) / q_heads) * (distance if causal else np.abs(distance))
    return modify


def in_turn(*modifications):
    """One after the other; None for none."""
    def modify(scores, *place):
        for modification in modifications:
            scores = modification(scores, *place)
        return scores
    return modify if modifications else None


def attention(q, k, v, listed, geometry, permutation, scale, in_order=False, modify=None):
    """out (B, Hq, Nq, D) and lse (B, Hq, Nq) over the listed blocks.

    k and v are in original order unless in_order. Non-finite values of a listed
    block reach every row of the query block, attended or not, as they do in a
    kernel that multiplies their zero weights; a result they reach is NaN.
    """
    batch, q_heads, query_length, depth = q.shape
    if permutation is not None and not in_order:
        k, v = permute(k, permutation), permute(v, permutation)
    group = q_heads // k.shape[1]
    positions = np.broadcast_to(geometry.positions(permutation, q_heads), (batch, q_heads, geometry.key_length))
    block_of_place = np.arange(geometry.key_length) // geometry.key_block
    out = np.zeros(q.shape)
    lse = np.full(q.shape[:3], -np.inf)
    for b, h, block in np.ndindex(listed.shape[:3]):
        rows = slice(block * geometry.query_block, (block + 1) * geometry.query_block)
        places = listed[b, h, block][block_of_place]
        logits = scale * dot(q[b, h, rows], k[b, h // group][places])
        if modify is not None:
            queries = np.arange(query_length)[rows] + geometry.key_length - query_length
            logits = modify(logits, b, h, queries[:, None], positions[b, h][places][None, :])
        logits[~geometry.attends(np.arange(query_length)[rows], positions[b, h][places])] = -np.inf
        with np.errstate(invalid="ignore", divide="ignore"):
            top = logits.max(axis=-1, initial=-np.inf)
            weights = np.exp(logits - np.where(top == -np.inf, 0, top)[:, None])
            total = weights.sum(axis=-1)
            sums = weights @ v[b, h // group][places]
            lse[b, h, rows] = np.where(total == 0, -np.inf, top + np.log(total))
            out[b, h, rows] = sums / np.where(total == 0, 1, total)[:, None]
    return np.where(np.isfinite(out), out, np.nan), lse


def prefill(q, k, v, geometry, permutation="per-query-head", rule=top_p(0.9), scale=None, pooling="mean", capacity=None,
            modify=None, row_stride=None):
    """The whole algorithm; a dictionary of every stage's result. With a stride of rows they score blocks, not pooled ones."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    result = {}
    order, keys = None, k
    if permutation != "none":
        heads = q.shape[1] if permutation == "per-query-head" else k.shape[1]
        result["importance"] = importance(q, k, geometry.query_block, geometry.segment, scale, heads)
        order = segment_sort(result["importance"], geometry.segment)
        result["permutation"] = order
        keys = permute(k, order)
    if row_stride is None:
        pooled_q, pooled_k = pool(q, pooling, geometry.query_block), pool(keys, pooling, geometry.key_block)
        result["scores"] = block_scores(pooled_q, pooled_k, geometry, scale)
    else:
        result["scores"] = row_scores(q, k, geometry, order, row_stride, scale)
    listed = select(result["scores"], geometry, order, rule)
    if capacity is not None:
        kept = forced(geometry, geometry.positions(order, q.shape[1]))
        listed, result["cut"] = limit(listed, kept, result["scores"], capacity)
    result["listed"] = listed
    result["counts"], result["indices"] = lists(listed, geometry, order, capacity)
    result["out"], result["lse"] = attention(q, k, v, listed, geometry, order, scale, modify=modify)
    return result
