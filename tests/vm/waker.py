# SPDX-License-Identifier: BSD-2-Clause
"""waker.py SOCKET: wakes a machine of QEMU some seconds after each time it suspended, and says when.

SOCKET speaks QMP. QEMU tells of the suspend when the machine really sleeps, so no alarm can be lost as
one of the guest's own clock can that rings while the kernel is still on its way to sleep.
"""

import json
import socket
import sys
import time

ASLEEP = 2  # seconds; the real-time clock, by which the kernel knows how long it was, counts whole ones

while True:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(sys.argv[1])
        break
    except OSError:  # QEMU is not so far yet
        time.sleep(0.1)
stream = connection.makefile("rw")


def execute(command):
    stream.write(json.dumps({"execute": command}) + "\n")
    stream.flush()


execute("qmp_capabilities")
for line in stream:
    said = json.loads(line)
    if word := said.get("event") or said.get("error", {}).get("desc"):
        print(f"{time.monotonic():.1f}", word, flush=True)
    if word == "SUSPEND":
        time.sleep(ASLEEP)
        execute("system_wakeup")
