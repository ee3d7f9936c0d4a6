/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The endorsement key on a swtpm: found with its certificate, and a secret that somebody made for a key
 * of this TPM, by the TPM's own TPM2_MakeCredential, comes out for that key and no other.
 */

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/endorsement.h"

/* TCG EK Credential Profile 2.5: B.3.3, B.3.4, B.4.4 to B.4.6. */
#define POLICY_A                                                           \
        "\x83\x71\x97\x67\x44\x84\xb3\xf8\x1a\x90\xcc\x8d\x46\xa5\xd7\x24" \
        "\xfd\x52\xd7\x6e\x06\x52\x0b\x64\xf2\xa1\xda\x1b\x33\x14\x69\xaa"
#define POLICY_B                                                           \
        "\xca\x3d\x0a\x99\xa2\xb9\x39\x06\xf7\xa3\x34\x24\x14\xef\xcf\xb3" \
        "\xa3\x85\xd4\x4c\xd1\xfd\x45\x90\x89\xd1\x9b\x50\x71\xc0\xb7\xa0"
#define POLICY_B_384                                                       \
        "\xb2\x6e\x7d\x28\xd1\x1a\x50\xbc\x53\xd8\x82\xbc\xf5\xfd\x3a\x1a" \
        "\x07\x41\x48\xbb\x35\xd3\xb4\xe4\xcb\x1c\x0a\xd9\xbd\xe4\x19\xca" \
        "\xcb\x47\xba\x09\x69\x96\x46\x15\x0f\x9f\xc0\x00\xf3\xf8\x0e\x12"

static const struct kind {
        TPM2_HANDLE index, persistent;
        bool is_rsa, is_high;
        const char *policy;
        TPMI_ALG_HASH hash;
        uint16_t policy_size, curve, aes, size;
} kinds[_TPM_EKS] = {
        [TPM_EK_RSA2048] = { 0x01c00002, 0x81010001, true, false, POLICY_A, TPM2_ALG_SHA256, 32, 0,
                             128, 256 },
        [TPM_EK_P256] = { 0x01c0000a, 0x81010002, false, false, POLICY_A, TPM2_ALG_SHA256, 32,
                          TPM2_ECC_NIST_P256, 128, 32 },
        [TPM_EK_RSA2048_HIGH] = { 0x01c00012, 0x81010012, true, true, POLICY_B, TPM2_ALG_SHA256, 32,
                                  0, 128, 256 },
        [TPM_EK_P256_HIGH] = { 0x01c00014, 0x81010014, false, true, POLICY_B, TPM2_ALG_SHA256, 32,
                               TPM2_ECC_NIST_P256, 128, 32 },
        [TPM_EK_P384_HIGH] = { 0x01c00016, 0x81010016, false, true, POLICY_B_384, TPM2_ALG_SHA384,
                               48, TPM2_ECC_NIST_P384, 256, 48 },
};

static const uint8_t secret[32] = "what proves it, 32 bytes of it.";

/* ---- somebody else with access to the TPM --------------------------------------------------- */

static TPM2B_PUBLIC template_of(const struct kind *k) {
        const TPMT_SYM_DEF_OBJECT aes = { .algorithm = TPM2_ALG_AES,
                                          .keyBits.aes = k->aes,
                                          .mode.aes = TPM2_ALG_CFB };
        TPMT_PUBLIC p = { .type = k->is_rsa ? TPM2_ALG_RSA : TPM2_ALG_ECC,
                          .nameAlg = k->hash,
                          .objectAttributes = k->is_high ? 0x000300f2 : 0x000300b2,
                          .authPolicy.size = k->policy_size };

        memcpy(p.authPolicy.buffer, k->policy, k->policy_size);
        if (k->is_rsa) {
                p.parameters.rsaDetail = (TPMS_RSA_PARMS){ .symmetric = aes,
                                                           .scheme.scheme = TPM2_ALG_NULL,
                                                           .keyBits = 2048 };
                p.unique.rsa.size = k->is_high ? 0 : k->size;
        } else {
                p.parameters.eccDetail = (TPMS_ECC_PARMS){ .symmetric = aes,
                                                           .scheme.scheme = TPM2_ALG_NULL,
                                                           .curveID = k->curve,
                                                           .kdf.scheme = TPM2_ALG_NULL };
                p.unique.ecc.x.size = p.unique.ecc.y.size = k->is_high ? 0 : k->size;
        }
        return (TPM2B_PUBLIC){ .publicArea = p };
}

