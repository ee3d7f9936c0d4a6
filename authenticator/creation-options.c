/* SPDX-License-Identifier: BSD-2-Clause */

/* Members and their kinds are looked at where they are read; the first that is wrong ends it. */

#include "authenticator/creation-options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/base64url.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "ctap/cose.h"

#define NAME_BYTES_MAX 64 /* more than an authenticator has to keep (WebAuthn §6.4.1) */

/* The options while they are read: the first error stays. */
struct reading {
        const struct creation_limits *limits;
        struct creation_options *o;
        json_t *error;
};

_printf_(3, 4) static void wrong(struct reading *r, const char *name, const char *format, ...) {
        char what[256];
        va_list ap;

        if (r->error)
                return;
        va_start(ap, format);
        vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        r->error =
                control_error(PROTOCOL_E_BAD_REQUEST, "The creation options: %s %s.", name, what);
}

/* ---- members ---- */

enum need { OPTIONAL, REQUIRED };

/* `name` is the whole way to the member, such as "user.id". NULL if there is none, or it is wrong. */
static const json_t *member(struct reading *r, const json_t *object, const char *name,
                            json_type type, enum need need) {
        static const char *const kinds[] = { [JSON_OBJECT] = "an object",
                                             [JSON_ARRAY] = "an array",
                                             [JSON_STRING] = "a text",
                                             [JSON_TRUE] = "true or false" };
        const char *dot = strrchr(name, '.');
        const json_t *value = json_object_get(object, dot ? dot + 1 : name);

        if (!value || json_is_null(value)) {
                if (need == REQUIRED)
                        wrong(r, name, "is missing");
                return NULL;
        }
        if (type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type)
                return value;
        wrong(r, name, "must be %s", kinds[type]);
        return NULL;
}

static struct bytes text(struct reading *r, const json_t *object, const char *name,
                         enum need need) {
        const json_t *value = member(r, object, name, JSON_STRING, need);

        return value ? BYTES(json_string_value(value), json_string_length(value)) : BYTES_NULL;
}

static bool is_true(struct reading *r, const json_t *object, const char *name) {
        return json_is_true(member(r, object, name, JSON_TRUE, OPTIONAL));
}

static bool is_text(struct bytes b, const char *what) {
        return bytes_equal(b, BYTES_TEXT(what));
}

/* Which of these it is, from 0 on; 0 too if it is absent. WebAuthn takes what it does not know for it. */
static size_t choice(struct reading *r, const json_t *object, const char *name,
                     const char *const *words) {
        struct bytes value = text(r, object, name, OPTIONAL);

        for (size_t i = 1; words[i]; i++)
                if (is_text(value, words[i]))
                        return i;
        return 0;
}

/* ---- RP ID and origin ---- */

/* As URLs write them: lower case, and IDNA names in their ASCII form. */
static bool is_domain(struct bytes b) {
        size_t label = 0;

        for (size_t i = 0; i < b.len; i++) {
                const uint8_t c = b.data[i];

                if (c == '.' && label == 0)
                        return false;
                label = c == '.' ? 0 : label + 1;
                if (c != '.' && c != '-' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
                        return false;
        }
        return label > 0 && b.len <= CTAP_RP_ID_MAX;
}

static bool is_port(struct bytes b) {
        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] < '0' || b.data[i] > '9')
                        return false;
        return b.len > 0 && b.len <= 5;
}

/* Of https://HOST or https://HOST:PORT; http for what never leaves the machine. Empty: it is none. */
static struct bytes host_of(const char *origin) {
        static const char https[] = "https://", http[] = "http://";
        const bool secure = strncmp(origin, https, strlen(https)) == 0;
        const char *at = origin, *colon;
        struct bytes host;

        if (!secure && strncmp(origin, http, strlen(http)) != 0)
                return BYTES_NULL;
        at += strlen(secure ? https : http);
        colon = strchr(at, ':');
        host = BYTES(at, colon ? (size_t)(colon - at) : strlen(at));
        if (!is_domain(host) || (colon && !is_port(BYTES_TEXT(colon + 1))) ||
            (!secure && !is_text(host, "localhost")))
                return BYTES_NULL;
        return host;
}

static bool is_within(struct bytes host, struct bytes domain) {
        size_t before;

        if (host.len <= domain.len)
                return bytes_equal(host, domain);
        before = host.len - domain.len;
        return host.data[before - 1] == '.' &&
               bytes_equal(BYTES(host.data + before, domain.len), domain);
}

static void read_origin(struct reading *r, const char *origin) {
        struct creation_options *o = r->o;
        struct bytes host = origin ? host_of(origin) : BYTES_NULL;

        if (origin && host.len == 0)
                wrong(r, "the origin",
                      "must be https:// and a host, in lower case and without a path");
        else if (origin && strlen(origin) >= sizeof(o->origin))
                wrong(r, "the origin", "is too long");
        if (r->error)
                return;
        if (o->rp_id.len == 0)
                o->rp_id = host;
        if (o->rp_id.len == 0)
                wrong(r, "rp.id",
                      "is missing, and no origin says which site it is: give one by "
                      "--origin");
        else if (!is_domain(o->rp_id))
                wrong(r, "rp.id", "must be a domain in lower case, of 255 bytes at most");
        else if (origin && !is_within(host, o->rp_id))
                wrong(r, "rp.id", "is not the host of the origin %s, nor a domain that it is in",
                      origin);
        else if (origin)
                snprintf(o->origin, sizeof(o->origin), "%s", origin);
        else
                snprintf(o->origin, sizeof(o->origin), "https://%.*s", (int)o->rp_id.len,
                         (const char *)o->rp_id.data);
}

