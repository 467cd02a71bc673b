# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""libpbs_runtime through ctypes: finds and opens it, and turns its status codes into exceptions."""
import ctypes
import functools
import logging
import os
import pathlib
import threading
import weakref

ABI_MAJOR, ABI_MINOR = 1, 1
SONAME = f"libpbs_runtime.so.{ABI_MAJOR}"
STATUS = ("success", "invalid", "unavailable", "out of memory", "device", "internal", "stopped")
TYPES = ("bf16", "f16", "f32", "i32", "u16", "bool")
TYPE_CODES = {name: code for code, name in enumerate(TYPES)}
BYTES = {"bf16": 2, "f16": 2, "f32": 4, "i32": 4, "u16": 2, "bool": 1}
# The driver's name of the legacy default stream, which frameworks call stream 0; NULL is the device's own stream here.
LEGACY_STREAM = 1

log = logging.getLogger("pbs")


class Error(RuntimeError):
    """What the runtime library, the compiler or a plan has to say, in one line.

    status: "invalid", "unavailable", "out of memory", "device", "internal" or "stopped" as in pbs_runtime.h, or "compiler".
    """

    def __init__(self, message, status="invalid"):
        super().__init__(message)
        self.status = status


class Tensor(ctypes.Structure):
    """pbs_tensor."""

    _fields_ = [("address", ctypes.c_uint64), ("bytes", ctypes.c_uint64), ("type", ctypes.c_int), ("rank", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64))]


def candidates():
    """Where the library may be, in the order of the search."""
    if "PBS_RUNTIME_LIBRARY" in os.environ:
        return [os.environ["PBS_RUNTIME_LIBRARY"]]
    home = [str(pathlib.Path(os.environ["PBS_HOME"]) / "lib" / SONAME)] if "PBS_HOME" in os.environ else []
    return home + [SONAME]


def _open():
    tried = []
    for name in candidates():
        try:
            return name, ctypes.CDLL(name)
        except OSError as error:
            tried.append(str(error))
    raise Error(f"cannot open {SONAME} ({'; '.join(tried)}): set PBS_RUNTIME_LIBRARY to its path, or PBS_HOME to the "
                "folder that has it in lib/", "unavailable")


def _declare(library):
    pointer, size, handle = ctypes.POINTER, ctypes.c_size_t, ctypes.c_void_p
    u64, tensors, text = ctypes.c_uint64, pointer(Tensor), ctypes.c_char_p
    status = ctypes.c_int
    for name, result, *arguments in (
        ("error_message", text),
        ("device_open", status, text, pointer(handle)),
        ("device_close", None, handle),
        ("device_description", text, handle),
        ("device_chip", text, handle),
        ("device_stop", status, handle),
        ("allocate", status, handle, u64, pointer(u64)),
        ("free", status, handle, u64),
        ("copy_to_device", status, handle, u64, handle, u64, handle),
        ("copy_to_host", status, handle, handle, u64, u64, handle),
        ("synchronize", status, handle, handle),
        ("executable_load", status, handle, text, text, pointer(handle)),
        ("executable_free", None, handle),
        ("output_shape", status, handle, tensors, size, size, pointer(ctypes.c_int64)),
        ("workspace_bytes", status, handle, tensors, size, pointer(u64)),
        ("run", status, handle, tensors, size, u64, u64, handle),
        ("run_on_host_data", status, handle, tensors, size),
        ("graph_capture", status, handle, tensors, size, pointer(handle)),
        ("graph_replay", status, handle, handle),
        ("graph_free", None, handle),
    ):
        function = getattr(library, f"pbs_{name}")
        function.restype, function.argtypes = result, arguments


_lock = threading.RLock()
_devices = {}


@functools.lru_cache(maxsize=None)
def _load():
    name, library = _open()
    major, minor = ctypes.c_int(), ctypes.c_int()
    library.pbs_version(ctypes.byref(major), ctypes.byref(minor))
    if major.value != ABI_MAJOR or minor.value < ABI_MINOR:
        raise Error(f"{name} has version {major.value}.{minor.value} of the interface, this package needs "
                    f"{ABI_MAJOR}.{ABI_MINOR} or a later {ABI_MAJOR}.x", "unavailable")
    _declare(library)
    return name, library


