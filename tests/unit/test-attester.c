/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/attester.c: a good key with good certificates attests; one thing wrong about them, and
 * the sentence names it.
 */

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/attester.h"
#include "authenticator/util.h"
#include "ctap/crypto.h"
#include "tests/fake/certificate.h"
#include "tests/unit/test.h"

static const uint8_t aaguid[16] = "sixteen bytes...", other_aaguid[16] = "sixteen others..";

struct fixture {
        char folder[64], key_path[96], chain_path[96];
        EVP_PKEY *key, *authority_key, *root_key;
        char text[1024];
        struct buf reason;
        struct attester *attester;
};

/* ---- files ---- */

static FILE *rewrite(const char *path) {
        FILE *to = fopen(path, "w");

        assert_non_null(to);
        return to;
}

/* The leaf alone, which the authority signed. */
static void write_leaf(const struct fixture *f, const struct certificate_form *leaf) {
        FILE *to = rewrite(f->chain_path);

        certificate_write(to, f->key, leaf, &certificate_authority, f->authority_key);
        assert_int_equal(fclose(to), 0);
}

static void write_text(const char *path, const char *text) {
        FILE *to = rewrite(path);

        fputs(text, to);
        assert_int_equal(fclose(to), 0);
        assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->folder, "/tmp/tpmauthn-attester-XXXXXX");
        if (!mkdtemp(f->folder))
                return -1;
        snprintf(f->key_path, sizeof(f->key_path), "%s/key.pem", f->folder);
        snprintf(f->chain_path, sizeof(f->chain_path), "%s/chain.pem", f->folder);
        f->key = EVP_EC_gen("P-256");
        f->authority_key = EVP_EC_gen("P-256");
        f->root_key = EVP_EC_gen("P-256");
        f->reason = (struct buf){ (uint8_t *)f->text, 0, sizeof(f->text) - 1, false };
        certificate_write_key(f->key_path, f->key, NULL);
        write_leaf(f, &(struct certificate_form){ 0 });
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        attester_close(f->attester);
        EVP_PKEY_free(f->key);
        EVP_PKEY_free(f->authority_key);
        EVP_PKEY_free(f->root_key);
        unlink(f->key_path);
        unlink(f->chain_path);
        rmdir(f->folder);
        free(f);
        return 0;
}

static int open_with(struct fixture *f, const char *rp_ids, const uint8_t *wanted) {
        const struct attester_options options = { f->key_path, f->chain_path, rp_ids };

        f->attester = attester_close(f->attester);
        f->reason.len = 0;
        memset(f->text, 0, sizeof(f->text));
        return attester_open(&options, wanted, &f->reason, &f->attester);
}

static void assert_good(struct fixture *f) {
        if (open_with(f, "", aaguid) < 0)
                fail_msg("refused: %s", f->text);
        assert_int_equal(f->reason.len, 0);
}

/* With one sentence that names the key of the configuration and says this. */
static void assert_refused(struct fixture *f, const char *key, const char *what) {
        assert_true(open_with(f, "", aaguid) < 0);
        assert_null(f->attester);
        assert_int_equal(strncmp(f->text, "[attestation] ", 14), 0);
        assert_int_equal(strncmp(f->text + 14, key, strlen(key)), 0);
        assert_int_equal(f->text[f->reason.len - 1], '.');
        if (!strstr(f->text, what))
                fail_msg("no '%s' in: %s", what, f->text);
}

/* ---- what is good ---- */

static void MC19_the_certificates_are_given_in_der_leaf_first(void **state) {
        struct fixture *f = *state;
        const struct certificate_form leaf = { .aaguid = aaguid };
        FILE *to = rewrite(f->chain_path);
        struct ctap_attester *port;
        const uint8_t *at;
        X509 *x;

        certificate_write(to, f->key, &leaf, &certificate_authority, f->authority_key);
        fputs("Text between them does not count.\n", to);
        certificate_write(to, f->authority_key, &certificate_authority, &certificate_root,
                          f->root_key);
        assert_int_equal(fclose(to), 0);
        assert_good(f);

        port = attester_port(f->attester);
        assert_int_equal(port->ops->certificate(port, 2).len, 0);
        assert_int_equal(port->ops->certificate(port, ATTESTER_CERTIFICATES_MAX).len, 0);
        for (size_t i = 0; i < 2; i++) {
                const struct bytes der = port->ops->certificate(port, i);

                at = der.data;
                x = d2i_X509(NULL, &at, (long)der.len);
                assert_non_null(x);
                assert_ptr_equal(at, der.data + der.len);
                assert_int_equal(X509_check_private_key(x, i == 0 ? f->key : f->authority_key), 1);
                X509_free(x);
        }
}

