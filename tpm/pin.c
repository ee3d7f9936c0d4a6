/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Asking the TPM for a PIN. TPM2_PolicySecret compares it and counts, in a password session, or in
 * one salted with P2 where somebody may listen: of that the bus shows nothing that a PIN could be
 * guessed from.
 *
 * A command whose answer was lost may have been carried out. To send it again could cost a second
 * try, or compare with a PIN that has just been replaced: so it is not.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <syslog.h>

#include "tpm/pin-index.h"
#include "tpm/pin.h"
#include "tpm/ticket.h"
#include "tpm/tries.h"

struct question {
        const struct ctap_pin_hash *pin; /* NULL: none is set */
        const struct ctap_pin_hash *new; /* NULL: it is not to be changed */
        uint32_t seconds;
        bool taken; /* a try */
        int lost;   /* the answer was: this is what to say about it */
        enum ctap_pin_verdict verdict;
        struct ctap_ticket ticket;
};

/* The index with its authValue, and the session that this goes through. */
struct asking {
        struct tpm_handle index;
        struct tpm_handle session; /* open if salted */
        struct tpm_handle policy;
};

#define ASKING_NONE ((struct asking){ TPM_HANDLE_NONE, TPM_HANDLE_NONE, TPM_HANDLE_NONE })

static void auth_wipe(TPM2B_AUTH *auth) {
        OPENSSL_cleanse(auth, sizeof(*auth));
}

int tpm_pin_auth(const uint8_t salt[static TPM_PIN_SALT_SIZE], const struct ctap_pin_hash *pin,
                 TPM2B_AUTH *ret) {
        static const char label[] = "tpmauthn PIN";
        uint8_t message[sizeof(label) + sizeof(pin->b)];
        unsigned n = 0;
        bool ok;

        *ret = (TPM2B_AUTH){ 0 };
        if (!pin)
                return 0;

        memcpy(message, label, sizeof(label));
        memcpy(message + sizeof(label), pin->b, sizeof(pin->b));
        ok = HMAC(EVP_sha256(), salt, TPM_PIN_SALT_SIZE, message, sizeof(message), ret->buffer,
                  &n) != NULL;
        OPENSSL_cleanse(message, sizeof(message));
        if (!ok || n != 32)
                return -EIO;
        ret->size = (uint16_t)n;
        if (ret->buffer[n - 1] == 0)
                ret->buffer[n - 1] = 1;
        return 0;
}

static int set_auth(struct tpm *t, const struct tpm_handle *index, const TPM2B_AUTH *auth) {
        TSS2_RC rc = Esys_TR_SetAuth(t->esys, index->tr, auth);

        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, "Esys_TR_SetAuth", rc);
}

static void end(struct asking *a) {
        static const TPM2B_AUTH zeroes = { .size = 32 };
        struct tpm *t = a->index.t;

        /* What ESYS frees it does not wipe. */
        if (t && t->esys && a->index.connection == t->connection)
                (void)Esys_TR_SetAuth(t->esys, a->index.tr, &zeroes);
        tpm_handle_close(&a->index);
        tpm_handle_flush(&a->policy);
        tpm_handle_flush(&a->session);
}

static int begin(struct tpm *t, const struct ctap_pin_hash *pin, struct asking *ret) {
        _cleanup_(end) struct asking a = ASKING_NONE;
        _cleanup_(auth_wipe) TPM2B_AUTH auth = { 0 };
        ESYS_TR tr;
        int r;

        r = tpm_ref_open(t, &t->record->pin.ref, tpm_nv_index(&t->record->pin), &tr);
        if (r < 0)
                return r;
        a.index = tpm_handle(t, tr);
        r = tpm_pin_auth(t->record->pin_salt, pin, &auth);
        if (r >= 0)
                r = set_auth(t, &a.index, &auth);
        if (r >= 0 && tpm_sessions_are_salted(t))
                r = tpm_session_start_salted(t, TPM2_SE_HMAC, &a.session);
        if (r >= 0)
                r = tpm_session_start(t, ESYS_TR_NONE, &a.policy);
        if (r < 0)
                return r;

        *ret = a;
        a = ASKING_NONE;
        return 0;
}