static ESYS_TR make_ek(const struct raw *r, const struct kind *k, TPM2B_PUBLIC **ret) {
        const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
        const TPM2B_PUBLIC in = template_of(k);
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        ESYS_TR tr;

        assert_int_equal(Esys_CreatePrimary(r->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                                            ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &in, &outside,
                                            &pcrs, &tr, ret, NULL, NULL, NULL),
                         0);
        return tr;
}

struct spki {
        uint8_t data[CTAP_SPKI_MAX];
        size_t len;
};

static struct spki spki_of(const struct kind *k, const TPM2B_PUBLIC *public) {
        const TPMU_PUBLIC_ID *id = &public->publicArea.unique;
        struct ctap_public_key key = { .type = k->is_rsa       ? CTAP_KEY_RSA2048
                                               : k->size == 48 ? CTAP_KEY_P384
                                                               : CTAP_KEY_P256 };
        struct spki spki;
        struct buf b = BUF_ON(spki.data);

        if (k->is_rsa) {
                memcpy(key.modulus, id->rsa.buffer, k->size);
        } else {
                memcpy(key.x, id->ecc.x.buffer, k->size);
                memcpy(key.y, id->ecc.y.buffer, k->size);
        }
        ctap_spki_put(&b, &key);
        spki.len = b.len;
        return spki;
}

static struct spki ask_spki(struct fixture *f, const struct kind *k) {
        struct raw r = raw_open(f);
        TPM2B_PUBLIC *public;
        struct spki spki;

        Esys_FlushContext(r.esys, make_ek(&r, k, &public));
        spki = spki_of(k, public);
        Esys_Free(public);
        raw_close(&r);
        return spki;
}

static void put_persistent(struct fixture *f, const struct kind *of, TPM2_HANDLE at) {
        struct raw r = raw_open(f);
        TPM2B_PUBLIC *public;
        ESYS_TR tr = make_ek(&r, of, &public), kept;

        assert_int_equal(Esys_EvictControl(r.esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, at, &kept),
                         0);
        Esys_FlushContext(r.esys, tr);
        Esys_Free(public);
        raw_close(&r);
}

/* ---- certificates --------------------------------------------------------------------------- */

struct der {
        uint8_t data[8192];
        size_t len;
};

static struct der certify(const struct spki *of) {
        const unsigned char *at = of->data;
        EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)of->len), *maker = EVP_EC_gen("P-256");
        struct der der = { .len = 0 };
        unsigned char *out = der.data;
        X509 *x = X509_new();

        X509_set_version(x, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 86400);
        assert_int_equal(X509_set_pubkey(x, key), 1);
        assert_true(X509_sign(x, maker, EVP_sha256()) > 0);
        der.len = (size_t)i2d_X509(x, &out);
        X509_free(x);
        EVP_PKEY_free(key);
        EVP_PKEY_free(maker);
        return der;
}

static void write_piece(const struct raw *r, ESYS_TR tr, const struct der *der, size_t at) {
        const size_t left = der->len - at, n = left < 1024 ? left : 1024;
        TPM2B_MAX_NV_BUFFER piece = { .size = (uint16_t)n };

        memcpy(piece.buffer, der->data + at, n);
        assert_int_equal(Esys_NV_Write(r->esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, &piece, (uint16_t)at),
                         0);
}

/* In an index of that size, or of its own. */
static void put(struct fixture *f, TPM2_HANDLE index, const struct der *der) {
        const TPM2B_AUTH none = { 0 };
        const TPM2B_NV_PUBLIC public = {
                .nvPublic = { .nvIndex = index,
                              .nameAlg = TPM2_ALG_SHA256,
                              .attributes = TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD |
                                            TPMA_NV_OWNERREAD | TPMA_NV_NO_DA,
                              .dataSize = (uint16_t)(der->len > 0 ? der->len : 100) },
        };
        struct raw r = raw_open(f);
        ESYS_TR tr;

        assert_int_equal(Esys_NV_DefineSpace(r.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                             ESYS_TR_NONE, ESYS_TR_NONE, &none, &public, &tr),
                         0);
        for (size_t at = 0; at < der->len; at += 1024)
                write_piece(&r, tr, der, at);
        raw_close(&r);
}

