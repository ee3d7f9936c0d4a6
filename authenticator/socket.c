/* SPDX-License-Identifier: BSD-2-Clause */

/* A path outlives the process that bound it, so a bound path is tried before it is believed. */

#include "authenticator/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "authenticator/util.h"

static int make(int type, int *ret) {
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

/* Removes a socket that refuses connections. -EADDRINUSE if it is alive, or no socket. */
static int remove_stale(const struct sockaddr_un *address, int type) {
        _cleanup_(close_fd_pointer) int fd = -1;
        struct stat st;
        int r;

        if (lstat(address->sun_path, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EADDRINUSE;

        r = make(type, &fd);
        if (r < 0)
                return r;
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
            errno != ECONNREFUSED)
                return -EADDRINUSE;
        return unlink(address->sun_path) < 0 ? -errno : 0;
}

int socket_listen(const char *path, int type, unsigned mode, int *ret_fd) {
        _cleanup_(close_fd_pointer) int fd = -1;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const struct sockaddr *a = (const struct sockaddr *)&address;
        int r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);

        r = make(type, &fd);
        if (r < 0)
                return r;
        if (bind(fd, a, sizeof(address)) < 0) {
                if (errno != EADDRINUSE)
                        return -errno;
                r = remove_stale(&address, type);
                if (r < 0)
                        return r;
                if (bind(fd, a, sizeof(address)) < 0)
                        return -errno;
        }
        if (chmod(path, mode) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;

        *ret_fd = take_fd(&fd);
        return 0;
}

int socket_accept(int listener, struct ucred *ret_peer, int *ret_fd) {
        _cleanup_(close_fd_pointer) int fd =
                accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        socklen_t len = sizeof(*ret_peer);
        struct ucred peer;

        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
                return -errno;
        *ret_peer = peer;
        *ret_fd = take_fd(&fd);
        return 0;
}

bool socket_is_hung_up(int fd) {
        struct pollfd p = { .fd = fd };

        return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}
