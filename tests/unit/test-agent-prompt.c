/* SPDX-License-Identifier: BSD-2-Clause */

/* agent/question.c, prompt.c: what is read out of a packet, and the words that a person sees. */

#include <errno.h>
#include <jansson.h>
#include <libintl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "agent/prompt.h"
#include "tests/unit/test.h"

/* A text that nobody writes to, where one is owned otherwise. */
#define TEXT(s) ((char[]){ s })

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

static void parse(const char *text, struct question *ret) {
        json_t *ask = json_loads(text, 0, NULL);

        assert_non_null(ask);
        assert_int_equal(question_parse(ask, ret), 0);
        json_decref(ask);
}

static void assert_no_question(const char *text) {
        struct question q;
        json_t *ask = json_loads(text, 0, NULL);

        assert_non_null(ask);
        assert_int_equal(question_parse(ask, &q), -EBADMSG);
        json_decref(ask);
}

static void a_question_is_read_whole(void **state) {
        struct question q;

        (void)state;
        parse("{\"type\":\"ask\",\"id\":7,\"verb\":\"use\",\"rp_id\":\"example.org\","
              "\"account\":\"alice\",\"accounts\":2,\"passive\":true,\"verify\":true,"
              "\"again\":true,\"tries\":8,\"hold\":5,\"finger\":true,\"timeout\":30000,"
              "\"new\":[]}",
              &q);
        assert_int_equal(q.id, 7);
        assert_int_equal(q.verb, VERB_USE);
        assert_string_equal(q.rp_id, "example.org");
        assert_string_equal(q.account, "alice");
        assert_int_equal(q.accounts, 2);
        assert_true(q.passive && q.verify && q.again);
        assert_int_equal(q.tries, 8);
        assert_int_equal(q.hold_s, 5);
        assert_int_equal(q.finger, FINGER_WAITING);
        assert_int_equal(q.timeout_ms, 30000);
        question_done(&q);

        parse("{\"id\":1,\"verb\":\"manage\"}", &q);
        assert_string_equal(q.rp_id, "");
        assert_false(q.passive || q.verify || q.again);
        assert_int_equal(q.finger, FINGER_NONE);
        question_done(&q);
}

static void what_is_no_question_is_none(void **state) {
        (void)state;
        assert_no_question("{}");
        assert_no_question("[]");
        assert_no_question("{\"verb\":\"use\"}");
        assert_no_question("{\"id\":1}");
        assert_no_question("{\"id\":\"1\",\"verb\":\"use\"}");
        assert_no_question("{\"id\":1,\"verb\":\"steal\"}");
        assert_no_question("{\"id\":1,\"verb\":\"use\",\"rp_id\":7}");
        assert_no_question("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a\",\"verify\":1}");
        assert_no_question("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a\",\"tries\":-1}");
        assert_no_question("{\"id\":1,\"verb\":\"use\",\"tries\":4294967296}");
        assert_no_question("{\"id\":1,\"verb\":\"use\",\"timeout\":1.5}");
}

static void words_of_the_daemon_are_known(void **state) {
        (void)state;
        assert_int_equal(finger_parse("waiting"), FINGER_WAITING);
        assert_int_equal(finger_parse("no-match"), FINGER_NO_MATCH);
        assert_int_equal(finger_parse("retry"), FINGER_RETRY);
        assert_int_equal(finger_parse("match"), FINGER_MATCH);
        assert_int_equal(finger_parse("gone"), FINGER_GONE);
        assert_int_equal(finger_parse("purple"), FINGER_NONE);
        assert_int_equal(withdrawal_parse("finger"), WITHDRAWN_FINGER);
        assert_int_equal(withdrawal_parse("timeout"), WITHDRAWN_TIMEOUT);
        assert_int_equal(withdrawal_parse("locked"), WITHDRAWN_LOCKED);
        assert_int_equal(withdrawal_parse("bored"), WITHDRAWN_CANCELLED);
        for (unsigned i = FINGER_WAITING; i < _FINGERS; i++)
                assert_non_null(prompt_finger((enum finger)i));
        assert_null(prompt_finger(FINGER_NONE));
}

