/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The kernel's uhid protocol, and bare reports on a socket, behind one face: see uhid.h.
 *
 * struct uhid_event is the kernel's interface and is filled as such, zeroed first. The kernel takes
 * events that end early, so only the bytes that mean something are written. It may also grow the
 * struct: what is read behind the part known here is ignored. An event that ends before the fields
 * it needs, or that nobody knows, is dropped: on a socket anybody could have sent it.
 *
 * UHID_STOP and UHID_START are no news for the caller: the kernel says so whenever another driver
 * takes over the device, and UHID_CLOSE has come before if a client had it open.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/uhid.h> /* brings BUS_USB */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uhid/uhid.h"

/* What hidraw writes carry: the report, behind the number of a device that has no numbers. */
#define NUMBERED_REPORT_SIZE (UHID_REPORT_SIZE + 1)

struct uhid {
        int fd;
        bool bare;    /* packets are reports, not events */
        bool socket;  /* writing to a lost peer must not raise SIGPIPE */
        bool created; /* there is a device to destroy */
};

static int put(struct uhid *u, const void *data, size_t n) {
        ssize_t done;

        do
                done = u->socket ? send(u->fd, data, n, MSG_NOSIGNAL) : write(u->fd, data, n);
        while (done < 0 && errno == EINTR);

        if (done < 0)
                return -errno;
        return (size_t)done == n ? 0 : -EIO;
}

/* The length of one packet of at most n bytes, 0 if the peer hung up, or a negative errno. */
static ssize_t get(struct uhid *u, void *data, size_t n) {
        ssize_t done;

        do
                done = read(u->fd, data, n);
        while (done < 0 && errno == EINTR);

        if (done < 0)
                return errno == ECONNRESET ? 0 : -errno;
        return done;
}

/* ---- creation ---- */

static int take_descriptor(int fd, bool bare, struct uhid **ret) {
        struct uhid *u = calloc(1, sizeof(*u));
        struct stat st;
        int flags, r;

        if (!u) {
                close(fd);
                return -ENOMEM;
        }
        u->fd = fd;
        u->bare = bare;

        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fstat(fd, &st) < 0) {
                r = -errno;
                uhid_free(u);
                return r;
        }
        u->socket = S_ISSOCK(st.st_mode);
        *ret = u;
        return 0;
}

/* False: it does not fit with its NUL. */
static bool put_text(uint8_t *to, size_t size, const char *text) {
        size_t n = strlen(text);

        if (n >= size)
                return false;
        memcpy(to, text, n);
        return true;
}

static int create(struct uhid *u, const struct uhid_identity *identity) {
        struct uhid_event event = { .type = UHID_CREATE2 };
        struct uhid_create2_req *rq = &event.u.create2;
        int r;

        if (!put_text(rq->name, sizeof(rq->name), identity->name) ||
            !put_text(rq->phys, sizeof(rq->phys), identity->phys) ||
            !put_text(rq->uniq, sizeof(rq->uniq), identity->uniq))
                return -EINVAL;

        /* Clients that tell buses apart know USB; BUS_VIRTUAL is news to some of them. */
        rq->bus = BUS_USB;
        rq->vendor = identity->vendor;
        rq->product = identity->product;
        rq->version = identity->version;
        rq->rd_size = (uint16_t)uhid_report_descriptor_size;
        memcpy(rq->rd_data, uhid_report_descriptor, uhid_report_descriptor_size);

        r = put(u, &event,
                offsetof(struct uhid_event, u.create2.rd_data) + uhid_report_descriptor_size);
        u->created = r == 0;
        return r;
}

int uhid_new(int fd, const struct uhid_identity *identity, struct uhid **ret) {
        struct uhid *u = NULL;
        int r;

        r = take_descriptor(fd, false, &u);
        if (r < 0)
                return r;
        r = create(u, identity);
        if (r < 0) {
                uhid_free(u);
                return r;
        }
        *ret = u;
        return 0;
}

int uhid_open(const char *path, const struct uhid_identity *identity, struct uhid **ret) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd < 0)
                return -errno;
        return uhid_new(fd, identity, ret);
}

int uhid_new_socket(int fd, struct uhid **ret) {
        return take_descriptor(fd, true, ret);
}

