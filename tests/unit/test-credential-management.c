/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/credential-management.c: CM1 to CM13, and what they have of CP33 to CP35. */

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/persistent-token.h"
#include "tests/fake/client.h"
#include "tests/unit/test.h"

enum {
        COUNT = 0x01,
        RPS = 0x02,
        NEXT_RP = 0x03,
        CREDENTIALS = 0x04,
        NEXT_CREDENTIAL = 0x05,
        DELETE = 0x06,
        UPDATE = 0x07,
};

#define OTHER_RP "other.example"
#define THIRD_RP "third.example"

static struct sha256 hash_of(const char *text) {
        struct sha256 hash;

        assert_int_equal(EVP_Digest(text, strlen(text), hash.b, NULL, EVP_sha256(), NULL), 1);
        return hash;
}

/* ---- requests ---- */

static const char *hex_of_hash(struct client *c, const char *rp) {
        const struct sha256 hash = hash_of(rp);

        return client_hex(c, BYTES_OF(hash));
}

static void begin(struct client *c, unsigned sub) {
        client_manage(c, 0x0a, sub);
}

static void ask_for_credentials(struct client *c, const char *rp) {
        begin(c, CREDENTIALS);
        client_set(c, 2, "{1: h'%s'}", hex_of_hash(c, rp));
}

static void name_credential(struct client *c, const struct made *made) {
        client_set(c, 2, "{2: {'id': h'%s', " CLIENT_PUBLIC_KEY "}}", client_hex(c, made->id));
}

static void ask_to_delete(struct client *c, const struct made *made) {
        begin(c, DELETE);
        name_credential(c, made);
}

/* `user` in diagnostic notation. */
static void ask_to_update(struct client *c, const struct made *made, const char *user) {
        begin(c, UPDATE);
        client_set(c, 2, "{2: {'id': h'%s', " CLIENT_PUBLIC_KEY "}, 3: %s}",
                   client_hex(c, made->id), user);
}

/* Any of them, as good as the credential is. */
static void ask_for(struct client *c, unsigned sub, const struct made *made) {
        if (sub == CREDENTIALS)
                ask_for_credentials(c, CLIENT_RP);
        else if (sub == DELETE)
                ask_to_delete(c, made);
        else if (sub == UPDATE)
                ask_to_update(c, made, "{'id': h'616e6e'}");
        else
                begin(c, sub);
}

static uint8_t send_verified(struct client *c) {
        client_verify(c);
        return client_send(c);
}

static uint8_t next(struct client *c, unsigned sub) {
        begin(c, sub);
        fake_forget_trace(c->fake);
        return client_send(c);
}

/* With the token that is good for reading only. */
static void use_persistent_token(struct client *c, unsigned protocol) {
        struct secret32 token;

        client_set_pin(c);
        assert_int_equal(ctap_persistent_token(c->ctap, &token), 0);
        c->platform.protocol = protocol;
        memcpy(c->platform.token, token.b, sizeof(token.b));
}

/* ---- replies ---- */

static struct cbor_value reply_map(struct client *c) {
        struct bytes body = c->body;
        struct cbor_value map = cbor_next(&body);

        assert_int_equal(map.kind, CBOR_KIND_MAP);
        return map;
}

/* A member of the last reply. ABSENT: it has none. */
static struct cbor_value member(struct client *c, int64_t key) {
        struct cbor_value map = reply_map(c);

        for (uint32_t i = 0; i < map.n; i++) {
                struct cbor_value k = cbor_next(&map.elements), v = cbor_next(&map.elements);

                if (k.integer == key)
                        return v;
        }
        return (struct cbor_value){ .kind = CBOR_KIND_ABSENT };
}

/* An RP was given; 0: without a total. */
static void assert_rp(struct client *c, const char *rp, uint32_t total) {
        const struct sha256 hash = hash_of(rp);
        const struct cbor_value map = member(c, 3);

        assert_int_equal(reply_map(c).n, total > 0 ? 3 : 2);
        assert_bytes_equal(cbor_find_text(&map, "id").string, BYTES_TEXT(rp));
        assert_bytes_equal(member(c, 4).string, BYTES_OF(hash));
        assert_int_equal(member(c, 5).integer, total);
}

static void assert_key(const struct made *made, struct bytes key) {
        struct made seen = { .field = 0 };

        assert_int_equal(client_read_key(key, &seen).len, 0);
        assert_int_equal(seen.alg, made->alg);
        assert_int_equal(seen.field, made->field);
        assert_memory_equal(seen.x, made->x, made->field);
        assert_memory_equal(seen.y, made->y, made->field);
        if (made->field == 0)
                assert_memory_equal(seen.modulus, made->modulus, sizeof(made->modulus));
}

/* A credential was given; `user` is name and id; 0: without a total. */
static void assert_credential(struct client *c, const struct made *made, const char *user,
                              uint32_t total) {
        const struct cbor_value descriptor = member(c, 7), entity = member(c, 6);

        assert_int_equal(entity.n, 2);
        assert_bytes_equal(cbor_find_text(&entity, "id").string, BYTES_TEXT(user));
        assert_bytes_equal(cbor_find_text(&entity, "name").string, BYTES_TEXT(user));
        assert_int_equal(descriptor.n, 2);
        assert_bytes_equal(cbor_find_text(&descriptor, "id").string, made->id);
        assert_bytes_equal(cbor_find_text(&descriptor, "type").string, BYTES_TEXT("public-key"));
        assert_key(made, member(c, 8).raw);
        assert_int_equal(member(c, 9).integer, total);
        assert_int_equal(member(c, 9).kind, total > 0 ? CBOR_KIND_INT : CBOR_KIND_ABSENT);
}

