/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * hmac-secret: HMAC-SHA-256(CredRandom, salt) for one salt or two of 32 bytes.
 *
 * A TPM need not have TPM2_HMAC. TPM2_Sign with the same key over a digest that is the salt computes
 * the same; but its response cannot be encrypted (it does not begin with a TPM2B: Part 1, 21), so
 * that one will not do where somebody may read the bus. What is left is to unseal the key, always in
 * an encrypting session, and to compute here. Which of these it is was tried when provisioning; a
 * blob says by its public area if it holds a key or sealed bytes. The trial knew how sessions were
 * set then; what was made for TPM2_Sign rests while they are salted.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <syslog.h>

#include "tpm/gate.h"
#include "tpm/pin-index.h"
#include "tpm/seal.h"
#include "tpm/secret.h"
#include "tpm/template.h"
#include "tpm/ticket.h"

#define SALT_SIZE 32

static struct tpm *tpm_of(struct ctap_keys *k) {
        return container_of(k, struct tpm, keys);
}

/* The template of a CredRandom. -ENOTSUP: one of class B needs a PIN index. */
static int template_of(const struct tpm *t, enum tpm_hmac_kind kind, enum ctap_key_class class,
                       TPMT_PUBLIC *ret) {
        const TPMT_PUBLIC *plain =
                kind == TPM_HMAC_UNSEAL ? &tpm_template_cred_random : &tpm_template_hmac;

        if (class != CTAP_CLASS_A)
                return tpm_pin_index_template(t, plain, ret);
        *ret = *plain;
        return 0;
}

/*
 * True if sessions became salted after a trial that counted on password sessions: what TPM2_Sign
 * answers could be read on the bus.
 */
static bool would_tell_the_bus(const struct tpm *t, enum tpm_hmac_kind kind) {
        return kind == TPM_HMAC_SIGN && tpm_sessions_are_salted(t);
}

/* ---- create ------------------------------------------------------------------------------- */

struct creation {
        enum tpm_hmac_kind kind;
        TPMT_PUBLIC template;
        struct tpm_blob blob;
        bool is_trial;
        bool is_refused; /* in a trial: the TPM makes no such keys */
};

/* The TPM draws a key itself; what is sealed is given to it, unseen on its way. */
static int create_sealed(struct tpm *t, struct tpm_auth *by, struct creation *c) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        _cleanup_(secret32_wipe) struct secret32 cred_random = { 0 };
        TSS2_RC rc;
        int r;

        r = tpm_random_secret(t, &cred_random);
        if (r >= 0)
                r = tpm_session_start_salted(t, TPM2_SE_HMAC, &session);
        if (r >= 0)
                r = tpm_session_last(&session, TPMA_SESSION_DECRYPT);
        if (r < 0)
                return r;

        by->extra = session.tr;
        rc = tpm_object_create(t, by, &c->template, NULL, &cred_random, &c->blob);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_worker(t, "TPM2_Create of a sealed CredRandom", rc);
        tpm_handle_close(&session);
        return 0;
}

static int create_key(struct tpm *t, const struct tpm_auth *by, struct creation *c) {
        TSS2_RC rc = tpm_object_create(t, by, &c->template, NULL, NULL, &c->blob);

        if (rc == TSS2_RC_SUCCESS)
                return 0;
        c->is_refused = c->is_trial && tpm_rc_is_refusal(rc) && (rc & TPM2_RC_P);
        return tpm_fail_worker(t, "TPM2_Create of an HMAC key", rc);
}

static int create_step(struct tpm *t, void *userdata) {
        struct creation *c = userdata;
        struct tpm_auth by;
        int r;

        r = tpm_worker(t, &by);
        if (r >= 0)
                r = c->kind == TPM_HMAC_UNSEAL ? create_sealed(t, &by, c) : create_key(t, &by, c);
        if (r < 0)
                return r;

        if (!tpm_template_matches(&c->template, &c->blob.public.publicArea)) {
                tpm_log(t, LOG_ERR, "TPM: TPM2_Create made another key than it was asked for");
                return -EIO;
        }
        return 0;
}

/* The sessions may have been configured otherwise since the trial. */
static enum tpm_hmac_kind kind_to_make(const struct tpm *t) {
        if (t->record->hmac_kind == TPM_HMAC_SIGN && tpm_sessions_are_salted(t))
                return TPM_HMAC_UNSEAL;
        return t->record->hmac_kind;
}

