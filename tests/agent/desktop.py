# SPDX-License-Identifier: BSD-2-Clause
"""A desktop without a screen for the agent: an X server, a window manager, a session bus, and a daemon that says
what a test has it say. Everything that is started here ends with the Desktop, by its number.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_until(condition, what, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.005)
    return found


class Desktop:
    def __init__(self, agent, artefacts, locales):
        self.agent, self.artefacts, self.locales = agent, Path(artefacts), locales
        self.processes = []
        self.directory = Path(tempfile.mkdtemp(prefix="tpmauthn-agent-"))
        self.artefacts.mkdir(parents=True, exist_ok=True)
        self.log = open(self.artefacts / "log.txt", "ab")
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "XDG_RUNTIME_DIR": str(self.directory),
            "LC_ALL": "C.UTF-8",
            "GDK_BACKEND": "x11",
            "GSK_RENDERER": "cairo",
            "GTK_A11Y": "none",
            "GSETTINGS_BACKEND": "memory",
            "TEXTDOMAINDIR": str(locales),
        }
        # What a build with sanitizers is told.
        self.env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        try:
            self.start_display()
            self.start_bus()
        except BaseException:
            self.close()
            raise

    def start(self, *command, **more):
        more = {"stdout": self.log, "stderr": self.log, "stdin": subprocess.DEVNULL, "env": self.env} | more
        process = subprocess.Popen(command, **more)
        self.processes.append(process)
        return process

    def stop(self, process, signal_number=signal.SIGTERM):
        """Its status; it is killed if it does not listen."""
        if process.poll() is None:
            process.send_signal(signal_number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self.processes:
            self.processes.remove(process)
        return process.returncode

    def close(self):
        for process in reversed(list(self.processes)):
            self.stop(process)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_display(self):
        mine, its = os.pipe()
        self.start("Xvfb", "-displayfd", str(its), "-screen", "0", "900x700x24", "-nolisten", "tcp", "-noreset", pass_fds=[its])
        os.close(its)
        with open(mine, encoding="ascii") as numbers:
            number = numbers.readline().strip()
        check(number, "no X server starts")
        self.env["DISPLAY"] = f":{number}"
        self.start("openbox", "--sm-disable")
        wait_until(lambda: "window id #" in self.run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK"), "a window manager")

    def start_bus(self):
        path = self.directory / "bus"
        address = f"unix:path={path}"
        configuration = self.directory / "bus.conf"
        # No service is started by it: whatever is there, a test put there.
        configuration.write_text(
            "<busconfig><type>session</type>"
            f"<listen>{address}</listen><auth>EXTERNAL</auth>"
            '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
            '<allow own="*"/></policy></busconfig>'
        )
        self.start("dbus-daemon", "--nofork", f"--config-file={configuration}")
        wait_until(path.exists, "a bus")
        self.env["DBUS_SESSION_BUS_ADDRESS"] = address

    def run(self, *command):
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=30).stdout

    # ---- windows and keys ----

    def windows(self):
        """{title: number} of what the window manager shows."""
        found = {}
        for number in self.run("xdotool", "search", "--onlyvisible", "--class", "tpmauthn-agent").split():
            if name := self.run("xdotool", "getwindowname", number).strip():
                found[name] = number
        return found

    def window(self, title):
        return wait_until(lambda: self.windows().get(title), f"a window called {title}")

    def focused(self):
        return self.run("xdotool", "getwindowfocus").strip()

    def wait_for_focus(self, title):
        number = self.window(title)
        wait_until(lambda: self.focused() == number, f"the focus on {title}")
        return number

    def press(self, *keys):
        self.run("xdotool", "key", "--delay", "30", *keys)

    def type(self, text):
        self.run("xdotool", "type", "--delay", "15", text)

    def hold(self, key, seconds):
        self.run("xdotool", "keydown", key)
        time.sleep(seconds)
        self.run("xdotool", "keyup", key)

    def picture(self, name, title):
        number = self.window(title)
        time.sleep(0.4)
        subprocess.run(["import", "-window", number, str(self.artefacts / f"{name}.png")], env=self.env, timeout=30, check=True)

    def average(self, name):
        """How bright a picture is, from 0 to 1."""
        done = subprocess.run(["identify", "-format", "%[fx:mean]", str(self.artefacts / f"{name}.png")],
                              capture_output=True, text=True, timeout=30, check=True)
        return float(done.stdout)


class Daemon:
    """Listens where the agent connects, and starts one."""

    def __init__(self, desktop, *options, language=None, phys="tpmauthn/1000", connects=True, **more):
        self.desktop, self.id = desktop, 0
        self.path = desktop.directory / "agent.sock"
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.path))
        self.listener.listen(4)
        self.listener.settimeout(20)
        self.connection = None
        env = desktop.env | ({"LANGUAGE": language} if language else {}) | more.pop("env", {})
        self.process = desktop.start(desktop.agent, "--socket", str(self.path), *options, env=env, **more)
        if connects:
            self.accept(phys)

    def accept(self, phys="tpmauthn/1000"):
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(10)
        self.hello = self.hear()
        self.say(type="welcome", v=1, device="TPM Passkey", phys=phys, machine="lab")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        status = self.desktop.stop(self.process)
        for s in (self.connection, self.listener):
            if s:
                s.close()
        if kind is None:
            check(status == 0, f"the agent ended with status {status}")

    def say(self, **packet):
        self.connection.send(json.dumps(packet).encode())

    def hear(self):
        packet = self.connection.recv(8192)
        check(packet, "the agent hung up")
        return json.loads(packet)

    def ask(self, verb, **more):
        self.id += 1
        question = {"rp_id": "", "account": "", "accounts": 0, "passive": False, "verify": False, "again": False,
                    "tries": 0, "hold": 0, "finger": False, "timeout": 30000}
        self.say(type="ask", id=self.id, verb=verb, **(question | more))
        return self.id

    def ask_and_see(self, verb, **more):
        self.ask(verb, **more)
        self.expect(type="shown", id=self.id)
        return time.monotonic()

    def expect(self, **packet):
        heard = self.hear()
        check(heard == packet, f"the agent said {heard}, not {packet}")

    def expect_answer(self, answer, **more):
        self.expect(type="answer", id=self.id, answer=answer, **more)

    def expect_silence(self, seconds):
        self.connection.settimeout(seconds)
        try:
            heard = self.connection.recv(8192)
            raise Failure(f"the agent said {heard}, which it should not")
        except TimeoutError:
            pass
        finally:
            self.connection.settimeout(10)

    def withdraw(self, why="cancelled"):
        self.say(type="withdraw", id=self.id, why=why)

    def finger(self, state):
        self.say(type="finger", id=self.id, state=state)


class RealDaemon:
    """tpmauthnd with a simulator, its device on a socket, and one client of that."""

    BROADCAST, INIT, CBOR, CANCEL, KEEPALIVE = 0xFFFFFFFF, 0x86, 0x90, 0x91, 0xBB
    # authenticatorMakeCredential: clientDataHash, rp, user, pubKeyCredParams.
    CREATE = (b"\x01\xa4\x01\x58\x20" + bytes(32) + b"\x02\xa2\x62id\x6bexample.org\x64name\x61x"
              b"\x03\xa2\x62id\x41\x01\x64name\x65alice\x04\x81\xa2\x63alg\x26\x64type\x6apublic-key")

    def __init__(self, desktop, program):
        self.desktop, run = desktop, desktop.directory / "run"
        self.device, self.agents = desktop.directory / "device", run / "agent.sock"
        self.client = None
        self.process = desktop.start(
            program, "--config=/dev/null", "--tpm=swtpm", f"--device=socket:{self.device}", "--log-level=debug",
            f"--state-dir={desktop.directory / 'state'}", f"--runtime-dir={run}")
        wait_until(lambda: self.agents.exists() and self.device.exists(), "the daemon", 30)

    def connect(self):
        """A client that finds the device when it is plugged in."""
        self.close()
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wait_until(lambda: self.client.connect_ex(str(self.device)) == 0, "a connection to the device", 30)
        self.send(self.BROADCAST, self.INIT, b"12345678")
        self.channel = int.from_bytes(self.receive()[1][8:12], "big")

    def close(self):
        if self.client:
            self.client.close()

    def send(self, channel, command, payload=b""):
        parts = [bytes([command]) + len(payload).to_bytes(2, "big") + payload[:57]]
        rest = payload[57:]
        while rest:
            parts.append(bytes([len(parts) - 1]) + rest[:59])
            rest = rest[59:]
        for part in parts:
            # As hidraw has it: the number of the report, which is none, comes first.
            self.client.send(b"\0" + (channel.to_bytes(4, "big") + part).ljust(64, b"\0"))

    def packet(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.client.settimeout(left)
        packet = self.client.recv(65)
        if not packet:
            raise ConnectionResetError
        return packet

    def receive(self, seconds=30):
        """(command, payload) of the next message that is no keepalive, of which there may be ever more."""
        end = time.monotonic() + seconds
        packet = self.packet(end)
        while packet[4] == self.KEEPALIVE:
            packet = self.packet(end)
        command, size, payload = packet[4], int.from_bytes(packet[5:7], "big"), packet[7:]
        while len(payload) < size:
            payload += self.packet(end)[5:]
        return command, payload[:size]

    def create(self):
        self.send(self.channel, self.CBOR, self.CREATE)

    def can_verify(self):
        """authenticatorGetInfo knows the option uv: the device was plugged in anew since an agent came."""
        self.send(self.channel, self.CBOR, b"\x04")
        return b"\x62uv" in self.receive()[1]

    def cancel(self):
        self.send(self.channel, self.CANCEL)

    def status(self, seconds=30):
        command, payload = self.receive(seconds)
        check(command == self.CBOR and payload, f"the answer is {command:#x} {payload.hex()}")
        return payload[0]

    def expect(self, status, seconds=30):
        got = self.status(seconds)
        check(got == status, f"the status is {got:#x}, not {status:#x}")