/* ---- what there is ---- */

static void register_at(struct client *c, const char *rp, const char *user, struct made *ret) {
        client_make_credential(c);
        client_set(c, 2, "{'id': '%s'}", rp);
        client_set(c, 3, "{'id': h'%s', 'name': '%s'}", client_hex(c, BYTES_TEXT(user)), user);
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, ret);
        fake_forget_trace(c->fake);
}

/* Before there is a PIN: two accounts here, one at each of two others, and two that are not listed. */
struct world {
        struct made ann, bob, other, third, hidden, u2f;
        uint32_t n_rows;
};

static void make_world(struct client *c, struct world *w) {
        register_at(c, CLIENT_RP, "ann", &w->ann);
        register_at(c, OTHER_RP, "cat", &w->other);
        client_register(c, false, "dan", &w->hidden);
        register_at(c, CLIENT_RP, "bob", &w->bob);
        client_u2f_register(c, &w->u2f);
        register_at(c, THIRD_RP, "eve", &w->third);
        w->n_rows = c->fake->n_rows;
}

static struct ctap_row *row_of(struct client *c, const struct made *made) {
        for (uint32_t i = 0; i < c->fake->n_rows; i++)
                if (bytes_equal(BYTES_OF(c->fake->rows[i].id), made->id))
                        return &c->fake->rows[i];
        return NULL;
}

/* No record under this seal. */
static void damage(struct client *c, const struct made *made) {
        row_of(c, made)->sealed[20] ^= 1;
}

/* ---- the request ---- */

static void B9_parameters_of_the_wrong_type(void **state) {
        static const struct {
                unsigned sub, key;
                const char *notation;
        } cases[] = {
                { COUNT, 1, "'x'" },
                { COUNT, 2, "[]" },
                { COUNT, 3, "'2'" },
                { COUNT, 4, "'x'" },
                { CREDENTIALS, 2, "{1: 'x'}" },
                { DELETE, 2, "{2: []}" },
                { DELETE, 2, "{2: {'id': 'x', " CLIENT_PUBLIC_KEY "}}" },
                { DELETE, 2, "{2: {'id': h'00', 'type': 1}}" },
                { UPDATE, 2, "{2: {'id': h'00', " CLIENT_PUBLIC_KEY "}, 3: 1}" },
                { UPDATE, 2, "{2: {'id': h'00', " CLIENT_PUBLIC_KEY "}, 3: {'id': 'x'}}" },
                { UPDATE, 2,
                  "{2: {'id': h'00', " CLIENT_PUBLIC_KEY "}, 3: {'id': h'01', 'name': h'61'}}" },
        };
        struct client *c = *state;
        uint8_t status;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                begin(c, cases[i].sub);
                client_set(c, 4, "h'00'");
                client_set(c, cases[i].key, "%s", cases[i].notation);
                status = client_send(c);
                if (status != CTAP2_ERR_CBOR_UNEXPECTED_TYPE)
                        fail_msg("%zu: status %02x", i, status);
        }
        assert_string_equal(c->fake->trace, "");
}

