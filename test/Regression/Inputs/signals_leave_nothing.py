# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""signals_leave_nothing.py COMMAND...: runs the command in the current folder with signals, once with each, while it waits
for a reader of a pipe among its outputs. Another output is there then under its first name, which must go."""
import os
import signal
import subprocess
import sys
import time


def partial_files():
    return [name for name in os.listdir() if "partial" in name]


before = sorted(os.listdir())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    # A shell may have had its children ignore it.
    process = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    deadline = time.monotonic() + 60
    while not partial_files():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"no unfinished file, exit status {process.poll()}")
        time.sleep(0.01)
    process.send_signal(number)
    if process.wait() != -number:
        sys.exit(f"exit status {process.returncode} after {number.name}")
    if sorted(os.listdir()) != before:
        sys.exit(f"after {number.name}: {sorted(os.listdir())} instead of {before}")
print("nothing left")
