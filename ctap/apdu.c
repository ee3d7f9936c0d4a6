/* SPDX-License-Identifier: BSD-2-Clause */

/* Which form it is follows from the first byte of Lc, and from what is left at the end. */

#include "ctap/apdu.h"

bool ctap_apdu_data(struct bytes body, struct bytes *ret) {
        struct cursor in = { body, false };
        size_t lc, le_size = 1;
        struct bytes data;

        if (body.len <= 1) {
                *ret = BYTES_NULL;
                return true;
        }
        lc = cursor_u8(&in);
        if (lc == 0) {
                lc = cursor_u16(&in);
                le_size = 2;
        }
        if (in.failed)
                return false;
        if (in.left.len == 0 && le_size == 2) { /* this was Le, and there is no data */
                *ret = BYTES_NULL;
                return true;
        }

        data = cursor_take(&in, lc);
        if (in.failed || (in.left.len > 0 && in.left.len != le_size))
                return false;
        *ret = data;
        return true;
}
