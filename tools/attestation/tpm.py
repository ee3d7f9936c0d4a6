# SPDX-License-Identifier: BSD-2-Clause
"""The few structures of TPM 2.0 that a CA reads, and the one that it makes: a credential that only the TPM with a
certain endorsement key opens, and only where the attestation key is that is named in it (TPM 2.0 part 1, 24).

Nothing here knows JSON, certificates or policies.
"""

import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ALG_SHA256, ALG_NULL, ALG_ECDSA, ALG_ECC = 0x000B, 0x0010, 0x0018, 0x0023
CURVE_P256 = 0x0003
RH_OWNER = 0x40000001
GENERATED = 0xFF544347  # TPM_GENERATED_VALUE: nothing that a restricted key signs begins with it but what the TPM made
ST_ATTEST_CREATION = 0x801A

FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN = 1 << 1, 1 << 4, 1 << 5
USER_WITH_AUTH, NO_DA, RESTRICTED, DECRYPT, SIGN = 1 << 6, 1 << 10, 1 << 16, 1 << 17, 1 << 18


class Malformed(Exception):
    """Bytes that are not the structure they should be."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Malformed("it ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def sized(self):
        return self.take(self.number("H"))

    def end(self):
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes too many")


def sized(data):
    return struct.pack(">H", len(data)) + data


def sha256(data):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def name_of(public):
    """The Name of an object whose nameAlg is SHA-256 (part 1, 16)."""
    return struct.pack(">H", ALG_SHA256) + sha256(public)


def qualified(parent, name):
    return struct.pack(">H", ALG_SHA256) + sha256(parent + name)


@dataclass(frozen=True)
class Public:
    """TPMT_PUBLIC of a signing key on P-256."""

    attributes: int
    policy: bytes
    scheme: int
    scheme_hash: int
    key: ec.EllipticCurvePublicKey
    name: bytes
    encoded: bytes


def read_public(data):
    reader = Reader(data)
    kind, name_alg = reader.number("H"), reader.number("H")
    if kind != ALG_ECC or name_alg != ALG_SHA256:
        raise Malformed(f"its type is {kind:#06x} and its name's hash {name_alg:#06x}, not ECC and SHA-256")
    attributes, policy = reader.number("I"), reader.sized()
    if (symmetric := reader.number("H")) != ALG_NULL:
        raise Malformed(f"it has a symmetric algorithm, {symmetric:#06x}")
    scheme = reader.number("H")
    scheme_hash = ALG_NULL if scheme == ALG_NULL else reader.number("H")
    curve, kdf = reader.number("H"), reader.number("H")
    x, y = reader.sized(), reader.sized()
    reader.end()
    if curve != CURVE_P256 or kdf != ALG_NULL:
        raise Malformed(f"its curve is {curve:#06x} and its kdf {kdf:#06x}, not P-256 and none")
    try:
        point = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
        return Public(attributes, policy, scheme, scheme_hash, point.public_key(), name_of(data), data)
    except ValueError as error:
        raise Malformed(f"its point is none of P-256 ({error})") from None


@dataclass(frozen=True)
class CreationData:
    """TPMS_CREATION_DATA: who was the parent."""

    parent_name_alg: int
    parent_name: bytes
    parent_qualified_name: bytes


def read_creation_data(data):
    reader = Reader(data)
    for _ in range(reader.number("I")):
        reader.number("H")
        reader.take(reader.number("B"))
    reader.sized()      # pcrDigest
    reader.number("B")  # locality
    made = CreationData(reader.number("H"), reader.sized(), reader.sized())
    reader.sized()      # outsideInfo
    reader.end()
    return made


@dataclass(frozen=True)
class CreationAttest:
    """TPMS_ATTEST of TPM2_CertifyCreation."""

    magic: int
    kind: int
    signer: bytes
    object_name: bytes
    creation_hash: bytes


def read_creation_attest(data):
    reader = Reader(data)
    magic, kind, signer = reader.number("I"), reader.number("H"), reader.sized()
    if kind != ST_ATTEST_CREATION:
        return CreationAttest(magic, kind, signer, b"", b"")
    reader.sized()  # extraData
    reader.take(17 + 8)  # clockInfo, firmwareVersion
    attest = CreationAttest(magic, kind, signer, reader.sized(), reader.sized())
    reader.end()
    return attest


def verify(public, data, signature):
    """True if a TPMT_SIGNATURE, ECDSA with SHA-256, is this key's."""
    reader = Reader(signature)
    scheme, digest = reader.number("H"), reader.number("H")
    if scheme != ALG_ECDSA or digest != ALG_SHA256:
        raise Malformed(f"it is {scheme:#06x} with {digest:#06x}, not ECDSA with SHA-256")
    r, s = (int.from_bytes(reader.sized(), "big") for _ in "rs")
    reader.end()
    try:
        public.key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def profile_of(endorsement):
    """(hash, bits of AES) of an endorsement key, which the EK Credential Profile (TCG, 2.x) ties to its size; None
    for a key that the profile does not know."""
    if isinstance(endorsement, rsa.RSAPublicKey):
        return {2048: (hashes.SHA256(), 128), 3072: (hashes.SHA384(), 256),
                4096: (hashes.SHA384(), 256)}.get(endorsement.key_size)
    if isinstance(endorsement, ec.EllipticCurvePublicKey):
        return {"secp256r1": (hashes.SHA256(), 128), "secp384r1": (hashes.SHA384(), 256),
                "secp521r1": (hashes.SHA512(), 256)}.get(endorsement.curve.name)
    return None


