/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * seed: a fixture in, what a site would know of its passkeys out. The file goes to the daemon as it is,
 * which alone says what a fixture may have.
 */

#include "cli/seed.h"

#include <stdio.h>

#include "authenticator/protocol.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/text.h"

/* NULL, or why it cannot be sent. */
static const char *refuse(const json_t *fixture) {
        if (!json_is_array(json_object_get(fixture, "credentials")) ||
            json_object_size(fixture) != 1)
                return "a fixture is a JSON object with one member, \"credentials\", which is an array";
        if (json_dumpb(fixture, NULL, 0, JSON_COMPACT) > PROTOCOL_LINE_MAX - 256)
                return "it is longer than the 64 KiB of one request. Split it into several files and make them one after the other";
        return NULL;
}

int seed_from(const struct options *o, const char *file, json_t **ret) {
        json_t *fixture = file_read_json(file, "fixture"), *made = NULL;
        const char *refusal;
        int status;

        if (!fixture)
                return EXIT_FAILED;
        refusal = refuse(fixture);
        if (refusal) {
                json_decref(fixture);
                return file_complain(file, refusal);
        }
        status = client_run(o, PROTOCOL_SEED, fixture, &made);
        if (status == EXIT_OK)
                *ret = json_incref(json_object_get(made, "credentials"));
        else
                (void)file_complain(file, "its passkeys were not made");
        json_decref(made);
        return status;
}

int cmd_seed(const struct options *o, char **operands) {
        json_t *made = NULL, *c;
        int status = seed_from(o, operands[0], &made);
        size_t i;

        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(made);
        else
                json_array_foreach(made, i, c) {
                        print_text(stdout, json_string_value(json_object_get(c, "id")), 0);
                        putchar('\n');
                }
        json_decref(made);
        return EXIT_OK;
}
