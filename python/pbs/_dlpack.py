# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads DLPack capsules (https://dmlc.github.io/dlpack/latest/), the older ones and those with a version.

A capsule is looked at and dropped, never consumed: the array that it came from keeps the memory.
"""
import ctypes

_CODES = {(4, 16): "bf16", (2, 16): "f16", (2, 32): "f32", (0, 32): "i32", (1, 16): "u16", (6, 8): "bool"}
_READ_ONLY, _COPIED = 1, 2
# kDLCPU and kDLCUDAHost are host memory, kDLCUDA and kDLCUDAManaged a GPU's.
_HOST, _GPU = (1, 3), (2, 13)


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class _Versioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _Tensor)]


_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.restype, _is_valid.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype, _get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def row_major(shape):
    """Strides in elements of an array without gaps."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


def parse(capsule, name):
    """(address, type or None, shape, strides, GPU or None for the host, read-only) of a capsule, strides in elements.

    TypeError for what is no capsule of a known version, ValueError for memory of another kind.
    """
    if _is_valid(capsule, b"dltensor_versioned"):
        managed = _Versioned.from_address(_get_pointer(capsule, b"dltensor_versioned"))
        if managed.major != 1:
            raise TypeError(f"{name}: its DLPack capsule has version {managed.major}.{managed.minor}, not 1.x")
        tensor, flags = managed.tensor, managed.flags
    elif _is_valid(capsule, b"dltensor"):
        tensor, flags = _Tensor.from_address(_get_pointer(capsule, b"dltensor")), 0
    else:
        raise TypeError(f"{name}: its __dlpack__ gives no DLPack capsule")
    if flags & _COPIED:
        raise ValueError(f"{name}: its __dlpack__ gives a copy")
    if tensor.device_type not in _HOST + _GPU:
        raise ValueError(f"{name} is on a device of DLPack's type {tensor.device_type}, not in host memory or on a CUDA GPU")
    shape = tuple(tensor.shape[: tensor.ndim])
    strides = tuple(tensor.strides[: tensor.ndim]) if tensor.strides else row_major(shape)
    dtype = _CODES.get((tensor.code, tensor.bits)) if tensor.lanes == 1 else None
    device = tensor.device_id if tensor.device_type in _GPU else None
    return (tensor.data or 0) + tensor.byte_offset, dtype, shape, strides, device, bool(flags & _READ_ONLY)


def capsule(array, stream=None):
    """The array's capsule, ordered before what the stream does from now on."""
    arguments = {} if stream is None else {"stream": stream}
    try:
        return array.__dlpack__(max_version=(1, 0), **arguments)
    except TypeError:  # from before version 1
        return array.__dlpack__(**arguments)
