/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/attestation-answer.c: what a certificate authority writes is read as it was meant; what
 * is none is refused by the member that is wrong; and a chain opens as it was sealed, or not at all.
 */

#include "authenticator/attestation-answer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "tests/unit/test.h"

static const char request[] = "AAECAwQFBgcICQoLDA0ODw";
static const char ek[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char ak[] = "000b000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char created[] = "2026-11-29T21:11:00Z", expires[] = "2026-12-06T21:11:00Z";
static const char plain[] = "-----BEGIN CERTIFICATE-----\n";
static const struct secret32 secret = { "thirty-two bytes of a TPM's own." };
static const struct ctap_gcm_nonce nonce = { "twelve bytes" };

struct fixture {
        json_t *whole;
        struct attestation_answer answer;
};

/* HKDF with SHA-256, no salt and one block, by its definition (RFC 5869, 2). */
static void derive(struct secret32 *ret) {
        static const uint8_t zeroes[32];
        uint8_t prk[32], info[64] = "tpmauthn attestation chain v1";
        size_t n = strlen((char *)info);

        info[n] = 1;
        assert_non_null(HMAC(EVP_sha256(), zeroes, 32, secret.b, 32, prk, NULL));
        assert_non_null(HMAC(EVP_sha256(), prk, 32, info, n + 1, ret->b, NULL));
}

static json_t *base64(struct bytes b) {
        uint8_t storage[1024];
        struct buf out = BUF_ON(storage);

        base64_put(&out, b);
        assert_int_equal(buf_error(&out), 0);
        return json_stringn((const char *)out.data, out.len);
}

/* As a certificate authority does it. */
static json_t *seal(void) {
        uint8_t storage[256], additional[512];
        struct buf sealed = BUF_ON(storage);
        struct secret32 key;
        int n;

        n = snprintf((char *)additional, sizeof(additional),
                     "tpmauthn-attestation-answer\n1\n%s\n%s\n%s\n%s\n%s\n", request, ek, ak,
                     created, expires);
        derive(&key);
        assert_int_equal(ctap_gcm_seal(&key, &nonce, BYTES(additional, (size_t)n),
                                       BYTES_TEXT(plain), &sealed),
                         0);
        return json_pack("{s:s,s:o,s:o}", "alg", "A256GCM", "nonce", base64(BYTES_OF(nonce)),
                         "ciphertext", base64(buf_bytes(&sealed)));
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->whole = json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "v", 1, "type",
                             "tpmauthn-attestation-answer", "request", request, "ek", ek, "ak", ak,
                             "created", created, "expires", expires, "credential",
                             "Y3JlZA==", "secret", "c2VjcmV0", "chain", seal());
        assert_non_null(f->whole);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        json_decref(f->whole);
        free(f);
        return 0;
}

static void assert_read(struct fixture *f, const json_t *from) {
        json_t *error = attestation_answer_read(from, &f->answer);

        if (error)
                fail_msg("%s", json_dumps(error, 0));
}

static void assert_refused(struct fixture *f, const json_t *from, const char *what) {
        json_t *error = attestation_answer_read(from, &f->answer);
        const json_t *e = json_object_get(error, "error");
        const char *message = json_string_value(json_object_get(e, "message"));

        assert_non_null(message);
        assert_string_equal(json_string_value(json_object_get(e, "code")), PROTOCOL_E_ANSWER);
        if (!strstr(message, what))
                fail_msg("no '%s' in: %s", what, message);
        json_decref(error);
}

static void a_whole_answer_is_read_as_it_was_written(void **state) {
        static const uint8_t counted[32] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                             11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                             22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };
        static const uint8_t head[] = { 0, 0x0b };
        struct fixture *f = *state;
        const struct attestation_answer *a = &f->answer;

        assert_read(f, f->whole);
        assert_int_equal(a->kind, ATTESTATION_ANSWER_WHOLE);
        assert_bytes_equal(BYTES_OF(a->request), BYTES(counted, 16));
        assert_bytes_equal(BYTES_OF(a->ek), BYTES_OF(counted));
        assert_bytes_equal(BYTES(a->ak, 2), BYTES_OF(head));
        assert_bytes_equal(BYTES(a->ak + 2, 32), BYTES_OF(counted));
        assert_int_equal(a->created, 1795986660);
        assert_int_equal(a->expires, 1795986660 + 7 * 86400);
        assert_bytes_equal(a->credential, BYTES_TEXT("cred"));
        assert_bytes_equal(a->secret, BYTES_TEXT("secret"));
}

