# SPDX-License-Identifier: BSD-2-Clause
"""Runs the functions of a test program, each of which fails by an exception, and prints TAP."""

import subprocess
import traceback


def run(*command, expect=0, timeout=300, **more):
    """What the command wrote, on both outputs; its status must be as expected (None: whatever it is)."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, **more)
    if expect is not None:
        assert done.returncode == expect, f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def run_tests(tests, *arguments):
    """The exit status."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        try:
            test(*arguments)
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), flush=True)
    return int(failed > 0)
