# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Two virtual devices side by side, as a hardware key beside ours would be: the one that has nothing to
# say to a site must not end the request of the one that has. A device "nobody touches" stays at its
# question (presence script, no answer); the other one is touched (auto).
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/browser-lib.sh"

touched() {
    ctl presence auto --device "$1"
    ctl presence ask --device $((1 - $1))
}

lists() { # DEVICE TEXT
    ctl list --device "$1" >list
    contains list "$2"
}

lists_not() {
    ctl list --device "$1" >list
    if grep -qF -- "$2" list; then fail "device $1 lists $2"; fi
}

two_nodes_are_listed() {
    limited 30 fido2-token -L >list
    contains list "$(node 0):"
    contains list "$(node 1):"
}

U13_dummy_and_unmatched_requests_wait_for_the_person() {
    limited 120 /usr/bin/python3 "$TREE/tests/vm/client.py" silent "$(node 1)"
}

fido2_works_on_one_while_the_other_waits() {
    register plain lab.test "" "$(node 0)"
    { random && echo && cat plain/rp && random && echo; } >ask
    limited 60 fido2-assert -G -i ask -o none "$(node 1)" &
    local waiting=$!
    sleep 2
    sign plain "$(node 0)"
    sign plain "$(node 0)"
    [ -e /proc/$waiting/exe ] || fail "the device without the credential answered"
    kill $waiting
    wait $waiting || true
}

# ssh-keygen asks for a touch on every device and uses the one that was touched; to sign it probes all.
ssh_finds_its_key_on() { # DEVICE
    rm -f "sk$1" "sk$1.pub" text.sig
    limited 90 ssh-keygen -q -t ecdsa-sk -N '' -C lab -O application="ssh:on$1" -f "sk$1"
    echo "the text" >text
    limited 60 ssh-keygen -Y sign -f "sk$1" -n lab text
    echo "alice@lab $(cat "sk$1.pub")" >allowed
    limited 20 ssh-keygen -Y verify -f allowed -I alice@lab -n lab -s text.sig <text
    lists "$1" "ssh:on$1"
    lists_not $((1 - $1)) "ssh:on$1"
}

ssh_uses_the_first_device_beside_a_silent_second() { ssh_finds_its_key_on 0; }
ssh_uses_the_second_device_beside_a_silent_first() { ssh_finds_its_key_on 1; }

chromium_uses_the_first_device_beside_a_silent_second() {
    visit chromium first create get
    lists 0 localhost
    lists_not 1 localhost
}

chromium_uses_the_second_device_beside_a_silent_first() {
    visit chromium second create get
    lists 1 localhost
}

firefox_finds_the_key_on_the_second_device() { visit firefox second get; }

serve
start_daemon --set device.count=2 --presence script || exit 1
wait_for_node 1 || exit 1
run_test two_nodes_are_listed
run_test U13_dummy_and_unmatched_requests_wait_for_the_person
touched 0 >/dev/null
run_test fido2_works_on_one_while_the_other_waits
run_test ssh_uses_the_first_device_beside_a_silent_second
run_test chromium_uses_the_first_device_beside_a_silent_second
touched 1 >/dev/null
run_test ssh_uses_the_second_device_beside_a_silent_first
run_test chromium_uses_the_second_device_beside_a_silent_first
run_test firefox_finds_the_key_on_the_second_device
finish
