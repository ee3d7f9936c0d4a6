# SPDX-License-Identifier: BSD-2-Clause
"""What was signed: log.jsonl, a line each, which only grows.

Every line holds the hash of the one before it and a signature of the CA, so that none can be changed, put in, taken
out or moved without the CA's key. log.head names the last line, so that none is cut off at the end; whoever can write
both files could put back an older pair, and is found out by a head that was noted elsewhere (attestation-ca head).

A line is on the disk before the head names it, and the head before the answer is given: what a crash leaves behind it
is at most one line, whole or not, of an answer that nobody has.
"""

import base64
import binascii
import hashlib
import json
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.refusal import Broken

NOTHING = "0" * 64


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def signed_part(number, previous, entry):
    return b"tpmauthn attestation log\n" + canonical([number, previous, entry])


def sync_folder(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Log:
    def __init__(self, folder, key):
        """Reads and checks all of it. Whoever appends holds the folder's lock."""
        self.path, self.head_path, self.key = folder / "log.jsonl", folder / "log.head", key
        self.entries, self.hashes, self.named = [], [NOTHING], 0
        data = self.path.read_bytes() if self.path.exists() else b""
        *lines, self.torn = data.split(b"\n")
        for line in lines:
            self.entries.append(self._check(line))
            self.hashes.append(hashlib.sha256(line).hexdigest())
        self.whole = len(data) - len(self.torn)
        self._check_head()

    def _wrong(self, number, text):
        return Broken(f"{self.path}:{number}: {text}; the log was changed")

    def _check(self, line):
        number = len(self.entries) + 1
        try:
            value = json.loads(line)
            entry, signature = value["entry"], base64.b64decode(value["signature"], validate=True)
            order = value["n"], value["previous"]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise self._wrong(number, "not a line of a log") from None
        if order != (number, self.hashes[-1]):
            raise self._wrong(number, "it does not follow the line before it")
        try:
            self.key.public_key().verify(signature, signed_part(number, self.hashes[-1], entry),
                                         ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise self._wrong(number, "this CA has not signed it") from None
        return entry

    def _check_head(self):
        count = len(self.entries)
        if not self.head_path.exists():
            # Before its first answer a CA has no head.
            if count > 1:
                raise Broken(f"{self.head_path} is missing")
            return
        head = self.head_path.read_text(encoding="utf-8").split()
        if len(head) != 2 or not head[0].isdigit():
            raise Broken(f"{self.head_path}: not 'LINES HASH'")
        self.named = named = int(head[0])
        if named > count:
            raise Broken(f"{self.path}: it has {count} lines and had {named}; the log was cut")
        if self.hashes[named] != head[1]:
            raise Broken(f"{self.head_path}: it names another line {named}; the log was changed")
        if count > named + 1:
            raise Broken(f"{self.head_path}: it names line {named} of {count}; the log was changed")

    def head(self):
        return f"{len(self.entries)} {self.hashes[-1]}"

    def contains(self, head):
        """True of a head that this log had once."""
        count, _, named = head.partition(" ")
        return count.isdigit() and int(count) < len(self.hashes) and self.hashes[int(count)] == named

    def append(self, entry):
        if self.named < len(self.entries):
            self._write_head()  # of a line that a crash left without
        number, previous = len(self.entries) + 1, self.hashes[-1]
        signature = self.key.sign(signed_part(number, previous, entry), ec.ECDSA(hashes.SHA256()))
        line = canonical({"n": number, "previous": previous, "entry": entry,
                          "signature": base64.b64encode(signature).decode()})
        with open(self.path, "ab") as file:
            if self.torn:
                file.truncate(self.whole)
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.torn, self.whole = b"", self.whole + len(line) + 1
        self.entries.append(entry)
        self.hashes.append(hashlib.sha256(line).hexdigest())
        self._write_head()

    def _write_head(self):
        temporary = self.head_path.with_name("log.head.new")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(self.head() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.head_path)
        sync_folder(self.head_path.parent)
        self.named = len(self.entries)
