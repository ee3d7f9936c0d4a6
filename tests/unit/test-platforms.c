/* SPDX-License-Identifier: BSD-2-Clause */

/* What platforms really send, one after the other, and what they need to hear: rules H. */

#include <openssl/evp.h>
#include <string.h>

#include "ctap/command.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/test.h"

#define PERMISSIONS_MC_GA 3

/* ---- getInfo ---- */

static struct cbor_value info(struct client *c, int64_t key) {
        const struct cbor_field field = { NULL, key, CBOR_KIND_ANY, false, 0 };
        struct cbor_value map, found;
        struct bytes body;

        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        body = c->body;
        map = cbor_next(&body);
        assert_int_equal(cbor_read_map(&map, &field, 1, &found), CTAP_OK);
        return found;
}

static bool option(struct client *c, const char *name) {
        const struct cbor_value options = info(c, 0x04);

        return cbor_find_text(&options, name).boolean;
}

static bool has_version(struct client *c, const char *name) {
        struct cbor_value versions = info(c, 0x01);

        for (uint32_t i = 0; i < versions.n; i++)
                if (bytes_equal(cbor_next(&versions.elements).string, BYTES_TEXT(name)))
                        return true;
        return false;
}

static int64_t highest_protocol(struct client *c) {
        struct cbor_value protocols = info(c, 0x06);
        int64_t highest = 0;

        for (uint32_t i = 0; i < protocols.n; i++) {
                const int64_t protocol = cbor_next(&protocols.elements).integer;

                highest = protocol > highest ? protocol : highest;
        }
        return highest;
}

/* Or it takes the device for one of U2F. Canonical form is looked at with every reply. */
static void H1_get_info_passes_what_chromium_looks_at(void **state) {
        struct client *c = *state;
        struct cbor_value versions = info(c, 0x01), seen[8];

        assert_in_range(versions.n, 1, 8);
        for (uint32_t i = 0; i < versions.n; i++) {
                seen[i] = cbor_next(&versions.elements);
                for (uint32_t j = 0; j < i; j++)
                        assert_false(bytes_equal(seen[i].string, seen[j].string));
        }
        assert_int_equal(info(c, 0x03).string.len, 16);
        assert_true(option(c, "rk"));
        assert_true(option(c, "pinUvAuthToken"));
        assert_true(info(c, 0x06).n > 0);
        client_set_pin(c);
        assert_true(option(c, "clientPin"));
}

static void H2_beside_a_new_version_the_known_ones_are_listed(void **state) {
        struct client *c = *state;

        c->ctap->options.ctap_2_3 = true;
        assert_true(has_version(c, "FIDO_2_3"));
        assert_true(has_version(c, "FIDO_2_1"));
        assert_true(has_version(c, "FIDO_2_0"));
}

/* It asks for nothing else, and may ask for each of them alone. */
static void H3_every_algorithm_that_is_listed_is_made(void **state) {
        struct client *c = *state;
        struct cbor_value algorithms = info(c, 0x0a);
        uint8_t copy[512];
        struct bytes left = BYTES(copy, algorithms.elements.len);
        struct made made;
        bool es256 = false;

        assert_in_range(left.len, 1, sizeof(copy));
        memcpy(copy, algorithms.elements.data, left.len);
        for (uint32_t i = 0; i < algorithms.n; i++) {
                const struct cbor_value entry = cbor_next(&left);
                const int alg = (int)cbor_find_text(&entry, "alg").integer;

                client_make_credential(c);
                client_set(c, 4, "[{'alg': %d, " CLIENT_PUBLIC_KEY "}]", alg);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                assert_int_equal(made.alg, alg);
                es256 |= alg == -7;
        }
        assert_true(es256);
}

static void H4_the_highest_protocol_does_everything(void **state) {
        const uint8_t salt[32] = { 1 };
        struct client *c = *state;
        struct given given;
        struct made made;

        assert_int_equal(highest_protocol(c), 2);
        client_get_token(c, (unsigned)highest_protocol(c), PERMISSIONS_MC_GA, CLIENT_RP);
        client_make_credential(c);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        client_get_token(c, (unsigned)highest_protocol(c), PERMISSIONS_MC_GA, CLIENT_RP);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags & 0x05, 0x05);
}