static void B11_no_subcommand(void **state) {
        struct client *c = *state;

        begin(c, COUNT);
        client_unset(c, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(client_call(c, 0x0a, BYTES_NULL), CTAP2_ERR_MISSING_PARAMETER);
        assert_int_equal(client_call(c, 0x41, BYTES_NULL), CTAP2_ERR_MISSING_PARAMETER);
}

static void B13_unknown_subcommands(void **state) {
        static const char *const numbers[] = { "0", "8", "255", "257", "4294967297", "-1", "-2" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                begin(c, COUNT);
                client_set(c, 1, "%s", numbers[i]);
                assert_int_equal(client_send(c), CTAP2_ERR_INVALID_SUBCOMMAND);
        }
}

/* ---- who is let in ---- */

static void CM1_the_mac_covers_the_parameters_as_they_came(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        begin(c, CREDENTIALS);
        client_set(c, 2, "{1: h'%s', 7: 'more', 'x': {}}", hex_of_hash(c, CLIENT_RP));
        assert_int_equal(send_verified(c), CTAP_OK);

        client_set(c, 2, "{1: h'%s', 7: 'mora', 'x': {}}", hex_of_hash(c, CLIENT_RP));
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        client_set(c, 2, "{1: h'%s'}", hex_of_hash(c, CLIENT_RP));
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static void CM1_without_parameters_it_is_over_the_subcommand_alone(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (unsigned sub = COUNT; sub <= RPS; sub++) {
                begin(c, sub);
                client_verify(c);
                client_set(c, 2, "{1: h'00'}");
                assert_int_equal(client_send(c), CTAP_OK);
        }
        begin(c, COUNT);
        client_verify(c);
        client_set(c, 1, "%u", RPS);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
}

static const unsigned guarded[] = { COUNT, RPS, CREDENTIALS, DELETE, UPDATE };

static void CM2_first_that_there_is_a_param_then_the_rest(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        client_set_pin(c);
        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                const bool takes_params = guarded[i] >= CREDENTIALS;

                begin(c, guarded[i]);
                client_set(c, 3, "9");
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);

                client_set(c, 4, "h'00'");
                assert_int_equal(client_send(c), takes_params ? CTAP2_ERR_MISSING_PARAMETER
                                                              : CTAP1_ERR_INVALID_PARAMETER);
                if (takes_params) {
                        client_set(c, 2, "{}");
                        assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
                }

                ask_for(c, guarded[i], &w.ann);
                client_set(c, 4, "h'00'");
                assert_int_equal(client_send(c), CTAP2_ERR_MISSING_PARAMETER);
                client_set(c, 3, "9");
                assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
                client_set(c, 3, "2");
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_string_equal(c->fake->trace, "");
}

static void CM2_parameters_that_are_incomplete(void **state) {
        static const struct {
                unsigned sub;
                const char *params;
                uint8_t status;
        } cases[] = {
                { CREDENTIALS, "{2: {}}", CTAP2_ERR_MISSING_PARAMETER },
                { CREDENTIALS, "{1: h'00'}", CTAP1_ERR_INVALID_PARAMETER },
                { CREDENTIALS, "{1: h''}", CTAP1_ERR_INVALID_PARAMETER },
                { DELETE, "{1: h'00'}", CTAP2_ERR_MISSING_PARAMETER },
                { DELETE, "{2: {'id': h'00'}}", CTAP2_ERR_MISSING_PARAMETER },
                { DELETE, "{2: {" CLIENT_PUBLIC_KEY "}}", CTAP2_ERR_MISSING_PARAMETER },
                { UPDATE, "{2: {'id': h'00', " CLIENT_PUBLIC_KEY "}}",
                  CTAP2_ERR_MISSING_PARAMETER },
                { UPDATE, "{3: {'id': h'00'}}", CTAP2_ERR_MISSING_PARAMETER },
                { UPDATE, "{2: {'id': h'00', " CLIENT_PUBLIC_KEY "}, 3: {'name': 'x'}}",
                  CTAP2_ERR_MISSING_PARAMETER },
        };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                begin(c, cases[i].sub);
                client_set(c, 2, "%s", cases[i].params);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                client_set(c, 4, "h'00'"); /* bad, as nobody gets to see */
                assert_int_equal(client_send(c), cases[i].status);
        }
}

static void CM2_where_there_is_no_pin_nobody_is_let_in(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                ask_for(c, guarded[i], &w.ann);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                client_set(c, 3, "2");
                client_set(c, 4, "h'%064x'", 0);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_int_equal(c->fake->n_rows, w.n_rows);
}

/* The question whether there is one may cost a try, and nothing here hangs on it. */
static void CM2_whether_there_is_a_pin_is_not_asked(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        c->fake->settings.pin_in_doubt = true;
        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                ask_for(c, guarded[i], &w.ann);
                assert_int_equal(client_send(c), CTAP2_ERR_PUAT_REQUIRED);
                client_set(c, 3, "2");
                client_set(c, 4, "h'00'");
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        assert_int_equal(fake_calls(c->fake, "pin_verify"), 0);
}

static void CM2_a_token_that_does_not_count(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (unsigned flaw = 0; flaw < _CLIENT_FLAWS; flaw++)
                for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                        uint8_t status;

                        ask_for(c, guarded[i], &w.ann);
                        client_verify_badly(c, flaw);
                        status = client_send(c);
                        if (status != CTAP2_ERR_PIN_AUTH_INVALID)
                                fail_msg("flaw %u, subcommand %u: %02x", flaw, guarded[i], status);
                }
        assert_int_equal(c->fake->n_rows, w.n_rows);
}

static void CM3_the_persistent_token_reads(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (unsigned protocol = 1; protocol <= 2; protocol++) {
                use_persistent_token(c, protocol);
                for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                        const bool reads = guarded[i] <= CREDENTIALS;

                        ask_for(c, guarded[i], &w.ann);
                        client_authorize(c);
                        fake_forget_trace(c->fake);
                        assert_int_equal(client_send(c),
                                         reads ? CTAP_OK : CTAP2_ERR_PIN_AUTH_INVALID);
                        assert_int_equal(fake_calls(c->fake, "ticket_check"), 0);
                }
        }
        assert_int_equal(c->fake->n_rows, w.n_rows);
}

static void CM3_each_list_is_read_to_its_end_by_it(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        use_persistent_token(c, 2);
        begin(c, RPS);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        c->fake->epoch++; /* no ticket came with it */
        ctap_end_token(c->ctap);
        begin(c, RPS);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(next(c, NEXT_RP), CTAP_OK);
        c->fake->now_ms += 29999;
        assert_int_equal(next(c, NEXT_RP), CTAP_OK);

        ask_for_credentials(c, CLIENT_RP);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP_OK);
}

static void CM3_one_that_was_given_up_opens_nothing(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        use_persistent_token(c, 2);
        c->fake->settings.persistent_token_epoch++;
        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                ask_for(c, guarded[i], &w.ann);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
}

static void CM3_it_leaves_the_other_token_alone(void **state) {
        struct client *c = *state;
        struct platform ordinary;
        struct world w;

        make_world(c, &w);
        client_get_token(c, 2, CTAP_PERMISSION_CM, NULL);
        ordinary = c->platform;
        use_persistent_token(c, 2);
        begin(c, COUNT);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_false(c->ctap->token.was_used);

        c->platform = ordinary;
        ask_to_delete(c, &w.ann);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
}

