# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# People at a computer that has the packages installed: they log in and out, are in front or not, lock their
# screens. Each login is a PAM session that logind knows, of class user, on a virtual terminal of seat0. On
# top of lib.sh, in a machine with "# init: systemd".

UNIT=tpmauthnd.service
RUN_TREE=/run/tree # where everybody may read it

ctl() { limited 60 tpmauthn "$@"; }

prepare_desktop() {
    mkdir -p $RUN_TREE && mount --bind "$TREE" $RUN_TREE
    rm -rf /var/lib/apt/lists/* # nothing can come from a network that is not there
    rm -f /var/lib/man-db/auto-update # an index of all manual pages, at each install
    for user in alice bob; do useradd -m -s /bin/bash "$user"; done
    ALICE=$(id -u alice) BOB=$(id -u bob)
    journalctl -f -o short-monotonic -u $UNIT >"$OUT/daemon.log" 2>/dev/null &
    disown
}

# install_packages [OPTION...]: as a person would, those that tools/package has made.
install_packages() {
    local packages
    cd "$BUILD/packages" || fail "there are no packages in $BUILD; tools/package makes them"
    packages=$(compgen -G './tpmauthn*.deb' | grep -v dbgsym)
    # shellcheck disable=SC2086
    apt_get install "$@" $packages
    cd "$WORK"
    until_true 120 systemctl is-active -q $UNIT
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive limited 300 apt-get -qy -o Dpkg::Use-Pty=0 "$@"
}

has_no_device() { ! node 0 "$1"; } # UID

# The service is, by its AppArmor profile.
is_confined() { grep -x 'tpmauthnd (enforce)' "/proc/$(systemctl show -P MainPID $UNIT)/attr/current"; }

# ---- people ----

# as USER COMMAND...: outside of the user's session, as a program is that the session has started elsewhere.
# With AS_EXEC in place of the shell, so that $! of a background job is the command.
as() {
    local user=$1 uid
    uid=$(id -u "$user")
    shift
    ${AS_EXEC:+exec} setpriv --reuid="$uid" --regid="$uid" --init-groups env -i -C "/home/$user" PATH="$PATH" \
        LANG="$LANG" TERM=dumb HOME="/home/$user" USER="$user" LOGNAME="$user" SHELL=/bin/bash \
        XDG_RUNTIME_DIR="/run/user/$uid" DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$uid/bus" \
        TREE=$RUN_TREE OUT="$OUT" WORK="/home/$user/work" ${ANSWER:+ANSWER="$ANSWER"} "$@"
}

# as_does USER FUNCTION...: a function of lib.sh, as that user, in a directory of that user's.
as_does() {
    # shellcheck disable=SC2016
    as "$1" bash -euo pipefail -c '. "$TREE/tests/vm/lib.sh"; "$@"' bash "${@:2}"
}

# sessions_of USER: that are not about to end.
sessions_of() {
    local session
    for session in $(loginctl list-sessions --no-legend | awk -v user="$1" '$3 == user { print $1 }'); do
        [ "$(loginctl show-session -P State "$session")" = closing ] || echo "$session"
    done
}

session_on() { # VT
    loginctl list-sessions --no-legend | awk -v tty="tty$1" '$5 == tty { print $1 }'
}

has_session_on() { [ "$(session_on "$1")" ]; }
has_no_session_on() { ! has_session_on "$1"; }
is_in_front() { [ "$(loginctl show-session -P State "$(session_on "$1")")" = active ]; }

# console_login USER VT: by getty and login, with no password asked.
console_login() {
    mkdir -p "/run/systemd/system/getty@tty$2.service.d"
    cat >"/run/systemd/system/getty@tty$2.service.d/login.conf" <<END
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin $1 %I linux
Restart=no
END
    systemctl daemon-reload
    systemctl start "getty@tty$2"
    until_true 60 has_session_on "$2"
    switch_to "$2"
}

switch_to() { # VT
    loginctl activate "$(session_on "$1")"
    until_true 60 is_in_front "$1"
}

logout() { # VT
    loginctl terminate-session "$(session_on "$1")"
    until_true 60 has_no_session_on "$1"
}

# hint_locked VT true|false: what a screen locker tells logind, as its user.
hint_locked() {
    local session
    session=$(session_on "$1")
    as "$(loginctl show-session -P Name "$session")" busctl --system call org.freedesktop.login1 \
        "$(busctl --system -j call org.freedesktop.login1 /org/freedesktop/login1 \
            org.freedesktop.login1.Manager GetSession s "$session" | sed 's/.*\["\(.*\)"\].*/\1/')" \
        org.freedesktop.login1.Session SetLockedHint b "$2"
}

# ---- agents without a screen ----

