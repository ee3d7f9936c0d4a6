/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The messages between clients and a simulator, for who follows them. What comes in is put together from
 * the reports and not taken from the framing, so that what that refuses is told too. Secrets are taken
 * out before anything leaves: a trace is passed around by who looks for an error.
 */

#include "authenticator/instance-internal.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authenticator/followers.h"
#include "authenticator/protocol.h"
#include "trace/frame.h"
#include "trace/redact.h"

static bool is_wanted(const struct instance *i, bool secrets) {
        return i->options.followers && i->facts.simulates &&
               followers_want_frames(i->options.followers, i->options.owner, i->options.index,
                                     secrets);
}

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* NULL: out of memory. */
static json_t *describe(const struct trace_frame *f) {
        static const char digits[] = "0123456789abcdef";
        char time[24], *hex = malloc(2 * f->payload.len + 1);
        json_t *event;

        if (!hex)
                return NULL;
        for (size_t k = 0; k < f->payload.len; k++) {
                hex[2 * k] = digits[f->payload.data[k] >> 4];
                hex[2 * k + 1] = digits[f->payload.data[k] & 15];
        }
        hex[2 * f->payload.len] = '\0';
        snprintf(time, sizeof(time), "%" PRIu64, f->time_ns);
        event = json_pack("{s:s,s:s,s:s,s:I,s:i,s:s}", "type", PROTOCOL_EVENT_FRAME, "time", time,
                          "direction", f->direction == TRACE_IN ? "in" : "out", "cid",
                          (json_int_t)f->channel, "command", (int)f->command, "payload", hex);
        OPENSSL_cleanse(hex, 2 * f->payload.len);
        free(hex);
        return event;
}

static void tell(const struct instance *i, const struct trace_frame *f, bool secrets) {
        followers_tell_frame(i->options.followers, i->options.owner, i->options.index, secrets,
                             describe(f));
}

static void tell_redacted(const struct instance *i, struct trace_frame f, struct bytes request) {
        uint8_t storage[HID_MESSAGE_MAX];
        struct buf copy = BUF_ON(storage);

        buf_put(&copy, f.payload);
        if (f.direction == TRACE_IN)
                trace_redact_request(f.command, &copy);
        else
                trace_redact_reply(f.command, request, &copy);
        f.payload = buf_bytes(&copy);
        tell(i, &f, false);
}

static void tell_all(const struct instance *i, struct trace_frame *f, struct bytes request) {
        f->time_ns = now_ns();
        if (is_wanted(i, true))
                tell(i, f, true);
        if (is_wanted(i, false))
                tell_redacted(i, *f, request);
}

void instance_tell_report(struct instance *i, const uint8_t report[static HID_REPORT_SIZE]) {
        struct trace_frame f;

        if (!is_wanted(i, true) && !is_wanted(i, false)) {
                instance_end_frames(i);
                return;
        }
        if (!i->assembly)
                i->assembly = trace_assembly_new();
        if (!i->assembly || !trace_assembly_take(i->assembly, report, &f))
                return;
        f.direction = TRACE_IN;
        tell_all(i, &f, BYTES_NULL);
}

void instance_tell_message(const struct instance *i, uint32_t channel, uint8_t command,
                           struct bytes message, struct bytes request) {
        struct trace_frame f = {
                .direction = TRACE_OUT,
                .channel = channel,
                .command = command,
                .payload = message,
        };

        tell_all(i, &f, request);
}

void instance_end_frames(struct instance *i) {
        i->assembly = trace_assembly_free(i->assembly);
}
