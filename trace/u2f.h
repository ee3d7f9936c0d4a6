/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A U2F message (U2F Raw Message Formats 1.2) in its parts, for who only looks at it. */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

#define TRACE_U2F_HEAD 2 /* CLA and INS */

enum {
        TRACE_U2F_REGISTER = 0x01,
        TRACE_U2F_AUTHENTICATE = 0x02,
        TRACE_U2F_VERSION = 0x03,
};

struct trace_u2f {
        uint8_t ins, p1;
        struct bytes challenge, application, key_handle; /* empty where it has none */
};

/* False: it is none of the three as the specification has them. */
_must_check_ bool trace_u2f_read(struct bytes message, struct trace_u2f *ret);
/* "U2F_REGISTER"; NULL: there is no such instruction. */
const char *trace_u2f_name(uint8_t ins);
