/* SPDX-License-Identifier: BSD-2-Clause */

/* Sessions, and the challenges that they were given. */

#include <errno.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "examples/site/store-internal.h"

struct hashed {
        uint8_t b[SHA256_DIGEST_LENGTH];
};

static struct hashed hash_of(const struct token *t) {
        struct hashed h;

        SHA256(t->b, sizeof(t->b), h.b);
        return h;
}

static int new_token(struct token *ret) {
        return RAND_bytes(ret->b, sizeof(ret->b)) == 1 ? 0 : -EIO;
}

/* A statement with one number in it. */
static int run_with(struct store *s, const char *sql, int64_t number) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, sql, &q);

        if (r < 0)
                return r;
        (void)sqlite3_bind_int64(q, 1, number);
        return store_run(s, q);
}

static int make_room(struct store *s, int64_t now) {
        int r = run_with(s, "DELETE FROM session WHERE created <= ?", now - SESSION_SECONDS);

        if (r < 0)
                return r;
        return run_with(s,
                        "DELETE FROM session WHERE id IN (SELECT id FROM session"
                        " ORDER BY account IS NULL, created DESC, id DESC LIMIT -1 OFFSET ?)",
                        SESSIONS_MAX - 1);
}

static int insert_session(struct store *s, int64_t now, const struct token *t) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        struct hashed h = hash_of(t);
        int r = store_prepare(s, "INSERT INTO session (token, created) VALUES (?, ?)", &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, SLICE_OF(h));
        (void)sqlite3_bind_int64(q, 2, now);
        return store_run(s, q);
}

int store_new_session(struct store *s, int64_t now, struct token *ret) {
        struct token t;
        int r = new_token(&t);

        if (r == 0)
                r = store_begin(s);
        if (r < 0)
                return r;
        r = make_room(s, now);
        if (r == 0)
                r = insert_session(s, now, &t);
        r = store_end(s, r);
        if (r == 0)
                *ret = t;
        return r;
}

int store_find_session(struct store *s, const struct token *t, int64_t now, struct session *ret) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        struct hashed h = hash_of(t);
        struct session found;
        int r = store_prepare(s,
                              "SELECT session.id, account.id, handle, name FROM session"
                              " LEFT JOIN account ON account.id = session.account"
                              " WHERE token = ? AND session.created > ?",
                              &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, SLICE_OF(h));
        (void)sqlite3_bind_int64(q, 2, now - SESSION_SECONDS);
        r = store_step(s, q);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        found.id = sqlite3_column_int64(q, 0);
        if (!store_read_account(q, 1, &found.account))
                return -EUCLEAN;
        *ret = found;
        return 0;
}

int store_sign_in(struct store *s, int64_t session, int64_t account, int64_t now,
                  struct token *ret) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        struct hashed h;
        struct token t;
        int r = new_token(&t);

        if (r == 0)
                r = store_prepare(
                        s, "UPDATE session SET token = ?, account = ?, created = ? WHERE id = ?",
                        &q);
        if (r < 0)
                return r;
        h = hash_of(&t);
        store_bind_bytes(q, 1, SLICE_OF(h));
        (void)sqlite3_bind_int64(q, 2, account);
        (void)sqlite3_bind_int64(q, 3, now);
        (void)sqlite3_bind_int64(q, 4, session);
        r = store_run(s, q);
        if (r == 0)
                *ret = t;
        return r;
}

int store_sign_out(struct store *s, int64_t session) {
        return run_with(s, "UPDATE session SET account = NULL WHERE id = ?", session);
}

static int count_challenges(struct store *s, const char *sql, int64_t session, int64_t max) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, sql, &q);

        if (r < 0)
                return r;
        (void)sqlite3_bind_int64(q, 1, session);
        r = store_step(s, q);
        if (r < 0)
                return r;
        return sqlite3_column_int64(q, 0) >= max ? -ENOSPC : 0;
}

/* Old ones stay for as long again, so that it can be said that they are too old. */
static int make_room_for_challenge(struct store *s, int64_t session, int64_t now) {
        int r = run_with(s, "DELETE FROM challenge WHERE created <= ?",
                         now - 2 * CHALLENGE_SECONDS);

        if (r == 0)
                r = count_challenges(s, "SELECT count(*) FROM challenge WHERE session = ?", session,
                                     CHALLENGES_EACH_MAX);
        if (r == 0)
                r = count_challenges(s, "SELECT count(*) FROM challenge WHERE ? NOT NULL", session,
                                     CHALLENGES_MAX);
        return r;
}

