/* SPDX-License-Identifier: BSD-2-Clause */

/* The events of a device: see journal.h. An event that cannot be opened is left out of the list. */

#include "authenticator/journal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "ctap/crypto.h"
#include "ctap/status.h"

enum {
        SEAL_VERSION = 1,
        PENDING_MAX = 64,
        PADDING = 64,
};

#define PLAIN_MAX 448 /* 1 + 1 + 8 + 1 + 48 + 2 + 255 + 2 + 128, and padding */

static_assert(PENDING_MAX >= PROTOCOL_SEED_MAX, "one request loses no event of its own");

static_assert(1 + sizeof(struct ctap_gcm_nonce) + PLAIN_MAX + CTAP_GCM_TAG_SIZE <= STORE_EVENT_MAX,
              "the store takes the longest event");

struct journal {
        size_t n, first; /* a ring */
        struct journal_event pending[PENDING_MAX];
};

static const uint8_t additional[] = { 'E', SEAL_VERSION };

int journal_new(struct journal **ret) {
        struct journal *j = calloc(1, sizeof(*j));

        if (!j)
                return -ENOMEM;
        *ret = j;
        return 0;
}

struct journal *journal_free(struct journal *j) {
        free(j);
        return NULL;
}

void journal_drop(struct journal *j) {
        j->n = j->first = 0;
}

bool journal_is_full(const struct journal *j) {
        return j->n == PENDING_MAX;
}

static void set_names(struct journal_event *e, struct bytes rp_id, struct bytes account) {
        rp_id = bytes_utf8_prefix(rp_id, sizeof(e->rp_id));
        account = bytes_utf8_prefix(account, sizeof(e->account));
        e->rp_id_len = (uint16_t)rp_id.len;
        e->account_len = (uint16_t)account.len;
        if (rp_id.len > 0)
                memcpy(e->rp_id, rp_id.data, rp_id.len);
        if (account.len > 0)
                memcpy(e->account, account.data, account.len);
}

static struct journal_event *note(struct journal *j, enum journal_what what, uint8_t status,
                                  const struct ctap_credential_id *id) {
        struct journal_event *e = &j->pending[(j->first + j->n) % PENDING_MAX];

        if (j->n < PENDING_MAX)
                j->n++;
        else
                j->first = (j->first + 1) % PENDING_MAX;
        *e = (struct journal_event){ .what = what, .status = status, .time = (int64_t)time(NULL) };
        if (id) {
                e->has_id = true;
                e->id = *id;
        }
        return e;
}

void journal_note(struct journal *j, enum journal_what what, uint8_t status,
                  const struct ctap_credential_id *id, struct bytes rp_id, struct bytes account) {
        set_names(note(j, what, status, id), rp_id, account);
}

/* ---- sealing ---- */

struct keys {
        struct ctap_credential_keys credential;
        struct secret32 event;
};

static void keys_wipe(struct keys *k) {
        OPENSSL_cleanse(k, sizeof(*k));
}

static int derive(const struct secret32 *store_key, struct keys *ret) {
        int r = ctap_credential_keys_derive(store_key, &ret->credential);

        return r < 0 ? r : ctap_hkdf_sha256(store_key, "tpmauthn event", &ret->event);
}

