/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A reply does not say what it answers, so the last request of each channel is remembered: there is one
 * at a time. A client may make up any number of channels; the one that was silent longest is forgotten.
 */

#include "trace/transcript.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctap/hid.h"
#include "ctap/macro.h"
#include "ctap/status.h"
#include "trace/lines.h"
#include "trace/members.h"
#include "trace/notation.h"

#define CHANNELS 16
#define NS       UINT64_C(1000000000)

/* What a channel asked last. */
struct asked {
        uint32_t channel;
        bool used;
        uint8_t command;
        uint8_t code; /* of CTAP2, or the INS of U2F */
        const char *subcommand;
        uint64_t turn;
};

struct transcript {
        FILE *to;
        uint64_t start_ns;
        struct asked asked[CHANNELS];
        uint64_t turn;

        bool keeps_alive; /* the last message was a keepalive: */
        uint32_t alive_channel;
        uint8_t alive_status;
        unsigned n_alive; /* that came since and said the same */
};

struct transcript *transcript_new(FILE *to, uint64_t start_ns) {
        struct transcript *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->to = to;
        t->start_ns = start_ns;
        return t;
}

static void end_keepalives(struct transcript *t) {
        if (t->n_alive > 0)
                fprintf(t->to, "    ... and %u more of them\n", t->n_alive);
        t->n_alive = 0;
        t->keeps_alive = false;
}

struct transcript *transcript_free(struct transcript *t) {
        if (t)
                end_keepalives(t);
        free(t);
        return NULL;
}

void transcript_head(struct transcript *t, const char *device, bool secrets) {
        time_t start = (time_t)(t->start_ns / NS);
        char when[32] = "?";
        struct tm tm;

        if (gmtime_r(&start, &tm))
                strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        fprintf(t->to, "# tpmauthn: what clients and %s said to each other, from %s UTC on.\n",
                device, when);
        fputs(secrets ? "# Secrets are in it: it is for nobody else.\n"
                      : "# Secrets were taken out of it.\n",
              t->to);
}

/* ---- who asked what ---- */

static struct asked *find_asked(struct transcript *t, uint32_t channel) {
        for (size_t i = 0; i < CHANNELS; i++)
                if (t->asked[i].used && t->asked[i].channel == channel)
                        return &t->asked[i];
        return NULL;
}

static struct asked *remember(struct transcript *t, uint32_t channel) {
        struct asked *a = find_asked(t, channel);

        if (!a) {
                a = &t->asked[0];
                for (size_t i = 0; i < CHANNELS; i++)
                        if (t->asked[i].turn < a->turn)
                                a = &t->asked[i];
        }
        *a = (struct asked){ .channel = channel, .used = true, .turn = ++t->turn };
        return a;
}

static void forget(struct transcript *t, uint32_t channel) {
        struct asked *a = find_asked(t, channel);

        if (a)
                a->used = false;
}

/* ---- the first line ---- */

static const char *hid_name(uint8_t command) {
        switch (command) {
        case HID_PING:
                return "PING";
        case HID_MSG:
                return "MSG";
        case HID_LOCK:
                return "LOCK";
        case HID_INIT:
                return "INIT";
        case HID_WINK:
                return "WINK";
        case HID_CBOR:
                return "CBOR";
        case HID_CANCEL:
                return "CANCEL";
        case HID_KEEPALIVE:
                return "KEEPALIVE";
        case HID_ERROR:
                return "ERROR";
        default:
                return NULL;
        }
}

static void put_head(const struct transcript *t, const struct trace_frame *f) {
        const char *name = hid_name(f->command);
        uint64_t since = f->time_ns > t->start_ns ? f->time_ns - t->start_ns : 0;

        fprintf(t->to, "\n[%4" PRIu64 ".%06" PRIu64 "] client %s key  channel %08x  CTAPHID_",
                since / NS, since % NS / 1000, f->direction == TRACE_IN ? "-->" : "<--",
                (unsigned)f->channel);
        if (name)
                fputs(name, t->to);
        else
                fprintf(t->to, "0x%02x", f->command);
}

/* ---- bodies ---- */

