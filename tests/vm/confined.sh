# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The daemon as the service's account, in its sandbox on Debian's own kernel and under its AppArmor profile.
. "$TREE/tests/vm/lib.sh"

sandbox_holds_on_debians_kernel() {
    TPMAUTHN_LANDLOCK=1 limited 60 "$BUILD/tests/unit/test-sandbox"
}

confine() {
    sed "s,^profile tpmauthnd,profile tpmauthnd $1," "$BUILD/dist/tpmauthnd" >profile
    sed -i "s,^  [^ ]*/tpmauthnd mr\,,  $1 mr\,," profile
    apparmor_parser --replace --skip-cache profile
}

denied() { dmesg | grep 'apparmor="DENIED"'; }

daemon_of_the_account_works_under_apparmor() {
    local uid
    uid=$(id -u tpmauthn)
    confine "$BUILD/authenticator/tpmauthnd"
    install -d -o tpmauthn -m 700 /var/lib/tpmauthn
    install -d -o tpmauthn -m 755 /run/tpmauthn
    setpriv --reuid tpmauthn --regid tpmauthn --groups "$(getent group tss | cut -d: -f3)" \
        --bounding-set=-all --inh-caps=-all "$BUILD/authenticator/tpmauthnd" --presence auto >>"$OUT/daemon.log" 2>&1 &
    echo $! >daemon.pid
    wait_for_node 0 "$uid"
    grep -x 'tpmauthnd (enforce)' "/proc/$(cat daemon.pid)/attr/current"
    [ "$(stat -c '%u %a' "$(node 0 "$uid")")" = "$uid 600" ]
    register first lab.test -r "$(node 0 "$uid")"
    sign first "$(node 0 "$uid")"
    ctl replug
    wait_for_node 0 "$uid"
    sign first "$(node 0 "$uid")"
    ctl list >list
    contains list lab.test
    if denied; then fail "the profile refuses what the daemon does"; fi
}

profile_refuses_what_is_not_named() {
    cp "$(command -v cat)" "$WORK/cat"
    confine "$WORK/cat"
    "$WORK/cat" /etc/ld.so.cache >read
    refuses "$WORK/cat" /etc/fstab
    refuses "$WORK/cat" /proc/1/environ
    denied
}

mount -t securityfs securityfs /sys/kernel/security
systemd-sysusers "$TREE/dist/systemd/sysusers.conf" >/dev/null 2>&1 || exit 1
mkdir -p /etc/udev/rules.d
cp "$BUILD"/dist/65-tpmauthn.rules /etc/udev/rules.d/
udevadm control --reload
udevadm trigger --action=add --settle /dev/uhid
run_test sandbox_holds_on_debians_kernel
run_test daemon_of_the_account_works_under_apparmor
run_test profile_refuses_what_is_not_named
finish
