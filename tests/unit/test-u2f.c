/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/u2f.c and its attester: every rule of U2F over CTAPHID, in a world whose keys are real and
 * whose person does as told. A question that is put up twice, or a wait for an answer, aborts.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/u2f.h"
#include "tests/fake/fake.h"
#include "tests/unit/hex.h"
#include "tests/unit/test.h"

enum {
        OK = 0x9000,
        WRONG_LENGTH = 0x6700,
        NOT_YET = 0x6985,
        WRONG_DATA = 0x6a80,
        WRONG_P1 = 0x6a86,
        UNKNOWN_INS = 0x6d00,
        UNKNOWN_CLA = 0x6e00,
        FAILED = 0x6f00,
};

enum {
        REGISTER = 1,
        AUTHENTICATE = 2,
        VERSION = 3,
        ENFORCE = 3,
        CHECK_ONLY = 7,
        DONT_ENFORCE = 8,
};

struct fixture {
        struct fake *w;
        struct ctap_credential_keys keys;
        struct u2f u2f;
        uint32_t channel;
        bool always_uv;
        struct ctap_rp_rules rps;
        size_t room; /* for the reply */
        uint8_t storage[4096];
        struct bytes body; /* of the last reply */
};

static int set_up(void **state) {
        static struct fixture f;

        f = (struct fixture){ .channel = 1, .room = sizeof(f.storage) };
        *state = &f;
        f.w = fake_new();
        f.w->answer = CTAP_ANSWER_PENDING;
        u2f_init(&f.u2f);
        return ctap_credential_keys_derive(&f.w->store_key, &f.keys);
}

/* Whatever happened, no key stays loaded. */
static int tear_down(void **state) {
        struct fixture *f = *state;
        bool clean = f->w->n_loaded == 0;

        f->w = fake_free(f->w);
        return clean ? 0 : -1;
}

static struct sha256 filled(uint8_t with) {
        struct sha256 d;

        memset(d.b, with, sizeof(d.b));
        return d;
}

static void put_filled(struct buf *b, uint8_t with) {
        struct sha256 d = filled(with);

        buf_put(b, BYTES_OF(d));
}

/* ---- sending ---- */

static unsigned exchange(struct fixture *f, struct bytes apdu) {
        _cleanup_(release) struct bytes exact = copied(apdu);
        const struct u2f_rules rules = { .off = f->always_uv, .rps = &f->rps };
        struct buf reply = { f->storage, 0, f->room, false };

        u2f_message(&f->u2f, &f->w->env, &f->keys, &rules, f->channel, exact, &reply);
        assert_false(reply.failed);
        assert_true(reply.len >= 2);
        f->body = BYTES(f->storage, reply.len - 2);
        if (f->storage[reply.len - 2] != 0x90)
                assert_int_equal(f->body.len, 0);
        return (unsigned)(f->storage[reply.len - 2] << 8 | f->storage[reply.len - 1]);
}

static void put_extended(struct buf *b, uint8_t ins, uint8_t p1, struct bytes data) {
        buf_put(b, BYTES(((const uint8_t[]){ 0, ins, p1, 0, 0 }), 5));
        buf_put_u16(b, (uint16_t)data.len);
        buf_put(b, data);
}

static unsigned send_extended(struct fixture *f, uint8_t ins, uint8_t p1, struct bytes data) {
        uint8_t storage[1024];
        struct buf apdu = BUF_ON(storage);

        put_extended(&apdu, ins, p1, data);
        buf_put_u16(&apdu, 0);
        return exchange(f, buf_bytes(&apdu));
}

static unsigned send_register(struct fixture *f, uint8_t challenge, const struct sha256 *app) {
        uint8_t storage[64];
        struct buf data = BUF_ON(storage);

        put_filled(&data, challenge);
        buf_put(&data, BYTES_OF(*app));
        return send_extended(f, REGISTER, 0, buf_bytes(&data));
}

static unsigned send_authenticate(struct fixture *f, uint8_t p1, uint8_t challenge,
                                  const struct sha256 *app, struct bytes handle) {
        uint8_t storage[32 + 32 + 1 + 255];
        struct buf data = BUF_ON(storage);

        put_filled(&data, challenge);
        buf_put(&data, BYTES_OF(*app));
        buf_put_u8(&data, (uint8_t)handle.len);
        buf_put(&data, handle);
        return send_extended(f, AUTHENTICATE, p1, buf_bytes(&data));
}

/* ---- taking answers apart ---- */

/* ECDSA with SHA-256 under an uncompressed point. */
static bool verifies(struct bytes point, struct bytes message, struct bytes signature) {
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *)(uintptr_t) "P-256", 0),
                OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  (void *)(uintptr_t)point.data, point.len),
                OSSL_PARAM_construct_end(),
        };
        EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        EVP_PKEY *key = NULL;
        bool good;

        good = from && md && EVP_PKEY_fromdata_init(from) == 1 &&
               EVP_PKEY_fromdata(from, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
               EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(md, signature.data, signature.len, message.data, message.len) == 1;
        EVP_PKEY_free(key);
        EVP_MD_CTX_free(md);
        EVP_PKEY_CTX_free(from);
        return good;
}

