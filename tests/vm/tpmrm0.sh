# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The daemon on the kernel's resource manager. It may answer by itself (presence auto) because this
# machine's TPM is a simulator. What a crash, a restart, a re-plug and a reset leave in the TPM and in the
# store is looked at from outside.
. "$TREE/tests/vm/lib.sh"

tpm_is_closed() {
    ! readlink "/proc/$(cat daemon.pid)/fd/"* 2>/dev/null | grep -q tpmrm
}

provisioning_leaves_only_what_is_named() {
    ctl status --json >status
    cat status
    handles >provisioned
    cat provisioned
    nothing_is_loaded
}

tpm_is_closed_when_nobody_asks() {
    until_true 60 tpm_is_closed
    register first lab.test -r "$(node)"
    sign first "$(node)"
    until_true 60 tpm_is_closed
}

credentials_survive_a_restart() {
    stop_daemon
    restart_daemon
    sign first "$(node)"
    same_handles_as provisioned
}

credentials_survive_a_replug() {
    local before
    before=$(readlink -f "/sys/class/hidraw/$(basename "$(node)")/device")
    ctl replug
    until_true 30 test ! -e "$before"
    wait_for_node 0
    sign first "$(node)"
}

credentials_survive_kill_9() {
    local i
    for i in 1 2 3 4 5; do
        register "killed$i" "lab$i.test" "" "$(node)"
        # In the middle of a ceremony, at another moment each time.
        { random && echo && cat first/rp first/id; } >ask
        limited 60 fido2-assert -G -i ask -o lost "$(node)" &
        sleep "0.$((i * 15))"
        kill_daemon
        wait $! || true
        restart_daemon
        sign first "$(node)"
        sign "killed$i" "$(node)"
    done
    for i in 1 2 3 4 5; do sign "killed$i" "$(node)"; done
    same_handles_as provisioned
}

counter() { # DIR: the signature counter of the last assertion
    sed -n 3p "$1/assertion" | base64 -d | tail -c 4 | od -An -tu4 --endian=big | tr -d ' '
}

F5_counter_grows_across_kill_9() {
    local before after i
    sign first "$(node)"
    before=$(counter first)
    for i in 1 2; do
        kill_daemon
        restart_daemon
        sign first "$(node)"
        after=$(counter first)
        echo "$before -> $after"
        [ "$after" -gt "$before" ] || fail "counter $after after $before"
        before=$after
    done
}

reset_forgets_every_credential_and_leaves_nothing_over() {
    local dir
    ctl reset --yes
    wait_for_node 0
    for dir in first killed1; do
        { random && echo && cat $dir/rp $dir/id; } >ask
        refuses limited 60 fido2-assert -G -t up=false -i ask -o lost "$(node)" 2>error
        contains error FIDO_ERR_NO_CREDENTIALS
    done
    register anew lab.test "" "$(node)"
    sign anew "$(node)"
    until_true 60 tpm_is_closed
    handles >now
    cat now
    [ "$(wc -w <now)" = "$(wc -w <provisioned)" ] || fail "more or less in the TPM than before: $(cat provisioned)"
}

start_daemon || exit 1
run_test provisioning_leaves_only_what_is_named
run_test tpm_is_closed_when_nobody_asks
run_test credentials_survive_a_restart
run_test credentials_survive_a_replug
run_test credentials_survive_kill_9
run_test F5_counter_grows_across_kill_9
run_test reset_forgets_every_credential_and_leaves_nothing_over
finish
