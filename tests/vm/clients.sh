# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The command line clients of Debian against the daemon, over /dev/hidraw and /dev/tpmrm0: libfido2's
# tools, u2f-host, OpenSSH, python3-fido2. None of them knows of us.
. "$TREE/tests/vm/lib.sh"

client() { limited 120 /usr/bin/python3 "$TREE/tests/vm/client.py" "$@"; }

A2_udev_marks_the_node_by_its_descriptor_alone() {
    udevadm info --query=property "$(node)" >info
    contains info "ID_FIDO_TOKEN=1"
    contains info "ID_SECURITY_TOKEN=1"
    grep -q '^TAGS=.*:uaccess:' info || fail "no uaccess tag: $(grep TAGS info)"
}

fido2_token_lists_and_describes_the_device() {
    limited 30 fido2-token -L >list
    contains list "$(node): vendor=0x1209, product=0x000d"
    [ "$(wc -l <list)" = 1 ] || fail "more than one device: $(cat list)"
    limited 30 fido2-token -I "$(node)" >info
    contains info "version strings: U2F_V2, FIDO_2_0, FIDO_2_1, FIDO_2_3"
    contains info "es256 (public-key)"
    contains info "transport strings: usb"
    contains info "maxmsgsiz: 1536"
    contains info "noclientPin"
    contains info "extension strings: credBlob, credProtect, hmac-secret, largeBlobKey, minPinLength"
    contains info "credMgmt, authnrCfg"
    contains info "maxlargeblob: 65536"
}

fido2_credential_without_rk_registers_and_signs() {
    register plain lab.test "" "$(node)"
    sign plain "$(node)"
    sign plain "$(node)"
}

fido2_credential_with_rk_registers_and_signs() {
    register resident lab.test -r "$(node)"
    sign resident "$(node)"
}

# Without a credential id in the request only the discoverable one can answer, and it says whose it is.
fido2_resident_credential_is_found_by_the_site_alone() {
    { random && echo && cat resident/rp; } >ask
    limited 60 fido2-assert -G -r -i ask -o resident/found "$(node)"
    limited 20 fido2-assert -V -i resident/found resident/key es256
    [ "$(sed -n 5p resident/found)" = "$(sed -n 4p resident/param)" ] || fail "another user id"
}

fido2_assertion_without_presence_signs_and_says_so() {
    sign plain "$(node)" -t up=false
    # -p demands the UP flag: the signature is good, the flag is honestly missing.
    refuses limited 20 fido2-assert -V -p -i plain/assertion plain/key es256
    sign plain "$(node)"
    limited 20 fido2-assert -V -p -i plain/assertion plain/key es256
}

fido2_foreign_credential_is_refused() {
    { random && echo && cat plain/rp && random && echo; } >ask
    refuses limited 60 fido2-assert -G -t up=false -i ask -o foreign "$(node)" 2>error
    contains error FIDO_ERR_NO_CREDENTIALS
}

fido2_signature_of_another_key_is_refused() {
    sign plain "$(node)"
    refuses limited 20 fido2-assert -V -i plain/assertion resident/key es256
}

fido2_u2f_credential_registers_and_signs() {
    register u2f lab.test -u "$(node)"
    sign u2f "$(node)" -u
}

# u2f_server ACTION OPTION...: the server's challenge goes to the host program, its answer goes back.
u2f_server() {
    local action=$1 challenge status=0
    shift
    rm -f up down
    mkfifo up
    limited 60 stdbuf -oL u2f-server "-a$action" -ohttp://demo.test -ihttp://demo.test "$@" \
        <up >down 2>server.err &
    local server=$!
    exec 7>up
    until_true 20 grep -q challenge down
    challenge=$(head -n 1 down)
    echo "$challenge" | limited 60 u2f-host "-a$action" -ohttp://demo.test >&7 || status=$?
    exec 7>&-
    wait $server || status=$?
    cat down server.err
    return $status
}

u2f_host_registers_and_authenticates() {
    u2f_server register -k handle -p key
    [ -s handle ] && [ -s key ]
    u2f_server authenticate -k handle -p key >answer
    cat answer
    grep -q "Successful authentication" answer
    grep -q "user presence 1" answer
}

ssh_key_is_made_and_signs() {
    rm -f sk*
    limited 90 ssh-keygen -q -t ecdsa-sk -N '' -C lab -f sk
    echo "the text" >text
    limited 60 ssh-keygen -Y sign -f sk -n lab text
    echo "alice@lab $(cat sk.pub)" >allowed
    limited 20 ssh-keygen -Y verify -f allowed -I alice@lab -n lab -s text.sig <text
    echo "another text" >other
    refuses limited 20 ssh-keygen -Y verify -f allowed -I alice@lab -n lab -s text.sig <other
}

ssh_login_with_the_key() {
    start_sshd
    cp sk.pub authorized
    limited 90 ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o IdentitiesOnly=yes -o BatchMode=yes -i sk -p 2222 root@127.0.0.1 echo logged in >login
    contains login "logged in"
}

U12_u2f_is_served_and_said_to_be() {
    limited 30 fido2-token -I "$(node)" >info
    contains info "(wink, cbor, msg)"
    contains info "U2F_V2"
}

B2_options_of_get_info_sort_by_length_first() { client order "$(node)"; }
B4_python_fido2_accepts_every_reply_as_canonical() { client canonical "$(node)"; }
MC12_excluded_credential_is_refused_over_hidraw() { client excluded "$(node)"; }
F5_counter_grows_over_hidraw() { client counter "$(node)"; }
A41_keepalives_come_at_once_and_in_time_over_hidraw() { client keepalive "$(node)"; }
A35_cancel_ends_a_waiting_command_over_hidraw() { client cancel "$(node)"; }
A23_another_channel_is_busy_over_hidraw() { client busy "$(node)"; }

list_shows_what_was_registered() {
    ctl list >list
    cat list
    contains list lab.test
    ctl status
    ctl doctor
}

start_daemon --presence script || exit 1
ctl presence auto >/dev/null
run_test A2_udev_marks_the_node_by_its_descriptor_alone
run_test fido2_token_lists_and_describes_the_device
run_test U12_u2f_is_served_and_said_to_be
run_test fido2_credential_without_rk_registers_and_signs
run_test fido2_credential_with_rk_registers_and_signs
run_test fido2_resident_credential_is_found_by_the_site_alone
run_test fido2_assertion_without_presence_signs_and_says_so
run_test fido2_foreign_credential_is_refused
run_test fido2_signature_of_another_key_is_refused
run_test fido2_u2f_credential_registers_and_signs
run_test u2f_host_registers_and_authenticates
run_test ssh_key_is_made_and_signs
run_test ssh_login_with_the_key
run_test B2_options_of_get_info_sort_by_length_first
run_test B4_python_fido2_accepts_every_reply_as_canonical
run_test MC12_excluded_credential_is_refused_over_hidraw
run_test F5_counter_grows_over_hidraw
run_test list_shows_what_was_registered
# From here on nobody answers the question: as configured, the script would have to.
ctl presence ask >/dev/null
run_test A41_keepalives_come_at_once_and_in_time_over_hidraw
run_test A35_cancel_ends_a_waiting_command_over_hidraw
run_test A23_another_channel_is_busy_over_hidraw
finish
