# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The packages on a computer of two people: each has a device while logged in, and passkeys of their own; who
# is away or has locked the screen is asked nothing. Questions are answered by agents without a screen.
#
# init: systemd
# packages
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"

apt_installs_the_packages_and_the_service_runs() {
    [ ! -e /sys/module/uhid ] || fail "uhid is loaded already"
    install_packages
    systemctl is-enabled $UNIT
    [ "$(stat -c '%U:%G %a' /dev/uhid)" = "root:tpmauthn 660" ] || fail "$(ls -l /dev/uhid)"
    [ "$(stat -c '%U %a' /var/lib/tpmauthn)" = "tpmauthn 700" ]
    [ "$(systemctl show -P NRestarts $UNIT)" = 0 ]
}

nobody_is_logged_in_and_there_is_no_device() {
    ctl status
    if compgen -G '/sys/class/hidraw/*'; then fail "there is one"; fi
}

login_brings_a_device_that_is_closed_to_others() {
    local at
    console_login alice 1
    loginctl show-session "$(session_on 1)" >session
    for line in Class=user Seat=seat0 Service=login Active=yes State=active Remote=no; do
        contains session $line
    done
    wait_for_node 0 "$ALICE"
    at=$(node 0 "$ALICE")
    [ "$(stat -c '%U %a' "$at")" = "alice 600" ] || fail "$(ls -l "$at")"
    getfacl -pc "$at" >acl
    if grep -E '^(user|group):[^:]+:' acl; then fail "others are named in its list"; fi
    as alice dd if="$at" of=/dev/null count=0 status=none
    refuses as bob dd if="$at" of=/dev/null count=0 status=none
}

without_an_agent_the_answer_is_no_at_once() {
    takes_less_than 15000 refuses as_does alice register none lab.test "" "$(node 0 "$ALICE")" 2>refused
    contains refused FIDO_ERR_OPERATION_DENIED
}

alice_has_passkeys() {
    agent_of alice
    until_true 60 can_be_asked alice
    as_does alice register first lab.test -r "$(node 0 "$ALICE")"
    signs alice first
    contains alice.agent '"rp_id":"lab.test"'
    as alice tpmauthn list >list
    contains list lab.test
}

bob_has_passkeys_of_his_own() {
    console_login bob 2
    wait_for_node 0 "$BOB"
    [ "$(stat -c '%U %a' "$(node 0 "$BOB")")" = "bob 600" ]
    refuses as alice dd if="$(node 0 "$BOB")" of=/dev/null count=0 status=none
    as bob tpmauthn list >list
    if grep lab.test list; then fail "he sees hers"; fi
    agent_of bob
    until_true 60 can_be_asked bob
    as_does bob register first lab.test -r "$(node 0 "$BOB")"
    signs bob first
    # Hers cannot be used on his device.
    rm -rf ~bob/work/hers && cp -r ~alice/work/first ~bob/work/hers && chown -R bob: ~bob/work/hers
    refuses as_does bob sign hers "$(node 0 "$BOB")" -t up=false 2>refused
    contains refused FIDO_ERR_NO_CREDENTIALS
}

who_is_not_in_front_is_not_asked() {
    is_refused alice first
    signs bob first
    switch_to 1
    signs alice first
    is_refused bob first
}

# signing_ends_by COMMAND...: with alice's question up, the command takes it away.
signing_ends_by() {
    local pid
    agent_of alice --answer none
    until_true 60 can_be_asked alice
    as_does alice sign first "$(node 0 "$ALICE")" >signing 2>&1 &
    pid=$!
    until_true 30 grep -q '"ask"' alice.agent
    "$@"
    takes_less_than 9000 timeout 20 tail --pid=$pid -f /dev/null
    if wait $pid; then fail "it was signed"; fi
    grep '"withdraw"' alice.agent
    agent_of alice
}

switch_takes_a_question_away() {
    signing_ends_by switch_to 2
    switch_to 1
    signs alice first
}

lock_takes_a_question_away_and_none_is_asked_until_unlocked() {
    signing_ends_by hint_locked 1 true
    is_refused alice first
    hint_locked 1 false
    signs alice first
}

the_command_reaches_ones_own_device_only() {
    ctl --user alice list >list
    contains list lab.test
    as bob tpmauthn --user bob status
    refuses as bob tpmauthn --user alice list
    refuses as bob tpmauthn --user alice reset --yes
}

service_restarts_with_everybody_s_device() {
    limited 60 systemctl restart $UNIT
    wait_for_node 0 "$ALICE"
    wait_for_node 0 "$BOB"
    agent_of alice
    signs alice first
}

logind_restarts_and_nobody_is_logged_out() {
    local before
    before=$(node 0 "$BOB")
    limited 60 systemctl restart systemd-logind
    until_true 60 signs alice first # nobody is asked before logind says who is in front
    [ "$(node 0 "$BOB")" = "$before" ]
}

device_stays_until_the_last_session_ends() {
    console_login alice 3
    logout 1
    sleep 2
    signs alice first
    logout 3
    until_true 30 has_no_device "$ALICE"
    node 0 "$BOB"
}

greeter_has_no_device() {
    useradd -m greeter
    systemd-run --unit=greeter -p User=greeter -p PAMName=login -p TTYPath=/dev/tty4 -p StandardInput=tty-force \
        -E XDG_SESSION_CLASS=greeter -E XDG_SESSION_TYPE=x11 sleep 60
    until_true 30 has_session_on 4
    [ "$(loginctl show-session -P Class "$(session_on 4)")" = greeter ]
    sleep 3
    has_no_device "$(id -u greeter)"
    logout 4
}

same_passkeys_after_the_next_login() {
    console_login alice 1
    wait_for_node 0 "$ALICE"
    agent_of alice
    signs alice first
    as_does alice register second other.test -r "$(node 0 "$ALICE")"
    switch_to 2
    agent_of bob
    signs bob first
    nothing_is_loaded
}

prepare_desktop
run_test apt_installs_the_packages_and_the_service_runs
run_test nobody_is_logged_in_and_there_is_no_device
run_test login_brings_a_device_that_is_closed_to_others
run_test without_an_agent_the_answer_is_no_at_once
run_test alice_has_passkeys
run_test bob_has_passkeys_of_his_own
run_test who_is_not_in_front_is_not_asked
run_test switch_takes_a_question_away
run_test lock_takes_a_question_away_and_none_is_asked_until_unlocked
run_test the_command_reaches_ones_own_device_only
run_test service_restarts_with_everybody_s_device
run_test logind_restarts_and_nobody_is_logged_out
run_test device_stays_until_the_last_session_ends
run_test greeter_has_no_device
run_test same_passkeys_after_the_next_login
finish
