# SPDX-License-Identifier: BSD-2-Clause
"""coverage.py SOURCE BUILD: how much of ctap/ its unit tests reach, as TAP.

Counts what the programs that ran in BUILD left behind (meson setup -Db_coverage=true). The two figures and
each line that nobody reached go to BUILD/coverage.txt. Branches are those of the source: not the ones that
the compiler makes to leave a function early by an exception, nor behind what cannot be reached.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

SOURCE, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
LIMITS = {"lines": 95, "branches": 90}

# What a line says that only a failing machine reaches: no memory, OpenSSL, the key device, the disk.
MACHINE = re.compile(
    r"return (r|-E\w+|refused\(\)|ctap_status_from_(errno|keys)\(.*\));"
    r"|(static int refused\(void\) \{|ERR_clear_error\(\);)"
)
# The others that only such a machine reaches.
EXCUSED = {
    "ctap/command.c": {
        # The credential keys cannot be derived from the store key: OpenSSL refused.
        "ctap_free(c);", "return s;", "buf_put_u16(reply, 0x6f00);", "return;",
    },
    "ctap/hid.c": {"return NULL;"},  # no memory
    "ctap/u2f.c": {"return SW_FAILED;"},  # U2F's word for it: OpenSSL refused a hash
}


def count():
    command = ("gcovr", "--root", str(SOURCE), str(BUILD / "ctap"), "--filter", "ctap/", "--json", "-",
               "--exclude-throw-branches", "--exclude-unreachable-branches")
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"Bail out! gcovr: {done.stderr.strip()}")
    reached, all_of = dict.fromkeys(LIMITS, 0), dict.fromkeys(LIMITS, 0)
    missed = []
    for entry in json.loads(done.stdout)["files"]:
        name, text = entry["file"], (SOURCE / entry["file"]).read_text(encoding="utf-8").splitlines()
        for line in entry["lines"]:
            if line.get("gcovr/noncode"):
                continue
            all_of["lines"] += 1
            reached["lines"] += line["count"] > 0
            all_of["branches"] += len(line["branches"])
            reached["branches"] += sum(b["count"] > 0 for b in line["branches"])
            if line["count"] == 0:
                missed.append((name, line["line_number"], text[line["line_number"] - 1].strip()))
    return reached, all_of, missed


def is_excused(name, text):
    return MACHINE.fullmatch(text) or text in EXCUSED.get(name, {})


reached, all_of, missed = count()
report, verdicts = [], []
for kind, limit in LIMITS.items():
    share = 100 * reached[kind] / all_of[kind] if all_of[kind] else 0
    report.append(f"{kind} of ctap/: {share:.1f} % ({reached[kind]} of {all_of[kind]}), at least {limit} %")
    verdicts.append((f"{kind}_of_ctap_are_reached", share >= limit, [report[-1]]))
report += [f"{name}:{number}: {text}" for name, number, text in missed]
(BUILD / "coverage.txt").write_text("\n".join(report) + "\n", encoding="utf-8")
wrong = [f"{name}:{number}: {text}" for name, number, text in missed if not is_excused(name, text)]
verdicts.append(("what_is_not_reached_is_an_error_of_the_machine", not wrong, wrong))

print(f"1..{len(verdicts)}")
for index, (name, good, notes) in enumerate(verdicts, 1):
    print(f"{'ok' if good else 'not ok'} {index} - {name}")
    for note in notes:
        print("#", note)
sys.exit(not all(good for _, good, _ in verdicts))
