# SPDX-License-Identifier: BSD-2-Clause
"""test-ansible.py TPMAUTHN TPMAUTHND: the role of dist/ansible on this computer, where the daemon of the test is, as TAP.

What it installs and starts is for tests/vm: here is no service manager.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from fleet import TPMAUTHN, TPMAUTHND, Fleet
from place import SOURCE, Place, Serving
from tap import run_tests

ROLES = SOURCE / "dist/ansible/roles"
EXAMPLE = SOURCE / "dist/ansible/example.yml"


class Playing:
    """The role, its settings, and a machine."""

    def __init__(self, fleet, machine, **settings):
        self.machine = machine
        self.folder = fleet.place.path()
        for name in ("configuration", "reports"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "configuration/tpmauthn.conf").write_text("")
        (self.folder / "ansible.cfg").write_text("")
        self.settings = {
            "tpmauthn_install": False, "tpmauthn_manage_service": False, "tpmauthn_program": TPMAUTHN,
            "tpmauthn_configuration": str(self.folder / "configuration"), "tpmauthn_socket": machine.daemon.control,
            "tpmauthn_enrol_http": str(SOURCE / "dist/attestation/enrol-http"),
            "tpmauthn_reports": str(self.folder / "reports"), **settings}

    def play(self, *arguments, status=0, **more):
        """(what Ansible printed, how many tasks changed something)."""
        play = [{"hosts": "localhost", "gather_facts": False, "roles": [
            {"role": "tpmauthn", **self.settings, **more}]}]
        (self.folder / "play.yml").write_text(yaml.safe_dump(play))
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3",
             *arguments, str(self.folder / "play.yml")],
            capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
            env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROLES), "ANSIBLE_NOCOLOR": "1", "TPMAUTHND": TPMAUTHND, "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
                 "ANSIBLE_LOCAL_TEMP": str(self.folder / "temporary"), "HOME": str(self.folder)})
        assert (done.returncode == 0) == (status == 0), f"status {done.returncode}\n{done.stdout}{done.stderr}"
        found = re.search(r"ok=\d+ +changed=(\d+)", done.stdout)
        return done.stdout + done.stderr, int(found[1]) if found else None

    def report(self):
        return json.loads((self.folder / "reports/localhost.json").read_text())


def the_second_run_changes_nothing(fleet):
    ca = fleet.place.authority("--two-tiers")
    playing = Playing(fleet, fleet.one, tpmauthn_attestation_ca=str(ca.folder), tpmauthn_machine="laptop 9",
                      tpmauthn_settings={"attestation": {"rp-ids": ["sso.example.com", "example.org"]},
                                         "policy": {"always-uv": True}})
    printed, changed = playing.play()
    assert changed > 0 and fleet.one.has(ca), printed
    assert ca.entries()[0]["machine"] == "laptop 9"
    written = (playing.folder / "configuration/tpmauthn.conf.d/50-ansible.conf").read_text()
    assert "rp-ids = sso.example.com example.org\n" in written and "always-uv = yes\n" in written
    assert f"root = {playing.folder}/configuration/attestation-root.pem\n" in written
    first = playing.report()
    assert first["machine"] == "laptop 9" and first["attestation"]["state"] == "installed"
    printed, changed = playing.play()
    assert changed == 0, printed
    assert len(ca.entries()) == 1 and playing.report() == first


def a_certificate_is_renewed_before_it_ends(fleet):
    ca = fleet.place.authority(policy="[certificates]\ndays = 20\nanswer-hours = 1\n")
    playing = Playing(fleet, fleet.two, tpmauthn_attestation_ca=str(ca.folder))
    for days, signed in ((10, 1), (10, 1), (30, 2), (10, 2)):
        playing.play(tpmauthn_renew_days=days)
        assert len(ca.entries()) == signed, days
    assert fleet.two.has(ca)
    assert len({e["ak"] for e in ca.entries()}) == 1


def it_enrols_over_http_too(fleet):
    ca = fleet.place.authority()
    fleet.two.attestation("remove", "--yes")
    with Serving(ca) as at:
        playing = Playing(fleet, fleet.two, tpmauthn_attestation_url=at.url,
                          tpmauthn_attestation_root=str(ca.folder / "root.pem"))
        assert playing.play()[1] > 0
        assert fleet.two.has(ca) and ca.entries()[0]["way"] == "http"
        assert playing.play()[1] == 0


def a_refusal_stops_it_with_the_reason(fleet):
    ca = fleet.place.authority(policy="[machines]\nmanufacturers = id:494E5443\n")
    fleet.two.attestation("remove", "--yes")
    playing = Playing(fleet, fleet.two, tpmauthn_attestation_ca=str(ca.folder))
    assert "manufacturer-refused" in playing.play(status=1)[0]
    assert fleet.two.show()["state"] == "key"


def wrong_settings_are_not_put_in_place(fleet):
    playing = Playing(fleet, fleet.one)
    assert playing.play(tpmauthn_settings={"policy": {"always-uv": True}})[1] > 0
    file = playing.folder / "configuration/tpmauthn.conf.d/50-ansible.conf"
    before = file.read_text()
    playing.play(status=1, tpmauthn_settings={"policy": {"always-uv": "perhaps"}})
    playing.play(status=1, tpmauthn_settings={"policy": {"no-such-key": 1}})
    assert file.read_text() == before


def a_syntax_check_does_nothing(fleet):
    ca = fleet.place.authority()
    playing = Playing(fleet, fleet.one, tpmauthn_attestation_ca=str(ca.folder))
    playing.play("--syntax-check")
    assert not ca.entries() and not (playing.folder / "reports/localhost.json").exists()


def the_files_are_in_the_form_that_they_should_have(_):
    """What ansible-lint would say first, without it: names, whole names of modules, modes, what changes said."""
    done = subprocess.run(["ansible-playbook", "--syntax-check", "-i", "workstations,", str(EXAMPLE)],
                          capture_output=True, text=True, env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROLES)})
    assert done.returncode == 0, done.stdout + done.stderr
    keywords = {"name", "when", "loop", "loop_control", "register", "changed_when", "failed_when", "notify", "vars",
                "environment", "delegate_to", "become", "no_log", "block", "always"}
    for path in sorted(ROLES.rglob("*.yml")):
        assert path.read_text().startswith("---\n"), path
        value = yaml.safe_load(path.read_text())
        if path.parent.name not in ("tasks", "handlers"):
            assert isinstance(value, dict), path
            continue
        tasks = list(value)
        for task in tasks:
            tasks += task.get("block", []) + task.get("always", [])
            where = f"{path}: {task.get('name')}"
            assert task.get("name", "")[:1].isupper(), where
            modules = set(task) - keywords
            assert len(modules) == ("block" not in task) and all(m.startswith("ansible.builtin.") for m in modules), where
            if "ansible.builtin.command" in task:
                assert "changed_when" in task, where
            for module in ("copy", "template"):
                assert "mode" in task.get(f"ansible.builtin.{module}", {"mode": 0}), where
    defaults = yaml.safe_load((ROLES / "tpmauthn/defaults/main.yml").read_text())
    guide = (SOURCE / "dist/ansible/README.md").read_text()
    for name in defaults:
        assert f"`{name}`" in guide, f"{name} is not in the guide"


def lint_tools_of_the_distribution_agree(_):
    for command in (["yamllint", "--strict", "-d", "{extends: default, rules: {line-length: {max: 130}}}"],
                    ["ansible-lint", "--offline", "-q", "-x", "yaml"]):
        done = subprocess.run([*command, str(SOURCE / "dist/ansible")], capture_output=True, text=True, cwd=SOURCE,
                              env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROLES)})
        assert done.returncode == 0, done.stdout + done.stderr


SITE = """\
import base64, json, os, sys
folder = sys.argv[1]
if sys.argv[2] == "options":
    made = {"rp": {"id": "sso.example.com", "name": "Example"}, "attestation": "none",
            "user": {"id": "YWxpY2U", "name": "alice", "displayName": "Alice"},
            "challenge": base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="),
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "authenticatorSelection": {"residentKey": "required", "userVerification": "required"}}
    open(folder + "/options", "a").write(made["challenge"] + "\\n")
    print(json.dumps(made))
