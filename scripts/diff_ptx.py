#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""diff_ptx.py OLD.ptx NEW.ptx: what changed between two PTX files, however their registers and labels are numbered.

The compiler numbers registers and labels through, so one more instruction renames every one after it. Here the instructions
of the two files are matched without their numbers; then the second file's registers and labels take the names of those that
they match in the first. One that only the second file has is called %r_new1, $new1 and so on. Comments, spaces and the
number of declared registers do not count.

Prints a unified diff. The exit code is diff's: 0 for no difference, 1 for some, 2 for trouble.
"""

import argparse
import collections
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import typing

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
FUNCTION = re.compile(r"\.(?:entry|func)\s+(?:\([^)]*\)\s*)?([\w$]+)")
DECLARATION = re.compile(r"\.reg\b.*?([%\w$]+)<\d+>")
LABEL = re.compile(r"([\w$]+):(?!:)")
TOKEN = re.compile(r"[%\w$]+|[^%\w$]+")
NUMBERED = re.compile(r"(.*?)(\d+)")


class Name(typing.NamedTuple):
    """A numbered register or a label of a function."""

    function: str
    kind: str  # a register's name without its number, or "$" for a label
    text: str


def statements(text):
    """The lines that count, each instruction on one."""
    lines, instruction = [], ""
    for line in COMMENT.sub(" ", text).splitlines():
        line = " ".join([instruction, *line.split()]).strip()
        is_open = re.match(r"[@\w]", line) and not line.endswith((";", ":", "}"))
        instruction = line if is_open else ""
        if line and not is_open:
            lines.append(line)
    return lines + [instruction] * bool(instruction)


def read_lines(path):
    """The lines of a file, each as a list of text and Names, without declarations of numbered registers."""
    lines = statements(pathlib.Path(path).read_text(encoding="utf-8"))
    function, functions = "", []
    kinds, labels = collections.defaultdict(set), collections.defaultdict(set)
    for line in lines:
        if found := FUNCTION.search(line):
            function = found[1]
        functions.append(function)
        kinds[function].update(DECLARATION.findall(line))
        if found := LABEL.match(line):
            labels[function].add(found[1])

    def read(token, function):
        if token in labels[function]:
            return Name(function, "$", token)
        numbered = NUMBERED.fullmatch(token)
        if numbered and numbered[1] in kinds[function]:
            return Name(function, numbered[1], token)
        return token

    return [
        [read(token, function) for token in TOKEN.findall(line)]
        for line, function in zip(lines, functions)
        if not DECLARATION.search(line)
    ]


def without_numbers(line):
    return "".join(token.kind if isinstance(token, Name) else token for token in line)


def run_diff(old, new, *options):
    """What diff prints of two lists of lines, and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / name for name in ("old", "new")]
        for path, lines in zip(paths, (old, new)):
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        result = subprocess.run(["diff", *options, *paths], stdout=subprocess.PIPE, encoding="utf-8")
    return result.stdout, result.returncode


def matching_lines(old, new):
    """Pairs of lines that are the same but for their numbers."""
    formats = ["--unchanged-group-format=%df %dF %dN\n", "--changed-group-format="]
    numberless = [[without_numbers(line) for line in lines] for lines in (old, new)]
    for group in run_diff(*numberless, "--minimal", *formats)[0].splitlines():
        start, other, length = map(int, group.split())
        yield from zip(old[start - 1 :][:length], new[other - 1 :][:length])


def match_names(old, new):
    """The new Names' text in the old file: each takes the name that stands in its place most often and is free."""
    votes = collections.Counter()
    for old_line, new_line in matching_lines(old, new):
        for old_token, new_token in zip(old_line, new_line):
            if isinstance(new_token, Name):
                votes[new_token, old_token] += 1
    names, taken = {}, set()
    for (new_name, old_name), _ in votes.most_common():
        place = new_name.function, old_name.text
        if new_name not in names and place not in taken:
            names[new_name] = old_name.text
            taken.add(place)
    return names


def renamed(lines, names):
    """The lines as text; a Name that `names` lacks gets a new one."""
    counts, names = collections.Counter(), dict(names)
    for name in (token for line in lines for token in line if isinstance(token, Name)):
        if name not in names:
            counts[name.function, name.kind] += 1
            separator = "" if name.kind == "$" else "_"
            names[name] = f"{name.kind}{separator}new{counts[name.function, name.kind]}"
    return ["".join(names[token] if isinstance(token, Name) else token for token in line) for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--context", type=int, default=3, help="unchanged lines around a change (%(default)s)")
    options = parser.parse_args()
    # A pager that is left early is no error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    files = []
    for path in (options.old, options.new):
        try:
            files.append(read_lines(path))
        except (OSError, UnicodeDecodeError) as error:
            print(f"diff_ptx.py: {path}: {getattr(error, 'strerror', None) or 'is not text'}", file=sys.stderr)
            return 2
    old, new = files
    old_text = ["".join(token.text if isinstance(token, Name) else token for token in line) for line in old]
    new_text = renamed(new, match_names(old, new))
    labels = [f"--label={path}" for path in (options.old, options.new)]
    text, code = run_diff(old_text, new_text, f"--unified={options.context}", *labels)
    sys.stdout.write(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
