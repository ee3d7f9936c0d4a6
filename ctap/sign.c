/* SPDX-License-Identifier: BSD-2-Clause */

/* Hash here, sign in the key device: see sign.h. */

#include "ctap/sign.h"

int ctap_sign(struct ctap_keys *keys, struct ctap_loaded_key *key, const struct ctap_cose *alg,
              struct bytes auth_data, struct bytes client_data_hash, struct ctap_signature *ret) {
        const struct bytes parts[] = { auth_data, client_data_hash };
        struct ctap_digest digest;
        int r;

        r = ctap_cose_hash(alg, parts, ELEMENTSOF(parts), &digest);
        if (r < 0)
                return r;
        return keys->ops->sign(keys, key, ctap_digest_bytes(&digest), ret);
}
