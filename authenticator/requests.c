/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A user reaches only devices of their own, and those of a seat while they sit there. Who reaches all
 * says whose is meant, unless there is only one owner.
 */

#include "authenticator/requests.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "authenticator/instance.h"
#include "authenticator/protocol.h"
#include "build-config.h"

/* Whose devices a request is about. */
struct scope {
        bool all;
        uid_t owner; /* unless all */
};

/* ---- who may ---- */

static json_t *refuse_absence(enum devices_absence absence, const char *whose) {
        switch (absence) {
        case DEVICES_COMING:
                return control_error(PROTOCOL_E_NOT_READY,
                                     "The device of %s is about to be there; try again.", whose);
        case DEVICES_FULL:
                return control_error(
                        PROTOCOL_E_NO_DEVICE,
                        "All %d devices are taken by other users; %s gets one when one "
                        "of them logs out.",
                        CONFIG_DEVICES_MAX, whose);
        case DEVICES_NO_STORE:
                return control_error(PROTOCOL_E_NOT_FOUND,
                                     "%s never had a passkey here, and is not logged in.", whose);
        case DEVICES_NOT_WANTED:
                break;
        }
        return control_error(PROTOCOL_E_NO_DEVICE,
                             "There is no device of %s here: logind knows of no session.", whose);
}

static json_t *refuse_absent(const struct requests *r, uid_t owner, const char *whose) {
        if (r->users && users_is_turned_away(r->users, owner))
                return control_error(PROTOCOL_E_NO_DEVICE,
                                     "There is no device of %s here: [policy] remote = deny, and "
                                     "all its sessions are from other machines.",
                                     whose);
        return refuse_absence(devices_absence(r->devices, owner), whose);
}

static json_t *refuse_user(const struct requests *r, uid_t uid) {
        uid_t owner;

        for (size_t i = 0; devices_get(r->devices, i, &owner); i++)
                if (owner == uid)
                        return NULL;
        return refuse_absent(r, uid, "your account");
}

json_t *requests_refuse(const struct requests *r, uid_t peer) {
        uid_t at_seat;

        if (control_peer_is_admin(peer, getuid()))
                return NULL;
        switch (devices_kind(r->devices)) {
        case DEVICES_USERS:
                return refuse_user(r, peer);
        case DEVICES_SEAT:
                if (r->users && users_at_seat0(r->users, &at_seat) && at_seat == peer)
                        return NULL;
                return control_error(PROTOCOL_E_NOT_ALLOWED,
                                     "The device is for who sits at this machine, with a session "
                                     "that is in front and not locked.");
        case DEVICES_FIXED:
                break;
        }
        return control_error(PROTOCOL_E_NOT_ALLOWED, "This account may not control the daemon.");
}

/* NULL, or the error. */
static json_t *find_scope(const struct requests *r, uid_t peer, const struct control_request *rq,
                          struct scope *ret) {
        json_t *refusal = requests_refuse(r, peer);

        if (refusal)
                return refusal;
        if (devices_kind(r->devices) == DEVICES_SEAT) {
                *ret = (struct scope){ .all = true };
                return rq->has_user ? control_error(PROTOCOL_E_NO_DEVICE,
                                                    "The devices are of the seat and of no user.")
                                    : NULL;
        }
        if (control_peer_is_admin(peer, getuid())) {
                *ret = (struct scope){ .all = !rq->has_user, .owner = rq->user };
                return NULL;
        }
        if (rq->has_user && rq->user != peer)
                return control_error(PROTOCOL_E_NOT_ALLOWED,
                                     "Only root may look after what other users have.");
        *ret = (struct scope){ .owner = peer };
        return NULL;
}

/* ---- which device ---- */

static bool within(const struct scope *scope, uid_t owner) {
        return scope->all || scope->owner == owner;
}

/* The one whose devices they all are, if there is only one. */
static bool sole_owner(const struct requests *r, uid_t *ret) {
        uid_t first, other;

        if (!devices_get(r->devices, 0, &first))
                return false;
        for (size_t i = 1; devices_get(r->devices, i, &other); i++)
                if (other != first)
                        return false;
        *ret = first;
        return true;
}

