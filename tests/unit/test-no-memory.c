/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What becomes of each function of ctap/ that uses OpenSSL when OpenSSL gets no memory: an error, an
 * output that nobody touched, nothing left in OpenSSL's queue of errors. Each allocation fails in turn.
 */

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/cose.h"
#include "ctap/credential.h"
#include "ctap/crypto.h"
#include "ctap/pin-protocol.h"
#include "ctap/sign.h"
#include "ctap/u2f-attester.h"
#include "tests/fake/fake.h"
#include "tests/fake/platform.h"
#include "tests/unit/test.h"

/* OpenSSL's hooks take no argument of ours. 0: nothing fails. */
static unsigned fail_in;

static bool fails(void) {
        return fail_in > 0 && --fail_in == 0;
}

static void *allocate(size_t n, const char *file, int line) {
        (void)file;
        (void)line;
        return n == 0 || fails() ? NULL : malloc(n);
}

static void *reallocate(void *old, size_t n, const char *file, int line) {
        (void)file;
        (void)line;
        return fails() ? NULL : realloc(old, n);
}

static void release(void *p, const char *file, int line) {
        (void)file;
        (void)line;
        free(p);
}

/* What the attempts are made with; all of it was made while there was memory. */
struct world {
        struct fake *fake;
        struct ctap_credential_keys keys;
        struct ctap_row row;
        struct ctap_credential_id id;
        struct sha256 rp;
        struct ctap_key_agreement agreement;
        struct platform platform;
        struct ctap_shared_secret secret;
        uint8_t key_storage[128], cipher_storage[64];
        struct buf key, cipher;
        struct u2f_attester attester;
};

typedef int attempt_fn(struct world *w);

/* ---- ctap/crypto.c ---- */

static const struct secret32 some_key = { { 1 } };
static const struct ctap_gcm_nonce nonce = { { 2 } };

static int digest_256(struct world *w) {
        const struct bytes part = BYTES_TEXT("abc");
        struct sha256 hash;

        (void)w;
        return ctap_sha256(&part, 1, &hash);
}

static int digest_384(struct world *w) {
        const struct bytes part = BYTES_TEXT("abc");
        struct sha384 hash;

        (void)w;
        return ctap_sha384(&part, 1, &hash);
}

static int hmac(struct world *w) {
        struct sha256 mac;

        (void)w;
        return ctap_hmac_sha256(&some_key, BYTES_TEXT("abc"), &mac);
}

static int hkdf(struct world *w) {
        struct secret32 derived;

        (void)w;
        return ctap_hkdf_sha256(&some_key, "info", &derived);
}

static int seal_and_open(struct world *w) {
        uint8_t sealed[64], opened[64];
        struct buf out = BUF_ON(sealed), back = BUF_ON(opened);
        int r;

        (void)w;
        r = ctap_gcm_seal(&some_key, &nonce, BYTES_NULL, BYTES_TEXT("abc"), &out);
        if (r < 0) {
                assert_int_equal(out.len, 0);
                return r;
        }
        r = ctap_gcm_open(&some_key, &nonce, BYTES_NULL, buf_bytes(&out), &back);
        assert_int_equal(back.len, r < 0 ? 0 : 3);
        return r;
}

/* ---- ctap/credential.c ---- */

static int derive(struct world *w) {
        struct ctap_credential_keys keys;

        return ctap_credential_keys_derive(&w->fake->store_key, &keys);
}

static int make_id(struct world *w) {
        struct ctap_credential_id id;

        return ctap_credential_id_make(&w->keys, &w->fake->rng, &w->rp, &id);
}

/* A credential that cannot be recognized is a foreign one, and no more than that. */
static int open_id(struct world *w) {
        struct ctap_credential_id id;

        return ctap_credential_id_open(&w->keys, BYTES_OF(w->id), &w->rp, &id) ? 0 : -EIO;
}

static int tags(struct world *w) {
        struct secret32 large_blob_key;
        struct sha256 tag;
        int r;

        r = ctap_rp_tag(&w->keys, &w->rp, &tag);
        if (r == 0)
                r = ctap_account_tag(&w->keys, &w->rp, BYTES_TEXT("user"), &tag);
        return r == 0 ? ctap_large_blob_key(&w->keys, &w->id, &large_blob_key) : r;
}

static int seal_record(struct world *w) {
        const struct ctap_record record = { .rp_id = BYTES_TEXT("example.com") };

        return ctap_record_seal(&w->keys, &w->fake->rng, &w->rp, &record, &w->row);
}