struct registration {
        uint8_t point[65];
        uint8_t handle[255];
        uint8_t handle_len;
        uint8_t der[1024];
        size_t der_len;
        struct ctap_signature signature;
};

static struct bytes handle_of(const struct registration *r) {
        return BYTES(r->handle, r->handle_len);
}

static void parse_registration(const struct fixture *f, struct registration *ret) {
        struct cursor in = { f->body, false };
        const uint8_t *der, *end;
        X509 *x;

        memset(ret, 0, sizeof(*ret));
        assert_int_equal(cursor_u8(&in), 0x05);
        cursor_copy(&in, ret->point, sizeof(ret->point));
        ret->handle_len = cursor_u8(&in);
        cursor_copy(&in, ret->handle, ret->handle_len);
        assert_false(in.failed);

        der = end = in.left.data;
        x = d2i_X509(NULL, &end, (long)in.left.len);
        assert_non_null(x);
        X509_free(x);
        ret->der_len = (size_t)(end - der);
        assert_true(ret->der_len <= sizeof(ret->der));
        cursor_copy(&in, ret->der, ret->der_len);
        assert_true(in.left.len <= sizeof(ret->signature.data));
        ret->signature.len = (uint8_t)in.left.len;
        cursor_copy(&in, ret->signature.data, ret->signature.len);
        assert_int_equal(cursor_end(&in), 0);
}

static X509 *certificate_of(const struct registration *r) {
        const uint8_t *der = r->der;
        X509 *x = d2i_X509(NULL, &der, (long)r->der_len);

        assert_non_null(x);
        return x;
}

/* The uncompressed point in a certificate; it is the content of the public key's bit string. */
static void certificate_point(const X509 *x, uint8_t ret[static 65]) {
        const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x);

        assert_int_equal(ASN1_STRING_length(bits), 65);
        memcpy(ret, ASN1_STRING_get0_data(bits), 65);
}

static void assert_vouched_for(const struct registration *r, uint8_t challenge,
                               const struct sha256 *app) {
        uint8_t storage[1 + 32 + 32 + 255 + 65], point[65];
        struct buf message = BUF_ON(storage);
        X509 *x = certificate_of(r);

        certificate_point(x, point);
        X509_free(x);
        buf_put_u8(&message, 0);
        buf_put(&message, BYTES_OF(*app));
        put_filled(&message, challenge);
        buf_put(&message, handle_of(r));
        buf_put(&message, BYTES_OF(r->point));
        assert_true(verifies(BYTES_OF(point), buf_bytes(&message),
                             BYTES(r->signature.data, r->signature.len)));
}

static void registered(struct fixture *f, const struct sha256 *app, struct registration *ret) {
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 0x10, app), OK);
        parse_registration(f, ret);
        f->w->answer = CTAP_ANSWER_PENDING;
        f->w->n_prompts = 0;
}

static void assert_assertion(const struct fixture *f, const struct registration *r,
                             uint8_t challenge, const struct sha256 *app, uint8_t up,
                             uint32_t count) {
        uint8_t storage[32 + 1 + 4 + 32];
        struct buf message = BUF_ON(storage);
        struct cursor in = { f->body, false };

        assert_int_equal(cursor_u8(&in), up);
        assert_int_equal(cursor_u32(&in), count);
        buf_put(&message, BYTES_OF(*app));
        buf_put_u8(&message, up);
        buf_put_u32(&message, count);
        put_filled(&message, challenge);
        assert_true(verifies(BYTES_OF(r->point), buf_bytes(&message), in.left));
}

/* ---- APDUs ---- */

static void U1_version_comes_with_and_without_lengths(void **state) {
        static const char *const forms[] = { "00030000",       "0003000000",
                                             "00030000000000", "000300000000000000",
                                             "0003000000ffff", "00030000ff" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                _cleanup_(release) struct bytes apdu = unhex(forms[i]);

                assert_int_equal(exchange(f, apdu), OK);
                assert_bytes_equal(f->body, BYTES_TEXT("U2F_V2"));
        }
}

static void U1_register_comes_short_and_extended(void **state) {
        static const char *const heads[] = { "00 01 00 00 40", "00 01 03 00 40",
                                             "00 01 03 00 000040", "00 01 80 00 000040" };
        static const char *const tails[][2] = {
                { "", "00" }, { "", "ff" }, { "", "0000" }, { "", "0200" }
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(heads); i++)
                for (size_t j = 0; j < ELEMENTSOF(tails[0]); j++) {
                        _cleanup_(release) struct bytes head = unhex(heads[i]),
                                                        tail = unhex(tails[i][j]);
                        uint8_t storage[128] = { 0 };
                        struct buf apdu = BUF_ON(storage);

                        buf_put(&apdu, head);
                        put_filled(&apdu, 1);
                        put_filled(&apdu, 2);
                        buf_put(&apdu, tail);
                        assert_int_equal(exchange(f, buf_bytes(&apdu)), NOT_YET);
                }
        assert_int_equal(f->w->n_prompts, 1);
}

