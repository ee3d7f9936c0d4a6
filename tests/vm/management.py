# SPDX-License-Identifier: BSD-2-Clause
"""management.py NODE CASE [ARG...]: what CTAP 2.1 to 2.3 add, over a hidraw node with python3-fido2, which takes
no reply that is not canonical CBOR. Exit status 0 if the case holds.

What version 0.9.1 of the library has no name for goes through its send_cbor().
"""

import hashlib
import hmac
import os
import subprocess
import sys

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms as ciphers, modes
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.x509 import load_der_x509_certificate
from ctap import Token, check, ctap2, descriptor, get, make
from fido2.cose import CoseKey
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin
from fido2.ctap2.credman import CredentialManagement

RP = {"id": "python.test", "name": "Python"}
MC_GA, CM, PCMR = 0x03, 0x04, 0x40


class ES384(CoseKey):
    """The library finds it by its number."""

    ALGORITHM = -35

    def verify(self, message, signature):
        x, y = (int.from_bytes(self[member], "big") for member in (-2, -3))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP384R1()).public_key()
        public.verify(signature, message, ec.ECDSA(SHA384()))


def status_of(function, *args, **more):
    try:
        function(*args, **more)
    except CtapError as error:
        return int(error.code)
    return 0


def persistent_token(ctap, pin):
    """The subcommand 09 by hand: the library has no name for the permission."""
    client = ClientPin(ctap)
    agreement, shared = client._get_shared_secret()
    sealed = client.protocol.encrypt(shared, hashlib.sha256(pin.encode()).digest()[:16])
    answer = ctap.client_pin(client.protocol.VERSION, 0x09, agreement, pin_hash_enc=sealed, permissions=PCMR)
    return client.protocol, client.protocol.decrypt(shared, answer[2])


def open_member(token, name, member):
    """GI8: HKDF-SHA-256 with a salt of zeros, one block of AES-128-CBC."""
    pseudorandom = hmac.digest(bytes(32), token, "sha256")
    key = hmac.digest(pseudorandom, name + b"\x01", "sha256")[:16]
    decryptor = Cipher(ciphers.AES(key), modes.CBC(member[:16])).decryptor()
    return decryptor.update(member[16:]) + decryptor.finalize()


def identifier(node, pin):
    ctap = ctap2(node)
    _, token = persistent_token(ctap, pin)
    first, again = ctap.get_info(), ctap.get_info()
    check(first.data[0x19] != again.data[0x19], "another IV each time")
    device = open_member(token, b"encIdentifier", first.data[0x19])
    check(open_member(token, b"encIdentifier", again.data[0x19]) == device, "the same device")
    state = open_member(token, b"encCredStoreState", first.data[0x1E])
    check(open_member(token, b"encCredStoreState", again.data[0x1E]) == state, "nothing has changed")
    make(ctap, b"state", Token(ctap, pin), options={"rk": True})
    changed = open_member(token, b"encCredStoreState", ctap.get_info().data[0x1E])
    check(changed != state, "a new passkey changes the state")
    check(open_member(token, b"encIdentifier", ctap.get_info().data[0x19]) == device, "but not the device")


def read_only(node, pin):
    ctap = ctap2(node)
    credential, _, _ = make(ctap, b"listed", Token(ctap, pin), options={"rk": True})
    protocol, token = persistent_token(ctap, pin)
    check(persistent_token(ctap, pin)[1] == token, "the same token again")
    manager = CredentialManagement(ctap, protocol, token)
    found = manager.enumerate_creds(hashlib.sha256(b"python.test").digest())
    listed = [c for c in found if c[7]["id"] == credential]
    check(len(listed) == 1 and listed[0][6]["name"] == "listed", f"the listing: {found}")
    check(any(rp[3]["id"] == "python.test" for rp in manager.enumerate_rps()), "the site")
    check(status_of(manager.delete_cred, descriptor(credential)) == 0x33, "it deletes nothing")
    CredentialManagement(ctap, *ordinary(ctap, pin, CM)).delete_cred(descriptor(credential))


def ordinary(ctap, pin, permissions):
    client = ClientPin(ctap)
    return client.protocol, client.get_pin_token(pin, permissions)


