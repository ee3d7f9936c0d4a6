/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A world for ctap/ that a test holds in its hand: keys in software, a store in memory, a person
 * who answers as told, a clock that moves when pushed, a seeded rng. It writes down every call in
 * order, and any single call can be made to fail.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/env.h"

#define FAKE_ROWS         32
#define FAKE_CERTIFICATES 4
#define FAKE_LARGE_BLOBS  65536

/* A key that was seen. */
struct fake_key {
        uint8_t blob[CTAP_KEY_BLOB_MAX];
        size_t len;
        struct evp_pkey_st *pkey; /* NULL: there is none */
};

struct fake {
        struct ctap_env env;
        struct ctap_keys keys;
        struct ctap_store store;
        struct ctap_presence presence;
        struct ctap_clock clock;
        struct ctap_rng rng;
        struct ctap_attester attester;  /* not in `env` to begin with */
        struct ctap_attester certifier; /* likewise; of the other kind, with the same key */
        struct ctap_witness witness;

        /* What it was told, in order: "created example.com uv; pin-wrong 7;" */
        char noted[1024];

        /* What was called, in order: "begin create load wait end sign insert unload". */
        char trace[8192];

        unsigned offered;  /* keys: bits of enum ctap_key_type */
        unsigned n_loaded; /* keys that were loaded and not given up */
        unsigned n_rsa;    /* RSA keys that were made */
        struct fake_key known[2 * FAKE_ROWS];
        unsigned n_known; /* that were ever put there */

        struct ctap_pin_hash pin; /* keys: meaningless without has_pin */
        bool has_pin;
        uint8_t pin_count;    /* wrong tries */
        bool pin_later;       /* the device looks at no PIN for now */
        bool pin_unheard;     /* the next pin_change comes about, and then says -EIO */
        unsigned secret_seed; /* of the random keys that are made */
        uint32_t epoch;       /* counts restarts: tickets of an older one are no good */

        struct ctap_settings settings;   /* the store */
        struct ctap_row rows[FAKE_ROWS]; /* oldest first */
        uint32_t n_rows;
        uint32_t capacity; /* at most FAKE_ROWS */
        uint64_t sequence;
        struct secret32 store_key;
        struct ctap_store_state state;
        uint8_t large_blobs[FAKE_LARGE_BLOBS];
        uint32_t large_blobs_len;

        enum ctap_answer answer;         /* what the person says to every question */
        const char *typed;               /* and types, with a yes, where it asks for the PIN */
        unsigned n_mistyped;             /* but so often something else before it */
        bool finger;                     /* or gives a finger after that, where it may */
        bool forged_finger;              /* or where it may not */
        void (*on_wait)(struct fake *f); /* NULL, or called while the person is being waited for */
        unsigned abilities;              /* presence: CTAP_PRESENCE_* */
        bool shown;                      /* a question is up */
        unsigned n_prompts;
        unsigned n_yes[_CTAP_ASKS]; /* by enum ctap_ask: questions that were said yes to */
        struct ctap_prompt prompt;  /* the latest question; its texts are copies */
        char rp_id[512];
        char account[2048];

        struct evp_pkey_st *attester_key;
        struct bytes certificates[FAKE_CERTIFICATES]; /* attester; may be anything */
        const char *served;                           /* the RP that it serves */

        uint64_t now_ms;
        uint64_t thinking_ms; /* what the clock moves on while the person decides */
        uint64_t seed;

        const char *fail_call; /* NULL: any */
        unsigned fail_in;      /* counts down to the call that fails; 0: none */
        int fail_with;
};

struct fake *fake_new(void);
struct fake *fake_free(struct fake *f); /* returns NULL */

/*
 * The nth call of that name from now on (NULL: of any that can fail) returns `error` and does
 * nothing. "fill", the rng, can fail too, though the trace leaves it out.
 */
void fake_fail(struct fake *f, const char *call, unsigned nth, int error);
/* Calls the failure off. True if it had not happened. */
bool fake_mend(struct fake *f);
void fake_forget_trace(struct fake *f);
/* How often a call is in the trace. */
unsigned fake_calls(const struct fake *f, const char *call);
/* Forgets a credential, as the owner's tool does. */
void fake_delete(struct fake *f, const struct ctap_credential_id *id);
