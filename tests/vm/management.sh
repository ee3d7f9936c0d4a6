# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What CTAP 2.1 to 2.3 add for who owns the key: managing passkeys, configuring the authenticator, large
# blobs, resident ssh keys; with libfido2's tools, OpenSSH and python3-fido2. The PIN is typed into the client.
. "$TREE/tests/vm/lib.sh"

PIN='pa55 PIN'

# with_pin COMMAND...: it must ask for the PIN exactly once.
with_pin() { types "$PIN" -- "$@"; }

token_info() { limited 30 fido2-token -I "$(node)" >info; }

has_option() { # NAME
    token_info
    grep 'options:' info | grep -qE "[ ,]$1(,|\$)" || fail "no option $1: $(cat info)"
}

# ---- credentialManagement ----

CM5_fido2_token_lists_the_sites() {
    with_pin fido2-token -L -r "$(node)"
    grep -cE '^[0-9]+: ' typed | grep -qx 2
    for rp in first.test second.test; do
        contains typed "$(printf '%s' $rp | openssl sha256 -binary | base64) $rp"
    done
}

CM7_fido2_token_lists_the_credentials_of_a_site() {
    with_pin fido2-token -L -k first.test "$(node)"
    contains typed "$(cat one/id)"
    contains typed "$(sed -n 4p one/param)"
    contains typed es256
    refuses with_pin fido2-token -L -k none.test "$(node)"
    contains typed FIDO_ERR_NO_CREDENTIALS
}

CM4_fido2_token_counts_credentials() {
    with_pin fido2-token -I -c "$(node)"
    contains typed "existing rk(s): 2"
    grep -qE 'remaining rk\(s\): [0-9]+' typed
}

# The key that it was registered with, under its id.
CM7_fido2_token_shows_the_public_key() {
    with_pin fido2-token -I -k first.test -i "$(cat one/id)" "$(node)"
    tr -d '\r' <typed | sed -n '/BEGIN/,/END/p' | diff - one/key
}

CM10_fido2_token_renames_an_account() {
    with_pin fido2-token -S -c -i "$(cat one/id)" -k "$(sed -n 4p one/param)" -n zoë -p "Zoë Q." "$(node)"
    with_pin fido2-token -L -k first.test "$(node)"
    contains typed "Zoë Q."
    ctl list >list
    contains list zoë
    refuses with_pin fido2-token -S -c -i "$(cat one/id)" -k "$(random)" -n eve -p Eve "$(node)"
    contains typed FIDO_ERR_INVALID_PARAMETER
}

CM9_fido2_token_deletes_a_credential() {
    with_pin fido2-token -D -i "$(cat two/id)" "$(node)"
    with_pin fido2-token -L -r "$(node)"
    refuses grep -q second.test typed
    refuses with_pin fido2-token -D -i "$(cat two/id)" "$(node)"
    contains typed FIDO_ERR_NO_CREDENTIALS
    sign one "$(node)"
}

# ---- resident ssh keys ----

ssh_keygen_makes_a_resident_key_and_gets_it_back() {
    with_pin ssh-keygen -q -t ecdsa-sk -N '' -C lab -O resident -O application=ssh:lab -O user=alice -f sk
    mkdir back
    cd back
    types "$PIN" -- ssh-keygen -K -N ''
    cd ..
    # The comment is ssh-keygen's own in both.
    [ "$(cut -d' ' -f1,2 sk.pub)" = "$(cut -d' ' -f1,2 back/id_ecdsa_sk_rk_lab_alice.pub)" ]
    echo "the text" >text
    limited 60 ssh-keygen -Y sign -f back/id_ecdsa_sk_rk_lab_alice -n lab text
    echo "alice@lab $(cat sk.pub)" >allowed
    limited 20 ssh-keygen -Y verify -f allowed -I alice@lab -n lab -s text.sig <text
}

# ---- large blobs ----

LB9_fido2_token_keeps_a_large_blob() {
    random >blobkey
    # libfido2 1.12 fails to read an array that ends with a whole fragment, of 1472 bytes. This makes one of
    # about 19,580; 20,000 bytes of noise would make one of 20,608 now and then.
    head -c 19000 /dev/urandom | base64 >blob
    with_pin fido2-token -S -b -k blobkey blob "$(node)"
    rm -f got
    limited 60 fido2-token -G -b -k blobkey got "$(node)"
    cmp blob got
    with_pin fido2-token -L -b "$(node)"
    grep -cE '^[0-9]+: ' typed | grep -qx 1
    with_pin fido2-token -D -b -k blobkey "$(node)"
    refuses limited 60 fido2-token -G -b -k blobkey got "$(node)" 2>error
    contains error FIDO_ERR_NOTFOUND
}

D7_fido2_token_keeps_a_large_blob_of_a_credential() {
    ANSWER=$PIN register large large.test "-r -b" "$(node)"
    echo "kept for large.test" >blob
    types "$PIN" -- fido2-token -S -b -n large.test blob "$(node)"
    rm -f got # fido2-token does not shorten a file that is there
    with_pin fido2-token -G -b -n large.test got "$(node)"
    cmp blob got
    rm -f got
    # The key that an assertion gives opens it too.
    { random && echo && cat large/rp large/id; } >ask
    limited 60 fido2-assert -G -b -i ask -o assertion "$(node)"
    tail -n 1 assertion >blobkey
    cmp blobkey large/blobkey
    limited 60 fido2-token -G -b -k blobkey got "$(node)"
    cmp blob got
}

