/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * backup: offset 0 makes a copy, and gives it a number that the other pages name, so that two that are
 * read at once do not mix. restore: offset 0 begins anew; the page that makes it whole has it done.
 */

#include "authenticator/manage-backup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authenticator/backup.h"
#include "authenticator/control.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"
#include "authenticator/store-copy.h"
#include "authenticator/util.h"

/* ---- backup ---- */

static int make_copy(struct backend *b) {
        struct ctap_store *port = vault_store(backend_vault(b));
        struct backend_transfer *t = backend_transfer(b);
        struct tpm_state state;
        struct buf copy = { 0 };
        int r;

        backend_write_journal(b);
        r = store_get_tpm_state(backend_store(b), &state);
        if (r == 0)
                r = store_image(backend_store(b), BACKUP_TRAILER_MAX, &copy);
        if (r == 0)
                r = backup_finish(&copy, (int64_t)time(NULL), backend_id(b), &state,
                                  port->ops->key(port));
        if (r < 0) {
                free(copy.data);
                return r;
        }
        backend_transfer_drop(b);
        t->copy++;
        t->bytes = copy;
        return 0;
}

static json_t *page_of(const struct backend_transfer *t, size_t offset) {
        size_t left = t->bytes.len - offset;
        size_t n = left < PROTOCOL_PAGE_BYTES ? left : PROTOCOL_PAGE_BYTES;
        char *hex = malloc(2 * n + 1);
        json_t *page;

        if (!hex)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                static const char digits[] = "0123456789abcdef";

                hex[2 * i] = digits[t->bytes.data[offset + i] >> 4];
                hex[2 * i + 1] = digits[t->bytes.data[offset + i] & 15];
        }
        hex[2 * n] = '\0';
        page = json_pack("{s:I,s:I,s:s}", "copy", (json_int_t)t->copy, "size",
                         (json_int_t)t->bytes.len, "data", hex);
        free(hex);
        return page;
}

json_t *manage_backup(struct backend *b, const json_t *params) {
        json_int_t offset = json_integer_value(json_object_get(params, "offset"));
        json_int_t copy = json_integer_value(json_object_get(params, "copy"));
        struct backend_transfer *t = backend_transfer(b);
        json_t *page;
        int r;

        if (offset == 0) {
                r = make_copy(b);
                if (r < 0)
                        return manage_failed("The store could not be copied", r);
        } else if (!t->bytes.data || t->incoming || copy != (json_int_t)t->copy)
                return control_error(PROTOCOL_E_FAILED,
                                     "The copy that was being read is gone. Begin again.");
        else if (offset < 0 || (size_t)offset >= t->bytes.len)
                return control_error(PROTOCOL_E_BAD_REQUEST, "There is nothing at that offset.");

        page = page_of(t, (size_t)offset);
        if (page && (size_t)offset + PROTOCOL_PAGE_BYTES >= t->bytes.len)
                backend_transfer_drop(b);
        return control_result(page);
}

/* ---- restore ---- */

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* -EINVAL: it is no hex, or more than fits. */
static int put_hex(struct buf *to, const char *hex) {
        size_t n = strlen(hex);

        if (n % 2 != 0)
                return -EINVAL;
        for (size_t i = 0; i < n; i += 2) {
                int high = digit(hex[i]), low = digit(hex[i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                buf_put_u8(to, (uint8_t)(high << 4 | low));
        }
        return to->failed ? -EINVAL : 0;
}

static json_t *begin(struct backend *b, json_int_t size) {
        struct backend_transfer *t = backend_transfer(b);

        if (size <= 0 || size > backend_transfer_max(b))
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "A file of that size is no backup of this device.");
        backend_transfer_drop(b);
        t->bytes = (struct buf){ malloc((size_t)size), 0, (size_t)size, false };
        if (!t->bytes.data)
                return manage_failed("The backup could not be taken", -ENOMEM);
        t->incoming = true;
        return NULL;
}

static json_t *describe(const struct backend_restored *done) {
        return json_pack("{s:I,s:I,s:b,s:s?}", "added", (json_int_t)done->added, "made",
                         (json_int_t)done->made, "replaced", done->replaced, "aside",
                         *done->aside ? done->aside : NULL);
}

static json_t *restore(struct backend *b) {
        struct backend_transfer *t = backend_transfer(b);
        struct backend_restored done = { 0 };
        struct backup backup;
        char text[1024] = "";
        struct buf reason = { (uint8_t *)text, 0, sizeof(text) - 1, false };
        int r;

        if (backup_read(buf_bytes(&t->bytes), &backup) < 0)
                return control_error(PROTOCOL_E_FOREIGN, "That file is no backup of tpmauthn.");
        r = backend_restore(b, &backup, &done, &reason);
        if (r == 0)
                return control_result(describe(&done));
        text[reason.len] = '\0';
        if (r == -EPERM)
                return control_error(PROTOCOL_E_FOREIGN, "%s", text);
        return *text ? control_error(PROTOCOL_E_FAILED, "%s", text)
                     : manage_failed("The backup could not be restored", r);
}

json_t *manage_restore(struct backend *b, const json_t *params) {
        json_int_t offset = json_integer_value(json_object_get(params, "offset"));
        json_int_t size = json_integer_value(json_object_get(params, "size"));
        const char *data = json_string_value(json_object_get(params, "data"));
        struct backend_transfer *t = backend_transfer(b);
        json_t *body = offset == 0 ? begin(b, size) : NULL;

        if (body)
                return body;
        if (!t->incoming || (size_t)offset != t->bytes.len || (size_t)size != t->bytes.cap)
                return control_error(PROTOCOL_E_FAILED,
                                     "The backup that was being sent is gone. Begin again.");
        if (put_hex(&t->bytes, data) < 0) {
                backend_transfer_drop(b);
                return control_error(PROTOCOL_E_BAD_REQUEST, "\"data\" must be hex, and fit.");
        }
        if (t->bytes.len < t->bytes.cap)
                return control_result(json_pack("{s:I}", "received", (json_int_t)t->bytes.len));

        body = restore(b);
        backend_transfer_drop(b);
        return body;
}
