/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The report descriptor of a FIDO device (CTAP 2.3 §11.2.8.1). Everything that looks for security
 * keys goes by its first two items: udev's fido_id, which opens the node for the user at the seat, and
 * the browsers. No report ids: a report is 64 bytes of payload.
 */

#include "uhid/uhid.h"

const uint8_t uhid_report_descriptor[] = {
        0x06, 0xd0, 0xf1, /* Usage Page (FIDO Alliance, f1d0) */
        0x09, 0x01,       /* Usage (authenticator) */
        0xa1, 0x01,       /* Collection (Application) */
        0x09, 0x20,       /*   Usage (data in: from the device) */
        0x15, 0x00,       /*   Logical Minimum (0) */
        0x26, 0xff, 0x00, /*   Logical Maximum (255) */
        0x75, 0x08,       /*   Report Size (8 bits) */
        0x95, 0x40,       /*   Report Count (64) */
        0x81, 0x02,       /*   Input (Data, Variable, Absolute) */
        0x09, 0x21,       /*   Usage (data out: to the device) */
        0x15, 0x00,       /*   Logical Minimum (0) */
        0x26, 0xff, 0x00, /*   Logical Maximum (255) */
        0x75, 0x08,       /*   Report Size (8 bits) */
        0x95, 0x40,       /*   Report Count (64) */
        0x91, 0x02,       /*   Output (Data, Variable, Absolute) */
        0xc0,             /* End Collection */
};

const size_t uhid_report_descriptor_size = sizeof(uhid_report_descriptor);