static void CP33_a_token_for_one_site_sees_and_changes_only_that_sites_credentials(void **state) {
        struct client *c = *state;
        struct made nothing;
        struct world w;

        make_world(c, &w);
        memset(&nothing, 0, sizeof(nothing));
        nothing.id = BYTES(nothing.reply, CTAP_CREDENTIAL_ID_SIZE);
        client_get_token(c, 2, CTAP_PERMISSION_CM, OTHER_RP);

        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                ask_for(c, guarded[i], &w.ann);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);
        }
        ask_to_delete(c, &nothing); /* no word of what there is elsewhere */
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_PIN_AUTH_INVALID);

        ask_for_credentials(c, OTHER_RP);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_credential(c, &w.other, "cat", 1);
        ask_to_update(c, &w.other, "{'id': h'636174', 'name': 'cat'}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        ask_to_delete(c, &w.other);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(c->fake->n_rows, w.n_rows - 1);
}

static void CP33_managing_binds_a_token_to_no_site(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        client_get_token(c, 2, CTAP_PERMISSION_CM, NULL);
        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                ask_for(c, guarded[i], guarded[i] == DELETE ? &w.other : &w.ann);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP_OK);
                assert_false(c->ctap->token.has_rp);
        }
}

/* ---- what is answered ---- */

static void CM4_how_many_there_are_and_may_be(void **state) {
        struct client *c = *state;
        struct world w;

        begin(c, COUNT);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(reply_map(c).n, 2);
        assert_int_equal(member(c, 1).integer, 0);
        assert_int_equal(member(c, 2).integer, FAKE_ROWS);

        c->fake->settings.pin_length = 0;
        make_world(c, &w);
        begin(c, COUNT);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(member(c, 1).integer, 4);
        assert_int_equal(member(c, 2).integer, FAKE_ROWS - w.n_rows);
}

/* What a list gave, in its order. */
static unsigned read_rps(struct client *c, char names[static 4][32]) {
        unsigned n = 0;

        begin(c, RPS);
        if (send_verified(c) != CTAP_OK)
                return 0;
        do {
                const struct cbor_value rp = member(c, 3);
                const struct bytes id = cbor_find_text(&rp, "id").string;

                assert_in_range(n, 0, 3);
                snprintf(names[n++], 32, "%.*s", (int)id.len, (const char *)id.data);
        } while (next(c, NEXT_RP) == CTAP_OK);
        return n;
}

static void CM5_the_first_site_comes_with_how_many_there_are(void **state) {
        struct client *c = *state;
        const struct ctap_row *first = NULL;
        struct world w;

        begin(c, RPS);
        assert_int_equal(send_verified(c), CTAP2_ERR_NO_CREDENTIALS);
        c->fake->settings.pin_length = 0;
        make_world(c, &w);
        for (uint32_t i = 0; i < c->fake->n_rows; i++)
                if ((c->fake->rows[i].flags & CTAP_ROW_DISCOVERABLE) &&
                    (!first || memcmp(&c->fake->rows[i].rp_tag, &first->rp_tag, 32) < 0))
                        first = &c->fake->rows[i];
        begin(c, RPS);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_rp(c,
                  first == row_of(c, &w.other)   ? OTHER_RP
                  : first == row_of(c, &w.third) ? THIRD_RP
                                                 : CLIENT_RP,
                  3);
}

static void CM6_the_others_come_one_by_one(void **state) {
        struct client *c = *state;
        char names[4][32];
        unsigned seen = 0;
        struct world w;

        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
        make_world(c, &w);
        begin(c, RPS);
        assert_int_equal(send_verified(c), CTAP_OK);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(next(c, NEXT_RP), CTAP_OK);
                assert_int_equal(reply_map(c).n, 2);
        }
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
        assert_string_equal(c->fake->trace, "");
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);

        assert_int_equal(read_rps(c, names), 3);
        for (unsigned i = 0; i < 3; i++)
                seen |= strcmp(names[i], CLIENT_RP) == 0  ? 1u
                        : strcmp(names[i], OTHER_RP) == 0 ? 2u
                        : strcmp(names[i], THIRD_RP) == 0 ? 4u
                                                          : 8u;
        assert_int_equal(seen, 7);
}

static void CM7_the_first_credential_comes_with_how_many_there_are(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        ask_for_credentials(c, "nowhere.example");
        assert_int_equal(send_verified(c), CTAP2_ERR_NO_CREDENTIALS);
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_credential(c, &w.bob, "bob", 2);
        assert_int_equal(reply_map(c).n, 6);
        assert_int_equal(member(c, 0x0a).integer, 1);
        assert_int_equal(member(c, 0x0b).kind, CBOR_KIND_ABSENT);
        assert_int_equal(member(c, 0x0c).kind, CBOR_KIND_BOOL);
        assert_false(member(c, 0x0c).boolean);
}

static void CM7_what_is_known_of_it(void **state) {
        struct client *c = *state;
        struct secret32 key;
        struct world w;

        make_world(c, &w);
        row_of(c, &w.bob)->flags |= CTAP_ROW_LARGE_BLOB_KEY | CTAP_ROW_THIRD_PARTY_PAYMENT;
        row_of(c, &w.bob)->cred_protect = 3; /* a verified person sees them all */
        row_of(c, &w.ann)->cred_protect = 2;
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_credential(c, &w.bob, "bob", 2);
        assert_int_equal(member(c, 0x0a).integer, 3);
        assert_int_equal(ctap_large_blob_key(&c->ctap->credential_keys, &row_of(c, &w.bob)->id,
                                             &key),
                         0);
        assert_bytes_equal(member(c, 0x0b).string, BYTES_OF(key));
        assert_true(member(c, 0x0c).boolean);

        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP_OK);
        assert_credential(c, &w.ann, "ann", 0);
        assert_int_equal(member(c, 0x0a).integer, 2);
        assert_int_equal(member(c, 0x0b).kind, CBOR_KIND_ABSENT);
}

