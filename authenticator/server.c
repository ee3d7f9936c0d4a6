/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A client is read only while it has neither a request under way nor an answer to take, so that it
 * can hold no more memory than one line in and one line out. Clients are freed at the end of an
 * event and nowhere else; before that they are only marked.
 *
 * A client that follows events has asked for the last time. Its events wait for it in memory, up to a
 * limit, for the loop waits for nobody.
 *
 * Sources of one priority take turns, the one that waited longest first. So nobody is kept out by who
 * keeps the loop busy, as long as each wake-up does little: some lines of a client, some new clients.
 */

#include "authenticator/server.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "authenticator/socket.h"
#include "authenticator/util.h"

#define LINES_PER_WAKE_UP 16

struct client {
        struct server *server;
        int fd;
        uid_t peer;
        pid_t process; /* that connected */
        sd_event_source *io;
        bool gone;

        uint8_t *in; /* PROTOCOL_LINE_MAX bytes */
        size_t n_in;

        bool busy;    /* a request is out under `tag` */
        bool follows; /* what comes goes by `tag` */
        uint32_t tag;
        json_t *id;

        char *out; /* an answer, or events, from out_sent on */
        size_t out_len, out_sent, out_cap;
        bool last; /* close when it is sent */
};

struct server {
        struct server_options options;
        struct socket_listener listener;
        uint32_t next_tag;
        struct client *clients[SERVER_CLIENTS_MAX];
};

static struct client *client_free(struct client *c) {
        if (!c)
                return NULL;
        sd_event_source_disable_unref(c->io);
        close_fd(c->fd);
        json_decref(c->id);
        if (c->in)
                OPENSSL_cleanse(c->in, PROTOCOL_LINE_MAX);
        free(c->in);
        free(c->out);
        free(c);
        return NULL;
}

static void free_gone_clients(struct server *s) {
        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++) {
                struct client *c = s->clients[i];

                if (!c || !c->gone)
                        continue;
                if (c->busy || c->follows)
                        s->options.on_gone(s->options.userdata, c->tag);
                s->clients[i] = client_free(c);
        }
}

/* ---- answers ---- */

static void send_rest(struct client *c) {
        while (c->out && !c->gone) {
                ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0 && errno != EINTR)
                        c->gone = true;
                if (n > 0)
                        c->out_sent += (size_t)n;
                if (c->out_sent == c->out_len) {
                        free(TAKE_PTR(c->out));
                        if (c->last)
                                c->gone = true;
                }
        }
}

static void answer(struct client *c, const json_t *id, json_t *body) {
        c->out = control_line(id, body);
        c->out_sent = 0;
        c->out_len = c->out_cap = c->out ? strlen(c->out) : 0;
        if (!c->out)
                c->gone = true; /* out of memory: an answer cannot be made */
        send_rest(c);
}

/* ---- requests ---- */

static void run_line(struct client *c, struct bytes line) {
        struct server *s = c->server;
        struct control_request rq;
        json_t *error;

        if (!control_parse(line, &rq, &error)) {
                answer(c, rq.id, error);
                control_request_done(&rq);
                return;
        }

        c->busy = true;
        c->tag = s->next_tag++;
        c->id = json_incref(rq.id);
        rq.caller = c->peer;
        s->options.on_request(s->options.userdata, c->tag, c->peer, &rq);
        control_request_done(&rq);
}

static bool has_line(const struct client *c) {
        return memchr(c->in, '\n', c->n_in) != NULL;
}

static bool is_heard(const struct client *c) {
        return !c->busy && !c->follows && !c->out && !c->gone;
}

static void run_lines(struct client *c) {
        for (unsigned i = 0; i < LINES_PER_WAKE_UP && is_heard(c); i++) {
                const uint8_t *newline = memchr(c->in, '\n', c->n_in);
                size_t n;

                if (!newline)
                        break;
                n = (size_t)(newline - c->in);
                run_line(c, BYTES(c->in, n));
                c->n_in -= n + 1;
                memmove(c->in, c->in + n + 1, c->n_in);
                OPENSSL_cleanse(c->in + c->n_in, n + 1);
        }

        if (c->follows && c->n_in > 0)
                c->gone = true;
        if (c->n_in == PROTOCOL_LINE_MAX && !has_line(c) && is_heard(c)) {
                c->last = true;
                answer(c, NULL,
                       control_error(PROTOCOL_E_TOO_LONG, "a line has at most %d bytes",
                                     PROTOCOL_LINE_MAX));
        }
}

