/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The scripted world: see fake.h. Each port function begins with called(), which writes the trace
 * and decides whether this call is the one that fails; a failed call changes nothing. What a caller
 * must not do (wait without a question, sign with a digest of the wrong size) ends the test.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/macro.h"
#include "tests/fake/attest.h"
#include "tests/fake/fake.h"
#include "tests/fake/rsa.h"
#include "tests/unit/test.h"

struct ctap_loaded_key {
        EVP_PKEY *pkey;
        enum ctap_key_type type;
        enum ctap_key_class class;
        const struct ctap_ticket *ticket;
};

static int fails(struct fake *f, const char *name) {
        if (f->fail_in == 0 || (f->fail_call && strcmp(f->fail_call, name) != 0))
                return 0;
        return --f->fail_in == 0 ? f->fail_with : 0;
}

static void note(struct fake *f, const char *name) {
        size_t used = strlen(f->trace);

        assert_true(used + strlen(name) + 2 < sizeof(f->trace));
        snprintf(f->trace + used, sizeof(f->trace) - used, "%s%s", used > 0 ? " " : "", name);
}

static int called(struct fake *f, const char *name) {
        note(f, name);
        return fails(f, name);
}

void fake_fail(struct fake *f, const char *call, unsigned nth, int error) {
        f->fail_call = call;
        f->fail_in = nth;
        f->fail_with = error;
}

bool fake_mend(struct fake *f) {
        bool was_waiting = f->fail_in > 0;

        f->fail_in = 0;
        return was_waiting;
}

void fake_forget_trace(struct fake *f) {
        f->trace[0] = '\0';
}

unsigned fake_calls(const struct fake *f, const char *call) {
        size_t len = strlen(call);
        unsigned n = 0;

        for (const char *at = f->trace; *at != '\0';) {
                size_t word = strcspn(at, " ");

                n += word == len && memcmp(at, call, len) == 0;
                at += word + strspn(at + word, " ");
        }
        return n;
}

/* ---- keys ---- */

static struct fake *of_keys(struct ctap_keys *k) {
        return container_of(k, struct fake, keys);
}

static unsigned keys_offered(struct ctap_keys *k) {
        return of_keys(k)->offered;
}

static void number_of(EVP_PKEY *pkey, const char *name, uint8_t *to, int size) {
        BIGNUM *bn = NULL;

        assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &bn), 1);
        assert_int_equal(BN_bn2binpad(bn, to, size), size);
        BN_free(bn);
}

static struct ctap_public_key public_of(EVP_PKEY *pkey, enum ctap_key_type type) {
        struct ctap_public_key public = { .type = type };
        int size = type == CTAP_KEY_P256 ? 32 : 48;

        if (type == CTAP_KEY_RSA2048) {
                number_of(pkey, OSSL_PKEY_PARAM_RSA_N, public.modulus, sizeof(public.modulus));
                return public;
        }
        number_of(pkey, OSSL_PKEY_PARAM_EC_PUB_X, public.x, size);
        number_of(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, public.y, size);
        return public;
}

/* NULL: not what keys_create() made. */
static EVP_PKEY *decode(struct bytes blob) {
        const uint8_t *at;

        if (blob.len < 5 || memcmp(blob.data, "FK", 2) != 0 || blob.data[2] >= _CTAP_KEY_TYPES)
                return NULL;
        at = blob.data + 4;
        return d2i_AutoPrivateKey(NULL, &at, (long)(blob.len - 4));
}

/* OpenSSL takes longer to find a decoder than to sign. */
static void remember_key(struct fake *f, struct bytes blob, EVP_PKEY *pkey) {
        struct fake_key *k = &f->known[f->n_known++ % ELEMENTSOF(f->known)];

        EVP_PKEY_free(k->pkey);
        assert_int_equal(EVP_PKEY_up_ref(pkey), 1);
        k->pkey = pkey;
        k->len = blob.len;
        memcpy(k->blob, blob.data, blob.len);
}

static EVP_PKEY *private_of(struct fake *f, struct bytes blob) {
        EVP_PKEY *pkey;

        for (size_t i = 0; i < ELEMENTSOF(f->known); i++)
                if (bytes_equal(blob, BYTES(f->known[i].blob, f->known[i].len))) {
                        EVP_PKEY_up_ref(f->known[i].pkey);
                        return f->known[i].pkey;
                }
        pkey = decode(blob);
        if (pkey)
                remember_key(f, blob, pkey);
        return pkey;
}

