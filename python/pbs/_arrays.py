# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of the frameworks: where their memory is, and how it is laid out."""
import dataclasses

from ._library import BYTES, LEGACY_STREAM, Tensor, TYPE_CODES, ctypes

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


def _extent(array):
    """(first address, the one behind the last, strides in bytes) of the caller's own memory."""
    if array.inner is None:
        address, item = array.address, BYTES[array.dtype]
        strides = [stride * item for stride in array.strides]
    else:
        address, item, strides = array.source.ctypes.data, array.source.itemsize, array.source.strides
    if 0 in array.shape:
        return address, address, strides
    steps = [stride * (extent - 1) for stride, extent in zip(strides, array.shape)]
    return address + sum(min(step, 0) for step in steps), address + sum(max(step, 0) for step in steps) + item, strides


def _overlaps_itself(array, strides):
    """Whether two elements may share memory: by their size, dimensions must each step over all that smaller ones reach."""
    reach = BYTES[array.dtype] if array.inner is None else array.source.itemsize
    for stride, extent in sorted((abs(stride), extent) for stride, extent in zip(strides, array.shape) if extent > 1):
        if stride < reach:
            return True
        reach += stride * (extent - 1)
    return False


def check_outputs(pairs, count):
    """ValueError where outputs, the (argument, Array) pairs from number `count` on, cannot each be written by itself.

    The library checks the memory that it is given, which may stand for the caller's: rounded copies, a graph's staging.
    """
    extents = [_extent(array) for _, array in pairs]
    for number in range(count, len(pairs)):
        (argument, array), (first, end, strides) = pairs[number], extents[number]
        if _overlaps_itself(array, strides):
            raise ValueError(f"{argument.name} has elements that share memory, with strides of {tuple(strides)} bytes for shape "
                             f"{tuple(array.shape)}: an output needs a place for each")
        for (other, _), (begin, stop, _) in zip(pairs[:number], extents):
            if first < stop and begin < end:
                raise ValueError(f"{argument.name} shares memory with {other.name}: an output needs memory of its own")


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
