# SPDX-License-Identifier: BSD-2-Clause
"""test-agent.py AGENT DAEMON ARTEFACTS LOCALES [NAME...]: the dialog, driven by keys under Xvfb, as TAP.

Each test is a function with a desktop of its own; the pictures stay in ARTEFACTS.
"""

import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from desktop import Daemon, Desktop, Failure, RealDaemon, check, wait_until  # noqa: E402

HERE = Path(__file__).resolve().parent
# Where the distribution's modules are, whichever python3 runs this.
PYTHON = "/usr/bin/python3"

ARM = 0.7
SITE = {"rp_id": "accounts.example.org", "account": "alice@example.org", "accounts": 1}
PIN = {"verify": True, "tries": 8}


def let_arm(shown):
    time.sleep(max(0.0, shown + ARM + 0.25 - time.monotonic()))


class Service:
    """One of services.py."""

    def __init__(self, desktop, which):
        self.process = desktop.start(PYTHON, str(HERE / "services.py"), which, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, bufsize=1)
        self.expect("ready")

    def expect(self, call):
        line = self.process.stdout.readline()
        check(line, f"the service ended before {call}")
        heard = json.loads(line)
        check(heard["call"] == call, f"the service was asked {heard}, not {call}")
        return heard

    def tell(self, line):
        self.process.stdin.write(line + "\n")


def gtk(desktop, **more):
    return Daemon(desktop, "--ui", "gtk4", **more)


def a_passkey_is_created_by_keys_alone(desktop):
    with gtk(desktop) as daemon:
        check(daemon.hello == {"type": "hello", "v": 1, "ui": "gtk4", "pin": True, "hold": True}, f"hello is {daemon.hello}")
        shown = daemon.ask_and_see("create", **SITE)
        desktop.wait_for_focus("Create a passkey")
        let_arm(shown)
        desktop.picture("create", "Create a passkey")
        desktop.press("Tab", "Tab", "Return")
        daemon.expect_answer("yes")
        wait_until(lambda: not desktop.windows(), "the window is gone")


