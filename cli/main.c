/* SPDX-License-Identifier: BSD-2-Clause */

/* tpmauthn: options, then a command out of a table (command.c), in any order. */

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <locale.h>
#include <malloc.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "build-config.h"
#include "cli/ci.h"
#include "cli/cli.h"
#include "cli/command.h"

/* These have no letter: they are nothing to be typed by mistake. */
enum {
        OPTION_SECRETS = 256,
        OPTION_SECRET_FILE,
        OPTION_FROM_CREDENTIAL,
        OPTION_ORIGIN,
        OPTION_MACHINE,
        OPTION_MACHINE_ID,
};

static const struct option long_options[] = {
        { "socket", required_argument, NULL, 's' },
        { "device", required_argument, NULL, 'd' },
        { "user", required_argument, NULL, 'u' },
        { "json", no_argument, NULL, 'j' },
        { "yes", no_argument, NULL, 'y' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { "webauthn", no_argument, NULL, 'w' },
        { "secrets", no_argument, NULL, OPTION_SECRETS },
        { "machine", required_argument, NULL, OPTION_MACHINE },
        { "machine-id", no_argument, NULL, OPTION_MACHINE_ID },
        { "secret-file", required_argument, NULL, OPTION_SECRET_FILE },
        { "from-credential", no_argument, NULL, OPTION_FROM_CREDENTIAL },
        { "origin", required_argument, NULL, OPTION_ORIGIN },
        { 0 },
};

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

/* A number need not be the uid of an account that this machine knows. */
static int parse_user(const char *text, struct options *o) {
        const struct passwd *account = getpwnam(text);
        unsigned long long n;
        char *end;

        o->has_user = true;
        if (account) {
                o->user = account->pw_uid;
                return 0;
        }
        n = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || n >= UINT32_MAX)
                return -1;
        o->user = (unsigned)n;
        return 0;
}

static int run_command(const struct options *o, int n, char **words) {
        const struct command *c;

        if (n == 0)
                return usage("a command is missing", "");
        c = command_find(words[0]);
        if (!c)
                return usage("there is no command ", words[0]);
        if (n - 1 < c->n_min || n - 1 > c->n_max)
                return usage("wrong number of operands for ", words[0]);
        if (o->webauthn && c->run != cmd_list)
                return usage("--webauthn is for list, not for ", words[0]);
        if ((o->machine || o->machine_id) && c->run != cmd_attestation)
                return usage("--machine and --machine-id are for attestation, not for ", words[0]);
        if (o->origin && c->run != cmd_provision)
                return usage("--origin is for provision, not for ", words[0]);
        if ((o->secret_file || o->from_credential) && c->run != cmd_provision && c->run != cmd_pin)
                return usage("a one-time secret is for provision and pin set, not for ", words[0]);
        if (o->secret_file && o->from_credential)
                return usage("there is one secret: --secret-file or --from-credential", "");
        return c->run(o, words + 1);
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
        /* Its options are not those below, and end where another program's begin. */
        if (argc > 1 && strcmp(argv[1], "ci") == 0)
                return finish(ci_main(argc - 1, argv + 1));
        while ((c = getopt_long(argc, argv, "s:d:u:jwyhv", long_options, NULL)) != -1)
                switch (c) {
                case 's':
                        o.socket = optarg;
                        break;
                case 'd':
                        o.has_device = true;
                        if (parse_device(optarg, &o.device) < 0)
                                return usage("--device takes a number from 0 to 15, not ", optarg);
                        break;
                case 'u':
                        if (parse_user(optarg, &o) < 0)
                                return usage("--user takes a name or a uid, and there is no user ",
                                             optarg);
                        break;
                case 'j':
                        o.json = true;
                        break;
                case 'y':
                        o.yes = true;
                        break;
                case 'w':
                        o.webauthn = true;
                        break;
                case OPTION_MACHINE:
                        o.machine = optarg;
                        break;
                case OPTION_MACHINE_ID:
                        o.machine_id = true;
                        break;
                case OPTION_SECRETS:
                        o.secrets = true;
                        break;
                case OPTION_SECRET_FILE:
                        o.secret_file = optarg;
                        break;
                case OPTION_FROM_CREDENTIAL:
                        o.from_credential = true;
                        break;
                case OPTION_ORIGIN:
                        o.origin = optarg;
                        break;
                case 'h':
                        command_print_help();
                        return EXIT_OK;
                case 'v':
                        puts("tpmauthn " TPMAUTHN_VERSION);
                        return EXIT_OK;
                default:
                        return usage("wrong option", "");
                }

        return finish(run_command(&o, argc - optind, argv + optind));
}
