/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/creation-options.c: what sites' servers send, what it becomes, and that whatever is wrong
 * with it is named.
 */

#include "authenticator/creation-options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "tests/unit/test.h"

#define ALL_KEYS (1u << CTAP_KEY_P256 | 1u << CTAP_KEY_P384 | 1u << CTAP_KEY_RSA2048)

#define RP        "'rp':{'id':'a.example','name':'A'}"
#define USER      "'user':{'id':'YWxpY2U','name':'alice','displayName':'Alice'}"
#define CHALLENGE "'challenge':'AAECAwQFBgcICQoLDA0ODw'" /* 16 bytes */
#define PARAMS    "'pubKeyCredParams':[{'type':'public-key','alg':-7}]"

#define GOOD            "{" RP "," USER "," CHALLENGE "," PARAMS "}"
#define WITH(more)      "{" RP "," USER "," CHALLENGE "," PARAMS "," more "}"
#define RP_OF(id)       "{'rp':" id "," USER "," CHALLENGE "," PARAMS "}"
#define USER_OF(u)      "{" RP ",'user':" u "," CHALLENGE "," PARAMS "}"
#define CHALLENGE_OF(c) "{" RP "," USER ",'challenge':" c "," PARAMS "}"
#define PARAMS_OF(p)    "{" RP "," USER "," CHALLENGE ",'pubKeyCredParams':" p "}"
#define SELECTION(s)    WITH("'authenticatorSelection':{" s "}")
#define EXT(x)          WITH("'extensions':{" x "}")

static const struct creation_limits everything = { ALL_KEYS, true };

struct reading {
        json_t *options;
        struct creation_options o;
        json_t *error;
};

static void reading_free(struct reading **r) {
        json_decref((*r)->options);
        json_decref((*r)->error);
        free(*r);
}

/* JSON with ' in the place of ". */
static struct reading *read_with(const char *text, const char *origin,
                                 const struct creation_limits *limits) {
        struct reading *r = calloc(1, sizeof(*r));
        char *copy = strdup(text);
        json_error_t where;

        assert_non_null(r);
        for (char *p = copy; *p; p++)
                if (*p == '\'')
                        *p = '"';
        r->options = json_loads(copy, JSON_REJECT_DUPLICATES, &where);
        if (!r->options)
                fail_msg("%s: %s", copy, where.text);
        free(copy);
        r->error = creation_options_read(r->options, origin, limits, &r->o);
        return r;
}

static const char *message(const struct reading *r) {
        const json_t *error = json_object_get(r->error, "error");

        assert_string_equal(json_string_value(json_object_get(error, "code")),
                            PROTOCOL_E_BAD_REQUEST);
        return json_string_value(json_object_get(error, "message"));
}

static struct reading *read_good(const char *text) {
        struct reading *r = read_with(text, NULL, &everything);

        if (r->error)
                fail_msg("%s: %s", text, message(r));
        return r;
}

static void assert_refused_at(const char *text, const char *origin, const char *says) {
        _cleanup_(reading_free) struct reading *r = read_with(text, origin, &everything);

        if (!r->error)
                fail_msg("taken: %s", text);
        if (!strstr(message(r), says))
                fail_msg("%s: not '%s' but '%s'", text, says, message(r));
}

static void assert_refused(const char *text, const char *says) {
        assert_refused_at(text, NULL, says);
}

#define assert_text(got, want) assert_bytes_equal((got), BYTES_TEXT(want))

/* ---- what is taken ---- */

static void the_least_has_defaults(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(GOOD);

        (void)state;
        assert_string_equal(r->o.origin, "https://a.example");
        assert_text(r->o.rp_id, "a.example");
        assert_text(r->o.user_id, "alice");
        assert_text(r->o.user_name, "alice");
        assert_text(r->o.user_display_name, "Alice");
        assert_text(r->o.challenge, "AAECAwQFBgcICQoLDA0ODw");
        assert_int_equal(r->o.n_algorithms, 1);
        assert_int_equal(r->o.algorithms[0], -7);
        assert_false(r->o.discoverable || r->o.verify || r->o.enterprise || r->o.cred_props);
        assert_true(r->o.no_attestation);
        assert_int_equal(r->o.n_formats, 0);
        assert_int_equal(creation_n_excluded(&r->o), 0);
}

/* As Entra ID wraps them, and a browser's navigator.credentials.create() takes them. */
static void they_may_be_the_member_public_key(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(
                "{'challengeTimeoutDateTime':'2026-11-29T21:00:00Z','publicKey':" GOOD "}");

        (void)state;
        assert_text(r->o.rp_id, "a.example");
        assert_refused("{'publicKey':[]}", "publicKey must be an object");
}