static int open_record(struct world *w) {
        uint8_t storage[sizeof(w->row.sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record record;

        return ctap_record_open(&w->keys, &w->rp, &w->row, &opened, &record);
}

/* ---- ctap/pin-protocol.c ---- */

static int make_pair(struct world *w) {
        uint8_t storage[128];
        struct buf out = BUF_ON(storage);
        struct cbor_writer writer = { &out };

        ctap_key_agreement_renew(&w->agreement, 1);
        return ctap_key_agreement_put(&w->agreement, 1, &writer);
}

static int decapsulate(struct world *w) {
        struct ctap_shared_secret secret;
        struct bytes key = buf_bytes(&w->key);
        const struct cbor_value cose = cbor_next(&key);
        enum ctap_status s;

        s = ctap_decapsulate(&w->agreement, 2, &cose, &secret);
        assert_true(s == CTAP_OK || s == CTAP1_ERR_OTHER || s == CTAP1_ERR_INVALID_PARAMETER);
        return s == CTAP_OK ? 0 : -EIO;
}

static int encrypt(struct world *w) {
        uint8_t storage[64];
        struct buf out = BUF_ON(storage);
        int r;

        r = ctap_secret_encrypt(&w->secret, &w->fake->rng, BYTES_OF(some_key), &out);
        assert_int_equal(out.len, r < 0 ? 0 : 48);
        return r;
}

static int decrypt(struct world *w) {
        uint8_t storage[64];
        struct buf out = BUF_ON(storage);
        int r;

        r = ctap_secret_decrypt(&w->secret, buf_bytes(&w->cipher), &out);
        assert_int_equal(out.len, r < 0 ? 0 : 32);
        return r;
}

/* What cannot be computed is not the right MAC. */
static int verify(struct world *w) {
        uint8_t storage[32];
        struct buf mac = BUF_ON(storage);
        const unsigned in = fail_in;

        fail_in = 0;
        platform_authenticate(&w->platform, BYTES_TEXT("abc"), &mac);
        fail_in = in;
        return ctap_secret_verify(&w->secret, BYTES_TEXT("abc"), buf_bytes(&mac)) ? 0 : -EIO;
}

/* ---- ctap/sign.c, ctap/u2f-attester.c ---- */

static int sign_by_nobody(struct world *w) {
        static const int64_t ids[] = { -7, -35, -257 };
        struct ctap_signature signature;
        int r = 0;

        (void)w;
        for (size_t i = 0; i < ELEMENTSOF(ids) && r == 0; i++)
                r = ctap_sign_by_nobody(ctap_cose_find(ids[i], ~0u), BYTES_TEXT("abc"),
                                        BYTES_TEXT("abc"), &signature);
        return r;
}

static int sign_by_attester(struct world *w) {
        struct ctap_signature signature;

        return u2f_attester_sign(&w->attester, BYTES_TEXT("abc"), &signature);
}

static int certify(struct world *w) {
        uint8_t storage[1024];
        struct buf out = BUF_ON(storage);
        int r;

        r = u2f_attester_certificate(&w->attester, &out);
        assert_true(r == 0 || out.len == 0);
        return r;
}

static int make_attester(struct world *w) {
        struct u2f_attester attester = { NULL };
        struct ctap_public_key public;
        int r;

        (void)w;
        r = u2f_attester_init(&attester);
        if (r == 0)
                r = u2f_attester_public(&attester, &public);
        u2f_attester_done(&attester);
        return r;
}

/* ---- all ---- */

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));
        struct cbor_writer writer;
        struct bytes key;
        struct cbor_value cose;

        assert_non_null(w);
        w->fake = fake_new();
        w->key = BUF_ON(w->key_storage);
        w->cipher = BUF_ON(w->cipher_storage);
        assert_int_equal(ctap_credential_keys_derive(&w->fake->store_key, &w->keys), 0);
        assert_int_equal(ctap_credential_id_make(&w->keys, &w->fake->rng, &w->rp, &w->id), 0);
        w->row.id = w->id;
        assert_int_equal(seal_record(w), 0);
        writer.out = &w->key;
        assert_int_equal(ctap_key_agreement_put(&w->agreement, 2, &writer), 0);
        platform_agree(&w->platform, 2, buf_bytes(&w->key));
        w->key.len = 0;
        platform_put_key(&w->platform, &w->key);
        key = buf_bytes(&w->key);
        cose = cbor_next(&key);
        assert_int_equal(ctap_decapsulate(&w->agreement, 2, &cose, &w->secret), CTAP_OK);
        platform_encrypt(&w->platform, BYTES_OF(some_key), &w->cipher);
        assert_int_equal(u2f_attester_init(&w->attester), 0);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        u2f_attester_done(&w->attester);
        ctap_key_agreement_wipe(&w->agreement);
        w->fake = fake_free(w->fake);
        free(w);
        return 0;
}

/* Until no allocation fails any more. A failure is one of the machine, and OpenSSL forgets it. */
static unsigned fail_everywhere(struct world *w, attempt_fn *attempt) {
        assert_int_equal(attempt(w), 0); /* what OpenSSL loads once is loaded */
        for (unsigned n = 1;; n++) {
                bool reached;
                int r;

                fail_in = n;
                r = attempt(w);
                reached = fail_in == 0;
                fail_in = 0;
                if (r < 0)
                        assert_int_equal(ERR_peek_error(), 0);
                ERR_clear_error(); /* OpenSSL itself leaves some behind when it gets by */
                if (!reached) {
                        assert_int_equal(r, 0);
                        return n - 1;
                }
                assert_true(r == 0 || r == -EIO || r == -ENOMEM);
        }
}

static void openssl_without_memory_is_an_error_and_nothing_else(void **state) {
        static attempt_fn *const attempts[] = {
                digest_256,  digest_384,    hmac,    hkdf,        seal_and_open,  derive,
                make_id,     open_id,       tags,    seal_record, open_record,    make_pair,
                decapsulate, encrypt,       decrypt, verify,      sign_by_nobody, sign_by_attester,
                certify,     make_attester,
        };

        for (size_t i = 0; i < ELEMENTSOF(attempts); i++)
                assert_true(fail_everywhere(*state, attempts[i]) > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(openssl_without_memory_is_an_error_and_nothing_else,
                                                setup, teardown),
        };

        if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
                return 1;
        return cmocka_run_group_tests_name("no-memory", tests, NULL, NULL);
}
