# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Configuration of the lit tests; lit.site.cfg.py adds the build's paths.

PBS_ROUNDTRIP=1 makes every pbs-opt print its input and parse it again before
its passes run; tests without pbs-opt are left out then.

PBS_SEED=N repeats the tests of a run that printed this seed.
"""

import os
import secrets
import shutil
import sys

import lit.formats

sys.path.insert(0, os.path.dirname(__file__))
from round_trip_test import RoundTripTest

round_trip = os.environ.get("PBS_ROUNDTRIP", "0") != "0"

config.name = "PBS round trip" if round_trip else "PBS"
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "Unit"]
config.test_format = (RoundTripTest if round_trip else lit.formats.ShTest)(False)
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(
    config.pbs_binary_dir, "test", "roundtrip" if round_trip else "lit"
)

config.environment["PATH"] = os.pathsep.join(
    [config.pbs_tools_dir, config.llvm_tools_dir, os.environ["PATH"]]
)
config.environment["FILECHECK_OPTS"] = "--enable-var-scope"

ptxas = shutil.which(
    "ptxas", path=os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin"])
)
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", ptxas))

# cuda.h of the CUDA toolkit, for what is written for the driver API.
cuda_include = next(
    (
        folder
        for folder in ("/usr/local/cuda/include", "/usr/include")
        if os.path.exists(os.path.join(folder, "cuda.h"))
    ),
    None,
)
if cuda_include:
    config.available_features.add("cuda-header")
    config.substitutions.append(("%cuda_include", cuda_include))

config.substitutions.append(("%python", config.python))
config.substitutions.append(("%cc", f"{config.c_compiler} {config.cxx_flags}"))
config.substitutions.append(("%c_compiler", config.c_compiler))
config.substitutions.append(("%cxx_compiler", config.cxx_compiler))
config.substitutions.append(("%cxx_flags", config.cxx_flags))
config.substitutions.append(("%compiler_launcher", config.compiler_launcher))
config.substitutions.append(("%cmake", config.cmake))
config.substitutions.append(("%emulated_driver", config.emulated_driver))
config.substitutions.append(("%pbs_build", config.pbs_binary_dir))
config.substitutions.append(("%pbs_version", config.pbs_version))
config.substitutions.append(("%pbs_source", config.pbs_source_dir))
# Tests that share their random numbers; fresh in each run.
seed = os.environ.get("PBS_SEED", str(secrets.randbits(32)))
config.substitutions.append(("%run_seed", seed))
if round_trip:
    config.substitutions.append(
        (r"(?<![\w./-])pbs-opt(?![\w.-])", "pbs-opt --verify-roundtrip")
    )
