/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticatorClientPIN of the model (C.5): see model.h. */

#include <string.h>

#include "tests/property/model.h"

enum {
        SUB_TRIES = 1,
        SUB_KEY = 2,
        SUB_SET = 3,
        SUB_CHANGE = 4,
        SUB_OLD_TOKEN = 5,
        SUB_TOKEN_BY_UV = 6,
        SUB_UV_TRIES = 7,
        SUB_TOKEN = 9,
        FOR_A_SITE = PERMISSION_MC | PERMISSION_GA,
        AVAILABLE = FOR_A_SITE | PERMISSION_CM | PERMISSION_LBW | PERMISSION_ACFG | PERMISSION_PCMR,
};

/* ---- tries ---- */

static bool good(const struct model *m, const struct model_agreement *a) {
        return m->agreements[a->protocol] == a->serial;
}

/* CP5, CP4: blocked comes before latched. */
static uint8_t can_be_tried(struct model *m) {
        if (!m->pin.text)
                return CTAP2_ERR_PIN_NOT_SET;
        if (m->pin.tries == 0) {
                model_end_token(m);
                return CTAP2_ERR_PIN_BLOCKED;
        }
        return m->pin.wrong >= 3 ? CTAP2_ERR_PIN_AUTH_BLOCKED : CTAP_OK;
}

/* CP7 */
static void give_tries_back(struct model *m) {
        m->pin.tries = 8;
        m->pin.wrong = 0;
        m->pin.uv_tries = 3;
}

uint8_t model_try_pin(struct model *m, unsigned protocol, const char *pin) {
        uint8_t status = can_be_tried(m);

        if (status != CTAP_OK)
                return status;
        if (pin && strcmp(pin, m->pin.text) == 0) {
                give_tries_back(m);
                return CTAP_OK;
        }
        m->pin.tries--;
        m->pin.wrong++;
        if (protocol != 0)
                model_end_agreement(m, protocol);
        status = can_be_tried(m);
        return status == CTAP_OK ? CTAP2_ERR_PIN_INVALID : status;
}

/* ---- a new PIN ---- */

/* Texts of the driver are UTF-8. */
unsigned model_pin_length(const char *pin) {
        unsigned n = 0;

        for (const char *at = pin; *at != '\0'; at++)
                n += (*at & 0xc0) != 0x80;
        return n;
}

/* A code point as a number, and where the next one begins. */
static const char *next_letter(const char *at, uint32_t *ret) {
        *ret = (uint8_t)*at++;
        while ((*at & 0xc0) == 0x80)
                *ret = *ret << 8 | (uint8_t)*at++;
        return at;
}

/* Three different letters at least, and not all the same step apart. */
bool model_pin_is_complex(const char *pin) {
        uint32_t letters[64];
        unsigned n = 0, different = 0;
        bool row = true;

        while (*pin != '\0')
                pin = next_letter(pin, &letters[n++]);
        for (unsigned i = 0; i < n; i++) {
                bool known = false;

                for (unsigned j = 0; j < i; j++)
                        known |= letters[j] == letters[i];
                different += !known;
                row &= i < 2 || letters[i] - letters[i - 1] == letters[1] - letters[0];
        }
        return different >= 3 && !row;
}

/* CP21, AC5f */
static bool is_allowed(const struct model *m, const char *pin) {
        return model_pin_length(pin) >= m->least_pin && strlen(pin) <= 63 &&
               (!m->complexity || model_pin_is_complex(pin));
}

static uint8_t padding_status(enum model_padding padding) {
        switch (padding) {
        case PADDING_SHORT:
                return CTAP1_ERR_INVALID_PARAMETER;
        case PADDING_NO_END:
        case PADDING_LONG:
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        default:
                return CTAP_OK;
        }
}

static void adopt(struct model *m, const char *pin) {
        m->pin.text = pin;
        give_tries_back(m);
        m->must_change_pin = false;
        model_end_token(m);
        model_end_persistent(m); /* CP22 */
}

uint8_t model_owner_sets_pin(struct model *m, const char *pin) {
        if (m->pin.text)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        if (!is_allowed(m, pin))
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        adopt(m, pin);
        return CTAP_OK;
}

