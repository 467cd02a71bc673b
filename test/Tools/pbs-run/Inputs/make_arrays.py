# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes well-formed and broken arguments of an attention to a folder.

Two query heads, one key head, 300 queries and keys of 64, segments of 256.
"""
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng()


def save(name, array):
    np.save(folder / f"{name}.npy", array)


def changed(array, *indices_and_values):
    copy = array.copy()
    for index, value in indices_and_values:
        copy[index] = value
    return copy


def floats(*shape):
    return random.standard_normal(shape).astype(np.float32)


save("q", floats(1, 2, 300, 64))
save("k", floats(1, 1, 300, 64))
save("v", floats(1, 1, 300, 64))
save("q-three-heads", floats(1, 3, 300, 64))
save("q-long", floats(1, 2, 301, 64))
save("v-short", floats(1, 1, 299, 64))
save("k-doubles", random.standard_normal((1, 1, 300, 64)))
whole_file = (folder / "q.npy").read_bytes()
(folder / "q-truncated.npy").write_bytes(whole_file[:-100])

order = np.tile(np.arange(300, dtype=np.int32), (1, 2, 1))
order[:, :, :256] = random.permuted(order[:, :, :256], axis=-1)
save("permutation", order)
save("permutation-crossing", changed(order, ((0, 1, 255), 256)))
save("permutation-repeating", changed(order, ((0, 0, 7), order[0, 0, 3])))
save("permutation-tail", changed(order, ((0, 0, 298), 299), ((0, 0, 299), 298)))

counts = np.tile(np.array([0, 3], np.int32), (1, 2, 3, 1))
indices = np.tile(np.array([0, 1, 2], np.uint16), (1, 2, 3, 1))
save("counts", counts)
save("indices", indices)
save("counts-negative", changed(counts, ((0, 0, 1), [-1, 3])))
save("counts-many", changed(counts, ((0, 0, 1), [1, 3])))
save("counts-whole", changed(counts, ((0, 0, 2), [1, 2])))
save("indices-unsorted", changed(indices, ((0, 1, 0), [0, 2, 1])))
save("indices-out-of-range", changed(indices, ((0, 1, 2), [0, 1, 3])))
