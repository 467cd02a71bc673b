#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attention_inputs.py [FOLDER]: inputs of attention over given lists (two query heads, one key head, D = 64, segments of 256),
whose query blocks list nothing, one block, or several, in turn, so that what is filled once for each query block is used again
both at once and after a while."""
import os
import pathlib
import secrets
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "Reference"))
from harness import half, random_permutation

HEADS, LENGTH, DEPTH, BLOCK, SEGMENT = 2, 700, 64, 128, 256
LISTED = (1, 5, 0, 1, 1, 4, 0, 0, 2, 5, 3, 1)

seed = int(os.environ.get("PBS_SEED", secrets.randbits(32)))
print(f"seed {seed}")
random = np.random.default_rng(seed)
folder = pathlib.Path(*sys.argv[1:])
arrays = {name: half(random, (1, heads, LENGTH, DEPTH)) for name, heads in (("q", HEADS), ("k", 1), ("v", 1))}
arrays["permutation"] = random_permutation(random, 1, HEADS, LENGTH, SEGMENT)
blocks = -(-LENGTH // BLOCK)
counts = np.zeros((1, HEADS, blocks, 2), np.int32)
indices = np.full((1, HEADS, blocks, blocks), 65535, np.uint16)
for head, row in np.ndindex(HEADS, blocks):
    # Masked ones are right for every block: about half of the lists are such, so that both loops have one and several visits.
    count = LISTED[head * blocks + row]
    whole = count if row % 2 and SEGMENT // BLOCK * (row // 2) >= count else 0
    listed = np.sort(random.permutation(SEGMENT // BLOCK * (row // 2) if whole else blocks)[:count])
    counts[0, head, row] = whole, count - whole
    indices[0, head, row, :count] = listed
arrays.update(counts=counts, indices=indices)
for name, array in arrays.items():
    np.save(folder / f"{name}.npy", array)
