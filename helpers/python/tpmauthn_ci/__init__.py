# SPDX-License-Identifier: BSD-2-Clause
"""Directs the authenticator of a test: a tpmauthnd that runs with a simulator, over its control socket.

    from tpmauthn_ci import Authenticator

    key = Authenticator()        # of `tpmauthn ci run -- COMMAND`
    with key.follow() as events:
        ...                      # the browser asks for a passkey
        events.until("question")
        key.approve()
"""

from __future__ import annotations

import base64
import enum
import json
import math
import os
import re
import socket
import threading
import time
from typing import Any, Callable, Dict, Generator, List, Literal, Mapping, NamedTuple, Optional, Sequence, Union

__all__ = ["Authenticator", "Events", "Frame", "Status", "TpmauthnError"]

VERSION = 1
LINE_MAX = 65536
TIMEOUT = 60.0
TIMEOUT_MAX = (2**31 - 1) / 1000  # of a socket
OF_AUTHENTICATOR: Any = object()
WHY_CLOSED = "it ended, or this reader was more than 256 KiB behind its events"
FIXTURE = 'a fixture is a list of passkeys, or an object with one member, "credentials", which is one'
POLL = 0.05

# The daemon lets a user have 8 connections. Half of them are for requests, one of those for what is done at
# once: so an answer to a question never waits for requests that wait for the device. The others are left to
# what is followed.
WAITING = 3
AT_ONCE = frozenset(("status", "replug", "presence", "fail-next"))

Object = Dict[str, Any]


