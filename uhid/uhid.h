/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual FIDO HID device, over the kernel's uhid or over a socket that carries the same 64-byte
 * reports. Both ends look alike to the caller: a descriptor to poll, reports in, reports out. No
 * event loop, no knowledge of CTAP.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UHID_REPORT_SIZE 64

struct uhid;

struct uhid_identity {
        const char *name; /* what clients show, at most 127 bytes */
        const char *phys; /* "tpmauthn/<instance>", at most 63 bytes */
        const char *uniq; /* the owner's numeric uid, at most 63 bytes */
        uint16_t vendor;
        uint16_t product;
        uint16_t version; /* BCD */
};

/* Not uhid_event_type: that is the kernel's, in a header of the same subject. */
enum uhid_event_kind {
        UHID_NOTHING, /* handled inside, or nothing to read */
        UHID_REPORT,  /* a report from a client */
        UHID_OPENED,  /* the first client opened the node */
        UHID_CLOSED,  /* the last client closed it */
        UHID_GONE,    /* the peer of a socket hung up, or sent an empty packet, which looks alike */
};

struct uhid_event_in {
        enum uhid_event_kind type;
        uint8_t report[UHID_REPORT_SIZE];
};

/*
 * Speaks the uhid protocol on a descriptor, which it owns from then on, also on failure: /dev/uhid,
 * or a SOCK_SEQPACKET socketpair that a test holds the other end of. Creates the device
 * (UHID_CREATE2). 0, -ENOMEM, -EINVAL (an identity that is too long), or the errno of write.
 */
int uhid_new(int fd, const struct uhid_identity *identity, struct uhid **ret);
/* The same on /dev/uhid (or another path); its errors are open()'s. */
int uhid_open(const char *path, const struct uhid_identity *identity, struct uhid **ret);
/*
 * Bare reports on a SOCK_SEQPACKET descriptor: one packet, one report. There is nothing to create.
 * Takes the descriptor, also on failure.
 */
int uhid_new_socket(int fd, struct uhid **ret);
/* Destroys the device and closes the descriptor. NULL is fine. Returns NULL. */
struct uhid *uhid_free(struct uhid *u);

/* Non-blocking; poll it for input. */
int uhid_fd(const struct uhid *u);
/*
 * Reads one event. Call until -EAGAIN: the kernel's queue holds 31 and drops the rest. Answers
 * GET_REPORT and SET_REPORT itself. Reports of 64 bytes, or of 65 with a leading zero, are taken;
 * others are dropped. Negative errno other than -EAGAIN: the device is lost. `report` means something
 * with UHID_REPORT only.
 */
int uhid_receive(struct uhid *u, struct uhid_event_in *ret);
/*
 * Sends one input report. 0 or a negative errno; a short write is -EIO. -EAGAIN: a socket's peer has
 * not read for long; /dev/uhid never says so.
 */
int uhid_send(struct uhid *u, const uint8_t report[static UHID_REPORT_SIZE]);

/* The report descriptor, 34 bytes (CTAP 2.3 §11.2.8.1). */
extern const uint8_t uhid_report_descriptor[];
extern const size_t uhid_report_descriptor_size;
