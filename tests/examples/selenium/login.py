# SPDX-License-Identifier: BSD-2-Clause
"""login.py: Selenium with Debian's Chromium and chromedriver. Run by

    tpmauthn ci run --uv ok --pin 2468 -- python3 login.py

with the site of ../login on port 8000. For Firefox Selenium needs geckodriver, which Debian 12 does not have.
"""

import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "helpers/python"))  # or: pip install tpmauthn-ci
from tpmauthn_ci import Authenticator  # noqa: E402

LIMIT = 300  # for a computer whose processor is emulated


class Site:
    def __init__(self, driver, name):
        self.driver = driver
        driver.get("http://localhost:8000/")
        driver.find_element(By.ID, "name").send_keys(name)

    def says_after(self, button):
        self.driver.find_element(By.ID, button).click()
        return WebDriverWait(self.driver, LIMIT).until(lambda d: d.find_element(By.ID, "message").text)


def registers_and_logs_in(key, site):
    assert site.says_after("register") == "alice has 1 passkey"
    with key.follow() as events:
        assert site.says_after("login") == "Welcome, alice"
        question = events.until("question")
        assert question["verify"] and question["rp_id"] == "localhost", question


def denied(key, site):
    key.deny()
    assert "NotAllowedError" in site.says_after("login")
    assert site.says_after("login") == "Welcome, alice"


def wrong_pin_and_then_the_right_one(key, site):
    with key.follow() as events:
        key.enter_pin("1111", once=True)
        assert site.says_after("login") == "Welcome, alice"
        assert [events.until("question")["tries"] for _ in range(2)] == [3, 2]


def wrong_pin(key, site):
    key.uv("fail")
    assert "NotAllowedError" in site.says_after("login")
    key.uv("ok")
    assert site.says_after("login") == "Welcome, alice"


def prf_opens_the_note_again(key, site):
    assert site.says_after("login") == "Welcome, alice"
    note = site.driver.find_element(By.ID, "note")
    note.send_keys("the cat is fed")
    assert site.says_after("save") == "Saved"
    note.clear()
    assert site.says_after("login") == "Welcome, alice"
    assert note.get_property("value") == "the cat is fed"


def the_same_key_is_not_registered_twice(key, site):
    assert "InvalidStateError" in site.says_after("register")
    assert len(key.list()) == 1


def main():
    options = Options()
    options.binary_location = "/usr/bin/chromium-headless-shell"
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--ipc-connection-timeout=120"):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        driver.set_page_load_timeout(LIMIT)
        driver.set_script_timeout(LIMIT)
        key, site = Authenticator(timeout=LIMIT), Site(driver, "alice")
        for test in (
            registers_and_logs_in,
            denied,
            wrong_pin_and_then_the_right_one,
            wrong_pin,
            prf_opens_the_note_again,
            the_same_key_is_not_registered_twice,
        ):
            test(key, site)
            print(f"{test.__name__}: ok", flush=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
