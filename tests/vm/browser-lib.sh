# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A relying party whose page drives itself, and browsers that visit it: each with a new profile, ended by
# its pid. So no WebDriver is needed.

REPORT=$WORK/rp.report
URL=http://localhost:8000
PROFILE=$WORK/profile
# Who opens them, with windows on $DISPLAY, and behind everything else that wants the processor; nobody: root, and
# headless.
BROWSER_USER=

exec_browser() { # PROGRAM ARGUMENT...
    [ "$BROWSER_USER" ] || exec "$1" --headless "${@:2}"
    AS_EXEC=1 as "$BROWSER_USER" nice -n 19 env DISPLAY="$DISPLAY" "$@"
}

chromium_opens() {
    exec_browser chromium --no-sandbox --disable-gpu --disable-quic --disable-background-networking \
        --disable-component-update --disable-sync --disable-extensions --no-first-run \
        --remote-debugging-port=0 --ipc-connection-timeout=120 --user-data-dir="$PROFILE" "$1"
}

firefox_opens() {
    mkdir -p "$PROFILE"
    cat >"$PROFILE/user.js" <<'END'
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("services.settings.server", "http://localhost:8000/none");
END
    exec_browser firefox-esr --no-remote --profile "$PROFILE" "$1"
}

# serve: starts the relying party.
serve() {
    touch "$REPORT"
    /usr/bin/python3 "$TREE/tests/vm/rp.py" 8000 "$REPORT" >"$OUT/rp.log" 2>&1 </dev/null &
    until_true 60 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000'
}

# visit BROWSER USER STEP...: opens the page and waits until every step is accepted.
visit() {
    local browser=$1 user=$2 step steps lines
    shift 2
    steps=$(IFS=,; echo "$*")
    lines=$(wc -l <"$REPORT")
    rm -rf "$PROFILE"
    "${browser}_opens" "$URL/?user=$user&steps=$steps" >"$OUT/$browser.log" 2>&1 &
    local pid=$! end=$((SECONDS + 300))
    while [ "$(wc -l <"$REPORT")" -lt $((lines + $#)) ] && [ $SECONDS -lt $end ]; do
        sleep 0.5
        [ -e /proc/$pid/exe ] || break
    done
    kill -TERM $pid 2>/dev/null || true
    timeout 20 tail --pid=$pid -f /dev/null || kill -KILL $pid
    tail -n +$((lines + 1)) "$REPORT" >verdicts
    cat verdicts
    for step in "$@"; do
        grep -qx "$user $step: ok" verdicts || {
            tail -n 15 "$OUT/$browser.log"
            fail "$browser: step $step was not accepted"
        }
    done
}
