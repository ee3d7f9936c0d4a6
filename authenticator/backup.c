/* SPDX-License-Identifier: BSD-2-Clause */

/* The trailer of a backup: see backup.h. It is read from its end. */

#include "authenticator/backup.h"

#include <errno.h>
#include <string.h>

#include "ctap/crypto.h"

#define MAGIC       "tpmauthn backup1"
#define MAGIC_SIZE  (sizeof(MAGIC) - 1)
#define FOOTER_SIZE (4 + MAGIC_SIZE + sizeof(struct sha256))

static int mac(const struct secret32 *store_key, struct bytes covered, struct sha256 *ret) {
        struct secret32 key;
        int r = ctap_hkdf_sha256(store_key, "tpmauthn backup", &key);

        if (r == 0)
                r = ctap_hmac_sha256(&key, covered, ret);
        secret32_wipe(&key);
        return r;
}

int backup_finish(struct buf *out, int64_t time, const char *instance,
                  const struct tpm_state *state, const struct secret32 *store_key) {
        size_t begin = out->len;
        struct sha256 tag;
        int r;

        buf_put_u64(out, (uint64_t)time);
        buf_put_string16(out, BYTES_TEXT(instance));
        buf_put_string16(out, BYTES(state->data, state->len));
        buf_put_u32(out, (uint32_t)(out->len - begin));
        buf_put(out, BYTES_TEXT(MAGIC));
        r = buf_error(out);
        if (r == 0)
                r = mac(store_key, buf_bytes(out), &tag);
        if (r < 0)
                return r;
        buf_put(out, BYTES_OF(tag));
        return buf_error(out);
}

static int read_trailer(struct bytes trailer, struct backup *ret) {
        struct cursor c = { trailer, false };
        struct bytes state;

        ret->time = (int64_t)cursor_u64(&c);
        ret->instance = cursor_string16(&c);
        state = cursor_string16(&c);
        if (cursor_end(&c) < 0 || state.len > sizeof(ret->state.data))
                return -EBADMSG;
        ret->state.phase = TPM_PHASE_READY;
        ret->state.len = (uint16_t)state.len;
        if (state.len > 0)
                memcpy(ret->state.data, state.data, state.len);
        return 0;
}

int backup_read(struct bytes in, struct backup *ret) {
        struct cursor footer;
        struct backup b = { 0 };
        uint32_t n;

        if (in.len < FOOTER_SIZE)
                return -EBADMSG;
        footer = (struct cursor){ BYTES(in.data + in.len - FOOTER_SIZE, FOOTER_SIZE), false };
        n = cursor_u32(&footer);
        if (!bytes_equal(cursor_take(&footer, MAGIC_SIZE), BYTES_TEXT(MAGIC)))
                return -EBADMSG;
        b.mac = cursor_take(&footer, sizeof(struct sha256));
        if (n > in.len - FOOTER_SIZE)
                return -EBADMSG;
        b.covered = BYTES(in.data, in.len - sizeof(struct sha256));
        b.image = BYTES(in.data, in.len - FOOTER_SIZE - n);
        if (read_trailer(BYTES(in.data + b.image.len, n), &b) < 0)
                return -EBADMSG;
        *ret = b;
        return 0;
}

bool backup_is_genuine(const struct backup *b, const struct secret32 *store_key) {
        struct sha256 tag;

        return mac(store_key, b->covered, &tag) == 0 && bytes_equal_secret(BYTES_OF(tag), b->mac);
}
