# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs pbs modules on the reference and compares with the NumPy twin."""
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from make_inputs import make_inputs, round_to  # noqa: F401, for the tests


def draw_seed():
    """A fresh seed, or that of PBS_SEED."""
    return int(os.environ.get("PBS_SEED", secrets.randbits(32)))


def make_random():
    """Fresh random numbers; the printed seed in PBS_SEED repeats them."""
    seed = draw_seed()
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def run(module, arguments, results, flags=(), device="reference"):
    """The results of the module's only function, as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = ["pbs-run", "-", f"--device={device}", *flags]
        for number, argument in enumerate(arguments):
            np.save(folder / f"argument{number}.npy", argument)
            command.append(f"--arg={folder}/argument{number}.npy")
        files = [folder / f"result{number}.npy" for number in range(results)]
        command += [f"--result={file}" for file in files]
        done = subprocess.run(command, input=module, text=True, capture_output=True)
        assert done.returncode == 0, f"{done.stderr}\n{module}"
        return [np.load(file) for file in files]


def function(arguments, results, body):
    """Text of a module; arguments and results are lists of types."""
    parameters = ", ".join(f"%{number}: {type}" for number, type in enumerate(arguments))
    names = ", ".join(f"%r{number}" for number in range(len(results)))
    return f"func.func @f({parameters}) -> ({', '.join(results)}) {{\n{body}\nreturn {names} : {', '.join(results)}\n}}"


def constants(**values):
    """Index constants by name."""
    return "\n".join(f"%{name} = arith.constant {value} : index" for name, value in values.items())


def half(random, shape, dtype="bf16"):
    """Normally distributed values of the type, as float32."""
    return round_to(random.standard_normal(shape), dtype)


def random_permutation(random, batch, heads, length, segment):
    """Uniform inside complete segments; the tail stays."""
    result = np.broadcast_to(np.arange(length), (batch, heads, length)).astype(np.int32)
    for start in range(0, length - segment + 1, segment):
        part = result[:, :, start : start + segment]
        part[:] = random.permuted(part, axis=-1)
    return result


def assert_close(actual, expected, what):
    """Equal up to float32's rounding of the results; NaN and infinities alike."""
    assert actual.shape == expected.shape, f"{what}: {actual.shape}, not {expected.shape}"
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=1e-6, atol=1e-12, err_msg=what)


def assert_equal(actual, expected, what):
    np.testing.assert_array_equal(actual, expected, err_msg=what)
