# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A browser with its windows in a session of X, and the dialog of this computer's key in front of them, answered
# by the keyboard. The verdict on what the browser brings is python3-fido2's. On top of lib.sh, desktop-lib.sh
# and browser-lib.sh, in a machine with "# init: systemd" and "# packages".
#
# How soon a dialog goes is counted from what the kernel hands to the daemon, the CANCEL or the close of the node by
# the last who had it open, whichever is first, to the unmapping of the window by X. What a browser takes before
# that, to hear of a click or to shut down, is written down beside it. All of that is read off the clock of the
# machine; where its processor is emulated, 200 ms are many times stricter than on a laptop. A browser that ends keeps
# both processors of such a machine busy, so it is a nice one, and has one of them by then.

TRACING=/sys/kernel/tracing
CGROUP=/sys/fs/cgroup/browser

# Every CANCEL that is written to a hidraw node, which is its command after the report's number and the channel's, and
# every close of a device, with the seconds since the boot.
trace_clients() {
    mkdir $CGROUP
    mount -t tracefs tracefs $TRACING
    echo boot >$TRACING/trace_clock
    # shellcheck disable=SC2016
    printf 'p:cancelled hidraw_write command=+u5($arg2):x8\np:closed uhid_hid_close\n' >$TRACING/kprobe_events
    echo 'command == 0x91' >$TRACING/events/kprobes/cancelled/filter
    echo 1 >$TRACING/events/kprobes/enable
}

# traced SINCE: what the clients did from then on: "MILLISECONDS cancelled|closed".
traced() {
    sed -n 's/.* \([0-9]*\)\.\([0-9]\{3\}\)[0-9]*: \(cancelled\|closed\): .*/\1\2 \3/p' $TRACING/trace |
        awk -v since="$1" '$1 + 0 >= since + 0'
}

now() { awk '{ print int($1 * 1000) }' /proc/uptime; }

# opens BROWSER STEP...: visits the page, in the background.
opens() {
    local browser=$1 steps
    shift
    steps=$(IFS=,; echo "$*")
    closes # one that a test which failed has left
    rm -f "$REPORT.cancel"
    PROFILE=/home/alice/$RANDOM
    install -d -o alice -g alice "$PROFILE"
    {
        echo "$BASHPID" >$CGROUP/cgroup.procs
        "${browser}_opens" "$URL/?user=$browser&steps=$steps"
    } >"$OUT/$browser.log" 2>&1 &
    echo $! >browser.pid
}

accepted() { grep -qx "$1 $2: ok" "$REPORT"; } # BROWSER STEP

# closes [SIGNAL]: the browser that is open, if one is.
closes() {
    local pid
    [ -e browser.pid ] || return 0
    pid=$(cat browser.pid)
    rm browser.pid
    kill "-${1:-TERM}" "$pid" 2>/dev/null || true
    timeout 180 tail --pid="$pid" -f /dev/null || kill -KILL "$pid"
}

is_another() { [ "$(window "$1")" != "$2" ]; } # TITLE WINDOW

# answers TITLE KEY: what a browser maps late has taken the keyboard; then the person turns to the dialog again.
# The page may ask for the next thing at once.
answers() {
    local i id
    id=$(window "$1")
    for i in 1 2 3 4; do
        xdotool windowfocus --sync "$id"
        press "$2"
        if (until_true 10 is_another "$1" "$id"); then return; fi
        echo "$2 was not heard ($i)"
    done
    fail "the dialog takes no key"
}

# The page goes on to the tests after this one.
creates_and_gets() { # BROWSER
    opens "$1" create get cancel get
    arms "Create a passkey" 400
    screenshot "$1-create"
    answers "Create a passkey" alt+c
    until_true 180 accepted "$1" create
    arms "Use a passkey" 180
    screenshot "$1-use"
    answers "Use a passkey" alt+u
    until_true 180 accepted "$1" get
}

# is_watched TITLE: the dialog is up, the browser leaves it a processor, and unmap.py waits for its end.
is_watched() {
    local id pid
    arms "$1" 400
    while read -r pid; do
        taskset --all-tasks --pid --cpu-list 0 "$pid" >affinity || [ ! -e "/proc/$pid/exe" ]
    done <$CGROUP/cgroup.procs
    id=$(window "$1")
    rm -f unmapped
    nice -n -20 /usr/bin/python3 "$TREE/tests/vm/unmap.py" "$id" >unmapped &
    until_true 60 grep -q watching unmapped
}

# goes_within MILLISECONDS SINCE WHAT: of what the browser told the kernel after it was told to.
goes_within() {
    local told went
    until_true 180 grep -q '^[0-9]' unmapped
    went=$(tail -n 1 unmapped)
    traced "$2" >clients.trace
    cat clients.trace
    told=$(awk 'NR == 1 { print $1 }' clients.trace)
    [ "$told" ] || fail "the client told nothing"
    echo "$3: told after $((told - $2)) ms, and the dialog was gone $((went - told)) ms later" | tee -a "$OUT/times.txt"
    [ $((went - told)) -le "$1" ] || fail "that is too late"
}

cancel_takes_the_dialog_away() { # BROWSER
    is_watched "Use a passkey"
    touch "$REPORT.cancel"
    until_true 180 accepted "$1" cancel
    goes_within 200 "$(sed -n 's/^cancelling: //p' "$REPORT" | tail -n 1)" "$1, cancel in the page"
}

closing_takes_the_dialog_away() { # BROWSER
    local since
    is_watched "Use a passkey"
    since=$(now)
    closes
    goes_within 200 "$since" "$1, closed"
}

killing_takes_the_dialog_away() { # BROWSER
    local since
    opens "$1" get
    is_watched "Use a passkey"
    since=$(now)
    closes KILL
    goes_within 200 "$since" "$1, killed"
}

session_has_an_agent() {
    # A question must not end before a slow machine has answered it. And the log of a test that failed shall say
    # what went on.
    mkdir -p /etc/tpmauthn/tpmauthn.conf.d
    printf '[presence]\ntimeout = 5min\n[daemon]\nlog-level = debug\n' >/etc/tpmauthn/tpmauthn.conf.d/vm.conf
    install_packages
    desktop_login alice 7
    until_true 180 can_be_asked alice
    warm_up alice
}

# test_browser BROWSER: the whole of it. The browser's name begins that of each test.
test_browser() {
    prepare_desktop
    echo 0 >/proc/sys/kernel/sched_autogroup_enabled # a browser that is nice is so to the dialog, too
    serve
    run_test session_has_an_agent
    export DISPLAY=:7
    BROWSER_USER=alice
    trace_clients
    run_test "$1_creates_and_gets"
    run_test "$1_cancel_takes_the_dialog_away"
    run_test "$1_closed_takes_the_dialog_away"
    run_test "$1_killed_takes_the_dialog_away"
    closes
    cp "$REPORT" "$OUT/"
    finish
}
