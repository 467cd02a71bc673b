# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""readable.py DUMP...: fails at a line above 160 characters, or with two spaces outside a string, or one at its end."""
import re
import sys

for path in sys.argv[1:]:
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            text = re.sub('"[^"]*"', '""', line.rstrip("\n"))
            if len(line) > 161 or "  " in text.lstrip(" ") or text.endswith(" "):
                sys.exit(f"{path}:{number}: {line}")
