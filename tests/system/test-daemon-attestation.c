/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The daemon attests by the TPM's own key: what libfido2 gets of it is verified by a program that
 * plays the server. And what becomes of a registration where key or certificates are not what they
 * should be.
 */

#include <fido.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/attestation-state.h"
#include "tests/system/fido-kit.h"
#include "tests/system/swtpm.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"
#include "tpm/attestation-key.h"

#define RP "intern.example"

struct world {
        struct daemon_kit kit;
        struct swtpm tpm;
        char state[80], root[80], lines[80];
        EVP_PKEY *ca;
        long lifetime_s; /* of certificates; 0: a day */
};

/* ---- certificates ------------------------------------------------------------------------- */

static void add(X509 *x, CONF *conf, int nid, const char *value) {
        X509V3_CTX ctx = { 0 };
        X509_EXTENSION *e;

        X509V3_set_nconf(&ctx, conf);
        e = X509V3_EXT_nconf_nid(conf, &ctx, nid, value);
        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

static X509 *new_certificate(EVP_PKEY *of, const char *subject) {
        X509 *x = X509_new();
        X509_NAME *name = X509_NAME_new(), *issuer = X509_NAME_new();

        if (subject)
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)subject, -1, -1, 0);
        X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_UTF8, (const unsigned char *)"A root", -1,
                                   -1, 0);
        X509_set_version(x, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 86400);
        X509_set_subject_name(x, name);
        X509_set_issuer_name(x, issuer);
        X509_set_pubkey(x, of);
        X509_NAME_free(name);
        X509_NAME_free(issuer);
        return x;
}

static EVP_PKEY *key_of(const struct ctap_public_key *p) {
        uint8_t point[65] = { POINT_CONVERSION_UNCOMPRESSED };
        EVP_PKEY *parameters = EVP_EC_gen("P-256");
        EVP_PKEY *key = EVP_PKEY_new();

        memcpy(point + 1, p->x, 32);
        memcpy(point + 33, p->y, 32);
        assert_int_equal(EVP_PKEY_copy_parameters(key, parameters), 1);
        assert_int_equal(EVP_PKEY_set1_encoded_public_key(key, point, sizeof(point)), 1);
        EVP_PKEY_free(parameters);
        return key;
}

/* What WebAuthn §8.3.1 demands; `padding` makes it longer. */
static void certify(struct world *w, EVP_PKEY *of, size_t padding) {
        /* What is before the first dot of a name is only there to make it another than others. */
        static const char text[] = "[san]\n1.2.23.133.2.1 = id:49424D00\n1.2.23.133.2.2 = swtpm\n"
                                   "1.2.23.133.2.3 = id:20191023\n";
        BIO *in = BIO_new_mem_buf(text, -1), *out = BIO_new(BIO_s_mem());
        CONF *conf = NCONF_new(NULL);
        X509 *x = new_certificate(of, NULL);
        const long lifetime_s = w->lifetime_s > 0 ? w->lifetime_s : 86400;
        char *pem, comment[2048] = "";
        long line, n;

        assert_int_equal(NCONF_load_bio(conf, in, &line), 1);
        X509_gmtime_adj(X509_getm_notAfter(x), lifetime_s);
        add(x, conf, NID_subject_alt_name, "critical,dirName:san");
        add(x, conf, NID_ext_key_usage, "2.23.133.8.3");
        add(x, conf, NID_basic_constraints, "critical,CA:FALSE");
        add(x, conf, NID_key_usage, "critical,digitalSignature");
        memset(comment, 'x', padding);
        if (padding > 0)
                add(x, conf, NID_netscape_comment, comment);
        assert_true(X509_sign(x, w->ca, EVP_sha256()) > 0);
        assert_int_equal(PEM_write_bio_X509(out, x), 1);
        n = BIO_get_mem_data(out, &pem);
        assert_int_equal(attestation_state_write(w->state, ATTESTATION_CHAIN,
                                                 BYTES(pem, (size_t)n)),
                         0);
        X509_free(x);
        NCONF_free(conf);
        BIO_free(in);
        BIO_free(out);
}