class TpmauthnError(Exception):
    """A refusal of the daemon, with its code (docs/control.md); or "no-daemon", "timeout", or "closed".

    That is by close(), or by the daemon, which ends or drops who is more than 256 KiB behind its events.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Status(enum.IntEnum):
    """The statuses of CTAP 2.3 §8.2 that an authenticator answers with."""

    CTAP1_ERR_INVALID_COMMAND = 0x01
    CTAP1_ERR_INVALID_PARAMETER = 0x02
    CTAP1_ERR_INVALID_LENGTH = 0x03
    CTAP1_ERR_INVALID_SEQ = 0x04
    CTAP1_ERR_TIMEOUT = 0x05
    CTAP1_ERR_CHANNEL_BUSY = 0x06
    CTAP1_ERR_LOCK_REQUIRED = 0x0A
    CTAP1_ERR_INVALID_CHANNEL = 0x0B
    CTAP2_ERR_CBOR_UNEXPECTED_TYPE = 0x11
    CTAP2_ERR_INVALID_CBOR = 0x12
    CTAP2_ERR_MISSING_PARAMETER = 0x14
    CTAP2_ERR_LIMIT_EXCEEDED = 0x15
    CTAP2_ERR_LARGE_BLOB_STORAGE_FULL = 0x18
    CTAP2_ERR_CREDENTIAL_EXCLUDED = 0x19
    CTAP2_ERR_INVALID_CREDENTIAL = 0x22
    CTAP2_ERR_NO_OPERATIONS = 0x25
    CTAP2_ERR_UNSUPPORTED_ALGORITHM = 0x26
    CTAP2_ERR_OPERATION_DENIED = 0x27
    CTAP2_ERR_KEY_STORE_FULL = 0x28
    CTAP2_ERR_UNSUPPORTED_OPTION = 0x2B
    CTAP2_ERR_INVALID_OPTION = 0x2C
    CTAP2_ERR_KEEPALIVE_CANCEL = 0x2D
    CTAP2_ERR_NO_CREDENTIALS = 0x2E
    CTAP2_ERR_USER_ACTION_TIMEOUT = 0x2F
    CTAP2_ERR_NOT_ALLOWED = 0x30
    CTAP2_ERR_PIN_INVALID = 0x31
    CTAP2_ERR_PIN_BLOCKED = 0x32
    CTAP2_ERR_PIN_AUTH_INVALID = 0x33
    CTAP2_ERR_PIN_AUTH_BLOCKED = 0x34
    CTAP2_ERR_PIN_NOT_SET = 0x35
    CTAP2_ERR_PUAT_REQUIRED = 0x36
    CTAP2_ERR_PIN_POLICY_VIOLATION = 0x37
    CTAP2_ERR_REQUEST_TOO_LARGE = 0x39
    CTAP2_ERR_UV_BLOCKED = 0x3C
    CTAP2_ERR_INTEGRITY_FAILURE = 0x3D
    CTAP2_ERR_INVALID_SUBCOMMAND = 0x3E
    CTAP2_ERR_UNAUTHORIZED_PERMISSION = 0x40
    CTAP1_ERR_OTHER = 0x7F


class Frame(NamedTuple):
    """A message of CTAPHID."""

    time: int  # nanoseconds since 1970
    direction: Literal["in", "out"]
    cid: int
    command: int
    payload: bytes


def _limit(timeout: Optional[float]) -> float:
    """A time limit, of which 0, None and infinity are none."""
    if timeout is None:
        return math.inf
    if not timeout >= 0:
        raise ValueError(f"the timeout {timeout} is no number of seconds; 0, None and infinity are no limit")
    return timeout or math.inf


def _number(device: Union[int, str]) -> int:
    """0, or "0" as the environment has it."""
    if isinstance(device, str) and re.fullmatch("[0-9]+", device):
        device = int(device)
    if not isinstance(device, int) or device < 0:
        raise ValueError(f"the device {device!r} is no number; 0 is the first")
    return device


def _credentials(fixture: Union[Sequence[Mapping[str, Any]], Mapping[str, Any]]) -> List[Any]:
    """Those of a fixture; the daemon looks at what is in them."""
    wanted: Any = fixture
    if isinstance(fixture, Mapping):
        for name in fixture:
            if name != "credentials":
                raise TpmauthnError("bad-request", f'"{name}" is no member of a fixture: {FIXTURE}')
        wanted = fixture.get("credentials")
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        raise TpmauthnError("bad-request", FIXTURE)
    return list(wanted)


class _Lines:
    """A connection that gives what it receives, one object per line."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._bytes = b""
        self._worked = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise TpmauthnError("no-daemon", f"{path}: {error.strerror}") from error

    def send(self, request: Mapping[str, Any]) -> None:
        line = json.dumps(request).encode() + b"\n"
        if len(line) > LINE_MAX:
            raise TpmauthnError("too-long", f"a request has at most {LINE_MAX} bytes")
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.sendall(line)
        except OSError:
            pass  # why, stands in the line that the daemon sent before it closed

    def read(self, end: float, what: str) -> Object:
        """The next object; at `end` of time.monotonic() (infinity: whenever) an error."""
        if self._socket.fileno() < 0:
            raise TpmauthnError("closed", "it was closed")
        while b"\n" not in self._bytes:
            try:
                self._socket.settimeout(min(max(end - time.monotonic(), 0.001), TIMEOUT_MAX))
                received = self._socket.recv(LINE_MAX)
            except socket.timeout:
                raise TpmauthnError("timeout", f"{what} did not come in time") from None
            except OSError as error:
                raise self._lost(str(error.strerror)) from error
            if not received:
                raise self._lost("the daemon closed the connection")
            self._bytes += received
        line, self._bytes = self._bytes.split(b"\n", 1)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise TpmauthnError("bad-json", "the daemon sent a line that is no JSON object")
        self._worked = True
        return answer

    def _lost(self, why: str) -> TpmauthnError:
        if self._worked:
            return TpmauthnError("closed", f"{self._path}: {why}: {WHY_CLOSED}")
        return TpmauthnError("no-daemon", f"{self._path}: {why}")

    def close(self) -> None:
        self._socket.close()


class _Turns:
    """Who may have a connection for a request now: of each daemon, whose devices share them."""

    _of: Dict[str, _Turns] = {}

    def __init__(self) -> None:
        self._waiting = threading.Semaphore(WAITING)
        self._at_once = threading.Semaphore(1)

    @classmethod
    def of(cls, path: str) -> _Turns:
        return cls._of.setdefault(path, cls())

    def take(self, method: str) -> threading.Semaphore:
        return self._at_once if method in AT_ONCE else self._waiting


