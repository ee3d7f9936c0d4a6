# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The login of tests/examples with Playwright, in Firefox.
#
# install: examples
# npm: tests/examples/login
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/examples-lib.sh"

the_login_passes_in_firefox() { playwright 9 firefox; }

run_examples "${1:-1}" the_login_passes_in_firefox
