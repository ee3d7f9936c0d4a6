/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is asked of a daemon that has just become ready. It runs in a child of the keeper, which can be
 * ended while it waits for an answer.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authenticator/protocol.h"
#include "cli/ci-daemon.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/seed.h"
#include "cli/text.h"

#define STEP_MS 20
#define WAIT_MS 60000

static const char *text_of(const json_t *object, const char *name) {
        const char *s = json_string_value(json_object_get(object, name));

        return s ? s : "";
}

/* A simulator is what was asked for, and no setting of the user's may have made another thing of it. */
static int check_device(const json_t *d) {
        if (strcmp(text_of(d, "state"), "ready") == 0 &&
            json_is_true(json_object_get(d, "simulator")))
                return 0;
        fprintf(stderr, "tpmauthn: device %d is %s. ",
                (int)json_integer_value(json_object_get(d, "device")), text_of(d, "state"));
        print_text(stderr, text_of(d, "reason"), 0);
        fputc('\n', stderr);
        return CI_FAILED;
}

static int check_devices(const struct options *o) {
        json_t *result = NULL, *d;
        int status = client_run(o, PROTOCOL_STATUS, NULL, &result) == EXIT_OK ? 0 : CI_FAILED;
        size_t i;

        json_array_foreach(json_object_get(result, "devices"), i, d) {
                if (status == 0)
                        status = check_device(d);
        }
        json_decref(result);
        return status;
}

/* A folder that was kept has its PIN already. */
static int has_pin(const struct options *o, bool *ret) {
        json_t *pin = NULL;

        if (client_run(o, PROTOCOL_PIN_STATUS, NULL, &pin) != EXIT_OK)
                return CI_FAILED;
        *ret = json_is_true(json_object_get(pin, "set"));
        json_decref(pin);
        return 0;
}

static int set_pin(const struct options *o, const char *pin) {
        json_t *params, *done = NULL;
        bool is_set;
        int status = has_pin(o, &is_set);

        if (status != 0 || is_set)
                return status;
        params = json_pack("{s:s}", "pin", pin);
        if (!params) {
                fputs("tpmauthn: a PIN is a text in UTF-8\n", stderr);
                return CI_FAILED;
        }
        status = client_run(o, PROTOCOL_PIN_SET, params, &done) == EXIT_OK ? 0 : CI_FAILED;
        json_decref(done);
        return status;
}

static int set_pins(const struct options *o, unsigned n_devices, const char *pin) {
        struct options one = *o;
        int status = 0;

        for (one.device = 0; status == 0 && one.device < (int)n_devices; one.device++)
                status = set_pin(&one, pin);
        return status;
}

static bool all_verify(const json_t *devices) {
        const json_t *d;
        size_t i;

        json_array_foreach(devices, i, d) {
                if (!json_is_true(json_object_get(d, "verify")))
                        return false;
        }
        return true;
}

/* Each is plugged in anew when it finds that it can. */
static int await_verify(const struct options *o) {
        const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

        for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
                json_t *result = NULL;
                bool all;

                if (client_run(o, PROTOCOL_STATUS, NULL, &result) != EXIT_OK)
                        return CI_FAILED;
                all = all_verify(json_object_get(result, "devices"));
                json_decref(result);
                if (all)
                        return 0;
                nanosleep(&step, NULL);
        }
        fputs("tpmauthn: the devices do not verify by themselves. Does a --set of [presence] prevent "
              "it?\n",
              stderr);
        return CI_FAILED;
}

/* ok is how a new key begins; one that was kept may have another PIN, or have used up its tries. */
static int set_uv(const struct options *o, unsigned n_devices, const char *word, const char *kept) {
        struct options one = *o;
        int status = 0;

        if (strcmp(word, "ok") == 0 && !kept)
                return 0;
        for (one.device = 0; status == 0 && one.device < (int)n_devices; one.device++) {
                json_t *params = json_pack("{s:s}", "result", word), *done = NULL;

                status = client_run(&one, PROTOCOL_UV, params, &done) == EXIT_OK ? 0 : CI_FAILED;
                json_decref(done);
        }
        if (status != 0 && kept)
                fprintf(stderr, "tpmauthn: do the keys in %s have another PIN than --pin?\n", kept);
        return status;
}

static int seed(const struct options *o, const char *file) {
        json_t *made = NULL;
        int status = seed_from(o, file, &made) == EXIT_OK ? 0 : CI_FAILED;

        json_decref(made);
        return status;
}

int ci_set_up(const struct keeper *k) {
        const struct ci_options *o = k->options;
        char control[CI_PATH_MAX];
        const struct options client = { .socket = control };
        int status;

        ci_control_path(k, control);
        status = check_devices(&client);
        if (status != 0)
                ci_daemon_print_log(k);
        if (status == 0 && o->pin)
                status = set_pins(&client, o->n_devices, o->pin);
        if (status == 0 && o->seed)
                status = seed(&client, o->seed);
        if (status == 0 && o->uv)
                status = await_verify(&client);
        if (status == 0 && o->uv)
                status = set_uv(&client, o->n_devices, o->uv, o->keep);
        return status;
}
