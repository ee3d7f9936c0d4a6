# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# tests/examples in Debian's browsers, as a team runs them: by tpmauthn ci run. On top of lib.sh, in a machine
# with "# npm". A script's argument is how often each example is run, each time with a new key (default: 1).

export TPMAUTHND=$BUILD/authenticator/tpmauthnd TMPDIR=$WORK/tmp RESULTS=$WORK/results
mkdir -p "$TMPDIR"

# ci LIMIT [OPTION...] -- COMMAND...: the limits are for a machine that has less than one processor.
ci() {
    local limit=$1
    shift
    limited "$limit" "$BUILD/cli/tpmauthn" ci run --pin 2468 --uv ok "$@"
}

with_the_site() { # COMMAND...
    local site status=0
    (cd "$TREE/tests/examples/login" && exec /usr/bin/node server.mjs 8000) &
    site=$!
    until_true 120 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000'
    "$@" || status=$?
    kill $site
    wait $site || true
    return $status
}

# playwright N PROJECT...: exactly so many tests must pass. Without npx, which takes 20 seconds to start npm here.
playwright() {
    local n=$1
    shift
    cd "$TREE/tests/examples/login"
    ci 1500 -- node_modules/.bin/playwright test "${@/#/--project=}" | tee "$WORK/said"
    grep -qE "^  $n passed " "$WORK/said" || fail "these are not $n"
}

two_keys() { # BROWSER
    with_the_site ci 1000 --devices 2 --presence script -- \
        /usr/bin/node "$TREE/tests/examples/puppeteer/two-keys.mjs" "$1"
}

# Every browser is named here, and node, which drives them.
left_by_examples() {
    pgrep -l '^(tpmauthnd|tpmauthn|swtpm|ci-keeper|node|chrom.*|firefox.*)$' || true
    find "$TMPDIR" -mindepth 1 -name 'tpmauthn*'
    grep -l 'HID_PHYS=tpmauthn/' /sys/class/hidraw/*/device/uevent 2>/dev/null || true
    grep -F "$TMPDIR/tpmauthn" /proc/net/unix || true
}

# run_examples TIMES FUNCTION...: a TAP line for each, at each time.
run_examples() {
    local times=$1 i example
    shift
    for ((i = 1; i <= times; i++)); do
        for example in "$@"; do run_test "$example"; done
    done
    run_test nothing_is_left
    finish
}

# A browser may take its time to end.
nothing_is_left() {
    local i left
    for i in $(seq 100); do
        left=$(left_by_examples)
        [ -n "$left" ] || return 0
        sleep 0.2
    done
    fail "left: $left"
}
