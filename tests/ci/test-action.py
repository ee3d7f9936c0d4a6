# SPDX-License-Identifier: BSD-2-Clause
"""test-action.py SOURCE: action.yml, its scripts and the Containerfile, as TAP.

GitHub's runner is played by runner.py, and sudo, modprobe, apt-get and tpmauthn by scripts that note how they were
called.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

SOURCE = Path(sys.argv[1]).resolve()
sys.path[:0] = [str(SOURCE / "tests/package"), str(SOURCE / "tests/ci")]

import schema  # noqa: E402
from runner import Runner, load  # noqa: E402
from tap import run, run_tests  # noqa: E402

CI = SOURCE / "dist/ci"
ACTION = load((SOURCE / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
SCRIPTS = ["action-run", "action-setup", "install", "machine", "needs", "permit-attestation", "uhid"]
KERNEL = "6.17.0-1022-azure"


class World:
    """A folder that is / for the scripts, with programs that note their calls and answer as `behave` says."""

    def __init__(self, folder, uid=1001):
        self.root = Path(folder)
        self.bin, self.log = self.root / "bin", self.root / "log"
        for place in ("bin", "dev", "run/udev", "etc"):
            (self.root / place).mkdir(parents=True)
        self.log.write_text("")
        (self.root / "run/udev/control").write_text("")
        self.environment = {"PATH": f"{self.bin}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.root),
                            "TPMAUTHN_ROOT": str(self.root), "LOG": str(self.log)}
        self.program("sudo", '[ "$1" != -n ] || shift\nexec "$@"')
        self.program("id", f'[ "$1" = -u ] && echo {uid} || echo runner')
        self.program("uname", f"echo {KERNEL}")
        for name in ("modprobe", "apt-get"):
            self.program(name, "exit 1")
        for name in ("udevadm", "sleep", "chown", "chmod"):
            self.program(name, "")

    def program(self, name, script):
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho "$(basename "$0") $*" >>"$LOG"\n{script}\n')
        path.chmod(0o755)

    def node(self):
        (self.root / "dev/uhid").write_text("")

    def calls(self, *names):
        """Those of these programs, in order; sudo's own are not of interest."""
        return [line for line in self.log.read_text().splitlines() if line.split(" ")[0] in names]

    def run(self, script, *arguments, expect=0):
        return run(CI / script, *arguments, expect=expect, env=self.environment)


def in_a_world(test):
    def with_one():
        with tempfile.TemporaryDirectory() as folder:
            test(World(folder))

    with_one.__name__ = test.__name__
    return with_one


# What the files look like.


def action_is_as_github_reads_it():
    found = list(schema.complaints(ACTION, schema.ACTION))
    assert not found, found
    for wrong in ({"shell": "bash"}, {"run": "true"}, {"uses": "upload-artifact"}, {"run": "x", "uses": "a/b@v1"}):
        assert list(schema.complaints(ACTION | {"runs": {"using": "composite", "steps": [wrong]}}, schema.ACTION)), wrong


def expressions_name_what_is_there():
    def check(text, allowed, steps, bare=False):
        found = list(schema.wrong_names(text, allowed, bare))
        assert not found, found
        for expression in schema.expressions_in(text, bare):
            for name in schema.names_in(expression):
                parts = name.split(".")
                assert parts[0] != "inputs" or parts[1] in ACTION["inputs"], name
                assert parts[0] != "steps" or parts[1] in steps and parts[2] == "outputs", name

    for declared in ACTION["inputs"].values():
        check(declared["default"], schema.DEFAULT_CONTEXTS, [])
    seen = []
    for step in STEPS:
        check(step.get("if", "success()"), schema.STEP_CONTEXTS | schema.STATUS, seen, bare=True)
        for text in [*step.get("env", {}).values(), *step.get("with", {}).values(), step.get("working-directory", "")]:
            check(text, schema.STEP_CONTEXTS, seen)
        seen.append(step.get("id"))
    for declared in ACTION["outputs"].values():
        check(declared["value"], schema.STEP_CONTEXTS, seen)
    assert list(schema.wrong_names("${{ secrets.x }}", schema.STEP_CONTEXTS))
    assert list(schema.wrong_names("${{ inputs.x", schema.STEP_CONTEXTS))


