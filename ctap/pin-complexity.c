/* SPDX-License-Identifier: BSD-2-Clause */

/* The rule for PINs: see pin-complexity.h. */

#include "ctap/pin-complexity.h"
#include "ctap/env.h"
#include "ctap/macro.h"

#define LEAST_DIFFERENT 3

/* A PIN as code points. A secret. */
struct letters {
        int32_t at[CTAP_PIN_BYTES_MAX];
        size_t n;
};

static void letters_wipe(struct letters *l) {
        OPENSSL_cleanse(l, sizeof(*l));
}

/* The first byte of a sequence has as many ones in front as the sequence has bytes. */
static int32_t first_bits(uint8_t first) {
        return first < 0x80   ? first
               : first < 0xe0 ? first & 0x1f
                              : first & (first < 0xf0 ? 0x0f : 0x07);
}

static void read_letters(struct bytes pin, struct letters *ret) {
        for (size_t i = 0; i < pin.len && i < CTAP_PIN_BYTES_MAX; i++)
                if ((pin.data[i] & 0xc0) != 0x80)
                        ret->at[ret->n++] = first_bits(pin.data[i]);
                else if (ret->n > 0)
                        ret->at[ret->n - 1] = ret->at[ret->n - 1] * 64 + (pin.data[i] & 0x3f);
}

static bool came_before(const struct letters *l, size_t i) {
        for (size_t j = 0; j < i; j++)
                if (l->at[j] == l->at[i])
                        return true;
        return false;
}

static size_t count_different(const struct letters *l) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += !came_before(l, i);
        return n;
}

static bool is_a_row(const struct letters *l) {
        for (size_t i = 2; i < l->n; i++)
                if (l->at[i] - l->at[i - 1] != l->at[1] - l->at[0])
                        return false;
        return true;
}

bool ctap_pin_is_complex(struct bytes pin) {
        _cleanup_(letters_wipe) struct letters l = { .n = 0 };

        read_letters(pin, &l);
        return count_different(&l) >= LEAST_DIFFERENT && !is_a_row(&l);
}
