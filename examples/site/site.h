/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The site without its server: a path and a JSON object in, a JSON object out. All that it knows lies in
 * the store, and the time comes with the request.
 */

#include "examples/site/store.h"

#define BODY_MAX 65536

struct site {
        struct store *store;
        const char *origin;       /* "http://localhost:8080" */
        const char *rp_id;        /* "localhost" */
        const char *other_origin; /* of the look-alike, which plays the phisher */
        X509_STORE *roots;        /* of attestations; or NULL */
};

struct request {
        const char *path;          /* "/api/login/begin" */
        const struct token *token; /* of the cookie, or NULL */
        const json_t *body;
        int64_t now;
};

struct reply {
        enum refusal refusal;
        json_t *body;
        bool has_token;
        struct token token; /* for a new cookie */
};

/* -ENOMEM, or the store's failure; then there is no reply. */
_must_check_ int site_answer(struct site *site, const struct request *request, struct reply *ret);
void reply_done(struct reply *r);