static EVP_PKEY *new_key(struct fake *f, enum ctap_key_type type) {
        if (type == CTAP_KEY_RSA2048)
                return fake_rsa_key(f->n_rsa++);
        return EVP_EC_gen(type == CTAP_KEY_P256 ? "P-256" : "P-384");
}

static int keys_create(struct ctap_keys *k, enum ctap_key_type type, enum ctap_key_class class,
                       struct ctap_key_blob *ret_blob, struct ctap_public_key *ret_public) {
        struct ctap_key_blob blob = { .data = { 'F', 'K', (uint8_t)type, (uint8_t) class } };
        struct fake *f = of_keys(k);
        uint8_t *at = blob.data + 4;
        EVP_PKEY *pkey;
        int r, size;

        r = called(f, "create");
        if (r < 0)
                return r;
        assert_true(type < _CTAP_KEY_TYPES && (f->offered & 1u << type));
        assert_true(class == CTAP_CLASS_A || class == CTAP_CLASS_B);

        pkey = new_key(f, type);
        assert_non_null(pkey);
        size = i2d_PrivateKey(pkey, &at);
        assert_in_range(size, 1, CTAP_KEY_BLOB_MAX - 4);
        blob.len = (uint16_t)(size + 4);
        *ret_blob = blob;
        *ret_public = public_of(pkey, type);
        remember_key(f, BYTES(blob.data, blob.len), pkey);
        EVP_PKEY_free(pkey);
        return 0;
}

static int keys_public_key(struct ctap_keys *k, struct bytes blob, struct ctap_public_key *ret) {
        EVP_PKEY *pkey;
        int r;

        r = called(of_keys(k), "public_key");
        if (r < 0)
                return r;
        pkey = private_of(of_keys(k), blob);
        if (!pkey)
                return -EKEYREJECTED;
        *ret = public_of(pkey, blob.data[2]);
        EVP_PKEY_free(pkey);
        return 0;
}

/* ticket = epoch, end of its life */
static int check_ticket(const struct fake *f, enum ctap_key_class class,
                        const struct ctap_ticket *ticket) {
        struct cursor c;

        if (class != CTAP_CLASS_B)
                return 0;
        if (!ticket || ticket->len == 0)
                return -EKEYEXPIRED;
        c = (struct cursor){ BYTES(ticket->data, ticket->len), false };
        if (cursor_u32(&c) != f->epoch || cursor_u64(&c) <= f->now_ms || cursor_end(&c) < 0)
                return -EKEYEXPIRED;
        return 0;
}

static int load_key(struct fake *f, struct bytes blob, const struct ctap_ticket *ticket,
                    struct ctap_loaded_key **ret) {
        struct ctap_loaded_key *key;
        EVP_PKEY *pkey = private_of(f, blob);

        if (!pkey)
                return -EKEYREJECTED;
        key = calloc(1, sizeof(*key));
        assert_non_null(key);
        key->type = blob.data[2];
        key->class = blob.data[3];
        key->ticket = ticket;
        key->pkey = pkey;
        f->n_loaded++;
        *ret = key;
        return 0;
}

static void free_key(struct fake *f, struct ctap_loaded_key *key) {
        assert_true(f->n_loaded > 0);
        f->n_loaded--;
        EVP_PKEY_free(key->pkey);
        free(key);
}

static int keys_load(struct ctap_keys *k, struct bytes blob, const struct ctap_ticket *ticket,
                     struct ctap_loaded_key **ret) {
        struct fake *f = of_keys(k);
        struct ctap_loaded_key *key;
        int r;

        r = called(f, "load");
        if (r == 0)
                r = load_key(f, blob, ticket, &key);
        if (r < 0)
                return r;
        r = check_ticket(f, key->class, ticket);
        if (r < 0)
                free_key(f, key);
        else
                *ret = key;
        return r;
}

static int keys_sign(struct ctap_keys *k, struct ctap_loaded_key *key, struct bytes digest,
                     struct ctap_signature *ret) {
        size_t len = sizeof(ret->data);
        EVP_PKEY_CTX *ctx;
        int r;

        r = called(of_keys(k), "sign");
        if (r < 0)
                return r;
        assert_non_null(key);
        r = check_ticket(of_keys(k), key->class, key->ticket);
        if (r < 0)
                return r;
        assert_int_equal(digest.len, key->type == CTAP_KEY_P384 ? 48 : 32);

        ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
        assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
        if (key->type == CTAP_KEY_RSA2048) {
                assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
                assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
        }
        assert_int_equal(EVP_PKEY_sign(ctx, ret->data, &len, digest.data, digest.len), 1);
        EVP_PKEY_CTX_free(ctx);
        ret->len = (uint16_t)len;
        return 0;
}

