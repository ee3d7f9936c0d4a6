# SPDX-License-Identifier: BSD-2-Clause
"""What the clients in Python share: CTAPHID by hand, and the site's side of a ceremony.

python3-fido2 re-encodes each reply and refuses one that is not canonical CBOR. Its own transport takes a
report of another channel for a fault, so where two clients use one node its commands go over ours.
"""

import hashlib
import os
import select
import struct
import sys
import time

PING, INIT, CBOR, CANCEL, KEEPALIVE, ERROR = 0x01, 0x06, 0x10, 0x11, 0x3B, 0x3F
BROADCAST = b"\xff\xff\xff\xff"


def check(holds, what):
    if not holds:
        sys.exit(f"failed: {what}")


# ---- python3-fido2 ----


def ctap2(node):
    from fido2.ctap2 import Ctap2
    from fido2.hid import CtapHidDevice, open_device

    check(isinstance(open_device(node), CtapHidDevice), "open_device")
    return Ctap2(open_device(node), strict_cbor=True)


class Token:
    """A pinUvAuthToken for the site python.test, to register and to sign in."""

    def __init__(self, ctap, pin, protocol=None, permissions=3):
        from fido2.ctap2 import ClientPin

        self.client = ClientPin(ctap, protocol)
        self.value = self.client.get_pin_token(pin, permissions, "python.test")

    def over(self, digest):
        protocol = self.client.protocol
        return {"pin_uv_param": protocol.authenticate(self.value, digest), "pin_uv_protocol": protocol.VERSION}


def make(ctap, user, token=None, **more):
    from fido2.cose import ES256

    digest = hashlib.sha256(user).digest()
    if token:
        more.update(token.over(digest))
    made = ctap.make_credential(
        digest,
        {"id": "python.test", "name": "Python"},
        {"id": user, "name": user.decode(), "displayName": user.decode()},
        [{"type": "public-key", "alg": -7}],
        **more,
    )
    data = made.auth_data.credential_data
    check(made.fmt == "packed" and set(made.att_statement) == {"alg", "sig"}, "packed self attestation")
    check(made.auth_data.is_user_verified() == bool(token), "the UV flag says whether there was a PIN")
    key = ES256(data.public_key)
    key.verify(made.auth_data + digest, made.att_statement["sig"])
    return data.credential_id, key, made.auth_data.counter


def get(ctap, key, allow=None, token=None, **more):
    digest = os.urandom(32)
    if token:
        more.update(token.over(digest))
    answer = ctap.get_assertion("python.test", digest, allow, **more)
    check(answer.auth_data.is_user_verified() == bool(token), "the UV flag says whether there was a PIN")
    key.verify(answer.auth_data + digest, answer.signature)
    return answer


def secrets(ctap, key, credential, salts, token=None, protocol=None):
    """What hmac-secret makes of 32 or 64 bytes of salt."""
    from fido2.ctap2 import ClientPin

    pin = ClientPin(ctap, protocol)
    agreement, shared = pin._get_shared_secret()
    sealed = pin.protocol.encrypt(shared, salts)
    asked = {1: agreement, 2: sealed, 3: pin.protocol.authenticate(shared, sealed), 4: pin.protocol.VERSION}
    if pin.protocol.VERSION == 1:
        del asked[4]
    answer = get(ctap, key, [descriptor(credential)], token, extensions={"hmac-secret": asked})
    return pin.protocol.decrypt(shared, answer.auth_data.extensions["hmac-secret"])


def descriptor(credential):
    return {"type": "public-key", "id": credential}


# ---- bare frames ----


class Channel:
    def __init__(self, node):
        self.fd = os.open(node, os.O_RDWR)
        self.cid = BROADCAST
        nonce = os.urandom(8)
        self.send(INIT, nonce)
        command, data = self.receive()
        while data[:8] != nonce:  # another client's
            command, data = self.receive()
        check(command == INIT and len(data) == 17, "INIT")
        self.cid = data[8:12]

    def send(self, command, data):
        # The kernel keeps 64 reports for who does not read, others' too, and then drops the newest.
        while select.select([self.fd], [], [], 0)[0]:
            os.read(self.fd, 64)
        frame = self.cid + bytes([command | 0x80]) + struct.pack(">H", len(data)) + data[:57]
        rest, sequence = data[57:], 0
        os.write(self.fd, b"\0" + frame.ljust(64, b"\0"))
        while rest:
            frame = self.cid + bytes([sequence]) + rest[:59]
            os.write(self.fd, b"\0" + frame.ljust(64, b"\0"))
            rest, sequence = rest[59:], sequence + 1

    def frame(self, limit=5):
        end = time.monotonic() + limit
        while True:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            check(ready, f"no frame within {limit} s")
            frame = os.read(self.fd, 64)
            check(len(frame) == 64, "reports of 64 bytes")
            if frame[:4] == self.cid:
                return frame

    def receive(self, limit=5):
        frame = self.frame(limit)
        length = struct.unpack(">H", frame[5:7])[0]
        data = frame[7:]
        while len(data) < length:
            data += self.frame(limit)[5:]
        return frame[4] & 0x7F, data[:length]

    def ask(self):
        """authenticatorSelection, which waits for a person and does nothing else."""
        self.send(CBOR, b"\x0b")


class Device:
    """A Channel as python3-fido2 wants a device to be."""

    capabilities = 0x04 | 0x08  # CBOR, and no MSG

    def __init__(self, node):
        self.channel = Channel(node)

    def call(self, command, data=b"", event=None, on_keepalive=None):
        from fido2.ctap import CtapError

        self.channel.send(command, data)
        answer, data = KEEPALIVE, b""
        while answer == KEEPALIVE:
            answer, data = self.channel.receive()
        if answer == ERROR:
            raise CtapError(data[0])
        check(answer == command, f"answer {answer:#x} to command {command:#x}")
        return data
