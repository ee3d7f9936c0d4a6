/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JSON for the page. Numbers of bytes are in hexadecimal, except where WebAuthn has base64url. A function
 * that runs out of memory gives NULL, which goes up to the top.
 */

#include "examples/site/describe.h"

#include <errno.h>
#include <string.h>

#include "examples/site/cbor.h"

static json_t *hex(struct slice bytes) {
        _cleanup_(free_pointer) char *text = hex_encode(bytes);

        return text ? json_string(text) : NULL;
}

static json_t *base64url(struct slice bytes) {
        _cleanup_(free_pointer) char *text = base64url_encode(bytes);

        return text ? json_string(text) : NULL;
}

json_t *describe_refusal(enum refusal refusal, const char *member) {
        return json_pack("{s:s, s:s, s:s?}", "name", refusal_name(refusal), "text",
                         refusal_text(refusal), "member", member);
}

static json_t *describe_client(const struct ceremony *c) {
        struct slice raw = c->answer->client_data;
        json_t *text = json_stringn((const char *)raw.data, raw.len);

        return json_pack("{s:o, s:o, s:s, s:b}", "raw", text, "challenge",
                         base64url(SLICE_OF(c->client.challenge)), "origin", c->client.origin,
                         "isCrossOrigin", c->client.is_cross_origin);
}

/* The names in the map. */
static json_t *describe_extensions(struct slice map) {
        json_t *names = json_array();
        struct item whole, key, value;
        struct slice left;

        if (!item_only(map, &whole))
                return names;
        left = item_elements(&whole);
        for (uint64_t i = 0; i < whole.value; i++) {
                if (!item_take(&left, &key) || !item_take(&left, &value))
                        break;
                /* What is no UTF-8 is no name, and jansson makes nothing of it. */
                if (key.kind == ITEM_TEXT)
                        (void)json_array_append_new(names,
                                                    json_stringn((const char *)key.content.data,
                                                                 key.content.len));
        }
        return names;
}

static json_t *describe_auth(const struct auth_data *a) {
        json_t *flags =
                json_pack("{s:b, s:b, s:b, s:b, s:b, s:b}", "UP", a->flags & FLAG_USER_PRESENT,
                          "UV", a->flags & FLAG_USER_VERIFIED, "BE",
                          a->flags & FLAG_BACKUP_ELIGIBLE, "BS", a->flags & FLAG_BACKED_UP, "AT",
                          a->flags & FLAG_ATTESTED, "ED", a->flags & FLAG_EXTENSIONS);
        json_t *o = json_pack("{s:o, s:o, s:o, s:I, s:o}", "raw", hex(a->raw), "rpIdHash",
                              hex(a->rp_id_hash), "flags", flags, "counter", (json_int_t)a->counter,
                              "extensions", describe_extensions(a->extensions));

        if (o && a->flags & FLAG_ATTESTED) {
                (void)json_object_set_new(o, "aaguid", hex(a->aaguid));
                (void)json_object_set_new(o, "credentialId", base64url(a->credential_id));
        }
        return o;
}

static json_t *describe_key(const struct public_key *k) {
        return json_pack("{s:s, s:i, s:o, s:o}", "algorithm", algorithm_name(k->algorithm),
                         "number", (int)k->algorithm, "x", hex(k->x), "y", hex(k->y));
}

static json_t *describe_attestation(const struct attestation *a, bool is_verified) {
        json_t *format = json_stringn((const char *)a->format.data, a->format.len);

        return json_pack("{s:o?, s:s?, s:b}", "format", format, "kind",
                         is_verified ? attestation_kind_name(a->kind) : NULL, "isTrusted",
                         a->is_trusted);
}

json_t *describe_ceremony(const struct ceremony *c) {
        json_t *o = json_object();
        bool is_all = !ceremony_check_name(c->answer->is_registration, c->n_passed);

        if (c->has_client)
                (void)json_object_set_new(o, "clientData", describe_client(c));
        if (c->has_auth)
                (void)json_object_set_new(o, "authenticatorData", describe_auth(&c->auth));
        /* That of a login is a stored one, and not for whoever tries to sign in. */
        if (c->has_key && c->answer->is_registration)
                (void)json_object_set_new(o, "publicKey", describe_key(&c->key));
        if (c->attestation.format.len > 0)
                (void)json_object_set_new(o, "attestation",
                                          describe_attestation(&c->attestation, is_all));
        if (!c->answer->is_registration)
                (void)json_object_set_new(o, "signature", hex(c->answer->signature));
        return o;
}

static int add_check(json_t *list, const char *name, const char *text, const char *result) {
        return json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", name, "text", text,
                                                     "result", result));
}

json_t *describe_checks(const struct ceremony *c, enum refusal refusal, const char *last_name,
                        const char *last_text) {
        bool is_registration = c->answer->is_registration;
        json_t *list = json_array();
        const char *name;
        size_t i;

        for (i = 0; (name = ceremony_check_name(is_registration, i)); i++)
                (void)add_check(list, name, ceremony_check_text(is_registration, i),
                                i < c->n_passed    ? "passed"
                                : i == c->n_passed ? "refused"
                                                   : "not-reached");
        (void)add_check(list, last_name, last_text,
                        i > c->n_passed              ? "not-reached"
                        : refusal == REFUSED_NOTHING ? "passed"
                                                     : "refused");
        return list;
}

static json_t *describe_stored_key(const struct credential *c) {
        struct public_key key;

        if (public_key_parse(SLICE(c->public_key, c->public_key_len), &key) != REFUSED_NOTHING)
                return json_null();
        return describe_key(&key);
}

static int add_credential(void *userdata, const struct credential *c) {
        json_t *list = userdata;
        json_t *o = json_pack("{s:o, s:o, s:o, s:I, s:o, s:s, s:s, s:b, s:b, s:b, s:I, s:I, s:o}",
                              "id", base64url(SLICE(c->id, c->id_len)), "cose",
                              hex(SLICE(c->public_key, c->public_key_len)), "publicKey",
                              describe_stored_key(c), "counter", (json_int_t)c->counter, "aaguid",
                              hex(SLICE_OF(c->aaguid)), "transports", c->transports, "attestation",
                              c->attestation, "isTrusted", c->is_trusted, "isBackupEligible",
                              c->is_backup_eligible, "isMarked", c->is_marked, "created",
                              (json_int_t)c->created, "used", (json_int_t)c->used, "note",
                              base64url(SLICE(c->note, c->note_len)));

        return json_array_append_new(list, o) == 0 ? 0 : -ENOMEM;
}

int describe_state(const struct call *c, json_t **ret) {
        const struct account *account = &c->session.account;
        _cleanup_(free_json) json_t *list = json_array();
        json_t *o;
        int r = 0;

        if (account->id)
                r = store_each_credential(c->site->store, account->id, add_credential, list);
        if (r < 0)
                return r;
        o = json_pack("{s:s, s:s, s:O}", "rpId", c->site->rp_id, "otherOrigin",
                      c->site->other_origin, "credentials", list);
        if (o && account->id)
                (void)json_object_set_new(o, "account",
                                          json_pack("{s:s, s:o}", "name", account->name, "handle",
                                                    base64url(SLICE_OF(account->handle))));
        if (!o)
                return -ENOMEM;
        *ret = o;
        return 0;
}
