# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels on NumPy arrays, judged by the NumPy twin."""
import re
import subprocess
import tempfile
import unittest

import common
from common import DEVICE, HEADS, np, pbs, twin


class Prefill(common.Case):
    def check(self, queries, keys, batch=1, dtype="bf16", **options):
        kernel = pbs.compile(**{**HEADS, **options}, dtype=dtype, all=True, device=DEVICE)
        inputs = self.inputs(queries, keys, batch, dtype, **{name: options[name] for name in HEADS if name in options})
        given = [x.astype(np.float16) for x in inputs] if dtype == "f16" else inputs
        results = kernel(*given)
        self.assertIsInstance(results, tuple)
        self.assertEqual(results[0].dtype, given[0].dtype)
        options = {name: value for name, value in options.items() if name in ("causal", "window", "scale", "segment")}
        self.assert_attention(*results, inputs, dtype, **options)

    def test_bf16(self):
        self.check(300, 300, batch=2)

    def test_f16(self):
        self.check(257, 257, dtype="f16")

    def test_chunk(self):
        self.check(130, 515)

    def test_head_dim_128_one_head(self):
        self.check(200, 200, q_heads=1, kv_heads=1, head_dim=128)

    def test_one_key(self):
        self.check(1, 1)

    def test_options(self):
        self.check(260, 300, causal=False, scale=0.2, segment=128, permutation="per-kv-head", strategy="write")
        self.check(300, 300, window=100, permutation="none")

    def test_shared_memory(self):
        """Batches or heads that are one in memory; out has a place for each."""
        for dtype, kind in (("bf16", np.float32), ("f16", np.float16)):
            kernel = pbs.compile(**HEADS, dtype=dtype, all=True, device=DEVICE)
            q, k, v = (x.astype(kind) for x in self.inputs(100, batch=2, dtype=dtype))
            for one in (q[:1], q[:, :1]):
                shared = np.broadcast_to(one, q.shape)
                for found, expected in zip(kernel(shared, k, v), kernel(shared.copy(), k, v), strict=True):
                    np.testing.assert_array_equal(found, expected)

    def test_soft_cap(self):
        kernel = pbs.compile(**HEADS, all=True, soft_cap=1.5, device=DEVICE)
        inputs = self.inputs(200)
        self.assert_attention(*kernel(*inputs), inputs, modify=twin.soft_cap(1.5))


