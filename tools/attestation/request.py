# SPDX-License-Identifier: BSD-2-Clause
"""The request of a machine, as JSON, and whether its attestation key is one.

A restricted key of a TPM signs nothing but what the TPM made, so that a key which certified its own creation is the
key that it says it is: in this TPM for good, made by it, below a primary key of the owner. Whose TPM this is says the
endorsement key, to which the answer is encrypted; whether that is a TPM says its certificate (endorsement.py).
"""

import base64
import binascii
import json
import re
import struct
from dataclasses import dataclass
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from attestation import tpm
from attestation.refusal import Refused

TYPE = "tpmauthn-attestation-request"
LIMIT = 64 * 1024
CERTIFICATES_MAX = 8

ATTRIBUTES = (
    (tpm.RESTRICTED, "ak-not-restricted", "it would sign anything (restricted is not set)"),
    (tpm.SIGN, "ak-not-signing", "it does not sign"),
    (tpm.FIXED_TPM, "ak-not-fixed-tpm", "it can leave its TPM (fixedTPM is not set)"),
    (tpm.FIXED_PARENT, "ak-not-fixed-parent", "it can get another parent (fixedParent is not set)"),
    (tpm.SENSITIVE_DATA_ORIGIN, "ak-imported", "its TPM did not make it (sensitiveDataOrigin is not set)"),
)


@dataclass(frozen=True)
class Request:
    id: str  # of tpmauthn's requests; those of other clients have none
    created: datetime
    machine: str
    manufacturer: int  # TPM2_PT_MANUFACTURER, as the machine says
    model: str
    firmware: tuple
    endorsement: object
    endorsement_der: bytes
    certificates: tuple
    key: tpm.Public

    @property
    def endorsement_hash(self):
        return tpm.sha256(self.endorsement_der).hex()


def malformed(what):
    return Refused("malformed-request", what)


def member(value, name, kind, default=None):
    """A member of an object. Without a default it has to be there."""
    found = value.get(name, default)
    # JSON's true is an int for Python.
    if not isinstance(found, kind) or isinstance(found, bool) and kind is not bool:
        raise malformed(f'"{name}" is missing, or not of its type')
    return found


def decode(text, name):
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise malformed(f'"{name}" is not in base64') from None


def binary(value, name):
    return decode(member(value, name, str), name)


def read_time(text, name):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise malformed(f'"{name}" is not a time of the form 2030-12-31T23:59:59Z')
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise malformed(f'"{name}" is not a time') from None


def read_manufacturer(info):
    """TPM2_PT_MANUFACTURER: a decimal number in text as smallstep's client sends it, or the object of its tpm.Info."""
    found = info.get("manufacturer")
    if isinstance(found, dict):
        found = found.get("id")
    if isinstance(found, str) and re.fullmatch(r"\d{1,10}", found):
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 1 << 32:
        raise malformed("tpmInfo names no manufacturer")
    return found


def read_info(info):
    """(manufacturer, model, (major, minor))."""
    firmware = member(info, "firmwareVersion", str, "0.0")
    found = re.fullmatch(r"(\d{1,5})\.(\d{1,5})", firmware)
    if not found or any(int(part) > 0xFFFF for part in found.groups()):
        raise malformed("the firmware's version is not of the form MAJOR.MINOR")
    model = info.get("model", info.get("vendorInfo", ""))
    if not isinstance(model, str):
        raise malformed("the TPM's model is not a text")
    # It becomes part of a name in a certificate.
    model = re.sub(r"[^!-~]+", " ", model).strip()[:64]
    return read_manufacturer(info), model, tuple(int(part) for part in found.groups())


def read_endorsement(der):
    try:
        key = serialization.load_der_public_key(der)
    except Exception as error:
        raise malformed(f'"ek" is not a public key ({error})') from None
    if not tpm.profile_of(key):
        raise Refused("ek-kind", "no profile of endorsement keys has a key of this kind or size")
    # Encoded anew: whoever counts machines by the hash of this must not be given two of one key.
    canonical = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if canonical != der:
        raise malformed('"ek" is a public key in an unusual form')
    return key