/* A message of any length from 0 to 600: what `whole` begins and zeros continue. */
static void try_lengths(struct fixture *f, struct bytes whole, const size_t *good, size_t n_good,
                        unsigned want) {
        uint8_t storage[600] = { 0 };

        memcpy(storage, whole.data, whole.len);
        for (size_t n = 0; n <= sizeof(storage); n++) {
                unsigned expected = WRONG_LENGTH, got = exchange(f, BYTES(storage, n));

                for (size_t i = 0; i < n_good; i++)
                        if (n == good[i])
                                expected = want;
                if (got != expected)
                        fail_msg("length %zu: %04x instead of %04x", n, got, expected);
        }
}

static void U2_a_register_of_the_wrong_length_is_told_so(void **state) {
        static const size_t good_extended[] = { 71, 73 }, good_short[] = { 69, 70 };
        static const uint8_t short_head[] = { 0, REGISTER, 0, 0, 64 };
        struct fixture *f = *state;
        uint8_t storage[128], data[64];
        struct buf apdu = BUF_ON(storage);

        memset(data, 0x61, sizeof(data));
        put_extended(&apdu, REGISTER, 0, BYTES_OF(data));
        try_lengths(f, buf_bytes(&apdu), good_extended, ELEMENTSOF(good_extended), NOT_YET);

        apdu.len = 0;
        buf_put(&apdu, BYTES_OF(short_head));
        buf_put(&apdu, BYTES_OF(data));
        try_lengths(f, buf_bytes(&apdu), good_short, ELEMENTSOF(good_short), NOT_YET);
        assert_int_equal(f->w->n_prompts, 1);
}

static void U2_an_authenticate_of_the_wrong_length_is_told_so(void **state) {
        static const size_t good_extended[] = { 7 + 113, 7 + 115 };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;
        uint8_t storage[256], data[113];
        struct buf apdu = BUF_ON(storage), d = BUF_ON(data);

        registered(f, &app, &r);
        put_filled(&d, 3);
        buf_put(&d, BYTES_OF(app));
        buf_put_u8(&d, r.handle_len);
        buf_put(&d, handle_of(&r));
        put_extended(&apdu, AUTHENTICATE, CHECK_ONLY, buf_bytes(&d));
        try_lengths(f, buf_bytes(&apdu), good_extended, ELEMENTSOF(good_extended), NOT_YET);
}

static void U2_a_version_of_the_wrong_length_is_told_so(void **state) {
        static const uint8_t head[] = { 0, VERSION, 0, 0 };
        static const size_t good[] = { 4, 5, 7, 9 };

        try_lengths(*state, BYTES_OF(head), good, ELEMENTSOF(good), OK);
        assert_int_equal(send_extended(*state, VERSION, 0, BYTES("x", 1)), WRONG_LENGTH);
}

static void U2_data_of_any_other_length_is_refused(void **state) {
        static const uint8_t data[600];
        struct fixture *f = *state;

        for (size_t n = 0; n <= sizeof(data); n++) {
                assert_int_equal(send_extended(f, REGISTER, 0, BYTES(data, n)),
                                 n == 64 ? NOT_YET : WRONG_LENGTH);
                /* The handle's length is zero here, so it takes 65 bytes. */
                assert_int_equal(send_extended(f, AUTHENTICATE, ENFORCE, BYTES(data, n)),
                                 n == 65 ? WRONG_DATA : WRONG_LENGTH);
        }
}

static void U2_a_handle_length_that_lies_is_a_wrong_length(void **state) {
        struct fixture *f = *state;
        uint8_t data[65 + 255] = { 0 };

        for (unsigned said = 0; said < 256; said++)
                for (unsigned real = 0; real < 256; real += 5) {
                        data[64] = (uint8_t)said;
                        assert_int_equal(send_extended(f, AUTHENTICATE, CHECK_ONLY,
                                                       BYTES(data, 65 + real)),
                                         said == real ? WRONG_DATA : WRONG_LENGTH);
                }
}

static void U2_other_classes_and_instructions_are_unknown(void **state) {
        struct fixture *f = *state;
        uint8_t apdu[] = { 0, 0, 0, 0 };

        for (unsigned v = 1; v < 256; v++) {
                apdu[0] = (uint8_t)v;
                apdu[1] = VERSION;
                assert_int_equal(exchange(f, BYTES_OF(apdu)), UNKNOWN_CLA);
        }
        apdu[0] = 0;
        for (unsigned v = 0; v < 256; v++) {
                if (v == REGISTER || v == AUTHENTICATE || v == VERSION)
                        continue;
                apdu[1] = (uint8_t)v;
                assert_int_equal(exchange(f, BYTES_OF(apdu)), UNKNOWN_INS);
        }
}

static void U3_version_needs_nobody(void **state) {
        struct fixture *f = *state;

        assert_int_equal(send_extended(f, VERSION, 0, BYTES_NULL), OK);
        assert_bytes_equal(f->body, BYTES_TEXT("U2F_V2"));
        assert_int_equal(f->w->n_prompts, 0);
}

/* ---- presence ---- */

static void U4_register_is_answered_at_once_and_asked_for_again(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        for (unsigned i = 0; i < 20; i++) {
                assert_int_equal(send_register(f, 1, &app), NOT_YET);
                assert_int_equal(f->w->n_prompts, 1);
                assert_true(f->w->shown);
                f->w->now_ms += 500;
        }
        assert_int_equal(f->w->prompt.ask, CTAP_ASK_CREATE);
        assert_false(f->w->prompt.passive);
        assert_string_equal(f->w->rp_id, "");
        assert_int_equal(fake_calls(f->w, "create"), 0);

        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 1, &app), OK);
        assert_false(f->w->shown);
        assert_int_equal(f->w->n_rows, 1);
}

