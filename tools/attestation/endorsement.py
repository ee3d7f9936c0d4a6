# SPDX-License-Identifier: BSD-2-Clause
"""Whether an endorsement key is that of a TPM: its certificate, the manufacturer's chain, and what the certificate
says of the TPM (TCG EK Credential Profile, 3). OpenSSL checks the chain.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID

from attestation.refusal import Broken, Refused

MANUFACTURER, MODEL, VERSION = (x509.ObjectIdentifier(f"2.23.133.2.{n}") for n in (1, 2, 3))
EK_CERTIFICATE = x509.ObjectIdentifier("2.23.133.8.1")

# Certificates of the simulator swtpm name IBM by its number among makers of PCI devices, its TPM by letters.
ALSO_CALLED = {0x00001014: {0x49424D00}}

UNKNOWN_ISSUER = {2, 18, 19, 20, 21, 27}
OUTSIDE_ITS_TIME = {9, 10}


@dataclass(frozen=True)
class Described:
    """What the manufacturer says of a TPM."""

    manufacturer: int
    model: str


def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_certificates(path):
    """The certificates of a file, which is PEM or DER."""
    data = path.read_bytes()
    try:
        if b"-----BEGIN CERTIFICATE-----" not in data:
            return [x509.load_der_x509_certificate(data)]
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", data, re.S)
        if not blocks:
            raise ValueError("a certificate that does not end")
        return [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError as error:
        raise Broken(f"{path}: {error}") from None


class Manufacturers:
    """A folder of manufacturers' certificates: who issued itself is trusted, the others lead there."""

    def __init__(self, folder):
        self.folder, self.roots, self.others = folder, [], []
        if not folder.is_dir():
            raise Broken(f"{folder}: no such folder of manufacturers' certificates")
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in (".pem", ".crt", ".cer", ".der"):
                continue
            for certificate in load_certificates(path):
                (self.roots if certificate.subject == certificate.issuer else self.others).append(certificate)

    def complaint(self, certificate, in_time):
        """None if the certificate leads to a root; or (OpenSSL's error, its words)."""
        with tempfile.TemporaryDirectory(prefix="attestation-ca-") as name:
            folder = Path(name)
            for file, listed in (("roots", self.roots), ("others", self.others), ("leaf", [certificate])):
                pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in listed)
                (folder / file).write_bytes(pem)
            more = ["-untrusted", folder / "others"] if self.others else []
            done = subprocess.run(
                ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", folder / "roots", *more,
                 *([] if in_time else ["-no_check_time"]), folder / "leaf"],
                capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            return None
        found = re.search(r"error (\d+) at \d+ depth lookup: (.+)", done.stdout + done.stderr)
        if not found:
            raise Broken(f"openssl verify: {(done.stdout + done.stderr).strip()}")
        return int(found[1]), found[2]


def find_certificate(request):
    """The one of the endorsement key: a TPM has several keys, and a request shows all certificates."""
    if not request.certificates:
        raise Refused("ek-certificate-missing", "the machine's TPM holds no certificate of its endorsement key")
    for certificate in request.certificates:
        try:
            if spki(certificate.public_key()) == request.endorsement_der:
                return certificate
        except ValueError:  # a key of a kind that is not known here, and so not this one
            continue
    raise Refused("ek-certificate-of-another", "no certificate in the request is of its endorsement key")


def check_chain(certificate, manufacturers, in_time):
    if not manufacturers.roots:
        raise Refused("ek-certificate-unknown-issuer", f"no root is in {manufacturers.folder}")
    complaint = manufacturers.complaint(certificate, in_time)
    if complaint is None:
        return
    code, words = complaint
    issuer = certificate.issuer.rfc4514_string()
    if code in UNKNOWN_ISSUER:
        raise Refused("ek-certificate-unknown-issuer", f"no known manufacturer issued the certificate: {issuer}: {words}")
    if code in OUTSIDE_ITS_TIME:
        raise Refused("ek-certificate-expired", f"the certificate of the endorsement key, by {issuer}: {words}")
    raise Refused("ek-certificate-invalid", f"the certificate of the endorsement key, by {issuer}: {words}")


def extension(certificate, oid):
    try:
        return certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise Refused("ek-certificate-invalid", f"the certificate of the endorsement key: {error}") from None


def check_usage(certificate):
    """Not a certificate of something else that the same issuer vouches for."""
    basic = extension(certificate, ExtensionOID.BASIC_CONSTRAINTS)
    if basic and basic.ca:
        raise Refused("ek-certificate-invalid", "the certificate is an authority's, not an endorsement key's")
    usage = extension(certificate, ExtensionOID.EXTENDED_KEY_USAGE)
    if usage and EK_CERTIFICATE not in usage:
        raise Refused("ek-certificate-invalid", "the certificate is for another use than an endorsement key's")


def describe(certificate):
    """What the subject's alternative name says; profile 3.2.9."""
    names = extension(certificate, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    said = {}
    for name in names.get_values_for_type(x509.DirectoryName) if names else ():
        said.update({attribute.oid: attribute.value for attribute in name})
    found = re.fullmatch(r"id:([0-9A-Fa-f]{8})", said.get(MANUFACTURER, ""))
    if not found:
        raise Refused("ek-certificate-invalid", "the certificate of the endorsement key names no manufacturer")
    return Described(int(found[1], 16), said.get(MODEL, ""))


def check_manufacturer(described, manufacturer):
    """What the machine says of itself is in no signature; it must be what its manufacturer says."""
    if manufacturer != described.manufacturer and manufacturer not in ALSO_CALLED.get(described.manufacturer, ()):
        raise Refused("manufacturer-differs", f"the machine says id:{manufacturer:08X}, the certificate of its "
                                              f"endorsement key id:{described.manufacturer:08X}")


def check(request, manufacturers, in_time):
    """Refuses a request whose endorsement key no known manufacturer vouches for. What the manufacturer says."""
    certificate = find_certificate(request)
    check_chain(certificate, manufacturers, in_time)
    check_usage(certificate)
    described = describe(certificate)
    check_manufacturer(described, request.manufacturer)
    return described
