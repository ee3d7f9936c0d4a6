/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The PIN: see pin.h.
 *
 * The key device holds the PIN and the settings hold its length, so a power cut can come between
 * the two. Before the device is told, the settings are saved as in doubt, with the least length that
 * there can be afterwards; then the truth is saved. What a cut leaves behind needs no repair: a
 * length above zero still says that a PIN is set and that it is no shorter. Zero in doubt means that
 * the first PIN was being set, and the device is asked whether the PIN is "none". A PIN that is set
 * counts that as a wrong try, so nobody asks it before somebody needs to know, nor while the answer
 * cannot be saved, and the last try is left to the owner.
 */

#include "ctap/pin.h"
#include "ctap/crypto.h"
#include "ctap/persistent-token.h"
#include "ctap/pin-complexity.h"
#include "ctap/policy.h"

#define MISMATCHES_MAX 3 /* in a row: CTAP 2.3 §6.5.5.6 */

static const struct ctap_settings *settings(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store);
}

static int save(struct ctap *c, const struct ctap_settings *s) {
        return c->env.store->ops->set_settings(c->env.store, s);
}

static int retries(struct ctap *c, uint8_t *ret) {
        return c->env.keys->ops->pin_retries(c->env.keys, ret);
}

int ctap_pin_hash(struct bytes pin, struct ctap_pin_hash *ret) {
        struct sha256 hash;
        int r;

        r = ctap_sha256(&pin, 1, &hash);
        if (r < 0)
                return r;
        cursor_copy(&(struct cursor){ BYTES_OF(hash), false }, ret->b, sizeof(ret->b));
        OPENSSL_cleanse(&hash, sizeof(hash));
        return 0;
}

/* ---- is one set ---- */

/* Of a PIN that nothing is known of but that there is one. */
static int save_unknown_in(struct ctap *c, struct ctap_settings s) {
        int r;

        s.pin_length = CTAP_MIN_PIN_LENGTH;
        s.pin_in_doubt = true;
        s.pin_is_complex = false;
        r = save(c, &s);
        return r < 0 ? r : ctap_policy_look_at_pin(c);
}

static int save_unknown(struct ctap *c) {
        return save_unknown_in(c, *settings(c));
}

static int save_none(struct ctap *c) {
        struct ctap_settings s = *settings(c);

        s.pin_length = 0;
        s.pin_in_doubt = false;
        if (s.pin_is_for_enrolment)
                s.force_pin_change = s.pin_is_for_enrolment = false;
        return save(c, &s);
}

/* A device that has counted so many wrong ones has a PIN, or has been tampered with. */
static int must_not_ask(struct ctap *c, bool *ret) {
        uint8_t n;
        int r;

        r = retries(c, &n);
        if (r < 0)
                return r;
        *ret = n <= 1;
        return 0;
}

/* Can the settings be written at all? If not, the answer is lost, and with it a try. */
static int save_doubt(struct ctap *c) {
        const struct ctap_settings s = *settings(c);

        return save(c, &s);
}

/* RIGHT: there is no PIN. */
static int ask_for_none(struct ctap *c, enum ctap_pin_verdict *ret) {
        _cleanup_(ctap_ticket_wipe) struct ctap_ticket ticket = { 0 };
        bool too_dear;
        int r;

        r = must_not_ask(c, &too_dear);
        if (r < 0)
                return r;
        if (too_dear) {
                *ret = CTAP_PIN_BLOCKED;
                return 0;
        }
        r = save_doubt(c);
        if (r < 0)
                return r;
        return c->env.keys->ops->pin_verify(c->env.keys, NULL, CTAP_TOKEN_SECONDS, ret, &ticket);
}

static enum ctap_status settle_doubt(struct ctap *c) {
        enum ctap_pin_verdict verdict;
        int r;

        r = ask_for_none(c, &verdict);
        if (r < 0)
                return ctap_status_from_errno(r);
        if (verdict == CTAP_PIN_LATER)
                return CTAP2_ERR_PIN_AUTH_BLOCKED;
        r = verdict == CTAP_PIN_RIGHT ? save_none(c) : save_unknown(c);
        return ctap_status_from_errno(r);
}

enum ctap_status ctap_pin_is_set(struct ctap *c, bool *ret) {
        enum ctap_status s;

