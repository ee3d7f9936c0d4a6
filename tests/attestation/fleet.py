# SPDX-License-Identifier: BSD-2-Clause
"""Two machines with real daemons, whose programs are the first two arguments, for the tests beside this file."""

import json
import os
import subprocess
import sys

from place import HERE, SOURCE
from sharing import Shared

sys.path.append(str(HERE.parent / "helpers"))
from daemon import Daemon  # noqa: E402

TPMAUTHN, TPMAUTHND = map(os.path.abspath, sys.argv[1:3])
ADAPTERS = SOURCE / "dist/attestation"


class Enrolling:
    """A machine with tpmauthnd on it."""

    def __init__(self, place, name, *options):
        self.machine = place.add(name)
        self.sharing = Shared(int(self.machine.tcti.rpartition("=")[2]))
        self.machine.tcti = self.sharing.tcti
        self.daemon = Daemon(TPMAUTHND, f"--tpm={self.sharing.tcti}", *options)
        self.environment = {**os.environ, "TPMAUTHN_SOCKET": self.daemon.control}

    def stop(self):
        self.daemon.stop()
        self.sharing.stop()

    def command(self, *arguments, status=0):
        done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, env=self.environment)
        assert done.returncode == status, f"{arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stderr

    def attestation(self, *arguments, status=0):
        return self.command(TPMAUTHN, "attestation", *arguments, status=status)

    def show(self):
        return json.loads(self.attestation("show", "--json"))

    def adapter(self, name, *arguments, status=0):
        return self.command("/usr/bin/python3", ADAPTERS / name, "--tpmauthn", TPMAUTHN, *arguments, status=status)

    def has(self, ca):
        """True if what is installed is what the CA signed last."""
        shown = self.show()
        return shown["state"] == "installed" and shown["chain"][0]["sha256"] == ca.entries()[-1]["certificate"]


class Fleet:
    def __init__(self, place):
        self.place, self.all = place, []
        self.one, self.two = self.add("one"), self.add("two")

    def add(self, name, *options):
        self.all.append(Enrolling(self.place, name, *options))
        return self.all[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for machine in self.all:
            machine.stop()
