# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The action of action.yml, step by step, as a user whom GitHub's machines have: one with sudo and no other
# rank. And what docs/ci.md has besides.
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/browser-lib.sh"

ACTION=$WORK/action
export TPMAUTHND=$BUILD/authenticator/tpmauthnd

# The build is there already.
prepare() {
    useradd -m runner
    echo 'runner ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/runner
    mkdir -p "$ACTION/dist"
    cp "$TREE/action.yml" "$ACTION/"
    cp -r "$TREE/dist/ci" "$ACTION/dist/"
    cat >"$ACTION/dist/ci/install" <<END
#!/bin/bash
mkdir -p "\$1/bin"
ln -s "$BUILD/cli/tpmauthn" "\$1/bin/"
echo "TPMAUTHND=$TPMAUTHND" >>"\$GITHUB_ENV"
END
    chmod 0755 "$WORK"
    mkdir -p "$WORK/temporary"
    chmod 1777 "$WORK/temporary"
    touch "$REPORT"
    # As on those machines: root's, and closed.
    chown root: /dev/uhid
    chmod 0600 /dev/uhid
}

# act INPUT=VALUE...: the action, as that user.
act() {
    local folder
    folder=$(runuser -u runner -- mktemp -d "$WORK/temporary/job.XXXXXX")
    limited 400 runuser -u runner -- env -C / TMPDIR="$WORK/temporary" OUT="$OUT" TREE="$TREE" \
        /usr/bin/python3 "$TREE/tests/ci/runner.py" "$ACTION" "$folder" "$@" >said || { cat said; return 1; }
    cat said
}

nothing_is_left() {
    ! pgrep -x 'tpmauthnd|swtpm' || fail "processes are left"
    ! ls -d "$WORK"/temporary/tpmauthn-ci-* || fail "a folder is left"
    ! ls /dev/hidraw* || fail "a node is left"
}

job_makes_a_credential_with_a_key_of_its_own() {
    # shellcheck disable=SC2016 # the job's shell
    act devices=2 run='
        test "$(id -u)" != 0
        set -- $TPMAUTHN_HIDRAW
        test $# = 2
        stat -c "%U %a" "$@"
        { openssl rand -base64 32; echo example.org; echo ann; openssl rand -base64 32; } >"$RUNNER_TEMP/new"
        fido2-cred -M -i "$RUNNER_TEMP/new" "$1" | fido2-cred -V >/dev/null
        echo made'
    [ "$(grep -cx 'runner 600' said)" = 2 ]
    contains said made
    nothing_is_left
}

job_that_fails_fails_the_action_and_uploads_the_trace() {
    local trace
    # shellcheck disable=SC2016
    refuses act run='echo first; fido2-token -I $TPMAUTHN_HIDRAW; false; echo never'
    contains said first
    trace=$(sed -n 's/^uploaded: //p' said)
    contains "$trace/key-0.txt" authenticatorGetInfo
    test -s "$trace/key-0.pcapng"
    ! grep never said || fail "it went on"
    nothing_is_left
}

# Without a policy a browser asks its user about attestation, and nobody answers.
attests() { # BROWSER [STEP]
    install -m 0755 -d "$OUT/$1"
    chown runner "$OUT/$1"
    # shellcheck disable=SC2016
    act attestation=localhost run='
        set +e
        WORK=$RUNNER_TEMP OUT=$OUT/'"$1"'
        REPORT=$WORK/report
        export WORK OUT REPORT
        . "$TREE/tests/vm/lib.sh"
        . "$TREE/tests/vm/browser-lib.sh"
        serve
        set -e
        visit '"$1 $1"' attest get '"${2-}"'
        echo attested'
    contains said attested
    nothing_is_left
}
# By the run's authority too, which Firefox does not ask for.
chromium_hands_on_attestation_without_asking() { attests chromium enterprise:ES256; }
firefox_hands_on_attestation_without_asking() { attests firefox; }

first_command_of_the_guide_lists_a_key() {
    block first >first.sh
    limited 120 env PATH="$BUILD/cli:$PATH" bash -e first.sh >said
    contains said "product=0x000d"
    nothing_is_left
}

# enterprise attestation is "noep" before, and "ep" once it is on.
enterprise_attestation_of_the_guide_is_turned_on() {
    local name
    block authority >authority.sh
    bash -euo pipefail authority.sh
    printf '%s\n' '#!/bin/sh' 'fido2-token -I $TPMAUTHN_HIDRAW' >info
    chmod 755 info
    for name in attestation enterprise; do
        block $name >$name.sh
        sed -i "s,npx playwright test,$PWD/info," $name.sh
        limited 120 env PATH="$BUILD/cli:$PATH" bash -e $name.sh >said
        grep -q 'options:.*[ ,]ep\b' said || { cat said; fail "ep is not on ($name)"; }
        nothing_is_left
    done
}

prepare
run_test job_makes_a_credential_with_a_key_of_its_own
run_test job_that_fails_fails_the_action_and_uploads_the_trace
run_test chromium_hands_on_attestation_without_asking
run_test firefox_hands_on_attestation_without_asking
run_test first_command_of_the_guide_lists_a_key
run_test enterprise_attestation_of_the_guide_is_turned_on
cp "$WORK"/temporary/job.*/temp/report "$OUT/" 2>/dev/null
finish
