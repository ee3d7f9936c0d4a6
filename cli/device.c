/* SPDX-License-Identifier: BSD-2-Clause */

/* replug and presence: one virtual device as a thing that is plugged in and touched. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/device.h"
#include "cli/text.h"

#define STEP_MS 50
#define WAIT_MS 15000

/* The state of the device, copied into `state`. */
static int fetch_state(const struct options *o, char *state, size_t size, json_t **ret_device) {
        json_t *result = NULL, *d = NULL, *other;
        int status = client_run(o, PROTOCOL_STATUS, NULL, &result);
        size_t i;

        if (status != EXIT_OK)
                return status;
        json_array_foreach(json_object_get(result, "devices"), i, other) {
                if (json_integer_value(json_object_get(other, "device")) == o->device)
                        d = d ? d : other;
        }
        snprintf(state, size, "%s", d ? json_string_value(json_object_get(d, "state")) : "unknown");
        *ret_device = json_incref(d);
        json_decref(result);
        return EXIT_OK;
}

static void print_state(const struct options *o, const char *state, const json_t *d) {
        const char *reason = json_string_value(json_object_get(d, "reason"));

        printf("device %d: %s\n", o->device, state);
        if (reason) {
                print_text(stdout, reason, 0);
                putchar('\n');
        }
}

/* A device that had failed opens its TPM anew, which takes a while. */
int device_replug(const struct options *o, bool say) {
        const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
        char state[16] = "";
        json_t *d = NULL;
        int status = client_run(o, PROTOCOL_REPLUG, NULL, &d);

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

        if (say)
                print_state(o, state, d);
        json_decref(d);
        return strcmp(state, "ready") == 0 ? EXIT_OK : EXIT_NOT_READY;
}

int cmd_replug(const struct options *o, char **operands) {
        (void)operands;
        return device_replug(o, true);
}

static int say(const struct options *o, json_t *params) {
        json_t *done = NULL;
        int status = client_run(o, PROTOCOL_PRESENCE, params, &done);

        json_decref(done);
        return status;
}

/* What the daemon refuses at once nobody should have to type a PIN for. */
static int check_simulator(const struct options *o) {
        char state[16];
        json_t *d = NULL;
        int status = fetch_state(o, state, sizeof(state), &d);

        if (status == EXIT_OK && strcmp(state, "ready") == 0 &&
            !json_is_true(json_object_get(d, "simulator"))) {
                fputs("tpmauthn: a PIN can be given ahead to a simulator only; for a real TPM it is "
                      "typed when it is asked for\n",
                      stderr);
                status = EXIT_FAILED;
        }
        json_decref(d);
        return status;
}

static int say_with_pin(const struct options *o, const char *mode) {
        _cleanup_(secret_text_wipe) struct secret_text pin;
        json_t *params;
        int status = check_simulator(o);

        if (status != EXIT_OK)
                return status;
        if (ask_secret("PIN: ", &pin) < 0)
                return EXIT_FAILED;
        params = json_pack("{s:s,s:s}", "mode", mode, "pin", pin.s);
        if (params)
                return say(o, params);
        fputs("tpmauthn: a PIN is a text in UTF-8\n", stderr);
        return EXIT_FAILED;
}

static int say_with_time(const struct options *o, const char *mode, const char *text) {
        char *end;
        long ms = strtol(text, &end, 10);

        if (*text >= '0' && *text <= '9' && !*end && ms <= PROTOCOL_DELAY_MAX_MS)
                return say(o, json_pack("{s:s,s:i}", "mode", mode, "ms", (int)ms));
        fprintf(stderr, "tpmauthn: a delay has from 0 to %d milliseconds, and not %s\n",
                PROTOCOL_DELAY_MAX_MS, text);
        return EXIT_USAGE;
}

int cmd_presence(const struct options *o, char **operands) {
        const char *mode = operands[0];

        if (operands[1])
                return say_with_time(o, mode, operands[1]);
        if (strcmp(mode, "pin") == 0 || strcmp(mode, "pin-once") == 0)
                return say_with_pin(o, mode);
        return say(o, json_pack("{s:s}", "mode", mode));
}
