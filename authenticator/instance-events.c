/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What who follows a simulator is told, who is told nothing of a real TPM; and what an administrator
 * finds in the journal, of both.
 */

#include "authenticator/instance-internal.h"

#include "authenticator/event.h"
#include "authenticator/followers.h"
#include "authenticator/protocol.h"

static bool is_followed(const struct instance *i) {
        return i->options.followers && i->facts.simulates &&
               followers_want(i->options.followers, i->options.owner, i->options.index);
}

static void tell(const struct instance *i, json_t *event) {
        followers_tell(i->options.followers, i->options.owner, i->options.index, event);
}

void instance_tell_of_worker(const struct instance *i, struct bytes event) {
        if (is_followed(i))
                tell(i, json_loadb((const char *)event.data, event.len, 0, NULL));
}

void instance_tell_done(const struct instance *i, const struct job *job, struct bytes answer) {
        struct bytes request = BYTES(job->data, job->len);

        if (is_followed(i))
                tell(i, job->type == WORKER_CBOR ? event_ctap_done(request, answer)
                                                 : event_u2f_done(request, answer));
}

void instance_tell_failed(const struct instance *i, struct bytes request, struct bytes answer) {
        json_t *event;

        if (!is_followed(i))
                return;
        event = event_ctap_done(request, answer);
        json_object_set_new(event, "injected", json_true());
        tell(i, event);
}

void instance_tell_plugged(const struct instance *i) {
        if (is_followed(i))
                tell(i, json_pack("{s:s,s:s}", "type", PROTOCOL_EVENT_PLUGGED, "path",
                                  device_path(i->device)));
}

void instance_tell_unplugged(const struct instance *i) {
        if (i->device && is_followed(i))
                tell(i, json_pack("{s:s}", "type", PROTOCOL_EVENT_UNPLUGGED));
}

void instance_audit(const struct instance *i, const struct audit_event *e) {
        struct audit_event of_device = *e;

        of_device.has_user = true;
        of_device.user = i->person;
        of_device.index = i->options.index;
        audit_write(i->options.audit, &of_device);
}

void instance_audit_of_worker(const struct instance *i, struct bytes event) {
        const struct job *job = i->running;
        struct audit_event e;

        if (audit_event_read(event, &e) < 0)
                return;
        e.has_caller = job && job->type == WORKER_CONTROL;
        e.caller = e.has_caller ? job->caller : 0;
        /* Over the control socket only an administrator has one made, and nobody else is asked. */
        if (e.has_caller && e.what == AUDIT_CREATED)
                e.what = AUDIT_REGISTERED;
        instance_audit(i, &e);
}
