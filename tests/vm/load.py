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

    began = time.monotonic()
    while True:
        try:
            return function(*args, **more)
        except CtapError as error:
            if error.code != CtapError.ERR.CHANNEL_BUSY:
                print(f"{function.__name__} failed after {time.monotonic() - began:.3f} s")
                raise
            busy += 1
            time.sleep(random.uniform(0.005, 0.05))


def alone(kind):
    """A new token ends the older one, and every registration and sign-in takes from whatever token there is
    what it allowed, so who holds one wants the node for itself."""
    node = open(sys.argv[1])
    fcntl.flock(node, kind)
    return node


def with_a_token(ctap, pin, function, *args, **more):
    with alone(fcntl.LOCK_EX):
        return patiently(function, *args, token=patiently(Token, ctap, pin), **more)


def without(function, *args, **more):
    with alone(fcntl.LOCK_SH):
        return patiently(function, *args, **more)


class Account:
    """A credential, and what has to stay true of it."""

    def __init__(self, ctap, pin):
        self.ctap, self.pin = ctap, pin
        self.salt = os.urandom(64)
        self.known = {}
        user = b"user %d %s" % (os.getpid(), os.urandom(4).hex().encode())
        more = {"extensions": {"hmac-secret": True}} if pin else {}
        if not pin or random.random() < 0.7:
            made = without(make, ctap, user, **more)
        else:
            made = with_a_token(ctap, pin, make, ctap, user, options={"rk": True}, **more)
        self.id, self.key, self.counter = made

    def sign_in(self):
        answer = without(get, self.ctap, self.key, [descriptor(self.id)])
        check(answer.auth_data.counter > self.counter, "the counter grows")
        self.counter = answer.auth_data.counter

    def secret(self):
        self.keep(False, without(secrets, self.ctap, self.key, self.id, self.salt))

    def verified_secret(self):
        self.keep(True, with_a_token(self.ctap, self.pin, secrets, self.ctap, self.key, self.id, self.salt))

    def keep(self, verified, secret):
        check(self.known.setdefault(verified, secret) == secret, "the secret of a credential stays")
        check(self.known.get(True) != self.known.get(False), "it is another one with a PIN")
        self.counter += 1  # at least


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
            what = random.choice(("sign_in", "secret", "verified_secret") if pin else ("sign_in",))
            getattr(account, what)()
        done[what] = done.get(what, 0) + 1
    print(node, *(f"{what}: {count}" for what, count in sorted(done.items())), f"busy: {busy}")
    check(sum(done.values()) >= 4, "it got to work")


main(*sys.argv[1:])
