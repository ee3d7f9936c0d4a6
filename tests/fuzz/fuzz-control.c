/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/control.c on any line that a client of the control socket may send. A line is either
 * a request that the code behind can read without checks, or an error with a code; and whatever is
 * answered is one line of JSON that the client can take apart.
 */

#include <string.h>

#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/protocol.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const json_t *params, const char *name, bool required) {
        const json_t *value = json_object_get(params, name);

        require(value || !required);
        require(!value || json_is_string(value));
}

static void check_request(const struct control_request *rq) {
        const json_t *after = json_object_get(rq->params, "after");
        const json_t *before = json_object_get(rq->params, "before");

        require(rq->method && json_is_integer(rq->id));
        require(rq->device < CONFIG_DEVICES_MAX);
        require(json_is_object(rq->params));
        require(!after || json_is_integer(after));
        require(!before || json_is_integer(before));
        check_text(rq->params, "credential",
                   rq->method->call == CONTROL_SHOW || rq->method->call == CONTROL_DELETE);
        if (rq->method->call == CONTROL_BACKUP || rq->method->call == CONTROL_RESTORE)
                require(json_is_integer(json_object_get(rq->params, "offset")));
        check_text(rq->params, "data", rq->method->call == CONTROL_RESTORE);
        if (rq->method->call == CONTROL_SEED)
                require(json_is_array(json_object_get(rq->params, "credentials")));
        check_text(rq->params, "mode", rq->method->call == CONTROL_PRESENCE);
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