static void U4_an_answer_that_is_there_at_once_is_taken(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 1, &app), OK);
        assert_int_equal(f->w->n_prompts, 1);
}

static void U4_a_grant_is_used_once(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 1, &app), OK);
        f->w->answer = CTAP_ANSWER_PENDING;
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 2);
        assert_int_equal(f->w->n_rows, 1);
}

static void U4_a_grant_is_for_the_request_it_was_given_for(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2), other_app = filled(4);
        struct registration r, second;

        registered(f, &app, &r);
        registered(f, &app, &second);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), NOT_YET);
        f->w->answer = CTAP_ANSWER_YES;
        u2f_withdraw(&f->u2f, &f->w->env);
        f->w->answer = CTAP_ANSWER_PENDING;

        assert_int_equal(send_authenticate(f, ENFORCE, 9, &app, handle_of(&r)), NOT_YET);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&second)), NOT_YET);
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(send_register(f, 1, &other_app), NOT_YET);
        assert_int_equal(f->w->n_rows, 2);
        assert_int_equal(fake_calls(f->w, "sign"), 0);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), OK);
}

static void U4_a_grant_waits_ten_seconds_for_its_client(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        for (unsigned late = 0; late < 2; late++) {
                f->w->answer = CTAP_ANSWER_PENDING;
                assert_int_equal(send_register(f, 1, &app), NOT_YET);
                f->w->answer = CTAP_ANSWER_YES;
                f->w->now_ms = u2f_deadline(&f->u2f);
                u2f_expire(&f->u2f, &f->w->env);
                assert_false(f->w->shown);

                f->w->answer = CTAP_ANSWER_PENDING;
                f->w->now_ms += U2F_GRANT_MS - 1 + late;
                assert_int_equal(send_register(f, 1, &app), late ? NOT_YET : OK);
        }
        assert_int_equal(f->w->n_rows, 1);
        assert_int_equal(f->w->n_prompts, 3);
}

static void U4_the_question_goes_when_the_client_has_gone(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        uint64_t begin = f->w->now_ms;

        assert_true(u2f_deadline(&f->u2f) == UINT64_MAX);
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_true(u2f_deadline(&f->u2f) == begin + U2F_POLL_MS);
        f->w->now_ms += 2000;
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_true(u2f_deadline(&f->u2f) == begin + 2000 + U2F_POLL_MS);

        f->w->now_ms = u2f_deadline(&f->u2f) - 1;
        u2f_expire(&f->u2f, &f->w->env);
        assert_true(f->w->shown);
        f->w->now_ms++;
        u2f_expire(&f->u2f, &f->w->env);
        assert_false(f->w->shown);
        assert_true(u2f_deadline(&f->u2f) == UINT64_MAX);
        u2f_expire(&f->u2f, &f->w->env);
}

static void U4_a_client_that_is_late_is_asked_for_anew(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        f->w->now_ms += U2F_POLL_MS;
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 2);
}

static void U4_a_no_holds_for_its_request(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        uint64_t said;

        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        f->w->answer = CTAP_ANSWER_NO;
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_false(f->w->shown);
        said = f->w->now_ms;

        f->w->answer = CTAP_ANSWER_YES;
        for (; f->w->now_ms < said + U2F_GRANT_MS; f->w->now_ms += 500)
                assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 1);
        assert_int_equal(f->w->n_rows, 0);

        assert_int_equal(send_register(f, 1, &app), OK);
        assert_int_equal(f->w->n_prompts, 2);
}

static void U4_a_no_does_not_stop_another_request(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        f->w->answer = CTAP_ANSWER_NO;
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 2, &app), OK);
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 2);
}

static void U4_a_question_that_ran_out_is_taken_away(void **state) {
        static const enum ctap_answer over[] = { CTAP_ANSWER_TIMEOUT, CTAP_ANSWER_CANCELLED };
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        for (size_t i = 0; i < ELEMENTSOF(over); i++) {
                f->w->answer = over[i];
                assert_int_equal(send_register(f, 1, &app), NOT_YET);
                assert_false(f->w->shown);
                assert_true(u2f_deadline(&f->u2f) == UINT64_MAX);
        }
        assert_int_equal(f->w->n_rows, 0);
}

static void U4_another_client_waits_for_its_turn(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2), other_app = filled(4);

        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        f->channel = 2;
        assert_int_equal(send_register(f, 3, &other_app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 1);

        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 3, &other_app), NOT_YET);
        f->channel = 1;
        assert_int_equal(send_register(f, 1, &app), OK);
        f->w->answer = CTAP_ANSWER_PENDING;
        f->channel = 2;
        assert_int_equal(send_register(f, 3, &other_app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 2);
}

static void U4_a_client_may_come_back_on_another_channel(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        f->channel = 2;
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 1, &app), OK);
        assert_int_equal(f->w->n_prompts, 1);
}

