/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * report: one row for each device that the caller may see, flat, for what reads tables: a CMDB, a
 * spreadsheet, a query over many machines. It is the inventory without its sites. A device that is not
 * ready has its row too, with nothing known of it.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/inventory.h"

enum kind { KIND_PLAIN, KIND_TIME };

/* In this order; docs/inventory.schema.json says what each is. */
static const struct field {
        const char *name;
        enum kind kind;
} fields[] = {
        { "host", KIND_PLAIN },
        { "version", KIND_PLAIN },
        { "user", KIND_PLAIN },
        { "device", KIND_PLAIN },
        { "state", KIND_PLAIN },
        { "tpm", KIND_PLAIN },
        { "simulator", KIND_PLAIN },
        { "aaguid", KIND_PLAIN },
        { "sites", KIND_PLAIN },
        { "passkeys", KIND_PLAIN },
        { "passkeys_with_pin", KIND_PLAIN },
        { "first_created", KIND_TIME },
        { "last_created", KIND_TIME },
        { "last_used", KIND_TIME },
        { "attestation", KIND_PLAIN },
        { "attestation_key", KIND_PLAIN },
        { "ek", KIND_PLAIN },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* ---- one row ---- */

static void copy(json_t *row, const char *name, const json_t *from, const char *member) {
        json_t *value = json_object_get(from, member);

        if (value)
                json_object_set(row, name, value);
}

static void spread(json_int_t t, json_int_t *first, json_int_t *last) {
        if (t <= 0)
                return;
        *first = *first == 0 || t < *first ? t : *first;
        *last = t > *last ? t : *last;
}

static void set_time(json_t *row, const char *name, json_int_t t) {
        if (t > 0)
                json_object_set_new(row, name, json_integer(t));
}

static void put_times(json_t *row, const json_t *sites) {
        json_int_t first = 0, last = 0, used = 0, none = 0;
        json_t *site, *t;
        size_t i, k;

        json_array_foreach(sites, i, site) {
                json_array_foreach(json_object_get(site, "created"), k, t)
                        spread(json_integer_value(t), &first, &last);
                spread(json_integer_value(json_object_get(site, "last_used")), &none, &used);
        }
        set_time(row, "first_created", first);
        set_time(row, "last_created", last);
        set_time(row, "last_used", used);
}

static void put_inventory(json_t *row, const json_t *inventory) {
        const json_t *sites = json_object_get(inventory, "sites");

        const json_t *attestation = json_object_get(inventory, "attestation");

        copy(row, "aaguid", inventory, "aaguid");
        json_object_set_new(row, "sites", json_integer((json_int_t)json_array_size(sites)));
        json_object_set_new(row, "passkeys", json_integer(inventory_count(inventory, "passkeys")));
        json_object_set_new(row, "passkeys_with_pin",
                            json_integer(inventory_count(inventory, "with_pin")));
        put_times(row, sites);
        copy(row, "attestation", attestation, "state");
        copy(row, "attestation_key", attestation, "key");
        copy(row, "ek", attestation, "ek");
}

/* All members are there, in their order, null where nothing is known. */
static json_t *new_row(const json_t *device, json_t *version) {
        json_t *row = json_object();
        char host[256] = "";

        for (size_t i = 0; i < N_FIELDS; i++)
                json_object_set_new(row, fields[i].name, json_null());
        if (gethostname(host, sizeof(host) - 1) == 0)
                json_object_set_new(row, "host", json_string(host));
        json_object_set(row, "version", version);
        copy(row, "user", device, "user");
        copy(row, "device", device, "device");
        copy(row, "state", device, "state");
        copy(row, "tpm", device, "tpm");
        copy(row, "simulator", device, "simulator");
        return row;
}

/* A seat's device is nobody's. */
static int add_row(const struct options *o, const json_t *device, json_t *version, json_t *rows) {
        const char *state = json_string_value(json_object_get(device, "state"));
        const json_t *user = json_object_get(device, "user");
        json_t *row = new_row(device, version), *inventory = NULL;
        struct options of_device = *o;
        int status = EXIT_OK;

        of_device.device = (int)json_integer_value(json_object_get(device, "device"));
        of_device.has_user = json_is_integer(user) && !json_object_get(device, "seat");
        of_device.user = (unsigned)json_integer_value(user);
        if (state && strcmp(state, "ready") == 0)
                status = inventory_fetch(&of_device, &inventory);
        if (inventory)
                put_inventory(row, inventory);
        json_decref(inventory);
        json_array_append_new(rows, row);
        /* It may have gone since it was listed, and its row says what it was. */
        return status == EXIT_NOT_READY ? EXIT_OK : status;
}

/* ---- RFC 4180 ---- */

static void print_quoted(const char *text) {
        if (!strpbrk(text, "\",\r\n")) {
                fputs(text, stdout);
                return;
        }
        putchar('"');
        for (; *text; text++) {
                if (*text == '"')
                        putchar('"');
                putchar(*text);
        }
        putchar('"');
}

static void print_timestamp(json_int_t seconds) {
        const time_t t = (time_t)seconds;
        struct tm tm;
        char text[32];

        if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
                fputs(text, stdout);
}

static void print_value(const json_t *value, enum kind kind) {
        if (json_is_string(value))
                print_quoted(json_string_value(value));
        else if (json_is_boolean(value))
                fputs(json_is_true(value) ? "true" : "false", stdout);
        else if (json_is_integer(value) && kind == KIND_TIME)
                print_timestamp(json_integer_value(value));
        else if (json_is_integer(value))
                printf("%lld", (long long)json_integer_value(value));
}

static void print_rows(const json_t *rows) {
        json_t *row;
        size_t i;

        for (size_t k = 0; k < N_FIELDS; k++)
                printf("%s%s", k > 0 ? "," : "", fields[k].name);
        fputs("\r\n", stdout);
        json_array_foreach(rows, i, row) {
                for (size_t k = 0; k < N_FIELDS; k++) {
                        fputs(k > 0 ? "," : "", stdout);
                        print_value(json_object_get(row, fields[k].name), fields[k].kind);
                }
                fputs("\r\n", stdout);
        }
}

int cmd_report(const struct options *o, char **operands) {
        json_t *result = NULL, *rows = json_array(), *device;
        int status = client_run(o, PROTOCOL_STATUS, NULL, &result);
        size_t i;

        (void)operands;
        json_array_foreach(json_object_get(result, "devices"), i, device) {
                if (status == EXIT_OK)
                        status = add_row(o, device, json_object_get(result, "version"), rows);
        }
        if (status == EXIT_OK && o->json)
                print_json(rows);
        else if (status == EXIT_OK)
                print_rows(rows);
        json_decref(rows);
        json_decref(result);
        return status;
}