static unsigned count_of(const struct requests *r, uid_t owner) {
        unsigned n = 0;

        while (devices_find(r->devices, owner, n))
                n++;
        return n;
}

/* NULL, or the error. */
static json_t *find_owner(const struct requests *r, uid_t peer, const struct control_request *rq,
                          uid_t *ret) {
        struct scope scope;
        json_t *error = find_scope(r, peer, rq, &scope);

        if (error)
                return error;
        if (!scope.all) {
                *ret = scope.owner;
                return NULL;
        }
        if (sole_owner(r, ret))
                return NULL;
        if (!devices_get(r->devices, 0, ret))
                return control_error(PROTOCOL_E_NO_DEVICE,
                                     "There is no device: no user is logged in.");
        return control_error(PROTOCOL_E_NO_DEVICE,
                             "Several users have devices here: say whose, with --user.");
}

/* What an administrator can do for a user who has no session. */
static bool is_for_the_absent(const struct control_request *rq, bool *ret_make) {
        *ret_make = control_is_administrative(rq);
        switch (rq->method->call) {
        case CONTROL_LIST:
        case CONTROL_SHOW:
        case CONTROL_DELETE:
        case CONTROL_CREDENTIALS:
        case CONTROL_INVENTORY:
        case CONTROL_EVENTS:
        case CONTROL_PIN_STATUS:
        case CONTROL_RESET:
                return true;
        default:
                return *ret_make;
        }
}

/* NULL, or the error. */
static json_t *open_store(const struct requests *r, uid_t owner, const struct control_request *rq,
                          bool make, struct instance **ret) {
        enum devices_absence absence;
        char whose[32];

        *ret = devices_open(r->devices, owner, rq->device, make, &absence);
        if (*ret)
                return NULL;
        snprintf(whose, sizeof(whose), "uid %u", (unsigned)owner);
        return refuse_absence(absence, whose);
}

/* NULL, or the error. */
static json_t *find_device(const struct requests *r, uid_t peer, const struct control_request *rq,
                           struct instance **ret) {
        json_t *error;
        char whose[32];
        uid_t owner;
        bool make;

        error = find_owner(r, peer, rq, &owner);
        if (error)
                return error;
        *ret = devices_find(r->devices, owner, rq->device);
        if (*ret)
                return NULL;
        if (count_of(r, owner) == 0 && control_peer_is_admin(peer, getuid()) && rq->has_user &&
            is_for_the_absent(rq, &make))
                return open_store(r, owner, rq, make, ret);
        snprintf(whose, sizeof(whose), "uid %u", (unsigned)owner);
        if (count_of(r, owner) == 0)
                return refuse_absent(r, owner, whose);
        return control_error(PROTOCOL_E_NO_DEVICE, "The last device of %s is number %u.", whose,
                             count_of(r, owner) - 1);
}

/* NULL, or the error. */
static json_t *refuse_reset(const struct requests *r, uid_t peer,
                            const struct control_request *rq) {
        if (rq->method->call != CONTROL_RESET || !r->reset_by_administrator ||
            control_peer_is_admin(peer, getuid()))
                return NULL;
        return control_error(
                PROTOCOL_E_NOT_ALLOWED,
                "[policy] reset = administrator: only root erases all passkeys of this "
                "computer.");
}

/* ---- what it does ---- */

static json_t *status(const struct requests *r, uid_t peer, const struct control_request *rq) {
        json_t *devices, *error;
        struct instance *i;
        struct scope scope;
        uid_t owner;

        error = find_scope(r, peer, rq, &scope);
        if (error)
                return error;
        devices = json_array();
        for (size_t k = 0; (i = devices_get(r->devices, k, &owner)) != NULL; k++)
                if (within(&scope, owner))
                        json_array_append_new(devices, instance_describe(i));
        return control_result(json_pack("{s:s,s:i,s:o}", "version", TPMAUTHN_VERSION, "pid",
                                        (int)getpid(), "devices", devices));
}

/* What goes with a word of presence. */
enum with {
        WITH_NOTHING,
        WITH_PIN,
        WITH_MS,
};

