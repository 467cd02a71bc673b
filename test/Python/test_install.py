# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package as pip installs it, offline."""
import importlib.metadata
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import common
from common import DEVICE, pbs

REASON = next((f"needs {name}" for name in ("pip", "setuptools") if not importlib.util.find_spec(name)), None)
if REASON is None:
    version = tuple(map(int, importlib.metadata.version("setuptools").split(".")[:2]))
    if version < (61, 0):
        REASON = "needs setuptools 61, the first that reads pyproject.toml"
    elif version < (70, 1) and not importlib.util.find_spec("wheel"):
        REASON = "needs wheel, which setuptools has in it from 70.1 on"

CODE = f"""
import importlib.metadata, numpy, pbs
print(pbs.__file__, importlib.metadata.version("pbs-attention"), pbs.__version__)
kernel = pbs.compile(q_heads=2, kv_heads=1, head_dim=64, device={DEVICE!r})
print(kernel(*(numpy.ones((1, heads, 5, 64), numpy.float32) for heads in (2, 1, 1)))[0].sum())
"""


@unittest.skipIf(REASON, REASON)
class Install(common.Case):
    def test_pip(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            # Building writes beside the sources.
            shutil.copytree(common.SOURCE / "python", folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build"))
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index",
                            "--disable-pip-version-check", "--root-user-action=ignore", "--target", str(folder / "target"),
                            str(folder / "source")], check=True, cwd=folder)
            library = pathlib.Path(pbs._library._load()[0]).resolve()
            done = common.run_python(f"import sys; sys.path[:] = [p for p in sys.path if 'python' != p.rsplit('/', 1)[-1]]; "
                                     f"sys.path.insert(0, {str(folder / 'target')!r})\n" + CODE, PBS_RUNTIME_LIBRARY=library)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual(lines[0], f"{folder / 'target'}/pbs/__init__.py 0.1.0 0.1.0")
            self.assertEqual(lines[1], str(2.0 * 5 * 64))
            installed = {file.name for file in (folder / "target" / "pbs").glob("*.py")}
            self.assertEqual(installed, {file.name for file in (common.SOURCE / "python" / "pbs").glob("*.py")})


if __name__ == "__main__":
    common.main()
