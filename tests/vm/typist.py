# SPDX-License-Identifier: BSD-2-Clause
"""typist.py [ANSWER...] -- COMMAND...: runs COMMAND on a terminal of its own and types one ANSWER at each
question for a PIN or password. What it prints goes to standard output.

The exit status is the command's. It is 98 when there were more answers than questions, 99 when there were
more questions: a client that asks for nothing and one that asks twice are findings.
"""

import os
import pty
import re
import signal
import sys
import time

QUESTION = re.compile(rb"(PIN|pin|assword|assphrase)[^\r\n]*(:|no echo\)) ?$")

split = sys.argv.index("--")
answers, command = sys.argv[1:split], sys.argv[split + 1 :]

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)

signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
unasked, seen = list(answers), b""
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:  # the terminal is closed at its other end
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
    seen += data
    if QUESTION.search(seen):
        seen = b""
        if not unasked:
            print("\n[one question too many]")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.exit(99)
        time.sleep(0.2)
        os.write(terminal, unasked.pop(0).encode() + b"\n")

status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if unasked and status == 0:
    print(f"\n[{len(unasked)} answers were not asked for]")
    status = 98
sys.exit(status if status >= 0 else 128 - status)
