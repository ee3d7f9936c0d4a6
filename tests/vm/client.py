# SPDX-License-Identifier: BSD-2-Clause
"""client.py CASE NODE: one case over a hidraw node. Exit status 0 if it holds.

The first three cases go through python3-fido2. The others speak CTAPHID themselves, because they look at
single frames and their times.
"""

import hashlib
import os
import sys
import time

from ctap import CANCEL, CBOR, ERROR, KEEPALIVE, Channel, check, ctap2, descriptor, get, make


def canonical(node):
    ctap = ctap2(node)
    check(ctap.info.max_msg_size == 1536, "maxMsgSize")
    first, key1, _ = make(ctap, b"first", options={"rk": True})
    second, key2, _ = make(ctap, b"second", options={"rk": True})
    get(ctap, key1, [descriptor(first)])
    # Newest first; the second reply belongs to the first credential.
    digest = os.urandom(32)
    answers = ctap.get_assertions("python.test", digest)
    check([a.credential["id"] for a in answers] == [second, first], "order of discoverable credentials")
    for answer, key in zip(answers, (key2, key1)):
        key.verify(answer.auth_data + digest, answer.signature)


def excluded(node):
    from fido2.ctap import CtapError

    ctap = ctap2(node)
    credential, _, _ = make(ctap, b"once")
    try:
        make(ctap, b"once", exclude_list=[descriptor(credential)])
    except CtapError as error:
        check(error.code == CtapError.ERR.CREDENTIAL_EXCLUDED, f"wrong error {error}")
        return
    sys.exit("failed: the excluded credential was ignored")


def counter(node):
    ctap = ctap2(node)
    credential, key, last = make(ctap, b"counter")
    for _ in range(5):
        answer = get(ctap, key, [descriptor(credential)])
        check(answer.auth_data.counter > last, "the counter grows")
        last = answer.auth_data.counter


def keepalive(node):
    channel = Channel(node)
    channel.ask()
    times, last = [], time.monotonic()
    while len(times) < 20:
        command, data = channel.receive()
        check((command, data) in ((KEEPALIVE, b"\x01"), (KEEPALIVE, b"\x02")), f"frame {command:#x} {data!r}")
        now = time.monotonic()
        times.append(now - last)
        last = now
    check(data == b"\x02", "status is UPNEEDED while a person is asked")
    print("seconds between keepalives:", [round(t, 3) for t in times])
    # The daemon's clock is 100 ms; an emulated machine delivers some of them late, not all.
    check(sorted(times)[len(times) // 2] < 0.15, "a keepalive every 100 ms")
    check(max(times) < 1, "no pause of a second")
    channel.send(CANCEL, b"")
    while channel.receive()[0] == KEEPALIVE:
        pass


def cancel(node):
    channel = Channel(node)
    for _ in range(3):
        channel.ask()
        check(channel.receive()[0] == KEEPALIVE, "a keepalive first")
        channel.send(CANCEL, b"")
        sent = time.monotonic()
        while True:
            command, data = channel.receive()
            if command != KEEPALIVE:
                break
        took = time.monotonic() - sent
        check((command, data) == (CBOR, b"\x2d"), f"KEEPALIVE_CANCEL, not {command:#x} {data!r}")
        check(took < 0.4, f"the answer took {took:.3f} s")
    # The channel works at once.
    channel.send(CBOR, b"\x04")
    while True:
        command, data = channel.receive()
        if command != KEEPALIVE:
            break
    check(command == CBOR and data[0] == 0, "getInfo after a cancel")


def busy(node):
    first, second = Channel(node), Channel(node)
    first.ask()
    check(first.receive()[0] == KEEPALIVE, "a keepalive first")
    second.send(CBOR, b"\x04")
    check(second.receive() == (ERROR, b"\x06"), "CHANNEL_BUSY")
    first.send(CANCEL, b"")
    while True:
        command, data = first.receive()
        if command != KEEPALIVE:
            break
    check((command, data) == (CBOR, b"\x2d"), "the first channel was not disturbed")


def order(node):
    from fido2 import cbor

    channel = Channel(node)
    channel.send(CBOR, b"\x04")
    command, data = KEEPALIVE, b""
    while command == KEEPALIVE:
        command, data = channel.receive()
    check(command == CBOR and data[0] == 0, "getInfo")
    info = cbor.decode(data[1:])  # a dict keeps the order of the wire
    options = [key.encode() for key in info[4]]
    check(len(options) > 1, f"options: {options}")
    check(options == sorted(options, key=lambda key: (len(key), key)), f"order of options: {options}")
    check(list(info) == sorted(info), f"order of members: {list(info)}")


def silent(node):
    """What finds nothing here, and what only asks for a touch, must wait for the person as a key without
    a person would: the answer may be at another key. Each request, three seconds of keepalives only."""
    from fido2 import cbor

    digest, account = bytes(32), {"id": b"\x01", "name": "dummy"}
    es256 = [{"type": "public-key", "alg": -7}]
    stranger = [{"type": "public-key", "id": os.urandom(48)}]
    requests = {
        "assertion that matches nothing": b"\x02" + cbor.encode({1: "none.test", 2: digest, 3: stranger}),
        "Chromium's dummy": b"\x01" + cbor.encode({1: digest, 2: {"id": ".dummy"}, 3: account, 4: es256}),
        "Firefox's dummy": b"\x01" + cbor.encode({1: digest, 2: {"id": "make.me.blink"}, 3: account, 4: es256}),
        "selection": b"\x0b",
    }
    channel = Channel(node)
    for name, request in requests.items():
        channel.send(CBOR, request)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            command, data = channel.receive()
            check(command == KEEPALIVE, f"{name}: answered {command:#x} {data!r}")
        channel.send(CANCEL, b"")
        while command == KEEPALIVE:
            command, data = channel.receive()
        check((command, data) == (CBOR, b"\x2d"), f"{name}: ended with {command:#x} {data!r}")


CASES = {f.__name__: f for f in (canonical, excluded, counter, keepalive, cancel, busy, order, silent)}
CASES[sys.argv[1]](sys.argv[2])
