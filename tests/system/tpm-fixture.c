/* SPDX-License-Identifier: BSD-2-Clause */

/* What the tests of tpm/ share: see tpm-fixture.h. */

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "tests/system/tpm-fixture.h"
#include "tpm/state.h"

static void keep_message(void *userdata, int priority, const char *message) {
        struct fixture *f = userdata;

        (void)snprintf(f->last_message, sizeof(f->last_message), "%s", message);
        fprintf(stderr, "# <%d> %s\n", priority, message); /* meson shows it if a test fails */
}

struct tpm_options fixture_options(struct fixture *f) {
        struct tpm_options o = TPM_OPTIONS_DEFAULT;

        o.tcti = f->tcti;
        o.persist_srk = true; /* as on most machines, where systemd or another system made one */
        o.sessions = f->sessions;
        if (f->without_slot)
                o.persistent_last = o.persistent_first - 1;
        o.log = keep_message;
        o.userdata = f;
        return o;
}

void fixture_reopen(struct fixture *f) {
        const struct tpm_options o = fixture_options(f);

        f->tpm = tpm_free(f->tpm);
        assert_int_equal(tpm_new(&o, &f->tpm), 0);
}

int fixture_save(void *userdata, const struct tpm_state *state) {
        struct fixture *f = userdata;

        if (f->fail_save > 0 && --f->fail_save == 0)
                return -EIO;
        f->state = *state;
        f->n_saves++;
        return 0;
}

int fixture_provision(struct fixture *f) {
        struct tpm_state s = f->state;

        return tpm_provision(f->tpm, &s, fixture_save, f);
}

int fixture_unlock(struct fixture *f) {
        return tpm_unlock(f->tpm, &f->state);
}

void fixture_restart(struct fixture *f) {
        struct tpm_state s = f->state;

        fixture_reopen(f);
        assert_int_equal(tpm_unlock(f->tpm, &s), 0);
        assert_int_equal(tpm_complete(f->tpm, &s, fixture_save, f), 0);
}

int fixture_setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void)setenv("TSS2_LOG", "all+NONE", 0);
        swtpm_start(&f->swtpm);
        (void)snprintf(f->watch_dir, sizeof(f->watch_dir), "%s/watch", f->swtpm.dir);
        assert_int_equal(mkdir(f->watch_dir, 0700), 0);
        (void)snprintf(f->tcti, sizeof(f->tcti), "%s:dir=%s,%s", WATCH_TCTI, f->watch_dir,
                       f->swtpm.tcti);
        fixture_reopen(f);
        *state = f;
        return 0;
}

int fixture_setup_ready(void **state) {
        struct fixture *f;

        (void)fixture_setup(state);
        f = *state;
        assert_int_equal(fixture_provision(f), 0);
        (void)watch_count(f);
        return 0;
}

int fixture_setup_pin(void **state) {
        struct fixture *f;

        (void)fixture_setup_ready(state);
        f = *state;
        assert_int_equal(pin_change(f, NULL, "1234"), CTAP_PIN_RIGHT);
        (void)watch_count(f);
        return 0;
}

void fixture_make_ordinary(struct fixture *f) {
        struct tpm_record r;
        struct raw raw;

        assert_int_equal(tpm_state_decode(&f->state, &r), 0);
        raw = raw_open(f);
        assert_int_equal(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER,
                                               raw_find(&raw, tpm_nv_index(&r.pin)),
                                               ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        raw_close(&raw);
        r.pin = (struct tpm_nv){ 0 };
        r.pin_change = (struct tpm_approval){ 0 };
        r.pin_kind = TPM_PIN_ORDINARY;
        assert_int_equal(tpm_state_encode(&r, &f->state), 0);
        raw_set_max_tries(f, 1000);
        fixture_restart(f);
}

int fixture_teardown(void **state) {
        struct fixture *f = *state;

        watch_no_plan(f);
        f->tpm = tpm_free(f->tpm);
        swtpm_end(&f->swtpm);
        free(f);
        return 0;
}

void watch_plan(struct fixture *f, const char *format, ...) {
        char path[128], temporary[128];
        va_list args;
        FILE *out;

        (void)snprintf(path, sizeof(path), "%s/plan", f->watch_dir);
        (void)snprintf(temporary, sizeof(temporary), "%s/plan.new", f->watch_dir);
        out = fopen(temporary, "we");
        assert_non_null(out);
        va_start(args, format);
        assert_true(vfprintf(out, format, args) > 0);
        va_end(args);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(rename(temporary, path), 0);
}

void watch_no_plan(struct fixture *f) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/plan", f->watch_dir);
        (void)unlink(path);
}

