# SPDX-License-Identifier: BSD-2-Clause
"""The CA's folder, its keys, and the certificates that it makes.

    root.pem            the organisation's root, which servers are given
    issuer.pem          who signs: the root itself, or an authority below it, then with all between it and the root
    issuer.key          the signing key
    policy.conf         which machines get a certificate
    roots/              the manufacturers' certificates
    log.jsonl log.head  what was signed
"""

import fcntl
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from attestation import endorsement, policy
from attestation.endorsement import MANUFACTURER, MODEL, VERSION
from attestation.refusal import Broken

AIK_CERTIFICATE = x509.ObjectIdentifier("2.23.133.8.3")
CLOCKS_DIFFER = timedelta(hours=1)


def write_new(path, data, mode=0o644):
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Broken(f"{path} is there already, and is left as it is") from None
    with open(descriptor, "wb") as file:
        file.write(data)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_usage(**set_ones):
    unset = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                           "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{**unset, **set_ones})


def builder(subject, issuer, public_key, first, last):
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
            .serial_number(x509.random_serial_number()).not_valid_before(first).not_valid_after(last))


def make_authority(name, days, path_length, issuer=None, issuer_key=None):
    """(certificate, key) of an authority; of a root where no issuer is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    issuer_key = issuer_key or key
    return (builder(subject, issuer.subject if issuer else subject, key.public_key(),
                    now - CLOCKS_DIFFER, now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(True, path_length), critical=True)
            .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())), key


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def create(folder, name, days, two_tiers):
    """Fills a folder. With two tiers the root's key is in root.key, to be taken elsewhere."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if left := sorted(p.name for p in folder.iterdir()):
        raise Broken(f"{folder} is not empty ({left[0]})")
    root, key = make_authority(name, days, 1 if two_tiers else 0)
    issuer = root
    if two_tiers:
        write_new(folder / "root.key", key_pem(key), 0o600)
        issuer, key = make_authority(f"{name}, machines", days, 0, root, key)
    write_new(folder / "root.pem", pem(root))
    write_new(folder / "issuer.pem", pem(issuer))
    write_new(folder / "issuer.key", key_pem(key), 0o600)
    write_new(folder / "policy.conf", policy.EXAMPLE.encode())
    (folder / "roots").mkdir()


def is_issued_by(certificate, issuer):
    key, digest = issuer.public_key(), certificate.signature_hash_algorithm
    if isinstance(key, ec.EllipticCurvePublicKey):
        how = (ec.ECDSA(digest),)
    elif isinstance(key, rsa.RSAPublicKey):
        how = (padding.PKCS1v15(), digest)
    else:
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)
    except InvalidSignature:
        return False
    return certificate.issuer == issuer.subject


class Authority:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = self._load("root.pem")[0]
        self.chain = self._load("issuer.pem")
        self.key = self._load_key()
        self.policy = policy.load(self.folder / "policy.conf")
        self.manufacturers = endorsement.Manufacturers(self.folder / "roots")
        self._check()

    def _load(self, name):
        try:
            return endorsement.load_certificates(self.folder / name)
        except FileNotFoundError:
            raise Broken(f"{self.folder / name} is missing: attestation-ca init makes it") from None

    def _load_key(self):
        path = self.folder / "issuer.key"
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise Broken(f"{path}: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Broken(f"{path}: not a key on an elliptic curve")
        return key

    def _check(self):
        for certificate, issuer in zip(self.chain, [*self.chain[1:], self.root]):
            if not is_issued_by(certificate, issuer):
                raise Broken(f"{self.folder}/issuer.pem: {certificate.subject.rfc4514_string()} is not issued by "
                             f"{issuer.subject.rfc4514_string()}")
        if endorsement.spki(self.chain[0].public_key()) != endorsement.spki(self.key.public_key()):
            raise Broken(f"{self.folder}: issuer.key is not the key of issuer.pem")
        if self.last_day() < datetime.now(timezone.utc):
            raise Broken(f"{self.folder}: the certificate of the CA has ended, {self.last_day():%Y-%m-%d}")

    def last_day(self):
        return min(c.not_valid_after for c in [*self.chain, self.root]).replace(tzinfo=timezone.utc)

    def lock(self):
        """One process at a time signs; the lock is let go with the file that is returned."""
        file = open(self.folder / "lock", "a", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def issue(self, request, described):
        """The certificates of an attestation key, without the root. WebAuthn 8.3.1 says what the first has to hold.

        Servers' libraries want more than it: the alternative name in UTF8String, an attribute in a set of its own,
        the usage of attestation keys as the first of the extended ones, the basic constraints spelled out.
        """
        now = datetime.now(timezone.utc).replace(microsecond=0)
        last = min(now + timedelta(days=self.policy.days), self.last_day())
        manufacturer = self.policy.renamed.get(request.manufacturer, request.manufacturer)
        named = x509.DirectoryName(x509.Name([
            x509.NameAttribute(MANUFACTURER, f"id:{manufacturer:08X}"),
            x509.NameAttribute(MODEL, (described.model if described else "") or request.model or "TPM"),
            x509.NameAttribute(VERSION, f"id:{request.firmware[0]:04X}{request.firmware[1]:04X}"),
        ]))
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            builder(x509.Name([]), self.chain[0].subject, request.key.key, (now - CLOCKS_DIFFER).replace(tzinfo=None),
                    last.replace(tzinfo=None))
            .add_extension(x509.SubjectAlternativeName([named]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([AIK_CERTIFICATE]), critical=False)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self.key, hashes.SHA256()))
        return [certificate, *(c for c in self.chain if c != self.root)]