def no_input_becomes_text_of_a_command():
    for step in STEPS:
        if "run" in step:
            assert re.fullmatch(r'"\$GITHUB_ACTION_PATH/dist/ci/[a-z-]+"', step["run"]), step["run"]


def every_input_reaches_the_script_that_reads_it():
    used = set()
    for step in STEPS:
        values = [*step.get("env", {}).values(), *step.get("with", {}).values(), step.get("if", ""),
                  step.get("working-directory", "")]
        used |= {name for value in values for name in re.findall(r"inputs\.([\w-]+)", value)}
        if "run" not in step:
            continue
        script = (CI / step["run"].strip('"').split("/")[-1]).read_text()
        read = set(re.findall(r"\$\{?(IN_[A-Z_]+|UHID)\b", script))
        assert read == set(step["env"]), (step["id"], read ^ set(step["env"]))
        for name, value in step["env"].items():
            if name.startswith("IN_"):
                assert value == "${{ inputs.%s }}" % name[3:].lower().replace("_", "-"), (name, value)
    assert used == set(ACTION["inputs"]), used ^ set(ACTION["inputs"])


def scripts_are_clean():
    assert sorted(p.name for p in CI.iterdir() if os.access(p, os.X_OK)) == SCRIPTS
    run("shellcheck", *(CI / name for name in SCRIPTS))


def scripts_say_how_they_are_used():
    for name, arguments in (("install", ["relative"]), ("install", ["/a", "/b"]), ("needs", []), ("uhid", ["more"]), ("machine", ["more"]),
                            ("permit-attestation", [])):
        said = run(CI / name, *arguments, expect=2)
        assert said.startswith(f"dist/ci/{name}"), said
        assert "#" not in said and "pipefail" not in said, said


