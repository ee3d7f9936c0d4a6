/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/control.c: every way in which a request can be wrong gets its own answer. */

#include <stdlib.h>
#include <string.h>

#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "tests/unit/test.h"

static void assert_refused(const char *line, size_t length, const char *code, json_int_t id) {
        struct control_request rq;
        json_t *error = NULL;

        if (control_parse(BYTES(line, length), &rq, &error))
                fail_msg("taken: %.*s", (int)length, line);
        assert_non_null(error);
        assert_string_equal(json_string_value(
                                    json_object_get(json_object_get(error, "error"), "code")),
                            code);
        if (id == 0)
                assert_null(rq.id);
        else
                assert_int_equal(json_integer_value(rq.id), id);
        json_decref(error);
        control_request_done(&rq);
}

static void garbage_is_no_json(void **state) {
        static const char *const lines[] = { "",         "x",    "{",      "{\"v\":1",
                                             "{\"v\":}", "[[",   "\"\xff", "{\"a\":1,\"a\":2}",
                                             "{}{}",     "1e999" };
        char deep[4000];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                assert_refused(lines[i], strlen(lines[i]), PROTOCOL_E_BAD_JSON, 0);
        memset(deep, '[', sizeof(deep));
        assert_refused(deep, sizeof(deep), PROTOCOL_E_BAD_JSON, 0);
        assert_refused("{\"v\":1}\0", 8, PROTOCOL_E_BAD_JSON, 0);
}

static void members_of_the_wrong_type_are_refused(void **state) {
        static const struct {
                const char *line;
                json_int_t id;
        } cases[] = {
                { "[]", 0 },
                { "{}", 0 },
                { "{\"v\":\"1\",\"id\":5,\"method\":\"status\"}", 5 },
                { "{\"v\":1,\"method\":\"status\"}", 0 },
                { "{\"v\":1,\"id\":\"5\",\"method\":\"status\"}", 0 },
                { "{\"v\":1,\"id\":5}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":7}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"status\",\"params\":[]}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"status\",\"extra\":1}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"status\",\"params\":{\"device\":0}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"list\",\"params\":{\"device\":\"0\"}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"list\",\"params\":{\"device\":-1}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"list\",\"params\":{\"device\":16}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"list\",\"params\":{\"after\":\"x\"}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"list\",\"params\":{\"afte\":1}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"events\",\"params\":{\"before\":\"x\"}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"events\",\"params\":{\"after\":1}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"inventory\",\"params\":{\"after\":true}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"show\"}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"seed\"}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"seed\",\"params\":{\"credentials\":{}}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"credentials\",\"params\":{\"after\":[]}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"show\",\"params\":{\"credential\":7}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"presence\",\"params\":{}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"presence\",\"params\":{\"mode\":\"delay\",\"ms\":\"5\"}}",
                  5 },
                { "{\"v\":1,\"id\":5,\"method\":\"presence\",\"params\":{\"mode\":\"delay\",\"ms\":5.0}}",
                  5 },
                { "{\"v\":1,\"id\":5,\"method\":\"follow\",\"params\":{\"device\":\"all\"}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"follow\",\"params\":{\"events\":[]}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"uv\"}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"uv\",\"params\":{\"result\":true}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"fail-next\"}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"fail-next\",\"params\":{\"status\":\"1\"}}", 5 },
                { "{\"v\":1,\"id\":5,\"method\":\"fail-next\",\"params\":{\"status\":1,\"command\":1}}",
                  5 },
                { "{\"v\":1,\"id\":5,\"method\":\"reset\",\"params\":{\"yes\":true}}", 5 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_refused(cases[i].line, strlen(cases[i].line), PROTOCOL_E_BAD_REQUEST,
                               cases[i].id);
}

static void another_version_is_refused(void **state) {
        const char *line = "{\"v\":2,\"id\":5,\"method\":\"status\"}";

        (void)state;
        assert_refused(line, strlen(line), PROTOCOL_E_BAD_VERSION, 5);
}

static void unknown_method_is_refused(void **state) {
        const char *line = "{\"v\":1,\"id\":5,\"method\":\"sing\"}";

        (void)state;
        assert_refused(line, strlen(line), PROTOCOL_E_UNKNOWN_METHOD, 5);
}

static void a_right_request_is_taken(void **state) {
        const char *line = "{\"v\":1,\"id\":-3,\"method\":\"show\","
                           "\"params\":{\"device\":2,\"credential\":\"ab12\"}}";
        struct control_request rq;
        json_t *error = NULL;

        (void)state;
        assert_true(control_parse(BYTES_TEXT(line), &rq, &error));
        assert_null(error);
        assert_int_equal(json_integer_value(rq.id), -3);
        assert_int_equal(rq.method->call, CONTROL_SHOW);
        assert_true(rq.method->on_worker);
        assert_int_equal(rq.device, 2);
        assert_string_equal(json_string_value(json_object_get(rq.params, "credential")), "ab12");
        control_request_done(&rq);
}

static void secrets_are_texts_and_asked_for_by_name(void **state) {
        static const char *const right[] = {
                "{\"v\":1,\"id\":1,\"method\":\"pin-set\",\"params\":{\"pin\":\"1234\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"pin-change\",\"params\":{\"old\":\"1\",\"pin\":\"2\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"reset\",\"params\":{\"owner_auth\":\"x\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"provision\",\"params\":{\"owner_auth\":\"\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"provision\"}",
                "{\"v\":1,\"id\":1,\"method\":\"presence\",\"params\":{\"mode\":\"pin\",\"pin\":\"1\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"presence\",\"params\":{\"mode\":\"once\"}}",
        };
        static const char *const wrong[] = {
                "{\"v\":1,\"id\":1,\"method\":\"pin-set\"}",
                "{\"v\":1,\"id\":1,\"method\":\"pin-set\",\"params\":{\"pin\":1234}}",
                "{\"v\":1,\"id\":1,\"method\":\"pin-set\",\"params\":{\"pin\":\"1\",\"old\":\"2\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"pin-change\",\"params\":{\"pin\":\"1234\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"reset\",\"params\":{\"owner_auth\":null}}",
                "{\"v\":1,\"id\":1,\"method\":\"tpm\",\"params\":{\"owner_auth\":\"x\"}}",
                "{\"v\":1,\"id\":1,\"method\":\"presence\",\"params\":{\"mode\":\"pin\",\"pin\":1}}",
                "{\"v\":1,\"id\":1,\"method\":\"presence\",\"params\":{\"pin\":\"1234\"}}",
        };
        struct control_request rq;
        json_t *error;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(right); i++) {
                assert_true(control_parse(BYTES_TEXT(right[i]), &rq, &error));
                control_request_done(&rq);
        }
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_refused(wrong[i], strlen(wrong[i]), PROTOCOL_E_BAD_REQUEST, 1);
}

