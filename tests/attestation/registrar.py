# SPDX-License-Identifier: BSD-2-Clause
"""A registrar as Keylime documents it (REST API 2.1): POST, PUT and GET of agents. Its challenge is made by
tpm2_makecredential, and a key is active only when its TPM has opened it.
"""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import string
import subprocess
import tempfile
import threading
from pathlib import Path


def name_of(tpm2b):
    assert int.from_bytes(tpm2b[:2], "big") == len(tpm2b) - 2, "not a TPM2B_PUBLIC"
    return b"\0\x0b" + hashlib.sha256(tpm2b[2:]).digest()


def challenge_for(ek_tpm, aik_tpm):
    """(blob, key): the key is the text of the challenge in base64."""
    challenge = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32)).encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ek").write_bytes(ek_tpm)
        (folder / "challenge").write_bytes(challenge)
        subprocess.run(["tpm2_makecredential", "-T", "none", "-u", folder / "ek", "-s", folder / "challenge",
                        "-n", name_of(aik_tpm).hex(), "-o", folder / "blob"], check=True, capture_output=True, timeout=60)
        return base64.b64encode((folder / "blob").read_bytes()).decode(), base64.b64encode(challenge).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def _agent(self):
        """(agent, what is behind it); (None, None) of another path."""
        parts = self.path.strip("/").split("/")
        known = len(parts) in (3, 4) and parts[0].startswith("v2.") and parts[1] == "agents"
        return (parts[2], parts[3:]) if known else (None, None)

    def _read(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, code, status, results=None):
        body = json.dumps({"code": code, "status": status, "results": results or {}}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        agent, rest = self._agent()
        if agent is None or rest:
            return self._answer(405, "Not Implemented")
        given = self._read()
        blob, key = challenge_for(base64.b64decode(given["ek_tpm"]), base64.b64decode(given["aik_tpm"]))
        self.server.agents[agent] = {**given, "key": key, "active": False}
        return self._answer(200, "Success", {"blob": blob})

    def do_PUT(self):
        agent, rest = self._agent()
        known = self.server.agents.get(agent)
        if rest != ["activate"] or known is None:
            return self._answer(404, "agent not found")
        expected = hmac.new(known["key"].encode(), agent.encode(), hashlib.sha384).hexdigest()
        if not hmac.compare_digest(expected, self._read()["auth_tag"]):
            del self.server.agents[agent]
            return self._answer(400, "Auth tag does not match")
        known["active"] = True
        return self._answer(200, "Success")

    def do_GET(self):
        agent, rest = self._agent()
        known = self.server.agents.get(agent)
        if rest or known is None or not known["active"]:
            return self._answer(404, "agent not found, or not yet active")
        return self._answer(200, "Success", {**{n: known[n] for n in ("aik_tpm", "ek_tpm", "ekcert", "mtls_cert")},
                                             "ip": None, "port": None, "regcount": 1})

    def log_message(self, *_):
        pass


class Registrar(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.agents = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
