/* SPDX-License-Identifier: BSD-2-Clause */

/* The events of a store: opaque rows, of which the newest STORE_EVENTS are kept. */

#include <errno.h>
#include <string.h>

#include "authenticator/store-query.h"
#include "authenticator/store.h"

static const char adding[] = "keep an event";

/* In the transaction of its caller. */
static int add(struct store *s, struct bytes sealed) {
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_ADD_EVENT];

        if (sealed.len == 0 || sealed.len > STORE_EVENT_MAX)
                return -EINVAL;
        store_bind_bytes(q, 1, sealed);
        return store_query_step(s, q, adding);
}

int store_add_events(struct store *s, const struct bytes *sealed, size_t n) {
        int r = store_query_run(s, Q_BEGIN, adding);

        if (r < 0)
                return r;

        _cleanup_(store_txn_end) struct store *txn = s;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = add(s, sealed[i]);
        if (r == 0)
                r = store_query_run(s, Q_TRIM_EVENTS, adding);
        return r < 0 ? r : store_txn_commit(txn, adding);
}

/* The newest before a sequence, copied. -ENOENT: there is none. */
static int newest(struct store *s, uint64_t before, uint64_t *ret_sequence, struct buf *ret) {
        static const char doing[] = "read an event";
        _cleanup_(store_query_return) sqlite3_stmt *q = s->stmt[Q_NEXT_EVENT];
        int r;

        store_bind_int(q, 1, before < INT64_MAX ? (int64_t)before : INT64_MAX);
        r = store_query_step(s, q, doing);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        ret->len = 0;
        buf_put(ret, BYTES(sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)));
        if (buf_error(ret) < 0)
                return store_file_fail(&s->file, -EUCLEAN, doing, "it is too long");
        *ret_sequence = (uint64_t)sqlite3_column_int64(q, 0);
        return 0;
}

int store_each_event(struct store *s, uint64_t before, store_each_event_fn *each, void *userdata) {
        uint8_t storage[STORE_EVENT_MAX];
        struct buf sealed = BUF_ON(storage);
        uint64_t at = before > 0 ? before : INT64_MAX;

        for (;;) {
                int r = newest(s, at, &at, &sealed);

                if (r == -ENOENT)
                        return 0;
                if (r < 0)
                        return r;
                r = each(userdata, at, buf_bytes(&sealed));
                if (r != 0)
                        return r;
        }
}
