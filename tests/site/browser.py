# SPDX-License-Identifier: BSD-2-Clause
"""Two browsers behind the same words: Chromium by chromedriver, which speaks W3C WebDriver over HTTP, and Firefox by its own
Marionette, which is the same commands over a socket: Debian has no geckodriver."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
START_LIMIT = 300
AUTHENTICATOR = {"protocol": "ctap2_1", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True,
                 "isUserConsenting": True, "isUserVerified": True}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end(process):
    """With all that it started: it leads a group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(15)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            process.wait()
            return


def start(command, log):
    with open(log, "ab") as to:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=to, stderr=to, start_new_session=True)


class Browser:
    """What both can do. A subclass has command(name, method, path, parameters)."""

    def go(self, url):
        self.command("WebDriver:Navigate", "POST", "url", {"url": url})

    def run(self, script, *arguments):
        return self.command("WebDriver:ExecuteScript", "POST", "execute/sync", {"script": script, "args": list(arguments)})

    def find(self, css):
        found = self.command("WebDriver:FindElement", "POST", "element", {"using": "css selector", "value": css})
        return found[ELEMENT]

    def click(self, css):
        element = self.find(css)
        self.run("arguments[0].scrollIntoView({block: 'center'})", {ELEMENT: element})
        self.command("WebDriver:ElementClick", "POST", f"element/{element}/click", {"id": element})

    def type(self, css, text):
        element = self.find(css)
        self.command("WebDriver:ElementSendKeys", "POST", f"element/{element}/value", {"id": element, "text": text})

    def prepare_window(self, name):
        """Nothing to do where authenticators are the browser's."""

    def resize(self, width, height):
        self.command("WebDriver:SetWindowRect", "POST", "window/rect", {"width": width, "height": height})

    def wait(self, script, seconds, what):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if value := self.run("return " + script):
                return value
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {seconds} s; the page says {self.run('return document.body.innerText')[:1500]}")


