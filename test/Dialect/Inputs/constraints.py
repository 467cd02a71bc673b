# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the constraints that a dialect's specification states with those
that its verifiers cite and those that a test breaks. An error of a verifier
that starts with no constraint is a problem too.

    constraints.py SPEC VERIFIERS_FOLDER TESTS_FOLDER
"""

import pathlib
import re
import sys

NAME = re.compile(r"\b[a-z_]+_c[0-9]+\b")
# Errors of parsers, which state a location, are none of a verifier.
UNNAMED = re.compile(r'emit(?:Op)?Error\((?:\)\s*<<)?\s*"((?![a-z_]+_c[0-9]+: )[^"]*)"')


def cited(paths):
    return {name for path in paths for name in NAME.findall(path.read_text())}


def stated(spec):
    """The names that start an item of a list; each must be stated once."""
    names = re.findall(r"^- `([a-z_]+_c[0-9]+)`:", spec.read_text(), re.MULTILINE)
    repeated = {name for name in names if names.count(name) > 1}
    return set(names), repeated


def main(spec, verifiers, tests):
    spec_names, repeated = stated(spec)
    problems = [f"{spec}: {name} is stated twice" for name in sorted(repeated)]
    if not spec_names:
        problems.append(f"{spec}: states no constraint")
    for path in sorted(verifiers.glob("*.cpp")):
        problems += [f"{path}: \"{text}\" cites no constraint" for text in UNNAMED.findall(path.read_text())]
    places = {
        "a verifier": cited(verifiers.glob("*.cpp")),
        "a failing test": cited(tests.glob("invalid*.mlir")),
    }
    for place, names in places.items():
        problems += [f"{name}: in {spec}, but not in {place}" for name in sorted(spec_names - names)]
        problems += [f"{name}: in {place}, but not in {spec}" for name in sorted(names - spec_names)]
    print("\n".join(problems) or f"{len(spec_names)} constraints agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
