#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# with-swtpm.sh COMMAND: runs COMMAND FOLDER TCTI with a private swtpm and an empty folder, both of
# which are gone afterwards.
set -eu

state=$(mktemp -d) folder=$(mktemp -d) pid=
finish() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$state" "$folder"
}
trap finish EXIT

for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000 * 2))
    swtpm socket --tpm2 --tpmstate "dir=$state" --flags not-need-init,startup-clear \
        --server "type=tcp,port=$port,bindaddr=127.0.0.1" \
        --ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" &
    pid=$!
    sleep 0.5
    kill -0 "$pid" 2>/dev/null && break
    pid=
done
[ -n "$pid" ] || { echo "with-swtpm.sh: no free pair of ports for swtpm" >&2; exit 1; }

"$1" "$folder" "swtpm:host=127.0.0.1,port=$port"
