# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The example of a site, with this key: headless Chromium and headless Firefox register, sign in, attack and seal a
# note, as test-page.py presses the buttons, and the pictures of each state of the page come back.
. "$TREE/tests/vm/lib.sh"

PIN=2468

the_key_verifies_by_itself() {
    echo "$PIN" | ctl pin set
    verifies_by_itself "$PIN"
}

walk() {
    limited 1500 /usr/bin/python3 "$TREE/tests/site/test-page.py" "$BUILD/examples/site/site" "$1" "$OUT/pictures" --device
}

# To choose among accounts would take a dialog, so there is one passkey at a time.
forget_all() {
    local id
    ctl list | awk '$2 == "localhost" { print $1 }' >ids
    while read -r id; do
        ctl --yes delete "$id"
    done <ids
}

chromium_walks_through_the_site() { walk chromium; }
firefox_walks_through_the_site() { forget_all; walk firefox; }

start_daemon || exit 1
run_test the_key_verifies_by_itself
run_test chromium_walks_through_the_site
run_test firefox_walks_through_the_site
finish
