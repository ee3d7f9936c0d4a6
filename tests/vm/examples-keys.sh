# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Two keys with Puppeteer in Chromium and Firefox, and the login with Selenium.
#
# install: examples
# npm: tests/examples/login tests/examples/puppeteer
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/examples-lib.sh"

the_login_passes_in_chromium_by_selenium() {
    with_the_site ci 1000 -- /usr/bin/python3 "$TREE/tests/examples/selenium/login.py" | tee "$WORK/said"
    [ "$(grep -c ': ok$' "$WORK/said")" = 6 ]
}
two_keys_pass_in_chromium_by_puppeteer() { two_keys chromium; }
two_keys_pass_in_firefox_by_puppeteer() { two_keys firefox; }

run_examples "${1:-1}" the_login_passes_in_chromium_by_selenium two_keys_pass_in_chromium_by_puppeteer \
    two_keys_pass_in_firefox_by_puppeteer