static void U4_a_client_that_asks_for_something_else_gives_up_the_first(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(send_register(f, 2, &app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 2);
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_register(f, 2, &app), OK);
}

static void U4_another_command_takes_the_question_away(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        u2f_withdraw(&f->u2f, &f->w->env);
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        u2f_withdraw(&f->u2f, &f->w->env);
        assert_false(f->w->shown);
        assert_true(u2f_deadline(&f->u2f) == UINT64_MAX);
        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        assert_int_equal(f->w->n_prompts, 2);
}

/* ---- registration ---- */

static void U5_a_registration_is_signed_over_all_it_says(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        assert_int_equal(r.point[0], 4);
        assert_int_equal(r.handle_len, CTAP_CREDENTIAL_ID_SIZE);
        assert_vouched_for(&r, 0x10, &app);
}

static void U5_the_certificate_names_the_product_and_no_machine(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;
        char subject[128], issuer[128];
        X509 *x;

        registered(f, &app, &r);
        x = certificate_of(&r);
        assert_int_equal(X509_get_version(x), X509_VERSION_3);
        assert_int_equal(X509_verify(x, X509_get0_pubkey(x)), 1);
        assert_int_equal(X509_check_ca(x), 0);
        X509_NAME_oneline(X509_get_subject_name(x), subject, sizeof(subject));
        X509_NAME_oneline(X509_get_issuer_name(x), issuer, sizeof(issuer));
        assert_string_equal(subject, "/CN=tpmauthn U2F registration");
        assert_string_equal(issuer, subject);
        assert_int_equal(X509_get_ext_count(x), 1);
        X509_free(x);
}

static void U5_two_registrations_cannot_be_linked(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration one, two;
        uint8_t a[65], b[65];
        X509 *x, *y;

        registered(f, &app, &one);
        registered(f, &app, &two);
        x = certificate_of(&one);
        y = certificate_of(&two);
        certificate_point(x, a);
        certificate_point(y, b);
        assert_memory_not_equal(a, b, sizeof(a));
        assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(x), X509_get0_serialNumber(y)),
                             0);
        X509_free(x);
        X509_free(y);
        assert_memory_not_equal(one.point, two.point, sizeof(one.point));
        assert_memory_not_equal(one.handle, two.handle, one.handle_len);
}

static void U5_what_is_kept_is_a_plain_credential(void **state) {
        static const struct sha256 zero;
        struct fixture *f = *state;
        struct sha256 app = filled(2), tag;
        struct registration r;
        struct ctap_record record;
        uint8_t storage[sizeof(f->w->rows[0].sealed)];
        struct buf opened = BUF_ON(storage);
        const struct ctap_row *row = &f->w->rows[0];

        registered(f, &app, &r);
        assert_int_equal(f->w->n_rows, 1);
        assert_bytes_equal(BYTES_OF(row->id), handle_of(&r));
        assert_int_equal(row->alg, -7);
        assert_int_equal(row->class, CTAP_CLASS_A);
        assert_int_equal(row->cred_protect, 1);
        assert_int_equal(row->flags, CTAP_ROW_U2F);
        assert_bytes_equal(BYTES_OF(row->account_tag), BYTES_OF(zero));
        assert_int_equal(ctap_rp_tag(&f->keys, &app, &tag), 0);
        assert_bytes_equal(BYTES_OF(row->rp_tag), BYTES_OF(tag));
        assert_int_equal(ctap_record_open(&f->keys, &app, row, &opened, &record), 0);
        assert_int_equal(record.rp_id.len, 0);
        assert_int_equal(record.user_id.len, 0);
        assert_false(record.has_user_name);
}

/* ---- authentication ---- */

static void U6_a_foreign_handle_is_refused_without_asking_anyone(void **state) {
        static const uint8_t longest[255];
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        for (size_t n = 0; n <= sizeof(longest); n++) {
                assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, BYTES(longest, n)),
                                 WRONG_DATA);
                assert_int_equal(send_authenticate(f, CHECK_ONLY, 1, &app, BYTES(longest, n)),
                                 WRONG_DATA);
        }
        for (size_t i = 0; i < r.handle_len; i++) {
                r.handle[i] ^= 1;
                assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), WRONG_DATA);
                r.handle[i] ^= 1;
        }
        assert_int_equal(f->w->n_prompts, 0);
        assert_int_equal(fake_calls(f->w, "find"), 0);
}

static void U6_a_handle_of_another_application_is_refused(void **state) {
        static const uint8_t ways[] = { ENFORCE, CHECK_ONLY, DONT_ENFORCE };
        struct fixture *f = *state;
        struct sha256 app = filled(2), other = filled(3);
        struct registration r;

        registered(f, &app, &r);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                assert_int_equal(send_authenticate(f, ways[i], 1, &other, handle_of(&r)),
                                 WRONG_DATA);
        assert_int_equal(f->w->n_prompts, 0);
        assert_int_equal(fake_calls(f->w, "find"), 0);
}

static void U6_a_handle_that_was_deleted_is_refused(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->n_rows = 0;
        assert_int_equal(send_authenticate(f, CHECK_ONLY, 1, &app, handle_of(&r)), WRONG_DATA);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), WRONG_DATA);
        assert_int_equal(f->w->n_prompts, 0);
}

