# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sends arrays through a kernel that copies bytes, from and to every file form.

Usage: array_files.py PBS_LAUNCH COPY_PTX FOLDER
"""

import json
import os
import shutil
import struct
import subprocess
import sys

import numpy as np

launch, ptx, folder = sys.argv[1:]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
seed = int.from_bytes(os.urandom(4), "little")
print("seed", seed)
rng = np.random.default_rng(seed)


def copy(source, result, shape, dtype, width):
    """Runs the kernel over the array at `source`."""
    count = width * int(np.prod(shape))
    subprocess.run(
        [
            launch,
            ptx,
            f"--grid={-(-count // 64)}",
            "--block=64",
            f"--arg={source}",
            f"--arg=out:{dtype}:{'x'.join(map(str, shape))}",
            f"--arg=u32:{count}",
            f"--result={result}",
        ],
        check=True,
    )


def random_array(dtype, shape):
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(dtype)
    return np.frombuffer(
        rng.bytes(np.dtype(dtype).itemsize * int(np.prod(shape))), dtype
    ).reshape(shape)


def random_shape():
    return tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 5)))


def read_safetensors(path):
    """Name to (dtype, shape, bytes), by the format's description."""
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert length % 8 == 0
    return {
        name: (
            tensor["dtype"],
            tuple(tensor["shape"]),
            data[8 + length :][slice(*tensor["data_offsets"])],
        )
        for name, tensor in header.items()
    }


names = {
    "f32": (np.float32, "F32"),
    "f16": (np.float16, "F16"),
    "i32": (np.int32, "I32"),
    "u16": (np.uint16, "U16"),
    "bool": (np.bool_, "BOOL"),
}
tensors = {}
for name, (dtype, tensor_type) in names.items():
    for version in [(1, 0), (2, 0), (3, 0)]:
        for fortran in [False, True]:
            array = random_array(dtype, random_shape())
            stored = np.asfortranarray(array) if fortran else array
            source, result = f"{folder}/in.npy", f"{folder}/out.npy"
            with open(source, "wb") as file:
                np.lib.format.write_array(file, stored, version)
            copy(source, result, array.shape, name, array.itemsize)
            loaded = np.load(result)
            assert loaded.dtype == dtype and loaded.shape == array.shape
            assert loaded.tobytes() == array.tobytes(), (name, version, fortran)
    copy(source, f"{folder}/out.safetensors:{name}", array.shape, name, array.itemsize)
    tensors[name] = (tensor_type, array.shape, array.tobytes())

# bf16: from safetensors, native in safetensors, f32 in .npy.
bits = random_array(np.uint16, random_shape())
header = json.dumps(
    {
        "x": {
            "dtype": "BF16",
            "shape": list(bits.shape),
            "data_offsets": [0, bits.nbytes],
        }
    }
).encode()
with open(f"{folder}/in.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + bits.tobytes())
source = f"{folder}/in.safetensors:x"
copy(source, f"{folder}/out.safetensors:bf16", bits.shape, "bf16", 2)
tensors["bf16"] = ("BF16", bits.shape, bits.tobytes())
copy(source, f"{folder}/out.npy", bits.shape, "bf16", 2)
widened = (bits.astype(np.uint32) << 16).view(np.float32)
loaded = np.load(f"{folder}/out.npy")
assert loaded.dtype == np.float32
np.testing.assert_array_equal(loaded, widened)

assert read_safetensors(f"{folder}/out.safetensors") == tensors