static void take_away(struct fixture *f, TPM2_HANDLE index) {
        struct raw r = raw_open(f);

        assert_int_equal(Esys_NV_UndefineSpace(r.esys, ESYS_TR_RH_OWNER, raw_find(&r, index),
                                               ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        raw_close(&r);
}

/* ---- challenges ------------------------------------------------------------------------------ */

struct made {
        uint8_t credential[sizeof(TPM2B_ID_OBJECT)], secret[sizeof(TPM2B_ENCRYPTED_SECRET)];
        size_t n_credential, n_secret;
};

/* For the key of this Name, by whoever has the public EK. */
static struct made challenge(struct fixture *f, const struct kind *k, const uint8_t name[34]) {
        struct made m = { .n_credential = 0 };
        TPM2B_NAME of = { .size = 34 };
        TPM2B_DIGEST what = { .size = sizeof(secret) };
        TPM2B_ID_OBJECT *credential;
        TPM2B_ENCRYPTED_SECRET *encrypted;
        struct raw r = raw_open(f);
        TPM2B_PUBLIC *public;
        ESYS_TR ek = make_ek(&r, k, &public);

        memcpy(of.name, name, 34);
        memcpy(what.buffer, secret, sizeof(secret));
        assert_int_equal(Esys_MakeCredential(r.esys, ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                             &what, &of, &credential, &encrypted),
                         0);
        assert_int_equal(Tss2_MU_TPM2B_ID_OBJECT_Marshal(credential, m.credential,
                                                         sizeof(m.credential), &m.n_credential),
                         0);
        assert_int_equal(Tss2_MU_TPM2B_ENCRYPTED_SECRET_Marshal(encrypted, m.secret,
                                                                sizeof(m.secret), &m.n_secret),
                         0);
        Esys_Free(credential);
        Esys_Free(encrypted);
        Esys_Free(public);
        Esys_FlushContext(r.esys, ek);
        raw_close(&r);
        return m;
}

static struct tpm_challenge of_made(const struct made *m) {
        return (struct tpm_challenge){ BYTES(m->credential, m->n_credential),
                                       BYTES(m->secret, m->n_secret) };
}

static int keep(_unused_ void *userdata, _unused_ const struct tpm_attestation_key *key) {
        return 0;
}

static void make_ak(struct fixture *f, bool persistent, struct tpm_attestation_key *ret,
                    struct tpm_attestation_facts *ret_facts) {
        assert_int_equal(tpm_attestation_key_create(f->tpm, persistent, keep, NULL, ret), 0);
        assert_int_equal(tpm_attestation_key_facts(ret, ret_facts), 0);
}

static void assert_activates(struct fixture *f, const struct tpm_ek *ek,
                             const struct tpm_attestation_key *ak, const struct made *m) {
        const struct tpm_challenge c = of_made(m);
        struct tpm_activated got;
        struct tpm_ek_ref ref;

        assert_int_equal(tpm_ek_ref(ek, &ref), 0);
        assert_int_equal(tpm_ek_activate(f->tpm, &ref, ak, &c, &got), 0);
        assert_bytes_equal(BYTES(got.b, got.len), BYTES_OF(secret));
}

static void assert_not_activated(struct fixture *f, const struct tpm_ek *ek,
                                 const struct tpm_attestation_key *ak, const struct made *m,
                                 int error) {
        const struct tpm_challenge c = of_made(m);
        struct tpm_activated got;
        struct tpm_ek_ref ref;

        assert_int_equal(tpm_ek_ref(ek, &ref), 0);
        assert_int_equal(tpm_ek_activate(f->tpm, &ref, ak, &c, &got), error);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void each_kind_is_found_by_its_certificate_and_activates(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key ak;

        make_ak(f, true, &ak, &facts);
        for (unsigned i = 0; i < _TPM_EKS; i++) {
                const struct spki spki = ask_spki(f, &kinds[i]);
                const struct der der = certify(&spki);
                struct made m = challenge(f, &kinds[i], facts.name);
                struct tpm_ek ek;

                put(f, kinds[i].index, &der);
                assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
                assert_int_equal(ek.kind, i);
                assert_bytes_equal(BYTES(ek.public, ek.public_len), BYTES(spki.data, spki.len));
                assert_bytes_equal(BYTES(ek.certificate, ek.certificate_len),
                                   BYTES(der.data, der.len));
                assert_activates(f, &ek, &ak, &m);
                take_away(f, kinds[i].index);
        }
        assert_int_equal(tpm_attestation_key_remove(f->tpm, &ak), 0);
        assert_empty(f);
}

static void a_key_that_is_loaded_for_each_use_activates_as_well(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key ak;
        struct tpm_ek ek;
        struct made m;

        make_ak(f, false, &ak, &facts);
        assert_int_equal(facts.handle, 0);
        m = challenge(f, &kinds[TPM_EK_RSA2048], facts.name);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_activates(f, &ek, &ak, &m);
        assert_empty(f);
}

static void without_a_certificate_it_is_the_rsa_key(void **state) {
        struct fixture *f = *state;
        const struct spki spki = ask_spki(f, &kinds[TPM_EK_RSA2048]);
        struct tpm_ek ek;

        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_int_equal(ek.kind, TPM_EK_RSA2048);
        assert_int_equal(ek.certificate_len, 0);
        assert_bytes_equal(BYTES(ek.public, ek.public_len), BYTES(spki.data, spki.len));
        assert_empty(f);

        /* Of a TPM that has no RSA, the one on P-256. */
        watch_plan(f, "answer TestParms 1 2c4\n");
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_int_equal(ek.kind, TPM_EK_P256);
        watch_plan(f, "answer TestParms 0 2c4\n");
        assert_int_equal(tpm_ek_read(f->tpm, &ek), -ENOTSUP);
}

static void a_certificate_of_another_key_is_refused(void **state) {
        struct fixture *f = *state;
        const struct spki rsa = ask_spki(f, &kinds[TPM_EK_RSA2048]);
        const struct spki p256 = ask_spki(f, &kinds[TPM_EK_P256]);
        const struct der of_p256 = certify(&p256), of_rsa = certify(&rsa);
        struct tpm_ek ek = { .kind = _TPM_EKS };

        put(f, kinds[TPM_EK_RSA2048].index, &of_p256);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), -EKEYREJECTED);
        assert_non_null(strstr(f->last_message, "0x01c00002 is for another key"));
        assert_int_equal(ek.kind, _TPM_EKS);

        /* Unless there is another, of a key of its own. */
        put(f, kinds[TPM_EK_P256].index, &of_p256);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_int_equal(ek.kind, TPM_EK_P256);

        /* Of two that are good the first counts. */
        take_away(f, kinds[TPM_EK_RSA2048].index);
        put(f, kinds[TPM_EK_RSA2048].index, &of_rsa);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_int_equal(ek.kind, TPM_EK_RSA2048);
}

/* Makers fill an index up behind the certificate. */
static void what_is_behind_a_certificate_does_not_count(void **state) {
        struct fixture *f = *state;
        const struct spki spki = ask_spki(f, &kinds[TPM_EK_RSA2048]);
        struct der der = certify(&spki), padded = der;
        struct tpm_ek ek;

        memset(padded.data + der.len, 0xff, 700);
        padded.len += 700;
        put(f, kinds[TPM_EK_RSA2048].index, &padded);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_bytes_equal(BYTES(ek.certificate, ek.certificate_len), BYTES(der.data, der.len));
}

static void what_is_no_certificate_does_not_count(void **state) {
        static const size_t lengths[] = { 0, 10, 2000 };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                struct der der = { .len = lengths[i] };
                struct tpm_ek ek;

                memset(der.data, 0x30, sizeof(der.data));
                put(f, kinds[TPM_EK_RSA2048].index, &der);
                assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
                assert_int_equal(ek.kind, TPM_EK_RSA2048);
                assert_int_equal(ek.certificate_len, 0);
                take_away(f, kinds[TPM_EK_RSA2048].index);
        }
}

