/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What concerns the discoverable credentials of a store together: how many there are of how many RPs,
 * and the state that changes with them. It is one row that is written in the same transaction.
 */

#include <errno.h>

#include "authenticator/store-query.h"
#include "authenticator/store.h"

static int read_discoverable(sqlite3_stmt *q, struct store_discoverable *ret) {
        struct store_discoverable got = {
                .n_rps = (uint32_t)sqlite3_column_int64(q, 0),
                .n_credentials = (uint32_t)sqlite3_column_int64(q, 1),
        };
        int r = store_column_exactly(q, 2, got.state.b, sizeof(got.state.b));

        if (r < 0)
                return r;
        *ret = got;
        return 0;
}

/* The one row of a bound query. */
static int one_discoverable(struct store *s, sqlite3_stmt *q, const char *doing,
                            struct store_discoverable *ret) {
        int r = store_query_step(s, q, doing);

        if (r < 0)
                return r;
        r = r == 0 ? -EUCLEAN : read_discoverable(q, ret);
        if (r < 0)
                return store_file_fail(&s->file, r, doing, "the state is missing or damaged");
        return 0;
}

int store_load_discoverable(struct store *s) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_GET_DISCOVERABLE];

        return one_discoverable(s, q, "read the state of the credentials", &s->discoverable);
}

int store_put_discoverable(struct store *s, int rps, int credentials, const char *doing,
                           struct store_discoverable *ret) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_SET_DISCOVERABLE];

        store_bind_int(q, 1, rps);
        store_bind_int(q, 2, credentials);
        return one_discoverable(s, q, doing, ret);
}

void store_totals(const struct store *s, uint32_t *ret_rps, uint32_t *ret_credentials) {
        *ret_rps = s->discoverable.n_rps;
        *ret_credentials = s->discoverable.n_credentials;
}

const struct ctap_store_state *store_state(const struct store *s) {
        return &s->discoverable.state;
}
