# SPDX-License-Identifier: BSD-2-Clause
"""test-inventory.py TPMAUTHND TPMAUTHN: inventory and report against docs/inventory.schema.json, as TAP.

What the schema leaves open for later versions is closed here: a member that it does not name is a fault of it.
"""

import csv
import io
import json
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "helpers"), str(HERE.parent / "package")]
from daemon import Daemon  # noqa: E402
from jsonschema import Draft202012Validator  # noqa: E402
from tap import run_tests  # noqa: E402

SCHEMA = json.loads((SOURCE / "docs/inventory.schema.json").read_text(encoding="utf-8"))
SITES = ("one.example", "two.example", "two.example")
SECRETS = ("example", "ann-of-accounts", "Ann Display", "YW5uLW9m")


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


STRICT = Draft202012Validator(close(SCHEMA))


def tpmauthn(daemon, *words, stdin=""):
    done = subprocess.run([sys.argv[2], "--socket", daemon.control, *words], input=stdin, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fixture():
    return json.dumps({"credentials": [
        {"rp_id": site, "user": {"id": f"YW5uLW9m{n}A", "name": "ann-of-accounts", "displayName": "Ann Display"}}
        for n, site in enumerate(SITES)]})


def check(text):
    value = json.loads(text)
    STRICT.validate(value)
    for secret in SECRETS:
        assert secret not in text, text
    return value


def the_schema_is_one(_):
    Draft202012Validator.check_schema(SCHEMA)
    for wrong in ({}, [{}], {"device": 0}, "x"):
        assert not STRICT.is_valid(wrong), wrong


def an_empty_device_is_valid(daemon):
    inventory = check(tpmauthn(daemon, "inventory", "--json"))
    assert inventory["sites"] == []
    assert inventory["attestation"] == {"state": "none", "key": None, "certificate": None, "until": None, "ek": None}
    row, = check(tpmauthn(daemon, "report", "--json"))
    assert row["passkeys"] == 0 and row["first_created"] is None and row["last_used"] is None


def passkeys_are_counted_and_not_named(daemon):
    tpmauthn(daemon, "seed", "-", stdin=fixture())
    inventory = check(tpmauthn(daemon, "inventory", "--json"))
    assert sorted(s["passkeys"] for s in inventory["sites"]) == [1, 2]
    row, = check(tpmauthn(daemon, "report", "--json"))
    assert (row["sites"], row["passkeys"], row["passkeys_with_pin"]) == (2, 3, 0), row
    assert row["first_created"] <= row["last_created"]


def the_table_says_the_same(daemon):
    row, = check(tpmauthn(daemon, "report", "--json"))
    text = tpmauthn(daemon, "report")
    line, = csv.DictReader(io.StringIO(text))
    assert list(line) == list(SCHEMA["$defs"]["report"]["items"]["properties"]), list(line)
    assert text.count("\n") == 2
    for name, value in row.items():
        if name.startswith(("first_", "last_")) and value is not None:
            value = datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        want = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        assert line[name] == want, (name, line[name], want)


def a_device_that_failed_has_its_row(daemon):
    store = next((daemon.folder / "state/users").glob("*/store.db"))
    for extra in store.parent.glob("store.db*"):
        extra.unlink()
    store.write_bytes(b"this is no database" * 500)
    subprocess.run([sys.argv[2], "--socket", daemon.control, "replug"], capture_output=True, timeout=60)
    end = time.monotonic() + 60
    while (row := check(tpmauthn(daemon, "report", "--json"))[0])["state"] == "starting":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert row["state"] == "failed" and row["passkeys"] is None, row
    assert ",failed,,,,,,,,,," in tpmauthn(daemon, "report")


class Busy:
    """In front of the daemon: says so many times that the machine is busy."""

    def __init__(self, daemon, times):
        self.daemon, self.times = daemon, times
        self.path = str(daemon.folder / "busy.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX) as server, client.makefile("r") as lines:
                server.connect(self.daemon.control)
                with server.makefile("r") as answers:
                    for line in lines:
                        client.sendall(self._answer(server, answers, line).encode())

    def _answer(self, server, answers, line):
        request = json.loads(line)
        if request["method"] == "attestation-show" and self.times > 0:
            self.times -= 1
            return json.dumps({"v": 1, "id": request["id"], "error": {"code": "busy", "message": "The machine is busy."}}) + "\n"
        server.sendall(line.encode())
        return answers.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        Path(self.path).unlink()


def a_machine_that_is_busy_is_waited_for(daemon):
    want = tpmauthn(daemon, "inventory", "--json")
    with Busy(daemon, 3) as busy:
        done = subprocess.run([sys.argv[2], "--socket", busy.path, "inventory", "--json"], text=True, capture_output=True, timeout=120)
        assert (done.returncode, done.stdout, busy.times) == (0, want, 0), done


def a_machine_that_stays_busy_is_no_machine_without_attestation(daemon):
    for command in "inventory", "report":
        with Busy(daemon, 1 << 20) as busy:
            done = subprocess.run([sys.argv[2], "--socket", busy.path, command, "--json"], text=True, capture_output=True, timeout=120)
            assert (done.returncode, done.stdout) == (1, ""), done
            assert done.stderr == "tpmauthn: The machine is busy.\n", done


DAEMON = Daemon(sys.argv[1], "--presence=auto")
try:
    STATUS = run_tests((the_schema_is_one, an_empty_device_is_valid, passkeys_are_counted_and_not_named,
                        the_table_says_the_same, a_machine_that_is_busy_is_waited_for,
                        a_machine_that_stays_busy_is_no_machine_without_attestation, a_device_that_failed_has_its_row), DAEMON)
finally:
    DAEMON.stop()
sys.exit(STATUS)