def library():
    """The opened library."""
    with _lock:
        return _load()[1]


def library_folder():
    """The folder of the library, or None where the loader's path found it."""
    with _lock:
        folder = pathlib.Path(_load()[0]).parent
    return folder.resolve() if folder.parts else None


def call(name, *arguments):
    """Calls pbs_<name>; raises Error where it fails."""
    code = getattr(library(), f"pbs_{name}")(*arguments)
    if code:
        raise Error(library().pbs_error_message().decode(errors="replace"), STATUS[code] if code < len(STATUS) else "internal")


def run_on(device, name, *arguments):
    """call() for what runs kernels and waits for them. On the emulator an exception that a signal raises, KeyboardInterrupt
    for instance, ends them; a GPU's kernels run to their end first."""
    if device.name != "emulator" or threading.current_thread() is not threading.main_thread():
        return call(name, *arguments)
    # Python handles signals between its own instructions of the main thread, so the call is another thread's.
    done, failures = threading.Event(), []

    def run():
        try:
            call(name, *arguments)
        except Error as error:
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    try:
        done.wait()
    except BaseException:
        # Again and again: a stop is for a call that has begun.
        while not done.wait(0.01):
            call("device_stop", device.handle)
        raise
    if failures:
        raise failures[0]


class Owned:
    """A handle of the library that is given back with the object. At exit the process's end does that."""

    def __init__(self, handle, free, *parents):
        self.handle = handle
        self._parents = parents  # outlive the handle
        weakref.finalize(self, getattr(library(), f"pbs_{free}"), handle).atexit = False


class Device(Owned):
    """An opened device; device() gives the only one of each name."""

    def __init__(self, name):
        handle = ctypes.c_void_p()
        call("device_open", name.encode(), ctypes.byref(handle))
        super().__init__(handle, "device_close")
        self.name = name
        self.ordinal = int(name.partition(":")[2]) if name.startswith("cuda:") else None
        self.chip = library().pbs_device_chip(handle).decode()
        self.description = library().pbs_device_description(handle).decode()


class Memory:
    """Bytes on a device, uninitialised."""

    def __init__(self, device, size):
        address = ctypes.c_uint64()
        call("allocate", device.handle, max(size, 1), ctypes.byref(address))
        self.address = address.value
        weakref.finalize(self, library().pbs_free, device.handle, self.address).atexit = False


class Executable(Owned):
    """One entry of a plan, loaded on a device."""

    def __init__(self, device, path, entry):
        handle = ctypes.c_void_p()
        name = None if entry is None else entry.encode()
        call("executable_load", device.handle, os.fsencode(path), name, ctypes.byref(handle))
        super().__init__(handle, "executable_free", device)
        self.device = device

    def output_shape(self, inputs, output, rank):
        """The extents of output number `output`, for a ctypes array of inputs."""
        shape = (ctypes.c_int64 * max(rank, 1))()
        call("output_shape", self.handle, inputs, len(inputs), output, shape)
        return tuple(shape[:rank])

    def workspace_bytes(self, arguments):
        result = ctypes.c_uint64()
        call("workspace_bytes", self.handle, arguments, len(arguments), ctypes.byref(result))
        return result.value


def normalize(name):
    """"cuda" is the first GPU."""
    name = str(name)  # also of a torch.device
    return "cuda:0" if name == "cuda" else name


def device(name):
    """Opens "emulator", "cuda" or "cuda:N", once in a process. Error where there is none."""
    name = normalize(name)
    with _lock:
        if name not in _devices:
            _devices[name] = Device(name)
        return _devices[name]


@functools.lru_cache(maxsize=None)
def _first_device():
    """(name, why it is the emulator and no GPU)."""
    try:
        return device("cuda").name, None
    except Error as error:
        if error.status != "unavailable":
            raise
        return device("emulator").name, str(error)


def default_device():
    """The name of PBS_DEVICE's device, or of the first GPU, or "emulator" where there is none."""
    with _lock:
        return normalize(os.environ["PBS_DEVICE"]) if os.environ.get("PBS_DEVICE") else _first_device()[0]


@functools.lru_cache(maxsize=None)
def say_emulator():
    """Warns once that the emulator runs what nobody has named a device for."""
    log.warning("runs on the emulator where no device is named, since there is no GPU: %s", _first_device()[1])
