# SPDX-License-Identifier: BSD-2-Clause
"""test-enrolment.py TPMAUTHND TPMAUTHN WATCH-TCTI: a machine gets its attestation certificate, as TAP.

Request, authority, install, on a TPM with an endorsement certificate; every bad answer is refused with its reason, and
changes nothing; what is cut short anywhere can be done again.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parent / "package")]
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, padding  # noqa: E402
from daemon import Daemon  # noqa: E402
from fido2 import cbor  # noqa: E402
from enrolment_kit import DAY, Authority, Maker, Tpm, b64, name_of_ak, unb64, verify_creation, write_json  # noqa: E402
from tap import run_tests  # noqa: E402

DAEMON, CLI, WATCH = sys.argv[1:]


class Machine:
    """A daemon on a TPM. It can be killed and started again."""

    def __init__(self, tpm, *options, tcti=None):
        self.tpm, self.options, self.tcti = tpm, options, tcti or tpm.tcti
        self.daemon = self._start()
        self.folder = self.daemon.folder
        self.state = self.folder / "state/attestation"

    def _start(self):
        return Daemon(DAEMON, f"--tpm={self.tcti}", "--presence=auto", *self.options)

    def kill(self):
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()

    def restart(self):
        """With the state that the last one left."""
        self.daemon.restart(DAEMON, (f"--tpm={self.tcti}", "--presence=auto", *self.options))

    def cli(self, *words, text=None):
        return subprocess.run([CLI, "-s", self.daemon.control, *words], capture_output=True, text=True, input=text,
                              timeout=120)

    def ask(self, *words):
        """What a person at a terminal reads who says no."""
        terminal, theirs = os.openpty()
        os.write(terminal, b"n\n")
        self.await_ready()
        done = subprocess.run([CLI, "-s", self.daemon.control, *words], stdin=theirs, capture_output=True, text=True, timeout=120)
        os.close(terminal)
        os.close(theirs)
        assert done.returncode == 1 and "Nothing was erased" in done.stderr, done
        return done.stderr

    def await_ready(self):
        """Who uses a simulator beside a device that is plugged in anew has no resource manager in front of it."""
        end = time.monotonic() + 180
        while self.cli("status").returncode != 0:
            assert time.monotonic() < end, "the device is not ready"
            time.sleep(0.05)

    def run(self, *words, text=None):
        self.await_ready()
        return self.cli("attestation", *words, text=text)

    def tell(self, *words, **more):
        done = self.run(*words, **more)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def request(self, *options):
        return json.loads(self.tell("request", *options))

    def show(self):
        return json.loads(self.tell("show", "--json"))

    def install(self, answer):
        return json.loads(self.tell("install", "-", "--json", text=json.dumps(answer)))

    def register(self, algorithm, rp="intern.example"):
        """A passkey of a site that wants the TPM's attestation, as verify-attestation.py takes it."""
        self.await_ready()
        digest = os.urandom(32)
        answer = self.daemon.ctap(b"\x01" + cbor.encode({
            1: digest, 2: {"id": rp}, 3: {"id": os.urandom(8), "name": "ann"},
            4: [{"alg": algorithm, "type": "public-key"}], 0x0b: ["tpm"]}))
        assert answer[0] == 0, f"status {answer[0]:#x}"
        made = cbor.decode(answer[1:])
        return {"fmt": made[1], "authData": made[2].hex(), "attStmt": cbor.encode(made[3]).hex(), "clientDataHash": digest.hex()}

    def snapshot(self):
        files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in self.state.iterdir()} if self.state.exists() else {}
        return files, self.tpm.persistent()

    def refused(self, why, *words, status=1, text=None):
        """With this reason, and nothing is changed by it."""
        before = self.snapshot()
        done = self.run(*words, text=text)
        assert done.returncode == status, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        assert why in done.stderr and done.stdout == "", f"'{why}' is not in: {done.stderr}"
        assert self.snapshot() == before

    def refused_answer(self, why, answer, status=1, **more):
        self.refused(why, "install", "-", text=json.dumps(answer), status=status, **more)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.daemon.__exit__(kind)


