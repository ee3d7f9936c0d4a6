# SPDX-License-Identifier: BSD-2-Clause
"""verify-attestation.py ROOT < REGISTRATIONS: says for each line of JSON whether a server would take it.

A registration has fmt, authData, attStmt and clientDataHash, the last three in hexadecimal. It is
verified as WebAuthn §8.3 says, field by field and with nothing of this project; then by python-fido2. The
certificates have to lead to the root. Exit status 0: all are good; 1: the reason is printed.
"""

import hashlib
import json
import sys

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.attestation import tpm as fido2_tpm
from fido2.ctap2 import AuthenticatorData

ALG_NULL, ALG_RSA, ALG_ECC, ALG_SHA256 = 0x10, 0x01, 0x23, 0x0b
SIGN, USER_WITH_AUTH, MADE_HERE = 1 << 18, 1 << 6, 0x432
AIK = x509.ObjectIdentifier("2.23.133.8.3")


class Refused(Exception):
    pass


def demand(holds, what):
    if not holds:
        raise Refused(what)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        demand(self.at + n <= len(self.data), "a structure ends too soon")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def sized(self):
        return self.take(self.number(2))

    def end(self):
        demand(self.at == len(self.data), "something is behind the end of a structure")


def read_public_area(area):
    """The key as (kind, its parts); everything that is not the key is what it has to be."""
    r = Reader(area)
    kind, name_alg, attributes = r.number(2), r.number(2), r.number(4)
    policy = r.sized()
    demand(name_alg == ALG_SHA256, "nameAlg is not SHA-256")
    demand(attributes & ~USER_WITH_AUTH == SIGN | MADE_HERE, "objectAttributes 0x%08x" % attributes)
    demand(bool(attributes & USER_WITH_AUTH) != (len(policy) == 32), "neither class A nor class B")
    demand(r.number(2) == ALG_NULL and r.number(2) == ALG_NULL, "symmetric or scheme is not NULL")
    if kind == ALG_RSA:
        demand(r.number(2) == 2048 and r.number(4) in (0, 65537), "another kind of RSA key")
        key = ("RSA", 65537, r.sized())
    else:
        demand(kind == ALG_ECC, "type 0x%04x" % kind)
        curve, kdf = r.number(2), r.number(2)
        demand(kdf == ALG_NULL, "kdf is not NULL")
        key = ({3: "P-256", 4: "P-384"}[curve], r.sized(), r.sized())
    r.end()
    return key


def read_cose_key(key):
    if key[1] == 3:
        return ("RSA", int.from_bytes(key[-2], "big"), key[-1])
    return ({1: "P-256", 2: "P-384"}[key[-1]], key[-2], key[-3])


def check_cert_info(info, to_be_signed, area):
    r = Reader(info)
    demand(r.take(4) == b"\xffTCG", "magic is not TPM_GENERATED_VALUE")
    demand(r.number(2) == 0x8017, "type is not TPM_ST_ATTEST_CERTIFY")
    r.sized()  # qualifiedSigner
    demand(r.sized() == hashlib.sha256(to_be_signed).digest(), "extraData is of something else")
    r.take(17 + 8)  # clockInfo, firmwareVersion
    demand(r.sized() == b"\x00\x0b" + hashlib.sha256(area).digest(), "the Name is not that of pubArea")
    r.sized()  # qualifiedName
    r.end()


def check_leaf(leaf):
    """WebAuthn §8.3.1, and what servers' libraries want beside it."""
    demand(leaf.version == x509.Version.v3, "not version 3")
    demand(not leaf.subject.rdns, "the subject is not empty")
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    demand(san.critical, "the SAN is not critical")
    names = [a.oid.dotted_string for n in san.value for a in n.value]
    demand(names == ["2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3"], "the SAN has %s" % names)
    demand(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value[0] == AIK, "EKU")
    demand(not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca, "it is a CA")


def check_chain(chain, root):
    for one, above in zip(chain, chain[1:] + [root]):
        demand(one.issuer == above.subject, "a certificate is not by the next")
        try:
            above.public_key().verify(one.signature, one.tbs_certificate_bytes,
                                      ec.ECDSA(one.signature_hash_algorithm))
        except InvalidSignature:
            raise Refused("the chain does not lead to the root") from None


def by_the_specification(statement, auth_data, client_data_hash, root):
    demand(list(statement) == ["alg", "sig", "ver", "x5c", "pubArea", "certInfo"], "members")
    demand(statement["ver"] == "2.0" and statement["alg"] == -7, "ver or alg")
    area, info = statement["pubArea"], statement["certInfo"]
    parsed = AuthenticatorData(auth_data)
    demand(read_public_area(area) == read_cose_key(parsed.credential_data.public_key),
           "pubArea has another key than authData")
    check_cert_info(info, auth_data + client_data_hash, area)
    chain = [x509.load_der_x509_certificate(c) for c in statement["x5c"]]
    try:
        chain[0].public_key().verify(statement["sig"], info, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refused("sig is not by the attestation key") from None
    check_leaf(chain[0])
    check_chain(chain, root)


class Point:
    """In place of a class of version 0.9.1, which takes y for x."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    parse = classmethod(lambda cls, reader: cls(reader.read(reader.unpack("!H")),
                                                reader.read(reader.unpack("!H"))))


def by_python_fido2(statement, auth_data, client_data_hash):
    if AuthenticatorData(auth_data).credential_data.public_key[3] == -35:
        return  # it knows no ES384
    # And it asks the curve of a class that does not know it.
    fido2_tpm.TpmsEccPoint = Point
    fido2_tpm.TpmsEccParms.to_curve = lambda self: self.curve_id.to_curve()
    fido2_tpm.TpmAttestation().verify(statement, AuthenticatorData(auth_data), client_data_hash)


def main():
    with open(sys.argv[1], "rb") as f:
        root = x509.load_pem_x509_certificate(f.read())
    for line in sys.stdin:
        registration = json.loads(line)
        statement = cbor.decode(bytes.fromhex(registration["attStmt"]))
        about = bytes.fromhex(registration["authData"]), bytes.fromhex(registration["clientDataHash"])
        try:
            demand(registration["fmt"] == "tpm", "fmt is %s" % registration["fmt"])
            by_the_specification(statement, *about, root)
            by_python_fido2(statement, *about)
        except Exception as e:  # whatever a library throws is a refusal
            print("refused: %s: %s" % (type(e).__name__, e))
            return 1
    return 0


sys.exit(main())