void watch_log(struct fixture *f, char *ret, size_t room) {
        char path[128];
        size_t n = 0;
        FILE *in;

        (void)snprintf(path, sizeof(path), "%s/log", f->watch_dir);
        in = fopen(path, "r+e");
        if (in) {
                n = fread(ret, 1, room - 1, in);
                assert_int_equal(ftruncate(fileno(in), 0), 0);
                (void)fclose(in);
        }
        ret[n] = '\0';
        for (size_t i = 0; i < n; i++)
                if (ret[i] == '\n')
                        ret[i] = i + 1 < n ? ' ' : '\0';
}

unsigned n_commands(const char *log) {
        unsigned n = log[0] != '\0' ? 1 : 0;

        for (; *log; log++)
                n += *log == ' ';
        return n;
}

unsigned watch_count(struct fixture *f) {
        char log[16384];

        watch_log(f, log, sizeof(log));
        return n_commands(log);
}

unsigned budget_of(const char *ceremony) {
        size_t n;
        const struct tpm_budget *b = tpm_budgets(&n);

        for (size_t i = 0; i < n; i++)
                if (strcmp(b[i].ceremony, ceremony) == 0)
                        return b[i].commands;
        fail_msg("there is no budget for: %s", ceremony);
        return 0;
}

static FILE *open_bytes(struct fixture *f, const char *mode) {
        char path[128];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/bytes", f->watch_dir);
        file = fopen(path, mode);
        assert_non_null(file);
        return file;
}

void watch_listen(struct fixture *f) {
        assert_int_equal(fclose(open_bytes(f, "we")), 0);
}

bool watch_heard(struct fixture *f, struct bytes what) {
        static uint8_t heard[65536];
        FILE *in = open_bytes(f, "re");
        size_t n = fread(heard, 1, sizeof(heard), in);

        assert_true(n > 0 && n < sizeof(heard));
        (void)fclose(in);
        return memmem(heard, n, what.data, what.len) != NULL;
}

int credential_make_of(struct fixture *f, enum ctap_key_type type, enum ctap_key_class class,
                       struct credential *ret) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        return k->ops->create(k, type, class, &ret->blob, &ret->public);
}

int credential_make(struct fixture *f, enum ctap_key_type type, struct credential *ret) {
        return credential_make_of(f, type, CTAP_CLASS_A, ret);
}

struct ctap_pin_hash pin_hash(const char *pin) {
        struct ctap_pin_hash hash;
        struct sha256 full;

        SHA256((const uint8_t *)pin, strlen(pin), full.b);
        memcpy(hash.b, full.b, sizeof(hash.b));
        return hash;
}

int pin_change(struct fixture *f, const char *old, const char *new) {
        const struct ctap_pin_hash was = pin_hash(old ? old : ""), is = pin_hash(new);
        struct ctap_keys *k = tpm_keys(f->tpm);
        enum ctap_pin_verdict verdict;
        int r = k->ops->pin_change(k, old ? &was : NULL, &is, &verdict);

        return r < 0 ? r : (int)verdict;
}

int pin_verify(struct fixture *f, const char *pin, struct ctap_ticket *ret) {
        const struct ctap_pin_hash hash = pin_hash(pin);
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_ticket ticket;
        enum ctap_pin_verdict verdict;
        int r = k->ops->pin_verify(k, &hash, 3600, &verdict, ret ? ret : &ticket);

        return r < 0 ? r : (int)verdict;
}

