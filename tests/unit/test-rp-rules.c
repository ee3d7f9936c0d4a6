/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/rp-rules.c: what a rule is about, and what lists of them allow. */

#include "ctap/crypto.h"
#include "ctap/rp-rules.h"
#include "tests/unit/test.h"

static void a_rule_names_what_a_browser_could_send(void **state) {
        static const char *const valid[] = { "a",       "example.com", "xn--bcher-kva.example",
                                             "*.a",     "ssh:",        "ssh:*",
                                             "pam://*", "a_b-1",       "io.systemd" };
        static const char *const invalid[] = { "",           "*",   "**",     "*a",
                                               "*.",         "a*",  "a.*",    "a*b",
                                               "*.a*",       "A",   "a b",    "a,b",
                                               "a.example?", "*.*", "ssh:**", "\303\244" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(valid); i++)
                if (!ctap_rp_rule_is_valid(BYTES_TEXT(valid[i])))
                        fail_msg("%s is not valid", valid[i]);
        for (size_t i = 0; i < ELEMENTSOF(invalid); i++)
                if (ctap_rp_rule_is_valid(BYTES_TEXT(invalid[i])))
                        fail_msg("%s is valid", invalid[i]);
}

static void a_rule_covers_what_it_names_and_nothing_else(void **state) {
        static const struct {
                const char *rule, *what;
                bool covers;
        } cases[] = {
                { "example.com", "example.com", true },
                { "example.com", "www.example.com", false },
                { "example.com", "example.comx", false },
                { "example.com", "", false },
                { "*.example.com", "www.example.com", true },
                { "*.example.com", "a.b.example.com", true },
                { "*.example.com", "example.com", false },
                { "*.example.com", "badexample.com", false },
                { "*.example.com", "www.example.com.evil", false },
                { "*.example.com", "m", false },
                { "*.example.com", "*.a.example.com", true },
                { "*.a.example.com", "*.example.com", false },
                { "ssh:*", "ssh:", true },
                { "ssh:*", "ssh:work", true },
                { "ssh:*", "ssh", false },
                { "ssh:*", "notssh:", false },
                { "ssh:", "ssh:work", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (ctap_rp_rule_covers(BYTES_TEXT(cases[i].rule), BYTES_TEXT(cases[i].what)) !=
                    cases[i].covers)
                        fail_msg("%s and %s", cases[i].rule, cases[i].what);
}

static void words_are_taken_off_one_by_one(void **state) {
        const char *list = "  a.b\tc.d ";

        (void)state;
        assert_bytes_equal(ctap_rp_rule_next(&list), BYTES_TEXT("a.b"));
        assert_bytes_equal(ctap_rp_rule_next(&list), BYTES_TEXT("c.d"));
        assert_int_equal(ctap_rp_rule_next(&list).len, 0);
        assert_int_equal(ctap_rp_rule_next(&list).len, 0);
}

static bool allows_hash(const struct ctap_rp_rules *rules, const char *rp_id) {
        const struct bytes id = BYTES_TEXT(rp_id);
        struct sha256 hash;
        bool allowed;

        assert_int_equal(ctap_sha256(&id, 1, &hash), 0);
        assert_int_equal(ctap_rp_rules_allow_hash(rules, &hash, &allowed), 0);
        return allowed;
}

/* By its hash an RP is known to no rule with a star: what that alone allows is not. */
static void what_is_denied_is_so_also_where_it_is_allowed(void **state) {
        static const struct {
                const char *allow, *deny, *rp_id;
                bool allowed, by_hash;
        } cases[] = {
                { NULL, NULL, "a.example", true, true },
                { "", "", "a.example", true, true },
                { " ", " ", "a.example", true, true },
                { "a.example", NULL, "a.example", true, true },
                { "a.example", NULL, "b.example", false, false },
                { "b.example a.example", "", "a.example", true, true },
                { NULL, "a.example", "a.example", false, false },
                { NULL, "a.example", "b.example", true, true },
                { "*.example", "a.example", "a.example", false, false },
                { "*.example", "a.example", "b.example", true, false },
                { "a.example b.example", "c.example b.example", "b.example", false, false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const struct ctap_rp_rules rules = { cases[i].allow, cases[i].deny };

                assert_int_equal(ctap_rp_rules_allow(&rules, BYTES_TEXT(cases[i].rp_id)),
                                 cases[i].allowed);
                assert_int_equal(allows_hash(&rules, cases[i].rp_id), cases[i].by_hash);
        }
}

static void a_star_that_denies_is_told_of(void **state) {
        (void)state;
        assert_false(ctap_rp_rules_deny_by_star(&(struct ctap_rp_rules){ NULL, NULL }));
        assert_false(ctap_rp_rules_deny_by_star(&(struct ctap_rp_rules){ "*.a", "b.a" }));
        assert_true(ctap_rp_rules_deny_by_star(&(struct ctap_rp_rules){ NULL, "b.a *.c" }));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_rule_names_what_a_browser_could_send),
                cmocka_unit_test(a_rule_covers_what_it_names_and_nothing_else),
                cmocka_unit_test(words_are_taken_off_one_by_one),
                cmocka_unit_test(what_is_denied_is_so_also_where_it_is_allowed),
                cmocka_unit_test(a_star_that_denies_is_told_of),
        };

        return cmocka_run_group_tests_name("rp-rules", tests, NULL, NULL);
}