static void U6_check_only_says_yes_by_6985_and_never_asks(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_authenticate(f, CHECK_ONLY, 1, &app, handle_of(&r)), NOT_YET);
        assert_int_equal(f->w->n_prompts, 0);
        assert_int_equal(fake_calls(f->w, "sign"), 0);
}

static void U6_enforce_signs_after_the_person_agreed(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), NOT_YET);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), NOT_YET);
        assert_int_equal(f->w->n_prompts, 1);
        assert_int_equal(f->w->prompt.ask, CTAP_ASK_USE);
        assert_int_equal(fake_calls(f->w, "sign"), 0);
        assert_int_equal(f->w->rows[0].count, 0);

        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), OK);
        assert_assertion(f, &r, 1, &app, 1, 1);
        assert_false(f->w->shown);
}

static void U6_dont_enforce_signs_at_once_and_claims_nobody(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->rows[0].count = 41;
        assert_int_equal(send_authenticate(f, DONT_ENFORCE, 1, &app, handle_of(&r)), OK);
        assert_assertion(f, &r, 1, &app, 0, 41);
        assert_int_equal(f->w->n_prompts, 0);
        assert_int_equal(f->w->rows[0].count, 41);
}

static void U7_an_assertion_is_presence_counter_and_signature(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->rows[0].count = 0x01020303;
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), OK);
        assert_hex_equal(BYTES(f->body.data, 6), "01 01020304 30");
        assert_assertion(f, &r, 1, &app, 1, 0x01020304);
}

static void U7_the_counter_rises_with_each_assertion(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->answer = CTAP_ANSWER_YES;
        for (uint8_t i = 1; i < 5; i++) {
                assert_int_equal(send_authenticate(f, ENFORCE, i, &app, handle_of(&r)), OK);
                assert_assertion(f, &r, i, &app, 1, i);
        }
}

static void U8_other_kinds_of_authentication_are_refused(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        for (unsigned p1 = 0; p1 < 256; p1++)
                if (p1 != ENFORCE && p1 != CHECK_ONLY && p1 != DONT_ENFORCE)
                        assert_int_equal(send_authenticate(f, (uint8_t)p1, 1, &app, handle_of(&r)),
                                         WRONG_P1);
        assert_int_equal(f->w->n_prompts, 0);
}

static void U9_a_handle_is_a_credential_id(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct ctap_credential_id id;
        struct registration r;

        registered(f, &app, &r);
        assert_true(r.handle_len <= 255);
        assert_true(ctap_credential_id_open(&f->keys, handle_of(&r), &app, &id));
}

/* A credential of CTAP2 in place of the registered one. */
static void make_ctap2_of(struct fixture *f, const struct sha256 *rp, int32_t alg,
                          const char *user_name) {
        const struct ctap_record record = { .rp_id = BYTES_TEXT("example.com"),
                                            .user_id = BYTES_TEXT("id"),
                                            .user_name = BYTES_TEXT(user_name),
                                            .user_display_name = BYTES_TEXT("Ada"),
                                            .has_user_name = true,
                                            .has_display_name = true };
        struct ctap_row *row = &f->w->rows[0];

        row->alg = alg;
        row->flags = CTAP_ROW_DISCOVERABLE;
        assert_int_equal(ctap_record_seal(&f->keys, &f->w->rng, rp, &record, row), 0);
}

static void make_ctap2(struct fixture *f, const struct sha256 *rp, int32_t alg) {
        make_ctap2_of(f, rp, alg, "ada");
}

static void U9_a_p256_credential_of_ctap2_is_a_handle(void **state) {
        static const int32_t algs[] = { CTAP_COSE_ES256, CTAP_COSE_ESP256 };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        for (uint8_t i = 0; i < ELEMENTSOF(algs); i++) {
                make_ctap2(f, &app, algs[i]);
                f->w->answer = CTAP_ANSWER_YES;
                assert_int_equal(send_authenticate(f, ENFORCE, i, &app, handle_of(&r)), OK);
                assert_assertion(f, &r, i, &app, 1, i + 1);
                assert_string_equal(f->w->rp_id, "example.com");
                assert_string_equal(f->w->account, "ada");
        }
}

static void U9_the_question_names_the_account_as_ctap2_does(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        make_ctap2_of(f, &app, CTAP_COSE_ES256, "");
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), NOT_YET);
        assert_string_equal(f->w->rp_id, "example.com");
        assert_string_equal(f->w->account, "Ada");
}

static void U9_other_credentials_of_ctap2_are_no_handles(void **state) {
        static const uint8_t ways[] = { ENFORCE, CHECK_ONLY, DONT_ENFORCE };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                make_ctap2(f, &app, CTAP_COSE_ES384);
                assert_int_equal(send_authenticate(f, ways[i], 1, &app, handle_of(&r)), WRONG_DATA);
                make_ctap2(f, &app, CTAP_COSE_ES256);
                f->w->rows[0].class = CTAP_CLASS_B;
                assert_int_equal(send_authenticate(f, ways[i], 1, &app, handle_of(&r)), WRONG_DATA);
                f->w->rows[0].class = CTAP_CLASS_A;
        }
        assert_int_equal(f->w->n_prompts, 0);
}

