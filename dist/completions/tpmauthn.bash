# SPDX-License-Identifier: BSD-2-Clause
# Completion of tpmauthn for bash. Ids of passkeys are asked of the daemon.

# From the word "ci" on, which is number $1.
_tpmauthn_ci() {
        local cur=${COMP_WORDS[COMP_CWORD]} i

        if ((COMP_CWORD == $1 + 1)); then
                mapfile -t COMPREPLY < <(compgen -W run -- "$cur")
                return
        fi
        for ((i = $1 + 2; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --devices | --presence | --pin | --uv | --seed | --keep | --trace | --set | --transport)
                        ((i++))
                        ;;
                --) ;;
                -*) ;;
                *)
                        compopt -o default 2>/dev/null
                        return
                        ;;
                esac
        done
        case ${COMP_WORDS[COMP_CWORD - 1]} in
        --devices) mapfile -t COMPREPLY < <(compgen -W '1 2 4 8 16' -- "$cur") ;;
        --presence) mapfile -t COMPREPLY < <(compgen -W 'auto script deny' -- "$cur") ;;
        --uv) mapfile -t COMPREPLY < <(compgen -W 'ok fail blocked' -- "$cur") ;;
        --transport) mapfile -t COMPREPLY < <(compgen -W 'uhid socket' -- "$cur") ;;
        --seed) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        --keep | --trace) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        --pin | --set | --attestation) ;;
        *)
                if [[ $cur == -* ]]; then
                        mapfile -t COMPREPLY < <(compgen -W '--devices --presence --pin --uv --seed --keep --trace
                                --trace-secrets --set --attestation
                                --transport --vm --help' -- "$cur")
                else
                        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
                fi
                ;;
        esac
}

_tpmauthn() {
        local commands='list show delete events pin presence status doctor replug backup restore reset retire
                inventory report config tpm owner-password provision attestation ci seed trace follow uv fail-next help'
        local options='--device --user --json --webauthn --yes --socket --secrets --machine --machine-id
                --secret-file --from-credential --origin --help --version'
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' operands=0 i

        COMPREPLY=()
        for ((i = 1; i < COMP_CWORD; i++)); do
                if [[ ${COMP_WORDS[i]} == ci ]]; then
                        _tpmauthn_ci "$i"
                        return
                fi
        done
        case $prev in
        -d | --device)
                mapfile -t COMPREPLY < <(compgen -W '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15' -- "$cur")
                return
                ;;
        -u | --user)
                mapfile -t COMPREPLY < <(compgen -u -- "$cur")
                return
                ;;
        -s | --socket | --secret-file)
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        --machine)
                return
                ;;
        esac
        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
                return
        fi

        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                -d | --device | -u | --user | -s | --socket | --machine | --secret-file | --origin)
                        ((i++))
                        ;;
                -*) ;;
                *)
                        if [[ -z $command ]]; then
                                command=${COMP_WORDS[i]}
                        else
                                ((operands++))
                        fi
                        ;;
                esac
        done

        case $command:$operands in
        :0 | help:0)
                mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
                ;;
        show:0 | delete:0)
                mapfile -t COMPREPLY < <(compgen -W "$(tpmauthn list 2>/dev/null |
                        sed -n '2,$s/^\([0-9a-f]\{8\}\) .*/\1/p')" -- "$cur")
                ;;
        attestation:0)
                mapfile -t COMPREPLY < <(compgen -W 'request install show renew remove activate' -- "$cur")
                ;;
        pin:0)
                mapfile -t COMPREPLY < <(compgen -W 'status set change' -- "$cur")
                ;;
        presence:0)
                mapfile -t COMPREPLY < <(compgen -W 'deny ask auto once no ignore delay pin pin-once no-pin' -- "$cur")
                ;;
        uv:0)
                mapfile -t COMPREPLY < <(compgen -W 'ok fail blocked' -- "$cur")
                ;;
        fail-next:1)
                mapfile -t COMPREPLY < <(compgen -W 'makeCredential getAssertion clientPIN reset
                        getNextAssertion credentialManagement selection largeBlobs config' -- "$cur")
                ;;
        config:0)
                mapfile -t COMPREPLY < <(compgen -W 'cat verify' -- "$cur")
                ;;
        attestation:1 | config:1 | seed:0 | backup:0 | restore:0 | trace:0)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        esac
}

complete -F _tpmauthn tpmauthn
