/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Members and their kinds are tables. What is secret in an answer is so for the TPM alone, and what is
 * not for this machine is found out by who knows the machine: here an answer only has to make sense.
 */

#include "authenticator/attestation-answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"

#define VERSION 1
#define TYPE    "tpmauthn-attestation-answer"
#define INFO    "tpmauthn attestation chain v1"

struct member {
        const char *name; /* NULL ends the list */
        json_type type;
};

static const struct member whole_members[] = {
        { "v", JSON_INTEGER },
        { "type", JSON_STRING },
        { "request", JSON_STRING },
        { "ek", JSON_STRING },
        { "ak", JSON_STRING },
        { "created", JSON_STRING },
        { "expires", JSON_STRING },
        { "credential", JSON_STRING },
        { "secret", JSON_STRING },
        { "chain", JSON_OBJECT },
        { 0 },
};
static const struct member sealed_members[] = {
        { "alg", JSON_STRING }, { "nonce", JSON_STRING }, { "ciphertext", JSON_STRING }, { 0 }
};
static const struct member credential_members[] = { { "credential", JSON_STRING },
                                                    { "secret", JSON_STRING },
                                                    { 0 } };

static json_t *wrong(const char *name, const char *what) {
        return control_error(PROTOCOL_E_ANSWER, "The answer is none: its \"%.64s\" %s.", name,
                             what);
}

static const struct member *member_named(const struct member *members, const char *name) {
        for (; members->name; members++)
                if (strcmp(members->name, name) == 0)
                        return members;
        return NULL;
}

/* NULL if all of these are there, and of these kinds. */
static json_t *check_members(const json_t *object, const struct member *members) {
        for (const struct member *m = members; m->name; m++) {
                const json_t *value = json_object_get(object, m->name);

                if (!value)
                        return wrong(m->name, "is missing");
                if (json_typeof(value) != m->type)
                        return wrong(m->name, "is of the wrong type");
        }
        return NULL;
}

/* NULL if there are no others. */
static json_t *check_others(const json_t *object, const struct member *members) {
        const char *name;
        json_t *value;

        json_object_foreach((json_t *)(uintptr_t)object, name, value) {
                if (!member_named(members, name))
                        return wrong(name, "is no member of one");
        }
        return NULL;
}

static struct bytes text_of(const json_t *object, const char *name) {
        const json_t *value = json_object_get(object, name);

        return BYTES(json_string_value(value), json_string_length(value));
}

/* ---- members ---- */

static int hex_digit(uint8_t c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static json_t *read_hex(const json_t *object, const char *name, uint8_t *ret, size_t size) {
        struct bytes text = text_of(object, name);

        if (text.len != 2 * size)
                return wrong(name, "has another length than it should");
        for (size_t i = 0; i < size; i++) {
                const int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);

                if (high < 0 || low < 0)
                        return wrong(name, "is no hex in lower case");
                ret[i] = (uint8_t)(high << 4 | low);
        }
        return NULL;
}

/* Into `storage`, of which *ret becomes a part. */
static json_t *read_base64(const char *name, struct bytes text, size_t max, struct buf *storage,
                           struct bytes *ret) {
        const size_t at = storage->len;

        if (text.len == 0 || text.len > BASE64_SIZE(max))
                return wrong(name, "is empty or too long");
        if (base64_get(text, storage) < 0)
                return wrong(name, "is no base64");
        *ret = BYTES(storage->data + at, storage->len - at);
        return NULL;
}

static json_t *read_request(const json_t *from, struct attestation_answer *a) {
        struct buf out = BUF_ON(a->request);

        if (base64url_get(text_of(from, "request"), &out) < 0 || out.len != sizeof(a->request))
                return wrong("request", "is not 16 bytes in base64url");
        return NULL;
}

int attestation_time_read(const char *text, int64_t *ret) {
        char again[ATTESTATION_TIME_SIZE + 1];
        struct tm t = { 0 };
        int end = 0;

        if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &t.tm_year, &t.tm_mon, &t.tm_mday,
                   &t.tm_hour, &t.tm_min, &t.tm_sec, &end) != 6 ||
            end != ATTESTATION_TIME_SIZE || text[end])
                return -EBADMSG;
        t.tm_year -= 1900;
        t.tm_mon--;
        *ret = timegm(&t);
        /* What is no day or hour came out as another one. */
        attestation_time_write(*ret, again);
        return strcmp(again, text) == 0 ? 0 : -EBADMSG;
}