unsigned pin_retries(struct fixture *f) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        uint8_t left;

        assert_int_equal(k->ops->pin_retries(k, &left), 0);
        return left;
}

static EVP_PKEY *from_params(const char *kind, OSSL_PARAM *params) {
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
        EVP_PKEY *key = NULL;

        assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
        assert_int_equal(EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
        EVP_PKEY_CTX_free(c);
        return key;
}

static EVP_PKEY *rsa_key(const struct ctap_public_key *p) {
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        BIGNUM *n = BN_bin2bn(p->modulus, sizeof(p->modulus), NULL);
        OSSL_PARAM *params;
        EVP_PKEY *key;

        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_uint(bld, OSSL_PKEY_PARAM_RSA_E, 65537), 1);
        params = OSSL_PARAM_BLD_to_param(bld);
        key = from_params("RSA", params);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        BN_free(n);
        return key;
}

static EVP_PKEY *ec_key(const struct ctap_public_key *p) {
        size_t n = p->type == CTAP_KEY_P256 ? 32 : 48;
        uint8_t point[97] = { 4 };
        OSSL_PARAM params[] = {
                OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                       n == 32 ? (char[]){ "P-256" } : (char[]){ "P-384" }, 5),
                OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n),
                OSSL_PARAM_END,
        };

        memcpy(point + 1, p->x, n);
        memcpy(point + 1 + n, p->y, n);
        return from_params("EC", params);
}

bool signature_verifies(const struct ctap_public_key *public, struct bytes digest,
                        const struct ctap_signature *signature) {
        bool is_rsa = public->type == CTAP_KEY_RSA2048;
        EVP_PKEY *key = is_rsa ? rsa_key(public) : ec_key(public);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
        bool ok;

        assert_int_equal(EVP_PKEY_verify_init(c), 1);
        if (is_rsa) {
                assert_int_equal(signature->len, 256);
                assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING), 1);
                assert_int_equal(EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()), 1);
        }
        ok = EVP_PKEY_verify(c, signature->data, signature->len, digest.data, digest.len) == 1;
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(key);
        return ok;
}

int credential_use(struct fixture *f, const struct credential *c) {
        return credential_use_by(f, c, NULL);
}

int credential_use_by(struct fixture *f, const struct credential *c,
                      const struct ctap_ticket *ticket) {
        struct ctap_keys *k = tpm_keys(f->tpm);
        struct ctap_loaded_key *key = NULL;
        struct ctap_signature signature;
        uint8_t digest[48];
        struct bytes d = BYTES(digest, c->public.type == CTAP_KEY_P384 ? 48 : 32);
        int r;

        for (size_t i = 0; i < sizeof(digest); i++)
                digest[i] = (uint8_t)(i * 7 + 1);
        r = k->ops->load(k, BYTES(c->blob.data, c->blob.len), ticket, &key);
        if (r < 0) {
                assert_null(key);
                return r;
        }
        r = k->ops->sign(k, key, d, &signature);
        if (r >= 0)
                assert_true(signature_verifies(&c->public, d, &signature));
        k->ops->unload(k, key);
        tpm_settle(f->tpm);
        return r;
}

int secret_make(struct fixture *f, enum ctap_key_class class, struct ctap_secret_blob *ret) {
        struct ctap_keys *k = tpm_keys(f->tpm);

        return k->ops->secret_create(k, class, ret);
}

int secret_use(struct fixture *f, const struct ctap_secret_blob *blob,
               const struct ctap_ticket *ticket, struct secret64 *ret) {
        static const uint8_t salts[64] = { [0] = 1, [31] = 2, [32] = 3, [63] = 4 };
        struct ctap_keys *k = tpm_keys(f->tpm);

        return k->ops->secret_hmac(k, BYTES(blob->data, blob->len), ticket, BYTES_OF(salts), ret);
}

