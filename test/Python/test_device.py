# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels on arrays in a GPU's memory that no framework owns; also on the emulator's CUDA driver."""
import ctypes
import unittest

import common
from common import DEVICE, HEADS, np, ON_GPU, pbs
from test_dlpack import new_capsule

library, dlpack = pbs._library, pbs._dlpack


class Exporter:
    """A NumPy array's copy on the device, (B, H, N, D) in the order of dimensions that it has in memory."""

    def __init__(self, array):
        self.device, self.shape, self.dtype = library.device(DEVICE), array.shape, array.dtype
        order = sorted(range(array.ndim), key=lambda dimension: -array.strides[dimension])
        self.dense = np.ascontiguousarray(array.transpose(order))
        self.inverse = np.argsort(order)
        self.strides = self.dense.transpose(self.inverse).strides
        self.memory = library.Memory(self.device, self.dense.nbytes)
        self.set(array)

    def set(self, array):
        self.dense.transpose(self.inverse)[...] = array
        library.call("copy_to_device", self.device.handle, self.memory.address, self.dense.ctypes.data, self.dense.nbytes, None)

    def get(self):
        library.call("copy_to_host", self.device.handle, self.dense.ctypes.data, self.memory.address, self.dense.nbytes,
                     library.LEGACY_STREAM)
        return self.dense.transpose(self.inverse).copy()


class Interface(Exporter):
    @property
    def __cuda_array_interface__(self):
        return {"data": (self.memory.address, False), "shape": self.shape, "typestr": self.dtype.str, "version": 3,
                "strides": self.strides, "stream": library.LEGACY_STREAM}


class Part:
    """Memory of an Interface from a byte on, laid out in another way."""

    def __init__(self, whole, offset, shape, strides, kind="<f2"):
        self.__cuda_array_interface__ = {"data": (whole.memory.address + offset, False), "shape": shape, "typestr": kind,
                                         "version": 3, "strides": strides}


class Capsule(Exporter):
    """By DLPack; bits of bf16 where the array has uint16."""

    streams = []

    def __dlpack_device__(self):
        return 2, self.device.ordinal

    def __dlpack__(self, stream=None, max_version=None):
        self.streams.append(stream)
        rank = len(self.shape)
        self.extents = (ctypes.c_int64 * rank)(*self.shape)
        self.steps = (ctypes.c_int64 * rank)(*(stride // self.dtype.itemsize for stride in self.strides))
        code = 4 if self.dtype == np.uint16 else 2
        self.managed = dlpack._Versioned(1, 0, None, None, 0, dlpack._Tensor(
            data=self.memory.address, device_type=2, device_id=self.device.ordinal, ndim=rank, code=code,
            bits=8 * self.dtype.itemsize, lanes=1, shape=self.extents, strides=self.steps))
        return new_capsule(ctypes.addressof(self.managed), b"dltensor_versioned", None)


@unittest.skipUnless(ON_GPU, "needs PBS_TEST_DEVICE=cuda, on a GPU or the emulator's driver")
class Arrays(common.Case):
    def outputs(self, kind, dtype):
        out = np.zeros((2, 300, 4, 64), dtype).transpose(0, 2, 1, 3)
        return kind(out), kind(np.zeros((2, 4, 300), np.float32))

    def test_cuda_array_interface(self):
        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        given = [x.astype(np.float16) for x in common.views(self.inputs(300, batch=2, dtype="f16"))]
        outputs = self.outputs(Interface, np.float16)
        results = kernel(*map(Interface, given), out=outputs)
        self.assertIs(results[0], outputs[0])
        for one, other in zip(results, kernel(*given), strict=True):
            np.testing.assert_array_equal(one.get(), other)

    def test_dlpack(self):
        """bf16, on the default stream; the kernel takes the device from the arrays."""
        inputs = self.inputs(300, batch=2)
        kernel = pbs.compile(**HEADS, all=True)
        given = [Capsule(pbs._host.to_bf16(x)) for x in common.views(inputs)]
        out, lse = kernel(*given, out=self.outputs(Capsule, np.uint16))
        self.assertEqual(set(Capsule.streams), {library.LEGACY_STREAM})
        self.assert_attention(pbs._host.from_bf16(out.get()), lse.get(), inputs)
        self.assertEqual(list(kernel._executables), ["cuda:0"])

    def test_graph(self):
        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        given = [Interface(x.astype(np.float16)) for x in self.inputs(300, batch=2, dtype="f16")]
        outputs = self.outputs(Interface, np.float16)
        graph = kernel.capture(*given, out=outputs)
        self.assertIs(graph.outputs[1], outputs[1])
        for _ in range(2):
            fresh = [x.astype(np.float16) for x in self.inputs(300, batch=2, dtype="f16")]
            for one, values in zip(given, fresh):
                one.set(values)
            for one, other in zip(graph.replay(), kernel(*fresh), strict=True):
                np.testing.assert_array_equal(one.get(), other)

    def test_errors(self):
        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        arrays = [x.astype(np.float16) for x in self.inputs(300, batch=2, dtype="f16")]
        q, k, v = map(Interface, arrays)
        with self.assertRaisesRegex(TypeError, "give the output out by out="):
            kernel(q, k, v)
        with self.assertRaisesRegex(TypeError, "k is an array of NumPy, q one of other"):
            kernel(q, arrays[1], v)
        out, lse = self.outputs(Interface, np.float16)
        with self.assertRaisesRegex(ValueError, "out shares memory with v"):
            kernel(q, k, v, out=(Part(v, v.dense.nbytes - 2, q.shape, q.strides), lse))
        with self.assertRaisesRegex(ValueError, "out has elements that share memory"):
            kernel(q, k, v, out=(Part(out, 0, q.shape, (0, 0, 128, 2)), lse))
        with self.assertRaisesRegex(ValueError, "lse shares memory with out"):
            kernel(q, k, v, out=(out, Part(out, 4, lse.shape, lse.strides, "<f4")))
        wrong = kernel.inputs[0], pbs._arrays.Array(pbs._frameworks.Torch, None, 0, "f16", (), (), 1)
        with self.assertRaisesRegex(ValueError, "q is on cuda:1, and the kernel's device is cuda:0"):
            kernel._place([wrong])


if __name__ == "__main__":
    common.main()
