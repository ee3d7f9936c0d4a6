# SPDX-License-Identifier: BSD-2-Clause
"""load.py NODE SECONDS [PIN]: a client that never rests, beside another of its kind on the same node.

It registers, signs in, and, with a PIN, does both with a token and asks for an hmac-secret. The only error
it may get is CHANNEL_BUSY, and then it tries again. Every signature is verified, the counter of a
credential has to grow, the secret of a credential to stay.
"""

import fcntl
import os
import random
import sys
import time

from ctap import Device, Token, check, descriptor, get, make, secrets
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2

done = {}
busy = 0


def patiently(function, *args, **more):
    """Calls until the channel is free. A command that was refused as busy has not done anything."""
    global busy

    while True:
        try:
            return function(*args, **more)
        except CtapError as error:
            if error.code != CtapError.ERR.CHANNEL_BUSY:
                raise
            busy += 1
            time.sleep(random.uniform(0.005, 0.05))


class Account:
    """A credential, and what has to stay true of it."""

    def __init__(self, ctap, pin):
        self.ctap, self.pin = ctap, pin
        self.salt = os.urandom(64)
        self.known = {}
        user = b"user %d %s" % (os.getpid(), os.urandom(4).hex().encode())
        more = {"extensions": {"hmac-secret": True}} if pin else {}
        self.id, self.key, self.counter = patiently(make, ctap, user, options={"rk": random.random() < 0.2}, **more)

    def sign_in(self, token=None):
        answer = patiently(get, self.ctap, self.key, [descriptor(self.id)], token)
        check(answer.auth_data.counter > self.counter, "the counter grows")
        self.counter = answer.auth_data.counter

    def secret(self, token=None):
        secret = patiently(secrets, self.ctap, self.key, self.id, self.salt, token)
        verified = token is not None
        check(self.known.setdefault(verified, secret) == secret, "the secret of a credential stays")
        check(self.known.get(True) != self.known.get(False), "it is another one with a PIN")
        self.counter += 1  # at least

    def verified(self):
        """A new token ends the one before it, also that of the other client: they take turns."""
        with open(sys.argv[1]) as node:
            fcntl.flock(node, fcntl.LOCK_EX)
            token = patiently(Token, self.ctap, self.pin)
            self.sign_in(token)
            self.secret(token)


def main(node, seconds, pin=None):
    ctap = patiently(Ctap2, Device(node), strict_cbor=True)
    accounts = []
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        if not accounts or random.random() < 0.1:
            what = "registrations"
            accounts.append(Account(ctap, pin))
        else:
            account = random.choice(accounts)
            what = random.choice(("sign_in", "secret", "verified") if pin else ("sign_in",))
            getattr(account, what)()
        done[what] = done.get(what, 0) + 1
    print(node, *(f"{what}: {count}" for what, count in sorted(done.items())), f"busy: {busy}")
    check(sum(done.values()) >= 10, "it got to work")


main(*sys.argv[1:])