/* Nothing of a line is left in what jansson gave back: whoever gets that memory next looks. */
static void a_secret_is_wiped_with_its_json(void **state) {
        static const char line[] = "{\"v\":1,\"id\":1,\"method\":\"pin-set\",\"params\":{\"pin\":"
                                   "\"a-long-enough-secret-to-be-told-from-what-else-is-there\"}}";
        struct control_request rq;
        json_t *error;
        char *next[64];

        (void)state;
        control_wipe_json();
        assert_true(control_parse(BYTES_TEXT(line), &rq, &error));
        control_request_done(&rq);
        for (size_t i = 0; i < ELEMENTSOF(next); i++) {
                next[i] = malloc(56);
                assert_non_null(next[i]);
                assert_null(memmem(next[i] + 16, 40, "-to-be-told", 11));
        }
        for (size_t i = 0; i < ELEMENTSOF(next); i++)
                free(next[i]);
}

static void params_may_be_absent(void **state) {
        const char *line = "{\"v\":1,\"id\":1,\"method\":\"list\"}";
        struct control_request rq;
        json_t *error = NULL;

        (void)state;
        assert_true(control_parse(BYTES_TEXT(line), &rq, &error));
        assert_int_equal(rq.device, 0);
        assert_non_null(rq.params);
        control_request_done(&rq);
}

static void a_request_may_be_about_all_devices(void **state) {
        struct control_request rq;
        json_t *error = NULL;

        (void)state;
        assert_true(
                control_parse(BYTES_TEXT("{\"v\":1,\"id\":1,\"method\":\"follow\"}"), &rq, &error));
        assert_int_equal(rq.method->call, CONTROL_FOLLOW);
        assert_false(rq.has_device);
        control_request_done(&rq);
        assert_true(control_parse(BYTES_TEXT("{\"v\":1,\"id\":1,\"method\":\"follow\",\"params\":"
                                             "{\"device\":0}}"),
                                  &rq, &error));
        assert_true(rq.has_device);
        control_request_done(&rq);
}

/* ---- docs/control.schema.json ---- */

static const char *schema_type(json_type type) {
        switch (type) {
        case JSON_INTEGER:
                return "integer";
        case JSON_STRING:
                return "string";
        case JSON_ARRAY:
                return "array";
        case JSON_OBJECT:
                return "object";
        case JSON_TRUE:
                return "boolean";
        default:
                fail_msg("no field is of type %d", (int)type);
                return NULL;
        }
}

static bool requires(const json_t *params, const char *name) {
        json_t *value;
        size_t i;

        json_array_foreach(json_object_get(params, "required"), i, value) {
                if (strcmp(json_string_value(value), name) == 0)
                        return true;
        }
        return false;
}