# agent_of USER [OPTION...]: agent.py, in place of the one before. What it hears is in USER.agent.
agent_of() {
    local user=$1
    shift
    no_agent_of "$user"
    AS_EXEC=1 as "$user" /usr/bin/python3 $RUN_TREE/tests/vm/agent.py "$@" >"$WORK/$user.agent" 2>&1 </dev/null &
    echo $! >"$WORK/$user.agent.pid"
    until_true 30 grep -q '"welcome"' "$WORK/$user.agent"
}

no_agent_of() { # USER
    [ -s "$WORK/$1.agent.pid" ] || return 0
    kill "$(cat "$WORK/$1.agent.pid")" 2>/dev/null || true
    rm "$WORK/$1.agent.pid"
    sleep 0.5
}

# Whether somebody can be asked is known by the key: it can verify, or could if there were a PIN. It is plugged
# in anew for that, and says so only then.
key_of() { # USER
    local at
    at=$(node 0 "$(id -u "$1")") && as "$1" fido2-token -I "$at" | grep '^options:'
}
can_be_asked() { key_of "$1" | grep -qwE '(no)?uv'; }
cannot_be_asked() { # USER
    local options
    options=$(key_of "$1") && ! grep -qwE '(no)?uv' <<<"$options"
}

# signs USER DIR: with who can be asked; is_refused USER DIR: since nobody can.
signs() {
    until_true 60 can_be_asked "$1"
    as_does "$1" sign "$2" "$(node 0 "$(id -u "$1")")"
}
is_refused() {
    until_true 60 cannot_be_asked "$1"
    takes_less_than 15000 refuses as_does "$1" sign "$2" "$(node 0 "$(id -u "$1")")" 2>refused
    contains refused FIDO_ERR_OPERATION_DENIED
}

# takes_less_than MILLISECONDS COMMAND...: and its status is the command's.
takes_less_than() {
    local limit=$1 start status=0 took
    shift
    start=$(date +%s%N)
    "$@" || status=$?
    took=$((($(date +%s%N) - start) / 1000000))
    echo "took $took ms: $*"
    [ $took -lt "$limit" ] || fail "that is not within $limit ms"
    return $status
}

# ---- a graphical session: X in memory, a window manager, and what the user's systemd starts for it ----

# desktop_login USER VT: on display :VT. Its session is of type x11, as a display manager would make it.
desktop_login() {
    mkdir -p /etc/systemd/user
    printf '[Unit]\nBindsTo=graphical-session.target\nAfter=graphical-session.target\n' \
        >/etc/systemd/user/lab-session.target
    cat >"$WORK/session" <<'END'
#!/bin/bash
# Rendering by GTK's Cairo, for OpenGL would be compiled for a processor that is emulated.
export DISPLAY=:$1 GSK_RENDERER=cairo GTK_A11Y=none
Xvfb "$DISPLAY" -screen 0 1024x768x24 -ac -nolisten tcp &
until xdotool getdisplaygeometry 2>/dev/null; do sleep 0.2; done
systemctl --user import-environment DISPLAY GSK_RENDERER GTK_A11Y
systemctl --user --no-block start lab-session.target
exec openbox
END
    chmod 755 "$WORK" "$WORK/session"
    cat >"/run/systemd/system/desktop-$1.service" <<END
[Service]
User=$1
PAMName=login
TTYPath=/dev/tty$2
StandardInput=tty-force
StandardOutput=journal
Environment=XDG_SESSION_TYPE=x11 XDG_SESSION_CLASS=user
ExecStart=$WORK/session $2
END
    systemctl daemon-reload
    systemctl start "desktop-$1"
    until_true 180 has_session_on "$2"
    switch_to "$2"
    export DISPLAY=:$2
    until_true 180 user_unit "$1" is-active graphical-session.target
}

user_unit() { # USER ARGUMENT... of systemctl
    as "$1" systemctl --user "${@:2}"
}

# window TITLE: its number, if it is on the screen.
window() { xdotool search --onlyvisible --name "^$1\$"; }
no_window() { ! window "$1"; }
appears() { (until_true "${2:-60}" window "$1") || { screenshot "no-$RANDOM"; fail "there is no such window"; }; }
goes() { until_true "${2:-20}" no_window "$1"; }

# press KEY...: as typed on the keyboard, one after the other.
press() { xdotool key --delay 60 "$@"; }
enter() { xdotool type --delay 60 "$1"; }

screenshot() { import -window root "$OUT/$1.png"; }

# arms TITLE [SECONDS]: it is there, and takes an answer.
arms() {
    appears "$@"
    sleep 1.5
}

# The first window that GTK shows is slow where a processor is emulated, and an agent that takes more than
# eight seconds is taken for one that hangs: this has the dialog shown once, and refused.
warm_up() { # USER
    local i
    for i in 1 2 3 4; do
        until_true 180 can_be_asked "$1"
        as_does "$1" register warm warm.test "" "$(node 0 "$(id -u "$1")")" &
        if (until_true 15 window "Create a passkey"); then
            press Escape
            wait $! || return 0
            fail "Escape was taken for a yes"
        fi
        wait $! || true
    done
    fail "no dialog is shown in time"
}
