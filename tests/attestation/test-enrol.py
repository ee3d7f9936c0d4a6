# SPDX-License-Identifier: BSD-2-Clause
"""test-enrol.py TPMAUTHN TPMAUTHND: real daemons ask the CA for certificates of their machines, by files, over HTTP and
with a Keylime registrar beside it, as TAP.

The CA is tools/attestation-ca, the adapters are those of dist/attestation; each daemon has a simulated TPM of swtpm's
maker, which it shares with tpm2-tools.
"""

import base64
import hashlib
import json
import subprocess
import sys

from fleet import TPMAUTHN, TPMAUTHND, Daemon, Fleet
from place import SOURCE, Place, Serving
from registrar import Registrar
from sharing import Shared
from tap import run_tests

from cryptography import x509
from cryptography.hazmat.primitives import hashes


def request_of(machine, place, *options):
    path = place.path()
    machine.attestation("request", path, *options)
    return path


def answered(place, ca, request, *options):
    return place.file(ca.sign(request, *options))


def a_machine_is_enrolled_by_files(fleet):
    ca, one = fleet.place.authority("--two-tiers"), fleet.one
    assert one.show()["state"] == "none"
    request = request_of(one, fleet.place, "--machine", "laptop 7")
    assert one.show()["state"] == "key"
    answer = answered(fleet.place, ca, request)
    one.attestation("install", answer)
    assert one.has(ca)
    entry, shown = ca.entries()[0], one.show()
    assert entry["machine"] == "laptop 7" and entry["ek"] == shown["ek"] and entry["ak"] == shown["key"]["name"]
    assert len(shown["chain"]) == 2
    # The same answer again is of no request any more.
    assert "No request of this machine is open" in one.attestation("install", answer, status=4)


def the_request_is_what_its_tpm_says(fleet):
    one = fleet.one
    made = json.loads(request_of(one, fleet.place).read_text())
    assert "machine" not in made
    assert base64.b64decode(made["ek"]) == one.machine.endorsement
    assert [base64.b64decode(c) for c in made["ekCerts"]] == one.machine.certificates
    assert made["tpmInfo"]["manufacturer"] == str(0x49424D00) and made["tpmInfo"]["version"] == 2


def answers_of_another_machine_are_refused(fleet):
    place, ca = fleet.place, fleet.place.authority()
    ours, theirs = request_of(fleet.one, place), request_of(fleet.two, place)
    answers = answered(place, ca, ours), answered(place, ca, theirs)
    for machine, foreign in ((fleet.one, answers[1]), (fleet.two, answers[0])):
        before = machine.show()
        machine.attestation("install", foreign, status=1)
        assert machine.show() == before
    for machine, own in zip((fleet.one, fleet.two), answers):
        machine.attestation("install", own)
    assert fleet.two.has(ca)


def a_machine_without_an_ek_certificate_gets_nothing(fleet):
    place = fleet.place
    bare = place.add("bare", certified=False)
    sharing = Shared(int(bare.tcti.rpartition("=")[2]))
    try:
        with Daemon(TPMAUTHND, f"--tpm={sharing.tcti}") as daemon:
            path = place.path()
            subprocess.run([TPMAUTHN, "--socket", daemon.control, "attestation", "request", path], check=True)
            assert json.loads(path.read_text())["ekCerts"] == []
            assert place.authority().refused(path) == "ek-certificate-missing"
    finally:
        sharing.stop()


def enrol_http_carries_everything(fleet):
    ca, two = fleet.place.authority(), fleet.two
    with Serving(ca) as at:
        two.adapter("enrol-http", at.url, "--machine", "laptop 8")
        assert two.has(ca) and ca.entries()[0]["machine"] == "laptop 8" and ca.entries()[0]["way"] == "http"
        before = two.show()
        two.adapter("enrol-http", at.url + "/", "--renew")
        assert two.has(ca) and two.show()["chain"] != before["chain"] and two.show()["key"] == before["key"]


def enrol_http_says_why_it_failed(fleet):
    ca, two = fleet.place.authority(policy="[machines]\nmanufacturers = id:494E5443\n"), fleet.two
    before = two.show()["chain"]
    with Serving(ca) as at:
        assert "manufacturer-refused" in two.adapter("enrol-http", at.url, status=1)
        assert "404" in two.adapter("enrol-http", at.url + "/elsewhere", status=1)
    assert "127.0.0.1" in two.adapter("enrol-http", at.url, status=1)
    assert two.show()["chain"] == before and not ca.entries()


def enrol_http_trusts_no_strange_server(fleet):
    ca, two = fleet.place.authority(), fleet.two
    certificate, key = fleet.place.tls()
    with Serving(ca, "--listen", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key,
                 trust=certificate) as at:
        assert "certificate" in two.adapter("enrol-http", at.url, status=1)
        two.adapter("enrol-http", at.url, "--ca", certificate)
        assert two.has(ca)


