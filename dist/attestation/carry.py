# SPDX-License-Identifier: BSD-2-Clause
"""What the adapters beside this file share: they carry JSON between `tpmauthn attestation` and a server."""

import argparse
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

ANSWER_MAX = 1 << 20
SECONDS = 30


class Failed(Exception):
    pass


def parser(text):
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("url", metavar="URL", help="of the server")
    made.add_argument("--ca", metavar="FILE", help="who vouches for the server's certificate (default: the system's)")
    made.add_argument("--certificate", metavar="FILE", help="one to show to the server")
    made.add_argument("--key", metavar="FILE", help="its key")
    made.add_argument("--renew", action="store_true", help="another certificate for the key that is there")
    made.add_argument("--machine", metavar="NAME", help="what the request calls this machine")
    made.add_argument("--machine-id", action="store_true", help="call it by a hash of /etc/machine-id")
    made.add_argument("--tpmauthn", default="tpmauthn", metavar="PROGRAM", help=argparse.SUPPRESS)
    return made


class Machine:
    def __init__(self, options):
        self.program, self.options = options.tpmauthn, options

    def _run(self, *arguments, given=None):
        text = None if given is None else json.dumps(given)
        try:
            done = subprocess.run([self.program, *arguments], input=text, stdout=subprocess.PIPE, text=True,
                                  stdin=subprocess.DEVNULL if text is None else None)
        except OSError as error:
            raise Failed(f"{self.program}: {error}") from None
        if done.returncode != 0:
            # It has said why.
            raise Failed(f"tpmauthn {' '.join(arguments)} failed ({done.returncode})")
        return done.stdout

    def request(self):
        named = ["--machine", self.options.machine] if self.options.machine else []
        by_id = ["--machine-id"] if self.options.machine_id else []
        return json.loads(self._run("attestation", "renew" if self.options.renew else "request", *named, *by_id))

    def activate(self, credential, secret):
        """What the TPM got out of them, in base64."""
        given = {"credential": credential, "secret": secret}
        return json.loads(self._run("attestation", "activate", "-", given=given))["secret"]

    def install(self, answer):
        print(self._run("attestation", "install", "-", given=answer), end="")


class Server:
    def __init__(self, options):
        self.url = options.url.rstrip("/")
        self.context = ssl.create_default_context(cafile=options.ca)
        if options.certificate:
            self.context.load_cert_chain(options.certificate, options.key)

    def send(self, method, path, value):
        """The answer, an object."""
        asked = urllib.request.Request(self.url + path, json.dumps(value).encode(), method=method,
                                       headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS, context=self.context) as answer:
                found = json.loads(answer.read(ANSWER_MAX))
        except urllib.error.HTTPError as error:
            raise Failed(f"{self.url}{path}: {error.code}: {self._reason(error)}") from None
        except (OSError, ValueError) as error:
            raise Failed(f"{self.url}{path}: {error}") from None
        if not isinstance(found, dict):
            raise Failed(f"{self.url}{path}: the answer is no object")
        return found

    @staticmethod
    def _reason(error):
        text = error.read(2000).decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in text).strip() or error.reason


def text_of(answer, name):
    if not isinstance(answer.get(name), str):
        raise Failed(f'the server\'s answer has no "{name}"')
    return answer[name]


def main(run, options):
    try:
        run(options)
    except Failed as failed:
        print(f"{sys.argv[0]}: {failed}", file=sys.stderr)
        sys.exit(1)
