/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/event.c and followers.c: what is said of what happens, and to whom. */

#include <stdlib.h>
#include <string.h>

#include "authenticator/control.h"
#include "authenticator/event.h"
#include "authenticator/followers.h"
#include "authenticator/util.h"
#include "ctap/cbor.h"
#include "ctap/status.h"
#include "tests/unit/test.h"

/* Takes the event. */
static void assert_event(json_t *event, const char *want) {
        char *text;

        assert_non_null(event);
        text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);
        assert_string_equal(text, want);
        free(text);
        json_decref(event);
}

static void a_question_says_what_is_known(void **state) {
        struct ctap_prompt prompt = { .ask = CTAP_ASK_CREATE,
                                      .rp_id = BYTES_TEXT("a.example"),
                                      .account = BYTES_TEXT("ann") };

        (void)state;
        assert_event(
                event_question(&prompt),
                "{\"type\":\"question\",\"verb\":\"create\",\"passive\":false,\"verify\":false,"
                "\"rp_id\":\"a.example\",\"account\":\"ann\"}");
        prompt = (struct ctap_prompt){
                .ask = CTAP_ASK_MANAGE, .passive = true, .verify = true, .again = true, .tries = 2
        };
        assert_event(event_question(&prompt),
                     "{\"type\":\"question\",\"verb\":\"manage\",\"passive\":true,\"verify\":true,"
                     "\"tries\":2,\"again\":true}");
        prompt = (struct ctap_prompt){ .ask = CTAP_ASK_FORBIDDEN,
                                       .passive = true,
                                       .rp_id = BYTES_TEXT("a.example") };
        assert_event(event_question(&prompt),
                     "{\"type\":\"question\",\"verb\":\"forbidden\",\"passive\":true,"
                     "\"verify\":false,\"rp_id\":\"a.example\"}");
}

static void what_a_site_calls_itself_is_cut_and_made_a_text(void **state) {
        struct ctap_prompt prompt = { .ask = CTAP_ASK_USE, .rp_id = BYTES("a\0b\n", 4) };
        char name[300];
        json_t *event;

        (void)state;
        assert_event(event_question(&prompt),
                     "{\"type\":\"question\",\"verb\":\"use\",\"passive\":false,\"verify\":false,"
                     "\"rp_id\":\"a\\uFFFDb\\n\"}");
        /* The 255th byte is the first of two. */
        for (size_t i = 0; i < sizeof(name) - 1; i++)
                name[i] = i < 254 ? 'x' : i % 2 == 0 ? '\xc3' : '\xa4';
        prompt.rp_id = BYTES(name, sizeof(name) - 2);
        event = event_question(&prompt);
        assert_int_equal(json_string_length(json_object_get(event, "rp_id")), 254);
        json_decref(event);
}

static void each_verdict_has_a_word(void **state) {
        (void)state;
        assert_event(event_verdict(CTAP_ANSWER_YES), "{\"type\":\"verdict\",\"verdict\":\"yes\"}");
        assert_event(event_verdict(CTAP_ANSWER_FINGER),
                     "{\"type\":\"verdict\",\"verdict\":\"yes\"}");
        assert_event(event_verdict(CTAP_ANSWER_NO), "{\"type\":\"verdict\",\"verdict\":\"no\"}");
        assert_event(event_verdict(CTAP_ANSWER_TIMEOUT),
                     "{\"type\":\"verdict\",\"verdict\":\"timeout\"}");
        assert_event(event_verdict(CTAP_ANSWER_CANCELLED),
                     "{\"type\":\"verdict\",\"verdict\":\"cancelled\"}");
}