def a_bundle_is_what_an_attestation_authority_wants_to_know(maker):
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        bundle = machine.request()
        assert (bundle["v"], bundle["type"]) == (1, "tpmauthn-attestation-request")
        assert "machine" not in bundle and "hostname" not in json.dumps(bundle)
        assert bundle["tpmInfo"] == {"version": 2, "manufacturer": str(0x49424D00), "model": "SW   TPM",
                                     "firmwareVersion": f"{0x2019}.{0x1023}"}, bundle["tpmInfo"]
        assert bundle["params"]["useTCSDActivationFormat"] is False
        [certificate] = [x509.load_der_x509_certificate(unb64(c)) for c in bundle["ekCerts"]]
        key = certificate.public_key()
        assert unb64(bundle["ek"]) == key.public_bytes(serialization.Encoding.DER,
                                                       serialization.PublicFormat.SubjectPublicKeyInfo)
        maker.issuer().public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(),
                                           certificate.signature_hash_algorithm)
        verify_creation(bundle["params"])

        again = machine.request("--machine", "laptop 7")
        assert again["machine"] == "laptop 7"
        assert again["params"] == bundle["params"] and again["request"] != bundle["request"]
        named = machine.request("--machine-id")["machine"]
        assert named == machine.request("--machine-id")["machine"] and len(named) == 32
        assert named != Path("/etc/machine-id").read_text().strip()
        machine.refused("1 to 128 bytes", "request", "--machine", "x" * 129)
        machine.refused("--machine takes a text in UTF-8", "request", "--machine", b"laptop \xff", status=2)
        assert len(tpm.persistent()) == 2  # that of the device, and the key


def an_answer_is_installed_and_taken_once(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        assert machine.show() == {"state": "none"}
        bundle = machine.request()
        shown = machine.show()
        assert shown["state"] == "key" and shown["request"]["id"] == bundle["request"]
        assert shown["key"]["name"] == name_of_ak(bundle["params"]).hex()
        assert shown["ek"] == hashlib.sha256(unb64(bundle["ek"])).hexdigest()
        answer = authority.answer(bundle)
        shown = machine.install(answer)
        assert shown["state"] == "installed" and "request" not in shown
        assert [c["issuer"] for c in shown["chain"]] == ["CN=Authority", "CN=Root"]
        assert machine.show() == shown
        assert "attests to its passkeys" in machine.tell("show")
        for path in machine.state, *machine.state.iterdir():
            assert path.stat().st_mode & 0o077 == 0
        assert sorted(p.name for p in machine.state.iterdir()) == ["chain.pem", "key", "request"]
        machine.refused_answer("the last one was answered", answer, status=4)
        # A newer request takes the place of an older one.
        newer = machine.request()
        machine.refused_answer("another request", answer)
        older = authority.answer(newer)
        newest = machine.request()
        machine.refused_answer("another request", older)
        machine.install(authority.answer(newest))


def a_running_device_attests_from_then_on(maker):
    """No site takes it for less than the TPM's word; after a reset of the passkeys too, and no longer than the key is there.

    A computer that was retired vouches for nothing."""
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm, "--set=attestation.rp-ids=intern.example") as machine:
        root = tpm.folder / "root.pem"
        authority.write_root(root)
        process = machine.daemon.process.pid
        assert machine.register(-7)["fmt"] == "packed"
        machine.install(authority.answer(machine.request()))
        made = [machine.register(algorithm) for algorithm in (-7, -35, -257)]
        assert machine.cli("reset", "--yes").returncode == 0
        made.append(machine.register(-7))
        assert [m["fmt"] for m in made] == 4 * ["tpm"]
        assert machine.register(-7, rp="elsewhere.example")["fmt"] == "packed"
        verified = subprocess.run([sys.executable, HERE / "verify-attestation.py", root], capture_output=True, text=True,
                                  input="".join(json.dumps(m) + "\n" for m in made), timeout=60)
        assert verified.returncode == 0, verified
        machine.tell("remove", "--yes")
        assert machine.register(-7)["fmt"] == "packed"
        last = authority.answer(machine.request())
        machine.install(last)
        assert machine.register(-7)["fmt"] == "tpm"
        retired = machine.cli("--json", "retire", "--yes")
        assert retired.returncode == 0 and "intern.example" in retired.stdout, retired
        assert machine.show() == {"state": "none"}
        machine.refused_answer("No request of this machine is open", last, status=4)
        assert machine.register(-7)["fmt"] == "packed"
        assert machine.daemon.process.pid == process and machine.daemon.process.poll() is None


