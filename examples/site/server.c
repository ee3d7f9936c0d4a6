/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The loop polls what libmicrohttpd waits for, and ends connections that are too old: a client that sends a
 * byte every few seconds holds one for no longer than another.
 */

#include "examples/site/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "examples/site/describe.h"

#define ORIGIN_SIZE       32
#define COOKIE_SIZE       128
#define MEMORY_EACH       32768 /* of a connection, headers and all */
#define SECONDS_IDLE      10
#define MS_BETWEEN_CHECKS 1000

struct connection {
        int fd;
        int64_t since;
        struct connection *next;
};

struct listener {
        struct server *server;
        struct MHD_Daemon *daemon;
        bool is_other;
        uint16_t port;
};

struct server {
        const struct pages *pages;
        struct site site;
        struct listener own, other;
        char origin[ORIGIN_SIZE], other_origin[ORIGIN_SIZE];
        struct connection *connections;
        int signals;
};

/* What comes in with a request. */
struct upload {
        char body[BODY_MAX];
        size_t len;
        bool is_too_long;
};

static int64_t seconds(clockid_t clock) {
        struct timespec now;

        (void)clock_gettime(clock, &now);
        return now.tv_sec;
}

static void note_connection(void *userdata, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode what) {
        struct server *s = userdata;
        struct connection *c = *context, **at;

        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
                const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

                c = calloc(1, sizeof(*c));
                if (!c)
                        return;
                *c = (struct connection){ info->connect_fd, seconds(CLOCK_MONOTONIC),
                                          s->connections };
                *context = s->connections = c;
                return;
        }
        for (at = &s->connections; *at && *at != c; at = &(*at)->next)
                ;
        if (*at)
                *at = c->next;
        free(c);
        *context = NULL;
}

static void end_old_connections(struct server *s) {
        int64_t now = seconds(CLOCK_MONOTONIC);

        for (struct connection *c = s->connections; c; c = c->next)
                if (now - c->since > CONNECTION_SECONDS)
                        (void)shutdown(c->fd, SHUT_RDWR);
}

