/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A request is an object with exactly v, id, method and params; params holds "user", "device" and what
 * the method's row names, with the types it names. Anything else is refused here, so that the code
 * behind it reads members without checks.
 */

#include "authenticator/control.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/config.h"
#include "authenticator/protocol.h"

static const struct control_field no_fields[] = { { 0 } };
static const struct control_field list_fields[] = { { "after", JSON_INTEGER, false }, { 0 } };
static const struct control_field events_fields[] = { { "before", JSON_INTEGER, false }, { 0 } };
static const struct control_field backup_fields[] = { { "offset", JSON_INTEGER, true },
                                                      { "copy", JSON_INTEGER, false },
                                                      { 0 } };
static const struct control_field restore_fields[] = { { "offset", JSON_INTEGER, true },
                                                       { "size", JSON_INTEGER, true },
                                                       { "data", JSON_STRING, true },
                                                       { 0 } };
static const struct control_field credential_fields[] = { { "credential", JSON_STRING, true },
                                                          { 0 } };
static const struct control_field seed_fields[] = { { "credentials", JSON_ARRAY, true }, { 0 } };
static const struct control_field register_fields[] = { { "options", JSON_OBJECT, true },
                                                        { "origin", JSON_STRING, false },
                                                        { "secret", JSON_STRING, false },
                                                        { 0 } };
static const struct control_field presence_fields[] = { { "mode", JSON_STRING, true },
                                                        { "pin", JSON_STRING, false },
                                                        { "ms", JSON_INTEGER, false },
                                                        { 0 } };

static const struct control_field uv_fields[] = { { "result", JSON_STRING, true }, { 0 } };
static const struct control_field fail_next_fields[] = { { "status", JSON_INTEGER, true },
                                                         { "command", JSON_STRING, false },
                                                         { 0 } };
static const struct control_field follow_fields[] = { { "frames", JSON_TRUE, false },
                                                      { "secrets", JSON_TRUE, false },
                                                      { 0 } };
static const struct control_field owner_fields[] = { { "owner_auth", JSON_STRING, false }, { 0 } };
static const struct control_field pin_set_fields[] = { { "pin", JSON_STRING, true },
                                                       { "enrolment", JSON_TRUE, false },
                                                       { 0 } };
static const struct control_field pin_change_fields[] = { { "old", JSON_STRING, true },
                                                          { "pin", JSON_STRING, true },
                                                          { 0 } };

static const struct control_field request_fields[] = { { "machine", JSON_STRING, false },
                                                       { "renew", JSON_TRUE, false },
                                                       { "owner_auth", JSON_STRING, false },
                                                       { 0 } };
static const struct control_field answer_fields[] = { { "answer", JSON_OBJECT, true }, { 0 } };

static const struct control_method methods[] = {
        { PROTOCOL_STATUS, CONTROL_STATUS, false, false, no_fields },
        { PROTOCOL_LIST, CONTROL_LIST, true, false, list_fields },
        { PROTOCOL_SHOW, CONTROL_SHOW, true, false, credential_fields },
        { PROTOCOL_DELETE, CONTROL_DELETE, true, false, credential_fields },
        { PROTOCOL_CREDENTIALS, CONTROL_CREDENTIALS, true, false, list_fields },
        { PROTOCOL_SEED, CONTROL_SEED, true, true, seed_fields },
        { PROTOCOL_REGISTER, CONTROL_REGISTER, true, false, register_fields },
        { PROTOCOL_INVENTORY, CONTROL_INVENTORY, true, false, list_fields },
        { PROTOCOL_EVENTS, CONTROL_EVENTS, true, false, events_fields },
        { PROTOCOL_BACKUP, CONTROL_BACKUP, true, false, backup_fields },
        { PROTOCOL_RESTORE, CONTROL_RESTORE, true, false, restore_fields },
        { PROTOCOL_RESET, CONTROL_RESET, true, false, owner_fields },
        { PROTOCOL_REPLUG, CONTROL_REPLUG, false, false, no_fields },
        { PROTOCOL_PRESENCE, CONTROL_PRESENCE, false, false, presence_fields },
        { PROTOCOL_DOCTOR, CONTROL_DOCTOR, true, false, no_fields },
        { PROTOCOL_TPM, CONTROL_TPM, true, false, no_fields },
        { PROTOCOL_PIN_STATUS, CONTROL_PIN_STATUS, true, false, no_fields },
        { PROTOCOL_PIN_SET, CONTROL_PIN_SET, true, false, pin_set_fields },
        { PROTOCOL_PIN_CHANGE, CONTROL_PIN_CHANGE, true, false, pin_change_fields },
        { PROTOCOL_PROVISION, CONTROL_PROVISION, false, false, owner_fields },
        { PROTOCOL_FOLLOW, CONTROL_FOLLOW, false, false, follow_fields },
        { PROTOCOL_UV, CONTROL_UV, true, true, uv_fields },
        { PROTOCOL_FAIL_NEXT, CONTROL_FAIL_NEXT, false, true, fail_next_fields },
        { PROTOCOL_ATTESTATION_REQUEST, CONTROL_ATTESTATION_REQUEST, false, false, request_fields },
        { PROTOCOL_ATTESTATION_ACTIVATE, CONTROL_ATTESTATION_ACTIVATE, false, false,
          answer_fields },
        { PROTOCOL_ATTESTATION_INSTALL, CONTROL_ATTESTATION_INSTALL, false, false, answer_fields },
        { PROTOCOL_ATTESTATION_SHOW, CONTROL_ATTESTATION_SHOW, false, false, no_fields },
        { PROTOCOL_ATTESTATION_REMOVE, CONTROL_ATTESTATION_REMOVE, false, false, owner_fields },
};

