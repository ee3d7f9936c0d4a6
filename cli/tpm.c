/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * tpm: what is provisioned where, and what it costs to use. owner-password: provisions with that of the
 * TPM's owner hierarchy.
 */

#include "cli/tpm.h"

#include <stdio.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/text.h"

struct sentence {
        const char *kind, *sentence;
};

static const char *sentence_of(const struct sentence *table, const json_t *kind) {
        const char *name = json_string_value(kind);

        for (; name && table->kind; table++)
                if (strcmp(table->kind, name) == 0)
                        return table->sentence;
        return NULL;
}

const char *pin_kind_sentence(const json_t *from) {
        static const struct sentence table[] = {
                { "tpm", "The TPM counts PIN tries." },
                { "daemon",
                  "The TPM cannot count PIN tries: the daemon counts them, and behind it only the "
                  "TPM's own lockout stops who has root and guesses." },
                { 0 },
        };

        return sentence_of(table, json_object_get(from, "pin_kind"));
}

const char *hmac_kind_sentence(const json_t *from) {
        static const struct sentence table[] = {
                { "hmac", "The TPM computes hmac-secret." },
                { "sign", "The TPM computes hmac-secret, as a signature (it lacks TPM2_HMAC)." },
                { "unseal",
                  "The TPM cannot compute hmac-secret: it keeps the keys, and the daemon has one in "
                  "memory while it is used." },
                { 0 },
        };

        return sentence_of(table, json_object_get(from, "hmac_kind"));
}

static json_int_t number(const json_t *from, const char *name) {
        return json_integer_value(json_object_get(from, name));
}

static bool truth(const json_t *from, const char *name) {
        return json_is_true(json_object_get(from, name));
}

static void print_handle(const char *name, json_int_t handle, const char *otherwise) {
        if (handle != 0)
                printf("  %-22s 0x%08llx\n", name, (unsigned long long)handle);
        else if (otherwise)
                printf("  %-22s %s\n", name, otherwise);
}

static void print_provisioned(const json_t *p) {
        const char *sentence;

        puts("Provisioned in it");
        print_handle("NV anchor", number(p, "anchor"), "none");
        print_handle("NV counter", number(p, "counter"), "none");
        print_handle("NV PIN", number(p, "pin"), "none yet");
        print_handle("NV tries of the PIN", number(p, "tries"), NULL);
        print_handle("parent of the keys", number(p, "worker"),
                     "loaded for each use: no persistent slot was free");
        printf("  %-22s %s\n", "storage root key",
               truth(p, "srk_persistent") ? "persistent" : "made anew at each start");
        if ((sentence = pin_kind_sentence(p)))
                puts(sentence);
        if ((sentence = hmac_kind_sentence(p)))
                puts(sentence);
}

/* "IBM SW TPM": the TPM pads both with blanks. */
static void print_name(const json_t *tpm) {
        static const char *const members[] = { "manufacturer", "vendor" };

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                const char *s = json_string_value(json_object_get(tpm, members[i]));
                char copy[64], *rest = copy, *word;

                snprintf(copy, sizeof(copy), "%s", s ? s : "");
                while ((word = strsep(&rest, " ")) != NULL)
                        if (*word) {
                                putchar(' ');
                                print_text(stdout, word, 0);
                        }
        }
}

static void print_tpm(const json_t *result) {
        const json_t *t = json_object_get(result, "tpm"), *budgets, *b;
        const json_t *p = json_object_get(result, "provisioned");
        const char *sessions = json_string_value(json_object_get(result, "sessions"));
        size_t i;

        fputs("TPM", stdout);
        print_name(t);
        printf(", revision %d.%02d, %s\n", (int)number(t, "revision") / 100,
               (int)number(t, "revision") % 100,
               truth(t, "simulator")  ? "a simulator"
               : truth(p, "firmware") ? "in firmware"
                                      : "a chip of its own");
        printf("  %-22s %s\n", "owner password",
               truth(t, "owner_auth_set") ? "set: owner-password and reset ask for it" : "none");
        printf("  %-22s %s\n", "lockout", truth(t, "in_lockout") ? "IN FORCE" : "no");
        printf("  %-22s %s\n", "P-384", truth(p, "p384") ? "yes" : "no");
        printf("  %-22s %s\n", "RSA-2048", truth(p, "rsa2048") ? "yes" : "no");
        printf("  %-22s %s\n", "sessions",
               sessions && strcmp(sessions, "salted") == 0
                       ? "salted: the bus carries no PIN, nor anything to guess it from"
                       : "password: for a TPM without a bus to listen at");
        print_provisioned(p);

        puts("TPM commands, at most");
        budgets = json_object_get(result, "budgets");
        json_array_foreach(budgets, i, b) {
                const char *ceremony = json_string_value(json_object_get(b, "ceremony"));

                printf("  %3d  ", (int)number(b, "commands"));
                print_text(stdout, ceremony ? ceremony : "?", 0);
                putchar('\n');
        }
}

int cmd_tpm(const struct options *o, char **operands) {
        json_t *result = NULL;
        int status = client_run(o, PROTOCOL_TPM, NULL, &result);

        (void)operands;
        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(result);
        else
                print_tpm(result);
        json_decref(result);
        return EXIT_OK;
}

int cmd_owner_password(const struct options *o, char **operands) {
        json_t *done = NULL;
        int status = client_run_as_owner(o, PROTOCOL_PROVISION, &done);

        (void)operands;
        json_decref(done);
        if (status == EXIT_OK)
                printf("Device %d is provisioned and ready.\n", o->device);
        return status;
}
