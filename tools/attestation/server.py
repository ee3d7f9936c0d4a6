# SPDX-License-Identifier: BSD-2-Clause
"""The protocol of smallstep's attestation client, which is go-attestation's in JSON over HTTP.

    POST /attest  a request           {"credential", "secret"}, which only its TPM opens
    POST /secret  {"secret"}, opened  {"chain"}: certificates in DER, in base64

Certificates are made, and written into the log, only for who has opened the secret. A request that is refused gets
{"error", "message"}. The folder is read for each request, so that a new policy counts at once.
"""

import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

from attestation import request, sign, tpm
from attestation.authority import Authority
from attestation.refusal import Broken, Refused

OPEN_MAX = 256
OPEN_SECONDS = 600
IDLE_SECONDS = 15


class Failure(Exception):
    def __init__(self, status, error, message):
        super().__init__(message)
        self.status, self.error = status, error


class Pending:
    """Requests whose secret has not come back, by its hash."""

    def __init__(self):
        self.lock, self.open = threading.Lock(), {}

    def add(self, secret, asked):
        with self.lock:
            self.open = {h: p for h, p in self.open.items() if p[1] > time.monotonic()}
            if len(self.open) >= OPEN_MAX:
                raise Failure(503, "busy", "too many requests are open; try again in some minutes")
            self.open[tpm.sha256(secret)] = asked, time.monotonic() + OPEN_SECONDS

    def take(self, secret):
        """By its hash: how long the search takes says nothing of a secret."""
        with self.lock:
            asked, end = self.open.pop(tpm.sha256(secret), (None, 0))
        if end <= time.monotonic():
            raise Failure(403, "secret-wrong", "this is the secret of no request that is open")
        return asked


class Handler(http.server.BaseHTTPRequestHandler):
    server_version = "attestation-ca"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def do_POST(self):
        try:
            self._answer(200, self._act(self._body()))
        except Failure as failure:
            self._answer(failure.status, {"error": failure.error, "message": str(failure)})
        except Refused as refused:
            self._answer(400 if refused.reason == "malformed-request" else 403,
                         {"error": refused.reason, "message": str(refused)})
        except Broken as broken:
            self.log_error("%s", broken)
            self._answer(500, {"error": "broken", "message": "the CA does not work; its log says why"})

    def do_GET(self):
        self._answer(405, {"error": "method", "message": "only POST is understood here"})

    def _body(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.close_connection = True
            raise Failure(411, "length", "the request does not say how long it is")
        if int(length) > request.LIMIT:
            self.close_connection = True
            raise Failure(413, "length", f"the request is longer than {request.LIMIT} bytes")
        return self.rfile.read(int(length))

    def _act(self, body):
        if self.path == "/attest":
            return self._attest(body)
        if self.path == "/secret":
            return self._secret(body)
        raise Failure(404, "path", "there are /attest and /secret")

    def _attest(self, body):
        asked = request.parse(body)
        sign.check(Authority(self.server.folder), asked)
        secret = os.urandom(sign.SECRET_SIZE)
        credential, encrypted = tpm.make_credential(asked.endorsement, asked.key.name, secret)
        self.server.pending.add(secret, asked)
        return {"credential": sign.encode(credential), "secret": sign.encode(encrypted)}

    def _secret(self, body):
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Failure(400, "malformed-request", "not an object in JSON")
        asked = self.server.pending.take(request.binary(value, "secret"))
        chain = sign.issue(Authority(self.server.folder), asked, "http")
        return {"chain": [sign.encode(sign.der(certificate)) for certificate in chain]}

    def _answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *values):
        # What clients send is in it: without control characters.
        text = (form % values).encode("ascii", "backslashreplace").decode()
        sys.stderr.write(f"{self.client_address[0]}: {''.join(c if c.isprintable() else '?' for c in text)}\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder, address, certificate=None, key=None):
        self.folder, self.pending = folder, Pending()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            # The handshake is for the thread of its connection: a client that is slow at it holds up no other.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, _, client_address):
        sys.stderr.write(f"{client_address[0]}: {sys.exc_info()[1]}\n")