const struct control_method *control_methods(size_t *ret_n) {
        *ret_n = ELEMENTSOF(methods);
        return methods;
}

bool control_is_of_machine(const struct control_method *method) {
        return method->call >= CONTROL_ATTESTATION_REQUEST &&
               method->call <= CONTROL_ATTESTATION_REMOVE;
}

static void wipe_and_free(void *p) {
        if (p)
                OPENSSL_cleanse(p, malloc_usable_size(p));
        free(p);
}

void control_wipe_json(void) {
        json_set_alloc_funcs(malloc, wipe_and_free);
}

json_t *control_result(json_t *result) {
        return json_pack("{s:o}", "result", result);
}

json_t *control_error(const char *code, const char *format, ...) {
        char message[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        /* A message may quote a client; what is cut in the middle of a character is no JSON. */
        if (!bytes_is_utf8(BYTES_TEXT(message)))
                for (char *p = message; *p; p++)
                        if ((unsigned char)*p >= 0x80)
                                *p = '?';
        return json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message);
}

char *control_line(const json_t *id, json_t *body) {
        char *text, *line = NULL;

        if (!body)
                return NULL;
        if (json_object_set_new(body, "v", json_integer(PROTOCOL_VERSION)) == 0 &&
            json_object_set_new(body, "id", id ? json_deep_copy(id) : json_null()) == 0) {
                text = json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII);
                if (text && asprintf(&line, "%s\n", text) < 0)
                        line = NULL;
                free(text);
        }
        json_decref(body);
        return line;
}

char *control_event_line(json_t *event) {
        _cleanup_(json_drop) json_t *root =
                json_pack("{s:i,s:o}", "v", PROTOCOL_VERSION, "event", event);
        char *text = root ? json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
        char *line = NULL;

        if (text && asprintf(&line, "%s\n", text) < 0)
                line = NULL;
        free(text);
        return line;
}

bool control_is_administrative(const struct control_request *rq) {
        return rq->method->call == CONTROL_REGISTER ||
               (rq->method->call == CONTROL_PIN_SET &&
                json_is_true(json_object_get(rq->params, "enrolment")));
}

bool control_peer_is_admin(uid_t peer, uid_t daemon) {
        return peer == 0 || peer == daemon;
}

void control_request_done(struct control_request *rq) {
        json_decref(rq->id);
        json_decref(rq->params);
        *rq = (struct control_request){ 0 };
}

static json_t *bad(const char *what) {
        return control_error(PROTOCOL_E_BAD_REQUEST, "%s", what);
}

static bool is_one_of(const char *key, const char *const *names) {
        for (; *names; names++)
                if (strcmp(key, *names) == 0)
                        return true;
        return false;
}

