# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A PIN and what hangs on it, with clients that know nothing of us: libfido2's tools, OpenSSH, pam_u2f,
# systemd-cryptenroll, python3-fido2. PINs are typed on a terminal, and a client must ask exactly as often
# as is written here.
. "$TREE/tests/vm/lib.sh"

PIN='pa55 PIN'

pin_case() { limited 120 /usr/bin/python3 "$TREE/tests/vm/pin.py" "$(node)" "$@"; }

# ---- libfido2's tools ----

fido2_token_sets_the_pin() {
    limited 30 fido2-token -I "$(node)" >info
    contains info "noclientPin"
    types "first" "first" -- fido2-token -S "$(node)"
    limited 30 fido2-token -I "$(node)" >info
    grep 'options:' info | grep -qE '[ ,]clientPin' || fail "no clientPin: $(cat info)"
    contains info "pin retries: 8"
}

fido2_token_changes_the_pin() {
    refuses types "not it" "$PIN" "$PIN" -- fido2-token -C "$(node)"
    contains typed FIDO_ERR_PIN_INVALID
    types "first" "$PIN" "$PIN" -- fido2-token -C "$(node)"
    refuses types "first" -- fido2-cred -M -v -i plain/param "$(node)"
}

fido2_credential_without_uv_asks_for_no_pin() {
    register plain lab.test "" "$(node)"
    sign plain "$(node)"
}

fido2_credential_with_pin_registers_and_signs() {
    ANSWER=$PIN register verified lab.test -v "$(node)"
    ANSWER=$PIN sign verified "$(node)" -v
    limited 20 fido2-assert -V -v -i verified/assertion verified/key es256
    sign verified "$(node)"
    refuses limited 20 fido2-assert -V -v -i verified/assertion verified/key es256
}

MC7_fido2_discoverable_credential_asks_for_the_pin() {
    ANSWER=$PIN register resident lab.test -r "$(node)"
    sign resident "$(node)"
}

fido2_wrong_pin_is_refused() {
    refuses types "wrong" -- fido2-assert -G -v -i plain/ask -o wrong "$(node)"
    contains typed FIDO_ERR_PIN_INVALID
    limited 30 fido2-token -I "$(node)" >info
    contains info "pin retries: 7"
    ANSWER=$PIN sign plain "$(node)" -v
    limited 30 fido2-token -I "$(node)" >info
    contains info "pin retries: 8"
}

fido2_protected_credential_is_not_there_without_the_pin() {
    ANSWER=$PIN register protected lab.test "-v -c 3" "$(node)"
    ANSWER=$PIN sign protected "$(node)" -v
    refuses limited 60 fido2-assert -G -i protected/ask -o none "$(node)" 2>error
    contains error FIDO_ERR_NO_CREDENTIALS
}

# secret_of DIR SALT [OPTION...]: what hmac-secret makes of SALT.
secret_of() {
    local dir=$1 salt=$2
    shift 2
    { random && echo && cat "$dir/rp" "$dir/id" && echo "$salt"; } >"$dir/ask"
    ask_device fido2-assert -G -h "$@" -i "$dir/ask" -o "$dir/assertion" "$(node)"
    limited 20 fido2-assert -V -h -i "$dir/assertion" "$dir/key" es256
    tail -n 1 "$dir/assertion"
}

fido2_hmac_secret_repeats_and_differs_with_the_pin() {
    local salt other plain verified
    register hmac lab.test -h "$(node)"
    salt=$(random)
    other=$(random)
    plain=$(secret_of hmac "$salt")
    verified=$(ANSWER=$PIN secret_of hmac "$salt" -v)
    [ "$(echo "$plain" | base64 -d | wc -c)" = 32 ]
    [ "$(secret_of hmac "$salt")" = "$plain" ]
    [ "$(ANSWER=$PIN secret_of hmac "$salt" -v)" = "$verified" ]
    [ "$plain" != "$verified" ]
    [ "$(secret_of hmac "$other")" != "$plain" ]
}

# ---- OpenSSH ----

login() { # KEY [ANSWER]
    local key=$1
    shift
    types "$@" -- ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o IdentitiesOnly=yes -i "$key" -p 2222 root@127.0.0.1 echo logged in
    contains typed "logged in"
}

