# SPDX-License-Identifier: BSD-2-Clause
# Completion of tpmauthn for fish. Ids of passkeys are asked of the daemon.

function __tpmauthn_ids
    tpmauthn list 2>/dev/null | string replace -rf '^([0-9a-f]{8}) (\S+).*' '$1\t$2'
end

complete -c tpmauthn -f

complete -c tpmauthn -s d -l device -x -a '(seq 0 15)' -d 'The device, counted from 0'
complete -c tpmauthn -s u -l user -x -a '(__fish_complete_users)' -d 'Whose device'
complete -c tpmauthn -s j -l json -d 'Print JSON, for programs'
complete -c tpmauthn -s w -l webauthn -d 'With list: as WebAuthn has it, in JSON'
complete -c tpmauthn -s y -l yes -d 'Do not ask before something is erased or changed'
complete -c tpmauthn -s s -l socket -r -F -d 'The control socket of the daemon'
complete -c tpmauthn -l secrets -d 'With trace: leave the secrets in it'
complete -c tpmauthn -l machine -x -d 'With attestation request: what it calls this machine'
complete -c tpmauthn -l machine-id -d 'The same, by a hash of the machine id'
complete -c tpmauthn -s h -l help -d 'Print the commands and options'
complete -c tpmauthn -s v -l version -d 'Print the version'

complete -c tpmauthn -n __fish_use_subcommand -a list -d 'The passkeys of a device'
complete -c tpmauthn -n __fish_use_subcommand -a show -d 'One passkey'
complete -c tpmauthn -n __fish_use_subcommand -a delete -d 'Delete one passkey'
complete -c tpmauthn -n __fish_use_subcommand -a events -d 'The last uses and failures'
complete -c tpmauthn -n __fish_use_subcommand -a pin -d 'The PIN'
complete -c tpmauthn -n __fish_use_subcommand -a presence -d 'How questions are answered'
complete -c tpmauthn -n __fish_use_subcommand -a status -d 'The daemon and its devices'
complete -c tpmauthn -n __fish_use_subcommand -a doctor -d 'Check everything and say what to do'
complete -c tpmauthn -n __fish_use_subcommand -a replug -d 'Unplug the device and plug it in again'
complete -c tpmauthn -n __fish_use_subcommand -a backup -d 'Write a backup of the store'
complete -c tpmauthn -n __fish_use_subcommand -a restore -d 'Bring back what a backup has'
complete -c tpmauthn -n __fish_use_subcommand -a reset -d 'Erase all passkeys of a device'
complete -c tpmauthn -n __fish_use_subcommand -a retire -d 'List the sites to tell, then erase all'
complete -c tpmauthn -n __fish_use_subcommand -a inventory -d 'What the list of a fleet may have'
complete -c tpmauthn -n __fish_use_subcommand -a config -d 'The configuration of the daemon'
complete -c tpmauthn -n __fish_use_subcommand -a tpm -d 'What the TPM holds'
complete -c tpmauthn -n __fish_use_subcommand -a provision -d 'Make the keys with the password of the TPM owner'
complete -c tpmauthn -n __fish_use_subcommand -a attestation -d 'The certificate of this machine'
complete -c tpmauthn -n __fish_use_subcommand -a ci -d 'Run a command beside simulated keys'
complete -c tpmauthn -n __fish_use_subcommand -a seed -d 'Make the passkeys of a test fixture'
complete -c tpmauthn -n __fish_use_subcommand -a trace -d 'Write down what clients and a simulator say'
complete -c tpmauthn -n __fish_use_subcommand -a follow -d 'Print what happens at simulators'
complete -c tpmauthn -n __fish_use_subcommand -a uv -d 'What becomes of the verification of a simulator'
complete -c tpmauthn -n __fish_use_subcommand -a fail-next -d 'Have the next command of a simulator fail'
complete -c tpmauthn -n __fish_use_subcommand -a help -d 'The list of commands, or more about one'

complete -c tpmauthn -n '__fish_seen_subcommand_from show delete' -a '(__tpmauthn_ids)'
complete -c tpmauthn -n '__fish_seen_subcommand_from attestation' -a 'request install show renew remove activate'
complete -c tpmauthn -n '__fish_seen_subcommand_from pin' -a 'status set change'
complete -c tpmauthn -n '__fish_seen_subcommand_from presence' -a 'deny ask auto once no ignore delay pin pin-once no-pin'
complete -c tpmauthn -n '__fish_seen_subcommand_from uv' -a 'ok fail blocked'
complete -c tpmauthn -n '__fish_seen_subcommand_from fail-next' -a 'makeCredential getAssertion clientPIN reset getNextAssertion credentialManagement selection largeBlobs config'
complete -c tpmauthn -n '__fish_seen_subcommand_from config' -a 'cat verify'
complete -c tpmauthn -n '__fish_seen_subcommand_from attestation config seed backup restore trace' -F

complete -c tpmauthn -n '__fish_seen_subcommand_from ci; and not __fish_seen_subcommand_from run' -a run
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -a '(__fish_complete_subcommand)'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l devices -x -a '(seq 1 16)' -d 'How many keys'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l presence -x -a 'auto script deny' -d 'How questions are answered'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l pin -x -d 'The PIN of each key'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l uv -x -a 'ok fail blocked' -d 'The keys verify their user by themselves'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l seed -r -F -d 'Make the passkeys of a fixture'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l keep -r -F -d 'Keep the state and the log'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l trace -r -F -d 'Write what is said to each key'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l trace-secrets -d 'With what is secret of it'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l set -x -d 'A key of the configuration of the daemon'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l transport -x -a 'uhid socket' -d 'What a key is'
complete -c tpmauthn -n '__fish_seen_subcommand_from run' -l vm -d 'Do it in a virtual machine'