static unsigned n_made(struct fixture *f) {
        char log[4096];
        unsigned n = 0;

        watch_log(f, log, sizeof(log));
        for (const char *at = log; (at = strstr(at, "CreatePrimary")) != NULL; at++)
                n++;
        return n;
}

static void a_persistent_key_is_taken_if_it_is_the_one(void **state) {
        const struct kind *rsa = &kinds[TPM_EK_RSA2048];
        struct fixture *f = *state;
        const struct spki spki = ask_spki(f, rsa);
        const struct der der = certify(&spki);
        struct tpm_ek ek;

        put(f, rsa->index, &der);
        put_persistent(f, rsa, rsa->persistent);
        (void)n_made(f);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_int_equal(n_made(f), 0);

        raw_evict(f, rsa->persistent);
        put_persistent(f, &kinds[TPM_EK_RSA2048_HIGH], rsa->persistent);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        assert_int_equal(n_made(f), 1);
        assert_bytes_equal(BYTES(ek.public, ek.public_len), BYTES(spki.data, spki.len));
}

static void a_challenge_for_something_else_gives_nothing(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key ak;
        uint8_t name[34];
        struct tpm_ek ek;
        struct made m, good;

        make_ak(f, true, &ak, &facts);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        good = challenge(f, &kinds[TPM_EK_RSA2048], facts.name);

        memcpy(name, facts.name, sizeof(name));
        name[33] ^= 1;
        m = challenge(f, &kinds[TPM_EK_RSA2048], name);
        assert_not_activated(f, &ek, &ak, &m, -EKEYREJECTED);
        m = challenge(f, &kinds[TPM_EK_RSA2048_HIGH], facts.name);
        assert_not_activated(f, &ek, &ak, &m, -EKEYREJECTED);
        m = good;
        m.credential[m.n_credential - 1] ^= 1;
        assert_not_activated(f, &ek, &ak, &m, -EKEYREJECTED);
        m = good;
        m.secret[m.n_secret - 1] ^= 1;
        assert_not_activated(f, &ek, &ak, &m, -EKEYREJECTED);

        for (int change = -1; change <= 1; change += 2) {
                m = good;
                m.n_credential = (size_t)((int)m.n_credential + change);
                assert_not_activated(f, &ek, &ak, &m, -EBADMSG);
                m = good;
                m.n_secret = (size_t)((int)m.n_secret + change);
                assert_not_activated(f, &ek, &ak, &m, -EBADMSG);
        }
        assert_activates(f, &ek, &ak, &good);
}

