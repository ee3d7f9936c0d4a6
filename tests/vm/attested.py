# SPDX-License-Identifier: BSD-2-Clause
"""attested.py NODE KEY...: registers at http://localhost:8000 by python3-fido2 over a hidraw node.

A KEY is an algorithm, ES256, ES384 or RS256, with ":protected" for one that the TPM keeps behind the PIN. What
becomes of each is a line as attestation/servers/verify.mjs reads it.
"""

import hashlib
import json
import os
import sys

from ctap import ctap2
from rp import ALGORITHMS, encode


def register(ctap, key):
    algorithm, _, protected = key.partition(":")
    client = json.dumps({"type": "webauthn.create", "challenge": encode(os.urandom(32)), "origin": "http://localhost:8000",
                         "crossOrigin": False}).encode()
    made = ctap.make_credential(
        hashlib.sha256(client).digest(),
        {"id": "localhost", "name": "Relying party"},
        {"id": os.urandom(16), "name": "alice", "displayName": "Alice"},
        [{"type": "public-key", "alg": ALGORITHMS[algorithm]}],
        extensions={"credProtect": 3} if protected else None,
    )
    return {"fmt": made.fmt, "client": encode(client), "object": encode(made.with_string_keys())}


device = ctap2(sys.argv[1])
for wanted in sys.argv[2:]:
    print(json.dumps(register(device, wanted)))