def a_pin_and_enter_say_yes(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", **SITE, **PIN, finger=True)
        desktop.wait_for_focus("Use a passkey")
        desktop.picture("use", "Use a passkey")
        let_arm(shown)
        desktop.type("2468 and more")
        desktop.press("Return")
        daemon.expect_answer("yes", pin="2468 and more")


def a_wrong_pin_is_asked_for_again(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", **SITE, **PIN)
        desktop.wait_for_focus("Use a passkey")
        let_arm(shown)
        desktop.type("1111")
        desktop.press("Return")
        daemon.expect_answer("yes", pin="1111")
        shown = daemon.ask_and_see("use", **SITE, verify=True, again=True, tries=2)
        desktop.wait_for_focus("Use a passkey")
        desktop.picture("wrong-pin", "Use a passkey")
        let_arm(shown)
        # Nothing of the first one is left in the entry.
        desktop.type("2468")
        desktop.press("Return")
        daemon.expect_answer("yes", pin="2468")


def escape_and_closing_refuse(desktop):
    with gtk(desktop) as daemon:
        for more in ({}, PIN):
            for key in ("Escape", "alt+F4"):
                daemon.ask_and_see("use", **SITE, **more)
                desktop.wait_for_focus("Use a passkey")
                desktop.press(key)
                daemon.expect_answer("no")
                wait_until(lambda: not desktop.windows(), "the window is gone")


def an_early_enter_is_not_accepted(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("create", **SITE)
        desktop.wait_for_focus("Create a passkey")
        while time.monotonic() < shown + ARM - 0.2:
            desktop.press("Return", "space", "Tab", "Return")
        daemon.withdraw()
        # Tab may have gone to the button that refuses; it never was a yes.
        daemon.connection.settimeout(0.3)
        try:
            heard = daemon.hear()
            check(heard["answer"] == "no", f"an early key said {heard}")
        except TimeoutError:
            pass
        daemon.connection.settimeout(10)

        shown = daemon.ask_and_see("use", **SITE, **PIN)
        desktop.wait_for_focus("Use a passkey")
        desktop.run("xdotool", "key", "--delay", "0", "2", "4", "6", "8", "Return")
        check(time.monotonic() < shown + ARM, "this machine is too slow for this test")
        daemon.expect_silence(0.6)
        let_arm(shown)
        desktop.press("Return")
        daemon.expect_answer("yes", pin="2468")


def without_a_pin_enter_and_space_say_nothing(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("manage")
        desktop.wait_for_focus("Manage passkeys")
        let_arm(shown)
        desktop.press("Return", "space", "y", "KP_Enter", "ISO_Enter")
        daemon.expect_silence(0.5)
        check("Manage passkeys" in desktop.windows(), "the window is gone")
        desktop.press("Escape")
        daemon.expect_answer("no")


def the_order_of_tab_is_entry_refuse_confirm(desktop):
    with gtk(desktop) as daemon:
        for keys, answer, more in (
            (["Tab", "Return"], "no", {}),
            (["Tab", "Tab", "space"], "yes", {"pin": "2468"}),
            (["Tab", "Tab", "Tab", "Return"], "yes", {"pin": "2468"}),
            (["shift+Tab", "Return"], "yes", {"pin": "2468"}),
        ):
            shown = daemon.ask_and_see("use", **SITE, **PIN)
            desktop.wait_for_focus("Use a passkey")
            let_arm(shown)
            desktop.type("2468")
            desktop.press(*keys)
            daemon.expect_answer(answer, **more)


def mnemonics_work(desktop):
    with gtk(desktop) as daemon:
        for key, answer in (("alt+u", "yes"), ("alt+r", "no")):
            shown = daemon.ask_and_see("use", **SITE)
            desktop.wait_for_focus("Use a passkey")
            let_arm(shown)
            desktop.press(key)
            daemon.expect_answer(answer)
        shown = daemon.ask_and_see("use", **SITE, **PIN)
        desktop.wait_for_focus("Use a passkey")
        let_arm(shown)
        desktop.press("Tab", "alt+p")
        desktop.type("2468")
        desktop.press("Return")
        daemon.expect_answer("yes", pin="2468")


def what_is_no_pin_is_not_sent(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", **SITE, **PIN)
        desktop.wait_for_focus("Use a passkey")
        let_arm(shown)
        desktop.type("123")
        desktop.press("Return")
        daemon.expect_silence(0.4)
        desktop.picture("short-pin", "Use a passkey")
        desktop.type("1234")
        desktop.press("Return")
        daemon.expect_answer("yes", pin="1234")


def a_reset_is_held_on_for(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("reset", hold=4)
        desktop.wait_for_focus("Erase all passkeys")
        let_arm(shown)
        desktop.press("Tab", "Tab")
        # Shorter, several times, by click and by mnemonic: none of it adds up.
        for _ in range(3):
            desktop.hold("Return", 1.5)
        desktop.press("Return", "space", "alt+e")
        daemon.expect_silence(0.5)
        held = time.monotonic()
        desktop.run("xdotool", "keydown", "space")
        time.sleep(1)
        desktop.picture("reset", "Erase all passkeys")
        daemon.expect_answer("yes")
        took = time.monotonic() - held
        check(4 <= took < 6, f"it took {took:.1f} seconds")
        desktop.run("xdotool", "keyup", "space")

        # Away from the button with the key down.
        shown = daemon.ask_and_see("reset", hold=2)
        desktop.wait_for_focus("Erase all passkeys")
        let_arm(shown)
        desktop.press("Tab", "Tab")
        desktop.run("xdotool", "keydown", "Return")
        time.sleep(0.5)
        desktop.press("shift+Tab")
        time.sleep(0.1)
        desktop.run("xdotool", "keyup", "Return")
        time.sleep(1.8)
        daemon.withdraw()
        daemon.connection.settimeout(0.3)
        try:
            heard = daemon.hear()
            check(heard["answer"] == "no", f"what was let go said {heard}")
        except TimeoutError:
            pass


def where_the_pin_is_blocked_there_is_nothing_to_type(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", **SITE, verify=True, tries=0)
        desktop.wait_for_focus("Use a passkey")
        let_arm(shown)
        desktop.picture("blocked", "Use a passkey")
        desktop.type("2468")
        desktop.press("Return")
        daemon.expect_silence(0.3)
        desktop.press("Tab", "Return")
        daemon.expect_answer("no")


def a_withdrawn_question_is_gone_at_once(desktop):
    with gtk(desktop) as daemon:
        for more in ({}, PIN | {"finger": True}):
            for why in ("cancelled", "timeout", "locked", "finger"):
                daemon.ask_and_see("use", **SITE, **more)
                number = desktop.window("Use a passkey")
                began = time.monotonic()
                daemon.withdraw(why)
                wait_until(lambda: "IsViewable" not in desktop.run("xwininfo", "-id", number), "the window is gone", 2)
                took = time.monotonic() - began
                check(took < 0.2, f"the window stayed for {took * 1000:.0f} ms")
        daemon.expect_silence(0.2)


def a_question_goes_away_with_the_daemon(desktop):
    with gtk(desktop) as daemon:
        daemon.ask_and_see("use", **SITE)
        desktop.window("Use a passkey")
        daemon.connection.close()
        wait_until(lambda: not desktop.windows(), "the window is gone", 1)
        daemon.accept()
        daemon.ask_and_see("create", **SITE)
        desktop.window("Create a passkey")


def fingers_are_told_of(desktop):
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", **SITE, **PIN, finger=True)
        desktop.wait_for_focus("Use a passkey")
        for state in ("no-match", "retry", "gone", "waiting"):
            daemon.finger(state)
            desktop.picture(f"finger-{state}", "Use a passkey")
        desktop.type("2468")
        daemon.finger("retry")
        let_arm(shown)
        # What was typed so far is still there.
        desktop.press("Return")
        daemon.expect_answer("yes", pin="2468")


def every_question_fits_its_window(desktop):
    with gtk(desktop) as daemon:
        for name, title, verb, more in (
            ("select", "Use this computer?", "select", {}),
            ("manage", "Manage passkeys", "manage", PIN),
            ("verify", "Create or use a passkey", "verify", SITE | PIN),
            ("ssh", "Use a passkey", "use", {"rp_id": "ssh:"}),
            ("long", "Use a passkey", "use", {"rp_id": "a" * 200 + ".example.org", "account": "\u202e" + "b" * 300} | PIN),
        ):
            daemon.ask_and_see(verb, **more)
            number = desktop.window(title)
            desktop.picture(name, title)
            size = dict(line.split("=") for line in desktop.run("xdotool", "getwindowgeometry", "--shell", number).split())
            check(int(size["WIDTH"]) < 620 and int(size["HEIGHT"]) < 620, f"{name} is {size['WIDTH']} by {size['HEIGHT']}")
            daemon.withdraw()
            wait_until(lambda: not desktop.windows(), "the window is gone")


def languages_are_spoken(desktop):
    for language, title in (("de", "Passkey verwenden"), ("fr", "Utiliser une clé d’accès")):
        with gtk(desktop, language=language) as daemon:
            daemon.ask_and_see("use", **SITE, verify=True, again=True, tries=3, finger=True)
            desktop.picture(f"use-{language}", title)
            daemon.withdraw()
            daemon.ask_and_see("reset", hold=5)
            reset = "Alle Passkeys löschen" if language == "de" else "Effacer toutes les clés d’accès"
            desktop.picture(f"reset-{language}", reset)


def a_window_follows_the_style_of_the_desktop(desktop):
    portal = Service(desktop, "portal")
    portal.tell("1")
    with gtk(desktop) as daemon:
        check(portal.expect("read")["key"] == "color-scheme", "it asks for something else")
        for name, scheme, dark in (("dark", None, True), ("light", "2", False), ("dark-again", "1", True)):
            if scheme:
                portal.tell(scheme)
                time.sleep(0.5)
            daemon.ask_and_see("use", **SITE, verify=True, again=True, tries=2, finger=True)
            desktop.picture(name, "Use a passkey")
            brightness = desktop.average(name)
            check((brightness < 0.5) == dark, f"{name} has a brightness of {brightness}")


def a_passive_question_is_a_notification(desktop):
    service = Service(desktop, "notifications")
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", rp_id="a&b.example", passive=True)
        notice = service.expect("notify")
        check(notice["summary"] == "Use a passkey", f"it says {notice['summary']}")
        check("\na&amp;b.example\n" in notice["body"], f"it says {notice['body']}")
        check(notice["actions"] == ["use", "Use this computer's passkey"], f"it offers {notice['actions']}")
        check(notice["transient"] and notice["timeout"] == 30000, "it stays for good")
        check(not desktop.windows(), "there is a window too")
        # Too soon: it comes up once more.
        service.tell(f"act {notice['id']}")
        again = service.expect("notify")
        daemon.expect_silence(0.2)
        let_arm(shown + 0.3)
        service.tell(f"act {again['id']}")
        daemon.expect_answer("yes")

        # Closing it is no answer, and an old number says nothing.
        daemon.ask_and_see("use", **SITE, passive=True)
        notice = service.expect("notify")
        let_arm(time.monotonic())
        service.tell(f"act {again['id']}")
        service.tell(f"close {notice['id']}")
        daemon.expect_silence(0.3)
        daemon.withdraw()
        check(service.expect("close")["id"] == notice["id"], "another one is closed")


def without_a_service_a_passive_question_takes_no_focus(desktop):
    desktop.start("xev", "-name", "other", "-geometry", "300x200+0+0")
    other = wait_until(lambda: desktop.run("xdotool", "search", "--onlyvisible", "--name", "^other$").strip(), "a window", 30)
    wait_until(lambda: desktop.focused() == other, "its focus")
    with gtk(desktop) as daemon:
        shown = daemon.ask_and_see("use", **SITE, passive=True)
        number = desktop.window("Use a passkey")
        desktop.picture("passive", "Use a passkey")
        check(desktop.focused() == other, "the question took the focus")
        let_arm(shown)
        desktop.press("Return", "Escape")
        daemon.expect_silence(0.3)
        # Closed by the person: no answer for the other key to hear of.
        desktop.run("xdotool", "windowfocus", "--sync", number, "key", "Escape")
        wait_until(lambda: not desktop.windows(), "the window is gone")
        daemon.expect_silence(0.3)
        shown = daemon.ask_and_see("use", **SITE, passive=True)
        number = desktop.window("Use a passkey")
        let_arm(shown)
        desktop.run("xdotool", "windowfocus", "--sync", number)
        desktop.press("Tab", "Tab", "Return")
        daemon.expect_answer("yes")


def a_screen_reader_is_told_everything(desktop):
    launcher = next(str(p) for p in map(Path, ("/usr/libexec/at-spi-bus-launcher", "/usr/lib/at-spi2-core/at-spi-bus-launcher"))
                    if p.exists())
    desktop.start(launcher, "--launch-immediately")
    wait_until(lambda: "org.a11y.Bus" in desktop.run("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus",
                                                     "/", "org.freedesktop.DBus.ListNames"), "the accessibility bus")
    env = {"GTK_A11Y": "atspi"}
    with gtk(desktop, env=env) as daemon:
        daemon.ask_and_see("use", **SITE, verify=True, again=True, tries=2, finger=True)
        desktop.wait_for_focus("Use a passkey")
        done = subprocess.run([PYTHON, str(HERE / "accessible.py")], env=desktop.env, capture_output=True, text=True, timeout=30)
        check(done.returncode == 0, done.stderr.strip())
        (desktop.artefacts / "accessible.json").write_text(done.stdout)
        items = json.loads(done.stdout)
        names = {item["name"] for item in items}
        for wanted in ("accounts.example.org", "alice@example.org", "lab", "Wrong PIN. 2 tries are left.",
                       "or touch the fingerprint reader", "PIN of this computer's passkeys", "Refuse", "Use"):
            check(wanted in names, f"nothing is called {wanted}: {sorted(names)}")
        check(any("accounts.example.org" in item["description"] for item in items), "the window has no description")
        focused = [item["name"] for item in items if item["focused"]]
        check("PIN of this computer's passkeys" in focused, f"the focus is on {focused}")


def a_second_agent_of_a_session_ends(desktop):
    with gtk(desktop) as daemon:
        done = subprocess.run([desktop.agent, "--ui", "gtk4", "--socket", str(daemon.path)], env=desktop.env,
                              capture_output=True, text=True, timeout=10)
        check(done.returncode == 0 and "one is running" in done.stderr, f"it ended with {done}")


def ways_of_asking_are_chosen_by_what_is_there(desktop):
    (desktop.directory / "pinentry").write_text("#!/bin/sh\nexec cat\n")
    (desktop.directory / "pinentry").chmod(0o700)
    pinentry = {"PINENTRY_PROGRAM": str(desktop.directory / "pinentry")}
    none = {"PINENTRY_PROGRAM": "/nowhere"}
    nowhere = {"DISPLAY": ""}
    for env, way in ((pinentry, "gtk4"), (pinentry | nowhere | {"GPG_TTY": "/dev/null"}, "pinentry")):
        with Daemon(desktop, env=env) as daemon:
            check(daemon.hello["ui"] == way, f"it asks by {daemon.hello['ui']}, not {way}")
    person, terminal = pty.openpty()
    with Daemon(desktop, env=none | nowhere, stdin=terminal) as daemon:
        check(daemon.hello["ui"] == "tty", f"it asks by {daemon.hello['ui']}")
    os.close(terminal)
    os.close(person)

    for options, env, says in (
        ([], none | nowhere, "nowhere to ask"),
        (["--ui", "gtk4"], nowhere, "gtk4 cannot ask here"),
        (["--ui", "pinentry"], none, "pinentry cannot ask here"),
        (["--ui", "tty"], {}, "tty cannot ask here"),
        (["--ui", "smoke"], {}, "there is no way to ask by the name of smoke"),
        (["operand"], {}, "there is no operand"),
    ):
        done = subprocess.run([desktop.agent, *options], env=desktop.env | env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=10)
        check(done.returncode > 0 and says in done.stderr, f"{options} ends with {done}")


def a_pinentry_of_the_distribution_asks(desktop):
    """pinentry-tty and pinentry-curses, on a terminal whose other end is the person."""
    for program, question in (("pinentry-tty", b"PIN:"), ("pinentry-curses", b"PIN:")):
        person, terminal = pty.openpty()
        env = {"PINENTRY_PROGRAM": program, "TERM": "xterm", "DISPLAY": ""}
        with Daemon(desktop, "--ui", "pinentry", env=env, stdin=terminal) as daemon:
            shown = daemon.ask_and_see("use", **SITE, verify=True, again=True, tries=2)
            seen = b""
            while question not in seen:
                check(select.select([person], [], [], 10)[0], f"{program} shows no more than {seen}")
                seen += os.read(person, 4096)
            check(b"accounts.example.org" in seen, f"{program} shows {seen}")
            check(b"2 tries" in seen, f"{program} shows {seen}")
            let_arm(shown)
            os.write(person, b"2468\r")
            daemon.expect_answer("yes", pin="2468")
            # Taken away, and the next one is asked by a process of its own.
            daemon.ask_and_see("use", **SITE, **PIN)
            daemon.withdraw()
            daemon.expect_silence(0.5)
            children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text()
            check(not children.strip(), f"{program} is still there")
        os.close(terminal)
        os.close(person)


def other_programs_of_the_person_cannot_look_inside(desktop):
    """What is not dumpable belongs to root in /proc, and leaves no core file."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    (desktop.directory / "pinentry").write_text("#!/bin/sh\nexec cat\n")
    desktop.directory.chmod(0o777)
    (desktop.directory / "pinentry").chmod(0o755)
    env = {"PINENTRY_PROGRAM": str(desktop.directory / "pinentry"), "XDG_RUNTIME_DIR": ""}
    agent = desktop.agent
    desktop.agent = str(desktop.directory / "agent")
    Path(desktop.agent).write_text(f"#!/bin/sh\nexec {' '.join(drop)} {agent} \"$@\"\n")
    Path(desktop.agent).chmod(0o755)
    with Daemon(desktop, "--ui", "pinentry", env=env, connects=False) as daemon:
        daemon.path.chmod(0o777)
        daemon.accept()
        process = Path(f"/proc/{daemon.process.pid}")
        check(f"\nUid:\t{65534 if drop else os.getuid()}\t" in (process / "status").read_text(), "it runs as another user")
        check(stat.S_ISREG((process / "environ").stat().st_mode) and (process / "environ").stat().st_uid == 0,
              "its memory is open")
        check("Max core file size        0                    0" in (process / "limits").read_text(), "it leaves core files")


def no_pin_is_written_anywhere(desktop):
    with gtk(desktop, env={"G_MESSAGES_DEBUG": "all"}) as daemon:
        shown = daemon.ask_and_see("use", **SITE, **PIN)
        desktop.wait_for_focus("Use a passkey")
        let_arm(shown)
        desktop.type("97531864")
        desktop.press("Return")
        daemon.expect_answer("yes", pin="97531864")
        process = Path(f"/proc/{daemon.process.pid}")
        for name in ("cmdline", "environ"):
            check(b"97531864" not in (process / name).read_bytes(), f"the PIN is in {name}")
    desktop.log.flush()
    check(b"97531864" not in (desktop.artefacts / "log.txt").read_bytes(), "the PIN is in the log")


def the_daemon_asks_by_the_agent(desktop):
    """CTAP2_OK, OPERATION_DENIED, KEEPALIVE_CANCEL: by keys, from a client to the dialog and back."""
    real = RealDaemon(desktop, daemon_program)
    title = "Create a passkey"

    def can_verify():
        try:
            real.connect()
            return real.can_verify()
        except (ConnectionResetError, BrokenPipeError):
            return False

    def start_agent():
        """And a client, once there is somebody who is asked and the device was plugged in anew for that."""
        agent = desktop.start(desktop.agent, "--ui", "gtk4", "--socket", str(real.agents))
        wait_until(can_verify, "an agent", 30)
        time.sleep(1.5)  # that happens once a second at most
        real.connect()
        real.create()
        desktop.window(title)
        return agent, time.monotonic()

    agent, shown = start_agent()
    desktop.wait_for_focus(title)
    let_arm(shown)
    desktop.picture("real", title)
    desktop.press("Tab", "Tab", "Return")
    real.expect(0x00)

    real.create()
    desktop.wait_for_focus(title)
    desktop.press("Escape")
    real.expect(0x27)

    real.create()
    number = desktop.window(title)
    began = time.monotonic()
    real.cancel()
    wait_until(lambda: "IsViewable" not in desktop.run("xwininfo", "-id", number), "the window is gone", 2)
    took = time.monotonic() - began
    check(took < 0.2, f"the window stayed for {took * 1000:.0f} ms")
    real.expect(0x2D)

    # An agent that dies with its question, and the next one.
    real.create()
    desktop.window(title)
    desktop.stop(agent, signal.SIGKILL)
    real.expect(0x27, 5)
    agent, _ = start_agent()
    real.cancel()
    real.expect(0x2D)

    # A daemon that ends takes its question away.
    real.create()
    desktop.window(title)
    desktop.stop(real.process)
    wait_until(lambda: not desktop.windows(), "the window is gone", 2)
    check(desktop.stop(agent) == 0, "the agent has failed")
    real.close()


TESTS = (
    a_passkey_is_created_by_keys_alone,
    a_pin_and_enter_say_yes,
    a_wrong_pin_is_asked_for_again,
    escape_and_closing_refuse,
    an_early_enter_is_not_accepted,
    without_a_pin_enter_and_space_say_nothing,
    the_order_of_tab_is_entry_refuse_confirm,
    mnemonics_work,
    what_is_no_pin_is_not_sent,
    a_reset_is_held_on_for,
    where_the_pin_is_blocked_there_is_nothing_to_type,
    a_withdrawn_question_is_gone_at_once,
    a_question_goes_away_with_the_daemon,
    fingers_are_told_of,
    every_question_fits_its_window,
    languages_are_spoken,
    a_window_follows_the_style_of_the_desktop,
    a_passive_question_is_a_notification,
    without_a_service_a_passive_question_takes_no_focus,
    a_screen_reader_is_told_everything,
    a_second_agent_of_a_session_ends,
    ways_of_asking_are_chosen_by_what_is_there,
    a_pinentry_of_the_distribution_asks,
    other_programs_of_the_person_cannot_look_inside,
    no_pin_is_written_anywhere,
    the_daemon_asks_by_the_agent,
)

agent, daemon_program, artefacts, locales, *names = sys.argv[1:]
chosen = [test for test in TESTS if not names or test.__name__ in names]
print(f"1..{len(chosen)}", flush=True)
bad = 0
for index, test in enumerate(chosen, 1):
    desktop = None
    try:
        desktop = Desktop(agent, artefacts, locales)
        test(desktop)
        print(f"ok {index} - {test.__name__}", flush=True)
    except Exception as e:
        bad += 1
        print(f"not ok {index} - {test.__name__}", flush=True)
        for line in (str(e) if isinstance(e, Failure) else traceback.format_exc()).splitlines():
            print("#", line, flush=True)
    finally:
        if desktop:
            desktop.close()
sys.exit(bad > 0)
