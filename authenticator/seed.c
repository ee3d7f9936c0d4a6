/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Members and their kinds are tables, as with the requests themselves; what is left to check is what
 * values can be. All that makeCredential would refuse, or take and not do, is refused here: who writes a
 * fixture wants to know.
 */

#include "authenticator/seed.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/util.h"

enum kind { TEXT, YES_OR_NO, NUMBER, OBJECT };

struct member {
        const char *name; /* NULL ends the list */
        enum kind kind;
        bool required;
};

/* Where in the fixture something is: credentials[i], and of it "", "user." or "extensions.". */
struct place {
        size_t i;
        const char *within;
};

static const struct member entry_members[] = {
        { "rp_id", TEXT, true },
        { "user", OBJECT, true },
        { "discoverable", YES_OR_NO, false },
        { "algorithm", NUMBER, false },
        { "extensions", OBJECT, false },
        { 0 },
};

static const struct member user_members[] = {
        { "id", TEXT, true },
        { "name", TEXT, false },
        { "displayName", TEXT, false },
        { 0 },
};

static const struct member extension_members[] = {
        { "hmac-secret", YES_OR_NO, false },
        { "prf", YES_OR_NO, false },
        { "credProtect", NUMBER, false },
        { "credBlob", TEXT, false },
        { "largeBlobKey", YES_OR_NO, false },
        { "thirdPartyPayment", YES_OR_NO, false },
        { 0 },
};

static json_t *wrong(const struct place *at, const char *name, const char *what) {
        return control_error(PROTOCOL_E_BAD_REQUEST, "credentials[%zu].%s%.64s %s. None was made.",
                             at->i, at->within, name, what);
}

/* ---- members ---- */

/* What others' fixtures call a private key, and the form that they have it in. */
static bool is_private_key(const char *name) {
        static const char *const names[] = { "d", "jwk", "key", "pem", "pkcs8" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcasecmp(name, names[i]) == 0)
                        return true;
        return strcasestr(name, "private") != NULL;
}