/* Two bytes each: they are small negative numbers. */
static size_t pack_algorithms(const struct begun *begun, uint8_t to[static 2 * N_ALGORITHMS_MAX]) {
        for (size_t i = 0; i < begun->n_algorithms; i++) {
                uint16_t positive = (uint16_t)-begun->algorithms[i];

                to[2 * i] = (uint8_t)(positive >> 8);
                to[2 * i + 1] = (uint8_t)positive;
        }
        return 2 * begun->n_algorithms;
}

static int insert_challenge(struct store *s, int64_t session, int64_t now,
                            const struct begun *begun, struct slice challenge) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        uint8_t algorithms[2 * N_ALGORITHMS_MAX];
        size_t len = pack_algorithms(begun, algorithms);
        int r = store_prepare(s,
                              "INSERT INTO challenge (value, session, created, is_registration,"
                              " needs_verification, algorithms, account, handle, name)"
                              " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                              &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, challenge);
        (void)sqlite3_bind_int64(q, 2, session);
        (void)sqlite3_bind_int64(q, 3, now);
        (void)sqlite3_bind_int(q, 4, begun->is_registration);
        (void)sqlite3_bind_int(q, 5, begun->needs_verification);
        store_bind_bytes(q, 6, SLICE(algorithms, len));
        if (begun->account.name[0]) {
                (void)sqlite3_bind_int64(q, 7, begun->account.id);
                store_bind_bytes(q, 8, SLICE_OF(begun->account.handle));
                store_bind_text(q, 9, begun->account.name);
        }
        return store_run(s, q);
}

int store_open_challenge(struct store *s, int64_t session, int64_t now, const struct begun *begun,
                         const uint8_t challenge[static CHALLENGE_LEN]) {
        int r = store_begin(s);

        if (r < 0)
                return r;
        r = make_room_for_challenge(s, session, now);
        if (r == 0)
                r = insert_challenge(s, session, now, begun, SLICE(challenge, CHALLENGE_LEN));
        return store_end(s, r);
}

static bool read_algorithms(sqlite3_stmt *q, int at, struct begun *begun) {
        uint8_t packed[2 * N_ALGORITHMS_MAX];
        size_t len;

        if (!store_read_bytes(q, at, packed, sizeof(packed), &len) || len % 2 != 0)
                return false;
        begun->n_algorithms = len / 2;
        for (size_t i = 0; i < begun->n_algorithms; i++)
                begun->algorithms[i] = -(packed[2 * i] << 8 | packed[2 * i + 1]);
        return true;
}

static int find_challenge(struct store *s, int64_t session, int64_t now, struct slice challenge,
                          struct begun *ret, enum challenge_state *ret_state) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s,
                              "SELECT created, is_used, is_registration, needs_verification,"
                              " algorithms, account, handle, name FROM challenge"
                              " WHERE value = ? AND session = ?",
                              &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, challenge);
        (void)sqlite3_bind_int64(q, 2, session);
        r = store_step(s, q);
        if (r < 0)
                return r;
        if (r == 0) {
                *ret_state = CHALLENGE_UNKNOWN;
                return 0;
        }
        ret->is_registration = sqlite3_column_int(q, 2);
        ret->needs_verification = sqlite3_column_int(q, 3);
        if (!read_algorithms(q, 4, ret) || !store_read_account(q, 5, &ret->account))
                return -EUCLEAN;
        *ret_state = sqlite3_column_int(q, 1)                                ? CHALLENGE_USED
                     : sqlite3_column_int64(q, 0) + CHALLENGE_SECONDS <= now ? CHALLENGE_EXPIRED
                                                                             : CHALLENGE_OPEN;
        return 0;
}

static int mark_used(struct store *s, struct slice challenge) {
        _cleanup_(free_statement) sqlite3_stmt *q = NULL;
        int r = store_prepare(s, "UPDATE challenge SET is_used = 1 WHERE value = ?", &q);

        if (r < 0)
                return r;
        store_bind_bytes(q, 1, challenge);
        return store_run(s, q);
}

int store_use_challenge(struct store *s, int64_t session, int64_t now,
                        const uint8_t challenge[static CHALLENGE_LEN], struct begun *ret,
                        enum challenge_state *ret_state) {
        struct slice value = SLICE(challenge, CHALLENGE_LEN);
        enum challenge_state state = CHALLENGE_UNKNOWN;
        struct begun begun = { 0 };
        int r = store_begin(s);

        if (r < 0)
                return r;
        r = find_challenge(s, session, now, value, &begun, &state);
        if (r == 0 && state == CHALLENGE_OPEN)
                r = mark_used(s, value);
        r = store_end(s, r);
        if (r < 0)
                return r;
        if (state == CHALLENGE_OPEN)
                *ret = begun;
        *ret_state = state;
        return 0;
}