static void U10_a_credential_that_wants_verification_does_not_exist_for_u2f(void **state) {
        static const uint8_t ways[] = { ENFORCE, CHECK_ONLY, DONT_ENFORCE };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                f->w->rows[0].cred_protect = 3;
                assert_int_equal(send_authenticate(f, ways[i], 1, &app, handle_of(&r)), WRONG_DATA);
                f->w->rows[0].cred_protect = 2;
                assert_int_not_equal(send_authenticate(f, ways[i], 1, &app, handle_of(&r)),
                                     WRONG_DATA);
        }
}

static void U10_a_key_behind_the_pin_does_not_exist_for_u2f(void **state) {
        static const uint8_t ways[] = { ENFORCE, CHECK_ONLY, DONT_ENFORCE };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->rows[0].class = CTAP_CLASS_B;
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                assert_int_equal(send_authenticate(f, ways[i], 1, &app, handle_of(&r)), WRONG_DATA);
}

static void U11_under_always_uv_nothing_is_made_and_nothing_signed(void **state) {
        static const uint8_t ways[] = { ENFORCE, CHECK_ONLY, DONT_ENFORCE };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->answer = CTAP_ANSWER_YES;
        f->always_uv = true;
        f->w->n_prompts = 0;
        fake_forget_trace(f->w);
        assert_int_equal(send_register(f, 7, &app), NOT_YET);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                assert_int_equal(send_authenticate(f, ways[i], 1, &app, handle_of(&r)), NOT_YET);
        assert_string_equal(f->w->trace, "");
        assert_int_equal(f->w->n_rows, 1);
}

static void dummy_app(unsigned i, struct sha256 *ret) {
        const struct bytes texts[] = { BYTES_TEXT("make.me.blink"), BYTES_TEXT(".dummy") };

        if (i < 2)
                *ret = filled(i == 0 ? 'A' : 0);
        else
                assert_int_equal(ctap_sha256(&texts[i - 2], 1, ret), 0);
}

static void U13_a_dummy_is_a_neutral_question_and_leaves_nothing(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < 4; i++) {
                struct registration r;
                struct sha256 app;

                dummy_app(i, &app);
                f->w->answer = CTAP_ANSWER_PENDING;
                assert_int_equal(send_register(f, 7, &app), NOT_YET);
                assert_int_equal(f->w->prompt.ask, CTAP_ASK_SELECT);
                assert_true(f->w->prompt.passive);
                assert_string_equal(f->w->rp_id, "");

                f->w->answer = CTAP_ANSWER_YES;
                assert_int_equal(send_register(f, 7, &app), OK);
                parse_registration(f, &r);
                assert_vouched_for(&r, 7, &app);
                assert_int_equal(send_authenticate(f, CHECK_ONLY, 1, &app, handle_of(&r)),
                                 WRONG_DATA);
        }
        assert_int_equal(f->w->n_prompts, 4);
        assert_int_equal(f->w->n_rows, 0);
        assert_int_equal(fake_calls(f->w, "create"), 0);
}

static void U13_what_only_looks_like_a_dummy_is_real(void **state) {
        struct fixture *f = *state;

        f->w->answer = CTAP_ANSWER_YES;
        for (unsigned i = 0; i < 4; i++) {
                struct sha256 app;

                dummy_app(i, &app);
                app.b[31] ^= 1;
                assert_int_equal(send_register(f, 7, &app), OK);
                assert_int_equal(f->w->prompt.ask, CTAP_ASK_CREATE);
                assert_false(f->w->prompt.passive);
        }
        assert_int_equal(f->w->n_rows, 4);
}

/* Its key is of the class that needs presence alone, and the person is asked nothing but that. */
static void U14_no_pin_comes_into_it(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        assert_int_equal(f->w->rows[0].class, CTAP_CLASS_A);
        assert_int_equal(f->w->prompt.ask, CTAP_ASK_CREATE);
        f->w->answer = CTAP_ANSWER_YES;
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), OK);
        assert_int_equal(f->w->prompt.ask, CTAP_ASK_USE);
}

/* ---- failures of the machine ---- */

static void a_registration_that_fails_leaves_nothing(void **state) {
        static const char *const operations[] = { "begin", "poll", "fill", "create", "insert" };
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        f->w->answer = CTAP_ANSWER_YES;
        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                fake_fail(f->w, operations[i], 1, -EIO);
                assert_int_equal(send_register(f, 1, &app), FAILED);
                assert_int_equal(f->w->n_rows, 0);
                assert_false(f->w->shown);
                assert_true(u2f_deadline(&f->u2f) == UINT64_MAX);
        }
        assert_false(fake_mend(f->w));
        assert_int_equal(send_register(f, 1, &app), OK);
        assert_int_equal(f->w->n_rows, 1);
}

static void an_assertion_that_fails_can_be_asked_for_again(void **state) {
        static const char *const operations[] = { "find", "begin", "poll", "prepare_use",
                                                  "load", "use",   "sign" };
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->answer = CTAP_ANSWER_YES;
        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                fake_fail(f->w, operations[i], 1, -EIO);
                assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), FAILED);
                assert_int_equal(f->w->n_loaded, 0);
                assert_false(f->w->shown);
        }
        assert_int_equal(fake_calls(f->w, "sign"), 1); /* which failed */
        assert_false(fake_mend(f->w));
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), OK);
}

