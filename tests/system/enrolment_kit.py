# SPDX-License-Identifier: BSD-2-Clause
"""What an enrolment takes beside the daemon: a TPM that its maker certified, and a certificate authority.

The TPM is a swtpm that swtpm_setup made, with a certificate of its endorsement key by a CA of swtpm's. The authority is
played here, by cryptography and tpm2_makecredential, and shares no code with what it talks to.
"""

import base64
import ctypes
import datetime
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

AIK = x509.ObjectIdentifier("2.23.133.8.3")
MANUFACTURER, MODEL, VERSION = (x509.ObjectIdentifier(f"2.23.133.2.{n}") for n in (1, 2, 3))
DAY = datetime.timedelta(days=1)
PR_SET_PDEATHSIG = 1


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def utc(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def now():
    return datetime.datetime.utcnow().replace(microsecond=0)


def die_with_us():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Maker:
    """The CA of a maker of TPMs, for all of a test."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tpmauthn-maker-"))
        ca = self.folder / "ca"
        ca.mkdir()
        (self.folder / "ca.conf").write_text(
            f"statedir = {ca}\nsigningkey = {ca}/signkey.pem\nissuercert = {ca}/issuercert.pem\ncertserial = {ca}/certserial\n")
        (self.folder / "options").write_text("")
        (self.folder / "setup.conf").write_text(
            f"create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {self.folder}/ca.conf\n"
            f"create_certs_tool_options = {self.folder}/options\nactive_pcr_banks = sha256\n")

    def issuer(self):
        return x509.load_pem_x509_certificate((self.folder / "ca/issuercert.pem").read_bytes())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


class Tpm:
    """A swtpm; without a maker one without certificates."""

    def __init__(self, maker=None):
        self.folder = Path(tempfile.mkdtemp(prefix="tpmauthn-enrol-"))
        self.process = None
        (self.folder / "state").mkdir()
        if maker:
            subprocess.run(
                ["swtpm_setup", "--tpm2", "--tpmstate", f"dir://{self.folder}/state", "--create-ek-cert", "--config",
                 str(maker.folder / "setup.conf"), "--overwrite"], check=True, capture_output=True, timeout=120)
        self.tcti = f"swtpm:path={self.folder}/socket"
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}/state", "--server",
             f"type=unixio,path={self.folder}/socket", "--ctrl", f"type=unixio,path={self.folder}/socket.ctrl", "--flags",
             "not-need-init,startup-clear"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_us)
        end = time.monotonic() + 120
        while not (self.folder / "socket").exists():
            assert time.monotonic() < end and self.process.poll() is None, "swtpm did not start"
            time.sleep(0.02)

    def tool(self, *command, **more):
        done = subprocess.run([str(c) for c in command], env={**os.environ, "TPM2TOOLS_TCTI": self.tcti}, capture_output=True,
                              timeout=60, **more)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        return done.stdout

    def persistent(self):
        """The handles of what is kept in it, but for the SRK and the EKs."""
        handles = [int(line.split()[1], 16) for line in self.tool("tpm2_getcap", "handles-persistent").decode().splitlines()]
        return set(handles) - {0x81000001, 0x81010001, 0x81010016}

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def public_of_ak(params):
    """From a TPMT_PUBLIC of an ECDSA key on P-256, the last two members of which are x and y."""
    area = unb64(params["public"])
    assert area[-68:-66] == area[-34:-32] == b"\0\x20"
    x, y = (int.from_bytes(area[i:i + 32], "big") for i in (len(area) - 66, len(area) - 32))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def name_of_ak(params):
    return b"\0\x0b" + hashlib.sha256(unb64(params["public"])).digest()


def verify_creation(params):
    """TPM2_CertifyCreation: the key says by itself that it was made so. TPMS_ATTEST, TPMT_SIGNATURE."""
    attest, signature = unb64(params["createAttestation"]), unb64(params["createSignature"])
    assert attest[:6] == bytes.fromhex("ff544347801a"), attest[:6].hex()
    assert name_of_ak(params) in attest
    assert hashlib.sha256(unb64(params["createData"])).digest() in attest
    assert signature[:6] == bytes.fromhex("0018000b0020"), signature[:6].hex()
    r, s = signature[6:38], signature[40:]
    der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    public_of_ak(params).verify(der, attest, ec.ECDSA(hashes.SHA256()))


class Authority:
    """A certificate authority of an organisation: a root, and the authority that it signed."""

    def __init__(self):
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self._make_authority("Root", self.root_key, "Root", self.root_key, None)
        self.certificate = self._make_authority("Authority", self.key, "Root", self.root_key, 0)

    @staticmethod
    def _name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else [])

    def _make_authority(self, name, key, by, by_key, length):
        return (x509.CertificateBuilder().subject_name(self._name(name)).issuer_name(self._name(by))
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now() - DAY).not_valid_after(now() + 365 * DAY)
                .add_extension(x509.BasicConstraints(True, length), True)
                .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
                .sign(by_key, hashes.SHA256()))

    def write_root(self, path):
        Path(path).write_bytes(self.root.public_bytes(serialization.Encoding.PEM))

    def certify(self, params, key=None, usage=AIK, san=True, start=-DAY, end=30 * DAY):
        tpm = x509.Name([x509.NameAttribute(MANUFACTURER, "id:49424D00"), x509.NameAttribute(MODEL, "swtpm"),
                         x509.NameAttribute(VERSION, "id:20191023")])
        b = (x509.CertificateBuilder().subject_name(self._name("")).issuer_name(self.certificate.subject)
             .public_key(key or public_of_ak(params)).serial_number(x509.random_serial_number())
             .not_valid_before(now() + start).not_valid_after(now() + end)
             .add_extension(x509.ExtendedKeyUsage([usage]), False).add_extension(x509.BasicConstraints(False, None), True)
             .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True))
        if san:
            b = b.add_extension(x509.SubjectAlternativeName([x509.DirectoryName(tpm)]), True)
        return b.sign(self.key, hashes.SHA256())

    def chain(self, params, **wrong):
        return [self.certify(params, **wrong), self.certificate]

    @staticmethod
    def challenge(bundle, secret):
        """MakeCredential for the RSA key of the bundle: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET."""
        key = serialization.load_der_public_key(unb64(bundle["ek"]))
        with tempfile.TemporaryDirectory() as folder:
            ek, plain, made = (Path(folder) / name for name in ("ek.pem", "secret", "made"))
            ek.write_bytes(key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
            plain.write_bytes(secret)
            done = subprocess.run(["tpm2_makecredential", "-T", "none", "-u", ek, "-G", "rsa", "-s", plain, "-n",
                                   name_of_ak(bundle["params"]).hex(), "-o", made], capture_output=True, timeout=60)
            assert done.returncode == 0, done.stderr
            blob = made.read_bytes()
        assert blob[:8] == bytes.fromhex("badcc0de00000001")
        n = 2 + int.from_bytes(blob[8:10], "big")
        return blob[8:8 + n], blob[8 + n:]

    def answer(self, bundle, chain=None, expires=7 * DAY, secret=None, **wrong):
        """To a bundle; `chain` and `wrong` are for certificates that are not as they should be."""
        secret = secret or os.urandom(32)
        credential, encrypted = self.challenge(bundle, secret)
        answer = {
            "v": 1, "type": "tpmauthn-attestation-answer", "request": bundle["request"],
            "ek": hashlib.sha256(unb64(bundle["ek"])).hexdigest(), "ak": name_of_ak(bundle["params"]).hex(),
            "created": utc(now()), "expires": utc(now() + expires), "credential": b64(credential), "secret": b64(encrypted),
        }
        return self.seal(answer, chain or self.chain(bundle["params"], **wrong), secret)

    @staticmethod
    def seal(answer, chain, secret):
        lines = ["tpmauthn-attestation-answer", "1", *(answer[m] for m in ("request", "ek", "ak", "created", "expires"))]
        key = HKDF(hashes.SHA256(), 32, b"", b"tpmauthn attestation chain v1").derive(secret)
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
        nonce = os.urandom(12)
        sealed = AESGCM(key).encrypt(nonce, pem, "".join(line + "\n" for line in lines).encode())
        return {**answer, "chain": {"alg": "A256GCM", "nonce": b64(nonce), "ciphertext": b64(sealed)}}


def write_json(path, value):
    Path(path).write_text(json.dumps(value))
    return str(path)