# ---- authenticatorConfig ----

AC4_fido2_token_toggles_always_uv() {
    with_pin fido2-token -S -u "$(node)"
    has_option alwaysUv
    refuses grep -q U2F_V2 info
    ANSWER=$PIN register always always.test "" "$(node)"
    with_pin fido2-token -D -u "$(node)"
    has_option noalwaysUv
    contains info U2F_V2
    register plain plain.test "" "$(node)"
}

AC3_fido2_token_enables_enterprise_attestation() {
    has_option noep
    with_pin fido2-token -S -a "$(node)"
    has_option ep
}

AC5_fido2_token_raises_the_least_pin_length() {
    with_pin fido2-token -S -l 6 "$(node)"
    token_info
    contains info "minpinlen: 6"
    refuses with_pin fido2-token -S -l 5 "$(node)"
    contains typed FIDO_ERR_PIN_POLICY_VIOLATION
    refuses types "$PIN" "short" "short" -- fido2-token -C "$(node)"
    contains typed FIDO_ERR_PIN_POLICY_VIOLATION
}

AC5b_fido2_token_names_who_may_learn_the_pin_length() {
    with_pin fido2-token -S -m first.test,python.test "$(node)"
}

AC5c_fido2_token_forces_a_change_of_pin() {
    with_pin fido2-token -S -f "$(node)"
    token_info
    contains info "pin change required: true"
    refuses with_pin fido2-token -L -r "$(node)"
    contains typed FIDO_ERR_PIN_POLICY_VIOLATION
    types "$PIN" "another $PIN" "another $PIN" -- fido2-token -C "$(node)"
    PIN="another $PIN"
    with_pin fido2-token -L -r "$(node)"
    types "$PIN" "${PIN#another }" "${PIN#another }" -- fido2-token -C "$(node)"
}

# ---- python3-fido2 ----

management_case() { limited 120 /usr/bin/python3 "$TREE/tests/vm/management.py" "$(node)" "$@"; }

GI8_python_fido2_recognises_the_device_by_its_persistent_token() { management_case identifier "$PIN"; }
CM3_python_fido2_reads_with_the_persistent_token() { management_case read_only "$PIN"; }
D6_python_fido2_keeps_a_cred_blob() { management_case cred_blob "$PIN"; }
D9_python_fido2_is_told_the_least_pin_length() { management_case min_pin_length "$PIN"; }
D10_python_fido2_marks_a_credential_for_payments() { management_case payment "$PIN"; }
MC9_python_fido2_gets_an_enterprise_attestation() { management_case enterprise "$PIN" "$WORK/ca.pem"; }
MC3_python_fido2_registers_with_every_algorithm() { management_case algorithms "$PIN"; }

# A key that an organisation attests with, under a certificate as WebAuthn 8.2.1 wants it.
make_attestation_key() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem \
        -subj "/C=DE/O=Lab/CN=Lab root"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout attestation.key -out leaf.csr \
        -subj "/C=DE/O=Lab/OU=Authenticator Attestation/CN=Lab attestation"
    printf 'basicConstraints=critical,CA:FALSE\n' >leaf.ext
    openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile leaf.ext \
        -out attestation.pem
}

make_attestation_key >"$OUT/openssl.log" 2>&1 || exit 1
start_daemon --presence script --set "attestation.key=$WORK/attestation.key" \
    --set "attestation.certificates=$WORK/attestation.pem" --set "attestation.rp-ids=python.test" || exit 1
ctl presence auto >/dev/null
types "$PIN" "$PIN" -- fido2-token -S "$(node)" 2>"$OUT/setup.log" || exit 1
ANSWER=$PIN register one first.test -r "$(node)" >>"$OUT/setup.log" 2>&1 || exit 1
ANSWER=$PIN register two second.test -r "$(node)" >>"$OUT/setup.log" 2>&1 || exit 1
run_test CM5_fido2_token_lists_the_sites
run_test CM7_fido2_token_lists_the_credentials_of_a_site
run_test CM4_fido2_token_counts_credentials
run_test CM7_fido2_token_shows_the_public_key
run_test CM10_fido2_token_renames_an_account
run_test CM9_fido2_token_deletes_a_credential
run_test ssh_keygen_makes_a_resident_key_and_gets_it_back
run_test LB9_fido2_token_keeps_a_large_blob
run_test D7_fido2_token_keeps_a_large_blob_of_a_credential
run_test AC4_fido2_token_toggles_always_uv
run_test AC3_fido2_token_enables_enterprise_attestation
run_test MC9_python_fido2_gets_an_enterprise_attestation
run_test AC5_fido2_token_raises_the_least_pin_length
run_test AC5b_fido2_token_names_who_may_learn_the_pin_length
run_test D9_python_fido2_is_told_the_least_pin_length
run_test AC5c_fido2_token_forces_a_change_of_pin
run_test GI8_python_fido2_recognises_the_device_by_its_persistent_token
run_test CM3_python_fido2_reads_with_the_persistent_token
run_test D6_python_fido2_keeps_a_cred_blob
run_test D10_python_fido2_marks_a_credential_for_payments
run_test MC3_python_fido2_registers_with_every_algorithm
finish