def _hex(credential: str) -> str:
    """The id of a passkey. WebAuthn has it in base64url: 48 bytes, which are never hex digits alone."""
    if re.fullmatch("[A-Za-z0-9_-]{64}", credential) and not re.fullmatch("[0-9a-f]*", credential):
        return base64.urlsafe_b64decode(credential).hex()
    return credential


def _result(line: Object) -> Object:
    if "error" in line:
        raise TpmauthnError(line["error"]["code"], line["error"]["message"])
    result: Object = line["result"]
    return result


class Events:
    """What happens from the moment that it exists. Read it: the daemon drops who is slow."""

    def __init__(self, lines: _Lines, device: int, timeout: float) -> None:
        self._lines = lines
        self._device = device
        self._timeout = timeout

    def until(
        self, wanted: Union[str, Callable[[Object], bool]], timeout: Optional[float] = OF_AUTHENTICATOR
    ) -> Object:
        """The next event of this type, or for which this is true; those before it are forgotten.

        Without a timeout that of the Authenticator; 0, None and infinity: none.
        """
        end = time.monotonic() + (self._timeout if timeout is OF_AUTHENTICATOR else _limit(timeout))
        what = f'the event "{wanted}"' if isinstance(wanted, str) else "the event"
        while True:
            event = self._read(end, what)
            if event["type"] == wanted if isinstance(wanted, str) else wanted(event):
                return event

    def __iter__(self) -> Generator[Object, None, None]:
        while True:
            yield self._read(math.inf, "an event")

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()

    def _read(self, end: float, what: str) -> Object:
        while True:
            line = self._lines.read(end, what)
            if "error" in line:
                _result(line)
            event: Object = line.get("event", {})
            if event.get("device") == self._device:
                return event


