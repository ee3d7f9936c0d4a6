/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/get-info.c: every byte of it, and that it never disturbs anybody. */

#include "ctap/command.h"
#include "tests/fake/client.h"
#include "tests/fake/diag.h"
#include "tests/unit/test.h"

#define ALG(id)    "{'alg': " #id ", 'type': 'public-key'}"
#define ALGORITHMS "[" ALG(-7) ", " ALG(-35) ", " ALG(-257) "]"
#define OPTIONS(pin)                                                             \
        "{'rk': true, 'up': true, 'clientPin': " pin ", 'pinUvAuthToken': true," \
        " 'makeCredUvNotRqd': true}"

static struct cbor_value get_info(struct client *c) {
        struct bytes body;

        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        body = c->body;
        return cbor_next(&body);
}

static struct cbor_value member(struct client *c, int64_t key) {
        struct cbor_value info = get_info(c);
        const struct cbor_field fields[] = { { NULL, key, CBOR_KIND_ANY, false, 0 } };
        struct cbor_value found = { 0 };

        assert_int_equal(cbor_read_map(&info, fields, 1, &found), CTAP_OK);
        return found;
}

static void assert_member(struct client *c, int64_t key, const char *notation) {
        uint8_t storage[256];
        struct buf want = BUF_ON(storage);

        diag_encode(notation, &want);
        assert_bytes_equal(member(c, key).raw, buf_bytes(&want));
}

static void GI1_asks_neither_the_person_nor_the_key_device(void **state) {
        struct client *c = *state;

        c->channel++;
        c->fake->answer = CTAP_ANSWER_NO;
        assert_int_equal(client_call(c, 0x04, BYTES_TEXT("\xffignored")), CTAP_OK); /* B15 */
        assert_string_equal(c->fake->trace, "");
}

#define EXTENSIONS                                                                   \
        "['credBlob', 'credProtect', 'hmac-secret', 'largeBlobKey', 'minPinLength'," \
        " 'hmac-secret-mc', 'thirdPartyPayment', 'pinComplexityPolicy']"

static void GI2_every_member_in_canonical_order(void **state) {
        static const char want[] =
                "{1: ['U2F_V2', 'FIDO_2_0'], 2: " EXTENSIONS ","
                " 3: h'd00d206d6f64656c206f66206e650000', 4: " OPTIONS(
                        "false") ","
                                 " 5: 1536, 6: [2, 1], 7: 10, 8: 48, 9: ['usb'],"
                                 " 10: " ALGORITHMS ", 12: false, 13: 4, 14: 7, 15: 32, 20: 32,"
                                 " 22: ['packed'], 29: 63}";
        uint8_t storage[512];
        struct buf expected = BUF_ON(storage);
        struct client *c = *state;

        diag_encode(want, &expected);
        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        assert_bytes_equal(c->body, buf_bytes(&expected));
}

static void GI2_remaining_follows_the_store(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, true, "ann", &made);
        assert_member(c, 0x14, "31");
}

static void GI2_the_list_fits_into_a_message(void **state) {
        const uint32_t sizes[] = { 1024, 1200, 1536, CTAP_REPLY_MAX };
        struct ctap_options options = { 0 };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                int64_t n;

                options.max_message = sizes[i];
                ctap_free(c->ctap);
                assert_int_equal(ctap_new(&c->fake->env, &options, &c->ctap), 0);
                n = member(c, 0x07).integer;
                assert_true(n > 0 && n * 70 + 300 <= sizes[i]);
        }
}

/* Chromium's ten (B18), and a name as long as sites make them. */
static const char ten_algorithms[] = "[" ALG(-7) ", " ALG(-8) ", " ALG(-35) ", " ALG(-36) ", " ALG(
        -37) ", " ALG(-257) ", " ALG(-47) ", " ALG(-48) ", " ALG(-49) ", " ALG(-50) "]";
#define LONG_NAME "somebody.with.a.long.name@example.com"

/* As many ids as fit into a list, none of them ours. */
static void set_full_list(struct client *c, unsigned key) {
        static const uint8_t id[CTAP_CREDENTIAL_ID_SIZE] = { 1 };
        struct made strangers[32];
        const int64_t n = member(c, 0x07).integer;

        assert_in_range(n, 1, ELEMENTSOF(strangers));
        for (int64_t i = 0; i < n; i++)
                strangers[i].id = BYTES_OF(id);
        client_set_list(c, key, strangers, (size_t)n);
}

/* Beside a token and both salts of the prf extension; a request that is too large ends in 39. */
static void GI2_a_full_list_fits_beside_what_browsers_send(void **state) {
        static const uint8_t salts[64] = { 0 }, user_id[64] = { 7 };
        struct client *c = *state;

        client_make_credential(c);
        client_verify(c);
        client_set(c, 3, "{'id': h'%s', 'name': '" LONG_NAME "', 'displayName': '" LONG_NAME "'}",
                   client_hex(c, BYTES_OF(user_id)));
        client_set(c, 4, "%s", ten_algorithms);
        set_full_list(c, 5);
        client_set(
                c, 6,
                "{'credBlob': h'%s', 'credProtect': 2, 'hmac-secret': true, 'largeBlobKey': true,"
                " 'minPinLength': true, 'hmac-secret-mc': %s}",
                client_hex(c, BYTES(salts, 32)), client_hmac_input(c, BYTES_OF(salts)));
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);

        client_get_assertion(c);
        client_verify(c);
        set_full_list(c, 3);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salts)));
        client_set(c, 5, "{'up': true}");
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void D11_every_extension_but_large_blob_is_offered(void **state) {
        assert_member(*state, 0x02, EXTENSIONS);
}