static void CM7_keys_of_every_algorithm(void **state) {
        static const int algorithms[] = { -7, -9, -35, -51, -257 };
        struct client *c = *state;
        struct made made[ELEMENTSOF(algorithms)];

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                const char user[2] = { (char)('a' + i), '\0' };

                client_make_credential(c);
                client_set(c, 3, "{'id': h'%s', 'name': '%s'}", client_hex(c, BYTES(user, 1)),
                           user);
                client_set(c, 4, "[{'alg': %d, " CLIENT_PUBLIC_KEY "}]", algorithms[i]);
                client_set(c, 7, "{'rk': true}");
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made[i]);
        }
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_credential(c, &made[4], "e", 5);
        for (unsigned i = 4; i > 0; i--) {
                const char user[2] = { (char)('a' + i - 1), '\0' };

                assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP_OK);
                assert_credential(c, &made[i - 1], user, 0);
        }
}

static void CM8_the_others_come_one_by_one(void **state) {
        struct client *c = *state;
        struct world w;

        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP2_ERR_NOT_ALLOWED);
        make_world(c, &w);
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP_OK);
        assert_credential(c, &w.ann, "ann", 0);
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP2_ERR_NOT_ALLOWED);
}

static void CM9_a_credential_is_deleted(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        ask_to_delete(c, &w.ann);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(c->body.len, 0);
        assert_null(row_of(c, &w.ann));
        assert_int_equal(c->fake->n_rows, w.n_rows - 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);

        client_get_assertion(c);
        client_set_list(c, 3, &w.ann, 1);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_get_assertion(c);
        client_set_list(c, 3, &w.bob, 1);
        assert_int_equal(client_send(c), CTAP_OK);
}

static void CM9_what_is_not_there_is_not_deleted(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        client_get_token(c, 2, CTAP_PERMISSION_CM, NULL);
        ask_to_delete(c, &w.hidden); /* it is not discoverable */
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        ask_to_delete(c, &w.u2f);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_set(c, 2, "{2: {'id': h'', " CLIENT_PUBLIC_KEY "}}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_set(c, 2, "{2: {'id': h'%s00', " CLIENT_PUBLIC_KEY "}}", client_hex(c, w.ann.id));
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        client_set(c, 2, "{2: {'id': h'%s', 'type': 'other'}}", client_hex(c, w.ann.id));
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_int_equal(c->fake->n_rows, w.n_rows);
}

static void CM10_names_are_changed_and_nothing_else(void **state) {
        struct client *c = *state;
        struct ctap_row before, after;
        struct cbor_value user;
        struct world w;

        make_world(c, &w);
        before = *row_of(c, &w.bob);
        ask_to_update(c, &w.bob,
                      "{'id': h'626f62', 'name': 'bobby', 'displayName': 'Bob Example'}");
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(c->body.len, 0);

        after = *row_of(c, &w.bob);
        memcpy(after.sealed, before.sealed, sizeof(after.sealed));
        after.sealed_len = before.sealed_len;
        assert_memory_equal(&before, &after, sizeof(before));

        ask_for_credentials(c, CLIENT_RP);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        user = member(c, 6);
        assert_int_equal(user.n, 3);
        assert_bytes_equal(cbor_find_text(&user, "id").string, BYTES_TEXT("bob"));
        assert_bytes_equal(cbor_find_text(&user, "name").string, BYTES_TEXT("bobby"));
        assert_bytes_equal(cbor_find_text(&user, "displayName").string, BYTES_TEXT("Bob Example"));
}

static void CM10_a_name_that_is_absent_or_empty_goes(void **state) {
        static const char *const users[] = { "{'id': h'0102'}",
                                             "{'id': h'0102', 'name': '', 'displayName': ''}" };
        struct client *c = *state;

        for (size_t i = 0; i < ELEMENTSOF(users); i++) {
                struct cbor_value user;
                struct made made;

                c->fake->settings.pin_length = 0;
                client_make_credential(c); /* with both names */
                client_set(c, 7, "{'rk': true}");
                assert_int_equal(client_send(c), CTAP_OK);
                client_read_made(c, &made);
                ask_to_update(c, &made, users[i]);
                assert_int_equal(send_verified(c), CTAP_OK);
                ask_for_credentials(c, CLIENT_RP);
                client_authorize(c);
                assert_int_equal(client_send(c), CTAP_OK);
                user = member(c, 6);
                assert_int_equal(user.n, 1);
                assert_bytes_equal(cbor_find_text(&user, "id").string, BYTES("\1\2", 2));
        }
}

static void CM10_only_of_the_same_user_and_only_what_is_there(void **state) {
        struct client *c = *state;
        struct ctap_row before;
        struct world w;

        make_world(c, &w);
        before = *row_of(c, &w.bob);
        client_get_token(c, 2, CTAP_PERMISSION_CM, NULL);
        ask_to_update(c, &w.bob, "{'id': h'626f6262', 'name': 'x'}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        ask_to_update(c, &w.bob, "{'id': h'', 'name': 'x'}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP1_ERR_INVALID_PARAMETER);
        ask_to_update(c, &w.hidden, "{'id': h'64616e', 'name': 'x'}");
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP2_ERR_NO_CREDENTIALS);
        assert_memory_equal(row_of(c, &w.bob), &before, sizeof(before));

        ask_to_update(c, &w.bob, "{'id': h'626f62', 'name': 'x'}");
        client_authorize(c);
        fake_fail(c->fake, "update", 1, -ENOSPC);
        assert_int_equal(client_send(c), CTAP2_ERR_KEY_STORE_FULL);
        assert_memory_equal(row_of(c, &w.bob), &before, sizeof(before));
}

