/* SPDX-License-Identifier: BSD-2-Clause */

/* inventory: the daemon's pages put together, the passkeys of one site in one entry. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/inventory.h"
#include "cli/text.h"

static json_int_t integer(const json_t *from, const char *name) {
        return json_integer_value(json_object_get(from, name));
}

/* U2F credentials know no site. */
static const char *key_of(const json_t *credential) {
        const char *hash = json_string_value(json_object_get(credential, "rp_id_hash"));

        return hash ? hash : "";
}

static void raise_to(json_t *site, const char *name, json_int_t value) {
        if (integer(site, name) < value)
                json_object_set_new(site, name, json_integer(value));
}

/* `sites`: by hash. */
static void add(json_t *sites, const json_t *credential) {
        json_t *site = json_object_get(sites, key_of(credential)), *created;

        if (!site) {
                site = json_pack("{s:O,s:i,s:i,s:[],s:i}", "rp_id_hash",
                                 json_object_get(credential, "rp_id_hash"), "passkeys", 0,
                                 "with_pin", 0, "created", "last_used", 0);
                json_object_set_new(sites, key_of(credential), site);
        }
        created = json_object_get(site, "created");
        json_array_append(created, json_object_get(credential, "created"));
        json_object_set_new(site, "passkeys", json_integer(integer(site, "passkeys") + 1));
        if (strcmp(json_string_value(json_object_get(credential, "class")), "pin") == 0)
                json_object_set_new(site, "with_pin", json_integer(integer(site, "with_pin") + 1));
        raise_to(site, "last_used", integer(credential, "last_used"));
}

/* ---- the machine's attestation, which an administrator alone may look at ---- */

static json_t *member_or_null(const json_t *from, const char *name) {
        json_t *value = json_object_get(from, name);

        return value ? json_incref(value) : json_null();
}

static json_t *summary_of(const json_t *shown) {
        const json_t *leaf = json_array_get(json_object_get(shown, "chain"), 0);

        return json_pack("{s:o,s:o,s:o,s:o,s:o}", "state", member_or_null(shown, "state"), "key",
                         member_or_null(json_object_get(shown, "key"), "name"), "certificate",
                         member_or_null(leaf, "sha256"), "until", member_or_null(leaf, "until"),
                         "ek", member_or_null(shown, "ek"));
}

/* Null for who may not look, and nothing is said about that: the rest is theirs. */
static int look_at_attestation(const struct options *o, json_t **ret) {
        json_t *shown = NULL;
        int status = client_look_at_machine(o, PROTOCOL_ATTESTATION_SHOW, &shown);

        if (status == EXIT_OK)
                *ret = shown ? summary_of(shown) : json_null();
        json_decref(shown);
        return status;
}

/* ---- all of it ---- */

/* The last page with all sites in the place of its passkeys. */
int inventory_fetch(const struct options *o, json_t **ret) {
        json_t *sites = json_object(), *list = json_array(), *page = NULL, *attestation = NULL, *c;
        json_int_t after = 0;
        const char *key;
        size_t i;
        int status;

        do {
                json_decref(page);
                page = NULL;
                status = client_run(o, PROTOCOL_INVENTORY, json_pack("{s:I}", "after", after),
                                    &page);
                if (status != EXIT_OK)
                        break;
                json_array_foreach(json_object_get(page, "credentials"), i, c) add(sites, c);
                after = integer(page, "next");
        } while (after > 0);

        if (status == EXIT_OK)
                status = look_at_attestation(o, &attestation);
        if (status == EXIT_OK) {
                json_object_foreach(sites, key, c) json_array_append(list, c);
                json_object_del(page, "credentials");
                json_object_set(page, "sites", list);
                json_object_set_new(page, "device", json_integer(o->device));
                json_object_set_new(page, "attestation", attestation);
                *ret = json_incref(page);
        }
        json_decref(page);
        json_decref(list);
        json_decref(sites);
        return status;
}

json_int_t inventory_count(const json_t *inventory, const char *of_each_site) {
        json_int_t n = 0;
        json_t *site;
        size_t i;

        json_array_foreach(json_object_get(inventory, "sites"), i, site) n +=
                integer(site, of_each_site);
        return n;
}

static void print_inventory(const json_t *inventory) {
        const json_t *sites = json_object_get(inventory, "sites");
        const char *id = json_string_value(json_object_get(inventory, "attestation_key_id"));
        json_t *site;
        size_t i;

        printf("%-12s %s\n", "AAGUID", json_string_value(json_object_get(inventory, "aaguid")));
        printf("%-12s %s\n", "version", json_string_value(json_object_get(inventory, "version")));
        printf("%-12s %s\n", "attestation", id ? id : "none: passkeys vouch for themselves");
        printf("%-12s %lld, for %zu sites\n", "passkeys",
               (long long)inventory_count(inventory, "passkeys"), json_array_size(sites));
        json_array_foreach(sites, i, site) {
                const char *hash = json_string_value(json_object_get(site, "rp_id_hash"));

                printf("%8lld  ", (long long)integer(site, "passkeys"));
                print_text(stdout, hash ? hash : "(U2F: site not known)", 0);
                putchar('\n');
        }
}

int cmd_inventory(const struct options *o, char **operands) {
        json_t *inventory = NULL;
        int status = inventory_fetch(o, &inventory);

        (void)operands;
        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(inventory);
        else
                print_inventory(inventory);
        json_decref(inventory);
        return EXIT_OK;
}