else:
    open(folder + "/responses", "a").write(json.dumps(json.load(sys.stdin)) + "\\n")
"""


def passkeys_are_made_once_and_verified_by_the_secret(fleet):
    playing = Playing(fleet, fleet.one)
    site = playing.folder / "site"
    site.mkdir()
    (site / "site.py").write_text(SITE)
    command = f"/usr/bin/python3 {site}/site.py {site}"
    passkey = {"user": "root", "rp_id": "sso.example.com", "options_command": f"{command} options",
               "response_command": f"{command} response", "secret": "one time 123"}
    # A site that requires verification gets none without the secret.
    unverified = {name: value for name, value in passkey.items() if name != "secret"}
    playing.play(status=1, tpmauthn_passkeys=[unverified])
    assert not (site / "responses").exists()
    printed, changed = playing.play(tpmauthn_passkeys=[passkey])
    assert changed > 0 and "one time 123" not in printed
    (response,) = [json.loads(line) for line in (site / "responses").read_text().splitlines()]
    said = json.loads(unpadded(response["response"]["clientDataJSON"]))
    assert said["challenge"] == (site / "options").read_text().splitlines()[-1]
    assert (said["type"], said["origin"]) == ("webauthn.create", "https://sso.example.com")
    data = unpadded(response["response"]["authenticatorData"])
    assert data[:32] == hashlib.sha256(b"sso.example.com").digest() and data[32] & 0x45 == 0x45, data[32]
    # Nothing of the secret is left on the machine, and a second run makes nothing.
    assert not list(Path(tempfile.gettempdir()).glob("ansible.*.secret"))
    printed, changed = playing.play(tpmauthn_passkeys=[passkey])
    assert changed == 0, printed
    assert len((site / "responses").read_text().splitlines()) == 1
    (site_of_report,) = playing.report()["users"]["root"]["sites"]
    assert site_of_report["rp_id_hash"] == hashlib.sha256(b"sso.example.com").hexdigest()


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


TESTS = (
    the_second_run_changes_nothing,
    a_certificate_is_renewed_before_it_ends,
    it_enrols_over_http_too,
    a_refusal_stops_it_with_the_reason,
    passkeys_are_made_once_and_verified_by_the_secret,
    wrong_settings_are_not_put_in_place,
    a_syntax_check_does_nothing,
    the_files_are_in_the_form_that_they_should_have,
    lint_tools_of_the_distribution_agree,
)


def main():
    with Place() as place, Fleet(place) as fleet:
        return run_tests(TESTS, fleet)


if __name__ == "__main__":
    sys.exit(main())
