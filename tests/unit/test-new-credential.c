/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ctap/new-credential.c for who is no client: what it makes is a credential like those of makeCredential
 * once it is in the store, and nothing before. What makeCredential makes of it is in test-make-credential.c.
 */

#include "ctap/new-credential.h"

#include <errno.h>
#include <string.h>

#include "tests/fake/client.h"
#include "tests/unit/test.h"

#define RESET 0x07

static struct ctap_new_credential alice(const char *rp_id, uint32_t flags) {
        return (struct ctap_new_credential){
                .alg = ctap_cose_find(CTAP_COSE_ES256, ~0u),
                .record = { .rp_id = BYTES_TEXT(rp_id),
                            .user_id = BYTES_TEXT("alice"),
                            .user_name = BYTES_TEXT("Alice"),
                            .has_user_name = true },
                .flags = flags,
        };
}

static struct ctap_row make(struct client *c, const struct ctap_new_credential *what,
                            struct made *ret) {
        static struct ctap_row row; /* ret->id borrows */
        struct ctap_public_key key;

        memset(&row, 0xee, sizeof(row));
        assert_int_equal(ctap_new_credential_make(c->ctap, what, &row, &key), 0);
        *ret = (struct made){ .alg = what->alg->id, .field = 32, .id = BYTES_OF(row.id) };
        memcpy(ret->x, key.x, sizeof(ret->x));
        memcpy(ret->y, key.y, sizeof(ret->y));
        return row;
}

static void insert(struct client *c, const struct ctap_row *row) {
        assert_int_equal(c->fake->store.ops->insert(&c->fake->store, row), 0);
}

static uint8_t sign_in(struct client *c) {
        client_get_assertion(c);
        client_unset(c, 3);
        return client_send(c);
}