static void put_cbor(const struct transcript *t, struct bytes body, const struct trace_shape *shape,
                     const struct trace_shape *outputs) {
        const struct notation n = { t->to, "    ", outputs };
        struct cbor_value top;

        if (body.len == 0)
                return;
        if (!shape || cbor_check(body) != CTAP_OK) {
                lines_raw(t->to, shape ? "not CBOR of CTAP" : "not known to CTAP", body);
                return;
        }
        top = cbor_next(&body);
        fputs("    ", t->to);
        notation_item(&n, shape, &top);
        fputc('\n', t->to);
}

static struct bytes behind(struct bytes b, size_t n) {
        return b.len > n ? BYTES(b.data + n, b.len - n) : BYTES_NULL;
}

/* ---- CTAP2 ---- */

/* The name of the subcommand, of commands that have some. */
static const char *subcommand_name(const struct trace_command *c, struct bytes body) {
        struct cbor_value map, key, value;
        const struct trace_member *m;

        if (!c || !c->request || cbor_check(body) != CTAP_OK)
                return NULL;
        map = cbor_next(&body);
        if (map.kind != CBOR_KIND_MAP)
                return NULL;
        for (uint32_t i = 0; i < map.n; i++) {
                key = cbor_next(&map.elements);
                value = cbor_next(&map.elements);
                m = trace_member(c->request, &key);
                if (m && m->name && strcmp(m->name, "subCommand") == 0 &&
                    value.kind == CBOR_KIND_INT)
                        return trace_word(m->words, value.integer);
        }
        return NULL;
}

static void put_command_name(const struct transcript *t, uint8_t code, const char *subcommand) {
        const struct trace_command *c = trace_command(code);

        if (c)
                fputs(c->name, t->to);
        else
                fprintf(t->to, "command 0x%02x", code);
        if (subcommand)
                fprintf(t->to, " %s", subcommand);
}

static void put_ctap_request(struct transcript *t, const struct trace_frame *f) {
        struct asked *a = remember(t, f->channel);
        struct bytes body = behind(f->payload, 1);
        const struct trace_command *c;

        a->command = HID_CBOR;
        if (f->payload.len == 0) {
                fputs("  without a command\n", t->to);
                return;
        }
        a->code = f->payload.data[0];
        c = trace_command(a->code);
        a->subcommand = subcommand_name(c, body);
        fputs("  ", t->to);
        put_command_name(t, a->code, a->subcommand);
        fputc('\n', t->to);
        put_cbor(t, body, c ? c->request : NULL, NULL);
}

static void put_ctap_reply(struct transcript *t, const struct trace_frame *f) {
        const struct asked *a = find_asked(t, f->channel);
        const struct trace_command *c = NULL;

        if (f->payload.len == 0) {
                fputs("  without a status\n", t->to);
                return;
        }
        fprintf(t->to, "  %s (0x%02x)", ctap_status_name(f->payload.data[0]), f->payload.data[0]);
        if (a && a->command == HID_CBOR) {
                c = trace_command(a->code);
                fputs(" to ", t->to);
                put_command_name(t, a->code, a->subcommand);
        }
        fputc('\n', t->to);
        put_cbor(t, behind(f->payload, 1), c ? c->reply : NULL, c ? c->outputs : NULL);
        forget(t, f->channel);
}

/* ---- U2F ---- */

static void put_u2f_request(struct transcript *t, const struct trace_frame *f) {
        struct asked *a = remember(t, f->channel);

        a->command = HID_MSG;
        a->code = f->payload.len > 1 ? f->payload.data[1] : 0;
        lines_u2f_request(t->to, f->payload);
}

static void put_u2f_reply(struct transcript *t, const struct trace_frame *f) {
        const struct asked *a = find_asked(t, f->channel);

        lines_u2f_reply(t->to, a && a->command == HID_MSG ? a->code : 0, f->payload);
        forget(t, f->channel);
}

/* ---- CTAPHID itself ---- */

