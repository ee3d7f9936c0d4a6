/* SPDX-License-Identifier: BSD-2-Clause */

/* Packets keep their borders, so a frame needs no length: type, tag, and the rest is payload. */

#include "authenticator/message.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

int message_send(int fd, const struct message *m) {
        uint8_t storage[MESSAGE_HEADER_SIZE];
        struct buf header = BUF_ON(storage);
        struct iovec parts[2];
        struct msghdr packet = { .msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts) };
        ssize_t n;

        if (m->payload.len > MESSAGE_PAYLOAD_MAX)
                return -EMSGSIZE;

        buf_put_u8(&header, m->type);
        buf_put_u32(&header, m->tag);
        parts[0] = (struct iovec){ header.data, header.len };
        /* iov_base lacks const for the sake of readv(); sendmsg() does not write there. */
        parts[1] = (struct iovec){ (void *)(uintptr_t)m->payload.data, m->payload.len };

        do
                n = sendmsg(fd, &packet, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);

        return n < 0 ? -errno : 0;
}

int message_receive(int fd, struct buf *storage, struct message *ret) {
        struct iovec part = { storage->data, storage->cap };
        struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
        struct message m;
        struct cursor c;
        ssize_t n;

        do
                n = recvmsg(fd, &packet, 0);
        while (n < 0 && errno == EINTR);

        if (n < 0)
                return -errno;
        if (n == 0)
                return -EPIPE;
        if (packet.msg_flags & MSG_TRUNC)
                return -EMSGSIZE;

        storage->len = (size_t)n;
        c = (struct cursor){ buf_bytes(storage), false };
        m.type = cursor_u8(&c);
        m.tag = cursor_u32(&c);
        m.payload = cursor_take(&c, c.left.len);
        if (cursor_end(&c) < 0)
                return -EBADMSG;

        *ret = m;
        return 0;
}
