/* SPDX-License-Identifier: BSD-2-Clause */

/* Lines in, texts out, so that a test is a list of what is expected. */

#include "tests/system/control-kit.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/test.h"

json_t *kit_next_line(struct kit_follower *f) {
        char *newline;
        json_t *line;

        while (!(newline = memchr(f->in, '\n', f->n))) {
                struct pollfd p = { .fd = f->fd, .events = POLLIN };
                ssize_t got;

                if (poll(&p, 1, 20000) != 1)
                        fail_msg("nothing comes behind: %.*s", (int)f->n, f->in);
                got = recv(f->fd, f->in + f->n, sizeof(f->in) - f->n, 0);
                if (got <= 0)
                        return NULL;
                f->n += (size_t)got;
        }
        line = json_loadb(f->in, (size_t)(newline - f->in), 0, NULL);
        f->n -= (size_t)(newline + 1 - f->in);
        memmove(f->in, newline + 1, f->n);
        assert_non_null(line);
        return line;
}

void kit_follow(struct kit_follower *f, const struct daemon_kit *k, const char *params) {
        json_t *line;

        f->n = 0;
        f->fd = kit_connect(k->control, SOCK_STREAM);
        assert_true(f->fd >= 0);
        dprintf(f->fd, "{\"v\":1,\"id\":9,\"method\":\"follow\",\"params\":%s}\n", params);
        line = kit_next_line(f);
        assert_int_equal(json_integer_value(json_object_get(line, "id")), 9);
        assert_true(json_is_array(json_object_get(json_object_get(line, "result"), "devices")));
        json_decref(line);
}

static const char *string(const json_t *from, const char *name) {
        const char *s = json_string_value(json_object_get(from, name));

        return s ? s : "-";
}

const char *kit_next_event(struct kit_follower *f) {
        static char text[512];
        json_t *line = kit_next_line(f), *e = json_object_get(line, "event");
        const char *type = string(e, "type");

        assert_non_null(e);
        assert_int_equal(json_integer_value(json_object_get(line, "v")), 1);
        assert_true(json_integer_value(json_object_get(e, "time")) > 1500000000000);
        text[0] = '\0';
        if (strcmp(type, "question") == 0)
                snprintf(text, sizeof(text), "question %s %s %s%s%s", string(e, "verb"),
                         string(e, "rp_id"), string(e, "account"),
                         json_is_true(json_object_get(e, "passive")) ? " passive" : "",
                         json_is_true(json_object_get(e, "verify")) ? " verify" : "");
        else if (strcmp(type, "verdict") == 0)
                snprintf(text, sizeof(text), "verdict %s", string(e, "verdict"));
        else if (strcmp(type, "done") == 0)
                snprintf(text, sizeof(text), "%s %s %d %s %s",
                         json_is_true(json_object_get(e, "injected")) ? "injected" : "done",
                         string(e, "command"),
                         (int)json_integer_value(json_object_get(e, "status")),
                         string(e, "status_name"), string(e, "rp_id"));
        else
                snprintf(text, sizeof(text), "%s %d", type,
                         (int)json_integer_value(json_object_get(e, "device")));
        json_decref(line);
        return text;
}

void kit_expect_event(struct kit_follower *f, const char *want) {
        const char *got;

        do
                got = kit_next_event(f);
        while (strncmp(got, "done getInfo", 12) == 0);
        assert_string_equal(got, want);
}

void kit_assert_done(const struct daemon_kit *k, const char *method, const char *params) {
        json_t *a = kit_control(k, method, params);

        if (!json_object_get(a, "result"))
                fail_msg("%s %s: %s", method, params,
                         string(json_object_get(a, "error"), "message"));
        json_decref(a);
}

void kit_assert_refused(const struct daemon_kit *k, const char *method, const char *params,
                        const char *code) {
        json_t *a = kit_control(k, method, params);
        const char *got = string(json_object_get(a, "error"), "code");

        if (strcmp(got, code) != 0)
                fail_msg("%s %s: %s and not %s", method, params, got, code);
        json_decref(a);
}