/* ---- the parts ---- */

static void read_challenge(struct reading *r, const json_t *options) {
        const struct bytes challenge = text(r, options, "challenge", REQUIRED);
        uint8_t storage[CREATION_CHALLENGE_MAX];
        struct buf bytes = BUF_ON(storage);

        if (base64url_get(challenge, &bytes) < 0)
                wrong(r, "challenge", "must be base64url without padding, of %d bytes at most",
                      CREATION_CHALLENGE_MAX);
        else if (bytes.len < CREATION_CHALLENGE_MIN)
                wrong(r, "challenge", "has %zu bytes, and less than %d can be guessed", bytes.len,
                      CREATION_CHALLENGE_MIN);
        r->o->challenge = challenge;
}

static void read_user(struct reading *r, const json_t *options) {
        const json_t *user = member(r, options, "user", JSON_OBJECT, REQUIRED);
        struct creation_options *o = r->o;
        struct buf id = BUF_ON(o->user_id_storage);

        if (!user)
                return;
        if (base64url_get(text(r, user, "user.id", REQUIRED), &id) < 0 || id.len == 0)
                wrong(r, "user.id", "must be 1 to %d bytes in base64url without padding",
                      CTAP_USER_ID_MAX);
        o->user_id = buf_bytes(&id);
        o->user_name = bytes_utf8_prefix(text(r, user, "user.name", REQUIRED), NAME_BYTES_MAX);
        o->user_display_name =
                bytes_utf8_prefix(text(r, user, "user.displayName", OPTIONAL), NAME_BYTES_MAX);
}

static void add_algorithm(struct reading *r, json_int_t id) {
        struct creation_options *o = r->o;

        for (size_t i = 0; i < o->n_algorithms; i++)
                if (o->algorithms[i] == id)
                        return;
        if (ctap_cose_find(id, r->limits->key_types) && o->n_algorithms < CREATION_ALGORITHMS)
                o->algorithms[o->n_algorithms++] = (int32_t)id;
}

/* WebAuthn §5.1.3: an empty list stands for these two, and unknown types are passed over. */
static void read_algorithms(struct reading *r, const json_t *options) {
        const json_t *list = member(r, options, "pubKeyCredParams", JSON_ARRAY, REQUIRED);

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *entry = json_array_get(list, i), *alg = json_object_get(entry, "alg");
                const char *type = json_string_value(json_object_get(entry, "type"));

                if (!type || !json_is_integer(alg))
                        wrong(r, "pubKeyCredParams",
                              "must be objects with a text \"type\" and an integer \"alg\"");
                else if (strcmp(type, "public-key") == 0)
                        add_algorithm(r, json_integer_value(alg));
        }
        if (list && json_array_size(list) == 0) {
                add_algorithm(r, CTAP_COSE_ES256);
                add_algorithm(r, CTAP_COSE_RS256);
        }
        if (r->o->n_algorithms == 0)
                wrong(r, "pubKeyCredParams",
                      "names no algorithm that this device makes keys for: ES256 is -7");
}

static void read_excluded(struct reading *r, const json_t *options) {
        const json_t *list = member(r, options, "excludeCredentials", JSON_ARRAY, OPTIONAL);

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *entry = json_array_get(list, i), *id = json_object_get(entry, "id");

                if (!json_is_string(id) || !json_is_string(json_object_get(entry, "type")))
                        wrong(r, "excludeCredentials",
                              "must be objects with texts \"type\" and "
                              "\"id\"");
        }
        r->o->exclude = list;
}

static void read_selection(struct reading *r, const json_t *options) {
        static const char *const resident_key[] = { "", "discouraged", "preferred", "required",
                                                    NULL };
        static const char *const verification[] = { "", "required", NULL };
        static const char *const attachment[] = { "", "platform", NULL };
        const json_t *s = member(r, options, "authenticatorSelection", JSON_OBJECT, OPTIONAL);
        const bool required = is_true(r, s, "authenticatorSelection.requireResidentKey");
        const size_t rk = choice(r, s, "authenticatorSelection.residentKey", resident_key);

        /* §5.4.4: the older member counts where the newer one is absent. */
        r->o->discoverable = rk > 1 || (rk == 0 && required);
        r->o->verify = choice(r, s, "authenticatorSelection.userVerification", verification) == 1;
        if (choice(r, s, "authenticatorSelection.authenticatorAttachment", attachment) == 1)
                wrong(r, "authenticatorSelection.authenticatorAttachment",
                      "asks for a platform authenticator; to browsers this is a security key, "
                      "\"cross-platform\"");
}

