# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels on PyTorch tensors and as operators under torch.compile."""
import gc
import shutil
import unittest

import common
from common import DEVICE, HEADS, np, ON_GPU, pbs

REASON = common.missing("torch")
if REASON is None:
    import torch

PLACE = "cuda" if ON_GPU else "cpu"


@unittest.skipIf(REASON, REASON)
class Case(common.Case):
    def tensors(self, queries, keys=None, dtype="bf16", **options):
        """q, k and v as float32 arrays and as tensors of the type, which are views of (B, N, H, D)."""
        arrays = self.inputs(queries, keys, dtype=dtype, **options)
        kind = {"bf16": torch.bfloat16, "f16": torch.float16}[dtype]
        return arrays, [torch.from_numpy(x).to(PLACE, kind).transpose(1, 2).contiguous().transpose(1, 2) for x in arrays]

    def assert_result(self, out, lse, arrays, dtype="bf16"):
        self.assert_attention(out.detach().float().cpu().numpy(), lse.cpu().numpy(), arrays, dtype)

    def assert_same(self, results, expected):
        for one, other in zip(results, expected, strict=True):
            self.assertTrue(torch.equal(one, other))


class Tensors(Case):
    def test_results(self):
        for dtype, queries, keys in (("bf16", 300, 300), ("f16", 129, 400)):
            with self.subTest(dtype=dtype):
                arrays, tensors = self.tensors(queries, keys, dtype, batch=2)
                out, lse = pbs.compile(**HEADS, dtype=dtype, all=True, device=DEVICE)(*tensors)
                self.assertEqual((out.dtype, out.device, lse.dtype), (tensors[0].dtype, tensors[0].device, torch.float32))
                self.assertEqual(out.stride(), tensors[0].stride(), "out has q's order in memory")
                self.assert_result(out, lse, arrays, dtype)

    def test_out(self):
        arrays, tensors = self.tensors(200)
        memory = torch.full((1, 200, 6, 64), 7, dtype=torch.bfloat16, device=PLACE)
        out, lse = memory[:, :, :4].transpose(1, 2), torch.empty(1, 4, 200, device=PLACE)
        results = pbs.compile(**HEADS, all=True, device=DEVICE)(*tensors, out=(out, lse))
        self.assertIs(results[0], out)
        self.assert_result(out, lse, arrays)
        self.assertTrue((memory[:, :, 4:] == 7).all())

    def test_device_as_an_object(self):
        with self.assertRaisesRegex(pbs.Error, "'cpu': no such device, expected emulator, cuda or cuda:N"):
            pbs.compile(**HEADS, all=True, device=torch.device("cpu"))
        if ON_GPU:
            self.assertEqual(pbs.compile(**HEADS, all=True, device=torch.device("cuda", 0)).device, "cuda:0")

    def test_device_of_the_tensors(self):
        arrays, tensors = self.tensors(100)
        self.assert_result(*pbs.compile(**HEADS, all=True)(*tensors), arrays)

    def test_graph(self):
        arrays, tensors = self.tensors(200)
        graph = pbs.compile(**HEADS, all=True, device=DEVICE).capture(*tensors)
        self.assert_result(*graph.replay(), arrays)
        arrays, fresh = self.tensors(200)
        for tensor, other in zip(tensors, fresh):
            tensor.copy_(other)
        graph.replay()
        self.assert_result(*graph.outputs, arrays)

    def test_errors(self):
        kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        _, (q, k, v) = self.tensors(100)
        with self.assertRaisesRegex(TypeError, "k must be bf16, but is torch.float32"):
            kernel(q, k.float(), v)
        with self.assertRaisesRegex(ValueError, "v must have 4 dimensions, but has 3"):
            kernel(q, k, v[0])
        with self.assertRaisesRegex(ValueError, "must be a dense tensor on a CPU or a CUDA GPU, but is .* on meta"):
            kernel(q, k, v.to("meta"))
        with self.assertRaisesRegex(TypeError, "k is an array of NumPy, q one of PyTorch"):
            kernel(q, k.float().cpu().numpy(), v)
        q.requires_grad_()
        for function in (kernel, pbs.torch.function(kernel)):
            with self.assertRaisesRegex(ValueError, "q requires grad, and PBS computes no gradients"):
                function(q, k, v)
        with torch.no_grad():
            kernel(q, k, v)
        with self.assertRaisesRegex(ValueError, "k is a negated view: call resolve_neg\\(\\) first"), torch.no_grad():
            kernel(q, torch._neg_view(k), v)
        with self.assertRaisesRegex(TypeError, r"takes 3 inputs \(q, k, v\), not 2"):
            pbs.torch.function(kernel)(q, k)


