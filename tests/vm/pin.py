# SPDX-License-Identifier: BSD-2-Clause
"""pin.py NODE CASE [ARG...] [, CASE [ARG...]]...: cases about the PIN over a hidraw node, one after the other.
Exit status 0 if all hold.
"""

import os
import sys

from ctap import PING, Channel, Token, check, ctap2, descriptor, get, make, secrets
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2

WRONG, BLOCKED, REFUSED, LATCHED, POLICY = 0x31, 0x32, 0x33, 0x34, 0x37


def status_of(function, *args, **more):
    try:
        function(*args, **more)
    except CtapError as error:
        return int(error.code)
    return 0


def expect(status, function, *args, **more):
    got = status_of(function, *args, **more)
    check(got == status, f"{function.__name__}: expected {status:#x}, got {got:#x}")


def retries(node, *expected):
    """The count, and whether a power cycle is needed before the next try."""
    count, latched = ClientPin(ctap2(node)).get_pin_retries()
    check((count, bool(latched)) == (int(expected[0]), expected[1:] == ("latched",)), f"{count} {latched}")


def wrong(node, *statuses):
    """One wrong PIN for each status that is expected, by both protocols in turn."""
    ctap = ctap2(node)
    for n, status in enumerate(statuses):
        protocol = (PinProtocolV1, PinProtocolV2)[n % 2]()
        expect(int(status, 16), Token, ctap, "not the PIN", protocol)


def right(node, pin, status="0"):
    for protocol in (PinProtocolV1(), PinProtocolV2()):
        expect(int(status, 16), Token, ctap2(node), pin, protocol)


def change(node, old, new, status="0"):
    expect(int(status, 16), ClientPin(ctap2(node)).change_pin, old, new)


def uses(node, pin):
    """A credential made and used with a token of each protocol, and without one."""
    ctap = ctap2(node)
    for protocol in (PinProtocolV1, PinProtocolV2):
        credential, key, _ = make(ctap, b"with a token", Token(ctap, pin, protocol()), options={"rk": True})
        get(ctap, key, [descriptor(credential)], Token(ctap, pin, protocol()))
        get(ctap, key, None, Token(ctap, pin, protocol()))
        get(ctap, key, [descriptor(credential)])


def hmac_secret(node, pin):
    """One and two salts, both protocols: the same secret for the same salt, another with the PIN."""
    ctap = ctap2(node)
    credential, key, _ = make(ctap, b"secret", extensions={"hmac-secret": True})
    salt1, salt2 = os.urandom(32), os.urandom(32)
    plain, verified = set(), set()
    for protocol in (PinProtocolV1, PinProtocolV2):
        plain.add(secrets(ctap, key, credential, salt1, None, protocol()))
        both = secrets(ctap, key, credential, salt2 + salt1, None, protocol())
        check(both[32:] in plain and both[:32] not in plain, "the second salt gives its secret")
        token = Token(ctap, pin, protocol())
        verified.add(secrets(ctap, key, credential, salt1, token, protocol()))
    check(len(plain) == len(verified) == 1, "the secret of a salt stays")
    check(plain.isdisjoint(verified), "with a PIN it is another")


def protected(node, pin):
    """credProtect 3: without the PIN it is as if the credential were not there."""
    ctap = ctap2(node)
    credential, key, _ = make(ctap, b"protected", Token(ctap, pin), extensions={"credProtect": 3}, options={"rk": True})
    expect(0x2E, get, ctap, key, [descriptor(credential)])
    get(ctap, key, [descriptor(credential)], Token(ctap, pin))


def changed(node, old, new):
    """A token does not outlive a change of the PIN, whatever the TPM thinks of its ticket."""
    ctap = ctap2(node)
    credential, key, _ = make(ctap, b"changed", Token(ctap, old), extensions={"credProtect": 3, "hmac-secret": True})
    salt = os.urandom(32)
    secret = secrets(ctap, key, credential, salt, Token(ctap, old))
    for protocol in (PinProtocolV1, PinProtocolV2):
        get(ctap, key, [descriptor(credential)], Token(ctap, old, protocol()))
        token = Token(ctap, old, protocol())
        ClientPin(ctap).change_pin(old, new)
        expect(REFUSED, get, ctap, key, [descriptor(credential)], token)
        expect(REFUSED, secrets, ctap, key, credential, salt, token)
        expect(REFUSED, make, ctap, b"another", token)
        check(secrets(ctap, key, credential, salt, Token(ctap, new)) == secret, "the secret stays")
        old, new = new, old


def suspend():
    with open("/sys/power/state", "w") as state:
        state.write("mem")


def suspended(node, pin):
    """A token does not outlive a suspend, the credentials do. The machine suspends in between."""
    ctap = ctap2(node)
    plain = make(ctap, b"plain")
    guarded = make(ctap, b"guarded", Token(ctap, pin), extensions={"credProtect": 3, "hmac-secret": True})
    salt = os.urandom(32)
    secret = secrets(ctap, guarded[1], guarded[0], salt, Token(ctap, pin))
    for credential, key, _ in (plain, guarded):
        token = Token(ctap, pin)
        get(ctap, key, [descriptor(credential)], token)
        token = Token(ctap, pin)
        suspend()
        expect(REFUSED, get, ctap, key, [descriptor(credential)], token)
        expect(REFUSED, make, ctap, b"another", token)
        get(ctap, key, [descriptor(credential)], Token(ctap, pin))
    check(secrets(ctap, guarded[1], guarded[0], salt, Token(ctap, pin)) == secret, "the secret survives")


def half(node):
    """The machine suspends between the two packets of a message, of which the second may not be late."""
    channel = Channel(node)
    data = os.urandom(100)
    for _ in range(3):
        os.write(channel.fd, b"\0" + channel.cid + bytes([PING | 0x80]) + len(data).to_bytes(2, "big") + data[:57])
        suspend()
        os.write(channel.fd, b"\0" + channel.cid + b"\0" + data[57:].ljust(59, b"\0"))
        check(channel.receive() == (PING, data), "the whole message is answered")


CASES = {
    f.__name__: f for f in (retries, wrong, right, change, uses, hmac_secret, protected, changed, suspended, half)
}
for case in "\n".join(sys.argv[2:]).split("\n,\n"):
    name, *arguments = case.split("\n")
    print(case.replace("\n", " "), flush=True)
    CASES[name](sys.argv[1], *arguments)
