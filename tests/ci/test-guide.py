# SPDX-License-Identifier: BSD-2-Clause
"""test-guide.py SOURCE TPMAUTHN TPMAUTHND: the files and the commands that docs/ci.md shows, as TAP."""

import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path

SOURCE, CLI, DAEMON = (Path(word).resolve() for word in sys.argv[1:4])
sys.path[:0] = [str(SOURCE / "tests/package"), str(SOURCE / "tests/ci")]

import schema  # noqa: E402
from runner import load  # noqa: E402
from tap import run, run_tests  # noqa: E402

GUIDE = (SOURCE / "docs/ci.md").read_text()
ACTION = load((SOURCE / "action.yml").read_text())
OWN = "OWNER/tpmauthn@"
VERSION = re.search(r"version: '([^']+)'", (SOURCE / "meson.build").read_text())[1]


def blocks(language):
    """(name of the file or of the commands, or empty; text)"""
    return re.findall(rf"(?:<!-- (?:file|run): (\S+) -->\n)?```{language}\n(.*?)```", GUIDE, re.S)


def workflows():
    return [(name, load(text)) for name, text in blocks("yaml") if name.startswith(".github/workflows/")]


def steps():
    return [step for _, workflow in workflows() for job in workflow["jobs"].values() for step in job["steps"]]


def shell():
    """All that the guide has a shell do, one text each: its blocks, and the commands in its files."""
    texts = [text for _, text in blocks("sh")]
    for step in steps():
        texts += [step["run"]] if "run" in step else []
        texts += [step["with"]["run"]] if "run" in step.get("with", {}) else []
    for name, text in blocks("yaml"):
        if name == ".gitlab-ci.yml":
            for job in load(text).values():
                texts += ["\n".join(job.get(part, [])) for part in ("before_script", "script", "after_script")]
    return [schema.runner.EXPRESSION.sub("x", text) for text in texts]


def every_file_has_a_form_that_is_known():
    known = {".yml": "yaml", ".toml": "toml", ".mjs": "js"}
    for language in set(re.findall(r"^```(\w+)$", GUIDE, re.M)) - {"sh"}:
        for name, _ in blocks(language):
            assert known[Path(name).suffix] == language, (name, language)


def workflows_are_as_github_reads_them():
    assert workflows()
    for name, workflow in workflows():
        found = list(schema.complaints(workflow, schema.WORKFLOW))
        assert not found, (name, found)
    wrong = workflows()[0][1] | {"jobs": {"j": {"runs-on": "ubuntu-24.04", "steps": [{"with": {}}]}}}
    assert list(schema.complaints(wrong, schema.WORKFLOW))


def expressions_of_workflows_name_what_is_there():
    for name, workflow in workflows():
        for job in workflow["jobs"].values():
            matrix = job.get("strategy", {}).get("matrix", {})
            for step in job["steps"]:
                conditions = schema.WORKFLOW_CONTEXTS | schema.STATUS
                assert not list(schema.wrong_names(step.get("if", "success()"), conditions, bare=True)), step
                for text in [step.get("run", ""), *step.get("with", {}).values(), *step.get("env", {}).values()]:
                    assert not list(schema.wrong_names(text, schema.WORKFLOW_CONTEXTS)), (name, text)
                    for used in re.findall(r"\bmatrix\.(\w+)", text):
                        assert used in matrix, (name, used)


def workflows_give_the_action_what_it_takes():
    own = [step for step in steps() if step.get("uses", "").startswith(OWN)]
    assert any("run" in step.get("with", {}) for step in own) and any("with" not in step for step in own)
    for step in own:
        assert step["uses"] == f"{OWN}v{VERSION}", step["uses"]
        for name in step.get("with", {}):
            assert name in ACTION["inputs"], name
    of_action = {step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step}
    uploads = {step["uses"] for step in steps() if "upload-artifact" in step.get("uses", "")}
    assert uploads <= of_action, "the guide and the action upload by different versions"


def rows(header):
    table = re.search(rf"^\| {header} \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", GUIDE, re.M)[1]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def inputs_and_outputs_are_listed_with_their_defaults():
    listed = {cells[0].strip("`"): cells[1].strip("`") for cells in rows("input")}
    declared = {name: value["default"] for name, value in ACTION["inputs"].items()}
    assert list(listed) == list(declared), set(listed) ^ set(declared)
    del listed["trace-name"]  # whose default is an expression
    for name, default in listed.items():
        assert default == declared[name], name
    assert [cells[0].strip("`") for cells in rows("output")] == list(ACTION["outputs"])


