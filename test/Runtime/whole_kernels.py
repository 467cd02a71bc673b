#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the hand-written Hopper kernels through pbs-launch and compares with NumPy, exactly.

    whole_kernels.py KERNELS --device=emulator|cuda[:N] [--launch=pbs-launch] [--seed=N] [--json=FILE]

KERNELS is test/Unit/Emulator/Inputs. All inputs are integers whose products and sums every order of summation gets right.
"""

import argparse
import json
import pathlib
import secrets
import subprocess
import sys
import tempfile

import numpy as np


def bfloat(values):
    """Bits of small integers in bf16, which holds them exactly."""
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def write_safetensors(path, tensors):
    """Arrays of bf16 bits by name."""
    header, data = {}, b""
    for name, array in tensors.items():
        begin = len(data)
        data += array.tobytes()
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


class Runner:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.random = np.random.default_rng(options.seed)

    def integers(self, *shape):
        return self.random.integers(-16, 17, shape)

    def launch(self, file, grid, block, arguments, results, flags=()):
        command = [self.options.launch, str(self.options.kernels / file), f"--device={self.options.device}",
                   f"--grid={grid}", f"--block={block}", *flags]
        command += [f"--arg={argument}" for argument in arguments]
        command += [f"--result={self.folder / name}.npy" for name in results]
        if self.options.device == "emulator":
            command.append("--checks=all")
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode or done.stderr:
            raise RuntimeError(done.stderr.strip())
        return [np.load(self.folder / f"{name}.npy") for name in results]

    def product(self):
        """TMA ring, mbarriers, two consumer warpgroups, wgmma, TMA store; ragged tiles."""
        for m, n, k in ((128, 128, 64), (256, 384, 512), (200, 136, 200)):
            a, b = self.integers(m, k), self.integers(n, k)
            file = self.folder / "product.safetensors"
            write_safetensors(file, {"a": bfloat(a), "b": bfloat(b)})
            grid = f"{-(-n // 128)},{-(-m // 128)}"
            arguments = [f"map:{file}:a:128x64:128", f"map:{file}:b:128x64:128",
                         f"map:out:bf16:{m}x{n}:64x64:128", f"u32:{k}"]
            (c,) = self.launch("tma_wgmma_product.ptx", grid, 384, arguments, ["c"], ["--shared=131120"])
            # Rounded to bf16, ties to even.
            bits = (a @ b.T).astype(np.float32).view(np.uint32).astype(np.uint64)
            want = (((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint32) << 16).view(np.float32)
            np.testing.assert_array_equal(c, want)

    def tiles(self):
        """wgmma with A in shared memory and in registers, B K-major and MN-major."""
        a, b = self.integers(128, 64), self.integers(64, 128)
        file = self.folder / "tiles.safetensors"
        write_safetensors(file, {"a": bfloat(a), "columns": np.ascontiguousarray(bfloat(b).T), "rows": bfloat(b)})
        arguments = [f"{file}:{name}" for name in ("a", "columns", "rows")] + ["out:f32:128x128"] * 2
        for result in self.launch("wgmma-product.ptx", 1, 256, arguments, ["shared", "registers"]):
            np.testing.assert_array_equal(result, a @ b)

    def multicast(self):
        """Tiles for both CTAs of a cluster."""
        rows = int(self.random.integers(16, 200))
        words = self.random.integers(-(2**31), 2**31, (rows, 32)).astype(np.int32)
        np.save(self.folder / "words.npy", words)
        arguments = [f"map:{self.folder / 'words.npy'}:8x32:128", f"map:out:i32:{rows}x32:16x32:128",
                     f"map:out:i32:{rows}x32:16x32:128", f"u32:{-(-rows // 16)}"]
        outs = self.launch("tma_multicast.ptx", 2, 64, arguments, ["out0", "out1"], ["--cluster=2"])
        for rank, out in enumerate(outs):
            np.testing.assert_array_equal(out, words + np.int32(rank))

    def pipeline(self):
        """A producer warp, a ring of three stages, and consumers; every swizzle at both ends, or at one."""
        masks = {0: 0, 32: 1, 64: 3, 128: 7}
        for source, mask in masks.items():
            for target, target_mask in masks.items():
                if source != target and source and target:
                    continue  # Rows narrower than their swizzle are padded.
                width = min(source or 128, target or 128) // 2
                height = 2048 // width
                shape = (int(self.random.integers(1, 150)), 8 * int(self.random.integers(1, 25)))
                words = self.random.integers(0, 2**16, shape).astype(np.uint16)
                np.save(self.folder / "in.npy", words)
                across, down = -(-shape[1] // width), -(-shape[0] // height)
                arguments = [f"map:{self.folder / 'in.npy'}:{height}x{width}:{source}",
                             f"map:out:u16:{shape[0]}x{shape[1]}:{height}x{width}:{target}"]
                arguments += [f"u32:{number}" for number in (across, across * down, width, height,
                                                             2 * width * height, mask, target_mask)]
                (out,) = self.launch("tma_pipeline.ptx", int(self.random.integers(1, 4)), 96, arguments, ["out"])
                np.testing.assert_array_equal(out, words)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", type=pathlib.Path)
    parser.add_argument("--device", default="emulator")
    parser.add_argument("--launch", default="pbs-launch")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("product", "tiles", "multicast", "pipeline"):
            try:
                getattr(Runner(options, pathlib.Path(folder)), name)()
                outcomes[name] = "passed"
            except (RuntimeError, AssertionError, subprocess.TimeoutExpired) as error:
                outcomes[name] = f"failed: {error}"
            print(f"{name}: {outcomes[name]}")
    if options.json:
        options.json.write_text(json.dumps({"device": options.device, "seed": options.seed, "kernels": outcomes}, indent=1))
    return any(outcome != "passed" for outcome in outcomes.values())


if __name__ == "__main__":
    sys.exit(main())
