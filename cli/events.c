/* SPDX-License-Identifier: BSD-2-Clause */

/* events: what was done with the passkeys, and what failed. */

#include <stdio.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/table.h"
#include "cli/text.h"

static json_int_t integer(const json_t *from, const char *name) {
        return json_integer_value(json_object_get(from, name));
}

static const char *text_or(const json_t *from, const char *name, const char *otherwise) {
        const char *s = json_string_value(json_object_get(from, name));

        return s ? s : otherwise;
}

static int fetch(const struct options *o, json_t **ret) {
        json_t *all = json_array(), *page = NULL;
        json_int_t before = 0;
        int status;

        do {
                status =
                        client_run(o, PROTOCOL_EVENTS, json_pack("{s:I}", "before", before), &page);
                if (status != EXIT_OK) {
                        json_decref(all);
                        return status;
                }
                json_array_extend(all, json_object_get(page, "events"));
                before = integer(page, "next");
                json_decref(page);
        } while (before > 0);

        *ret = all;
        return EXIT_OK;
}

static void print_row(const struct column *columns, const json_t *e) {
        const char *result = text_or(e, "result", "?");
        char when[CELL_MAX];
        const char *cells[] = { table_time(integer(e, "time"), when), text_or(e, "what", "?"),
                                result, text_or(e, "rp_id", "-"), text_or(e, "account", "-") };

        style(strcmp(result, "ok") == 0 ? STYLE_PLAIN : STYLE_WARN);
        table_row(columns, 5, cells);
        style(STYLE_PLAIN);
}

static void print_table(const json_t *all) {
        struct column columns[] = {
                { "WHEN", 16, 0, false }, { "WHAT", 7, 0, false },     { "RESULT", 14, 0, false },
                { "SITE", 22, 3, false }, { "ACCOUNT", 17, 2, false },
        };
        json_t *e;
        size_t i;

        table_fit(columns, 5);
        table_head(columns, 5);
        json_array_foreach(all, i, e) print_row(columns, e);
}

int cmd_events(const struct options *o, char **operands) {
        json_t *all = NULL;
        int status = fetch(o, &all);

        (void)operands;
        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(all);
        else if (json_array_size(all) == 0)
                puts("Nothing has happened on this device yet.");
        else
                print_table(all);
        json_decref(all);
        return EXIT_OK;
}