static void write_root(struct world *w) {
        X509 *x = new_certificate(w->ca, "A root");
        FILE *to = fopen(w->root, "we");

        assert_non_null(to);
        assert_true(X509_sign(x, w->ca, EVP_sha256()) > 0);
        assert_int_equal(PEM_write_X509(to, x), 1);
        assert_int_equal(fclose(to), 0);
        X509_free(x);
}

/* ---- a machine that is enrolled ------------------------------------------------------------ */

static struct tpm *open_tpm(const char *tcti) {
        struct tpm_options o = TPM_OPTIONS_DEFAULT;
        struct tpm *t;

        o.tcti = tcti;
        o.persist_srk = true;
        assert_int_equal(tpm_new(&o, &t), 0);
        return t;
}

static void make_key(struct world *w, const char *tcti, bool persistent,
                     struct tpm_attestation_key *ret) {
        struct tpm *t = open_tpm(tcti);

        assert_int_equal(tpm_attestation_key_create(t, persistent, attestation_state_save_key,
                                                    w->state, ret),
                         0);
        tpm_free(t);
}

static void enrol_with(struct world *w, bool persistent, size_t padding) {
        struct tpm_attestation_key key;
        struct tpm_attestation_facts facts;
        EVP_PKEY *of;

        make_key(w, w->tpm.tcti, persistent, &key);
        assert_int_equal(tpm_attestation_key_facts(&key, &facts), 0);
        of = key_of(&facts.public_key);
        certify(w, of, padding);
        EVP_PKEY_free(of);
}

static void start(struct world *w) {
        char tpm[96];
        const char *settings[] = { "--presence=auto", tpm, "--set=attestation.rp-ids=" RP, NULL };

        snprintf(tpm, sizeof(tpm), "--tpm=%s", w->tpm.tcti);
        kit_start(&w->kit, settings);
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        (void)setenv("TSS2_LOG", "all+NONE", 0);
        swtpm_start(&w->tpm);
        if (kit_init(&w->kit) < 0)
                return -1;
        snprintf(w->state, sizeof(w->state), "%s/state", w->kit.folder);
        snprintf(w->root, sizeof(w->root), "%s/root.pem", w->kit.folder);
        snprintf(w->lines, sizeof(w->lines), "%s/registrations", w->kit.folder);
        w->ca = EVP_EC_gen("P-256");
        write_root(w);
        /* It makes the folders. */
        start(w);
        assert_int_equal(kit_stop(&w->kit), 0);
        return 0;
}

static int setup_enrolled(void **state) {
        if (setup(state) < 0)
                return -1;
        enrol_with(*state, true, 0);
        start(*state);
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        kit_done(&w->kit);
        swtpm_end(&w->tpm);
        EVP_PKEY_free(w->ca);
        free(w);
        return 0;
}

/* ---- registrations ------------------------------------------------------------------------ */

static const unsigned char client_data_hash[32] = "thirty-two bytes of client data";

static void put_hex(FILE *to, const char *name, const unsigned char *data, size_t n) {
        fprintf(to, ", \"%s\": \"", name);
        for (size_t i = 0; i < n; i++)
                fprintf(to, "%02x", data[i]);
        fputc('"', to);
}

/* As verify-attestation.py reads it. The authData that libfido2 gives is wrapped in CBOR. */
static void write_line(struct world *w, const fido_cred_t *c) {
        FILE *to = fopen(w->lines, "we");

        assert_non_null(to);
        fprintf(to, "{\"fmt\": \"%s\"", fido_cred_fmt(c));
        put_hex(to, "authData", fido_cred_authdata_raw_ptr(c), fido_cred_authdata_raw_len(c));
        put_hex(to, "attStmt", fido_cred_attstmt_ptr(c), fido_cred_attstmt_len(c));
        put_hex(to, "clientDataHash", client_data_hash, sizeof(client_data_hash));
        fputs("}\n", to);
        assert_int_equal(fclose(to), 0);
}

