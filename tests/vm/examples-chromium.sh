# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The login of tests/examples with Playwright, in Chromium.
#
# install: examples
# npm: tests/examples/login
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/examples-lib.sh"

# With passkeys without a name, for which it takes the whole browser.
the_login_passes_in_chromium() { playwright 10 chromium chromium-full; }

run_examples "${1:-1}" the_login_passes_in_chromium
