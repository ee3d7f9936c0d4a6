/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/attestation-chain.c: certificates as an attestation CA makes them are taken; one thing
 * wrong about them, and the sentence names it.
 */

#include "authenticator/attestation-chain.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#define NOW INT64_C(1790000000)
#define DAY 86400

static const uint8_t aaguid[16] = "sixteen bytes...", other_aaguid[16] = "sixteen others..";

/* The fixture's keys, by what they are of. */
enum who { AK, AUTHORITY, ROOT, STRANGER, _WHO };

/* What a certificate says; zero is a good one of the attestation key. */
struct form {
        bool v1, has_subject, no_san, san_is_not_critical, second_directory;
        const char *manufacturer, *model, *version; /* NULL: a good one; "": it is left out */
        bool manufacturer_twice;
        const char *usages;      /* extendedKeyUsage; NULL: a good one; "": left out */
        const char *constraints; /* likewise */
        const char *key_usage;   /* likewise */
        const uint8_t *aaguid;
        bool aaguid_is_critical;
        int64_t from, until; /* seconds from NOW; both 0: for a day */
        bool sha1;
        size_t padding; /* bytes of a comment */
};

struct fixture {
        EVP_PKEY *keys[_WHO];
        uint8_t key[256]; /* the AK's SubjectPublicKeyInfo */
        size_t key_len;
        uint8_t der[ATTESTATION_CHAIN_BYTES];
        struct buf storage;
        struct attestation_chain chain;
        char *roots;
        struct attestation_wants wants;
        char text[1024];
        struct buf reason;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        unsigned char *at = f->key;

        for (unsigned i = 0; i < _WHO; i++)
                f->keys[i] = EVP_EC_gen("P-256");
        f->key_len = (size_t)i2d_PUBKEY(f->keys[AK], &at);
        f->storage = BUF_ON(f->der);
        f->wants = (struct attestation_wants){
                .key = BYTES(f->key, f->key_len),
                .aaguid = aaguid,
                .now = NOW,
                .any_issuer = true,
                .bytes_max = 1280,
        };
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < _WHO; i++)
                EVP_PKEY_free(f->keys[i]);
        free(f->roots);
        free(f);
        return 0;
}

/* ---- making ---- */

static void add(X509 *x, int nid, const char *value) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

static void add_unless_left_out(X509 *x, int nid, const char *value, const char *otherwise) {
        if (!value || *value)
                add(x, nid, value ? value : otherwise);
}

static void add_attribute(X509_NAME *name, const char *oid, const char *value,
                          const char *otherwise) {
        if (!value || *value)
                assert_int_equal(X509_NAME_add_entry_by_txt(
                                         name, oid, MBSTRING_UTF8,
                                         (const unsigned char *)(value ? value : otherwise), -1, -1,
                                         0),
                                 1);
}

static void add_directory(GENERAL_NAMES *names, const struct form *form) {
        GENERAL_NAME *g = GENERAL_NAME_new();
        X509_NAME *name = X509_NAME_new();

        add_attribute(name, "2.23.133.2.1", form->manufacturer, "id:49424D00");
        if (form->manufacturer_twice)
                add_attribute(name, "2.23.133.2.1", NULL, "id:494E5443");
        add_attribute(name, "2.23.133.2.2", form->model, "swtpm");
        add_attribute(name, "2.23.133.2.3", form->version, "id:20191023");
        g->type = GEN_DIRNAME;
        g->d.directoryName = name;
        sk_GENERAL_NAME_push(names, g);
}

static void add_names(X509 *x, const struct form *form) {
        GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

        add_directory(names, form);
        if (form->second_directory)
                add_directory(names, form);
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names,
                                           !form->san_is_not_critical, 0),
                         1);
        sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static void add_aaguid(X509 *x, const struct form *form) {
        ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        uint8_t der[18] = { 0x04, 16 };
        X509_EXTENSION *e;

        memcpy(der + 2, form->aaguid, 16);
        ASN1_OCTET_STRING_set(value, der, sizeof(der));
        e = X509_EXTENSION_create_by_OBJ(NULL, id, form->aaguid_is_critical, value);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(id);
}

static void set_name(X509_NAME *name, const char *cn) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                    (const unsigned char *)cn, -1, -1, 0),
                         1);
}

