/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * reset and retire: everything of one device erased, in the TPM first. Who gives a computer away has
 * to know which sites still trust it, and nobody can tell any more once the passkeys are gone: so
 * retire says it before.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/attestation.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/credentials.h"
#include "cli/table.h"
#include "cli/text.h"

static int erase(const struct options *o) {
        json_t *done = NULL;
        int status = client_run_as_owner(o, PROTOCOL_RESET, &done);

        json_decref(done);
        return status;
}

int cmd_reset(const struct options *o, char **operands) {
        int status;

        (void)operands;
        if (!ask_to_erase(o, "ERASE ALL PASSKEYS of this device? They cannot be brought back."))
                return EXIT_FAILED;
        status = erase(o);
        if (status == EXIT_OK)
                puts("All passkeys of this device are erased.");
        return status;
}

/* ---- retire ---- */

static int compare(const void *a, const void *b) {
        const json_t *const *x = a, *const *y = b;
        int r = strcmp(credential_site(*x), credential_site(*y));

        return r != 0 ? r : strcmp(credential_account(*x), credential_account(*y));
}

/* By site, then account. NULL: out of memory. */
static json_t *sorted(const json_t *all) {
        size_t n = json_array_size(all);
        json_t **entries = calloc(n + 1, sizeof(json_t *)), *list = json_array();

        for (size_t i = 0; entries && i < n; i++)
                entries[i] = json_array_get(all, i);
        if (entries)
                qsort(entries, n, sizeof(json_t *), compare);
        for (size_t i = 0; entries && list && i < n; i++)
                json_array_append(list, entries[i]);
        if (!entries) {
                json_decref(list);
                list = NULL;
        }
        free(entries);
        return list;
}

static json_t *as_json(const json_t *all) {
        json_t *list = json_array(), *c;
        size_t i;

        json_array_foreach(all, i, c)
                json_array_append_new(list, json_pack("{s:O?,s:O?,s:O?,s:O?}", "rp_id",
                                                      json_object_get(c, "rp_id"), "user_name",
                                                      json_object_get(c, "user_name"), "created",
                                                      json_object_get(c, "created"), "last_used",
                                                      json_object_get(c, "last_used")));
        return list;
}

static void print_sites(const json_t *all) {
        struct column columns[] = { { "SITE", 40, 3, false },
                                    { "ACCOUNT", 28, 2, false },
                                    { "LAST USED", 10, 0, false } };
        json_t *c;
        size_t i;

        if (json_array_size(all) == 0) {
                puts("There are no passkeys on this device.");
                return;
        }
        puts("Remove the passkey of this computer at each of these, in the settings of the account:");
        table_fit(columns, 3);
        table_head(columns, 3);
        json_array_foreach(all, i, c) {
                char used[CELL_MAX];
                const char *cells[] = {
                        credential_site(c), credential_account(c),
                        table_date(json_integer_value(json_object_get(c, "last_used")), used)
                };

                table_row(columns, 3, cells);
        }
}

/* The attestation key is of the machine, and for root and the daemon's account to end. */
static bool is_of_machine(const struct options *o) {
        struct stat st;

        return geteuid() == 0 || (stat(o->socket, &st) == 0 && st.st_uid == geteuid());
}

static int end_attestation(const struct options *o) {
        bool removed = false;
        int status = attestation_remove(o, &removed);

        if (status == EXIT_OK && removed && !o->json)
                puts("The attestation key of this machine is removed.");
        return status;
}

/* An account that goes takes nothing of the machine with it. */
static int retire(const struct options *o) {
        const bool administers = is_of_machine(o), all = administers && !o->has_user;
        int status;

        if (!ask_to_erase(o, all ? "ERASE ALL PASSKEYS of this device, AND THE ATTESTATION KEY of "
                                   "this machine, now? They cannot be brought back."
                                 : "ERASE ALL PASSKEYS of this device now? They cannot be brought "
                                   "back."))
                return EXIT_FAILED;
        status = erase(o);
        if (status == EXIT_OK && !o->json)
                puts("All passkeys of this device are erased. Remove them at the sites above too.");
        if (status == EXIT_OK && all)
                status = end_attestation(o);
        else if (status == EXIT_OK && administers && !o->json)
                puts("An attestation key of this machine stays: tpmauthn attestation remove.");
        return status;
}

int cmd_retire(const struct options *o, char **operands) {
        json_t *all = NULL, *list, *shown;
        int status = credentials_fetch(o, PROTOCOL_LIST, &all);

        (void)operands;
        if (status != EXIT_OK)
                return status;
        list = sorted(all);
        json_decref(all);
        if (!list)
                return EXIT_FAILED;
        if (o->json) {
                shown = as_json(list);
                print_json(shown);
                json_decref(shown);
        } else
                print_sites(list);
        json_decref(list);

        /* Nothing is erased before that list is where it was meant to go. */
        if (fflush(stdout) != 0 || ferror(stdout))
                return EXIT_FAILED;
        return retire(o);
}