static void keys_unload(struct ctap_keys *k, struct ctap_loaded_key *key) {
        struct fake *f = of_keys(k);

        if (!key)
                return;
        note(f, "unload");
        free_key(f, key);
}

static int keys_secret_create(struct ctap_keys *k, enum ctap_key_class class,
                              struct ctap_secret_blob *ret) {
        struct ctap_secret_blob blob = { .len = 3 + 32, .data = { 'F', 'S', (uint8_t) class } };
        struct fake *f = of_keys(k);
        int r;

        r = called(f, "secret_create");
        if (r < 0)
                return r;
        for (size_t i = 3; i < blob.len; i++)
                blob.data[i] = (uint8_t)(rand_r(&f->secret_seed) >> 4);
        *ret = blob;
        return 0;
}

static int keys_secret_hmac(struct ctap_keys *k, struct bytes blob,
                            const struct ctap_ticket *ticket, struct bytes salts,
                            struct secret64 *ret) {
        struct fake *f = of_keys(k);
        unsigned len = 32;
        int r;

        r = called(f, "secret_hmac");
        if (r < 0)
                return r;
        if (blob.len != 3 + 32 || memcmp(blob.data, "FS", 2) != 0)
                return -EKEYREJECTED;
        r = check_ticket(f, blob.data[2], ticket);
        if (r < 0)
                return r;
        assert_true(salts.len == 32 || salts.len == 64);
        for (size_t i = 0; i < salts.len; i += 32)
                assert_non_null(HMAC(EVP_sha256(), blob.data + 3, 32, salts.data + i, 32,
                                     ret->b + i, &len));
        return 0;
}

static bool is_pin(const struct fake *f, const struct ctap_pin_hash *pin) {
        return f->has_pin ? pin && memcmp(pin, &f->pin, sizeof(*pin)) == 0 : !pin;
}

static enum ctap_pin_verdict judge(struct fake *f, const struct ctap_pin_hash *pin) {
        if (f->pin_later)
                return CTAP_PIN_LATER;
        if (f->pin_count >= CTAP_PIN_TRIES_MAX)
                return CTAP_PIN_BLOCKED;
        if (!is_pin(f, pin)) {
                f->pin_count++;
                return CTAP_PIN_WRONG;
        }
        f->pin_count = 0;
        return CTAP_PIN_RIGHT;
}

static int keys_pin_verify(struct ctap_keys *k, const struct ctap_pin_hash *pin, uint32_t seconds,
                           enum ctap_pin_verdict *ret, struct ctap_ticket *ret_ticket) {
        struct fake *f = of_keys(k);
        struct ctap_ticket ticket = { 0 };
        struct buf b = BUF_ON(ticket.data);
        int r;

        r = called(f, "pin_verify");
        if (r < 0)
                return r;
        *ret = judge(f, pin);
        if (*ret != CTAP_PIN_RIGHT)
                return 0;
        buf_put_u32(&b, f->epoch);
        buf_put_u64(&b, f->now_ms + 1000ull * seconds);
        ticket.len = (uint16_t)b.len;
        *ret_ticket = ticket;
        return 0;
}

static int keys_pin_change(struct ctap_keys *k, const struct ctap_pin_hash *old,
                           const struct ctap_pin_hash *new, enum ctap_pin_verdict *ret) {
        struct fake *f = of_keys(k);
        int r;

        r = called(f, "pin_change");
        if (r < 0)
                return r;
        *ret = judge(f, old);
        if (*ret != CTAP_PIN_RIGHT)
                return 0;
        f->pin = *new;
        f->has_pin = true;
        if (f->pin_unheard) {
                f->pin_unheard = false;
                return -EIO;
        }
        return 0;
}

static int keys_pin_retries(struct ctap_keys *k, uint8_t *ret) {
        struct fake *f = of_keys(k);
        int r;

        r = called(f, "pin_retries");
        if (r < 0)
                return r;
        *ret = (uint8_t)(CTAP_PIN_TRIES_MAX - f->pin_count);
        return 0;
}

static int keys_ticket_check(struct ctap_keys *k, const struct ctap_ticket *ticket) {
        struct fake *f = of_keys(k);
        int r;

        r = called(f, "ticket_check");
        return r < 0 ? r : check_ticket(f, CTAP_CLASS_B, ticket);
}