static void MC19_it_signs_with_the_key_of_the_leaf(void **state) {
        struct fixture *f = *state;
        struct ctap_attester *port;
        struct ctap_signature signature;
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(f->key, NULL);
        const struct sha256 digest = { { 1, 2, 3 } };

        assert_good(f);
        port = attester_port(f->attester);
        assert_int_equal(port->ops->sign(port, BYTES_OF(digest), &signature), 0);
        assert_int_equal(EVP_PKEY_verify_init(c), 1);
        assert_int_equal(EVP_PKEY_verify(c, signature.data, signature.len, digest.b, 32), 1);
        EVP_PKEY_CTX_free(c);
}

static void MC9_the_sites_that_are_served_are_those_of_the_list(void **state) {
        static const char list[] = "  a.example b.example\tc.example ";
        static const struct {
                const char *rp_id;
                bool served;
        } cases[] = {
                { "a.example", true },      { "b.example", true },    { "c.example", true },
                { "example", false },       { "a.exampl", false },    { "a.example ", false },
                { "www.a.example", false }, { "a.example b", false }, { "", false },
        };
        struct fixture *f = *state;
        struct ctap_attester *port;

        assert_int_equal(open_with(f, list, aaguid), 0);
        port = attester_port(f->attester);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(port->ops->serves(port, BYTES_TEXT(cases[i].rp_id)),
                                 cases[i].served);
        assert_int_equal(open_with(f, "", aaguid), 0);
        port = attester_port(f->attester);
        assert_false(port->ops->serves(port, BYTES_TEXT("a.example")));
        assert_null(attester_port(NULL));
}

static void an_aaguid_is_looked_at_only_where_it_is_known(void **state) {
        struct fixture *f = *state;

        write_leaf(f, &(struct certificate_form){ .aaguid = other_aaguid });
        assert_refused(f, "certificates", "another AAGUID");
        assert_int_equal(open_with(f, "", NULL), 0);
        write_leaf(f, &(struct certificate_form){ .aaguid = aaguid, .aaguid_is_critical = true });
        assert_true(open_with(f, "", NULL) < 0);
}

/* ---- what is not ---- */