/* The dialog for the PIN errors that clients know. */
static void H13_what_a_dialog_for_the_pin_hears(void **state) {
        struct client *c = *state;
        struct platform p;

        assert_int_equal(pin_set(c, &p, 2, CLIENT_PIN), CTAP_OK);
        c->fake->settings.force_pin_change = true;
        assert_int_equal(pin_get_token_for(c, &p, 2, CLIENT_PIN, 2, CLIENT_RP),
                         CTAP2_ERR_PIN_POLICY_VIOLATION);
        assert_int_equal(pin_get_token(c, &p, 2, CLIENT_PIN), CTAP2_ERR_PIN_INVALID);
        assert_int_equal(pin_change(c, &p, 2, CLIENT_PIN, "8240"), CTAP_OK);
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(pin_get_token_for(c, &p, 2, CLIENT_PIN, 2, CLIENT_RP),
                                 CTAP2_ERR_PIN_INVALID);
        assert_int_equal(pin_get_token_for(c, &p, 2, CLIENT_PIN, 2, CLIENT_RP),
                         CTAP2_ERR_PIN_AUTH_BLOCKED);
        c->fake->pin_count = CTAP_PIN_TRIES_MAX;
        assert_int_equal(pin_get_token_for(c, &p, 2, "8240", 2, CLIENT_RP), CTAP2_ERR_PIN_BLOCKED);
}

/* It would where a PIN is set and creation without it is not said to be possible. */
static void H14_chromium_has_no_reason_to_prefer_u2f(void **state) {
        struct client *c = *state;

        for (unsigned i = 0; i < 4; i++) {
                if (i & 1)
                        client_set_pin(c);
                c->fake->settings.always_uv = i & 2;
                assert_false(has_version(c, "U2F_V2") && !option(c, "makeCredUvNotRqd"));
        }
}

/* Firefox up to 139 took a text that it did not know for a device of U2F; ESR users have it still. */
static void H21_an_older_firefox_finds_nothing_it_does_not_know(void **state) {
        static const char *const known[] = { "U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE", "FIDO_2_1" };
        struct client *c = *state;
        struct cbor_value versions;

        c->ctap->options.ctap_2_3 = false;
        versions = info(c, 0x01);
        for (uint32_t i = 0; i < versions.n; i++) {
                const struct bytes version = cbor_next(&versions.elements).string;
                bool found = false;

                for (size_t j = 0; j < ELEMENTSOF(known); j++)
                        found |= bytes_equal(version, BYTES_TEXT(known[j]));
                assert_true(found);
        }
}

/* ---- probes ---- */

/* Firefox: SHA-256 of nothing; python-fido2: zeros. */
static void begin_probe(struct client *c, bool of_nothing) {
        memset(c->client_data_hash, 0, sizeof(c->client_data_hash));
        if (of_nothing)
                assert_int_equal(EVP_Digest("", 0, c->client_data_hash, NULL, EVP_sha256(), NULL),
                                 1);
        client_get_assertion(c);
        client_set(c, 5, "{'up': false}");
}

static void put_strangers(struct client *c, unsigned n) {
        static struct made strangers[64];
        static uint8_t ids[64][48];

        assert_in_range(n, 1, ELEMENTSOF(ids));
        for (unsigned i = 0; i < n; i++) {
                memset(ids[i], (int)i + 1, sizeof(ids[i]));
                strangers[i].id = BYTES_OF(ids[i]);
        }
        client_set_list(c, 3, strangers, n);
}