static void what_webauthn_does_not_name_is_passed_over(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(WITH(
                "'@odata.type':'x','timeout':0,'hints':['security-key'],'u2fParams':{'appid':'x'},"
                "'extensions':{'appidExclude':'https://a.example','unknown':[1]},"
                "'excludeCredentials':null,'authenticatorSelection':null"));

        (void)state;
        assert_false(r->o.hmac_create_secret);
}

static void selection_says_what_is_to_be_made(void **state) {
        static const struct {
                const char *selection;
                bool discoverable, verify;
        } cases[] = {
                { SELECTION(""), false, false },
                { SELECTION("'residentKey':'required'"), true, false },
                { SELECTION("'residentKey':'preferred'"), true, false },
                { SELECTION("'residentKey':'discouraged'"), false, false },
                { SELECTION("'residentKey':'discouraged','requireResidentKey':true"), false,
                  false },
                { SELECTION("'requireResidentKey':true"), true, false },
                { SELECTION("'requireResidentKey':false"), false, false },
                { SELECTION("'residentKey':'of later days','requireResidentKey':true"), true,
                  false },
                { SELECTION("'userVerification':'required'"), false, true },
                { SELECTION("'userVerification':'preferred'"), false, false },
                { SELECTION("'authenticatorAttachment':'cross-platform'"), false, false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(reading_free) struct reading *r = read_good(cases[i].selection);

                assert_int_equal(r->o.discoverable, cases[i].discoverable);
                assert_int_equal(r->o.verify, cases[i].verify);
        }
}

static void algorithms_are_those_that_the_device_has_in_the_sites_order(void **state) {
        static const struct creation_limits p256 = { 1u << CTAP_KEY_P256, true };
        const char *text =
                PARAMS_OF("[{'type':'public-key','alg':-8},{'type':'public-key','alg':-257},"
                          "{'type':'other','alg':-35},{'type':'public-key','alg':-7},"
                          "{'type':'public-key','alg':-7}]");
        _cleanup_(reading_free) struct reading *all = read_good(text);
        _cleanup_(reading_free) struct reading *few = read_with(text, NULL, &p256);
        _cleanup_(reading_free) struct reading *none = read_good(PARAMS_OF("[]"));

        (void)state;
        assert_int_equal(all->o.n_algorithms, 2);
        assert_int_equal(all->o.algorithms[0], -257);
        assert_int_equal(all->o.algorithms[1], -7);
        assert_null(few->error);
        assert_int_equal(few->o.n_algorithms, 1);
        assert_int_equal(few->o.algorithms[0], -7);
        assert_int_equal(none->o.n_algorithms, 2);
        assert_int_equal(none->o.algorithms[0], -7);
        assert_int_equal(none->o.algorithms[1], -257);
}

static void attestation_is_what_the_site_wants(void **state) {
        _cleanup_(reading_free) struct reading *none = read_good(WITH("'attestation':'none'"));
        _cleanup_(reading_free) struct reading *direct =
                read_good(WITH("'attestation':'direct','attestationFormats':['tpm','packed']"));
        _cleanup_(reading_free) struct reading *enterprise =
                read_good(WITH("'attestation':'enterprise'"));

        (void)state;
        assert_true(none->o.no_attestation);
        assert_false(direct->o.no_attestation || direct->o.enterprise);
        assert_int_equal(direct->o.n_formats, 2);
        assert_text(direct->o.formats[0], "tpm");
        assert_text(direct->o.formats[1], "packed");
        assert_true(enterprise->o.enterprise);
}

static void extensions_become_those_of_the_authenticator(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(
                WITH("'authenticatorSelection':{'residentKey':'required'},'extensions':{"
                     "'credProps':true,'hmacCreateSecret':true,'prf':{},'minPinLength':true,"
                     "'credentialProtectionPolicy':'userVerificationRequired',"
                     "'enforceCredentialProtectionPolicy':true,"
                     "'credBlob':'aGVsbG8','largeBlob':{'support':'required'}}"));

        (void)state;
        assert_true(r->o.cred_props && r->o.hmac_create_secret && r->o.prf);
        assert_true(r->o.min_pin_length && r->o.large_blob);
        assert_int_equal(r->o.cred_protect, 3);
        assert_text(r->o.cred_blob, "hello");
}

static void large_blobs_are_left_out_where_there_can_be_none(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(EXT("'largeBlob':{}"));

        (void)state;
        assert_false(r->o.large_blob);
        assert_refused(EXT("'largeBlob':{'support':'required'}"),
                       "extensions.largeBlob is required");
}

static void names_are_cut_between_characters(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(USER_OF(
                "{'id':'YQ','name':'1234567890123456789012345678901234567890123456789012345678901234x',"
                "'displayName':'123456789012345678901234567890123456789012345678901234567890123\xc3\xa4'}"));

        (void)state;
        assert_int_equal(r->o.user_name.len, 64);
        assert_int_equal(r->o.user_display_name.len, 63);
}

/* ---- RP ID and origin ---- */

static void the_origin_is_within_the_rp_id(void **state) {
        static const char *const good[] = { "https://a.example", "https://login.a.example",
                                            "https://x.y.a.example:8443" };
        static const char *const elsewhere[] = { "https://example", "https://aa.example",
                                                 "https://a.example.org", "https://b.example" };
        static const char *const none[] = {
                "",
                "a.example",
                "http://a.example",
                "https://",
                "https://a.example/",
                "https://a.example/path",
                "https://A.example",
                "https://user@a.example",
                "https://a.example:",
                "https://a.example:x",
                "https://a.example:123456",
                "https://.a.example",
                "https://login..a.example",
                "https://a.example\"",
                "javascript:https://a.example",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_(reading_free) struct reading *r = read_with(GOOD, good[i], &everything);

                assert_null(r->error);
                assert_string_equal(r->o.origin, good[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                assert_refused_at(GOOD, elsewhere[i], "rp.id is not the host of the origin");
        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                assert_refused_at(GOOD, none[i], "the origin must be https://");
}

static void localhost_needs_no_https(void **state) {
        _cleanup_(reading_free) struct reading *r =
                read_with(RP_OF("{'id':'localhost'}"), "http://localhost:3000", &everything);

        (void)state;
        assert_null(r->error);
        assert_string_equal(r->o.origin, "http://localhost:3000");
}

/* As Okta leaves it out. */
static void an_rp_without_id_is_the_host_of_the_origin(void **state) {
        _cleanup_(reading_free) struct reading *r =
                read_with(RP_OF("{'name':'A'}"), "https://acme.okta.com", &everything);

        (void)state;
        assert_null(r->error);
        assert_text(r->o.rp_id, "acme.okta.com");
        assert_refused(RP_OF("{'name':'A'}"), "rp.id is missing");
}

static void an_rp_id_that_is_no_domain_is_refused(void **state) {
        static const char *const ids[] = { "A.example", "a..example",
                                           ".a",        "a.",
                                           "ssh:",      "a.example/x",
                                           "a example", "\xc3\xa4.example" };
        char text[1024], longest[300];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                snprintf(text, sizeof(text), "{'rp':{'id':'%s'}," USER "," CHALLENGE "," PARAMS "}",
                         ids[i]);
                assert_refused(text, "rp.id must be a domain");
        }
        memset(longest, 'a', 256);
        longest[256] = '\0';
        snprintf(text, sizeof(text), "{'rp':{'id':'%s'}," USER "," CHALLENGE "," PARAMS "}",
                 longest);
        assert_refused(text, "rp.id must be a domain");
}

/* ---- what is refused ---- */

static void what_is_missing_or_of_the_wrong_kind_is_named(void **state) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "{}", "rp is missing" },
                { "[]", "rp is missing" },
                { RP_OF("'a.example'"), "rp must be an object" },
                { RP_OF("{'id':1}"), "rp.id must be a text" },
                { "{" RP "," CHALLENGE "," PARAMS "}", "user is missing" },
                { USER_OF("{'name':'alice'}"), "user.id is missing" },
                { USER_OF("{'id':'YQ'}"), "user.name is missing" },
                { USER_OF("{'id':'YQ','name':1}"), "user.name must be a text" },
                { USER_OF("{'id':'','name':'a'}"), "user.id must be 1 to 64 bytes" },
                { USER_OF("{'id':'YQ==','name':'a'}"), "user.id must be 1 to 64 bytes" },
                { "{" RP "," USER "," PARAMS "}", "challenge is missing" },
                { "{" RP "," USER "," CHALLENGE "}", "pubKeyCredParams is missing" },
                { PARAMS_OF("{}"), "pubKeyCredParams must be an array" },
                { PARAMS_OF("[{'alg':-7}]"), "pubKeyCredParams must be objects" },
                { PARAMS_OF("[{'type':'public-key','alg':'ES256'}]"), "pubKeyCredParams must be" },
                { PARAMS_OF("[1]"), "pubKeyCredParams must be objects" },
                { PARAMS_OF("[{'type':'public-key','alg':-8}]"), "names no algorithm" },
                { PARAMS_OF("[{'type':'other','alg':-7}]"), "names no algorithm" },
                { WITH("'excludeCredentials':{}"), "excludeCredentials must be an array" },
                { WITH("'excludeCredentials':[{'id':'YQ'}]"),
                  "excludeCredentials must be objects" },
                { WITH("'excludeCredentials':[{'type':'public-key','id':7}]"),
                  "excludeCredentials" },
                { WITH("'authenticatorSelection':[]"), "authenticatorSelection must be an object" },
                { SELECTION("'residentKey':true"), "residentKey must be a text" },
                { SELECTION("'requireResidentKey':'yes'"), "must be true or false" },
                { SELECTION("'authenticatorAttachment':'platform'"), "cross-platform" },
                { WITH("'attestation':1"), "attestation must be a text" },
                { WITH("'attestationFormats':'tpm'"), "attestationFormats must be an array" },
                { WITH("'attestationFormats':[1]"), "attestationFormats must be texts" },
                { WITH("'extensions':1"), "extensions must be an object" },
                { EXT("'credProps':'yes'"), "extensions.credProps must be true or false" },
                { EXT("'prf':true"), "extensions.prf must be an object" },
                { EXT("'credBlob':'a'"), "extensions.credBlob must be 0 to 32 bytes" },
                { EXT("'credBlob':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'"),
                  "credBlob must be" },
                { EXT("'credentialProtectionPolicy':'strict'"),
                  "credentialProtectionPolicy must be" },
                { EXT("'credentialProtectionPolicy':3"), "credentialProtectionPolicy must be" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_refused(cases[i].text, cases[i].says);
}

static void a_challenge_that_can_be_guessed_is_refused(void **state) {
        (void)state;
        assert_refused(CHALLENGE_OF("'AAECAwQFBgcICQoLDA0O'"), "challenge has 15 bytes");
        assert_refused(CHALLENGE_OF("''"), "challenge has 0 bytes");
        assert_refused(CHALLENGE_OF("'AAECAwQFBgcICQoLDA0ODw=='"), "challenge must be base64url");
        assert_refused(CHALLENGE_OF("'AAECAwQFBgcICQoLDA0OD+'"), "challenge must be base64url");
}

/* Some servers have whole tokens there. */
static void a_challenge_may_be_long_but_not_endless(void **state) {
        static char text[CREATION_CHALLENGE_MAX / 3 * 4 + 512];
        const size_t size = (size_t)CREATION_CHALLENGE_MAX / 3 * 4;

        (void)state;
        for (size_t more = 0; more <= 4; more += 4) {
                int n = sprintf(text, "{" RP "," USER "," PARAMS ",'challenge':'");

                memset(text + n, 'A', size + more);
                strcpy(text + n + size + more, "'}");
                if (more > 0)
                        assert_refused(text, "challenge must be base64url");
                else {
                        _cleanup_(reading_free) struct reading *r = read_good(text);

                        assert_int_equal(r->o.challenge.len, size);
                }
        }
}

static void of_excluded_ids_only_ours_can_be_looked_up(void **state) {
        _cleanup_(reading_free) struct reading *r = read_good(
                WITH("'excludeCredentials':[{'type':'public-key','id':'YQ'},"
                     "{'type':'other','id':"
                     "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'},"
                     "{'type':'public-key','id':'no base64url'},"
                     "{'type':'public-key','transports':['usb'],'id':"
                     "'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}]"));
        struct ctap_credential_id id;

        (void)state;
        assert_int_equal(creation_n_excluded(&r->o), 4);
        for (size_t i = 0; i < 3; i++)
                assert_false(creation_excluded(&r->o, i, &id));
        assert_true(creation_excluded(&r->o, 3, &id));
        assert_int_equal(id.b[0], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_least_has_defaults),
                cmocka_unit_test(they_may_be_the_member_public_key),
                cmocka_unit_test(what_webauthn_does_not_name_is_passed_over),
                cmocka_unit_test(selection_says_what_is_to_be_made),
                cmocka_unit_test(algorithms_are_those_that_the_device_has_in_the_sites_order),
                cmocka_unit_test(attestation_is_what_the_site_wants),
                cmocka_unit_test(extensions_become_those_of_the_authenticator),
                cmocka_unit_test(large_blobs_are_left_out_where_there_can_be_none),
                cmocka_unit_test(names_are_cut_between_characters),
                cmocka_unit_test(the_origin_is_within_the_rp_id),
                cmocka_unit_test(localhost_needs_no_https),
                cmocka_unit_test(an_rp_without_id_is_the_host_of_the_origin),
                cmocka_unit_test(an_rp_id_that_is_no_domain_is_refused),
                cmocka_unit_test(what_is_missing_or_of_the_wrong_kind_is_named),
                cmocka_unit_test(a_challenge_that_can_be_guessed_is_refused),
                cmocka_unit_test(a_challenge_may_be_long_but_not_endless),
                cmocka_unit_test(of_excluded_ids_only_ours_can_be_looked_up),
        };

        return cmocka_run_group_tests_name("creation-options", tests, NULL, NULL);
}