int tpm_secret_create(struct ctap_keys *k, enum ctap_key_class class,
                      struct ctap_secret_blob *ret) {
        struct tpm *t = tpm_of(k);
        struct ctap_secret_blob blob;
        struct buf b = BUF_ON(blob.data);
        struct creation c = { 0 };
        int r;

        if (class != CTAP_CLASS_A && class != CTAP_CLASS_B)
                return -EINVAL;
        if (!t->record)
                return -ESTALE;
        c.kind = kind_to_make(t);
        if (c.kind == TPM_HMAC_NONE)
                return -ENOTSUP;
        if (would_tell_the_bus(t, c.kind))
                c.kind = TPM_HMAC_UNSEAL;

        r = template_of(t, c.kind, class, &c.template);
        if (r >= 0)
                r = tpm_run(t, create_step, &c);
        if (r < 0)
                return r;

        tpm_blob_encode(&c.blob, &b);
        r = buf_error(&b);
        if (r < 0)
                return r;
        blob.len = (uint16_t)b.len;
        *ret = blob;
        return 0;
}

/* ---- one command -------------------------------------------------------------------------- */

struct computation {
        enum tpm_hmac_kind kind;
        bool wants_ticket;
        bool is_trial;
        bool is_refused; /* in a trial: the TPM has no such command, or not for this */
        const struct ctap_ticket *ticket;
        struct tpm_blob blob;
        struct bytes salts;
        struct secret64 *ret;

        struct tpm_handle object;
        struct tpm_handle session; /* that only encrypts; or none */
        ESYS_TR by, extra;         /* what the next command is sent with */
};

static size_t n_salts(const struct computation *c) {
        return c->salts.len / SALT_SIZE;
}

static const uint8_t *salt(const struct computation *c, size_t i) {
        return c->salts.data + i * SALT_SIZE;
}

static void give(struct computation *c, size_t i, const uint8_t output[static SALT_SIZE]) {
        memcpy(c->ret->b + i * SALT_SIZE, output, SALT_SIZE);
}

static int fail(struct tpm *t, struct computation *c, const char *command, TSS2_RC rc) {
        if (c->wants_ticket && tpm_rc_base(rc) == TPM2_RC_POLICY_FAIL)
                return tpm_fail_stale(t, command, rc);
        if (c->wants_ticket)
                return tpm_ticket_fail(t, command, rc);
        if (!c->is_trial || !(tpm_rc_is_refusal(rc) || tpm_rc_base(rc) == TPM2_RC_COMMAND_CODE))
                return tpm_fail(t, command, rc);

        c->is_refused = true;
        tpm_log(t, LOG_NOTICE, "TPM: it does no %s (0x%x)", command, (unsigned)rc);
        return -ENOTSUP;
}

static int say_wrong_size(struct tpm *t, const char *command) {
        tpm_log(t, LOG_ERR, "TPM: %s: the answer is not one of 32 bytes", command);
        return -EIO;
}

static int hmac_by_command(struct tpm *t, struct computation *c, size_t i) {
        static const char command[] = "TPM2_HMAC";
        TPM2B_MAX_BUFFER in = { .size = SALT_SIZE };
        TPM2B_DIGEST *out = NULL;
        TSS2_RC rc;
        int r = 0;

        memcpy(in.buffer, salt(c, i), SALT_SIZE);
        rc = Esys_HMAC(t->esys, c->object.tr, c->by, c->extra, ESYS_TR_NONE, &in, TPM2_ALG_NULL,
                       &out);
        OPENSSL_cleanse(&in, sizeof(in));
        if (rc != TSS2_RC_SUCCESS)
                return fail(t, c, command, rc);

        if (out->size == SALT_SIZE)
                give(c, i, out->buffer);
        else
                r = say_wrong_size(t, command);
        OPENSSL_cleanse(out, sizeof(*out));
        Esys_Free(out);
        return r;
}

static int hmac_by_sign(struct tpm *t, struct computation *c, size_t i) {
        static const char command[] = "TPM2_Sign with an HMAC key";
        static const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK,
                                                     .hierarchy = TPM2_RH_NULL };
        static const TPMT_SIG_SCHEME of_key = { .scheme = TPM2_ALG_NULL };
        TPM2B_DIGEST digest = { .size = SALT_SIZE };
        TPMT_SIGNATURE *out = NULL;
        TSS2_RC rc;
        int r = 0;

        memcpy(digest.buffer, salt(c, i), SALT_SIZE);
        rc = Esys_Sign(t->esys, c->object.tr, c->by, c->extra, ESYS_TR_NONE, &digest, &of_key,
                       &no_ticket, &out);
        OPENSSL_cleanse(&digest, sizeof(digest));
        if (rc != TSS2_RC_SUCCESS)
                return fail(t, c, command, rc);

        if (out->sigAlg == TPM2_ALG_HMAC && out->signature.hmac.hashAlg == TPM2_ALG_SHA256)
                give(c, i, out->signature.hmac.digest.sha256);
        else
                r = say_wrong_size(t, command);
        OPENSSL_cleanse(out, sizeof(*out));
        Esys_Free(out);
        return r;
}

