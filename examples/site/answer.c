/* SPDX-License-Identifier: BSD-2-Clause */

/* Every member by one function, which says what is wrong with it and which it was. */

#include "examples/site/answer.h"

#include <string.h>

struct reading {
        struct answer *to;
        const json_t *from; /* the object that has the members */
        const char *member;
        enum refusal refusal;
};

static void refuse(struct reading *r, const char *member, enum refusal refusal) {
        if (r->refusal != REFUSED_NOTHING)
                return;
        r->refusal = refusal;
        r->member = member;
}

static void read_bytes(struct reading *r, const char *member, size_t max, struct slice *ret) {
        const json_t *value = json_object_get(r->from, member);
        struct slice text;
        uint8_t *at;
        size_t len;

        if (r->refusal != REFUSED_NOTHING)
                return;
        if (!json_is_string(value)) {
                refuse(r, member, value ? REFUSED_FIELD_TYPE : REFUSED_FIELD_MISSING);
                return;
        }
        text = SLICE(json_string_value(value), json_string_length(value));
        if (text.len > (max * 4 + 2) / 3) {
                refuse(r, member, REFUSED_FIELD_TOO_LONG);
                return;
        }
        at = r->to->storage + r->to->used;
        if (!base64url_decode(text, at, &len)) {
                refuse(r, member, REFUSED_BASE64URL);
                return;
        }
        if (len == 0) {
                refuse(r, member, REFUSED_FIELD_VALUE);
                return;
        }
        r->to->used += len;
        *ret = SLICE(at, len);
}

/* Absent, null and empty are the same. */
static void read_optional_bytes(struct reading *r, const char *member, size_t max,
                                struct slice *ret) {
        const json_t *value = json_object_get(r->from, member);

        if (value && !json_is_null(value) &&
            !(json_is_string(value) && json_string_length(value) == 0))
                read_bytes(r, member, max, ret);
}

static bool is_word(const char *text) {
        return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz-") == strlen(text);
}

/* Words of a list that grows: unknown ones are kept (§5.8.4). */
static void read_transports(struct reading *r) {
        const json_t *list = json_object_get(r->from, "transports");
        size_t used = 0;

        if (r->refusal != REFUSED_NOTHING || !list)
                return;
        if (!json_is_array(list)) {
                refuse(r, "transports", REFUSED_FIELD_TYPE);
                return;
        }
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *word = json_string_value(json_array_get(list, i));
                size_t len = word ? strlen(word) : 0;

                if (!word || !is_word(word)) {
                        refuse(r, "transports", REFUSED_FIELD_VALUE);
                        return;
                }
                if (i == TRANSPORTS_MAX || used + len + 2 > TRANSPORTS_TEXT_MAX) {
                        refuse(r, "transports", REFUSED_FIELD_TOO_LONG);
                        return;
                }
                if (used > 0)
                        r->to->transports[used++] = ',';
                memcpy(r->to->transports + used, word, len + 1);
                used += len;
        }
}

/* What is around both kinds of answer (§5.1.8); then the reading goes on in "response". */
static void read_credential(struct reading *r) {
        const json_t *type = json_object_get(r->from, "type");
        const json_t *response = json_object_get(r->from, "response");
        struct slice raw = SLICE_NULL;

        if (!json_is_object(r->from))
                refuse(r, NULL, REFUSED_NOT_JSON);
        if (!json_is_string(type))
                refuse(r, "type", type ? REFUSED_FIELD_TYPE : REFUSED_FIELD_MISSING);
        else if (strcmp(json_string_value(type), "public-key") != 0)
                refuse(r, "type", REFUSED_FIELD_VALUE);
        read_bytes(r, "id", CREDENTIAL_ID_MAX, &r->to->id);
        read_bytes(r, "rawId", CREDENTIAL_ID_MAX, &raw);
        if (!slice_equal(raw, r->to->id))
                refuse(r, "rawId", REFUSED_ID_TWICE);
        if (!json_is_object(response))
                refuse(r, "response", response ? REFUSED_FIELD_TYPE : REFUSED_FIELD_MISSING);
        r->from = response;
        read_bytes(r, "clientDataJSON", CLIENT_DATA_MAX, &r->to->client_data);
}

static struct reading begin(const json_t *json, struct answer *to) {
        to->used = 0;
        return (struct reading){ .to = to, .from = json };
}

static enum refusal end(const struct reading *r, const char **ret_member) {
        *ret_member = r->member;
        return r->refusal;
}

enum refusal answer_read_registration(const json_t *json, struct answer *ret,
                                      const char **ret_member) {
        struct reading r = begin(json, ret);

        ret->is_registration = true;
        ret->transports[0] = '\0';
        read_credential(&r);
        read_bytes(&r, "attestationObject", ATTESTATION_OBJECT_MAX, &ret->attestation_object);
        read_transports(&r);
        return end(&r, ret_member);
}

enum refusal answer_read_login(const json_t *json, struct answer *ret, const char **ret_member) {
        struct reading r = begin(json, ret);

        ret->is_registration = false;
        ret->user_handle = SLICE_NULL;
        read_credential(&r);
        read_bytes(&r, "authenticatorData", AUTH_DATA_MAX, &ret->auth_data);
        read_bytes(&r, "signature", SIGNATURE_MAX, &ret->signature);
        read_optional_bytes(&r, "userHandle", USER_HANDLE_MAX, &ret->user_handle);
        return end(&r, ret_member);
}
