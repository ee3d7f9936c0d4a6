#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the daemon costs while nobody uses it, and how soon it is there.

Usage: bench-daemon.py TPMAUTHND SECONDS. Starts the daemon on a private simulator, twice: the first
run provisions, the second is measured. Everything it starts it ends.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def start(daemon, folder):
    """Starts the daemon; gives it and the seconds until READY=1."""
    path = os.path.join(folder, "notify")
    if os.path.exists(path):
        os.unlink(path)
    ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ready.bind(path)
    ready.settimeout(60)
    began = time.monotonic()
    process = subprocess.Popen(
        [daemon, "--device", "socket:" + os.path.join(folder, "device"), "--tpm", "swtpm",
         "--presence", "auto", "--state-dir", os.path.join(folder, "state"),
         "--runtime-dir", os.path.join(folder, "run")],
        env=dict(os.environ, NOTIFY_SOCKET=path), stderr=subprocess.PIPE, text=True)
    try:
        while b"READY=1" not in ready.recv(4096).split(b"\n"):
            pass
    except socket.timeout:
        process.kill()
        sys.exit("bench-daemon: not ready after 60 s:\n" + process.communicate()[1])
    return process, time.monotonic() - began


def stop(process):
    process.terminate()
    process.communicate(timeout=30)


def private_dirty_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1])
    raise RuntimeError("no Private_Dirty")


def wake_ups(pid):
    """How often its threads have slept and been woken, all together."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def main():
    daemon, seconds = sys.argv[1], int(sys.argv[2])
    folder = tempfile.mkdtemp(prefix="tpmauthn-bench-")
    try:
        process, provisioning = start(daemon, folder)
        stop(process)
        process, starting = start(daemon, folder)
        try:
            time.sleep(3)  # until the TPM is let go and everything has settled
            before = wake_ups(process.pid)
            time.sleep(seconds)
            woken = wake_ups(process.pid) - before
            dirty = private_dirty_kib(process.pid)
        finally:
            stop(process)
    finally:
        shutil.rmtree(folder)
    print(f"start-up to READY on a provisioned TPM, the simulator's own start included: "
          f"{starting * 1e3:.0f} ms ({starting / provisioning:.2f} of the first, "
          f"which provisions)")
    print(f"wake-ups while idle: {woken} in {seconds} s (goal 0)")
    print(f"private dirty memory of the idle daemon: {dirty} KiB (goal below 3072)")


if __name__ == "__main__":
    main()
