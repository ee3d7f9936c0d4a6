/* SPDX-License-Identifier: BSD-2-Clause */

/* §4.1, §5.1 and §6 of the message formats: three instructions, each with data of one form. */

#include "trace/u2f.h"

#include "ctap/apdu.h"

#define HASH_SIZE 32

static bool read_data(uint8_t ins, struct bytes data, struct trace_u2f *u) {
        struct cursor in = { data, false };

        switch (ins) {
        case TRACE_U2F_REGISTER:
                u->challenge = cursor_take(&in, HASH_SIZE);
                u->application = cursor_take(&in, HASH_SIZE);
                break;
        case TRACE_U2F_AUTHENTICATE:
                u->challenge = cursor_take(&in, HASH_SIZE);
                u->application = cursor_take(&in, HASH_SIZE);
                u->key_handle = cursor_take(&in, cursor_u8(&in));
                break;
        case TRACE_U2F_VERSION:
                break;
        default:
                return false;
        }
        return cursor_end(&in) == 0;
}

bool trace_u2f_read(struct bytes message, struct trace_u2f *ret) {
        struct cursor in = { message, false };
        struct trace_u2f u = { 0 };
        uint8_t cla = cursor_u8(&in);
        struct bytes data;

        u.ins = cursor_u8(&in);
        u.p1 = cursor_u8(&in);
        cursor_u8(&in);
        if (in.failed || cla != 0 || !ctap_apdu_data(in.left, &data) || !read_data(u.ins, data, &u))
                return false;
        *ret = u;
        return true;
}

const char *trace_u2f_name(uint8_t ins) {
        switch (ins) {
        case TRACE_U2F_REGISTER:
                return "U2F_REGISTER";
        case TRACE_U2F_AUTHENTICATE:
                return "U2F_AUTHENTICATE";
        case TRACE_U2F_VERSION:
                return "U2F_VERSION";
        default:
                return NULL;
        }
}
