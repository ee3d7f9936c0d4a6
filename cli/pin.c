/* SPDX-License-Identifier: BSD-2-Clause */

/* pin: whether there is one and how many tries are left, a first one, another one. */

#include <stdio.h>
#include <string.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/enrolment.h"

static void print_pin(const json_t *pin) {
        int retries = (int)json_integer_value(json_object_get(pin, "retries"));

        if (!json_is_true(json_object_get(pin, "set")))
                puts("There is no PIN. To set one: tpmauthn pin set");
        else if (retries == 0)
                puts("The PIN is blocked: no tries are left. Only tpmauthn reset, which erases all\n"
                     "passkeys, makes a new one possible.");
        else
                printf("A PIN is set; %d %s left.\n", retries,
                       retries == 1 ? "try is" : "tries are");
        if (json_is_true(json_object_get(pin, "enrolment")))
                puts("It is the one-time secret that an administrator set, and must be changed before\n"
                     "it can be used: tpmauthn pin change");
        else if (json_is_true(json_object_get(pin, "must_change")))
                puts("It must be changed before it can be used: tpmauthn pin change");
        if (json_is_true(json_object_get(pin, "latched")))
                puts("Three wrong ones in a row: no more is tried until tpmauthn replug.");
        else if (json_integer_value(json_object_get(pin, "uv_retries")) == 0)
                puts("It was typed wrong too often where the daemon asks for it, which it does again\n"
                     "once the right one was given to a browser or to tpmauthn pin change.");
        printf("A PIN has at least %d characters.\n",
               (int)json_integer_value(json_object_get(pin, "min_length")));
        if (json_is_true(json_object_get(pin, "complex")))
                puts("Three of them differ, and it is no row such as 1234 or 2468.");
}

static int pin_status(const struct options *o) {
        json_t *pin = NULL;
        int status = client_run(o, PROTOCOL_PIN_STATUS, NULL, &pin);

        if (status != EXIT_OK)
                return status;
        if (o->json)
                print_json(pin);
        else
                print_pin(pin);
        json_decref(pin);
        return EXIT_OK;
}

/* NULL after saying why: JSON, and CTAP, know text in UTF-8 only. */
static json_t *pin_params(const char *old, const char *pin) {
        json_t *params = old ? json_pack("{s:s,s:s}", "old", old, "pin", pin)
                             : json_pack("{s:s}", "pin", pin);

        if (!params)
                fputs("tpmauthn: a PIN is a text in UTF-8\n", stderr);
        return params;
}

static int send_pin(const struct options *o, const char *method, json_t *params) {
        json_t *done = NULL;
        int status;

        if (!params)
                return EXIT_FAILED;
        status = client_run(o, method, params, &done);
        json_decref(done);
        return status;
}

/* What the daemon refuses at once nobody should have to type a PIN for. */
static int check_pin(const struct options *o, bool want_set, const char *otherwise) {
        json_t *pin = NULL;
        int status = client_run(o, PROTOCOL_PIN_STATUS, NULL, &pin);

        if (status != EXIT_OK)
                return status;
        if (json_is_true(json_object_get(pin, "set")) != want_set) {
                fprintf(stderr, "tpmauthn: %s\n", otherwise);
                status = EXIT_FAILED;
        }
        json_decref(pin);
        return status;
}

/* By an administrator, for somebody else. */
static int pin_set_for_enrolment(const struct options *o) {
        _cleanup_(secret_text_wipe) struct secret_text secret;
        json_t *params;
        int status = enrolment_check_user(o, "pin set --from-credential");

        if (status != EXIT_OK)
                return status;
        if (enrolment_read_secret(o, &secret) < 0)
                return EXIT_FAILED;
        params = pin_params(NULL, secret.s);
        json_object_set_new(params, "enrolment", json_true());
        status = send_pin(o, PROTOCOL_PIN_SET, params);
        if (status == EXIT_OK)
                puts("The one-time secret is set. The user has to change it before use.");
        return status;
}

static int pin_set(const struct options *o) {
        _cleanup_(secret_text_wipe) struct secret_text pin;
        int status = check_pin(o, false, "there is a PIN already. Run: tpmauthn pin change");

        if (status != EXIT_OK)
                return status;
        if (ask_new_secret("New PIN: ", "The new PIN again: ", &pin) < 0)
                return EXIT_FAILED;
        status = send_pin(o, PROTOCOL_PIN_SET, pin_params(NULL, pin.s));
        if (status == EXIT_OK)
                puts("The PIN is set.");
        return status;
}

static int pin_change(const struct options *o) {
        _cleanup_(secret_text_wipe) struct secret_text old, pin;
        int status = check_pin(o, true, "there is no PIN yet. Run: tpmauthn pin set");

        if (status != EXIT_OK)
                return status;
        if (ask_secret("Present PIN: ", &old) < 0 ||
            ask_new_secret("New PIN: ", "The new PIN again: ", &pin) < 0)
                return EXIT_FAILED;
        status = send_pin(o, PROTOCOL_PIN_CHANGE, pin_params(old.s, pin.s));
        if (status == EXIT_OK)
                puts("The PIN is changed.");
        return status;
}

int cmd_pin(const struct options *o, char **operands) {
        const bool enrols = o->from_credential || o->secret_file;

        if (enrols && strcmp(operands[0], "set") == 0)
                return pin_set_for_enrolment(o);
        if (enrols) {
                fputs("tpmauthn: --from-credential and --secret-file are for pin set\n", stderr);
                return EXIT_USAGE;
        }
        if (strcmp(operands[0], "status") == 0)
                return pin_status(o);
        if (strcmp(operands[0], "set") == 0)
                return pin_set(o);
        if (strcmp(operands[0], "change") == 0)
                return pin_change(o);
        fputs("tpmauthn: pin takes status, set or change\n", stderr);
        return EXIT_USAGE;
}
