# SPDX-License-Identifier: BSD-2-Clause
"""test-dist.py SOURCE BUILD: what is installed, and what systemd says of it, as TAP.

The build is installed into a folder of its own (DESTDIR) once; each test looks at it there.
"""

import configparser
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tap import run, run_tests

SOURCE, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
EXPOSURE_MAX = 10  # tenths


def option(name):
    options = json.loads(run("meson", "introspect", "--buildoptions", BUILD))
    return next(o["value"] for o in options if o["name"] == name)


def installed(root):
    """Paths below the DESTDIR, with the prefix written as PREFIX."""
    prefix = option("prefix").lstrip("/") + "/"
    names = (str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())
    return {"PREFIX/" + n[len(prefix):] if n.startswith(prefix) else "/" + n for n in names}


def places():
    def ask(package, variable, default):
        done = subprocess.run(["pkg-config", "--variable=" + variable, package], capture_output=True, text=True)
        return done.stdout.strip() or default

    return {
        "SYSTEM": ask("systemd", "systemd_system_unit_dir", "/usr/lib/systemd/system"),
        "USER": ask("systemd", "systemd_user_unit_dir", "/usr/lib/systemd/user"),
        "SYSUSERS": ask("systemd", "sysusers_dir", "/usr/lib/sysusers.d"),
        "MODULES": ask("systemd", "modules_load_dir", "/usr/lib/modules-load.d"),
        "CATALOG": ask("systemd", "catalogdir", "/usr/lib/systemd/catalog"),
        "UDEV": ask("udev", "udev_dir", "/usr/lib/udev") + "/rules.d",
    }


def file_of(root, place, name):
    return root / places()[place].lstrip("/") / name


FILES = """
PREFIX/libexec/tpmauthnd
PREFIX/bin/tpmauthn
SYSTEM/tpmauthnd.service
SYSUSERS/tpmauthn.conf
MODULES/tpmauthn.conf
CATALOG/tpmauthn.catalog
UDEV/65-tpmauthn.rules
UDEV/69-tpmauthn-snap.rules
PREFIX/share/polkit-1/actions/org.tpmauthn.policy
PREFIX/share/polkit-1/rules.d/tpmauthn.rules
/etc/apparmor.d/tpmauthnd
/etc/tpmauthn/tpmauthn.conf
PREFIX/etc/xdg/autostart/tpmauthn-agent.desktop
PREFIX/libexec/tpmauthn-agent
PREFIX/share/applications/tpmauthn-agent.desktop
PREFIX/share/icons/hicolor/scalable/apps/tpmauthn.svg
PREFIX/share/locale/de/LC_MESSAGES/tpmauthn.mo
PREFIX/share/locale/fr/LC_MESSAGES/tpmauthn.mo
USER/tpmauthn-agent.service
PREFIX/share/bash-completion/completions/tpmauthn
PREFIX/share/fish/vendor_completions.d/tpmauthn.fish
PREFIX/share/man/man1/tpmauthn-agent.1
PREFIX/share/man/man1/tpmauthn-ci.1
PREFIX/share/man/man1/tpmauthn.1
PREFIX/share/man/man5/tpmauthn.conf.5
PREFIX/share/man/man7/tpmauthn.7
PREFIX/share/man/man8/tpmauthnd.8
PREFIX/share/tpmauthn/attestation/carry.py
PREFIX/share/tpmauthn/attestation/enrol-http
PREFIX/share/tpmauthn/attestation/enrol-keylime
PREFIX/share/tpmauthn/vm/kernel.sh
PREFIX/share/tpmauthn/vm/tpmauthn-vm
PREFIX/share/tpmauthn/vm/vm-init
PREFIX/share/tpmauthn/vm/vm-main
PREFIX/share/zsh/site-functions/_tpmauthn
PREFIX/share/metainfo/org.tpmauthn.tpmauthn.metainfo.xml
"""


def every_file_is_installed_where_it_belongs(root):
    expected = set(FILES.split())
    for name, path in places().items():
        expected = {e.replace(name + "/", path + "/", 1) if e.startswith(name + "/") else e for e in expected}
    have = installed(root)
    assert have == expected, f"missing {sorted(expected - have)}, unexpected {sorted(have - expected)}"


def service_is_at_most_1_0_exposed(root):
    unit = file_of(root, "SYSTEM", "tpmauthnd.service")
    out = run("systemd-analyze", "security", "--no-pager", "--offline=yes", f"--threshold={EXPOSURE_MAX}", unit)
    assert "Overall exposure level" in out, out
    loose = root / "loose.service"
    loose.write_text("[Service]\nExecStart=/bin/true\n")
    run("systemd-analyze", "security", "--no-pager", "--offline=yes", f"--threshold={EXPOSURE_MAX}", loose, expect=1)


