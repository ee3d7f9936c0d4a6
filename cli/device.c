/* SPDX-License-Identifier: BSD-2-Clause */

/* replug and presence: one virtual device as a thing that is plugged in and touched. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/text.h"

#define STEP_MS 50
#define WAIT_MS 15000

/* The state of the device, copied into `state`. */
static int fetch_state(const struct options *o, char *state, size_t size, json_t **ret_device) {
        json_t *result = NULL, *d;
        int status = client_run(o, PROTOCOL_STATUS, NULL, &result);

        if (status != EXIT_OK)
                return status;
        d = json_array_get(json_object_get(result, "devices"), (size_t)o->device);
        snprintf(state, size, "%s", d ? json_string_value(json_object_get(d, "state")) : "unknown");
        *ret_device = json_incref(d);
        json_decref(result);
        return EXIT_OK;
}

/* A device that had failed opens its TPM anew, which takes a while. */
int cmd_replug(const struct options *o, char **operands) {
        const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
        char state[16] = "";
        const char *reason;
        json_t *d = NULL;
        int status = client_run(o, PROTOCOL_REPLUG, NULL, &d);

        (void)operands;
        json_decref(d);
        for (int ms = 0; status == EXIT_OK && ms < WAIT_MS; ms += STEP_MS) {
                status = fetch_state(o, state, sizeof(state), &d);
                if (status != EXIT_OK || strcmp(state, "starting") != 0)
                        break;
                json_decref(d);
                d = NULL;
                nanosleep(&step, NULL);
        }
        if (status != EXIT_OK)
                return status;

        printf("device %d: %s\n", o->device, state);
        reason = json_string_value(json_object_get(d, "reason"));
        if (reason) {
                print_text(stdout, reason, 0);
                putchar('\n');
        }
        json_decref(d);
        return strcmp(state, "ready") == 0 ? EXIT_OK : EXIT_NOT_READY;
}

int cmd_presence(const struct options *o, char **operands) {
        json_t *done = NULL;
        int status =
                client_run(o, PROTOCOL_PRESENCE, json_pack("{s:s}", "mode", operands[0]), &done);

        json_decref(done);
        return status;
}