static const char *const names[] = {
        [AK] = "machine", [AUTHORITY] = "authority", [ROOT] = "root", [STRANGER] = "stranger"
};

/* Unsigned; of `of`, by the name of `by`. */
static X509 *begin(const struct fixture *f, enum who of, enum who by, const struct form *form) {
        X509 *x = X509_new();

        X509_set_version(x, form->v1 ? X509_VERSION_1 : X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
        ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(NOW + form->from));
        ASN1_TIME_set(X509_getm_notAfter(x),
                      (time_t)(NOW + (form->from || form->until ? form->until : DAY)));
        set_name(X509_get_issuer_name(x), names[by]);
        X509_set_pubkey(x, f->keys[of]);
        return x;
}

static void finish(struct fixture *f, X509 *x, enum who signer, bool sha1) {
        unsigned char *der = NULL;
        int n;

        assert_true(X509_sign(x, f->keys[signer], sha1 ? EVP_sha1() : EVP_sha256()) > 0);
        n = i2d_X509(x, &der);
        assert_true(n > 0 && f->chain.n < ATTESTATION_CHAIN_MAX);
        f->chain.der[f->chain.n++] = BYTES(f->storage.data + f->storage.len, (size_t)n);
        buf_put(&f->storage, BYTES(der, (size_t)n));
        assert_int_equal(buf_error(&f->storage), 0);
        OPENSSL_free(der);
        X509_free(x);
}

static void add_leaf_of(struct fixture *f, enum who of, enum who by, const struct form *form) {
        X509 *x = begin(f, of, by, form);

        if (form->has_subject)
                set_name(X509_get_subject_name(x), names[of]);
        if (!form->v1) {
                if (!form->no_san)
                        add_names(x, form);
                add_unless_left_out(x, NID_ext_key_usage, form->usages, "2.23.133.8.3");
                add_unless_left_out(x, NID_basic_constraints, form->constraints,
                                    "critical,CA:FALSE");
                add_unless_left_out(x, NID_key_usage, form->key_usage, "critical,digitalSignature");
        }
        if (form->aaguid)
                add_aaguid(x, form);
        if (form->padding > 0) {
                char *text = calloc(1, form->padding + 1);

                memset(text, 'x', form->padding);
                add(x, NID_netscape_comment, text);
                free(text);
        }
        finish(f, x, by, form->sha1);
}

/* Of the attestation key, by the authority. */
static void add_leaf(struct fixture *f, const struct form *form) {
        add_leaf_of(f, AK, AUTHORITY, form);
}

static void add_authority_by(struct fixture *f, enum who of, enum who by, enum who signer,
                             const struct form *form) {
        X509 *x = begin(f, of, by, form);

        set_name(X509_get_subject_name(x), names[of]);
        add_unless_left_out(x, NID_basic_constraints, form->constraints, "critical,CA:TRUE");
        add_unless_left_out(x, NID_key_usage, form->key_usage, "critical,keyCertSign");
        finish(f, x, signer, form->sha1);
}

static void add_authority(struct fixture *f, const struct form *form) {
        add_authority_by(f, AUTHORITY, ROOT, ROOT, form);
}

static void begin_chain(struct fixture *f) {
        f->chain.n = 0;
        f->storage.len = 0;
}

/* What is in the chain becomes the file of roots, and the chain is empty again. */
static void take_as_roots(struct fixture *f) {
        static uint8_t pem[16384];
        struct buf to = BUF_ON(pem);

        assert_int_equal(attestation_chain_write(&f->chain, &to), 0);
        free(f->roots);
        f->roots = malloc(to.len);
        memcpy(f->roots, pem, to.len);
        f->wants.any_issuer = false;
        f->wants.roots = BYTES(f->roots, to.len);
        begin_chain(f);
}

/* ---- checking ---- */

static int check(struct fixture *f) {
        memset(f->text, 0, sizeof(f->text));
        f->reason = (struct buf){ (uint8_t *)f->text, 0, sizeof(f->text) - 1, false };
        return attestation_chain_check(&f->chain, &f->wants, &f->reason);
}

static void assert_taken(struct fixture *f) {
        if (check(f) < 0)
                fail_msg("refused: %s", f->text);
        assert_int_equal(f->reason.len, 0);
}