def container_has_all_that_the_build_reads():
    lines = (CI / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    steps = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    assert {word for word, _ in steps} == {"ARG", "FROM", "COPY", "RUN", "ENV", "ENTRYPOINT"}, steps
    copied = [rest.split() for word, rest in steps if word == "COPY" and not rest.startswith("--")]
    for *sources, target in copied:
        for source in sources:
            assert (SOURCE / source).exists(), source
            assert target in (f"/src/{source}", "/src/"), target
    folders = re.findall(r"^subdir\('([^']+)'\)", (SOURCE / "meson.build").read_text(), re.M)
    needed = {"meson.build", "meson_options.txt", "tools", *folders} - {"tests"}
    assert {source for *sources, _ in copied for source in sources} == needed
    entry = next(rest for word, rest in steps if word == "ENTRYPOINT")
    assert json.loads(entry) == ["tpmauthn", "ci", "run"]
    for word, rest in steps:
        if word == "RUN":
            run("bash", "-n", "-c", rest)
    # FROM takes an argument that stands before it.
    assert [word for word, _ in steps[:2]] == ["ARG", "FROM"]


# What the scripts do.


@in_a_world
def uhid_that_is_there_is_only_opened(world):
    world.node()
    world.run("uhid")
    assert not world.calls("modprobe", "apt-get", "chown"), world.log.read_text()
    rule = (world.root / "run/udev/rules.d/65-tpmauthn-ci.rules").read_text()
    assert rule == 'SUBSYSTEM=="hidraw", DEVPATH=="/devices/virtual/misc/uhid/*", OWNER="1001", MODE="0600"\n', rule
    assert world.calls("udevadm") == ["udevadm control --reload"]


@in_a_world
def uhid_is_loaded(world):
    world.program("modprobe", 'echo >"$TPMAUTHN_ROOT/dev/uhid"')
    world.run("uhid")
    assert world.calls("modprobe", "apt-get") == ["modprobe uhid"]


@in_a_world
def uhid_of_another_owner_is_taken_by_sudo(world):
    (world.root / "dev/uhid").mkdir()  # which nobody can open for writing
    world.program("chown", 'rmdir "$2" && echo >"$2"')
    world.run("uhid")
    assert world.calls("chown", "chmod") == [f"chown 1001 {world.root}/dev/uhid", f"chmod 0600 {world.root}/dev/uhid"]
    assert "sudo -n chown" in world.log.read_text()


@in_a_world
def uhid_that_the_kernel_left_out_is_installed(world):
    world.program("modprobe", '[ -e "$TPMAUTHN_ROOT/extra" ] && echo >"$TPMAUTHN_ROOT/dev/uhid"')
    world.program("apt-get", '[[ "$*" != *install* ]] || echo >"$TPMAUTHN_ROOT/extra"')
    world.run("uhid")
    assert world.calls("apt-get") == [
        "apt-get -q update", f"apt-get -q install -y --no-install-recommends linux-modules-extra-{KERNEL}"]


@in_a_world
def uhid_package_that_is_late_is_asked_for_again(world):
    world.program("modprobe", '[ -e "$TPMAUTHN_ROOT/extra" ] && echo >"$TPMAUTHN_ROOT/dev/uhid"')
    world.program("apt-get", '[[ "$*" = *install* ]] || exit 0\n'
                             '[ "$(grep -c "^apt-get .*install" "$LOG")" != 1 ] && echo >"$TPMAUTHN_ROOT/extra"')
    world.run("uhid")
    assert len(world.calls("sleep")) == 1, world.log.read_text()


@in_a_world
def uhid_that_cannot_be_had_is_explained(world):
    said = world.run("uhid", expect=3)
    assert f"linux-modules-extra-{KERNEL}" in said and "tpmauthn ci run --vm" in said, said
    assert len(world.calls("sleep")) == 2, world.log.read_text()


@in_a_world
def uhid_in_a_container_is_the_hosts(world):
    (world.root / ".dockerenv").write_text("")
    said = world.run("uhid", expect=3)
    assert "--device /dev/uhid" in said and not world.calls("modprobe", "apt-get"), said


@in_a_world
def uhid_takes_root_or_sudo(world):
    world.program("sudo", "exit 1")
    assert "takes root" in world.run("uhid", expect=3)
    world.program("id", "echo 0")
    world.node()
    world.run("uhid")
    assert not (world.root / "run/udev/rules.d").exists()


@in_a_world
def uhid_without_udev_is_of_no_use_but_to_root(world):
    world.node()
    (world.root / "run/udev/control").unlink()
    assert "udev does not run" in world.run("uhid", expect=3)


@in_a_world
def kvm_is_opened_to_the_user(world):
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        shutil.copytree(CI, tree / "dist/ci")
        install = tree / "tools/install"
        install.parent.mkdir()
        install.write_text('#!/bin/bash\necho "install $*" >>"$LOG"\n')
        install.chmod(0o755)
        script = tree / "dist/ci/machine"
        assert "emulated" in run(script, env=world.environment)
        assert world.calls("install", "sudo") == ["install machine"], world.log.read_text()
        (world.root / "dev/kvm").write_text("")
        assert not run(script, env=world.environment)
        assert not world.calls("sudo"), world.log.read_text()
        (world.root / "dev/kvm").unlink()
        (world.root / "dev/kvm").mkdir()
        run(script, env=world.environment)
        assert world.calls("sudo") == [f"sudo -n chown 1001 {world.root}/dev/kvm"], world.log.read_text()


@in_a_world
def attestation_is_permitted_to_these_sites(world):
    world.run("permit-attestation", "localhost", "login.example")
    for browser in ("chromium", "opt/chrome", "opt/chrome_for_testing"):
        policy = json.loads((world.root / f"etc/{browser}/policies/managed/tpmauthn-ci.json").read_text())
        assert policy == {"SecurityKeyPermitAttestation": ["localhost", "login.example"]}, policy
    policies = json.loads((world.root / "etc/firefox/policies/policies.json").read_text())["policies"]
    assert policies == {"Preferences": {"security.webauthn.always_allow_direct_attestation":
                                        {"Value": True, "Status": "default"}}}


@in_a_world
def attestation_takes_names_of_sites_only(world):
    for wrong in ("https://login.example", 'a", "b', "-x", "a b", ""):
        world.run("permit-attestation", "localhost", wrong, expect=2)
    assert not list((world.root / "etc").iterdir())


@in_a_world
def policies_of_firefox_that_are_there_stay(world):
    path = world.root / "etc/firefox/policies/policies.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert "always_allow_direct_attestation" in world.run("permit-attestation", "localhost")
    assert path.read_text() == "{}"


# What the action does.

TPMAUTHN = """printf '%s\\n' "$@" >"$(dirname "$LOG")/options"
while [ "$1" != -- ]; do
    [ "$1" != --trace ] || echo frames >"$2/trace.txt"
    shift
done
shift
exec "$@"
"""


def on_a_runner(test):
    """A tree with action.yml and its scripts, whose install makes a tpmauthn that notes its options."""

    def with_one():
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder) / "world")
            world.node()
            tree = Path(folder) / "tree"
            shutil.copytree(CI, tree / "dist/ci")
            shutil.copy(SOURCE / "action.yml", tree)
            (tree / "dist/ci/machine").write_text('#!/bin/bash\necho "machine" >>"$LOG"\n')
            (tree / "dist/ci/install").write_text(
                '#!/bin/bash\nmkdir -p "$1/bin"\ncp "$(dirname "$LOG")/bin/made" "$1/bin/tpmauthn"\n')
            world.program("made", TPMAUTHN)
            test(world, Runner(tree, folder, world.environment))

    with_one.__name__ = test.__name__
    return with_one