static void it_is_a_credential_once_it_is_in_the_store(void **state) {
        const struct ctap_new_credential what = alice(CLIENT_RP, CTAP_ROW_DISCOVERABLE);
        struct client *c = *state;
        struct ctap_row row;
        struct given given;
        struct made made;

        row = make(c, &what, &made);
        assert_int_equal(c->fake->n_rows, 0);
        assert_int_equal(c->fake->n_prompts, 0);
        assert_string_equal(c->fake->trace, "create");
        assert_int_equal(sign_in(c), CTAP2_ERR_NO_CREDENTIALS);
        insert(c, &row);
        assert_int_equal(sign_in(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_bytes_equal(given.id, BYTES_OF(row.id));
        assert_true(given.has_user);
        assert_bytes_equal(given.user_id, BYTES_TEXT("alice"));
}

static void it_has_what_was_asked_for_and_nothing_of_before(void **state) {
        struct ctap_new_credential what = alice(CLIENT_RP, 0);
        const struct sha256 nobody = { { 0 } };
        struct client *c = *state;
        struct ctap_row row, other;
        struct made made;

        row = make(c, &what, &made);
        assert_int_equal(row.flags, 0);
        assert_int_equal(row.cred_protect, 1); /* D1 */
        assert_int_equal(row.class, CTAP_CLASS_A);
        assert_int_equal(row.cred_random.len + row.cred_random_uv.len, 0);
        assert_bytes_equal(BYTES_OF(row.account_tag), BYTES_OF(nobody));
        assert_int_equal(row.count, 0);

        what.flags = CTAP_ROW_DISCOVERABLE | CTAP_ROW_LARGE_BLOB_KEY;
        what.cred_protect = 3;
        what.cred_random = true;
        other = make(c, &what, &made);
        assert_int_equal(other.flags, what.flags);
        assert_int_equal(other.cred_protect, 3);
        assert_int_equal(other.class, CTAP_CLASS_B);
        assert_true(other.cred_random.len > 0 && other.cred_random_uv.len > 0);
        assert_memory_not_equal(other.account_tag.b, nobody.b, sizeof(nobody.b));
        assert_memory_not_equal(row.id.b, other.id.b, sizeof(row.id.b));
        assert_bytes_equal(BYTES_OF(row.rp_tag), BYTES_OF(other.rp_tag));
}

static void the_account_is_told_by_site_and_user_id(void **state) {
        const struct ctap_new_credential here = alice(CLIENT_RP, CTAP_ROW_DISCOVERABLE),
                                         there = alice("other.example", CTAP_ROW_DISCOVERABLE);
        struct ctap_new_credential bob = here;
        struct client *c = *state;
        struct ctap_row one, two, three, four;
        struct made made;

        bob.record.user_id = BYTES_TEXT("bob");
        one = make(c, &here, &made);
        two = make(c, &here, &made);
        three = make(c, &there, &made);
        four = make(c, &bob, &made);
        assert_bytes_equal(BYTES_OF(one.account_tag), BYTES_OF(two.account_tag));
        assert_memory_not_equal(one.account_tag.b, three.account_tag.b, 32);
        assert_memory_not_equal(one.account_tag.b, four.account_tag.b, 32);
}

static void under_always_uv_every_key_takes_the_pin(void **state) {
        const struct ctap_new_credential what = alice(CLIENT_RP, 0);
        struct client *c = *state;
        struct ctap_row row;
        struct made made;

        row = make(c, &what, &made);
        assert_int_equal(row.class, CTAP_CLASS_B);
        assert_int_equal(row.cred_protect, 1);
}

/* A client erased everything, and sent nothing since. */
static void it_is_made_under_the_store_key_of_now(void **state) {
        const struct ctap_new_credential what = alice(CLIENT_RP, CTAP_ROW_DISCOVERABLE);
        struct client *c = *state;
        struct ctap_row row;
        struct given given;
        struct made made;

        assert_int_equal(client_call(c, RESET, BYTES_NULL), CTAP_OK);
        row = make(c, &what, &made);
        insert(c, &row);
        assert_int_equal(sign_in(c), CTAP_OK);
        client_read_given(c, &made, &given);
        assert_bytes_equal(given.id, BYTES_OF(row.id));
}

static void whatever_fails_gives_nothing(void **state) {
        struct ctap_new_credential what = alice(CLIENT_RP, CTAP_ROW_DISCOVERABLE);
        struct client *c = *state;
        unsigned n;

        what.cred_random = true;
        for (n = 1;; n++) {
                struct ctap_row row = { .count = 77 };
                struct ctap_public_key key = { .type = 77 };
                int r;

                fake_fail(c->fake, NULL, n, -EIO);
                r = ctap_new_credential_make(c->ctap, &what, &row, &key);
                if (fake_mend(c->fake)) {
                        assert_int_equal(r, 0);
                        break;
                }
                assert_int_equal(r, -EIO);
                assert_int_equal(row.count, 77);
                assert_int_equal(key.type, 77);
        }
        /* Id and nonce, the key, and a pair of secrets. */
        assert_int_equal(n, 6);
}

static void a_record_that_is_too_long_is_refused(void **state) {
        struct ctap_new_credential what = alice(CLIENT_RP, 0);
        static const uint8_t longest[CTAP_USER_ID_MAX + 1];
        struct client *c = *state;
        struct ctap_public_key key;
        struct ctap_row row;

        what.record.user_id = BYTES_OF(longest);
        assert_int_equal(ctap_new_credential_make(c->ctap, &what, &row, &key), -EMSGSIZE);
        what.flags = CTAP_ROW_DISCOVERABLE;
        assert_int_equal(ctap_new_credential_make(c->ctap, &what, &row, &key), -EMSGSIZE);
        assert_int_equal(fake_calls(c->fake, "create"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                client_unit_test(it_is_a_credential_once_it_is_in_the_store),
                client_unit_test(it_has_what_was_asked_for_and_nothing_of_before),
                client_unit_test(the_account_is_told_by_site_and_user_id),
                always_uv_unit_test(under_always_uv_every_key_takes_the_pin),
                client_unit_test(it_is_made_under_the_store_key_of_now),
                client_unit_test(whatever_fails_gives_nothing),
                client_unit_test(a_record_that_is_too_long_is_refused),
        };

        return cmocka_run_group_tests_name("new-credential", tests, NULL, NULL);
}
