# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts of the virtual machine share: tests as functions with TAP lines, the daemon's life,
# and finding its device nodes. A test is a function run in a subshell under `set -e`, so the first
# command that fails fails it; what it printed is kept in $OUT/<name>.log and shown only then. Tests of
# a script share files in $WORK, nothing else. Every command that talks to a device has a limit.

WORK=${WORK:-/run/test}
STATE=/run/state
RUNTIME=/run/tpmauthn
export WORK STATE RUNTIME
mkdir -p "$WORK" "$STATE"
cd "$WORK" || exit 1

n_tests=0
n_failed=0

# run_test FUNCTION: one TAP line, named as the function.
run_test() {
    local name=$1 status started=$SECONDS log=$OUT/$1.log
    n_tests=$((n_tests + 1))
    (
        set -euo pipefail
        "$name"
    ) >"$log" 2>&1 </dev/null
    status=$?
    if [ $status = 0 ]; then
        echo "ok $n_tests - $name"
    else
        n_failed=$((n_failed + 1))
        echo "not ok $n_tests - $name"
        echo "# $name: status $status after $((SECONDS - started)) s; its output:"
        tail -n 40 "$log" | sed 's/^/#   /'
        echo "# and the daemon's last lines ($OUT/daemon.log):"
        tail -n 15 "$OUT/daemon.log" 2>/dev/null | sed 's/^/#   /'
    fi
}

finish() {
    stop_daemon || echo "# the daemon did not end in order"
    echo "1..$n_tests"
    exit $((n_failed > 0))
}

fail() {
    echo "failed: $*"
    exit 1
}

# limited SECONDS COMMAND...
limited() {
    timeout -k 5 "$@"
}

# until_true SECONDS COMMAND...: polls until COMMAND succeeds.
until_true() {
    local end=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "waited in vain for: $*"
        sleep 0.2
    done
}

# refuses PROGRAM...: succeeds when the program fails by itself, not by a limit or a crash, nor by an
# unexpected question (types). Not for functions that count on `set -e`, which the shell ignores here.
refuses() {
    local status=0
    "$@" || status=$?
    case $status in
    0 | 98 | 99 | 124 | 126 | 127 | 134 | 137 | 139) fail "expected a refusal, got status $status: $*" ;;
    esac
}

contains() { # FILE TEXT
    grep -qF -- "$2" "$1" || { cat "$1"; fail "'$2' is not in $1"; }
}

