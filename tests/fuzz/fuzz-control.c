/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/control.c on any line that a client of the control socket may send. A line is either
 * a request that the code behind can read without checks, or an error with a code; and whatever is
 * answered is one line of JSON that the client can take apart. So is an event, whatever the client of
 * a key sends.
 */

#include <string.h>

#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/event.h"
#include "authenticator/protocol.h"
#include "tests/fuzz/fuzz.h"

static bool is_of_type(const json_t *value, json_type type) {
        return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

/* What is there is what the table says, and what has to be there is. */
static void check_request(const struct control_request *rq) {
        size_t n = rq->has_device + rq->has_user;

        require(rq->method && json_is_integer(rq->id));
        require(rq->device < CONFIG_DEVICES_MAX);
        require(json_is_object(rq->params));
        require(!rq->has_device || rq->method->call != CONTROL_STATUS);
        for (const struct control_field *f = rq->method->fields; f->name; f++) {
                const json_t *value = json_object_get(rq->params, f->name);

                require(value || !f->required);
                require(!value || is_of_type(value, f->type));
                n += value != NULL;
        }
        require(json_object_size(rq->params) == n);
}

/* Takes the event, which is a line that a follower can take apart. */
static void check_event(json_t *event) {
        char *line;
        json_t *root;

        require(event);
        line = control_event_line(event);
        require(line && strchr(line, '\n') == line + strlen(line) - 1);
        root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        require(json_is_string(json_object_get(json_object_get(root, "event"), "type")));
        json_decref(root);
        free(line);
}

/* The same bytes as a message of a client, and as what a site calls itself. */
static void check_events(struct bytes message) {
        const struct ctap_prompt prompt = {
                .ask = message.len > 0 ? message.data[0] % _CTAP_ASKS : CTAP_ASK_USE,
                .verify = message.len % 2,
                .rp_id = bytes_is_utf8(message) ? message : BYTES_NULL,
                .account = bytes_is_utf8(message) ? message : BYTES_NULL,
        };

        check_event(event_question(&prompt));
        check_event(event_ctap_done(message, message));
        check_event(event_u2f_done(message, message));
}

static void check_error(const json_t *body) {
        static const char *const codes[] = { PROTOCOL_E_BAD_JSON, PROTOCOL_E_BAD_REQUEST,
                                             PROTOCOL_E_BAD_VERSION, PROTOCOL_E_UNKNOWN_METHOD };
        const json_t *error = json_object_get(body, "error");
        const char *code = json_string_value(json_object_get(error, "code"));
        bool known = false;

        require(code && json_is_string(json_object_get(error, "message")));
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                known |= strcmp(code, codes[i]) == 0;
        require(known);
}

/* Takes the body. */
static void check_answer(const json_t *id, json_t *body) {
        char *line = control_line(id, body);
        json_t *again, *back;
        size_t n;

        require(line);
        n = strlen(line);
        require(n > 0 && line[n - 1] == '\n' && strchr(line, '\n') == line + n - 1);
        again = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        require(again);
        back = json_object_get(again, "id");
        require(id ? json_equal(back, id) : json_is_null(back));
        json_decref(again);
        free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct control_request rq = { 0 };
        json_t *error = NULL;

        check_events(BYTES(data, size));
        if (control_parse(BYTES(data, size), &rq, &error)) {
                require(!error);
                check_request(&rq);
                /* A body that quotes all the client said. */
                check_answer(rq.id, control_result(json_incref(rq.params)));
        } else {
                require(error);
                check_error(error);
                check_answer(rq.id, error);
        }
        control_request_done(&rq);
        return 0;
}