static const char *header(struct MHD_Connection *connection, const char *name) {
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* One script and one style sheet, both from here; nothing in a frame, and no frame of anybody's. */
static void add_headers(struct MHD_Response *response, const char *type, bool is_other) {
        static const char *const headers[][2] = {
                { "Content-Security-Policy",
                  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                  "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
                { "X-Content-Type-Options", "nosniff" },
                { "Referrer-Policy", "no-referrer" },
                { "Cache-Control", "no-store" },
                { "Cross-Origin-Resource-Policy", "same-origin" },
                { "Permissions-Policy",
                  "publickey-credentials-get=(self), publickey-credentials-create=(self)" },
                { "Connection", "close" },
        };

        (void)MHD_add_response_header(response, "Content-Type", type);
        for (size_t i = 0; i < ELEMENTSOF(headers); i++)
                (void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
        /* The look-alike is opened as a window, and speaks to its opener. */
        if (!is_other)
                (void)MHD_add_response_header(response, "Cross-Origin-Opener-Policy",
                                              "same-origin-allow-popups");
}

/* The port is in the name, for cookies of localhost go to every port of it. */
static void cookie_name(const struct server *s, char name[static COOKIE_SIZE]) {
        (void)snprintf(name, COOKIE_SIZE, "site-%u", (unsigned)s->own.port);
}

static void add_cookie(const struct server *s, struct MHD_Response *response,
                       const struct token *t) {
        _cleanup_(free_pointer) char *value = base64url_encode(SLICE_OF(*t));
        char name[COOKIE_SIZE], line[2 * COOKIE_SIZE + 64];

        cookie_name(s, name);
        (void)snprintf(line, sizeof(line), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d",
                       name, value ? value : "", SESSION_SECONDS);
        (void)MHD_add_response_header(response, "Set-Cookie", line);
}

static bool read_cookie(const struct server *s, struct MHD_Connection *connection,
                        struct token *ret) {
        char name[COOKIE_SIZE];
        uint8_t bytes[COOKIE_SIZE];
        const char *value;
        size_t len;

        cookie_name(s, name);
        value = MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, name);
        if (!value || strlen(value) >= COOKIE_SIZE ||
            !base64url_decode(SLICE_TEXT(value), bytes, &len) || len != TOKEN_LEN)
                return false;
        memcpy(ret->b, bytes, TOKEN_LEN);
        return true;
}

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     struct MHD_Response *response) {
        enum MHD_Result queued = MHD_NO;

        if (response)
                queued = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return queued;
}

static enum MHD_Result send_json(struct listener *l, struct MHD_Connection *connection,
                                 unsigned status, const json_t *body, const struct token *token) {
        char *text = json_dumps(body, JSON_COMPACT);
        struct MHD_Response *response;

        if (!text)
                return MHD_NO;
        response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        if (!response) {
                free(text);
                return MHD_NO;
        }
        add_headers(response, "application/json", l->is_other);
        if (token)
                add_cookie(l->server, response, token);
        return send_response(connection, status, response);
}

static enum MHD_Result refuse(struct listener *l, struct MHD_Connection *connection,
                              enum refusal refusal) {
        _cleanup_(free_json) json_t *body =
                json_pack("{s:b, s:o}", "accepted", 0, "refusal", describe_refusal(refusal, NULL));

        return body ? send_json(l, connection, refusal_status(refusal), body, NULL) : MHD_NO;
}

/* The machine failed. The log says how, and the client learns nothing. */
static enum MHD_Result fail(struct listener *l, struct MHD_Connection *connection, int r) {
        _cleanup_(free_json) json_t *body = json_pack("{s:b}", "accepted", 0);

        fprintf(stderr, "site: a request failed: %s\n", strerror(-r));
        return body ? send_json(l, connection, MHD_HTTP_INTERNAL_SERVER_ERROR, body, NULL) : MHD_NO;
}

/* With a session, if the browser has none that is still good. */
static enum MHD_Result send_page(struct listener *l, struct MHD_Connection *connection,
                                 const struct page *page) {
        struct store *store = l->server->site.store;
        int64_t now = seconds(CLOCK_REALTIME);
        struct MHD_Response *response;
        struct session session;
        struct token token;
        int r = 0;
        bool is_new;

        is_new = !l->is_other && strcmp(page->path, "/") == 0 &&
                 !(read_cookie(l->server, connection, &token) &&
                   store_find_session(store, &token, now, &session) == 0);
        if (is_new)
                r = store_new_session(store, now, &token);
        if (r < 0)
                return fail(l, connection, r);
        response = MHD_create_response_from_buffer(page->len, page->text, MHD_RESPMEM_PERSISTENT);
        if (!response)
                return MHD_NO;
        add_headers(response, page->type, l->is_other);
        if (is_new)
                add_cookie(l->server, response, &token);
        return send_response(connection, MHD_HTTP_OK, response);
}

static enum MHD_Result answer(struct listener *l, struct MHD_Connection *connection,
                              const char *path, const struct upload *u) {
        _cleanup_(free_json) json_t *body =
                json_loadb(u->body, u->len, JSON_REJECT_DUPLICATES, NULL);
        struct token token;
        struct request request = { .path = path, .body = body, .now = seconds(CLOCK_REALTIME) };
        enum MHD_Result sent;
        struct reply reply;
        int r;

        if (read_cookie(l->server, connection, &token))
                request.token = &token;
        r = site_answer(&l->server->site, &request, &reply);
        if (r < 0)
                return fail(l, connection, r);
        sent = send_json(l, connection, refusal_status(reply.refusal), reply.body,
                         reply.has_token ? &reply.token : NULL);
        reply_done(&reply);
        return sent;
}

/* By that name only, so that no name of somebody else's that leads here (DNS rebinding) can be used. */
static bool is_for_us(const struct listener *l, struct MHD_Connection *connection) {
        const char *host = header(connection, "Host");
        const char *origin = l->is_other ? l->server->other_origin : l->server->origin;

        return host && strcmp(host, origin + strlen("http://")) == 0;
}

/* What can be refused before the body. */
static enum refusal look_at_headers(const struct listener *l, struct MHD_Connection *connection,
                                    const char *path, const char *method) {
        const char *origin = header(connection, "Origin"),
                   *type = header(connection, "Content-Type");
        const char *length = header(connection, "Content-Length");
        bool is_page = pages_find(l->server->pages, path, l->is_other);

        if (!is_for_us(l, connection))
                return REFUSED_HOST;
        if (!is_page && (l->is_other || strncmp(path, "/api/", 5) != 0))
                return REFUSED_NOT_FOUND;
        if (strcmp(method, is_page ? "GET" : "POST") != 0)
                return REFUSED_METHOD;
        if (is_page)
                return REFUSED_NOTHING;
        if (origin && strcmp(origin, l->server->origin) != 0)
                return REFUSED_FOREIGN_PAGE;
        if (!type || strcmp(type, "application/json") != 0)
                return REFUSED_MEDIA_TYPE;
        if (length && strtoull(length, NULL, 10) > BODY_MAX)
                return REFUSED_BODY_TOO_LONG;
        return REFUSED_NOTHING;
}

static void take(struct upload *u, const char *data, size_t len) {
        if (len > sizeof(u->body) - u->len) {
                u->is_too_long = true;
                return;
        }
        memcpy(u->body + u->len, data, len);
        u->len += len;
}

static enum MHD_Result handle(void *userdata, struct MHD_Connection *connection, const char *path,
                              const char *method, _unused_ const char *version, const char *data,
                              size_t *len, void **context) {
        struct listener *l = userdata;
        struct upload *u = *context;
        const struct page *page;

        if (!u) {
                enum refusal refusal = look_at_headers(l, connection, path, method);

                if (refusal != REFUSED_NOTHING)
                        return refuse(l, connection, refusal);
                *context = calloc(1, sizeof(*u));
                return *context ? MHD_YES : MHD_NO;
        }
        if (*len > 0) {
                take(u, data, *len);
                *len = 0;
                return MHD_YES;
        }
        if (u->is_too_long)
                return refuse(l, connection, REFUSED_BODY_TOO_LONG);
        page = pages_find(l->server->pages, path, l->is_other);
        return page ? send_page(l, connection, page) : answer(l, connection, path, u);
}

static void forget_upload(_unused_ void *userdata, _unused_ struct MHD_Connection *connection,
                          void **context, _unused_ enum MHD_RequestTerminationCode why) {
        free(*context);
        *context = NULL;
}

/* A socket on the loopback interface; the port is then known. */
static int listen_on(uint16_t port, uint16_t *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;
        socklen_t len = sizeof(address);

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
            bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        *ret_port = ntohs(address.sin_port);
        return fd;
}

static int start(struct server *s, struct listener *l, bool is_other, uint16_t port,
                 char origin[static ORIGIN_SIZE]) {
        int fd = listen_on(port, &l->port);

        if (fd < 0) {
                fprintf(stderr, "site: port %u: %s\n", (unsigned)port, strerror(-fd));
                return fd;
        }
        l->server = s;
        l->is_other = is_other;
        (void)snprintf(origin, ORIGIN_SIZE, "http://localhost:%u", (unsigned)l->port);
        l->daemon =
                MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, l, MHD_OPTION_LISTEN_SOCKET,
                                 fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SECONDS_IDLE,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_EACH,
                                 MHD_OPTION_NOTIFY_COMPLETED, forget_upload, NULL,
                                 MHD_OPTION_NOTIFY_CONNECTION, note_connection, s,
                                 MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
        if (l->daemon)
                return 0;
        close(fd);
        return -EIO;
}

/* Signals come as something to poll from here on. */
static int take_signals(void) {
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

int server_new(const struct server_options *o, struct server **ret) {
        _cleanup_(server_free) struct server *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->pages = o->pages;
        s->signals = take_signals();
        if (s->signals < 0)
                return s->signals;
        s->site = (struct site){ .origin = s->origin,
                                 .rp_id = "localhost",
                                 .other_origin = s->other_origin,
                                 .roots = o->roots };
        r = store_open(o->database, &s->site.store);
        if (r == 0)
                r = start(s, &s->own, false, o->port, s->origin);
        if (r == 0)
                r = start(s, &s->other, true, o->other_port, s->other_origin);
        if (r == 0)
                *ret = TAKE_PTR(s);
        return r;
}

void server_free(struct server **s) {
        if (!*s)
                return;
        if ((*s)->own.daemon)
                MHD_stop_daemon((*s)->own.daemon);
        if ((*s)->other.daemon)
                MHD_stop_daemon((*s)->other.daemon);
        store_close(&(*s)->site.store);
        if ((*s)->signals >= 0)
                close((*s)->signals);
        free(*s);
        *s = NULL;
}

const char *server_origin(const struct server *s) {
        return s->origin;
}

static int descriptor_of(const struct listener *l) {
        return MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* Milliseconds until libmicrohttpd has something to do, or the next look at the connections. */
static int time_until(const struct listener *l, int most) {
        MHD_UNSIGNED_LONG_LONG ms;

        return MHD_get_timeout(l->daemon, &ms) == MHD_YES && ms < (unsigned)most ? (int)ms : most;
}

int server_run(struct server *s) {
        struct pollfd fds[] = {
                { .fd = s->signals, .events = POLLIN },
                { .fd = descriptor_of(&s->own), .events = POLLIN },
                { .fd = descriptor_of(&s->other), .events = POLLIN },
        };

        for (;;) {
                int ms = time_until(&s->other, time_until(&s->own, MS_BETWEEN_CHECKS));

                if (poll(fds, ELEMENTSOF(fds), ms) < 0 && errno != EINTR)
                        return -errno;
                if (fds[0].revents)
                        return 0;
                if (MHD_run(s->own.daemon) != MHD_YES || MHD_run(s->other.daemon) != MHD_YES)
                        return -EIO;
                end_old_connections(s);
        }
}