/* The members every request has. NULL if they are right, else the error. */
static json_t *check_envelope(json_t *root) {
        static const char *const members[] = { "v", "id", "method", "params", NULL };
        json_t *v = json_object_get(root, "v"), *params = json_object_get(root, "params"), *value;
        const char *key;

        if (!json_is_integer(v))
                return bad("\"v\" must be the protocol version, a number");
        if (json_integer_value(v) != PROTOCOL_VERSION)
                return control_error(PROTOCOL_E_BAD_VERSION,
                                     "this daemon speaks version %d of the control protocol",
                                     PROTOCOL_VERSION);
        if (!json_is_integer(json_object_get(root, "id")))
                return bad("\"id\" must be an integer");
        if (!json_is_string(json_object_get(root, "method")))
                return bad("\"method\" must be a text");
        if (params && !json_is_object(params))
                return bad("\"params\" must be an object");
        json_object_foreach(root, key, value) {
                if (!is_one_of(key, members))
                        return bad("a request has the members v, id, method and params only");
        }
        return NULL;
}

static const struct control_method *method_named(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (strcmp(methods[i].name, name) == 0)
                        return &methods[i];
        return NULL;
}

static const struct control_field *field_named(const struct control_field *fields,
                                               const char *name) {
        for (; fields->name; fields++)
                if (strcmp(fields->name, name) == 0)
                        return fields;
        return NULL;
}

/* The last number stands for no user. */
static bool is_uid(const json_t *value) {
        return json_is_integer(value) && json_integer_value(value) >= 0 &&
               json_integer_value(value) < UINT32_MAX;
}

static bool is_of(const json_t *value, json_type type) {
        return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static json_t *check_params(const struct control_method *method, json_t *params) {
        const struct control_field *f;
        const char *key;
        json_t *value;

        for (f = method->fields; f->name; f++)
                if (f->required && !json_object_get(params, f->name))
                        return control_error(PROTOCOL_E_BAD_REQUEST, "%s needs \"%s\"",
                                             method->name, f->name);

        json_object_foreach(params, key, value) {
                if (strcmp(key, "user") == 0 && !control_is_of_machine(method)) {
                        if (!is_uid(value))
                                return bad("\"user\" must be the number of a user");
                        continue;
                }
                if (strcmp(key, "device") == 0 && method->call != CONTROL_STATUS &&
                    !control_is_of_machine(method)) {
                        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
                            json_integer_value(value) >= CONFIG_DEVICES_MAX)
                                return bad("\"device\" must be the number of a device");
                        continue;
                }
                f = field_named(method->fields, key);
                if (!f)
                        return control_error(PROTOCOL_E_BAD_REQUEST, "%s takes no such parameter",
                                             method->name);
                if (!is_of(value, f->type))
                        return control_error(PROTOCOL_E_BAD_REQUEST, "\"%s\" has the wrong type",
                                             f->name);
        }
        return NULL;
}

static json_t *check(json_t *root, struct control_request *rq) {
        json_t *error, *params;

        if (!json_is_object(root))
                return bad("a request is a JSON object");
        if (json_is_integer(json_object_get(root, "id")))
                rq->id = json_incref(json_object_get(root, "id"));

        error = check_envelope(root);
        if (error)
                return error;

        rq->method = method_named(json_string_value(json_object_get(root, "method")));
        if (!rq->method)
                return control_error(PROTOCOL_E_UNKNOWN_METHOD, "there is no such method");

        params = json_object_get(root, "params");
        rq->params = params ? json_incref(params) : json_object();
        error = check_params(rq->method, rq->params);
        if (error)
                return error;
        rq->device = (unsigned)json_integer_value(json_object_get(rq->params, "device"));
        rq->has_device = json_object_get(rq->params, "device") != NULL;
        rq->has_user = json_object_get(rq->params, "user") != NULL;
        rq->user = (uid_t)json_integer_value(json_object_get(rq->params, "user"));
        return NULL;
}

bool control_parse(struct bytes line, struct control_request *ret, json_t **ret_error) {
        _cleanup_(json_drop) json_t *root = NULL;
        struct control_request rq = { 0 };
        json_error_t where;
        json_t *error;

        root = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &where);
        if (!root)
                error = control_error(PROTOCOL_E_BAD_JSON, "not a line of JSON: %s", where.text);
        else
                error = check(root, &rq);

        *ret = rq;
        if (!error && rq.params)
                return true;
        *ret_error = error;
        return false;
}
