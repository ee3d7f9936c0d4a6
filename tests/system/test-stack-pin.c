/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verification and hmac-secret from a client's bytes down to a real TPM: what they may cost there,
 * and that after the person has said yes nothing is left but the signature.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctap/command.h"
#include "tests/fake/client.h"
#include "tests/system/stack.h"
#include "tests/system/tpm-fixture.h"
#include "tests/unit/test.h"

static const uint8_t salts[64] = { 1, 2, 3 };

struct world {
        struct fixture *tpm;
        struct stack stack;
        struct client
                client; /* its authenticator is the stack's; of its fake world nothing is used */
        char folder[64];
        unsigned at_yes; /* TPM commands that had been sent when the person said yes */
};

static void remember_yes(void *userdata) {
        struct world *w = userdata;

        w->at_yes = watch_count(w->tpm);
}

/* ---- authenticatorClientPIN, protocol two ---- */

static struct cbor_value send_pin_command(struct client *c) {
        struct bytes body;

        c->command = 0x06;
        assert_int_equal(client_send(c), CTAP_OK);
        body = c->body;
        return body.len > 0 ? cbor_next(&body) : (struct cbor_value){ 0 };
}

/* Begins a subcommand under a new agreement. */
static void begin_pin_command(struct client *c, unsigned subcommand) {
        const struct platform *p = &c->platform;
        struct cbor_value map;

        client_make_credential(c); /* leaves nothing of other members */
        for (unsigned i = 1; i < 5; i++)
                client_unset(c, i);
        client_set(c, 1, "2");
        client_set(c, 2, "2");
        map = send_pin_command(c);
        (void)cbor_next(&map.elements);
        platform_agree(&c->platform, 2, cbor_next(&map.elements).raw);
        client_set(c, 2, "%u", subcommand);
        client_set(c, 3, "{1: 2, 3: -25, -1: 1, -2: h'%s', -3: h'%s'}",
                   client_hex(c, BYTES_OF(p->x)), client_hex(c, BYTES_OF(p->y)));
}

static void set_pin(struct client *c) {
        uint8_t storage[3][80];
        struct buf padded = BUF_ON(storage[0]), enc = BUF_ON(storage[1]), mac = BUF_ON(storage[2]);

        begin_pin_command(c, 0x03);
        platform_put_padded_pin(CLIENT_PIN, &padded);
        platform_encrypt(&c->platform, buf_bytes(&padded), &enc);
        platform_authenticate(&c->platform, buf_bytes(&enc), &mac);
        client_set(c, 4, "h'%s'", client_hex(c, buf_bytes(&mac)));
        client_set(c, 5, "h'%s'", client_hex(c, buf_bytes(&enc)));
        (void)send_pin_command(c);
}

/* Keeps the token that the client has. */
static void change_pin(struct client *c, const char *old, const char *pin) {
        uint8_t storage[5][112];
        struct buf hash = BUF_ON(storage[0]), padded = BUF_ON(storage[1]);
        struct buf old_enc = BUF_ON(storage[2]), both = BUF_ON(storage[3]),
                   mac = BUF_ON(storage[4]);
        size_t n_new;

        begin_pin_command(c, 0x04);
        platform_put_padded_pin(pin, &padded);
        platform_encrypt(&c->platform, buf_bytes(&padded), &both);
        n_new = both.len;
        platform_put_pin_hash(old, &hash);
        platform_encrypt(&c->platform, buf_bytes(&hash), &old_enc);
        buf_put(&both, buf_bytes(&old_enc));
        platform_authenticate(&c->platform, buf_bytes(&both), &mac);
        client_set(c, 4, "h'%s'", client_hex(c, buf_bytes(&mac)));
        client_set(c, 5, "h'%s'", client_hex(c, BYTES(both.data, n_new)));
        client_set(c, 6, "h'%s'", client_hex(c, buf_bytes(&old_enc)));
        (void)send_pin_command(c);
}

