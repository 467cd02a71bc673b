#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes inputs for examples/roles into the current folder."""
import os
import secrets

import numpy as np

seed = int(os.environ.get("PBS_SEED", secrets.randbits(32)))
print(f"seed {seed}")
random = np.random.default_rng(seed)
for name, shape in (("a", (7, 200, 64)), ("b", (7, 128, 64)), ("one", (1, 200, 64)), ("keys", (1, 700, 64))):
    np.save(f"{name}.npy", random.standard_normal(shape, dtype=np.float32))
np.save("permutation.npy", random.permutation(700).astype(np.int32))
