# SPDX-License-Identifier: BSD-2-Clause
"""A CA with its folder, and the machines that ask it, for the tests beside this file."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path.append(str(HERE.parent / "package"))
from machine import Machine, Maker, encode, run, write_json  # noqa: E402

CA = SOURCE / "tools/attestation-ca"


class Place:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tpmauthn-attestation-"))
        self.machines, self.count = [], 0
        try:
            self.maker = Maker(self.folder / "maker")
            self.machine = self.add("machine")
            self.key = self.machine.attestation_key()
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for machine in self.machines:
            machine.stop()
        shutil.rmtree(self.folder)

    def add(self, name, maker=None, certified=True):
        machine = Machine(self.folder / name, maker or self.maker, certified)
        self.machines.append(machine)
        return machine

    def path(self):
        self.count += 1
        return self.folder / f"file{self.count}"

    def authority(self, *options, policy="", makers=None):
        """A CA of its own for a test."""
        ca = Authority(self.path())
        ca.run("init", *options)
        for maker in [self.maker] if makers is None else makers:
            for certificate in maker.certificates():
                # Each maker calls its root alike.
                shutil.copy(certificate, ca.folder / "roots" / f"{maker.folder.name}-{certificate.name}")
        ca.write_policy(policy)
        return ca

    def file(self, value):
        return write_json(self.path(), value)

    def tls(self):
        """(a certificate for this computer, which vouches for itself, its key), as files."""
        certificate, key = self.path(), self.path()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
        return certificate, key


class Authority:
    def __init__(self, folder):
        self.folder = folder

    def command(self, *arguments):
        return ["/usr/bin/python3", str(CA), "--folder", str(self.folder), *map(str, arguments)]

    def run(self, *arguments, status=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"{arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stderr

    def write_policy(self, text):
        (self.folder / "policy.conf").write_text(text, encoding="utf-8")

    def sign(self, file, *options):
        return json.loads(self.run("sign", file, *options))

    def refused(self, file, *options):
        """The reason, one word."""
        lines = self.run("sign", file, *options, status=1)
        assert lines.startswith("attestation-ca: refused: "), lines
        return lines.split(": ")[2]

    def entries(self):
        return [json.loads(line) for line in self.run("list", "--json").splitlines()]


class Serving:
    """attestation-ca serve, and a client of it."""

    def __init__(self, ca, *options, trust=None):
        self.trust, self.error = trust, ca.folder / "serve.log"
        with open(self.error, "ab") as error:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *ca.command("serve", *(options or ("--listen", "127.0.0.1:0")))],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=error, text=True)
        found = re.fullmatch(r"listening at https?://\S+:(\d+)\n", self.process.stdout.readline())
        assert found, self.log()
        self.port = int(found[1])
        self.url = f"{'https' if trust else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def log(self):
        return self.error.read_text(encoding="utf-8")

    def post(self, path, value):
        """(status, the answer)."""
        if self.trust:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                                     context=ssl.create_default_context(cafile=self.trust))
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        connection.request("POST", path, body)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    def raw(self, data):
        """The first bytes that come back for these."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            connection.sendall(data)
            return connection.recv(4096)


def changed(data, at):
    """The same bytes with one bit turned."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def with_params(request, **params):
    """A request with other parameters, given as bytes."""
    return {**request, "params": {**request["params"], **{name: encode(data) for name, data in params.items()}}}
