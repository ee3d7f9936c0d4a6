/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One framed message on the SOCK_SEQPACKET pair between the loop and a worker: a type, a tag (the
 * HID channel or the number of a control request) and a payload. What the types mean is in worker.h.
 */

#include <stddef.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"

#define MESSAGE_HEADER_SIZE 5
#define MESSAGE_PAYLOAD_MAX 65536
#define MESSAGE_MAX         (MESSAGE_HEADER_SIZE + MESSAGE_PAYLOAD_MAX)

struct message {
        uint8_t type;
        uint32_t tag;
        struct bytes payload;
};

/* 0, -EMSGSIZE, or the errno of sendmsg. */
_must_check_ int message_send(int fd, const struct message *m);
/*
 * Receives one message into storage (MESSAGE_MAX bytes), which the payload then borrows from.
 * -EAGAIN: there is none; -EPIPE: the other end is closed; -EMSGSIZE, -EBADMSG: not one of ours.
 */
_must_check_ int message_receive(int fd, struct buf *storage, struct message *ret);
