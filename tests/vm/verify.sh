# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Built-in verification, with clients that know nothing of us: they ask for no PIN, and come to a verified
# person. The key is told the PIN in place of one who types it.
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/browser-lib.sh"

PIN=2468

# uv_is STATE: as the key says: uv, nouv (there is no PIN), or nothing of it.
uv_is() {
    limited 30 fido2-token -I "$(node)" >info
    [ "$(grep 'options:' info | grep -oE '\b(no)?uv\b')" = "$1" ] || fail "not '$1': $(cat info)"
}

# tell WORD: and the node that was there before is gone, and another one is there.
tell() {
    local before
    before=$(readlink -f "/sys/class/hidraw/$(basename "$(node)")/device")
    echo "$PIN" | ctl presence "$1"
    until_true 30 test ! -e "$before"
    wait_for_node 0
}

GI5_the_node_is_another_one_when_the_key_was_told_the_pin() {
    uv_is ""
    tell pin
    uv_is nouv
    echo "$PIN" | ctl pin set
    uv_is uv
    tell no-pin
    uv_is ""
    tell pin
    uv_is uv
}

fido2_registers_and_signs_with_no_question() {
    register verified lab.test "-v -r" "$(node)"
    sign verified "$(node)" -t uv=true
    limited 20 fido2-assert -V -v -i verified/assertion verified/key es256
    register protected lab.test "-v -c 3" "$(node)"
    sign protected "$(node)" -t uv=true
}

fido2_wrong_pin_is_asked_for_again_by_the_key() {
    echo 1357 | ctl presence pin-once
    sign verified "$(node)" -t uv=true
    limited 30 fido2-token -I "$(node)" >info
    contains info "pin retries: 8"
}

# OpenSSH 9.2 asks the key to verify when it signs; when it makes a key, it asks for the PIN whatever that can.
ssh_key_that_requires_verification_logs_in() {
    types "$PIN" -- ssh-keygen -q -t ecdsa-sk -N '' -C lab -O verify-required -f sk
    { printf 'verify-required ' && cat sk.pub; } >authorized
    types -- ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o IdentitiesOnly=yes -i sk -p 2222 root@127.0.0.1 echo logged in
    contains typed "logged in"
}

pam_u2f_with_userverification() {
    LD_PRELOAD=$BUILD/tests/vm/libself-attestation.so types -- pamu2fcfg -u root -o pam://lab -i pam://lab -V
    grep -a ^root: typed | tr -d '\r' >u2f_map
    cat >/etc/pam.d/lab <<END
auth required pam_u2f.so authfile=$WORK/u2f_map origin=pam://lab appid=pam://lab cue userverification=1
account required pam_permit.so
END
    types -- pamtester lab root authenticate
    contains typed "successfully authenticated"
}

# Passkeys with PRF. A headless browser shows no dialog, so none was needed; to choose among accounts would take
# one, so there is one account at a time.
H11_chromium_verifies_by_the_key() { visit chromium chromium passkey login login; }
H25_firefox_verifies_by_the_key() { visit firefox firefox passkey login login; }

forget_the_passkey_of_chromium() {
    ctl list >list
    ctl --yes delete "$(awk '$2 == "localhost" { print $1 }' list)"
}

start_daemon || exit 1
start_sshd || exit 1
serve
run_test GI5_the_node_is_another_one_when_the_key_was_told_the_pin
run_test fido2_registers_and_signs_with_no_question
run_test fido2_wrong_pin_is_asked_for_again_by_the_key
run_test ssh_key_that_requires_verification_logs_in
run_test pam_u2f_with_userverification
run_test H11_chromium_verifies_by_the_key
forget_the_passkey_of_chromium >"$OUT/forget.log" 2>&1
run_test H25_firefox_verifies_by_the_key
cp "$REPORT" "$OUT/"
finish
