# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The container of docs/ci.md, started by podman with the options that stand there. In place of the image, which
# would have to be fetched, it has this machine's own root directory.
. "$TREE/tests/vm/lib.sh"

export BUILD TPMAUTHND=$BUILD/authenticator/tpmauthnd
export ROOT=$WORK/root STORE=$WORK/store

prepare() {
    mkdir -p "$ROOT" "$STORE"
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount --bind / "$ROOT"
    mkdir -p /root/work && cd /root/work # not below /run, of which a container has its own
}

# Podman, as the guide calls it: it is root already, and the image's name stands for what the image would run.
# shellcheck disable=SC2317
podman() {
    local word words=()
    for word in "$@"; do
        [ "$word" = tpmauthn ] || { words+=("$word"); continue; }
        words+=(--network none --env TPMAUTHND --rootfs "$ROOT" "$BUILD/cli/tpmauthn" ci run)
    done
    command podman --cgroup-manager cgroupfs --events-backend none --storage-driver vfs \
        --root "$STORE" --runroot /run/podman --tmpdir /run/podman/tmp "${words[@]}"
}
export -f podman

# in_a_container: the guide's command, from standard input, with another one than "npx playwright test".
in_a_container() {
    {
        echo 'sudo() { "$@"; }'
        echo 'modprobe() { test -e "/dev/$1"; }' # this machine began with it
        cat
    } >container.sh
    # shellcheck disable=SC2016
    sed -i 's/npx playwright test/sh -c "fido2-token -L; ls -l \\$TPMAUTHN_HIDRAW; pwd"/' container.sh
    limited 200 bash -euo pipefail container.sh >said 2>&1 || { cat said; return 1; }
    cat said
}

nothing_is_left() {
    ! pgrep -lx 'tpmauthnd|swtpm|ci-keeper|conmon' || fail "processes are left"
    ! ls /dev/hidraw* || fail "a node is left"
}

container_of_the_guide_has_a_key() {
    block container | in_a_container
    contains said "product=0x000d"
    contains said /work
    nothing_is_left
}

# Whose number the cgroup does not permit.
container_without_the_rule_has_none() {
    block container | grep -v device-cgroup-rule >without
    refuses in_a_container <without
    contains said device-cgroup-rule
    nothing_is_left
}

prepare || exit 1
run_test container_of_the_guide_has_a_key
run_test container_without_the_rule_has_none
finish