static void assert_described(const struct control_method *m, const json_t *params) {
        const json_t *properties = json_object_get(params, "properties");
        const bool of_machine = control_is_of_machine(m);
        size_t n = of_machine ? 0 : m->call == CONTROL_STATUS ? 1 : 2; /* user, device */

        assert_true(json_is_false(json_object_get(params, "additionalProperties")));
        assert_int_equal(json_object_get(properties, "user") != NULL, !of_machine);
        for (const struct control_field *f = m->fields; f->name; f++, n++) {
                const json_t *described = json_object_get(properties, f->name);
                const char *type = json_string_value(json_object_get(described, "type"));

                if (!described || requires(params, f->name) != f->required)
                        fail_msg("%s: \"%s\" is not described, or required or not", m->name,
                                 f->name);
                /* Words are described by all there are. */
                if (type || f->type != JSON_STRING)
                        assert_string_equal(type, schema_type(f->type));
                else
                        assert_true(json_is_array(json_object_get(described, "enum")));
        }
        if (json_object_size(properties) != n)
                fail_msg("%s: %zu members are described and %zu taken", m->name,
                         json_object_size(properties), n);
}

static void the_schema_describes_the_table_of_methods(void **state) {
        _cleanup_(json_drop) json_t *schema = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, NULL);
        const json_t *described;
        const struct control_method *methods;
        size_t n;

        (void)state;
        assert_non_null(schema);
        described = json_object_get(json_object_get(schema, "$defs"), "methods");
        methods = control_methods(&n);
        assert_int_equal(json_object_size(described), n);
        for (size_t i = 0; i < n; i++) {
                const json_t *method = json_object_get(described, methods[i].name);

                if (!method)
                        fail_msg("%s is not described", methods[i].name);
                assert_described(&methods[i], json_object_get(method, "params"));
                assert_non_null(json_object_get(method, "result"));
        }
}

static void an_event_is_one_line_without_an_id(void **state) {
        _cleanup_(free_pointer) char *line = NULL;

        (void)state;
        line = control_event_line(json_pack("{s:s}", "type", "a\nb"));
        assert_string_equal(line, "{\"v\":1,\"event\":{\"type\":\"a\\nb\"}}\n");
        assert_null(control_event_line(NULL));
}

static void an_answer_is_one_line_with_version_and_id(void **state) {
        _cleanup_(json_drop) json_t *id = json_integer(9);
        _cleanup_(free_pointer) char *result = NULL, *error = NULL;

        (void)state;
        result = control_line(id, control_result(json_pack("{s:s}", "a", "x\ny")));
        assert_string_equal(result, "{\"result\":{\"a\":\"x\\ny\"},\"v\":1,\"id\":9}\n");
        error = control_line(NULL, control_error("bad-json", "why \xff %d", 5));
        assert_string_equal(error, "{\"error\":{\"code\":\"bad-json\",\"message\":\"why ? 5\"},"
                                   "\"v\":1,\"id\":null}\n");
}

static void only_root_and_the_daemon_reach_the_devices_of_all(void **state) {
        (void)state;
        assert_true(control_peer_is_admin(0, 100));
        assert_true(control_peer_is_admin(100, 100));
        assert_false(control_peer_is_admin(1001, 100));
        assert_false(control_peer_is_admin((uid_t)-1, 100));
}

static void a_request_may_say_whose_device_is_meant(void **state) {
        static const char *const wrong[] = { "-1", "4294967295", "4294967296", "\"alice\"",
                                             "1000.0" };
        struct control_request rq;
        char line[128];
        json_t *error;

        (void)state;
        error = NULL;
        assert_true(control_parse(BYTES_TEXT("{\"v\":1,\"id\":1,\"method\":\"status\",\"params\":"
                                             "{\"user\":4294967294}}"),
                                  &rq, &error));
        assert_true(rq.has_user);
        assert_int_equal(rq.user, 4294967294u);
        control_request_done(&rq);
        assert_true(
                control_parse(BYTES_TEXT("{\"v\":1,\"id\":1,\"method\":\"list\"}"), &rq, &error));
        assert_false(rq.has_user);
        control_request_done(&rq);

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                snprintf(line, sizeof(line),
                         "{\"v\":1,\"id\":1,\"method\":\"list\",\"params\":{\"user\":%s}}",
                         wrong[i]);
                assert_false(control_parse(BYTES_TEXT(line), &rq, &error));
                json_decref(error);
                control_request_done(&rq);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(garbage_is_no_json),
                cmocka_unit_test(members_of_the_wrong_type_are_refused),
                cmocka_unit_test(another_version_is_refused),
                cmocka_unit_test(unknown_method_is_refused),
                cmocka_unit_test(a_right_request_is_taken),
                cmocka_unit_test(secrets_are_texts_and_asked_for_by_name),
                cmocka_unit_test(a_secret_is_wiped_with_its_json),
                cmocka_unit_test(params_may_be_absent),
                cmocka_unit_test(a_request_may_be_about_all_devices),
                cmocka_unit_test(the_schema_describes_the_table_of_methods),
                cmocka_unit_test(an_event_is_one_line_without_an_id),
                cmocka_unit_test(an_answer_is_one_line_with_version_and_id),
                cmocka_unit_test(only_root_and_the_daemon_reach_the_devices_of_all),
                cmocka_unit_test(a_request_may_say_whose_device_is_meant),
        };

        return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
