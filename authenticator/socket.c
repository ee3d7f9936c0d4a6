/* SPDX-License-Identifier: BSD-2-Clause */

/* A path outlives the process that bound it, so a bound path is tried before it is believed. */

#include "authenticator/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "authenticator/util.h"

#define MODE_ALL 0666
/* Of one wake-up, so that other sources get their turn. */
#define ACCEPTS_MAX 32

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

/* False: nobody else has connected. */
static bool take_in(const struct socket_listener *l) {
        _cleanup_(close_fd_pointer) int fd =
                accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct ucred peer;
        socklen_t len = sizeof(peer);

        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
                return false;
        l->on_client(l->userdata, &peer, &fd);
        return true;
}

static int on_listener(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void)source;
        (void)fd;
        (void)events;
        for (unsigned i = 0; i < ACCEPTS_MAX && take_in(userdata); i++)
                ;
        return 0;
}

int socket_listener_start(struct socket_listener *l, sd_event *event, const char *path, int type) {
        _cleanup_(free_pointer) char *copy = strdup(path);
        int r;

        if (!copy)
                return -ENOMEM;
        r = socket_listen(path, type, MODE_ALL, &l->fd);
        if (r < 0)
                return r;
        l->path = TAKE_PTR(copy);
        r = sd_event_add_io(event, &l->io, l->fd, EPOLLIN, on_listener, l);
        if (r < 0)
                socket_listener_stop(l);
        return r < 0 ? r : 0;
}

void socket_listener_stop(struct socket_listener *l) {
        if (!l->path)
                return;
        l->io = sd_event_source_disable_unref(l->io);
        l->fd = close_fd(l->fd);
        unlink(l->path);
        free(TAKE_PTR(l->path));
}

bool socket_is_hung_up(int fd) {
        struct pollfd p = { .fd = fd };

        return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}
