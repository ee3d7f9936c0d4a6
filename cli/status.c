/* SPDX-License-Identifier: BSD-2-Clause */

/* status: what the daemon is, and each of its devices with what to do if it has failed. */

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/text.h"
#include "cli/tpm.h"

static void print_line(const char *name, const json_t *value) {
        const char *text = json_string_value(value);

        if (!text)
                return;
        printf("  %-10s", name);
        print_text(stdout, text, 0);
        putchar('\n');
}

static void print_sentence(const char *name, const char *sentence) {
        if (sentence)
                printf("  %-10s%s\n", name, sentence);
}

/* "1000 (alice)". */
static void print_owner(const json_t *d) {
        const json_t *user = json_object_get(d, "user");
        const struct passwd *account;

        print_line("seat", json_object_get(d, "seat"));
        if (!user)
                return;
        account = getpwuid((uid_t)json_integer_value(user));
        printf("  %-10s%u", "user", (unsigned)json_integer_value(user));
        if (account) {
                fputs(" (", stdout);
                print_text(stdout, account->pw_name, 0);
                putchar(')');
        }
        putchar('\n');
}

static void print_device(const json_t *d) {
        const char *state = json_string_value(json_object_get(d, "state"));

        printf("device %d: ", (int)json_integer_value(json_object_get(d, "device")));
        style(state && strcmp(state, "ready") == 0 ? STYLE_GOOD : STYLE_BAD);
        fputs(state ? state : "unknown", stdout);
        style(STYLE_PLAIN);
        putchar('\n');
        print_owner(d);
        print_line("reason", json_object_get(d, "reason"));
        print_line("name", json_object_get(d, "name"));
        print_line("path", json_object_get(d, "path"));
        print_line("TPM", json_object_get(d, "tpm"));
        print_sentence("", pin_kind_sentence(d));
        print_sentence("", hmac_kind_sentence(d));
        print_line("presence", json_object_get(d, "presence"));
        if (json_is_false(json_object_get(d, "usable")))
                print_sentence("",
                               "Nobody can be asked: no session of the user is in front of this "
                               "machine and unlocked.");
        if (json_is_true(json_object_get(d, "verify")))
                print_sentence("verify", "The PIN can be given here; clients need not ask for it.");
        print_line("verify", json_object_get(d, "verify_off"));
        if (json_is_true(json_object_get(d, "finger")))
                print_sentence("finger", "A finger can be given in the place of the PIN.");
        print_line("store", json_object_get(d, "store"));
        print_line("note", json_object_get(d, "note"));
        print_line("note", json_object_get(d, "attestation_note"));
}

int cmd_status(const struct options *o, char **operands) {
        json_t *result, *d;
        size_t i, n_ready = 0;
        int status = client_run(o, PROTOCOL_STATUS, NULL, &result);

        (void)operands;
        if (status != EXIT_OK)
                return status;

        json_array_foreach(json_object_get(result, "devices"), i, d) {
                const char *state = json_string_value(json_object_get(d, "state"));

                n_ready += state && strcmp(state, "ready") == 0;
        }
        if (o->json)
                print_json(result);
        else {
                printf("tpmauthnd %s, process %d\n",
                       json_string_value(json_object_get(result, "version")),
                       (int)json_integer_value(json_object_get(result, "pid")));
                json_array_foreach(json_object_get(result, "devices"), i, d) print_device(d);
                if (i == 0)
                        puts("no device: no user is logged in");
        }
        status = n_ready == i ? EXIT_OK : EXIT_NOT_READY;
        json_decref(result);
        return status;
}
