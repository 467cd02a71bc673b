#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds a bundle's runtime and runs its tests on the GPU: unit, integration, sanitizers, Python, examples.

Needs a C++17 compiler, NumPy and an NVIDIA driver. PBS_CHECK_CXXFLAGS adds to the compiler's flags. What else is not there (compute-sanitizer, PyTorch, transformers, CuPy,
JAX, Jansson, cuda.h) is skipped with its reason. --json keeps the outcome with date and GPU.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TOOLS = ROOT / "bin"
EMULATED_DRIVER = ROOT / "lib" / "emulated-driver"
BUNDLE = json.loads((ROOT / "bundle.json").read_text())
SEED = BUNDLE["seed"]
# Small enough for tools that slow a kernel down a hundred times.
SANITIZED = "^(attention-(single-key|below-segment|no-permutation|group-of-one|blocks-64x64)|non-finite|directed-shares)$"


def compiler():
    for name in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return name
    sys.exit("no C++ compiler; CXX names one")


class Build:
    """Compiles and links the targets of a CMake build as its manifest says, a few sources at a time."""

    def __init__(self):
        text = (ROOT / "gpu-bundle.json").read_text()
        manifest = json.loads(text)
        self.targets = json.loads(text.replace(manifest["root"], str(ROOT)))["targets"]
        self.compiler = compiler()
        # In place of the packages that the build found.
        self.packages = [f"-I{ROOT / 'third_party' / folder}" for folder in (
            "", "googletest/include", "googletest", "googlemock/include", "googlemock")]
        self.googletest = [ROOT / "third_party" / source for source in (
            "googletest/src/gtest-all.cc", "googlemock/src/gmock-all.cc", "googletest/src/gtest_main.cc")]

    def closure(self, name):
        """The target and the static libraries that are linked into it, each once."""
        found = [name]
        for one in found:
            found += [library for library in self.targets[one]["link_libraries"] if library not in found
                      and self.targets.get(library, {}).get("type") == "STATIC_LIBRARY"]
        return found

    def sources(self, name):
        """(source, flags) of a target's own files."""
        target = self.targets[name]
        flags = [f"-I{folder}" for folder in target["include_directories"] if folder.startswith(str(ROOT))]
        flags += [f"-D{definition}" for definition in target["compile_definitions"] if definition]
        flags += [option for option in target["compile_options"] if not option.startswith(("-W", "-fsanitize", "-fno-sanitize"))]
        return [(pathlib.Path(target["source_dir"], source), tuple(flags)) for source in target["sources"]]

    def compile(self, job):
        source, flags = job
        target = BUILD / "objects" / (str(source.relative_to(ROOT)).replace("/", "_") + ".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        own = os.environ.get("PBS_CHECK_CXXFLAGS", "").split()
        subprocess.run([self.compiler, "-std=c++17", "-O2", "-fPIC", *flags, *self.packages, *own, "-c", source, "-o", target],
                       check=True)
        return target

    def run(self, emulated):
        outputs = {"pbs-launch": TOOLS / "real" / "pbs-launch", "pbs_runtime": ROOT / "lib" / "libpbs_runtime.so.1.1",
                   "CudaTests": BUILD / "CudaTests", "CApiTests": BUILD / "CApiTests"}
        if emulated:
            outputs["PBSEmulatedDriver"] = EMULATED_DRIVER / "libcuda.so.1"
        jobs = {name: [job for part in self.closure(name) for job in self.sources(part)] for name in outputs}
        for name in jobs:
            if any(library.startswith("GTest::") for library in self.targets[name]["link_libraries"]):
                jobs[name] += [(source, ()) for source in self.googletest]
        everything = list(dict.fromkeys(job for each in jobs.values() for job in each))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = dict(zip(everything, pool.map(self.compile, everything)))
        for name, output in outputs.items():
            output.parent.mkdir(parents=True, exist_ok=True)
            flags = list(self.targets[name]["link_options"])
            if self.targets[name]["type"] == "SHARED_LIBRARY":
                flags += ["-shared", f"-Wl,-soname,{re.match(r'.*[.]so[.][0-9]+', output.name)[0]}"]
            if "pbs_runtime" in self.targets[name]["link_libraries"]:
                flags += [f"-L{ROOT / 'lib'}", "-lpbs_runtime", f"-Wl,-rpath,{ROOT / 'lib'}"]
            subprocess.run([self.compiler, *[objects[job] for job in jobs[name]], "-o", output, "-pthread", "-ldl", *flags],
                           check=True)
            if name == "pbs_runtime":
                for link in ("libpbs_runtime.so.1", "libpbs_runtime.so"):
                    (ROOT / "lib" / link).unlink(missing_ok=True)
                    (ROOT / "lib" / link).symlink_to(output.name)


def has_header(cc, flags, name):
    return subprocess.run([cc, *flags, "-E", "-x", "c", "-"], input=f"#include <{name}>", text=True,
                          capture_output=True).returncode == 0


def environment(**more):
    """What every test sees: the recorded tools, the built runtime, the GPU or the emulated driver, the seed."""
    libraries = [str(EMULATED_DRIVER)] if Report.emulated else []
    libraries += filter(None, [os.environ.get("LD_LIBRARY_PATH")])
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}", "PBS_HOME": str(ROOT),
            "PBS_RUNTIME_LIBRARY": str(ROOT / "lib" / "libpbs_runtime.so.1"), "PYTHONPATH": str(ROOT / "python"),
            "PBS_TEST_DEVICE": "cuda", "PBS_SEED": str(SEED), "PBS_TEST_SEED": str(SEED), "PBS_REQUIRE_CUDA": "1", **more}