/*
 * Waits for what the client may do next; a hang-up is always noticed. Lines that are there already
 * have their turn when an answer can be sent, which is at once.
 */
static void rearm(struct client *c) {
        uint32_t events = EPOLLIN;

        if (c->follows)
                events = EPOLLIN | (c->out ? EPOLLOUT : 0u);
        else if (c->out)
                events = EPOLLOUT;
        else if (c->busy)
                events = 0;
        else if (has_line(c))
                events = EPOLLOUT;
        if (!c->gone && sd_event_source_set_io_events(c->io, events) < 0)
                c->gone = true;
}

static void read_some(struct client *c) {
        ssize_t n = recv(c->fd, c->in + c->n_in, PROTOCOL_LINE_MAX - c->n_in, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                c->gone = true;
        if (n > 0)
                c->n_in += (size_t)n;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct client *c = userdata;
        struct server *s = c->server;

        (void)source;
        (void)fd;
        if (events & EPOLLOUT)
                send_rest(c);
        if (events & EPOLLIN)
                read_some(c);
        else if (events & (EPOLLHUP | EPOLLERR))
                c->gone = true;
        run_lines(c);
        rearm(c);
        free_gone_clients(s);
        return 0;
}

/* Who waits under this tag; NULL if it has gone. */
static struct client *client_of(const struct server *s, uint32_t tag) {
        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++) {
                struct client *c = s->clients[i];

                if (c && !c->gone && (c->busy || c->follows) && c->tag == tag)
                        return c;
        }
        return NULL;
}

void server_answer(struct server *s, uint32_t tag, json_t *body) {
        struct client *c = client_of(s, tag);

        if (!c || !c->busy) {
                json_decref(body);
                return;
        }
        c->busy = false;
        answer(c, c->id, body);
        json_decref(TAKE_PTR(c->id));
        /* The next event of this client goes on with lines that are there already. */
        if (sd_event_source_set_io_events(c->io, EPOLLOUT) < 0)
                c->gone = true;
}

pid_t server_peer_pid(const struct server *s, uint32_t tag) {
        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++) {
                const struct client *c = s->clients[i];

                if (c && c->busy && c->tag == tag)
                        return c->process;
        }
        return 0;
}

bool server_answer_and_go_on(struct server *s, uint32_t tag, json_t *body) {
        struct client *c = client_of(s, tag);

        server_answer(s, tag, body);
        if (!c || c->gone)
                return false;
        c->follows = true;
        return true;
}

/* The event that its end is, is what frees it. */
static void drop(struct client *c) {
        c->gone = true;
        shutdown(c->fd, SHUT_RDWR);
}

/* What was sent makes room first. */
static int make_room(struct client *c, size_t n) {
        size_t left = c->out_len - c->out_sent, cap = c->out_cap * 2;
        char *larger;

        memmove(c->out, c->out + c->out_sent, left);
        c->out_len = left;
        c->out_sent = 0;
        if (left + n <= c->out_cap)
                return 0;
        cap = cap > left + n ? cap : left + n;
        larger = realloc(c->out, cap);
        if (!larger)
                return -ENOMEM;
        c->out = larger;
        c->out_cap = cap;
        return 0;
}

static int append(struct client *c, const char *line) {
        size_t n = strlen(line);
        int r = 0;

        if (!c->out) {
                c->out = malloc(n);
                c->out_cap = n;
                c->out_len = c->out_sent = 0;
        }
        if (!c->out)
                return -ENOMEM;
        if (c->out_len - c->out_sent + n > PROTOCOL_BACKLOG_MAX)
                return -ENOBUFS;
        if (c->out_len + n > c->out_cap)
                r = make_room(c, n);
        if (r < 0)
                return r;
        memcpy(c->out + c->out_len, line, n);
        c->out_len += n;
        return 0;
}

