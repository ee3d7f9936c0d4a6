# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# tests/examples in Debian's browsers, as a team runs them: by tpmauthn ci run. What they say is in the artefacts.
#
# npm: tests/examples/login tests/examples/puppeteer
. "$TREE/tests/vm/lib.sh"

export TPMAUTHND=$BUILD/authenticator/tpmauthnd TMPDIR=$WORK/tmp RESULTS=$WORK/results
mkdir -p "$TMPDIR"

# ci LIMIT [OPTION...] -- COMMAND...
ci() {
    local limit=$1
    shift
    limited "$limit" "$BUILD/cli/tpmauthn" ci run --pin 2468 --uv ok "$@"
}

with_the_site() { # COMMAND...
    local site status=0
    (cd "$TREE/tests/examples/login" && exec /usr/bin/node server.mjs 8000) &
    site=$!
    until_true 60 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000'
    "$@" || status=$?
    kill $site
    return $status
}

playwright() {
    cd "$TREE/tests/examples/login"
    ci 400 -- npx playwright test "--project=$1"
}

the_login_passes_in_chromium() { playwright chromium; }
passkeys_without_a_name_pass_in_chromium() { playwright chromium-full; }
the_login_passes_in_firefox() { playwright firefox; }
two_keys_pass_in_chromium_by_puppeteer() {
    with_the_site ci 200 --devices 2 --presence script -- /usr/bin/node "$TREE/tests/examples/puppeteer/two-keys.mjs" chromium
}
two_keys_pass_in_firefox_by_puppeteer() {
    with_the_site ci 300 --devices 2 --presence script -- /usr/bin/node "$TREE/tests/examples/puppeteer/two-keys.mjs" firefox
}
the_login_passes_in_chromium_by_selenium() {
    with_the_site ci 200 -- /usr/bin/python3 "$TREE/tests/examples/selenium/login.py"
}

nothing_is_left() {
    local left
    left=$(pgrep -l '^(tpmauthnd|tpmauthn|swtpm|chrom.*|firefox.*)$' || true
        find "$TMPDIR" -mindepth 1 -name 'tpmauthn*'
        grep -l 'HID_PHYS=tpmauthn/' /sys/class/hidraw/*/device/uevent 2>/dev/null || true)
    [ -z "$left" ] || fail "left: $left"
}

run_test the_login_passes_in_chromium
run_test passkeys_without_a_name_pass_in_chromium
run_test the_login_passes_in_chromium_by_selenium
run_test two_keys_pass_in_chromium_by_puppeteer
run_test two_keys_pass_in_firefox_by_puppeteer
run_test the_login_passes_in_firefox
run_test nothing_is_left
finish
