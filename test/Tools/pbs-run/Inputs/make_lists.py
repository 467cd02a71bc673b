# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""make_lists.py B HQ QB KB C: counts.npy and indices.npy, in each query block up to C of KB blocks at random."""
import secrets
import sys

import numpy as np

batch, heads, query_blocks, key_blocks, capacity = map(int, sys.argv[1:])
seed = secrets.randbits(32)
print(f"make_lists.py: seed {seed}", file=sys.stderr)
random = np.random.default_rng(seed)
shape = (batch, heads, query_blocks)
# The last block, which may be short, is never whole.
order = np.argsort(random.random((query_blocks, key_blocks - 1)), axis=-1)
counts = np.zeros((*shape, 2), np.int32)
indices = np.full((*shape, capacity), 65535, np.uint16)
for at in np.ndindex(shape):
    whole = random.integers(0, capacity + 1)
    masked = random.integers(0, capacity - whole + 1)
    blocks = np.roll(order[at[2]], at[1])
    counts[at] = whole, masked
    indices[at][:whole] = np.sort(blocks[:whole])
    indices[at][whole : whole + masked] = np.sort(blocks[whole : whole + masked])
counts[0, 0, 0] = 0, 1
indices[0, 0, 0] = 65535
indices[0, 0, 0, 0] = key_blocks - 1
np.save("counts.npy", counts)
np.save("indices.npy", indices)