static const struct presence_word {
        const char *name;
        enum presence_inject inject;
        enum with with;
} presence_words[] = {
        { "auto", PRESENCE_INJECT_AUTO, WITH_NOTHING },
        { "deny", PRESENCE_INJECT_DENY, WITH_NOTHING },
        { "ask", PRESENCE_INJECT_ASK, WITH_NOTHING },
        { "once", PRESENCE_INJECT_ONCE, WITH_NOTHING },
        { "no", PRESENCE_INJECT_NO, WITH_NOTHING },
        { "ignore", PRESENCE_INJECT_IGNORE, WITH_NOTHING },
        { "delay", PRESENCE_INJECT_DELAY, WITH_MS },
        { "pin", PRESENCE_INJECT_PIN, WITH_PIN },
        { "pin-once", PRESENCE_INJECT_PIN_ONCE, WITH_PIN },
        { "no-pin", PRESENCE_INJECT_NO_PIN, WITH_NOTHING },
};

/* NULL, or the error: a member is there if and only if the word takes it. */
static json_t *check_with(const struct presence_word *word, const char *name, bool takes,
                          const json_t *value) {
        if (takes == (value != NULL))
                return NULL;
        return control_error(PROTOCOL_E_BAD_REQUEST, "%s %s \"%s\"", word->name,
                             value ? "takes no" : "needs", name);
}

/* NULL, or the error. */
static json_t *read_with(const struct presence_word *word, const json_t *params, struct buf *ret) {
        const json_t *pin = json_object_get(params, "pin"), *ms = json_object_get(params, "ms");
        json_t *error = check_with(word, "pin", word->with == WITH_PIN, pin);

        if (!error)
                error = check_with(word, "ms", word->with == WITH_MS, ms);
        if (error)
                return error;
        if (pin)
                buf_put(ret, BYTES_TEXT(json_string_value(pin)));
        if (pin && (ret->len == 0 || buf_error(ret) < 0))
                return control_error(PROTOCOL_E_BAD_REQUEST, "A PIN has 1 to %d bytes.",
                                     CTAP_PIN_BYTES_MAX);
        if (ms && (json_integer_value(ms) < 0 || json_integer_value(ms) > PROTOCOL_DELAY_MAX_MS))
                return control_error(PROTOCOL_E_BAD_REQUEST, "\"ms\" is from 0 to %d",
                                     PROTOCOL_DELAY_MAX_MS);
        if (ms)
                buf_put_u32(ret, (uint32_t)json_integer_value(ms));
        return NULL;
}

static json_t *say_to_presence(struct instance *i, const struct presence_word *word,
                               const json_t *params) {
        uint8_t storage[CTAP_PIN_BYTES_MAX];
        struct buf with = BUF_ON(storage);
        json_t *error = read_with(word, params, &with);

        if (!error)
                error = instance_inject(i, word->inject, buf_bytes(&with));
        OPENSSL_cleanse(storage, sizeof(storage));
        return error ? error : control_result(json_object());
}

static json_t *set_presence(struct instance *i, const json_t *params) {
        const char *mode = json_string_value(json_object_get(params, "mode"));

        for (size_t k = 0; k < ELEMENTSOF(presence_words); k++)
                if (strcmp(mode, presence_words[k].name) == 0)
                        return say_to_presence(i, &presence_words[k], params);
        return control_error(PROTOCOL_E_BAD_REQUEST,
                             "\"mode\" must be auto, deny, ask, once, no, ignore, delay, pin, "
                             "pin-once or no-pin");
}

/*
 * NULL, or the error: where all are followed, one that is not ready is so from when it is, but there is
 * one that is.
 */
static json_t *refuse_all(const struct requests *r, uid_t owner) {
        struct instance *i;
        json_t *error = NULL;

        for (unsigned k = 0; (i = devices_find(r->devices, owner, k)) != NULL; k++) {
                json_decref(error);
                error = instance_refuse_simulation(i);
                if (!error || instance_state(i) == INSTANCE_READY)
                        break;
        }
        return error;
}

static json_t *describe_followed(const struct requests *r, const struct follower *who) {
        json_t *devices = json_array();
        struct instance *i;

        for (unsigned k = 0; (i = devices_find(r->devices, who->owner, k)) != NULL; k++)
                if (!who->one || who->device == k)
                        json_array_append_new(devices, instance_describe(i));
        return control_result(json_pack("{s:o}", "devices", devices));
}