static void D7_without_a_large_blob_array_there_is_no_key_for_it(void **state) {
        struct client *c = *state;

        c->ctap->options.max_large_blobs = 0;
        assert_member(c, 0x02,
                      "['credBlob', 'credProtect', 'hmac-secret', 'minPinLength', 'hmac-secret-mc',"
                      " 'thirdPartyPayment', 'pinComplexityPolicy']");
}

static void GI3_only_versions_and_algorithms_that_old_clients_know(void **state) {
        struct client *c = *state;

        assert_member(c, 0x01, "['U2F_V2', 'FIDO_2_0']");
        assert_member(c, 0x0a, ALGORITHMS);
}

static void GI2_algorithms_are_those_of_the_key_device(void **state) {
        struct client *c = *state;

        c->fake->offered = 1u << CTAP_KEY_P256;
        assert_member(c, 0x0a, "[" ALG(-7) "]");
}

static void GI4_only_options_that_exist(void **state) {
        struct client *c = *state;

        assert_member(c, 0x04, OPTIONS("false"));
}

static void GI5_what_is_not_supported_is_absent(void **state) {
        struct client *c = *state;
        struct cbor_value options = member(c, 0x04);

        assert_int_equal(cbor_find_text(&options, "uv").kind, CBOR_KIND_ABSENT);
        assert_int_equal(cbor_find_text(&options, "alwaysUv").kind, CBOR_KIND_ABSENT);
        assert_int_equal(cbor_find_text(&options, "ep").kind, CBOR_KIND_ABSENT);
        assert_int_equal(cbor_find_text(&options, "bioEnroll").kind, CBOR_KIND_ABSENT);
}

static void GI5_the_pin_is_told_live(void **state) {
        struct client *c = *state;

        client_set_pin(c);
        c->fake->settings.min_pin_length = 6;
        c->fake->settings.force_pin_change = true;
        assert_member(c, 0x04, OPTIONS("true"));
        assert_member(c, 0x0c, "true");
        assert_member(c, 0x0d, "6");

        c->fake->settings = CTAP_SETTINGS_DEFAULT;
        assert_member(c, 0x04, OPTIONS("false"));
        assert_member(c, 0x0c, "false");
        assert_member(c, 0x0d, "4");
}

static void GI6_what_depends_on_something_else_comes_with_it(void **state) {
        struct client *c = *state;

        assert_member(c, 0x06, "[2, 1]"); /* pinUvAuthToken */
        assert_member(c, 0x0d, "4");      /* clientPin */
        assert_member(c, 0x1d, "63");
        assert_int_equal(member(c, 0x0b).kind, CBOR_KIND_ABSENT); /* largeBlobs */
        assert_int_equal(member(c, 0x10).kind, CBOR_KIND_ABSENT); /* setMinPINLength */
        assert_int_equal(member(c, 0x11).kind, CBOR_KIND_ABSENT); /* uv */
        assert_int_equal(member(c, 0x1f).kind, CBOR_KIND_ABSENT); /* authnrCfg */
}

static void GI7_under_always_uv_there_is_no_u2f_and_no_creation_without_uv(void **state) {
        struct client *c = *state;

        assert_member(c, 0x01, "['FIDO_2_0']");
        assert_member(c, 0x04,
                      "{'rk': true, 'up': true, 'alwaysUv': true, 'clientPin': false,"
                      " 'pinUvAuthToken': true, 'makeCredUvNotRqd': false}");
}

static void RS3_neither_a_long_touch_nor_a_transport_is_demanded_for_reset(void **state) {
        struct client *c = *state;

        assert_int_equal(member(c, 0x18).kind, CBOR_KIND_ABSENT);
        assert_int_equal(member(c, 0x1a).kind, CBOR_KIND_ABSENT);
}

static void GI11_2_1_is_not_claimed_without_credential_management(void **state) {
        struct client *c = *state;
        struct cbor_value versions = member(c, 0x01);
        struct bytes left = versions.elements;

        for (uint32_t i = 0; i < versions.n; i++)
                assert_false(bytes_equal(cbor_next(&left).string, BYTES_TEXT("FIDO_2_1")));
}

static void H19_a_security_key_on_usb_and_no_platform_authenticator(void **state) {
        struct client *c = *state;
        struct cbor_value options = member(c, 0x04);

        assert_int_equal(cbor_find_text(&options, "plat").kind, CBOR_KIND_ABSENT);
        assert_member(c, 0x09, "['usb']");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(GI1_asks_neither_the_person_nor_the_key_device),
                client_unit_test(GI2_every_member_in_canonical_order),
                client_unit_test(GI2_remaining_follows_the_store),
                client_unit_test(D11_every_extension_but_large_blob_is_offered),
                client_unit_test(D7_without_a_large_blob_array_there_is_no_key_for_it),
                client_unit_test(GI2_the_list_fits_into_a_message),
                client_unit_test(GI2_a_full_list_fits_beside_what_browsers_send),
                client_unit_test(GI2_algorithms_are_those_of_the_key_device),
                client_unit_test(GI3_only_versions_and_algorithms_that_old_clients_know),
                client_unit_test(GI4_only_options_that_exist),
                client_unit_test(GI5_what_is_not_supported_is_absent),
                client_unit_test(GI5_the_pin_is_told_live),
                client_unit_test(GI6_what_depends_on_something_else_comes_with_it),
                always_uv_unit_test(GI7_under_always_uv_there_is_no_u2f_and_no_creation_without_uv),
                client_unit_test(RS3_neither_a_long_touch_nor_a_transport_is_demanded_for_reset),
                client_unit_test(GI11_2_1_is_not_claimed_without_credential_management),
                client_unit_test(H19_a_security_key_on_usb_and_no_platform_authenticator),
        };

        return cmocka_run_group_tests_name("get-info", tests, NULL, NULL);
}