# block NAME: the block of docs/ci.md behind the comment "run: NAME".
block() {
    awk -v "name=$1" '
        $0 == "<!-- run: " name " -->" { wanted = 1; next }
        wanted && /^```/ { if (inside) exit; inside = 1; next }
        inside { print; n++ }
        END { exit n == 0 }' "$TREE/docs/ci.md" || fail "docs/ci.md has no block $1"
}

# node [N [UID]]: the node of the daemon's device number N (0 is the first). The number in /dev/hidrawN
# changes on every plug, so it is looked up by what the kernel knows of the device: HID_PHYS is
# tpmauthn/UID, and .N after that for the second and later ones.
node() {
    local uevent instance
    instance=${2:-$(id -u)}
    [ "${1:-0}" = 0 ] || instance+=.$1
    for uevent in /sys/class/hidraw/*/device/uevent; do
        if grep -qxF "HID_PHYS=tpmauthn/$instance" "$uevent" 2>/dev/null; then
            uevent=${uevent%/device/uevent}
            [ -c "/dev/${uevent##*/}" ] && echo "/dev/${uevent##*/}" && return 0
        fi
    done
    return 1
}

ctl() {
    limited 60 "$BUILD/cli/tpmauthn" --socket "$RUNTIME/control.sock" "$@"
}

# start_daemon [OPTION...]: on the machine's TPM; the person always says yes unless an option says
# otherwise. The options stay for restart_daemon.
start_daemon() {
    printf '%s\n' "$@" >"$WORK/daemon.options"
    "$BUILD/authenticator/tpmauthnd" --device uhid --tpm device:/dev/tpmrm0 --presence auto \
        --state-dir "$STATE" --runtime-dir "$RUNTIME" "$@" >>"$OUT/daemon.log" 2>&1 </dev/null &
    echo $! >"$WORK/daemon.pid"
    disown # bash would say among the TAP lines that it was killed
    wait_for_node 0
}

wait_for_node() {
    local end=$((SECONDS + 90))
    while ! node "$@" >/dev/null; do
        [ $SECONDS -lt $end ] || { echo "# no device node $1 after 90 s"; tail -n 20 "$OUT/daemon.log"; return 1; }
        sleep 0.2
    done
    udevadm settle --timeout=30
}

# verifies_by_itself PIN: a headless browser shows no dialog, so the key is told the PIN, and plugged in anew.
verifies_by_itself() {
    echo "$1" | ctl presence pin
    wait_for_node 0
    until_true 30 bash -c "fido2-token -I \"$(node)\" | grep -qE 'options:.*\\buv\\b'"
}

daemon_is_gone() {
    [ ! -e "/proc/$(cat "$WORK/daemon.pid")/exe" ]
}

# SIGTERM, and it must leave by itself.
stop_daemon() {
    local i
    [ -s "$WORK/daemon.pid" ] || return 0
    kill -TERM "$(cat "$WORK/daemon.pid")" 2>/dev/null || true
    for i in $(seq 150); do
        if daemon_is_gone; then
            rm -f "$WORK/daemon.pid"
            return 0
        fi
        sleep 0.2
    done
    kill -KILL "$(cat "$WORK/daemon.pid")"
    rm -f "$WORK/daemon.pid"
    return 1
}

kill_daemon() {
    kill -KILL "$(cat "$WORK/daemon.pid")"
    until_true 20 daemon_is_gone
}

restart_daemon() {
    local options
    mapfile -t options <"$WORK/daemon.options"
    [ "${options[0]-}" ] || options=()
    start_daemon "${options[@]}"
}

# ---- the TPM ----

# What is in the TPM, past the resource manager: sessions and transient objects too.
handles() {
    local kind
    for kind in nv-index persistent transient loaded-session saved-session; do
        echo "$kind: $(limited 30 tpm2_getcap -T device:/dev/tpm0 "handles-$kind" | tr -d '\n')"
    done
}

same_handles_as() {
    handles >now
    diff -u "$1" now || fail "the TPM holds something else than before"
}

nothing_is_loaded() {
    local kind
    handles >now
    for kind in transient loaded-session saved-session; do
        grep -qx "$kind: " now || fail "the TPM holds something: $(cat now)"
    done
}

# ---- suspend to RAM, in a script "in memory" (see tests/vm/run) ----

# resumes: how often this TPM has come back from a suspend since the machine was switched on.
resumes() {
    limited 30 tpm2_readclock -T device:/dev/tpmrm0 | sed -n 's/^ *restart_count: //p'
}

# suspend_and_resume: returns in the machine that is awake again, with the TPM as its firmware left it.
suspend_and_resume() {
    local before after
    before=$(resumes)
    echo mem >/sys/power/state
    after=$(resumes)
    [ "$after" = $((before + 1)) ] || fail "the TPM did not resume: restarts $before, then $after"
}

# types [ANSWER...] -- COMMAND...: COMMAND on a terminal, and exactly so many answers to its questions. What
# stood on the terminal is in the file typed.
types() {
    local status=0
    limited 120 /usr/bin/python3 "$TREE/tests/vm/typist.py" "$@" >typed || status=$?
    cat typed >&2
    return $status
}

# start_sshd: on port 2222, for who is in $WORK/authorized.
start_sshd() {
    mkdir -p /run/sshd
    sed -i 's/^root:[^:]*:/root:*:/' /etc/shadow # not locked, and no password
    ssh-keygen -q -t ed25519 -N '' -f hostkey
    cat >sshd_config <<END
Port 2222
ListenAddress 127.0.0.1
HostKey $WORK/hostkey
AuthorizedKeysFile $WORK/authorized
UsePAM no
StrictModes no
PasswordAuthentication no
PidFile $WORK/sshd.pid
END
    /usr/sbin/sshd -f "$WORK/sshd_config" -E "$OUT/sshd.log"
    until_true 20 test -s sshd.pid
}

# ---- libfido2's tools: parameters and results are lines of base64 in files ----

random() { head -c 32 /dev/urandom | base64 -w0; }

# ask_device COMMAND...: with ANSWER set, that is typed at the one question that must come.
ask_device() {
    if [ "${ANSWER-}" ]; then
        types "$ANSWER" -- "$@"
    else
        limited 60 "$@"
    fi
}

# register DIR RP OPTIONS NODE: makes a credential, verifies its attestation and what the OPTIONS asked for,
# keeps its id and key.
register() {
    local dir=$1 rp=$2 options=$3 device=$4
    mkdir -p "$dir"
    printf '%s\n%s\nalice\n%s\n' "$(random)" "$rp" "$(random)" >"$dir/param"
    # shellcheck disable=SC2086
    ask_device fido2-cred -M $options -i "$dir/param" -o "$dir/cred" "$device" es256
    # With -b the large blob's key is the last line, which would be read as a certificate.
    case $options in
    *-b*) tail -n 1 "$dir/cred" >"$dir/blobkey" && sed -i '$d' "$dir/cred" ;;
    esac
    # shellcheck disable=SC2086
    limited 20 fido2-cred -V ${options//-[bru]/} -i "$dir/cred" -o "$dir/verified" es256
    head -n 1 "$dir/verified" >"$dir/id"
    tail -n +2 "$dir/verified" >"$dir/key"
    echo "$rp" >"$dir/rp"
}

# replug_and_reset: ten seconds after it was plugged in, a key takes no reset any more.
replug_and_reset() {
    local at
    tpmauthn replug
    until at=$(node 0) && [ -w "$at" ]; do sleep 0.1; done
    limited 60 fido2-token -R "$at"
}

# sign DIR NODE [OPTION...]: an assertion by the credential of DIR, checked with its public key.
sign() {
    local dir=$1 device=$2
    shift 2
    { random && echo && cat "$dir/rp" "$dir/id"; } >"$dir/ask"
    ask_device fido2-assert -G "$@" -i "$dir/ask" -o "$dir/assertion" "$device"
    limited 20 fido2-assert -V -i "$dir/assertion" "$dir/key" es256
}
