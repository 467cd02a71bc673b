# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fails unless the example of docs/plan-format.md is the given plan.

    compare_example.py PAGE PLAN
"""

import json
import pathlib
import re
import sys


def main(page, plan):
    example = re.search(r"^## Example\n.*?^```json\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    if json.loads(example.group(1)) == json.loads(plan.read_text()):
        return 0
    print(f"{page}: the example is not what the compiler writes; its plan is in {plan}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