void attestation_time_write(int64_t seconds, char ret[static ATTESTATION_TIME_SIZE + 1]) {
        const time_t t = (time_t)seconds;
        struct tm parts = { 0 };

        gmtime_r(&t, &parts);
        if (strftime(ret, ATTESTATION_TIME_SIZE + 1, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
                *ret = '\0';
}

static json_t *read_time(const json_t *from, const char *name, int64_t *ret) {
        if (attestation_time_read(json_string_value(json_object_get(from, name)), ret) < 0)
                return wrong(name, "is no time such as 2026-11-29T21:11:00Z");
        return NULL;
}

static json_t *read_blobs(const json_t *from, struct buf *storage, struct attestation_answer *a) {
        json_t *error = read_base64("credential", text_of(from, "credential"), ATTESTATION_BLOB_MAX,
                                    storage, &a->credential);

        return error ? error
                     : read_base64("secret", text_of(from, "secret"), ATTESTATION_BLOB_MAX, storage,
                                   &a->secret);
}

static json_t *read_sealed(const json_t *from, struct buf *storage, struct attestation_answer *a) {
        const json_t *chain = json_object_get(from, "chain");
        struct buf nonce = BUF_ON(a->nonce.b);
        json_t *error = check_members(chain, sealed_members);

        if (!error)
                error = check_others(chain, sealed_members);
        if (error)
                return error;
        if (!bytes_equal(text_of(chain, "alg"), BYTES_TEXT("A256GCM")))
                return wrong("alg", "is another than A256GCM");
        if (base64_get(text_of(chain, "nonce"), &nonce) < 0 || nonce.len != sizeof(a->nonce.b))
                return wrong("nonce", "is not 12 bytes in base64");
        return read_base64("ciphertext", text_of(chain, "ciphertext"), ATTESTATION_SEALED_MAX,
                           storage, &a->sealed);
}

/* ---- the three forms ---- */

/* All of it but what is authenticated elsewhere: by the TPM, or as the ciphertext. */
static json_t *put_additional(const json_t *from, struct attestation_answer *a) {
        static const char *const names[] = { "request", "ek", "ak", "created", "expires" };
        struct buf b = BUF_ON(a->additional);

        buf_put(&b, BYTES_TEXT(TYPE "\n1\n"));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                buf_put(&b, text_of(from, names[i]));
                buf_put_u8(&b, '\n');
        }
        a->additional_len = b.len;
        return buf_error(&b) < 0 ? wrong("request", "is too long") : NULL;
}

static json_t *read_whole(const json_t *from, struct buf *storage, struct attestation_answer *a) {
        json_t *error = check_members(from, whole_members);

        a->kind = ATTESTATION_ANSWER_WHOLE;
        if (!error)
                error = check_others(from, whole_members);
        if (error)
                return error;
        if (!bytes_equal(text_of(from, "type"), BYTES_TEXT(TYPE)))
                return wrong("type", "is another than \"" TYPE "\"");
        if (json_integer_value(json_object_get(from, "v")) != VERSION)
                return wrong("v", "is another than 1: it takes a newer tpmauthn");
        error = read_request(from, a);
        if (!error)
                error = read_hex(from, "ek", a->ek.b, sizeof(a->ek.b));
        if (!error)
                error = read_hex(from, "ak", a->ak, sizeof(a->ak));
        if (!error)
                error = read_time(from, "created", &a->created);
        if (!error)
                error = read_time(from, "expires", &a->expires);
        if (!error)
                error = read_blobs(from, storage, a);
        if (!error)
                error = read_sealed(from, storage, a);
        return error ? error : put_additional(from, a);
}

static json_t *read_credential(const json_t *from, struct buf *storage,
                               struct attestation_answer *a) {
        json_t *error = check_members(from, credential_members);

        a->kind = ATTESTATION_ANSWER_CREDENTIAL;
        return error ? error : read_blobs(from, storage, a);
}

static json_t *read_chain(const json_t *chain, struct buf *storage, struct attestation_answer *a) {
        json_t *entry, *error = NULL;
        size_t i;

        a->kind = ATTESTATION_ANSWER_CHAIN;
        if (json_array_size(chain) == 0 || json_array_size(chain) > ATTESTATION_CHAIN_MAX)
                return control_error(PROTOCOL_E_ANSWER,
                                     "The answer has %zu certificates; it takes from 1 to %d.",
                                     json_array_size(chain), ATTESTATION_CHAIN_MAX);
        json_array_foreach(chain, i, entry) {
                if (!json_is_string(entry))
                        return wrong("chain", "has members that are no texts");
                error = read_base64("chain",
                                    BYTES(json_string_value(entry), json_string_length(entry)),
                                    ATTESTATION_SEALED_MAX / ATTESTATION_CHAIN_MAX, storage,
                                    &a->chain.der[i]);
                if (error)
                        return error;
                a->chain.n++;
        }
        return NULL;
}

json_t *attestation_answer_read(const json_t *from, struct attestation_answer *answer) {
        const json_t *chain = json_object_get(from, "chain");
        struct buf storage = BUF_ON(answer->storage);

        memset(answer, 0, sizeof(*answer));
        if (json_object_get(from, "type"))
                return read_whole(from, &storage, answer);
        if (json_is_array(chain))
                return read_chain(chain, &storage, answer);
        if (json_object_get(from, "credential"))
                return read_credential(from, &storage, answer);
        return control_error(PROTOCOL_E_ANSWER,
                             "This is no answer: it has neither \"type\" nor \"chain\" nor "
                             "\"credential\".");
}

int attestation_answer_open(const struct attestation_answer *answer,
                            const struct secret32 *activated, struct buf *pem) {
        _cleanup_(secret32_wipe) struct secret32 key;
        int r = ctap_hkdf_sha256(activated, INFO, &key);

        return r < 0 ? r
                     : ctap_gcm_open(&key, &answer->nonce,
                                     BYTES(answer->additional, answer->additional_len),
                                     answer->sealed, pem);
}
