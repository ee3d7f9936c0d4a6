/* SPDX-License-Identifier: BSD-2-Clause */

/* list, show, delete and reset: the passkeys of one device. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/text.h"

/* Columns of the table, within 80: 12 + 28 + 20 + 16 and a blank between two. */
enum {
        WIDTH_ID = 12,
        WIDTH_SITE = 28,
        WIDTH_ACCOUNT = 20,
        WIDTH_TIME = 16,
};

static const char *member(const json_t *entry, const char *name, const char *otherwise) {
        const char *s = json_string_value(json_object_get(entry, name));

        return s && *s ? s : otherwise;
}

static const char *site_of(const json_t *c) {
        if (json_is_true(json_object_get(c, "damaged")))
                return "(damaged entry)";
        return member(c, "rp_id", "(U2F: site not named)");
}

static const char *account_of(const json_t *c) {
        return member(c, "user_name", member(c, "user_display_name", "-"));
}

/* Every page of the list as one array. */
static int fetch_all(const struct options *o, json_t **ret) {
        json_t *all = json_array(), *page = NULL, *next = NULL;
        json_int_t after = 0;
        int status;

        do {
                status = client_run(o, PROTOCOL_LIST, json_pack("{s:I}", "after", after), &page);
                if (status != EXIT_OK) {
                        json_decref(all);
                        return status;
                }
                json_array_extend(all, json_object_get(page, "credentials"));
                next = json_object_get(page, "next");
                after = json_integer_value(next);
                json_decref(page);
        } while (after > 0);

        *ret = all;
        return EXIT_OK;
}

static void print_row(const json_t *c) {
        char id[WIDTH_ID + 1];

        snprintf(id, sizeof(id), "%s", member(c, "credential", "?"));
        print_text(stdout, id, WIDTH_ID);
        putchar(' ');
        print_text(stdout, site_of(c), WIDTH_SITE);
        putchar(' ');
        print_text(stdout, account_of(c), WIDTH_ACCOUNT);
        putchar(' ');
        print_time(stdout, json_integer_value(json_object_get(c, "last_used")), 0);
        putchar('\n');
}

int cmd_list(const struct options *o, char **operands) {
        json_t *all = NULL, *c;
        size_t i;
        int status = fetch_all(o, &all);

        (void)operands;
        if (status != EXIT_OK)
                return status;

        if (o->json)
                print_json(all);
        else if (json_array_size(all) == 0)
                puts("There are no passkeys on this device.");
        else {
                printf("%-*s %-*s %-*s %s\n", WIDTH_ID, "ID", WIDTH_SITE, "SITE", WIDTH_ACCOUNT,
                       "ACCOUNT", "LAST USED");
                json_array_foreach(all, i, c) print_row(c);
        }
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
        print_field("site", site_of(c));
        print_field("account", account_of(c));
        print_field("display name", member(c, "user_display_name", "-"));
        print_field("user id", member(c, "user_id", "-"));
        print_field("kind", json_is_true(json_object_get(c, "u2f"))            ? "U2F"
                            : json_is_true(json_object_get(c, "discoverable")) ? "discoverable"
                                                                               : "by id only");
        print_field("key needs", member(c, "class", "?"));
        print_extensions(c);
        printf("%-13s%d\n", "algorithm", (int)json_integer_value(json_object_get(c, "algorithm")));
        printf("%-13s%d\n", "credProtect",
               (int)json_integer_value(json_object_get(c, "cred_protect")));
        printf("%-13s%lld\n", "counter",
               (long long)json_integer_value(json_object_get(c, "count")));
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

/* Without a terminal there is nobody to ask: then --yes must have said it. */
static bool confirmed(const struct options *o, const char *question) {
        char line[16];

        if (o->yes)
                return true;
        if (!isatty(STDIN_FILENO)) {
                fprintf(stderr,
                        "tpmauthn: this erases; say --yes where no terminal can be asked\n");
                return false;
        }
        printf("%s [y/N] ", question);
        fflush(stdout);
        if (fgets(line, sizeof(line), stdin) && (!strcmp(line, "y\n") || !strcmp(line, "yes\n")))
                return true;
        puts("Nothing was erased.");
        return false;
}

int cmd_delete(const struct options *o, char **operands) {
        json_t *c = NULL, *done = NULL;
        char *id;
        int status = client_run(o, PROTOCOL_SHOW, credential_param(operands[0]), &c);

        if (status != EXIT_OK)
                return status;
        if (!o->yes)
                print_credential(c);
        if (!confirmed(o, "Delete this passkey for good?")) {
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

int cmd_reset(const struct options *o, char **operands) {
        json_t *done = NULL;
        int status;

        (void)operands;
        if (!confirmed(o, "ERASE ALL PASSKEYS of this device? They cannot be brought back."))
                return EXIT_FAILED;
        status = client_run_as_owner(o, PROTOCOL_RESET, &done);
        json_decref(done);
        if (status == EXIT_OK)
                puts("All passkeys of this device are erased.");
        return status;
}