static void a_question_goes_when_its_use_cannot_be_prepared(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        fake_fail(f->w, "prepare_use", 1, -EIO);
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), FAILED);
        assert_int_equal(f->w->n_prompts, 1);
        assert_false(f->w->shown);
}

static void a_question_goes_when_its_answer_cannot_be_read(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        assert_int_equal(send_register(f, 1, &app), NOT_YET);
        fake_fail(f->w, "poll", 1, -EIO);
        u2f_withdraw(&f->u2f, &f->w->env);
        assert_false(f->w->shown);
        assert_true(u2f_deadline(&f->u2f) == UINT64_MAX);
}

static void an_answer_without_room_is_a_failure_and_keeps_nothing(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);

        f->w->answer = CTAP_ANSWER_YES;
        for (f->room = 2; f->room < 400; f->room += 7)
                assert_int_equal(send_register(f, 1, &app), FAILED);
        assert_int_equal(f->w->n_rows, 0);
}

static void a_row_that_was_changed_is_not_used(void **state) {
        struct fixture *f = *state;
        struct sha256 app = filled(2);
        struct registration r;

        registered(f, &app, &r);
        f->w->rows[0].sealed[20] ^= 1;
        assert_int_equal(send_authenticate(f, ENFORCE, 1, &app, handle_of(&r)), FAILED);
        assert_int_equal(f->w->n_prompts, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(U1_version_comes_with_and_without_lengths),
                TEST(U1_register_comes_short_and_extended),
                TEST(U2_a_register_of_the_wrong_length_is_told_so),
                TEST(U2_an_authenticate_of_the_wrong_length_is_told_so),
                TEST(U2_a_version_of_the_wrong_length_is_told_so),
                TEST(U2_data_of_any_other_length_is_refused),
                TEST(U2_a_handle_length_that_lies_is_a_wrong_length),
                TEST(U2_other_classes_and_instructions_are_unknown),
                TEST(U3_version_needs_nobody),
                TEST(U4_register_is_answered_at_once_and_asked_for_again),
                TEST(U4_an_answer_that_is_there_at_once_is_taken),
                TEST(U4_a_grant_is_used_once),
                TEST(U4_a_grant_is_for_the_request_it_was_given_for),
                TEST(U4_a_grant_waits_ten_seconds_for_its_client),
                TEST(U4_the_question_goes_when_the_client_has_gone),
                TEST(U4_a_client_that_is_late_is_asked_for_anew),
                TEST(U4_a_no_holds_for_its_request),
                TEST(U4_a_no_does_not_stop_another_request),
                TEST(U4_a_question_that_ran_out_is_taken_away),
                TEST(U4_another_client_waits_for_its_turn),
                TEST(U4_a_client_may_come_back_on_another_channel),
                TEST(U4_a_client_that_asks_for_something_else_gives_up_the_first),
                TEST(U4_another_command_takes_the_question_away),
                TEST(U5_a_registration_is_signed_over_all_it_says),
                TEST(U5_the_certificate_names_the_product_and_no_machine),
                TEST(U5_two_registrations_cannot_be_linked),
                TEST(U5_what_is_kept_is_a_plain_credential),
                TEST(U6_a_foreign_handle_is_refused_without_asking_anyone),
                TEST(U6_a_handle_of_another_application_is_refused),
                TEST(U6_a_handle_that_was_deleted_is_refused),
                TEST(U6_check_only_says_yes_by_6985_and_never_asks),
                TEST(U6_enforce_signs_after_the_person_agreed),
                TEST(U6_dont_enforce_signs_at_once_and_claims_nobody),
                TEST(U7_an_assertion_is_presence_counter_and_signature),
                TEST(U7_the_counter_rises_with_each_assertion),
                TEST(U8_other_kinds_of_authentication_are_refused),
                TEST(U9_a_handle_is_a_credential_id),
                TEST(U9_a_p256_credential_of_ctap2_is_a_handle),
                TEST(U9_the_question_names_the_account_as_ctap2_does),
                TEST(U9_other_credentials_of_ctap2_are_no_handles),
                TEST(U10_a_credential_that_wants_verification_does_not_exist_for_u2f),
                TEST(U10_a_key_behind_the_pin_does_not_exist_for_u2f),
                TEST(U11_under_always_uv_nothing_is_made_and_nothing_signed),
                TEST(U13_a_dummy_is_a_neutral_question_and_leaves_nothing),
                TEST(U13_what_only_looks_like_a_dummy_is_real),
                TEST(U14_no_pin_comes_into_it),
                TEST(a_registration_that_fails_leaves_nothing),
                TEST(an_assertion_that_fails_can_be_asked_for_again),
                TEST(a_question_goes_when_its_use_cannot_be_prepared),
                TEST(a_question_goes_when_its_answer_cannot_be_read),
                TEST(an_answer_without_room_is_a_failure_and_keeps_nothing),
                TEST(a_row_that_was_changed_is_not_used),
        };

        return cmocka_run_group_tests_name("u2f", tests, NULL, NULL);
}
