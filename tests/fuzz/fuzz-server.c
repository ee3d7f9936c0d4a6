/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/server.c with one client that sends what it likes, in pieces of any length, and reads
 * or does not. Each request is answered at once, later or never, or followed by events. There is one
 * request at a time; what comes back is lines that can be read, for who follows events and nothing else;
 * and of a request that is not answered, or that goes on, it is told once when the client has gone.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "authenticator/server.h"
#include "tests/fuzz/fuzz.h"

struct world {
        sd_event *event;
        struct server *server;
        int client;
        bool waits;   /* a request was not answered */
        bool follows; /* another one goes on */
        uint32_t tag; /* of either */
        unsigned n_gone;

        char in[2 * PROTOCOL_LINE_MAX + PROTOCOL_BACKLOG_MAX];
        size_t n;
        bool saw_event;
};

static json_t *admit(void *userdata, uid_t peer) {
        (void)userdata;
        require(peer == getuid());
        return NULL;
}

static void on_request(void *userdata, uint32_t tag, uid_t peer, const struct control_request *rq) {
        struct world *w = userdata;
        bool later = rq->method->on_worker;

        require(peer == getuid() && !w->waits && !w->follows);
        w->tag = tag;
        if (rq->method->call == CONTROL_FOLLOW)
                w->follows = server_answer_and_go_on(w->server, tag, control_result(json_object()));
        else if (later)
                w->waits = true;
        else
                server_answer(w->server, tag, control_result(json_incref(rq->params)));
}

static void on_gone(void *userdata, uint32_t tag) {
        struct world *w = userdata;

        require((w->waits || w->follows) && tag == w->tag);
        w->waits = w->follows = false;
        w->n_gone++;
}

static struct sockaddr_un address(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/tpmauthn-fuzz-%d.sock", (int)getpid());
        return a;
}

static void begin(struct world *w, const struct log *log) {
        const struct sockaddr_un a = address();
        const struct server_options options = { .path = a.sun_path,
                                                .log = log,
                                                .on_connect = admit,
                                                .on_request = on_request,
                                                .on_gone = on_gone,
                                                .userdata = w };
        struct server_options with_event = options;

        require(sd_event_new(&w->event) >= 0);
        with_event.event = w->event;
        require(server_new(&with_event, &w->server) == 0);
        w->client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        require(connect(w->client, (const struct sockaddr *)&a, sizeof(a)) == 0);
}

static void run(const struct world *w) {
        for (int i = 0; i < 64 && sd_event_run(w->event, 0) > 0; i++)
                ;
}

static void check_line(struct world *w, const char *line, size_t n) {
        json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
        bool is_event = json_object_get(root, "event") != NULL;

        require(root && json_integer_value(json_object_get(root, "v")) == PROTOCOL_VERSION);
        require(is_event || !w->saw_event);
        require(is_event || json_object_get(root, "id"));
        require(is_event + (json_object_get(root, "result") != NULL) +
                        (json_object_get(root, "error") != NULL) ==
                1);
        w->saw_event = is_event;
        json_decref(root);
}

static void read_lines(struct world *w) {
        ssize_t n;
        char *end;

        while ((n = recv(w->client, w->in + w->n, sizeof(w->in) - w->n, 0)) > 0) {
                w->n += (size_t)n;
                while ((end = memchr(w->in, '\n', w->n)) != NULL) {
                        check_line(w, w->in, (size_t)(end - w->in));
                        w->n -= (size_t)(end + 1 - w->in);
                        memmove(w->in, end + 1, w->n);
                }
        }
}

/* By one byte of the input; the pieces that are sent come out of the rest. */
static void step(struct world *w, uint8_t what, struct bytes *rest) {
        size_t n = what & 0x1f ? (what & 0x1f) * 8u : 4096;

        if (n > rest->len)
                n = rest->len;
        switch (what >> 5) {
        case 0: /* reads */
                read_lines(w);
                break;
        case 1: /* the daemon comes to an end with what waits */
                if (w->waits)
                        server_answer(w->server, w->tag, control_result(json_object()));
                w->waits = false;
                break;
        case 2: { /* something happens, many times */
                char text[3000] = "", *line;

                memset(text, 'x', sizeof(text) - 1);
                line = control_event_line(json_pack("{s:s}", "text", text));
                for (int i = 0; i < (what & 0x1f) * 8; i++)
                        server_push(w->server, w->tag, line);
                free(line);
                break;
        }
        case 3: /* whoever must not be here any more goes, which is nobody */
                server_drop_refused(w->server);
                break;
        default: /* sends; what does not fit is lost, like what a client sends that hangs up */
                (void)!send(w->client, rest->data, n, MSG_NOSIGNAL);
                *rest = BYTES(rest->data + n, rest->len - n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct log log = { .level = LOG_EMERG };
        struct bytes rest = BYTES(data, size);
        struct world *w = calloc(1, sizeof(*w));

        require(w);
        begin(w, &log);
        while (rest.len > 0) {
                uint8_t what = rest.data[0];

                rest = BYTES(rest.data + 1, rest.len - 1);
                step(w, what, &rest);
                run(w);
        }
        read_lines(w);
        close(w->client);
        run(w);
        require(!w->waits && !w->follows && w->n_gone <= 1);
        server_free(w->server);
        sd_event_unref(w->event);
        free(w);
        return 0;
}