/* Likewise of what is made with the key. */
static bool is_made(const char *name) {
        static const char *const names[] = { "counter",   "credentialId",  "id",
                                             "publicKey", "publicKeyCose", "rawId",
                                             "signCount" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

static json_t *refuse_unknown(const struct place *at, const char *name) {
        if (is_private_key(name))
                return wrong(at, name,
                             "looks like a private key: the TPM makes the key of a passkey itself, "
                             "and takes none. Leave it out");
        if (is_made(name))
                return wrong(
                        at, name,
                        "cannot be chosen: it is made with the passkey, and the answer has it");
        return wrong(at, name, "is no member of a fixture");
}

static const struct member *member_named(const struct member *members, const char *name) {
        for (; members->name; members++)
                if (strcmp(members->name, name) == 0)
                        return members;
        return NULL;
}

static bool has_kind(const json_t *value, enum kind kind) {
        switch (kind) {
        case TEXT:
                return json_is_string(value);
        case YES_OR_NO:
                return json_is_boolean(value);
        case NUMBER:
                return json_is_integer(value);
        case OBJECT:
                return json_is_object(value);
        }
        return false;
}

static const char *must_be(enum kind kind) {
        switch (kind) {
        case TEXT:
                return "must be a text";
        case YES_OR_NO:
                return "must be true or false";
        case NUMBER:
                return "must be an integer";
        case OBJECT:
                break;
        }
        return "must be an object";
}

/* NULL if the object has these members alone, of these kinds. */
static json_t *check_members(const struct place *at, const json_t *object,
                             const struct member *members) {
        const char *name;
        json_t *value;

        json_object_foreach((json_t *)(uintptr_t)object, name, value) {
                const struct member *m = member_named(members, name);

                if (!m)
                        return refuse_unknown(at, name);
                if (!has_kind(value, m->kind))
                        return wrong(at, name, must_be(m->kind));
        }
        for (; members->name; members++)
                if (members->required && !json_object_get(object, members->name))
                        return wrong(at, members->name, "is missing");
        return NULL;
}

/* ---- values ---- */

static struct bytes text_of(const json_t *object, const char *name) {
        const json_t *value = json_object_get(object, name);

        return value ? BYTES(json_string_value(value), json_string_length(value)) : BYTES_NULL;
}

static bool is_true(const json_t *object, const char *name) {
        return json_is_true(json_object_get(object, name));
}

static json_t *read_user(size_t i, const json_t *user, struct seed *seed) {
        const struct place at = { i, "user." };
        struct ctap_record *record = &seed->what.record;
        struct buf id = BUF_ON(seed->user_id);
        json_t *error = check_members(&at, user, user_members);

        if (error)
                return error;
        if (base64url_get(text_of(user, "id"), &id) < 0 || id.len == 0)
                return wrong(&at, "id", "must be 1 to 64 bytes in base64url without padding");
        record->user_id = buf_bytes(&id);
        record->user_name = text_of(user, "name");
        record->has_user_name = json_object_get(user, "name") != NULL;
        record->user_display_name = text_of(user, "displayName");
        record->has_display_name = json_object_get(user, "displayName") != NULL;
        return NULL;
}

/* D6 would take it and not keep it. */
static json_t *read_cred_blob(const struct place *at, const json_t *x, struct seed *seed) {
        struct buf blob = BUF_ON(seed->cred_blob);

        if (!json_object_get(x, "credBlob"))
                return NULL;
        if (!(seed->what.flags & CTAP_ROW_DISCOVERABLE))
                return wrong(at, "credBlob", "is for a discoverable passkey");
        if (base64url_get(text_of(x, "credBlob"), &blob) < 0)
                return wrong(at, "credBlob", "must be 0 to 32 bytes in base64url without padding");
        seed->what.record.cred_blob = buf_bytes(&blob);
        return NULL;
}

static json_t *read_large_blob_key(const struct place *at, const json_t *x,
                                   const struct seed_limits *limits, struct seed *seed) {
        if (!is_true(x, "largeBlobKey"))
                return NULL;
        if (!(seed->what.flags & CTAP_ROW_DISCOVERABLE))
                return wrong(at, "largeBlobKey", "is for a discoverable passkey");
        if (!limits->large_blobs)
                return wrong(at, "largeBlobKey",
                             "is not possible on this device: [policy] large-blobs is 0");
        seed->what.flags |= CTAP_ROW_LARGE_BLOB_KEY;
        return NULL;
}

static json_t *read_cred_protect(const struct place *at, const json_t *x, struct seed *seed) {
        const json_t *level = json_object_get(x, "credProtect");
        json_int_t n = json_integer_value(level);

        if (level && (n < 1 || n > 3))
                return wrong(at, "credProtect", "must be 1, 2 or 3");
        seed->what.cred_protect = (uint8_t)n;
        return NULL;
}

static json_t *read_extensions(size_t i, const json_t *x, const struct seed_limits *limits,
                               struct seed *seed) {
        const struct place at = { i, "extensions." };
        json_t *error = check_members(&at, x, extension_members);

        if (!error)
                error = read_cred_protect(&at, x, seed);
        if (!error)
                error = read_cred_blob(&at, x, seed);
        if (!error)
                error = read_large_blob_key(&at, x, limits, seed);
        seed->what.cred_random = is_true(x, "hmac-secret") || is_true(x, "prf");
        if (is_true(x, "thirdPartyPayment"))
                seed->what.flags |= CTAP_ROW_THIRD_PARTY_PAYMENT;
        return error;
}

static json_t *read_algorithm(const struct place *at, const json_t *entry,
                              const struct seed_limits *limits, struct seed *seed) {
        const json_t *id = json_object_get(entry, "algorithm");

        seed->what.alg =
                ctap_cose_find(id ? json_integer_value(id) : CTAP_COSE_ES256, limits->key_types);
        if (!seed->what.alg)
                return wrong(at, "algorithm", "is none that this device makes keys for");
        return NULL;
}

static json_t *read_entry(size_t i, const json_t *entry, const struct seed_limits *limits,
                          struct seed *seed) {
        const struct place at = { i, "" };
        const json_t *extensions = json_object_get(entry, "extensions");
        const json_t *discoverable = json_object_get(entry, "discoverable");
        struct ctap_record *record = &seed->what.record;
        json_t *error;

        if (!json_is_object(entry))
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "credentials[%zu] must be an object. None was made.", i);
        error = check_members(&at, entry, entry_members);
        if (error)
                return error;
        record->rp_id = text_of(entry, "rp_id");
        if (record->rp_id.len < 1 || record->rp_id.len > CTAP_RP_ID_MAX)
                return wrong(&at, "rp_id", "must have 1 to 255 bytes");
        if (!discoverable || json_is_true(discoverable))
                seed->what.flags |= CTAP_ROW_DISCOVERABLE;

        error = read_algorithm(&at, entry, limits, seed);
        if (!error)
                error = read_user(i, json_object_get(entry, "user"), seed);
        if (!error && extensions)
                error = read_extensions(i, extensions, limits, seed);
        return error;
}

/* ---- the list ---- */

static bool is_account_of(const struct seed *a, const struct seed *b) {
        const struct ctap_record *x = &a->what.record, *y = &b->what.record;

        return a->what.flags & b->what.flags & CTAP_ROW_DISCOVERABLE &&
               bytes_equal(x->rp_id, y->rp_id) && bytes_equal(x->user_id, y->user_id);
}

/* One would take the place of the other, and the answer had an id that is of nothing. */
static json_t *check_account(const struct seed_fixture *fixture, size_t i) {
        char what[64];

        for (size_t k = 0; k < i; k++)
                if (is_account_of(&fixture->seeds[k], &fixture->seeds[i])) {
                        const struct place at = { i, "user." };

                        snprintf(what, sizeof(what), "has a passkey already in credentials[%zu]",
                                 k);
                        return wrong(&at, "id", what);
                }
        return NULL;
}

static json_t *read_all(const json_t *list, const struct seed_limits *limits,
                        struct seed_fixture *fixture) {
        for (size_t i = 0; i < json_array_size(list); i++, fixture->n++) {
                json_t *error = read_entry(i, json_array_get(list, i), limits, &fixture->seeds[i]);

                if (!error)
                        error = check_account(fixture, i);
                if (error)
                        return error;
        }
        return NULL;
}

json_t *seed_read(const json_t *list, const struct seed_limits *limits, struct seed_fixture **ret) {
        _cleanup_(free_pointer) void *storage = calloc(1, sizeof(struct seed_fixture));
        json_t *error;

        if (json_array_size(list) > PROTOCOL_SEED_MAX)
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "credentials has %zu entries, and at most %d are taken at a "
                                     "time. None was made.",
                                     json_array_size(list), PROTOCOL_SEED_MAX);
        if (!storage)
                return control_error(PROTOCOL_E_FAILED, "Out of memory.");
        error = read_all(list, limits, storage);
        if (!error)
                *ret = TAKE_PTR(storage);
        return error;
}
