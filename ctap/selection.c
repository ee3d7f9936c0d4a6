/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorSelection (CTAP 2.3 §6.9): "is this the key you mean?". The client asks every key at
 * once, so the question is passive: the person may well mean another one.
 */

#include "ctap/command.h"
#include "ctap/confirm.h"

enum ctap_status ctap_selection(struct ctap *c, const struct ctap_call *call _unused_,
                                struct cbor_writer *out _unused_) {
        const struct ctap_prompt prompt = { .ask = CTAP_ASK_SELECT, .passive = true };

        return ctap_confirm(c, &prompt, NULL, NULL, CTAP2_ERR_USER_ACTION_TIMEOUT);
}
