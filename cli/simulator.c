/* SPDX-License-Identifier: BSD-2-Clause */

/* uv and fail-next: what a simulator's clients shall run into. */

#include <stdio.h>
#include <stdlib.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"

static void print_tries(const json_t *pin) {
        printf("PINs that may be tried: %d; here: %d.\n",
               (int)json_integer_value(json_object_get(pin, "retries")),
               (int)json_integer_value(json_object_get(pin, "uv_retries")));
        if (json_is_true(json_object_get(pin, "latched")))
                puts("Three wrong ones in a row: no more is tried until tpmauthn replug.");
}

int cmd_uv(const struct options *o, char **operands) {
        json_t *pin = NULL;
        int status = client_run(o, PROTOCOL_UV, json_pack("{s:s}", "result", operands[0]), &pin);

        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(pin);
        else
                print_tries(pin);
        json_decref(pin);
        return EXIT_OK;
}

int cmd_fail_next(const struct options *o, char **operands) {
        json_t *params, *done = NULL;
        char *end;
        long n = strtol(operands[0], &end, 0);
        int status;

        if (*operands[0] < '0' || *operands[0] > '9' || *end || n > 255) {
                fprintf(stderr,
                        "tpmauthn: a status is a number from 0 to 255, such as 0x27, and not %s\n",
                        operands[0]);
                return EXIT_USAGE;
        }
        params = json_pack("{s:i}", "status", (int)n);
        if (operands[1])
                json_object_set_new(params, "command", json_string(operands[1]));
        status = client_run(o, PROTOCOL_FAIL_NEXT, params, &done);
        json_decref(done);
        return status;
}
