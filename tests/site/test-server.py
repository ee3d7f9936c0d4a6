# SPDX-License-Identifier: BSD-2-Clause
"""test-server.py SITE: the server of examples/site over HTTP, as TAP: answers of python3-fido2, clones and older copies, and
whatever a client may send that is no good."""

import json
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fido2 import cose

sys.path.insert(0, str(Path(__file__).resolve().parent))
from session import Browser, Site  # noqa: E402
from soft_key import SoftKey, decode, encode, tamper  # noqa: E402

PROGRAM = sys.argv[1]
ALGORITHMS = [-7, -8, -35, -257]


def register(browser, key, name, attested="packed", **more):
    begun = browser.call("/api/register/begin", {"name": name, "algorithms": ALGORITHMS, **more})
    assert begun["name"] == "accepted", begun
    return browser.call("/api/register/finish", key.create(begun["publicKey"], attested))


def login(browser, key, **body):
    return browser.call("/api/login/finish", key.get(browser.challenge(**body)))


def expect(got, wanted):
    if got["name"] != wanted:
        raise AssertionError(f"{got['name']} and not {wanted}: {str(got)[:600]}")
    if (wanted == "accepted") != (got["status"] == 200) or got["status"] >= 500:
        raise AssertionError(f"status {got['status']} with {wanted}")
    return got


def another_authenticators_answers_are_accepted(site):
    for number, kind in enumerate((cose.ES256, cose.RS256, cose.EdDSA)):
        for attested in ("none", "packed"):
            browser, key, name = Browser(site), SoftKey(site.origin, kind=kind), f"name {number} {attested}"
            made = expect(register(browser, key, name, attested), "accepted")
            assert made["seen"]["attestation"]["kind"] == ("self" if attested == "packed" else "none"), made
            assert made["seen"]["publicKey"]["number"] == kind.ALGORITHM, made
            assert all(c["result"] == "passed" for c in made["checks"]), made["checks"]
            expect(browser.call("/api/logout", {}), "accepted")
            said = expect(login(browser, key, name=name), "accepted")
            assert said["state"]["account"]["name"] == name, said
            expect(login(browser, key), "accepted")
            assert said["seen"]["authenticatorData"]["counter"] == 1, said


def another_authenticators_answers_are_refused_when_changed(site):
    browser, key = Browser(site), SoftKey(site.origin)
    begun = browser.call("/api/register/begin", {"name": "changed", "algorithms": ALGORITHMS})["publicKey"]
    answer = key.create(begun)
    at = decode(answer["response"]["attestationObject"]).index(key.aaguid)
    expect(browser.call("/api/register/finish", tamper(answer, "attestationObject", at)), "attestation-signature")
    assert site.rows()["account"] == 0, site.rows()
    expect(register(browser, SoftKey("http://localhost:1"), "changed"), "origin")
    expect(register(browser, SoftKey(site.origin, rp_id="example.com"), "changed"), "rp-id-hash")
    expect(register(browser, key, "changed"), "accepted")
    for member, at, refusal in (("signature", -1, "signature"), ("authenticatorData", 0, "rp-id-hash"),
                                ("authenticatorData", 36, "signature"), ("authenticatorData", 32, "user-presence"),
                                ("clientDataJSON", 0, "client-data")):
        answer = tamper(key.get(browser.challenge(name="changed")), member, at)
        expect(browser.call("/api/login/finish", answer), refusal)
    unverified = key.get(browser.challenge(name="changed", userVerification="required"), flags=0x01)
    expect(browser.call("/api/login/finish", unverified), "user-verification")
    expect(login(browser, key, name="changed"), "accepted")


def a_replay_is_refused(site):
    browser, key = Browser(site), SoftKey(site.origin)
    expect(register(browser, key, "replay"), "accepted")
    answer = key.get(browser.challenge(name="replay"))
    expect(browser.call("/api/login/finish", answer), "accepted")
    expect(browser.call("/api/login/finish", answer), "challenge-used")
    expect(Browser(site).call("/api/login/finish", answer), "challenge-unknown")