ssh_key_that_requires_the_pin_logs_in() {
    types "$PIN" -- ssh-keygen -q -t ecdsa-sk -N '' -C lab -O verify-required -f sk
    { printf 'verify-required ' && cat sk.pub; } >authorized
    login sk "$PIN"
}

ssh_key_made_without_the_pin_is_refused() {
    types -- ssh-keygen -q -t ecdsa-sk -N '' -C lab -f bare
    { printf 'verify-required ' && cat bare.pub; } >>authorized
    refuses types -- ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o IdentitiesOnly=yes -i bare -p 2222 root@127.0.0.1 echo logged in
}

ssh_resident_key_that_requires_the_pin_logs_in() {
    types "$PIN" -- ssh-keygen -q -t ecdsa-sk -N '' -C lab -O resident -O verify-required \
        -O application=ssh:lab -O user=alice -f resident-sk
    { printf 'verify-required ' && cat resident-sk.pub; } >>authorized
    login resident-sk "$PIN"
}

# ---- pam_u2f ----

pam_service() { # OPTION: of pam_u2f
    cat >/etc/pam.d/lab <<END
auth required pam_u2f.so authfile=$WORK/u2f_map origin=pam://lab appid=pam://lab cue $1
account required pam_permit.so
END
}

# map [ANSWER] -- COMMAND...: registers root. Debian 12's pamu2fcfg 1.1.0 knows no self attestation.
map() {
    LD_PRELOAD=$BUILD/tests/vm/libself-attestation.so types "$@"
    grep -a ^root: typed | tr -d '\r' >u2f_map
}

pam_u2f_with_pinverification() {
    map -- pamu2fcfg -u root -o pam://lab -i pam://lab -N
    pam_service pinverification=1
    types "$PIN" -- pamtester lab root authenticate
    contains typed "successfully authenticated"
    refuses types "wrong" -- pamtester lab root authenticate
}

pam_u2f_without_pinverification() {
    map -- pamu2fcfg -u root -o pam://lab -i pam://lab
    pam_service pinverification=0
    types -- pamtester lab root authenticate
    contains typed "successfully authenticated"
}

# ---- systemd-cryptenroll ----

VOLUME=$WORK/volume

make_volume() {
    local module
    mkdir -p /run/systemd/ask-password # without it systemd-cryptsetup does not ask
    for module in loop dm-mod dm-crypt aes_generic xts cbc ecb algif_skcipher; do
        modprobe -d "$KERNEL" "$module"
    done
    truncate -s 32M $VOLUME
    printf 'passphrase' >passphrase
    limited 60 cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
        $VOLUME passphrase
    losetup -f --show $VOLUME >loop
}

# unlock [ANSWER]: by the token alone.
unlock() {
    types "$@" -- /lib/systemd/systemd-cryptsetup attach lab "$(cat loop)" - "fido2-device=$(node),headless=no,tries=1"
    [ -b /dev/mapper/lab ]
    limited 60 /lib/systemd/systemd-cryptsetup detach lab
}

systemd_cryptenroll_without_pin_unlocks() {
    make_volume
    PASSWORD=passphrase types -- systemd-cryptenroll --fido2-device="$(node)" \
        --fido2-with-client-pin=no "$(cat loop)"
    systemd-cryptenroll "$(cat loop)" >slots
    contains slots fido2
    unlock
    unlock
}

# systemd 252 has a fault: where a credential may be made without a PIN, which our makeCredUvNotRqd says,
# --fido2-with-client-pin=yes asks for none and enrols the secret of an assertion without user
# verification, but notes that the PIN is needed. So that volume cannot be unlocked. What the unlocking
# side wants is the other secret; enrolled by hand, as later versions do it, it opens the volume.
systemd_cryptsetup_with_pin_unlocks() {
    local salt secret
    systemd-cryptenroll --wipe-slot=fido2 "$(cat loop)"
    register luks io.systemd.cryptsetup -h "$(node)"
    salt=$(random)
    secret=$(ANSWER=$PIN secret_of luks "$salt" -v)
    printf '%s' "$secret" >secret
    limited 60 cryptsetup -q luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file passphrase \
        "$(cat loop)" secret
    limited 60 cryptsetup token import "$(cat loop)" <<END
{"type": "systemd-fido2", "keyslots": ["1"], "fido2-credential": "$(cat luks/id)", "fido2-salt": "$salt",
 "fido2-rp": "io.systemd.cryptsetup", "fido2-clientPin-required": true, "fido2-up-required": true,
 "fido2-uv-required": false}
END
    unlock "$PIN"
}