static void ask_for_token(struct client *c) {
        uint8_t storage[2][32];
        struct buf hash = BUF_ON(storage[0]), enc = BUF_ON(storage[1]);
        struct buf token = BUF_ON(c->platform.token);
        struct cbor_value map;

        begin_pin_command(c, 0x09);
        platform_put_pin_hash(CLIENT_PIN, &hash);
        platform_encrypt(&c->platform, buf_bytes(&hash), &enc);
        client_set(c, 6, "h'%s'", client_hex(c, buf_bytes(&enc)));
        client_set(c, 9, "3");
        client_set(c, 10, "'" CLIENT_RP "'");
        map = send_pin_command(c);
        (void)cbor_next(&map.elements);
        platform_decrypt(&c->platform, cbor_next(&map.elements).string, &token);
}

/* ---- the world ---- */

/* An authenticator with a PIN. */
static int world_setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));
        struct client *c = &w->client;
        void *fixture = NULL;

        assert_int_equal(fixture_setup(&fixture), 0);
        w->tpm = fixture;
        w->tpm->tpm = tpm_free(w->tpm->tpm);
        snprintf(w->folder, sizeof(w->folder), "/tmp/tpmauthn-stack-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        assert_int_equal(stack_open(&w->stack, w->folder, w->tpm->tcti), 0);
        w->stack.asked = remember_yes;
        w->stack.userdata = w;

        c->fake = fake_new();
        c->ctap = w->stack.ctap;
        c->channel = CLIENT_CHANNEL;
        memset(c->client_data_hash, 0xcd, sizeof(c->client_data_hash));
        memcpy(c->ctap->options.aaguid, client_aaguid, sizeof(client_aaguid));
        set_pin(c);
        *state = w;
        return 0;
}

static int world_teardown(void **state) {
        static const char *const files[] = { "store.db", "store.db-wal", "store.db-shm" };
        struct world *w = *state;
        void *fixture = w->tpm;
        char path[100];

        w->client.fake = fake_free(w->client.fake);
        stack_close(&w->stack, false);
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                snprintf(path, sizeof(path), "%s/%s", w->folder, files[i]);
                (void)unlink(path);
        }
        (void)rmdir(w->folder);
        assert_int_equal(fixture_teardown(&fixture), 0);
        free(w);
        return 0;
}

/* What the TPM does after an answer is done before the next request. */
static void settle(struct world *w) {
        vault_settle(w->stack.vault);
        (void)watch_count(w->tpm);
}

static void get_token(struct world *w) {
        ask_for_token(&w->client);
        settle(w);
}

/* Sends the request and gives what it cost the TPM, all in all. */
static unsigned cost(struct world *w) {
        assert_int_equal(client_send(&w->client), CTAP_OK);
        vault_settle(w->stack.vault);
        return w->at_yes + watch_count(w->tpm);
}

static unsigned create(struct world *w, const char *extensions, struct made *ret) {
        struct client *c = &w->client;
        unsigned n;

        get_token(w);
        client_make_credential(c);
        client_set(c, 6, "%s", extensions);
        client_set(c, 7, "{'rk': true}");
        client_authorize(c);
        n = cost(w);
        client_read_made(c, ret);
        return n;
}

static unsigned use(struct world *w, const struct made *made, bool verified, unsigned n_salts,
                    struct given *ret) {
        struct client *c = &w->client;
        unsigned n;

        if (verified)
                get_token(w);
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        if (n_salts > 0)
                client_set(c, 4, "{'hmac-secret': %s}",
                           client_hmac_input(c, BYTES(salts, n_salts * 32)));
        if (verified)
                client_authorize(c);
        n = cost(w);
        client_read_given(c, made, ret);
        assert_int_equal(ret->flags & 0x05, verified ? 0x05 : 0x01);
        return n;
}

enum {
        BUDGET_CREATE_BEHIND_PIN = 6,
        BUDGET_USE_BEHIND_PIN = 5,
        /* Of two salts. One less where no salted session keeps the answer from a probe on the bus. */
        BUDGET_HMAC = 5,
        BUDGET_HMAC_BY_TICKET = 8,
        /* Of one salt and of two, in the session that a key behind the PIN has anyhow. */
        BUDGET_HMAC_BESIDE_KEY = 4,
        BUDGET_HMAC_BESIDE_KEY_OF_TWO = 6,
};

