/* SPDX-License-Identifier: BSD-2-Clause */

/* libfido2's transport is four functions; these are a SOCK_SEQPACKET socket. */

#include "tests/system/fido-kit.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

static void *io_open(const char *path) {
        int fd = kit_connect(path, SOCK_SEQPACKET), *handle = malloc(sizeof(*handle));

        *handle = fd;
        return fd < 0 ? NULL : handle;
}

static void io_close(void *handle) {
        close(*(int *)handle);
        free(handle);
}

static int io_read(void *handle, unsigned char *to, size_t n, int ms) {
        struct pollfd p = { .fd = *(int *)handle, .events = POLLIN };

        if (poll(&p, 1, ms) <= 0)
                return -1;
        return (int)recv(p.fd, to, n, 0);
}

static int io_write(void *handle, const unsigned char *from, size_t n) {
        return (int)send(*(int *)handle, from, n, MSG_NOSIGNAL);
}

fido_dev_t *kit_open_key(const struct daemon_kit *k) {
        static const fido_dev_io_t io = { io_open, io_close, io_read, io_write };
        fido_dev_t *dev = fido_dev_new();

        assert_non_null(dev);
        assert_int_equal(fido_dev_set_io_functions(dev, &io), FIDO_OK);
        assert_int_equal(fido_dev_open(dev, k->device), FIDO_OK);
        return dev;
}

void kit_close_key(fido_dev_t *dev) {
        fido_dev_close(dev);
        fido_dev_free(&dev);
}
