#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes docs/conformance.md from the outcomes in bench/results/*conformance*.json.

With --check it writes nothing and fails if the page is not what the outcomes give.
"""
import argparse
import collections
import difflib
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "conformance.md"
# How many names of forms that were not confirmed a cell lists.
LISTED = 6

HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception -->
<!-- Written by scripts/conformance_table.py. -->
# Conformance

What the [emulator](emulator.md) and GPUs compute for each form of an instruction, compared with what the host expects from the PTX ISA.
`build/bin/conformance --device=emulator` or `--device=cuda` runs a kernel per form on fresh inputs; `--seed=N` repeats them,
`--filter=TEXT` chooses, and `--json=FILE` keeps the outcome. Files in `bench/results` whose names have `conformance` in them make
this page:

```sh
scripts/conformance_table.py
```

Results are the same bits, but for which NaN they are, unless the form is one of these:

| forms | bound |
| --- | --- |
| matrix products of real numbers to f32 | k * 2^-23 * sum(abs(a*b)) |
| matrix products of real numbers to f16 | 2^-10 * sum(abs(a*b)) |
| matrix products of small integers | exact |
"""


def name_of(device):
    """A device's name without its version."""
    return "emulator" if "emulator" in device else device.split(",")[0]


def read_outcomes():
    """By device: the files' summaries, and the newest result of each form."""
    runs, results, bounds = [], collections.defaultdict(dict), collections.defaultdict(list)
    forms = collections.defaultdict(list)
    paths = sorted(ROOT.glob("bench/results/*conformance*.json"))
    for outcome in sorted((json.loads(path.read_text()) | {"file": path.name} for path in paths), key=lambda run: run["date"]):
        device = name_of(outcome["device"])
        counts = collections.Counter(case["result"] for case in outcome["cases"])
        runs.append((device, outcome, counts))
        for case in outcome["cases"]:
            name = case["name"]
            if name not in forms[case["instruction"]]:
                forms[case["instruction"]].append(name)
                opcode = name.split()[0]
                if "sum|" not in case["comparison"] and case["comparison"] not in ("exact", "failure") and opcode not in bounds[case["comparison"]]:
                    bounds[case["comparison"]].append(opcode)
            results[device][name] = (case["result"], outcome["date"])
    return runs, results, bounds, forms


def cell(names, results):
    """What became of an instruction's forms on one device."""
    passed = [name for name in names if results.get(name, ("",))[0] == "passed"]
    if not passed and not any(name in results for name in names):
        return "not confirmed"
    text = f"all, {max(results[name][1] for name in passed)}" if len(passed) == len(names) else f"{len(passed)} of {len(names)}"
    missing = [name for name in names if name not in passed]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing[:LISTED])
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        failed = any(results.get(name, ("",))[0] == "failed" for name in missing)
        text += f"; {'failed or not confirmed' if failed else 'not confirmed'}: {listed}{more}"
    return text.replace("|", "\\|")


def make_page():
    runs, results, bounds, forms = read_outcomes()
    lines = [HEAD.rstrip()]
    for bound, opcodes in bounds.items():
        lines.append(f"| {', '.join(f'`{opcode}`' for opcode in opcodes)} | {bound} |")
    devices = sorted(results, key=lambda device: device != "emulator")
    if not any(device != "emulator" for device in devices):
        lines += ["", "No form is confirmed on any GPU yet."]
        devices.append("GPU")
    lines += ["", "| device | date | seed | passed | failed | skipped | outcome |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for device, outcome, counts in runs:
        lines.append(f"| {outcome['device']} | {outcome['date']} | {outcome['seed']} | {counts['passed']} | {counts['failed']} | "
                     f"{counts['skipped']} | [file](../bench/results/{outcome['file']}) |")
    lines += ["", "Where the last run on a device confirmed all forms of an instruction, the cell says when.", "",
              "| instruction | forms | " + " | ".join(devices) + " |", "| --- | --- |" + " --- |" * len(devices)]
    rows = re.findall(r'^PBS_INSTRUCTION\("([^"]+)"', (ROOT / "runtime/emulator/Instructions.def").read_text(), re.MULTILINE)
    # Rows that the decoder makes up are no instructions of their own.
    for row in (row for row in rows if row not in ("mov_clock", "call.results")):
        names = forms.get(row, [])
        cells = [cell(names, results[device]) if names else "not confirmed" for device in devices]
        lines.append(f"| `{row}` | {len(names)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    page = make_page()
    if not options.check:
        PAGE.write_text(page)
        return
    old = PAGE.read_text() if PAGE.exists() else ""
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), page.splitlines(True), "docs/conformance.md", "outcomes"))
    if old != page:
        sys.exit("docs/conformance.md is not what bench/results says; scripts/conformance_table.py writes it")


if __name__ == "__main__":
    main()
