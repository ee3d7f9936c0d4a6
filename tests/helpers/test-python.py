# SPDX-License-Identifier: BSD-2-Clause
"""test-python.py TPMAUTHND: the Python helper against a server that says what the test wants, and against
the real daemon with a device on a socket, as TAP."""

import base64
import contextlib
import json
import math
import os
import re
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "package"), str(HERE.parents[1] / "helpers/python")]
from daemon import Daemon  # noqa: E402
from tap import run_tests  # noqa: E402
from tpmauthn_ci import Authenticator, Frame, Status, TpmauthnError  # noqa: E402


class Fake:
    """Answers each request by what `reply` makes of it, which may send more; remembers what was asked."""

    def __init__(self, reply=lambda request, peer: {"result": {}}):
        self.folder = tempfile.TemporaryDirectory(prefix="tpmauthn-fake-")
        self.path = self.folder.name + "/control.sock"
        self.reply = reply
        self.asked = []
        self.n_ended = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.key = Authenticator(socket=self.path, device=1, timeout=5)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(peer,), daemon=True).start()

    def _serve_one(self, peer):
        with contextlib.suppress(BrokenPipeError):
            self._answer(peer)
        self.n_ended += 1

    def _answer(self, peer):
        with peer:
            for line in peer.makefile("r"):
                request = json.loads(line)
                self.asked.append(request)
                answer = self.reply(request, peer)
                if answer is None:
                    return
                for one in [answer] if isinstance(answer, dict) else answer:
                    peer.sendall(json.dumps({"v": 1, "id": request["id"], **one}).encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.folder.cleanup()


def event(**members):
    return {"event": {"device": 1, "time": 7, **members}}


def raised(kind, call, text=""):
    try:
        call()
    except kind as error:
        assert text in str(error), str(error)
        return error
    raise AssertionError(f"no {kind.__name__}")


def refused(code, call, text=""):
    error = raised(TpmauthnError, call, text)
    assert error.code == code, (error.code, str(error))


# What each method of the helper asks for, beside the device.
WISHES = (
    (lambda key: key.approve(), "presence", {"mode": "once"}),
    (lambda key: key.approve(always=True), "presence", {"mode": "auto"}),
    (lambda key: key.deny(), "presence", {"mode": "no"}),
    (lambda key: key.deny(always=True), "presence", {"mode": "deny"}),
    (lambda key: key.ask(), "presence", {"mode": "ask"}),
    (lambda key: key.ignore(), "presence", {"mode": "ignore"}),
    (lambda key: key.delay(250), "presence", {"mode": "delay", "ms": 250}),
    (lambda key: key.enter_pin("2468"), "presence", {"mode": "pin", "pin": "2468"}),
    (lambda key: key.enter_pin("1111", once=True), "presence", {"mode": "pin-once", "pin": "1111"}),
    (lambda key: key.forget_pin(), "presence", {"mode": "no-pin"}),
    (lambda key: key.uv("blocked"), "uv", {"result": "blocked"}),
    (lambda key: key.fail_next("CTAP2_ERR_KEY_STORE_FULL", "makeCredential"), "fail-next",
     {"status": 0x28, "command": "makeCredential"}),
    (lambda key: key.fail_next(Status.CTAP1_ERR_OTHER), "fail-next", {"status": 0x7F}),
    (lambda key: key.set_pin("2468"), "pin-set", {"pin": "2468"}),
    (lambda key: key.change_pin("2468", "13579"), "pin-change", {"old": "2468", "pin": "13579"}),
    (lambda key: key.pin_status(), "pin-status", {}),
    (lambda key: key.delete("3f2a"), "delete", {"credential": "3f2a"}),
    (lambda key: key.delete("_-8A" * 16), "delete", {"credential": "ffef00" * 16}),
    (lambda key: key.delete("0af9" * 16), "delete", {"credential": "0af9" * 16}),
    (lambda key: key.show("3f2a"), "show", {"credential": "3f2a"}),
    (lambda key: key.request("doctor-info", user=5), "doctor-info", {"user": 5}),
)


def each_method_asks_for_what_the_protocol_calls_it(_):
    with Fake() as fake:
        for call, method, params in WISHES:
            call(fake.key)
            asked = fake.asked.pop()
            assert asked == {"v": 1, "id": asked["id"], "method": method, "params": {"device": 1, **params}}, asked


def seed_takes_a_list_or_a_fixture(_):
    with Fake(lambda request, peer: {"result": {"credentials": [{"id": "a"}]}}) as fake:
        for fixture in ([{"rp_id": "a.test"}], {"credentials": [{"rp_id": "a.test"}]}):
            assert fake.key.seed(fixture) == [{"id": "a"}]
            assert fake.asked.pop()["params"] == {"device": 1, "credentials": [{"rp_id": "a.test"}]}


def a_refusal_is_an_error_with_its_code(_):
    error = {"code": "not-simulator", "message": "It is a real TPM."}
    with Fake(lambda request, peer: {"error": error}) as fake:
        refused("not-simulator", lambda: fake.key.uv("ok"), "It is a real TPM.")
        refused("not-simulator", fake.key.follow)


def a_list_of_several_pages_is_read_whole(_):
    pages = {None: {"credentials": [1, 2], "next": 2}, 2: {"credentials": [3]}}
    with Fake(lambda request, peer: {"result": pages[request["params"].get("after")]}) as fake:
        assert fake.key.list() == [1, 2, 3]
        assert fake.key.credentials() == [1, 2, 3]
        assert [r["method"] for r in fake.asked] == ["list", "list", "credentials", "credentials"]


def replug_waits_until_the_device_is_ready(_):
    states = ["starting", "starting", "ready"]

    def reply(request, peer):
        if request["method"] != "status":
            return {"result": {}}
        assert "device" not in request["params"]
        return {"result": {"devices": [{"device": 0, "state": "ready"}, {"device": 1, "state": states.pop(0)}]}}

    with Fake(reply) as fake:
        assert fake.key.replug()["device"] == 1
        assert [r["method"] for r in fake.asked] == ["replug", "status", "status", "status"]
        states.append("failed")
        refused("not-ready", fake.key.reset)
        fake.key.device = 7
        states.append("ready")
        refused("no-device", fake.key.status)


def events_are_followed_by_device_and_type(_):
    several = [
        {"result": {}},
        event(type="question", device=0, rp_id="other.test"),
        event(type="plugged"),
        event(type="question", rp_id="a.test"),
        event(type="done", status=0),
    ]
    waits = threading.Event()

    def reply(request, peer):
        for one in several:
            peer.sendall(json.dumps({"v": 1, "id": request["id"], **one}).encode() + b"\n")
        waits.wait(10)
        return None

    with Fake(reply) as fake:
        with fake.key.follow() as events:
            assert events.until("question")["rp_id"] == "a.test"
            assert events.until(lambda e: e.get("status") == 0)["type"] == "done"
            refused("timeout", lambda: events.until("verdict", timeout=0.05))
        types = []
        with fake.key.follow() as events:
            for e in events:
                types.append(e["type"])
                if e["type"] == "done":
                    break
        assert types == ["plugged", "question", "done"], types
        waits.set()


def the_end_of_what_is_followed_is_an_error(_):
    def reply(request, peer):
        for one in ({"result": {}}, event(type="question"), event(type="verdict")):
            peer.sendall(json.dumps({"v": 1, "id": 1, **one}).encode() + b"\n")

    with Fake(reply) as fake, fake.key.follow() as events:
        events.until("verdict")
        refused("closed", lambda: next(iter(events)), "256 KiB")
        refused("closed", lambda: events.until("done"))
    with Fake(reply) as fake:
        with fake.key.follow() as events:
            events.until("question")
        refused("closed", lambda: events.until("verdict"), "it was closed")
        refused("closed", lambda: next(iter(events)))


def what_is_closed_has_no_connection(_):
    with Fake(lambda request, peer: {"result": {}}) as fake:
        frames, events = fake.key.trace(), fake.key.follow()
        frames.close()
        events.close()
        end = time.monotonic() + 10
        while fake.n_ended < 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert fake.n_ended == 2


def what_cannot_be_asked_for_is_said(_):
    with Fake() as fake:
        for fixture in (None, "a.test", 7, {}, {"credentials": {}}, {"credentials": "a.test"}):
            refused("bad-request", lambda: fake.key.seed(fixture), "a fixture is a list of passkeys, or an object")
        refused("bad-request", lambda: fake.key.seed({"credentials": [], "colour": "red"}), '"colour" is no member')
        for status in ("NOPE", "__class__"):
            raised(ValueError, lambda: fake.key.fail_next(status), f"{status} is no status of CTAP")
        for device in ("", " 0", "one", "-1", "\u0661", -1, 0.5, None):
            raised(ValueError, lambda: Authenticator(socket=fake.path, device=device), "device")
        assert fake.asked == []
        second = Authenticator(socket=fake.path, device="1")
        second.approve()
        assert fake.asked[0]["params"]["device"] == second.device == 1


def a_trace_has_the_bytes_and_the_nanoseconds(_):
    frame = {"type": "frame", "time": "1790000000123456789", "direction": "in", "cid": 1, "command": 16}
    several = [{"result": {}}, event(type="question"), event(**{**frame, "payload": "0b00ff"})]
    with Fake(lambda request, peer: several) as fake:
        traced = next(fake.key.trace(secrets=True))
        assert traced == Frame(1790000000123456789, "in", 1, 16, b"\x0b\x00\xff"), traced
        assert fake.asked[0]["params"] == {"device": 1, "frames": True, "secrets": True}


def no_daemon_and_what_is_no_protocol_are_errors(_):
    os.environ.pop("TPMAUTHN_CTL", None)
    refused("no-daemon", Authenticator, "tpmauthn ci run")
    refused("no-daemon", Authenticator(socket="/nonexistent").approve)
    waits = threading.Event()
    with Fake(lambda request, peer: waits.wait(10) and None) as fake:
        refused("timeout", Authenticator(socket=fake.path, timeout=0.05).approve)
        waits.set()
        refused("too-long", lambda: fake.key.seed([{"user": "x" * 70000}]))
        refused("no-daemon", fake.key.approve)
    for line in (b'{"v":1,\n', b"[]\n"):
        with Fake(lambda request, peer, line=line: peer.sendall(line)) as fake:
            refused("bad-json", fake.key.approve)


def a_time_limit_may_be_long_or_none(_):
    def reply(request, peer):
        time.sleep(0.05)
        peer.sendall(b'{"v":1,"id":1,"result":{}}\n')
        time.sleep(0.05)
        return event(type="question")

    with Fake(reply) as fake:
        for timeout in (0, None, math.inf, 3e6, 1e300):
            with Authenticator(socket=fake.path, device=1, timeout=timeout).follow() as events:
                events.until("question")
            with fake.key.follow() as events:
                events.until("question", timeout=timeout)
                for wrong in (-1, math.nan):
                    raised(ValueError, lambda: events.until("question", timeout=wrong), "timeout")
        for wrong in (-1, math.nan):
            raised(ValueError, lambda: Authenticator(socket=fake.path, timeout=wrong), "timeout")


def a_question_can_be_answered_while_requests_wait(_):
    answered = threading.Event()

    def reply(request, peer):
        if request["method"] == "list":
            answered.wait(10)
        return {"result": {"credentials": []}}

    with Fake(reply) as fake, ThreadPoolExecutor(10) as pool:
        keys = (fake.key, Authenticator(socket=fake.path, timeout=5))
        listed = [pool.submit(keys[i % 2].list) for i in range(10)]
        while len(fake.asked) < 3:
            time.sleep(0.01)
        fake.key.approve()
        assert [r["method"] for r in fake.asked] == ["list", "list", "list", "presence"]  # others are not connected yet
        answered.set()
        assert [one.result() for one in listed] == [[]] * 10


def statuses_are_those_of_the_daemon(_):
    header = (HERE.parents[1] / "ctap/status.h").read_text()
    codes = {name: int(code, 16) for name, code in re.findall(r"(CTAP[12]_ERR_\w+) = (0x\w+)", header)}
    assert codes == {s.name: s.value for s in Status}


def a_real_question_is_approved_and_denied(program):
    with Daemon(program, "--presence=script") as daemon:
        key = Authenticator(socket=daemon.control)
        assert key.ready()["simulator"] is True
        status = daemon.select_later()
        key.approve()
        assert status() == 0
        key.deny()
        assert daemon.select() == Status.CTAP2_ERR_OPERATION_DENIED
        key.deny(always=True)
        assert daemon.select() == Status.CTAP2_ERR_OPERATION_DENIED
        key.approve(always=True)
        assert daemon.select() == 0
        key.ask()
        key.approve()
        assert daemon.select() == 0


def a_real_question_is_ignored_and_delayed_and_followed(program):
    with Daemon(program, "--presence=script", "--set=presence.timeout=2s") as daemon:
        key = Authenticator(socket=daemon.control)
        with key.follow() as events:
            key.ignore()
            assert daemon.select() == Status.CTAP2_ERR_USER_ACTION_TIMEOUT
            assert events.until("question")["verb"] == "select"
            assert events.until("verdict")["verdict"] == "timeout"
            assert events.until("done")["status_name"] == "CTAP2_ERR_USER_ACTION_TIMEOUT"
            key.delay(100)
            key.approve()
            assert daemon.select() == 0
            asked = events.until("question")["time"]
            verdict = events.until("verdict")
            assert verdict["verdict"] == "yes" and verdict["time"] - asked >= 90, (asked, verdict)
            key.replug()
            events.until("unplugged")
            assert "device" in events.until("plugged")["path"]


def a_real_daemon_has_room_for_eight(program):
    with Daemon(program, "--presence=auto") as daemon, ThreadPoolExecutor(20) as pool:
        key = Authenticator(socket=daemon.control)
        assert not any(pin["set"] for pin in pool.map(lambda _: key.pin_status(), range(20)))
        followed = [key.follow() for _ in range(8)]
        refused("busy", key.pin_status)
        refused("busy", key.follow)
        followed.pop().close()
        assert key.pin_status()["set"] is False
        for events in followed:
            events.close()


def a_real_command_fails_once_and_verification_as_told(program):
    with Daemon(program, "--presence=auto") as daemon:
        key = Authenticator(socket=daemon.control)
        key.fail_next("CTAP2_ERR_KEY_STORE_FULL", "selection")
        assert daemon.select() == Status.CTAP2_ERR_KEY_STORE_FULL
        assert daemon.select() == 0
        key.set_pin("2468")
        key.enter_pin("2468")
        key.ready()
        key.uv("blocked")
        assert key.pin_status()["uv_retries"] == 0
        key.replug()
        key.uv("ok")
        assert key.pin_status()["uv_retries"] == 3


def real_messages_are_traced(program):
    with Daemon(program, "--presence=deny") as daemon:
        before = time.time_ns()
        frames = Authenticator(socket=daemon.control).trace()
        assert daemon.select() == Status.CTAP2_ERR_OPERATION_DENIED
        seen = []
        while len(seen) < 4:
            frame = next(frames)
            assert frame.time >= before
            if frame.command != 0x3B:
                seen.append((frame.direction, frame.command, len(frame.payload)))
        assert seen == [("in", 0x06, 8), ("out", 0x06, 17), ("in", 0x10, 1), ("out", 0x10, 1)], seen
        assert frame.payload[0] == Status.CTAP2_ERR_OPERATION_DENIED


def a_real_reader_who_is_too_slow_is_told_so(program):
    with Daemon(program, "--presence=auto") as daemon:
        frames = Authenticator(socket=daemon.control).trace()
        for _ in range(60):
            daemon.ctap(b"\x3f" + bytes(7000))  # no command, and all of it in the trace
        refused("closed", lambda: list(frames), "256 KiB")


def real_passkeys_are_seeded_and_listed(program):
    with Daemon(program, "--presence=auto") as daemon:
        key = Authenticator(socket=daemon.control)
        users = [{"id": base64.urlsafe_b64encode(name.encode()).decode().rstrip("="), "name": name} for name in ("alice", "bob")]
        made = key.seed([{"rp_id": "a.test", "user": user, "extensions": {"prf": True}} for user in users])
        known = key.credentials()
        assert {c["id"] for c in known} == {c["id"] for c in made}
        assert {c["user"]["name"] for c in known} == {"alice", "bob"}
        assert key.show(made[0]["id"])["user_name"] == "alice"
        key.delete(made[0]["id"])
        (bob,) = key.list()
        assert bob["user_name"] == "bob"
        assert key.show(made[1]["id"]) == key.show(bob["credential"])
        key.delete(bob["credential"])
        assert key.list() == []
        refused("bad-request", lambda: key.seed([{"user": {"id": "YQ"}}]))


def a_real_pin_is_set_and_changed_and_erased(program):
    with Daemon(program, "--presence=auto") as daemon:
        key = Authenticator(socket=daemon.control)
        assert key.pin_status()["set"] is False
        key.set_pin("2468")
        refused("pin-refused", lambda: key.change_pin("1111", "13579"))
        key.change_pin("2468", "13579")
        key.enter_pin("13579")
        key.forget_pin()
        assert key.list() == []
        refused("not-found", lambda: key.delete("3f2a"))
        assert key.replug()["state"] == "ready"
        assert key.pin_status()["set"] is True
        key.reset()
        assert key.pin_status()["set"] is False
        refused("unknown-method", lambda: key.request("no-such-method"))


sys.exit(
    run_tests(
        (
            each_method_asks_for_what_the_protocol_calls_it,
            seed_takes_a_list_or_a_fixture,
            a_refusal_is_an_error_with_its_code,
            a_list_of_several_pages_is_read_whole,
            replug_waits_until_the_device_is_ready,
            events_are_followed_by_device_and_type,
            the_end_of_what_is_followed_is_an_error,
            a_trace_has_the_bytes_and_the_nanoseconds,
            no_daemon_and_what_is_no_protocol_are_errors,
            what_is_closed_has_no_connection,
            what_cannot_be_asked_for_is_said,
            a_time_limit_may_be_long_or_none,
            a_question_can_be_answered_while_requests_wait,
            statuses_are_those_of_the_daemon,
            a_real_question_is_approved_and_denied,
            a_real_question_is_ignored_and_delayed_and_followed,
            a_real_daemon_has_room_for_eight,
            a_real_command_fails_once_and_verification_as_told,
            real_messages_are_traced,
            a_real_reader_who_is_too_slow_is_told_so,
            real_passkeys_are_seeded_and_listed,
            a_real_pin_is_set_and_changed_and_erased,
        ),
        sys.argv[1],
    )
)
