# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Capsules made by hand, of both layouts."""
import ctypes

import common
from common import pbs

dlpack = pbs._dlpack
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Capsules(common.Case):
    def parse(self, versioned=True, major=1, flags=0, name=None, **fields):
        """What is read of a capsule for the bf16 array (2, 3) at 4096, with these fields instead."""
        shape, strides = (ctypes.c_int64 * 2)(2, 3), (ctypes.c_int64 * 2)(8, 1)
        fields = {"data": 4096, "device_type": 2, "device_id": 1, "ndim": 2, "code": 4, "bits": 16, "lanes": 1,
                  "shape": shape, "strides": strides, "byte_offset": 0, **fields}
        tensor = dlpack._Tensor(**{key: value for key, value in fields.items() if value is not None})
        self.kept = dlpack._Versioned(major, 0, None, None, flags, tensor) if versioned else tensor
        name = name or (b"dltensor_versioned" if versioned else b"dltensor")
        self.kept = self.kept, name
        return dlpack.parse(new_capsule(ctypes.addressof(self.kept[0]), name, None), "q")

    def test_fields(self):
        for versioned in (True, False):
            with self.subTest(versioned=versioned):
                self.assertEqual(self.parse(versioned), (4096, "bf16", (2, 3), (8, 1), 1, False))
                self.assertEqual(self.parse(versioned, strides=None)[3], (3, 1))
                self.assertEqual(self.parse(versioned, byte_offset=32)[0], 4128)
                self.assertEqual(self.parse(versioned, data=None)[0], 0)
                self.assertEqual([self.parse(versioned, device_type=kind)[4] for kind in (1, 2, 3, 13)], [None, 1, None, 1])
                self.assertEqual([self.parse(versioned, code=code, bits=bits)[1] for code, bits in
                                  ((2, 16), (2, 32), (0, 32), (1, 16), (6, 8), (2, 64))],
                                 ["f16", "f32", "i32", "u16", "bool", None])
                self.assertIsNone(self.parse(versioned, lanes=2)[1])
                with self.assertRaisesRegex(ValueError, "q is on a device of DLPack's type 10, not in host memory or on a CUDA"):
                    self.parse(versioned, device_type=10)

    def test_versions(self):
        self.assertTrue(self.parse(flags=1)[5])
        with self.assertRaisesRegex(ValueError, "q: its __dlpack__ gives a copy"):
            self.parse(flags=2)
        with self.assertRaisesRegex(TypeError, "q: its DLPack capsule has version 2.0, not 1.x"):
            self.parse(major=2)
        with self.assertRaisesRegex(TypeError, "q: its __dlpack__ gives no DLPack capsule"):
            self.parse(name=b"used_dltensor")


if __name__ == "__main__":
    common.main()