static void CM10_long_names_are_cut_as_they_are_when_made(void **state) {
        struct client *c = *state;
        struct cbor_value user;
        char name[301];
        struct world w;

        make_world(c, &w);
        memset(name, 'n', sizeof(name) - 1);
        name[300] = '\0';
        begin(c, UPDATE);
        client_set(c, 2,
                   "{2: {'id': h'%s', " CLIENT_PUBLIC_KEY "}, 3: {'id': h'626f62', 'name': '%s'}}",
                   client_hex(c, w.bob.id), name);
        assert_int_equal(send_verified(c), CTAP_OK);
        ask_for_credentials(c, CLIENT_RP);
        client_authorize(c);
        assert_int_equal(client_send(c), CTAP_OK);
        user = member(c, 6);
        assert_bytes_equal(cbor_find_text(&user, "name").string, BYTES(name, CTAP_USER_TEXT_MAX));
}

static void CM11_names_come_back_as_they_were_given(void **state) {
        struct client *c = *state;
        struct cbor_value user;

        client_make_credential(c);
        client_set(c, 3, "{'id': h'0102', 'name': '', 'displayName': 'Ann Example'}");
        client_set(c, 7, "{'rk': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP_OK);
        user = member(c, 6);
        assert_int_equal(user.n, 3);
        assert_int_equal(cbor_find_text(&user, "name").kind, CBOR_KIND_TEXT);
        assert_int_equal(cbor_find_text(&user, "name").string.len, 0);
        assert_bytes_equal(cbor_find_text(&user, "displayName").string, BYTES_TEXT("Ann Example"));
}

/* ---- how a list ends ---- */

static void begin_list(struct client *c, unsigned sub) {
        ask_for(c, sub, NULL);
        assert_int_equal(send_verified(c), CTAP_OK);
}

/* A list and its next step. */
static const struct {
        unsigned first, next;
} lists[] = { { RPS, NEXT_RP }, { CREDENTIALS, NEXT_CREDENTIAL } };

static void CM12_any_other_command_ends_it(void **state) {
        static const uint8_t codes[] = {
                0x01, 0x02, 0x04, 0x06, 0x08, 0x09, 0x0a, 0x0b, 0x41, 0xbf
        };
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t l = 0; l < ELEMENTSOF(lists); l++)
                for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
                        begin_list(c, lists[l].first);
                        client_call(c, codes[i], BYTES_NULL);
                        assert_int_equal(next(c, lists[l].next), CTAP2_ERR_NOT_ALLOWED);
                }
}

static void CM12_any_other_subcommand_ends_it(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t l = 0; l < ELEMENTSOF(lists); l++)
                for (unsigned sub = 0; sub <= 9; sub++) {
                        if (sub == lists[l].next)
                                continue;
                        begin_list(c, lists[l].first);
                        begin(c, sub);
                        assert_true(client_send(c) != CTAP_OK);
                        assert_int_equal(next(c, lists[l].next), CTAP2_ERR_NOT_ALLOWED);
                }
        begin_list(c, RPS);
        begin(c, NEXT_RP);
        client_set(c, 4, "1"); /* of the wrong type */
        assert_int_equal(client_send(c), CTAP2_ERR_CBOR_UNEXPECTED_TYPE);
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
}

static void CM12_it_ends_an_enumeration_of_assertions_and_the_other_way_round(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP2_ERR_NOT_ALLOWED);

        /* A credential of the rest is deleted meanwhile. */
        client_get_assertion(c);
        assert_int_equal(client_send(c), CTAP_OK);
        ask_to_delete(c, &w.ann);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(client_call(c, 0x08, BYTES_NULL), CTAP2_ERR_NOT_ALLOWED);
}

static void CM12_a_u2f_message_ends_it(void **state) {
        static const uint8_t version[] = { 0, 3, 0, 0, 0, 0, 0 };
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply = BUF_ON(storage);
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        begin_list(c, RPS);
        ctap_u2f(c->ctap, c->channel, BYTES_OF(version), &reply);
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
}

static void CM12_thirty_seconds_after_the_last_step(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        begin_list(c, RPS);
        c->fake->now_ms += 29999;
        assert_int_equal(next(c, NEXT_RP), CTAP_OK);
        c->fake->now_ms += 29999;
        assert_int_equal(next(c, NEXT_RP), CTAP_OK);
        begin_list(c, CREDENTIALS);
        c->fake->now_ms += 30000;
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP2_ERR_NOT_ALLOWED);
        c->fake->now_ms -= 30000; /* over is over */
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP2_ERR_NOT_ALLOWED);
}

