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

total, failures = Counter(), []


def verdict(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


for base in sys.argv[1:]:
    report, log = Path(base + ".junit.xml"), Path(base + ".json")
    if not report.exists() or not log.exists():
        total["failed"] += 1
        failures.append(f"{base}: no result was written")
        continue
    by_program = {}
    for suite in xml.parse(report).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            # A TAP program is a suite "project.project:suite / name"; the others are cases of one suite.
            is_tap = case.get("classname") == suite.get("name")
            program = (suite if is_tap else case).get("name").rsplit(" / ", 1)[-1]
            by_program.setdefault(program, []).append((verdict(case), case.get("name")))
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        name = entry["name"].rsplit(" / ", 1)[-1]
        cases = by_program.get(name, [])
        for result, case in cases:
            total[result] += 1
            if result != "passed":
                failures.append(f"{base}: {name}: {case} {result}")
        good = entry["result"] in ("OK", "EXPECTEDFAIL")
        if not cases and entry["result"] == "SKIP":
            total["skipped"] += 1
            failures.append(f"{base}: {name} skipped")
        elif not cases or not good and all(result == "passed" for result, _ in cases):
            total["passed" if good else "failed"] += 1
            if not good:
                failures.append(f"{base}: {name}: {entry['result']} (see {base}.txt)")

for failure in failures:
    print(failure)
print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
sys.exit(total["failed"] > 0 or total["skipped"] > 0 or total["passed"] == 0)
