/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A PIN_FAIL index counts wrong tries itself; what is kept here is its count as last seen. With an
 * ordinary index the tries are counted by an NV counter, which nobody can set back, the owner
 * included: it goes up with each try, and what the state remembers is where it was when the PIN was
 * right last. A state of before, from a backup, remembers an older place, and so gives no try back.
 */

#include <errno.h>
#include <syslog.h>

#include "tpm/counter.h"
#include "tpm/erase.h"
#include "tpm/pin-index.h"
#include "tpm/tries.h"

static bool is_ordinary(const struct tpm *t) {
        return t->record->pin_kind == TPM_PIN_ORDINARY;
}

void tpm_tries_forget(struct tpm *t) {
        t->tries = (struct tpm_tries){ 0 };
}

static void note(struct tpm *t, uint8_t left) {
        t->tries.known = true;
        t->tries.left = left;
}

/* ---- counted here ------------------------------------------------------------------------- */

static void note_value(struct tpm *t, uint64_t value) {
        uint64_t base = t->record->tries_base;

        /* No counter goes back: this is not the state that goes with it. */
        if (value < base)
                tpm_log(t, LOG_ERR, "TPM state: the tries of the PIN do not go with their counter");
        t->tries.value = value;
        note(t, value >= base && value - base < CTAP_PIN_TRIES_MAX
                        ? (uint8_t)(CTAP_PIN_TRIES_MAX - (value - base))
                        : 0);
}

/* A base below the counter's value is never wrong, only strict: a failure to save can be borne. */
static void save_base(struct tpm *t, uint64_t base) {
        struct tpm_state state;

        t->record->tries_base = base;
        note_value(t, t->tries.value);
        if (!t->save || tpm_save_record(t, t->record, t->save, t->save_userdata, &state) < 0)
                tpm_log(t, LOG_ERR,
                        "TPM: that the PIN has tries again could not be saved; after a restart "
                        "there will be fewer");
}

static int learn_value(struct tpm *t) {
        uint64_t value;
        int r;

        if (t->tries.value > 0)
                return 0;
        r = tpm_counter_value(t, &t->record->tries, &value);
        if (r >= 0)
                note_value(t, value);
        return r;
}

static int take_ordinary(struct tpm *t) {
        uint64_t value;
        int r;

        r = learn_value(t);
        if (r < 0)
                return r;
        value = t->tries.value + 1;
        tpm_tries_forget(t);
        r = tpm_counter_increment(t, &t->record->tries);
        if (r >= 0)
                note_value(t, value);
        return r;
}

static int begin_ordinary(struct tpm *t) {
        uint64_t value;
        int r;

        r = tpm_counter_make(t, &t->record->tries);
        if (r >= 0)
                r = tpm_counter_value(t, &t->record->tries, &value);
        if (r < 0)
                return r;
        t->record->tries_base = value;
        note_value(t, value);
        return 0;
}

/* ---- both --------------------------------------------------------------------------------- */

int tpm_tries_begin(struct tpm *t) {
        tpm_tries_forget(t);
        if (is_ordinary(t))
                return begin_ordinary(t);
        note(t, CTAP_PIN_TRIES_MAX);
        return 0;
}

int tpm_tries_left(struct tpm *t, uint8_t *ret) {
        int r = 0;

        if (!t->tries.known && is_ordinary(t)) {
                r = learn_value(t);
        } else if (!t->tries.known) {
                uint8_t left;

                r = tpm_pin_index_left(t, &t->record->pin, &t->record->pin_change.writer, &left);
                if (r >= 0)
                        note(t, left);
        }
        if (r >= 0)
                *ret = t->tries.left;
        return r;
}

int tpm_tries_are_up(struct tpm *t, bool *ret) {
        int r = is_ordinary(t) ? learn_value(t) : 0;

        if (r >= 0)
                *ret = is_ordinary(t) && t->tries.left == 0;
        return r;
}

int tpm_tries_take(struct tpm *t) {
        if (is_ordinary(t))
                return take_ordinary(t);
        tpm_tries_forget(t);
        return 0;
}

void tpm_tries_renew(struct tpm *t) {
        if (is_ordinary(t))
                save_base(t, t->tries.value);
        else
                note(t, CTAP_PIN_TRIES_MAX);
}

void tpm_tries_give_back(struct tpm *t) {
        if (is_ordinary(t))
                save_base(t, t->record->tries_base + 1);
}

void tpm_tries_learn(struct tpm *t) {
        uint8_t left;

        if (!t->unlocked || t->record->pin.ref.len == 0 || t->tries.known || t->tries.in_vain)
                return;
        if (tpm_tries_left(t, &left) < 0)
                t->tries.in_vain = true;
}
