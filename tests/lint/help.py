# SPDX-License-Identifier: BSD-2-Clause
"""help.py SOURCE TPMAUTHN TPMAUTHND [AGENT]: what the programs say of themselves, the manual pages and the completions say
too, as TAP. Each check is a function that yields complaints; none is the pass.
"""

import re
import subprocess
import sys
from pathlib import Path

SOURCE, CLI, DAEMON = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
AGENT = sys.argv[4] if len(sys.argv) > 4 else None
MAN = SOURCE / "dist/man"
COMPLETIONS = SOURCE / "dist/completions"


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def output(*command):
    done = run(*command)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


HELP = output(CLI, "--help")
COMMANDS = re.findall(r"^  ([a-z-]+)", HELP.split("Options,")[0], re.M)
assert len(COMMANDS) > 14, COMMANDS


def options_of(text):
    """The options that a --help lists: (short or None, long)."""
    return [(short or None, long) for short, long in
            re.findall(r"^ +(?:-(\w), |    )--([a-z-]+)", text, re.M)]


def words_of(command):
    """What `tpmauthn help COMMAND` has for fixed words: status|set|change."""
    usage = " ".join(output(CLI, "help", command).split("\n\n")[0].split())
    found = re.search(r" ([a-z-]+(?:\|[a-z-]+)+)", usage)
    return found[1].split("|") if found else []


def text(path):
    return path.read_text(encoding="utf-8")


def manual_pages_are_clean():
    for page in sorted(MAN.glob("*.[1-8]")):
        done = run("mandoc", "-Tlint", "-Wwarning", str(page))
        yield from (done.stdout + done.stderr).splitlines()


def options_stand_in(page, *program):
    documented = re.findall(r"^\.It Fl (?:(\w) , Fl )?-([a-z-]+)", text(MAN / page), re.M)
    listed = [(short or "", long) for short, long in options_of(output(*program, "--help"))]
    for short, long in listed:
        if (short, long) not in documented:
            yield f"{page}: --{long} is not in it as `.It Fl {short + ' , Fl ' if short else ''}-{long}`"
    for short, long in documented:
        if (short, long) not in listed:
            yield f"{page}: there is no option --{long}"


def options_stand_in_their_manual_pages():
    yield from options_stand_in("tpmauthn.1", CLI)
    yield from options_stand_in("tpmauthn-ci.1", CLI, "ci", "run")
    yield from options_stand_in("tpmauthnd.8", DAEMON)
    if AGENT:
        yield from options_stand_in("tpmauthn-agent.1", AGENT)


def commands_stand_in_the_manual_page():
    source = text(MAN / "tpmauthn.1").split(".Sh BACKUPS")[0]
    documented = re.findall(r"^\.It Cm ([a-z-]+)", source, re.M)
    if documented != COMMANDS:
        yield f"tpmauthn.1 has {documented} and --help {COMMANDS}"
    for command in COMMANDS:
        for word in words_of(command):
            if not re.search(rf"^\.It Cm {command}\b.*\b{word}\b", source, re.M):
                yield f"tpmauthn.1: {command} {word} is not in it"


def exit_statuses_stand_in_the_manual_page():
    listed = set(re.findall(r"(?:^| ) (\d+)  [a-z]", HELP.split("Exit status:")[1], re.M))
    documented = set(re.findall(r"^\.It (\d+)$", text(MAN / "tpmauthn.1").split(".Sh EXIT STATUS")[1], re.M))
    if listed != documented:
        yield f"tpmauthn.1 has {sorted(documented)} and --help {sorted(listed)}"


def keys_stand_in_the_manual_page():
    section, found = None, {}
    for line in output(DAEMON, "--config", "/dev/null", "--print-config").splitlines():
        if match := re.match(r"\[([a-z]+)\]", line):
            section = match[1]
        elif match := re.match(r"([a-z0-9.-]+) =(?: (.*))?", line):
            found[section, match[1]] = match[2] or ""
    assert len(found) > 15, found
    parts = re.split(r"^\.Sh SECTION ", text(MAN / "tpmauthn.conf.5"), flags=re.M)
    pages = {part.split("\n")[0]: part.split(".Sh ")[0] for part in parts[1:]}
    for (section, key), value in found.items():
        entry = re.search(rf"^\.It Va {re.escape(key)}\n(.*?)(?=^\.It |^\.El)", pages.get(section, ""), re.M | re.S)
        if not entry:
            yield f"tpmauthn.conf.5: [{section}] {key} is not in it"
        elif value not in entry[1]:
            yield f"tpmauthn.conf.5: the default of [{section}] {key} is {value}, which is not in it"


