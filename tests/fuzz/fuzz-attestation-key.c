/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * tpm/attestation-record.c on any bytes that a disk may give back. There is one way to write it, so
 * what is read, written again, must be the same bytes. The first byte of the input chooses: 's', as it
 * is; 'd', with a digest that is put right.
 */

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tpm/attestation.h"
#include "tpm/policy.h"

static void try_key(const struct tpm_attestation_key *key) {
        struct tpm_attestation_record r;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key again;
        TPM2B_NAME name;
        int decoded = tpm_attestation_decode(key, &r);
        int told = tpm_attestation_key_facts(key, &facts);

        require(decoded == 0 || decoded == -EBADMSG);
        require(told == 0 || told == -EBADMSG);
        require(told < 0 || decoded == 0);
        if (decoded < 0)
                return;
        require(tpm_attestation_encode(&r, &again) == 0);
        require(bytes_equal(BYTES(again.data, again.len), BYTES(key->data, key->len)));
        if (told < 0)
                return;
        require(facts.handle == r.handle);
        require(tpm_name_of_object(&r.key.public.publicArea, &name) == 0);
        require(bytes_equal(tpm_name_bytes(&name), BYTES_OF(facts.name)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct cursor c = { BYTES(data, size), false };
        const bool mend = cursor_u8(&c) == 'd';
        const size_t room = TPM_ATTESTATION_KEY_MAX - (mend ? SHA256_DIGEST_LENGTH : 0);
        struct tpm_attestation_key key = { 0 };
        size_t n = c.left.len < room ? c.left.len : room;

        if (n > 0)
                memcpy(key.data, c.left.data, n);
        key.len = (uint16_t)n;
        if (mend) {
                SHA256(key.data, n, key.data + n);
                key.len = (uint16_t)(n + SHA256_DIGEST_LENGTH);
        }
        try_key(&key);
        return 0;
}