class Chromium(Browser):
    name = "chromium"

    def __init__(self, folder, virtual):
        port, profile = free_port(), Path(folder) / "chromium-profile"
        # The driver would wait a minute for its start, which is short for a machine in software.
        self.browser = start(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                              "--disable-background-networking", "--disable-component-update", "--disable-sync",
                              "--disable-popup-blocking", "--ipc-connection-timeout=120", "--remote-debugging-port=0",
                              f"--user-data-dir={profile}", "about:blank"], f"{folder}/chromium.log")
        self.driver = start(["chromedriver", f"--port={port}"], f"{folder}/chromedriver.log")
        self.base = f"http://127.0.0.1:{port}/"
        try:
            address = self.until(lambda: (profile / "DevToolsActivePort").read_text().splitlines()[0])
            self.until(lambda: self.request("GET", "status"))
            wanted = {"browserName": "chrome", "goog:chromeOptions": {"debuggerAddress": f"127.0.0.1:{address}"}}
            self.session = self.request("POST", "session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            self.authenticator = self.add_authenticator() if virtual else None
        except BaseException:
            self.end()
            raise

    @staticmethod
    def until(call):
        limit = time.monotonic() + START_LIMIT
        while True:
            try:
                return call()
            except (OSError, IndexError):
                if time.monotonic() > limit:
                    raise
                time.sleep(0.2)

    def end(self):
        end(self.driver)
        end(self.browser)

    def request(self, method, path, parameters=None):
        body = json.dumps(parameters).encode() if parameters is not None else None
        request = urllib.request.Request(self.base + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def command(self, _, method, path, parameters=None):
        return self.request(method, f"session/{self.session}/{path}", parameters)

    def add_authenticator(self):
        return self.command(None, "POST", "webauthn/authenticator", {**AUTHENTICATOR, "extensions": ["prf"]})

    def prepare_window(self, name):
        """A virtual authenticator belongs to one window: the next one of this name gets the same passkeys."""
        if self.authenticator is None:
            return
        kept = self.command(None, "GET", f"webauthn/authenticator/{self.authenticator}/credentials")
        before = self.command(None, "GET", "window")
        self.run("window.open('about:blank', arguments[0], 'popup,width=420,height=480')", name)
        handles = self.command(None, "GET", "window/handles")
        self.command(None, "POST", "window", {"handle": next(h for h in handles if h != before)})
        other = self.add_authenticator()
        for credential in kept:
            self.command(None, "POST", f"webauthn/authenticator/{other}/credential", credential)
        self.command(None, "POST", "window", {"handle": before})

    def devtools(self, name, **parameters):
        return self.command(None, "POST", "goog/cdp/execute", {"cmd": name, "params": parameters})

    def screenshot(self, path, width, dark=False):
        """All of the page at this width."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(taken["data"]))
        too_wide = self.run("return document.documentElement.scrollWidth > innerWidth")
        self.devtools("Emulation.clearDeviceMetricsOverride")
        assert not too_wide, f"the page is wider than {width} pixels"

    def close(self):
        try:
            self.request("DELETE", f"session/{self.session}")
        except (OSError, RuntimeError):
            pass
        self.end()


class Firefox(Browser):
    name = "firefox"
    PREFERENCES = {
        "browser.shell.checkDefaultBrowser": False, "browser.aboutwelcome.enabled": False, "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False, "app.normandy.enabled": False,
        "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
        "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
        "extensions.update.enabled": False, "dom.disable_open_during_load": False,
        "toolkit.legacyUserProfileCustomizations.stylesheets": True,
        "services.settings.server": "http://localhost:9/none",
    }

    def __init__(self, folder, virtual):
        port, profile = free_port(), Path(folder) / "firefox-profile"
        profile.mkdir()
        values = {**self.PREFERENCES, "marionette.port": port, "layout.css.prefers-color-scheme.content-override": 1}
        if virtual:
            values |= {"security.webauth.webauthn_enable_softtoken": True, "security.webauth.webauthn_enable_usbtoken": False,
                       "security.webauthn.enable_softtoken": True}
        # Its window is never narrower than 450 pixels otherwise.
        (profile / "chrome").mkdir()
        (profile / "chrome/userChrome.css").write_text(":root { min-width: 0 !important; }\n")
        (profile / "user.js").write_text("".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in values.items()))
        self.process = start(["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", str(profile)],
                             f"{folder}/firefox.log")
        self.number = 0
        try:
            self.connect(port)
            self.command("WebDriver:NewSession", None, None, {"capabilities": {"alwaysMatch": {}}})
            if virtual:
                self.command("WebAuthn:AddVirtualAuthenticator", None, None, AUTHENTICATOR)
        except BaseException:
            end(self.process)
            raise

    def connect(self, port):
        limit = time.monotonic() + START_LIMIT
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), 5)
                break
            except OSError:
                if time.monotonic() > limit or self.process.poll() is not None:
                    raise
                time.sleep(0.2)
        self.socket.settimeout(300)
        self.stream = self.socket.makefile("rb")
        self.receive()  # who it is

    def receive(self):
        size = b""
        while (c := self.stream.read(1)) != b":":
            if not c:
                raise RuntimeError("Firefox hung up")
            size += c
        return json.loads(self.stream.read(int(size)))

    def command(self, name, _=None, __=None, parameters=None):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters or {}]).encode()
        self.socket.sendall(str(len(text)).encode() + b":" + text)
        kind, number, error, value = self.receive()
        assert (kind, number) == (1, self.number)
        if error:
            raise RuntimeError(f"{error['error']}: {error['message']}")
        return value["value"] if isinstance(value, dict) and set(value) == {"value"} else value

    def screenshot(self, path, width, dark=False):
        """All of the page at this width."""
        self.resize(width, 900)
        self.wait(f"innerWidth === {width}", 10, f"a window of {width} pixels")
        assert not self.run("return document.documentElement.scrollWidth > innerWidth"), f"the page is wider than {width} pixels"
        taken = self.command("WebDriver:TakeScreenshot", None, None, {"full": True, "hash": False})
        Path(path).write_bytes(base64.b64decode(taken))

    def close(self):
        self.socket.close()
        end(self.process)


BROWSERS = {"chromium": Chromium, "firefox": Firefox}