static void assert_text(const char *ask, const struct holders *h, const char *want) {
        struct question q;
        struct prompt p;
        char *text;

        parse(ask, &q);
        prompt_make(&q, "lab", h ? h : &(struct holders){ 0 }, &p);
        text = prompt_text(&p);
        assert_non_null(text);
        assert_string_equal(text, want);
        free(text);
        question_done(&q);
}

static void every_verb_says_what_will_happen(void **state) {
        (void)state;
        assert_text("{\"id\":1,\"verb\":\"create\",\"rp_id\":\"a.b\",\"account\":\"bob\"}", NULL,
                    "Create a passkey for\na.b\nAccount: bob\nComputer: lab");
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a.b\",\"account\":\"bob\","
                    "\"accounts\":2}",
                    NULL,
                    "Use a passkey for\na.b\n"
                    "Account: bob (or another of your accounts there)\nComputer: lab");
        assert_text("{\"id\":1,\"verb\":\"select\",\"rp_id\":\".dummy\"}", NULL,
                    "Use this computer as the security key?\nComputer: lab\n"
                    "Nothing is created and nobody is signed in by this.");
        assert_text("{\"id\":1,\"verb\":\"reset\",\"hold\":5}", NULL,
                    "Erase all passkeys of this computer?\nComputer: lab\n"
                    "Every passkey and the PIN are erased. They cannot be brought back.");
        assert_text("{\"id\":1,\"verb\":\"verify\",\"rp_id\":\"a.b\"}", NULL,
                    "Create or use a passkey for\na.b\nComputer: lab");
        assert_text("{\"id\":1,\"verb\":\"manage\"}", NULL,
                    "Let a program manage your passkeys?\nComputer: lab\n"
                    "It can then see, change and delete all passkeys of this computer, and change "
                    "the settings of this key.");
        assert_text("{\"id\":1,\"verb\":\"use\"}", NULL,
                    "Use a passkey for\na site that was not named\nComputer: lab");
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a.b\",\"passive\":true}", NULL,
                    "Use a passkey for\na.b\nComputer: lab\n"
                    "This is probably meant for another security key.");
        assert_text("{\"id\":1,\"verb\":\"forbidden\",\"rp_id\":\"a.b\",\"passive\":true}", NULL,
                    "No passkeys are allowed here for\na.b\nComputer: lab\n"
                    "Whoever administers this computer does not allow them. Use another security "
                    "key, or end the request here.");
        assert_text("{\"id\":1,\"verb\":\"forbidden\",\"rp_id\":\"ssh:\",\"passive\":true}", NULL,
                    "No passkeys are allowed here for\nSSH key\nComputer: lab\n"
                    "Whoever administers this computer does not allow them. Use another security "
                    "key, or end the request here.");
}

static void the_end_of_a_forbidden_request_is_what_there_is_to_choose(void **state) {
        struct question q;
        struct prompt p;

        (void)state;
        parse("{\"id\":1,\"verb\":\"forbidden\",\"rp_id\":\"a.b\",\"passive\":true}", &q);
        prompt_make(&q, "lab", &(struct holders){ 0 }, &p);
        assert_string_equal(p.confirm, "_End the request");
        assert_string_equal(p.refuse, "_Dismiss");
        question_done(&q);
}

static void ssh_is_called_an_ssh_key(void **state) {
        (void)state;
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"ssh:\"}", NULL,
                    "Use a key:\nSSH key\nComputer: lab");
        assert_text("{\"id\":1,\"verb\":\"create\",\"rp_id\":\"ssh:work\"}", NULL,
                    "Create a key:\nSSH key ssh:work\nComputer: lab");
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"sshd.example\"}", NULL,
                    "Use a passkey for\nsshd.example\nComputer: lab");
}

static void programs_that_may_have_asked_are_named(void **state) {
        const struct holders h = { .n = 2, .names = { "firefox", "ev\xe2\x80\xaeil\n" } };

        (void)state;
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a.b\"}", &h,
                    "Use a passkey for\na.b\nComputer: lab\n"
                    "Probably asked by: firefox, ev" REPLACEMENT "il" REPLACEMENT);
}