void server_push(struct server *s, uint32_t tag, const char *line) {
        struct client *c = client_of(s, tag);

        if (!c || !c->follows || c->last)
                return;
        if (append(c, line) < 0) {
                log_write(s->options.log, LOG_NOTICE, NULL,
                          "control: dropped a client that follows and does not read");
                drop(c);
                return;
        }
        send_rest(c);
        if (c->gone)
                drop(c);
        else
                rearm(c);
}

/* An answer that is due or on its way is sent first. */
void server_drop_refused(struct server *s) {
        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++) {
                struct client *c = s->clients[i];
                json_t *refusal = c ? s->options.on_connect(s->options.userdata, c->peer) : NULL;

                if (!refusal)
                        continue;
                json_decref(refusal);
                if (c->busy || c->out)
                        c->last = true;
                else
                        c->gone = true;
        }
        free_gone_clients(s);
}

/* ---- new clients ---- */

/* Best effort: the socket is new and its buffer empty. Takes the body. */
static void refuse(int fd, json_t *body) {
        char *line = control_line(NULL, body);

        if (line)
                (void)!send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
        free(line);
}

/* Whose client hung up waits for the turn of that one no longer. */
static void drop_hung_up(struct server *s, uid_t peer) {
        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++)
                if (s->clients[i] && s->clients[i]->peer == peer &&
                    socket_is_hung_up(s->clients[i]->fd))
                        s->clients[i]->gone = true;
        free_gone_clients(s);
}

/* A place for another client of this user; NULL: it has as many as it may. */
static struct client **find_place(struct server *s, uid_t peer) {
        struct client **place = NULL;
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++) {
                if (!s->clients[i])
                        place = place ? place : &s->clients[i];
                else if (s->clients[i]->peer == peer)
                        n++;
        }
        return n < PROTOCOL_CLIENTS_MAX ? place : NULL;
}

static int add_client(struct server *s, struct client **place, const struct ucred *peer, int *fd) {
        struct client *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->server = s;
        c->peer = peer->uid;
        c->process = peer->pid;
        c->fd = take_fd(fd);
        c->in = malloc(PROTOCOL_LINE_MAX);
        r = c->in ? sd_event_add_io(s->options.event, &c->io, c->fd, EPOLLIN, on_client, c)
                  : -ENOMEM;
        if (r < 0) {
                client_free(c);
                return r;
        }
        *place = c;
        return 0;
}

static void take_in(struct server *s, const struct ucred *peer, int *fd) {
        json_t *refusal = s->options.on_connect(s->options.userdata, peer->uid);
        struct client **place;

        if (refusal) {
                /* Anybody can bring it about, as often as they like. */
                log_write(s->options.log, LOG_DEBUG, NULL, "control: refused a client of uid %u",
                          (unsigned)peer->uid);
                refuse(*fd, refusal);
                return;
        }
        place = find_place(s, peer->uid);
        if (!place) {
                drop_hung_up(s, peer->uid);
                place = find_place(s, peer->uid);
        }
        if (!place)
                refuse(*fd, control_error(PROTOCOL_E_BUSY,
                                          "too many clients are connected; try again later"));
        else if (add_client(s, place, peer, fd) < 0)
                log_write(s->options.log, LOG_WARNING, NULL,
                          "control: out of memory for another client");
}

static void on_connect(void *userdata, const struct ucred *peer, int *fd) {
        take_in(userdata, peer, fd);
}

int server_new(const struct server_options *options, struct server **ret) {
        struct server *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->listener = (struct socket_listener){ .on_client = on_connect, .userdata = s };
        r = socket_listener_start(&s->listener, options->event, options->path, SOCK_STREAM);
        if (r < 0) {
                server_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

struct server *server_free(struct server *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(s->clients); i++)
                client_free(s->clients[i]);
        socket_listener_stop(&s->listener);
        free(s);
        return NULL;
}
