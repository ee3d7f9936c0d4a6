# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Firefox with its windows, and the dialog of this computer's key in front of them.
#
# processors: 2
# init: systemd
# packages
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"
. "$TREE/tests/vm/browser-lib.sh"
. "$TREE/tests/vm/desktop-browser-lib.sh"

firefox_creates_and_gets() { creates_and_gets firefox; }
firefox_cancel_takes_the_dialog_away() { cancel_takes_the_dialog_away firefox; }
firefox_closed_takes_the_dialog_away() { closing_takes_the_dialog_away firefox; }
firefox_killed_takes_the_dialog_away() { killing_takes_the_dialog_away firefox; }

test_browser firefox