static int hmac_here(const struct secret32 *cred_random, struct computation *c) {
        for (size_t i = 0; i < n_salts(c); i++)
                if (!HMAC(EVP_sha256(), cred_random->b, sizeof(cred_random->b), salt(c, i),
                          SALT_SIZE, c->ret->b + i * SALT_SIZE, NULL))
                        return -EIO;
        return 0;
}

/* All salts at once. */
static int hmac_by_unseal(struct tpm *t, struct computation *c, _unused_ size_t i) {
        static const char command[] = "TPM2_Unseal of CredRandom";
        _cleanup_(secret32_wipe) struct secret32 cred_random = { 0 };
        TPM2B_SENSITIVE_DATA *data = NULL;
        TSS2_RC rc;
        int r;

        rc = Esys_Unseal(t->esys, c->object.tr, c->by, c->extra, ESYS_TR_NONE, &data);
        if (rc != TSS2_RC_SUCCESS)
                return fail(t, c, command, rc);

        r = data->size == sizeof(cred_random.b) ? 0 : say_wrong_size(t, command);
        if (r >= 0)
                memcpy(cred_random.b, data->buffer, sizeof(cred_random.b));
        OPENSSL_cleanse(data, sizeof(*data));
        Esys_Free(data);
        return r < 0 ? r : hmac_here(&cred_random, c);
}

static const struct {
        int (*run)(struct tpm *t, struct computation *c, size_t i);
        TPMA_SESSION encrypts; /* what a session can: not a signature */
} ways[] = {
        [TPM_HMAC_COMMAND] = { hmac_by_command, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT },
        [TPM_HMAC_SIGN] = { hmac_by_sign, TPMA_SESSION_DECRYPT },
        [TPM_HMAC_UNSEAL] = { hmac_by_unseal, TPMA_SESSION_ENCRYPT },
};

/* ---- use ---------------------------------------------------------------------------------- */

/* A salted session that satisfies the PIN's policy encrypts as well. */
static bool wants_own_session(const struct tpm *t, const struct computation *c) {
        bool salted = tpm_sessions_are_salted(t);

        return (salted && !c->wants_ticket) || (!salted && c->kind == TPM_HMAC_UNSEAL);
}

static int use_ticket(struct tpm *t, struct computation *c) {
        struct tpm_handle session;
        int r = tpm_ticket_session(t, c->ticket, &session);

        if (r >= 0)
                r = tpm_session_use(&session,
                                    tpm_sessions_are_salted(t) ? ways[c->kind].encrypts : 0);
        if (r >= 0)
                c->by = session.tr;
        return r;
}

/* What authorises and what encrypts the next command; an own session ends with the last one. */
static int use_sessions(struct tpm *t, struct computation *c, bool is_last) {
        TPMA_SESSION encrypts = ways[c->kind].encrypts;
        int r = 0;

        c->by = ESYS_TR_PASSWORD;
        c->extra = c->session.tr;
        if (c->wants_ticket)
                r = use_ticket(t, c);
        if (r < 0 || c->extra == ESYS_TR_NONE)
                return r;
        return is_last ? tpm_session_last(&c->session, encrypts)
                       : tpm_session_use(&c->session, encrypts);
}

static int compute(struct tpm *t, struct computation *c) {
        size_t n = c->kind == TPM_HMAC_UNSEAL ? 1 : n_salts(c);

        for (size_t i = 0; i < n; i++) {
                int r = use_sessions(t, c, i + 1 == n);

                if (r >= 0)
                        r = ways[c->kind].run(t, c, i);
                if (r < 0)
                        return r;
                if (c->wants_ticket)
                        tpm_ticket_session_used(t);
        }
        tpm_handle_close(&c->session);
        return 0;
}

/* A ticket that ended is found out before anything is loaded. */
static int open_object(struct tpm *t, struct computation *c) {
        struct tpm_auth by;
        TSS2_RC rc;
        int r = 0;

        if (c->wants_ticket)
                r = use_ticket(t, c);
        if (r >= 0 && wants_own_session(t, c))
                r = tpm_session_start_salted(t, TPM2_SE_HMAC, &c->session);
        if (r >= 0)
                r = tpm_worker(t, &by);
        if (r < 0)
                return r;

        rc = tpm_object_load(t, &by, &c->blob, &c->object);
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        r = tpm_fail_worker(t, "TPM2_Load of CredRandom", rc);
        return tpm_rc_is_refusal(rc) && (rc & TPM2_RC_P) ? -EKEYREJECTED : r;
}

