#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""diff_ptx.py SCRIPT PTX --seed=N: numbers a PTX file's registers and labels anew, changes a few lines, and checks that the
script shows these lines and no other."""

import argparse
import pathlib
import random
import re
import subprocess
import sys
import tempfile

NAME = re.compile(r"%(?:p|rs|rd|r)\d+\b|\$L__BB\d+_\d+")


def renumber(text, generator):
    """The same text with other numbers, each function's of its own."""
    functions = re.split(r"(?=^\.visible \.entry )", text, flags=re.MULTILINE)
    for place, function in enumerate(functions):
        names = list(dict.fromkeys(NAME.findall(function)))
        generator.shuffle(names)
        # The number of declared registers is then too small, which the script does not read.
        new = {name: re.sub(r"\d+$", str(number), name) for number, name in enumerate(names, 1)}
        functions[place] = NAME.sub(lambda name: new[name.group()], function)
    return "".join(functions)


def changed_lines(script, folder, texts):
    paths = [folder / name for name in ("old.ptx", "new.ptx")]
    for path, text in zip(paths, texts):
        path.write_text(text)
    result = subprocess.run([sys.executable, script, *paths], capture_output=True, text=True)
    lines = result.stdout.splitlines()[2:]
    assert result.returncode == bool(lines), (result.returncode, result.stderr)
    return [line for line in lines if line[0] in "+-"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("ptx", type=pathlib.Path)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    generator = random.Random(options.seed)
    text = options.ptx.read_text()
    lines = text.splitlines()
    # Instructions with a result in a 32-bit register and another as first operand.
    places = [place for place, line in enumerate(lines) if re.match(r"\t(add|mul|shl|and|or)\S* \t%r\d+, %r\d+,", line)]

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        found = changed_lines(options.script, folder, [text, renumber(text, generator)])
        assert not found, found

        inserted, chosen = list(lines), sorted(generator.sample(places, 3))
        for place in reversed(chosen):
            inserted.insert(place, f"\tadd.s32 \t%r99999{place}, %r1, {place};")
        found = changed_lines(options.script, folder, [text, renumber("\n".join(inserted), generator)])
        numbers = [int(re.search(r", (\d+);", line)[1]) for line in found]
        assert numbers == chosen and all(line[0] == "+" for line in found), (chosen, found)

        # Another register in one place is a change, though but for numbers the line is the same.
        other, place = list(lines), generator.choice(places)
        other[place] = re.sub(r", (%r\d+),", ", %r999999,", other[place])
        found = changed_lines(options.script, folder, [text, renumber("\n".join(other), generator)])
        assert len(found) == 2 and found[1].replace("%r_new1", "") != found[1], found
        print(f"{len(chosen)} insertions and one other operand found")


if __name__ == "__main__":
    main()