static void assert_only(struct fixture *f, uint32_t class, const uint32_t *want, size_t n_want) {
        uint32_t found[64];
        size_t n = swtpm_handles(&f->swtpm, class, found, ELEMENTSOF(found)), n_mine = 0;

        for (size_t i = 0; i < n; i++) {
                bool known = false;

                if (found[i] == 0x81000001)
                        continue; /* the SRK is nobody's and stays */
                for (size_t j = 0; j < n_want; j++)
                        known = known || found[i] == want[j];
                if (!known)
                        fail_msg("0x%08x is left in the TPM", (unsigned)found[i]);
                n_mine++;
        }
        assert_int_equal(n_mine, n_want);
}

void assert_nothing_else_is_kept(struct fixture *f) {
        struct tpm_facts facts;
        uint32_t nv[4];
        size_t n = 0;

        tpm_idle(f->tpm);
        tpm_state_facts(&f->state, &facts);
        nv[n++] = facts.anchor;
        nv[n++] = facts.counter;
        if (facts.pin != 0)
                nv[n++] = facts.pin;
        if (facts.tries != 0)
                nv[n++] = facts.tries;
        assert_only(f, 0x01000000, nv, n);
        assert_only(f, 0x81000000, &facts.worker, facts.worker != 0);
}

void assert_nothing_else(struct fixture *f) {
        assert_nothing_else_is_kept(f);
        assert_only(f, 0x80000000, NULL, 0);
        assert_only(f, 0x02000000, NULL, 0);
        assert_only(f, 0x03000000, NULL, 0);
}

void assert_empty(struct fixture *f) {
        static const uint32_t classes[] = { 0x01000000, 0x81000000, 0x80000000, 0x02000000,
                                            0x03000000 };

        tpm_idle(f->tpm);
        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                assert_only(f, classes[i], NULL, 0);
}

struct raw raw_open(struct fixture *f) {
        struct raw r;

        tpm_idle(f->tpm);
        assert_int_equal(Tss2_TctiLdr_Initialize(f->swtpm.tcti, &r.tcti), 0);
        assert_int_equal(Esys_Initialize(&r.esys, r.tcti, NULL), 0);
        return r;
}

void raw_close(struct raw *r) {
        Esys_Finalize(&r->esys);
        Tss2_TctiLdr_Finalize(&r->tcti);
}

ESYS_TR raw_find(const struct raw *r, TPM2_HANDLE handle) {
        ESYS_TR tr;

        assert_int_equal(Esys_TR_FromTPMPublic(r->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                               ESYS_TR_NONE, &tr),
                         0);
        return tr;
}

static void evict_control(const struct raw *r, ESYS_TR tr, TPM2_HANDLE handle) {
        ESYS_TR ignored;

        assert_int_equal(Esys_EvictControl(r->esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, handle, &ignored),
                         0);
}

void raw_set_max_tries(struct fixture *f, uint32_t n) {
        struct raw r = raw_open(f);

        assert_int_equal(Esys_DictionaryAttackParameters(r.esys, ESYS_TR_RH_LOCKOUT,
                                                         ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                         ESYS_TR_NONE, n, 1000, 1000),
                         0);
        raw_close(&r);
}

void raw_evict(struct fixture *f, TPM2_HANDLE handle) {
        struct raw r = raw_open(f);

        evict_control(&r, raw_find(&r, handle), handle);
        raw_close(&r);
}

void raw_put_primary(struct fixture *f, const TPMT_PUBLIC *template, TPM2_HANDLE handle) {
        const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
        const TPM2B_PUBLIC in = { .publicArea = *template };
        const TPM2B_DATA outside = { 0 };
        const TPML_PCR_SELECTION pcrs = { 0 };
        struct raw r = raw_open(f);
        ESYS_TR tr;

        assert_int_equal(Esys_CreatePrimary(r.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                            ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &in, &outside,
                                            &pcrs, &tr, NULL, NULL, NULL, NULL),
                         0);
        evict_control(&r, tr, handle);
        assert_int_equal(Esys_FlushContext(r.esys, tr), 0);
        raw_close(&r);
}
