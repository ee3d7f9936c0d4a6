# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Whose the device nodes are, by the rules of dist/udev and a real udevd: the user who is named in a device
# and nobody else, the service's account for /dev/uhid, and uaccess where the device belongs to a seat.
. "$TREE/tests/vm/lib.sh"

owner() { stat -c '%u:%G %a' "$1"; }
tags() { udevadm info --query=property "$1" | grep '^TAGS=' || true; }
is_uaccess() { tags "$1" | grep -q ':uaccess:'; }
is_no_uaccess() { ! is_uaccess "$1"; }

uhid_is_private() { [ "$(stat -c '%U:%G %a' /dev/uhid)" = "root:tpmauthn 660" ]; }

uhid_belongs_to_the_service() {
    udevadm trigger --action=add --settle /dev/uhid
    uhid_is_private || fail "$(ls -l /dev/uhid)"
}

uhid_node_without_its_module_belongs_to_the_service() {
    grep -q 'static_node=uhid' "$BUILD/dist/65-tpmauthn.rules"
    # What udevd does at boot with a node that kmod made of the module's name.
    udevadm control --exit
    chown root:root /dev/uhid
    chmod 600 /dev/uhid
    /lib/systemd/systemd-udevd --daemon
    udevadm settle --timeout=30
    until_true 20 uhid_is_private
}

# device INSTANCE UNIQ [PRODUCT]: a device as the daemon makes it. Prints its node.
device() {
    /usr/bin/python3 "$TREE/tests/vm/node.py" "$@" >"$WORK/device.node" 2>"$WORK/device.log" &
    echo $! >"$WORK/device.pid"
    until_true 30 grep -q /dev/ "$WORK/device.node"
    udevadm settle --timeout=30
    cat "$WORK/device.node"
}

unplug() {
    kill "$(cat "$WORK/device.pid")"
    until_true 20 test ! -e "$1"
    udevadm settle --timeout=30
}

node_belongs_to_the_user_named_in_it_alone() {
    local at
    at=$(device tpmauthn/12345 12345)
    [ "$(owner "$at")" = "12345:root 600" ] || fail "$(ls -ln "$at")"
    is_no_uaccess "$at" || fail "open to whoever sits here: $(tags "$at")"
    udevadm info --query=property "$at" >info
    contains info "ID_FIDO_TOKEN=1"
    setpriv --reuid 12345 --regid 12345 --clear-groups dd if="$at" of=/dev/null count=0 status=none
    refuses setpriv --reuid 12346 --regid 12346 --clear-groups dd if="$at" of=/dev/null count=0 status=none
    unplug "$at"
}

node_of_a_seat_is_left_to_uaccess() {
    local at
    at=$(device tpmauthn/seat0 seat0)
    [ "$(owner "$at")" = "0:root 600" ] || fail "$(ls -ln "$at")"
    is_uaccess "$at" || fail "closed to whoever sits here: $(tags "$at")"
    unplug "$at"
}

name_instead_of_a_number_owns_nothing() {
    local at
    at=$(device tpmauthn/nobody nobody)
    [ "$(owner "$at")" = "0:root 600" ] || fail "$(ls -ln "$at")"
    unplug "$at"
    at=$(device tpmauthn/1x2 1x2)
    [ "$(owner "$at")" = "0:root 600" ] || fail "$(ls -ln "$at")"
    unplug "$at"
}

other_devices_are_left_alone() {
    local at
    at=$(device tpmauthn/12345 12345 0x5678)
    [ "$(owner "$at")" = "0:root 600" ] || fail "another product: $(ls -ln "$at")"
    is_uaccess "$at" || fail "another product: $(tags "$at")"
    unplug "$at"
    at=$(device another/12345 12345)
    [ "$(owner "$at")" = "0:root 600" ] || fail "another program: $(ls -ln "$at")"
    is_uaccess "$at" || fail "another program: $(tags "$at")"
    unplug "$at"
}

node_has_no_tag_of_a_snap_without_snapd() {
    local at
    at=$(device tpmauthn/12345 12345)
    case $(tags "$at") in *snap*) fail "$(tags "$at")" ;; esac
    unplug "$at"
}

# With the file that snapd writes for Firefox: its helper is run for our device, with what snapd gave it.
node_is_opened_to_a_snap_by_snapds_own_rule() {
    local at
    printf '#!/bin/sh\necho "$ACTION $DEVNAME $1" >>%s/helper\n' "$WORK" >"$WORK/snap-device-helper"
    chmod 755 "$WORK/snap-device-helper"
    echo "TAG==\"snap_firefox_firefox\", SUBSYSTEM!=\"module\", SUBSYSTEM!=\"subsystem\"," \
        "RUN+=\"$WORK/snap-device-helper snap_firefox_firefox\"" >/etc/udev/rules.d/70-snap.firefox.rules
    udevadm control --reload
    at=$(device tpmauthn/12345 12345)
    contains helper "add $at snap_firefox_firefox"
    case $(tags "$at") in *snap_chromium*) fail "Chromium is no snap here: $(tags "$at")" ;; esac
    [ "$(owner "$at")" = "12345:root 600" ] || fail "$(ls -ln "$at")"
    unplug "$at"
    rm /etc/udev/rules.d/70-snap.firefox.rules
    udevadm control --reload
}

# The daemon itself, as root here: the owner's number is in the device, and clients of root work.
device_of_the_daemon_belongs_to_its_starter() {
    start_daemon
    [ "$(owner "$(node)")" = "0:root 600" ] || fail "$(ls -ln "$(node)")"
    is_no_uaccess "$(node)" || fail "$(tags "$(node)")"
    register plain lab.test "" "$(node)"
    sign plain "$(node)"
}

systemd-sysusers "$TREE/dist/systemd/sysusers.conf" >/dev/null 2>&1 || exit 1
mkdir -p /etc/udev/rules.d
cp "$BUILD"/dist/*.rules /etc/udev/rules.d/
udevadm control --reload
run_test uhid_belongs_to_the_service
run_test uhid_node_without_its_module_belongs_to_the_service
run_test node_belongs_to_the_user_named_in_it_alone
run_test node_of_a_seat_is_left_to_uaccess
run_test name_instead_of_a_number_owns_nothing
run_test other_devices_are_left_alone
run_test node_has_no_tag_of_a_snap_without_snapd
run_test node_is_opened_to_a_snap_by_snapds_own_rule
run_test device_of_the_daemon_belongs_to_its_starter
finish