/* What is wrong with the new one is told to who knows the old one (CP22). */
static uint8_t change(struct model *m, unsigned protocol, const char *old, const char *pin,
                      enum model_padding padding) {
        uint8_t status = model_try_pin(m, protocol, old);

        if (status != CTAP_OK)
                return status;
        if (padding != PADDING_GOOD)
                return padding_status(padding);
        if (!is_allowed(m, pin) || (m->must_change_pin && strcmp(old, pin) == 0))
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        adopt(m, pin);
        return CTAP_OK;
}

uint8_t model_owner_changes_pin(struct model *m, const char *old, const char *pin) {
        return change(m, 0, old, pin, PADDING_GOOD);
}

/* CP20 */
static uint8_t set(struct model *m, const struct model_pin_request *rq) {
        if (m->pin.text)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        if (rq->bad_key)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (!good(m, &rq->by) || rq->bad_mac || rq->bad_cipher)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        if (rq->padding != PADDING_GOOD)
                return padding_status(rq->padding);
        return model_owner_sets_pin(m, rq->new_pin);
}

/* CP22 */
static uint8_t change_pin(struct model *m, const struct model_pin_request *rq) {
        uint8_t status = can_be_tried(m);

        if (status != CTAP_OK)
                return status;
        if (rq->bad_key)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (!good(m, &rq->by) || rq->bad_mac || rq->bad_cipher)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        return change(m, rq->by.protocol, rq->old_pin, rq->new_pin, rq->padding);
}

/* ---- tokens ---- */

/* CP30, CP31, CP34 */
static void give(struct model *m, const struct model_pin_request *rq, unsigned permissions,
                 int site, bool present, bool by_finger, struct model_pin_reply *ret) {
        ret->unreadable = !good(m, &rq->by);
        ret->persistent = permissions == PERMISSION_PCMR;
        if (ret->persistent)
                return;
        m->token = (struct model_token){
                .protocol = rq->by.protocol,
                .permissions = permissions,
                .site = site,
                .present = present,
                .issued_ms = m->now_ms,
                .restarts = m->restarts,
                .by_finger = by_finger,
        };
}

/* CP23, CP24: who has to change the PIN first is told so in two ways. */
static uint8_t exchange(struct model *m, const struct model_pin_request *rq, unsigned permissions,
                        int site, uint8_t if_forced, struct model_pin_reply *ret) {
        uint8_t status = can_be_tried(m);

        if (status != CTAP_OK)
                return status;
        if (rq->bad_key)
                return CTAP1_ERR_INVALID_PARAMETER;
        if (rq->bad_cipher)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        /* Nothing authenticates the ciphertext: under another secret it is another PIN. */
        status = model_try_pin(m, rq->by.protocol, good(m, &rq->by) ? rq->old_pin : NULL);
        if (status != CTAP_OK)
                return status;
        if (m->must_change_pin)
                return if_forced;
        give(m, rq, permissions, site, false, false, ret);
        return CTAP_OK;
}

static uint8_t old_token(struct model *m, const struct model_pin_request *rq,
                         struct model_pin_reply *ret) {
        if (rq->members & (HAS_PERMISSIONS | HAS_SITE))
                return CTAP1_ERR_INVALID_PARAMETER;
        return exchange(m, rq, FOR_A_SITE, MODEL_NO_SITE, CTAP2_ERR_PIN_INVALID, ret);
}

static int site_of(const struct model_pin_request *rq) {
        return rq->members & HAS_SITE ? (int)rq->site : MODEL_NO_SITE;
}

/* CP24, CP28, CP29 */
static uint8_t read_permissions(const struct model_pin_request *rq, unsigned *ret) {
        const unsigned asked = rq->permissions & 0x7f;

        if (asked == 0)
                return CTAP1_ERR_INVALID_PARAMETER;
        if ((asked & FOR_A_SITE) && !(rq->members & HAS_SITE))
                return CTAP2_ERR_MISSING_PARAMETER;
        if ((asked & ~(unsigned)AVAILABLE) ||
            ((asked & PERMISSION_PCMR) && asked != PERMISSION_PCMR))
                return CTAP2_ERR_UNAUTHORIZED_PERMISSION;
        *ret = asked;
        return CTAP_OK;
}

