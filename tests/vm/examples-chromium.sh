# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The login of tests/examples with Playwright, in Chromium.
#
# npm: tests/examples/login
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/examples-lib.sh"

the_login_passes_in_chromium() { playwright 9 chromium; }
passkeys_without_a_name_pass_in_chromium() { playwright 1 chromium-full; }

run_examples "${1:-1}" the_login_passes_in_chromium passkeys_without_a_name_pass_in_chromium
