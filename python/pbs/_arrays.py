# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of the frameworks: where their memory is, how it is laid out, and how their framework allocates more.

Each framework is a class with
  view(value, argument, output)   an Array for what a caller passed
  empty(argument, shape, arrays, model)  an Array for an output, allocated where the inputs `arrays` are; in the order of
                                  dimensions of `model`, one of them, if that is not None
  workspace(size, device)         (address, object that keeps it), for arrays on a GPU
  stream(device)                  the handle of the framework's current stream
"""
import dataclasses
import functools
import sys

from . import _dlpack
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


class Torch:
    name = "PyTorch"

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def types():
        import torch
        return {torch.bfloat16: "bf16", torch.float16: "f16", torch.float32: "f32", torch.int32: "i32", torch.uint16: "u16",
                torch.bool: "bool"}

    @staticmethod
    def is_differentiated(value):
        """Whether gradients or, in forward mode, tangents of what comes from the tensor are expected."""
        import torch
        forward = torch.autograd.forward_ad
        return value.requires_grad and torch.is_grad_enabled() or (
            forward._current_level >= 0 and forward.unpack_dual(value).tangent is not None)

    @classmethod
    def refuse_gradients(cls, value, name):
        if cls.is_differentiated(value):
            raise ValueError(f"{name} requires grad, and PBS computes no gradients: call under torch.no_grad() or detach it")

    @classmethod
    def view(cls, value, argument, output):
        import torch
        cls.refuse_gradients(value, argument.name)
        if value.layout != torch.strided or value.device.type not in ("cpu", "cuda"):
            raise ValueError(f"{argument.name} must be a dense tensor on a CPU or a CUDA GPU, but is {value.layout} on "
                             f"{value.device}")
        if value.is_neg():  # its memory holds the negated values
            raise ValueError(f"{argument.name} is a negated view: call resolve_neg() first")
        check(argument, cls.types().get(value.dtype), value.ndim, value.dtype)
        device = value.device.index if value.device.type == "cuda" else None
        return Array(cls, value, value.data_ptr(), argument.dtype, tuple(value.shape), value.stride(), device)

    @classmethod
    def empty(cls, argument, shape, arrays, model):
        import torch
        dtype = next(one for one, name in cls.types().items() if name == argument.dtype)
        if model:
            value = torch.empty_like(model.source, dtype=dtype, requires_grad=False)
        else:
            value = torch.empty(shape, dtype=dtype, device=arrays[0].source.device)
        return cls.view(value, argument, True)

    @staticmethod
    def workspace(size, device):
        import torch
        value = torch.empty(max(size, 1), dtype=torch.uint8, device=f"cuda:{device}")
        return value.data_ptr(), value

    @staticmethod
    def stream(device):
        import torch
        return torch.cuda.current_stream(device).cuda_stream or LEGACY_STREAM


class CuPy:
    name = "CuPy"

    @classmethod
    def view(cls, value, argument, output):
        check(argument, NAMES.get(value.dtype.name), value.ndim, value.dtype)
        if any(stride < 0 for stride in value.strides):
            raise ValueError(f"{argument.name} has strides that are negative: copy it first")
        strides = tuple(stride // value.itemsize for stride in value.strides)
        return Array(cls, value, value.data.ptr, argument.dtype, value.shape, strides, value.device.id)

    @classmethod
    def empty(cls, argument, shape, arrays, model):
        import cupy
        # The name bfloat16 is no type of every CuPy: it is an input's, then.
        dtype = next((array.source.dtype for array in arrays if array.dtype == argument.dtype), None)
        dtype = dtype or next(name for name, kind in NAMES.items() if kind == argument.dtype)
        with cupy.cuda.Device(arrays[0].device):
            value = cupy.empty_like(model.source, dtype, order="K") if has_order(model) else cupy.empty(shape, dtype)
        return cls.view(value, argument, True)

    @staticmethod
    def workspace(size, device):
        import cupy
        with cupy.cuda.Device(device):
            value = cupy.empty(max(size, 1), "uint8")
        return value.data.ptr, value

    @staticmethod
    def stream(device):
        import cupy
        with cupy.cuda.Device(device):
            return cupy.cuda.get_current_stream().ptr or LEGACY_STREAM


class Other:
    """Anything with __dlpack__ or __cuda_array_interface__: outputs must be given, and work is on the default stream."""

    name = "other"
    _TYPES = {"<f2": "f16", "<f4": "f32", "<i4": "i32", "<u2": "u16", "|b1": "bool"}

    @classmethod
    def view(cls, value, argument, output):
        if hasattr(value, "__dlpack__"):
            kind = value.__dlpack_device__()[0]
            capsule = _dlpack.capsule(value, LEGACY_STREAM if int(kind) in (2, 13) else None)
            address, dtype, shape, strides, device, read_only = _dlpack.parse(capsule, argument.name)
            check(argument, dtype, len(shape), getattr(value, "dtype", None))
        else:
            interface = value.__cuda_array_interface__
            (address, read_only), shape = interface["data"], tuple(interface["shape"])
            dtype = cls._TYPES.get(interface["typestr"])
            check(argument, dtype, len(shape), interface["typestr"])
            strides = interface.get("strides")
            item = 1 if dtype == "bool" else int(interface["typestr"][2:])
            strides = tuple(stride // item for stride in strides) if strides else _dlpack.row_major(shape)
            # None: nothing to wait for. The default stream waits for other streams, but not for those that do not block.
            if interface.get("stream") not in (None, LEGACY_STREAM, 2):
                raise ValueError(f"{argument.name} is in use on a stream of its own: synchronise it first, or pass DLPack")
            device = -1
        if output and read_only:
            raise ValueError(f"{argument.name} cannot be written")
        return Array(cls, value, address, dtype, shape, strides, device)

    @staticmethod
    def empty(argument, shape, arrays, model):
        raise TypeError(f"give the output {argument.name} by out=: this kind of array says nothing about allocating")

    @staticmethod
    def workspace(size, device):
        return 0, None  # the executable's own

    @staticmethod
    def stream(device):
        return LEGACY_STREAM


def framework_of(value, argument):
    """The class for what a caller passed; TypeError where it is no array."""
    from ._host import JAX, NumPy
    modules = sys.modules
    if "torch" in modules and isinstance(value, modules["torch"].Tensor):
        return Torch
    if "numpy" in modules and isinstance(value, (modules["numpy"].ndarray, modules["numpy"].generic)):
        return NumPy
    if "cupy" in modules and isinstance(value, modules["cupy"].ndarray):
        return CuPy
    if "jax" in modules and isinstance(value, modules["jax"].Array):
        return JAX
    if argument.rank == 0 and isinstance(value, (int, float)):
        return NumPy
    if hasattr(value, "__dlpack__") or hasattr(value, "__cuda_array_interface__"):
        return Other
    raise TypeError(f"{argument.name} must be an array, but is {type(value).__name__}")
