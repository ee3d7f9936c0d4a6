/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/sessions.c: which sessions count for a user, and for what. */

#include "authenticator/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

static const struct session_facts in_front = {
        .of_user = true, .active = true, .on_seat = true, .on_seat0 = true
};

static int setup(void **state) {
        *state = calloc(1, sizeof(struct sessions));
        return *state ? 0 : -1;
}

static int teardown(void **state) {
        sessions_done(*state);
        free(*state);
        return 0;
}

static struct session *list(struct sessions *t, const char *id, uid_t uid) {
        char path[64];
        struct session *s;

        snprintf(path, sizeof(path), "/session/_%s", id);
        assert_int_equal(sessions_list(t, id, uid, path, &s), 0);
        return s;
}

static struct session *add(struct sessions *t, const char *id, uid_t uid,
                           struct session_facts facts) {
        struct session *s = list(t, id, uid);

        assert_true(session_set_facts(s, &facts));
        return s;
}

static void a_session_counts_once_its_facts_are_known(void **state) {
        struct sessions *t = *state;
        struct session *s = list(t, "1", 1000);

        assert_false(sessions_has(t, 1000));
        assert_true(session_set_facts(s, &in_front));
        assert_false(session_set_facts(s, &in_front));
        assert_true(sessions_has(t, 1000));
        assert_true(sessions_is_usable(t, 1000));
        assert_false(sessions_has(t, 1001));
        assert_ptr_equal(sessions_at_path(t, "/session/_1"), s);
        assert_null(sessions_at_path(t, "/session/_2"));
}

static void what_is_not_of_a_user_or_is_closing_does_not_count(void **state) {
        struct sessions *t = *state;

        add(t, "c1", 120, (struct session_facts){ .active = true });
        add(t, "1", 1000,
            (struct session_facts){ .of_user = true, .active = true, .closing = true });
        assert_false(sessions_has(t, 120));
        assert_false(sessions_has(t, 1000));
        assert_false(sessions_is_usable(t, 1000));
        add(t, "2", 1000, in_front);
        assert_true(sessions_is_usable(t, 1000));
}

static void where_no_remote_session_counts_a_local_one_does(void **state) {
        struct session_facts from_elsewhere = { .of_user = true, .active = true, .remote = true };
        struct sessions *t = *state;
        uid_t users[SESSIONS_MAX];
        struct session *s;

        add(t, "1", 1000, from_elsewhere);
        s = add(t, "2", 1001, from_elsewhere);
        add(t, "3", 1001, in_front);
        assert_int_equal(sessions_users(t, users), 2);
        assert_false(sessions_is_turned_away(t, 1000));

        t->no_remote = true;
        assert_false(sessions_has(t, 1000));
        assert_true(sessions_is_turned_away(t, 1000));
        assert_true(sessions_has(t, 1001));
        assert_false(sessions_is_turned_away(t, 1001));
        assert_false(sessions_is_turned_away(t, 1002)); /* who has none at all */
        assert_int_equal(sessions_users(t, users), 1);
        assert_int_equal(users[0], 1001);
        /* A device that is there asks as before. */
        assert_true(sessions_is_usable(t, 1001));
        from_elsewhere.closing = true;
        assert_true(session_set_facts(s, &from_elsewhere));
        assert_true(sessions_has(t, 1001));
}