# ---- python3-fido2 ----

CP23_python_fido2_uses_tokens_of_both_protocols() {
    pin_case uses "$PIN" , hmac_secret "$PIN" , protected "$PIN"
}

CP21_pin_of_63_bytes_of_multibyte_text() {
    local long
    long=$(printf 'é%.0s' $(seq 31))x
    [ "$(printf '%s' "$long" | wc -c)" = 63 ]
    pin_case change "$PIN" "$long" , right "$long" , right "$PIN" 31 , change "$long" "éééé" , change "éééé" "$PIN"
}

CP22_a_token_of_before_a_change_is_refused() { pin_case changed "$PIN" 5678; }

replug() {
    local before
    before=$(readlink -f "/sys/class/hidraw/$(basename "$(node)")/device")
    ctl replug
    until_true 30 test ! -e "$before"
    wait_for_node 0
}

CP4_third_wrong_pin_in_a_row_asks_for_a_power_cycle() {
    pin_case retries 8 , wrong 31 31 34 , retries 5 latched , right "$PIN" 34 , wrong 34 , retries 5 latched
    replug
    pin_case retries 5 , right "$PIN" , retries 8
}

# Two clients, a re-plug and a kill: none of them gives back a try.
CP5_eight_wrong_pins_block() {
    pin_case wrong 31 31 34
    replug
    refuses types "wrong" -- fido2-assert -G -v -i plain/ask -o wrong "$(node)"
    pin_case wrong 31
    kill_daemon
    restart_daemon
    ctl presence auto
    pin_case retries 3 , wrong 31 31 32 , right "$PIN" 32
    replug
    pin_case right "$PIN" 32 , retries 0
    # What needs no PIN goes on.
    sign plain "$(node)"
}

fido2_token_resets_the_device() {
    replug
    types -- fido2-token -R "$(node)"
    wait_for_node 0
    limited 30 fido2-token -I "$(node)" >info
    contains info "noclientPin"
    refuses limited 60 fido2-assert -G -t up=false -i plain/ask -o lost "$(node)" 2>error
    contains error FIDO_ERR_NO_CREDENTIALS
    types "anew" "anew" -- fido2-token -S "$(node)"
    ANSWER="anew" register anew lab.test -v "$(node)"
    ANSWER="anew" sign anew "$(node)" -v
}

# ---- tpmauthn ----

tpmauthn_pin_sets_changes_and_tells() {
    ctl reset --yes
    wait_for_node 0
    ctl pin status
    printf '1234\n' | ctl pin set
    ctl pin status
    pin_case right 1234
    printf '1234\n5678\n' | ctl pin change
    pin_case right 5678
    types 5678 "$PIN" "$PIN" -- "$BUILD/cli/tpmauthn" --socket "$RUNTIME/control.sock" pin change
    pin_case right "$PIN"
}

start_daemon --presence script || exit 1
ctl presence auto >/dev/null
register plain lab.test "" "$(node)" && sign plain "$(node)" || exit 1
start_sshd || exit 1
run_test fido2_token_sets_the_pin
run_test fido2_token_changes_the_pin
run_test fido2_credential_without_uv_asks_for_no_pin
run_test fido2_credential_with_pin_registers_and_signs
run_test MC7_fido2_discoverable_credential_asks_for_the_pin
run_test fido2_wrong_pin_is_refused
run_test fido2_protected_credential_is_not_there_without_the_pin
run_test fido2_hmac_secret_repeats_and_differs_with_the_pin
run_test ssh_key_that_requires_the_pin_logs_in
run_test ssh_key_made_without_the_pin_is_refused
run_test ssh_resident_key_that_requires_the_pin_logs_in
run_test pam_u2f_with_pinverification
run_test pam_u2f_without_pinverification
run_test systemd_cryptenroll_without_pin_unlocks
run_test systemd_cryptsetup_with_pin_unlocks
run_test CP23_python_fido2_uses_tokens_of_both_protocols
run_test CP21_pin_of_63_bytes_of_multibyte_text
run_test CP22_a_token_of_before_a_change_is_refused
run_test CP4_third_wrong_pin_in_a_row_asks_for_a_power_cycle
run_test CP5_eight_wrong_pins_block
run_test fido2_token_resets_the_device
run_test tpmauthn_pin_sets_changes_and_tells
finish
