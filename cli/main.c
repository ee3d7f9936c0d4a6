/* SPDX-License-Identifier: BSD-2-Clause */

/* tpmauthn: options, then a command out of a table. Options may stand on either side of it. */

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "build-config.h"
#include "cli/cli.h"

static const struct command {
        const char *name;
        const char *operands; /* for the help; n_operands of them */
        int n_operands;
        int (*run)(const struct options *o, char **operands);
        const char *help;
} commands[] = {
        { "status", "", 0, cmd_status, "the daemon and its devices" },
        { "list", "", 0, cmd_list, "the passkeys of a device" },
        { "show", " ID", 1, cmd_show, "one passkey; ID may be shortened" },
        { "delete", " ID", 1, cmd_delete, "delete one passkey" },
        { "reset", "", 0, cmd_reset, "erase all passkeys of a device" },
        { "replug", "", 0, cmd_replug, "unplug the device and plug it in again" },
        { "presence", " MODE", 1, cmd_presence,
          "auto, deny, ask, once, no, pin, pin-once or no-pin" },
        { "pin", " WHAT", 1, cmd_pin, "status, set or change; from the terminal or stdin" },
        { "tpm", "", 0, cmd_tpm, "what the TPM holds for a device, and what using it costs" },
        { "provision", "", 0, cmd_provision, "make the keys with the TPM owner's password" },
        { "doctor", "", 0, cmd_doctor, "check everything and say what to do" },
};

static const struct option long_options[] = {
        { "socket", required_argument, NULL, 's' },
        { "device", required_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },
        { "yes", no_argument, NULL, 'y' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { 0 },
};

static void print_help(void) {
        puts("Usage: tpmauthn [OPTION]... COMMAND\n"
             "Looks after the passkeys that tpmauthnd keeps in the TPM.\n");
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                printf("  %s%-*s %s\n", commands[i].name, (int)(16 - strlen(commands[i].name)),
                       commands[i].operands, commands[i].help);
        puts("\n"
             "  -d, --device N     the device, counted from 0 (default 0)\n"
             "  -j, --json         status, list, show, pin status, tpm and doctor print JSON\n"
             "  -y, --yes          do not ask before something is erased\n"
             "  -s, --socket PATH  the daemon's control socket (default\n"
             "                     " TPMAUTHN_RUN_DIR "/" PROTOCOL_SOCKET ", or $TPMAUTHN_SOCKET)\n"
             "  -h, --help\n"
             "  -v, --version\n"
             "\n"
             "Exit status:\n"
             "  0  done                    3  no daemon answers\n"
             "  1  failed or refused       4  no such passkey, or more than one\n"
             "  2  wrong usage             5  the device is not ready");
}

static int usage(const char *what, const char *name) {
        fprintf(stderr, "tpmauthn: %s%s. Try: tpmauthn --help\n", what, name);
        return EXIT_USAGE;
}

static int parse_device(const char *text, int *ret) {
        char *end;
        long n = strtol(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || n > 15)
                return -1;
        *ret = (int)n;
        return 0;
}

static int run_command(const struct options *o, int n, char **words) {
        if (n == 0)
                return usage("a command is missing", "");
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
                if (strcmp(commands[i].name, words[0]) != 0)
                        continue;
                if (n - 1 != commands[i].n_operands)
                        return usage("wrong number of operands for ", words[0]);
                return commands[i].run(o, words + 1);
        }
        return usage("there is no command ", words[0]);
}

/* A list that was cut short by a full disk must not look like a whole one. */
static int finish(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        fprintf(stderr, "tpmauthn: the output could not be written: %s\n", strerror(errno));
        return status == EXIT_OK ? EXIT_FAILED : status;
}

/* Requests hold PINs and passwords. */
static void wipe_and_free(void *p) {
        if (p)
                explicit_bzero(p, malloc_usable_size(p));
        free(p);
}

int main(int argc, char **argv) {
        const char *socket = getenv("TPMAUTHN_SOCKET");
        struct options o = { .socket = socket ? socket : TPMAUTHN_RUN_DIR "/" PROTOCOL_SOCKET };
        int c;

        setlocale(LC_ALL, "");
        json_set_alloc_funcs(malloc, wipe_and_free);
        while ((c = getopt_long(argc, argv, "s:d:jyhv", long_options, NULL)) != -1)
                switch (c) {
                case 's':
                        o.socket = optarg;
                        break;
                case 'd':
                        if (parse_device(optarg, &o.device) < 0)
                                return usage("--device takes a number from 0 to 15, not ", optarg);
                        break;
                case 'j':
                        o.json = true;
                        break;
                case 'y':
                        o.yes = true;
                        break;
                case 'h':
                        print_help();
                        return EXIT_OK;
                case 'v':
                        puts("tpmauthn " TPMAUTHN_VERSION);
                        return EXIT_OK;
                default:
                        return usage("wrong option", "");
                }

        return finish(run_command(&o, argc - optind, argv + optind));
}