class Report:
    """Outcomes by part: passed, failed and skipped with reasons."""

    emulated = False

    def __init__(self):
        self.parts = []

    def add(self, part, passed, failed, seconds, skipped=(), output=""):
        self.parts.append({"part": part, "passed": passed, "failed": failed, "skipped": sorted(set(skipped)),
                           "seconds": round(seconds, 1)})
        print(f"{'FAIL' if failed else 'pass'}: {part}: {passed} passed, {failed} failed, {round(seconds)} s"
              + "".join(f"\n  skipped: {reason}" for reason in sorted(set(skipped))), flush=True)
        if failed:
            print(output[-6000:], flush=True)

    def run(self, part, command, **options):
        start = time.monotonic()
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        return done, time.monotonic() - start

    def googletest(self, name):
        done, seconds = self.run(name, [BUILD / name], env=environment())
        count = lambda word: int((re.findall(rf"\[  {word}  \] (\d+) test", done.stdout) or [0])[-1])
        reasons = re.findall(r"Skipped\n(.*)", done.stdout)
        failed = len(set(re.findall(r"\[  FAILED  \] (\w+\.\w+)", done.stdout))) or int(done.returncode != 0)
        self.add(name, count("PASSED"), failed, seconds, reasons, done.stdout)

    def integration(self, part, jobs, only="", **more):
        outcome = BUILD / "integration.json"
        command = [sys.executable, ROOT / "scripts/gpu_bundle/run_integration.py", f"--seed={SEED}", f"--jobs={jobs}",
                   f"--only={only}", f"--json={outcome}"]
        outcome.unlink(missing_ok=True)
        done, seconds = self.run(part, command, env=environment(**more))
        results = json.loads(outcome.read_text()) if outcome.exists() else [{"passed": False}]
        passed = sum(result["passed"] for result in results)
        self.add(part, passed, len(results) - passed, seconds, output=done.stdout)

    def python(self, path):
        done, seconds = self.run(path.stem, [sys.executable, "-m", "unittest", "-v", path.stem], cwd=path.parent,
                                 env=environment(PBS_CACHE_DIR=str(BUILD / "cache" / path.stem)))
        ran = int((re.findall(r"^Ran (\d+) test", done.stdout, re.MULTILINE) or [0])[-1])
        reasons = re.findall(r"skipped ['\"](.*)['\"]$", done.stdout, re.MULTILINE)
        failed = len(re.findall(r"^(?:FAIL|ERROR): ", done.stdout, re.MULTILINE)) or int(done.returncode != 0)
        self.add(f"Python {path.stem}", ran - failed - len(reasons), failed, seconds, reasons, done.stdout)

    def example(self, part, *commands, needs=None):
        if needs:
            return self.add(part, 0, 0, 0, [needs])
        start = time.monotonic()
        output = ""
        for command in commands:
            done, _ = self.run(part, command, env=environment(), cwd=BUILD)
            output += done.stdout
            if done.returncode:
                return self.add(part, 0, 1, time.monotonic() - start, output=output)
        return self.add(part, 1, 0, time.monotonic() - start)

    def examples(self):
        plan = ROOT / "plans" / "prefill.plan.json"
        cc = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("clang")
        self.example("example c_api", [cc, ROOT / "examples/c_api/run_prefill.c", f"-I{ROOT / 'runtime/include'}",
                                       f"-L{ROOT / 'lib'}", "-lpbs_runtime", f"-Wl,-rpath,{ROOT / 'lib'}", "-o", "run_prefill"],
                     [BUILD / "run_prefill", plan, "cuda", "4096"])
        cuda = ["-I/usr/local/cuda/include", "-L/usr/local/cuda/lib64/stubs"]
        missing = next((f"no {header}" for header in ("cuda.h", "jansson.h") if not has_header(cc, cuda, header)), None)
        arrays = [f"--arg={ROOT / 'plans' / name}.npy" for name in "qkv"]
        launch = BUILD / "launch_plan"
        self.example("example driver_api", [cc, "-std=c11", "-O1", *cuda, ROOT / "examples/driver_api/launch_plan.c",
                                            "-ljansson", "-lcuda", "-o", launch],
                     [launch, plan, "prefill", *arrays, "--result=c_out.npy", "--result=c_lse.npy"],
                     [TOOLS / "real/pbs-launch", plan, "--device=cuda", *arrays, "--result=out.npy", "--result=lse.npy"],
                     *[[sys.executable, "-c", f"import numpy as n; assert (n.load('c_{x}.npy') == n.load('{x}.npy')).all(), '{x}'"]
                       for x in ("out", "lse")], needs=missing)
        for name, package in (("cupy_rawmodule", "cupy"), ("llama", "transformers")):
            found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True).returncode == 0
            arguments = [ROOT / "plans" / "prefill-f16.plan.json"] if name == "cupy_rawmodule" else []
            self.example(f"example {name}", [sys.executable, ROOT / f"examples/python/{name}.py", *arguments],
                         needs=None if found else f"needs {package}")


