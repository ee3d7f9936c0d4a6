# SPDX-License-Identifier: BSD-2-Clause
"""test-tpm.py SITE TPMAUTHND TPMAUTHN: the site takes what a TPM vouches for: keys of a daemon on a TPM that was enrolled, for
each algorithm that a TPM has, and only where the certificates lead to the site's root; as TAP."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent / "helpers"), str(HERE.parent / "package")]
from daemon import Daemon  # noqa: E402
from enrolment_kit import Authority, Maker, Tpm  # noqa: E402
from fido2 import cbor  # noqa: E402
from fido2.client import ClientData  # noqa: E402
from session import Browser, Site  # noqa: E402
from soft_key import decode, encode  # noqa: E402
from tap import run_tests  # noqa: E402

SITE, DAEMON, CLI = sys.argv[1:]


class Machine:
    """A daemon on a TPM, enrolled with an authority."""

    def __init__(self, tpm, authority):
        self.daemon = Daemon(DAEMON, f"--tpm={tpm.tcti}", "--presence=auto", "--set=attestation.rp-ids=localhost")
        bundle = json.loads(self.cli("attestation", "request"))
        self.cli("attestation", "install", "-", text=json.dumps(authority.answer(bundle)))

    def cli(self, *words, text=None):
        """Once the device is there: it may be plugged in anew."""
        end = time.monotonic() + 60
        while True:
            done = subprocess.run([CLI, "-s", self.daemon.control, *words], capture_output=True, text=True, input=text, timeout=120)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < end, done.stderr
            time.sleep(0.1)

    def create(self, options, origin):
        """As a browser does that passes the attestation on."""
        self.cli("status")
        client = ClientData.build(type="webauthn.create", challenge=options["challenge"], origin=origin, crossOrigin=False)
        user = options["user"]
        answer = self.daemon.ctap(b"\x01" + cbor.encode({
            1: client.hash, 2: {"id": options["rp"]["id"]}, 3: {"id": decode(user["id"]), "name": user["name"]},
            4: [{"alg": p["alg"], "type": "public-key"} for p in options["pubKeyCredParams"]], 0x0b: ["tpm"]}))
        assert answer[0] == 0, f"status {answer[0]:#x}"
        made = cbor.decode(answer[1:])
        size = int.from_bytes(made[2][53:55], "big")
        identity = encode(made[2][55:55 + size])
        return {"id": identity, "rawId": identity, "type": "public-key", "response": {
            "clientDataJSON": encode(client),
            "attestationObject": encode(cbor.encode({"fmt": made[1], "attStmt": made[3], "authData": made[2]}))}}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.daemon.__exit__(kind)


def register(machine, site, algorithm, name):
    browser = Browser(site)
    options = browser.call("/api/register/begin", {"name": name, "algorithms": [algorithm], "attestation": "direct"})["publicKey"]
    return browser.call("/api/register/finish", machine.create(options, site.origin))


def the_site_trusts_what_the_tpm_vouches_for(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm, authority) as machine:
        root, other = tpm.folder / "root.pem", tpm.folder / "other.pem"
        authority.write_root(root)
        Authority().write_root(other)
        site = Site(SITE, tpm.folder / "site.db", "--attestation-root", root)
        try:
            for algorithm in (-7, -35, -257):
                said = register(machine, site, algorithm, f"ann {algorithm}")
                assert said["name"] == "accepted", said
                assert said["seen"]["attestation"] == {"format": "tpm", "kind": "tpm", "isTrusted": True}, said["seen"]
                assert said["seen"]["publicKey"]["number"] == algorithm, said["seen"]
        finally:
            site.stop()
        for options, verdict in ((("--attestation-root", other), "attestation-root"), ((), "accepted")):
            site = Site(SITE, tpm.folder / "site.db", *options)
            try:
                said = register(machine, site, -7, "bob")
                assert said["name"] == verdict and not said["seen"]["attestation"]["isTrusted"], said
            finally:
                site.stop()


with Maker() as the_maker:
    status = run_tests((the_site_trusts_what_the_tpm_vouches_for,), the_maker)
sys.exit(status)
