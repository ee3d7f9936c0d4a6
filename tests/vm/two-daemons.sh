# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# two-daemons.sh [SECONDS]: two daemons of two users on one /dev/tpmrm0, each with two clients that never
# rest. Half a minute unless told; `tests/vm/run tests/vm/two-daemons.sh 300` takes its time.
. "$TREE/tests/vm/lib.sh"

LOAD=${1:-30}
PIN=1234
FIRST=2001
SECOND=2002

user_daemon() { # UID
    install -d -m 700 -o "$1" -g "$1" "/run/$1" "/run/$1/state" "/run/$1/run"
    setpriv --reuid="$1" --regid="$1" --groups=tss \
        "$BUILD/authenticator/tpmauthnd" --device uhid --tpm device:/dev/tpmrm0 --presence auto \
        --state-dir "/run/$1/state" --runtime-dir "/run/$1/run" >>"$OUT/daemon-$1.log" 2>&1 </dev/null &
    echo $! >"$WORK/daemon-$1.pid"
}

user_ctl() { # UID COMMAND...
    limited 60 "$BUILD/cli/tpmauthn" --socket "/run/$1/run/control.sock" "${@:2}"
}

# Both find an empty TPM at the same time.
two_daemons_provision_at_the_same_time() {
    user_daemon $FIRST
    user_daemon $SECOND
    wait_for_node 0 $FIRST
    wait_for_node 0 $SECOND
    user_ctl $FIRST status
    user_ctl $SECOND status
    types $PIN $PIN -- fido2-token -S "$(node 0 $FIRST)"
    types $PIN $PIN -- fido2-token -S "$(node 0 $SECOND)"
    nothing_is_loaded
    handles >provisioned
    # Whoever came second to a handle says so.
    wc -l <"$OUT/daemon-$FIRST.log" >"lines-$FIRST"
    wc -l <"$OUT/daemon-$SECOND.log" >"lines-$SECOND"
}

client() { # UID NAME
    limited $((LOAD + 60)) /usr/bin/python3 "$TREE/tests/vm/load.py" "$(node 0 "$1")" "$LOAD" "$PIN" >"$OUT/client-$2.log" 2>&1
}

# With and without the PIN, and hmac-secret.
no_error_but_channel_busy_under_load() {
    local status=0 pid pids=()
    client $FIRST 1 & pids+=($!)
    client $FIRST 2 & pids+=($!)
    client $SECOND 3 & pids+=($!)
    client $SECOND 4 & pids+=($!)
    for pid in "${pids[@]}"; do wait "$pid" || status=1; done
    tail -n 30 "$OUT"/client-[1234].log
    return $status
}

the_load_left_nothing_in_the_tpm() {
    nothing_is_loaded
    same_handles_as provisioned
}

the_daemons_had_nothing_to_complain_of() {
    local uid
    for uid in $FIRST $SECOND; do
        tail -n +"$(($(cat "lines-$uid") + 1))" "$OUT/daemon-$uid.log" >log
        # Notices are what the audit tells of each use.
        if grep -Ev '^(info|notice audit:) ' log; then fail "the daemon of $uid complained"; fi
    done
    if dmesg | grep -i 'tpm.*error'; then fail "the kernel complained"; fi
}

a_daemon_s_reset_leaves_the_other_alone() {
    local uid
    user_ctl $FIRST list >before
    user_ctl $SECOND reset --yes
    user_ctl $FIRST list >after
    diff -u before after
    for uid in $FIRST $SECOND; do
        wait_for_node 0 $uid
        register "of$uid" lab.test "" "$(node 0 $uid)"
        sign "of$uid" "$(node 0 $uid)"
    done
    nothing_is_loaded
}

daemons_end() {
    local uid pid
    for uid in $FIRST $SECOND; do
        pid=$(cat "daemon-$uid.pid")
        kill -TERM "$pid"
        until_true 30 test ! -e "/proc/$pid/exe"
    done
    nothing_is_loaded
}

chgrp tss /dev/uhid /dev/tpmrm0 && chmod 660 /dev/uhid /dev/tpmrm0
run_test two_daemons_provision_at_the_same_time
run_test no_error_but_channel_busy_under_load
run_test the_load_left_nothing_in_the_tpm
run_test the_daemons_had_nothing_to_complain_of
run_test a_daemon_s_reset_leaves_the_other_alone
run_test daemons_end
finish
