/* SPDX-License-Identifier: BSD-2-Clause */

/* Users who log in, and what the daemon says of their devices: see users-kit.h. */

#include "tests/system/users-kit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define WAIT_MS 20000

const char *const by_agent[] = { "--presence=agent", "--log-level=debug", NULL };

int world_setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        if (kit_init(&w->kit) < 0)
                return -1;
        bus_kit_start(&w->bus, w->kit.folder);
        return 0;
}

int world_teardown(void **state) {
        struct world *w = *state;

        bus_kit_end_mock(&w->mock);
        kit_done(&w->kit);
        logind_end(w->logind);
        bus_kit_end(&w->bus);
        free(w);
        return 0;
}

void world_start(struct world *w) {
        w->logind = logind_start(&w->bus);
        kit_start(&w->kit, by_agent);
}

json_t *device_of(const struct world *w, uid_t uid) {
        json_t *answer, *device;
        char params[32];

        snprintf(params, sizeof(params), "{\"user\":%u}", (unsigned)uid);
        answer = kit_control(&w->kit, "status", uid == ANYBODY ? NULL : params);
        device = json_array_get(json_object_get(json_object_get(answer, "result"), "devices"), 0);
        json_incref(device);
        json_decref(answer);
        return device;
}

bool is_in_state(const struct world *w, uid_t uid, const char *want) {
        json_t *device = device_of(w, uid);
        const char *state = json_string_value(json_object_get(device, "state"));
        bool is = want ? state && strcmp(state, want) == 0 : !device;

        json_decref(device);
        return is;
}

void await_state(const struct world *w, uid_t uid, const char *want) {
        const struct timespec step = { .tv_nsec = 20000000 };
        uint64_t until = kit_now() + WAIT_MS;

        while (!is_in_state(w, uid, want)) {
                kit_assert_alive(&w->kit);
                if (kit_now() > until)
                        fail_msg("the device of %u is not %s", (unsigned)uid, want ? want : "gone");
                nanosleep(&step, NULL);
        }
}

void log_in(const struct world *w, const char *session, uid_t uid) {
        logind_login(w->logind, session, uid);
        await_state(w, uid, "ready");
}

size_t count_devices(const struct world *w) {
        json_t *answer = kit_control(&w->kit, "status", NULL);
        size_t n = json_array_size(json_object_get(json_object_get(answer, "result"), "devices"));

        json_decref(answer);
        return n;
}

fido_dev_t *open_key_of(const struct world *w, uid_t uid) {
        struct daemon_kit of = w->kit;

        snprintf(of.device, sizeof(of.device), "%.50s.%u", w->kit.device, (unsigned)uid);
        return kit_open_key(&of);
}

void always_yes(const struct world *w, uid_t uid) {
        json_t *answer;
        char params[64];

        snprintf(params, sizeof(params), "{\"user\":%u,\"mode\":\"auto\"}", (unsigned)uid);
        answer = kit_control(&w->kit, "presence", params);
        assert_non_null(json_object_get(answer, "result"));
        json_decref(answer);
}
