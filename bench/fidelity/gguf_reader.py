# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads GGUF files: a header, metadata by key, descriptions of tensors, and their data.

Only what the model of this benchmark needs is here: version 3, and the types F32, Q8_0 and Q4_1. The file may be cut into
parts, which are read one after the other.
"""
import pathlib
import struct

import numpy as np

# Types of metadata values by their number.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# Types of tensors by their number: name, values of a block, bytes of a block.
_TENSORS = {0: ("F32", 1, 4), 3: ("Q4_1", 32, 20), 8: ("Q8_0", 32, 34)}


def dequantise(raw, kind):
    """Bytes (uint8, 1-D) of a tensor type -> its values, float32, 1-D.

    Q8_0: blocks of a scale (f16) and 32 signed bytes. Q4_1: blocks of a scale and an offset (f16) and 16 bytes, whose lower
    halves are the first 16 values and whose upper halves are the others.
    """
    if kind == "F32":
        return raw.view(np.float32)
    size = next(size for name, _, size in _TENSORS.values() if name == kind)
    blocks = raw.reshape(-1, size)

    def halves(first):
        return np.ascontiguousarray(blocks[:, first : first + 2]).view(np.float16).astype(np.float32)

    if kind == "Q8_0":
        return (blocks[:, 2:].view(np.int8) * halves(0)).reshape(-1)
    quants = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    return (quants * halves(0) + halves(2)).reshape(-1)


class GGUF:
    """`metadata`, a dictionary, and tensor(name) of the file that `paths`, its parts in order, hold together."""

    def __init__(self, *paths):
        self._data = np.frombuffer(b"".join(pathlib.Path(path).read_bytes() for path in paths), np.uint8)
        self._at = 4
        if self._data[:4].tobytes() != b"GGUF" or self._scalar("I") != 3:
            raise ValueError(f"{paths[0]}: no GGUF file of version 3")
        tensors, values = self._scalar("Q"), self._scalar("Q")
        self.metadata = {self._string(): self._value(self._scalar("I")) for _ in range(values)}
        self._tensors = {self._string(): self._description() for _ in range(tensors)}
        alignment = self.metadata.get("general.alignment", 32)
        self._start = -(-self._at // alignment) * alignment

    @property
    def bytes(self):
        return self._data

    @property
    def names(self):
        return tuple(self._tensors)

    def tensor(self, name):
        """float32, rows first: a matrix that maps n inputs to m outputs is (m, n)."""
        shape, kind, offset = self._tensors[name]
        if kind not in _TENSORS:
            raise ValueError(f"{name}: tensors of GGUF type {kind} are not read here")
        label, values, size = _TENSORS[kind]
        count = int(np.prod(shape)) // values * size
        raw = self._data[self._start + offset : self._start + offset + count]
        return dequantise(raw, label).reshape(shape)

    def _scalar(self, code):
        value = struct.unpack_from("<" + code, self._data, self._at)[0]
        self._at += struct.calcsize("<" + code)
        return value

    def _string(self):
        length = self._scalar("Q")
        self._at += length
        return self._data[self._at - length : self._at].tobytes().decode()

    def _value(self, kind):
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            element, count = self._scalar("I"), self._scalar("Q")
            return [self._value(element) for _ in range(count)]
        raise ValueError(f"metadata of GGUF type {kind}")

    def _description(self):
        """(shape, type, offset); the file has the innermost dimension first."""
        shape = [self._scalar("Q") for _ in range(self._scalar("I"))]
        return shape[::-1], self._scalar("I"), self._scalar("Q")