static bool is_salted(const struct asking *a) {
        return a->session.tr != ESYS_TR_NONE;
}

static ESYS_TR session_of(const struct asking *a) {
        return is_salted(a) ? a->session.tr : ESYS_TR_PASSWORD;
}

/* An answer, but none about the PIN. */
static int read_no_answer(struct tpm *t, TSS2_RC rc, enum ctap_pin_verdict *ret) {
        uint8_t left;
        int r;

        tpm_tries_give_back(t);
        switch (tpm_rc_base(rc)) {
        case TPM2_RC_LOCKOUT:
                tpm_log(t, LOG_WARNING,
                        "TPM: it is locked out by its dictionary attack protection, and looks at "
                        "no PIN for some time");
                *ret = CTAP_PIN_LATER;
                return 0;
        case TPM2_RC_AUTH_UNAVAILABLE:
                r = tpm_tries_left(t, &left);
                if (r >= 0 && left == 0) {
                        *ret = CTAP_PIN_BLOCKED;
                        return 0;
                }
                return r < 0 ? r : tpm_fail_stale(t, "TPM2_PolicySecret on the PIN", rc);
        default:
                return tpm_fail_stale(t, "TPM2_PolicySecret on the PIN", rc);
        }
}

static int read_answer(struct tpm *t, struct question *q, TSS2_RC rc) {
        TSS2_RC base = tpm_rc_base(rc);

        if (!tpm_rc_is_answer(rc))
                return q->lost = tpm_fail(t, "TPM2_PolicySecret on the PIN", rc);
        q->taken = false; /* whatever the answer, it is settled */
        if (base == TPM2_RC_SUCCESS) {
                tpm_tries_renew(t);
                q->verdict = CTAP_PIN_RIGHT;
                return 0;
        }
        if (base == TPM2_RC_BAD_AUTH || base == TPM2_RC_AUTH_FAIL) {
                tpm_tries_learn(t);
                q->verdict = CTAP_PIN_WRONG;
                return 0;
        }
        return read_no_answer(t, rc, &q->verdict);
}

static int verify(struct tpm *t, struct question *q, struct asking *a) {
        TPM2B_NONCE *nonce = NULL;
        TPM2B_TIMEOUT *timeout = NULL;
        TPMT_TK_AUTH *auth = NULL;
        TSS2_RC rc;
        int r = 0;

        if (is_salted(a))
                r = tpm_session_last(&a->session, 0);
        if (r < 0)
                return r;
        rc = Esys_TRSess_GetNonceTPM(t->esys, a->policy.tr, &nonce);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "Esys_TRSess_GetNonceTPM", rc);

        rc = Esys_PolicySecret(t->esys, a->index.tr, a->policy.tr, session_of(a), ESYS_TR_NONE,
                               ESYS_TR_NONE, nonce, NULL, NULL, -(INT32)q->seconds, &timeout,
                               &auth);
        Esys_Free(nonce);
        if (rc == TSS2_RC_SUCCESS)
                tpm_handle_close(&a->session);
        r = read_answer(t, q, rc);
        if (r >= 0 && q->verdict == CTAP_PIN_RIGHT)
                r = tpm_ticket_encode(t, timeout, auth, &q->ticket);
        if (auth)
                OPENSSL_cleanse(auth, sizeof(*auth));
        Esys_Free(timeout);
        Esys_Free(auth);
        return r;
}