        if (settings(c)->pin_in_doubt && settings(c)->pin_length == 0) {
                s = settle_doubt(c);
                if (s != CTAP_OK)
                        return s;
        }
        *ret = settings(c)->pin_length > 0;
        return CTAP_OK;
}

/* ---- trying one ---- */

uint8_t ctap_pin_tries_before_latch(const struct ctap *c) {
        return c->pin_mismatches < MISMATCHES_MAX ? MISMATCHES_MAX - c->pin_mismatches : 0;
}

bool ctap_pin_is_latched(const struct ctap *c) {
        return ctap_pin_tries_before_latch(c) == 0;
}

static void note(const struct ctap *c, enum ctap_noted what) {
        ctap_note(&c->env, &(struct ctap_notice){ .what = what });
}

static enum ctap_status blocked(struct ctap *c) {
        ctap_end_token(c);
        return CTAP2_ERR_PIN_BLOCKED;
}

/* Blocked for good comes first (CP5). `ret_n`: tries that are left. */
static enum ctap_status count_tries(struct ctap *c, uint8_t *ret_n) {
        int r;

        r = retries(c, ret_n);
        if (r < 0)
                return ctap_status_from_errno(r);
        if (*ret_n == 0)
                return blocked(c);
        return ctap_pin_is_latched(c) ? CTAP2_ERR_PIN_AUTH_BLOCKED : CTAP_OK;
}

enum ctap_status ctap_pin_ready(struct ctap *c) {
        enum ctap_status s;
        uint8_t n;
        bool is_set;

        s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        return is_set ? count_tries(c, &n) : CTAP2_ERR_PIN_NOT_SET;
}

/* A wrong one that was compared. */
static enum ctap_status judge_wrong(struct ctap *c, unsigned protocol) {
        struct ctap_notice notice = { .what = CTAP_NOTED_PIN_WRONG };
        enum ctap_status s;

        c->pin_mismatches++;
        if (protocol != 0)
                ctap_key_agreement_renew(&c->agreement, protocol);
        s = count_tries(c, &notice.number);
        ctap_note(&c->env, &notice);
        if (s == CTAP2_ERR_PIN_BLOCKED)
                note(c, CTAP_NOTED_PIN_BLOCKED);
        return s == CTAP_OK ? CTAP2_ERR_PIN_INVALID : s;
}

/* What follows from a try of the PIN, apart from what it was tried for. */
static enum ctap_status judge(struct ctap *c, unsigned protocol, enum ctap_pin_verdict verdict) {
        switch (verdict) {
        case CTAP_PIN_RIGHT:
                c->pin_mismatches = 0;
                c->n_pins_given++;
                return CTAP_OK;
        case CTAP_PIN_WRONG:
                return judge_wrong(c, protocol);
        case CTAP_PIN_BLOCKED:
                return blocked(c);
        case CTAP_PIN_LATER:
                break;
        }
        return CTAP2_ERR_PIN_AUTH_BLOCKED;
}

/* CP7: the right PIN gives back the tries of built-in verification too. */
int ctap_pin_refill_uv_retries(struct ctap *c) {
        struct ctap_settings s = *settings(c);

        if (s.uv_retries == CTAP_UV_RETRIES_MAX)
                return 0;
        s.uv_retries = CTAP_UV_RETRIES_MAX;
        return save(c, &s);
}

enum ctap_status ctap_pin_verify(struct ctap *c, unsigned protocol, const struct ctap_pin_hash *pin,
                                 struct ctap_ticket *ret) {
        enum ctap_pin_verdict verdict;
        enum ctap_status s;
        int r;

        s = ctap_pin_ready(c);
        if (s != CTAP_OK)
                return s;
        r = c->env.keys->ops->pin_verify(c->env.keys, pin, CTAP_TOKEN_SECONDS, &verdict, ret);
        if (r < 0)
                return ctap_status_from_errno(r);
        s = judge(c, protocol, verdict);
        return s == CTAP_OK ? ctap_status_from_errno(ctap_pin_refill_uv_retries(c)) : s;
}

enum ctap_status ctap_pin_check(struct ctap *c, unsigned protocol,
                                const struct ctap_pin_hash *pin) {
        _cleanup_(ctap_ticket_wipe) struct ctap_ticket ticket = { 0 };

        return ctap_pin_verify(c, protocol, pin, &ticket);
}

/* ---- a new one ---- */

struct new_pin {
        struct ctap_pin_hash hash;
        uint8_t length; /* code points */
        bool for_enrolment;
        bool is_complex;
};

