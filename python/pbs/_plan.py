# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a launch plan (docs/plan-format.md) says about an entry's arguments, read without the library."""
import dataclasses
import functools
import hashlib
import json
import pathlib

from ._library import Error

_BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b), "mod": lambda a, b: a % b, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}


def evaluate(expression, sizes, minimum=min, maximum=max):
    """The value of an expression over sizes, which may be symbolic integers; minimum and maximum must suit them."""
    if isinstance(expression, int):
        return expression
    if isinstance(expression, str):
        return sizes[expression]
    operator, *operands = expression

    def value(number):
        return evaluate(operands[number], sizes, minimum, maximum)

    if operator == "select":
        return value(1) if value(0) else value(2)
    if operator == "and":
        return 1 if value(0) and value(1) else 0
    if operator == "or":
        return 1 if value(0) or value(1) else 0
    if operator in ("min", "max"):
        return (minimum if operator == "min" else maximum)(value(0), value(1))
    result = _BINARY[operator](value(0), value(1))
    return (1 if result else 0) if operator in ("eq", "ne", "lt", "le", "gt", "ge") else result


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of an entry.

    dtype: "bf16", "f16", "f32", "i32", "u16" or "bool". contiguous: whether it must be row-major without gaps; otherwise
    only its last dimension must be, and the other strides multiples of `alignment` bytes. shape: the plan's expressions.
    """

    name: str
    dtype: str
    rank: int
    contiguous: bool
    alignment: int
    shape: tuple = dataclasses.field(repr=False, hash=False)

    def follows(self, other):
        """Whether, as an output, it is allocated in the order of dimensions that `other`, an input, has in memory.

        So out comes as q is, (B, N, H, D) viewed as (B, H, N, D) for instance, like the results of frameworks' functions.
        """
        return not self.contiguous and self.shape == other.shape


class Plan:
    """One entry of the plan at `path`; `entry` may be None where there is one only."""

    def __init__(self, path, entry=None):
        self.path = pathlib.Path(path).resolve()
        try:
            text = self.path.read_text(encoding="utf-8")
            plan = json.loads(text)
            if plan["format"] != "pbs-plan" or plan["version"] != 1:
                raise Error(f"{path}: is no pbs-plan of version 1")
            entries = {one["name"]: one for one in plan["entries"]}
            if entry is None and len(entries) != 1:
                raise Error(f"{path}: has the entries {', '.join(entries)}: name one by entry=")
            if entry is not None and entry not in entries:
                raise Error(f"{path}: has no entry {entry}, but {', '.join(entries)}")
            self.chip = plan["module"]["chip"]
            self.entry = next(iter(entries)) if entry is None else entry
            self._sizes = entries[self.entry]["sizes"]
            arguments = [(one["role"], Argument(one["name"], one["type"], len(one["shape"]), one["strides"] == "contiguous",
                                                one["alignment"], tuple(one["shape"])))
                         for one in entries[self.entry]["arguments"]]
        except OSError as error:
            raise Error(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Error(f"{path}: is no launch plan: {error!r}") from error
        self.inputs = tuple(argument for role, argument in arguments if role == "input")
        self.outputs = tuple(argument for role, argument in arguments if role == "output")
        self._files = [self.path] + [self.path.parent / plan["module"][kind] for kind in ("ptx", "cubin")
                                     if kind in plan["module"]]

    @functools.cached_property
    def digest(self):
        """A hash of the plan and its code: plans alone may be equal where kernels differ, in a scale for instance."""
        digests = [hashlib.sha256(file.read_bytes()).digest() for file in self._files]
        return hashlib.sha256(b"".join(digests)).hexdigest()

    def output_shapes(self, shapes, minimum=min, maximum=max):
        """The outputs' extents for the inputs' `shapes`, all of which may be symbolic."""
        sizes = {}
        for argument, shape in zip(self.inputs, shapes, strict=True):
            for extent, found in zip(argument.shape, shape, strict=True):
                if isinstance(extent, str):
                    sizes.setdefault(extent, found)
        return [tuple(evaluate(extent, sizes, minimum, maximum) for extent in argument.shape) for argument in self.outputs]