/* The credential answers as if nothing had been asked before, by the same token. */
static void assert_token_still_signs(struct client *c, const struct made *made) {
        struct given given;

        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_set(c, 5, "{'up': true}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, made, &given);
        assert_int_equal(given.flags & 0x05, 0x05);
}

static void H7_a_list_is_probed_in_batches_and_then_used(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;
        unsigned batch;

        client_set_pin(c);
        client_register(c, false, "alice", &made);
        batch = (unsigned)info(c, 0x07).integer;
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        for (unsigned i = 0; i < 3; i++) {
                begin_probe(c, false);
                put_strangers(c, batch);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        }
        begin_probe(c, false);
        client_set_list(c, 3, &made, 1);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(c->fake->n_prompts, 1); /* that of the registration */
        assert_token_still_signs(c, &made);
}

static void H8_where_nothing_matches_a_touch_follows(void **state) {
        struct client *c = *state;

        begin_probe(c, false);
        put_strangers(c, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy'}");
        client_set(c, 3, "{'id': h'01', 'name': 'dummy'}");
        client_set(c, 8, "h''");
        client_set(c, 9, "1");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_NOT_SET);
        assert_int_equal(c->fake->n_prompts, 1);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_SELECT);
}

/* 2E, 19, 27 and 33 end the page's request on all devices: none of them comes before a gesture. */
static void H9_what_ends_a_request_for_all_comes_after_a_gesture(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "alice", &made);
        c->fake->n_prompts = 0;
        client_get_assertion(c);
        put_strangers(c, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_int_equal(c->fake->n_prompts, 1);
        client_make_credential(c);
        client_set_list(c, 5, &made, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_CREDENTIAL_EXCLUDED);
        assert_int_equal(c->fake->n_prompts, 2);
        c->fake->answer = CTAP_ANSWER_NO;
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP2_ERR_OPERATION_DENIED);
        assert_int_equal(c->fake->n_prompts, 3);
}

/* Before the PIN is asked for: the credential of U2F times is found without a token. */
static void H15_an_appid_is_probed_before_there_is_a_token(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_u2f_register(c, &made);
        client_set_pin(c);
        begin_probe(c, false);
        put_strangers(c, 2);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        begin_probe(c, false);
        client_set_list(c, 3, &made, 1);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.flags & 0x05, 0);
}

static void H24_firefox_keeps_its_token_over_the_preflight(void **state) {
        struct client *c = *state;
        struct made made;
        unsigned batch;

        client_set_pin(c);
        client_register(c, false, "alice", &made);
        batch = (unsigned)info(c, 0x07).integer;
        assert_true(batch > 1);
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        begin_probe(c, true);
        put_strangers(c, batch);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        begin_probe(c, true);
        client_set_list(c, 3, &made, 1);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_token_still_signs(c, &made);
}

/* Any other error than 2E ends the unlocking of a volume. */
static void H31_ssh_and_systemd_probe_without_presence_or_token(void **state) {
        struct client *c = *state;
        struct made made;

        client_set_pin(c);
        client_register(c, false, "alice", &made);
        for (unsigned always_uv = 0; always_uv < 2; always_uv++) {
                c->fake->settings.always_uv = always_uv;
                begin_probe(c, false);
                client_set_list(c, 3, &made, 1);
                assert_int_equal(client_send(c), CTAP_OK);
                begin_probe(c, false);
                put_strangers(c, 1);
                assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        }
}

static void H32_systemd_learns_that_its_secret_needs_a_touch(void **state) {
        const uint8_t salt[32] = { 1 };
        struct client *c = *state;
        struct made made;

        client_register(c, false, "alice", &made);
        client_agree(c, 2);
        for (unsigned up = 0; up < 2; up++) {
                client_get_assertion(c);
                client_set_list(c, 3, &made, 1);
                client_set(c, 4, "{'hmac-secret': %s}", client_hmac_input(c, BYTES_OF(salt)));
                client_set(c, 5, "{'up': %s}", up ? "true" : "false");
                assert_int_equal(client_send(c), up ? CTAP_OK : CTAP2_ERR_UNSUPPORTED_OPTION);
        }
}