/* After TPM2_PolicySecret succeeded in the policy session. */
static int put_new(struct tpm *t, struct question *q, struct asking *a) {
        _cleanup_(auth_wipe) TPM2B_AUTH auth = { 0 };
        TSS2_RC rc;
        int r;

        r = tpm_pin_auth(t->record->pin_salt, q->new, &auth);
        if (r >= 0)
                r = tpm_pin_index_allow_change(t, &t->record->pin, &t->record->pin_change,
                                               &a->policy);
        if (r >= 0)
                r = tpm_session_last(&a->policy, 0);
        if (r >= 0 && is_salted(a))
                r = tpm_session_last(&a->session, TPMA_SESSION_DECRYPT);
        if (r < 0)
                return r;

        rc = Esys_NV_ChangeAuth(t->esys, a->index.tr, a->policy.tr,
                                is_salted(a) ? a->session.tr : ESYS_TR_NONE, ESYS_TR_NONE, &auth);
        if (rc != TSS2_RC_SUCCESS) {
                r = tpm_fail_stale(t, "TPM2_NV_ChangeAuth of the PIN", rc);
                if (!tpm_rc_is_answer(rc))
                        q->lost = r;
                return r;
        }

        tpm_handle_close(&a->policy);
        tpm_handle_close(&a->session);
        return 0;
}

static int change(struct tpm *t, struct question *q, struct asking *a) {
        TSS2_RC rc = Esys_PolicySecret(t->esys, a->index.tr, a->policy.tr, session_of(a),
                                       ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
        int r = read_answer(t, q, rc);

        return r < 0 || q->verdict != CTAP_PIN_RIGHT ? r : put_new(t, q, a);
}

/* Once for each question, however often its step is taken. */
static int take(struct tpm *t, struct question *q) {
        int r = q->taken ? 0 : tpm_tries_take(t);

        if (r >= 0)
                q->taken = true;
        return r;
}

static int check_pin(struct tpm *t) {
        if (t->unlocked && t->record->pin.ref.len > 0)
                return 0;
        tpm_log(t, LOG_ERR, "TPM: asked for the PIN before it was unlocked");
        return -ESTALE;
}

static int ask_step(struct tpm *t, void *userdata) {
        _cleanup_(end) struct asking a = ASKING_NONE;
        struct question *q = userdata;
        bool up = false;
        int r;

        if (q->lost < 0)
                return q->lost;
        r = check_pin(t);
        if (r >= 0)
                r = tpm_tries_are_up(t, &up);
        if (r < 0)
                return r;
        if (up) {
                q->verdict = CTAP_PIN_BLOCKED;
                return 0;
        }
        r = begin(t, q->pin, &a);
        if (r >= 0)
                r = take(t, q);
        if (r < 0)
                return r;
        return q->new ? change(t, q, &a) : verify(t, q, &a);
}

static int ask(struct ctap_keys *k, struct question *q, enum ctap_pin_verdict *ret) {
        struct tpm *t = container_of(k, struct tpm, keys);
        int r = tpm_run(t, ask_step, q);

        if (r >= 0)
                *ret = q->verdict;
        return r;
}

int tpm_pin_verify(struct ctap_keys *k, const struct ctap_pin_hash *pin, uint32_t seconds,
                   enum ctap_pin_verdict *ret, struct ctap_ticket *ret_ticket) {
        struct question q = { .pin = pin, .seconds = seconds };
        int r;

        if (seconds == 0 || seconds > INT32_MAX)
                return -EINVAL;
        r = ask(k, &q, ret);
        if (r >= 0)
                *ret_ticket = q.ticket;
        ctap_ticket_wipe(&q.ticket);
        return r;
}

int tpm_pin_change(struct ctap_keys *k, const struct ctap_pin_hash *old,
                   const struct ctap_pin_hash *new, enum ctap_pin_verdict *ret) {
        struct question q = { .pin = old, .new = new };

        return new ? ask(k, &q, ret) : -EINVAL;
}

static int retries_step(struct tpm *t, void *userdata) {
        int r = check_pin(t);

        return r < 0 ? r : tpm_tries_left(t, userdata);
}

int tpm_pin_retries(struct ctap_keys *k, uint8_t *ret) {
        struct tpm *t = container_of(k, struct tpm, keys);

        /* What is known needs no connection. */
        if (t->unlocked && t->tries.known) {
                *ret = t->tries.left;
                return 0;
        }
        return tpm_run(t, retries_step, ret);
}
