# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What an upgrade, the removal and the purge of the package keep and take away, told by passkeys that were
# made before: of the disk, the TPM, the kernel and the accounts.
#
# init: systemd
# packages
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"

CONFIG=/etc/tpmauthn/tpmauthn.conf
ADDED=/etc/tpmauthn/tpmauthn.conf.d/mine.conf
KEPT=/var/lib/tpmauthn

alice_signs() {
    wait_for_node 0 "$ALICE"
    agent_of alice
    signs alice "$1"
}
alice_registers() {
    wait_for_node 0 "$ALICE"
    agent_of alice
    until_true 60 can_be_asked alice
    as_does alice register "$1" lab.test -r "$(node 0 "$ALICE")"
    signs alice "$1"
}

# The packages that are tested, of a version before: its profile was of the program, and not of the service.
older_packages() {
    local package dir=$WORK/older
    mkdir -p "$dir/out"
    for package in $(compgen -G "$BUILD/packages/tpmauthn*.deb" | grep -v dbgsym); do
        rm -rf "$dir/files"
        dpkg-deb -R "$package" "$dir/files"
        sed -i 's/^Version: .*/Version: 0.0.1/; s/(= [0-9.]*)/(= 0.0.1)/' "$dir/files/DEBIAN/control"
        if [ -e "$dir/files/etc/apparmor.d/tpmauthnd" ]; then
            sed -i 's,^profile tpmauthnd {,profile tpmauthnd /usr/libexec/tpmauthnd {,' "$dir/files/etc/apparmor.d/tpmauthnd"
            sed -i '/^AppArmorProfile=/d' "$dir/files/lib/systemd/system/$UNIT"
        fi
        dpkg-deb -Znone -b "$dir/files" "$dir/out" >/dev/null
    done
    apt_get install "$dir"/out/*.deb
    until_true 60 systemctl is-active $UNIT
    is_confined
}

older_version_has_a_passkey() {
    older_packages
    console_login alice 1
    alice_registers first
    limited 60 systemctl stop $UNIT
}

# Schema 5 came by one table more, 6 and 7 by a column each.
the_store_is_of_the_version_before() {
    local store
    store=$(find $KEPT -name store.db)
    [ "$(wc -l <<<"$store")" = 1 ] || fail "stores: $store"
    echo "$store" >store
    # As its owner, for SQLite leaves files beside it.
    setpriv --reuid tpmauthn --regid tpmauthn --clear-groups /usr/bin/python3 - "$store" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("PRAGMA user_version").fetchone() == (7,), "a new version: teach this test its last step"
db.execute("ALTER TABLE settings DROP COLUMN pin_is_complex")
db.execute("ALTER TABLE settings DROP COLUMN pin_is_for_enrolment")
db.execute("DROP TABLE event")
db.execute("PRAGMA user_version = 4")
db.commit()
END
}

upgrade_keeps_passkeys_and_configuration() {
    printf '\n[daemon]\nlog-level = debug\n' >>$CONFIG
    cp $CONFIG config.before
    mkdir -p "${ADDED%/*}"
    echo '# a file of the administrator' >$ADDED
    install_packages
    is_confined
    alice_signs first
    diff config.before $CONFIG
    # The daemon has its stores for itself.
    limited 60 systemctl stop $UNIT
    [ "$(/usr/bin/python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version").fetchone()[0])' "$(cat store)")" = 7 ]
    limited 60 systemctl start $UNIT
}

# Upgraded to itself while in use: the daemon is another one, and the device is there again.
upgrade_restarts_the_service() {
    local before
    before=$(systemctl show -P MainPID $UNIT)
    install_packages --reinstall
    [ "$(systemctl show -P MainPID $UNIT)" != "$before" ]
    alice_signs first
}

removal_keeps_passkeys_and_configuration() {
    handles >tpm.before
    apt_get remove tpmauthn
    has_no_device "$ALICE"
    if systemctl is-active $UNIT; then fail "the service runs"; fi
    [ ! -e /usr/libexec/tpmauthnd ] && [ ! -e /usr/bin/tpmauthn ]
    if compgen -G '/lib/udev/rules.d/*tpmauthn*'; then fail "rules are left"; fi
    [ -s "$(cat store)" ]
    diff config.before $CONFIG
    id tpmauthn
    same_handles_as tpm.before
}

installed_again_it_knows_them() {
    install_packages
    alice_signs first
}

purge_deletes_what_it_says() {
    apt_get purge 'tpmauthn*'
    [ ! -e $KEPT ]
    [ "$(find /etc/tpmauthn -type f)" = $ADDED ] || fail "$(find /etc/tpmauthn)"
    if compgen -G '/etc/xdg/autostart/*tpmauthn*'; then fail "the agent would be started"; fi
    id tpmauthn # a number that is given away again would own what was forgotten
    same_handles_as tpm.before
}

purged_passkeys_are_gone_for_good() {
    install_packages
    alice_registers again
    refuses as_does alice sign first "$(node 0 "$ALICE")" -t up=false 2>refused
    contains refused FIDO_ERR_NO_CREDENTIALS
}

# persistent: the names of the objects of ours that stay in the TPM.
persistent() {
    local handle
    for handle in $(handles | sed -n 's/^persistent: //p' | tr -d ' ' | tr '-' ' '); do
        echo "$handle $(limited 30 tpm2_readpublic -T device:/dev/tpmrm0 -c "$handle" | sed -n 's/^name: //p')"
    done
}

# As the package says to do before a purge. It leaves as much in the TPM, but not what was there.
retired_and_purged_the_tpm_has_none_of_the_old_keys() {
    handles | wc -w >n.before
    persistent >persistent.before
    ctl --user alice retire --yes
    rm -r "${ADDED%/*}"
    apt_get purge 'tpmauthn*'
    [ ! -e /etc/tpmauthn ]
    [ "$(handles | wc -w)" = "$(cat n.before)" ]
    persistent >persistent.after
    # The one of the store that was purged before it is still there; hers is another.
    [ "$(comm -12 <(sort persistent.before) <(sort persistent.after) | wc -l)" = 1 ] ||
        fail "before $(cat persistent.before), after $(cat persistent.after)"
}

prepare_desktop
run_test older_version_has_a_passkey
run_test the_store_is_of_the_version_before
run_test upgrade_keeps_passkeys_and_configuration
run_test upgrade_restarts_the_service
run_test removal_keeps_passkeys_and_configuration
run_test installed_again_it_knows_them
run_test purge_deletes_what_it_says
run_test purged_passkeys_are_gone_for_good
run_test retired_and_purged_the_tpm_has_none_of_the_old_keys
finish