def an_answer_for_another_machine_is_refused(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Tpm(maker) as other, Machine(tpm) as machine, Machine(other) as foreign:
        bundle, theirs = machine.request(), foreign.request()
        answer = authority.answer(theirs)
        machine.refused_answer("for another machine", answer)
        foreign.refused_answer("for another machine", authority.answer(bundle))
        # Whoever changes its address has no secret to seal it anew with: the TPM has to be asked.
        secret = os.urandom(32)
        forged = authority.answer(theirs, secret=secret)
        for member in "request", "ek", "ak":
            forged[member] = authority.answer(bundle)[member]
        machine.refused_answer("The TPM refuses the answer", authority.seal(forged, authority.chain(bundle["params"]), secret))
        # For this TPM, and a key that it has not.
        stranger = {**bundle, "params": theirs["params"]}
        machine.refused_answer("another attestation key", authority.answer(stranger))
        forged = authority.answer(stranger, secret=secret)
        forged["ak"] = name_of_ak(bundle["params"]).hex()
        machine.refused_answer("The TPM refuses the answer", authority.seal(forged, authority.chain(bundle["params"]), secret))
        machine.install(authority.answer(bundle))
        foreign.install(answer)


def an_answer_that_was_changed_or_came_too_late_is_refused(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        bundle = machine.request()
        answer = authority.answer(bundle)
        text = json.dumps(answer)
        for length in 0, 1, 100, len(text) // 2, len(text) - 1:
            machine.refused("no whole answer", "install", "-", text=text[:length])
        for member, why in ("credential", "TPM refuses"), ("secret", "TPM refuses"):
            blob = bytearray(unb64(answer[member]))
            blob[-1] ^= 1
            machine.refused_answer(why, {**answer, member: b64(blob)})
            machine.refused_answer("not what a TPM takes", {**answer, member: b64(blob[:-1])})
        sealed = bytearray(unb64(answer["chain"]["ciphertext"]))
        sealed[40] ^= 1
        machine.refused_answer("do not open", {**answer, "chain": {**answer["chain"], "ciphertext": b64(sealed)}})
        machine.refused_answer("do not open", {**answer, "expires": "2099-01-01T00:00:00Z"})
        machine.refused_answer("do not open", {**answer, "created": "2026-01-01T00:00:00Z"})
        machine.refused_answer("has expired", authority.answer(bundle, expires=-DAY))
        machine.refused_answer('"ak" is missing', {k: v for k, v in answer.items() if k != "ak"})
        machine.refused_answer("is no member", {**answer, "more": 1})
        machine.refused_answer("takes a newer tpmauthn", {**answer, "v": 2})
        machine.refused_answer("This is no answer", {})
        machine.refused_answer('"type" is another', {**answer, "type": bundle["type"]})
        machine.refused("no answer of a certificate authority", "install", "-", text="[]")
        machine.refused_answer("has 16 bytes", short_secret(authority, bundle))
        machine.install(answer)


def short_secret(authority, bundle):
    """Which the TPM gives out as any other, and which is no key."""
    credential, encrypted = authority.challenge(bundle, os.urandom(16))
    return {**authority.answer(bundle), "credential": b64(credential), "secret": b64(encrypted)}


def certificates_that_a_site_would_refuse_are_refused(maker):
    authority, stranger = Authority(), Authority()
    with Tpm(maker) as tpm:
        root = tpm.folder / "root.pem"
        authority.write_root(root)
        with Machine(tpm, "--set", f"attestation.root={root}") as machine:
            bundle = machine.request()
            params = bundle["params"]
            server_auth = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")
            wrong = (
                ("for another key", {"key": ec.generate_private_key(ec.SECP256R1()).public_key()}),
                ("not for attestation", {"usage": server_auth}),
                ("does not name the TPM", {"san": False}),
                ("has expired", {"end": -DAY / 2}),
                ("not valid yet", {"start": DAY}),
                ("do not lead to a root", {"chain": stranger.chain(params)}),
                ("not signed by the next", {"chain": [authority.certify(params), stranger.certificate]}),
                ("do not lead to a root", {"chain": [authority.certify(params)]}),
                ("signed by itself", {"chain": [*authority.chain(params), authority.root]}),
                ("more than 4", {"chain": 5 * [authority.certificate]}),
            )
            for why, how in wrong:
                machine.refused_answer(why, authority.answer(bundle, **how))
            # A root that somebody has emptied is none that anybody leads to.
            root.write_bytes(b"")
            machine.refused_answer("root holds no certificate in PEM", authority.answer(bundle))
            root.write_bytes(b"nothing")
            machine.refused_answer("root holds no certificate in PEM", authority.answer(bundle))
            authority.write_root(root)
            assert machine.install(authority.answer(bundle))["state"] == "installed"
            # What is in use stays so, whatever comes later.
            machine.refused_answer("do not lead to a root", stranger.answer(machine.request()))
            assert machine.show()["state"] == "installed"
            root.unlink()
            machine.refused_answer("root.pem: No such file", authority.answer(machine.request()))


def smallsteps_protocol_takes_two_rounds(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        secret = os.urandom(32)
        bundle = machine.request()
        credential, encrypted = authority.challenge(bundle, secret)
        first = {"credential": b64(credential), "secret": b64(encrypted)}
        second = {"chain": [b64(c.public_bytes(serialization.Encoding.DER)) for c in authority.chain(bundle["params"])]}
        machine.refused("attestation activate", "install", "-", text=json.dumps(first))
        machine.refused("nothing to activate", "activate", "-", text=json.dumps(second))
        answer = write_json(tpm.folder / "first.json", first)
        # What nobody asked for, or for a request before, is not taken: the TPM has had no say in it.
        machine.refused_answer("was not activated", second)
        assert json.loads(machine.tell("activate", answer)) == {"secret": b64(secret)}
        machine.request()
        machine.refused_answer("was not activated", second)
        wrong = {**first, "credential": b64(credential[:-1] + bytes([credential[-1] ^ 1]))}
        machine.refused("The TPM refuses the answer", "activate", "-", text=json.dumps(wrong))
        machine.refused_answer("was not activated", second)
        assert json.loads(machine.tell("activate", answer)) == {"secret": b64(secret)}
        machine.refused_answer("for another key", {"chain": [second["chain"][1]]})
        machine.refused_answer("5 certificates", {"chain": 5 * second["chain"][:1]})
        assert machine.install(second)["state"] == "installed"
        machine.refused("the last one was answered", "activate", answer, status=4)


def renewing_keeps_the_key_and_what_is_in_use(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        machine.refused("no attestation key here to renew", "renew", status=4)
        bundle = machine.request()
        installed = machine.install(authority.answer(bundle))
        out = tpm.folder / "renew.json"
        assert machine.tell("renew", str(out)) == ""
        renewed = json.loads(out.read_text())
        assert renewed["params"] == bundle["params"]
        shown = machine.show()
        assert shown["chain"] == installed["chain"] and shown["state"] == "installed" and "request" in shown
        again = machine.install(authority.answer(renewed))
        assert again["key"] == installed["key"] and again["chain"] != installed["chain"]


def removing_leaves_nothing_of_it(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        before = tpm.persistent()
        machine.install(authority.answer(machine.request()))
        assert len(tpm.persistent()) == len(before) + 1
        open_request = machine.request()
        assert "is removed" in machine.tell("remove", "--yes")
        assert tpm.persistent() == before and list(machine.state.iterdir()) == []
        assert machine.show() == {"state": "none"}
        assert "had no" in machine.tell("remove", "--yes")
        machine.refused_answer("No request of this machine is open", authority.answer(open_request), status=4)
        # The next key is another one.
        assert machine.request()["params"]["public"] != open_request["params"]["public"]
        # An account that goes takes none with it; a computer that is given away keeps none.
        kept = machine.show()
        machine.await_ready()
        done = machine.cli("--user", str(os.getuid()), "retire", "--yes")
        assert done.returncode == 0 and "key of this machine stays" in done.stdout, done
        assert machine.show() == kept
        assert "ATTESTATION" not in machine.ask("--user", str(os.getuid()), "retire")
        assert "PASSKEYS of this device, AND THE ATTESTATION KEY of this machine" in machine.ask("retire")
        assert machine.show() == kept
        machine.await_ready()
        done = machine.cli("retire", "--yes")
        assert done.returncode == 0 and "attestation key of this machine is removed" in done.stdout, done
        assert machine.show() == {"state": "none"}


class Journal:
    """journald, as far as events are concerned."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tpmauthn-journal-")
        self.path = f"{self.folder}/socket"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        shutil.rmtree(self.folder)

    def taken(self, name):
        """What came until now: the result and the error of each event of this name."""
        self.socket.settimeout(1)
        found = []
        try:
            while True:
                fields = dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines())
                if fields["FIDO_EVENT"] == name:
                    found.append((fields["FIDO_RESULT"], fields.get("FIDO_ERROR")))
        except socket.timeout:
            return found

    def next(self):
        """The fields of the next event of the attestation."""
        self.socket.settimeout(30)
        while True:
            fields = dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines())
            if fields["FIDO_EVENT"].startswith("attestation-"):
                return fields


def each_step_is_in_the_administrators_journal(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Journal() as journal, Machine(tpm, f"--set=audit.socket={journal.path}") as machine:
        bundle = machine.request()
        key = hashlib.sha256(unb64(bundle["params"]["public"])).hexdigest()
        requested = journal.next()
        assert requested["FIDO_EVENT"] == "attestation-requested" and requested["FIDO_CALLER"] == str(os.getuid()), requested
        assert requested["FIDO_KEY"] == key and requested["FIDO_RESULT"] == "ok" and "FIDO_USER" not in requested, requested
        answer = authority.answer(bundle)
        machine.refused_answer("", {**answer, "ak": "000b" + 64 * "0"})
        rejected = journal.next()
        assert rejected["FIDO_EVENT"] == "attestation-rejected" and rejected["FIDO_RESULT"] == "failed", rejected
        machine.install(answer)
        installed = journal.next()
        assert installed["FIDO_EVENT"] == "attestation-installed" and installed["FIDO_KEY"] == key, installed
        machine.show()
        machine.tell("remove", "--yes")
        machine.tell("remove", "--yes")
        removed = journal.next()
        assert removed["FIDO_EVENT"] == "attestation-removed" and removed["FIDO_KEY"] == key, removed
        machine.request()
        assert journal.next()["FIDO_EVENT"] == "attestation-requested"


def a_password_that_is_not_typed_yet_is_no_event(_):
    with Tpm() as tpm, Journal() as journal:
        tpm.tool("tpm2_changeauth", "-c", "o", "owner")
        with Machine(tpm, f"--set=audit.socket={journal.path}") as machine:
            done = machine.cli("owner-password", text="wrong\n")
            assert done.returncode == 1 and "has another password" in done.stderr, done
            assert journal.taken("provisioned") == [("failed", "EKEYREJECTED")]
            done = machine.cli("owner-password", text="owner\n")
            assert done.returncode == 0, done
            assert journal.taken("provisioned") == [("ok", None)]


def a_certificate_of_another_endorsement_key_is_refused(maker):
    with Tpm(maker) as tpm, Tpm() as bare, Machine(bare) as machine:
        certificate = tpm.tool("tpm2_nvread", "0x1c00002", "-C", "0x1c00002")
        bare.tool("tpm2_nvdefine", "0x1c00002", "-C", "o", "-s", len(certificate), "-a", "ownerwrite|authread|ownerread|no_da")
        bare.tool("tpm2_nvwrite", "0x1c00002", "-C", "o", "-i", "-", input=certificate)
        done = machine.run("request")
        assert done.returncode == 1 and "is for another key than this TPM's" in done.stderr, done
        assert "request" not in machine.show()
        bare.tool("tpm2_nvundefine", "0x1c00002", "-C", "o")
        assert machine.request()["ekCerts"] == []


def passwords_of_the_hierarchies_are_told(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm, "--set=tpm.persist-srk=yes") as machine:
        bundle = machine.request()
        answer = authority.answer(bundle)
        tpm.tool("tpm2_changeauth", "-c", "e", "secret")
        machine.refused_answer("endorsement hierarchy has a password", answer)
        tpm.tool("tpm2_changeauth", "-c", "e", "-p", "secret", "")
        machine.install(answer)
        tpm.tool("tpm2_changeauth", "-c", "o", "owner")
        machine.refused("has another password", "remove", "--yes", text="wrong\n")
        machine.tell("remove", "--yes", text="owner\n")


def a_root_that_is_none_is_told_by_the_check_of_the_configuration(maker):
    wrong = ("/etc/hostname", "it holds no certificate in PEM"), ("/dev/null", "it holds no certificate in PEM"), \
        ("/nonexistent", "No such file")
    for path, why in wrong:
        done = subprocess.run([DAEMON, "--config=/dev/null", f"--set=attestation.root={path}", "--check-config"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 78 and f"[attestation] root = {path}: {why}" in done.stderr, done
    authority = Authority()
    root = maker.folder / "root.pem"
    authority.write_root(root)
    subprocess.run([DAEMON, "--config=/dev/null", f"--set=attestation.root={root}", "--check-config"], check=True, timeout=60)


def another_account_is_refused(maker):
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        for path in machine.folder, machine.folder / "run":
            path.chmod(0o755)
        (machine.folder / "run/control.sock").chmod(0o666)
        done = subprocess.run([CLI, "-s", machine.daemon.control, "attestation", "show"], capture_output=True, text=True,
                              timeout=60, user=65534, group=65534, extra_groups=[])
        assert done.returncode == 1 and "may not" in done.stderr, done


def a_kill_between_the_steps_loses_nothing(maker):
    authority = Authority()
    with Tpm(maker) as tpm, Machine(tpm) as machine:
        bundle = machine.request()
        machine.kill()
        machine.restart()
        assert machine.show()["request"]["id"] == bundle["request"]
        shown = machine.install(authority.answer(bundle))
        machine.kill()
        machine.restart()
        assert machine.show() == shown
        machine.tell("remove", "--yes")
        machine.kill()
        machine.restart()
        assert machine.show() == {"state": "none"}


def a_kill_at_any_tpm_command_can_be_made_good(maker):
    """Of a request, an install and a removal. Of the key there is one at most, whatever was cut short."""
    authority = Authority()
    with Tpm(maker) as tpm:
        watch = tpm.folder / "watch"
        watch.mkdir()
        with Machine(tpm, tcti=f"{WATCH}:dir={watch},{tpm.tcti}") as machine:
            before = len(tpm.persistent())

            def kill_at(when, n):
                (watch / "new").write_text(f"kill-{when} {n}\n")
                (watch / "new").rename(watch / "plan")

            def cut_short(*words, text=None):
                """At each of its commands until it is through."""
                for n in range(1, 60):
                    for when in "before", "after":
                        kill_at(when, n)
                        done = machine.run(*words, text=text)
                        (watch / "plan").unlink()
                        if done.returncode == 0:
                            return done.stdout, n
                        assert machine.daemon.process.wait(120) == -signal.SIGKILL, done
                        machine.restart()
                        assert len(tpm.persistent()) <= before + 1
                        machine.show()
                raise AssertionError(f"{words} never ends")

            out, n = cut_short("request")
            assert n > 8, n
            out, n = cut_short("install", "-", text=json.dumps(authority.answer(json.loads(out))))
            assert n > 2 and machine.show()["state"] == "installed"
            cut_short("remove", "--yes")
            assert len(tpm.persistent()) == before and machine.show() == {"state": "none"}


with Maker() as the_maker:
    status = run_tests(
        (
            a_bundle_is_what_an_attestation_authority_wants_to_know,
            an_answer_is_installed_and_taken_once,
            a_running_device_attests_from_then_on,
            an_answer_for_another_machine_is_refused,
            an_answer_that_was_changed_or_came_too_late_is_refused,
            certificates_that_a_site_would_refuse_are_refused,
            smallsteps_protocol_takes_two_rounds,
            renewing_keeps_the_key_and_what_is_in_use,
            removing_leaves_nothing_of_it,
            each_step_is_in_the_administrators_journal,
            a_password_that_is_not_typed_yet_is_no_event,
            a_certificate_of_another_endorsement_key_is_refused,
            passwords_of_the_hierarchies_are_told,
            a_root_that_is_none_is_told_by_the_check_of_the_configuration,
            another_account_is_refused,
            a_kill_between_the_steps_loses_nothing,
            a_kill_at_any_tpm_command_can_be_made_good,
        ),
        the_maker,
    )
sys.exit(status)
