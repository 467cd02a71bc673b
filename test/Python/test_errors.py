# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is wrong with arguments is said with the argument's name."""
import os
import signal
import threading
import unittest

import common
from common import DEVICE, HEADS, np, ON_GPU, pbs


class Arguments(common.Case):
    def setUp(self):
        super().setUp()
        self.kernel = pbs.compile(**HEADS, all=True, device=DEVICE)
        self.q, self.k, self.v = self.inputs(200)

    def refused(self, kind, pattern, *inputs, **more):
        with self.assertRaisesRegex(kind, pattern):
            self.kernel(*inputs, **more)

    def test_count(self):
        self.refused(TypeError, r"prefill takes 3 inputs \(q, k, v\), not 2", self.q, self.k)
        self.refused(TypeError, r"prefill has 2 outputs \(out, lse\), not 1", self.q, self.k, self.v, out=(self.q,))

    def test_no_array(self):
        self.refused(TypeError, "k must be an array, but is list", self.q, [1.0], self.v)
        self.refused(TypeError, "v must be an array, but is NoneType", self.q, self.k, None)

    def test_type(self):
        self.refused(TypeError, "q must be bf16, but is float64", self.q.astype(np.float64), self.k, self.v)
        self.refused(TypeError, "k must be bf16, but is float16", self.q, self.k.astype(np.float16), self.v)
        self.refused(TypeError, "v must be bf16, but is >f4", self.q, self.k, self.v.astype(">f4"))
        lse = np.empty((1, 4, 200), np.float16)
        self.refused(TypeError, "lse must be f32, but is float16", self.q, self.k, self.v, out=(self.q.copy(), lse))

    def test_rank(self):
        self.refused(ValueError, "q must have 4 dimensions, but has 3", self.q[0], self.k, self.v)

    def test_shape(self):
        self.refused(pbs.Error, "q.*64", self.q[..., :32], self.k, self.v)
        self.refused(pbs.Error, "v", self.q, self.k, self.v[:, :, :100])
        self.refused(pbs.Error, "Nq is at most Nkv", self.q, self.k[:, :, :100], self.v[:, :, :100])

    def test_strides(self):
        turned = np.ascontiguousarray(self.q.swapaxes(2, 3)).swapaxes(2, 3)
        self.refused(pbs.Error, "'q': dimension 3 has stride 200, expected 1: the last dimension must be contiguous", turned,
                     self.k, self.v)
        backwards = self.q[:, ::-1].view()
        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        with self.assertRaisesRegex(ValueError, "q has strides that are negative"):
            kernel(backwards.astype(np.float16)[:, ::-1], self.k.astype(np.float16), self.v.astype(np.float16))

    def test_outputs(self):
        out, lse = np.empty_like(self.q), np.empty((1, 4, 200), np.float32)
        out.flags.writeable = False
        self.refused(ValueError, "out cannot be written", self.q, self.k, self.v, out=(out, lse))
        self.refused(pbs.Error, "lse", self.q, self.k, self.v, out=(np.empty_like(self.q), lse[:, :, :100]))

    def test_outputs_share_memory(self):
        """Of themselves, of each other and of inputs: float32 for bf16, whose memory the library never sees, too."""
        for dtype, kind in (("bf16", np.float32), ("f16", np.float16)):
            kernel = pbs.compile(**HEADS, all=True, dtype=dtype, device=DEVICE)
            q, k, v = (x.astype(kind) for x in (self.q, self.k, self.v))
            lse = np.zeros((1, 4, 200), np.float32)
            base = np.zeros(4 * 200 * 64, kind)
            item = base.itemsize
            rows = np.lib.stride_tricks.as_strided(base, q.shape, (0, 200 * 64 * item, 16 * item, item))
            heads = np.lib.stride_tricks.as_strided(base, q.shape, (0, 0, 64 * item, item))
            beside = np.zeros(q.nbytes + lse.nbytes, np.uint8)
            out, behind = beside[:q.nbytes].view(kind).reshape(q.shape), beside[q.nbytes:].view(np.float32).reshape(lse.shape)
            inside = beside[q.nbytes - 4 : -4].view(np.float32).reshape(lse.shape)
            for run in (kernel, kernel.capture):
                for pattern, given in (("out has elements that share memory.*strides of .0", (rows, lse)),
                                       ("out has elements that share memory", (heads, lse)),
                                       ("out shares memory with q", (q, lse)),
                                       ("lse shares memory with out", (out, inside))):
                    with self.assertRaisesRegex(ValueError, pattern):
                        run(q, k, v, out=given)
                run(q, k, v, out=(out, behind))
            if dtype == "bf16":  # of any strides
                kernel(q, k, v, out=(out[:, ::-1], behind))
                np.testing.assert_array_equal(out[:, ::-1], kernel(q, k, v)[0])

    def test_data(self):
        """Contents of permutations and lists are checked on the host."""
        kernel = pbs.compile(**HEADS, stages="attention", device=DEVICE)
        permutation = np.broadcast_to(np.arange(200, dtype=np.int32), (1, 4, 200)).copy()
        counts, indices = np.zeros((1, 4, 2, 2), np.int32), np.full((1, 4, 2, 2), 65535, np.uint16)
        kernel(self.q, self.k, self.v, permutation, counts, indices)
        permutation[0, 0, 7] = 5000
        with self.assertRaisesRegex(pbs.Error, "permutation"):
            kernel(self.q, self.k, self.v, permutation, counts, indices)

    def test_device(self):
        class OnGPU:
            def __init__(self, heads):
                self.__cuda_array_interface__ = {"data": (4096, False), "shape": (1, heads, 200, 64), "typestr": "<f2",
                                                 "version": 3}

        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device="emulator")
        with self.assertRaisesRegex(ValueError, "q is on a GPU, and the kernel's device is emulator"):
            kernel(OnGPU(4), OnGPU(2), OnGPU(2))
        k = np.empty((1, 2, 200, 64), np.float16)

        class InMemory:
            __dlpack__, __dlpack_device__ = k.__dlpack__, k.__dlpack_device__

        with self.assertRaisesRegex(ValueError, "k is in host memory, q on a GPU"):
            kernel(OnGPU(4), InMemory(), InMemory())

    def test_frameworks_do_not_mix(self):
        class Exporter:
            def __init__(self, array):
                self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__

        kernel = pbs.compile(**HEADS, all=True, dtype="f16", device=DEVICE)
        q, k, v = (x.astype(np.float16) for x in (self.q, self.k, self.v))
        with self.assertRaisesRegex(TypeError, "k is an array of other, q one of NumPy"):
            kernel(q, Exporter(k), v)

    @unittest.skipIf(ON_GPU, "a GPU's kernels run to their end")
    def test_interrupt(self):
        """Ctrl-C ends an emulated run, which then writes nothing, and the next one is as ever."""
        inputs = self.inputs(8192)
        out, lse = np.full_like(inputs[0], 7), np.full((1, 4, 8192), 7, np.float32)
        # Whoever runs the test may have it ignored.
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, previous)
        timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
        with self.assertRaises(KeyboardInterrupt):
            timer.start()
            self.kernel(*inputs, out=(out, lse))
        self.assertTrue((out == 7).all() and (lse == 7).all())
        out, lse = self.kernel(self.q, self.k, self.v)
        self.assert_attention(out, lse, (self.q, self.k, self.v))

    def test_dlpack(self):
        class NoCapsule:
            def __dlpack__(self, **arguments):
                return "no capsule"

            def __dlpack_device__(self):
                return 1, 0

        self.refused(TypeError, "q: its __dlpack__ gives no DLPack capsule", NoCapsule(), self.k, self.v)


if __name__ == "__main__":
    common.main()