static uint8_t token(struct model *m, const struct model_pin_request *rq,
                     struct model_pin_reply *ret) {
        unsigned permissions;
        const uint8_t status = read_permissions(rq, &permissions);

        if (status != CTAP_OK)
                return status;
        return exchange(m, rq, permissions, site_of(rq), CTAP2_ERR_PIN_POLICY_VIOLATION, ret);
}

/* CP25 */
static uint8_t token_by_uv(struct model *m, const struct model_pin_request *rq,
                           struct model_pin_reply *ret) {
        bool for_a_site, finger;
        unsigned permissions;
        uint8_t status = read_permissions(rq, &permissions);

        if (status != CTAP_OK)
                return status;
        if ((permissions & PERMISSION_ACFG) && !m->verifies)
                return CTAP2_ERR_UNAUTHORIZED_PERMISSION; /* no uvAcfg (GI6) */
        if (!m->pin.text || !m->verifies)
                return CTAP2_ERR_NOT_ALLOWED;
        if (m->must_change_pin)
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        if (model_uv_tries(m) == 0)
                return CTAP2_ERR_UV_BLOCKED;
        if (rq->bad_key)
                return CTAP1_ERR_INVALID_PARAMETER;
        for_a_site = (permissions & FOR_A_SITE) &&
                     !(permissions & ~(unsigned)(FOR_A_SITE | PERMISSION_LBW));
        /* Under alwaysUv the site's keys take the PIN anyway. */
        status = model_verify_person(m, for_a_site ? CTAP_ASK_VERIFY : CTAP_ASK_MANAGE,
                                     for_a_site && model_always_uv(m), site_of(rq), NULL, 0,
                                     &finger);
        if (status == CTAP_OK)
                give(m, rq, permissions, site_of(rq), for_a_site, finger, ret);
        return status;
}

/* ---- all ---- */

static unsigned needed(unsigned subcommand) {
        switch (subcommand) {
        case SUB_KEY:
                return HAS_PROTOCOL;
        case SUB_SET:
                return HAS_PROTOCOL | HAS_KEY | HAS_PARAM | HAS_NEW_PIN;
        case SUB_CHANGE:
                return HAS_PROTOCOL | HAS_KEY | HAS_PARAM | HAS_NEW_PIN | HAS_PIN_HASH;
        case SUB_OLD_TOKEN:
                return HAS_PROTOCOL | HAS_KEY | HAS_PIN_HASH;
        case SUB_TOKEN_BY_UV:
                return HAS_PROTOCOL | HAS_KEY | HAS_PERMISSIONS;
        case SUB_TOKEN:
                return HAS_PROTOCOL | HAS_KEY | HAS_PIN_HASH | HAS_PERMISSIONS;
        default:
                return 0;
        }
}

static uint8_t run(struct model *m, const struct model_pin_request *rq,
                   struct model_pin_reply *ret) {
        switch (rq->subcommand) {
        case SUB_TRIES:
                ret->tries = m->pin.tries;
                ret->power_cycle = m->pin.wrong >= 3;
                return CTAP_OK;
        case SUB_KEY:
                return CTAP_OK;
        case SUB_SET:
                return set(m, rq);
        case SUB_CHANGE:
                return change_pin(m, rq);
        case SUB_OLD_TOKEN:
                return old_token(m, rq, ret);
        case SUB_TOKEN_BY_UV:
                return token_by_uv(m, rq, ret);
        case SUB_UV_TRIES:
                ret->tries = model_uv_tries(m);
                return m->verifies ? CTAP_OK : CTAP2_ERR_NOT_ALLOWED;
        default:
                return token(m, rq, ret);
        }
}

uint8_t model_client_pin(struct model *m, const struct model_pin_request *rq,
                         struct model_pin_reply *ret) {
        const unsigned need = needed(rq->subcommand);

        m->walk.kind = WALK_NONE;
        if (rq->subcommand == 0 || rq->subcommand == 8 || rq->subcommand > 9)
                return CTAP2_ERR_INVALID_SUBCOMMAND;
        if (need & ~rq->members)
                return CTAP2_ERR_MISSING_PARAMETER;
        if ((need & HAS_PROTOCOL) && (rq->protocol < 1 || rq->protocol > 2))
                return CTAP1_ERR_INVALID_PARAMETER;
        return run(m, rq, ret);
}