def options(world):
    return (world.root / "options").read_text().splitlines()


@on_a_runner
def action_runs_commands_beside_a_key(world, github):
    commands = 'cd inner\nprintf "%s|" "$PWD" \'a  b\' "$(echo c)"'
    (github.workspace / "sub/inner").mkdir(parents=True)
    assert github.run(run=commands, working_directory="sub"), github.said
    assert f"{github.workspace}/sub/inner|a  b|c|" in github.said, github.said
    *mine, dashes = options(world)[:options(world).index("--") + 1]
    trace = github.outputs["trace"]
    assert mine == ["ci", "run", "--presence", "auto", "--devices", "1", "--trace", trace], mine
    assert github.outputs["uhid"] == "yes" and github.outputs["path"] == f"{github.temp}/tpmauthn/bin"
    assert not github.uploads


@on_a_runner
def action_gives_every_input_to_ci_run(world, github):
    assert github.run(run="true", presence="script", uv="blocked", pin="a b;$(c)", devices="3", seed="x y.json",
                      set="policy.always-uv=yes\n\n  \npolicy.rp-allow=a b\n", attestation="localhost\n login.example ",
                      vm="yes", trace="no"), github.said
    mine = options(world)[:options(world).index("--")]
    assert mine == ["ci", "run", "--presence", "script", "--devices", "3", "--uv", "blocked", "--pin", "a b;$(c)",
                    "--seed", "x y.json", "--set", "policy.always-uv=yes", "--set", "policy.rp-allow=a b",
                    "--attestation", "localhost login.example", "--vm"]
    assert github.outputs["trace"] == "" and github.outputs["uhid"] == "no"


@on_a_runner
def authority_that_is_set_is_left_to_the_commands(world, github):
    for setting in (" attestation.rp-ids=localhost", "policy.enterprise-attestation=client"):
        assert github.run(run="true", attestation="localhost", set=setting), github.said
        assert "--attestation" not in options(world), setting
    policy = json.loads((world.root / "etc/chromium/policies/managed/tpmauthn-ci.json").read_text())
    assert policy["SecurityKeyPermitAttestation"] == ["localhost"]


@on_a_runner
def failure_is_the_actions_and_uploads_the_trace(world, github):
    assert not github.run(run="echo first\nfalse\necho never")
    assert "first" in github.said and "never" not in github.said
    assert github.ran == ["setup", "run", "actions/upload-artifact@v7"]
    upload, = github.uploads
    assert upload["name"] == "tpmauthn-trace-test-0-1"
    assert (Path(upload["path"]) / "trace.txt").exists()


@on_a_runner
def failure_within_a_pipe_is_one(world, github):
    assert not github.run(run="false | true")


@on_a_runner
def trace_is_uploaded_always_if_asked_for(world, github):
    assert github.run(run="true", trace="always", trace_name="mine")
    assert [upload["name"] for upload in github.uploads] == ["mine"]