def gpu():
    """Name and driver of the first GPU, as far as nvidia-smi is there to tell."""
    if Report.emulated:
        return {"name": "emulated CUDA driver", "driver": "the bundle's"}
    if not shutil.which("nvidia-smi"):
        return {"name": "unknown", "driver": "unknown"}
    done = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], text=True, check=True,
                          capture_output=True)
    return dict(zip(("name", "driver"), done.stdout.splitlines()[0].split(", ")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", default="gpu-check.json")
    parser.add_argument("--jobs", type=int, default=min(8, os.cpu_count()), help="integration tests at a time")
    parser.add_argument("--only", default="", help="a regular expression for parts: build, unit, integration, sanitizer, "
                        "python, examples")
    parser.add_argument("--emulated", action="store_true", help="run on the emulated CUDA driver instead of a GPU, which checks "
                        "the bundle itself")
    options = parser.parse_args()
    Report.emulated = options.emulated
    wanted = lambda part: re.search(options.only, part)
    report = Report()
    if wanted("build"):
        start = time.monotonic()
        Build().run(options.emulated)
        report.add("build", 1, 0, time.monotonic() - start)
    BUILD.mkdir(exist_ok=True)
    if wanted("unit"):
        report.googletest("CudaTests")
        report.googletest("CApiTests")
    if wanted("integration"):
        report.integration("integration", options.jobs, BUNDLE["only"])
    if wanted("sanitizer"):
        for tool in ("memcheck", "racecheck"):
            part = f"compute-sanitizer {tool}"
            if shutil.which("compute-sanitizer"):
                report.integration(part, options.jobs, SANITIZED,
                                   PBS_LAUNCH_PREFIX=f"compute-sanitizer --tool={tool} --error-exitcode=9 --log-file=/dev/stderr")
            else:
                report.add(part, 0, 0, 0, ["no compute-sanitizer"])
    # A bundle of few integration tests has nothing else.
    if wanted("python") and not BUNDLE["only"]:
        for path in sorted((ROOT / "test/Python").glob("test_*.py")):
            report.python(path)
    if wanted("examples") and not BUNDLE["only"]:
        report.examples()
    outcome = {"date": datetime.date.today().isoformat(), "gpu": gpu(), "bundle": BUNDLE,
               "parts": report.parts}
    pathlib.Path(options.json).write_text(json.dumps(outcome, indent=1) + "\n")
    failed = sum(part["failed"] for part in report.parts)
    print(f"{outcome['gpu']['name']}: {sum(part['passed'] for part in report.parts)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
