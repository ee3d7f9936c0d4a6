/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/attestation-answer.c on any object that somebody may call an answer, with base64url.c under
 * it, and attestation-chain.c on the certificates in it. What is taken stands in the answer as it would
 * be written; what is refused is refused by a message. No chain is taken here: there is no key that
 * somebody signed for.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/attestation-answer.h"
#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "tests/fuzz/fuzz.h"

static struct bytes text_of(const json_t *object, const char *name) {
        const json_t *value = json_object_get(object, name);

        return BYTES(json_string_value(value), json_string_length(value));
}

/* The text that stands for these bytes is the one in the answer. */
static void check_base64(struct bytes b, struct bytes text) {
        static uint8_t storage[BASE64_SIZE(ATTESTATION_SEALED_MAX)];
        struct buf again = BUF_ON(storage);

        base64_put(&again, b);
        require(b.len > 0 && buf_error(&again) == 0);
        require(bytes_equal(buf_bytes(&again), text));
}

static void check_time(int64_t seconds, struct bytes text) {
        char again[ATTESTATION_TIME_SIZE + 1];

        attestation_time_write(seconds, again);
        require(bytes_equal(BYTES_TEXT(again), text));
}

static void check_blobs(const struct attestation_answer *a, const json_t *from) {
        require(a->credential.len <= ATTESTATION_BLOB_MAX + 2);
        require(a->secret.len <= ATTESTATION_BLOB_MAX + 2);
        check_base64(a->credential, text_of(from, "credential"));
        check_base64(a->secret, text_of(from, "secret"));
}

/* Nothing was sealed under this secret. */
static void check_whole(const struct attestation_answer *a, const json_t *from) {
        static const struct secret32 secret = { { 0 } };
        static uint8_t storage[ATTESTATION_SEALED_MAX];
        struct buf pem = BUF_ON(storage);
        int r;

        require(json_integer_value(json_object_get(from, "v")) == 1);
        check_time(a->created, text_of(from, "created"));
        check_time(a->expires, text_of(from, "expires"));
        check_blobs(a, from);
        check_base64(a->sealed, text_of(json_object_get(from, "chain"), "ciphertext"));
        r = attestation_answer_open(a, &secret, &pem);
        require(r == -EBADMSG || r == -EMSGSIZE);
        require(pem.len == 0);
}

static void check_chain(const struct attestation_answer *a, const json_t *from) {
        const struct attestation_wants wants = { .any_issuer = true,
                                                 .bytes_max = ATTESTATION_SEALED_MAX };
        const json_t *list = json_object_get(from, "chain");
        uint8_t text[512];
        struct buf reason = BUF_ON(text);

        require(a->chain.n == json_array_size(list) && a->chain.n > 0);
        for (size_t i = 0; i < a->chain.n; i++) {
                const json_t *entry = json_array_get(list, i);

                check_base64(a->chain.der[i],
                             BYTES(json_string_value(entry), json_string_length(entry)));
        }
        require(attestation_chain_check(&a->chain, &wants, &reason) == -EINVAL);
        require(reason.len > 0);
}

static void check_error(const json_t *body) {
        const json_t *error = json_object_get(body, "error");

        require(strcmp(json_string_value(json_object_get(error, "code")), PROTOCOL_E_ANSWER) == 0);
        require(json_string_length(json_object_get(error, "message")) > 0);
}

static void run(const json_t *from) {
        static struct attestation_answer a;
        json_t *error = attestation_answer_read(from, &a);

        if (error) {
                check_error(error);
                json_decref(error);
                return;
        }
        switch (a.kind) {
        case ATTESTATION_ANSWER_WHOLE:
                check_whole(&a, from);
                break;
        case ATTESTATION_ANSWER_CREDENTIAL:
                check_blobs(&a, from);
                break;
        case ATTESTATION_ANSWER_CHAIN:
                check_chain(&a, from);
                break;
        }
}

/* What is decrypted is PEM, and may be anything. */
static void run_pem(struct bytes text) {
        uint8_t der[ATTESTATION_CHAIN_BYTES], again[4 * ATTESTATION_CHAIN_BYTES], why[512];
        struct buf storage = BUF_ON(der), pem = BUF_ON(again), reason = BUF_ON(why);
        struct attestation_chain chain;

        if (attestation_chain_read(text, &storage, &chain, &reason) == 0) {
                require(chain.n > 0 && chain.n <= ATTESTATION_CHAIN_MAX);
                require(attestation_chain_write(&chain, &pem) == 0);
        } else
                require(reason.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        json_t *from = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

        if (json_is_object(from))
                run(from);
        else if (!from)
                run_pem(BYTES(data, size));
        json_decref(from);
        return 0;
}
