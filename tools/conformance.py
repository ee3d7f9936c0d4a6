# SPDX-License-Identifier: BSD-2-Clause
"""conformance.py: the list of rules and of the tests that are named after them, docs/conformance.md.

    conformance.py                       says what is wrong with the rules, the tests, or the list
    conformance.py --write               writes the list
    conformance.py --results LOGBASE...  prints the list with the results of these runs of `meson test`;
                                         status 1 if not every test of a rule ran and passed

The rules are in tests/rules.txt, the tests are the functions under tests/.
"""

import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import count  # noqa: E402

SOURCE = Path(__file__).resolve().parent.parent
RULES, LIST = SOURCE / "tests/rules.txt", SOURCE / "docs/conformance.md"

HEAD = """\
# Conformance

Every rule of the specifications that tpmauthn follows, by number, with the tests that show it. The numbers are this
project's own; a test is named after its rule (`MC12_...` checks MC12), so `grep` finds the one from the other. The sources
are CTAP 2.0 to 2.3 (FIDO Alliance), the U2F raw message format, WebAuthn Level 3, and, for what no document says, the
behaviour of Chromium, Firefox, libfido2, OpenSSH and python-fido2.

"""

IN_THE_TREE = """\
This list is made by `python3 tools/conformance.py --write` of `tests/rules.txt` and the names of the functions under
`tests/`; `tests/lint` fails when it is another, when a rule has neither a test nor a reason to have none, and when a test
is named after a rule that does not exist. `tools/test` makes it again with the results of its run: `build/conformance.md`.

A line ends in one of two ways: `test:` and the functions that would fail if the rule were broken; `never:` and why the rule
cannot apply to a device like this one.
"""

AFTER_A_RUN = "A rule has passed when each of its tests has, in every build that ran it.\n\n{}.\n"

PATTERNS = {
    ".c": r"^(?:static )?(?:void|int) (\w+)\(",
    ".sh": r"^(\w+)\(\) *\{",
    ".py": r"^def (\w+)\(",
}


class Rule:
    def __init__(self, number, words, reason):
        self.id, self.words, self.reason = number, words, reason
        self.tests = []


def number_of(rule):
    prefix, number, part = re.fullmatch(r"([A-Z]+)(\d+)([a-f]?)", rule).groups()
    return prefix, int(number), part


def follows(rule, before):
    """A number behind that of the line before: none is left out."""
    prefix, number, part = number_of(rule)
    if before is None or number_of(before)[0] != prefix:
        return (number, part) == (1, "")
    _, last, last_part = number_of(before)
    if part:
        return number == last and part == (chr(ord(last_part) + 1) if last_part else "a")
    return number == last + 1


def read_rules():
    """The chapters: [(title, [Rule...])...], and complaints."""
    chapters, complaints, before = [], [], None
    for at, line in enumerate(RULES.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            chapters.append((line[3:], []))
            continue
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r"([A-Z]+\d+[a-f]?) (.+?)(?: — never: (.+))?", line)
        if not found or not chapters:
            complaints.append(f"tests/rules.txt:{at}: not 'ID words' or 'ID words — never: reason', in a chapter")
            continue
        rule = Rule(*found.groups())
        if not follows(rule.id, before):
            complaints.append(f"tests/rules.txt:{at}: {rule.id} does not follow {before}")
        before = rule.id
        chapters[-1][1].append(rule)
    return chapters, complaints


def test_functions():
    """Functions under tests/: {name: file}, in the order of the files."""
    found = {}
    for path in sorted((SOURCE / "tests").rglob("*")):
        if path.suffix in PATTERNS:
            for function in re.findall(PATTERNS[path.suffix], path.read_text(encoding="utf-8"), re.M):
                found.setdefault(function, path)
    return found


def is_called(function, path):
    return len(re.findall(rf"\b{function}\b", path.read_text(encoding="utf-8"))) > 1


def assign_tests(chapters):
    """Gives each rule its tests. Returns complaints."""
    rules = {rule.id: rule for _, rules in chapters for rule in rules}
    prefixes = sorted({number_of(r)[0] for r in rules}, key=len, reverse=True)
    named = re.compile(rf"((?:{'|'.join(prefixes)})\d+[a-f]?)_\w+")
    complaints = []
    for function, path in test_functions().items():
        if not (found := named.fullmatch(function)):
            continue
        where = path.relative_to(SOURCE)
        if found[1] not in rules:
            complaints.append(f"{where}: {function} names a rule that does not exist")
            continue
        if not is_called(function, path):
            complaints.append(f"{where}: {function} is never run")
        rules[found[1]].tests.append(function)
    for rule in rules.values():
        if rule.tests and rule.reason:
            complaints.append(f"tests/rules.txt: {rule.id} has a test and a reason to have none")
        if not rule.tests and not rule.reason:
            complaints.append(f"tests/rules.txt: {rule.id} has neither a test nor a reason to have none")
    return complaints


def results_of(bases):
    """{test: "passed", "failed" or "skipped"}: the worst of its results."""
    worst, found = ("failed", "skipped", "passed"), {}
    for base in bases:
        for _, _, cases in count.programs(base) or []:
            for result, case in cases:
                name = re.sub(r"^\d+ (- )?", "", case).split()[0] if case else ""
                found[name] = min(found.get(name, "passed"), result, key=worst.index)
    return found


def ending(rule, results):
    """(state, text) of a rule's line. Without results its state is that it has tests."""
    if not rule.tests:
        return "never", f"never: {rule.reason}"
    by_state = {}
    for test in rule.tests:
        by_state.setdefault(results.get(test, "not run") if results is not None else "test", []).append(f"`{test}`")
    states = [s for s in ("failed", "skipped", "not run", "passed", "test") if s in by_state]
    return states[0], "; ".join(f"{state}: {', '.join(by_state[state])}" for state in states)


def make(chapters, results=None):
    """The list, and how many rules are in each state."""
    body, total = [], Counter()
    for title, rules in chapters:
        body += ["", f"## {title}", ""]
        for rule in rules:
            state, text = ending(rule, results)
            total[state] += 1
            body.append(f"- **{rule.id}** {rule.words} — {text}")
    head = HEAD + (IN_THE_TREE if results is None else AFTER_A_RUN.format(sum_of(total)))
    return head + "\n".join(body) + "\n", total


def sum_of(total):
    parts = [f"{total[s]} {s}" for s in ("passed", "failed", "skipped", "not run")]
    return f"{sum(total.values())} rules: {', '.join(parts)}, {total['never']} that can have no test"


def load():
    chapters, complaints = read_rules()
    return chapters, complaints + assign_tests(chapters)


def complaints():
    chapters, wrong = load()
    if not wrong and make(chapters)[0] != LIST.read_text(encoding="utf-8"):
        wrong.append("docs/conformance.md is not what rules and tests make of it: python3 tools/conformance.py --write")
    return wrong


def write():
    LIST.write_text(make(load()[0])[0], encoding="utf-8")


def print_results(bases):
    text, total = make(load()[0], results_of(bases))
    print(text, end="")
    print(f"conformance: {sum_of(total)}", file=sys.stderr)
    return any(total[s] for s in ("failed", "skipped", "not run"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--results", *bases] if bases:
            sys.exit(print_results(bases))
        case ["--write"]:
            write()
        case [_, *_]:
            sys.exit(__doc__)
    wrong = complaints()
    for complaint in wrong:
        print(complaint)
    sys.exit(bool(wrong))
