# SPDX-License-Identifier: BSD-2-Clause
"""lint.py SOURCE BUILD: what the compiler does not check and a reader relies on, as TAP.

Each check is a function that yields complaints; none is the pass. They look at the files git knows, or
at all of them where there is no git (a release archive).
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCE, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(SOURCE / "tools"))
import conformance  # noqa: E402

PROGRAMS = ("ctap", "tpm", "uhid", "trace", "authenticator", "cli", "agent")

# Which folders a folder may include from. The arrows point to the centre, which is ctap/.
MAY_INCLUDE = {
    "ctap": {"ctap"},
    "tpm": {"tpm", "ctap"},
    "uhid": {"uhid"},
    "trace": {"trace", "uhid", "ctap"},
    "authenticator": {"authenticator", "trace", "uhid", "tpm", "ctap"},
    # The other programs speak to the daemon through its sockets and share what describes them.
    "cli": {"cli", "trace", "authenticator/protocol.h", "ctap/bytes.h", "ctap/hid.h", "ctap/invisible.h",
            "ctap/macro.h"},
    "agent": {"agent", "authenticator/agent-protocol.h", "ctap/bytes.h", "ctap/macro.h", "ctap/text.h"},
    # A site that knows authenticators only by what the specification says of them.
    "examples": {"examples"},
}

# Folders that do no input or output of their own: nothing of these may appear in them.
PURE = {"ctap": r"<(fcntl|poll|pthread|time|unistd|sqlite3|sys/(epoll|ioctl|socket|stat)|systemd/.*|tss2/.*)\.?h?>"}

LENGTH_LIMIT = 90
PACKAGES = "libcbor libcrypto tss2-esys tss2-mu tss2-rc tss2-tctildr sqlite3 libseccomp libsystemd inih jansson libfido2 cmocka libmicrohttpd"


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more)


def all_files():
    command = ("git", "-C", str(SOURCE), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = run(*command) if shutil.which("git") and (SOURCE / ".git").exists() else None
    if listed and listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:
        names = [str(p.relative_to(SOURCE)) for p in SOURCE.rglob("*")]
        names = [n for n in names if not re.match(r"build|.*/(__pycache__|node_modules)/", n)]
    return sorted(n for n in names if n and (SOURCE / n).is_file() and not n.startswith(".git/"))


FILES = all_files()
C_FILES = [n for n in FILES if n.endswith((".c", ".h"))]


def text(name):
    return (SOURCE / name).read_text(encoding="utf-8", errors="replace")


def lines(name):
    return enumerate(text(name).splitlines(), 1)


def in_parallel(function, items):
    with ThreadPoolExecutor(2) as pool:
        for complaints in pool.map(function, items):
            yield from complaints


def includes_follow_the_arrows():
    for name in C_FILES:
        folder = name.split("/")[0]
        if folder not in MAY_INCLUDE:
            continue
        for number, line in lines(name):
            if found := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
                target = found[1]
                if target == "build-config.h" or target in MAY_INCLUDE[folder]:
                    continue
                if "/" not in target:
                    yield f'{name}:{number}: "{target}" has no folder; write "{folder}/{target}"'
                elif target.split("/")[0] not in MAY_INCLUDE[folder]:
                    yield f"{name}:{number}: {folder}/ must not include {target}"
            if folder in PURE and re.match(r"\s*#\s*include\s*" + PURE[folder], line):
                yield f"{name}:{number}: {folder}/ does no input or output: {line.strip()}"


def headers_compile_alone():
    flags = shlex.split(run("pkg-config", "--cflags", *PACKAGES.split()).stdout)
    common = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c"]

    def compile_one(job):
        compiler, name = job
        # Through another file: compilers complain about "pragma once in main file".
        source = f'#include "{name}"\n'
        done = run(compiler, *common, f"-I{SOURCE}", f"-I{BUILD}", *flags, "-", input=source)
        if done.returncode != 0:
            yield f"{name} does not compile alone with {compiler}: {done.stderr.strip()[:400]}"

    headers = [n for n in C_FILES if n.endswith(".h")]
    yield from in_parallel(compile_one, [(c, n) for c in ("gcc", "clang") for n in headers])


def sources_are_formatted():
    def check(name):
        done = run("clang-format", "--dry-run", "-Werror", f"--style=file:{SOURCE}/.clang-format", str(SOURCE / name))
        if done.returncode != 0:
            yield f"{name} is not formatted (clang-format -i): {done.stderr.splitlines()[0] if done.stderr else ''}"

    yield from in_parallel(check, C_FILES)


def every_file_says_its_license_and_purpose():
    kinds = (".c", ".h", ".py", ".sh", ".js", ".cjs", ".mjs", ".cts", ".mts", ".ts")
    for name in FILES:
        head = text(name)[:300]
        if not name.endswith(kinds) and not head.startswith("#!"):
            continue
        if "SPDX-License-Identifier: BSD-2-Clause" not in head.split("\n\n")[0]:
            yield f"{name} does not open with its SPDX line"
        if name.endswith(".c") and not re.match(r"/\* SPDX[^\n]*\n\n/\*", head):
            yield f"{name} has no comment at its head that says what it holds"


def nothing_is_left_open():
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    for name in FILES:
        if "/corpus/" in name:
            continue
        for number, line in lines(name):
            if words.search(line):
                yield f"{name}:{number}: {line.strip()}"


def functions_are_short():
    excused = {}
    for number, line in lines("tests/lint/long-functions"):
        if line and not line.startswith("#"):
            found = re.match(r"(\S+) (\w+): (\S.*)", line)
            if not found:
                yield f"tests/lint/long-functions:{number}: not 'FILE FUNCTION: reason'"
                continue
            excused[found[1], found[2]] = number
    done = run("ctags", "-x", "--c-kinds=f", "--_xformat=%F %n %{end} %N", *C_FILES, cwd=SOURCE)
    if done.returncode != 0:
        yield f"ctags: {done.stderr.strip()}"
    for line in done.stdout.splitlines():
        name, first, last, function = line.rsplit(" ", 3)
        length = int(last or first) - int(first) + 1
        if length <= LENGTH_LIMIT:
            continue
        if not excused.pop((name, function), None):
            yield f"{name}:{first}: {function}() has {length} lines, more than {LENGTH_LIMIT}"
    for (name, function), number in excused.items():
        yield f"tests/lint/long-functions:{number}: {function} in {name} is not long (any more)"


def the_conformance_list_is_true():
    yield from conformance.complaints()


def the_security_table_is_true():
    """The last column of a table in docs/security.md names tests."""
    functions = conformance.test_functions()
    for number, line in lines("docs/security.md"):
        cells = line.strip().strip("|").split("|")
        if len(cells) != 4:
            continue
        for test in re.findall(r"`(\w+)`", cells[3]):
            if test not in functions or not conformance.is_called(test, functions[test]):
                yield f"docs/security.md:{number}: there is no test {test}, or it is never run"


PRIORITIES = {"LOG_ERR": "err", "LOG_WARNING": "warning", "LOG_NOTICE": "notice", "LOG_INFO": "info"}


def audit_events():
    """{name: (id, priority, message)} of the table in the code."""
    row = r'\[AUDIT_\w+\] = \{\s*"(\w+)",\s*"([\w-]+)",\s*(\w+),\s*"[\w-]+",\s*((?:"[^"]*"\s*)+)\}'
    return {name: (ident, PRIORITIES.get(priority), "".join(re.findall('"([^"]*)"', message)))
            for ident, name, priority, message in re.findall(row, text("authenticator/audit-event.c"))}


def the_audit_events_are_documented():
    """The table in the code, that of docs/audit.md, and the catalog say the same; so do the fields."""
    events = audit_events()
    enumerated = re.search(r"enum audit_what \{(.*?)_AUDIT_EVENTS", text("authenticator/audit-event.h"), re.S)
    if len(events) != len(re.findall(r"^\s*AUDIT_\w+,", enumerated[1], re.M)):
        yield "authenticator/audit-event.c: the table has not all events, or is written in another form"
    idents = [ident for ident, _, _ in events.values()]
    if len(set(idents)) != len(idents) or not all(re.fullmatch("[0-9a-f]{32}", i) for i in idents):
        yield "authenticator/audit-event.c: an id stands for two events, or is none"

    rows = re.findall(r"^\| `([\w-]+)` \| `(\w{32})` \| (\w+) \| .", text("docs/audit.md"), re.M)
    if dict((name, (ident, priority)) for name, ident, priority in rows) != {
            name: event[:2] for name, event in events.items()} or len(rows) != len(events):
        yield "docs/audit.md: its table of events is another than that of authenticator/audit-event.c"
    subjects = re.findall(r"^-- (\w{32})\nSubject: (.*)\nDefined-By: tpmauthn\n(?:\S+: .*\n)*\n\S",
                          text("dist/catalog/tpmauthn.catalog"), re.M)
    if dict(subjects) != {ident: message for ident, _, message in events.values()} or len(subjects) != len(events):
        yield "dist/catalog/tpmauthn.catalog: its events are others than those of authenticator/audit-event.c"

    written = set(re.findall(r"\bFIDO_[A-Z_]+\b", text("authenticator/audit-event.c")))
    told = set(re.findall(r"^\| `(FIDO_[A-Z_]+)` \|", text("docs/audit.md"), re.M))
    expanded = set(re.findall(r"@([A-Z_]+)@", text("dist/catalog/tpmauthn.catalog")))
    for field in sorted(written ^ told):
        yield f"{field} is in one of docs/audit.md and authenticator/audit-event.c only"
    for field in sorted(expanded - written):
        yield f"dist/catalog/tpmauthn.catalog: there is no field {field}"


def translations_are_complete():
    """Every text of the sources is in every catalogue, and translated."""
    with tempfile.TemporaryDirectory() as scratch:
        template = f"{scratch}/tpmauthn.pot"
        done = run("xgettext", "--from-code=UTF-8", "-k_", "-kN_", "-kngettext:1,2", "-o", template,
                   "-f", "po/POTFILES", cwd=SOURCE)
        if done.returncode != 0:
            yield f"xgettext: {done.stderr.strip()}"
            return
        for language in text("po/LINGUAS").split():
            for command in (("msgcmp", f"po/{language}.po", template),
                            ("msgfmt", "--check-format", "--check-domain", "-o", "/dev/null", f"po/{language}.po")):
                done = run(*command, cwd=SOURCE)
                if done.returncode != 0:
                    yield f"po/{language}.po: {done.stderr.strip()}"
    listed = set(text("po/POTFILES").split())
    for name in C_FILES:
        if name not in listed and re.search(r"\b(N?_|ngettext)\(\"", text(name)) and name != "agent/intl.h":
            yield f"{name} has texts to be translated and is not in po/POTFILES"


CHECKS = (
    includes_follow_the_arrows,
    headers_compile_alone,
    sources_are_formatted,
    every_file_says_its_license_and_purpose,
    nothing_is_left_open,
    functions_are_short,
    the_conformance_list_is_true,
    the_security_table_is_true,
    the_audit_events_are_documented,
    translations_are_complete,
)

print(f"1..{len(CHECKS)}")
bad = 0
for index, check in enumerate(CHECKS, 1):
    complaints = list(check())
    bad += bool(complaints)
    print(f"{'not ok' if complaints else 'ok'} {index} - {check.__name__}")
    for complaint in complaints:
        print("#", complaint.replace("\n", "\n# "))
sys.exit(bad > 0)
