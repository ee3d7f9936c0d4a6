# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The commands of README.md, as they stand there, on a computer where nothing of this is installed: from them
# alone somebody has a key that asks by its dialog.
#
# init: systemd
# packages
. "$TREE/tests/vm/lib.sh"
. "$TREE/tests/vm/desktop-lib.sh"

# Typed in her session. The packages are made already, and tools/package finds that out.
commands_of_the_readme_bring_a_login() {
    local n
    awk '/^<!-- The quick way: / { wanted = 1; next }
        wanted && /^```/ { if (inside) exit; inside = 1; next }
        inside' "$TREE/README.md" >commands
    cat commands
    n=$(grep -c . commands)
    [ "$n" -ge 1 ] && [ "$n" -le 5 ] || fail "$n commands"
    [ "$BUILD" = "$TREE/build" ] || { mkdir -p "$TREE/build" && cp -a "$BUILD/packages" "$TREE/build/"; }
    echo 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/alice
    desktop_login alice 7
    as alice env DISPLAY=:7 bash -euo pipefail -x -c "cd $RUN_TREE; $(cat commands)"
    wait_for_node 0 "$ALICE"
    warm_up alice
    as_does alice register first lab.test "" "$(node 0 "$ALICE")" &
    arms "Create a passkey" 60
    press alt+c
    wait $!
    as_does alice sign first "$(node 0 "$ALICE")" &
    arms "Use a passkey" 60
    press alt+u
    wait $!
}

prepare_desktop
run_test commands_of_the_readme_bring_a_login
finish