class TensorMaps(common.Case):
    def test_strides(self):
        """Copies through tensor maps of arrays with gaps and in other orders, with zeros past the last row."""
        with tempfile.TemporaryDirectory() as folder:
            kernel = self.copy_tiles(folder)
            for batch, heads, length in ((2, 3, int(self.random.integers(65, 130))), (1, 1, int(self.random.integers(1, 64)))):
                shape = batch, heads, length, 128
                x = self.random.standard_normal(shape).astype(np.float16)
                tiles = np.zeros((batch, heads, -(-length // 64) * 64, 128), np.float16)
                tiles[:, :, :length] = x
                tiles = tiles.reshape(batch, heads, -1, 64, 128)
                wide = np.full((length, batch, heads, 136), np.nan, np.float16)
                gaps = wide.transpose(1, 2, 0, 3)[..., :128]
                gaps[:] = x
                shared = np.broadcast_to(x[:, :1], shape)
                for given, expected, first in ((x, x, tiles), *zip(common.views([x]), [x], [tiles]), (gaps, x, tiles),
                                               (shared, shared, np.broadcast_to(tiles[:, :1], tiles.shape))):
                    holes = np.full((heads, length, batch, 144), 7, np.float16)
                    copy = holes.transpose(2, 0, 1, 3)[..., :128]
                    out = np.empty_like(tiles), np.empty_like(tiles), copy
                    kernel(given, out=out)
                    for found, wanted in zip(out, (first, first, expected), strict=True):
                        np.testing.assert_array_equal(found, wanted)
                    self.assertTrue((holes[..., 128:] == 7).all())


class Sparse(common.Case):
    def test_given_lists(self):
        """Attention alone, over lists of the twin: seven inputs, of three types."""
        length, segment = 700, 256
        q, k, v = self.inputs(length)
        geometry = twin.Geometry(length, length, segment=segment)
        permutation = twin.segment_sort(self.random.random((1, 4, length)), segment)
        listed = np.broadcast_to(twin.attendable(geometry, geometry.positions(permutation, 4)),
                                 (1, 4, geometry.query_blocks, geometry.key_blocks)).copy()
        listed &= self.random.random(listed.shape) < 0.6
        counts, indices = twin.lists(listed, geometry, permutation)
        kernel = pbs.compile(**HEADS, stages="attention", device=DEVICE)
        self.assertEqual([one.dtype for one in kernel.inputs], ["bf16"] * 3 + ["i32", "i32", "u16"])
        out, lse = kernel(q, k, v, permutation.astype(np.int32), counts, indices)
        self.assert_attention(out, lse, (q, k, v), listed=listed, permutation=permutation)

    def test_own_lists(self):
        """A module as text that returns what it selected."""
        text = subprocess.run([pbs._compiler.find("pbs-gen"), "--q-heads=4", "--kv-heads=2", "--head-dim=64", "--top-p=0.5"],
                              check=True, text=True, capture_output=True).stdout
        types = {name: re.search(rf"%{name} = .* -> (!pbs.\w+<.*>)", text)[1] for name in ("permutation", "selection")}
        more = "".join(f", {kind}" for kind in types.values())
        text = re.sub(r"(func\.func .*)\) \{", lambda line: f"{line[1]}{more}) {{", text)
        text = re.sub(r"return (.*) : (.*)", lambda line: f"return {line[1]}, %permutation, %selection : {line[2]}{more}", text)
        kernel = pbs.compile(module=text, device=DEVICE)
        self.assertIs(kernel, pbs.compile(text, device=DEVICE))
        q, k, v = inputs = self.inputs(900)
        out, lse, permutation, counts, indices = kernel(q, k, v)
        self.assertEqual((permutation.dtype, counts.dtype, indices.dtype), (np.int32, np.int32, np.uint16))
        listed = twin.listed_blocks(counts, indices, 8)
        self.assertLess(twin.share_computed(listed, twin.Geometry(900, 900)), 1)
        self.assert_attention(out, lse, inputs, listed=listed, permutation=permutation)

    def test_returned_selection(self):
        kernel = pbs.compile(**HEADS, top_p=0.5, permutation="none", return_selection=True, device=DEVICE)
        self.assertEqual([one.name for one in kernel.outputs], ["out", "lse", "selection_counts", "selection_indices"])
        inputs = self.inputs(900)
        out, lse, counts, indices = kernel(*inputs)
        listed = twin.listed_blocks(counts, indices, 8)
        self.assertLess(twin.share_computed(listed, twin.Geometry(900, 900)), 1)
        self.assert_attention(out, lse, inputs, listed=listed)


class Memory(common.Case):
    def setUp(self):
        super().setUp()
        self.kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        self.given = self.inputs(300, batch=2)
        self.expected = self.kernel(*self.given)

    def assert_same(self, results):
        for one, other in zip(results, self.expected, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_views(self):
        given = common.views(self.given)
        out, lse = self.kernel(*given)
        self.assert_same((out, lse))
        self.assertTrue(out.transpose(0, 2, 1, 3).flags.c_contiguous, "out has q's order in memory")

    def test_fused_projection(self):
        """q, k and v as slices of one array (B, N, (Hq + 2 Hkv) D)."""
        rows = [x.transpose(0, 2, 1, 3).reshape(2, 300, -1) for x in self.given]
        fused = np.concatenate(rows, axis=2).reshape(2, 300, 8, 64)
        q, k, v = (fused[:, :, heads].transpose(0, 2, 1, 3) for heads in (slice(4), slice(4, 6), slice(6, 8)))
        self.assert_same(self.kernel(q, k, v))

    def test_shared_heads(self):
        """A stride of 0."""
        k = np.broadcast_to(self.given[1][:, :1], self.given[1].shape)
        expected = self.kernel(self.given[0], k.copy(), self.given[2])
        self.expected = expected
        self.assert_same(self.kernel(self.given[0], k, self.given[2]))

    def test_out(self):
        memory = np.full((2, 300, 6, 64), 7, np.float32)
        out, lse = memory[:, :, 1:5].transpose(0, 2, 1, 3), np.empty((2, 4, 300), np.float32)
        results = self.kernel(*self.given, out=(out, lse))
        self.assertIs(results[0], out)
        self.assertIs(results[1], lse)
        self.assert_same(results)
        self.assertTrue((memory[:, :, [0, 5]] == 7).all(), "nothing beside out is written")

    def test_bfloat16(self):
        reason = common.missing("ml_dtypes")
        if reason:
            self.skipTest(reason)
        import ml_dtypes
        given = [x.astype(ml_dtypes.bfloat16) for x in self.given]
        out, lse = self.kernel(*given)
        self.assertEqual(out.dtype, ml_dtypes.bfloat16)
        self.assert_same((out.astype(np.float32), lse))
        out = np.empty((2, 4, 300, 64), ml_dtypes.bfloat16).transpose(0, 1, 2, 3)
        self.kernel(*given, out=(out, lse))
        self.assert_same((out.astype(np.float32), lse))

    def test_inputs_are_rounded(self):
        """Ties go to even."""
        exact = self.given[0]
        bits = exact.view(np.uint32)
        odd = (bits >> 16) & 1
        near = (bits + np.where(odd, 0x7FFF, 0x8000).astype(np.uint32)).view(np.float32)
        self.assertFalse(np.array_equal(near, exact))
        self.assert_same(self.kernel(near, *self.given[1:]))

    def test_workspace(self):
        sizes = [self.kernel.workspace_bytes(*self.inputs(length)) for length in (300, 3000)]
        self.assertLess(0, sizes[0])
        self.assertLess(sizes[0], sizes[1])

    def test_dlpack(self):
        class Exporter:
            """An array of nobody's, in host memory; without versions as before DLPack 1."""

            def __init__(self, array, versions):
                self.array, self.versions = array, versions

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

            def __dlpack__(self, **arguments):
                if arguments and not self.versions:
                    raise TypeError("unexpected keyword argument")
                return self.array.__dlpack__(**arguments)

        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        given = common.views([x.astype(np.float16) for x in self.given])
        self.expected = kernel(*given)
        for versions in (False, True):
            with self.subTest(versions=versions):
                out, lse = np.empty((2, 4, 300, 64), np.float16), np.empty((2, 4, 300), np.float32)
                wrapped = [Exporter(x, versions) for x in (*given, out, lse)]
                self.assertIs(kernel(*wrapped[:3], out=wrapped[3:])[0], wrapped[3])
                self.assert_same((out, lse))
                with self.assertRaisesRegex(TypeError, "give the output out by out="):
                    kernel(*wrapped[:3])


class Rounding(common.Case):
    def test_values(self):
        """Against the rounding of the test data, which is written differently."""
        values = self.random.integers(0, 2**32, 100000, np.uint32).view(np.float32)
        ties = (self.random.integers(0, 2**16, 1000, np.uint32) << 16 | 0x8000).astype(np.uint32).view(np.float32)
        values = np.concatenate([values, ties, np.float32([0, -0.0, np.inf, -np.inf, 3.4e38, 1e-45])])
        bits = pbs._host.to_bf16(values)
        found, finite = pbs._host.from_bf16(bits), ~np.isnan(values)
        np.testing.assert_array_equal(found[finite].view(np.uint32), common.round_to(values[finite], "bf16").view(np.uint32))
        self.assertTrue(np.isnan(found[~finite]).all())
        self.assertTrue(np.isnan(pbs._host.from_bf16(pbs._host.to_bf16(np.uint32([0x7F800001, 0xFFFFFFFF]).view(np.float32))))
                        .all(), "a NaN whose upper bits are those of an infinity stays one")


class Graphs(common.Case):
    def test_replay(self):
        kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        given = common.views(self.inputs(200))
        expected = kernel(*given)
        graph = kernel.capture(*given)
        out, lse = graph.replay()
        self.assertIs(out, graph.outputs[0])
        np.testing.assert_array_equal(out, expected[0])
        np.testing.assert_array_equal(lse, expected[1])
        for array, fresh in zip(given, self.inputs(200)):
            array[...] = fresh
        expected = kernel(*given)
        self.assertFalse(np.array_equal(out, expected[0]))
        graph.replay()
        np.testing.assert_array_equal(out, expected[0])
        np.testing.assert_array_equal(lse, expected[1])

    def test_given_outputs(self):
        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        given = [x.astype(np.float16) for x in self.inputs(200, dtype="f16")]
        memory, lse = np.full((1, 200, 5, 64), 7, np.float16), np.empty((1, 4, 200), np.float32)
        out = memory[:, :, :4].transpose(0, 2, 1, 3)
        graph = kernel.capture(*given, out=(out, lse))
        self.assertIs(graph.outputs[1], lse)
        graph.replay()
        np.testing.assert_array_equal(out, kernel(*given)[0])
        self.assertTrue((memory[:, :, 4] == 7).all())


if __name__ == "__main__":
    common.main()
