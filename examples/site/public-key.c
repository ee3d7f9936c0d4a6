/* SPDX-License-Identifier: BSD-2-Clause */

/* What each algorithm's key has to have is a table: a key with anything else about it is none. */

#include "examples/site/public-key.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/es384.h>
#include <fido/rs256.h>
#include <string.h>

#include "examples/site/cbor.h"

static const struct form {
        const char *name;
        int64_t algorithm;
        int64_t type;  /* label 1 */
        int64_t curve; /* label -1, or 0: the first number is there */
        int64_t labels[2];
        size_t sizes[2]; /* 0: there is no second number */
} forms[] = {
        { "ES256", ALGORITHM_ES256, 2, 1, { -2, -3 }, { 32, 32 } },
        { "EdDSA", ALGORITHM_EDDSA, 1, 6, { -2, 0 }, { 32, 0 } },
        { "ES384", ALGORITHM_ES384, 2, 2, { -2, -3 }, { 48, 48 } },
        { "RS256", ALGORITHM_RS256, 3, 0, { -1, -2 }, { 256, 3 } },
};

static const struct form *form_of(int64_t algorithm) {
        for (size_t i = 0; i < ELEMENTSOF(forms); i++)
                if (forms[i].algorithm == algorithm)
                        return &forms[i];
        return NULL;
}

const char *algorithm_name(int64_t algorithm) {
        const struct form *form = form_of(algorithm);

        return form ? form->name : NULL;
}

static bool has_number(struct slice cose, int64_t label, int64_t number) {
        struct item item;
        int64_t n;

        return item_by_number(cose, label, &item) && item_int(&item, &n) && n == number;
}

static bool get_bytes(struct slice cose, int64_t label, size_t size, struct slice *ret) {
        struct item item;

        if (!item_by_number(cose, label, &item) || item.kind != ITEM_BYTES ||
            item.content.len != size)
                return false;
        *ret = item.content;
        return true;
}

enum refusal public_key_parse(struct slice cose, struct public_key *ret) {
        struct public_key k = { .y = SLICE_NULL };
        const struct form *form;
        struct item item;
        int64_t algorithm;

        if (cose.len > PUBLIC_KEY_MAX || !item_by_number(cose, 3, &item) ||
            !item_int(&item, &algorithm))
                return REFUSED_PUBLIC_KEY;
        form = form_of(algorithm);
        if (!form)
                return REFUSED_ALGORITHM;
        if (!has_number(cose, 1, form->type) || (form->curve && !has_number(cose, -1, form->curve)))
                return REFUSED_PUBLIC_KEY;
        if (!get_bytes(cose, form->labels[0], form->sizes[0], &k.x))
                return REFUSED_PUBLIC_KEY;
        if (form->sizes[1] > 0 && !get_bytes(cose, form->labels[1], form->sizes[1], &k.y))
                return REFUSED_PUBLIC_KEY;
        k.algorithm = (enum algorithm)algorithm;
        *ret = k;
        return REFUSED_NOTHING;
}

static void *new_key(enum algorithm algorithm) {
        switch (algorithm) {
        case ALGORITHM_ES256:
                return es256_pk_new();
        case ALGORITHM_EDDSA:
                return eddsa_pk_new();
        case ALGORITHM_ES384:
                return es384_pk_new();
        case ALGORITHM_RS256:
                return rs256_pk_new();
        }
        return NULL;
}

static int fill_key(enum algorithm algorithm, void *key, struct slice raw) {
        switch (algorithm) {
        case ALGORITHM_ES256:
                return es256_pk_from_ptr(key, raw.data, raw.len);
        case ALGORITHM_EDDSA:
                return eddsa_pk_from_ptr(key, raw.data, raw.len);
        case ALGORITHM_ES384:
                return es384_pk_from_ptr(key, raw.data, raw.len);
        case ALGORITHM_RS256:
                return rs256_pk_from_ptr(key, raw.data, raw.len);
        }
        return FIDO_ERR_INTERNAL;
}

void *public_key_to_fido(const struct public_key *k) {
        uint8_t raw[PUBLIC_KEY_MAX];
        void *key = new_key(k->algorithm);

        if (!key)
                return NULL;
        memcpy(raw, k->x.data, k->x.len);
        if (k->y.len > 0)
                memcpy(raw + k->x.len, k->y.data, k->y.len);
        if (fill_key(k->algorithm, key, SLICE(raw, k->x.len + k->y.len)) != FIDO_OK) {
                free_fido_key(k->algorithm, key);
                return NULL;
        }
        return key;
}

void free_fido_key(enum algorithm algorithm, void *key) {
        switch (algorithm) {
        case ALGORITHM_ES256:
                es256_pk_free(&(es256_pk_t *){ key });
                break;
        case ALGORITHM_EDDSA:
                eddsa_pk_free(&(eddsa_pk_t *){ key });
                break;
        case ALGORITHM_ES384:
                es384_pk_free(&(es384_pk_t *){ key });
                break;
        case ALGORITHM_RS256:
                rs256_pk_free(&(rs256_pk_t *){ key });
                break;
        }
}
