/* SPDX-License-Identifier: BSD-2-Clause */

/* Lines out, lines in. An answer is read whole before it is looked at, up to the protocol's limit. */

#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/text.h"

#define BUSY_MS       10000
#define BUSY_PAUSE_MS 100

struct client {
        int fd;
        json_int_t id;
        size_t n;
        char in[2 * PROTOCOL_LINE_MAX];
};

struct client *client_close(struct client *c) {
        if (!c)
                return NULL;
        close(c->fd);
        free(c);
        return NULL;
}

struct client *client_open(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct client *c;
        int e;

        if (strlen(path) >= sizeof(address.sun_path)) {
                errno = ENAMETOOLONG;
                return NULL;
        }
        strcpy(address.sun_path, path);

        c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
                return c;
        e = errno;
        client_close(c);
        errno = e;
        return NULL;
}

static int send_all(int fd, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -1;
                text += n;
                left -= (size_t)n;
        }
        return 0;
}

/* 1: the first line that was read, as JSON. 0: it is not whole yet. -1 with errno: it is no good. */
static int cut_line(struct client *c, json_t **ret) {
        char *newline = memchr(c->in, '\n', c->n);

        if (!newline && c->n == sizeof(c->in)) {
                errno = EMSGSIZE;
                return -1;
        }
        if (!newline)
                return 0;
        *ret = json_loadb(c->in, (size_t)(newline - c->in), 0, NULL);
        c->n -= (size_t)(newline + 1 - c->in);
        memmove(c->in, newline + 1, c->n);
        if (*ret)
                return 1;
        errno = EPROTO;
        return -1;
}

/* Reads some more. 0, or -1 with errno. */
static int read_more(struct client *c, int flags) {
        ssize_t n;

        do
                n = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, flags);
        while (n < 0 && errno == EINTR);
        if (n == 0)
                errno = ECONNRESET;
        if (n <= 0)
                return -1;
        c->n += (size_t)n;
        return 0;
}

/* The next line as JSON. */
static json_t *receive(struct client *c) {
        json_t *answer = NULL;
        int r;

        while ((r = cut_line(c, &answer)) == 0)
                if (read_more(c, 0) < 0)
                        return NULL;
        return r < 0 ? NULL : answer;
}

int client_fd(const struct client *c) {
        return c->fd;
}

int client_take(struct client *c, json_t **ret) {
        int r;

        while ((r = cut_line(c, ret)) == 0)
                if (read_more(c, MSG_DONTWAIT) < 0)
                        return errno == EAGAIN ? 0 : -1;
        return r;
}

json_t *client_call(struct client *c, const char *method, json_t *params) {
        json_t *request = json_pack("{s:i,s:I,s:s,s:o}", "v", PROTOCOL_VERSION, "id", ++c->id,
                                    "method", method, "params", params ? params : json_object());
        char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
        int sent = -1;

        json_decref(request);
        errno = ENOMEM;
        if (text)
                sent = send_all(c->fd, text) < 0 ? -1 : send_all(c->fd, "\n");
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
        /* A daemon that refuses a client says so and closes: the reason is there to be read. */
        if (sent < 0 && errno != EPIPE)
                return NULL;
        return receive(c);
}

static int exit_status_of(const char *code) {
        static const struct {
                const char *code;
                int status;
        } statuses[] = {
                { PROTOCOL_E_NOT_FOUND, EXIT_NOT_FOUND },
                { PROTOCOL_E_AMBIGUOUS, EXIT_NOT_FOUND },
                { PROTOCOL_E_NOT_READY, EXIT_NOT_READY },
        };

        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
                if (strcmp(code, statuses[i].code) == 0)
                        return statuses[i].status;
        return EXIT_FAILED;
}

static int report(const json_t *body) {
        const json_t *error = json_object_get(body, "error");
        const char *code = json_string_value(json_object_get(error, "code"));
        const char *message = json_string_value(json_object_get(error, "message"));

        fputs("tpmauthn: ", stderr);
        print_text(stderr, message ? message : "the daemon's answer could not be understood", 0);
        fputc('\n', stderr);
        return exit_status_of(code ? code : "");
}