static void classes_of_users_are_told_from_others(void **state) {
        static const char *const yes[] = { "user", "user-early", "user-light", "user-early-light" };
        static const char *const no[] = { "greeter", "lock-screen",     "background",
                                          "manager", "user-incomplete", "users",
                                          "" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                assert_true(session_class_is_of_user(yes[i]));
        for (size_t i = 0; i < ELEMENTSOF(no); i++)
                assert_false(session_class_is_of_user(no[i]));
}

static void a_session_is_usable_if_it_is_local_in_front_and_not_locked(void **state) {
        struct sessions *t = *state;
        struct session_facts facts;

        for (unsigned bits = 0; bits < 8; bits++) {
                char id[8];

                snprintf(id, sizeof(id), "%u", bits);
                facts = (struct session_facts){ .of_user = true,
                                                .remote = bits & 1,
                                                .active = bits & 2,
                                                .locked = bits & 4,
                                                .on_seat = true };
                add(t, id, 1000 + bits, facts);
                assert_true(sessions_has(t, 1000 + bits));
                assert_int_equal(sessions_is_usable(t, 1000 + bits), bits == 2);
        }
        /* One of several is enough. */
        add(t, "x", 1000, in_front);
        assert_true(sessions_is_usable(t, 1000));
}

static const struct session_facts without_a_seat = { .of_user = true, .active = true };
static const struct session_facts on_vnc = { .of_user = true, .active = true, .graphical = true };

static void a_session_without_a_seat_makes_nobody_usable_who_locked_the_screen(void **state) {
        struct session_facts locked = in_front;
        struct sessions *t = *state;
        struct session *seat;

        locked.locked = true;
        add(t, "1", 1000, without_a_seat);
        assert_true(sessions_has(t, 1000));
        assert_false(sessions_is_usable(t, 1000));

        add(t, "2", 1001, on_vnc);
        assert_true(sessions_is_usable(t, 1001));
        seat = add(t, "3", 1001, locked);
        assert_false(sessions_is_usable(t, 1001));
        assert_true(session_set_facts(seat, &in_front));
        assert_true(sessions_is_usable(t, 1001));
}

static void one_user_is_at_seat0_or_nobody(void **state) {
        struct session_facts locked = in_front, other_seat = in_front, greeter = in_front;
        struct sessions *t = *state;
        struct session *s;
        uid_t uid = 7;

        locked.locked = true;
        other_seat.on_seat0 = false;
        greeter.of_user = false;
        add(t, "1", 1001, without_a_seat);
        add(t, "2", 1001, on_vnc);
        add(t, "3", 1002, other_seat);
        assert_false(sessions_at_seat0(t, &uid));
        s = add(t, "4", 1000, in_front);
        assert_true(sessions_at_seat0(t, &uid));
        assert_int_equal(uid, 1000);
        assert_true(session_set_facts(s, &locked));
        assert_false(sessions_at_seat0(t, &uid));
        assert_true(session_set_facts(s, &greeter));
        assert_false(sessions_at_seat0(t, &uid));

        /* Two at once: one of them is in front no more. */
        assert_true(session_set_facts(s, &in_front));
        s = add(t, "5", 1003, in_front);
        assert_false(sessions_at_seat0(t, &uid));
        assert_true(session_forget_front(s));
        assert_true(sessions_at_seat0(t, &uid));
        assert_int_equal(uid, 1000);
}

static void what_is_not_known_any_more_is_not_in_front(void **state) {
        struct sessions *t = *state;
        struct session *s = add(t, "1", 1000, in_front);

        assert_true(sessions_forget_front(t));
        assert_false(sessions_forget_front(t));
        assert_true(sessions_has(t, 1000));
        assert_false(sessions_is_usable(t, 1000));
        assert_true(session_set_facts(s, &in_front));
        assert_true(sessions_is_usable(t, 1000));
}

static void users_are_listed_once_oldest_first(void **state) {
        struct sessions *t = *state;
        uid_t users[SESSIONS_MAX];

        add(t, "1", 1002, in_front);
        add(t, "2", 1001, in_front);
        add(t, "3", 1002, in_front);
        add(t, "4", 120, (struct session_facts){ .active = true });
        assert_int_equal(sessions_users(t, users), 2);
        assert_int_equal(users[0], 1002);
        assert_int_equal(users[1], 1001);
}

static unsigned n_removed;

static void on_remove(struct session *s) {
        assert_non_null(s->id);
        n_removed++;
}

static void what_a_list_leaves_out_is_removed_at_its_end(void **state) {
        struct sessions *t = *state;

        n_removed = 0;
        t->on_remove = on_remove;
        add(t, "1", 1000, in_front);
        add(t, "2", 1001, in_front);
        list(t, "3", 1002);

        sessions_begin_list(t);
        list(t, "1", 1000);
        assert_true(sessions_has(t, 1001));
        assert_true(sessions_end_list(t));
        assert_int_equal(n_removed, 2);
        assert_true(sessions_has(t, 1000));
        assert_false(sessions_has(t, 1001));

        sessions_begin_list(t);
        list(t, "1", 1000);
        assert_false(sessions_end_list(t));
}

static void an_id_of_another_user_is_another_session(void **state) {
        struct sessions *t = *state;

        add(t, "1", 1000, in_front);
        sessions_begin_list(t);
        list(t, "1", 1001);
        assert_true(sessions_end_list(t));
        assert_false(sessions_has(t, 1000));
        assert_false(sessions_has(t, 1001)); /* its facts are not known */
}

static void the_table_is_bounded(void **state) {
        struct sessions *t = *state;
        struct session *s;
        char id[16];

        for (unsigned i = 0; i < SESSIONS_MAX; i++) {
                snprintf(id, sizeof(id), "%u", i);
                add(t, id, i, in_front);
        }
        assert_int_equal(sessions_list(t, "more", 1, "/more", &s), -ENOSPC);
        assert_int_equal(sessions_list(t, "5", 5, "/session/_5", &s), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_session_counts_once_its_facts_are_known),
                TEST(what_is_not_of_a_user_or_is_closing_does_not_count),
                TEST(where_no_remote_session_counts_a_local_one_does),
                TEST(classes_of_users_are_told_from_others),
                TEST(a_session_is_usable_if_it_is_local_in_front_and_not_locked),
                TEST(a_session_without_a_seat_makes_nobody_usable_who_locked_the_screen),
                TEST(one_user_is_at_seat0_or_nobody),
                TEST(what_is_not_known_any_more_is_not_in_front),
                TEST(users_are_listed_once_oldest_first),
                TEST(what_a_list_leaves_out_is_removed_at_its_end),
                TEST(an_id_of_another_user_is_another_session),
                TEST(the_table_is_bounded),
        };

        return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
