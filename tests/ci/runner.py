# SPDX-License-Identifier: BSD-2-Clause
"""Runs a composite action of GitHub's step by step, as far as action.yml of this tree goes: inputs and their
defaults, expressions, conditions, environment files, statuses. An action that a step uses is noted, not run.

As a program: runner.py TREE FOLDER [INPUT=VALUE...] runs the action in TREE with FOLDER for temporary files. Its
status is the action's, and its last line says what would have been uploaded.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml


class Loader(yaml.BaseLoader):
    """Every value is text, as in GitHub's and GitLab's own reading, and a key that comes twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"the key {key} comes twice: {node.start_mark}")
        return super().construct_mapping(node, deep)


def load(text):
    return yaml.load(text, Loader=Loader)


EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)
TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)|(&&|\|\||==|!=|!|\(|\)))")
FUNCTIONS = ("always", "cancelled", "failure", "success")


def tokens(expression):
    """(kind, text) of each; kind is "text", "name", or the operator."""
    at, found, expression = 0, [], expression.strip()
    while at < len(expression):
        match = TOKEN.match(expression, at)
        if not match:
            raise ValueError(f"cannot read the expression at: {expression[at:]}")
        text, name, operator = match.groups()
        found.append(("text", text[1:-1].replace("''", "'")) if text else ("name", name) if name else
                     (operator, operator))
        at = match.end()
    return found


class Expression:
    """One without numbers, arrays, or functions that take something. What is not there is the empty text."""

    def __init__(self, source, contexts):
        self.left, self.contexts = tokens(source), contexts
        self.value = self.any()
        if self.left:
            raise ValueError(f"more than an expression: {self.left} in {source}")

    def take(self, *kinds):
        if self.left and self.left[0][0] in kinds:
            return self.left.pop(0)
        return None

    def any(self):
        value = self.all()
        while self.take("||"):
            other = self.all()
            value = value or other
        return value

    def all(self):
        value = self.equal()
        while self.take("&&"):
            other = self.equal()
            value = value and other
        return value

    def equal(self):
        value = self.one()
        while operator := self.take("==", "!="):
            # Texts are compared without regard to case.
            same = str(value).lower() == str(self.one()).lower()
            value = same == (operator[0] == "==")
        return value

    def one(self):
        if self.take("!"):
            return not self.one()
        if self.take("("):
            value = self.any()
        elif text := self.take("text"):
            return text[1]
        elif name := self.take("name"):
            if not self.take("("):
                return self.find(name[1])
            value = self.contexts[name[1] + "()"]
        else:
            raise ValueError(f"an expression ends early: {self.left}")
        if not self.take(")"):
            raise ValueError(f"a bracket is missing before {self.left}")
        return value

    def find(self, name):
        value = self.contexts
        for part in name.split("."):
            value = value.get(part, "") if isinstance(value, dict) else ""
        return value


def fill(text, contexts):
    return EXPRESSION.sub(lambda found: str(Expression(found[1], contexts).value), text)


def holds(condition, contexts):
    whole = EXPRESSION.fullmatch(condition.strip())
    expression = whole[1] if whole else condition
    value = Expression(expression, contexts).value
    asks_for_status = any(f"{f}()" in expression.replace(" ", "") for f in FUNCTIONS)
    return bool(value) and (asks_for_status or contexts["success()"])


def commands_in(path):
    """NAME=VALUE lines of an environment file."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


class Runner:
    """`tree` has the action; `folder` becomes the workspace and the folder for temporary files."""

    def __init__(self, tree, folder, environment):
        self.tree, self.folder = Path(tree), Path(folder)
        self.action = load((self.tree / "action.yml").read_text())
        self.workspace, self.temp = self.folder / "workspace", self.folder / "temp"
        for place in (self.workspace, self.temp):
            place.mkdir(exist_ok=True)
        self.environment = environment | {"RUNNER_OS": "Linux", "RUNNER_TEMP": str(self.temp),
                                          "GITHUB_ACTION_PATH": str(self.tree), "GITHUB_ACTIONS": "true",
                                          "GITHUB_WORKSPACE": str(self.workspace)}
        self.job = {"github": {"job": "test", "run_attempt": "1"}, "strategy": {"job-index": "0"},
                    "runner": {"os": "Linux"}}
        self.path, self.uploads, self.said, self.ran = [], [], "", []

    def run(self, **given):
        """Whether the action succeeds. Its outputs are in `outputs` then, what it wrote in `said`."""
        inputs = {name.replace("_", "-"): value for name, value in given.items()}
        for name in inputs:
            if name not in self.action["inputs"]:
                raise ValueError(f"the action has no input {name}")
        for name, declared in self.action["inputs"].items():
            inputs.setdefault(name, fill(declared.get("default", ""), self.job))
        steps, failed = {}, False
        for step in self.action["runs"]["steps"]:
            contexts = self.job | {"inputs": inputs, "steps": steps, "always()": True, "cancelled()": False,
                                   "failure()": failed, "success()": not failed}
            if not holds(step.get("if", "success()"), contexts):
                continue
            self.ran.append(step.get("id", step.get("uses")))
            if "uses" in step:
                self.uploads.append({key: fill(value, contexts) for key, value in step["with"].items()})
                continue
            status, outputs = self.step(step, contexts)
            failed = failed or status != 0
            if "id" in step:
                steps[step["id"]] = {"outputs": outputs, "outcome": "failure" if status else "success"}
        contexts = self.job | {"inputs": inputs, "steps": steps}
        self.outputs = {name: fill(o["value"], contexts) for name, o in self.action["outputs"].items()}
        return not failed

    def step(self, step, contexts):
        if step["shell"] != "bash":
            raise ValueError(f"no shell {step['shell']} here")
        files = {name: self.folder / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("")
        environment = self.environment | {name: str(file) for name, file in files.items()}
        environment["PATH"] = ":".join([*self.path, environment["PATH"]])
        environment |= {key: fill(value, contexts) for key, value in step.get("env", {}).items()}
        script = self.folder / "step.sh"
        script.write_text(fill(step["run"], contexts) + "\n")
        where = self.workspace / fill(step.get("working-directory", "."), contexts)
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], cwd=where,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.said += done.stdout
        self.path = list(reversed(files["GITHUB_PATH"].read_text().split())) + self.path
        self.environment |= commands_in(files["GITHUB_ENV"])
        return done.returncode, commands_in(files["GITHUB_OUTPUT"])


def main():
    runner = Runner(sys.argv[1], sys.argv[2], dict(os.environ))
    succeeded = runner.run(**dict(argument.split("=", 1) for argument in sys.argv[3:]))
    print(runner.said, end="")
    print("uploaded:", *(upload["path"] for upload in runner.uploads))
    return int(not succeeded)


if __name__ == "__main__":
    sys.exit(main())