def kdfa(algorithm, key, label, context, bits):
    """Part 1, 11.4.10.2. The two contexts simply follow each other, and one of them is always empty here."""
    out = b""
    for counter in range(1, bits // 8 // algorithm.digest_size + 2):
        mac = hmac.HMAC(key, algorithm)
        mac.update(struct.pack(">I", counter) + label + b"\0" + context + struct.pack(">I", bits))
        out += mac.finalize()
    return out[:bits // 8]


def kdfe(algorithm, shared, label, ours, theirs):
    """Part 1, 11.4.10.3, for as many bits as the hash has."""
    digest = hashes.Hash(algorithm)
    digest.update(struct.pack(">I", 1) + shared + label + b"\0" + ours + theirs)
    return digest.finalize()


def share_seed(endorsement, algorithm):
    """(a seed, the seed as only the endorsement key reads it): part 1, B.10.3 for RSA and C.6.1 for curves."""
    if isinstance(endorsement, rsa.RSAPublicKey):
        seed = os.urandom(algorithm.digest_size)
        return seed, endorsement.encrypt(seed, padding.OAEP(padding.MGF1(algorithm), algorithm, b"IDENTITY\0"))
    ephemeral = ec.generate_private_key(endorsement.curve)
    size = (endorsement.curve.key_size + 7) // 8
    ours, theirs = ephemeral.public_key().public_numbers(), endorsement.public_numbers()
    x, y = ours.x.to_bytes(size, "big"), ours.y.to_bytes(size, "big")
    shared = ephemeral.exchange(ec.ECDH(), endorsement)
    seed = kdfe(algorithm, shared, b"IDENTITY", x, theirs.x.to_bytes(size, "big"))
    return seed, sized(x) + sized(y)


def make_credential(endorsement, name, secret):
    """TPM2_MakeCredential: (TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET)."""
    algorithm, bits = profile_of(endorsement)
    seed, encrypted_seed = share_seed(endorsement, algorithm)
    cipher = Cipher(algorithms.AES(kdfa(algorithm, seed, b"STORAGE", name, bits)), modes.CFB(bytes(16))).encryptor()
    identity = cipher.update(sized(secret)) + cipher.finalize()
    integrity = hmac.HMAC(kdfa(algorithm, seed, b"INTEGRITY", b"", algorithm.digest_size * 8), algorithm)
    integrity.update(identity + name)
    return sized(sized(integrity.finalize()) + identity), sized(encrypted_seed)
