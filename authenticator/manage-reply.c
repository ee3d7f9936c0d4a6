/* SPDX-License-Identifier: BSD-2-Clause */

/* Bytes and failures as JSON. */

#include "authenticator/manage-reply.h"

#include <stdio.h>
#include <string.h>

#include "authenticator/control.h"

#define TEXT_MAX 255 /* bytes of a site's id; names are shorter */

json_t *manage_hex(struct bytes b) {
        char text[2 * 64 + 1] = "";

        for (size_t i = 0; i < b.len && i < 64; i++)
                snprintf(text + 2 * i, 3, "%02x", b.data[i]);
        return json_string(text);
}

json_t *manage_text(struct bytes b) {
        uint8_t storage[3 * TEXT_MAX];
        struct buf shown = BUF_ON(storage);
        json_t *s = NULL;

        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] == 0)
                        buf_put(&shown, BYTES_TEXT("\xef\xbf\xbd"));
                else
                        buf_put_u8(&shown, b.data[i]);
        if (buf_error(&shown) == 0)
                s = json_stringn((const char *)shown.data, shown.len);
        return s ? s : json_null();
}

size_t manage_size(const json_t *entry) {
        return json_dumpb(entry, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII) + 1;
}

json_t *manage_failed(const char *what, int error) {
        return control_error(PROTOCOL_E_FAILED, "%s: %s. The daemon's log says more.", what,
                             strerror(-error));
}
