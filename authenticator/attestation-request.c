/* SPDX-License-Identifier: BSD-2-Clause */

/* The open request is a small record, and the bundle nothing but what others made, encoded. */

#include "authenticator/attestation-request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/attestation-state.h"
#include "authenticator/base64url.h"

#define VERSION     1
#define OPEN        0x01
#define ACTIVATED   0x02
#define RECORD_MAX  128
#define TPM_2_0     2    /* attest.TPMVersion20 */
#define ENCODED_MAX 6144 /* of the longest, an EK certificate */

/* ---- what is kept ---- */

static int decode(struct bytes in, struct attestation_request *ret) {
        struct attestation_request r = { 0 };
        struct cursor c = { in, false };
        const uint8_t version = cursor_u8(&c);
        const uint8_t flags = cursor_u8(&c);
        uint8_t kind;

        r.open = flags & OPEN;
        r.activated = flags & ACTIVATED;
        cursor_copy(&c, r.nonce, sizeof(r.nonce));
        r.created = (int64_t)cursor_u64(&c);
        kind = cursor_u8(&c);
        cursor_copy(&c, r.ek.id.b, sizeof(r.ek.id.b));
        if (cursor_end(&c) < 0 || version != VERSION || (flags & ~(OPEN | ACTIVATED)) != 0 ||
            kind >= _TPM_EKS)
                return -EBADMSG;
        r.ek.kind = kind;
        *ret = r;
        return 0;
}

int attestation_request_read(const char *state_directory, struct attestation_request *ret) {
        uint8_t storage[RECORD_MAX];
        struct buf b = BUF_ON(storage);
        int r = attestation_state_read(state_directory, ATTESTATION_REQUEST, &b);

        if (r < 0)
                return r == -EMSGSIZE ? -EBADMSG : r;
        return decode(buf_bytes(&b), ret);
}

int attestation_request_write(const char *state_directory,
                              const struct attestation_request *request) {
        uint8_t storage[RECORD_MAX];
        struct buf b = BUF_ON(storage);

        buf_put_u8(&b, VERSION);
        buf_put_u8(&b,
                   (uint8_t)((request->open ? OPEN : 0) | (request->activated ? ACTIVATED : 0)));
        buf_put(&b, BYTES_OF(request->nonce));
        buf_put_u64(&b, (uint64_t)request->created);
        buf_put_u8(&b, (uint8_t)request->ek.kind);
        buf_put(&b, BYTES_OF(request->ek.id));
        return attestation_state_write(state_directory, ATTESTATION_REQUEST, buf_bytes(&b));
}

/* ---- what is sent ---- */

json_t *attestation_base64(struct bytes b) {
        uint8_t storage[ENCODED_MAX];
        struct buf text = BUF_ON(storage);

        base64_put(&text, b);
        return buf_error(&text) < 0 ? NULL : json_stringn((const char *)text.data, text.len);
}

json_t *attestation_request_text(const struct attestation_request *request) {
        uint8_t storage[BASE64URL_SIZE(ATTESTATION_REQUEST_SIZE)];
        struct buf text = BUF_ON(storage);

        base64url_put(&text, BYTES_OF(request->nonce));
        return json_stringn((const char *)text.data, text.len);
}

static json_t *encode(const struct tpm_structure *s) {
        return attestation_base64(BYTES(s->data, s->len));
}

/* The TPM pads its vendor's name with blanks. */
static json_t *model_of(const struct tpm_info *info) {
        size_t n = strlen(info->vendor);

        while (n > 0 && info->vendor[n - 1] == ' ')
                n--;
        return json_stringn(info->vendor, n);
}

static json_t *describe_tpm(const struct tpm_info *info) {
        char manufacturer[16], firmware[16];

        snprintf(manufacturer, sizeof(manufacturer), "%u", (unsigned)info->manufacturer_id);
        snprintf(firmware, sizeof(firmware), "%u.%u", (unsigned)(info->firmware_major >> 16),
                 (unsigned)(info->firmware_major & 0xffff));
        return json_pack("{s:i,s:s,s:o,s:s}", "version", TPM_2_0, "manufacturer", manufacturer,
                         "model", model_of(info), "firmwareVersion", firmware);
}

static json_t *describe_certificates(const struct tpm_ek *ek) {
        json_t *list = json_array();

        if (ek->certificate_len > 0)
                json_array_append_new(list, attestation_base64(
                                                    BYTES(ek->certificate, ek->certificate_len)));
        return list;
}

static json_t *describe_key(const struct tpm_attestation_facts *key) {
        return json_pack("{s:o,s:b,s:o,s:o,s:o}", "public", encode(&key->public),
                         "useTCSDActivationFormat", 0, "createData", encode(&key->creation),
                         "createAttestation", encode(&key->certificate), "createSignature",
                         encode(&key->signature));
}

json_t *attestation_bundle(const struct attestation_request *request,
                           const struct attestation_subject *subject) {
        char created[ATTESTATION_TIME_SIZE + 1];

        attestation_time_write(request->created, created);
        return json_pack("{s:i,s:s,s:o,s:s,s:s*,s:o,s:o,s:o,s:o}", "v", 1, "type",
                         "tpmauthn-attestation-request", "request",
                         attestation_request_text(request), "created", created, "machine",
                         subject->machine, "tpmInfo", describe_tpm(subject->info), "ek",
                         attestation_base64(BYTES(subject->ek->public, subject->ek->public_len)),
                         "ekCerts", describe_certificates(subject->ek), "params",
                         describe_key(subject->key));
}