static int compute_step(struct tpm *t, void *userdata) {
        struct computation *c = userdata;
        int r;

        c->object = c->session = TPM_HANDLE_NONE;
        r = open_object(t, c);
        if (r >= 0)
                r = compute(t, c);
        tpm_handle_flush(&c->object);
        tpm_handle_flush(&c->session);
        if (r < 0 && c->wants_ticket)
                tpm_ticket_session_drop(t);
        return r;
}

/* -EKEYREJECTED: it is none of ours. */
static int find_kind(const struct tpm *t, struct computation *c) {
        static const enum ctap_key_class classes[] = { CTAP_CLASS_A, CTAP_CLASS_B };
        static const enum tpm_hmac_kind kinds[] = { TPM_HMAC_COMMAND, TPM_HMAC_UNSEAL };

        for (size_t i = 0; i < ELEMENTSOF(classes) * ELEMENTSOF(kinds); i++) {
                enum ctap_key_class class = classes[i % ELEMENTSOF(classes)];
                enum tpm_hmac_kind kind = kinds[i / ELEMENTSOF(classes)];
                TPMT_PUBLIC template;

                if (template_of(t, kind, class, &template) < 0 ||
                    !tpm_template_matches(&template, &c->blob.public.publicArea))
                        continue;
                c->wants_ticket = class == CTAP_CLASS_B;
                c->kind = kind == TPM_HMAC_COMMAND && t->record->hmac_kind == TPM_HMAC_SIGN
                                  ? TPM_HMAC_SIGN
                                  : kind;
                return 0;
        }
        return -EKEYREJECTED;
}

int tpm_secret_hmac(struct ctap_keys *k, struct bytes blob, const struct ctap_ticket *ticket,
                    struct bytes salts, struct secret64 *ret) {
        _cleanup_(secret64_wipe) struct secret64 output = { 0 };
        struct tpm *t = tpm_of(k);
        struct computation c = { .ticket = ticket, .salts = salts, .ret = &output };
        int r;

        if (salts.len != SALT_SIZE && salts.len != 2 * SALT_SIZE)
                return -EINVAL;
        if (!t->record)
                return -ESTALE;
        if (tpm_blob_decode(blob, &c.blob) < 0)
                return -EKEYREJECTED;
        r = find_kind(t, &c);
        if (r < 0)
                return r;
        if (would_tell_the_bus(t, c.kind)) {
                tpm_log(t, LOG_ERR,
                        "TPM: the answer of TPM2_Sign cannot be encrypted, so an hmac-secret that "
                        "was made with sessions = password is used with that setting only");
                return -ENOTSUP;
        }
        if (c.wants_ticket && (!ticket || ticket->len == 0))
                return -EKEYEXPIRED;

        /* A TPM may have room for three objects, and the key that signs is one of them. */
        tpm_flush_unloaded(t);
        r = tpm_run(t, compute_step, &c);
        if (r >= 0)
                *ret = output;
        return r;
}

/* ---- the trial ---------------------------------------------------------------------------- */

/* 1: it can; 0: it cannot; less: it was not to be found out. */
static int try_kind(struct tpm *t, const struct tpm_blob *blob, enum tpm_hmac_kind kind) {
        static const uint8_t nothing[SALT_SIZE];
        struct secret64 output = { 0 };
        struct computation c = { .kind = kind,
                                 .is_trial = true,
                                 .blob = *blob,
                                 .salts = BYTES(nothing, sizeof(nothing)),
                                 .ret = &output };
        int r = compute_step(t, &c);

        if (r >= 0)
                return 1;
        return c.is_refused ? 0 : r;
}

int tpm_secret_try(struct tpm *t, enum tpm_hmac_kind *ret) {
        static const enum tpm_hmac_kind kinds[] = { TPM_HMAC_COMMAND, TPM_HMAC_SIGN };
        struct creation c = { .kind = TPM_HMAC_COMMAND,
                              .template = tpm_template_hmac,
                              .is_trial = true };
        int r = create_step(t, &c);

        if (r < 0 && !c.is_refused)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(kinds) && !c.is_refused; i++) {
                if (would_tell_the_bus(t, kinds[i]))
                        continue;
                r = try_kind(t, &c.blob, kinds[i]);
                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret = kinds[i];
                        return 0;
                }
        }
        tpm_log(t, LOG_NOTICE,
                "TPM: hmac-secret is computed outside of it, with keys sealed in it");
        *ret = TPM_HMAC_UNSEAL;
        return 0;
}
