# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What docs/use.md tells people to type, word for word: its blocks of commands are cut out and run. The
# names that stand for something (user@host, DEVICE, NAME, HOSTNAME) mean something here.
. "$TREE/tests/vm/lib.sh"

GUIDE=$TREE/docs/use.md

# block NAME: the block of the guide behind the comment "run: NAME" or "file: NAME".
block() {
    awk -v "name=$1" '
        $0 ~ "^<!-- (run|file): " name " -->$" { wanted = 1; next }
        wanted && /^```/ { if (inside) exit; inside = 1; next }
        inside { print; n++ }
        END { exit n == 0 }' "$GUIDE" || fail "the guide has no block $1"
}

# follow NAME [WORD VALUE]... [-- ANSWER...]: runs the block as a person would, each WORD of it replaced.
follow() {
    local text name=$1
    shift
    text=$(block "$name")
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        text=${text//"$1"/"$2"}
        shift 2
    done
    [ $# = 0 ] || shift
    printf 'set -euo pipefail\nsudo() { "$@"; }\nPATH=$PATH:/lib/systemd\n%s\n' "$text" >"$name.sh"
    types "$@" -- bash "$name.sh"
}

serve_ssh() {
    useradd -m -p '*' user
    mkdir -p /run/sshd ~user/.ssh ~/.ssh
    ssh-keygen -q -t ed25519 -N '' -f hostkey
    ssh-keygen -q -t ed25519 -N '' -f usual # the way in that ssh-copy-id takes
    cp usual.pub ~user/.ssh/authorized_keys
    chown -R user: ~user/.ssh
    printf '%s\n' "Port 2222" "ListenAddress 127.0.0.1" "HostKey $WORK/hostkey" "UsePAM no" \
        "PasswordAuthentication no" "PidFile $WORK/sshd.pid" >sshd_config
    /usr/sbin/sshd -f "$WORK/sshd_config" -E "$OUT/sshd.log"
    printf '%s\n' "Host host" "HostName 127.0.0.1" "Port 2222" "StrictHostKeyChecking no" \
        "LogLevel ERROR" "RemoteCommand none" >~/.ssh/config
    until_true 20 test -s sshd.pid
}

# Of the two questions for a passphrase of the key's file, both are answered with none. ssh-copy-id comes in by
# the usual key, the login at the end by the new one alone, and ends by itself.
ssh_makes_a_key_and_logs_in() {
    serve_ssh
    printf 'echo logged in; exit\n' >~user/.profile
    eval "$(ssh-agent)" >/dev/null
    ssh-add -q usual
    follow ssh -- "" ""
    contains typed "logged in"
    ssh-add -q -D
    limited 60 ssh -o IdentitiesOnly=yes -i ~/.ssh/id_ecdsa_sk user@host true
    kill "$SSH_AGENT_PID"
}

git_signs_commits() {
    follow git
    git config --global user.name alice
    git config --global user.email alice@lab.test
    echo "alice@lab.test $(cut -d' ' -f1,2 ~/.ssh/id_ecdsa_sk.pub)" >signers
    git config --global gpg.ssh.allowedSignersFile "$WORK/signers"
    git init -q repository
    limited 60 git -C repository commit -q --allow-empty -m "signed by a TPM"
    limited 60 git -C repository log -1 --format=%G? >verdict
    contains verdict G
}

pam_signs_in() {
    follow pam-enrol
    printf 'auth required pam_deny.so\naccount required pam_permit.so\n' >/etc/pam.d/lab
    { block pam-sudo | sed "s/HOSTNAME/$(hostname)/g" && cat /etc/pam.d/lab; } >lab.pam
    cp lab.pam /etc/pam.d/lab
    types -- pamtester lab "$(id -un)" authenticate
    contains typed "successfully authenticated"
    ctl presence no >/dev/null
    refuses types -- pamtester lab "$(id -un)" authenticate
}

luks_volume_is_unlocked() {
    local module device
    mkdir -p /run/systemd/ask-password
    for module in loop dm-mod dm-crypt aes_generic xts cbc ecb algif_skcipher; do
        modprobe -d "$KERNEL" "$module"
    done
    truncate -s 32M volume
    printf passphrase >passphrase
    limited 60 cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
        volume passphrase
    device=$(losetup -f --show volume)
    PASSWORD=passphrase follow luks DEVICE "$device" NAME lab
    [ -b /dev/mapper/lab ]
    limited 60 /lib/systemd/systemd-cryptsetup detach lab
}

start_daemon || exit 1
run_test ssh_makes_a_key_and_logs_in
run_test git_signs_commits
run_test pam_signs_in
run_test luks_volume_is_unlocked
finish