class Operator(Case):
    def test_forward_mode(self):
        """A tangent is refused, not lost."""
        kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        _, (q, k, v) = self.tensors(100)
        for function in (kernel, pbs.torch.function(kernel)):
            with torch.autograd.forward_ad.dual_level():
                dual = torch.autograd.forward_ad.make_dual(k, torch.ones_like(k))
                with self.assertRaisesRegex(ValueError, "k requires grad, and PBS computes no gradients"):
                    function(q, dual, v)
                function(q, k, v)
            with self.assertRaisesRegex(ValueError, "v requires grad, and PBS computes no gradients"):
                torch.func.jvp(lambda x: function(q, k, x)[0], (v,), (torch.ones_like(v),))

    def test_opcheck(self):
        name = pbs.torch.register(pbs.compile(**HEADS, all=True, device=DEVICE))
        for tensors in (self.tensors(130)[1], [x.contiguous() for x in self.tensors(100, 150)[1]]):
            torch.library.opcheck(torch.ops.pbs.run, (tensors, name))

    def test_shapes_of_other_outputs(self):
        """An operator whose outputs are of all kinds of sizes; the fake ones are those of the library."""
        attention = pbs.torch.function(pbs.compile(**HEADS, all=True, capacity=5, device=DEVICE))
        arrays, tensors = self.tensors(200, 300)
        results = attention(*tensors)
        self.assertEqual(results[2].dtype, torch.int32)
        with torch._subclasses.FakeTensorMode() as mode:
            fakes = attention(*(mode.from_tensor(tensor) for tensor in tensors))
        for fake, real in zip(fakes, results, strict=True):
            self.assertEqual((fake.shape, fake.stride(), fake.dtype, fake.device),
                             (real.shape, real.stride(), real.dtype, real.device))

    def test_kernels_with_equal_plans(self):
        """The scale stands in the code alone."""
        arrays, tensors = self.tensors(150)
        for scale in (0.05, 0.5):
            kernel = pbs.compile(**HEADS, all=True, scale=scale, device=DEVICE)
            out, lse = pbs.torch.function(kernel)(*tensors)
            self.assert_attention(out.float().cpu().numpy(), lse.cpu().numpy(), arrays, scale=scale)

    def compilations(self, dynamic):
        """How often a function is compiled for four lengths; its results are checked."""
        torch._dynamo.reset()
        graphs = []

        def backend(graph, inputs):
            graphs.append(graph)
            return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

        attention = pbs.torch.function(pbs.compile(**HEADS, all=True, device=DEVICE))

        def layer(q, k, v):
            out, lse = attention(q * 2, k, v)
            return out.transpose(1, 2).flatten(2) + 1, lse * 2

        compiled = torch.compile(layer, fullgraph=True, dynamic=dynamic, backend=backend)
        for length in (100, 150, 201, 300):
            _, tensors = self.tensors(length)
            self.assert_same(compiled(*tensors), layer(*tensors))
        return len(graphs)

    def test_compile_dynamic(self):
        self.assertEqual(self.compilations(True), 1)

    def test_compile_automatic(self):
        self.assertEqual(self.compilations(None), 2)

    def test_compile_static(self):
        self.assertEqual(self.compilations(False), 4)

    def test_inductor(self):
        if not ON_GPU and not any(map(shutil.which, ("g++", "clang++", "c++"))):
            self.skipTest("inductor needs a C++ compiler")
        torch._dynamo.reset()
        attention = pbs.torch.function(pbs.compile(**HEADS, all=True, device=DEVICE))
        compiled = torch.compile(lambda q, k, v: attention(q, k, v)[0].transpose(1, 2).flatten(2), fullgraph=True,
                                 dynamic=True)
        for length in (100, 333):
            _, tensors = self.tensors(length)
            self.assertTrue(torch.equal(compiled(*tensors), attention(*tensors)[0].transpose(1, 2).flatten(2)))


