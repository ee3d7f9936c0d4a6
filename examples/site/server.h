/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * HTTP on the loopback interface, by libmicrohttpd: the site on one port, and on another a page that looks
 * like it and is the phisher's. One thread, one request for each connection, and limits for all of it.
 */

#include "examples/site/pages.h"
#include "examples/site/site.h"

#define CONNECTIONS_MAX    64
#define CONNECTION_SECONDS 20 /* from its beginning to its end */

struct server;

struct server_options {
        const struct pages *pages;
        const char *database;
        X509_STORE *roots;
        /* 0: any that is free. */
        uint16_t port, other_port;
};

_must_check_ int server_new(const struct server_options *o, struct server **ret);
void server_free(struct server **s);
const char *server_origin(const struct server *s);

/* Until a signal (SIGINT, SIGTERM) comes, which it blocks. */
_must_check_ int server_run(struct server *s);