/* The list of one id that no authenticator has: is there a PIN, and does the site have passkeys? */
static void H36_python_fido2_probes_with_an_id_of_one_byte(void **state) {
        struct client *c = *state;
        struct made made;

        client_set_pin(c);
        client_register(c, true, "alice", &made);
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        begin_probe(c, false);
        client_set(c, 3, "[{'id': h'00', " CLIENT_PUBLIC_KEY "}]");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_token_still_signs(c, &made);
}

/* ---- whole ceremonies ---- */

static void H6_a_touch_then_the_pin_then_the_command(void **state) {
        struct client *c = *state;
        struct platform p;
        struct made made;

        assert_int_equal(pin_set(c, &p, 2, CLIENT_PIN), CTAP_OK);
        client_make_credential(c);
        client_set(c, 2, "{'id': '.dummy'}");
        client_set(c, 8, "h''");
        client_set(c, 9, "1");
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_INVALID); /* touched, and there is a PIN */
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        client_make_credential(c);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        assert_int_equal(c->fake->n_prompts, 2);
        assert_int_equal(c->fake->prompt.ask, CTAP_ASK_CREATE);
}

/* Whom credProtect hides from everybody else as well. */
static void H10_an_empty_list_finds_passkeys_after_verification(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_set_pin(c);
        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_set(c, 7, "{'rk': true}");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        client_get_assertion(c);
        client_set(c, 3, "[]");
        client_verify(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_true(given.has_user);
}

static void H16_nothing_is_answered_that_was_not_asked_for(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_register(c, true, "alice", &made);
        assert_int_equal(made.extensions.len, 0);
        assert_int_equal(made.large_blob_key.len, 0);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_int_equal(given.extensions.len, 0);
        assert_int_equal(given.large_blob_key.len, 0);
}

static void H17_passkeys_are_asked_for_with_credProtect(void **state) {
        struct client *c = *state;
        struct made made;
        struct cbor_value outputs;

        for (unsigned level = 2; level <= 3; level++) {
                client_make_credential(c);
                client_set(c, 6, "{'credProtect': %u}", level);
                client_set(c, 7, "{'rk': true}");
                client_verify(c);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                outputs = cbor_next(&made.extensions);
                assert_int_equal(cbor_find_text(&outputs, "credProtect").integer, level);
        }
}

/* What is left of "Zo\u00eb" when it is cut at three bytes is no text (B21). */
static void H20_a_name_that_was_cut_in_a_character_is_no_text(void **state) {
        static const uint8_t cut[] = { 'Z', 'o', 0xc3 };
        struct client *c = *state;

        client_make_credential(c);
        client_set(c, 3, "{'id': h'01', 'name': 'Zoe'}");
        memcpy(c->members[3].data + c->members[3].len - sizeof(cut), cut, sizeof(cut));
        assert_int_equal(client_send(c), CTAP2_ERR_INVALID_CBOR);
        client_set(c, 3, "{'id': h'01', 'name': 'Zo'}");
        assert_int_equal(client_send(c), CTAP_OK);
}

static void H23_firefox_names_up_always_and_gets_one_token_for_both(void **state) {
        struct client *c = *state;
        struct made made;

        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        client_make_credential(c);
        client_set(c, 7, "{'up': true}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        assert_token_still_signs(c, &made);
}

static void H27_firefox_reads_how_a_cancelled_command_ended(void **state) {
        struct client *c = *state;

        c->fake->answer = CTAP_ANSWER_CANCELLED;
        client_make_credential(c);
        assert_int_equal(client_send(c), CTAP2_ERR_KEEPALIVE_CANCEL);
        assert_int_equal(client_call(c, 0x0b, BYTES_NULL), CTAP2_ERR_KEEPALIVE_CANCEL);
        c->fake->answer = CTAP_ANSWER_YES;
        assert_int_equal(client_call(c, 0x0b, BYTES_NULL), CTAP_OK);
}

/* Also where the one that is meant could be guessed. */
static void H28_every_assertion_names_its_credential(void **state) {
        struct client *c = *state;
        struct given given;
        struct made made;

        client_register(c, true, "alice", &made);
        for (unsigned i = 0; i < 2; i++) {
                client_get_assertion(c);
                if (i > 0)
                        client_set_list(c, 3, &made, 1);
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_given(c, &made, &given);
                assert_bytes_equal(given.id, made.id);
        }
}

static void H33_systemd_says_that_uv_is_false(void **state) {
        struct client *c = *state;
        struct made made;

        client_set_pin(c);
        c->fake->abilities |= CTAP_PRESENCE_VERIFY;
        client_make_credential(c);
        client_set(c, 7, "{'uv': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 5, "{'uv': false}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_false(c->fake->prompt.verify);
}

static void H34_who_wishes_for_nothing_gets_an_attestation(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "alice", &made);
        assert_bytes_equal(made.fmt, BYTES_TEXT("packed")); /* signed, which is looked at */
}

/* Is there one of this account already? And then it is made, for who is verified. */
static void H35_ssh_keygen_looks_before_it_makes_a_resident_key(void **state) {
        struct client *c = *state;
        struct made made;

        client_set_pin(c);
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        begin_probe(c, false);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 3}");
        client_set(c, 7, "{'rk': true}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        client_get_token(c, 2, PERMISSIONS_MC_GA, CLIENT_RP);
        begin_probe(c, false);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
}

/* Protocol 1 whatever is listed, and an excludeList or not: it wants to hear if there is a PIN. */
static void H37_windows_sends_an_empty_param(void **state) {
        struct client *c = *state;
        struct made made;

        client_register(c, false, "alice", &made);
        client_set_pin(c);
        for (unsigned i = 0; i < 2; i++) {
                client_make_credential(c);
                if (i > 0)
                        client_set_list(c, 5, &made, 1);
                client_set(c, 8, "h''");
                client_set(c, 9, "1");
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_INVALID);
        }
        assert_int_equal(c->fake->n_rows, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(H1_get_info_passes_what_chromium_looks_at),
                client_unit_test(H2_beside_a_new_version_the_known_ones_are_listed),
                client_unit_test(H3_every_algorithm_that_is_listed_is_made),
                client_unit_test(H4_the_highest_protocol_does_everything),
                client_unit_test(H6_a_touch_then_the_pin_then_the_command),
                client_unit_test(H7_a_list_is_probed_in_batches_and_then_used),
                client_unit_test(H8_where_nothing_matches_a_touch_follows),
                client_unit_test(H9_what_ends_a_request_for_all_comes_after_a_gesture),
                client_unit_test(H10_an_empty_list_finds_passkeys_after_verification),
                client_unit_test(H13_what_a_dialog_for_the_pin_hears),
                client_unit_test(H14_chromium_has_no_reason_to_prefer_u2f),
                client_unit_test(H15_an_appid_is_probed_before_there_is_a_token),
                client_unit_test(H16_nothing_is_answered_that_was_not_asked_for),
                client_unit_test(H17_passkeys_are_asked_for_with_credProtect),
                client_unit_test(H20_a_name_that_was_cut_in_a_character_is_no_text),
                client_unit_test(H21_an_older_firefox_finds_nothing_it_does_not_know),
                client_unit_test(H23_firefox_names_up_always_and_gets_one_token_for_both),
                client_unit_test(H24_firefox_keeps_its_token_over_the_preflight),
                client_unit_test(H27_firefox_reads_how_a_cancelled_command_ended),
                client_unit_test(H28_every_assertion_names_its_credential),
                client_unit_test(H31_ssh_and_systemd_probe_without_presence_or_token),
                client_unit_test(H32_systemd_learns_that_its_secret_needs_a_touch),
                client_unit_test(H33_systemd_says_that_uv_is_false),
                client_unit_test(H34_who_wishes_for_nothing_gets_an_attestation),
                client_unit_test(H35_ssh_keygen_looks_before_it_makes_a_resident_key),
                client_unit_test(H36_python_fido2_probes_with_an_id_of_one_byte),
                client_unit_test(H37_windows_sends_an_empty_param),
        };

        return cmocka_run_group_tests_name("platforms", tests, NULL, NULL);
}
