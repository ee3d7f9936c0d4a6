/* SPDX-License-Identifier: BSD-2-Clause */

/* The options of ci run end where the command begins, whose own look alike. */

#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ci.h"

#define DEFAULT_PIN        "1234"
#define PIN_CHARACTERS_MIN 4 /* CTAP 2.3 §6.5.1 */
#define PIN_BYTES_MAX      63

enum option_code {
        OPTION_DEVICES = 256,
        OPTION_TRANSPORT,
        OPTION_PRESENCE,
        OPTION_PIN,
        OPTION_UV,
        OPTION_ATTESTATION,
        OPTION_SEED,
        OPTION_KEEP,
        OPTION_TRACE,
        OPTION_TRACE_SECRETS,
        OPTION_SET,
        OPTION_VM,
        OPTION_HELP,
};

static const struct option long_options[] = {
        { "devices", required_argument, NULL, OPTION_DEVICES },
        { "transport", required_argument, NULL, OPTION_TRANSPORT },
        { "presence", required_argument, NULL, OPTION_PRESENCE },
        { "pin", required_argument, NULL, OPTION_PIN },
        { "uv", required_argument, NULL, OPTION_UV },
        { "attestation", required_argument, NULL, OPTION_ATTESTATION },
        { "seed", required_argument, NULL, OPTION_SEED },
        { "keep", required_argument, NULL, OPTION_KEEP },
        { "trace", required_argument, NULL, OPTION_TRACE },
        { "trace-secrets", no_argument, NULL, OPTION_TRACE_SECRETS },
        { "set", required_argument, NULL, OPTION_SET },
        { "vm", no_argument, NULL, OPTION_VM },
        { "help", no_argument, NULL, OPTION_HELP },
        { 0 },
};

static void print_help(void) {
        puts("Usage: tpmauthn ci run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
             "Runs COMMAND beside security keys that nobody has to touch: a daemon of its own, with a\n"
             "simulated TPM for each. Passes on its exit status, and leaves nothing behind.\n"
             "\n"
             "      --devices N          how many keys, 1 to 16 (default 1)\n"
             "      --presence WORD      auto: yes to every question (the default); deny: no; script:\n"
             "                           as tpmauthn presence or the control socket say\n"
             "      --pin PIN            set this PIN on each key that has none; clients ask for it\n"
             "      --uv WORD            the keys verify their user by themselves, and clients ask\n"
             "                           for nothing (the PIN is 1234 unless --pin says another): ok;\n"
             "                           fail, the PIN is wrong; blocked, it was wrong too often\n"
             "      --attestation SITES  for these RP IDs, with blanks between them, the keys have a\n"
             "                           certificate by an authority of this run: $TPMAUTHN_CA\n"
             "      --seed FILE          make the passkeys of this fixture on the first key\n"
             "      --keep DIR           keep the state and the daemon's log in DIR; the next run\n"
             "                           with DIR finds the passkeys of this one\n"
             "      --trace DIR          write what is said to each key to DIR/key-N.pcapng, for\n"
             "                           Wireshark, and DIR/key-N.txt\n"
             "      --trace-secrets      with PINs, secrets of sites and the like, which are zeros else\n"
             "      --set SECTION.KEY=V  one key of the daemon's configuration, tpmauthn.conf(5)\n"
             "      --transport KIND     uhid (the default): the keys are devices; socket: they are\n"
             "                           sockets, for programs that speak CTAPHID over one\n"
             "      --vm                 do it in a virtual machine with QEMU, where this one has no\n"
             "                           /dev/uhid; the working folder is shared with it\n"
             "      --help\n"
             "\n"
             "COMMAND finds in its environment:\n"
             "  TPMAUTHN_CTL     the daemon's control socket; TPMAUTHN_SOCKET is the same, so that\n"
             "                   tpmauthn speaks to this daemon\n"
             "  TPMAUTHN_HIDRAW  the keys' nodes, separated by blanks, such as /dev/hidraw3\n"
             "  TPMAUTHN_CA      with --attestation, the authority's certificate, in PEM\n"
             "\n"
             "What COMMAND leaves running is ended with it. Exit status: that of COMMAND, or 128 and\n"
             "the number of the signal that ended it; 120 if no virtual device can be made here, 125\n"
             "if something else fails, 126 if COMMAND cannot be run, 127 if it is not found.");
}

