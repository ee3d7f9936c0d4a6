/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorConfig and authenticatorLargeBlobs of the model (C.9, C.10): see model.h. */

#include <openssl/evp.h>
#include <string.h>

#include "tests/property/model.h"

/* AC2, LB6: who may, where the parameters are as they should be. */
static uint8_t authorize(struct model *m, const struct model_proof *p, bool demanded,
                         bool has_params, unsigned permission) {
        uint8_t status;

        if (!demanded)
                return has_params ? CTAP_OK : CTAP2_ERR_MISSING_PARAMETER;
        if (p->kind == PROOF_NONE)
                return CTAP2_ERR_PUAT_REQUIRED;
        if (!has_params || p->protocol == 0)
                return CTAP2_ERR_MISSING_PARAMETER;
        if (p->protocol > 2)
                return CTAP1_ERR_INVALID_PARAMETER;
        status = model_prove(m, p);
        if (status == CTAP_OK && !(m->token.permissions & permission))
                status = CTAP2_ERR_PIN_AUTH_INVALID;
        return status;
}

/* ---- authenticatorConfig ---- */

enum { SUB_ENTERPRISE = 1, SUB_ALWAYS_UV = 2, SUB_LEAST_PIN = 3, SUB_LONG_TOUCH = 4 };

/* AC5c to AC5e */
static void force_change(struct model *m) {
        m->must_change_pin = true;
        model_end_persistent(m);
        model_end_token(m);
}

/* AC5 */
static uint8_t set_least_pin(struct model *m, const struct model_config *rq) {
        const unsigned least = rq->least >= 0 ? (unsigned)rq->least : m->least_pin;
        const bool stricter = rq->complexity == TRUE && !m->complexity;

        if (least < m->least_pin || least > 63)
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        if (rq->force == TRUE && !m->pin.text)
                return CTAP2_ERR_PIN_NOT_SET;
        if (rq->has_sites && rq->too_many_sites)
                return CTAP2_ERR_KEY_STORE_FULL;
        if (rq->has_sites)
                m->least_pin_sites = rq->sites;
        m->least_pin = least;
        m->complexity = m->complexity || stricter;
        if (m->pin.text && (rq->force == TRUE || model_pin_length(m->pin.text) < least ||
                            (stricter && !model_pin_is_complex(m->pin.text))))
                force_change(m);
        return CTAP_OK;
}

static bool is_there(const struct model *m, unsigned subcommand) {
        switch (subcommand) {
        case SUB_ENTERPRISE:
        case SUB_ALWAYS_UV:
        case SUB_LEAST_PIN:
                return true;
        default:
                return subcommand == SUB_LONG_TOUCH && m->holds;
        }
}

uint8_t model_configure(struct model *m, const struct model_config *rq) {
        const bool open = !m->pin.text && (!m->always_uv || rq->subcommand == SUB_ALWAYS_UV);
        uint8_t status;

        m->walk.kind = WALK_NONE;
        if (!is_there(m, rq->subcommand))
                return CTAP2_ERR_INVALID_SUBCOMMAND;
        status = authorize(m, &rq->proof, !open, rq->subcommand != SUB_LEAST_PIN || rq->has_params,
                           PERMISSION_ACFG);
        if (status != CTAP_OK)
                return status;
        switch (rq->subcommand) {
        case SUB_ENTERPRISE:
                m->enterprise = true;
                return CTAP_OK;
        case SUB_ALWAYS_UV:
                m->always_uv = !m->always_uv;
                if (m->always_uv)
                        model_forget_answers(m); /* U11 */
                return CTAP_OK;
        case SUB_LEAST_PIN:
                return set_least_pin(m, rq);
        default:
                m->long_touch = true;
                return CTAP_OK;
        }
}

/* ---- authenticatorLargeBlobs ---- */

enum { FRAGMENT_MAX = 1536 - 64, CHECKSUM = 16, EMPTY = 1 + CHECKSUM };

static void checksum(const uint8_t *array, size_t len, uint8_t ret[static 32]) {
        (void)EVP_Digest(array, len - CHECKSUM, ret, NULL, EVP_sha256(), NULL);
}