class Authenticator:
    """One device of the daemon, which `tpmauthn ci run` names in TPMAUTHN_CTL.

    `timeout` seconds after which an answer or event is given up; 0, None and infinity: never.
    """

    def __init__(
        self, socket: Optional[str] = None, device: Union[int, str] = 0, timeout: Optional[float] = TIMEOUT
    ) -> None:
        path = socket or os.environ.get("TPMAUTHN_CTL")
        if not path:
            raise TpmauthnError("no-daemon", 'TPMAUTHN_CTL is not set: run the tests by "tpmauthn ci run -- COMMAND"')
        self._path = path
        self._timeout = _limit(timeout)
        self._id = 0
        self.device = _number(device)

    def request(self, method: str, **params: Any) -> Object:
        """Any method of the control protocol."""
        with _Turns.of(self._path).take(method):
            lines = _Lines(self._path)
            try:
                return _result(self._ask(lines, method, params))
            finally:
                lines.close()

    def approve(self, always: bool = False) -> None:
        """Yes to the question that waits, or else to the next one; always: from now on."""
        self.request("presence", mode="auto" if always else "once")

    def deny(self, always: bool = False) -> None:
        """No, likewise."""
        self.request("presence", mode="deny" if always else "no")

    def ask(self) -> None:
        """From now on questions are answered as the daemon is configured."""
        self.request("presence", mode="ask")

    def ignore(self) -> None:
        """The question that waits, or else the next one, is never answered."""
        self.request("presence", mode="ignore")

    def delay(self, ms: int) -> None:
        """From now on each yes comes after so many milliseconds; 0 ends it."""
        self.request("presence", mode="delay", ms=ms)

    def enter_pin(self, pin: str, once: bool = False) -> None:
        """From now on a yes is given with this PIN; once: to the next question that takes one."""
        self.request("presence", mode="pin-once" if once else "pin", pin=pin)

    def forget_pin(self) -> None:
        self.request("presence", mode="no-pin")

    def uv(self, outcome: Literal["ok", "fail", "blocked"]) -> None:
        """Built-in user verification succeeds, fails, or fails until no try is left."""
        self.request("uv", result=outcome)

    def fail_next(self, status: Union[int, str], command: Optional[str] = None) -> None:
        """The next CTAP2 command, getInfo excepted, or the next of this name, is answered by this status."""
        if isinstance(status, str):
            if status not in Status.__members__:
                raise ValueError(f"{status} is no status of CTAP, such as CTAP2_ERR_KEY_STORE_FULL")
            status = Status[status]
        self.request("fail-next", status=int(status), **({"command": command} if command else {}))

    def replug(self) -> Object:
        """Pulls the device out and plugs it in again; returns when it can be used."""
        self.request("replug")
        return self.ready()

    def reset(self) -> Object:
        """Erases every passkey and the PIN; returns when the device can be used."""
        self.request("reset")
        return self.ready()

    def set_pin(self, pin: str) -> None:
        self.request("pin-set", pin=pin)

    def change_pin(self, old: str, pin: str) -> None:
        self.request("pin-change", old=old, pin=pin)

    def pin_status(self) -> Object:
        return self.request("pin-status")

    def status(self) -> Object:
        """The device as `tpmauthn status` describes it."""
        for device in self.request("status")["devices"]:
            if device["device"] == self.device:
                found: Object = device
                return found
        raise TpmauthnError("no-device", f"there is no device {self.device}")

    def ready(self) -> Object:
        """Waits until the device can be used."""
        end = time.monotonic() + self._timeout
        while True:
            found = self.status()
            if found["state"] == "ready":
                return found
            if time.monotonic() >= end or found["state"] == "failed":
                reason = found.get("reason", "")
                raise TpmauthnError("not-ready", f"device {self.device} is {found['state']}: {reason}")
            time.sleep(POLL)

    def list(self) -> List[Object]:
        """The passkeys as `tpmauthn list` shows them."""
        return self._pages("list")

    def credentials(self) -> List[Object]:
        """The passkeys as WebAuthn has them."""
        return self._pages("credentials")

    def show(self, credential: str) -> Object:
        """One of list(), by its id in base64url or hex, or the beginning of it in hex."""
        return self.request("show", credential=_hex(credential))

    def delete(self, credential: str) -> None:
        """By its id, likewise."""
        self.request("delete", credential=_hex(credential))

    def seed(self, fixture: Union[Sequence[Mapping[str, Any]], Mapping[str, Any]]) -> List[Object]:
        """Makes passkeys from a fixture, with keys of the TPM: a list, or an object with `credentials`."""
        made: List[Object] = self.request("seed", credentials=_credentials(fixture))["credentials"]
        return made

    def follow(self) -> Events:
        """What happens from now on: it is complete from the moment that this has returned."""
        return self._follow({})

    def trace(self, secrets: bool = False) -> Generator[Frame, None, None]:
        """The messages of CTAPHID from now on; without `secrets` there are zeros in their place. close() ends it."""
        events = self._follow({"frames": True, **({"secrets": True} if secrets else {})})

        def frames() -> Generator[Any, None, None]:
            with events:
                yield None  # it has begun, so that its close() is that of the events
                for e in events:
                    if e["type"] == "frame":
                        payload = bytes.fromhex(e["payload"])
                        yield Frame(int(e["time"]), e["direction"], e["cid"], e["command"], payload)

        begun = frames()
        next(begun)
        return begun

    def _follow(self, params: Mapping[str, Any]) -> Events:
        lines = _Lines(self._path)
        try:
            _result(self._ask(lines, "follow", params))
        except BaseException:
            lines.close()
            raise
        return Events(lines, self.device, self._timeout)

    def _ask(self, lines: _Lines, method: str, params: Mapping[str, Any]) -> Object:
        mine = {} if method == "status" else {"device": self.device}
        self._id += 1
        lines.send({"v": VERSION, "id": self._id, "method": method, "params": {**mine, **params}})
        return lines.read(time.monotonic() + self._timeout, f"the answer to {method}")

    def _pages(self, method: str) -> List[Object]:
        entries: List[Object] = []
        page = self.request(method)
        while True:
            entries += page["credentials"]
            if "next" not in page:
                return entries
            page = self.request(method, after=page["next"])
