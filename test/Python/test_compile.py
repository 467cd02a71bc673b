# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling, its caches, and loading plans without a compiler."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import common
from common import DEVICE, HEADS, np, pbs

COMPILE = f"""
import sys, pbs
kernel = pbs.compile(q_heads=2, kv_heads=1, head_dim=64, all=True, device={DEVICE!r})
print(kernel.plan)
"""


class Folder(common.Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.cache = self.folder / "cache"

    def run_python(self, code, **environment):
        return common.run_python(code, **{"PBS_CACHE_DIR": self.cache, **environment})

    def tools(self):
        """PBS_HOME with a compiler that writes what it is called with to the file `calls`, and works while `works` exists."""
        folder = self.folder / "home" / "bin"
        folder.mkdir(parents=True)
        for tool in ("pbs-gen", "pbs-compile"):
            script = folder / tool
            script.write_text(f"#!/bin/sh\necho {tool} >> {self.folder}/calls\n[ -e {self.folder}/works ] || exit 9\n"
                              f'exec {pbs._compiler.find(tool)} "$@"\n')
            script.chmod(0o755)
        (self.folder / "works").touch()
        return folder.parent

    def calls(self):
        file = self.folder / "calls"
        return file.read_text().split() if file.exists() else []


class Options(common.Case):
    def test_defaults_are_those_of_the_generator(self):
        generator = pbs._compiler.find("pbs-gen")
        plain = subprocess.run([generator], check=True, text=True, capture_output=True).stdout
        spelled = ["--q-heads=32", "--kv-heads=8", "--head-dim=128", "--dtype=bf16", "--block=128", "--query-block=128",
                   "--segment=256", "--top-p=0.9", "--permutation=per-query-head", "--pooling=mean", "--stages=all"]
        defaults = pbs._compiler.Configuration()
        for flag in spelled:
            name, _, value = flag[2:].partition("=")
            given = getattr(defaults, name.replace("-", "_"))
            given = pbs._compiler.DEFAULT_TOP_P if name == "top-p" else given
            if name == "query-block":
                self.assertIsNone(given)  # as the block
                continue
            self.assertIn(given, (value, int(value) if value.isdigit() else None, float(value) if "." in value else None), flag)
        self.assertEqual(subprocess.run([generator, *spelled], check=True, text=True, capture_output=True).stdout, plain)
        self.assertEqual(defaults.flags(), [])

    def test_flags(self):
        options = pbs._compiler.Configuration(q_heads=6, kv_heads=2, query_block=64, top_k=3, permutation="none",
                                              causal=False, window=7, scale=1, soft_cap=20, alibi=True, capacity=9)
        self.assertEqual(options.flags(), ["--q-heads=6", "--kv-heads=2", "--query-block=64", "--top-k=3",
                                           "--permutation=none", "--no-causal", "--window=7", "--scale=1.0",
                                           "--soft-cap=20.0", "--alibi", "--capacity=9"])

    def test_flags_of_rules(self):
        for rule, flag in (({"threshold": 0.25}, "--threshold=0.25"), ({"threshold_by_length": 1}, "--threshold-by-length=1.0"),
                           ({"max_threshold": 0}, "--max-threshold=0.0"), ({"all": True}, "--all")):
            self.assertEqual(pbs._compiler.Configuration(**rule).flags(), [flag])

    def test_methods_are_those_of_the_generator(self):
        generator = pbs._compiler.find("pbs-gen")
        for method in pbs._compiler.METHODS:
            for options, flags in (({}, []), ({"top_p": 0}, ["--top-p=0"]), ({"block": 128, "segment": 256},
                                                                            ["--block=128", "--segment=256"])):
                expected = subprocess.run([generator, f"--method={method}", *flags], check=True, text=True,
                                          capture_output=True).stdout
                found = subprocess.run([generator, *pbs._compiler.resolve(method, options).flags()], check=True, text=True,
                                       capture_output=True).stdout
                self.assertEqual(found, expected, f"{method} {options}")

    def test_an_unknown_method(self):
        with self.assertRaisesRegex(ValueError, "no method 'best', but pbs-attn, rows"):
            pbs.compile(method="best", device=DEVICE)

    def test_unknown(self):
        with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'heads'"):
            pbs.compile(heads=4)

    def test_rules_exclude_each_other(self):
        with self.assertRaisesRegex(ValueError, "top_p and top_k exclude each other"):
            pbs.compile(top_p=0.5, top_k=3, device=DEVICE)

    def test_module_and_options(self):
        with self.assertRaisesRegex(TypeError, "a module says itself what it computes"):
            pbs.compile("module {}", q_heads=4)

    def test_the_compiler_refuses(self):
        with self.assertRaisesRegex(pbs.Error, "^pbs-gen: --head-dim=80: must be 64 or 128") as raised:
            pbs.compile(head_dim=80, device=DEVICE)
        self.assertEqual(raised.exception.status, "compiler")
        with self.assertRaisesRegex(pbs.Error, "^pbs-compile: .*error: .*nonsense") as raised:
            pbs.compile("func.func @f() {\n  nonsense.op\n}\n", device=DEVICE)
        self.assertNotIn("\n", str(raised.exception))

    def test_no_such_module(self):
        with self.assertRaisesRegex(pbs.Error, "^missing.mlir: No such file"):
            pbs.compile("missing.mlir", device=DEVICE)

    def test_no_such_device(self):
        with self.assertRaisesRegex(pbs.Error, "toaster"):
            pbs.compile(device="toaster")


class Cache(Folder):
    def test_same_object(self):
        one = pbs.compile(**HEADS, device=DEVICE)
        self.assertIs(one, pbs.compile(**HEADS, device=DEVICE))
        self.assertIs(one, pbs.compile(**HEADS, top_p=0.9, causal=True, device=DEVICE))
        self.assertIsNot(one, pbs.compile(**HEADS, top_p=0.8, device=DEVICE))
        self.assertIsNot(one, pbs.compile(**HEADS))
        self.assertEqual(one.chip, pbs._library.device(DEVICE).chip)

    def test_chip(self):
        plan = json.loads(pbs.compile(**HEADS, chip="sm_80", device=DEVICE).plan.read_text())
        self.assertEqual(plan["module"]["chip"], "sm_80")

    def test_schedule(self):
        def threads(schedule):
            plan = json.loads(pbs.compile(**HEADS, schedule=schedule, device=DEVICE).plan.read_text())
            steps = [step for entry in plan["entries"] for step in entry["steps"] if "launch" in step]
            return next(step["launch"]["block"][0] for step in steps if step["launch"]["kernel"] == "attention")

        # One chip has a kernel of its own: warps that copy, take work and compute.
        self.assertEqual(threads(None), 512 if pbs._library.device(DEVICE).chip == "sm_90a" else 256)
        self.assertEqual(threads("signal-copies=off"), 256)
        self.assertEqual(threads("warps=4,key-tile=64"), 128)
        self.assertEqual(threads({"warps": 2, "walk-list": "off"}), 64)
        with self.assertRaisesRegex(pbs.Error, "'tiles' is none of key-tile, warps, stages"):
            threads({"tiles": 2})

    def test_second_process_needs_no_compiler(self):
        home = self.tools()
        first = self.run_python(COMPILE, PBS_HOME=home)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(self.calls(), ["pbs-gen", "pbs-compile"])
        (self.folder / "works").unlink()
        second = self.run_python(COMPILE, PBS_HOME=home)
        self.assertEqual((second.returncode, second.stdout), (0, first.stdout), second.stderr)
        self.assertEqual(self.calls(), ["pbs-gen", "pbs-compile"])
        # Another configuration, and another compiler, are not what the cache has.
        other = self.run_python(COMPILE.replace("all=True", "top_k=1"), PBS_HOME=home)
        self.assertIn("pbs-gen: exit code 9", other.stderr)
        with open(home / "bin" / "pbs-compile", "a") as script:
            script.write("# another version\n")
        changed = self.run_python(COMPILE, PBS_HOME=home)
        self.assertIn("pbs-gen: exit code 9", changed.stderr)

    def test_a_folder_that_lost_its_code_is_made_again(self):
        plan = pathlib.Path(self.run_python(COMPILE).stdout.strip())
        code = (plan.parent / "kernel.ptx").read_text()
        (plan.parent / "kernel.ptx").unlink()
        again = self.run_python(COMPILE)
        self.assertEqual((again.returncode, again.stdout.strip()), (0, str(plan)), again.stderr)
        self.assertEqual((plan.parent / "kernel.ptx").read_text(), code)

    def test_parallel(self):
        """Eight processes at once all get a whole plan, and leave one folder."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PBS_CACHE_DIR": str(self.cache)}
        processes = [subprocess.Popen([sys.executable, "-c", COMPILE], env=environment, text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) for _ in range(8)]
        done = [process.communicate(timeout=300) for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * 8, done)
        self.assertEqual(len({out for out, _ in done}), 1)
        self.assertEqual(len(list(self.cache.iterdir())), 1)
        self.assertEqual(sorted(file.name for file in next(self.cache.iterdir()).iterdir()),
                         ["configuration.json", "kernel.mlir", "kernel.plan.json", "kernel.ptx"])

    def test_nothing_is_left_of_a_failure(self):
        self.assertNotEqual(self.run_python(COMPILE.replace("all=True", "capacity=1")).returncode, 0)
        self.assertEqual(list(self.cache.iterdir()) if self.cache.exists() else [], [])

    def test_folder(self):
        for environment, expected in (({"PBS_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
                                      ({"XDG_CACHE_HOME": "/b"}, "/b/pbs"), ({"HOME": "/c"}, "/c/.cache/pbs")):
            with mock.patch.dict(os.environ, environment, clear=True):
                self.assertEqual(str(pbs._compiler.cache_folder()), expected)


class Load(Folder):
    def test_without_compiler(self):
        plan = pbs.compile(**HEADS, all=True, device=DEVICE).plan
        code = f"""
import numpy, pbs
kernel = pbs.load({str(plan)!r}, device={DEVICE!r})
q, k, v = (numpy.ones((1, heads, 9, 64), numpy.float32) for heads in (4, 2, 2))
print(kernel(q, k, v)[0].sum())
try:
    pbs.compile()
except pbs.Error as error:
    print(error)
"""
        library = self.folder / "elsewhere" / "libpbs_runtime.so.1"
        library.parent.mkdir()
        library.symlink_to(pathlib.Path(pbs._library._load()[0]).resolve())
        done = self.run_python(code, PATH="/nowhere", PBS_HOME=None, PBS_RUNTIME_LIBRARY=library)
        self.assertEqual(done.stdout.splitlines()[:1], [str(4.0 * 9 * 64)], done.stderr)
        self.assertRegex(done.stdout, "cannot find pbs-compile: set PBS_HOME")

    def test_path_of_a_module(self):
        kernel = pbs.compile(**HEADS, device=DEVICE)
        self.assertEqual(pbs.compile(kernel.plan.parent / "kernel.mlir", device=DEVICE).entry, "prefill")

    def test_errors(self):
        plan = pbs.compile(**HEADS, device=DEVICE).plan
        with self.assertRaisesRegex(pbs.Error, "missing.json: No such file"):
            pbs.load("missing.json")
        with self.assertRaisesRegex(pbs.Error, "has no entry decode, but prefill"):
            pbs.load(plan, entry="decode")
        self.assertEqual(pbs.load(plan, entry="prefill", device=DEVICE).entry, "prefill")
        bad = self.folder / "bad.plan.json"
        bad.write_text("{")
        with self.assertRaisesRegex(pbs.Error, "bad.plan.json: is no launch plan"):
            pbs.load(bad)
        bad.write_text(plan.read_text().replace('"version": 1', '"version": 2'))
        with self.assertRaisesRegex(pbs.Error, "is no pbs-plan of version 1"):
            pbs.load(bad)
        bad.write_text(plan.read_text())  # without its PTX
        with self.assertRaisesRegex(pbs.Error, "kernel.ptx"):
            pbs.load(bad, device=DEVICE)

    def test_entries(self):
        plan = json.loads(pbs.compile(**HEADS, device=DEVICE).plan.read_text())
        plan["entries"].append({**plan["entries"][0], "name": "other"})
        file = self.folder / "two.plan.json"
        file.write_text(json.dumps(plan))
        with self.assertRaisesRegex(pbs.Error, "has the entries prefill, other: name one by entry="):
            pbs.load(file)
        self.assertEqual(pbs.load(file, entry="other").entry, "other")


class Library(common.Case):
    def test_missing(self):
        done = common.run_python("import pbs\ntry:\n  pbs.load('x.plan.json', device='emulator')\nexcept pbs.Error as e:\n"
                                 "  print(e)\n  pbs._library.library()", PBS_RUNTIME_LIBRARY="/nowhere/lib.so")
        self.assertRegex(done.stderr, "pbs._library.Error: cannot open libpbs_runtime.so.1 .*/nowhere/lib.so.*: set "
                                      "PBS_RUNTIME_LIBRARY to its path, or PBS_HOME")

    def test_search_order(self):
        for environment, expected in (
                ({"PBS_RUNTIME_LIBRARY": "/a/x.so", "PBS_HOME": "/b"}, ["/a/x.so"]),
                ({"PBS_HOME": "/b"}, ["/b/lib/libpbs_runtime.so.1", "libpbs_runtime.so.1"]), ({}, ["libpbs_runtime.so.1"])):
            with mock.patch.dict(os.environ, environment, clear=True):
                self.assertEqual(pbs._library.candidates(), expected)

    def test_other_version(self):
        for version in ((2, 3), (1, 0)):
            library = mock.Mock()
            library.pbs_version = lambda *numbers: [setattr(one._obj, "value", value) for one, value in zip(numbers, version)]
            with mock.patch.object(pbs._library, "_open", lambda: ("lib.so", library)):
                with self.assertRaisesRegex(pbs.Error, f"lib.so has version {version[0]}.{version[1]} of the interface, "
                                                       "this package needs 1.1 or a later 1.x"):
                    pbs._library._load.__wrapped__()

    def test_default_device(self):
        with mock.patch.dict(os.environ, {"PBS_DEVICE": "cuda"}):
            self.assertEqual(pbs._library.default_device(), "cuda:0")
        kernel = pbs.compile(**HEADS, all=True, chip="sm_80")
        self.assertIsNone(kernel.device)
        with mock.patch.dict(os.environ, {"PBS_DEVICE": "emulator"}):
            given = self.inputs(5)
            self.assert_attention(*kernel(*given), given)
            self.assertEqual(list(kernel._executables)[-1], "emulator")

    def test_says_that_the_emulator_runs_what_it_runs(self):
        """Once, and neither of compiling nor of arrays on a GPU that cannot be used."""
        done = common.run_python(f"""
import logging, sys, numpy, pbs
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
kernel = pbs.compile(**{HEADS!r}, all=True, dtype="f16")
class OnGPU:
    def __init__(self, heads):
        self.__cuda_array_interface__ = dict(data=(4096, False), shape=(1, heads, 5, 64), typestr="<f2", version=3)
try:
    kernel(OnGPU(4), OnGPU(2), OnGPU(2))
except pbs.Error as error:
    print(error.status)
arrays = [numpy.ones((1, heads, 5, 64), numpy.float16) for heads in (4, 2, 2)]
print("runs", flush=True)
kernel(*arrays)
kernel(*arrays)
""", LD_LIBRARY_PATH=None, PBS_DEVICE=None)
        lines = done.stdout.splitlines()
        if "unavailable" not in lines:
            self.skipTest(f"needs a machine without a GPU: {done.stdout}{done.stderr}")
        self.assertEqual(lines[1], "runs", done.stdout)
        self.assertEqual(len(lines), 3, done.stdout)
        self.assertIn("WARNING runs on the emulator where no device is named, since there is no GPU: ", lines[2])


if __name__ == "__main__":
    common.main()
