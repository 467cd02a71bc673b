# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels: entries of a plan that are called with arrays, and graphs of such calls."""
import ctypes
import os

from . import _library
from ._arrays import check_outputs, tensors
from ._frameworks import framework_of
from ._host import JAX
from ._plan import Plan
from ._staging import Staging


class Kernel:
    """One entry of a plan. pbs.compile() and pbs.load() make them.

    kernel(*inputs) runs it and gives a tuple of its outputs. Attributes: `inputs` and `outputs`, tuples of arguments with
    name, dtype and rank; `plan`, the path of the plan; `entry`; `chip`; `device`, the name of the device it runs on, or
    None if that is the one that its arrays are on.
    """

    def __init__(self, path, entry=None, device=None):
        self._plan = Plan(path, entry)
        self.inputs, self.outputs = self._plan.inputs, self._plan.outputs
        self.plan, self.entry, self.chip = self._plan.path, self._plan.entry, self._plan.chip
        self.device = _library.normalize(device) if device else None
        self._executables = {}
        if self.device:
            self._executable(self.device)

    def __repr__(self):
        names = ", ".join(one.name for one in self.inputs), ", ".join(one.name for one in self.outputs)
        return f"<pbs.Kernel {self.entry}({names[0]}) -> ({names[1]}) for {self.chip} on {self.device or 'any device'}>"

    def __call__(self, *inputs, out=None):
        """Runs on the inputs, in the order of `inputs`, and gives a tuple of the outputs.

        out: a tuple of one array for each output, which is written and given back; without it they are allocated by the
        inputs' framework. On a GPU the call enqueues on the framework's current stream and returns. TypeError for what is
        no array or of another type, ValueError for another rank, device, gradients or outputs that share memory, pbs.Error
        for what the plan refuses.
        """
        call = _Call(self, inputs, out)
        call.run()
        return call.results()

    def workspace_bytes(self, *inputs):
        """Bytes that a call with these inputs allocates beside its outputs, and frees."""
        call = _Call(self, inputs, None, allocate=False)
        return call.executable.workspace_bytes(call.tensors)

    def capture(self, *inputs, out=None):
        """A Graph of the call with these inputs and outputs (allocated without `out`). TypeError for JAX arrays."""
        call = _Call(self, inputs, out)
        if call.framework is JAX:
            raise TypeError("a graph writes its outputs again and again, which JAX arrays do not allow")
        return Graph(call)

    def _executable(self, device):
        if device not in self._executables:
            self._executables[device] = _library.Executable(_library.device(device), self.plan, self.entry)
        return self._executables[device]

    def _place(self, arrays):
        """The name of the device for a call with these (argument, Array) pairs."""
        first_argument, first = arrays[0]
        for argument, array in arrays[1:]:
            if array.framework is not first.framework:
                raise TypeError(f"{argument.name} is an array of {array.framework.name}, {first_argument.name} one of "
                                f"{first.framework.name}: pass those of one framework")
            if array.device != first.device:
                raise ValueError(f"{argument.name} is {_where(array)}, {first_argument.name} {_where(first)}")
        given = self.device or os.environ.get("PBS_DEVICE")
        given = _library.normalize(given) if given else None
        if first.device is None:
            return given or _library.default_device()
        on = f"cuda:{first.device}"
        if first.device < 0:  # a GPU that the array does not name: the kernel's, if it has one
            on = given if given and given != "emulator" else "cuda:0"
        if given and given != on:
            raise ValueError(f"{first_argument.name} is {_where(first)}, and the kernel's device is {given}")
        return on


def _where(array):
    return "in host memory" if array.device is None else "on a GPU" if array.device < 0 else f"on cuda:{array.device}"


class _Call:
    """Checked arguments of one call."""

    def __init__(self, kernel, inputs, out, allocate=True):
        names = ", ".join(argument.name for argument in kernel.inputs)
        if len(inputs) != len(kernel.inputs):
            raise TypeError(f"{kernel.entry} takes {len(kernel.inputs)} inputs ({names}), not {len(inputs)}")
        pairs = [(argument, framework_of(value, argument).view(value, argument, False))
                 for argument, value in zip(kernel.inputs, inputs)]
        if out is not None:
            out = (out,) if len(kernel.outputs) == 1 and not isinstance(out, (tuple, list)) else out
            if len(out) != len(kernel.outputs):
                raise TypeError(f"{kernel.entry} has {len(kernel.outputs)} outputs "
                                f"({', '.join(argument.name for argument in kernel.outputs)}), not {len(out)}")
            pairs += [(argument, framework_of(value, argument).view(value, argument, True))
                      for argument, value in zip(kernel.outputs, out)]
        place = kernel._place(pairs)
        self.executable = kernel._executable(place)
        if place == "emulator" and not kernel.device and not os.environ.get("PBS_DEVICE"):
            _library.say_emulator()
        check_outputs(pairs, len(inputs))
        self.arrays = [array for _, array in pairs]
        self.framework, self.device = self.arrays[0].framework, self.arrays[0].device
        self.count = len(inputs)
        if allocate and out is None:
            given, arrays = tensors(self.arrays), list(self.arrays)
            for number, argument in enumerate(kernel.outputs):
                shape = self.executable.output_shape(given, number, argument.rank)
                model = arrays[0] if argument.follows(kernel.inputs[0]) else None
                self.arrays.append(self.framework.empty(argument, shape, arrays, model))
        self.tensors = tensors(self.arrays)

    def run(self):
        handle, count = self.executable.handle, len(self.arrays)
        if self.device is None:
            _library.run_on(self.executable.device, "run_on_host_data", handle, self.tensors, count)
            return
        size = self.executable.workspace_bytes(self.tensors)
        # Allocated and used on the same stream, the framework's current one: it may go again once the call returns.
        address, kept = self.framework.workspace(size, self.device) if size else (0, None)
        stream = self.stream()
        _library.call("run", handle, self.tensors, count, address, size if kept is not None else 0, stream)
        if stream is None:
            self.synchronize()

    def stream(self):
        return self.framework.stream(self.device)

    def synchronize(self):
        _library.call("synchronize", self.executable.device.handle, None)

    def results(self):
        return tuple(array.result() for array in self.arrays[self.count :])


class Graph:
    """All launches of a call on the same memory, replayed at the cost of one. Kernel.capture() makes them.

    replay() enqueues it on the framework's current stream: what the inputs hold then is read, and the outputs are written.
    Arrays in host memory are copied to the device and back in each replay, which returns when that is done.
    """

    def __init__(self, call):
        self._call = call
        self._host = Staging(call.executable, call.arrays, call.count) if call.device is None else None
        given = self._host.tensors if self._host else call.tensors
        handle = ctypes.c_void_p()
        _library.call("graph_capture", call.executable.handle, given, len(given), ctypes.byref(handle))
        self._graph = _library.Owned(handle, "graph_free", call.executable)

    @property
    def outputs(self):
        """The arrays that a replay writes."""
        return tuple(array.source for array in self._call.arrays[self._call.count :])

    def replay(self):
        """Runs on what the inputs hold now; gives `outputs`."""
        if self._host:
            self._host.upload()
            _library.run_on(self._call.executable.device, "graph_replay", self._graph.handle, None)
            self._host.download()
            self._call.results()
        else:
            stream = self._call.stream()
            _library.call("graph_replay", self._graph.handle, stream)
            if stream is None:
                self._call.synchronize()
        return self.outputs
