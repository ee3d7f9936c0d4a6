/* SPDX-License-Identifier: BSD-2-Clause */

/* Salts in, HMACs out: see hmac-secret.h. */

#include <errno.h>

#include "ctap/command.h"
#include "ctap/hmac-secret.h"

struct input {
        struct cbor_value key, salt_enc, salt_auth, protocol;
};

static const struct cbor_field input_fields[] = {
        { NULL, 0x01, CBOR_KIND_MAP, true, offsetof(struct input, key) },
        { NULL, 0x02, CBOR_KIND_BYTES, true, offsetof(struct input, salt_enc) },
        { NULL, 0x03, CBOR_KIND_BYTES, true, offsetof(struct input, salt_auth) },
        { NULL, 0x04, CBOR_KIND_INT, false, offsetof(struct input, protocol) },
};

void ctap_salts_wipe(struct ctap_salts *s) {
        OPENSSL_cleanse(s, sizeof(*s));
}

static enum ctap_status decrypt_salts(struct bytes salt_enc, struct ctap_salts *s) {
        struct buf plain = BUF_ON(s->salts.b);
        int r;

        r = ctap_secret_decrypt(&s->shared, salt_enc, &plain);
        if (r == -EBADMSG || r == -EMSGSIZE)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (r < 0)
                return ctap_status_from_errno(r);
        if (plain.len != 32 && plain.len != 64)
                return CTAP1_ERR_INVALID_PARAMETER;
        s->len = (uint8_t)plain.len;
        return CTAP_OK;
}

enum ctap_status ctap_salts_open(struct ctap_key_agreement *agreement,
                                 const struct cbor_value *input, struct ctap_salts *ret) {
        _cleanup_(ctap_salts_wipe) struct ctap_salts made = { 0 };
        struct input in = { 0 };
        int64_t protocol;
        enum ctap_status s;

        s = cbor_read_map(input, input_fields, ELEMENTSOF(input_fields), &in);
        if (s != CTAP_OK)
                return s;
        protocol = in.protocol.kind == CBOR_KIND_ABSENT ? 1 : in.protocol.integer;
        if (!ctap_pin_protocol_exists(protocol))
                return CTAP1_ERR_INVALID_PARAMETER;

        s = ctap_decapsulate(agreement, (unsigned)protocol, &in.key, &made.shared);
        if (s != CTAP_OK)
                return s;
        if (!ctap_secret_verify(&made.shared, in.salt_enc.string, in.salt_auth.string))
                return CTAP2_ERR_PIN_AUTH_INVALID;
        s = decrypt_salts(in.salt_enc.string, &made);
        if (s != CTAP_OK)
                return s;

        *ret = made;
        return CTAP_OK;
}

int ctap_cred_random_make(struct ctap_keys *keys, struct ctap_row *row) {
        int r;

        r = keys->ops->secret_create(keys, CTAP_CLASS_A, &row->cred_random);
        if (r < 0)
                return r;
        return keys->ops->secret_create(keys, CTAP_CLASS_B, &row->cred_random_uv);
}

int ctap_cred_random_need(const struct ctap_env *env, struct ctap_row *row) {
        int r;

        if (row->cred_random.len > 0)
                return 0;
        r = ctap_cred_random_make(env->keys, row);
        if (r < 0)
                return r;
        return env->store->ops->set_cred_random(env->store, &row->id, &row->cred_random,
                                                &row->cred_random_uv);
}

int ctap_hmac_secret(const struct ctap_env *env, const struct ctap_salts *s,
                     const struct ctap_row *row, const struct ctap_ticket *ticket,
                     struct buf *out) {
        const struct ctap_secret_blob *key = ticket ? &row->cred_random_uv : &row->cred_random;
        _cleanup_(secret64_wipe) struct secret64 hmacs = { { 0 } };
        int r;

        r = env->keys->ops->secret_hmac(env->keys, BYTES(key->data, key->len), ticket,
                                        BYTES(s->salts.b, s->len), &hmacs);
        if (r < 0)
                return r;
        return ctap_secret_encrypt(&s->shared, env->rng, BYTES(hmacs.b, s->len), out);
}
