/* SPDX-License-Identifier: BSD-2-Clause */

/* Each line is indented, and each string has its length. */

#include "trace/lines.h"

#include <stdbool.h>

#include "trace/notation.h"
#include "trace/u2f.h"

static bool is_zeros(struct bytes b) {
        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] != 0)
                        return false;
        return true;
}

void lines_raw(FILE *to, const char *what, struct bytes b) {
        if (b.len == 0)
                return;
        if (is_zeros(b)) {
                fprintf(to, "    %s: h'...' / %zu bytes, redacted /\n", what, b.len);
                return;
        }
        fprintf(to, "    %s: ", what);
        notation_all_bytes(to, b);
        fprintf(to, " / %zu bytes /\n", b.len);
}

void lines_bytes(FILE *to, const char *what, struct bytes b) {
        fprintf(to, "    %s: ", what);
        notation_bytes(to, b);
        fputc('\n', to);
}

/* ---- U2F ---- */

static const char *control_name(uint8_t p1) {
        switch (p1) {
        case 0x03:
                return "enforce-user-presence-and-sign";
        case 0x07:
                return "check-only";
        case 0x08:
                return "dont-enforce-user-presence-and-sign";
        default:
                return "unknown";
        }
}

void lines_u2f_request(FILE *to, struct bytes message) {
        const char *name = trace_u2f_name(message.len > 1 ? message.data[1] : 0);
        struct trace_u2f u;

        fprintf(to, "  %s\n", name ? name : "no message of U2F");
        if (!trace_u2f_read(message, &u)) {
                struct cursor c = { message, false };

                lines_bytes(to, "header", cursor_take(&c, TRACE_U2F_HEAD));
                lines_raw(to, "not as U2F has it", c.left);
                return;
        }
        if (u.ins == TRACE_U2F_VERSION)
                return;
        if (u.ins == TRACE_U2F_AUTHENTICATE)
                fprintf(to, "    control byte: 0x%02x / %s /\n", u.p1, control_name(u.p1));
        lines_bytes(to, "challenge", u.challenge);
        lines_bytes(to, "application", u.application);
        if (u.ins == TRACE_U2F_AUTHENTICATE)
                lines_bytes(to, "key handle", u.key_handle);
}

static const char *word_name(unsigned word) {
        switch (word) {
        case 0x9000:
                return "SW_NO_ERROR";
        case 0x6700:
                return "SW_WRONG_LENGTH";
        case 0x6985:
                return "SW_CONDITIONS_NOT_SATISFIED";
        case 0x6a80:
                return "SW_WRONG_DATA";
        case 0x6d00:
                return "SW_INS_NOT_SUPPORTED";
        case 0x6e00:
                return "SW_CLA_NOT_SUPPORTED";
        default:
                return "unknown";
        }
}

static void put_registration(FILE *to, struct bytes data) {
        struct cursor c = { data, false };
        struct bytes key, handle;

        cursor_u8(&c); /* reserved, 05 */
        key = cursor_take(&c, 65);
        handle = cursor_take(&c, cursor_u8(&c));
        if (c.failed) {
                lines_raw(to, "data", data);
                return;
        }
        lines_bytes(to, "public key", key);
        lines_bytes(to, "key handle", handle);
        lines_bytes(to, "certificate and signature", c.left);
}

static void put_authentication(FILE *to, struct bytes data) {
        struct cursor c = { data, false };
        uint8_t presence = cursor_u8(&c);
        uint32_t count = cursor_u32(&c);

        if (c.failed) {
                lines_raw(to, "data", data);
                return;
        }
        fprintf(to, "    user presence: 0x%02x\n    counter: %u\n", presence, (unsigned)count);
        lines_bytes(to, "signature", c.left);
}

static void put_u2f_data(FILE *to, uint8_t ins, struct bytes data) {
        if (is_zeros(data) || !trace_u2f_name(ins))
                lines_raw(to, "data", data);
        else if (ins == TRACE_U2F_REGISTER)
                put_registration(to, data);
        else if (ins == TRACE_U2F_AUTHENTICATE)
                put_authentication(to, data);
        else {
                fputs("    version: ", to);
                notation_text(to, data);
                fputc('\n', to);
        }
}

void lines_u2f_reply(FILE *to, uint8_t ins, struct bytes reply) {
        unsigned word;

        if (reply.len < 2) {
                fputs("  without a status word\n", to);
                lines_raw(to, "data", reply);
                return;
        }
        word = (unsigned)reply.data[reply.len - 2] << 8 | reply.data[reply.len - 1];
        fprintf(to, "  %s (0x%04x)", word_name(word), word);
        if (trace_u2f_name(ins))
                fprintf(to, " to %s", trace_u2f_name(ins));
        fputc('\n', to);
        put_u2f_data(to, ins, BYTES(reply.data, reply.len - 2));
}
