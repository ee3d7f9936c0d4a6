/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the site remembers, in SQLite: accounts and their passkeys, sessions, and challenges. Times are
 * seconds since 1970 and come from the caller. Functions return 0 or a negative errno; -ENOENT: there is
 * no such thing; -EEXIST: it is there already; -ENOSPC: as many as there may be.
 */

#include "examples/site/ceremony.h"

#define NAME_MAX_BYTES      64 /* WebAuthn §5.4.1 */
#define HANDLE_LEN          16
#define TOKEN_LEN           32
#define NOTE_MAX            1536 /* the 500 characters of the page in UTF-8, iv and tag */
#define CHALLENGE_SECONDS   300
#define SESSION_SECONDS     43200
#define CREDENTIALS_MAX     16 /* of an account */
#define ACCOUNTS_MAX        1024
#define SESSIONS_MAX        1024
#define CHALLENGES_MAX      4096
#define CHALLENGES_EACH_MAX 64 /* of a session */

struct store;

/* A file, or ":memory:". No challenge outlives the program. -EPROTO: another version of it made the file. */
_must_check_ int store_open(const char *path, struct store **ret);
void store_close(struct store **s);
_must_check_ int store_forget_challenges(struct store *s);

struct account {
        int64_t id; /* 0: nobody */
        uint8_t handle[HANDLE_LEN];
        char name[NAME_MAX_BYTES + 1];
};

_must_check_ int store_find_account(struct store *s, const char *name, struct account *ret);
/* With all that belongs to it. */
_must_check_ int store_delete_account(struct store *s, int64_t account);

struct session {
        int64_t id;
        struct account account; /* who is signed in */
};

struct token {
        uint8_t b[TOKEN_LEN];
};

/* The oldest makes room; one that nobody is signed in to goes first. */
_must_check_ int store_new_session(struct store *s, int64_t now, struct token *ret);
_must_check_ int store_find_session(struct store *s, const struct token *t, int64_t now,
                                    struct session *ret);
/* Signs in, with a new token; the old one is worth nothing any more. */
_must_check_ int store_sign_in(struct store *s, int64_t session, int64_t account, int64_t now,
                               struct token *ret);
_must_check_ int store_sign_out(struct store *s, int64_t session);

/* What a challenge was given out for. */
struct begun {
        bool is_registration;
        bool needs_verification;
        int64_t algorithms[N_ALGORITHMS_MAX];
        size_t n_algorithms;
        /* Who registers, or whose passkey is asked for; of a login the id is 0 if nobody was named. */
        struct account account;
};

_must_check_ int store_open_challenge(struct store *s, int64_t session, int64_t now,
                                      const struct begun *begun,
                                      const uint8_t challenge[static CHALLENGE_LEN]);
/* Uses it up, if it is open. `ret` is set only then. */
_must_check_ int store_use_challenge(struct store *s, int64_t session, int64_t now,
                                     const uint8_t challenge[static CHALLENGE_LEN],
                                     struct begun *ret, enum challenge_state *ret_state);

struct credential {
        uint8_t id[CREDENTIAL_ID_MAX];
        size_t id_len;
        uint8_t public_key[PUBLIC_KEY_MAX];
        size_t public_key_len;
        uint8_t aaguid[AAGUID_LEN];
        uint32_t counter;
        char transports[TRANSPORTS_TEXT_MAX];
        char attestation[16];
        bool is_trusted;
        bool is_backup_eligible;
        bool is_marked;
        int64_t created, used;
        struct account account;
        uint8_t note[NOTE_MAX]; /* sealed, with its iv in front */
        size_t note_len;
};

/* Makes the account as well, if its id is 0. -EADDRINUSE: its name was taken meanwhile. */
_must_check_ int store_add_credential(struct store *s, const struct credential *c,
                                      struct account *ret_account);
_must_check_ int store_find_credential(struct store *s, struct slice id, struct credential *ret);
/* Calls for each passkey of an account, in the order of their making, until a call returns less than 0. */
_must_check_ int store_each_credential(struct store *s, int64_t account,
                                       int (*call)(void *userdata, const struct credential *c),
                                       void *userdata);

/*
 * Compares and stores the counter of a login in one transaction (WebAuthn §7.2 step 22). One that did not
 * rise marks the passkey.
 */
_must_check_ int store_count(struct store *s, struct slice id, uint32_t counter, int64_t now,
                             enum refusal *ret);

_must_check_ int store_write_note(struct store *s, int64_t account, struct slice id,
                                  struct slice note);