static enum ci_verdict complain(const char *what, const char *value) {
        fprintf(stderr, "tpmauthn: %s%s. Try: tpmauthn ci run --help\n", what, value);
        return CI_USAGE;
}

static enum ci_verdict read_devices(const char *text, struct ci_options *o) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || n < 1 || n > CI_DEVICES_MAX)
                return complain("--devices takes a number from 1 to 16, not ", text);
        o->n_devices = (unsigned)n;
        return CI_RUN;
}

static enum ci_verdict read_transport(const char *text, struct ci_options *o) {
        o->on_socket = strcmp(text, "socket") == 0;
        if (!o->on_socket && strcmp(text, "uhid") != 0)
                return complain("--transport takes uhid or socket, not ", text);
        return CI_RUN;
}

static enum ci_verdict read_presence(const char *text, struct ci_options *o) {
        if (strcmp(text, "auto") != 0 && strcmp(text, "script") != 0 && strcmp(text, "deny") != 0)
                return complain("--presence takes auto, script or deny, not ", text);
        o->presence = text;
        return CI_RUN;
}

static enum ci_verdict read_uv(const char *text, struct ci_options *o) {
        if (strcmp(text, "ok") != 0 && strcmp(text, "fail") != 0 && strcmp(text, "blocked") != 0)
                return complain("--uv takes ok, fail or blocked, not ", text);
        o->uv = text;
        return CI_RUN;
}

/* What a later --set asks of a PIN is the daemon's to say. */
static enum ci_verdict read_pin(const char *text, struct ci_options *o) {
        size_t n = 0;

        for (const char *p = text; *p; p++)
                n += ((unsigned char)*p & 0xc0) != 0x80; /* characters of UTF-8 */
        if (n < PIN_CHARACTERS_MIN || strlen(text) > PIN_BYTES_MAX)
                return complain("--pin takes at least 4 characters and at most 63 bytes", "");
        o->pin = text;
        return CI_RUN;
}

/* Below the working folder, if it does not begin with "/". */
static enum ci_verdict read_folder(const char *option, const char *text, char **ret) {
        char here[PATH_MAX] = "";

        if (!*text)
                return complain(option, " takes a folder");
        if (*text != '/' && !getcwd(here, sizeof(here)))
                return complain("the working folder is gone, below which there would be ", text);
        free(*ret);
        if (asprintf(ret, "%s%s%s", here, *here ? "/" : "", text) < 0) {
                *ret = NULL;
                return complain("out of memory", "");
        }
        return CI_RUN;
}

static enum ci_verdict read_attestation(const char *text, struct ci_options *o) {
        if (text[strspn(text, " \t\n")] == '\0')
                return complain("--attestation takes RP IDs with blanks between them, not ", text);
        if (strlen(text) > CI_SITES_MAX)
                return complain("--attestation names too many sites", "");
        if (o->attested)
                return complain("--attestation is there twice; name all sites in one", "");
        o->attested = text;
        return CI_RUN;
}

static enum ci_verdict read_set(char *text, struct ci_options *o, size_t *n) {
        if (!strchr(text, '.') || !strchr(text, '='))
                return complain("--set takes SECTION.KEY=VALUE, not ", text);
        if (*n == CI_SETTINGS_MAX)
                return complain("--set is there too often, at last with ", text);
        o->settings[(*n)++] = text;
        return CI_RUN;
}

