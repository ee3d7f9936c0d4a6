# SPDX-License-Identifier: BSD-2-Clause
"""test-ci.py SOURCE BUILD: what dist/ci/install makes of a fresh copy of this tree, as TAP."""

import shutil
import sys
import tempfile
from pathlib import Path

from tap import run, run_tests

SOURCE = Path(sys.argv[1]).resolve()
LEFT_OUT = ("build*", ".git", "__pycache__", "tests")


def tree_and_prefix(folder):
    return folder / "tree", folder / "deep/prefix"


def programs_and_nothing_else_are_installed(folder):
    tree, prefix = tree_and_prefix(folder)
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    said = run(tree / "dist/ci/install", prefix)
    assert "building tpmauthn" in said and "tpmauthn 0." in said, said
    made = sorted(str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file())
    machine = [f"share/tpmauthn/vm/{name}" for name in ("kernel.sh", "tpmauthn-vm", "vm-init", "vm-main")]
    assert made == ["bin/tpmauthn", "libexec/tpmauthn-agent", "libexec/tpmauthnd", *machine], made


def they_are_built_once(folder):
    tree, prefix = tree_and_prefix(folder)
    before = (prefix / "libexec/tpmauthnd").stat().st_mtime_ns
    run(tree / "dist/ci/install", prefix)
    assert (prefix / "libexec/tpmauthnd").stat().st_mtime_ns == before


def another_prefix_is_one(folder):
    tree, prefix = tree_and_prefix(folder)
    run(tree / "dist/ci/install", folder / "other")
    assert str(folder / "other/libexec") in run("strings", "-n", "8", folder / "other/bin/tpmauthn")


def packages_it_needs_are_found(folder):
    tree, prefix = tree_and_prefix(folder)
    names = run(tree / "dist/ci/needs", prefix).split()
    assert names[0] == "swtpm" and len(names) > 8, names
    for name in names:
        state = run("dpkg-query", "-W", "-f", "${db:Status-Status}", name)
        assert state == "installed", (name, state)
    # Each library that is not the loader's own is of one of them.
    libraries = run("ldd", prefix / "libexec/tpmauthnd")
    for stem, package in (("libcbor", "libcbor"), ("libtss2-esys", "libtss2-esys"), ("libsqlite3", "libsqlite3")):
        assert stem in libraries and any(name.startswith(package) for name in names), (stem, names)


def failing_build_says_why(folder):
    tree, prefix = tree_and_prefix(folder)
    (tree / "cli/main.c").write_text("int main(void) { return missing; }\n")
    said = run(tree / "dist/ci/install", prefix, expect=1)
    assert "missing" in said and "ninja failed" in said, said


TESTS = [
    programs_and_nothing_else_are_installed,
    they_are_built_once,
    another_prefix_is_one,
    packages_it_needs_are_found,
    failing_build_says_why,
]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(run_tests(TESTS, Path(scratch)))
