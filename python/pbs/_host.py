# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NumPy arrays, which are host memory, and JAX arrays, which are never written once a caller has them."""
import ctypes

from . import _dlpack
from ._arrays import Array, check, has_order, NAMES

_NAMES = {kind: name for name, kind in NAMES.items()}


def to_bf16(values):
    """float32 as the bits of the nearest bf16, ties to even, NaN kept; in the same order in memory."""
    import numpy as np
    bits = values.view(np.uint32)
    rounded = ((bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)).astype(np.uint16)
    quiet = ((bits >> np.uint32(16)) | np.uint32(0x40)).astype(np.uint16)
    return np.where(np.isnan(values), quiet, rounded) if np.isnan(values).any() else rounded


def from_bf16(bits):
    """float32 for the bits of bf16."""
    import numpy as np
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


class NumPy:
    """float32 stands for bf16 too; ml_dtypes.bfloat16 is bf16 itself."""

    name = "NumPy"

    @classmethod
    def view(cls, value, argument, output):
        import numpy as np
        if not isinstance(value, np.ndarray):
            value = np.asarray(value, _NAMES[argument.dtype] if argument.dtype != "bf16" else "float32")
        dtype = NAMES.get(value.dtype.name) if value.dtype.isnative else None
        wide = argument.dtype == "bf16" and dtype == "f32"
        check(argument, "bf16" if wide else dtype, value.ndim, value.dtype)
        if output and not value.flags.writeable:
            raise ValueError(f"{argument.name} cannot be written")
        if not wide:
            return cls._array(value, value, argument)
        if not output:
            return cls._array(value, to_bf16(value), argument)
        inner = np.empty_like(value, np.uint16)
        return cls._array(value, inner, argument, lambda: np.copyto(value, from_bf16(inner)))

    @classmethod
    def _array(cls, value, inner, argument, finish=None):
        size = inner.itemsize
        if any(stride < 0 or stride % size for stride in inner.strides):
            raise ValueError(f"{argument.name} has strides that are negative or no multiple of its elements: copy it first")
        strides = tuple(stride // size for stride in inner.strides)
        return Array(cls, value, inner.ctypes.data, argument.dtype, inner.shape, strides, None,
                     None if inner is value else inner, finish)

    @classmethod
    def empty(cls, argument, shape, arrays, model):
        import numpy as np
        dtype = _NAMES[argument.dtype]
        if argument.dtype == "bf16":
            narrow = [array for array in arrays if array.dtype == "bf16"]
            dtype = narrow[0].source.dtype if narrow and not any(array.inner is not None for array in narrow) else np.float32
        value = np.empty_like(model.memory, dtype) if has_order(model) else np.empty(shape, dtype)
        return cls.view(value, argument, True)


class JAX:
    """Arrays of jax.Array on one device. A call waits for its inputs, and the results are there when it returns."""

    name = "JAX"

    @classmethod
    def view(cls, value, argument, output):
        if output:
            raise TypeError(f"{argument.name} is a JAX array, which cannot be written: leave out= away")
        return cls._array(value, argument)

    @classmethod
    def _array(cls, value, argument):
        if len(value.devices()) != 1:
            raise ValueError(f"{argument.name} is spread over {len(value.devices())} devices, and must be on one")
        capsule = _dlpack.capsule(value.block_until_ready())
        address, dtype, shape, strides, device, _ = _dlpack.parse(capsule, argument.name)
        check(argument, dtype, len(shape), value.dtype)
        return Array(cls, value, address, dtype, shape, strides, device)

    @classmethod
    def empty(cls, argument, shape, arrays, model):
        import jax
        # A new buffer that nobody else has seen: the only time that an array of JAX may be written.
        with jax.default_device(next(iter(arrays[0].source.devices()))):
            value = jax.numpy.empty(shape, _NAMES[argument.dtype])
        return cls._array(value, argument)

    @staticmethod
    def workspace(size, device):
        import jax
        gpu = next(one for one in jax.local_devices(backend="gpu") if one.local_hardware_id == device)
        with jax.default_device(gpu):
            value = jax.numpy.empty(max(size, 1), "uint8").block_until_ready()
        return value.unsafe_buffer_pointer(), value

    @staticmethod
    def stream(device):
        return None  # the device's own: JAX does not tell its streams


def staged(array):
    """A NumPy array over an Array of host memory of any framework; bf16 as its bits."""
    import numpy as np
    dtype = np.dtype("uint16" if array.dtype == "bf16" else _NAMES[array.dtype])
    reach = 1 + sum((extent - 1) * stride for extent, stride in zip(array.shape, array.strides))
    buffer = (ctypes.c_uint8 * (reach * dtype.itemsize)).from_address(array.address)
    return np.ndarray(array.shape, dtype, buffer, strides=[stride * dtype.itemsize for stride in array.strides])
