# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packs a small bundle, moves it, builds it with g++ where it lies and runs its checks on the emulated CUDA driver."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[3]
build, folder = map(pathlib.Path, sys.argv[1:])
# The cache of compilers, where there is one: the same sources are compiled in each run of the tests.
compiler = shutil.which("g++", path="/usr/lib/ccache") or "g++"


def run(*command, **variables):
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **variables})
    assert done.returncode == 0, f"{command}: {done.stdout[-6000:]}"


run(SOURCE / "scripts" / "gpu-bundle.sh", "--only=^attention-single-key$", folder / "packed", PBS_BUNDLE_BUILD=str(build))
bundle = (folder / "packed").rename(folder / "bundle")
# Nothing of the tree may be needed, nor the tools of the build.
path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not part.startswith(str(build)))
run(sys.executable, bundle / "scripts" / "gpu_bundle" / "check.py", "--emulated", "--only=build|unit|integration",
    f"--json={folder / 'outcome.json'}", CXX=compiler, PBS_CHECK_CXXFLAGS="-O0", PATH=path,
    PBS_EMULATED_DRIVER_REFUSED=str(folder / "refused"))
outcome = json.loads((folder / "outcome.json").read_text())
passed = {part["part"]: part["passed"] for part in outcome["parts"]}
assert passed.keys() == {"build", "CudaTests", "CApiTests", "integration"} and all(passed.values()), passed
# compute-sanitizer would count each refused call; these are what tests of the C interface ask for: freeing what is no
# allocation, and more memory than there is.
refused = (folder / "refused").read_text()
assert refused == "cuMemFree_v2: CUDA_ERROR_INVALID_VALUE\ncuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY\n", refused
assert outcome["gpu"]["name"] == "emulated CUDA driver", outcome["gpu"]
