# SPDX-License-Identifier: BSD-2-Clause
"""test-other.py SOURCE BUILD: the recipes for distributions other than Debian, read by their own tools, as TAP."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tap import run, run_tests

SOURCE, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
SPEC = SOURCE / "dist/rpm/tpmauthn.spec"
PACKAGES = ["tpmauthn", "tpmauthn-agent"]

# What Fedora's macros are, which rpm alone does not know.
FEDORA = {
    "_journalcatalogdir": "/usr/lib/systemd/catalog",
    "_metainfodir": "/usr/share/metainfo",
    "_modulesloaddir": "/usr/lib/modules-load.d",
    "_sysusersdir": "/usr/lib/sysusers.d",
    "_udevrulesdir": "/usr/lib/udev/rules.d",
    "_unitdir": "/usr/lib/systemd/system",
    "_userunitdir": "/usr/lib/systemd/user",
}


def version():
    return re.search(r"version: '([^']+)'", (SOURCE / "meson.build").read_text())[1]


def rpmspec(*arguments):
    defines = [word for name, value in FEDORA.items() for word in ("--define", f"{name} {value}")]
    return run("rpmspec", *defines, *arguments, SPEC)


def rpm_understands_the_spec():
    names = rpmspec("-q", "--queryformat", "%{NAME} %{VERSION}\n").splitlines()
    assert names == [f"{p} {version()}" for p in PACKAGES], names
    text = rpmspec("-P")
    assert "%{_" not in text, re.findall(r"%\{_[^}]*\}", text)


def installed():
    """As with the prefix /usr and Fedora's folders; what the spec leaves to find_lang or removes is left out."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        names = ["/" + str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()]
    names = [re.sub(r"^/lib/", "/usr/lib/", re.sub(r"^/usr/local/etc/", "/etc/", n)) for n in names]
    names = [re.sub(r"^/usr/local/", "/usr/", n) for n in names]
    return {n for n in names if not n.startswith(("/etc/apparmor.d/", "/usr/share/locale/"))}


def spec_names_every_file_once():
    text = rpmspec("-P")
    patterns = re.findall(r"^(?:%config\(noreplace\) )?(/\S+)$", text[text.index("\n%files"):], re.M)
    files = installed()
    for name in files:
        matches = [p for p in patterns if fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(name + ".gz", p)]
        assert len(matches) == 1, (name, matches)
    for pattern in patterns:
        assert any(fnmatch.fnmatchcase(n, pattern) or fnmatch.fnmatchcase(n + ".gz", pattern) for n in files), pattern


def pacman_understands_the_recipe():
    """makepkg refuses root, and writes beside the recipe."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (SOURCE / "dist/arch").iterdir():
            run("bash", "-n", file)
            shutil.copy(file, folder)
        command, environment = ["makepkg", "--printsrcinfo"], os.environ | {"HOME": folder}
        if os.getuid() == 0:
            run("chown", "-R", "nobody", folder)
            command = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *command]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = [tuple(line.strip().split(" = ", 1)) for line in done.stdout.splitlines() if " = " in line]
    assert [value for key, value in said if key == "pkgname"] == PACKAGES, said
    assert ("pkgver", version()) in said, said
    assert ("install", "tpmauthn.install") in said and ("backup", "etc/tpmauthn/tpmauthn.conf") in said, said


TESTS = [
    rpm_understands_the_spec,
    spec_names_every_file_once,
    pacman_understands_the_recipe,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
