# SPDX-License-Identifier: BSD-2-Clause
"""rp.py PORT REPORT: a relying party on http://localhost:PORT for the browser tests.

The page runs the steps its address names, each a ceremony: ask this server for options, call the
browser, bring the answer back. What is accepted is decided by python3-fido2's Fido2Server, not by code
of ours. Every step leaves a line "user step: ok" or "user step: <error>" in REPORT.

    http://localhost:PORT/?user=NAME&steps=create,get,exclude,attest,passkey,login,cancel

create and get do without verification, and attest is create with attestation. passkey makes a discoverable
credential and login finds it by the site alone, both with a verified user and with PRF, whose result must
be the same each time. direct:KEY and enterprise:KEY are create with such an attestation, of a KEY as
attested.py has them; what comes of it is a line of REPORT.attested, for other judges. In a run with
--attestation, enterprise:KEY has to lead to the run's authority. cancel begins as get does, and the page gives
up once the file REPORT.cancel is there: when that was is in REPORT, in milliseconds since the boot.
"""

import base64
import json
import os
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

from fido2.attestation import PackedAttestation, verify_x509_chain
from fido2.client import ClientData
from fido2.ctap2 import AttestationObject, AuthenticatorData
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>relying party</title>
<script>
const bytes = s => Uint8Array.from(atob(s.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
const text = b => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\\+/g, '-').replace(/\\//g, '_');
const post = async (path, body) => (await fetch(path, { method: 'POST', body: JSON.stringify(body) })).json();
const listed = list => list.map(d => ({ ...d, id: bytes(d.id) }));

const ceremonies = {
    async create(o) {
        o.challenge = bytes(o.challenge);
        o.user.id = bytes(o.user.id);
        o.excludeCredentials = listed(o.excludeCredentials);
        const c = await navigator.credentials.create({ publicKey: o }), r = c.response;
        return { client: text(r.clientDataJSON), object: text(r.attestationObject),
                 prf: Boolean(c.getClientExtensionResults().prf?.enabled) };
    },
    async get(o) {
        o.challenge = bytes(o.challenge);
        o.allowCredentials = listed(o.allowCredentials);
        if (o.extensions?.prf)
            o.extensions.prf.eval.first = bytes(o.extensions.prf.eval.first);
        const c = await navigator.credentials.get({ publicKey: o }), r = c.response;
        return { id: text(c.rawId), client: text(r.clientDataJSON), data: text(r.authenticatorData),
                 signature: text(r.signature), user: text(r.userHandle ?? []),
                 prf: text(c.getClientExtensionResults().prf?.results?.first ?? []) };
    },
    async cancel(o) {
        const abort = new AbortController();
        o.challenge = bytes(o.challenge);
        o.allowCredentials = listed(o.allowCredentials);
        const asked = navigator.credentials.get({ publicKey: o, signal: abort.signal });
        post('/until', {}).then(() => abort.abort());
        await asked;
        return { error: 'it was not cancelled' };
    },
};
ceremonies.login = ceremonies.get;

addEventListener('load', async () => {
    const query = new URLSearchParams(location.search), user = query.get('user');
    for (const step of query.get('steps').split(',')) {
        let answer;
        try {
            answer = await (ceremonies[step] ?? ceremonies.create)(await post('/begin', { user, step }));
        } catch (e) {
            answer = { error: `${e.name}: ${e.message}` };
        }
        document.title = (await post('/end', { user, step, answer })).verdict;
    }
});
</script>"""


AUTHORITY = os.environ.get("TPMAUTHN_CA")  # of such a run
SALT = b"the same at every login"
ALGORITHMS = {"ES256": -7, "ES384": -35, "RS256": -257}
PROTECTED = {"credentialProtectionPolicy": "userVerificationRequired", "enforceCredentialProtectionPolicy": True}


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_of(step):
    """The attestation that a step asks for, the algorithm, and whether the key is to be behind the PIN."""
    conveyance, *key = step.split(":")
    if key:
        return conveyance, ALGORITHMS[key[0]], key[1:] == ["protected"]
    return "direct" if step == "attest" else "none", ALGORITHMS["ES256"], False


def verified(answer):
    attested, client = AttestationObject(decode(answer["object"])), ClientData(decode(answer["client"]))
    if attested.fmt != "packed" or attested.auth_data.credential_data.aaguid == bytes(16):
        raise ValueError(f"attestation {attested.fmt} by {attested.auth_data.credential_data.aaguid.hex()}")
    return PackedAttestation().verify(attested.att_statement, attested.auth_data, client.hash)


class RelyingParty:
    def __init__(self, port, report):
        origin = f"http://localhost:{port}"
        self.server = Fido2Server(
            PublicKeyCredentialRpEntity("localhost", "Relying party"),
            verify_origin=lambda claimed: claimed == origin,
        )
        self.report = open(report, "a", buffering=1)
        self.credentials = {}  # user: [AttestedCredentialData]
        self.counters = {}  # credential id: the last counter
        self.states = {}  # user: what a ceremony remembers
        self.secrets = {}  # credential id: what PRF made of SALT

    def begin(self, user, step):
        conveyance, algorithm, protected = key_of(step)
        verification = "required" if protected or step in ("passkey", "login") else "discouraged"
        known = self.credentials.get(user, [])
        listed = [{"type": "public-key", "id": encode(c.credential_id)} for c in known]
        if step in ("get", "login", "cancel"):
            options, state = self.server.authenticate_begin(known, user_verification=verification)
            more = {"allowCredentials": [] if step == "login" else listed}
        else:
            account = {"id": user.encode(), "name": user, "displayName": user}
            options, state = self.server.register_begin(account, user_verification=verification)
            more = {
                "rp": {"id": "localhost", "name": "Relying party"},
                "user": {**account, "id": encode(account["id"])},
                "pubKeyCredParams": [{"type": "public-key", "alg": algorithm}],
                "excludeCredentials": listed if step == "exclude" else [],
                "authenticatorSelection": {
                    "userVerification": verification,
                    "residentKey": "required" if step == "passkey" else "discouraged",
                    "requireResidentKey": step == "passkey",
                },
                "attestation": conveyance,
            }
        if protected:
            more["extensions"] = PROTECTED
        if step == "passkey":
            more["extensions"] = {"prf": {}}
        if step == "login":
            more["extensions"] = {"prf": {"eval": {"first": encode(SALT)}}}
        self.states[user] = state
        return {
            "challenge": encode(options["publicKey"]["challenge"]),
            "timeout": 300000,
            "rpId": "localhost",
            "userVerification": verification,
            **more,
        }

    def end(self, user, step, answer):
        try:
            if step == "exclude":
                if not answer.get("error", "").startswith("InvalidStateError"):
                    raise ValueError(f"not excluded: {answer}")
            elif step == "cancel":
                if not answer["error"].startswith("AbortError"):
                    raise ValueError(f"not cancelled: {answer}")
            elif "error" in answer:
                raise ValueError(answer["error"])
            else:
                getattr(self, "end_" + step.split(":")[0])(user, answer)
            verdict = "ok"
        except Exception as error:  # whatever the library raises is the verdict
            verdict = f"{type(error).__name__}: {error}"
        self.report.write(f"{user} {step}: {verdict}\n")
        return {"verdict": verdict}

    def until(self):
        while not os.path.exists(self.report.name + ".cancel"):
            time.sleep(0.01)
        self.report.write(f"cancelling: {int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)}\n")
        return {}

    def end_create(self, user, answer):
        data = self.server.register_complete(
            self.states.pop(user),
            ClientData(decode(answer["client"])),
            AttestationObject(decode(answer["object"])),
        )
        self.credentials.setdefault(user, []).append(data.credential_data)
        self.counters[data.credential_data.credential_id] = data.counter

    def end_attest(self, user, answer):
        self.end_create(user, answer)
        verified(answer)

    def end_direct(self, user, answer):
        self.end_create(user, answer)
        with open(self.report.name + ".attested", "a") as file:
            fmt = AttestationObject(decode(answer["object"])).fmt
            file.write(json.dumps({"fmt": fmt, "client": answer["client"], "object": answer["object"]}) + "\n")

    def end_enterprise(self, user, answer):
        self.end_direct(user, answer)
        if AUTHORITY:
            key, *issuers = verified(answer).trust_path
            with open(AUTHORITY) as file:
                verify_x509_chain([key, *issuers, ssl.PEM_cert_to_DER_cert(file.read())])

    def end_passkey(self, user, answer):
        self.end_create(user, answer)
        if not answer["prf"]:
            raise ValueError("PRF is not enabled")

    def end_login(self, user, answer):
        self.end_get(user, answer)
        if decode(answer["user"]) != user.encode():
            raise ValueError(f"user handle {answer['user']}")
        secret = decode(answer["prf"])
        if len(secret) != 32 or self.secrets.setdefault(answer["id"], secret) != secret:
            raise ValueError("PRF gives no secret, or another one than before")

    def end_get(self, user, answer):
        credential, data = decode(answer["id"]), AuthenticatorData(decode(answer["data"]))
        self.server.authenticate_complete(
            self.states.pop(user),
            self.credentials[user],
            credential,
            ClientData(decode(answer["client"])),
            data,
            decode(answer["signature"]),
        )
        if data.counter <= self.counters[credential]:
            raise ValueError(f"counter {data.counter} after {self.counters[credential]}")
        self.counters[credential] = data.counter


class Handler(BaseHTTPRequestHandler):
    def reply(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if urlparse(self.path).path != "/":
            return self.send_error(404)
        return self.reply(PAGE.encode(), "text/html; charset=utf-8")

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        party = self.server.party
        call = {"/begin": party.begin, "/end": party.end, "/until": party.until}[self.path]
        return self.reply(json.dumps(call(**asked)).encode(), "application/json")


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.party = RelyingParty(int(sys.argv[1]), sys.argv[2])
    server.serve_forever()