static void a_chain_opens_with_the_secret(void **state) {
        struct fixture *f = *state;
        uint8_t storage[256];
        struct buf pem = BUF_ON(storage);

        assert_read(f, f->whole);
        assert_int_equal(attestation_answer_open(&f->answer, &secret, &pem), 0);
        assert_bytes_equal(buf_bytes(&pem), BYTES_TEXT(plain));
}

static void assert_closed(struct fixture *f, const struct secret32 *key) {
        uint8_t storage[256];
        struct buf pem = BUF_ON(storage);

        assert_read(f, f->whole);
        assert_int_equal(attestation_answer_open(&f->answer, key, &pem), -EBADMSG);
        assert_int_equal(pem.len, 0);
}

static void it_opens_with_no_other_and_after_no_change(void **state) {
        static const struct secret32 other = { "thirty-two bytes of another TPM." };
        static const struct {
                const char *name, *value;
        } changes[] = {
                { "request", "AAECAwQFBgcICQoLDA0ODg" },
                { "ek", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1e" },
                { "ak", "000b000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1e" },
                { "created", "2026-11-29T21:11:01Z" },
                { "expires", "2036-12-06T21:11:00Z" },
        };
        struct fixture *f = *state;
        json_t *chain = json_object_get(f->whole, "chain");

        assert_closed(f, &other);
        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                json_t *before = json_incref(json_object_get(f->whole, changes[i].name));

                json_object_set_new(f->whole, changes[i].name, json_string(changes[i].value));
                assert_closed(f, &secret);
                json_object_set_new(f->whole, changes[i].name, before);
        }
        json_object_set_new(chain, "nonce", json_string("dHdlbHZlIGJpdGVz"));
        assert_closed(f, &secret);
        json_object_set_new(chain, "nonce", base64(BYTES_OF(nonce)));
        json_object_set_new(chain, "ciphertext", json_string("c2hvcnQ="));
        assert_closed(f, &secret);
}

static void each_member_is_needed_and_of_its_kind(void **state) {
        struct fixture *f = *state;
        static const char *const names[] = { "v",       "request",    "ek",     "ak",   "created",
                                             "expires", "credential", "secret", "chain" };
        static const char *const sealed[] = { "alg", "nonce", "ciphertext" };
        json_t *chain = json_object_get(f->whole, "chain");

        for (size_t i = 0; i < ELEMENTSOF(names) + ELEMENTSOF(sealed); i++) {
                json_t *in = i < ELEMENTSOF(names) ? f->whole : chain;
                const char *name = i < ELEMENTSOF(names) ? names[i] : sealed[i - ELEMENTSOF(names)];
                json_t *before = json_incref(json_object_get(in, name));
                char what[64];

                snprintf(what, sizeof(what), "its \"%s\" is missing", name);
                json_object_del(in, name);
                assert_refused(f, f->whole, what);
                snprintf(what, sizeof(what), "its \"%s\" is of the wrong type", name);
                json_object_set_new(in, name, json_true());
                assert_refused(f, f->whole, what);
                json_object_set_new(in, name, before);
        }
        assert_read(f, f->whole);
        json_object_set_new(f->whole, "more", json_true());
        assert_refused(f, f->whole, "\"more\" is no member");
        json_object_del(f->whole, "more");
        json_object_set_new(chain, "more", json_true());
        assert_refused(f, f->whole, "\"more\" is no member");
}

static void what_makes_no_sense_is_refused(void **state) {
        static const struct {
                const char *name, *value, *what;
        } cases[] = {
                { "type", "tpmauthn-attestation-request", "\"type\" is another" },
                { "request", "AAECAwQFBgcICQoLDA0O", "16 bytes" },
                { "request", "AAECAwQFBgcICQoLDA0ODxA", "16 bytes" },
                { "request", "AAECAwQFBgcICQoLDA0ODw==", "16 bytes" },
                { "ek", "00", "another length" },
                { "ek", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                  "no hex in lower case" },
                { "ak", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                  "another length" },
                { "created", "2026-11-29 21:11:00Z", "no time" },
                { "created", "2026-11-29T21:11:00+00:00", "no time" },
                { "created", "2026-11-29T21:11:00Z ", "no time" },
                { "created", "2026-11-31T21:11:00Z", "no time" },
                { "created", "2026-11-29T24:11:00Z", "no time" },
                { "created", "2026-11-29T 1:11:00Z", "no time" },
                { "created", "2026-11-29T21:11:0Z", "no time" },
                { "created", "", "no time" },
                { "expires", "tomorrow", "no time" },
                { "credential", "", "empty or too long" },
                { "credential", "Y3JlZA", "no base64" },
                { "secret", "c2VjcmV", "no base64" },
                { "secret", "c2Vj-_V0", "no base64" },
        };
        struct fixture *f = *state;
        json_t *chain = json_object_get(f->whole, "chain");
        char *text;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                json_t *before = json_incref(json_object_get(f->whole, cases[i].name));

                json_object_set_new(f->whole, cases[i].name, json_string(cases[i].value));
                assert_refused(f, f->whole, cases[i].what);
                json_object_set_new(f->whole, cases[i].name, before);
        }
        json_object_set_new(f->whole, "v", json_integer(2));
        assert_refused(f, f->whole, "newer tpmauthn");
        json_object_set_new(f->whole, "v", json_integer(1));

        json_object_set_new(chain, "alg", json_string("A128GCM"));
        assert_refused(f, f->whole, "A256GCM");
        json_object_set_new(chain, "alg", json_string("A256GCM"));
        json_object_set_new(chain, "nonce", json_string("AAAA"));
        assert_refused(f, f->whole, "12 bytes");
        json_object_set_new(chain, "nonce", base64(BYTES_OF(nonce)));
        text = calloc(1, BASE64_SIZE(ATTESTATION_SEALED_MAX) + 5);
        memset(text, 'A', BASE64_SIZE(ATTESTATION_SEALED_MAX) + 4);
        json_object_set_new(chain, "ciphertext", json_string(text));
        assert_refused(f, f->whole, "too long");
        text[BASE64_SIZE(ATTESTATION_BLOB_MAX) + 4] = '\0';
        json_object_set_new(f->whole, "credential", json_string(text));
        assert_refused(f, f->whole, "\"credential\" is empty or too long");
        free(text);
}