/* Connects and asks. The body, or NULL after printing what went wrong; *ret then stays open. */
static json_t *ask_on(const struct options *o, const char *method, bool all, json_t *params,
                      struct client **ret) {
        struct client *c = client_open(o->socket);
        json_t *body;

        if (!c) {
                fprintf(stderr,
                        "tpmauthn: no daemon answers at %s: %s. Is tpmauthnd running? See: tpmauthn "
                        "doctor\n",
                        o->socket, strerror(errno));
                json_decref(params);
                return NULL;
        }
        if (!params)
                params = json_object();
        if (!all)
                json_object_set_new(params, "device", json_integer(o->device));
        if (o->has_user)
                json_object_set_new(params, "user", json_integer(o->user));

        body = client_call(c, method, params);
        if (!body) {
                fprintf(stderr, "tpmauthn: the connection to the daemon failed: %s\n",
                        strerror(errno));
                client_close(c);
                return NULL;
        }
        *ret = c;
        return body;
}

/* The same for one answer. */
static json_t *ask_daemon(const struct options *o, const char *method, json_t *params) {
        struct client *c = NULL;
        json_t *body = ask_on(o, method, strcmp(method, PROTOCOL_STATUS) == 0, params, &c);

        client_close(c);
        return body;
}

/* Takes the body. */
static int take_result(json_t *body, json_t **ret) {
        json_t *result = json_object_get(body, "result");
        int status = EXIT_OK;

        if (!body)
                return EXIT_UNREACHABLE;
        if (result)
                *ret = json_incref(result);
        else
                status = report(body);
        json_decref(body);
        return status;
}

int client_run(const struct options *o, const char *method, json_t *params, json_t **ret) {
        return take_result(ask_daemon(o, method, params), ret);
}

int client_follow(const struct options *o, bool all, json_t *params, struct client **ret,
                  json_t **ret_result) {
        struct client *c = NULL;
        int status = take_result(ask_on(o, PROTOCOL_FOLLOW, all, params, &c), ret_result);

        if (status != EXIT_OK)
                client_close(c);
        else
                *ret = c;
        return status;
}

static bool is_error(const json_t *body, const char *want) {
        const json_t *error = json_object_get(body, "error");
        const char *code = json_string_value(json_object_get(error, "code"));

        return code && strcmp(code, want) == 0;
}

static bool wants_owner(const json_t *body) {
        return is_error(body, PROTOCOL_E_OWNER_AUTH);
}

/* -1: it was not given, or cannot be sent. */
static int add_owner_auth(json_t *params) {
        _cleanup_(secret_text_wipe) struct secret_text password;

        if (ask_secret("Password of the TPM's owner hierarchy: ", &password) < 0)
                return -1;
        if (json_object_set_new(params, "owner_auth", json_string(password.s)) == 0)
                return 0;
        fputs("tpmauthn: only a password in UTF-8 can be sent\n", stderr);
        return -1;
}

static json_t *ask_machine(const struct options *o, const char *method, json_t *params) {
        struct options of_machine = *o;
        struct client *c = NULL;
        json_t *body;

        of_machine.has_user = false;
        body = ask_on(&of_machine, method, true, params, &c);
        client_close(c);
        return body;
}

int client_run_on_machine(const struct options *o, const char *method, json_t *params,
                          json_t **ret) {
        json_t *again = params ? json_deep_copy(params) : json_object();
        json_t *body = ask_machine(o, method, params);

        if (!wants_owner(body)) {
                json_decref(again);
                return take_result(body, ret);
        }
        json_decref(body);
        if (add_owner_auth(again) < 0) {
                json_decref(again);
                return EXIT_FAILED;
        }
        return take_result(ask_machine(o, method, again), ret);
}

int client_look_at_machine(const struct options *o, const char *method, json_t **ret) {
        const struct timespec pause = { .tv_nsec = BUSY_PAUSE_MS * 1000000L };
        json_t *body = ask_machine(o, method, NULL);

        for (int tries = BUSY_MS / BUSY_PAUSE_MS; tries > 0 && is_error(body, PROTOCOL_E_BUSY);
             tries--) {
                json_decref(body);
                nanosleep(&pause, NULL);
                body = ask_machine(o, method, NULL);
        }
        if (!is_error(body, PROTOCOL_E_NOT_ALLOWED))
                return take_result(body, ret);
        json_decref(body);
        return EXIT_OK;
}

int client_run_as_owner(const struct options *o, const char *method, json_t **ret) {
        json_t *body = ask_daemon(o, method, NULL), *params;

        if (!wants_owner(body))
                return take_result(body, ret);
        json_decref(body);
        params = json_object();
        if (add_owner_auth(params) < 0) {
                json_decref(params);
                return EXIT_FAILED;
        }
        return take_result(ask_daemon(o, method, params), ret);
}

void print_json(const json_t *value) {
        json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
}