def bash(line, *more):
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    script = f"source {COMPLETIONS / 'tpmauthn.bash'}\n" \
             f"COMP_WORDS=({' '.join(repr(w) for w in words)})\nCOMP_CWORD={len(words) - 1}\n" \
             + "\n".join(more) + "\n_tpmauthn\nprintf '%s\\n' \"${COMPREPLY[@]}\"\ncomplete -p tpmauthn >&2\n"
    done = run("bash", "-c", script)
    if "-F _tpmauthn tpmauthn" not in done.stderr:
        raise RuntimeError(done.stderr)
    return done.stdout.split()


def bash_completes():
    def expect(got, want, line):
        if sorted(got) != sorted(want):
            yield f"bash offers {got} for '{line}', not {want}"

    yield from expect(bash("tpmauthn "), COMMANDS, "")
    yield from expect(bash("tpmauthn --json -d 3 re"), [c for c in COMMANDS if c.startswith("re")], "re")
    yield from expect(bash("tpmauthn help "), COMMANDS, "help")
    yield from expect(bash("tpmauthn list "), [], "list")
    offered = bash("tpmauthn -")
    for _, long in options_of(HELP):
        if "--" + long not in offered:
            yield f"bash does not offer --{long}"
    for command in COMMANDS:
        if words := words_of(command):
            yield from expect(bash(f"tpmauthn {command} "), words, command)
    ci = {"--" + long for _, long in options_of(output(CLI, "ci", "run", "--help"))}
    yield from expect(bash("tpmauthn ci "), ["run"], "ci")
    yield from expect(bash("tpmauthn ci run -"), ci, "ci run -")
    yield from expect(bash("tpmauthn ci run --presence "), ["auto", "script", "deny"], "ci run --presence")
    yield from expect(bash("tpmauthn ci run --devices 2 -- tpmauth", "PATH=" + str(Path(CLI).parent)), ["tpmauthn"], "ci run")
    yield from expect(bash("tpmauthn ci run --uv ok npx -"), [], "ci run npx")
    # Ids come from the daemon.
    table = "tpmauthn() { printf 'ID SITE\\n0123abcd a.example ann\\n4567ef01 b.example bob\\n'; }"
    yield from expect(bash("tpmauthn show ", table), ["0123abcd", "4567ef01"], "show")
    yield from expect(bash("tpmauthn delete 4", table), ["4567ef01"], "delete 4")
    yield from expect(bash(f"tpmauthn backup {COMPLETIONS}/_"), [f"{COMPLETIONS}/_tpmauthn"], "backup")


def completions_have_every_word():
    for name, command, option, word in (
            ("_tpmauthn", r"['\"]{}:", r"-{s},--{l}", r" {}\b"),
            ("tpmauthn.fish", r"__fish_use_subcommand -a {} ", r"-s {s} -l {l} ", r"[' ]{}[' ]")):
        source = text(COMPLETIONS / name)
        for c in COMMANDS:
            if not re.search(command.format(c), source):
                yield f"{name} does not offer {c}"
            for w in words_of(c):
                if not re.search(word.format(re.escape(w)), source):
                    yield f"{name} does not offer {c} {w}"
        for short, long in options_of(HELP):
            wanted = option.format(s=short, l=long) if short else option.split("{s}")[1][1:].format(l=long)
            if wanted not in source:
                yield f"{name} does not offer --{long}"
        for _, long in options_of(output(CLI, "ci", "run", "--help")):
            if long != "help" and not re.search(rf"(?:'\*?--|-l ){long}\b", source):
                yield f"{name} does not offer ci run --{long}"
        extra = set(re.findall(r"^ +['\"]([a-z-]+):", source, re.M) if name == "_tpmauthn"
                    else re.findall(r"use_subcommand -a ([a-z-]+)", source)) - set(COMMANDS)
        if extra:
            yield f"{name} offers {extra}, which are no commands"


def completions_are_well_formed():
    for command in (("bash", "-n", "tpmauthn.bash"), ("shellcheck", "tpmauthn.bash"), ("zsh", "-n", "_tpmauthn"),
                    ("fish", "--no-execute", "tpmauthn.fish")):
        done = run(*command, cwd=COMPLETIONS)
        if done.returncode != 0:
            yield f"{' '.join(command)}: {done.stdout}{done.stderr}"


CHECKS = (
    manual_pages_are_clean,
    options_stand_in_their_manual_pages,
    commands_stand_in_the_manual_page,
    exit_statuses_stand_in_the_manual_page,
    keys_stand_in_the_manual_page,
    bash_completes,
    completions_have_every_word,
    completions_are_well_formed,
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