/* smallstep's, of which others may have more. */
static void the_halves_are_read(void **state) {
        struct fixture *f = *state;
        json_t *half = json_pack("{s:s,s:s,s:b}", "credential", "Y3JlZA==", "secret", "c2VjcmV0",
                                 "more", 1);

        assert_read(f, half);
        assert_int_equal(f->answer.kind, ATTESTATION_ANSWER_CREDENTIAL);
        assert_bytes_equal(f->answer.credential, BYTES_TEXT("cred"));
        assert_bytes_equal(f->answer.secret, BYTES_TEXT("secret"));
        json_object_del(half, "secret");
        assert_refused(f, half, "\"secret\" is missing");
        json_decref(half);

        half = json_pack("{s:[s,s]}", "chain", "bGVhZg==", "YXV0aG9yaXR5");
        assert_read(f, half);
        assert_int_equal(f->answer.kind, ATTESTATION_ANSWER_CHAIN);
        assert_int_equal(f->answer.chain.n, 2);
        assert_bytes_equal(f->answer.chain.der[0], BYTES_TEXT("leaf"));
        assert_bytes_equal(f->answer.chain.der[1], BYTES_TEXT("authority"));
        json_array_append_new(json_object_get(half, "chain"), json_integer(1));
        assert_refused(f, half, "no texts");
        json_array_clear(json_object_get(half, "chain"));
        assert_refused(f, half, "0 certificates");
        for (unsigned i = 0; i < 5; i++)
                json_array_append_new(json_object_get(half, "chain"), json_string("bGVhZg=="));
        assert_refused(f, half, "5 certificates");
        json_decref(half);

        half = json_pack("{s:b}", "ok", 1);
        assert_refused(f, half, "This is no answer");
        json_decref(half);
}

static void a_time_is_the_text_that_it_would_be_written_as(void **state) {
        static const struct {
                const char *text;
                int64_t seconds;
        } times[] = {
                { "1970-01-01T00:00:00Z", 0 },
                { "2028-02-29T23:59:59Z", 1835481599 },
                { "9999-12-31T23:59:59Z", 253402300799 },
        };
        char text[ATTESTATION_TIME_SIZE + 1];
        int64_t seconds;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                assert_int_equal(attestation_time_read(times[i].text, &seconds), 0);
                assert_int_equal(seconds, times[i].seconds);
                attestation_time_write(seconds, text);
                assert_string_equal(text, times[i].text);
        }
        assert_int_equal(attestation_time_read("2026-02-29T00:00:00Z", &seconds), -EBADMSG);
        assert_int_equal(attestation_time_read("2026-01-01T00:00:60Z", &seconds), -EBADMSG);
        assert_int_equal(attestation_time_read("+026-01-01T00:00:00Z", &seconds), -EBADMSG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_whole_answer_is_read_as_it_was_written),
                TEST(a_chain_opens_with_the_secret),
                TEST(it_opens_with_no_other_and_after_no_change),
                TEST(each_member_is_needed_and_of_its_kind),
                TEST(what_makes_no_sense_is_refused),
                TEST(the_halves_are_read),
                TEST(a_time_is_the_text_that_it_would_be_written_as),
        };

        return cmocka_run_group_tests_name("attestation-answer", tests, NULL, NULL);
}
