/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the control socket asks of the machine, as against a device: its enrolment (enrolment.h). That
 * takes TPM commands and a disk, so each request has a thread for as long as it runs; and no device, so
 * that it works with nobody logged in.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "authenticator/audit.h"
#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

struct machine;

struct machine_options {
        sd_event *event;
        const struct config *config;
        const struct log *log;
        struct audit *audit; /* NULL: nobody wants to know */
        void (*on_answer)(void *userdata, uint32_t tag, json_t *body); /* takes the body */
        /* The attestation key or its certificates are others: who uses them looks anew. */
        void (*on_attestation)(void *userdata);
        void *userdata;
};

_must_check_ int machine_new(const struct machine_options *options, struct machine **ret);
/* The request is borrowed for the call. One at a time: who comes meanwhile is told that it is busy. */
void machine_control(struct machine *m, uint32_t tag, const struct control_request *rq);
/* True once nothing runs any more. A TPM that hangs holds it for as long. */
_must_check_ bool machine_join(struct machine *m, uint64_t timeout_ms);
/* After machine_join() said true. NULL is fine. Returns NULL. */
struct machine *machine_free(struct machine *m);
