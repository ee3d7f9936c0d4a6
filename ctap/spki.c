/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Keys of one type differ in their numbers alone, which have a fixed size: what stands before and
 * behind them is constant. The modulus has its highest bit set, hence the zero before it.
 */

#include "ctap/spki.h"

static const uint8_t p256_head[] = {
        0x30, 0x59, 0x30, 0x13,                                     /* SEQUENCE, SEQUENCE */
        0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,       /* id-ecPublicKey */
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, /* prime256v1 */
        0x03, 0x42, 0x00, 0x04,                                     /* BIT STRING, uncompressed */
};

static const uint8_t p384_head[] = {
        0x30, 0x76, 0x30, 0x10,                               /* SEQUENCE, SEQUENCE */
        0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, /* id-ecPublicKey */
        0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22,             /* secp384r1 */
        0x03, 0x62, 0x00, 0x04,                               /* BIT STRING, uncompressed */
};

static const uint8_t rsa_head[] = {
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d,                               /* SEQUENCE, SEQUENCE */
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, /* rsaEncryption */
        0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,                         /* NULL, BIT STRING */
        0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,             /* SEQUENCE, INTEGER */
};

static const uint8_t rsa_tail[] = { 0x02, 0x03, 0x01, 0x00, 0x01 }; /* the exponent */

void ctap_spki_put(struct buf *out, const struct ctap_public_key *key) {
        if (key->type == CTAP_KEY_RSA2048) {
                buf_put(out, BYTES_OF(rsa_head));
                buf_put(out, BYTES_OF(key->modulus));
                buf_put(out, BYTES_OF(rsa_tail));
        } else {
                bool is_p384 = key->type == CTAP_KEY_P384;
                size_t size = is_p384 ? 48 : 32;

                buf_put(out, is_p384 ? BYTES_OF(p384_head) : BYTES_OF(p256_head));
                buf_put(out, BYTES(key->x, size));
                buf_put(out, BYTES(key->y, size));
        }
}
