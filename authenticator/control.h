/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The control protocol (protocol.h) with no I/O: a line in, a checked request out; a body in, a line
 * out. What a method needs and where it runs is one table.
 */

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

enum control_call {
        CONTROL_STATUS,
        CONTROL_LIST,
        CONTROL_SHOW,
        CONTROL_DELETE,
        CONTROL_CREDENTIALS,
        CONTROL_SEED,
        CONTROL_REGISTER,
        CONTROL_INVENTORY,
        CONTROL_EVENTS,
        CONTROL_BACKUP,
        CONTROL_RESTORE,
        CONTROL_RESET,
        CONTROL_REPLUG,
        CONTROL_PRESENCE,
        CONTROL_DOCTOR,
        CONTROL_TPM,
        CONTROL_PIN_STATUS,
        CONTROL_PIN_SET,
        CONTROL_PIN_CHANGE,
        CONTROL_PROVISION,
        CONTROL_FOLLOW,
        CONTROL_UV,
        CONTROL_FAIL_NEXT,
        CONTROL_ATTESTATION_REQUEST,
        CONTROL_ATTESTATION_ACTIVATE,
        CONTROL_ATTESTATION_INSTALL,
        CONTROL_ATTESTATION_SHOW,
        CONTROL_ATTESTATION_REMOVE,
};

struct control_field {
        const char *name; /* NULL ends the list */
        json_type type;   /* JSON_TRUE: true or false */
        bool required;
};

struct control_method {
        const char *name;
        enum control_call call;
        bool on_worker; /* it touches a store or a TPM */
        bool simulates; /* it is for a simulator that is ready */
        const struct control_field *fields;
};

struct control_request {
        json_t *id; /* an integer, or null */
        const struct control_method *method;
        unsigned device;
        bool has_device; /* the request says which */
        bool has_user;
        uid_t user;     /* whose device, where the request says it */
        uid_t caller;   /* who asks; set by who read it from a socket */
        json_t *params; /* an object with the method's fields, all of the right type */
};

/* It is for the administrator, and of no device and no user. */
bool control_is_of_machine(const struct control_method *method);

/* Every method there is. "device" and "user" are not among the fields. */
const struct control_method *control_methods(size_t *ret_n);

/*
 * Checks one line (without its newline). True: *ret is the request. False: *ret_error is the body
 * of the answer, or NULL if memory ran out; ret->id is still set, for that answer.
 */
_must_check_ bool control_parse(struct bytes line, struct control_request *ret, json_t **ret_error);
void control_request_done(struct control_request *rq);

/* Bodies: {"result":...}, which takes `result`, and {"error":{...}}. NULL: out of memory. */
json_t *control_result(json_t *result);
json_t *control_error(const char *code, const char *format, ...) _printf_(2, 3);

/* The whole answer as a line with its newline, to be freed. Takes `body`. NULL: out of memory. */
char *control_line(const json_t *id, json_t *body);
/* The same of an event. Takes it. */
char *control_event_line(json_t *event);

/*
 * From now on jansson wipes what it frees: parsed lines hold PINs and passwords. Once per process,
 * before the first thread and the first JSON.
 */
void control_wipe_json(void);

/* It is for administrators, also where it is about a device of the client's own. */
bool control_is_administrative(const struct control_request *rq);
/* Who may look after the devices of all: root and the daemon's own account. */
bool control_peer_is_admin(uid_t peer, uid_t daemon);

static inline void json_drop(json_t **j) {
        json_decref(*j);
}
