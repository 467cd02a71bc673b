# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes q, k, v, permutation, counts and indices for a small attention to a folder: 2 query heads, 1 key head, 40
queries, 300 keys of 64, segments of 256, all attendable blocks listed."""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Reference"))
import twin
from harness import half, make_random, random_permutation

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
random = make_random()
geometry = twin.Geometry(40, 300)
permutation = random_permutation(random, 1, 2, 300, 256)
listed = np.broadcast_to(twin.attendable(geometry, permutation), (1, 2, 1, 3))
counts, indices = twin.lists(listed, geometry, permutation)
for name, array in {"q": half(random, (1, 2, 40, 64)), "k": half(random, (1, 1, 300, 64)),
                    "v": half(random, (1, 1, 300, 64)), "permutation": permutation, "counts": counts,
                    "indices": indices}.items():
    np.save(folder / f"{name}.npy", array)
