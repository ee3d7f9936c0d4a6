# SPDX-License-Identifier: BSD-2-Clause
"""count.py LOGBASE...: adds up what `meson test --logbase` wrote, in single tests.

A TAP program counts as its tests, any other as one. A program that failed although each of its tests
passed (it crashed afterwards, or ran fewer than it planned) counts as one failure more.
"""

import json
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from pathlib import Path


def verdict(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def programs(base):
    """What is in the logs: (program, meson's verdict, [(verdict, test)...]). None if there are none."""
    report, log = Path(base + ".junit.xml"), Path(base + ".json")
    if not report.exists() or not log.exists():
        return None
    by_program = {}
    for suite in xml.parse(report).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            # A TAP program is a suite "project.project:suite / name"; the others are cases of one suite.
            is_tap = case.get("classname") == suite.get("name")
            program = (suite if is_tap else case).get("name").rsplit(" / ", 1)[-1]
            by_program.setdefault(program, []).append((verdict(case), case.get("name")))
    entries = (json.loads(line) for line in log.read_text().splitlines())
    names = ((e["name"].rsplit(" / ", 1)[-1], e["result"]) for e in entries)
    return [(name, result, by_program.get(name, [])) for name, result in names]


def count(bases):
    total, failures = Counter(), []
    for base in bases:
        ran = programs(base)
        if ran is None:
            total["failed"] += 1
            failures.append(f"{base}: no result was written")
            continue
        for name, outcome, cases in ran:
            for result, case in cases:
                total[result] += 1
                if result != "passed":
                    failures.append(f"{base}: {name}: {case} {result}")
            good = outcome in ("OK", "EXPECTEDFAIL")
            if not cases and outcome == "SKIP":
                total["skipped"] += 1
                failures.append(f"{base}: {name} skipped")
            elif not cases or not good and all(result == "passed" for result, _ in cases):
                total["passed" if good else "failed"] += 1
                if not good:
                    failures.append(f"{base}: {name}: {outcome} (see {base}.txt)")
    return total, failures


if __name__ == "__main__":
    total, failures = count(sys.argv[1:])
    for failure in failures:
        print(failure)
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    sys.exit(total["failed"] > 0 or total["skipped"] > 0 or total["passed"] == 0)