static void new_pin_wipe(struct new_pin *p) {
        OPENSSL_cleanse(p, sizeof(*p));
}

/* CP21: the least in code points, the most in bytes. AC5f */
static bool is_allowed(const struct ctap *c, struct bytes pin, struct new_pin *ret) {
        uint8_t length = 0;

        if (pin.len > CTAP_PIN_BYTES_MAX || !bytes_is_utf8(pin))
                return false;
        for (size_t i = 0; i < pin.len; i++)
                length = (uint8_t)(length + ((pin.data[i] & 0xc0) != 0x80));
        ret->length = length;
        ret->is_complex = ctap_pin_is_complex(pin);
        return length >= ctap_min_pin_length(c) && (!ctap_pin_complexity(c) || ret->is_complex);
}

/* `old` is NULL if none is set yet. */
static enum ctap_status read_new_pin(const struct ctap *c, const struct ctap_pin_hash *old,
                                     struct bytes pin, struct new_pin *ret) {
        int r;

        if (!is_allowed(c, pin, ret))
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        r = ctap_pin_hash(pin, &ret->hash);
        if (r < 0)
                return ctap_status_from_errno(r);
        /* Who must change it cannot keep it (CP22). */
        if (old && settings(c)->force_pin_change &&
            bytes_equal_secret(BYTES_OF(*old), BYTES_OF(ret->hash)))
                return CTAP2_ERR_PIN_POLICY_VIOLATION;
        return CTAP_OK;
}

/*
 * Puts the settings in doubt and the new PIN to the device. Whatever comes of it, the caller saves
 * settings that are true; if this fails, the doubt stays.
 */
static int propose(struct ctap *c, const struct ctap_pin_hash *old, const struct new_pin *new,
                   enum ctap_pin_verdict *ret) {
        struct ctap_settings s = *settings(c);
        int r;

        s.pin_in_doubt = true;
        if (s.pin_length > new->length)
                s.pin_length = new->length;
        /* Whatever a cut leaves, nobody may go on with the administrator's secret for a PIN. */
        if (new->for_enrolment)
                s.force_pin_change = s.pin_is_for_enrolment = true;
        s.pin_is_complex = s.pin_is_complex && new->is_complex;
        ctap_persistent_token_end(&s); /* CP22: before there can be another PIN */
        r = save(c, &s);
        if (r < 0)
                return r;
        r = c->env.keys->ops->pin_change(c->env.keys, old, &new->hash, ret);
        if (r < 0)
                ctap_end_token(c); /* it may have come about */
        return r;
}

/* The device took it. Tickets may outlive that, tokens do not (CP22). */
static int adopt(struct ctap *c, const struct new_pin *new, enum ctap_noted what) {
        struct ctap_settings s = *settings(c);

        note(c, what);

        ctap_end_token(c);
        s.pin_length = new->length;
        s.pin_is_complex = new->is_complex;
        s.pin_in_doubt = false;
        s.force_pin_change = s.pin_is_for_enrolment = new->for_enrolment;
        s.uv_retries = CTAP_UV_RETRIES_MAX;
        return save(c, &s);
}

/* A device that has a PIN although the settings knew of none: an older disk was put back. */
static enum ctap_status is_set_after_all(struct ctap *c, const struct ctap_settings *before) {
        struct ctap_settings s = *settings(c);
        int r;

        s.force_pin_change = before->force_pin_change;
        s.pin_is_for_enrolment = before->pin_is_for_enrolment;
        r = save_unknown_in(c, s);
        return r < 0 ? ctap_status_from_errno(r) : CTAP2_ERR_PIN_AUTH_INVALID;
}

static enum ctap_status set_first(struct ctap *c, const struct new_pin *new) {
        const struct ctap_settings before = *settings(c);
        enum ctap_pin_verdict verdict;
        bool too_dear;
        int r;

        r = must_not_ask(c, &too_dear);
        if (r < 0)
                return ctap_status_from_errno(r);
        if (too_dear)
                return is_set_after_all(c, &before);
        r = propose(c, NULL, new, &verdict);
        if (r < 0)
                return ctap_status_from_errno(r);

