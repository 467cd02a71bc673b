# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of the frameworks: where their memory is, and how it is laid out."""
import dataclasses

from ._library import Tensor, TYPE_CODES, ctypes

# Types by the names that NumPy, ml_dtypes and those that follow them have.
NAMES = {"float16": "f16", "float32": "f32", "int32": "i32", "uint16": "u16", "bool": "bool", "bfloat16": "bf16"}


@dataclasses.dataclass
class Array:
    """An argument's memory. strides are in elements; device is a GPU's number, -1 if not told, or None for host memory."""

    framework: type
    source: object  # the caller's
    address: int
    dtype: str
    shape: tuple
    strides: tuple
    device: int | None
    inner: object = None  # what has the memory, where that is not the source: float32 outside, bf16 inside
    finish: object = None  # for such outputs: called after the run

    @property
    def memory(self):
        return self.source if self.inner is None else self.inner

    def fill(self, tensor):
        """Describes the array to the library; gives what must live as long as the description."""
        rank = len(self.shape)
        shape, strides = (ctypes.c_int64 * rank)(*self.shape), (ctypes.c_int64 * rank)(*self.strides)
        pointer = ctypes.POINTER(ctypes.c_int64)
        tensor.address, tensor.bytes, tensor.type, tensor.rank = self.address, 0, TYPE_CODES[self.dtype], rank
        tensor.shape, tensor.strides = ctypes.cast(shape, pointer), ctypes.cast(strides, pointer)
        return shape, strides

    def result(self):
        if self.finish:
            self.finish()
        return self.source


def tensors(arrays):
    """A ctypes array of pbs_tensor, which keeps what it refers to."""
    result = (Tensor * len(arrays))()
    result.kept = [array.fill(tensor) for array, tensor in zip(arrays, result)]
    return result


def has_order(model):
    """Whether empty_like may follow the Array `model`, if any: order "K" makes dimensions that share memory the innermost."""
    return model is not None and all(stride or extent == 1 for stride, extent in zip(model.strides, model.shape))


def check(argument, dtype, rank, found=None):
    """TypeError or ValueError for the wrong type or rank of an argument; `found` is the framework's name of the type."""
    if dtype != argument.dtype:
        raise TypeError(f"{argument.name} must be {argument.dtype}, but is {found or dtype}")
    if rank != argument.rank:
        raise ValueError(f"{argument.name} must have {argument.rank} dimensions, but has {rank}")