def the_guides_commands_for_curl_work(fleet):
    ca, two = fleet.place.authority(), fleet.two
    folder = fleet.place.path()
    folder.mkdir()
    guide = (SOURCE / "docs/attestation.md").read_text()
    (block,) = [b for b in guide.split("```") if b.startswith("sh\ntpmauthn attestation request request.json\n")]
    with Serving(ca) as at:
        script = block[3:].replace("https://ca.example.com", at.url)
        done = subprocess.run(["bash", "-euc", f'tpmauthn() {{ "{TPMAUTHN}" "$@"; }}\n{script}'], cwd=folder,
                              env=two.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert two.has(ca)


def a_registrar_is_asked_as_a_witness(fleet):
    place, one, two = fleet.place, fleet.one, fleet.two
    ca, file, theirs = place.authority(), place.path(), place.path()
    with Registrar() as registrar:
        one.adapter("enrol-keylime", registrar.url, "--request", file)
        (agent,) = registrar.agents
        assert agent == f"tpmauthn-{hashlib.sha256(one.machine.endorsement).hexdigest()[:32]}"
        assert registrar.agents[agent]["active"]
        # Its own template of the key, byte for byte.
        assert base64.b64decode(registrar.agents[agent]["ek_tpm"]) == (one.machine.folder / "ek.public").read_bytes()
        ways = ("--registrar", registrar.url)
        one.attestation("install", place.file(ca.sign(file, *ways)))
        assert one.has(ca) and ca.entries()[0]["way"] == "keylime"
        # A machine that it does not know, and one that it knows by the keys of another.
        assert ca.refused(request_of(two, place), *ways) == "keylime-not-registered"
        two.adapter("enrol-keylime", registrar.url, "--request", theirs, "--agent", "second")
        assert ca.sign(theirs, *ways, "--agent", "second")
        fresh = request_of(two, place)
        assert ca.refused(fresh, *ways, "--agent", agent) == "keylime-other-ak"
        known = registrar.agents["second"]
        known["ekcert"] = registrar.agents[agent]["ekcert"]
        assert ca.refused(fresh, *ways, "--agent", "second") == "keylime-other-ek"
        known.update(ekcert=None)
        assert ca.sign(fresh, *ways, "--agent", "second")
        known.update(ekcert=None, ek_tpm=registrar.agents[agent]["ek_tpm"])
        assert ca.refused(request_of(two, place), *ways, "--agent", "second") == "keylime-other-ek"
        known["active"] = False
        assert ca.refused(request_of(two, place), *ways, "--agent", "second") == "keylime-not-registered"
    ca.run("sign", request_of(two, place), *ways, status=3)


def a_registrar_gives_no_challenge_that_another_opens(fleet):
    """What is registered is bound to its TPM: the tag of another secret makes nothing active."""
    with Registrar() as registrar:
        real = registrar.RequestHandlerClass

        class Forging(real):
            def _answer(self, code, status, results=None):
                if results and "blob" in results:
                    for known in self.server.agents.values():
                        known["key"] = base64.b64encode(b"another").decode()
                super()._answer(code, status, results)

        registrar.RequestHandlerClass = Forging
        error = fleet.one.adapter("enrol-keylime", registrar.url, "--request", fleet.place.path(), status=1)
        assert "Auth tag does not match" in error and not registrar.agents


def certificates_are_of_the_key_that_signs(fleet):
    """What is installed and what the CA logged, down to the key."""
    ca, one = fleet.place.authority(), fleet.one
    request = request_of(one, fleet.place)
    one.attestation("install", answered(fleet.place, ca, request))
    public = base64.b64decode(json.loads(request.read_text())["params"]["public"])
    pem = (one.daemon.folder / "state/attestation/chain.pem").read_bytes()
    leaf = x509.load_pem_x509_certificate(pem)
    point = leaf.public_key().public_numbers()
    assert public.endswith(point.x.to_bytes(32, "big") + b"\0\x20" + point.y.to_bytes(32, "big"))
    assert leaf.fingerprint(hashes.SHA256()).hex() == ca.entries()[0]["certificate"]


TESTS = (
    a_machine_is_enrolled_by_files,
    the_request_is_what_its_tpm_says,
    answers_of_another_machine_are_refused,
    a_machine_without_an_ek_certificate_gets_nothing,
    enrol_http_carries_everything,
    enrol_http_says_why_it_failed,
    enrol_http_trusts_no_strange_server,
    the_guides_commands_for_curl_work,
    a_registrar_is_asked_as_a_witness,
    a_registrar_gives_no_challenge_that_another_opens,
    certificates_are_of_the_key_that_signs,
)


def main():
    with Place() as place, Fleet(place) as fleet:
        return run_tests(TESTS, fleet)


if __name__ == "__main__":
    sys.exit(main())