static void GA17_a_key_behind_the_pin_keeps_its_budgets(void **state) {
        struct world *w = *state;
        struct given given;
        struct made made;

        assert_int_equal(create(w, "{'credProtect': 3}", &made), BUDGET_CREATE_BEHIND_PIN);
        (void)use(w, &made, true, 0, &given); /* opens a counter lease */
        assert_int_equal(use(w, &made, true, 0, &given), BUDGET_USE_BEHIND_PIN);
}

static void GA10_after_presence_a_key_behind_the_pin_only_signs(void **state) {
        struct world *w = *state;
        struct given given;
        struct made made;
        char log[256];

        (void)create(w, "{'credProtect': 3, 'hmac-secret': true}", &made);
        (void)use(w, &made, true, 2, &given);
        get_token(w);
        client_get_assertion(&w->client);
        client_set_list(&w->client, 3, &made, 1);
        client_set(&w->client, 4, "{'hmac-secret': %s}",
                   client_hmac_input(&w->client, BYTES_OF(salts)));
        client_authorize(&w->client);
        assert_int_equal(client_send(&w->client), CTAP_OK);
        watch_log(w->tpm, log, sizeof(log));
        assert_string_equal(log, "Sign");
}

#define COMPARE "StartAuthSession StartAuthSession PolicySecret FlushContext"

