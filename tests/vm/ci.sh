# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# tpmauthn ci run on a real uhid: its commands are ssh-keygen, pam_u2f and fido2-token, and then whatever kills
# what is meant to clean up. Nothing of it may stay: no process, socket, device or file.
. "$TREE/tests/vm/lib.sh"

export TPMAUTHND=$BUILD/authenticator/tpmauthnd TPMAUTHN=$BUILD/cli/tpmauthn TMPDIR=$WORK/tmp
mkdir -p "$TMPDIR"
# Where this computer is a container, the machine that has its files is none.
rm -f /.dockerenv /run/.containerenv

# ci [OPTION...] -- COMMAND...
ci() { limited 90 "$TPMAUTHN" ci run "$@"; }

# Everything that a run could leave.
trace_of_a_run() {
    pgrep -l '^(tpmauthnd|tpmauthn|swtpm|ci-keeper|sleep)$' || true
    find "$TMPDIR" -mindepth 1
    grep -l 'HID_PHYS=tpmauthn/' /sys/class/hidraw/*/device/uevent 2>/dev/null || true
    grep -F "$TMPDIR" /proc/net/unix || true
}
leaves_nothing() {
    local left
    left=$(trace_of_a_run)
    [ -z "$left" ] || fail "left: $left"
}
# Where the one that is waited for was killed, the other cleans up.
leaves_nothing_soon() {
    local i
    for i in $(seq 100); do
        [ -n "$(trace_of_a_run)" ] || return 0
        sleep 0.2
    done
    leaves_nothing
}

the_command_finds_nodes_that_clients_can_use() {
    ci --devices 2 -- bash -ec '
        set -- $TPMAUTHN_HIDRAW
        [ $# = 2 ] && [ -c "$1" ] && [ -c "$2" ]
        [ "$(fido2-token -L | tee /dev/stderr | grep -c "vendor=0x1209")" = 2 ]
        cat /sys/class/hidraw/*/device/uevent | grep -c "HID_NAME=TPM Passkey ci-.*(simulator)" | grep -qx 2
        fido2-token -I "$1" | grep -q "aaguid: 37c07f0225c24cd9a6330fbd53267e82"
        "$TPMAUTHN" status
        exit 0'
    leaves_nothing
}

the_status_of_the_command_is_passed_on() {
    local status=0
    ci -- sh -c 'exit 42' || status=$?
    [ $status = 42 ]
    leaves_nothing
}

ssh_keygen_fido2_token_and_pam_u2f_run_three_times() {
    local i
    cat >pam-run <<END
set -eu
LD_PRELOAD=$BUILD/tests/vm/libself-attestation.so pamu2fcfg -u root -o pam://lab -i pam://lab >$WORK/u2f_map
pamtester lab root authenticate
END
    cat >/etc/pam.d/lab <<END
auth required pam_u2f.so authfile=$WORK/u2f_map origin=pam://lab appid=pam://lab
account required pam_permit.so
END
    cat >ssh-run <<'END'
set -eu
rm -f key key.pub text.sig
ssh-keygen -q -t ecdsa-sk -N '' -f key
echo hello >text
ssh-keygen -q -Y sign -n file -f key text
echo "me $(cat key.pub)" >allowed
ssh-keygen -Y verify -f allowed -I me -n file -s text.sig <text
END
    for i in 1 2 3; do
        ci -- bash ssh-run
        leaves_nothing
        ci -- bash pam-run
        leaves_nothing
        ci --pin 246810 -- sh -c 'fido2-token -L && fido2-token -I $TPMAUTHN_HIDRAW | grep -q "pin retries: 8"'
        leaves_nothing
    done
}

a_key_that_verifies_asks_for_no_pin() {
    # shellcheck disable=SC2016
    ci --uv ok -- bash -c '. "$TREE/tests/vm/lib.sh"; set -e; cd "$0"; register verified ci.test "-r -v" $TPMAUTHN_HIDRAW;
        sign verified $TPMAUTHN_HIDRAW -t uv=true' "$PWD"
    leaves_nothing
}

