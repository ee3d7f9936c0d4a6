/* SPDX-License-Identifier: BSD-2-Clause */

/* What the control socket asks of an instance: how it is, a request for its worker, a word to its presence. */

#include "authenticator/instance-internal.h"

#include <string.h>

#include "authenticator/manage.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "ctap/ctap.h"

static const char *presence_text(const struct instance *i) {
        if (i->presence_now == PRESENCE_INJECT_AUTO)
                return "auto";
        if (i->presence_now == PRESENCE_INJECT_DENY)
                return "deny";
        return presence_mode_to_string(i->config->presence);
}

/* Why clients think that nobody can be verified here; NULL if they think that a person can. */
static const char *why_unverified(const struct instance *i) {
        if (i->plugged_verifies)
                return NULL;
        if (i->verifies)
                return "in a moment: the device is about to be plugged in anew for it";
        if (i->presence_now == PRESENCE_INJECT_DENY || i->config->presence == PRESENCE_DENY)
                return "every question is answered no";
        if (!i->config->presence_verify)
                return "[presence] verify = no";
        if (i->presence_now == PRESENCE_INJECT_ASK && i->config->presence == PRESENCE_TTY)
                return "the terminal hung up; start tpmauthnd on another one";
        if (i->presence_now == PRESENCE_INJECT_ASK && i->config->presence == PRESENCE_AGENT)
                return "no agent that can ask for the PIN is there: tpmauthn-agent must run in the "
                       "session, and that be in front and not locked";
        return "there is no PIN to answer with; to give one: tpmauthn presence pin";
}

static bool offers_finger(const struct instance *i) {
        return !why_unverified(i) && i->fingers && fprint_user_is_available(i->fingers);
}

json_t *instance_describe(const struct instance *i) {
        static const char *const states[] = { "starting", "ready", "failed" };
        const char *state = *i->trouble ? "failed" : states[i->state];
        const char *reason = *i->trouble ? i->trouble : i->reason;
        json_t *j = json_pack("{s:i,s:s,s:s,s:s,s:s}", "device", (int)i->options.index, "id", i->id,
                              "state", state, "presence", presence_text(i), "store", i->store_path);

        if (!j)
                return NULL;
        if (i->options.seat)
                json_object_set_new(j, "seat", json_string(i->options.seat));
        else
                json_object_set_new(j, "user", json_integer(i->options.owner));
        json_object_set_new(j, "usable", json_boolean(i->usable));
        if (*reason)
                json_object_set_new(j, "reason", json_string(reason));
        if (i->wants_owner_auth)
                json_object_set_new(j, "owner_auth_wanted", json_true());
        if (i->state == INSTANCE_READY) {
                json_object_set_new(j, "name", json_string(i->full_name));
                json_object_set_new(j, "path", json_string(device_path(i->device)));
                json_object_set_new(j, "tpm", json_string(i->facts.tpm));
                json_object_set_new(j, "simulator", json_boolean(i->facts.simulator));
                json_object_set_new(j, "pin_kind", json_string(manage_pin_kind(i->facts.pin_kind)));
                json_object_set_new(j, "hmac_kind",
                                    json_string(manage_hmac_kind(i->facts.hmac_kind)));
                json_object_set_new(j, "verify", json_boolean(!why_unverified(i)));
                json_object_set_new(j, "finger", json_boolean(offers_finger(i)));
                if (why_unverified(i))
                        json_object_set_new(j, "verify_off", json_string(why_unverified(i)));
                if (*i->facts.note)
                        json_object_set_new(j, "note", json_string(i->facts.note));
                if (*i->attestation_note)
                        json_object_set_new(j, "attestation_note",
                                            json_string(i->attestation_note));
        }
        return j;
}

static json_t *refuse_unready(const struct instance *i) {
        if (i->state == INSTANCE_READY)
                return NULL;
        return control_error(PROTOCOL_E_NOT_READY, "Device %u is not ready. %s", i->options.index,
                             i->reason);
}

void instance_control(struct instance *i, uint32_t tag, const struct control_request *rq) {
        _cleanup_(free_secret) char *job = NULL;
        const bool will_open = i->unplugged && i->state == INSTANCE_STARTING;
        json_t *error = will_open ? NULL : refuse_unready(i);

        if (!error) {
                job = manage_job(rq);
                /* Written anew, a number may have more digits than the client gave it. */
                if (job && strlen(job) > MESSAGE_PAYLOAD_MAX)
                        error = control_error(PROTOCOL_E_TOO_LONG,
                                              "The parameters are too long for the worker: at most "
                                              "%d bytes, with each number in full.",
                                              MESSAGE_PAYLOAD_MAX);
                else if (!job || instance_add_control(i, tag, rq->caller, BYTES_TEXT(job)) < 0)
                        error = control_error(PROTOCOL_E_BUSY, "Too much waits already.");
                else if (rq->method->call == CONTROL_RESET)
                        i->fail_status = 0;
        }
        if (error)
                i->options.on_answer(i->options.userdata, tag, error);
}

void instance_renew_attestation(struct instance *i) {
        i->attestation_is_due = true;
        instance_follow_presence(i);
}

