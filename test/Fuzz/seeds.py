# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""seeds.py CORPUS FOLDER: writes inputs for a fuzz target into FOLDER, made of the
tests' own, and the words in them into FOLDER.dict, for libFuzzer's -dict.
"""

import io
import json
import re
import shutil
import struct
import sys
from pathlib import Path

import numpy

root = Path(__file__).resolve().parents[2]
ptx_header = ".version 8.0\n.target sm_90a\n.address_size 64\n"


def raw_strings(path):
    """The raw strings R"(...)" of a C++ source."""
    return re.findall(r'R"\((.*?)\)"', (root / path).read_text(), re.DOTALL)


def plan():
    page = (root / "docs/plan-format.md").read_text()
    yield from re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    for name in ["PlanTest", "LauncherTest", "ArgumentsTest", "PbsLaunchTest"]:
        for text in raw_strings(f"test/Unit/Runtime/{name}.cpp"):
            if "pbs-plan" in text:
                yield text


def arrays():
    for dtype in ["<f4", "<f2", "<i4", "<u2", "|b1"]:
        for shape in [(), (0,), (3,), (2, 3), (2, 1, 2)]:
            yield numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape).astype(dtype)


def npy():
    for array in arrays():
        for version in [(1, 0), (2, 0)]:
            for order in "CF":
                stream = io.BytesIO()
                numpy.lib.format.write_array(
                    stream, numpy.array(array, order=order), version
                )
                yield stream.getvalue()


def safetensors():
    names = {"<f4": "F32", "<f2": "F16", "<i4": "I32", "<u2": "U16", "|b1": "BOOL"}
    for array in arrays():
        for extra in [{}, {"__metadata__": {"format": "pt"}}, {"other": None}]:
            data = array.tobytes()
            header = dict(extra)
            header["t"] = {
                "dtype": names[array.dtype.str],
                "shape": array.shape,
                "data_offsets": [0, len(data)],
            }
            if "other" in header:
                header["other"] = {
                    "dtype": "BF16",
                    "shape": [2],
                    "data_offsets": [len(data), len(data) + 4],
                }
                data += b"\x80\x3f\x00\x40"
            text = json.dumps(header).encode()
            yield struct.pack("<Q", len(text)) + text + data


def ptx():
    for folder in ["test/Runtime", "test/Unit/Emulator/Inputs", "bench/emulator"]:
        for path in sorted((root / folder).glob("*.ptx")):
            yield path.read_text()
    for path in sorted((root / "test/Unit/Emulator").glob("*Test.cpp")):
        for text in raw_strings(path):
            if ".entry" in text or ".func" in text:
                yield ptx_header + text
            else:
                registers = ".reg .b32 %r<99>; .reg .b64 %rd<99>; .reg .pred %p<9>;"
                yield f"{ptx_header}.entry k(.param .u64 out) {{ {registers} {text} }}"


def mlir():
    for folder in ["test/Dialect", "test/Conversion/PBSToPBSGPU", "bench/compile"]:
        for path in sorted((root / folder).rglob("*.mlir")):
            for part in re.split(r"^// -----.*\n", path.read_text(), flags=re.M):
                lines = part.splitlines(keepends=True)
                yield "".join(x for x in lines if not x.lstrip().startswith("//"))


def words(texts, target):
    """What a mutation may insert: names with their marks, and punctuation that
    goes together."""
    found = set()
    for text in texts:
        found |= set(re.findall(rb"[!#@.]?[A-Za-z_][\w.]*|->|\[\[|::|[<(\[{]\w+[>)\]}]", text))
    if target == "ptx":
        table = (root / "runtime/emulator/Instructions.def").read_text()
        for text in re.findall(r'"([^"]*)"', table):
            found |= {word.encode() for word in text.split()}
    return sorted(word for word in found if 1 < len(word) <= 40)


def main():
    target, folder = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    makers = (plan, npy, safetensors, ptx, mlir)
    maker = next(maker for maker in makers if maker.__name__ == target)
    seeds = [seed.encode() if isinstance(seed, str) else seed for seed in maker()]
    for number, seed in enumerate(seeds):
        (folder / f"{number:03}").write_bytes(seed)
    with open(f"{folder}.dict", "w", encoding="ascii") as dictionary:
        for word in words(seeds, target):
            dictionary.write('"%s"\n' % word.decode())


main()
