/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A virtual device in the loop: /dev/uhid, or a Unix socket at a path where each connection is a
 * client. Either way reports come in one by one, and what is sent goes to every client.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "uhid/uhid.h"

#define DEVICE_CONNECTIONS_MAX 16

struct device;

struct device_options {
        sd_event *event;
        const char *spec; /* "uhid", "uhid:PATH" or "socket:PATH" */
        unsigned index;   /* above 0: socket:PATH is PATH.index */
        const char *of;   /* whose: socket:PATH is PATH.of, before the index; or NULL */
        struct uhid_identity identity;
        void (*on_report)(void *userdata, const uint8_t report[static UHID_REPORT_SIZE]);
        void (*on_closed)(void *userdata); /* the last client has gone */
        void (*on_gone)(void *userdata);   /* the device is lost; free it later, not in here */
        void *userdata;
};

/* Plugs it in. On failure a negative errno, and what to do in `reason`. */
_must_check_ int device_new(const struct device_options *options, struct device **ret,
                            struct buf *reason);
/* Unplugs it. NULL is fine. Returns NULL. Not from one of its callbacks. */
struct device *device_free(struct device *d);

/* One input report. A client that does not take it is disconnected. */
void device_send(struct device *d, const uint8_t report[static UHID_REPORT_SIZE]);
/* Where clients find it: "/dev/uhid" or the socket's path. */
const char *device_path(const struct device *d);
