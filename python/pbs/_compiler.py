# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs pbs-gen and pbs-compile, and keeps what they make on disk.

The cache has a folder for each key, a hash of the configuration, the compiler's binaries and the chip. A folder is made
under another name and renamed, so that it is whole once it is there, whoever else makes the same.
"""
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import _library
from ._library import Error

# Part of the key: what the folders hold has changed when this has.
LAYOUT = 1
# pbs-gen's, where no rule is given.
DEFAULT_TOP_P = 0.9
# Which key blocks a query block takes: at most one of these fields of a Configuration is given.
RULES = ("top_p", "top_k", "threshold", "threshold_by_length", "max_threshold", "all")


def _is_given(rule):
    return rule is not None and rule is not False  # a number of 0 is one


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What pbs-gen is asked for; pbs.compile() says what each means. The defaults are those of pbs-gen."""

    q_heads: int = 32
    kv_heads: int = 8
    head_dim: int = 128
    dtype: str = "bf16"
    block: int = 128
    query_block: int | None = None
    segment: int = 256
    top_p: float | None = None
    top_k: int | None = None
    threshold: float | None = None
    threshold_by_length: float | None = None
    max_threshold: float | None = None
    all: bool = False
    permutation: str = "per-query-head"
    pooling: str = "mean"
    score: str = "pooled"
    score_stride: int = 16
    causal: bool = True
    window: int | None = None
    scale: float | None = None
    soft_cap: float | None = None
    alibi: bool = False
    capacity: int | None = None
    stages: str = "all"
    return_selection: bool = False

    def flags(self):
        """Options of pbs-gen. Defaults are left out: it refuses options that have no meaning beside others."""
        rules = [name for name in RULES if _is_given(getattr(self, name))]
        if len(rules) > 1:
            raise ValueError(f"{rules[0]} and {rules[1]} exclude each other")
        flags = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            option = "--" + field.name.replace("_", "-")
            if field.name in ("causal", "all", "alibi", "return_selection"):
                if bool(value) != field.default:
                    flags.append("--no-causal" if field.name == "causal" else option)
            elif value != field.default and not (field.name == "top_p" and value == DEFAULT_TOP_P):
                number = field.name in ("top_p", "threshold", "threshold_by_length", "max_threshold", "scale", "soft_cap")
                flags.append(f"{option}={float(value)!r}" if number else f"{option}={value}")
        return flags


# What options that are not given are: pbs-gen's --method.
METHODS = {"pbs-attn": {}, "rows": {"permutation": "none", "block": 64, "query_block": 128, "segment": 64, "score": "rows",
                                    "threshold_by_length": 0.02}}


def resolve(method, options):
    """The Configuration of a method and of options by name, of which those that are None are not given."""
    if method not in METHODS:
        raise ValueError(f"no method {method!r}, but {', '.join(METHODS)}")
    given = {name: value for name, value in options.items() if value is not None}
    has_rule = any(_is_given(given.get(rule)) for rule in RULES)
    preset = {name: value for name, value in METHODS[method].items() if not (has_rule and name in RULES)}
    return Configuration(**{**preset, **given})


def find(tool):
    """The path of a tool of the compiler: in PBS_HOME/bin, beside the library (../bin), or in PATH."""
    folders = [pathlib.Path(os.environ["PBS_HOME"]) / "bin"] if "PBS_HOME" in os.environ else []
    try:
        folder = _library.library_folder()
    except Error:  # compiling needs no library
        folder = None
    folders += [folder.parent / "bin"] if folder else []
    for one in folders:
        if os.access(one / tool, os.X_OK):
            return str(one / tool)
    found = shutil.which(tool)
    if not found:
        raise Error(f"cannot find {tool}: set PBS_HOME to the folder that has it in bin/, or add it to PATH; "
                    "pbs.load() runs plans without the compiler", "unavailable")
    return found


@functools.lru_cache(maxsize=None)
def _digest(path, size, changed):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def identity(tool):
    """A hash of the tool's binary."""
    status = os.stat(tool)
    return _digest(tool, status.st_size, status.st_mtime_ns)


def cache_folder():
    """PBS_CACHE_DIR, or pbs in the user's folder for caches."""
    if os.environ.get("PBS_CACHE_DIR"):
        return pathlib.Path(os.environ["PBS_CACHE_DIR"])
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "pbs"


def _run(command, text=None):
    """Standard output of a command; its first line with an error is the message where it fails."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        line = next((line for line in lines if "error" in line.lower()), lines[0] if lines else f"exit code {done.returncode}")
        tool = pathlib.Path(command[0]).name
        raise Error(line if line.startswith(f"{tool}:") else f"{tool}: {line}", "compiler")
    return done.stdout


def read_module(module):
    """The text of a module that is given as text or as the path of a file."""
    if isinstance(module, str) and ("\n" in module or "(" in module):
        return module
    try:
        return pathlib.Path(module).read_text(encoding="utf-8")
    except OSError as error:
        raise Error(f"{module}: {error.strerror}") from error


def has_target(module):
    """Whether the text of a module says which GPU it is compiled for."""
    return re.search(r"^\s*module\b.*\battributes\b.*\bpbs\.target\b", module, re.MULTILINE) is not None


def compile_plan(configuration, module, flags, chip):
    """The path of the plan for a Configuration, or for the text of a module, compiled if the cache does not have it."""
    compiler = find("pbs-compile")
    generator = None if module is not None else find("pbs-gen")
    generate = None if module is not None else configuration.flags()
    flags = [*([f"--chip={chip}"] if chip else []), *flags]
    content = {"layout": LAYOUT, "module": module, "generate": generate, "compile": flags, "compiler": identity(compiler),
               "generator": generator and identity(generator)}
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_folder() / key
    plan, code = folder / "kernel.plan.json", folder / "kernel.ptx"
    if plan.exists() and code.exists():
        return plan
    text = module if module is not None else _run([generator, *generate])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{key}-", ignore_cleanup_errors=True) as temporary:
        made = pathlib.Path(temporary) / "made"
        made.mkdir()
        (made / "kernel.mlir").write_text(text, encoding="utf-8")
        (made / "configuration.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        _run([compiler, "-", *flags, "-o", str(made / "kernel.ptx")], text)
        try:
            os.rename(made, folder)
        except OSError:
            if not (plan.exists() and code.exists()):  # somebody else was faster, or the folder is damaged or read-only
                shutil.rmtree(folder, ignore_errors=True)
                os.rename(made, folder)
    return plan
