# SPDX-License-Identifier: BSD-2-Clause
"""test-control-schema.py TPMAUTHND: docs/control.schema.json and docs/control.md against what the daemon says, as TAP.

Every line that goes to or comes from the daemon is validated, and every method and every type of event of the
schema must have been seen. What the schema leaves open for later versions is closed here: a member that it does
not name is a fault of it.
"""

import copy
import json
import re
import socket
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parent / "package")]
from daemon import Daemon  # noqa: E402
from enrolment_kit import Authority, Maker, Tpm, b64  # noqa: E402
from jsonschema import Draft202012Validator  # noqa: E402
from tap import run_tests  # noqa: E402

SCHEMA = json.loads((SOURCE / "docs/control.schema.json").read_text(encoding="utf-8"))
GUIDE = (SOURCE / "docs/control.md").read_text(encoding="utf-8")
PROTOCOL = (SOURCE / "authenticator/protocol.h").read_text(encoding="utf-8")
METHODS, EVENTS = SCHEMA["$defs"]["methods"], SCHEMA["$defs"]["events"]
CODES = SCHEMA["$defs"]["error"]["properties"]["error"]["properties"]["code"]["enum"]
PIN = "2468"
PAGE = 40000  # digits
# What each method takes at least.
VALID = {
    "show": {"credential": "00"},
    "delete": {"credential": "00"},
    "seed": {"credentials": []},
    "register": {"options": {}},
    "backup": {"offset": 0},
    "restore": {"offset": 0, "size": 1, "data": "00"},
    "presence": {"mode": "no"},
    "uv": {"result": "ok"},
    "fail-next": {"status": 1},
    "pin-set": {"pin": PIN},
    "pin-change": {"old": PIN, "pin": PIN},
    "attestation-activate": {"answer": {}},
    "attestation-install": {"answer": {}},
}


