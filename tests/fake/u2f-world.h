/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The smallest world that U2F can live in: keys in software, a store of a few rows, a person who
 * answers when told to, a clock that is moved by hand. Any one call can be made to fail.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/env.h"

#define U2F_WORLD_KEYS 8
#define U2F_WORLD_ROWS 8

struct evp_pkey_st;

struct u2f_world {
        struct ctap_env env;

        struct ctap_keys keys;
        struct evp_pkey_st *key[U2F_WORLD_KEYS]; /* a blob is one byte: the place in here */
        unsigned n_keys;
        unsigned n_loaded; /* not yet unloaded */
        unsigned n_signed;

        struct ctap_store store;
        struct secret32 store_key;
        struct ctap_row row[U2F_WORLD_ROWS];
        unsigned n_rows;
        unsigned n_finds;

        struct ctap_presence presence;
        enum ctap_answer answer;
        bool shown;
        unsigned n_shown; /* questions so far */
        struct ctap_prompt prompt;
        char rp_id[64], account[64]; /* of the last question */

        struct ctap_clock clock;
        uint64_t now_ms;

        struct ctap_rng rng;
        uint8_t next_random;

        const char *fails; /* the operation that fails, by its name in env.h; NULL: none */
};

void u2f_world_init(struct u2f_world *w);
void u2f_world_done(struct u2f_world *w);

/* ECDSA with SHA-256 under an uncompressed point. */
bool u2f_world_verify(struct bytes point, struct bytes message, struct bytes signature);