void instance_forget(struct instance *i, uint32_t tag) {
        for (struct job **at = &i->queue; *at; at = &(*at)->next)
                if ((*at)->type == WORKER_CONTROL && (*at)->tag == tag) {
                        instance_remove_job(i, at);
                        break;
                }
        if (i->provisioning && i->provision_tag == tag)
                i->provisioning = false;
}

static void refuse(struct instance *i, uint32_t tag) {
        i->options.on_answer(i->options.userdata, tag,
                             control_error(PROTOCOL_E_NOT_READY,
                                           "The device has gone with the user's last session."));
}

void instance_refuse_waiting(struct instance *i) {
        if (i->running && i->running->type == WORKER_CONTROL)
                refuse(i, i->running->tag);
        for (const struct job *job = i->queue; job; job = job->next)
                if (job->type == WORKER_CONTROL)
                        refuse(i, job->tag);
        if (i->provisioning)
                refuse(i, i->provision_tag);
        i->provisioning = false;
}

void instance_refuse_queued(struct instance *i) {
        struct job **at = &i->queue;

        while (*at) {
                const uint32_t tag = (*at)->tag;

                if ((*at)->type != WORKER_CONTROL) {
                        at = &(*at)->next;
                        continue;
                }
                instance_remove_job(i, at);
                i->options.on_answer(i->options.userdata, tag, refuse_unready(i));
        }
}

static bool stands_in_for_a_person(enum presence_inject what) {
        switch (what) {
        case PRESENCE_INJECT_ONCE:
        case PRESENCE_INJECT_AUTO:
        case PRESENCE_INJECT_PIN:
        case PRESENCE_INJECT_PIN_ONCE:
        case PRESENCE_INJECT_IGNORE:
        case PRESENCE_INJECT_DELAY:
                return true;
        case PRESENCE_INJECT_NO:
        case PRESENCE_INJECT_DENY:
        case PRESENCE_INJECT_ASK:
        case PRESENCE_INJECT_NO_PIN:
                break;
        }
        return false;
}

static bool is_mode(enum presence_inject what) {
        return what == PRESENCE_INJECT_AUTO || what == PRESENCE_INJECT_DENY ||
               what == PRESENCE_INJECT_ASK;
}

static json_t *refuse_to_simulate(const struct instance *i, const char *what) {
        if (i->facts.simulator)
                return control_error(PROTOCOL_E_NOT_SIMULATOR,
                                     "The TPM of device %u says that it is a simulator, as this "
                                     "machine's own may, and the configuration does not: "
                                     "tpmauthn.conf(5), under [presence] presence.",
                                     i->options.index);
        return control_error(PROTOCOL_E_NOT_SIMULATOR,
                             "Device %u has a real TPM; %s for simulators.", i->options.index,
                             what);
}

json_t *instance_refuse_simulation(const struct instance *i) {
        if (i->state == INSTANCE_READY && !i->facts.simulates)
                return refuse_to_simulate(i, "this is");
        return refuse_unready(i);
}

json_t *instance_inject(struct instance *i, enum presence_inject what, struct bytes with) {
        json_t *error = refuse_unready(i);

        if (error)
                return error;
        if (stands_in_for_a_person(what) && !i->facts.simulates)
                return refuse_to_simulate(i, "auto, once, pin, ignore and delay are");
        if (what == PRESENCE_INJECT_PIN && !i->config->presence_verify)
                return control_error(PROTOCOL_E_NOT_ALLOWED,
                                     "[presence] verify = no: nobody is asked for a PIN here.");
        if (worker_inject(i->worker, what, with) < 0)
                return control_error(PROTOCOL_E_BUSY, "Too many answers wait already.");
        if (is_mode(what))
                i->presence_now = what;
        return NULL;
}

#define GET_INFO 0x04 /* CTAP 2.3 §6 */

/* As ctap_command_name() has it; NULL if no command that may fail is called so. */
static const char *name_of_command(const char *name) {
        for (unsigned code = 0; code <= UINT8_MAX; code++) {
                const char *known = ctap_command_name((uint8_t)code);

                if (known && code != GET_INFO && strcmp(known, name) == 0)
                        return known;
        }
        return NULL;
}

json_t *instance_fail_next(struct instance *i, json_int_t status, const char *command) {
        const char *name = command ? name_of_command(command) : NULL;

        if (status < 0 || status > UINT8_MAX)
                return control_error(PROTOCOL_E_BAD_REQUEST, "\"status\" is from 0 to 255");
        if (command && !name)
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "\"command\" must be one of CTAP2, such as makeCredential, "
                                     "and not getInfo");
        i->fail_status = (uint8_t)status;
        i->fail_command = name;
        return NULL;
}

bool instance_take_failure(struct instance *i, struct bytes request, uint8_t *ret) {
        uint8_t code = request.len > 0 ? request.data[0] : 0;
        const char *name = ctap_command_name(code);

        if (i->fail_status == 0 || request.len == 0 || code == GET_INFO)
                return false;
        if (i->fail_command && (!name || strcmp(i->fail_command, name) != 0))
                return false;
        *ret = i->fail_status;
        i->fail_status = 0;
        return true;
}