static void notes_tell_of_wrong_pins_and_of_the_last_try(void **state) {
        struct question q = {
                .verb = VERB_MANAGE, .rp_id = TEXT(""), .account = TEXT(""), .verify = true
        };
        const struct holders none = { 0 };
        struct prompt p;

        (void)state;
        q.tries = 8;
        prompt_make(&q, "lab", &none, &p);
        assert_string_equal(p.note, "");
        q.again = true;
        q.tries = 3;
        prompt_make(&q, "lab", &none, &p);
        assert_string_equal(p.note, "Wrong PIN. 3 tries are left.");
        q.tries = 1;
        prompt_make(&q, "lab", &none, &p);
        assert_string_equal(p.note, "Wrong PIN. This is the last try: after another wrong PIN none "
                                    "is taken here.");
        q.again = false;
        prompt_make(&q, "lab", &none, &p);
        assert_string_equal(p.note, "This is the last try: after another wrong PIN none is taken "
                                    "here.");
        assert_false(p.is_blocked);
        q.tries = 0;
        prompt_make(&q, "lab", &none, &p);
        assert_true(p.is_blocked);
        assert_non_null(strstr(p.note, "Too many wrong PINs"));
        assert_string_equal(p.refuse, "_Close");
        /* Where no PIN is asked for, how many tries there would be says nothing. */
        q.verify = false;
        prompt_make(&q, "lab", &none, &p);
        assert_false(p.is_blocked);
        assert_string_equal(p.note, "");
}

static void names_can_neither_steer_nor_reorder(void **state) {
        (void)state;
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a\\u001b[2J\\n.b\\u202e\\u009b\","
                    "\"account\":\"m\\u00fcller\\u200b\\u2066\\ufeff\\t\"}",
                    NULL,
                    "Use a passkey for\na" REPLACEMENT "[2J" REPLACEMENT
                    ".b" REPLACEMENT REPLACEMENT
                    "\nAccount: m\xc3\xbcller" REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT
                    "\nComputer: lab");
}

static void long_sites_keep_their_end_and_long_accounts_their_beginning(void **state) {
        char rp[4001], account[4001];
        struct question q = { .verb = VERB_USE, .rp_id = rp, .account = account, .accounts = 2 };
        const struct holders none = { 0 };
        char machine[401];
        struct prompt p;

        (void)state;
        /* Each of these bytes becomes three. */
        memset(rp, 1, sizeof(rp) - 1);
        memcpy(rp + 4000 - 9, ".evil.com", 10);
        memset(account, 1, sizeof(account) - 1);
        account[0] = 'A';
        account[4000] = '\0';
        memset(machine, 1, sizeof(machine) - 1);
        machine[400] = '\0';
        prompt_make(&q, machine, &none, &p);
        assert_int_equal(strncmp(p.site, ELLIPSIS REPLACEMENT, 6), 0);
        assert_string_equal(p.site + strlen(p.site) - 9, ".evil.com");
        assert_int_equal(strlen(p.site), 3 + 3 * (PROMPT_RP_ID_SHOWN - 9) + 9);
        assert_int_equal(strncmp(p.account, "A" REPLACEMENT, 4), 0);
        assert_non_null(strstr(p.account, ELLIPSIS " (or another"));
        assert_int_equal(strlen(p.machine), 3 * PROMPT_MACHINE_SHOWN + 3);
}

static void pins_that_cannot_be_are_known(void **state) {
        char longest[65];

        (void)state;
        memset(longest, '1', sizeof(longest));
        longest[63] = '\0';
        assert_true(prompt_can_be_pin("1234"));
        assert_true(prompt_can_be_pin(longest));
        assert_true(prompt_can_be_pin("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"));
        assert_false(prompt_can_be_pin(""));
        assert_false(prompt_can_be_pin("123"));
        assert_false(prompt_can_be_pin("\xc3\xa4\xc3\xb6"));
        longest[63] = '1';
        longest[64] = '\0';
        assert_false(prompt_can_be_pin(longest));
}

