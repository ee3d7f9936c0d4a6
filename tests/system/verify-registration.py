# SPDX-License-Identifier: BSD-2-Clause
"""verify-registration.py OPTIONS < REGISTRATION: what python-fido2's server says of a RegistrationResponseJSON that was made
for these creation options. Exit status 0: it takes it, and the public key in SPKI and hexadecimal is printed.
"""

import base64
import json
import sys

from cryptography.hazmat.primitives.serialization import load_der_public_key
from fido2.attestation import Attestation
from fido2.client import ClientData
from fido2.ctap2 import AttestationObject
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity


def decode(text):
    assert "=" not in text and "+" not in text and "/" not in text, text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


with open(sys.argv[1], encoding="utf-8") as f:
    options = json.load(f)
made = json.load(sys.stdin)
response = made["response"]


def verify(attestation, client_data_hash):
    Attestation.for_type(attestation.fmt)().verify(attestation.att_statement, attestation.auth_data, client_data_hash)


server = Fido2Server(PublicKeyCredentialRpEntity(options["rp"]["id"], "Example"), attestation=options["attestation"],
                     verify_attestation=verify)
state = {"challenge": options["challenge"], "user_verification": options["authenticatorSelection"]["userVerification"]}
attestation = AttestationObject(decode(response["attestationObject"]))
auth_data = server.register_complete(state, ClientData(decode(response["clientDataJSON"])), attestation)

# What is said a second time has to be the same.
assert attestation.auth_data == decode(response["authenticatorData"])
assert auth_data.credential_data.credential_id == decode(made["id"]) == decode(made["rawId"])
assert made["type"] == "public-key" and made["authenticatorAttachment"] == "cross-platform"
assert response["publicKeyAlgorithm"] == auth_data.credential_data.public_key[3] == -7
numbers = load_der_public_key(decode(response["publicKey"])).public_numbers()
for member, coordinate in (-2, numbers.x), (-3, numbers.y):
    assert auth_data.credential_data.public_key[member] == coordinate.to_bytes(32, "big")
assert response["transports"] == ["usb"]
assert made["clientExtensionResults"] == {"credProps": {"rk": True}, "hmacCreateSecret": True}
print(f"{numbers.x:064x}{numbers.y:064x}")
