/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * COSE algorithms as data: see cose.h. A fully specified id (RFC 9864) makes the same key as the
 * older one beside it; only the id that is written back differs.
 *
 * getInfo lists just the older ids. Firefox took a key that listed an id it did not know for U2F
 * only (GI3), and an RP that asks for a fully specified id has the older one in its list as well.
 *
 * RS256 is what Windows Hello made for years, so a few RPs ask for nothing else. A TPM takes seconds to
 * make an RSA key, and every other RP takes ES256 as well: so it comes last, also where a request names
 * it first.
 */

#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/descriptor.h"

enum {
        KEY_TYPE_EC2 = 2,
        KEY_TYPE_RSA = 3,
        CURVE_P256 = 1,
        CURVE_P384 = 2,
};

/* In order of preference. */
static const struct ctap_cose algorithms[] = {
        { CTAP_COSE_ES256, CTAP_KEY_P256, CURVE_P256, 32, .listed = true },
        { CTAP_COSE_ES384, CTAP_KEY_P384, CURVE_P384, 48, .listed = true },
        { CTAP_COSE_ESP256, CTAP_KEY_P256, CURVE_P256, 32, .listed = false },
        { CTAP_COSE_ESP384, CTAP_KEY_P384, CURVE_P384, 48, .listed = false },
        { CTAP_COSE_RS256, CTAP_KEY_RSA2048, 0, 0, .listed = true, .last_resort = true },
};

static bool is_offered(const struct ctap_cose *alg, unsigned offered) {
        return offered & 1u << alg->type;
}

const struct ctap_cose *ctap_cose_find(int64_t id, unsigned offered) {
        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++)
                if (algorithms[i].id == id && is_offered(&algorithms[i], offered))
                        return &algorithms[i];
        return NULL;
}

struct param {
        struct cbor_value alg, type;
};

static const struct cbor_field param_fields[] = {
        { "alg", 0, CBOR_KIND_INT, true, offsetof(struct param, alg) },
        { "type", 0, CBOR_KIND_TEXT, true, offsetof(struct param, type) },
};

/* The first of two, unless it is one that is made only where nothing else will do. */
static const struct ctap_cose *prefer(const struct ctap_cose *a, const struct ctap_cose *b) {
        return !a || (b && a->last_resort && !b->last_resort) ? b : a;
}

enum ctap_status ctap_cose_choose(const struct cbor_value *params, unsigned offered,
                                  const struct ctap_cose **ret) {
        const struct ctap_cose *alg = NULL;
        struct bytes left = params->elements;

        for (uint32_t i = 0; i < params->n; i++) {
                const struct cbor_value item = cbor_next(&left);
                struct param p = { 0 };
                enum ctap_status s;

                s = cbor_read_map(&item, param_fields, ELEMENTSOF(param_fields), &p);
                if (s != CTAP_OK)
                        return s;
                if (ctap_is_public_key(&p.type))
                        alg = prefer(alg, ctap_cose_find(p.alg.integer, offered));
        }
        *ret = alg;
        return CTAP_OK;
}

const struct ctap_cose *ctap_cose_listed(size_t nth, unsigned offered) {
        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++)
                if (algorithms[i].listed && is_offered(&algorithms[i], offered) && nth-- == 0)
                        return &algorithms[i];
        return NULL;
}

int ctap_cose_hash(const struct ctap_cose *alg, const struct bytes *parts, size_t n_parts,
                   struct ctap_digest *ret) {
        struct ctap_digest made = { 0 };
        struct sha256 d256;
        struct sha384 d384;
        struct cursor in;
        int r;

        if (alg->type == CTAP_KEY_P384) {
                r = ctap_sha384(parts, n_parts, &d384);
                in = (struct cursor){ BYTES_OF(d384), false };
        } else {
                r = ctap_sha256(parts, n_parts, &d256);
                in = (struct cursor){ BYTES_OF(d256), false };
        }
        if (r < 0)
                return r;

        made.len = (uint8_t)in.left.len;
        cursor_copy(&in, made.b, made.len);
        *ret = made;
        return 0;
}

struct bytes ctap_digest_bytes(const struct ctap_digest *d) {
        return BYTES(d->b, d->len);
}

static void put_ec2(struct cbor_writer *w, const struct ctap_cose *alg,
                    const struct ctap_public_key *key) {
        cbor_put_map(w, 5);
        cbor_put_int(w, 1);
        cbor_put_int(w, KEY_TYPE_EC2);
        cbor_put_int(w, 3);
        cbor_put_int(w, alg->id);
        cbor_put_int(w, -1);
        cbor_put_int(w, alg->curve);
        cbor_put_int(w, -2);
        cbor_put_bytes(w, BYTES(key->x, alg->field_size));
        cbor_put_int(w, -3);
        cbor_put_bytes(w, BYTES(key->y, alg->field_size));
}

/* RFC 8230, 4. */
static void put_rsa(struct cbor_writer *w, const struct ctap_cose *alg,
                    const struct ctap_public_key *key) {
        static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };

        cbor_put_map(w, 4);
        cbor_put_int(w, 1);
        cbor_put_int(w, KEY_TYPE_RSA);
        cbor_put_int(w, 3);
        cbor_put_int(w, alg->id);
        cbor_put_int(w, -1);
        cbor_put_bytes(w, BYTES_OF(key->modulus));
        cbor_put_int(w, -2);
        cbor_put_bytes(w, BYTES_OF(exponent));
}

void ctap_cose_put_key(struct cbor_writer *w, const struct ctap_cose *alg,
                       const struct ctap_public_key *key) {
        if (alg->type == CTAP_KEY_RSA2048)
                put_rsa(w, alg, key);
        else
                put_ec2(w, alg, key);
}
