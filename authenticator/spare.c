/* SPDX-License-Identifier: BSD-2-Clause */

/* The spare key: see spare.h. */

#include "authenticator/spare.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <syslog.h>

#include "ctap/crypto.h"

static int authenticate(const struct spare *s, const struct ctap_key_blob *key,
                        struct sha256 *ret) {
        _cleanup_(secret32_wipe) struct secret32 mac = { 0 };
        const struct secret32 *store_key = tpm_store_key(s->tpm);
        int r;

        if (!store_key)
                return -EINVAL;
        r = ctap_hkdf_sha256(store_key, "tpmauthn spare key", &mac);
        return r < 0 ? r : ctap_hmac_sha256(&mac, BYTES(key->data, key->len), ret);
}

/* From now on there is none, and one is wanted. */
static int clear(struct spare *s) {
        const struct store_spare none = { .key.len = 0 };
        int r = store_set_spare(s->store, &none);

        if (r == 0)
                s->state = SPARE_MISSING;
        return r;
}

int spare_begin(struct spare *s, struct store *store, struct tpm *tpm, bool orderly) {
        struct store_spare kept;
        int r;

        *s = (struct spare){ .store = store, .tpm = tpm, .state = SPARE_UNWANTED };
        r = store_get_spare(store, &kept);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        s->state = kept.key.len > 0 ? SPARE_READY : SPARE_MISSING;
        return s->state == SPARE_READY && !orderly ? clear(s) : 0;
}

/* -ENOENT: it went at a try before, which failed after that. */
static int take_out(struct spare *s, struct store_spare *ret) {
        int r = store_get_spare(s->store, ret);

        if (r == 0)
                r = clear(s);
        return r == 0 && ret->key.len == 0 ? -ENOENT : r;
}

int spare_take(struct spare *s, struct ctap_key_blob *ret) {
        struct store_spare kept;
        struct sha256 tag;

        if (s->state == SPARE_UNWANTED)
                (void)!clear(s); /* what fails was told, and one is wanted the next time */
        if (s->state != SPARE_READY || take_out(s, &kept) < 0)
                return -ENOENT;
        if (authenticate(s, &kept.key, &tag) < 0)
                return -ENOENT;
        if (CRYPTO_memcmp(&tag, &kept.tag, sizeof(tag)) != 0) {
                store_log(s->store, LOG_WARNING,
                          "the key that was made ahead was changed on the disk; it is not used");
                return -ENOENT;
        }
        *ret = kept.key;
        return 0;
}

void spare_make(struct spare *s) {
        struct store_spare made;
        int r;

        if (s->state != SPARE_MISSING)
                return;
        r = tpm_make_spare(s->tpm, &made.key);
        if (r == 0)
                r = authenticate(s, &made.key, &made.tag);
        if (r == 0)
                r = store_set_spare(s->store, &made);
        s->state = r < 0 ? SPARE_GIVEN_UP : SPARE_READY;
}