static void follow(const struct requests *r, uint32_t tag, uid_t peer,
                   const struct control_request *rq) {
        struct follower who = {
                .tag = tag,
                .one = rq->has_device,
                .device = rq->device,
                .frames = json_is_true(json_object_get(rq->params, "frames")),
                .secrets = json_is_true(json_object_get(rq->params, "secrets")),
        };
        struct instance *i = NULL;
        json_t *error;

        error = find_device(r, peer, rq, &i);
        if (!error && who.secrets && !who.frames)
                error = control_error(PROTOCOL_E_BAD_REQUEST, "\"secrets\" are of \"frames\" only");
        if (!error)
                error = find_owner(r, peer, rq, &who.owner);
        if (!error)
                error = rq->has_device ? instance_refuse_simulation(i) : refuse_all(r, who.owner);
        if (error)
                r->answer(r->userdata, tag, error);
        else
                r->follow(r->userdata, &who, describe_followed(r, &who));
}

static json_t *fail_next(struct instance *i, const json_t *params) {
        json_int_t status = json_integer_value(json_object_get(params, "status"));
        const char *command = json_string_value(json_object_get(params, "command"));
        json_t *error = instance_fail_next(i, status, command);

        return error ? error : control_result(json_object());
}

static void provision(struct instance *i, uint32_t tag, const struct control_request *rq) {
        const char *owner_auth = json_string_value(json_object_get(rq->params, "owner_auth"));

        instance_provision(i, tag, rq->caller, owner_auth ? owner_auth : "");
}

static void run_on_machine(const struct requests *r, uint32_t tag, uid_t peer,
                           const struct control_request *rq) {
        if (control_peer_is_admin(peer, getuid()))
                machine_control(r->machine, tag, rq);
        else
                r->answer(r->userdata, tag,
                          control_error(PROTOCOL_E_NOT_ALLOWED,
                                        "Only root may enrol this machine, or look at it."));
}

static void run(const struct requests *r, uint32_t tag, uid_t peer,
                const struct control_request *rq) {
        struct instance *i = NULL;
        json_t *error = NULL;

        if (control_is_of_machine(rq->method)) {
                run_on_machine(r, tag, peer, rq);
                return;
        }
        if (rq->method->call == CONTROL_STATUS) {
                r->answer(r->userdata, tag, status(r, peer, rq));
                return;
        }
        if (rq->method->call == CONTROL_FOLLOW) {
                follow(r, tag, peer, rq);
                return;
        }
        error = find_device(r, peer, rq, &i);
        if (!error)
                error = refuse_reset(r, peer, rq);
        if (!error && rq->method->simulates)
                error = instance_refuse_simulation(i);
        if (error) {
                r->answer(r->userdata, tag, error);
                return;
        }
        if (rq->method->on_worker)
                instance_control(i, tag, rq);
        else if (rq->method->call == CONTROL_PRESENCE)
                r->answer(r->userdata, tag, set_presence(i, rq->params));
        else if (rq->method->call == CONTROL_FAIL_NEXT)
                r->answer(r->userdata, tag, fail_next(i, rq->params));
        else if (rq->method->call == CONTROL_PROVISION)
                provision(i, tag, rq);
        else {
                instance_replug(i);
                r->answer(r->userdata, tag, control_result(instance_describe(i)));
        }
}

void requests_run(const struct requests *r, uint32_t tag, uid_t peer,
                  const struct control_request *rq) {
        json_t *refusal;

        if (control_peer_is_admin(peer, getuid()) || !control_is_administrative(rq)) {
                run(r, tag, peer, rq);
                return;
        }
        refusal = requests_refuse(r, peer);
        if (refusal)
                r->answer(r->userdata, tag, refusal);
        else
                authority_ask(r->authority, tag, peer, r->process_of(r->userdata, tag), rq);
}

/* Who is an administrator for one request runs it as this account would. */
void requests_go_on(const struct requests *r, uint32_t tag, const struct control_request *rq,
                    bool allowed) {
        if (allowed)
                run(r, tag, getuid(), rq);
        else
                r->answer(r->userdata, tag,
                          control_error(PROTOCOL_E_NOT_ALLOWED,
                                        "This is for administrators: root, and who polkit lets "
                                        "(" AUTHORITY_PROVISION ")."));
}
