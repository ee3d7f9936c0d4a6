/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Fingers of a device's user. The link to the agents knows when one is wanted; fprintd says what becomes
 * of it, and the link tells both the worker and the agent.
 */

#include "authenticator/instance-internal.h"

static void on_wanted(void *userdata, bool wanted) {
        const struct instance *i = userdata;

        fprint_user_want(i->fingers, wanted);
}

static void on_available(void *userdata, bool available) {
        const struct instance *i = userdata;

        if (i->agents)
                agents_link_set_finger(i->agents, available);
}

static void on_finger(void *userdata, enum agent_finger state) {
        const struct instance *i = userdata;

        if (i->agents)
                agents_link_finger(i->agents, state);
}

int instance_add_fingers(struct instance *i, struct agents_link_options *options) {
        const struct fprint_user_options fingers = {
                .id = i->id,
                .on_available = on_available,
                .on_finger = on_finger,
                .userdata = i,
        };

        if (!i->options.fprint)
                return 0;
        options->on_finger = on_wanted;
        options->userdata = i;
        return i->fingers ? 0 : fprint_user_new(i->options.fprint, &fingers, &i->fingers);
}
