/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files first, then --set and its short forms in the order of the command line, wherever --config
 * stands in it: the line is walked twice.
 */

#include "authenticator/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/attestation-chain.h"
#include "authenticator/attester.h"
#include "authenticator/enrolment.h"
#include "authenticator/util.h"
#include "build-config.h"

enum option_code {
        OPTION_CONFIG = 'c',
        OPTION_SET = 's',
        OPTION_HELP = 'h',
        OPTION_VERSION = 'v',
        OPTION_CHECK = 256,
        OPTION_PRINT,
        OPTION_SHORT_FORM, /* any of short_forms */
};

static const struct {
        const char *option, *key;
} short_forms[] = {
        { "device", "device.device" },
        { "tpm", "tpm.tpm" },
        { "presence", "presence.presence" },
        { "state-dir", "daemon.state-directory" },
        { "runtime-dir", "daemon.runtime-directory" },
        { "log-level", "daemon.log-level" },
};

static const struct option long_options[] = {
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "set", required_argument, NULL, OPTION_SET },
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "check-config", no_argument, NULL, OPTION_CHECK },
        { "print-config", no_argument, NULL, OPTION_PRINT },
        { "device", required_argument, NULL, OPTION_SHORT_FORM },
        { "tpm", required_argument, NULL, OPTION_SHORT_FORM },
        { "presence", required_argument, NULL, OPTION_SHORT_FORM },
        { "state-dir", required_argument, NULL, OPTION_SHORT_FORM },
        { "runtime-dir", required_argument, NULL, OPTION_SHORT_FORM },
        { "log-level", required_argument, NULL, OPTION_SHORT_FORM },
        { 0 },
};

static void print_help(void) {
        fputs("Usage: tpmauthnd [OPTION]...\n"
              "A FIDO2 authenticator whose keys live in the TPM. Runs in the foreground.\n"
              "\n"
              "  -c, --config FILE        read FILE and FILE.d/*.conf, and nothing else\n"
              "  -s, --set SECTION.KEY=V  override one key of the configuration\n"
              "      --device DEVICE      uhid, uhid:/PATH or socket:/PATH\n"
              "      --tpm TPM            a TCTI such as device:/dev/tpmrm0, or swtpm\n"
              "      --presence MODE      agent, tty, auto, script or deny\n"
              "      --state-dir DIR      where the stores are kept\n"
              "      --runtime-dir DIR    where the sockets are\n"
              "      --log-level LEVEL    err, warning, notice, info or debug\n"
              "      --check-config       read the configuration, say what is wrong, and end\n"
              "      --print-config       print the configuration that results, and end\n"
              "  -h, --help\n"
              "  -v, --version\n"
              "\n"
              "Without --config: " TPMAUTHN_LIB_CONF_DIR "/*.conf, " TPMAUTHN_RUN_DIR
              "/*.conf,\n" TPMAUTHN_ETC_CONF_DIR "/tpmauthn.conf and " TPMAUTHN_ETC_CONF_DIR
              "/tpmauthn.conf.d/*.conf.\n"
              "Exit status: 0 stopped, 1 could not start, 2 wrong usage, 78 wrong configuration.\n",
              stdout);
}

/* The short form --tpm=X is --set tpm.tpm=X. */
static int set_short_form(struct config *config, const char *option, const char *value) {
        _cleanup_(free_pointer) char *assignment = NULL;
        const char *key = "";

        for (size_t i = 0; i < ELEMENTSOF(short_forms); i++)
                if (strcmp(short_forms[i].option, option) == 0)
                        key = short_forms[i].key;

        if (asprintf(&assignment, "%s=%s", key, value) < 0) {
                assignment = NULL;
                return -ENOMEM;
        }
        return config_set(config, assignment, stderr);
}

struct wish {
        const char *config_file;
        bool check, print;
};

/* What is not about single keys. */
static enum options_verdict first_walk(int argc, char **argv, struct wish *wish) {
        int c;

        while ((c = getopt_long(argc, argv, "c:s:hv", long_options, NULL)) != -1)
                switch (c) {
                case OPTION_CONFIG:
                        wish->config_file = optarg;
                        break;
                case OPTION_CHECK:
                        wish->check = true;
                        break;
                case OPTION_PRINT:
                        wish->print = true;
                        break;
                case OPTION_HELP:
                        print_help();
                        return OPTIONS_DONE;
                case OPTION_VERSION:
                        puts("tpmauthnd " TPMAUTHN_VERSION);
                        return OPTIONS_DONE;
                case '?':
                        fputs("Try: tpmauthnd --help\n", stderr);
                        return OPTIONS_USAGE;
                default:
                        break;
                }

        if (optind < argc) {
                fprintf(stderr, "tpmauthnd: what is '%s'? Try: tpmauthnd --help\n", argv[optind]);
                return OPTIONS_USAGE;
        }
        return OPTIONS_RUN;
}

static bool second_walk(int argc, char **argv, struct config *config) {
        bool good = true;
        int c, index;

        optind = 1;
        while ((c = getopt_long(argc, argv, "c:s:hv", long_options, &index)) != -1) {
                if (c == OPTION_SET && config_set(config, optarg, stderr) < 0)
                        good = false;
                if (c == OPTION_SHORT_FORM &&
                    set_short_form(config, long_options[index].name, optarg) < 0)
                        good = false;
        }
        return good;
}

static bool check_root(const struct config *config) {
        uint8_t storage[ENROLMENT_ROOTS_MAX];
        struct buf pem = BUF_ON(storage);
        int r = enrolment_read_roots(config->attestation_root, &pem);

        if (!*config->attestation_root || (r == 0 && attestation_has_roots(buf_bytes(&pem))))
                return true;
        fprintf(stderr, "[attestation] root = %s: %s.\n", config->attestation_root,
                r < 0 ? strerror(-r) : "it holds no certificate in PEM");
        return false;
}

static bool check_attester(const struct config *config) {
        const struct attester_options options = {
                .key = config->attestation_key,
                .certificates = config->attestation_certificates,
                .rp_ids = config->attestation_rp_ids,
        };
        char text[1024];
        struct buf reason = { (uint8_t *)text, 0, sizeof(text), false };
        struct attester *attester;

        if (!*options.key)
                return true;
        if (attester_open(&options, NULL, &reason, &attester) < 0) {
                fprintf(stderr, "%.*s\n", (int)reason.len, text);
                return false;
        }
        attester_close(attester);
        return true;
}

/* The files that the configuration names, as far as they are not made by the daemon. */
static bool check_files(const struct config *config) {
        const bool good = check_attester(config);

        return check_root(config) && good;
}

enum options_verdict options_read(int argc, char **argv, struct config *config) {
        struct wish wish = { 0 };
        struct config_places only = { .file_required = true };
        const struct config_places *places = &config_system_places;
        enum options_verdict verdict = first_walk(argc, argv, &wish);
        bool good;

        if (verdict != OPTIONS_RUN)
                return verdict;

        if (wish.config_file) {
                only.file = wish.config_file;
                places = &only;
        }
        good = config_read(config, places, stderr) == 0;
        good = second_walk(argc, argv, config) && good;
        good = good && config_check(config, stderr) == 0;
        good = good && (!wish.check || check_files(config));
        if (!good) {
                fputs("tpmauthnd: the configuration is wrong; nothing was started\n", stderr);
                return OPTIONS_BAD_CONFIG;
        }

        if (wish.print)
                config_print(config, stdout);
        return wish.print || wish.check ? OPTIONS_DONE : OPTIONS_RUN;
}
