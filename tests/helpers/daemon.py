# SPDX-License-Identifier: BSD-2-Clause
"""The real daemon with a simulator, its device on a socket, in a folder of its own; and a client of it.

    daemon.py TPMAUTHND [OPTION...]

for tests that are not in Python: writes the control socket as a line, and for each line that it reads
does an authenticatorSelection, whose status it writes. It ends with its standard input.
"""

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

INIT, CBOR, KEEPALIVE = 0x86, 0x90, 0xBB
SELECTION = b"\x0b"
LIMIT = 120


def ctap(path, message):
    """A CTAP2 message to the device on this socket, and its answer, the first byte of which is the status."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as device:
        device.settimeout(LIMIT)
        device.connect(path)
        channel = _call(device, b"\xff\xff\xff\xff", INIT, os.urandom(8))[8:12]
        return _call(device, channel, CBOR, message)


def _report(device, channel):
    while True:
        report = device.recv(64)
        if not report:
            raise OSError("the device was unplugged")
        if report[:4] == channel and report[4] != KEEPALIVE:
            return report


def _call(device, channel, command, data):
    device.send((channel + bytes([command]) + struct.pack(">H", len(data)) + data[:57]).ljust(64, b"\0"))
    for number, at in enumerate(range(57, len(data), 59)):
        device.send((channel + bytes([number]) + data[at:at + 59]).ljust(64, b"\0"))
    report = _report(device, channel)
    assert report[4] == command, f"answer {report[:8].hex()}"
    length, answer = struct.unpack(">H", report[5:7])[0], report[7:]
    while len(answer) < length:
        answer += _report(device, channel)[5:]
    return answer[:length]


class Daemon:
    def __init__(self, program, *options):
        self.folder = Path(tempfile.mkdtemp(prefix="tpmauthn-helpers-"))
        self.control = str(self.folder / "run/control.sock")
        self.process = self.log = None
        try:
            self._start(program, options)
        except BaseException:
            self.stop()
            raise

    def _start(self, program, options):
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        (self.folder / "notify").unlink(missing_ok=True)
        ready.bind(str(self.folder / "notify"))
        ready.settimeout(1)
        self.log = self.log or open(self.folder / "log", "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "--config=/dev/null", "--tpm=swtpm", f"--device=socket:{self.folder}/device",
             f"--state-dir={self.folder}/state", f"--runtime-dir={self.folder}/run", *options],
            env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")},
            stdin=subprocess.DEVNULL, stderr=self.log, process_group=0,
        )
        with ready:
            end, heard = time.monotonic() + LIMIT, b""
            while b"READY=1" not in heard.split(b"\n"):
                try:
                    heard = ready.recv(4096)
                except socket.timeout:
                    if self.process.poll() is not None or time.monotonic() >= end:
                        sys.stderr.write((self.folder / "log").read_text())
                        raise RuntimeError("the daemon did not start") from None

    def restart(self, program, options):
        """After it was killed: another one on what that left."""
        self.process.wait()
        self._start(program, options)

    def select(self):
        """authenticatorSelection: waits for a person and does nothing else. The status byte."""
        return self.ctap(SELECTION)[0]

    def ctap(self, message):
        """That of its first device."""
        return ctap(str(self.folder / "device"), message)

    def select_later(self):
        """The same beside the test: a function that waits for the status."""
        statuses = []
        thread = threading.Thread(target=lambda: statuses.append(self.select()), daemon=True)
        thread.start()

        def status():
            thread.join(LIMIT)
            return statuses[0]

        return status

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log:
            self.log.close()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.log.seek(0)
            sys.stderr.write(self.log.read())
        self.stop()


def main():
    with Daemon(*sys.argv[1:]) as daemon:
        print(daemon.control, flush=True)
        for _ in sys.stdin:
            print(daemon.select(), flush=True)


if __name__ == "__main__":
    main()