def cred_blob(node, pin):
    ctap = ctap2(node)
    blob = os.urandom(32)
    for value, kept in ((blob, True), (bytes(33), False)):
        more = {"extensions": {"credBlob": value}, "options": {"rk": True}}
        credential, key, made = create(ctap, pin, b"blob", -7, **more)
        check(made.auth_data.extensions == {"credBlob": kept}, f"output at creation: {made.auth_data}")
        answer = get(ctap, key, [descriptor(credential)], extensions={"credBlob": True})
        check(answer.auth_data.extensions == {"credBlob": value if kept else b""}, "the blob comes back")


def min_pin_length(node, pin):
    """After: fido2-token -S -l 6, and -S -m with python.test."""
    ctap = ctap2(node)
    _, _, made = create(ctap, pin, b"length", -7, extensions={"minPinLength": True})
    check(made.auth_data.extensions == {"minPinLength": 6}, f"told: {made.auth_data.extensions}")


def payment(node, pin):
    ctap = ctap2(node)
    for flag in (True, False):
        asked = {"thirdPartyPayment": True} if flag else None
        credential, key, made = create(ctap, pin, b"pay", -7, extensions=asked, options={"rk": True})
        check(not made.auth_data.extensions, "no output at creation")
        answer = get(ctap, key, [descriptor(credential)], extensions={"thirdPartyPayment": True})
        check(answer.auth_data.extensions == {"thirdPartyPayment": flag}, "the flag comes back")
        manager = CredentialManagement(ctap, *ordinary(ctap, pin, CM))
        listed = manager.enumerate_creds(hashlib.sha256(b"python.test").digest())
        check([c[0x0C] for c in listed if c[7]["id"] == credential] == [flag], "the listing shows it")


def enterprise(node, pin, root):
    """enterpriseAttestation 1, for a site of the list, and 2: a certificate under the organisation's root."""
    ctap = ctap2(node)
    for kind in (1, 2):
        digest, token = os.urandom(32), Token(ctap, pin)
        param = token.over(digest)
        asked = {
            1: digest, 2: RP, 3: {"id": b"ep", "name": "ep"}, 4: [{"type": "public-key", "alg": -7}],
            8: param["pin_uv_param"], 9: param["pin_uv_protocol"], 10: kind,
        }  # fmt: skip
        answer = ctap.send_cbor(0x01, asked)
        check(answer[1] == "packed" and answer[4] is True, f"epAtt: {answer}")
        statement = answer[3]
        check(set(statement) == {"alg", "sig", "x5c"} and statement["alg"] == -7, f"statement {statement}")
        leaf = load_der_x509_certificate(statement["x5c"][0])
        CoseKey.for_alg(-7).from_cryptography_key(leaf.public_key()).verify(answer[2] + digest, statement["sig"])
        with open("leaf.der", "wb") as file:
            file.write(statement["x5c"][0])
        subprocess.run(["openssl", "x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem"], check=True)
        subprocess.run(["openssl", "verify", "-CAfile", root, "leaf.pem"], check=True)


def create(ctap, pin, user, alg, **more):
    digest = os.urandom(32)
    more.update(Token(ctap, pin).over(digest))
    made = ctap.make_credential(
        digest, RP, {"id": user, "name": user.decode()}, [{"type": "public-key", "alg": alg}], **more
    )
    data = made.auth_data.credential_data
    key = CoseKey.parse(data.public_key)
    check(key[3] == alg == made.att_statement["alg"], f"algorithm {key[3]}")
    key.verify(made.auth_data + digest, made.att_statement["sig"])
    return data.credential_id, key, made


def algorithms(node, pin):
    """All that getInfo lists; RSA only because nothing else is offered."""
    ctap = ctap2(node)
    listed = [a["alg"] for a in ctap.info.algorithms]
    check(listed == [-7, -35, -257], f"algorithms {listed}")
    for alg in listed:
        credential, key, _ = create(ctap, pin, b"alg", alg)
        get(ctap, key, [descriptor(credential)])
    digest, token = os.urandom(32), Token(ctap, pin)
    offered = [{"type": "public-key", "alg": alg} for alg in (-257, -7)]
    user = {"id": b"both", "name": "both"}
    made = ctap.make_credential(digest, RP, user, offered, **token.over(digest))
    check(made.auth_data.credential_data.public_key[3] == -7, "RSA is the last resort")


CASES = (identifier, read_only, cred_blob, min_pin_length, payment, enterprise, algorithms)
{f.__name__: f for f in CASES}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
