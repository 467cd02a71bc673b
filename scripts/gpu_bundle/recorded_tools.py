#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stands for pbs-gen, pbs-compile, pbs-run and pbs-launch in tests, by the name under which it is called.

With PBS_RECORD=FOLDER it runs the tool of that name from PBS_RECORD_TOOLS and keeps, under a hash of the tool's input, what
it printed and the files it made; for a module that pbs-run takes to a device it keeps the compiled plan. Without PBS_RECORD
it gives back what was kept, and runs plans on PBS_TEST_DEVICE with the pbs-launch beside it, so that tests run where LLVM is
not. What a test computes depends on its seed alone, so the same seed asks for the same things.

A recording is FOLDER/HASH.tar.xz: `done.json` (exit code and output) and the files by their position on the command line.
"""
import hashlib
import io
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
RECORDINGS = pathlib.Path(os.environ.get("PBS_RECORD", FOLDER.parent / "recorded"))
# Options of pbs-run and pbs-launch that say what to run on and where to put results, not what to compile.
RUN_OPTIONS = ("--arg=", "--result=", "--device=", "--check", "--seed=", "--multiprocessors=", "--progress", "--profile")


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()[:32]


def option(arguments, name):
    """Values of an option that is written NAME=VALUE."""
    return [argument[len(name) + 1 :] for argument in arguments if argument.startswith(name + "=")]


class Recording:
    """What a tool made of an input."""

    def __init__(self, key):
        self.path = RECORDINGS / f"{key}.tar.xz"

    def keep(self, done, files):
        """Keeps the finished process and files by name."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            content = {"code": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}
            for name, data in {"done.json": json.dumps(content).encode(), **files}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        RECORDINGS.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=RECORDINGS, delete=False) as file:
            file.write(lzma.compress(buffer.getvalue(), preset=6))
        os.replace(file.name, self.path)

    def load(self, what):
        """(done, files by name)."""
        if not self.path.exists():
            sys.exit(f"not recorded: {what}")
        with tarfile.open(self.path) as tar:
            files = {entry.name: tar.extractfile(entry).read() for entry in tar}
        return json.loads(files.pop("done.json")), files


def give_back(done):
    sys.stdout.write(done["stdout"])
    sys.stderr.write(done["stderr"])
    return done["code"]


def real(tool, arguments, data=None):
    """Runs the tool that is recorded and shows what it says."""
    done = subprocess.run([os.path.join(os.environ["PBS_RECORD_TOOLS"], tool), *arguments], input=data, capture_output=True)
    sys.stdout.write(done.stdout.decode())
    sys.stderr.write(done.stderr.decode())
    return done


def generate(arguments):
    recording = Recording(digest("pbs-gen", *arguments))
    if "PBS_RECORD" not in os.environ:
        return give_back(recording.load(f"pbs-gen {' '.join(arguments)}")[0])
    done = real("pbs-gen", arguments)
    recording.keep(done, {})
    return done.returncode


def read_input(arguments):
    """(arguments without the input module, its text)."""
    for number, argument in enumerate(arguments):
        previous = arguments[number - 1] if number else ""
        if (argument == "-" or not argument.startswith("-")) and previous != "-o":
            text = sys.stdin.buffer.read() if argument == "-" else pathlib.Path(argument).read_bytes()
            return arguments[:number] + arguments[number + 1 :], text
    return arguments, b""


def compile_module(arguments):
    """pbs-compile IN -o OUT ...: OUT, and the plan beside it."""
    rest, text = read_input(arguments)
    place = rest.index("-o") if "-o" in rest else None
    output = pathlib.Path(rest[place + 1]) if place is not None else None
    to_keep = [*rest[:place], output.name, *rest[place + 2 :]] if output else rest
    recording = Recording(digest("pbs-compile", text, *to_keep))
    names = [] if output is None or output.name == "-" else [output.name, output.stem + ".plan.json", output.stem + ".cubin"]
    if "PBS_RECORD" not in os.environ:
        done, files = recording.load(f"pbs-compile {' '.join(arguments)}")
        for name, data in files.items():
            (output.parent / name).write_bytes(data)
        return give_back(done)
    done = real("pbs-compile", ["-", *rest], text)
    files = {name: (output.parent / name).read_bytes() for name in names if (output.parent / name).exists()}
    recording.keep(done, files)
    record_other_chips(text, rest, to_keep)
    return done.returncode


