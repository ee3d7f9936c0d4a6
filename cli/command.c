/* SPDX-License-Identifier: BSD-2-Clause */

/* In groups, in the order in which a person meets them. */

#include "cli/command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "build-config.h"

#define GROUP(title) \
        { NULL, title, 0, 0, NULL, NULL, NULL }

static const struct command commands[] = {
        GROUP("Passkeys"),
        { "list", "", 0, 0, cmd_list, "the passkeys of a device",
          "Prints a table of the passkeys: id, site, account, when each was made and last\n"
          "used, its signature counter, and what a use takes: a yes, or the PIN. Ids are\n"
          "shortened; any command takes them so, as long as only one passkey begins with\n"
          "what is given. With --webauthn: JSON in the terms of WebAuthn, with the public\n"
          "keys.\n" },
        { "show", " ID", 1, 1, cmd_show, "one passkey",
          "Prints all that is known of one passkey. ID: at least four digits of its id.\n" },
        { "delete", " ID", 1, 1, cmd_delete, "delete one passkey",
          "Deletes one passkey after showing it and asking. The site still lists it:\n"
          "remove it there too. A backup that has it can bring it back; after a reset\n"
          "nothing can.\n" },
        { "events", "", 0, 0, cmd_events, "the last uses and failures",
          "Prints what was done with the passkeys of a device and what failed, newest\n"
          "first. The last 200 are kept, sealed by the TPM like the passkeys; what\n"
          "happened within the last second before a crash may be missing. A reset erases\n"
          "them.\n" },
        GROUP("Verification"),
        { "pin", " status|set|change", 1, 1, cmd_pin, "the PIN",
          "status says whether there is a PIN and how many tries are left. set makes the\n"
          "first one, change replaces it. PINs are typed without echo, or read from\n"
          "standard input, a line each, where that is no terminal. With --from-credential\n"
          "or --secret-file, an administrator sets a one-time secret for --user: a PIN that\n"
          "verifies for tpmauthn provision alone, and that the user has to change.\n" },
        { "presence", " MODE [MS]", 1, 2, cmd_presence, "how questions are answered",
          "From now on: deny refuses all questions; ask has them asked as configured;\n"
          "auto says yes (with a simulator only). To the question that is up, or else the\n"
          "next one: once says yes (with a simulator only), no refuses. For a simulator\n"
          "also: pin has each yes given with a PIN that is read now, pin-once the next\n"
          "one only, no-pin forgets it; ignore gives no answer to the question that is up,\n"
          "or else to the next one; delay MS has auto and once say yes to no question\n"
          "before it was up for so many milliseconds, until delay 0.\n" },
        GROUP("Device"),
        { "status", "", 0, 0, cmd_status, "the daemon and its devices",
          "Prints each device: whether it is ready, and if not why and what to do; its\n"
          "TPM and what that can do for a PIN. Fails with 5 unless all are ready.\n" },
        { "doctor", "", 0, 0, cmd_doctor, "check everything and say what to do",
          "Looks at everything between a browser and a key, and says for each thing that\n"
          "is wrong what to do about it. Works without a running daemon. Fails with 1 if\n"
          "a check failed.\n" },
        { "replug", "", 0, 0, cmd_replug, "unplug the device and plug it in again",
          "Takes the virtual device away, opens the TPM and the store anew, and plugs it\n"
          "in again. After three wrong PINs in a row this is what lets a client try\n"
          "again.\n" },
        GROUP("Keeping, giving away"),
        { "backup", " FILE", 1, 1, cmd_backup, "write a backup of the store",
          "Writes all passkeys, still encrypted by the TPM, to a file. A backup is of use\n"
          "with this computer's TPM and for this user only: it helps after a lost disk or\n"
          "an installation anew, and is no second key. A reset ends it.\n" },
        { "restore", " FILE", 1, 1, cmd_restore, "bring back what a backup has",
          "Adds the passkeys that are in a backup and not on the device, also such as\n"
          "were deleted since. What is on the device stays as it is, and so do the PIN\n"
          "and the settings. All signature counters are raised, so that none repeats.\n"
          "Nothing brings back what a reset erased. If the device knows nothing of the\n"
          "backup, as after an installation anew, and has no passkeys, the backup takes\n"
          "the place of its store, settings included, if the TPM opens it. See\n"
          "tpmauthn(1).\n" },
        { "reset", "", 0, 0, cmd_reset, "erase all passkeys of a device",
          "Erases every passkey, the PIN and the settings of a device, in the TPM first,\n"
          "and begins anew. No backup brings back what it erased. Asks for the password\n"
          "of the TPM's owner hierarchy where that has one.\n" },
        { "retire", "", 0, 0, cmd_retire, "list the sites to tell, then erase all",
          "For a computer that is sold or given back: prints every site and account that\n"
          "still trusts a passkey of this device, asks, and then erases all as reset\n"
          "does.\n" },
        GROUP("Administration"),
        { "inventory", "", 0, 0, cmd_inventory, "what a fleet's list may have, without names",
          "Prints what this device is and how many passkeys it has for which sites, as\n"
          "hashes of their names (SHA-256 of the RP ID). Accounts and secrets are not in\n"
          "it. With --json also the attestation key of the machine, for an administrator,\n"
          "and the hash of the TPM's endorsement key once a request for a certificate was\n"
          "made: to make that key for each question takes a TPM seconds.\n" },
        { "report", "", 0, 0, cmd_report, "the same of all devices, as a table for programs",
          "Prints a line for each device that the caller may see, as CSV (RFC 4180): what\n"
          "it is, whether it is ready, how many passkeys it has for how many sites, when\n"
          "the first and the last were made and used. It names no site and no account.\n"
          "With --json an array of objects.\n" },
        { "config", " cat|verify [FILE]", 1, 2, cmd_config, "the configuration of the daemon",
          "cat prints every key with its meaning and the value that results from all\n"
          "files; verify says what is wrong with them. With FILE: that file and\n"
          "FILE.d/*.conf instead. Works without a running daemon. Fails with 78 if the\n"
          "configuration is wrong.\n" },
        { "tpm", "", 0, 0, cmd_tpm, "what the TPM holds, and what using it costs",
          "Prints what is provisioned where in the TPM for a device, what the TPM can do,\n"
          "and how many TPM commands each ceremony takes at most.\n" },
        { "owner-password", "", 0, 0, cmd_owner_password,
          "make the keys with the TPM owner's password",
          "Makes the keys of a device that failed because the TPM's owner hierarchy has a\n"
          "password, which it asks for.\n" },
        GROUP("In an organisation"),
        { "provision", "", 0, 0, cmd_provision, "make a passkey for a user, by a site's options",
          "For administrators: makes a passkey for --user, who need not be logged in. Reads\n"
          "what a site's server made for navigator.credentials.create(), in JSON, on\n"
          "standard input (PublicKeyCredentialCreationOptionsJSON), and prints what that\n"
          "server takes for it (RegistrationResponseJSON). Nobody is asked. Where the site\n"
          "wants verification, that is by the secret of pin set --from-credential, for as\n"
          "long as the user has not changed it. The origin is https:// and the site's RP ID\n"
          "unless --origin says another.\n" },
        { "attestation", " request|install|show|renew|remove|activate [FILE]", 1, 2,
          cmd_attestation, "the certificate of this machine",
          "A certificate authority of the organisation can vouch for this machine's TPM;\n"
          "sites then know that a passkey is in it. For root. request makes a key in the\n"
          "TPM and writes what the authority wants to know, in JSON, to FILE or standard\n"
          "output; nothing in it is secret. install takes the authority's answer, for this\n"
          "machine and this request alone. show says how it stands. renew is request for a\n"
          "key that is there; its certificates are used until others are installed. remove\n"
          "removes the key. activate prints what smallstep's protocol wants as a proof.\n"
          "With --machine or --machine-id, request says which machine it is. FILE: - is\n"
          "standard input or output. See tpmauthn(1).\n" },
        GROUP("Tests"),
        { "ci", " run COMMAND...", 0, INT_MAX, cmd_ci, "run a command beside simulated keys",
          "Runs a command, such as a web application's tests, beside a daemon of its own\n"
          "whose keys are simulated and touch themselves, and leaves nothing behind. It\n"
          "takes options of its own: tpmauthn ci run --help.\n" },
        { "seed", " FILE", 1, 1, cmd_seed, "make the passkeys of a test fixture",
          "Makes the passkeys that a file describes in JSON, without asking anybody: all\n"
          "of them or, if anything is wrong with one, none. Their keys are made by the TPM.\n"
          "Prints their ids; with --json their public keys too. FILE: - is standard input.\n"
          "See tpmauthn(1).\n" },
        { "trace", " FILE", 1, 1, cmd_trace, "write down what clients and a simulator say",
          "Writes every message between clients and a simulator to FILE, until Ctrl-C: as\n"
          "a text to read if its name ends in .txt, for Wireshark if it ends in .pcapng.\n"
          "What is secret in them (PIN, tokens, hmac-secret, large-blob keys) is replaced\n"
          "by zeros, unless --secrets is given.\n" },
        { "follow", "", 0, 0, cmd_follow, "print what happens at simulators",
          "Prints a line for each question that a simulator asks, each answer, and each\n"
          "command that is done, until Ctrl-C. With --json a line is an event in JSON.\n"
          "Without --device: of all devices.\n" },
        { "uv", " ok|fail|blocked", 1, 1, cmd_uv, "what becomes of a simulator's verification",
          "What a verification with the PIN comes to that a simulator was told (presence\n"
          "pin). ok: it succeeds, and all tries are given back. fail: it is given a wrong\n"
          "PIN and then refused, which costs a try. blocked: all tries are used up. It is\n"
          "the TPM that counts: after three wrong PINs in a row it takes a replug until\n"
          "another is tried, and after eight a reset.\n" },
        { "fail-next", " STATUS [COMMAND]", 1, 2, cmd_fail_next,
          "have a simulator's next command fail",
          "The next command of a client, or the next of that name (makeCredential,\n"
          "getAssertion, clientPIN, ...), is answered by this status of CTAP2, a number\n"
          "such as 0x27, and not carried out. getInfo is never meant. STATUS 0 takes it\n"
          "back.\n" },
        GROUP("Help"),
        { "help", " [COMMAND]", 0, 1, cmd_help, "this text, or more about a command",
          "Prints the list of commands, or what there is to know of one.\n" },
};

