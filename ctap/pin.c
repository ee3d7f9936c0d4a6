/* SPDX-License-Identifier: BSD-2-Clause */

/* The PIN: see pin.h. */

#include "ctap/pin.h"

void ctap_suspend(struct ctap *c) {
        (void)c;
}

enum ctap_status ctap_pin_describe(struct ctap *c, struct ctap_pin_info *ret) {
        (void)c;
        (void)ret;
        return CTAP1_ERR_INVALID_COMMAND;
}

enum ctap_status ctap_pin_set(struct ctap *c, struct bytes pin) {
        (void)c;
        (void)pin;
        return CTAP1_ERR_INVALID_COMMAND;
}

enum ctap_status ctap_pin_change(struct ctap *c, struct bytes old, struct bytes pin) {
        (void)c;
        (void)old;
        (void)pin;
        return CTAP1_ERR_INVALID_COMMAND;
}