def record_other_chips(text, rest, to_keep):
    """Where PBS_RECORD_CHIPS asks for it, the same for other chips: a test's GPU decides there what it compiles for."""
    for chip in os.environ.get("PBS_RECORD_CHIPS", "").split():
        if "-o" not in rest or not option(rest, "--chip") or option(rest, "--chip") == [chip]:
            continue
        change = lambda words: [f"--chip={chip}" if word.startswith("--chip=") else word for word in words]
        name = pathlib.Path(rest[rest.index("-o") + 1]).name
        with tempfile.TemporaryDirectory() as folder:
            others = change(rest)
            others[others.index("-o") + 1] = os.path.join(folder, name)
            done = subprocess.run([os.path.join(os.environ["PBS_RECORD_TOOLS"], "pbs-compile"), "-", *others], input=text,
                                  capture_output=True)
            files = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
            Recording(digest("pbs-compile", text, *change(to_keep))).keep(done, files)


def launch(plan, arguments):
    """Runs a plan on the device under test."""
    command = [*os.environ.get("PBS_LAUNCH_PREFIX", "").split(), str(FOLDER / "real" / "pbs-launch"), str(plan),
               f"--device={os.environ['PBS_TEST_DEVICE']}"]
    command += [argument for argument in arguments if argument.startswith(("--arg=", "--result=", "--entry=", "--profile"))]
    return subprocess.run(command).returncode


def run_module(arguments):
    """pbs-run IN ...: on a device its plan is kept, on the reference its results, by the bytes of the inputs."""
    rest, text = read_input(arguments)
    what = [argument for argument in rest if not argument.startswith(RUN_OPTIONS)]
    if option(rest, "--device") in ([], ["reference"]):
        return run_reference(rest, what, text)
    recording = Recording(digest("pbs-run", text, *what))
    with tempfile.TemporaryDirectory() as folder:
        if "PBS_RECORD" not in os.environ:
            _, files = recording.load(f"pbs-run {' '.join(arguments)}")
            for name, data in files.items():
                pathlib.Path(folder, name).write_bytes(data)
            return launch(pathlib.Path(folder, "module.plan.json"), rest)
        done = real("pbs-run", ["-", *rest], text)
        compiler = os.path.join(os.environ["PBS_RECORD_TOOLS"], "pbs-compile")
        chips = [f"--chip={chip}" for chip in option(rest, "--chip")]
        subprocess.run([compiler, "-", "-o", os.path.join(folder, "module.ptx"), *chips], input=text, check=True)
        recording.keep(done, {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()})
        return done.returncode


def run_reference(rest, what, text):
    inputs = [pathlib.Path(name).read_bytes() for name in option(rest, "--arg")]
    recording = Recording(digest("reference", text, *what, *inputs))
    results = option(rest, "--result")
    if "PBS_RECORD" not in os.environ:
        done, files = recording.load(f"pbs-run {' '.join(rest)}")
        for number, place in enumerate(results):
            pathlib.Path(place).write_bytes(files[str(number)])
        return give_back(done)
    done = real("pbs-run", ["-", *rest], text)
    recording.keep(done, {str(number): pathlib.Path(place).read_bytes() for number, place in enumerate(results)
                          if os.path.exists(place)})
    return done.returncode


def launch_plan(arguments):
    if "PBS_RECORD" in os.environ:
        return real("pbs-launch", arguments).returncode
    return launch(arguments[0], arguments[1:])


TOOLS = {"pbs-gen": generate, "pbs-compile": compile_module, "pbs-run": run_module, "pbs-launch": launch_plan}


def install(folder):
    """Puts the tools' names into a folder, each a copy of this file."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOOLS:
        shutil.copy(__file__, folder / name)
        (folder / name).chmod(0o755)


if __name__ == "__main__":
    name = pathlib.Path(sys.argv[0]).name
    if name in TOOLS:
        sys.exit(TOOLS[name](sys.argv[1:]))
    install(sys.argv[1])