static void read_attestation(struct reading *r, const json_t *options) {
        static const char *const conveyance[] = { "", "indirect", "direct", "enterprise", NULL };
        const size_t which = choice(r, options, "attestation", conveyance);
        const json_t *list = member(r, options, "attestationFormats", JSON_ARRAY, OPTIONAL);
        struct creation_options *o = r->o;

        o->no_attestation = which == 0;
        o->enterprise = which == 3;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *format = json_array_get(list, i);

                if (!json_is_string(format))
                        wrong(r, "attestationFormats", "must be texts");
                else if (o->n_formats < CREATION_FORMATS && json_string_length(format) <= 32)
                        o->formats[o->n_formats++] =
                                BYTES(json_string_value(format), json_string_length(format));
        }
}

/* ---- extensions ---- */

static void read_cred_protect(struct reading *r, const json_t *x) {
        static const char *const policies[] = { "", "userVerificationOptional",
                                                "userVerificationOptionalWithCredentialIDList",
                                                "userVerificationRequired", NULL };
        const char name[] = "extensions.credentialProtectionPolicy";

        r->o->cred_protect = (uint8_t)choice(r, x, name, policies);
        if (json_object_get(x, "credentialProtectionPolicy") && r->o->cred_protect == 0)
                wrong(r, name,
                      "must be userVerificationOptional, "
                      "userVerificationOptionalWithCredentialIDList or "
                      "userVerificationRequired");
}

static void read_cred_blob(struct reading *r, const json_t *x) {
        struct creation_options *o = r->o;
        struct buf blob = BUF_ON(o->cred_blob_storage);

        if (!member(r, x, "extensions.credBlob", JSON_STRING, OPTIONAL))
                return;
        if (base64url_get(text(r, x, "extensions.credBlob", OPTIONAL), &blob) < 0)
                wrong(r, "extensions.credBlob",
                      "must be 0 to %d bytes in base64url without padding", CTAP_CRED_BLOB_MAX);
        o->has_cred_blob = true;
        o->cred_blob = buf_bytes(&blob);
}

static void read_large_blob(struct reading *r, const json_t *x) {
        static const char *const support[] = { "", "preferred", "required", NULL };
        const json_t *blob = member(r, x, "extensions.largeBlob", JSON_OBJECT, OPTIONAL);
        const bool required = choice(r, blob, "extensions.largeBlob.support", support) == 2;
        struct creation_options *o = r->o;

        o->large_blob = blob && o->discoverable && r->limits->large_blobs;
        if (required && !o->large_blob)
                wrong(r, "extensions.largeBlob",
                      "is required: it takes a discoverable passkey, and [policy] large-blobs "
                      "above 0");
}

static void read_extensions(struct reading *r, const json_t *options) {
        const json_t *x = member(r, options, "extensions", JSON_OBJECT, OPTIONAL);
        struct creation_options *o = r->o;

        read_cred_protect(r, x);
        read_cred_blob(r, x);
        read_large_blob(r, x);
        o->hmac_create_secret = is_true(r, x, "extensions.hmacCreateSecret");
        o->prf = member(r, x, "extensions.prf", JSON_OBJECT, OPTIONAL);
        o->cred_props = is_true(r, x, "extensions.credProps");
        o->min_pin_length = is_true(r, x, "extensions.minPinLength");
}

/* ---- all of it ---- */

static void read_rp(struct reading *r, const json_t *options, const char *origin) {
        const json_t *rp = member(r, options, "rp", JSON_OBJECT, REQUIRED);

        r->o->rp_id = text(r, rp, "rp.id", OPTIONAL);
        (void)text(r, rp, "rp.name", OPTIONAL);
        read_origin(r, origin);
}

json_t *creation_options_read(const json_t *options, const char *origin,
                              const struct creation_limits *limits, struct creation_options *ret) {
        const json_t *within = json_object_get(options, "publicKey");
        struct reading r = { .limits = limits, .o = ret };

        *ret = (struct creation_options){ 0 };
        if (within)
                options = member(&r, options, "publicKey", JSON_OBJECT, REQUIRED);
        if (r.error)
                return r.error;
        read_rp(&r, options, origin);
        read_user(&r, options);
        read_challenge(&r, options);
        read_algorithms(&r, options);
        read_excluded(&r, options);
        read_selection(&r, options);
        read_attestation(&r, options);
        read_extensions(&r, options);
        return r.error;
}

size_t creation_n_excluded(const struct creation_options *o) {
        return json_array_size(o->exclude);
}

bool creation_excluded(const struct creation_options *o, size_t nth,
                       struct ctap_credential_id *ret) {
        const json_t *entry = json_array_get(o->exclude, nth), *id = json_object_get(entry, "id");
        const char *type = json_string_value(json_object_get(entry, "type"));
        struct buf bytes = BUF_ON(ret->b);

        return type && strcmp(type, "public-key") == 0 &&
               base64url_get(BYTES(json_string_value(id), json_string_length(id)), &bytes) == 0 &&
               bytes.len == sizeof(ret->b);
}
