# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Device memory that stands for arrays in host memory while a graph is replayed."""
import dataclasses

from . import _library
from ._arrays import tensors
from ._dlpack import row_major
from ._host import staged, to_bf16


class Staging:
    """Row-major copies of a call's arrays, of which the first `count` are inputs, on the executable's device."""

    def __init__(self, executable, arrays, count):
        self._device, self._arrays, self._count = executable.device, arrays, count
        sizes = [_library.BYTES[array.dtype] * _product(array.shape) for array in arrays]
        self._memory = [_library.Memory(self._device, size) for size in sizes]
        self.tensors = tensors([dataclasses.replace(array, address=memory.address, strides=row_major(array.shape))
                                for array, memory in zip(arrays, self._memory)])

    def upload(self):
        """Copies what the inputs hold now."""
        import numpy as np
        for array, memory in zip(self._arrays[: self._count], self._memory):
            values = to_bf16(array.source) if array.inner is not None else staged(array)
            values = np.ascontiguousarray(values)
            _library.call("copy_to_device", self._device.handle, memory.address, values.ctypes.data, values.nbytes, None)

    def download(self):
        """Copies the outputs back. Waits for the device."""
        import numpy as np
        for array, memory in zip(self._arrays[self._count :], self._memory[self._count :]):
            target = staged(array)
            values = np.empty(target.shape, target.dtype)
            _library.call("copy_to_host", self._device.handle, values.ctypes.data, memory.address, values.nbytes, None)
            target[...] = values


def _product(shape):
    result = 1
    for extent in shape:
        result *= extent
    return result