static fido_cred_t *make(struct world *w, const char *rp_id, int alg, int protect) {
        fido_dev_t *dev = kit_open_key(&w->kit);
        fido_cred_t *c = fido_cred_new();

        fido_cred_set_type(c, alg);
        fido_cred_set_rp(c, rp_id, NULL);
        fido_cred_set_user(c, (const unsigned char *)"u", 1, "u", NULL, NULL);
        fido_cred_set_clientdata_hash(c, client_data_hash, sizeof(client_data_hash));
        if (protect > 0)
                fido_cred_set_prot(c, protect);
        assert_int_equal(fido_dev_make_cred(dev, c, NULL), FIDO_OK);
        kit_close_key(dev);
        write_line(w, c);
        return c;
}

static void assert_format(struct world *w, const char *rp_id, int protect, const char *fmt) {
        fido_cred_t *c = make(w, rp_id, COSE_ES256, protect);

        assert_string_equal(fido_cred_fmt(c), fmt);
        fido_cred_free(&c);
}

/* Whether a server takes what was registered last; what it says otherwise. */
static int judge(struct world *w, char *says, size_t room) {
        char command[512];
        FILE *run;
        size_t n;

        snprintf(command, sizeof(command), "/usr/bin/python3 %s %s < %s 2>&1", VERIFY_ATTESTATION,
                 w->root, w->lines);
        run = popen(command, "r");
        assert_non_null(run);
        n = fread(says, 1, room - 1, run);
        says[n] = '\0';
        return pclose(run);
}

static void assert_verified(struct world *w) {
        char says[2048];
        const int status = judge(w, says, sizeof(says));

        if (status != 0)
                fail_msg("%d: %s", status, says);
}

static void assert_refused(struct world *w, const char *why) {
        char says[2048];

        assert_int_not_equal(judge(w, says, sizeof(says)), 0);
        if (!strstr(says, why))
                fail_msg("'%s' and not '%s'", says, why);
}

static void assert_attests(struct world *w) {
        assert_format(w, RP, 0, "tpm");
        assert_verified(w);
}

static void assert_status(struct world *w, const char *says) {
        char out[8192];

        assert_int_equal(kit_cli(&w->kit, "status", out, sizeof(out)), 0);
        if (!strstr(out, says))
                fail_msg("status does not say '%s': %s", says, out);
}

static void assert_log_says(const struct world *w, const char *what) {
        static char text[65536];
        char path[96];
        FILE *f;

        snprintf(path, sizeof(path), "%s/log", w->kit.folder);
        f = fopen(path, "re");
        assert_non_null(f);
        text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
        (void)fclose(f);
        if (!strstr(text, what))
                fail_msg("the log does not say '%s': %s", what, text);
}

static void assert_nothing_is_wrong(struct world *w) {
        char out[8192];

        assert_int_equal(kit_cli(&w->kit, "status", out, sizeof(out)), 0);
        assert_null(strstr(out, "attest"));
}

/* ---- what a server verifies ---------------------------------------------------------------- */

