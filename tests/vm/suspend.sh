# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Suspend to RAM and resume, by the kernel and the firmware: the kernel tells the TPM (TPM2_Shutdown,
# STATE), the TPM loses its power, and on resume the firmware brings back its state (TPM2_Startup, STATE).
# Nobody tells the daemon: there is no logind here.
#
# in memory: bash coreutils diffutils findutils grep hostname iproute2 kmod libtss2-tcti-device0 mount
# in memory: procps python3-cffi-backend python3-fido2 fido2-tools sed tpm2-tools udev util-linux
. "$TREE/tests/vm/lib.sh"

PIN=1234

works() {
    sign first "$(node)"
    register after after.test "" "$(node)"
    sign after "$(node)"
    limited 30 fido2-token -I "$(node)" >info
}

suspend_in_idle() {
    local before
    register first lab.test "" "$(node)"
    before=$(node)
    suspend_and_resume
    [ "$(node)" = "$before" ] || fail "the device was plugged in anew: $(node) after $before"
    works
}

suspend_twice_without_a_request_between() {
    suspend_and_resume
    suspend_and_resume
    works
}

suspend_in_the_prompt_of_an_assertion() {
    ctl presence ask
    { random && echo && cat first/rp first/id; } >first/ask
    limited 60 fido2-assert -G -p -i first/ask -o first/assertion "$(node)" &
    local client=$!
    sleep 3
    suspend_and_resume
    [ -e /proc/$client/exe ] || fail "the request did not wait for the person"
    ctl presence once
    wait $client
    limited 20 fido2-assert -V -p -i first/assertion first/key es256
    ctl presence auto
    works
}

suspend_in_the_prompt_of_a_registration() {
    ctl presence ask
    register late late.test "" "$(node)" &
    local client=$!
    sleep 3
    suspend_and_resume
    [ -e /proc/$client ] || fail "the request did not wait for the person"
    ctl presence once
    wait $client
    ctl presence auto
    sign late "$(node)"
    works
}

# The TPM is at work when the machine suspends, at another command each time.
suspend_under_load() {
    local i
    for i in 1 2; do
        { for _ in 1 2 3 4 5 6; do sign first "$(node)"; done; } &
        local client=$!
        sleep "0.$((i * 2))"
        suspend_and_resume
        wait $client
    done
    works
}

# A request whose second packet comes within time, as the client counts it, which slept along.
A24_suspend_between_two_packets_of_a_request() {
    limited 120 /usr/bin/python3 "$TREE/tests/vm/pin.py" "$(node)" half
}

suspend_ends_a_token_and_nothing_else() {
    local before
    types "$PIN" "$PIN" -- fido2-token -S "$(node)"
    before=$(resumes)
    limited 120 /usr/bin/python3 "$TREE/tests/vm/pin.py" "$(node)" suspended "$PIN"
    [ "$(resumes)" -gt "$before" ]
    works
    ANSWER=$PIN sign first "$(node)" -v
    limited 20 fido2-assert -V -v -i first/assertion first/key es256
}

start_daemon --presence script || exit 1
ctl presence auto >/dev/null
run_test suspend_in_idle
run_test suspend_twice_without_a_request_between
run_test suspend_in_the_prompt_of_an_assertion
run_test suspend_in_the_prompt_of_a_registration
run_test suspend_under_load
run_test A24_suspend_between_two_packets_of_a_request
run_test suspend_ends_a_token_and_nothing_else
finish