struct uhid *uhid_free(struct uhid *u) {
        const struct uhid_event event = { .type = UHID_DESTROY };

        if (!u)
                return NULL;
        /* Closing would do it as well; said aloud, it also reaches the other end of a socket. */
        if (u->created)
                (void)put(u, &event, offsetof(struct uhid_event, u));
        close(u->fd);
        free(u);
        return NULL;
}

int uhid_fd(const struct uhid *u) {
        return u->fd;
}

/* ---- reports and events ---- */

static void take_report(const uint8_t *data, size_t n, struct uhid_event_in *ret) {
        if (n == NUMBERED_REPORT_SIZE && data[0] == 0) {
                data++;
                n--;
        }
        if (n != UHID_REPORT_SIZE)
                return;
        ret->type = UHID_REPORT;
        memcpy(ret->report, data, UHID_REPORT_SIZE);
}

/* Whoever asks waits in the kernel for up to 5 s, unless told that there are no such reports. */
static int refuse_get_report(struct uhid *u, uint32_t id) {
        struct uhid_event event = { .type = UHID_GET_REPORT_REPLY };

        event.u.get_report_reply.id = id;
        event.u.get_report_reply.err = EIO;
        return put(u, &event, offsetof(struct uhid_event, u.get_report_reply.data));
}

static int refuse_set_report(struct uhid *u, uint32_t id) {
        struct uhid_event event = { .type = UHID_SET_REPORT_REPLY };

        event.u.set_report_reply.id = id;
        event.u.set_report_reply.err = EIO;
        return put(u, &event, offsetof(struct uhid_event, u) + sizeof(event.u.set_report_reply));
}

/* The n bytes of an event are there; the rest of the struct is zero. */
static int take_event(struct uhid *u, const struct uhid_event *event, size_t n,
                      struct uhid_event_in *ret) {
        if (n < offsetof(struct uhid_event, u))
                return 0;

        switch (event->type) {
        case UHID_OPEN:
                ret->type = UHID_OPENED;
                return 0;
        case UHID_CLOSE:
                ret->type = UHID_CLOSED;
                return 0;
        case UHID_OUTPUT:
                /* Its size stands behind its data: without the former the latter means nothing. */
                if (n >= offsetof(struct uhid_event, u) + sizeof(event->u.output) &&
                    event->u.output.rtype == UHID_OUTPUT_REPORT)
                        take_report(event->u.output.data, event->u.output.size, ret);
                return 0;
        case UHID_GET_REPORT:
                if (n < offsetof(struct uhid_event, u.get_report.rnum))
                        return 0;
                return refuse_get_report(u, event->u.get_report.id);
        case UHID_SET_REPORT:
                if (n < offsetof(struct uhid_event, u.set_report.rnum))
                        return 0;
                return refuse_set_report(u, event->u.set_report.id);
        default:
                return 0;
        }
}

int uhid_receive(struct uhid *u, struct uhid_event_in *ret) {
        struct uhid_event event = { 0 };
        uint8_t packet[NUMBERED_REPORT_SIZE + 1]; /* one more, to see what is too long */
        struct uhid_event_in in = { .type = UHID_NOTHING };
        ssize_t n;
        int r = 0;

        n = u->bare ? get(u, packet, sizeof(packet)) : get(u, &event, sizeof(event));
        if (n < 0)
                return (int)n;

        if (n == 0)
                in.type = UHID_GONE;
        else if (u->bare)
                take_report(packet, (size_t)n, &in);
        else
                r = take_event(u, &event, (size_t)n, &in);
        if (r < 0)
                return r;
        *ret = in;
        return 0;
}

int uhid_send(struct uhid *u, const uint8_t report[static UHID_REPORT_SIZE]) {
        struct uhid_event event = { .type = UHID_INPUT2 };

        if (u->bare)
                return put(u, report, UHID_REPORT_SIZE);

        event.u.input2.size = UHID_REPORT_SIZE;
        memcpy(event.u.input2.data, report, UHID_REPORT_SIZE);
        return put(u, &event, offsetof(struct uhid_event, u.input2.data) + UHID_REPORT_SIZE);
}
