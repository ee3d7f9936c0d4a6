# SPDX-License-Identifier: BSD-2-Clause
"""The server of examples/site, and a session with it."""

import http.client
import json
import signal
import sqlite3
import subprocess


class Site:
    """A server with its database in a file."""

    def __init__(self, program, database, *options):
        self.database = database
        self.process = subprocess.Popen([program, "--port", "0", "--database", database, *options],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        assert line.startswith("http://localhost:"), line
        self.origin = line.rstrip("/")
        self.port = int(self.origin.rsplit(":", 1)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.process.stdout.close()
        assert status == 0, f"the server ended with {status}"

    def rows(self):
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as db:
            return {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("account", "credential")}


class Browser:
    """A session: its cookie, and requests in JSON."""

    def __init__(self, site):
        self.site, self.cookie = site, None
        self.send("GET", "/")

    def send(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        sent = {"Host": f"localhost:{self.site.port}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if self.cookie:
            sent["Cookie"] = self.cookie
        connection.request(method, path, body, {k: v for k, v in sent.items() if v is not None})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if set_cookie := answer.headers["Set-Cookie"]:
            self.cookie = set_cookie.split(";")[0]
        return answer, text

    def call(self, path, body):
        answer, text = self.send("POST", path, json.dumps(body), Content_Type="application/json")
        said = json.loads(text)
        said["status"] = answer.status
        said["name"] = said.get("refusal", {}).get("name", "accepted")
        return said

    def challenge(self, **body):
        begun = self.call("/api/login/begin", body)
        assert begun["name"] == "accepted", begun
        return begun["publicKey"]
