# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels on JAX arrays."""
import unittest

import common
from common import DEVICE, HEADS, np, pbs

REASON = common.missing("jax")
if REASON is None:
    import jax
    import jax.numpy as jnp


@unittest.skipIf(REASON, REASON)
class Arrays(common.Case):
    def test_results(self):
        for dtype, kind in (("bf16", "bfloat16"), ("f16", "float16")):
            with self.subTest(dtype=dtype):
                kernel = pbs.compile(**HEADS, dtype=dtype, all=True, device=DEVICE)
                arrays = self.inputs(300, dtype=dtype)
                given = [jnp.asarray(x, kind) for x in arrays]
                out, lse = kernel(*given)
                self.assertIsInstance(out, jax.Array)
                self.assertEqual((out.dtype, out.devices()), (given[0].dtype, given[0].devices()))
                self.assert_attention(np.asarray(out, np.float32), np.asarray(lse), arrays, dtype)

    def test_results_are_own_buffers(self):
        kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        results = [kernel(*(jnp.asarray(x, "bfloat16") for x in self.inputs(64))) for _ in range(2)]
        self.assertNotEqual(results[0][0].unsafe_buffer_pointer(), results[1][0].unsafe_buffer_pointer())
        self.assertFalse(bool((results[0][0] == results[1][0]).all()))

    def test_out(self):
        kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        q, k, v = (jnp.asarray(x, "bfloat16") for x in self.inputs(64))
        with self.assertRaisesRegex(TypeError, "out is a JAX array, which cannot be written"):
            kernel(q, k, v, out=(q, jnp.zeros((1, 4, 64))))
        with self.assertRaisesRegex(TypeError, "a graph writes its outputs again and again"):
            kernel.capture(q, k, v)


if __name__ == "__main__":
    common.main()