static enum ci_verdict read_one(int c, char *word, struct ci_options *o, size_t *n_settings) {
        switch (c) {
        case OPTION_DEVICES:
                return read_devices(optarg, o);
        case OPTION_TRANSPORT:
                return read_transport(optarg, o);
        case OPTION_PRESENCE:
                return read_presence(optarg, o);
        case OPTION_PIN:
                return read_pin(optarg, o);
        case OPTION_UV:
                return read_uv(optarg, o);
        case OPTION_ATTESTATION:
                return read_attestation(optarg, o);
        case OPTION_SEED:
                o->seed = optarg;
                return CI_RUN;
        case OPTION_KEEP:
                return read_folder("--keep", optarg, &o->keep);
        case OPTION_TRACE:
                return read_folder("--trace", optarg, &o->trace);
        case OPTION_TRACE_SECRETS:
                o->trace_secrets = true;
                return CI_RUN;
        case OPTION_SET:
                return read_set(optarg, o, n_settings);
        case OPTION_VM:
                o->in_machine = true;
                o->machine_word = word;
                return CI_RUN;
        case OPTION_HELP:
                print_help();
                return CI_DONE;
        case ':':
                return complain("a value is missing after ", word);
        default:
                return complain("there is no option ", word);
        }
}

/* "--device" is no way to say --devices: elsewhere it names one of several. */
static bool is_abbreviated(const char *word, int option) {
        return option >= 0 && strcspn(word + 2, "=") != strlen(long_options[option].name);
}

static bool sets(const char *setting, const char *const *keys) {
        for (; *keys; keys++) {
                size_t n = strlen(*keys);

                if (strncmp(setting, *keys, n) == 0 && setting[n] == '=')
                        return true;
        }
        return false;
}

/* What is set by this program itself, for its options, is not for --set. */
static enum ci_verdict check_settings(const struct ci_options *o) {
        static const char *const always[] = { "daemon.state-directory",
                                              "daemon.runtime-directory",
                                              "device.device",
                                              "device.count",
                                              "device.name",
                                              "tpm.tpm",
                                              "presence.presence",
                                              NULL };
        static const char *const by_uv[] = { "presence.pin-file", NULL };
        static const char *const by_attestation[] = { "attestation.key", "attestation.certificates",
                                                      "attestation.rp-ids",
                                                      "policy.enterprise-attestation", NULL };

        for (char *const *s = o->settings; *s; s++)
                if (sets(*s, always) || (o->uv && sets(*s, by_uv)) ||
                    (o->attested && sets(*s, by_attestation)))
                        return complain("ci run and its options decide what cannot be --set ", *s);
        return CI_RUN;
}

/* One against another. */
static enum ci_verdict check(const struct ci_options *o) {
        if (!*o->command || !**o->command)
                return complain("a command is missing", "");
        if (o->uv && strcmp(o->presence, "deny") == 0)
                return complain("--uv is for --presence auto and script", "");
        if (o->trace_secrets && !o->trace)
                return complain("--trace-secrets is for --trace", "");
        return check_settings(o);
}

enum ci_verdict ci_options_read(int argc, char **argv, struct ci_options *ret) {
        struct ci_options o = { .n_devices = 1, .presence = "auto" };
        enum ci_verdict verdict = CI_RUN;
        size_t n_settings = 0;

        if (argc < 2 || strcmp(argv[1], "run") != 0)
                return complain("ci takes the word run", "");
        o.settings = calloc((size_t)argc, sizeof(*o.settings));
        if (!o.settings)
                return complain("out of memory", "");

        optind = 1;
        opterr = 0;
        while (verdict == CI_RUN) {
                char *word = argv[1 + optind];
                int i = -1, c = getopt_long(argc - 1, argv + 1, "+:", long_options, &i);

                if (c == -1)
                        break;
                verdict = is_abbreviated(word, i) ? complain("there is no option ", word)
                                                  : read_one(c, word, &o, &n_settings);
        }
        o.words = argv + 2;
        o.command = argv + 1 + optind;
        if (verdict == CI_RUN)
                verdict = check(&o);
        if (o.uv && !o.pin)
                o.pin = DEFAULT_PIN;
        if (verdict == CI_RUN)
                *ret = o;
        else
                ci_options_done(&o);
        return verdict;
}

void ci_options_done(struct ci_options *o) {
        free(o->settings);
        free(o->keep);
        free(o->trace);
        o->settings = NULL;
        o->keep = o->trace = NULL;
}