def a_clone_is_found_out(site):
    """The copy of a key in software has the counter of when it was copied."""
    browser, key = Browser(site), SoftKey(site.origin)
    expect(register(browser, key, "clone"), "accepted")
    expect(login(browser, key, name="clone"), "accepted")
    clone = key.clone()
    expect(login(browser, key, name="clone"), "accepted")
    said = expect(login(browser, clone, name="clone"), "counter")
    assert said["state"]["credentials"][0]["isMarked"], said
    assert said["checks"][-1] == {**said["checks"][-1], "name": "counter", "result": "refused"}, said["checks"]
    # From then on nobody knows which is which.
    expect(login(browser, key, name="clone"), "credential-marked")


def an_older_copy_of_the_database_is_no_way_in(site):
    """Where the site goes back in time, the key it belongs to gets in, an old answer does not, and a clone is still found."""
    browser, key = Browser(site), SoftKey(site.origin)
    expect(register(browser, key, "restored"), "accepted")
    expect(login(browser, key, name="restored"), "accepted")
    clone = key.clone()
    answer = key.get(browser.challenge(name="restored"))
    copied = site.database + ".copy"
    with sqlite3.connect(site.database) as source, sqlite3.connect(copied) as target:
        source.backup(target)
    expect(browser.call("/api/login/finish", answer), "accepted")
    expect(login(browser, key, name="restored"), "accepted")

    site.stop()
    shutil.copy(copied, site.database)
    back = Site(PROGRAM, site.database)
    try:
        for each in (key, clone):
            each.origin = back.origin
        again = Browser(back)
        # The challenge of this answer was open when the copy was made.
        old = Browser(back)
        old.cookie = browser.cookie
        expect(old.call("/api/login/finish", answer), "no-session")
        expect(again.call("/api/login/finish", answer), "challenge-unknown")
        # The clone is as old as the copy: this once it is taken for the key, and then there are two.
        expect(login(again, clone, name="restored"), "accepted")
        expect(login(again, key, name="restored"), "accepted")
        expect(login(again, clone, name="restored"), "counter")
    finally:
        back.stop()


def a_body_that_is_too_long_is_refused(site):
    browser, before = Browser(site), site.rows()
    big = b"{" + b" " * (10 << 20) + b"}"

    def status(body, **headers):
        try:
            return browser.send("POST", "/api/login/finish", body, Content_Type="application/json", **headers)[0].status
        except (BrokenPipeError, ConnectionResetError):
            return 413  # it was closed on us while we sent
    assert status(b"{" + b" " * 65535 + b"}") == 413
    assert status(b"{" + b" " * 65534 + b"}") == 400
    assert status(big) == 413
    assert status(iter([big[i:i + 65536] for i in range(0, len(big), 65536)]), Transfer_Encoding="chunked") == 413
    assert site.rows() == before


def what_is_no_request_of_the_page_is_refused(site):
    browser = Browser(site)

    def name(method, path, body=b"{}", **headers):
        answer, text = browser.send(method, path, body, **{"Content_Type": "application/json", **headers})
        assert 400 <= answer.status < 500, answer.status
        return json.loads(text)["refusal"]["name"]
    assert name("POST", "/api/state", Content_Type="text/plain") == "media-type"
    assert name("POST", "/api/state", Content_Type=None) == "media-type"
    assert name("POST", "/api/state", Origin="http://localhost:1") == "foreign-page"
    assert name("POST", "/api/state", Origin="null") == "foreign-page"
    assert name("POST", "/api/state", Host="rebound.example") == "host"
    assert name("GET", "/", None, Host=f"127.0.0.1:{site.port}") == "host"
    assert name("GET", "/api/state", None) == "method"
    assert name("POST", "/") == "method"
    assert name("GET", "/../meson.build", None) == "not-found"
    assert name("GET", "/look-alike.js", None) == "not-found"
    assert name("POST", "/api/nothing") == "not-found"
    for body in (b"", b"[]", b"7", b"{", b'{"a":1,"a":2}', b"\xff", b'{"name":"\\u0000"}', b"[" * 60000):
        assert name("POST", "/api/state", body) == "not-json", body
    browser.cookie = None
    assert name("POST", "/api/state") == "no-session"
    browser.cookie = f"site-{site.port}=" + "A" * 43
    assert name("POST", "/api/state") == "no-session"