static void CM12_the_end_of_the_token_ends_it(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t l = 0; l < ELEMENTSOF(lists); l++) {
                ask_for(c, lists[l].first, NULL);
                client_verify(c);
                c->ctap->token.was_used = true;
                c->fake->now_ms += 1000 * CTAP_TOKEN_SECONDS - 1;
                assert_int_equal(client_send(c), CTAP_OK);
                c->fake->now_ms += 1;
                assert_int_equal(next(c, lists[l].next), CTAP2_ERR_NOT_ALLOWED);
        }
        begin_list(c, RPS);
        ctap_suspend(c->ctap);
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
}

static void CM12_a_restart_of_the_key_device_ends_it(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t l = 0; l < ELEMENTSOF(lists); l++) {
                begin_list(c, lists[l].first);
                c->fake->epoch++;
                assert_int_equal(next(c, lists[l].next), CTAP2_ERR_PIN_AUTH_INVALID);
                assert_string_equal(c->fake->trace, "ticket_check");
                assert_int_equal(next(c, lists[l].next), CTAP2_ERR_NOT_ALLOWED);
        }
}

static void CM12_another_channel_is_refused_and_disturbs_nothing(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t l = 0; l < ELEMENTSOF(lists); l++) {
                begin_list(c, lists[l].first);
                c->channel++;
                assert_int_equal(next(c, lists[l].next), CTAP2_ERR_NOT_ALLOWED);
                c->channel--;
                assert_int_equal(next(c, lists[l].next), CTAP_OK);
        }
}

static void CM12_nothing_of_it_stays_in_memory(void **state) {
        struct client *c = *state;
        struct ctap_walk nothing;
        struct world w;

        make_world(c, &w);
        begin_list(c, RPS);
        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        memset(&nothing, 0, sizeof(nothing));
        assert_memory_equal(&c->ctap->walk, &nothing, sizeof(nothing));
}

static void CM13_only_discoverable_ones_are_listed(void **state) {
        struct client *c = *state;
        char names[4][32];
        struct made made;

        client_register(c, false, "ann", &made);
        client_u2f_register(c, &made);
        assert_int_equal(read_rps(c, names), 0);
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP2_ERR_NO_CREDENTIALS);
}

static void CM13_the_order_is_the_same_every_time_whatever_goes_meanwhile(void **state) {
        struct client *c = *state;
        char names[4][32], again[4][32];
        struct world w;

        make_world(c, &w);
        assert_int_equal(read_rps(c, names), 3);
        assert_int_equal(read_rps(c, again), 3);
        for (unsigned i = 0; i < 3; i++)
                assert_string_equal(names[i], again[i]);

        /* The owner's tool deletes one between two steps. */
        begin_list(c, RPS);
        fake_delete(c->fake, &row_of(c, strcmp(names[1], OTHER_RP) == 0   ? &w.other
                                        : strcmp(names[1], THIRD_RP) == 0 ? &w.third
                                                                          : &w.ann)
                                      ->id);
        if (strcmp(names[1], CLIENT_RP) == 0)
                fake_delete(c->fake, &row_of(c, &w.bob)->id);
        assert_int_equal(next(c, NEXT_RP), CTAP_OK);
        assert_rp(c, names[2], 0);
        assert_int_equal(next(c, NEXT_RP), CTAP2_ERR_NOT_ALLOWED);
}

static void CM13_a_damaged_row_is_left_out_and_not_counted(void **state) {
        struct client *c = *state;
        char names[4][32];
        struct world w;

        make_world(c, &w);
        damage(c, &w.other);
        damage(c, &w.ann); /* which stands for its site in the store */
        assert_int_equal(read_rps(c, names), 2);
        begin_list(c, RPS);
        assert_int_equal(member(c, 5).integer, 2);
        ask_for_credentials(c, CLIENT_RP);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_credential(c, &w.bob, "bob", 1);
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP2_ERR_NOT_ALLOWED);
        ask_for_credentials(c, OTHER_RP);
        assert_int_equal(send_verified(c), CTAP2_ERR_NO_CREDENTIALS);

        damage(c, &w.bob);
        damage(c, &w.third);
        assert_int_equal(read_rps(c, names), 0);

        /* It still takes room, and who knows its id can delete it. */
        begin(c, COUNT);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_int_equal(member(c, 1).integer, 4);
        ask_to_update(c, &w.bob, "{'id': h'626f62', 'name': 'x'}");
        assert_int_equal(send_verified(c), CTAP1_ERR_OTHER);
        ask_to_delete(c, &w.bob);
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_null(row_of(c, &w.bob));
}

static void CM13_so_is_one_whose_key_is_none(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (unsigned i = 0; i < 4; i++) {
                struct ctap_row *row = row_of(c, &w.bob), before = *row;

                if (i == 0)
                        row->alg = -65535;
                else if (i == 1)
                        row->alg = -35; /* a key of another type */
                else if (i == 2)
                        row->key.data[0] ^= 1;
                else
                        row->key.len = UINT16_MAX;
                ask_for_credentials(c, CLIENT_RP);
                assert_int_equal(send_verified(c), CTAP_OK);
                assert_credential(c, &w.ann, "ann", 1);
                *row = before;
        }
}

/* ---- failures ---- */

static void CM_every_failure_is_an_error_that_changes_nothing(void **state) {
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        for (size_t i = 0; i < ELEMENTSOF(guarded); i++) {
                ask_for(c, guarded[i], guarded[i] == DELETE ? &w.bob : &w.ann);
                client_verify(c);
                assert_true(client_fail_everywhere(c) > 1);
        }
        assert_int_equal(c->fake->n_rows, w.n_rows - 1);
}

