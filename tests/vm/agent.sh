# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The dialog in a session of X, used by its keyboard alone, and what becomes of a question whose agent is
# killed, hangs or is another program. Pictures of the screen are kept as artefacts.
#
# init: systemd
# packages
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"

# Words that nothing else on the machine has.
PIN=maus2468katze
WRONG=hund9753vogel
AGENT=tpmauthn-agent.service
# A client asks for the PIN before it says whether it makes or uses one.
ASKS_PIN="Create or use a passkey"

agent_pid() { user_unit alice show -P MainPID $AGENT; }
agent_is_another_than() { [ "$(agent_pid)" != "$1" ] && [ "$(agent_pid)" != 0 ]; }
pin_tries() { as alice fido2-token -I "$(at)" | sed -n 's/^pin retries: //p'; }
at() { node 0 "$ALICE"; }

# alice_starts FUNCTION...: one that asks, in the background.
alice_starts() {
    as_does alice "$@" >asking 2>&1 &
    echo $! >asking.pid
}

# It ends, and as it should. Not with `wait`: the shell that started it may be another.
comes_to() { # ok|refusal
    local pid status=0
    pid=$(cat asking.pid)
    wait "$pid" || status=$?
    cat asking
    case $1 in
    ok) [ $status = 0 ] ;;
    refusal) [ $status != 0 ] && [ $status != 124 ] ;;
    esac || fail "status $status is not $1"
}

types_pin() {
    press alt+p
    enter "$1"
    press Return
}

session_starts_the_agent() {
    install_packages
    desktop_login alice 7
    wait_for_node 0 "$ALICE"
    until_true 90 can_be_asked alice
    warm_up alice
}

create_by_keyboard() {
    alice_starts register first lab.test -r "$(at)"
    arms "Create a passkey"
    screenshot create
    press alt+c
    comes_to ok
    goes "Create a passkey"
}

use_by_keyboard() {
    alice_starts sign first "$(at)"
    arms "Use a passkey"
    screenshot use
    # By Tab to the button, too.
    press Tab Tab Return
    comes_to ok
}

keys_typed_too_early_are_no_answer() {
    alice_starts sign first "$(at)"
    appears "Use a passkey"
    press Return space
    sleep 1
    window "Use a passkey"
    press Escape
    comes_to refusal
    contains asking FIDO_ERR_OPERATION_DENIED
    goes "Use a passkey"
}

pin_is_typed_into_the_dialog() {
    printf '%s\n%s\n' $PIN $PIN | as alice tpmauthn pin set
    wait_for_node 0 "$ALICE"
    alice_starts sign first "$(at)" -t uv=true
    arms "$ASKS_PIN"
    press alt+p
    enter $PIN
    screenshot pin
    press Return
    comes_to ok
    limited 20 fido2-assert -V -v -i ~alice/work/first/assertion ~alice/work/first/key es256
}

wrong_pin_is_said_and_asked_for_again() {
    alice_starts sign first "$(at)" -t uv=true
    arms "$ASKS_PIN"
    types_pin $WRONG
    sleep 2
    arms "$ASKS_PIN"
    screenshot wrong-pin
    types_pin $PIN
    comes_to ok
    [ "$(pin_tries)" = 8 ]
}

# Three in a row, and the daemon asks for none any more until the right one came by a client, which can ask
# for it once the key was plugged in anew.
three_wrong_pins_block_until_a_right_one() {
    local i
    alice_starts sign first "$(at)" -t uv=true
    for i in 1 2 3; do
        arms "$ASKS_PIN"
        types_pin $WRONG
        sleep 3
    done
    screenshot blocked
    comes_to refusal
    contains asking FIDO_ERR_UV_BLOCKED
    goes "$ASKS_PIN"
    refuses as_does alice sign first "$(at)" -t uv=true
    as alice tpmauthn replug
    wait_for_node 0 "$ALICE"
    ANSWER=$PIN alice_starts sign first "$(at)" -t pin=true
    arms "Use a passkey"
    press alt+u
    comes_to ok
    [ "$(pin_tries)" = 8 ]
    until_true 60 can_be_asked alice
}

killed_agent_is_a_no_and_comes_back() {
    local before
    before=$(agent_pid)
    alice_starts sign first "$(at)"
    arms "Use a passkey"
    kill -KILL "$before"
    takes_less_than 9000 comes_to refusal
    until_true 60 agent_is_another_than "$before"
    until_true 60 can_be_asked alice
    alice_starts sign first "$(at)"
    arms "Use a passkey"
    press alt+u
    comes_to ok
}

hung_agent_is_a_no_in_time() {
    local pid
    pid=$(agent_pid)
    kill -STOP "$pid"
    alice_starts sign first "$(at)"
    takes_less_than 20000 comes_to refusal
    kill -CONT "$pid"
    # Dropped, it connects anew.
    until_true 60 can_be_asked alice
    alice_starts sign first "$(at)"
    arms "Use a passkey"
    press alt+u
    comes_to ok
}

# Only the TPM's word counts: another program of the same user can say yes, and no more.
program_in_the_agents_place_cannot_verify() {
    agent_of alice --answer yes
    refuses as_does alice sign first "$(at)" -t uv=true
    agent_of alice --answer yes --pin $WRONG
    refuses as_does alice sign first "$(at)" -t uv=true
    [ "$(pin_tries)" -lt 8 ]
    agent_of alice --answer yes
    as_does alice sign first "$(at)"
    if as_does alice fido2-assert -V -v -i work/first/assertion work/first/key es256; then fail "it says verified"; fi
    no_agent_of alice
}

reset_is_held_on_for() {
    alice_starts replug_and_reset
    arms "Erase all passkeys"
    screenshot reset
    press Tab Tab
    xdotool keydown space
    sleep 8
    xdotool keyup space
    comes_to ok
    as alice tpmauthn list >list
    if grep lab.test list; then fail "a passkey is left"; fi
}

no_pin_is_in_any_log() {
    journalctl -o export >journal
    if grep -aF -e $PIN -e $WRONG journal "$OUT/daemon.log"; then fail "it is in a log"; fi
    if grep -raF -e $PIN -e $WRONG /var/lib/tpmauthn /run/tpmauthn; then fail "it is in a file"; fi
}

prepare_desktop
run_test session_starts_the_agent
export DISPLAY=:7
run_test create_by_keyboard
run_test use_by_keyboard
run_test keys_typed_too_early_are_no_answer
run_test pin_is_typed_into_the_dialog
run_test wrong_pin_is_said_and_asked_for_again
run_test three_wrong_pins_block_until_a_right_one
run_test killed_agent_is_a_no_and_comes_back
run_test hung_agent_is_a_no_in_time
run_test program_in_the_agents_place_cannot_verify
run_test reset_is_held_on_for
run_test no_pin_is_in_any_log
finish
