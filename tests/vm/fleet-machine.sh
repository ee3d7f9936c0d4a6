# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A machine of tests/vm/fleet, which is the organisation: it takes $OUT/request.json to its CA, and puts beside it the
# answer, and the other machine's. With the argument "alone" no answer comes.
#
# EK certificate
. "$TREE/tests/vm/lib.sh"

it_asks_for_a_certificate() {
    rm -f "$OUT/request.json" # of a machine that hung, whose TPM is gone
    ctl attestation request request.json
    cp request.json "$OUT/request.part"
    mv "$OUT/request.part" "$OUT/request.json"
}

the_other_machines_answer_is_refused_and_changes_nothing() {
    until_true 300 test -e "$OUT/answer.json"
    ctl attestation show --json >before
    handles >held
    refuses ctl attestation install "$OUT/other.json" 2>error
    cat error
    contains error 'The answer is for another machine'
    ctl attestation show --json >after
    diff -u before after
    same_handles_as held
}

its_own_is_installed() {
    ctl attestation install "$OUT/answer.json"
    ctl attestation show --json | tee "$OUT/shown.json"
    contains "$OUT/shown.json" '"state": "installed"'
}

start_daemon --set "attestation.root=$OUT/root.pem" || exit 1
run_test it_asks_for_a_certificate
if [ "${1-}" != alone ]; then
    run_test the_other_machines_answer_is_refused_and_changes_nothing
    run_test its_own_is_installed
fi
finish