static const struct ctap_keys_ops keys_ops = {
        .offered = keys_offered,
        .create = keys_create,
        .public_key = keys_public_key,
        .load = keys_load,
        .sign = keys_sign,
        .unload = keys_unload,
        .secret_create = keys_secret_create,
        .secret_hmac = keys_secret_hmac,
        .pin_verify = keys_pin_verify,
        .pin_change = keys_pin_change,
        .pin_retries = keys_pin_retries,
        .ticket_check = keys_ticket_check,
};

/* ---- store ---- */

static struct fake *of_store(struct ctap_store *s) {
        return container_of(s, struct fake, store);
}

static bool same_hash(const struct sha256 *a, const struct sha256 *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

static struct ctap_row *row_of(struct fake *f, const struct ctap_credential_id *id) {
        for (uint32_t i = 0; i < f->n_rows; i++)
                if (memcmp(&f->rows[i].id, id, sizeof(*id)) == 0)
                        return &f->rows[i];
        return NULL;
}

/* It counts: no value comes twice. */
static void change_state(struct fake *f) {
        size_t i = sizeof(f->state.b);

        while (i > 0 && ++f->state.b[i - 1] == 0)
                i--;
}

static void row_changed(struct fake *f, const struct ctap_row *row) {
        if (row->flags & CTAP_ROW_DISCOVERABLE)
                change_state(f);
}

static void drop_row(struct fake *f, struct ctap_row *row) {
        size_t i = (size_t)(row - f->rows);

        row_changed(f, row);
        memmove(row, row + 1, (f->n_rows - i - 1) * sizeof(*row));
        f->n_rows--;
}

void fake_delete(struct fake *f, const struct ctap_credential_id *id) {
        struct ctap_row *row = row_of(f, id);

        assert_non_null(row);
        drop_row(f, row);
}

static const struct secret32 *store_key(struct ctap_store *s) {
        return &of_store(s)->store_key;
}

static int store_insert(struct ctap_store *s, const struct ctap_row *row) {
        struct fake *f = of_store(s);
        int r;

        r = called(f, "insert");
        if (r < 0)
                return r;
        assert_null(row_of(f, &row->id));

        for (uint32_t i = 0; i < f->n_rows; i++)
                if ((row->flags & CTAP_ROW_DISCOVERABLE) &&
                    (f->rows[i].flags & CTAP_ROW_DISCOVERABLE) &&
                    same_hash(&row->account_tag, &f->rows[i].account_tag)) {
                        drop_row(f, &f->rows[i]);
                        break;
                }
        if (f->n_rows >= f->capacity)
                return -ENOSPC;

        f->rows[f->n_rows] = *row;
        f->rows[f->n_rows].count = 0;
        f->rows[f->n_rows].sequence = ++f->sequence;
        f->n_rows++;
        row_changed(f, row);
        return 0;
}

static int store_find(struct ctap_store *s, const struct ctap_credential_id *id,
                      struct ctap_row *ret) {
        struct fake *f = of_store(s);
        struct ctap_row *row;
        int r;

        r = called(f, "find");
        if (r < 0)
                return r;
        row = row_of(f, id);
        if (!row)
                return -ENOENT;
        *ret = *row;
        return 0;
}

static bool listed(const struct ctap_row *row, const struct sha256 *rp_tag, uint8_t max_protect) {
        return (row->flags & CTAP_ROW_DISCOVERABLE) && row->cred_protect <= max_protect &&
               same_hash(&row->rp_tag, rp_tag);
}

static int store_newest(struct ctap_store *s, const struct sha256 *rp_tag, uint8_t max_protect,
                        uint64_t before, struct ctap_row *ret) {
        struct fake *f = of_store(s);
        int r;

        r = called(f, "newest");
        if (r < 0)
                return r;
        for (uint32_t i = f->n_rows; i > 0; i--)
                if (f->rows[i - 1].sequence < before &&
                    listed(&f->rows[i - 1], rp_tag, max_protect)) {
                        *ret = f->rows[i - 1];
                        return 0;
                }
        return -ENOENT;
}

static int store_prepare_use(struct ctap_store *s) {
        return called(of_store(s), "prepare_use");
}

static int store_use(struct ctap_store *s, const struct ctap_credential_id *id,
                     uint32_t *ret_count) {
        struct fake *f = of_store(s);
        struct ctap_row *row;
        int r;

        r = called(f, "use");
        if (r < 0)
                return r;
        row = row_of(f, id);
        if (!row)
                return -ENOENT;
        if (row->count == UINT32_MAX)
                return -EOVERFLOW;
        *ret_count = ++row->count;
        return 0;
}

static int store_set_cred_random(struct ctap_store *s, const struct ctap_credential_id *id,
                                 const struct ctap_secret_blob *cred_random,
                                 const struct ctap_secret_blob *cred_random_uv) {
        struct fake *f = of_store(s);
        struct ctap_row *row;
        int r;

        r = called(f, "set_cred_random");
        if (r < 0)
                return r;
        row = row_of(f, id);
        if (!row)
                return -ENOENT;
        if (row->cred_random.len > 0)
                return -EEXIST;
        row->cred_random = *cred_random;
        row->cred_random_uv = *cred_random_uv;
        return 0;
}

/* Of the RP with the least tag above `after`, the oldest. */
static const struct ctap_row *first_of_rp_above(const struct fake *f, const struct sha256 *after) {
        const struct ctap_row *found = NULL;

        for (uint32_t i = 0; i < f->n_rows; i++) {
                const struct ctap_row *row = &f->rows[i];

                if ((row->flags & CTAP_ROW_DISCOVERABLE) &&
                    (!after || memcmp(&row->rp_tag, after, sizeof(*after)) > 0) &&
                    (!found || memcmp(&row->rp_tag, &found->rp_tag, sizeof(row->rp_tag)) < 0))
                        found = row;
        }
        return found;
}

static int store_next_rp(struct ctap_store *s, const struct sha256 *after, struct ctap_row *ret) {
        struct fake *f = of_store(s);
        const struct ctap_row *row;
        int r;

        r = called(f, "next_rp");
        if (r < 0)
                return r;
        row = first_of_rp_above(f, after);
        if (!row)
                return -ENOENT;
        *ret = *row;
        return 0;
}

static int store_totals(struct ctap_store *s, uint32_t *ret_rps, uint32_t *ret_credentials) {
        struct fake *f = of_store(s);
        const struct ctap_row *row = NULL;
        uint32_t n_rps = 0, n = 0;
        int r;

        r = called(f, "totals");
        if (r < 0)
                return r;
        while ((row = first_of_rp_above(f, row ? &row->rp_tag : NULL)) != NULL)
                n_rps++;
        for (uint32_t i = 0; i < f->n_rows; i++)
                n += (f->rows[i].flags & CTAP_ROW_DISCOVERABLE) != 0;
        *ret_rps = n_rps;
        *ret_credentials = n;
        return 0;
}

static int store_update(struct ctap_store *s, const struct ctap_row *row) {
        struct fake *f = of_store(s);
        struct ctap_row *kept;
        int r;

        r = called(f, "update");
        if (r < 0)
                return r;
        kept = row_of(f, &row->id);
        if (!kept)
                return -ENOENT;
        memcpy(kept->sealed, row->sealed, sizeof(kept->sealed));
        kept->sealed_len = row->sealed_len;
        row_changed(f, kept);
        return 0;
}

static int store_remove(struct ctap_store *s, const struct ctap_credential_id *id) {
        struct fake *f = of_store(s);
        struct ctap_row *row;
        int r;

        r = called(f, "remove");
        if (r < 0)
                return r;
        row = row_of(f, id);
        if (!row)
                return -ENOENT;
        drop_row(f, row);
        return 0;
}

static const struct ctap_store_state *store_state(struct ctap_store *s) {
        return &of_store(s)->state;
}

static const struct ctap_settings *store_settings(struct ctap_store *s) {
        return &of_store(s)->settings;
}

static int store_set_settings(struct ctap_store *s, const struct ctap_settings *settings) {
        struct fake *f = of_store(s);
        int r;

        r = called(f, "set_settings");
        if (r < 0)
                return r;
        assert_true(settings->min_pin_length >= CTAP_MIN_PIN_LENGTH);
        assert_true(settings->uv_retries <= CTAP_UV_RETRIES_MAX);
        assert_true(settings->n_min_pin_length_rps <= CTAP_MIN_PIN_LENGTH_RPS);
        f->settings = *settings;
        return 0;
}

static void empty_large_blobs(struct fake *f) {
        /* An empty CBOR array and the first 16 bytes of its SHA-256 (CTAP 2.3 §6.10). */
        static const uint8_t empty[CTAP_LARGE_BLOBS_EMPTY_SIZE] = {
                0x80, 0x76, 0xbe, 0x8b, 0x52, 0x8d, 0x00, 0x75, 0xf7,
                0xaa, 0xe9, 0x8d, 0x6f, 0xa5, 0x7a, 0x6d, 0x3c,
        };

        memcpy(f->large_blobs, empty, sizeof(empty));
        f->large_blobs_len = sizeof(empty);
}

static uint32_t store_large_blobs_size(struct ctap_store *s) {
        return of_store(s)->large_blobs_len;
}

static int store_large_blobs_read(struct ctap_store *s, uint32_t offset, uint32_t n,
                                  struct buf *out) {
        struct fake *f = of_store(s);
        int r;

        r = called(f, "large_blobs_read");
        if (r < 0)
                return r;
        if (offset > f->large_blobs_len || n > f->large_blobs_len - offset)
                return -EINVAL;
        buf_put(out, BYTES(f->large_blobs + offset, n));
        return buf_error(out);
}

static int store_large_blobs_write(struct ctap_store *s, struct bytes array) {
        struct fake *f = of_store(s);
        int r;

        r = called(f, "large_blobs_write");
        if (r < 0)
                return r;
        assert_in_range(array.len, CTAP_LARGE_BLOBS_EMPTY_SIZE, sizeof(f->large_blobs));
        memcpy(f->large_blobs, array.data, array.len);
        f->large_blobs_len = (uint32_t)array.len;
        return 0;
}

static uint32_t store_remaining(struct ctap_store *s) {
        return of_store(s)->capacity - of_store(s)->n_rows;
}

static int store_reset(struct ctap_store *s) {
        struct fake *f = of_store(s);
        int r;

        r = called(f, "reset");
        if (r < 0)
                return r;
        f->n_rows = 0;
        change_state(f);
        empty_large_blobs(f);
        f->store_key.b[0]++;
        f->settings = CTAP_SETTINGS_DEFAULT;
        f->has_pin = false;
        f->pin_count = 0;
        return 0;
}

static const struct ctap_store_ops store_ops = {
        .key = store_key,
        .insert = store_insert,
        .find = store_find,
        .newest = store_newest,
        .prepare_use = store_prepare_use,
        .use = store_use,
        .set_cred_random = store_set_cred_random,
        .next_rp = store_next_rp,
        .totals = store_totals,
        .update = store_update,
        .remove = store_remove,
        .state = store_state,
        .settings = store_settings,
        .set_settings = store_set_settings,
        .large_blobs_size = store_large_blobs_size,
        .large_blobs_read = store_large_blobs_read,
        .large_blobs_write = store_large_blobs_write,
        .remaining = store_remaining,
        .reset = store_reset,
};

/* ---- presence ---- */

static struct fake *of_presence(struct ctap_presence *p) {
        return container_of(p, struct fake, presence);
}

static struct bytes keep_text(char *to, size_t room, struct bytes text) {
        assert_true(text.len < room);
        if (text.len > 0)
                memcpy(to, text.data, text.len);
        to[text.len] = '\0';
        return BYTES(to, text.len);
}

static int presence_begin(struct ctap_presence *p, const struct ctap_prompt *prompt) {
        struct fake *f = of_presence(p);
        int r;

        r = called(f, "begin");
        if (r < 0)
                return r;
        assert_false(f->shown);
        assert_true(!prompt->verify || !prompt->passive);
        f->shown = true;
        f->n_prompts++;
        f->prompt = *prompt;
        f->prompt.rp_id = keep_text(f->rp_id, sizeof(f->rp_id), prompt->rp_id);
        f->prompt.account = keep_text(f->account, sizeof(f->account), prompt->account);
        return 0;
}

static enum ctap_answer said(struct fake *f) {
        f->n_yes[f->prompt.ask] += f->answer == CTAP_ANSWER_YES;
        return f->answer;
}

static int wait_for(struct fake *f, const char *name, bool verify, enum ctap_answer *ret) {
        int r;

        r = called(f, name);
        if (r < 0)
                return r;
        assert_true(f->shown);
        assert_int_equal(f->prompt.verify, verify);
        if (f->on_wait)
                f->on_wait(f);
        assert_int_not_equal(f->answer, CTAP_ANSWER_PENDING);
        f->now_ms += f->thinking_ms;
        *ret = f->answer;
        return 0;
}

static int presence_wait(struct ctap_presence *p, enum ctap_answer *ret) {
        int r = wait_for(of_presence(p), "wait", false, ret);

        if (r == 0)
                *ret = said(of_presence(p));
        return r;
}

static bool gives_finger(const struct fake *f) {
        return f->forged_finger ||
               (f->finger && (f->abilities & CTAP_PRESENCE_FINGER) && !f->prompt.pin_only);
}

static int presence_wait_verified(struct ctap_presence *p, enum ctap_answer *ret,
                                  struct ctap_typed_pin *ret_pin) {
        struct fake *f = of_presence(p);
        const char *typed = f->n_mistyped > 0 ? "mistyped" : f->typed;
        int r;

        assert_true(f->abilities & CTAP_PRESENCE_VERIFY);
        assert_in_range(f->prompt.tries, 1, CTAP_UV_RETRIES_MAX);
        r = wait_for(f, "wait_verified", true, ret);
        if (r < 0 || *ret != CTAP_ANSWER_YES)
                return r;
        if (f->n_mistyped == 0 && gives_finger(f)) {
                f->n_yes[f->prompt.ask]++;
                *ret = CTAP_ANSWER_FINGER;
                return 0;
        }
        if (f->n_mistyped > 0)
                f->n_mistyped--;
        else
                *ret = said(f); /* what is mistyped is no yes */
        assert_non_null(typed);
        assert_in_range(strlen(typed), 0, sizeof(ret_pin->data));
        ret_pin->len = (uint8_t)strlen(typed);
        memcpy(ret_pin->data, typed, ret_pin->len);
        return 0;
}

static int presence_poll(struct ctap_presence *p, enum ctap_answer *ret) {
        struct fake *f = of_presence(p);
        int r;

        r = called(f, "poll");
        if (r < 0)
                return r;
        assert_true(f->shown);
        *ret = said(f);
        return 0;
}

static void presence_end(struct ctap_presence *p) {
        struct fake *f = of_presence(p);

        if (f->shown)
                note(f, "end");
        f->shown = false;
}

static unsigned presence_abilities(struct ctap_presence *p) {
        return of_presence(p)->abilities;
}

static const struct ctap_presence_ops presence_ops = {
        .begin = presence_begin,
        .wait = presence_wait,
        .wait_verified = presence_wait_verified,
        .poll = presence_poll,
        .end = presence_end,
        .abilities = presence_abilities,
};

/* ---- attester ---- */

static struct fake *of_attester(struct ctap_attester *a) {
        return container_of(a, struct fake, attester);
}

static struct bytes attester_certificate(struct ctap_attester *a, size_t nth) {
        return nth < FAKE_CERTIFICATES ? of_attester(a)->certificates[nth] : BYTES_NULL;
}

static bool attester_serves(struct ctap_attester *a, struct bytes rp_id) {
        return bytes_equal(rp_id, BYTES_TEXT(of_attester(a)->served));
}

static void sign_as_attester(struct fake *f, struct bytes digest, struct ctap_signature *ret) {
        struct ctap_signature made = { 0 };
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(f->attester_key, NULL);
        size_t n = sizeof(made.data);

        assert_int_equal(digest.len, 32);
        assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
        assert_int_equal(EVP_PKEY_sign(ctx, made.data, &n, digest.data, digest.len), 1);
        EVP_PKEY_CTX_free(ctx);
        made.len = (uint16_t)n;
        *ret = made;
}

static int attester_sign(struct ctap_attester *a, struct bytes digest, struct ctap_signature *ret) {
        struct fake *f = of_attester(a);
        int r = called(f, "attest");

        if (r == 0)
                sign_as_attester(f, digest, ret);
        return r;
}

/* The other kind. */
static struct fake *of_certifier(struct ctap_attester *a) {
        return container_of(a, struct fake, certifier);
}

static struct bytes certifier_certificate(struct ctap_attester *a, size_t nth) {
        return attester_certificate(&of_certifier(a)->attester, nth);
}

static bool certifier_serves(struct ctap_attester *a, struct bytes rp_id) {
        return attester_serves(&of_certifier(a)->attester, rp_id);
}

/* Without a look at tickets: a key of class B that comes of it signs nothing. */
static int certifier_load(struct ctap_attester *a, struct bytes blob,
                          struct ctap_loaded_key **ret) {
        struct fake *f = of_certifier(a);
        int r = called(f, "attest_load");

        return r < 0 ? r : load_key(f, blob, NULL, ret);
}

static int certifier_certify(struct ctap_attester *a, struct ctap_loaded_key *key,
                             struct bytes data, struct ctap_certification *ret) {
        struct fake *f = of_certifier(a);
        struct ctap_certification made = { 0 };
        const struct ctap_public_key public = public_of(key->pkey, key->type);
        struct sha256 digest;
        int r = called(f, "certify");

        if (r < 0)
                return r;
        attest_write(&public, key->class, data, &made);
        SHA256(made.info, made.info_len, digest.b);
        sign_as_attester(f, BYTES_OF(digest), &made.signature);
        *ret = made;
        return 0;
}

/* ---- witness ---- */

static void witness_note(struct ctap_witness *w, const struct ctap_notice *n) {
        static const char *const names[] = {
                [CTAP_NOTED_CREATED] = "created",     [CTAP_NOTED_USED] = "used",
                [CTAP_NOTED_PIN_WRONG] = "pin-wrong", [CTAP_NOTED_PIN_BLOCKED] = "pin-blocked",
                [CTAP_NOTED_PIN_SET] = "pin-set",     [CTAP_NOTED_PIN_CHANGED] = "pin-changed",
                [CTAP_NOTED_SETTING] = "setting",     [CTAP_NOTED_POLICY] = "policy",
        };
        struct fake *f = container_of(w, struct fake, witness);
        const bool counts = n->what == CTAP_NOTED_PIN_WRONG || n->number > 0;
        const size_t len = strlen(f->noted);
        char number[16] = "";

        if (n->what == CTAP_NOTED_POLICY)
                snprintf(number, sizeof(number), " %02x:%02x", n->command, n->status);
        else if (counts)
                snprintf(number, sizeof(number), " %u", n->number);
        /* Of a credential that is there. */
        if (n->credential)
                assert_true(f->n_rows > 0);
        snprintf(f->noted + len, sizeof(f->noted) - len, "%s%s%.*s%s%s; ", names[n->what],
                 n->rp_id.len > 0 ? " " : "", (int)n->rp_id.len, (const char *)n->rp_id.data,
                 n->uv ? " uv" : "", number);
}

static const struct ctap_witness_ops witness_ops = {
        .note = witness_note,
};

static const struct ctap_attester_ops attester_ops = {
        .certificate = attester_certificate,
        .serves = attester_serves,
        .sign = attester_sign,
};

static const struct ctap_attester_ops certifier_ops = {
        .certificate = certifier_certificate,
        .serves = certifier_serves,
        .load = certifier_load,
        .certify = certifier_certify,
};

/* ---- clock and rng ---- */

static uint64_t clock_now_ms(struct ctap_clock *c) {
        return container_of(c, struct fake, clock)->now_ms;
}

static const struct ctap_clock_ops clock_ops = { .now_ms = clock_now_ms };

/* xorshift64: different bytes on every call, the same ones in every run. */
static int rng_fill(struct ctap_rng *r, uint8_t *to, size_t n) {
        struct fake *f = container_of(r, struct fake, rng);
        int error = fails(f, "fill");

        if (error < 0)
                return error;
        for (size_t i = 0; i < n; i++) {
                f->seed ^= f->seed << 13;
                f->seed ^= f->seed >> 7;
                f->seed ^= f->seed << 17;
                to[i] = (uint8_t)(f->seed >> 32);
        }
        return 0;
}

static const struct ctap_rng_ops rng_ops = { .fill = rng_fill };

struct fake *fake_new(void) {
        struct fake *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        f->keys.ops = &keys_ops;
        f->store.ops = &store_ops;
        f->presence.ops = &presence_ops;
        f->clock.ops = &clock_ops;
        f->rng.ops = &rng_ops;
        f->attester.ops = &attester_ops;
        f->certifier.ops = &certifier_ops;
        f->witness.ops = &witness_ops;
        f->attester_key = EVP_EC_gen("P-256");
        assert_non_null(f->attester_key);
        f->certificates[0] = BYTES_TEXT("a leaf");
        f->certificates[1] = BYTES_TEXT("the one that signed it");
        f->served = "served.example";
        f->env = (struct ctap_env){ &f->keys, &f->store, &f->presence, &f->clock,
                                    &f->rng,  NULL,      &f->witness };
        f->offered = 1u << CTAP_KEY_P256 | 1u << CTAP_KEY_P384 | 1u << CTAP_KEY_RSA2048;
        f->capacity = FAKE_ROWS;
        f->answer = CTAP_ANSWER_YES;
        f->now_ms = 1000000;
        f->seed = 0x9e3779b97f4a7c15u;
        f->settings = CTAP_SETTINGS_DEFAULT;
        empty_large_blobs(f);
        memset(&f->store_key, 0x5a, sizeof(f->store_key));
        return f;
}

struct fake *fake_free(struct fake *f) {
        for (size_t i = 0; i < ELEMENTSOF(f->known); i++)
                EVP_PKEY_free(f->known[i].pkey);
        EVP_PKEY_free(f->attester_key);
        free(f);
        return NULL;
}
