/* SPDX-License-Identifier: BSD-2-Clause */

/* Client data is JSON, and its members may be in any order, with others between them. */

#include "examples/site/client-data.h"

#include <string.h>

static enum refusal read_challenge(const json_t *o, struct client_data *to) {
        const char *text = json_string_value(json_object_get(o, "challenge"));
        size_t len = text ? strlen(text) : 0;
        uint8_t bytes[CLIENT_DATA_MAX];

        if (!text || len > CLIENT_DATA_MAX || !base64url_decode(SLICE(text, len), bytes, &len))
                return REFUSED_CLIENT_DATA;
        to->has_challenge = len == CHALLENGE_LEN;
        if (to->has_challenge)
                memcpy(to->challenge, bytes, CHALLENGE_LEN);
        return REFUSED_NOTHING;
}

static enum refusal read_members(const json_t *o, struct client_data *to) {
        const char *type = json_string_value(json_object_get(o, "type"));
        const char *origin = json_string_value(json_object_get(o, "origin"));
        const json_t *cross = json_object_get(o, "crossOrigin");

        if (!type || !origin || strlen(origin) > CLIENT_ORIGIN_MAX)
                return REFUSED_CLIENT_DATA;
        if (cross && !json_is_boolean(cross))
                return REFUSED_CLIENT_DATA;
        to->is_create = strcmp(type, "webauthn.create") == 0;
        to->is_of_unknown_kind = !to->is_create && strcmp(type, "webauthn.get") != 0;
        /* With a topOrigin it was in a frame, whatever crossOrigin says. */
        to->is_cross_origin = json_is_true(cross) || json_object_get(o, "topOrigin");
        memcpy(to->origin, origin, strlen(origin));
        return read_challenge(o, to);
}

enum refusal client_data_parse(struct slice json, struct client_data *ret) {
        struct client_data read = { 0 };
        _cleanup_(free_json) json_t *o = NULL;
        enum refusal refusal;

        if (json.len == 0 || json.len > CLIENT_DATA_MAX)
                return REFUSED_CLIENT_DATA;
        o = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(o))
                return REFUSED_CLIENT_DATA;
        refusal = read_members(o, &read);
        if (refusal == REFUSED_NOTHING)
                *ret = read;
        return refusal;
}