static void assert_refused(struct fixture *f, const char *what) {
        assert_int_equal(check(f), -EINVAL);
        if (!strstr(f->text, what))
                fail_msg("no '%s' in: %s", what, f->text);
}

static void a_good_certificate_is_taken(void **state) {
        static const struct form good[] = {
                { 0 },
                { .aaguid = aaguid },
                { .usages = "2.23.133.8.3,serverAuth" },
                { .constraints = "CA:FALSE" },
                { .key_usage = "digitalSignature,nonRepudiation" },
                { .from = 299, .until = DAY }, /* by who has a clock that is ahead */
                { .from = -DAY, .until = 400 },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                begin_chain(f);
                add_leaf(f, &good[i]);
                assert_taken(f);
        }
}

/* WebAuthn §8.3.1, and what libraries of servers want. */
static void one_that_a_server_would_refuse_is_refused(void **state) {
        static const char san[] = "does not name the TPM as it should";
        static const struct {
                struct form form;
                const char *what;
        } cases[] = {
                { { .v1 = true }, "not of version 3" },
                { { .has_subject = true }, "has a subject" },
                { { .no_san = true }, san },
                { { .san_is_not_critical = true }, san },
                { { .second_directory = true }, san },
                { { .manufacturer = "" }, san },
                { { .manufacturer = "49424D00" }, san },
                { { .manufacturer = "id:" }, san },
                { { .manufacturer_twice = true }, san },
                { { .model = "" }, san },
                { { .version = "" }, san },
                { { .version = "20191023" }, san },
                { { .usages = "" }, "not for attestation" },
                { { .usages = "serverAuth" }, "not for attestation" },
                { { .usages = "serverAuth,2.23.133.8.3" }, "not for attestation" },
                { { .constraints = "" }, "CA:FALSE" },
                { { .constraints = "critical,CA:TRUE" }, "CA:FALSE" },
                { { .key_usage = "" }, "not for signatures" },
                { { .key_usage = "critical,keyAgreement" }, "not for signatures" },
                { { .aaguid = other_aaguid }, "another AAGUID" },
                { { .aaguid = aaguid, .aaguid_is_critical = true }, "does not name it" },
                { { .from = 301, .until = DAY }, "Certificate 1 is not valid yet" },
                { { .from = -DAY, .until = -1 }, "Certificate 1 has expired" },
                { { .from = -DAY, .until = 0 }, "Certificate 1 has expired" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                begin_chain(f);
                add_leaf(f, &cases[i].form);
                assert_refused(f, cases[i].what);
        }
}

static void one_of_another_key_is_refused(void **state) {
        struct fixture *f = *state;

        add_leaf_of(f, STRANGER, AUTHORITY, &(struct form){ 0 });
        assert_refused(f, "for another key than this machine's attestation key");
}

static void an_aaguid_is_looked_at_only_where_it_is_known(void **state) {
        struct fixture *f = *state;

        f->wants.aaguid = NULL;
        add_leaf(f, &(struct form){ .aaguid = other_aaguid });
        assert_taken(f);
}

static void each_is_signed_by_the_next(void **state) {
        struct fixture *f = *state;

        add_leaf(f, &(struct form){ 0 });
        add_authority(f, &(struct form){ 0 });
        assert_taken(f);

        /* Of its name, and not of its key. */
        begin_chain(f);
        add_leaf(f, &(struct form){ 0 });
        add_authority_by(f, STRANGER, ROOT, ROOT, &(struct form){ 0 });
        assert_refused(f, "Certificate 1 is not signed by the next one");

        /* The wrong way round. */
        begin_chain(f);
        add_authority(f, &(struct form){ 0 });
        add_leaf(f, &(struct form){ 0 });
        assert_refused(f, "for another key");

        /* Which signs for nobody. */
        begin_chain(f);
        add_leaf(f, &(struct form){ 0 });
        add_authority(f, &(struct form){ .constraints = "critical,CA:FALSE" });
        assert_refused(f, "as an authority's");
        begin_chain(f);
        add_leaf(f, &(struct form){ 0 });
        add_authority(f, &(struct form){ .key_usage = "critical,digitalSignature" });
        assert_refused(f, "as an authority's");

        begin_chain(f);
        add_leaf(f, &(struct form){ 0 });
        add_authority(f, &(struct form){ .from = -2 * DAY, .until = -DAY });
        assert_refused(f, "Certificate 2 has expired");
}

static void a_root_does_not_belong_into_it(void **state) {
        struct fixture *f = *state;

        add_leaf(f, &(struct form){ 0 });
        add_authority(f, &(struct form){ 0 });
        add_authority_by(f, ROOT, ROOT, ROOT, &(struct form){ 0 });
        f->wants.bytes_max = 4096;
        assert_refused(f, "Certificate 3 is signed by itself");
}

/* An authority below which no other may be. */
static void what_an_authority_may_not_sign_is_no_chain(void **state) {
        struct fixture *f = *state;

        f->wants.bytes_max = 4096;
        add_leaf_of(f, AK, STRANGER, &(struct form){ 0 });
        add_authority_by(f, STRANGER, AUTHORITY, AUTHORITY, &(struct form){ 0 });
        add_authority(f, &(struct form){ 0 });
        assert_taken(f);

        begin_chain(f);
        add_leaf_of(f, AK, STRANGER, &(struct form){ 0 });
        add_authority_by(f, STRANGER, AUTHORITY, AUTHORITY, &(struct form){ 0 });
        add_authority(f, &(struct form){ .constraints = "critical,CA:TRUE,pathlen:0" });
        assert_refused(f, "The certificates are no chain: ");

        begin_chain(f);
        add_leaf(f, &(struct form){ .sha1 = true });
        add_authority(f, &(struct form){ 0 });
        assert_refused(f, "The certificates are no chain: ");
}

static void they_lead_to_a_root_that_is_configured(void **state) {
        static const struct form plain = { 0 };
        struct fixture *f = *state;

        add_authority_by(f, STRANGER, STRANGER, STRANGER, &plain);
        add_authority_by(f, ROOT, ROOT, ROOT, &plain);
        take_as_roots(f);
        add_leaf(f, &plain);
        add_authority(f, &plain);
        assert_taken(f);

        /* Its name alone is not enough. */
        begin_chain(f);
        add_authority_by(f, STRANGER, STRANGER, STRANGER, &plain);
        take_as_roots(f);
        add_leaf(f, &plain);
        add_authority(f, &plain);
        assert_refused(f, "do not lead to a root of [attestation] root: ");
        add_authority_by(f, ROOT, ROOT, ROOT, &(struct form){ .from = -2 * DAY, .until = -DAY });
        f->chain = (struct attestation_chain){ 1, { f->chain.der[2] } };
        take_as_roots(f);
        add_leaf(f, &plain);
        add_authority(f, &plain);
        assert_refused(f, "do not lead to a root of [attestation] root: ");

        /* The authority itself may be the root. */
        begin_chain(f);
        add_authority(f, &plain);
        take_as_roots(f);
        add_leaf(f, &plain);
        assert_taken(f);

        assert_true(attestation_has_roots(f->wants.roots));
        f->wants.roots = BYTES_TEXT("nothing");
        assert_false(attestation_has_roots(f->wants.roots));
        assert_false(attestation_has_roots(BYTES_NULL));
        assert_refused(f, "root holds no certificate in PEM");

        /* An empty file is no leave for everybody. */
        f->wants.roots = BYTES(f->roots, 0);
        assert_refused(f, "root holds no certificate in PEM");
        f->wants.roots = BYTES_NULL;
        assert_refused(f, "root holds no certificate in PEM");
}

static void the_first_to_expire_ends_all(void **state) {
        struct fixture *f = *state;
        int64_t until = 0;

        add_leaf(f, &(struct form){ .until = 3 * DAY });
        add_authority(f, &(struct form){ .until = 2 * DAY });
        assert_int_equal(attestation_chain_until(&f->chain, &until), 0);
        assert_int_equal(until, NOW + 2 * DAY);
        begin_chain(f);
        add_leaf(f, &(struct form){ .until = DAY });
        add_authority(f, &(struct form){ .until = 2 * DAY });
        assert_int_equal(attestation_chain_until(&f->chain, &until), 0);
        assert_int_equal(until, NOW + DAY);
        f->chain.der[1].len--;
        assert_int_equal(attestation_chain_until(&f->chain, &until), -EBADMSG);
        assert_int_equal(until, NOW + DAY);
}

/* H39 */
static void certificates_that_no_reply_could_hold_are_refused(void **state) {
        struct fixture *f = *state;

        add_leaf(f, &(struct form){ .padding = 1000 });
        assert_refused(f, "bytes together (in DER); clients take 1280");
        f->wants.bytes_max = 1700;
        assert_taken(f);
}

static void what_is_no_certificate_is_refused(void **state) {
        struct fixture *f = *state;

        assert_refused(f, "holds no certificate");
        add_leaf(f, &(struct form){ 0 });
        for (size_t n = 0; n < f->storage.len; n += 37) {
                const struct attestation_chain whole = f->chain;

                f->chain.der[0].len = n;
                assert_refused(f, "Certificate 1 is damaged");
                f->chain = whole;
        }
        f->der[f->storage.len] = 0;
        f->chain.der[0].len++;
        assert_refused(f, "Certificate 1 is damaged");
}

/* ---- PEM ---- */

static void pem_goes_both_ways(void **state) {
        uint8_t storage[16384], der[ATTESTATION_CHAIN_BYTES];
        struct buf pem = BUF_ON(storage), to = BUF_ON(der);
        struct fixture *f = *state;
        struct attestation_chain again;

        add_leaf(f, &(struct form){ 0 });
        add_authority(f, &(struct form){ 0 });
        buf_put(&pem, BYTES_TEXT("Text before it does not count.\n"));
        assert_int_equal(attestation_chain_write(&f->chain, &pem), 0);
        f->reason = BUF_ON(der);
        assert_int_equal(attestation_chain_read(buf_bytes(&pem), &to, &again, &f->reason), 0);
        assert_int_equal(again.n, 2);
        for (size_t i = 0; i < 2; i++)
                assert_bytes_equal(again.der[i], f->chain.der[i]);
        pem = (struct buf){ storage, 0, 100, false };
        assert_int_equal(attestation_chain_write(&f->chain, &pem), -EMSGSIZE);
}

static void assert_no_pem(struct fixture *f, struct bytes pem, size_t room, const char *what) {
        uint8_t der[ATTESTATION_CHAIN_BYTES];
        struct buf to = { der, 0, room, false };
        struct attestation_chain chain;

        memset(f->text, 0, sizeof(f->text));
        f->reason = (struct buf){ (uint8_t *)f->text, 0, sizeof(f->text) - 1, false };
        assert_int_equal(attestation_chain_read(pem, &to, &chain, &f->reason), -EINVAL);
        if (!strstr(f->text, what))
                fail_msg("no '%s' in: %s", what, f->text);
}

static void what_is_no_pem_is_refused(void **state) {
        uint8_t storage[16384];
        struct buf pem = BUF_ON(storage);
        struct fixture *f = *state;

        assert_no_pem(f, BYTES_TEXT(""), 8192, "no certificate in PEM");
        assert_no_pem(f, BYTES_TEXT("PEM"), 8192, "no certificate in PEM");
        assert_no_pem(f,
                      BYTES_TEXT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                      8192, "Certificate 1 is damaged");
        add_leaf(f, &(struct form){ 0 });
        for (unsigned i = 0; i <= ATTESTATION_CHAIN_MAX; i++)
                assert_int_equal(attestation_chain_write(&f->chain, &pem), 0);
        assert_no_pem(f, buf_bytes(&pem), 8192, "more than 4 certificates");
        assert_no_pem(f, buf_bytes(&pem), 500, "too long");
        assert_no_pem(f, BYTES(pem.data, pem.len - 200), 8192, "Certificate 5 is damaged");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_good_certificate_is_taken),
                TEST(one_that_a_server_would_refuse_is_refused),
                TEST(one_of_another_key_is_refused),
                TEST(an_aaguid_is_looked_at_only_where_it_is_known),
                TEST(each_is_signed_by_the_next),
                TEST(a_root_does_not_belong_into_it),
                TEST(what_an_authority_may_not_sign_is_no_chain),
                TEST(they_lead_to_a_root_that_is_configured),
                TEST(the_first_to_expire_ends_all),
                TEST(certificates_that_no_reply_could_hold_are_refused),
                TEST(what_is_no_certificate_is_refused),
                TEST(pem_goes_both_ways),
                TEST(what_is_no_pem_is_refused),
        };

        return cmocka_run_group_tests_name("attestation-chain", tests, NULL, NULL);
}
