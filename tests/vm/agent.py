# SPDX-License-Identifier: BSD-2-Clause
"""agent.py [--answer yes|no|none|nothing] [--pin PIN] [--delay SECONDS]: an agent without a screen.

It answers every question at once, or after a delay. `none` shows a question and leaves it there; `nothing`
does not even show it, as an agent that hangs. Whatever the daemon says is a line of standard output, with
the milliseconds since the boot before it.
"""

import argparse
import json
import socket
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--answer", default="yes", choices=("yes", "no", "none", "nothing"))
parser.add_argument("--pin")
parser.add_argument("--delay", type=float, default=0)
parser.add_argument("--socket", default="/run/tpmauthn/agent.sock")
options = parser.parse_args()


def note(text):
    print(int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000), text, flush=True)


def send(**packet):
    daemon.send(json.dumps(packet).encode())


daemon = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
daemon.connect(options.socket)
send(type="hello", v=1, ui="tty", pin=True)
while packet := daemon.recv(65536):
    note(packet.decode())
    said = json.loads(packet)
    if said["type"] != "ask" or options.answer == "nothing":
        continue
    send(type="shown", id=said["id"])
    if options.answer == "none":
        continue
    time.sleep(options.delay)
    answer = {"type": "answer", "id": said["id"], "answer": options.answer}
    if options.answer == "yes" and said["verify"] and options.pin:
        answer["pin"] = options.pin
    send(**answer)
note("gone")
sys.exit(1)
