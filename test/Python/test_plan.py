# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reader of plans: expressions, and shapes against the library's."""
import unittest

import common
from common import DEVICE, HEADS, pbs

evaluate = pbs._plan.evaluate


class Expressions(common.Case):
    def test_operators(self):
        for expression, expected in (
                (7, 7), ("N", 10), (["add", "N", 3], 13), (["sub", 3, "N"], -7), (["mul", "N", "N"], 100),
                (["floordiv", -7, 2], -4), (["ceildiv", 7, 2], 4), (["ceildiv", -7, 2], -3), (["mod", -7, 3], 2),
                (["mod", 7, -3], -2), (["min", "N", 3], 3), (["max", "N", 3], 10), (["eq", "N", 10], 1), (["ne", "N", 10], 0),
                (["lt", 1, 2], 1), (["le", 2, 2], 1), (["gt", 1, 2], 0), (["ge", 1, 2], 0), (["and", 2, 4], 1),
                (["and", 2, 0], 0), (["or", 0, 5], 1), (["or", 0, 0], 0), (["select", 2, "N", 1], 10),
                (["select", ["lt", "N", 5], "N", ["add", "N", 1]], 11)):
            with self.subTest(expression=expression):
                self.assertEqual(evaluate(expression, {"N": 10}), expected)

    def test_operands_that_are_not_needed(self):
        wrong = ["floordiv", 1, 0]
        for expression, expected in ((["select", 1, 5, wrong], 5), (["select", 0, wrong, 6], 6), (["and", 0, wrong], 0),
                                     (["or", 1, wrong], 1)):
            self.assertEqual(evaluate(expression, {}), expected)
        with self.assertRaises(ZeroDivisionError):
            evaluate(wrong, {})


class Shapes(common.Case):
    def test_against_the_library(self):
        kernel = pbs.compile(**HEADS, capacity=6, device=DEVICE)
        for _ in range(20):
            keys = int(self.random.integers(1, 3000))
            queries, batch = int(self.random.integers(1, keys + 1)), int(self.random.integers(1, 4))
            shapes = [(batch, heads, length, 64) for heads, length in ((4, queries), (2, keys), (2, keys))]
            expected = [(batch, 4, queries, 64), (batch, 4, queries), (batch, 4)]
            arrays = [pbs._arrays.Array(None, None, 0, "bf16", shape, pbs._dlpack.row_major(shape), None) for shape in shapes]
            given = pbs._arrays.tensors(arrays)
            executable = kernel._executable(kernel.device)
            self.assertEqual([executable.output_shape(given, number, len(shape)) for number, shape in enumerate(expected)],
                             expected)
            self.assertEqual(kernel._plan.output_shapes(shapes), expected)

    def test_arguments(self):
        kernel = pbs.compile(**HEADS, stages="attention", device=DEVICE)
        described = [(one.name, one.dtype, one.rank) for one in (*kernel.inputs, *kernel.outputs)]
        self.assertEqual(described, [("q", "bf16", 4), ("k", "bf16", 4), ("v", "bf16", 4), ("permutation", "i32", 3),
                                     ("counts", "i32", 4), ("indices", "u16", 4), ("out", "bf16", 4), ("lse", "f32", 3)])


if __name__ == "__main__":
    common.main()