/* Asks for verification in the command itself, and gives what the TPM did after the PIN was typed. */
static void use_by_typing(struct world *w, const struct made *made, char *log, size_t size) {
        struct client *c = &w->client;
        struct given given;

        settle(w);
        client_get_assertion(c);
        client_set_list(c, 3, made, 1);
        client_set(c, 5, "{'uv': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        watch_log(w->tpm, log, size);
        client_read_given(c, made, &given);
        assert_int_equal(given.flags, 0x05);
}

/* The key that takes no PIN is loaded while it is typed: what is left is to compare, and to sign. */
static void GA10_after_the_pin_was_typed_the_tpm_compares_and_signs(void **state) {
        struct world *w = *state;
        struct made made;
        char log[256];

        (void)create(w, "{}", &made);
        w->stack.typed = CLIENT_PIN;
        use_by_typing(w, &made, log, sizeof(log)); /* opens a counter lease */
        use_by_typing(w, &made, log, sizeof(log));
        assert_string_equal(log, COMPARE " Sign");
        w->stack.typed = NULL;
        (void)create(w, "{'credProtect': 3}", &made);
        w->stack.typed = CLIENT_PIN;
        use_by_typing(w, &made, log, sizeof(log));
        assert_string_equal(log, COMPARE " StartAuthSession PolicyTicket Load Sign");
}

/* Wrong ones are counted by the TPM, wherever they are typed. */
static void CP4_the_tpm_counts_what_is_typed_here(void **state) {
        struct world *w = *state;
        struct client *c = &w->client;
        struct ctap_pin_info info;

        w->stack.typed = "4321";
        client_make_credential(c);
        client_set(c, 7, "{'uv': true}");
        assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
        assert_int_equal(ctap_pin_describe(c->ctap, &info), CTAP_OK);
        assert_int_equal(info.retries, CTAP_PIN_TRIES_MAX - 3);
        assert_int_equal(info.uv_retries, 0);
        assert_true(info.is_latched);

        ctap_power_up(c->ctap);
        ask_for_token(c);
        w->stack.typed = CLIENT_PIN;
        client_make_credential(c);
        client_set(c, 7, "{'uv': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(ctap_pin_describe(c->ctap, &info), CTAP_OK);
        assert_int_equal(info.retries, CTAP_PIN_TRIES_MAX);
}

static void D3_hmac_secret_keeps_its_budgets(void **state) {
        static const unsigned budgets[] = { BUDGET_HMAC, BUDGET_HMAC_BY_TICKET };
        struct world *w = *state;
        struct given given;
        struct made made;

        (void)create(w, "{'hmac-secret': true}", &made);
        (void)use(w, &made, false, 0, &given); /* opens a counter lease */
        for (unsigned verified = 0; verified < 2; verified++) {
                unsigned without = use(w, &made, verified, 0, &given);

                assert_int_equal(use(w, &made, verified, 2, &given), without + budgets[verified]);
        }
}

static void D3_beside_a_key_behind_the_pin_one_session_does_for_both(void **state) {
        static const unsigned budgets[] = { 0, BUDGET_HMAC_BESIDE_KEY,
                                            BUDGET_HMAC_BESIDE_KEY_OF_TWO };
        struct world *w = *state;
        struct given given;
        struct made made;

        (void)create(w, "{'credProtect': 3, 'hmac-secret': true}", &made);
        (void)use(w, &made, true, 0, &given); /* opens a counter lease */
        for (unsigned n = 0; n <= 2; n++)
                assert_int_equal(use(w, &made, true, n, &given),
                                 BUDGET_USE_BEHIND_PIN + budgets[n]);
}

/* What disks and logins are unlocked by. */
static void D3_the_tpm_answers_the_same_for_ever_and_knows_the_pin(void **state) {
        uint8_t storage[4][64];
        struct world *w = *state;
        struct given given;
        struct made made;

        (void)create(w, "{}", &made);
        for (unsigned i = 0; i < 4; i++) {
                struct buf output = BUF_ON(storage[i]);

                (void)use(w, &made, i % 2, 2, &given);
                client_hmac_output(&w->client, given.extensions, "hmac-secret", &output);
                assert_int_equal(output.len, 64);
        }
        assert_memory_equal(storage[0], storage[2], 64);
        assert_memory_equal(storage[1], storage[3], 64);
        assert_memory_not_equal(storage[0], storage[1], 64);
}

static void GA4_without_the_pin_the_tpm_is_not_even_asked(void **state) {
        struct world *w = *state;
        struct client *c = &w->client;
        struct given given;
        struct made made;

        (void)create(w, "{'credProtect': 3}", &made);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        settle(w);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_int_equal(w->at_yes + watch_count(w->tpm), 0);
        (void)use(w, &made, true, 0, &given);
}

/*
 * In the eyes of the TPM a ticket outlives a change of the PIN, so it is for us to forget it: what the
 * old token asks for does not even get there.
 */
static void CP22_after_a_change_the_tpm_is_not_asked_by_the_old_token(void **state) {
        struct world *w = *state;
        struct client *c = &w->client;
        struct given given;
        struct made made;

        (void)create(w, "{'credProtect': 3, 'hmac-secret': true}", &made);
        for (unsigned changes = 0; changes < 2; changes++)
                for (unsigned hmac = 0; hmac < 2; hmac++) {
                        get_token(w);
                        if (changes) {
                                change_pin(c, CLIENT_PIN, "5678");
                                change_pin(c, "5678", CLIENT_PIN);
                                settle(w);
                        }
                        client_get_assertion(c);
                        client_set_list(c, 3, &made, 1);
                        if (hmac)
                                client_set(c, 4, "{'hmac-secret': %s}",
                                           client_hmac_input(c, BYTES_OF(salts)));
                        client_authorize(c);
                        w->at_yes = 0;
                        assert_int_equal(client_send(c),
                                         changes ? CTAP2_ERR_PIN_AUTH_INVALID : CTAP_OK);
                        vault_settle(w->stack.vault);
                        assert_int_equal(w->at_yes + watch_count(w->tpm) > 0, !changes);
                }
        (void)use(w, &made, true, 2, &given);
}

#define world_unit_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                world_unit_test(GA17_a_key_behind_the_pin_keeps_its_budgets),
                world_unit_test(GA10_after_presence_a_key_behind_the_pin_only_signs),
                world_unit_test(GA10_after_the_pin_was_typed_the_tpm_compares_and_signs),
                world_unit_test(CP4_the_tpm_counts_what_is_typed_here),
                world_unit_test(D3_hmac_secret_keeps_its_budgets),
                world_unit_test(D3_beside_a_key_behind_the_pin_one_session_does_for_both),
                world_unit_test(D3_the_tpm_answers_the_same_for_ever_and_knows_the_pin),
                world_unit_test(GA4_without_the_pin_the_tpm_is_not_even_asked),
                world_unit_test(CP22_after_a_change_the_tpm_is_not_asked_by_the_old_token),
        };

        return cmocka_run_group_tests_name("stack-pin", tests, NULL, NULL);
}
