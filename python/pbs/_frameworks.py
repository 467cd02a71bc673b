# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The frameworks whose arrays are taken, and how they allocate more.

Each framework is a class with
  view(value, argument, output)   an Array for what a caller passed
  empty(argument, shape, arrays, model)  an Array for an output, allocated where the inputs `arrays` are; in the order of
                                  dimensions of `model`, one of them, if that is not None
  workspace(size, device)         (address, object that keeps it), for arrays on a GPU
  stream(device)                  the handle of the framework's current stream
"""
import functools
import sys

from . import _dlpack
from ._arrays import Array, check, has_order, NAMES
from ._host import JAX, NumPy
from ._library import LEGACY_STREAM


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