static void another_ek_than_before_is_told(void **state) {
        struct fixture *f = *state;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key ak;
        struct tpm_ek ek;
        struct made m;

        make_ak(f, true, &ak, &facts);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        m = challenge(f, &kinds[TPM_EK_RSA2048], facts.name);
        ek.public[ek.public_len - 10] ^= 1;
        assert_not_activated(f, &ek, &ak, &m, -ESTALE);
        ek.kind = _TPM_EKS;
        assert_not_activated(f, &ek, &ak, &m, -EBADMSG);
}

static void a_password_of_the_hierarchy_is_told(void **state) {
        struct fixture *f = *state;
        const TPM2B_AUTH password = { 6, "secret" };
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key ak;
        struct tpm_ek ek;
        struct made m;
        struct raw r;

        make_ak(f, true, &ak, &facts);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), 0);
        m = challenge(f, &kinds[TPM_EK_RSA2048], facts.name);
        put_persistent(f, &kinds[TPM_EK_RSA2048], kinds[TPM_EK_RSA2048].persistent);
        r = raw_open(f);
        assert_int_equal(Esys_HierarchyChangeAuth(r.esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                                                  ESYS_TR_NONE, ESYS_TR_NONE, &password),
                         0);
        raw_close(&r);
        assert_not_activated(f, &ek, &ak, &m, -EACCES);
        raw_evict(f, kinds[TPM_EK_RSA2048].persistent);
        assert_int_equal(tpm_ek_read(f->tpm, &ek), -EACCES);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(each_kind_is_found_by_its_certificate_and_activates),
                TEST(a_key_that_is_loaded_for_each_use_activates_as_well),
                TEST(without_a_certificate_it_is_the_rsa_key),
                TEST(a_certificate_of_another_key_is_refused),
                TEST(what_is_behind_a_certificate_does_not_count),
                TEST(what_is_no_certificate_does_not_count),
                TEST(a_persistent_key_is_taken_if_it_is_the_one),
                TEST(a_challenge_for_something_else_gives_nothing),
                TEST(another_ek_than_before_is_told),
                TEST(a_password_of_the_hierarchy_is_told),
        };

        return cmocka_run_group_tests_name("tpm-endorsement", tests, NULL, NULL);
}
