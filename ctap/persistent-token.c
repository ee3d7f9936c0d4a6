/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The token for reading: see persistent-token.h. It outlives the ticket of the key device, for what
 * it allows is done without that device: names are sealed under the store key alone.
 */

#include <inttypes.h>
#include <stdio.h>

#include "ctap/crypto.h"
#include "ctap/persistent-token.h"
#include "ctap/pin-protocol.h"

static const struct ctap_settings *settings(const struct ctap *c) {
        return c->env.store->ops->settings(c->env.store);
}

int ctap_persistent_token(const struct ctap *c, struct secret32 *ret) {
        char info[64];

        snprintf(info, sizeof(info), "tpmauthn persistent token %" PRIu32,
                 settings(c)->persistent_token_epoch);
        return ctap_hkdf_sha256(c->env.store->ops->key(c->env.store), info, ret);
}

bool ctap_persistent_token_verify(const struct ctap *c, int64_t protocol, struct bytes message,
                                  struct bytes param) {
        _cleanup_(secret32_wipe) struct secret32 token = { { 0 } };

        if (settings(c)->pin_length == 0 || !ctap_pin_protocol_exists(protocol) ||
            ctap_persistent_token(c, &token) < 0)
                return false;
        return ctap_token_mac_verify((unsigned)protocol, &token, message, param);
}

void ctap_persistent_token_end(struct ctap_settings *s) {
        s->persistent_token_epoch++;
}