def close(schema):
    """The same schema, by which an object has no members but those it names."""
    if isinstance(schema, list):
        return [close(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: close(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema["additionalProperties"] = False
    return schema


CLOSED = close(copy.deepcopy(SCHEMA))


def validate(value, where):
    Draft202012Validator({"$ref": f"#/{where}", "$defs": CLOSED["$defs"]}).validate(value)


def is_valid(value, where):
    return Draft202012Validator({"$ref": f"#/{where}", "$defs": CLOSED["$defs"]}).is_valid(value)


class Client:
    """A connection on which all is validated that goes to and fro."""

    seen = set()  # methods with a result, codes of errors, types of events

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(120)
        self.socket.connect(daemon.control)
        self.lines = self.socket.makefile("r")

    def line(self):
        line = json.loads(self.lines.readline())
        Draft202012Validator(SCHEMA).validate(line)
        return line

    def send(self, method, params):
        request = {"v": 1, "id": 5, "method": method, "params": params}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return request

    def ask(self, method, **params):
        validate(self.send(method, params), "$defs/request")
        line = self.line()
        assert line["id"] == 5, line
        assert "result" in line, f"{method} {params}: {line}"
        validate(line["result"], f"$defs/methods/{method}/result")
        Client.seen.add(method)
        return line["result"]

    def refused(self, code, method, **params):
        """True of a request that the schema refuses too."""
        request = self.send(method, params)
        line = self.line()
        # A key that was told a PIN is plugged in anew some time later, and has all its tries again.
        for _ in range(5):
            if method != "uv" or "result" not in line:
                break
            self.ask("uv", result="blocked")
            self.send(method, params)
            line = self.line()
        validate(line, "$defs/error")
        assert line["error"]["code"] == code, f"{method} {params}: {line}"
        Client.seen.add(code)
        return not is_valid(request, "$defs/request")

    def event(self):
        line = self.line()
        validate(line, "$defs/event-line")
        event = line["event"]
        validate(event, f"$defs/events/{event['type']}")
        Client.seen.add(event["type"])
        return event

    def await_ready(self):
        while any(d["state"] == "starting" for d in self.ask("status")["devices"]):
            time.sleep(0.02)


def the_schema_is_one(_):
    Draft202012Validator.check_schema(SCHEMA)
    validate({"device": 0, "type": "unplugged", "time": 0}, "$defs/events/unplugged")
    assert not is_valid({"device": 0, "type": "unplugged", "time": 0, "more": 1}, "$defs/events/unplugged")


def look_at_passkeys(client, daemon):
    fixture = [{"rp_id": "example.com", "user": {"id": "YWxpY2U", "name": "alice", "displayName": "Alice"},
                "extensions": {"prf": True, "credProtect": 2}},
               {"rp_id": "b.example", "user": {"id": "Ym9i"}, "discoverable": False}]
    client.ask("seed", credentials=fixture)
    passkeys = client.ask("list", after=0)["credentials"]
    assert len(passkeys) == 2
    assert len(client.ask("credentials")["credentials"]) == 2
    assert len(client.ask("inventory")["credentials"]) == 2
    client.ask("show", credential=passkeys[0]["credential"][:8])
    page = client.ask("backup", offset=0)
    backup = page["data"]
    while len(backup) < 2 * page["size"]:
        backup += client.ask("backup", offset=len(backup) // 2, copy=page["copy"])["data"]
    client.ask("delete", credential=passkeys[0]["credential"])
    client.ask("events")
    client.ask("events", before=2)
    for at in range(0, len(backup), PAGE):
        done = client.ask("restore", offset=at // 2, size=page["size"], data=backup[at:at + PAGE])
    assert done["added"] == 1


def look_at_verification(client, daemon):
    client.ask("pin-status")
    client.ask("pin-set", pin="1357")
    client.ask("pin-change", old="1357", pin=PIN)
    client.ask("presence", mode="pin", pin=PIN)
    for word in "ok", "fail", "blocked":
        client.ask("uv", result=word)
    assert not client.refused("pin-refused", "uv", result="ok")
    for mode in SCHEMA["$defs"]["methods"]["presence"]["params"]["properties"]["mode"]["enum"]:
        more = {"pin": PIN} if mode in ("pin", "pin-once") else {"ms": 1} if mode == "delay" else {}
        client.ask("presence", mode=mode, **more)
    client.ask("presence", mode="deny")
    client.ask("presence", mode="auto")


def look_at_an_enrolment(client, daemon):
    client.ask("reset")
    client.ask("pin-set", pin="one-time 4711", enrolment=True)
    assert client.ask("pin-status")["enrolment"]
    options = {"rp": {"id": "example.com", "name": "Example"}, "user": {"id": "YWxpY2U", "name": "alice"},
               "challenge": "AAECAwQFBgcICQoLDA0ODw", "pubKeyCredParams": [],
               "authenticatorSelection": {"residentKey": "required", "userVerification": "required"}}
    assert not client.refused("pin-refused", "register", options=options)
    made = client.ask("register", options={"publicKey": options}, origin="https://login.example.com", secret="one-time 4711")
    again = dict(options, excludeCredentials=[{"type": "public-key", "id": made["id"]}])
    assert not client.refused("excluded", "register", options=again, secret="one-time 4711")


def look_at_the_device(client, daemon):
    client.ask("status")
    client.ask("doctor-info")
    client.ask("tpm")
    client.ask("provision")
    follower = Client(daemon)
    follower.ask("follow", frames=True)
    assert daemon.select() == 0
    client.ask("fail-next", status=39, command="selection")
    assert daemon.select() == 39
    client.ask("replug")
    while follower.event()["type"] != "plugged":
        pass
    client.await_ready()
    client.ask("reset")


def look_at_the_machine(client):
    authority = Authority()
    client.ask("attestation-show")
    bundle = client.ask("attestation-request", machine="laptop 7")["bundle"]
    credential, secret = authority.challenge(bundle, bytes(32))
    client.ask("attestation-activate", answer={"credential": b64(credential), "secret": b64(secret)})
    assert not client.refused("answer-refused", "attestation-install", answer={})
    client.ask("attestation-install", answer=authority.answer(bundle))
    client.ask("attestation-show")
    client.await_ready()
    client.ask("attestation-request", renew=True)
    client.ask("attestation-show")
    client.ask("attestation-remove")


def each_answer_and_event_is_as_the_schema_says(program):
    with Daemon(program, "--presence=auto") as daemon:
        client = Client(daemon)
        for look in look_at_passkeys, look_at_verification, look_at_an_enrolment, look_at_the_device:
            look(client, daemon)
    with Maker() as maker, Tpm(maker) as tpm, Daemon(program, "--presence=auto", f"--tpm={tpm.tcti}") as daemon:
        look_at_the_machine(Client(daemon))
    missing = (set(METHODS) | set(EVENTS)) - Client.seen
    assert not missing, f"{sorted(missing)} were not seen"


def what_the_daemon_refuses_in_a_request_the_schema_refuses_too(program):
    wrong = [
        ("status", {"device": 0}), ("status", {"user": -1}), ("list", {"after": "x"}), ("list", {"device": 16}),
        ("show", {}), ("show", {"credential": 1}), ("events", {"after": 1}), ("backup", {}), ("seed", {"credentials": {}}),
        ("seed", {"credentials": [{"rp_id": "a"}]}), ("seed", {"credentials": [{"rp_id": "a", "user": {"id": "YQ"}, "key": 1}]}),
        ("restore", {"offset": 0}), ("reset", {"yes": True}), ("presence", {}), ("presence", {"mode": "maybe"}),
        ("presence", {"mode": "pin"}), ("presence", {"mode": "pin", "pin": ""}), ("presence", {"mode": "once", "ms": 1}),
        ("presence", {"mode": "delay"}), ("presence", {"mode": "delay", "ms": 600001}), ("follow", {"device": -1}),
        ("follow", {"all": True}), ("uv", {}), ("uv", {"result": "maybe"}), ("fail-next", {}), ("fail-next", {"status": 256}),
        ("fail-next", {"status": 1, "command": "getInfo"}), ("pin-set", {}), ("pin-change", {"pin": "1"}),
        ("attestation-request", {"renew": 1}), ("attestation-install", {}), ("attestation-install", {"answer": "x"}),
        ("attestation-activate", {}), ("attestation-show", {"device": 0}), ("attestation-show", {"user": 0}),
        ("attestation-remove", {"owner_auth": 1}),
    ]
    with Daemon(program, "--presence=auto") as daemon:
        client = Client(daemon)
        for method, params in wrong:
            assert client.refused("bad-request", method, **params), f"the schema takes {method} {params}"
        assert client.refused("unknown-method", "sing")
        for command in METHODS["fail-next"]["params"]["properties"]["command"]["enum"]:
            client.ask("fail-next", status=1, command=command)
            client.ask("fail-next", status=0)


def every_method_refuses_what_is_malformed(program):
    """An unknown member, and each known one with a value of the wrong type."""
    with Daemon(program, "--presence=auto") as daemon:
        client = Client(daemon)
        for method, schema in METHODS.items():
            members = schema["params"]["properties"]
            wrong = {"nonsense": 1, **{name: 1 if of.get("type") == "boolean" else True for name, of in members.items()}}
            for name, value in wrong.items():
                params = {**VALID.get(method, {}), name: value}
                assert client.refused("bad-request", method, **params), f"the schema takes {method} {params}"


def every_method_refuses_what_is_not_there(program):
    """A device; and where it is about the machine, the TPM of that."""
    with Daemon(program, "--presence=auto") as daemon:
        client = Client(daemon)
        for method, schema in METHODS.items():
            if "device" in schema["params"]["properties"]:
                assert not client.refused("no-device", method, **VALID.get(method, {}), device=15), method
        assert client.ask("status", user=4242)["devices"] == []
        assert not client.refused("failed", "attestation-request")
        for method in "attestation-activate", "attestation-install":
            assert not client.refused("answer-refused", method, **VALID[method])
        assert client.ask("attestation-show") == {"state": "none"}
        assert client.ask("attestation-remove") == {"removed": False}


def the_schema_has_the_codes_of_the_daemon(_):
    codes = re.findall(r'^#define PROTOCOL_E_\w+ +"([a-z-]+)"', PROTOCOL, re.M)
    assert sorted(codes) == sorted(CODES), f"{codes} are not {CODES}"
    events = re.findall(r'^#define PROTOCOL_EVENT_\w+ +"([a-z-]+)"', PROTOCOL, re.M)
    assert sorted(events) == sorted(EVENTS), f"{events} are not {sorted(EVENTS)}"


def the_guide_has_each_method_code_and_event(_):
    for kind, names in ("method", METHODS), ("code", CODES), ("event", EVENTS):
        for name in names:
            heads = re.findall(rf"^\| `{name}` ", GUIDE, re.M)
            assert len(heads) == 1, f"docs/control.md has {len(heads)} rows for the {kind} {name}"
    for method, schema in METHODS.items():
        row = re.search(rf"^\| `{method}` .*", GUIDE, re.M)[0]
        for member in set(schema["params"]["properties"]) - {"device", "user"}:
            assert f"`{member}`" in row, f"docs/control.md: {method} has no `{member}`"
    for event, schema in EVENTS.items():
        row = re.search(rf"^\| `{event}` .*", GUIDE, re.M)[0]
        for member in set(schema["properties"]) - {"type", "device", "time"}:
            assert f"`{member}`" in row, f"docs/control.md: {event} has no `{member}`"


sys.exit(run_tests(
    (
        the_schema_is_one,
        each_answer_and_event_is_as_the_schema_says,
        what_the_daemon_refuses_in_a_request_the_schema_refuses_too,
        every_method_refuses_what_is_malformed,
        every_method_refuses_what_is_not_there,
        the_schema_has_the_codes_of_the_daemon,
        the_guide_has_each_method_code_and_event,
    ),
    sys.argv[1],
))
