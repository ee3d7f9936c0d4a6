# SPDX-License-Identifier: BSD-2-Clause
"""Machines to ask a CA: each a simulated TPM whose maker is swtpm's own, told what to do by tpm2-tools.

Nothing of tpmauthn is in here, so that what makes a request and what answers it are tested apart; nor anything of the
CA under test, but for what the contract between the two says.
"""

import base64
import json
import os
import random
import shutil
import socket
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

RESTRICTED_KEY = "restricted|sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
CERTIFICATES = {"rsa": "0x1c00002"}
IBM = 0x49424D00  # what swtpm answers to TPM2_PT_MANUFACTURER


def encode(data):
    return base64.b64encode(data).decode()


def run(*command, check=True, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=120, stdin=subprocess.DEVNULL, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: status {done.returncode}\n{(done.stdout + done.stderr).decode()}")
    return done


class Maker:
    """Who makes TPMs: swtpm's local CA, with a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "ca.conf").write_text(f"statedir = {folder}\nsigningkey = {folder}/key.pem\n"
                                        f"issuercert = {folder}/issuer.pem\ncertserial = {folder}/serial\n")
        (folder / "options").write_text("--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n")
        (folder / "setup.conf").write_text("create_certs_tool=/usr/bin/swtpm_localca\n"
                                           f"create_certs_tool_config={folder}/ca.conf\n"
                                           f"create_certs_tool_options={folder}/options\nactive_pcr_banks = sha256\n")

    def make(self, state, certified=True):
        state.mkdir()
        run("swtpm_setup", "--tpm2", "--tpmstate", state, "--config", self.folder / "setup.conf", "--overwrite",
            "--vmid", "machine", "--logfile", self.folder / "log", *(["--create-ek-cert"] if certified else []),
            *(["--runas", "root"] if os.geteuid() == 0 else []))

    def certificates(self):
        return [self.folder / "swtpm-localca-rootca-cert.pem", self.folder / "issuer.pem"]


class Key:
    """An attestation key, or what somebody wants to be taken for one."""

    def __init__(self, folder, attestation=None, signature=None):
        self.folder = folder
        self.public = (folder / "public").read_bytes()[2:]
        # tpm2-tools prepend the size of what is a TPM2B.
        self.data = (folder / "data").read_bytes()[2:]
        self.attestation, self.signature = attestation, signature


class Machine:
    def __init__(self, folder, maker, certified=True):
        self.folder, self.keys = folder, 0
        folder.mkdir()
        maker.make(folder / "state", certified)
        self.swtpm = None
        self._boot()
        self.tool("createek", "-G", "rsa", "-c", folder / "ek.ctx", "-u", folder / "ek.public", "-f", "tss")
        self.tool("readpublic", "-c", folder / "ek.ctx", "-f", "der", "-o", folder / "ek.der")
        self.endorsement = (folder / "ek.der").read_bytes()
        self.certificates = [self.tool("nvread", "-C", "o", CERTIFICATES["rsa"]).stdout] if certified else []

    def _boot(self):
        for _ in range(20):
            port = 20000 + random.randrange(12000)  # below what the kernel hands out
            self.swtpm = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "swtpm", "socket", "--tpm2", "--tpmstate",
                 f"dir={self.folder}/state", "--server", f"type=tcp,port={port},bindaddr=127.0.0.1", "--ctrl",
                 f"type=tcp,port={port + 1},bindaddr=127.0.0.1", "--flags", "not-need-init,startup-clear"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.tcti = f"swtpm:host=127.0.0.1,port={port}"
            while self.swtpm.poll() is None:
                try:
                    for at in (port + 1, port):
                        socket.create_connection(("127.0.0.1", at), 5).close()
                    return
                except OSError:
                    time.sleep(0.01)
        raise RuntimeError("swtpm does not start")

    def stop(self):
        if self.swtpm:
            self.swtpm.kill()
            self.swtpm.wait()

    def tool(self, name, *arguments, check=True):
        environment = {**os.environ, "TPM2TOOLS_TCTI": self.tcti}
        done = run(f"tpm2_{name}", *arguments, check=check, env=environment)
        # There is no resource manager.
        run("tpm2_flushcontext", "-t", env=environment, check=False)
        return done

    def create(self, attributes=RESTRICTED_KEY, scheme="ecdsa-sha256", parent="o", below=None):
        """A key, not yet certified. parent: the hierarchy of its parent; below: another key's folder as parent."""
        self.keys += 1
        folder = self.folder / f"key{self.keys}"
        folder.mkdir()
        if below is None:
            self.tool("createprimary", "-C", parent, "-G", "ecc", "-c", folder / "parent.ctx")
        else:
            shutil.copy(below / "key.ctx", folder / "parent.ctx")
        kind = f"ecc256:{scheme}:null" if scheme else "ecc256:aes128cfb"
        self.tool("create", "-C", folder / "parent.ctx", "-G", kind, "-a", attributes, "-u", folder / "public",
                  "-r", folder / "private", "--creation-data", folder / "data", "-d", folder / "hash",
                  "-t", folder / "ticket")
        self.tool("load", "-C", folder / "parent.ctx", "-u", folder / "public", "-r", folder / "private",
                  "-c", folder / "key.ctx")
        return Key(folder)

    def certify(self, key, by=None, digest="sha256"):
        by = by or key
        self.tool("certifycreation", "-C", by.folder / "key.ctx", "-c", key.folder / "key.ctx",
                  "-d", key.folder / "hash", "-t", key.folder / "ticket", "-g", digest, "-f", "tss",
                  "-o", key.folder / "signature", "--attestation", key.folder / "attestation")
        return Key(key.folder, (key.folder / "attestation").read_bytes(), (key.folder / "signature").read_bytes())

    def attestation_key(self, digest="sha256", **more):
        return self.certify(self.create(scheme=f"ecdsa-{digest}", **more), digest=digest)

    def request(self, key, **changes):
        """The bundle, as an object."""
        made = {
            "v": 1, "type": "tpmauthn-attestation-request",
            "request": base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode(),
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tpmInfo": {"version": 2, "manufacturer": str(IBM), "model": "SW TPM", "firmwareVersion": "8217.4131"},
            "ek": encode(self.endorsement),
            "ekCerts": [encode(c) for c in self.certificates],
            "params": {"public": encode(key.public), "useTCSDActivationFormat": False,
                       "createData": encode(key.data), "createAttestation": encode(key.attestation),
                       "createSignature": encode(key.signature)},
        }
        return {**made, **changes}

    def activate(self, key, credential, secret):
        """TPM2_ActivateCredential: what is in the credential; None if this TPM does not open it."""
        # The form of tpm2-tools: a magic number, a version, the two structures.
        (self.folder / "credential").write_bytes(bytes.fromhex("badcc0de00000001") + base64.b64decode(credential)
                                                 + base64.b64decode(secret))
        session = self.folder / "session"
        self.tool("startauthsession", "--policy-session", "-S", session)
        self.tool("policysecret", "-S", session, "-c", "e")
        done = self.tool("activatecredential", "-c", key.folder / "key.ctx", "-C", self.folder / "ek.ctx",
                         "-i", self.folder / "credential", "-o", self.folder / "secret", "-P", f"session:{session}",
                         check=False)
        run("tpm2_flushcontext", session, env={**os.environ, "TPM2TOOLS_TCTI": self.tcti}, check=False)
        return (self.folder / "secret").read_bytes() if done.returncode == 0 else None


def open_chain(secret, answer):
    """The PEM in an answer."""
    key = HKDF(hashes.SHA256(), 32, salt=None, info=b"tpmauthn attestation chain v1").derive(secret)
    bound = "tpmauthn-attestation-answer\n1\n" + "".join(
        f"{answer[member]}\n" for member in ("request", "ek", "ak", "created", "expires"))
    chain = answer["chain"]
    assert chain["alg"] == "A256GCM", chain
    return AESGCM(key).decrypt(base64.b64decode(chain["nonce"]), base64.b64decode(chain["ciphertext"]), bound.encode())


def write_json(path, value):
    Path(path).write_text(json.dumps(value), encoding="utf-8")
    return path