static void marks_of_mnemonics_are_for_buttons_only(void **state) {
        char *plain = prompt_plain("_Use this _computer");

        (void)state;
        assert_string_equal(plain, "Use this computer");
        free(plain);
}

/* The C library looks at LANGUAGE anew when one of the last two is called. */
static void speak(const char *language) {
        if (language)
                setenv("LANGUAGE", language, 1);
        else
                unsetenv("LANGUAGE");
        assert_non_null(setlocale(LC_ALL, language ? "C.UTF-8" : "C"));
        assert_non_null(bindtextdomain("tpmauthn", LOCALES));
        assert_non_null(textdomain("tpmauthn"));
}

/* Each language says something of its own for every verb, and what is a format stays one. */
static void every_language_says_what_will_happen(void **state) {
        static const char *const languages[] = { "de", "fr" };
        const struct holders none = { 0 };
        struct question q = { .rp_id = TEXT("a.b"), .account = TEXT("bob"), .verify = true };
        struct prompt english[_VERBS], p;

        (void)state;
        q.again = true;
        q.tries = 3;
        for (unsigned v = 0; v < _VERBS; v++) {
                q.verb = (enum verb)v;
                prompt_make(&q, "lab", &none, &english[v]);
        }
        for (size_t l = 0; l < ELEMENTSOF(languages); l++) {
                speak(languages[l]);
                for (unsigned v = 0; v < _VERBS; v++) {
                        q.verb = (enum verb)v;
                        prompt_make(&q, "lab", &none, &p);
                        assert_string_not_equal(p.title, english[v].title);
                        assert_string_not_equal(p.headline, english[v].headline);
                        assert_string_not_equal(p.confirm, english[v].confirm);
                        assert_non_null(strchr(p.confirm, '_'));
                        assert_non_null(strchr(p.refuse, '_'));
                        assert_string_not_equal(p.note, english[v].note);
                        assert_non_null(strstr(p.note, " 3 "));
                        assert_string_equal(p.site, english[v].site);
                }
                for (unsigned i = FINGER_WAITING; i < _FINGERS; i++)
                        assert_true(bytes_is_utf8(BYTES_TEXT(prompt_finger((enum finger)i))));
        }
        speak(NULL);
}

static void a_language_is_the_one_that_it_says(void **state) {
        (void)state;
        speak("de");
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"a.b\",\"account\":\"bob\"}", NULL,
                    "Passkey verwenden f\xc3\xbcr\na.b\nKonto: bob\nComputer: lab");
        speak("fr");
        assert_text("{\"id\":1,\"verb\":\"use\",\"rp_id\":\"ssh:\",\"account\":\"bob\"}", NULL,
                    "Utiliser une cl\xc3\xa9\u00a0:\nCl\xc3\xa9 SSH\nCompte\u00a0: bob\n"
                    "Ordinateur\u00a0: lab");
        speak(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_question_is_read_whole),
                cmocka_unit_test(what_is_no_question_is_none),
                cmocka_unit_test(words_of_the_daemon_are_known),
                cmocka_unit_test(every_verb_says_what_will_happen),
                cmocka_unit_test(the_end_of_a_forbidden_request_is_what_there_is_to_choose),
                cmocka_unit_test(ssh_is_called_an_ssh_key),
                cmocka_unit_test(programs_that_may_have_asked_are_named),
                cmocka_unit_test(notes_tell_of_wrong_pins_and_of_the_last_try),
                cmocka_unit_test(names_can_neither_steer_nor_reorder),
                cmocka_unit_test(long_sites_keep_their_end_and_long_accounts_their_beginning),
                cmocka_unit_test(pins_that_cannot_be_are_known),
                cmocka_unit_test(marks_of_mnemonics_are_for_buttons_only),
                cmocka_unit_test(every_language_says_what_will_happen),
                cmocka_unit_test(a_language_is_the_one_that_it_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
