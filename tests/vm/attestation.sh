# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# An organisation's attestation from end to end: the maker of the TPM, the reference CA, keys of all algorithms and both
# classes over hidraw and by Chromium under a policy, and libraries of servers that demand the organisation's root.
#
# EK certificate
# install: browsers npm
# npm: tests/attestation/servers
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/browser-lib.sh"

PIN=2468
CHROMIUM_KEYS=(ES256 ES256:protected RS256 RS256:protected) # it drops replies with keys on P-384

make_ca() { # NAME [OPTION...]
    "$TREE/tools/attestation-ca" --folder "$1" init --name "$1" "${@:2}"
    cp "$OUT"/maker/*cert*.pem "$OUT/maker/issuer.pem" "$1/roots/"
    # webauthn4js has not heard of the simulator's manufacturer.
    sed -i 's/^rename-manufacturers =/& id:49424D00=id:FFFFF1D0/' "$1/policy.conf"
}

enrol() { # request|renew CA
    ctl attestation "$1" request
    "$TREE/tools/attestation-ca" --folder "$2" sign request >answer
    ctl attestation install answer
    until_true 60 ctl status # the device is plugged in anew
    wait_for_node 0
}

# registered FILE KEY...: by a client that is no browser.
registered() {
    limited 120 /usr/bin/python3 "$TREE/tests/vm/attested.py" "$(node)" "${@:2}" >"$1"
}

# visited FILE STEP...: by Chromium.
visited() {
    rm -f "$REPORT.attested"
    visit chromium alice "${@:2}"
    mv "$REPORT.attested" "$1"
}

request_authority_and_install_give_a_certificate() {
    make_ca tiers --two-tiers
    enrol request tiers
    ctl attestation show | tee shown
    contains shown 'This machine attests to its passkeys'
}

# With an issuer under the root; and by one certificate, which leaves room for RSA keys.
keys_of_every_algorithm_and_class_are_attested() {
    registered below ES256 ES384:protected
    make_ca organisation
    enrol renew organisation
    registered plain ES256 ES256:protected ES384 ES384:protected RS256 RS256:protected
}

chromium_is_given_attestation_directly() {
    mkdir -p /etc/chromium/policies/managed
    echo '{"SecurityKeyPermitAttestation": ["localhost"]}' >/etc/chromium/policies/managed/attestation.json
    echo "$PIN" | ctl pin set
    verifies_by_itself "$PIN"
    visited direct "${CHROMIUM_KEYS[@]/#/direct:}"
}

# For a site that the device does not have in a list, and the policy of the browser has.
chromium_is_given_enterprise_attestation() {
    stop_daemon
    start_daemon
    types "$PIN" -- fido2-token -S -a "$(node)"
    verifies_by_itself "$PIN"
    visited enterprise direct:ES256 "${CHROMIUM_KEYS[@]/#/enterprise:}"
    contains <(head -n 1 enterprise) '"fmt": "packed"'
    sed -i 1d enterprise
}

# And under no other root.
servers_accept_what_leads_to_the_organisations_root() {
    limited 300 /usr/bin/node "$TREE/tests/attestation/servers/verify.mjs" tiers/root.pem below \
        organisation/root.pem plain organisation/root.pem direct organisation/root.pem enterprise | tee said
    {
        printf '%s\n' 'below ES256 A' 'below ES384 B'
        for key in ES256 ES384 RS256; do printf 'plain %s %s\n' $key A $key B; done
        for file in direct enterprise; do
            for key in ES256 RS256; do printf "$file %s %s\n" $key A $key B; done
        done
    } | diff - <(cut -d: -f1 said)
}

serve
start_daemon --set=attestation.rp-ids=localhost || exit 1
run_test request_authority_and_install_give_a_certificate
run_test keys_of_every_algorithm_and_class_are_attested
run_test chromium_is_given_attestation_directly
run_test chromium_is_given_enterprise_attestation
run_test servers_accept_what_leads_to_the_organisations_root
finish
