# SPDX-License-Identifier: BSD-2-Clause
"""An authenticator in software on the types of python3-fido2, which is not ours: what it says is CTAP2's and WebAuthn's as
that project reads them. A copy of it is a clone, with the counter that it had."""

import base64
import copy
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cose
from fido2.client import ClientData
from fido2.ctap2 import AttestationObject, AttestedCredentialData, AuthenticatorData


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


MAKERS = {
    cose.ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
    cose.RS256: lambda: rsa.generate_private_key(65537, 2048),
    cose.EdDSA: ed25519.Ed25519PrivateKey.generate,
}


class SoftKey:
    def __init__(self, origin, rp_id="localhost", kind=cose.ES256):
        self.origin, self.rp_id, self.kind = origin, rp_id, kind
        self.pair = MAKERS[kind]()
        self.public = kind.from_cryptography_key(self.pair.public_key())
        self.id, self.aaguid, self.counter, self.handle = os.urandom(48), os.urandom(16), 0, None

    def clone(self):
        return copy.copy(self)

    def sign(self, data):
        if self.kind is cose.RS256:
            return self.pair.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if self.kind is cose.EdDSA:
            return self.pair.sign(data)
        return self.pair.sign(data, ec.ECDSA(hashes.SHA256()))

    def client_data(self, kind, options):
        return ClientData.build(type=kind, challenge=options["challenge"], origin=self.origin, crossOrigin=False)

    def wrap(self, response):
        return {"id": encode(self.id), "rawId": encode(self.id), "type": "public-key", "response": response,
                "clientExtensionResults": {}, "authenticatorAttachment": "cross-platform"}

    def create(self, options, attested="packed", flags=0x45):
        self.handle = options["user"]["id"]
        client = self.client_data("webauthn.create", options)
        data = AuthenticatorData.create(hashlib.sha256(self.rp_id.encode()).digest(), flags, self.counter,
                                        AttestedCredentialData.create(self.aaguid, self.id, self.public))
        statement = {"alg": self.kind.ALGORITHM, "sig": self.sign(data + client.hash)} if attested == "packed" else {}
        made = AttestationObject.create(attested, data, statement)
        return self.wrap({"clientDataJSON": encode(client), "attestationObject": encode(bytes(made.with_string_keys())),
                          "transports": ["usb"]})

    def get(self, options, flags=0x05):
        self.counter += 1
        client = self.client_data("webauthn.get", options)
        data = AuthenticatorData.create(hashlib.sha256(self.rp_id.encode()).digest(), flags, self.counter)
        return self.wrap({"clientDataJSON": encode(client), "authenticatorData": encode(data),
                          "signature": encode(self.sign(data + client.hash)), "userHandle": self.handle})


def tamper(answer, member, at=-1):
    changed = json.loads(json.dumps(answer))
    data = bytearray(decode(changed["response"][member]))
    data[at] ^= 1
    changed["response"][member] = encode(data)
    return changed
