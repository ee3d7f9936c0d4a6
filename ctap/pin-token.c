/* SPDX-License-Identifier: BSD-2-Clause */

/* The one token there is: see pin-token.h. */

#include "ctap/pin-token.h"
#include "ctap/pin-protocol.h"

void ctap_token_wipe(struct ctap_token *t) {
        OPENSSL_cleanse(t, sizeof(*t));
}

int ctap_token_issue(struct ctap_token *t, struct ctap_rng *rng, unsigned protocol,
                     uint8_t permissions, const struct sha256 *rp_id_hash,
                     const struct ctap_ticket *ticket, uint64_t now_ms) {
        _cleanup_(ctap_token_wipe) struct ctap_token made = {
                .protocol = protocol,
                .ticket = *ticket,
                .permissions = permissions,
                .has_rp = rp_id_hash,
                .user_verified = true,
                .issued_ms = now_ms,
        };
        int r;

        if (rp_id_hash)
                made.rp_id_hash = *rp_id_hash;
        r = rng->ops->fill(rng, made.value.b, sizeof(made.value.b));
        if (r < 0)
                return r;

        *t = made;
        return 0;
}

static bool is_over(const struct ctap_token *t, uint64_t now_ms) {
        uint64_t age = now_ms - t->issued_ms;

        return age >= UINT64_C(1000) * CTAP_TOKEN_SECONDS ||
               (!t->was_used && age >= CTAP_TOKEN_FIRST_USE_MS);
}

bool ctap_token_verify(struct ctap_token *t, int64_t protocol, struct bytes message,
                       struct bytes param, uint64_t now_ms) {
        if (t->protocol != 0 && is_over(t, now_ms))
                ctap_token_wipe(t);
        if (t->protocol == 0 || t->protocol != protocol)
                return false;
        if (!ctap_token_mac_verify(t->protocol, &t->value, message, param))
                return false;
        t->was_used = true;
        return true;
}

bool ctap_token_has(const struct ctap_token *t, enum ctap_permission permission) {
        return (t->permissions & permission) && t->user_verified;
}

bool ctap_token_permits(struct ctap_token *t, enum ctap_permission permission,
                        const struct sha256 *rp_id_hash) {
        if (!ctap_token_has(t, permission))
                return false;
        if (!t->has_rp) {
                t->rp_id_hash = *rp_id_hash;
                t->has_rp = true;
        }
        return bytes_equal(BYTES_OF(t->rp_id_hash), BYTES_OF(*rp_id_hash));
}

bool ctap_token_shows_presence(const struct ctap_token *t, uint64_t now_ms) {
        return t->user_present && now_ms - t->issued_ms < CTAP_TOKEN_PRESENT_MS;
}

void ctap_token_consume(struct ctap_token *t) {
        t->user_present = false;
        t->permissions &= CTAP_PERMISSION_LBW;
}
