#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What tpmauthn ci run costs a team: how soon its command runs, and how much the keys do.

Usage: bench-ci.py TPMAUTHN TPMAUTHND BENCH-LOAD SECONDS. The keys are sockets, so that it runs anywhere. Beside
what the whole stack does, from a client's libfido2 to the simulator and back, stands what the simulators do alone.
Fails if the command of one key starts after more than a second.
"""

import os
import subprocess
import sys
import time

TPMAUTHN, LOAD, SECONDS = sys.argv[1], sys.argv[3], sys.argv[4]
ENVIRONMENT = dict(os.environ, TPMAUTHND=sys.argv[2])
RUNS = 7


def ci_run(devices, *command):
    done = subprocess.run([TPMAUTHN, "ci", "run", "--transport", "socket", "--devices", str(devices), "--", *command],
                          env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return done.stdout


def start(devices):
    """Seconds from the start of tpmauthn until its command runs, and until it has ended; medians."""
    told, ended = [], []
    for _ in range(RUNS):
        began = time.clock_gettime(time.CLOCK_REALTIME)
        told.append(float(ci_run(devices, "date", "+%s.%N")) - began)
        ended.append(time.clock_gettime(time.CLOCK_REALTIME) - began)
    return sorted(told)[RUNS // 2], sorted(ended)[RUNS // 2]


def bare(devices):
    done = subprocess.run([LOAD, "bare", str(devices), SECONDS], stdout=subprocess.PIPE, text=True, timeout=600,
                          check=True)
    return done.stdout


def figures(text):
    return [float(word) for word in text.split()]


def main():
    one_starts = None
    for devices in (1, 4, 16):
        ready, ended = start(devices)
        one_starts = one_starts or ready
        print(f"{devices:2} key{'s' if devices > 1 else ' '}: the command starts after {ready * 1e3:.0f} ms"
              f"{' (goal below 1000)' if devices == 1 else ''}; an empty one has ended after {ended * 1e3:.0f} ms",
              flush=True)
    for devices in (1, 4, 16):
        whole, alone = figures(ci_run(devices, LOAD, "client", SECONDS)), figures(bare(devices))
        print(f"{devices:2} key{'s' if devices > 1 else ' '}: {whole[0]:.0f} registrations/s and {whole[1]:.0f} logins/s; "
              f"their TPM commands alone: {alone[0]:.0f}/s and {alone[1]:.0f}/s", flush=True)
        if devices == 1:
            print(f"one full login / its bare TPM commands: {whole[2] / alone[2]:.2f} "
                  f"({whole[2]:.2f} ms / {alone[2]:.2f} ms)", flush=True)
    return one_starts > 1


if __name__ == "__main__":
    sys.exit(main())
