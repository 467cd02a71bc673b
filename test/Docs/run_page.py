#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the commands of a page of the documentation and compares what they print.

A block of PTX, MLIR or Python is written to the last file that the text before it names. A block of
type console has lines that begin with "$ ", each followed by the output of the
command, standard error included; a line "..." stands for any number of lines.
Times are not compared.

With --update the page is rewritten with what the commands print, except where the
page has an elision.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(ptx|mlir|python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`([\w-]+\.(?:ptx|mlir|py))`")
TIME = re.compile(r"\d+\.\d{3} s")


def run(command, folder):
    command = re.sub(r"^python3\b", sys.executable, command)
    result = subprocess.run(command, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return TIME.sub("0.000 s", result.stdout)


def holds(expected, actual):
    """Whether `actual` is `expected`, in which "..." lines stand for any lines."""
    pieces = [re.escape(piece) for piece in re.split(r"^\.\.\.\n", expected, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*".join(pieces), actual) is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    text = options.page.read_text()
    failures, commands = 0, 0
    updated, end = "", 0
    with tempfile.TemporaryDirectory() as folder:
        for block in BLOCK.finditer(text):
            updated += text[end : block.start(2)]
            end = block.end(2)
            if block[1] != "console":
                (pathlib.Path(folder) / NAME.findall(text[: block.start()])[-1]).write_text(block[2])
                updated += block[2]
                continue
            for entry in re.split(r"^\$ ", block[2], flags=re.MULTILINE)[1:]:
                command, expected = entry.split("\n", 1)
                actual = run(command, folder)
                commands += 1
                if not holds(TIME.sub("0.000 s", expected), actual):
                    failures += 1
                    print(f"$ {command}\nexpected:\n{expected}found:\n{actual}")
                    expected = expected if "...\n" in expected else actual
                updated += f"$ {command}\n{expected}"
    if options.update:
        options.page.write_text(updated + text[end:])
    print(f"{commands} commands, {failures} print something else")
    return failures != 0 or commands == 0


if __name__ == "__main__":
    sys.exit(main())
