/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* cmocka with the headers it wants before it, and the few checks that all tests share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctap/bytes.h"

#define assert_bytes_equal(a, b)                                       \
        do {                                                           \
                struct bytes _a = (a), _b = (b);                       \
                assert_int_equal(_a.len, _b.len);                      \
                if (_a.len > 0)                                        \
                        assert_memory_equal(_a.data, _b.data, _a.len); \
        } while (0)