def gitlabs_file_is_as_gitlab_reads_it():
    (text,) = [text for name, text in blocks("yaml") if name == ".gitlab-ci.yml"]
    found = list(schema.complaints(load(text), schema.GITLAB))
    assert not found, found
    assert list(schema.complaints({"job": {"script": ["a"], "runs-on": "b"}}, schema.GITLAB))
    (text,) = [text for name, text in blocks("toml") if name == "config.toml"]
    (runner,) = tomllib.loads(text)["runners"]
    assert set(runner["docker"]) == {"devices", "device_cgroup_rules", "volumes"}, runner
    for rule in runner["docker"]["device_cgroup_rules"]:
        assert re.fullmatch(r"c \d+:\* rmw", rule), rule


def commands_are_ones_that_there_are():
    commands = set(re.findall(r"^  ([a-z-]+)\b", run(CLI, "--help").split("Options,")[0], re.M))
    options = set(re.findall(r"--[a-z-]+", run(CLI, "ci", "run", "--help")))
    tried = 0
    for text in shell():
        run("bash", "-n", "-c", text)
        text = text.replace("\\\n", " ")
        for script in re.findall(r"dist/ci/([a-z-]+)", text):
            assert (SOURCE / "dist/ci" / script).exists(), script
        for command in re.findall(r"(?:^|[;&|] *)tpmauthn ([a-z-]+)", text, re.M):
            assert command in commands, command
        for line in re.findall(r"tpmauthn ci run (.*)$", text, re.M):
            tried += 1
            assert re.search(r"(^|\s)-- \S", line), line
            for option in re.findall(r"--[a-z]+", line.split("-- ")[0]):
                assert option in options, option
    assert tried > 4
    # And in the text between them.
    for option in re.findall(r"`tpmauthn ci run[^`]* (--[a-z]+)", GUIDE):
        assert option in options, option
    for option in re.findall(r"`(--[a-z]+)(?: [A-Z0-9a-z]+)?`", GUIDE):
        assert option in options | {"--network"}, option


def attestation_of_the_guide_is_accepted():
    named = dict(blocks("sh"))
    command = re.sub(r"sh -c '.*'", "tpmauthn status", named["enterprise"].replace("ci run", "ci run --transport socket"))
    environment = os.environ | {"PATH": f"{CLI.parent}:{os.environ['PATH']}", "TPMAUTHND": str(DAEMON)}
    with tempfile.TemporaryDirectory() as folder:
        run("bash", "-euo", "pipefail", "-c", named["authority"], cwd=folder)
        said = run("bash", "-euo", "pipefail", "-c", command, cwd=folder, env=environment)
        assert "ready" in said, said
        run("openssl", "verify", "-CAfile", f"{folder}/ca.pem", f"{folder}/certificate.pem")
        # What the daemon looks at is what a server would refuse.
        wrong = named["authority"].replace("OU=Authenticator Attestation", "OU=Something else")
        run("bash", "-euo", "pipefail", "-c", wrong, cwd=folder)
        run("bash", "-euo", "pipefail", "-c", command, cwd=folder, env=environment, expect=125)


def links_lead_somewhere():
    anchors = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
               for line in re.findall(r"^#+ (.*)$", GUIDE, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        path, _, anchor = target.partition("#")
        assert not path or (SOURCE / "docs" / path).exists(), target
        assert path or anchor in anchors, target


def sample_uses_what_the_helper_has():
    (text,) = [text for name, text in blocks("js") if name == "tests/login.spec.mjs"]
    types = (SOURCE / "helpers/npm/index.d.cts").read_text()
    for method in re.findall(r"\bkey\.(\w+)\(", text + "".join(c for row in rows("in a test") for c in row)):
        assert re.search(rf"^\s+{method}\(", types, re.M), method
    for name, source in blocks("js"):
        with tempfile.NamedTemporaryFile("w", suffix=".mjs") as file:
            file.write(source)
            file.flush()
            run("node", "--check", file.name)


TESTS = [
    every_file_has_a_form_that_is_known,
    workflows_are_as_github_reads_them,
    expressions_of_workflows_name_what_is_there,
    workflows_give_the_action_what_it_takes,
    inputs_and_outputs_are_listed_with_their_defaults,
    gitlabs_file_is_as_gitlab_reads_it,
    commands_are_ones_that_there_are,
    attestation_of_the_guide_is_accepted,
    links_lead_somewhere,
    sample_uses_what_the_helper_has,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