static const char *error_name(uint8_t error) {
        switch (error) {
        case HID_ERR_INVALID_CMD:
                return "ERR_INVALID_CMD";
        case HID_ERR_INVALID_PAR:
                return "ERR_INVALID_PAR";
        case HID_ERR_INVALID_LEN:
                return "ERR_INVALID_LEN";
        case HID_ERR_INVALID_SEQ:
                return "ERR_INVALID_SEQ";
        case HID_ERR_MSG_TIMEOUT:
                return "ERR_MSG_TIMEOUT";
        case HID_ERR_CHANNEL_BUSY:
                return "ERR_CHANNEL_BUSY";
        case HID_ERR_LOCK_REQUIRED:
                return "ERR_LOCK_REQUIRED";
        case HID_ERR_INVALID_CHANNEL:
                return "ERR_INVALID_CHANNEL";
        case HID_ERR_OTHER:
                return "ERR_OTHER";
        default:
                return "unknown";
        }
}

static const char *alive_name(uint8_t status) {
        return status == HID_PROCESSING ? "PROCESSING"
               : status == HID_UPNEEDED ? "UPNEEDED"
                                        : "unknown";
}

static void put_init_reply(const struct transcript *t, struct bytes payload) {
        struct cursor c = { payload, false };
        struct bytes nonce = cursor_take(&c, 8), version;
        uint32_t channel = cursor_u32(&c);
        uint8_t protocol = cursor_u8(&c), capabilities;

        version = cursor_take(&c, 3);
        capabilities = cursor_u8(&c);
        if (cursor_end(&c) < 0) {
                lines_raw(t->to, "data", payload);
                return;
        }
        lines_bytes(t->to, "nonce", nonce);
        fprintf(t->to, "    channel: %08x\n    protocol: %u\n    version: %u.%u.%u\n",
                (unsigned)channel, protocol, version.data[0], version.data[1], version.data[2]);
        fprintf(t->to, "    capabilities: 0x%02x%s%s%s\n", capabilities,
                capabilities & 0x01 ? " WINK" : "", capabilities & 0x04 ? " CBOR" : "",
                capabilities & 0x08 ? " NMSG" : "");
}

/* What needs no more than a byte and its name is told on the first line. */
static void put_named(const struct transcript *t, struct bytes payload,
                      const char *(*name)(uint8_t)) {
        if (payload.len == 1)
                fprintf(t->to, "  %s (0x%02x)", name(payload.data[0]), payload.data[0]);
        fputc('\n', t->to);
        if (payload.len != 1)
                lines_raw(t->to, "data", payload);
}

static void put_other(struct transcript *t, const struct trace_frame *f) {
        switch (f->command) {
        case HID_KEEPALIVE:
                put_named(t, f->payload, alive_name);
                break;
        case HID_ERROR:
                put_named(t, f->payload, error_name);
                break;
        case HID_INIT:
                fputc('\n', t->to);
                if (f->direction == TRACE_OUT)
                        put_init_reply(t, f->payload);
                else
                        lines_raw(t->to, "nonce", f->payload);
                break;
        default:
                fputc('\n', t->to);
                lines_raw(t->to, "data", f->payload);
        }
}

/* True: it says what the one before it said. */
static bool is_still_alive(const struct transcript *t, const struct trace_frame *f) {
        return t->keeps_alive && f->direction == TRACE_OUT && f->command == HID_KEEPALIVE &&
               f->payload.len == 1 && f->payload.data[0] == t->alive_status &&
               f->channel == t->alive_channel;
}

void transcript_put(struct transcript *t, const struct trace_frame *f) {
        const bool in = f->direction == TRACE_IN;

        if (is_still_alive(t, f)) {
                t->n_alive++;
                return;
        }
        end_keepalives(t);
        if (!in && f->command == HID_KEEPALIVE && f->payload.len == 1) {
                t->keeps_alive = true;
                t->alive_channel = f->channel;
                t->alive_status = f->payload.data[0];
        }

        put_head(t, f);
        if (f->command == HID_CBOR && in)
                put_ctap_request(t, f);
        else if (f->command == HID_CBOR)
                put_ctap_reply(t, f);
        else if (f->command == HID_MSG && in)
                put_u2f_request(t, f);
        else if (f->command == HID_MSG)
                put_u2f_reply(t, f);
        else
                put_other(t, f);
}
