# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of the Python package share: the device, random inputs, the NumPy twin and its bounds.

PBS_TEST_DEVICE=cuda runs them on a GPU: `python3 -m unittest` in this folder runs all files. PBS_SEED repeats a run's inputs.
"""
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / folder) for folder in ("test/Reference", "scripts", "test/Integration/Inputs")]
try:
    import pbs
except ImportError:
    sys.path.insert(0, str(SOURCE / "python"))
    import pbs

import numpy as np
import twin
from attention_case import judge, TOLERANCE
from make_inputs import round_to

DEVICE = os.environ.get("PBS_TEST_DEVICE", "emulator")
ON_GPU = DEVICE != "emulator"
SEED = int(os.environ.get("PBS_SEED", secrets.randbits(32)))
print(f"PBS_SEED={SEED} PBS_TEST_DEVICE={DEVICE}", flush=True)
if "PBS_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="pbs-cache-")
    os.environ["PBS_CACHE_DIR"] = _cache.name

HEADS = {"q_heads": 4, "kv_heads": 2, "head_dim": 64}


def main():
    unittest.main(verbosity=2)


class Case(unittest.TestCase):
    def setUp(self):
        """Random numbers that depend on the seed and the test."""
        self.random = np.random.default_rng([SEED, *self.id().encode()])

    def inputs(self, queries, keys=None, batch=1, dtype="bf16", q_heads=4, kv_heads=2, head_dim=64):
        """q, k, v as float32, rounded to the type, (B, H, N, D)."""
        keys = queries if keys is None else keys
        shapes = (q_heads, queries), (kv_heads, keys), (kv_heads, keys)
        return [round_to(self.random.standard_normal((batch, heads, length, head_dim)), dtype) for heads, length in shapes]

    def copy_tiles(self, folder):
        """A kernel in f16 that copies through tensor maps, compiled into the folder."""
        if ON_GPU and pbs._library.device(DEVICE).chip != "sm_90a":
            self.skipTest("its PTX is for sm_90a")
        module = (SOURCE / "test/Target/PTX/Inputs/copy-tiles.mlir").read_text().replace("bf16", "f16")
        subprocess.run([pbs._compiler.find("pbs-compile"), "-", "-o", f"{folder}/copy.ptx"], input=module, text=True, check=True)
        return pbs.load(f"{folder}/copy.plan.json", device=DEVICE)

    def assert_attention(self, out, lse, inputs, dtype="bf16", listed=None, permutation=None, **options):
        """out and lse are the twin's over all blocks or the listed ones, within the suite's bounds."""
        q, k, v = (x.astype(np.float64) for x in inputs)
        segment = options.pop("segment", 256)
        blocks = options.pop("blocks", (128, 128))
        scale = options.pop("scale", None)
        modify = options.pop("modify", None)
        geometry = twin.Geometry(q.shape[2], k.shape[2], *blocks, segment, **options)
        if listed is None:
            expected = twin.prefill(q, k, v, geometry, "none", twin.take_all, scale, modify=modify)
            expected = expected["out"], expected["lse"]
        else:
            expected = twin.attention(q, k, v, listed, geometry, permutation, scale or q.shape[3] ** -0.5, modify=modify)
        self.assertEqual(out.shape, q.shape)
        self.assertEqual(lse.shape, q.shape[:3])
        out, lse = np.asarray(out, np.float64), np.asarray(lse, np.float64)
        failures = judge("twin", out, lse, *expected, TOLERANCE[dtype], blocks[0])
        self.assertFalse(failures, "\n".join(failures))


def views(arrays):
    """The same values, (B, N, H, D) in memory and viewed as (B, H, N, D)."""
    return [np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for x in arrays]


def run_python(code, **environment):
    """Runs code in a new interpreter; the finished process. None removes a variable."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for name, value in environment.items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = str(value)
    return subprocess.run([sys.executable, "-c", code], env=variables, text=True, capture_output=True, timeout=300)


def missing(module):
    """Why tests that need a module cannot run, or None."""
    try:
        __import__(module)
    except ImportError as error:
        return f"needs {module}: {error}"
    return None