def systemd_understands_every_line_of_the_service(root):
    """systemd-analyze verify needs the program to be where the unit says."""
    unit = root / "verify" / "tpmauthnd.service"
    unit.parent.mkdir()
    text = file_of(root, "SYSTEM", "tpmauthnd.service").read_text()
    program = re.search(r"^ExecStart=(\S+)", text, re.M)[1]
    assert (root / program.lstrip("/")).exists(), program
    unit.write_text(text.replace(program, str(root / program.lstrip("/"))))
    out = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
    assert "tpmauthnd.service" not in out, out
    unit.write_text(unit.read_text() + "[Service]\nProtectEverything=yes\n")
    assert "ProtectEverything" in run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit,
                                      expect=None)


def service_and_daemon_agree_on_their_folders(root):
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(file_of(root, "SYSTEM", "tpmauthnd.service"))
    service = unit["Service"]
    printed = run(root / service["ExecStart"].lstrip("/"), "--config", "/dev/null", "--print-config")
    assert f"state-directory = /var/lib/{service['StateDirectory']}\n" in printed, printed
    assert f"runtime-directory = /run/{service['RuntimeDirectory']}\n" in printed, printed
    assert service["StateDirectoryMode"] == "0700" and service["RuntimeDirectoryMode"] == "0755"


def account_is_made_by_sysusers(root):
    made = root / "sysusers"
    (made / "etc").mkdir(parents=True)
    for _ in range(2):
        run("systemd-sysusers", f"--root={made}", file_of(root, "SYSUSERS", "tpmauthn.conf"))
    passwd = (made / "etc/passwd").read_text()
    group = (made / "etc/group").read_text()
    assert re.search(r"^tpmauthn:x:\d+:\d+:FIDO2 authenticator:/var/lib/tpmauthn:\S+nologin$", passwd, re.M), passwd
    assert re.search(r"^tpmauthn:x:\d+:$", group, re.M) and re.search(r"^tss:x:\d+:$", group, re.M), group


def polkit_lets_the_account_compare_fingers_and_do_nothing_else(root):
    rules = next(root.rglob("polkit-1/rules.d/tpmauthn.rules")).read_text()
    account = re.search(r"^u (\S+)", file_of(root, "SYSUSERS", "tpmauthn.conf").read_text(), re.M)[1]
    assert re.findall(r'subject\.\w+ === "([^"]*)"', rules) == [account], rules
    fprint = "net.reactivated.fprint.device."
    assert re.findall(r'action\.id === "([^"]*)"', rules) == [fprint + "verify", fprint + "setusername"], rules
    assert rules.count("Result.YES") == 1 and rules.count("||") == 1, rules


def example_configuration_says_every_default_and_sets_none(root):
    example = root / "etc/tpmauthn/tpmauthn.conf"
    daemon = BUILD / "authenticator/tpmauthnd"
    defaults = run(daemon, "--config", "/dev/null", "--print-config")
    assert run(daemon, "--config", example, "--print-config") == defaults
    text = example.read_text()
    assert not re.search(r"^[^#\[\n]", text, re.M), text
    sets = re.sub(r"^#(?=[a-z0-9.-]+ =)", "", text, flags=re.M)
    (root / "all.conf").write_text(sets)
    assert run(daemon, "--config", root / "all.conf", "--print-config") == defaults
    for line in defaults.splitlines():
        assert line in sets, f"not in the example: {line}"


def apparmor_understands_the_profile(root):
    profile = root / "etc/apparmor.d/tpmauthnd"
    run("apparmor_parser", "--skip-kernel-load", "--skip-cache", "--quiet", profile)
    text = profile.read_text()
    # By the service alone: tpmauthn config and tpmauthn ci run the program too, on files and for terminals of anybody's.
    assert re.search(r"^profile tpmauthnd \{", text, re.M)
    assert "\nAppArmorProfile=-tpmauthnd\n" in file_of(root, "SYSTEM", "tpmauthnd.service").read_text()
    program = root / re.search(r"^  (\S+/tpmauthnd) mr,", text, re.M)[1].lstrip("/")
    assert program.exists(), program
    (root / "wrong").write_text(text.replace("/dev/uhid rw,", "/dev/uhid rx,"))
    run("apparmor_parser", "--skip-kernel-load", "--skip-cache", "--quiet", root / "wrong", expect=1)


def software_centres_understand_the_metadata(root):
    path = root / option("prefix").lstrip("/") / "share/metainfo/org.tpmauthn.tpmauthn.metainfo.xml"
    run("appstreamcli", "validate", "--no-net", "--pedantic", path)
    version = re.search(r"version: '([^']+)'", (SOURCE / "meson.build").read_text())[1]
    assert f'<release version="{version}"' in path.read_text()


TESTS = [
    every_file_is_installed_where_it_belongs,
    service_is_at_most_1_0_exposed,
    systemd_understands_every_line_of_the_service,
    service_and_daemon_agree_on_their_folders,
    account_is_made_by_sysusers,
    polkit_lets_the_account_compare_fingers_and_do_nothing_else,
    example_configuration_says_every_default_and_sets_none,
    apparmor_understands_the_profile,
    software_centres_understand_the_metadata,
]


def main():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        return run_tests(TESTS, root)


if __name__ == "__main__":
    sys.exit(main())