        switch (verdict) {
        case CTAP_PIN_RIGHT:
                c->pin_mismatches = 0;
                return ctap_status_from_errno(adopt(c, new, CTAP_NOTED_PIN_SET));
        case CTAP_PIN_LATER:
                r = save(c, &before);
                return r < 0 ? ctap_status_from_errno(r) : CTAP2_ERR_PIN_AUTH_BLOCKED;
        case CTAP_PIN_WRONG:
        case CTAP_PIN_BLOCKED:
                break;
        }
        return is_set_after_all(c, &before);
}

static enum ctap_status set(struct ctap *c, struct bytes pin, bool for_enrolment) {
        _cleanup_(new_pin_wipe) struct new_pin new = { .for_enrolment = for_enrolment };
        enum ctap_status s;
        bool is_set;

        s = ctap_pin_is_set(c, &is_set);
        if (s != CTAP_OK)
                return s;
        if (is_set)
                return CTAP2_ERR_PIN_AUTH_INVALID;
        s = read_new_pin(c, NULL, pin, &new);
        if (s != CTAP_OK)
                return s;
        return set_first(c, &new);
}

enum ctap_status ctap_pin_set(struct ctap *c, struct bytes pin) {
        return set(c, pin, false);
}

enum ctap_status ctap_pin_set_for_enrolment(struct ctap *c, struct bytes pin) {
        return set(c, pin, true);
}

static enum ctap_status exchange(struct ctap *c, unsigned protocol, const struct ctap_pin_hash *old,
                                 const struct new_pin *new) {
        const struct ctap_settings before = *settings(c);
        enum ctap_pin_verdict verdict;
        enum ctap_status s;
        int r;

        r = propose(c, old, new, &verdict);
        if (r < 0)
                return ctap_status_from_errno(r);
        s = judge(c, protocol, verdict);
        r = verdict == CTAP_PIN_RIGHT ? adopt(c, new, CTAP_NOTED_PIN_CHANGED) : save(c, &before);
        return r < 0 ? ctap_status_from_errno(r) : s;
}

enum ctap_status ctap_pin_replace(struct ctap *c, unsigned protocol,
                                  const struct ctap_pin_hash *old, struct bytes pin) {
        _cleanup_(new_pin_wipe) struct new_pin new = { 0 };
        enum ctap_status s, known;

        s = ctap_pin_ready(c);
        if (s != CTAP_OK)
                return s;
        s = read_new_pin(c, old, pin, &new);
        if (s == CTAP_OK)
                return exchange(c, protocol, old, &new);
        known = ctap_pin_check(c, protocol, old);
        return known == CTAP_OK ? s : known;
}

/* ---- the owner's own tool ---- */

enum ctap_status ctap_pin_change(struct ctap *c, struct bytes old, struct bytes pin) {
        _cleanup_(ctap_pin_hash_wipe) struct ctap_pin_hash hash = { 0 };
        int r;

        r = ctap_pin_hash(old, &hash);
        if (r < 0)
                return ctap_status_from_errno(r);
        return ctap_pin_replace(c, 0, &hash, pin);
}

enum ctap_status ctap_pin_try(struct ctap *c, struct bytes pin) {
        _cleanup_(ctap_pin_hash_wipe) struct ctap_pin_hash hash = { 0 };
        int r;

        r = ctap_pin_hash(pin, &hash);
        return r < 0 ? ctap_status_from_errno(r) : ctap_pin_check(c, 0, &hash);
}

enum ctap_status ctap_pin_describe(struct ctap *c, struct ctap_pin_info *ret) {
        struct ctap_pin_info info = { .is_latched = ctap_pin_is_latched(c) };
        enum ctap_status s;
        int r;

        s = ctap_pin_is_set(c, &info.is_set);
        if (s != CTAP_OK)
                return s;
        r = retries(c, &info.retries);
        if (r < 0)
                return ctap_status_from_errno(r);
        info.uv_retries = settings(c)->uv_retries;
        info.must_change = settings(c)->force_pin_change;
        info.is_for_enrolment = settings(c)->pin_is_for_enrolment;
        info.min_length = ctap_min_pin_length(c);
        info.complex = ctap_pin_complexity(c);
        *ret = info;
        return CTAP_OK;
}

uint32_t ctap_pins_given(const struct ctap *c) {
        return c->n_pins_given;
}

uint8_t ctap_pin_mismatches(const struct ctap *c) {
        return c->pin_mismatches;
}

void ctap_keep_pin_mismatches(struct ctap *c, uint8_t n) {
        c->pin_mismatches = n;
}

void ctap_suspend(struct ctap *c) {
        ctap_end_token(c);
}
