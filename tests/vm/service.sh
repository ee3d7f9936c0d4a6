# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The system service as `meson install` puts it there, under a real systemd: what it may do and what it
# cannot, and how it comes back. Each question is answered yes here; who is asked on a desktop is for other
# scripts.
#
# init: systemd
. "$TREE/tests/vm/lib.sh"

UNIT=tpmauthnd.service

main_pid() { systemctl show -P MainPID $UNIT; }
# The node belongs to the account that the daemon has.
device() { node 0 "$(id -u tpmauthn)"; }
device_is_there() { device && systemctl is-active -q $UNIT; }
is_another_than() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ] && device_is_there; }

meson_install_and_start() {
    meson install -C "$BUILD" --no-rebuild
    systemd-sysusers
    systemctl daemon-reload
    udevadm control --reload
    systemctl restart systemd-modules-load
    mkdir -p /etc/tpmauthn/tpmauthn.conf.d
    printf '[presence]\npresence = auto\n' >/etc/tpmauthn/tpmauthn.conf.d/vm.conf
    limited 120 systemctl enable --now $UNIT
    until_true 30 device_is_there
}

exposure_is_at_most_1() {
    local level
    systemd-analyze security --no-pager $UNIT >"$OUT/security.txt"
    level=$(sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p' "$OUT/security.txt")
    echo "exposure: $level"
    awk -v "level=$level" 'BEGIN { exit !(level != "" && level <= 1.0) }'
}

has_no_rights_to_spare() {
    local status
    status=/proc/$(main_pid)/status
    cat "$status"
    [ "$(awk '/^Uid:/ { print $2 }' "$status")" = "$(id -u tpmauthn)" ]
    ! grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb):' "$status" | grep -v '0000000000000000$' || fail "it has capabilities"
    grep -qx $'NoNewPrivs:\t1' "$status"
    grep -qx $'Seccomp:\t2' "$status"
}

works_with_the_device_and_the_tpm() {
    register first lab.test -r "$(device)"
    sign first "$(device)"
    nothing_is_loaded
}

# What an administrator finds, with what journalctl explains of it; and no site.
events_are_in_the_journal() {
    local event
    journalctl --update-catalog
    journalctl -u $UNIT SYSLOG_FACILITY=10 -o json >events.json
    for event in plugged created; do
        contains events.json "\"FIDO_EVENT\":\"$event\""
    done
    contains events.json "\"FIDO_UP\":\"1\""
    if grep -E 'lab\.test|"FIDO_EVENT":"used"' events.json; then fail "a site or a use is in the journal"; fi
    journalctl -u $UNIT FIDO_EVENT=created -x >explained
    contains explained "had a passkey made"
}

comes_back_when_killed() {
    local before
    before=$(main_pid)
    kill -KILL "$before"
    until_true 60 is_another_than "$before"
    udevadm settle --timeout=30
    sign first "$(device)"
}

# systemd has it stopped and started when its loop says nothing for too long.
comes_back_when_it_hangs() {
    local before
    mkdir -p /run/systemd/system/$UNIT.d
    printf '[Service]\nWatchdogSec=6\n' >/run/systemd/system/$UNIT.d/soon.conf
    systemctl daemon-reload
    limited 60 systemctl restart $UNIT
    before=$(main_pid)
    kill -STOP "$before"
    until_true 120 is_another_than "$before"
    journalctl -u $UNIT -o cat >journal
    contains journal "Watchdog timeout"
    udevadm settle --timeout=30
    sign first "$(device)"
}

wrong_configuration_is_said_once() {
    printf '[presence]\nprescence = auto\n' >/etc/tpmauthn/tpmauthn.conf.d/wrong.conf
    if limited 60 systemctl restart $UNIT; then fail "it started"; fi
    sleep 4
    [ "$(systemctl show -P ActiveState $UNIT)" = failed ]
    [ "$(systemctl show -P ExecMainStatus $UNIT)" = 78 ]
    journalctl -u $UNIT -o cat >journal
    contains journal "wrong.conf:2"
    rm /etc/tpmauthn/tpmauthn.conf.d/wrong.conf
    limited 60 systemctl restart $UNIT
    until_true 30 device_is_there
    udevadm settle --timeout=30
    sign first "$(device)"
}

ends_in_order() {
    limited 60 systemctl stop $UNIT
    [ "$(systemctl show -P Result $UNIT)" = success ]
    if device; then fail "its device is still there"; fi
    [ ! -e "$RUNTIME" ]
    nothing_is_loaded
}

run_test meson_install_and_start
run_test exposure_is_at_most_1
run_test has_no_rights_to_spare
run_test works_with_the_device_and_the_tpm
run_test events_are_in_the_journal
run_test comes_back_when_killed
run_test comes_back_when_it_hangs
run_test wrong_configuration_is_said_once
run_test ends_in_order
finish