static void CM_after_a_failure_a_list_goes_on(void **state) {
        static const char *const calls[] = { "ticket_check", "newest", "public_key" };
        struct client *c = *state;
        struct world w;

        make_world(c, &w);
        begin_list(c, CREDENTIALS);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                fake_fail(c->fake, calls[i], 1, -EIO);
                assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP1_ERR_OTHER);
                assert_false(fake_mend(c->fake));
        }
        assert_int_equal(next(c, NEXT_CREDENTIAL), CTAP_OK);
        assert_credential(c, &w.ann, "ann", 0);

        begin_list(c, RPS);
        fake_fail(c->fake, "next_rp", 1, -EIO);
        assert_int_equal(next(c, NEXT_RP), CTAP1_ERR_OTHER);
        assert_int_equal(next(c, NEXT_RP), CTAP_OK);
}

static void CM_the_old_code_is_answered_alike(void **state) {
        uint8_t copy[CTAP_REPLY_MAX];
        struct client *c = *state;
        struct world w;
        size_t len;

        make_world(c, &w);
        for (size_t l = 0; l < ELEMENTSOF(lists); l++) {
                begin_list(c, lists[l].first);
                len = c->body.len;
                memcpy(copy, c->body.data, len);
                ask_for(c, lists[l].first, NULL);
                c->command = 0x41;
                assert_int_equal(send_verified(c), CTAP_OK);
                assert_bytes_equal(c->body, BYTES(copy, len));
                begin(c, lists[l].next);
                c->command = 0x41;
                assert_int_equal(client_send(c), CTAP_OK);
        }
        ask_to_delete(c, &w.ann);
        c->command = 0x41;
        assert_int_equal(send_verified(c), CTAP_OK);
        assert_null(row_of(c, &w.ann));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(B9_parameters_of_the_wrong_type),
                client_unit_test(B11_no_subcommand),
                client_unit_test(B13_unknown_subcommands),
                client_unit_test(CM1_the_mac_covers_the_parameters_as_they_came),
                client_unit_test(CM1_without_parameters_it_is_over_the_subcommand_alone),
                client_unit_test(CM2_first_that_there_is_a_param_then_the_rest),
                client_unit_test(CM2_parameters_that_are_incomplete),
                client_unit_test(CM2_where_there_is_no_pin_nobody_is_let_in),
                client_unit_test(CM2_whether_there_is_a_pin_is_not_asked),
                client_unit_test(CM2_a_token_that_does_not_count),
                client_unit_test(CM3_the_persistent_token_reads),
                client_unit_test(CM3_each_list_is_read_to_its_end_by_it),
                client_unit_test(CM3_one_that_was_given_up_opens_nothing),
                client_unit_test(CM3_it_leaves_the_other_token_alone),
                client_unit_test(
                        CP33_a_token_for_one_site_sees_and_changes_only_that_sites_credentials),
                client_unit_test(CP33_managing_binds_a_token_to_no_site),
                client_unit_test(CM4_how_many_there_are_and_may_be),
                client_unit_test(CM5_the_first_site_comes_with_how_many_there_are),
                client_unit_test(CM6_the_others_come_one_by_one),
                client_unit_test(CM7_the_first_credential_comes_with_how_many_there_are),
                client_unit_test(CM7_what_is_known_of_it),
                client_unit_test(CM7_keys_of_every_algorithm),
                client_unit_test(CM8_the_others_come_one_by_one),
                client_unit_test(CM9_a_credential_is_deleted),
                client_unit_test(CM9_what_is_not_there_is_not_deleted),
                client_unit_test(CM10_names_are_changed_and_nothing_else),
                client_unit_test(CM10_a_name_that_is_absent_or_empty_goes),
                client_unit_test(CM10_only_of_the_same_user_and_only_what_is_there),
                client_unit_test(CM10_long_names_are_cut_as_they_are_when_made),
                client_unit_test(CM11_names_come_back_as_they_were_given),
                client_unit_test(CM12_any_other_command_ends_it),
                client_unit_test(CM12_any_other_subcommand_ends_it),
                client_unit_test(CM12_it_ends_an_enumeration_of_assertions_and_the_other_way_round),
                client_unit_test(CM12_a_u2f_message_ends_it),
                client_unit_test(CM12_thirty_seconds_after_the_last_step),
                client_unit_test(CM12_the_end_of_the_token_ends_it),
                client_unit_test(CM12_a_restart_of_the_key_device_ends_it),
                client_unit_test(CM12_another_channel_is_refused_and_disturbs_nothing),
                client_unit_test(CM12_nothing_of_it_stays_in_memory),
                client_unit_test(CM13_only_discoverable_ones_are_listed),
                client_unit_test(CM13_the_order_is_the_same_every_time_whatever_goes_meanwhile),
                client_unit_test(CM13_a_damaged_row_is_left_out_and_not_counted),
                client_unit_test(CM13_so_is_one_whose_key_is_none),
                client_unit_test(CM_every_failure_is_an_error_that_changes_nothing),
                client_unit_test(CM_after_a_failure_a_list_goes_on),
                client_unit_test(CM_the_old_code_is_answered_alike),
        };

        return cmocka_run_group_tests_name("credential-management", tests, NULL, NULL);
}
