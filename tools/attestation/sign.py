# SPDX-License-Identifier: BSD-2-Clause
"""From a request to a certificate: the checks in their order, the answer, and its line in the log.

The answer is for one TPM: the chain in it is encrypted under a secret that only the TPM with the endorsement key gives
out, and that only while it holds the attestation key. So an answer needs no safe way back to its machine.
"""

import base64
import os
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from attestation import endorsement, tpm
from attestation.log import Log
from attestation.refusal import Refused

TYPE = "tpmauthn-attestation-answer"
INFO = b"tpmauthn attestation chain v1"
SECRET_SIZE = 32
AHEAD = timedelta(days=1)  # how far a machine's clock may be


def now():
    return datetime.now(timezone.utc).replace(microsecond=0)


def as_text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(data):
    return base64.b64encode(data).decode()


def check(authority, request):
    """What the TPM's manufacturer says of it; None of a TPM without a certificate that the policy knows by its key."""
    policy = authority.policy
    if request.created and request.created > now() + AHEAD:
        raise Refused("request-from-the-future", f"the request is of {as_text(request.created)}: whose clock is wrong?")
    if request.created and request.created < now() - timedelta(days=policy.request_days):
        raise Refused("request-expired", f"the request is of {as_text(request.created)}, more than "
                                         f"{policy.request_days} days ago")
    policy.check_machine(request.endorsement_hash, request.manufacturer)
    if not request.certificates and not policy.require_certificate:
        return None
    return endorsement.check(request, authority.manufacturers, policy.check_expiry)


def check_new(log, request):
    """An answer is given once: who lost it asks anew."""
    for number, entry in enumerate(log.entries, 1):
        if request.id and entry.get("request") == request.id:
            raise Refused("request-answered", f"line {number} of the log: this request was answered on {entry['time']}")


def entry_of(request, chain, time, way):
    leaf = chain[0]
    return {
        "time": as_text(time), "way": way, "request": request.id, "machine": request.machine,
        "manufacturer": f"id:{request.manufacturer:08X}", "ek": request.endorsement_hash, "ak": request.key.name.hex(),
        "serial": f"{leaf.serial_number:x}", "expires": as_text(leaf.not_valid_after),
        "certificate": leaf.fingerprint(hashes.SHA256()).hex(),
    }


def issue(authority, request, way):
    """The chain of a request that was checked, which is in the log by then."""
    described = check(authority, request)
    with authority.lock():
        log = Log(authority.folder, authority.key)
        check_new(log, request)
        chain = authority.issue(request, described)
        log.append(entry_of(request, chain, now(), way))
    return chain


def encrypt_chain(secret, chain, answer):
    key = HKDF(hashes.SHA256(), 32, salt=None, info=INFO).derive(secret)
    bound = "\n".join(["tpmauthn-attestation-answer", "1", *(answer[m] for m in ("request", "ek", "ak", "created",
                                                                                 "expires"))]) + "\n"
    nonce = os.urandom(12)
    text = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
    return {"alg": "A256GCM", "nonce": encode(nonce), "ciphertext": encode(AESGCM(key).encrypt(nonce, text,
                                                                                               bound.encode()))}


def answer(authority, request, way="file"):
    """The answer to a request of tpmauthn, as an object."""
    if request.id is None:
        raise Refused("unknown-version", "a request of another client than tpmauthn, which needs attestation-ca serve")
    chain = issue(authority, request, way)
    secret = os.urandom(SECRET_SIZE)
    credential, encrypted = tpm.make_credential(request.endorsement, request.key.name, secret)
    time = now()
    made = {
        "v": 1, "type": TYPE, "request": request.id, "ek": request.endorsement_hash, "ak": request.key.name.hex(),
        "created": as_text(time), "expires": as_text(time + timedelta(hours=authority.policy.answer_hours)),
        "credential": encode(credential), "secret": encode(encrypted),
    }
    return {**made, "chain": encrypt_chain(secret, chain, made)}


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)
