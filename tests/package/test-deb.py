# SPDX-License-Identifier: BSD-2-Clause
"""test-deb.py SOURCE BUILD: makes the Debian packages in BUILD/packages and looks into them, as TAP."""

import email
import re
import subprocess
import sys
from pathlib import Path

from tap import run, run_tests

SOURCE, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
PACKAGES = BUILD / "packages"

# All that the package holds, its documentation aside.
CONTENT = {
    "tpmauthn": """
        /etc/apparmor.d/tpmauthnd
        /etc/tpmauthn/tpmauthn.conf
        /lib/systemd/system/tpmauthnd.service
        /lib/udev/rules.d/65-tpmauthn.rules
        /lib/udev/rules.d/69-tpmauthn-snap.rules
        /usr/bin/tpmauthn
        /usr/lib/modules-load.d/tpmauthn.conf
        /usr/lib/systemd/catalog/tpmauthn.catalog
        /usr/lib/sysusers.d/tpmauthn.conf
        /usr/libexec/tpmauthnd
        /usr/share/bash-completion/completions/tpmauthn
        /usr/share/fish/vendor_completions.d/tpmauthn.fish
        /usr/share/man/man1/tpmauthn-ci.1.gz
        /usr/share/man/man1/tpmauthn.1.gz
        /usr/share/man/man5/tpmauthn.conf.5.gz
        /usr/share/man/man7/tpmauthn.7.gz
        /usr/share/man/man8/tpmauthnd.8.gz
        /usr/share/polkit-1/actions/org.tpmauthn.policy
        /usr/share/polkit-1/rules.d/tpmauthn.rules
        /usr/share/tpmauthn/attestation/carry.py
        /usr/share/tpmauthn/attestation/enrol-http
        /usr/share/tpmauthn/attestation/enrol-keylime
        /usr/share/tpmauthn/vm/kernel.sh
        /usr/share/tpmauthn/vm/tpmauthn-vm
        /usr/share/tpmauthn/vm/vm-init
        /usr/share/tpmauthn/vm/vm-main
        /usr/share/zsh/site-functions/_tpmauthn
    """,
    "tpmauthn-agent": """
        /etc/xdg/autostart/tpmauthn-agent.desktop
        /usr/lib/systemd/user/tpmauthn-agent.service
        /usr/libexec/tpmauthn-agent
        /usr/share/applications/tpmauthn-agent.desktop
        /usr/share/icons/hicolor/scalable/apps/tpmauthn.svg
        /usr/share/locale/de/LC_MESSAGES/tpmauthn.mo
        /usr/share/locale/fr/LC_MESSAGES/tpmauthn.mo
        /usr/share/man/man1/tpmauthn-agent.1.gz
        /usr/share/metainfo/org.tpmauthn.tpmauthn.metainfo.xml
    """,
}


def package(name):
    found = list(PACKAGES.glob(f"{name}_*.deb"))
    assert len(found) == 1, found
    return found[0]


def files(name):
    listing = run("dpkg-deb", "-c", package(name))
    entries = (line.split(None, 5) for line in listing.splitlines())
    return {e[5].split(" -> ")[0].removeprefix("."): (e[0], e[1]) for e in entries if not e[5].endswith("/")}


def fields(name):
    return email.message_from_string(run("dpkg-deb", "-f", package(name)))


def script(name, which):
    return run("dpkg-deb", "-I", package(name), which)


def packages_are_made_of_this_tree():
    run(SOURCE / "tools/package", PACKAGES, timeout=900)
    for name in CONTENT:
        package(name)


def every_package_holds_what_it_says_and_nothing_else():
    for name, content in CONTENT.items():
        have = {f for f in files(name) if not f.startswith(f"/usr/share/doc/{name}/")}
        expected = set(content.split())
        assert have == expected, f"{name}: missing {sorted(expected - have)}, unexpected {sorted(have - expected)}"
        for file, (mode, owner) in files(name).items():
            assert owner == "root/root", (file, owner)
            assert re.fullmatch(r"[-l]rw[-x]r.[-x]r.[-x]|lrwxrwxrwx", mode), (file, mode)


def lintian_finds_nothing():
    changes = list(PACKAGES.glob("*.changes"))
    assert len(changes) == 1, changes
    done = subprocess.run(
        ["lintian", "--no-cfg", "--fail-on", "error,warning", changes[0]],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def versions_of_package_and_program_are_one():
    version = re.search(r"version: '([^']+)'", (SOURCE / "meson.build").read_text())[1]
    for name in CONTENT:
        assert fields(name)["Version"] == version, fields(name)["Version"]


def what_is_loaded_by_name_is_depended_on():
    """No linker sees the TCTI of a device, nor who makes the group of /dev/tpmrm0."""
    depends = re.split(r"[,\s]+", fields("tpmauthn")["Depends"])
    for needed in ("libtss2-tcti-device0", "tpm-udev", "systemd", "udev"):
        assert needed in depends, (needed, depends)


def account_and_node_are_there_before_the_service_starts():
    text = script("tpmauthn", "postinst")
    order = [text.index(word) for word in
             ("systemd-sysusers", "modprobe", "udevadm trigger", "apparmor_parser", "deb-systemd-invoke")]
    assert order == sorted(order), text


def only_purge_deletes_passkeys():
    for which in ("postinst", "prerm", "postrm"):
        lines = script("tpmauthn", which).splitlines()
        deleting = [n for n, line in enumerate(lines) if "rm -rf" in line and "/var/lib/tpmauthn" in line]
        assert len(deleting) == (1 if which == "postrm" else 0), (which, deleting)
        for number in deleting:
            assert lines[number - 1] == 'if [ "$1" = purge ]; then', lines[number - 1]


TESTS = [
    packages_are_made_of_this_tree,
    every_package_holds_what_it_says_and_nothing_else,
    lintian_finds_nothing,
    versions_of_package_and_program_are_one,
    what_is_loaded_by_name_is_depended_on,
    account_and_node_are_there_before_the_service_starts,
    only_purge_deletes_passkeys,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