static void a_command_is_done_with_its_status_and_site(void **state) {
        static const struct {
                const char *request;
                size_t n;
                uint8_t status;
                const char *event;
        } cases[] = {
                { "\x04", 1, 0x00,
                  "{\"type\":\"done\",\"command\":\"getInfo\",\"status\":0,"
                  "\"status_name\":\"CTAP2_OK\"}" },
                { "\x01\xa1\x02\xa1\x62id\x61"
                  "a",
                  9, 0x27,
                  "{\"type\":\"done\",\"command\":\"makeCredential\",\"status\":39,"
                  "\"status_name\":\"CTAP2_ERR_OPERATION_DENIED\",\"rp_id\":\"a\"}" },
                { "\x02\xa1\x01\x61z", 5, 0x2e,
                  "{\"type\":\"done\",\"command\":\"getAssertion\",\"status\":46,"
                  "\"status_name\":\"CTAP2_ERR_NO_CREDENTIALS\",\"rp_id\":\"z\"}" },
                { "\x06\xa1\x0a\x61q", 5, 0x31,
                  "{\"type\":\"done\",\"command\":\"clientPIN\",\"status\":49,"
                  "\"status_name\":\"CTAP2_ERR_PIN_INVALID\",\"rp_id\":\"q\"}" },
                /* A site that is none, of the wrong type, in what is no CBOR. */
                { "\x02\xa1\x01\x01", 4, 0x11,
                  "{\"type\":\"done\",\"command\":\"getAssertion\",\"status\":17,"
                  "\"status_name\":\"CTAP2_ERR_CBOR_UNEXPECTED_TYPE\"}" },
                { "\x01\xa1\x02\xa1\x62id\x01", 8, 0x11,
                  "{\"type\":\"done\",\"command\":\"makeCredential\",\"status\":17,"
                  "\"status_name\":\"CTAP2_ERR_CBOR_UNEXPECTED_TYPE\"}" },
                { "\x02\xa1\x01", 3, 0x12,
                  "{\"type\":\"done\",\"command\":\"getAssertion\",\"status\":18,"
                  "\"status_name\":\"CTAP2_ERR_INVALID_CBOR\"}" },
                { "\x99", 1, 0x01,
                  "{\"type\":\"done\",\"command\":\"unknown\",\"status\":1,"
                  "\"status_name\":\"CTAP1_ERR_INVALID_COMMAND\"}" },
                { "", 0, 0x03,
                  "{\"type\":\"done\",\"command\":\"unknown\",\"status\":3,"
                  "\"status_name\":\"CTAP1_ERR_INVALID_LENGTH\"}" },
                { "\x04", 1, 0xe7,
                  "{\"type\":\"done\",\"command\":\"getInfo\",\"status\":231,"
                  "\"status_name\":\"unknown\"}" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_event(event_ctap_done(BYTES(cases[i].request, cases[i].n),
                                             BYTES(&cases[i].status, 1)),
                             cases[i].event);
        assert_event(event_ctap_done(BYTES("\x07", 1), BYTES_NULL),
                     "{\"type\":\"done\",\"command\":\"reset\",\"status\":127,"
                     "\"status_name\":\"CTAP1_ERR_OTHER\"}");
}

static void a_u2f_message_is_done_with_its_status_word(void **state) {
        (void)state;
        assert_event(event_u2f_done(BYTES("\0\2\3\0", 4), BYTES("\x69\x85", 2)),
                     "{\"type\":\"done\",\"command\":\"u2fAuthenticate\",\"status\":27013,"
                     "\"status_name\":\"SW_CONDITIONS_NOT_SATISFIED\"}");
        assert_event(event_u2f_done(BYTES("\0\1", 2), BYTES("\5more\x90\0", 7)),
                     "{\"type\":\"done\",\"command\":\"u2fRegister\",\"status\":36864,"
                     "\"status_name\":\"SW_NO_ERROR\"}");
        assert_event(event_u2f_done(BYTES_NULL, BYTES_NULL),
                     "{\"type\":\"done\",\"command\":\"unknown\",\"status\":0,"
                     "\"status_name\":\"unknown\"}");
}

/* ---- followers ---- */

struct heard {
        char text[1024];
};

static void hear(void *userdata, uint32_t tag, const char *line) {
        struct heard *h = userdata;
        json_t *root = json_loads(line, 0, NULL), *event = json_object_get(root, "event");
        size_t n = strlen(h->text);

        assert_int_equal(json_integer_value(json_object_get(root, "v")), 1);
        assert_true(json_integer_value(json_object_get(event, "time")) > 1500000000000);
        snprintf(h->text + n, sizeof(h->text) - n, "%u:%s of %d;", (unsigned)tag,
                 json_string_value(json_object_get(event, "type")),
                 (int)json_integer_value(json_object_get(event, "device")));
        json_decref(root);
}

static void who_follows_hears_of_their_devices_until_they_go(void **state) {
        struct heard heard = { "" };
        const struct followers_options options = { .send = hear, .userdata = &heard };
        struct followers *f;

        (void)state;
        assert_int_equal(followers_new(&options, &f), 0);
        assert_false(followers_want(f, 1000, 0));
        followers_add(f, &(struct follower){ .tag = 5, .owner = 1000 });
        followers_add(f, &(struct follower){ .tag = 6, .owner = 1000, .one = true, .device = 1 });
        followers_add(f, &(struct follower){ .tag = 7, .owner = 1001 });
        assert_true(followers_want(f, 1000, 0));
        assert_true(followers_want(f, 1001, 3));
        assert_false(followers_want(f, 1002, 0));

        followers_tell(f, 1000, 0, json_pack("{s:s}", "type", "a"));
        followers_tell(f, 1000, 1, json_pack("{s:s}", "type", "b"));
        followers_tell(f, 1001, 0, json_pack("{s:s}", "type", "c"));
        followers_tell(f, 1002, 0, json_pack("{s:s}", "type", "d"));
        followers_tell(f, 1000, 0, NULL);
        followers_remove(f, 5);
        followers_remove(f, 99);
        followers_tell(f, 1000, 0, json_pack("{s:s}", "type", "e"));
        followers_tell(f, 1000, 1, json_pack("{s:s}", "type", "f"));
        assert_string_equal(heard.text, "5:a of 0;5:b of 1;6:b of 1;7:c of 0;6:f of 1;");
        followers_free(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_question_says_what_is_known),
                cmocka_unit_test(what_a_site_calls_itself_is_cut_and_made_a_text),
                cmocka_unit_test(each_verdict_has_a_word),
                cmocka_unit_test(a_command_is_done_with_its_status_and_site),
                cmocka_unit_test(a_u2f_message_is_done_with_its_status_word),
                cmocka_unit_test(who_follows_hears_of_their_devices_until_they_go),
        };

        return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
