/* SPDX-License-Identifier: BSD-2-Clause */

/* TPMS_ATTEST and TPMT_PUBLIC: see attest.h. */

#include <openssl/sha.h>

#include "tests/fake/attest.h"
#include "tests/unit/test.h"

enum {
        ALG_RSA = 0x0001,
        ALG_SHA256 = 0x000b,
        ALG_NULL = 0x0010,
        ALG_ECC = 0x0023,
        ST_ATTEST_CERTIFY = 0x8017,
        GENERATED_VALUE = (int)0xff544347,
        MADE_HERE = 0x00040432, /* fixedTPM, fixedParent, sensitiveDataOrigin, noDA, sign */
        USER_WITH_AUTH = 0x00000040,
};

static const uint8_t policy[32] = "the PIN's", signer[34] = { 0, ALG_SHA256 };

static void put_name(struct buf *to, struct bytes public_area) {
        struct sha256 hash;

        SHA256(public_area.data, public_area.len, hash.b);
        buf_put_u16(to, 2 + sizeof(hash));
        buf_put_u16(to, ALG_SHA256);
        buf_put(to, BYTES_OF(hash));
}

static void put_public(struct buf *to, const struct ctap_public_key *key,
                       enum ctap_key_class class) {
        const bool is_rsa = key->type == CTAP_KEY_RSA2048, is_b = class == CTAP_CLASS_B;
        const uint16_t field = key->type == CTAP_KEY_P256 ? 32 : 48;

        buf_put_u16(to, is_rsa ? ALG_RSA : ALG_ECC);
        buf_put_u16(to, ALG_SHA256);
        buf_put_u32(to, is_b ? MADE_HERE : MADE_HERE | USER_WITH_AUTH);
        buf_put_string16(to, is_b ? BYTES_OF(policy) : BYTES_NULL);
        buf_put_u16(to, ALG_NULL); /* symmetric */
        buf_put_u16(to, ALG_NULL); /* scheme */
        if (is_rsa) {
                buf_put_u16(to, 2048);
                buf_put_u32(to, 0); /* 65537 */
                buf_put_string16(to, BYTES_OF(key->modulus));
                return;
        }
        buf_put_u16(to, field == 32 ? 3 : 4); /* TPM_ECC_NIST_P256, P384 */
        buf_put_u16(to, ALG_NULL);            /* kdf */
        buf_put_string16(to, BYTES(key->x, field));
        buf_put_string16(to, BYTES(key->y, field));
}

void attest_write(const struct ctap_public_key *key, enum ctap_key_class class, struct bytes data,
                  struct ctap_certification *ret) {
        struct buf area = BUF_ON(ret->public_area), info = BUF_ON(ret->info);

        put_public(&area, key, class);
        buf_put_u32(&info, (uint32_t)GENERATED_VALUE);
        buf_put_u16(&info, ST_ATTEST_CERTIFY);
        buf_put_string16(&info, BYTES_OF(signer));
        buf_put_string16(&info, data);
        for (unsigned i = 0; i < 17 + 8; i++)
                buf_put_u8(&info, (uint8_t)i); /* clockInfo, firmwareVersion */
        put_name(&info, buf_bytes(&area));
        buf_put_string16(&info, BYTES_OF(signer)); /* qualifiedName */
        assert_int_equal(buf_error(&area), 0);
        assert_int_equal(buf_error(&info), 0);
        ret->public_area_len = (uint16_t)area.len;
        ret->info_len = (uint16_t)info.len;
}

static void read_public(struct bytes area, const struct made *made) {
        struct cursor in = { area, false };

        assert_int_equal(cursor_u16(&in), made->field == 0 ? ALG_RSA : ALG_ECC);
        assert_int_equal(cursor_u16(&in), ALG_SHA256);
        assert_int_equal(cursor_u32(&in) & ~(uint32_t)USER_WITH_AUTH, MADE_HERE);
        (void)cursor_string16(&in);
        assert_int_equal(cursor_u16(&in), ALG_NULL);
        assert_int_equal(cursor_u16(&in), ALG_NULL);
        if (made->field == 0) {
                assert_int_equal(cursor_u16(&in), 2048);
                assert_int_equal(cursor_u32(&in), 0);
                assert_bytes_equal(cursor_string16(&in), BYTES_OF(made->modulus));
        } else {
                assert_int_equal(cursor_u16(&in), made->field == 32 ? 3 : 4);
                assert_int_equal(cursor_u16(&in), ALG_NULL);
                assert_bytes_equal(cursor_string16(&in), BYTES(made->x, made->field));
                assert_bytes_equal(cursor_string16(&in), BYTES(made->y, made->field));
        }
        assert_int_equal(cursor_end(&in), 0);
}

void attest_read(struct bytes info, struct bytes public_area, struct bytes data,
                 const struct made *made) {
        uint8_t storage[64];
        struct buf name = BUF_ON(storage);
        struct cursor in = { info, false };

        read_public(public_area, made);
        put_name(&name, public_area);
        assert_int_equal(cursor_u32(&in), (uint32_t)GENERATED_VALUE);
        assert_int_equal(cursor_u16(&in), ST_ATTEST_CERTIFY);
        assert_int_equal(cursor_string16(&in).len, 34);
        assert_bytes_equal(cursor_string16(&in), data);
        (void)cursor_take(&in, 17 + 8);
        assert_bytes_equal(cursor_take(&in, name.len), buf_bytes(&name));
        assert_int_equal(cursor_string16(&in).len, 34);
        assert_int_equal(cursor_end(&in), 0);
}