static void take_names(const struct keys *k, const struct ctap_row *row, struct journal_event *e) {
        uint8_t storage[sizeof(row->sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record record;

        if (ctap_record_open(&k->credential, NULL, row, &opened, &record) == 0)
                set_names(e, record.rp_id, ctap_record_account(&record));
}

/* What the store still says of the credential. */
static void look_up_names(const struct keys *k, struct store *s, struct journal_event *e) {
        struct ctap_row row;

        if (e->has_id && e->rp_id_len == 0 && store_find(s, &e->id, &row) == 0)
                take_names(k, &row, e);
}

/* Its earlier events that are not written yet cannot find their names any more either. */
void journal_note_row(struct journal *j, enum journal_what what, const struct ctap_row *row,
                      const struct secret32 *store_key) {
        _cleanup_(keys_wipe) struct keys k = { 0 };

        (void)note(j, what, CTAP_OK, &row->id);
        if (!store_key || derive(store_key, &k) < 0)
                return;
        for (size_t i = 0; i < j->n; i++) {
                struct journal_event *e = &j->pending[(j->first + i) % PENDING_MAX];

                if (e->has_id && e->rp_id_len == 0 &&
                    bytes_equal(BYTES_OF(e->id), BYTES_OF(row->id)))
                        take_names(&k, row, e);
        }
}

static int seal(const struct keys *k, const struct journal_event *e, struct buf *out) {
        uint8_t storage[PLAIN_MAX];
        struct buf plain = BUF_ON(storage);
        struct ctap_gcm_nonce nonce;
        int r;

        buf_put_u8(&plain, (uint8_t)e->what);
        buf_put_u8(&plain, e->status);
        buf_put_u64(&plain, (uint64_t)e->time);
        buf_put_u8(&plain, e->has_id ? sizeof(e->id) : 0);
        if (e->has_id)
                buf_put(&plain, BYTES_OF(e->id));
        buf_put_string16(&plain, BYTES(e->rp_id, e->rp_id_len));
        buf_put_string16(&plain, BYTES(e->account, e->account_len));
        while (plain.len % PADDING != 0)
                buf_put_u8(&plain, 0);
        r = buf_error(&plain);
        if (r < 0)
                return r;
        if (RAND_bytes(nonce.b, sizeof(nonce.b)) != 1)
                return -EIO;

        buf_put_u8(out, SEAL_VERSION);
        buf_put(out, BYTES_OF(nonce));
        r = ctap_gcm_seal(&k->event, &nonce, BYTES_OF(additional), buf_bytes(&plain), out);
        return r < 0 ? r : buf_error(out);
}

static int parse(struct bytes plain, struct journal_event *ret) {
        struct cursor c = { plain, false };
        struct bytes rp_id, account;

        ret->what = (enum journal_what)cursor_u8(&c);
        ret->status = cursor_u8(&c);
        ret->time = (int64_t)cursor_u64(&c);
        switch (cursor_u8(&c)) {
        case 0:
                break;
        case sizeof(ret->id):
                ret->has_id = true;
                cursor_copy(&c, ret->id.b, sizeof(ret->id.b));
                break;
        default:
                return -EBADMSG;
        }
        rp_id = cursor_string16(&c);
        account = cursor_string16(&c);
        if (c.failed || rp_id.len > sizeof(ret->rp_id) || account.len > sizeof(ret->account))
                return -EBADMSG;
        set_names(ret, rp_id, account);
        return 0;
}

static int unseal(const struct keys *k, struct bytes sealed, struct journal_event *ret) {
        struct cursor c = { sealed, false };
        uint8_t storage[PLAIN_MAX];
        struct buf plain = BUF_ON(storage);
        struct ctap_gcm_nonce nonce;
        int r;

        if (cursor_u8(&c) != SEAL_VERSION)
                return -EBADMSG;
        cursor_copy(&c, nonce.b, sizeof(nonce.b));
        if (c.failed)
                return -EBADMSG;
        r = ctap_gcm_open(&k->event, &nonce, BYTES_OF(additional), c.left, &plain);
        return r < 0 ? r : parse(buf_bytes(&plain), ret);
}

/* ---- to and from the store ---- */

static int write_all(struct journal *j, struct store *s, const struct secret32 *store_key) {
        _cleanup_(keys_wipe) struct keys k = { 0 };
        uint8_t storage[PENDING_MAX][STORE_EVENT_MAX];
        struct bytes sealed[PENDING_MAX];
        int r = derive(store_key, &k);

        for (size_t i = 0; r == 0 && i < j->n; i++) {
                struct journal_event *e = &j->pending[(j->first + i) % PENDING_MAX];
                struct buf out = BUF_ON(storage[i]);

                look_up_names(&k, s, e);
                r = seal(&k, e, &out);
                sealed[i] = buf_bytes(&out);
        }
        return r < 0 ? r : store_add_events(s, sealed, j->n);
}

void journal_write(struct journal *j, struct store *s, const struct secret32 *store_key) {
        if (j->n == 0)
                return;
        if (write_all(j, s, store_key) < 0)
                store_log(s, LOG_WARNING, "the last %zu events are not kept", j->n);
        journal_drop(j);
}

struct walk {
        struct keys keys;
        journal_each_fn *each;
        void *userdata;
};

static void walk_wipe(struct walk *w) {
        keys_wipe(&w->keys);
}

static int visit(void *userdata, uint64_t sequence, struct bytes sealed) {
        struct walk *w = userdata;
        struct journal_event e = { .sequence = sequence };

        return unseal(&w->keys, sealed, &e) < 0 ? 0 : w->each(w->userdata, &e);
}

int journal_each(struct store *s, const struct secret32 *store_key, uint64_t before,
                 journal_each_fn *each, void *userdata) {
        _cleanup_(walk_wipe) struct walk w = { .each = each, .userdata = userdata };
        int r = derive(store_key, &w.keys);

        return r < 0 ? r : store_each_event(s, before, visit, &w);
}