start_long_run() {
    rm -f up
    ci --devices 2 -- bash -c 'setsid sleep 1000 & trap "" TERM; touch up; while :; do sleep 1; done' &
    until_true 60 test -e up
}
run_pid() { pgrep -of "^$TPMAUTHN ci run"; }

nothing_is_left_by_a_run_that_is_killed() {
    start_long_run
    kill -KILL "$(run_pid)"
    leaves_nothing_soon
    start_long_run
    kill -KILL "$(pgrep -x ci-keeper)"
    leaves_nothing_soon
    start_long_run
    kill -KILL "$(pgrep -x tpmauthnd)"
    leaves_nothing_soon
}

a_signal_ends_the_run_and_leaves_nothing() {
    local status=0 pid
    rm -f up
    ci -- sh -c 'touch up; exec sleep 1000' &
    pid=$!
    until_true 60 test -e up
    kill -TERM "$(run_pid)"
    wait $pid || status=$?
    [ $status = 143 ] || fail "status $status"
    leaves_nothing
}

two_runs_at_once_have_devices_of_their_own() {
    rm -f first second
    # shellcheck disable=SC2016
    ci -- sh -c 'echo $TPMAUTHN_HIDRAW >first; while ! [ -s second ]; do sleep 0.1; done; test -c $TPMAUTHN_HIDRAW' &
    # shellcheck disable=SC2016
    ci -- sh -c 'while ! [ -s first ]; do sleep 0.1; done; echo $TPMAUTHN_HIDRAW >second'
    wait $!
    ! cmp -s first second || fail "both have $(cat first)"
    leaves_nothing_soon
}

# As a user of no privileges, to whom the rule of dist/udev gives the node.
a_user_runs_it_by_the_rule_for_nodes() {
    local status=0
    chmod 1777 "$TMPDIR"
    cp "$BUILD/dist/65-tpmauthn.rules" /run/udev/rules.d/ 2>/dev/null ||
        { mkdir -p /run/udev/rules.d && cp "$BUILD/dist/65-tpmauthn.rules" /run/udev/rules.d/; }
    udevadm control --reload
    setpriv --reuid 12345 --regid 12345 --clear-groups "$TPMAUTHN" ci run -- true 2>said || status=$?
    [ $status = 120 ]
    contains said "setfacl -m u:"
    setfacl -m u:12345:rw /dev/uhid
    # shellcheck disable=SC2016
    limited 60 setpriv --reuid 12345 --regid 12345 --clear-groups "$TPMAUTHN" ci run -- \
        sh -c 'id -u; fido2-token -I $TPMAUTHN_HIDRAW'
    leaves_nothing
    rm /run/udev/rules.d/65-tpmauthn.rules
    udevadm control --reload
}

without_its_module_uhid_is_loaded_or_its_package_named() {
    local status=0 modules
    modules=/lib/modules/$(uname -r)
    rmmod uhid
    rm -f /dev/uhid
    ci -- true 2>said || status=$?
    [ $status = 120 ] || fail "status $status"
    contains said "linux-image-$(uname -r)"
    mkdir -p "$modules"
    cp "$KERNEL$modules"/modules.{builtin,builtin.modinfo,order} "$modules/"
    mkdir -p "$modules/kernel/drivers/hid"
    cp "$KERNEL$modules/kernel/drivers/hid/uhid.ko" "$modules/kernel/drivers/hid/"
    depmod
    ci -- true
    leaves_nothing
}

run_test the_command_finds_nodes_that_clients_can_use
run_test the_status_of_the_command_is_passed_on
run_test ssh_keygen_fido2_token_and_pam_u2f_run_three_times
run_test a_key_that_verifies_asks_for_no_pin
run_test nothing_is_left_by_a_run_that_is_killed
run_test a_signal_ends_the_run_and_leaves_nothing
run_test two_runs_at_once_have_devices_of_their_own
run_test a_user_runs_it_by_the_rule_for_nodes
run_test without_its_module_uhid_is_loaded_or_its_package_named
finish
