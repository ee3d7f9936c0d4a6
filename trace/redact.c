/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A walk over the message along the table of members.c. Strings are overwritten while the walk goes on;
 * that moves nothing, as heads are left alone, and what was overwritten is never read again.
 */

#include "trace/redact.h"

#include <stdbool.h>
#include <string.h>

#include "ctap/cbor.h"
#include "ctap/hid.h"
#include "trace/auth-data.h"
#include "trace/members.h"
#include "trace/u2f.h"

/* The longest message of a CTAPHID command that carries none of CTAP: the reply to INIT. */
#define PLAIN_MAX 17

struct walk {
        struct buf *message;
        const struct trace_shape *outputs; /* of extensions, inside authenticator data */
};

/* `part` is of the message. */
static void wipe(const struct walk *w, struct bytes part) {
        if (part.len > 0)
                memset(w->message->data + (part.data - w->message->data), 0, part.len);
}

static void wipe_from(struct buf *message, size_t kept) {
        if (message->len > kept)
                memset(message->data + kept, 0, message->len - kept);
}

/* ---- items ---- */

/* Nobody knows what it is. A text that is a key is a name, and stays. */
static bool redact_unknown(const struct walk *w, const struct cbor_value *v) {
        const bool is_map = v->kind == CBOR_KIND_MAP;
        struct bytes left = v->elements;

        wipe(w, v->string);
        for (uint32_t i = 0; i < v->n; i++) {
                struct cbor_value key = is_map ? cbor_next(&left) : *v, value = cbor_next(&left);

                if (is_map && key.kind != CBOR_KIND_TEXT && !redact_unknown(w, &key))
                        return false;
                if (value.kind == CBOR_KIND_ABSENT || !redact_unknown(w, &value))
                        return false;
        }
        return true;
}

static bool redact_member(const struct walk *w, const struct trace_member *m,
                          const struct cbor_value *v);

static bool redact_map(const struct walk *w, const struct trace_shape *shape,
                       const struct cbor_value *map) {
        struct bytes left = map->elements;

        if (map->kind != CBOR_KIND_MAP)
                return false;
        for (uint32_t i = 0; i < map->n; i++) {
                struct cbor_value key = cbor_next(&left), value = cbor_next(&left);
                const struct trace_member *m = trace_member(shape, &key);
                bool done = m ? redact_member(w, m, &value) : redact_unknown(w, &value);

                if (!done)
                        return false;
        }
        return true;
}

static bool redact_array(const struct walk *w, const struct trace_shape *shape,
                         const struct cbor_value *array) {
        struct bytes left = array->elements;

        for (uint32_t i = 0; i < array->n; i++) {
                struct cbor_value element = cbor_next(&left);

                if (!redact_map(w, shape, &element))
                        return false;
        }
        return true;
}

/* WebAuthn §6.1: what is signed is public, but for what extensions put there. */
static bool redact_auth_data(const struct walk *w, struct bytes data) {
        struct trace_auth_data d;

        if (!trace_auth_data_read(data, &d))
                return false;
        return d.extensions.kind == CBOR_KIND_ABSENT || redact_map(w, w->outputs, &d.extensions);
}

static bool redact_member(const struct walk *w, const struct trace_member *m,
                          const struct cbor_value *v) {
        if (m->kind != CBOR_KIND_ANY && v->kind != m->kind)
                return false;
        if (m->content == TRACE_SECRET)
                wipe(w, v->string);
        if (m->content == TRACE_AUTH_DATA)
                return redact_auth_data(w, v->string);
        if (m->inside && v->kind == CBOR_KIND_MAP)
                return redact_map(w, m->inside, v);
        if (m->inside && v->kind == CBOR_KIND_ARRAY)
                return redact_array(w, m->inside, v);
        return true;
}

/* What follows the first byte, which is the command or the status. */
static void redact_body(struct buf *message, const struct trace_shape *shape,
                        const struct trace_shape *outputs) {
        const struct walk w = { message, outputs };
        struct bytes body = buf_bytes(message);
        struct cbor_value top;

        if (body.len <= 1)
                return;
        body = BYTES(body.data + 1, body.len - 1);
        if (shape && cbor_check(body) == CTAP_OK) {
                top = cbor_next(&body);
                if (redact_map(&w, shape, &top))
                        return;
        }
        wipe_from(message, 1);
}

/* ---- messages ---- */

/* INIT, WINK, LOCK, CANCEL, KEEPALIVE and ERROR hold no secrets; anybody's PING may hold anything. */
static void redact_other(uint8_t command, struct buf *message) {
        static const uint8_t plain[] = {
                HID_INIT, HID_WINK, HID_LOCK, HID_CANCEL, HID_KEEPALIVE, HID_ERROR,
        };

        if (message->len > PLAIN_MAX || !memchr(plain, command, sizeof(plain)))
                wipe_from(message, 0);
}

void trace_redact_request(uint8_t command, struct buf *message) {
        const struct trace_command *c;

        switch (command) {
        case HID_CBOR:
                c = message->len > 0 ? trace_command(message->data[0]) : NULL;
                redact_body(message, c ? c->request : NULL, NULL);
                break;
        case HID_MSG:
                if (!trace_u2f_read(buf_bytes(message), &(struct trace_u2f){ 0 }))
                        wipe_from(message, TRACE_U2F_HEAD);
                break;
        default:
                redact_other(command, message);
        }
}

static void redact_u2f_reply(struct bytes request, struct buf *message) {
        struct trace_u2f rq;

        /* The last two bytes are the status word. */
        if (!trace_u2f_read(request, &rq) && message->len > 2)
                memset(message->data, 0, message->len - 2);
}

void trace_redact_reply(uint8_t command, struct bytes request, struct buf *message) {
        const struct trace_command *c;

        switch (command) {
        case HID_CBOR:
                c = request.len > 0 ? trace_command(request.data[0]) : NULL;
                redact_body(message, c ? c->reply : NULL, c ? c->outputs : NULL);
                break;
        case HID_MSG:
                redact_u2f_reply(request, message);
                break;
        default:
                redact_other(command, message);
        }
}