def read_certificates(value):
    listed = member(value, "ekCerts", list, []) if value.get("ekCerts") is not None else []
    if len(listed) > CERTIFICATES_MAX:
        raise malformed(f"more than {CERTIFICATES_MAX} certificates of endorsement keys")
    if not all(isinstance(text, str) for text in listed):
        raise malformed('"ekCerts" is not a list of texts')
    try:
        return tuple(x509.load_der_x509_certificate(decode(text, "ekCerts")) for text in listed)
    except ValueError as error:
        raise Refused("ek-certificate-malformed", f"a certificate in ekCerts cannot be read: {error}") from None


def read_key(params):
    """The attestation key, once its creation is proven."""
    if params.get("useTCSDActivationFormat"):
        raise malformed("a request of a TPM 1.2")
    public, data = binary(params, "public"), binary(params, "createData")
    attested, signature = binary(params, "createAttestation"), binary(params, "createSignature")
    try:
        key = tpm.read_public(public)
    except tpm.Malformed as error:
        raise Refused("ak-kind", f"the attestation key: {error}") from None
    check_attributes(key)
    try:
        check_creation(key, tpm.read_creation_data(data), data, tpm.read_creation_attest(attested))
        if not tpm.verify(key, attested, signature):
            raise Refused("creation-signature", "the proof of the key's creation is not signed by the key")
    except tpm.Malformed as error:
        raise Refused("creation-malformed", f"the proof of the key's creation: {error}") from None
    return key


def check_attributes(key):
    if key.scheme != tpm.ALG_ECDSA or key.scheme_hash != tpm.ALG_SHA256:
        raise Refused("ak-kind", "the attestation key: its scheme is not ECDSA with SHA-256")
    for bit, reason, text in ATTRIBUTES:
        if not key.attributes & bit:
            raise Refused(reason, f"the attestation key: {text}")
    if key.attributes & tpm.DECRYPT:
        raise Refused("ak-not-signing", "the attestation key: it decrypts as well")


def check_creation(key, made, data, attest):
    if attest.magic != tpm.GENERATED:
        raise Refused("creation-not-of-a-tpm", "no TPM made the proof of the key's creation")
    if attest.kind != tpm.ST_ATTEST_CREATION:
        raise Refused("creation-kind", f"the proof is of another thing than a creation, {attest.kind:#06x}")
    if attest.object_name != key.name:
        raise Refused("creation-name", "the proof is of the creation of another key")
    if attest.creation_hash != tpm.sha256(data):
        raise Refused("creation-data", "the creation data are not those that the proof is about")
    # A primary key of the owner hierarchy: its own parent is named by the hierarchy's handle (part 1, 16.2).
    owner = struct.pack(">I", tpm.RH_OWNER)
    if made.parent_name_alg != tpm.ALG_SHA256 or made.parent_qualified_name != tpm.qualified(owner, made.parent_name):
        raise Refused("creation-parent", "the key's parent is not a primary key of the owner hierarchy")
    if attest.signer != tpm.qualified(made.parent_qualified_name, key.name):
        raise Refused("creation-signer", "another key than the attestation key proves its creation")


def parse(text):
    """A Request. What is wrong with it is Refused; whose TPM it is of has not been looked at."""
    if len(text) > LIMIT:
        raise malformed(f"longer than {LIMIT} bytes")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise malformed("not JSON") from None
    if not isinstance(value, dict):
        raise malformed("not an object")
    ours = "type" in value or "v" in value
    if ours and (value.get("type") != TYPE or value.get("v") != 1):
        raise Refused("unknown-version", f"not a {TYPE} of version 1")
    if ours and not re.fullmatch(r"[A-Za-z0-9_-]{22}", member(value, "request", str)):
        raise malformed('"request" is not 16 bytes in base64url')
    manufacturer, model, firmware = read_info(member(value, "tpmInfo", dict))
    der = binary(value, "ek")
    machine = member(value, "machine", str, "") if value.get("machine") is not None else ""
    if len(machine) > 128 or not machine.isprintable():
        raise malformed('"machine" is too long, or not printable')
    return Request(
        id=value["request"] if ours else None,
        created=read_time(member(value, "created", str), "created") if ours else None,
        machine=machine, manufacturer=manufacturer, model=model, firmware=firmware,
        endorsement=read_endorsement(der), endorsement_der=der,
        certificates=read_certificates(value),
        key=read_key(member(value, "params", dict)))
