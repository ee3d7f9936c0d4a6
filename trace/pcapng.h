/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A trace for Wireshark: pcapng (draft-ietf-opsawg-pcapng) with packets as usbmon of Linux has them. The
 * device is on no bus; what a USB key would have said of itself comes first, so that its reports are
 * known to be those of a FIDO device, and each message is in the reports that carry it.
 */

#include <stdint.h>
#include <stdio.h>

#include "trace/frame.h"

struct pcapng_identity {
        unsigned device; /* its index; the USB address is one more */
        uint16_t vendor, product;
};

struct pcapng {
        FILE *to; /* borrowed */
        struct pcapng_identity identity;
        uint64_t n_transfers;
};

/* Writes what a file begins with. */
void pcapng_begin(struct pcapng *p, FILE *to, const struct pcapng_identity *identity,
                  uint64_t time_ns);
/* A message of at most HID_MESSAGE_MAX bytes. */
void pcapng_put(struct pcapng *p, const struct trace_frame *f);
