# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Chromium with its windows, and the dialog of this computer's key in front of them.
#
# processors: 2
# init: systemd
# packages
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"
. "$TREE/tests/vm/browser-lib.sh"
. "$TREE/tests/vm/desktop-browser-lib.sh"

chromium_creates_and_gets() { creates_and_gets chromium; }
chromium_cancel_takes_the_dialog_away() { cancel_takes_the_dialog_away chromium; }
chromium_closed_takes_the_dialog_away() { closing_takes_the_dialog_away chromium; }
chromium_killed_takes_the_dialog_away() { killing_takes_the_dialog_away chromium; }

test_browser chromium
