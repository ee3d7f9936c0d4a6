/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * trace/ on anything that clients and a broken authenticator may say. The input is messages one after the
 * other: a byte that says whose it is (bit 7: the device's) and what (CBOR, MSG, or the rest is the
 * command), one for the channel, two for its length, and the message. All of it is also looked at as
 * reports.
 *
 * Redaction changes no length and turns bytes into zeros or leaves them; where the authenticator would
 * read a PIN or a token, there are zeros. A transcript is text that cannot act on a terminal.
 */

#include <string.h>

#include "ctap/cbor.h"
#include "ctap/hid.h"
#include "tests/fuzz/fuzz.h"
#include "trace/assembly.h"
#include "trace/pcapng.h"
#include "trace/redact.h"
#include "trace/transcript.h"

struct papers {
        char *text, *packets;
        size_t n_text, n_packets;
        FILE *text_file, *packets_file;
        struct transcript *transcript;
        struct pcapng pcapng;
};

static void papers_init(struct papers *p) {
        const struct pcapng_identity identity = { 0, 0x1209, 0x000d };

        p->text_file = open_memstream(&p->text, &p->n_text);
        p->packets_file = open_memstream(&p->packets, &p->n_packets);
        require(p->text_file && p->packets_file);
        p->transcript = transcript_new(p->text_file, 1000);
        require(p->transcript);
        pcapng_begin(&p->pcapng, p->packets_file, &identity, 1000);
}

static void papers_put(struct papers *p, const struct trace_frame *f) {
        transcript_put(p->transcript, f);
        pcapng_put(&p->pcapng, f);
}

static void papers_check(struct papers *p) {
        transcript_free(p->transcript);
        fclose(p->text_file);
        fclose(p->packets_file);
        require(p->n_packets % 4 == 0);
        require(bytes_is_utf8(BYTES(p->text, p->n_text)));
        for (size_t i = 0; i < p->n_text; i++)
                require(p->text[i] == '\n' || (uint8_t)p->text[i] >= 0x20);
        free(p->text);
        free(p->packets);
}

static bool is_zeros(struct bytes b) {
        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] != 0)
                        return false;
        return true;
}

struct secrets {
        struct cbor_value param, new_pin, pin_hash, token;
};

/* CTAP 2.3 §6.5.5: read as client-pin.c does, and not by the table that is tested. */
static void check_pin(bool out, struct bytes original, struct bytes redacted) {
        static const struct cbor_field request[] = {
                { NULL, 0x04, CBOR_KIND_BYTES, false, offsetof(struct secrets, param) },
                { NULL, 0x05, CBOR_KIND_BYTES, false, offsetof(struct secrets, new_pin) },
                { NULL, 0x06, CBOR_KIND_BYTES, false, offsetof(struct secrets, pin_hash) },
        };
        static const struct cbor_field reply[] = {
                { NULL, 0x02, CBOR_KIND_BYTES, false, offsetof(struct secrets, token) },
        };
        const struct cbor_field *fields = out ? reply : request;
        struct secrets s = { 0 };
        struct bytes body = BYTES(original.data + 1, original.len - 1), left = body;
        struct cbor_value map, *all[] = { &s.param, &s.new_pin, &s.pin_hash, &s.token };

        if (cbor_check(body) != CTAP_OK)
                return;
        map = cbor_next(&left);
        if (cbor_read_map(&map, fields, out ? 1 : 3, &s) != CTAP_OK)
                return;
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (all[i]->string.len > 0)
                        require(is_zeros(
                                BYTES(redacted.data + (all[i]->string.data - original.data),
                                      all[i]->string.len)));
}

static void check_redacted(struct bytes original, struct bytes redacted) {
        require(original.len == redacted.len);
        for (size_t i = 0; i < original.len; i++)
                require(redacted.data[i] == original.data[i] || redacted.data[i] == 0);
}

static void run(struct papers *plain, struct papers *redacted, struct trace_frame *f,
                struct buf *request) {
        const bool out = f->direction == TRACE_OUT;
        uint8_t *copy = malloc(f->payload.len + 1);
        struct buf b = { copy, 0, f->payload.len, false };

        require(copy);
        buf_put(&b, f->payload);
        if (out)
                trace_redact_reply(f->command, buf_bytes(request), &b);
        else
                trace_redact_request(f->command, &b);
        check_redacted(f->payload, buf_bytes(&b));
        if (f->command == HID_CBOR && f->payload.len > 0 &&
            (out ? request->len > 0 && request->data[0] == 0x06 : f->payload.data[0] == 0x06))
                check_pin(out, f->payload, buf_bytes(&b));
        if (!out) {
                request->len = 0;
                buf_put(request, f->payload);
        }

        papers_put(plain, f);
        f->payload = buf_bytes(&b);
        papers_put(redacted, f);
        free(copy);
}

static void run_messages(struct papers *plain, struct papers *redacted, struct cursor *in) {
        uint8_t storage[HID_MESSAGE_MAX]; /* the last request, which the next reply is to */
        struct buf request = BUF_ON(storage);

        while (in->left.len >= 4) {
                uint8_t tag = cursor_u8(in), channel = cursor_u8(in);
                size_t len = cursor_u16(in);
                struct trace_frame f = {
                        .time_ns = 2000,
                        .direction = tag & 0x80 ? TRACE_OUT : TRACE_IN,
                        .channel = channel,
                        .command = tag & 0x7f,
                };

                len = len < in->left.len ? len : in->left.len;
                len = len < HID_MESSAGE_MAX ? len : HID_MESSAGE_MAX;
                f.payload = cursor_take(in, len);
                run(plain, redacted, &f, &request);
        }
}

static void run_reports(struct papers *p, struct bytes all) {
        struct trace_assembly *a = trace_assembly_new();
        struct cursor in = { all, false };
        struct trace_frame f;

        require(a);
        while (in.left.len >= HID_REPORT_SIZE) {
                struct bytes report = cursor_take(&in, HID_REPORT_SIZE);

                if (!trace_assembly_take(a, report.data, &f))
                        continue;
                require(f.payload.len <= HID_MESSAGE_MAX);
                papers_put(p, &f);
        }
        trace_assembly_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct papers plain, redacted;
        struct cursor in = { BYTES(data, size), false };

        papers_init(&plain);
        papers_init(&redacted);
        run_messages(&plain, &redacted, &in);
        run_reports(&plain, BYTES(data, size));
        papers_check(&plain);
        papers_check(&redacted);
        return 0;
}