static void MC19_tpm_statements_are_verified_for_every_type_and_class(void **state) {
        static const int algs[] = { COSE_ES256, COSE_ES384, COSE_RS256 };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(algs); i++)
                for (int protect = 0; protect <= 3; protect += 3) {
                        fido_cred_t *c = make(w, RP, algs[i], protect);

                        assert_string_equal(fido_cred_fmt(c), "tpm");
                        assert_verified(w);
                        fido_cred_free(&c);
                }
        assert_nothing_is_wrong(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* So that nobody believes a judge who says yes to everything. */
static void what_was_changed_on_the_way_is_refused(void **state) {
        static const struct {
                const char *member; /* of the line, or a name in the statement */
                size_t behind;      /* its end: the byte that is changed */
                const char *why;
        } cases[] = {
                { "authData\": \"", 1, "extraData" },
                { "clientDataHash\": \"", 1, "extraData" },
                { "ff544347", 3, "type is not" },
                { "63736967", 20, "sig" },
                { "67707562417265615876", 3, "type 0x0020" },
        };
        struct world *w = *state;
        char line[8192];
        FILE *f;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *at;

                assert_format(w, RP, 3, "tpm");
                f = fopen(w->lines, "re");
                assert_non_null(fgets(line, sizeof(line), f));
                (void)fclose(f);
                at = strstr(line, cases[i].member);
                if (!at)
                        fail_msg("no %s in %s", cases[i].member, line);
                at += strlen(cases[i].member) + cases[i].behind;
                *at = *at == '0' ? '1' : '0';
                f = fopen(w->lines, "we");
                fputs(line, f);
                (void)fclose(f);
                assert_refused(w, cases[i].why);
        }
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void the_wrong_root_is_refused(void **state) {
        struct world *w = *state;

        assert_attests(w);
        EVP_PKEY_free(w->ca);
        w->ca = EVP_EC_gen("P-256");
        write_root(w);
        assert_refused(w, "the chain does not lead to the root");
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void MC18_only_sites_that_are_named_get_it_unasked(void **state) {
        struct world *w = *state;

        assert_format(w, "www." RP, 0, "packed");
        assert_format(w, "other.example", 0, "packed");
        assert_format(w, "other.example", 3, "none"); /* nobody gave the PIN that its key wants */
        assert_attests(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* CTAP 2.3 §6.6: ten seconds after it was plugged in; this one says yes by itself. */
static void RS4_a_reset_leaves_the_attestation_key_alone(void **state) {
        struct world *w = *state;
        fido_dev_t *dev;

        assert_attests(w);
        dev = kit_open_key(&w->kit);
        assert_int_equal(fido_dev_reset(dev), FIDO_OK);
        kit_close_key(dev);
        assert_attests(w);
        assert_int_equal(kit_stop(&w->kit), 0);
        start(w);
        assert_attests(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_key_that_is_loaded_for_each_use_attests_as_well(void **state) {
        struct world *w = *state;

        enrol_with(w, false, 0);
        start(w);
        for (int i = 0; i < 3; i++)
                assert_attests(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- what may be wrong --------------------------------------------------------------------- */

static void without_certificates_nothing_is_attested_and_nothing_amiss(void **state) {
        struct tpm_attestation_key key;
        struct world *w = *state;

        make_key(w, w->tpm.tcti, true, &key);
        start(w);
        assert_format(w, RP, 0, "packed");
        assert_nothing_is_wrong(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_key_that_was_evicted_is_put_back(void **state) {
        const struct timespec until_idle = { .tv_sec = 1, .tv_nsec = 500000000 };
        struct tpm_attestation_key key;
        struct world *w = *state;
        struct tpm *t;

        assert_attests(w);
        nanosleep(&until_idle, NULL); /* it lets the TPM go, which swtpm waits for */
        assert_int_equal(attestation_state_read_key(w->state, &key), 0);
        t = open_tpm(w->tpm.tcti);
        assert_int_equal(tpm_attestation_key_remove(t, &key), 0);
        tpm_free(t);
        assert_attests(w);
        assert_nothing_is_wrong(w);
        assert_int_equal(kit_stop(&w->kit), 0);
        /* By whoever starts with the files: the device is told so in its log. */
        start(w);
        assert_log_says(w, "the attestation key was gone");
        assert_attests(w);
        assert_nothing_is_wrong(w);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void assert_falls_back(struct world *w, const char *why) {
        char out[16384];

        start(w);
        assert_format(w, RP, 0, "packed");
        assert_format(w, RP, 3, "none");
        assert_status(w, why);
        (void)kit_cli(&w->kit, "doctor", out, sizeof(out));
        assert_non_null(strstr(out, why));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_damaged_key_is_told_and_passkeys_attest_to_themselves(void **state) {
        struct tpm_attestation_key key;
        struct world *w = *state;

        assert_int_equal(kit_stop(&w->kit), 0);
        assert_int_equal(attestation_state_read_key(w->state, &key), 0);
        key.data[key.len / 2] ^= 1;
        assert_int_equal(attestation_state_save_key(w->state, &key), 0);
        assert_falls_back(w, "the file of the attestation key is damaged");
}

static void a_key_of_another_tpm_is_told(void **state) {
        struct tpm_attestation_key key;
        struct world *w = *state;
        struct swtpm other = { 0 };

        assert_int_equal(kit_stop(&w->kit), 0);
        swtpm_start(&other);
        make_key(w, other.tcti, true, &key);
        swtpm_end(&other);
        assert_falls_back(w, "the attestation key is of another TPM, or this one was cleared");
}

static void a_cleared_tpm_is_told(void **state) {
        struct world *w = *state;

        assert_attests(w);
        assert_int_equal(kit_stop(&w->kit), 0);
        swtpm_clear(&w->tpm);
        assert_falls_back(w, "the attestation key is of another TPM, or this one was cleared");
}

static void certificates_of_another_key_are_told(void **state) {
        struct world *w = *state;

        assert_int_equal(kit_stop(&w->kit), 0);
        certify(w, w->ca, 0);
        assert_falls_back(w, "the certificates are of another attestation key");
}

static void certificates_without_a_key_are_told(void **state) {
        struct world *w = *state;

        assert_int_equal(kit_stop(&w->kit), 0);
        assert_int_equal(attestation_state_remove(w->state, ATTESTATION_KEY), 0);
        assert_falls_back(w, "there are certificates, and no attestation key");
}

static void what_is_no_certificate_is_told(void **state) {
        struct world *w = *state;

        assert_int_equal(kit_stop(&w->kit), 0);
        assert_int_equal(attestation_state_write(w->state, ATTESTATION_CHAIN, BYTES_TEXT("x")), 0);
        assert_falls_back(w, "of its certificates");
}

/* H39: beside an RSA key there is less room; a chain for which there is none is told. */
static void H39_what_clients_have_no_room_for_is_not_sent(void **state) {
        struct world *w = *state;
        char out[8192];
        fido_cred_t *c;

        enrol_with(w, true, 500);
        start(w);
        assert_int_equal(kit_cli(&w->kit, "attestation show", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "(RS256) attest to themselves"));
        assert_attests(w);
        c = make(w, RP, COSE_RS256, 0);
        assert_string_equal(fido_cred_fmt(c), "packed");
        fido_cred_free(&c);
        assert_int_equal(kit_stop(&w->kit), 0);
        enrol_with(w, true, 1000);
        assert_falls_back(w, "its certificates have");
}

static bool status_says(struct world *w, const char *what) {
        char out[8192];

        assert_int_equal(kit_cli(&w->kit, "status", out, sizeof(out)), 0);
        return strstr(out, what);
}

/* Nobody uses the device meanwhile, and it is not plugged in anew. */
static void certificates_that_expire_are_told_and_not_sent(void **state) {
        const struct timespec step = { .tv_nsec = 200000000 };
        const char *why = "its certificates have expired";
        struct world *w = *state;
        uint64_t until;
        char out[8192];

        w->lifetime_s = 15;
        enrol_with(w, true, 0);
        start(w);
        assert_attests(w);
        assert_false(status_says(w, why));
        until = kit_now() + 60000;
        while (!status_says(w, why)) {
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
        }
        assert_format(w, RP, 0, "packed");
        assert_format(w, RP, 3, "none");
        assert_true(status_says(w, why));
        assert_int_equal(kit_cli(&w->kit, "attestation show", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "The certificates have expired"));
        assert_int_equal(kit_stop(&w->kit), 0);
        assert_falls_back(w, why);
}

#define enrolled_test(t) cmocka_unit_test_setup_teardown(t, setup_enrolled, teardown)
#define bare_test(t)     cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                enrolled_test(MC19_tpm_statements_are_verified_for_every_type_and_class),
                enrolled_test(what_was_changed_on_the_way_is_refused),
                enrolled_test(the_wrong_root_is_refused),
                enrolled_test(MC18_only_sites_that_are_named_get_it_unasked),
                enrolled_test(RS4_a_reset_leaves_the_attestation_key_alone),
                bare_test(a_key_that_is_loaded_for_each_use_attests_as_well),
                bare_test(without_certificates_nothing_is_attested_and_nothing_amiss),
                enrolled_test(a_key_that_was_evicted_is_put_back),
                enrolled_test(a_damaged_key_is_told_and_passkeys_attest_to_themselves),
                enrolled_test(a_key_of_another_tpm_is_told),
                enrolled_test(a_cleared_tpm_is_told),
                enrolled_test(certificates_of_another_key_are_told),
                enrolled_test(certificates_without_a_key_are_told),
                enrolled_test(what_is_no_certificate_is_told),
                bare_test(H39_what_clients_have_no_room_for_is_not_sent),
                bare_test(certificates_that_expire_are_told_and_not_sent),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon-attestation", tests, NULL, NULL);
}