static const struct command *end(void) {
        return commands + sizeof(commands) / sizeof(commands[0]);
}

const struct command *command_find(const char *name) {
        for (const struct command *c = commands; c < end(); c++)
                if (c->name && strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

#define SUMMARY_COLUMN 27

/* Beside the command, or below it where that leaves no room. */
static void print_command(const struct command *c) {
        const int n = printf("  %s%s", c->name, c->operands);

        if (n + (int)strlen(c->summary) >= 80)
                printf("\n%*s%s\n", SUMMARY_COLUMN, "", c->summary);
        else
                printf("%*s %s\n", n < SUMMARY_COLUMN - 1 ? SUMMARY_COLUMN - 1 - n : 0, "",
                       c->summary);
}

void command_print_help(void) {
        puts("Usage: tpmauthn [OPTION]... COMMAND [OPERAND]...\n"
             "Looks after the passkeys that tpmauthnd keeps in the TPM.");
        for (const struct command *c = commands; c < end(); c++)
                if (c->name)
                        print_command(c);
                else
                        printf("\n%s:\n", c->operands);
        puts("\n"
             "Options, before the command or behind it:\n"
             "  -d, --device N     the device, counted from 0 (default 0)\n"
             "  -u, --user USER    whose device, by name or uid: for root\n"
             "  -j, --json         print JSON, for programs\n"
             "  -w, --webauthn     with list: as WebAuthn has it, in JSON\n"
             "  -y, --yes          do not ask before something is erased or changed\n"
             "  -s, --socket PATH  the daemon's control socket (default\n"
             "                     " TPMAUTHN_RUN_DIR "/" PROTOCOL_SOCKET ", or $TPMAUTHN_SOCKET)\n"
             "      --secrets      leave secrets in a trace\n"
             "      --machine NAME what attestation request calls this machine\n"
             "      --machine-id   the same, by a hash of /etc/machine-id\n"
             "      --secret-file FILE  with pin set and provision: a one-time secret,\n"
             "                     the first line of FILE\n"
             "      --from-credential  the same, from the service manager's credential\n"
             "                     tpmauthn.secret in $CREDENTIALS_DIRECTORY\n"
             "      --origin ORIGIN  with provision: where the site is\n"
             "  -h, --help\n"
             "  -v, --version\n"
             "\n"
             "Exit status:\n"
             "  0  done                    4  no such passkey, or more than one\n"
             "  1  failed or refused       5  the device is not ready\n"
             "  2  wrong usage            78  the configuration is wrong\n"
             "  3  no daemon answers");
}

int cmd_help(const struct options *o, char **operands) {
        const struct command *c;

        (void)o;
        if (!operands[0]) {
                command_print_help();
                return EXIT_OK;
        }
        c = command_find(operands[0]);
        if (!c) {
                fprintf(stderr, "tpmauthn: there is no command %s. Try: tpmauthn help\n",
                        operands[0]);
                return EXIT_USAGE;
        }
        printf("Usage: tpmauthn [OPTION]...%s%s%s\n\n%s",
               strlen(c->name) + strlen(c->operands) > 52 ? "\n        " : " ", c->name,
               c->operands, c->details);
        return EXIT_OK;
}
