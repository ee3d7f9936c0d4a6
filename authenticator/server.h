/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The control socket: listens, has it decided who may call, cuts the stream into lines and hands
 * requests out one per client at a time. Answers may come later, by the request's tag.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "authenticator/config.h"
#include "authenticator/control.h"
#include "authenticator/log.h"
#include "authenticator/protocol.h"
#include "ctap/macro.h"

/* What no user can take from another: each who may connect has a device, or is root or this account. */
#define SERVER_CLIENTS_MAX (PROTOCOL_CLIENTS_MAX * (CONFIG_DEVICES_MAX + 2))

struct server;

/* The request is borrowed for the call. Each is answered once, now or later. */
typedef void server_request_fn(void *userdata, uint32_t tag, uid_t peer,
                               const struct control_request *rq);
/* NULL: this user may connect. Else the body to refuse with. */
typedef json_t *server_connect_fn(void *userdata, uid_t peer);
/* The client of a request that was not answered yet, or that goes on with events, has gone. */
typedef void server_gone_fn(void *userdata, uint32_t tag);

struct server_options {
        sd_event *event;
        const char *path;
        const struct log *log;
        server_connect_fn *on_connect;
        server_request_fn *on_request;
        server_gone_fn *on_gone;
        void *userdata;
};

/* -EADDRINUSE: another daemon listens there. A socket that nobody listens on is replaced. */
_must_check_ int server_new(const struct server_options *options, struct server **ret);
/* NULL is fine. Returns NULL. */
struct server *server_free(struct server *s);

/* The process that connected, which may be no more; 0: whoever asked has gone. */
pid_t server_peer_pid(const struct server *s, uint32_t tag);

/* For when on_connect() says another thing than before: who would be refused now has to go. */
void server_drop_refused(struct server *s);

/* Takes the body (control.h). A client that has gone meanwhile is not told. */
void server_answer(struct server *s, uint32_t tag, json_t *body);
/*
 * The same, and the tag stays the client's: from now on it takes what server_push() gives it, and asks
 * for nothing more. False: it has gone.
 */
_must_check_ bool server_answer_and_go_on(struct server *s, uint32_t tag, json_t *body);
/* A line with its newline. A client with more than PROTOCOL_BACKLOG_MAX to read is dropped. */
void server_push(struct server *s, uint32_t tag, const char *line);