/* LB9 */
void model_empty_blobs(struct model *m) {
        uint8_t hash[32];

        m->blobs[0] = 0x80;
        m->n_blobs = EMPTY;
        checksum(m->blobs, m->n_blobs, hash);
        memcpy(m->blobs + 1, hash, CHECKSUM);
}

/* LB2 */
static uint8_t get(const struct model *m, const struct model_blobs *rq, struct bytes *ret) {
        size_t n = (size_t)rq->get;

        if (rq->length >= 0 || rq->proof.kind != PROOF_NONE)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (rq->get > FRAGMENT_MAX)
                return CTAP1_ERR_INVALID_LENGTH;
        if ((size_t)rq->offset > m->n_blobs)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (n > m->n_blobs - (size_t)rq->offset)
                n = m->n_blobs - (size_t)rq->offset;
        *ret = BYTES(m->blobs + rq->offset, n);
        return CTAP_OK;
}

/* LB4, LB5 */
static uint8_t check_place(struct model *m, const struct model_blobs *rq) {
        if (rq->offset > 0) {
                if (rq->length >= 0)
                        return CTAP1_ERR_INVALID_PARAMETER;
                return model_walk_goes_on(m, WALK_BLOBS, rq->channel) &&
                                       (size_t)rq->offset == m->n_coming
                               ? CTAP_OK
                               : CTAP1_ERR_INVALID_SEQ;
        }
        if (rq->length < 0)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (rq->length > MODEL_BLOBS)
                return CTAP2_ERR_LARGE_BLOB_STORAGE_FULL;
        return rq->length < EMPTY ? CTAP1_ERR_INVALID_PARAMETER : CTAP_OK;
}

/* LB8 */
static uint8_t finish(struct model *m) {
        uint8_t hash[32];

        m->walk.kind = WALK_NONE;
        checksum(m->coming, m->n_coming, hash);
        if (memcmp(m->coming + m->n_coming - CHECKSUM, hash, CHECKSUM) != 0)
                return CTAP2_ERR_INTEGRITY_FAILURE;
        memcpy(m->blobs, m->coming, m->n_coming);
        m->n_blobs = m->n_coming;
        return CTAP_OK;
}

static uint8_t set(struct model *m, const struct model_blobs *rq) {
        const size_t length = rq->offset == 0 ? (size_t)rq->length : m->announced;
        const bool demanded = m->pin.text || m->always_uv;
        uint8_t status;

        if (rq->fragment.len > FRAGMENT_MAX)
                return CTAP1_ERR_INVALID_LENGTH; /* LB3 */
        status = check_place(m, rq);
        if (status == CTAP_OK)
                status = authorize(m, &rq->proof, demanded, true, PERMISSION_LBW);
        if (status != CTAP_OK)
                return status;
        if (rq->fragment.len > length - (size_t)rq->offset)
                return CTAP1_ERR_INVALID_PARAMETER; /* LB7 */
        if (rq->offset == 0) {
                model_begin_walk(m, WALK_BLOBS, rq->channel, demanded,
                                 demanded ? model_token_ends_ms(m) : UINT64_MAX);
                m->announced = length;
                m->n_coming = 0;
        }
        if (rq->fragment.len > 0)
                memcpy(m->coming + m->n_coming, rq->fragment.data, rq->fragment.len);
        m->n_coming += rq->fragment.len;
        model_walk_stepped(m);
        return m->n_coming == m->announced ? finish(m) : CTAP_OK;
}

uint8_t model_large_blobs(struct model *m, const struct model_blobs *rq, struct bytes *ret) {
        const bool bad = rq->offset < 0 || (rq->get >= 0) == rq->has_set; /* LB1 */

        if (bad || rq->get >= 0 || rq->offset == 0 || m->walk.kind != WALK_BLOBS)
                m->walk.kind = WALK_NONE; /* LB10, CM12 */
        if (bad)
                return CTAP1_ERR_INVALID_PARAMETER;
        return rq->get >= 0 ? get(m, rq, ret) : set(m, rq);
}