def text_is_text_and_no_statement(site):
    browser, key, name = Browser(site), SoftKey(site.origin), "'); DROP TABLE account; --<script>"
    said = expect(register(browser, key, name), "accepted")
    assert said["state"]["account"]["name"] == name
    expect(login(browser, key, name=name), "accepted")


def challenges_are_bounded(site):
    browser = Browser(site)
    names = [browser.call("/api/login/begin", {})["name"] for _ in range(66)]
    assert names.count("accepted") == 64 and names[-1] == "too-many-challenges", names
    expect(Browser(site).call("/api/login/begin", {}), "accepted")


def pages_come_with_their_limits(site):
    browser = Browser(site)
    browser.cookie = None
    answer, _ = browser.send("GET", "/")
    cookie = answer.headers["Set-Cookie"]
    assert "; HttpOnly" in cookie and "; SameSite=Strict" in cookie, cookie
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy, policy
    assert "frame-ancestors 'none'" in policy, policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer, _ = browser.send("GET", "/")
    assert answer.headers["Set-Cookie"] is None


def only_this_computer_reaches_it(site):
    for address in ("127.0.0.2", socket.gethostbyname(socket.gethostname())):
        if address == "127.0.0.1":
            continue
        try:
            socket.create_connection((address, site.port), 5).close()
        except OSError:
            continue
        raise AssertionError(f"it listens on {address}")


def a_slow_client_is_cut_off(site):
    """One that says nothing, and one that sends a byte now and then; meanwhile others are served."""
    begun = time.monotonic()
    silent, trickle = (socket.create_connection(("127.0.0.1", site.port), 5) for _ in range(2))
    open_ones = {"silent": silent, "trickle": trickle}
    for s in open_ones.values():
        s.setblocking(False)
    while open_ones and time.monotonic() < begun + 40:
        time.sleep(0.5)
        for name, s in list(open_ones.items()):
            try:
                if name == "trickle":
                    s.send(b"G")
                if s.recv(4096) == b"":
                    del open_ones[name]
            except BlockingIOError:
                pass
            except OSError:
                del open_ones[name]
        if time.monotonic() < begun + 5:
            Browser(site)
    for s in (silent, trickle):
        s.close()
    assert not open_ones, open_ones


def nothing_is_leaked(site):
    """A refusal names what it is about, and no more: no key, handle or name of an account that one is not signed in to."""
    owner, thief, key = Browser(site), Browser(site), SoftKey(site.origin)
    expect(register(owner, key, "secretive name"), "accepted")
    stranger = SoftKey(site.origin)
    stranger.handle = encode(b"x")
    for answer in (stranger.get(thief.challenge()), {**stranger.get(thief.challenge()), "id": encode(key.id), "rawId": encode(key.id)}):
        said = thief.call("/api/login/finish", answer)
        assert said["name"] in ("credential-unknown", "user-handle"), said
        text = json.dumps(said)
        assert "secretive" not in text and key.handle not in text and said["state"]["credentials"] == [], said
        assert decode(key.handle).hex() not in text


TESTS = (
    another_authenticators_answers_are_accepted,
    another_authenticators_answers_are_refused_when_changed,
    a_replay_is_refused,
    a_clone_is_found_out,
    an_older_copy_of_the_database_is_no_way_in,
    a_body_that_is_too_long_is_refused,
    what_is_no_request_of_the_page_is_refused,
    text_is_text_and_no_statement,
    challenges_are_bounded,
    pages_come_with_their_limits,
    only_this_computer_reaches_it,
    a_slow_client_is_cut_off,
    nothing_is_leaked,
)

print(f"1..{len(TESTS)}")
bad = 0
for index, test in enumerate(TESTS, 1):
    with tempfile.TemporaryDirectory() as folder:
        site = Site(PROGRAM, os.path.join(folder, "site.db"))
        try:
            test(site)
            if site.process.poll() is None:
                site.stop()
            verdict = "ok"
        except Exception:  # any of them is the verdict
            verdict = "not ok"
            print("# " + traceback.format_exc().replace("\n", "\n# "))
        finally:
            if site.process.poll() is None:
                site.process.kill()
                site.process.wait()
    bad += verdict != "ok"
    print(f"{verdict} {index} - {test.__name__}", flush=True)
sys.exit(bad > 0)
