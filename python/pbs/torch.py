# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels as operators of PyTorch, which torch.compile keeps in its graphs.

    attention = pbs.torch.function(kernel)
    out, lse = attention(q, k, v)

The operator is pbs::run(Tensor[] inputs, str kernel) -> Tensor[]. It computes no gradients.
"""
import threading

import torch

from ._frameworks import Torch

_lock = threading.Lock()
_kernels = {}


@torch.library.custom_op("pbs::run", mutates_args=(), tags=(torch.Tag.needs_exact_strides,)
                         if hasattr(torch.Tag, "needs_exact_strides") else (torch.Tag.needs_fixed_stride_order,))
def _run(inputs: list[torch.Tensor], kernel: str) -> list[torch.Tensor]:
    # Without gradients, which the operator does not record either: its callers have been asked.
    with torch.no_grad():
        return list(_kernels[kernel](*inputs))


@_run.register_fake
def _(inputs, kernel):
    one = _kernels[kernel]
    shapes = one._plan.output_shapes([tensor.shape for tensor in inputs], torch.sym_min, torch.sym_max)
    types = {name: dtype for dtype, name in Torch.types().items()}
    return [torch.empty_like(inputs[0], dtype=types[argument.dtype]) if argument.follows(one.inputs[0])
            else inputs[0].new_empty(shape, dtype=types[argument.dtype])
            for argument, shape in zip(one.outputs, shapes)]


def register(kernel):
    """The name of a Kernel in pbs::run. It says which plan it is, so that compiled graphs that are kept fit."""
    name = f"{kernel.entry}-{kernel._plan.digest[:16]}-{kernel.device or 'any'}"
    with _lock:
        _kernels.setdefault(name, kernel)
    return name


def function(kernel):
    """A function of the kernel's inputs that gives a tuple of its outputs, for torch.compile and everywhere else.

    Inputs are tensors as the Kernel takes them; ValueError where one requires grad. Under torch.compile lengths may be
    dynamic: the shapes of outputs are the plan's expressions.
    """
    name = register(kernel)
    names = tuple(argument.name for argument in kernel.inputs)

    def attention(*inputs):
        if len(inputs) != len(names):
            raise TypeError(f"takes {len(names)} inputs ({', '.join(names)}), not {len(inputs)}")
        for argument, tensor in zip(names, inputs):
            Torch.refuse_gradients(tensor, argument)
        return tuple(torch.ops.pbs.run(list(inputs), name))

    return attention
