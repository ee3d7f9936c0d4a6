/* SPDX-License-Identifier: BSD-2-Clause */

/* A row out of what was asked for: see new-credential.h. */

#include "ctap/new-credential.h"

#include "ctap/command.h"
#include "ctap/crypto.h"
#include "ctap/hmac-secret.h"

enum ctap_key_class ctap_new_credential_class(const struct ctap *c, uint8_t cred_protect) {
        return ctap_always_uv(c) || cred_protect == 3 ? CTAP_CLASS_B : CTAP_CLASS_A;
}

/* Everything of the row but the key. */
static int fill_row(struct ctap *c, const struct ctap_new_credential *what, struct ctap_row *row) {
        const struct ctap_credential_keys *k = &c->credential_keys;
        struct sha256 rp_id_hash;
        int r;

        row->alg = what->alg->id;
        row->class = (uint8_t)ctap_new_credential_class(c, what->cred_protect);
        row->cred_protect = what->cred_protect > 0 ? what->cred_protect : 1; /* D1 */
        row->flags = what->flags;

        r = ctap_sha256(&what->record.rp_id, 1, &rp_id_hash);
        if (r == 0)
                r = ctap_credential_id_make(k, c->env.rng, &rp_id_hash, &row->id);
        if (r == 0)
                r = ctap_rp_tag(k, &rp_id_hash, &row->rp_tag);
        if (r == 0 && row->flags & CTAP_ROW_DISCOVERABLE)
                r = ctap_account_tag(k, &rp_id_hash, what->record.user_id, &row->account_tag);
        if (r < 0)
                return r;
        return ctap_record_seal(k, c->env.rng, &rp_id_hash, &what->record, row);
}

int ctap_new_credential_make(struct ctap *c, const struct ctap_new_credential *what,
                             struct ctap_row *ret_row, struct ctap_public_key *ret_public) {
        struct ctap_keys *keys = c->env.keys;
        struct ctap_public_key public;
        struct ctap_row row = { 0 };
        int r;

        r = ctap_need_credential_keys(c);
        if (r == 0)
                r = fill_row(c, what, &row);
        if (r == 0)
                r = keys->ops->create(keys, what->alg->type, row.class, &row.key, &public);
        if (r == 0 && what->cred_random)
                r = ctap_cred_random_make(keys, &row);
        if (r < 0)
                return r;

        *ret_row = row;
        *ret_public = public;
        return 0;
}
