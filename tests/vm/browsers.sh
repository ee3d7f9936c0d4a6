# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Headless Chromium and headless Firefox register and sign in on a page of localhost. The verdict on what
# they bring is python3-fido2's.
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/browser-lib.sh"

# Chromium shows "already registered" in a dialog that a headless one cannot close, so only Firefox is
# asked for a second credential of the same account.
chromium_creates_and_gets() { visit chromium chromium create get; }
firefox_creates_and_gets() { visit firefox firefox create get exclude; }
# A passkey belongs to the machine, not to the browser.
firefox_gets_with_the_key_that_chromium_created() { visit firefox chromium get; }

serve
start_daemon || exit 1
run_test chromium_creates_and_gets
run_test firefox_creates_and_gets
run_test firefox_gets_with_the_key_that_chromium_created
cp "$REPORT" "$OUT/"
finish
