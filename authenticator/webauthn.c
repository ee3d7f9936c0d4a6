/* SPDX-License-Identifier: BSD-2-Clause */

/* Two libraries want a public key in two ways, so that there are both. */

#include "authenticator/webauthn.h"

#include "authenticator/base64url.h"
#include "authenticator/util.h"
#include "ctap/cbor.h"
#include "ctap/cose.h"
#include "ctap/spki.h"

json_t *webauthn_bytes(struct bytes b) {
        const size_t size = BASE64URL_SIZE(b.len);
        _cleanup_(free_pointer) void *storage = malloc(size + 1);
        struct buf text = { storage, 0, size, false };

        if (!storage)
                return NULL;
        base64url_put(&text, b);
        return json_stringn(storage, text.len);
}

static json_t *spki(const struct ctap_public_key *key) {
        uint8_t storage[CTAP_SPKI_MAX];
        struct buf out = BUF_ON(storage);

        if (!key)
                return json_null();
        ctap_spki_put(&out, key);
        return webauthn_bytes(buf_bytes(&out));
}

/* An algorithm of a row that came from a changed file may be one that there is not. */
static json_t *cose(int32_t id, const struct ctap_public_key *key) {
        const struct ctap_cose *alg = ctap_cose_find(id, ~0u);
        uint8_t storage[CTAP_COSE_KEY_MAX];
        struct buf out = BUF_ON(storage);
        struct cbor_writer w = { &out };

        if (!key || !alg || alg->type != key->type)
                return json_null();
        ctap_cose_put_key(&w, alg, key);
        return webauthn_bytes(buf_bytes(&out));
}

json_t *webauthn_credential(const struct ctap_row *row, const struct ctap_public_key *key) {
        return json_pack("{s:o,s:s,s:o,s:o,s:i,s:I,s:[s]}", "id", webauthn_bytes(BYTES_OF(row->id)),
                         "type", "public-key", "publicKey", spki(key), "publicKeyCose",
                         cose(row->alg, key), "publicKeyAlgorithm", (int)row->alg, "counter",
                         (json_int_t)row->count, "transports", "usb");
}