@on_a_runner
def trace_is_not_uploaded_where_there_is_none(world, github):
    assert not github.run(run="false", trace="no")
    assert not github.uploads


@on_a_runner
def action_without_commands_puts_tpmauthn_on_path(world, github):
    assert github.run(), github.said
    assert github.ran == ["setup"] and github.path == [f"{github.temp}/tpmauthn/bin"]
    assert github.outputs["trace"] == ""


@on_a_runner
def action_without_uhid_takes_a_virtual_machine(world, github):
    (world.root / "dev/uhid").unlink()
    assert github.run(run="true"), github.said
    assert "--vm" in options(world) and "::notice" in github.said
    assert world.calls("machine") == ["machine"]
    assert github.outputs["uhid"] == "no"


@on_a_runner
def action_without_uhid_fails_if_told_to(world, github):
    (world.root / "dev/uhid").unlink()
    assert not github.run(run="true", vm="no")
    assert github.ran == ["setup"] and "::error" in github.said and f"linux-modules-extra-{KERNEL}" in github.said


@on_a_runner
def action_tells_browsers_of_attestation(world, github):
    assert github.run(run="true", attestation="localhost\nlogin.example  other.example\n"), github.said
    policy = json.loads((world.root / "etc/chromium/policies/managed/tpmauthn-ci.json").read_text())
    assert policy["SecurityKeyPermitAttestation"] == ["localhost", "login.example", "other.example"]


def action_refuses_wrong_inputs():
    for inputs in ({"presence": "yes"}, {"uv": "no"}, {"devices": "0"}, {"devices": "1; x"}, {"trace": "on"},
                   {"vm": "maybe"}, {"attestation": "https://a"}):
        @on_a_runner
        def refuses(world, github):
            assert not github.run(run="true", **inputs), inputs
            assert "::error" in github.said or "attestation" in inputs, github.said
            assert not (world.root / "options").exists()

        refuses()


def action_refuses_inputs_that_do_nothing():
    for inputs in ({"presence": "deny"}, {"uv": "ok"}, {"pin": "1"}, {"devices": "2"}, {"seed": "f"},
                   {"set": "a.b=c"}, {"trace": "always"}):
        @on_a_runner
        def refuses(_world, github):
            assert not github.run(**inputs), inputs
            assert "go with run" in github.said, github.said

        refuses()


@on_a_runner
def action_takes_linux(world, github):
    github.environment["RUNNER_OS"] = "macOS"
    assert not github.run(run="true")
    assert "macOS" in github.said


TESTS = [
    action_is_as_github_reads_it,
    expressions_name_what_is_there,
    no_input_becomes_text_of_a_command,
    every_input_reaches_the_script_that_reads_it,
    scripts_are_clean,
    scripts_say_how_they_are_used,
    container_has_all_that_the_build_reads,
    uhid_that_is_there_is_only_opened,
    uhid_is_loaded,
    uhid_of_another_owner_is_taken_by_sudo,
    uhid_that_the_kernel_left_out_is_installed,
    uhid_package_that_is_late_is_asked_for_again,
    uhid_that_cannot_be_had_is_explained,
    uhid_in_a_container_is_the_hosts,
    uhid_takes_root_or_sudo,
    uhid_without_udev_is_of_no_use_but_to_root,
    kvm_is_opened_to_the_user,
    attestation_is_permitted_to_these_sites,
    attestation_takes_names_of_sites_only,
    policies_of_firefox_that_are_there_stay,
    action_runs_commands_beside_a_key,
    action_gives_every_input_to_ci_run,
    authority_that_is_set_is_left_to_the_commands,
    failure_is_the_actions_and_uploads_the_trace,
    failure_within_a_pipe_is_one,
    trace_is_uploaded_always_if_asked_for,
    trace_is_not_uploaded_where_there_is_none,
    action_without_commands_puts_tpmauthn_on_path,
    action_without_uhid_takes_a_virtual_machine,
    action_without_uhid_fails_if_told_to,
    action_tells_browsers_of_attestation,
    action_refuses_wrong_inputs,
    action_refuses_inputs_that_do_nothing,
    action_takes_linux,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
