#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the examples in the descriptions of passes.

A pass's description in its Passes.td holds one or more pairs of

    Before:                     After:  (or  After, with `option=value`:)

    ```mlir                     ```mlir
    ...                         ...
    ```                         ```

The pass runs on Before and must give After. A pass that only prints has in place
of After a `Prints:` with a block of text: what it writes to the standard error, but
for spaces. Before and After are what pbs-opt prints of them, so that names of values and layout do not matter. A line `...` in After
stands for any number of lines. With such a line After cannot be parsed: its text
must then be what pbs-opt prints, but for line breaks, spaces, aliases of types
and the names of values, which only need to be used alike.
"""

import argparse
import difflib
import json
import pathlib
import re
import shlex
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# The pipeline around a pass, by the operation that the pass runs on.
PIPELINES = {
    "::mlir::ModuleOp": "builtin.module({})",
    "::mlir::func::FuncOp": "builtin.module(func.func({}))",
    "": "builtin.module({})",  # any operation
}
LABEL = re.compile(
    r"^(?P<label>Before|After|Prints)\b(?:, with `(?P<options>[^`]*)`)?(?P<rest>[^\n]*)\n"
    r"(?:\s*```(?:mlir|text)\n(?P<code>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|%[\w$.-]+|[\w$.@#!^-]+|\S')
ELISION = re.compile(r"^ *\.\.\.\n", re.MULTILINE)
ALIAS = re.compile(r"^(!\w+) = (.*)\n", re.MULTILINE)


class Failure(Exception):
    """What is wrong with an example, to be printed."""


def indent(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def passes(path):
    """The passes that a file defines, as TableGen records."""
    includes = [f"-I{ROOT}/include", f"-I{output('llvm-config', '--includedir').strip()}"]
    records = json.loads(output("llvm-tblgen", "--dump-json", *includes, path))
    return [records[name] for name in records["!instanceof"]["PassBase"]]


def dedent(text):
    lines = text.splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "".join(line[margin:] + "\n" for line in lines)


def examples(description):
    """The pairs of a description: Before, the options of the pass, the second label
    and its block."""
    found = list(LABEL.finditer(dedent(description)))
    for match in found:
        if match["rest"] != ":" or match["code"] is None:
            raise Failure(f"'{match['label']}{match['rest']}' is not followed by an mlir block")
    labels = [match["label"] for match in found]
    if not labels or len(labels) % 2 or set(labels[::2]) != {"Before"} or "Before" in labels[1::2]:
        raise Failure("its description needs a block 'Before:' and a block 'After:'")
    return [
        (before["code"], after["options"] or "", after["label"], after["code"])
        for before, after in zip(found[::2], found[1::2])
    ]


def print_by(opt, code, what):
    """What pbs-opt prints of `code`, without the module around it."""
    result = subprocess.run(opt, input=code, capture_output=True, text=True)
    if result.returncode:
        raise Failure(f"{what} fails:\n{indent(result.stderr)}")
    lines = result.stdout.strip().splitlines()
    if lines and lines[0] == "module {":
        lines = [line[2:] for line in lines[1:-1]]
    return "".join(line + "\n" for line in lines)


def tokens(text):
    """The lines of `text` that are not empty, each as a list of tokens."""
    lines = (TOKEN.findall(re.sub(r"\s//.*", "", line)) for line in text.splitlines())
    return [line for line in lines if line]


class Value(typing.NamedTuple):
    """A name of a value in what pbs-opt printed."""

    symbol: int  # the one that holds the value; another may use the same name
    name: str
    defined: bool  # defined here, used elsewhere


def printed_tokens(text):
    """The tokens of what pbs-opt printed, with Value in place of names."""
    symbol, seen, lines = 0, set(), []
    for line in tokens(text):
        symbol += line[-1] == "{" and any(token.startswith("@") for token in line)
        for place, token in enumerate(line):
            if token.startswith("%"):
                line[place] = Value(symbol, token, (symbol, token) not in seen)
                seen.add((symbol, token))
        lines.append(line)
    return lines


def without_aliases(text):
    meanings = dict(ALIAS.findall(text))
    return re.sub(r"!\w+\b(?!\.)", lambda name: meanings.get(name.group(), name.group()), ALIAS.sub("", text))


def same_value(value, name, names):
    """Whether `value` is what the example calls `name`, if `names` are the names it
    gave to values so far, and the values to names; adds the pair to them."""
    to_name, to_value = ("name of", value.symbol, value.name), ("value of", value.symbol, name)
    if names.get(to_name, name) != name:
        return False
    # The example may use a name again for another value that it defines.
    if not value.defined and names.get(to_value, value.name) != value.name:
        return False
    names[to_name], names[to_value] = name, value.name
    return True


def match_tokens(part, lines, start, names):
    """Where the lines from `start` on that are exactly `part` end, and the names
    that are known then; None if they are something else."""
    names, place, line = dict(names), 0, start
    while place < len(part):
        if line == len(lines) or len(part) - place < len(lines[line]):
            return None
        for token, wanted in zip(lines[line], part[place:]):
            if isinstance(token, Value) and wanted.startswith("%"):
                if not same_value(token, wanted, names):
                    return None
            elif token != wanted:
                return None
        place += len(lines[line])
        line += 1
    return line, names


def first_unmatched(parts, lines):
    """The index of the first part that has no place in `lines`; None if all have."""
    furthest = 0

    def rest_matches(index, start, names):
        nonlocal furthest
        furthest = max(furthest, index)
        if index == len(parts):
            return start == len(lines)
        for first in range(start, len(lines) + 1) if index else [0]:
            found = match_tokens(parts[index], lines, first, names)
            if found and rest_matches(index + 1, *found):
                return True
        return False

    return None if rest_matches(0, 0, {}) else min(furthest, len(parts) - 1)


def compare_elided(after, actual):
    texts = ELISION.split(after)
    # A part's lines may be broken differently than those that are printed.
    parts = [sum(tokens(text), []) for text in ELISION.split(without_aliases(after))]
    if not any(parts):
        raise Failure("has an After that shows nothing")
    index = first_unmatched(parts, printed_tokens(actual))
    if index is not None:
        raise Failure(
            f"does not give this part of After, in its place:\n{indent(texts[index])}  It gives\n{indent(actual)}"
        )


def check_text(run, before, printed, expected):
    result = subprocess.run(run, input=before, capture_output=True, text=True)
    if result.returncode:
        raise Failure(f"the pass on Before fails:\n{indent(result.stderr)}")
    if print_by(run, before, "the pass on Before") != printed:
        raise Failure("changes Before, though it only prints")
    lines = [[line.split() for line in text.splitlines()] for text in (result.stderr, expected)]
    if lines[0] != lines[1]:
        raise Failure(f"does not print this. It prints\n{indent(result.stderr)}")


def check(record, before, options, label, after, opt):
    flag = record["argument"]
    anchor = re.fullmatch(r"::mlir::OperationPass<(.*)>", record["baseClass"])
    if not anchor or anchor.group(1) not in PIPELINES:
        raise Failure(f"runs on {record['baseClass']}, for which this test has no pipeline")
    pipeline = PIPELINES[anchor.group(1)].format(f"{flag}{{{options}}}" if options else flag)
    run = [*opt, f"--pass-pipeline={pipeline}"]
    printed = print_by(opt, before, "Before")
    if label == "Prints":
        check_text(run, before, printed, after)
        return
    actual = print_by(run, before, "the pass on Before")
    if printed == actual:
        raise Failure("leaves Before as it is")
    if ELISION.search(after):
        unique = ["--mlir-print-unique-ssa-ids", "--mlir-print-local-scope"]
        compare_elided(after, print_by([*run, *unique], before, "the pass on Before"))
        return
    expected = print_by(opt, after, "After")
    if expected != actual:
        lines = (expected.splitlines(), actual.splitlines(), "After", "what the pass gives")
        raise Failure("does not give After:\n" + indent("\n".join(difflib.unified_diff(*lines, lineterm="", n=1000))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opt", default="pbs-opt", help="the command of pbs-opt")
    parser.add_argument("sources", nargs="+", help="a Passes.td, or a folder that holds such")
    arguments = parser.parse_args()

    opt, count, failed = shlex.split(arguments.opt), 0, 0
    for source in map(pathlib.Path, arguments.sources):
        for path in sorted(source.rglob("Passes.td")) if source.is_dir() else [source]:
            for record in passes(path):
                try:
                    for before, options, label, after in examples(record["description"]):
                        check(record, before, options, label, after, opt)
                        count += 1
                except Failure as failure:
                    failed += 1
                    print(f"{path}: {record['!name']} (--{record['argument']}) {failure}", file=sys.stderr)
    print(f"{count} examples hold, {failed} passes fail")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
