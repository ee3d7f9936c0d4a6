# SPDX-License-Identifier: BSD-2-Clause
"""test-files.py UNIT DESKTOP ICON AGENT: what starts the agent is understood by who reads it, as TAP."""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

unit, desktop, icon, agent = map(os.path.abspath, sys.argv[1:])


def complaints_of(*command, **env):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | env)
    return done.stdout + done.stderr if done.returncode != 0 or done.stderr.strip() else ""


def keys(path):
    lines = (line.partition("=") for line in Path(path).read_text(encoding="utf-8").splitlines())
    return {name: value for name, equals, value in lines if equals}


def systemd_understands_the_unit():
    with tempfile.TemporaryDirectory() as scratch:
        # The program is not installed yet.
        text = Path(unit).read_text(encoding="utf-8").replace(keys(unit)["ExecStart"], agent)
        copy = Path(scratch) / "tpmauthn-agent.service"
        copy.write_text(text)
        return complaints_of("systemd-analyze", "--user", "--man=no", "verify", str(copy), XDG_RUNTIME_DIR=scratch)


def it_starts_with_the_session_and_ends_with_it():
    found = keys(unit)
    wanted = {"PartOf": "graphical-session.target", "WantedBy": "graphical-session.target", "Restart": "on-failure"}
    return "".join(f"{k} is {found.get(k)}" for k, v in wanted.items() if found.get(k) != v)


def desktops_understand_the_entry():
    return complaints_of("desktop-file-validate", desktop)


def the_desktop_starts_it_only_where_systemd_does_not():
    found = keys(desktop)
    wanted = {"X-systemd-skip": "true", "X-GNOME-HiddenUnderSystemd": "true", "Exec": keys(unit)["ExecStart"]}
    return "".join(f"{k} is {found.get(k)}" for k, v in wanted.items() if found.get(k) != v)


def the_icon_is_a_picture():
    root = xml.parse(icon).getroot()
    return "" if root.tag.endswith("}svg") and root.get("viewBox") == "0 0 128 128" else "it is none"


TESTS = (
    systemd_understands_the_unit,
    it_starts_with_the_session_and_ends_with_it,
    desktops_understand_the_entry,
    the_desktop_starts_it_only_where_systemd_does_not,
    the_icon_is_a_picture,
)

print(f"1..{len(TESTS)}")
bad = 0
for index, test in enumerate(TESTS, 1):
    wrong = test()
    bad += bool(wrong)
    print(f"{'not ok' if wrong else 'ok'} {index} - {test.__name__}")
    for line in wrong.splitlines():
        print("#", line)
sys.exit(bad > 0)
