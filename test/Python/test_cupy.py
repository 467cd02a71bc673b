# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels on CuPy arrays, and the example that needs no package."""
import importlib.util
import tempfile
import unittest

import common
from common import DEVICE, HEADS, ON_GPU, np, pbs

REASON = common.missing("cupy") or (None if ON_GPU else "needs a GPU and PBS_TEST_DEVICE=cuda")
if REASON is None:
    import cupy


def load_example():
    file = common.SOURCE / "examples" / "python" / "cupy_rawmodule.py"
    spec = importlib.util.spec_from_file_location("cupy_rawmodule", file)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


@unittest.skipIf(REASON, REASON)
class Arrays(common.Case):
    def setUp(self):
        super().setUp()
        self.kernel = pbs.compile(**HEADS, dtype="f16", all=True, device=DEVICE)
        self.arrays = self.inputs(300, dtype="f16", batch=2)
        self.given = [cupy.asarray(x, cupy.float16) for x in common.views(self.arrays)]

    def test_results(self):
        out, lse = self.kernel(*self.given)
        self.assertEqual((out.dtype, out.strides), (cupy.float16, self.given[0].strides))
        self.assert_attention(out.get(), lse.get(), self.arrays, "f16")

    def test_out_and_stream(self):
        out, lse = cupy.empty((2, 4, 300, 64), cupy.float16), cupy.empty((2, 4, 300), cupy.float32)
        with cupy.cuda.Stream(non_blocking=True) as stream:
            fresh = [x.copy(order="K") for x in self.given]
            self.assertIs(self.kernel(*fresh, out=(out, lse))[0], out)
            stream.synchronize()
        self.assert_attention(out.get(), lse.get(), self.arrays, "f16")

    def test_graph(self):
        graph = self.kernel.capture(*self.given)
        for one, fresh in zip(self.given, self.inputs(300, dtype="f16", batch=2)):
            one[...] = cupy.asarray(fresh, cupy.float16)
        for one, other in zip(graph.replay(), self.kernel(*self.given)):
            self.assertTrue(bool((one == other).all()))

    def test_errors(self):
        q, k, v = self.given
        with self.assertRaisesRegex(TypeError, "k must be f16, but is float32"):
            self.kernel(q, k.astype(cupy.float32), v)

    def test_example(self):
        """The launcher of examples/python runs the same plan."""
        results = load_example().Plan(self.kernel.plan).run(*self.given)
        for one, other in zip(results, self.kernel(*self.given), strict=True):
            self.assertTrue(bool((one == other).all()))

    def test_example_with_tensor_maps(self):
        """The same of a plan whose kernels copy through tensor maps."""
        with tempfile.TemporaryDirectory() as folder:
            kernel = self.copy_tiles(folder)
            x = cupy.asarray(self.random.standard_normal((2, 100, 3, 128)), cupy.float16).transpose(0, 2, 1, 3)
            for one, other in zip(load_example().Plan(kernel.plan).run(x), kernel(x), strict=True):
                self.assertTrue(bool((one == other).all()))


if __name__ == "__main__":
    common.main()