static void MC19_a_leaf_that_a_server_would_refuse_is_refused(void **state) {
        static const struct {
                struct certificate_form form;
                const char *what;
        } cases[] = {
                { { .v1 = true }, "not of version 3" },
                { { .names = { NULL, "O", "Authenticator Attestation", "CN" } }, "(C)" },
                { { .names = { "xy", "O", "Authenticator Attestation", "CN" } }, "(C)" },
                { { .names = { "XY", NULL, "Authenticator Attestation", "CN" } }, "(O)" },
                { { .names = { "XY", "O", NULL, "CN" } }, "OU = Authenticator Attestation" },
                { { .names = { "XY", "O", "Authenticator attestation", "CN" } },
                  "OU = Authenticator Attestation" },
                { { .second_unit = true }, "OU = Authenticator Attestation" },
                { { .names = { "XY", "O", "Authenticator Attestation", NULL } }, "(CN)" },
                { { .constraints = "" }, "CA:FALSE" },
                { { .constraints = "CA:TRUE" }, "CA:FALSE" },
                { { .aaguid = other_aaguid }, "another AAGUID" },
                { { .aaguid = aaguid, .aaguid_is_critical = true }, "does not name it" },
                { { .aaguid = aaguid, .aaguid_len = 15 }, "does not name it" },
                { { .aaguid = aaguid, .aaguid_len = 17 }, "does not name it" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                write_leaf(f, &cases[i].form);
                assert_refused(f, "certificates", cases[i].what);
        }
        write_leaf(f, &(struct certificate_form){ .aaguid = aaguid });
        assert_good(f);
}

static void MC19_the_first_certificate_is_that_of_the_key(void **state) {
        struct fixture *f = *state;

        certificate_write_key(f->key_path, f->root_key, NULL);
        assert_refused(f, "certificates", "not that of the key");
}

static void MC19_each_certificate_is_signed_by_the_next(void **state) {
        static const struct certificate_form no_authority = { .names = { "XY", "An Organisation",
                                                                         NULL, "Authority" } };
        static const struct {
                const struct certificate_form *form;
                bool other_key;
        } seconds[] = {
                { &certificate_root, false },     /* another name */
                { &certificate_authority, true }, /* the name of it alone */
                { &no_authority, false },         /* which signs for nobody */
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
                FILE *to = rewrite(f->chain_path);

                certificate_write(to, f->key, &(struct certificate_form){ 0 },
                                  &certificate_authority, f->authority_key);
                certificate_write(to, seconds[i].other_key ? f->root_key : f->authority_key,
                                  seconds[i].form, &certificate_root, f->root_key);
                assert_int_equal(fclose(to), 0);
                assert_refused(f, "certificates", "certificate 1 is not signed by the next one");
        }
}

/* H39 */
static void certificates_that_no_reply_could_hold_are_refused(void **state) {
        struct fixture *f = *state;
        FILE *to = rewrite(f->chain_path);

        certificate_write(to, f->key, &(struct certificate_form){ .padding = 700 },
                          &certificate_authority, f->authority_key);
        certificate_write(to, f->authority_key, &certificate_authority, &certificate_root,
                          f->root_key);
        assert_int_equal(fclose(to), 0);
        assert_refused(f, "certificates", "bytes together");

        to = rewrite(f->chain_path);
        for (size_t i = 0; i <= ATTESTER_CERTIFICATES_MAX; i++)
                certificate_write(to, f->key, &(struct certificate_form){ 0 },
                                  &certificate_authority, f->authority_key);
        assert_int_equal(fclose(to), 0);
        assert_refused(f, "certificates", "more than 4 certificates");
}

static void a_key_of_another_kind_is_refused(void **state) {
        static const char no_key[] = "holds no private key in PEM that needs no password";
        struct fixture *f = *state;
        EVP_PKEY *p384 = EVP_EC_gen("P-384"), *rsa = EVP_RSA_gen(2048);

        certificate_write_key(f->key_path, p384, NULL);
        assert_refused(f, "key", "no key on the curve P-256");
        certificate_write_key(f->key_path, rsa, NULL);
        assert_refused(f, "key", "no key on the curve P-256");
        certificate_write_key(f->key_path, f->key, "a password");
        assert_refused(f, "key", no_key);
        write_text(f->key_path, "");
        assert_refused(f, "key", no_key);
        write_text(f->key_path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assert_refused(f, "key", no_key);
        EVP_PKEY_free(p384);
        EVP_PKEY_free(rsa);
}

static void a_key_that_everybody_may_read_is_refused(void **state) {
        struct fixture *f = *state;

        assert_int_equal(chmod(f->key_path, 0604), 0);
        assert_refused(f, "key", "everybody on this machine may read it");
        assert_int_equal(chmod(f->key_path, 0640), 0);
        assert_good(f);
}

static void files_that_are_none_are_refused(void **state) {
        struct fixture *f = *state;

        write_text(f->chain_path, "no certificate\n");
        assert_refused(f, "certificates", "holds no certificate in PEM");
        write_text(f->chain_path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_refused(f, "certificates", "certificate 1 is damaged");
        assert_int_equal(unlink(f->chain_path), 0);
        assert_refused(f, "certificates", "cannot be read: No such file");
        assert_int_equal(unlink(f->key_path), 0);
        assert_refused(f, "key", "cannot be read: No such file");
        assert_int_equal(mkfifo(f->key_path, 0600), 0);
        assert_refused(f, "key", "is not a file");
}

static void a_chain_that_is_cut_off_is_refused(void **state) {
        struct fixture *f = *state;
        struct stat st;

        assert_int_equal(stat(f->chain_path, &st), 0);
        assert_int_equal(truncate(f->chain_path, st.st_size / 2), 0);
        assert_refused(f, "certificates", "certificate 1 is damaged");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(MC19_the_certificates_are_given_in_der_leaf_first),
                TEST(MC19_it_signs_with_the_key_of_the_leaf),
                TEST(MC9_the_sites_that_are_served_are_those_of_the_list),
                TEST(an_aaguid_is_looked_at_only_where_it_is_known),
                TEST(MC19_a_leaf_that_a_server_would_refuse_is_refused),
                TEST(MC19_the_first_certificate_is_that_of_the_key),
                TEST(MC19_each_certificate_is_signed_by_the_next),
                TEST(certificates_that_no_reply_could_hold_are_refused),
                TEST(a_key_of_another_kind_is_refused),
                TEST(a_key_that_everybody_may_read_is_refused),
                TEST(files_that_are_none_are_refused),
                TEST(a_chain_that_is_cut_off_is_refused),
        };

        return cmocka_run_group_tests_name("attester", tests, NULL, NULL);
}
