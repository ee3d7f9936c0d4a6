# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The role of dist/ansible on a machine that has nothing yet: packages, settings, the CA's certificate, and a passkey for
# somebody who has never logged in, whose first login finds it.
#
# init: systemd
# packages
# EK certificate
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"

CA=$WORK/ca
SECRET='one time 123'

# site options|response: what an identity provider would do.
write_site() {
    cat >site.py <<'END'
import base64, json, os, sys
if sys.argv[1] == "options":
    made = {"rp": {"id": "sso.example.com", "name": "Example"}, "attestation": "direct",
            "user": {"id": "YWxpY2U", "name": "alice", "displayName": "Alice"},
            "challenge": base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="),
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "authenticatorSelection": {"residentKey": "required", "userVerification": "required"}}
    print(json.dumps(made))
else:
    with open(sys.argv[2], "a") as file:
        file.write(json.dumps(json.load(sys.stdin)) + "\n")
END
    cat >play.yml <<END
- hosts: localhost
  gather_facts: false
  roles:
    - role: tpmauthn
      tpmauthn_package_files: [$(compgen -G "$BUILD/packages/tpmauthn_*.deb" | paste -sd ,)]
      tpmauthn_settings: {attestation: {rp-ids: [sso.example.com]}}
      tpmauthn_attestation_ca: $CA
      tpmauthn_attestation_ca_program: $TREE/tools/attestation-ca
      tpmauthn_machine: laptop
      tpmauthn_reports: $WORK/reports
      tpmauthn_passkeys:
        - user: alice
          rp_id: sso.example.com
          options_command: /usr/bin/python3 $WORK/site.py options
          response_command: /usr/bin/python3 $WORK/site.py response $WORK/responses
          secret: $SECRET
END
    mkdir reports
}

play() {
    ANSIBLE_ROLES_PATH=$TREE/dist/ansible/roles ANSIBLE_PIPELINING=true ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false \
        limited 800 ansible-playbook -i localhost, -c local -e ansible_python_interpreter=/usr/bin/python3 play.yml | tee "$1"
}

the_first_run_installs_enrols_and_makes_the_passkey() {
    "$TREE/tools/attestation-ca" --folder "$CA" init --two-tiers
    cp "$OUT"/maker/*cert*.pem "$OUT/maker/issuer.pem" "$CA/roots/"
    write_site
    play first
    is_confined
    [ "$(wc -l <responses)" = 1 ]
    tpmauthn attestation show | tee shown
    contains shown 'This machine attests to its passkeys'
    contains reports/localhost.json '"machine": "laptop"'
    has_no_device "$ALICE"
}

the_passkey_is_attested_by_the_organisations_certificate() {
    /usr/bin/python3 - >registration <<'END'
import base64, hashlib, json
from fido2 import cbor

def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

response = json.loads(open("responses").read())["response"]
made = cbor.decode(decode(response["attestationObject"]))
print(json.dumps({"fmt": made["fmt"], "authData": made["authData"].hex(), "attStmt": cbor.encode(made["attStmt"]).hex(),
                  "clientDataHash": hashlib.sha256(decode(response["clientDataJSON"])).hexdigest()}))
END
    contains registration '"fmt": "tpm"'
    /usr/bin/python3 "$TREE/tests/system/verify-attestation.py" "$CA/root.pem" <registration
    # And by no other root.
    "$TREE/tools/attestation-ca" --folder other init
    refuses /usr/bin/python3 "$TREE/tests/system/verify-attestation.py" other/root.pem <registration
}

the_second_run_changes_nothing() {
    play second
    contains second ' changed=0 '
    [ "$(wc -l <responses)" = 1 ]
    [ "$("$TREE/tools/attestation-ca" --folder "$CA" list | wc -l)" = 1 ]
}

pin_of_alice() { ctl --user alice --json pin status; }

the_first_login_finds_it_and_has_to_change_the_pin() {
    console_login alice 1
    wait_for_node 0 "$ALICE"
    as alice tpmauthn list | tee list
    contains list sso.example.com
    as alice fido2-token -I "$(node 0 "$ALICE")" | tee info
    contains info 'pin change required: true'
    printf '%s\nalices own 456\nalices own 456\n' "$SECRET" | as alice tpmauthn pin change
    pin_of_alice | tee pin
    contains pin '"must_change": false'
    printf '%s\nsso.example.com\n' "$(random)" >/home/alice/param
    chown alice /home/alice/param
    agent_of alice --pin 'alices own 456'
    until_true 60 can_be_asked alice
    as_does alice limited 60 fido2-assert -G -r -t uv=true -i /home/alice/param "$(node 0 "$ALICE")" | tee assertion
    contains assertion sso.example.com
}

prepare_desktop
run_test the_first_run_installs_enrols_and_makes_the_passkey
run_test the_passkey_is_attested_by_the_organisations_certificate
run_test the_second_run_changes_nothing
run_test the_first_login_finds_it_and_has_to_change_the_pin
finish
