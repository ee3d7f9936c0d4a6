/* SPDX-License-Identifier: BSD-2-Clause */

/* list, show and delete: the passkeys of one device. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/credentials.h"
#include "cli/table.h"
#include "cli/text.h"

static const char *member(const json_t *entry, const char *name, const char *otherwise) {
        const char *s = json_string_value(json_object_get(entry, name));

        return s && *s ? s : otherwise;
}

const char *credential_site(const json_t *c) {
        if (json_is_true(json_object_get(c, "damaged")))
                return "(damaged entry)";
        return member(c, "rp_id", "(U2F: site not named)");
}

const char *credential_account(const json_t *c) {
        return member(c, "user_name", member(c, "user_display_name", "-"));
}

static json_int_t integer(const json_t *entry, const char *name) {
        return json_integer_value(json_object_get(entry, name));
}

int credentials_fetch(const struct options *o, const char *method, json_t **ret) {
        json_t *all = json_array(), *page = NULL;
        json_int_t after = 0;
        int status;

        do {
                status = client_run(o, method, json_pack("{s:I}", "after", after), &page);
                if (status != EXIT_OK) {
                        json_decref(all);
                        return status;
                }
                json_array_extend(all, json_object_get(page, "credentials"));
                after = integer(page, "next");
                json_decref(page);
        } while (after > 0);

        *ret = all;
        return EXIT_OK;
}

enum {
        COLUMN_ID,
        COLUMN_SITE,
        COLUMN_ACCOUNT,
        COLUMN_CREATED,
        COLUMN_USED,
        COLUMN_COUNT,
        COLUMN_KEY,
        COLUMNS
};

static void print_row(const struct column *columns, const json_t *c) {
        char id[9], created[CELL_MAX], used[CELL_MAX], count[CELL_MAX];
        bool damaged = json_is_true(json_object_get(c, "damaged"));
        const char *cells[COLUMNS] = {
                [COLUMN_ID] = id,
                [COLUMN_SITE] = credential_site(c),
                [COLUMN_ACCOUNT] = credential_account(c),
                [COLUMN_CREATED] = table_date(integer(c, "created"), created),
                [COLUMN_USED] = table_date(integer(c, "last_used"), used),
                [COLUMN_COUNT] = table_number(integer(c, "count"), count),
                [COLUMN_KEY] = strcmp(member(c, "class", ""), "pin") == 0 ? "PIN" : "yes",
        };

        snprintf(id, sizeof(id), "%s", member(c, "credential", "?"));
        style(damaged ? STYLE_BAD : STYLE_PLAIN);
        table_row(columns, COLUMNS, cells);
        style(STYLE_PLAIN);
}

/* The last column: what a use takes, a yes or the PIN too. */
static void print_table(const json_t *all) {
        struct column columns[COLUMNS] = {
                { "ID", 8, 0, false },         { "SITE", 22, 3, false },
                { "ACCOUNT", 16, 2, false },   { "CREATED", 10, 0, false },
                { "LAST USED", 10, 0, false }, { "COUNT", 5, 0, true },
                { "ASK", 3, 0, false },
        };
        json_t *c;
        size_t i;

        table_fit(columns, COLUMNS);
        table_head(columns, COLUMNS);
        json_array_foreach(all, i, c) print_row(columns, c);
}

int cmd_list(const struct options *o, char **operands) {
        const char *method = o->webauthn ? PROTOCOL_CREDENTIALS : PROTOCOL_LIST;
        json_t *all = NULL;
        int status = credentials_fetch(o, method, &all);

        (void)operands;
        if (status != EXIT_OK)
                return status;

        if (o->json || o->webauthn)
                print_json(all);
        else if (json_array_size(all) == 0)
                puts("There are no passkeys on this device.");
        else
                print_table(all);
        json_decref(all);
        return EXIT_OK;
}

/* Ids are printed in lower case; they are taken in any. */
static json_t *credential_param(char *id) {
        for (char *p = id; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        return json_pack("{s:s}", "credential", id);
}

static void print_field(const char *name, const char *value) {
        printf("%-13s", name);
        print_text(stdout, value, 0);
        putchar('\n');
}

static void print_time_field(const char *name, const json_t *seconds) {
        printf("%-13s", name);
        print_time(stdout, json_integer_value(seconds), 0);
        putchar('\n');
}

/* The id in two lines, for 96 digits do not fit into one. */
static void print_id(const char *id) {
        printf("%-13s%.48s\n", "id", id);
        if (strlen(id) > 48)
                printf("%-13s%s\n", "", id + 48);
}

/* What a site asked for that stays with the passkey, by the names that CTAP has for it. */
static void print_extensions(const json_t *c) {
        const bool blob = json_is_true(json_object_get(c, "large_blob_key"));
        const bool payment = json_is_true(json_object_get(c, "third_party_payment"));

        print_field("extensions", blob && payment ? "largeBlobKey, thirdPartyPayment"
                                  : blob          ? "largeBlobKey"
                                  : payment       ? "thirdPartyPayment"
                                                  : "-");
}

static void print_credential(const json_t *c) {
        print_id(member(c, "credential", "?"));
        print_field("site", credential_site(c));
        print_field("account", credential_account(c));
        print_field("display name", member(c, "user_display_name", "-"));
        print_field("user id", member(c, "user_id", "-"));
        print_field("kind", json_is_true(json_object_get(c, "u2f"))            ? "U2F"
                            : json_is_true(json_object_get(c, "discoverable")) ? "discoverable"
                                                                               : "by id only");
        print_field("key needs", member(c, "class", "?"));
        print_extensions(c);
        printf("%-13s%d\n", "algorithm", (int)integer(c, "algorithm"));
        printf("%-13s%d\n", "credProtect", (int)integer(c, "cred_protect"));
        printf("%-13s%lld\n", "counter", (long long)integer(c, "count"));
        print_time_field("created", json_object_get(c, "created"));
        print_time_field("last used", json_object_get(c, "last_used"));
}

int cmd_show(const struct options *o, char **operands) {
        json_t *c = NULL;
        int status = client_run(o, PROTOCOL_SHOW, credential_param(operands[0]), &c);

        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(c);
        else
                print_credential(c);
        json_decref(c);
        return EXIT_OK;
}

int cmd_delete(const struct options *o, char **operands) {
        json_t *c = NULL, *done = NULL;
        char *id;
        int status = client_run(o, PROTOCOL_SHOW, credential_param(operands[0]), &c);

        if (status != EXIT_OK)
                return status;
        if (!o->yes)
                print_credential(c);
        if (!ask_to_erase(o, "Delete this passkey for good?")) {
                json_decref(c);
                return EXIT_FAILED;
        }

        /* What is deleted is what was shown, whatever was added meanwhile. */
        id = strdup(member(c, "credential", ""));
        json_decref(c);
        if (!id)
                return EXIT_FAILED;
        status = client_run(o, PROTOCOL_DELETE, credential_param(id), &done);
        free(id);
        json_decref(done);
        if (status == EXIT_OK)
                puts("Deleted. The site still lists it; remove it there too.");
        return status;
}