@unittest.skipUnless(ON_GPU, "needs a GPU and PBS_TEST_DEVICE=cuda")
class GPU(Case):
    def setUp(self):
        super().setUp()
        self.kernel = pbs.compile(**HEADS, all=True, device=DEVICE)

    def test_cuda_graph(self):
        attention = pbs.torch.function(self.kernel)
        _, tensors = self.tensors(300)
        attention(*tensors)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out, lse = attention(*tensors)
        for _ in range(2):
            arrays, fresh = self.tensors(300)
            for tensor, other in zip(tensors, fresh):
                tensor.copy_(other)
            graph.replay()
            self.assert_result(out, lse, arrays)

    def test_stream(self):
        """Runs after what the current stream did before, and nothing waits for it."""
        arrays, tensors = self.tensors(1000)
        self.kernel(*tensors)
        given = [torch.zeros_like(tensor) for tensor in tensors]
        stream = torch.cuda.Stream()
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            torch.cuda._sleep(200_000_000)
            for one, other in zip(given, tensors):
                one.copy_(other)
            out, lse = self.kernel(*given)
            self.assertFalse(stream.query(), "the call returns while the stream still sleeps")
            stream.synchronize()
        self.assert_result(out, lse, arrays)

    def test_workspace_is_torch_s(self):
        _, tensors = self.tensors(2000)
        outputs = self.kernel(*tensors)
        torch.cuda.synchronize()
        gc.collect()  # tensors of earlier tests would go in between
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self.kernel(*tensors, out=outputs)
        grown = torch.cuda.max_memory_allocated() - before
        self.assertLessEqual(self.kernel.workspace_bytes(*tensors), grown)
        self.assertEqual(torch.cuda.memory_allocated(), before)

    def test_elsewhere(self):
        _, (q, k, v) = self.tensors(100)
        with self.assertRaisesRegex(ValueError, "k is in host memory, q on cuda:0"):
            self.kernel(q, k.cpu(), v)
        if torch.cuda.device_count() < 2:
            self.skipTest("the rest needs two GPUs")
        with self.assertRaisesRegex(ValueError, "q is on cuda:1, and the kernel's device is cuda:0"):
            self.kernel(*(x.to("cuda:1") for x in (q, k, v)))
        anywhere = pbs.compile(**HEADS, all=True)
        for one, other in zip(anywhere(*(x.to("cuda:1") for x in (q, k, v))), self.kernel(q, k, v)):
            self.assertTrue(torch.equal(one.cpu(), other.cpu()))

    def test_cuda_array_interface(self):
        class Exporter:
            def __init__(self, tensor):
                self.__cuda_array_interface__ = {"data": (tensor.data_ptr(), False), "shape": tuple(tensor.shape),
                                                 "strides": tuple(2 * stride for stride in tensor.stride()),
                                                 "typestr": "<f2" if tensor.dtype == torch.float16 else "<f4", "version": 3}
                if tensor.dtype == torch.float32:
                    self.__cuda_array_interface__["strides"] = None

        arrays, tensors = self.tensors(300, dtype="f16")
        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        out, lse = torch.empty_like(tensors[0]), torch.empty(1, 4, 300, device="cuda")
        kernel(*map(Exporter, tensors), out=(Exporter(out), Exporter(lse)))
        self.assert_result(out, lse, arrays, "f16")


if __name__ == "__main__":
    common.main()
