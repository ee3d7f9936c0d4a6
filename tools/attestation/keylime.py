# SPDX-License-Identifier: BSD-2-Clause
"""What a Keylime registrar knows of a machine, as a second witness of its request.

The registrar gives a record only of an agent whose TPM has opened its challenge: the attestation key and the
endorsement key in it are in one TPM. That this TPM is a manufacturer's is for Keylime's tenant, and for us, to check.
REST API 2.1 and later: GET /v2.1/agents/ID.
"""

import base64
import binascii
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from attestation import tpm
from attestation.endorsement import spki
from attestation.refusal import Broken, Refused

LIMIT = 1 << 20
API = "v2.1"


def default_agent(request):
    """Not the id of Keylime's own agent on that machine, which has another attestation key."""
    return f"tpmauthn-{request.endorsement_hash[:32]}"


def fetch(url, agent, ca=None, certificate=None, key=None):
    """The record's object "results"."""
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(certificate, key)
    address = f"{url.rstrip('/')}/{API}/agents/{urllib.parse.quote(agent, safe='')}"
    try:
        with urllib.request.urlopen(address, timeout=30, context=context) as answer:
            value = json.loads(answer.read(LIMIT))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise Refused("keylime-not-registered", f"the registrar has no active agent {agent}") from None
        raise Broken(f"{address}: {error}") from None
    except (OSError, ValueError) as error:
        raise Broken(f"{address}: {error}") from None
    results = value.get("results") if isinstance(value, dict) else None
    if not isinstance(results, dict):
        raise Broken(f"{address}: not the answer of a registrar")
    return results


def binary(record, name):
    try:
        return base64.b64decode(record.get(name) or "", validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Refused("keylime-record", f"the registrar's {name} is not in base64") from None


def holds(public, endorsement):
    """True of a TPM2B_PUBLIC whose unique part, the last one, is this key's."""
    numbers = endorsement.public_numbers()
    size = (endorsement.key_size + 7) // 8
    if isinstance(endorsement, rsa.RSAPublicKey):
        return public.endswith(tpm.sized(numbers.n.to_bytes(size, "big")))
    return public.endswith(tpm.sized(numbers.x.to_bytes(size, "big")) + tpm.sized(numbers.y.to_bytes(size, "big")))


def check(request, record):
    """Refuses a request that is of another key, or another TPM, than the registrar's record."""
    if binary(record, "aik_tpm") != tpm.sized(request.key.encoded):
        raise Refused("keylime-other-ak", "the registrar knows this agent with another attestation key")
    certificate = binary(record, "ekcert")
    try:
        same = (spki(x509.load_der_x509_certificate(certificate).public_key()) == request.endorsement_der
                if certificate else holds(binary(record, "ek_tpm"), request.endorsement))
    except ValueError as error:
        raise Refused("keylime-record", f"the registrar's ekcert: {error}") from None
    if not same:
        raise Refused("keylime-other-ek", "the registrar knows this agent with another endorsement key")
