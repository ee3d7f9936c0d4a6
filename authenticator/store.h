/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One user's database (SQLite, WAL, synchronous=FULL): credentials, settings, large blobs, the counter
 * lease, the TPM state. It keeps rows and commits; what they mean is known above it (vault.h). One thread uses it.
 *
 *   -EUCLEAN  the file is not a database of ours, or damaged
 *   -EPROTO   written by a newer version of tpmauthn
 *   -EROFS    read-only file or file system
 *   -ENOSPC   disk full, or the credential limit
 *   -EBUSY    another process holds it
 *   -EIO      any other failure of the disk
 *
 * A failed call changed nothing that its caller can see; what a crash right after it leaves is the
 * state before the call or the state it asked for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/env.h"
#include "tpm/tpm.h"

struct store;

/* priority of syslog.h; one line, no newline, no payload. */
typedef void store_log_fn(void *userdata, int priority, const char *message);

enum store_change { STORE_INSERTED, STORE_USED, STORE_DELETED, STORE_ERASED };

/*
 * After the commit. `id` is NULL for what was erased; `row` is what was deleted, else NULL. The store
 * may not be used from here.
 */
typedef void store_changed_fn(void *userdata, enum store_change change,
                              const struct ctap_credential_id *id, const struct ctap_row *row);

struct store_options {
        const char *path;         /* of store.db; its folder exists */
        uint32_t max_credentials; /* of all kinds */
        store_log_fn *log;
        void *userdata;
        store_changed_fn *changed; /* NULL: nobody wants to know */
        void *changed_userdata;
};

/* Opens, or creates, and migrates. The file is 0600. Fails with a message that names the file. */
_must_check_ int store_open(const struct store_options *options, struct store **ret);
/* Checkpoints and closes. NULL is fine. Returns NULL. */
struct store *store_close(struct store *s);
/* Closes as store_close() does; 0 means that the one file, without a -wal, holds everything. */
_must_check_ int store_close_whole(struct store *s);
/* When idle: moves what was committed into the main file now and then, and gives memory back. */
void store_settle(struct store *s);
/* One line about this store, to the log it was opened with. */
_printf_(3, 4) void store_log(struct store *s, int priority, const char *format, ...);

/* The signature counter lease (lease.h). */
struct store_lease {
        uint64_t counter; /* the TPM counter's value this lease was taken at */
        uint32_t used;    /* signatures given out under it */
        bool clean;       /* closed: the next signature needs a new lease */
};

/* TPM_PHASE_NONE if none was ever set. */
_must_check_ int store_get_tpm_state(struct store *s, struct tpm_state *ret);
_must_check_ int store_set_tpm_state(struct store *s, const struct tpm_state *state);
/* -ENOENT: none was set since the store was made or erased. */
_must_check_ int store_get_lease(struct store *s, struct store_lease *ret);
_must_check_ int store_set_lease(struct store *s, const struct store_lease *lease);
/* In one transaction: every credential's count becomes at least its base + bound; the lease is set. */
_must_check_ int store_raise_counts(struct store *s, int64_t bound,
                                    const struct store_lease *lease);

/* A key that was made ahead (spare.h). */
struct store_spare {
        struct ctap_key_blob key; /* len 0: there is none now, but one is wanted */
        struct sha256 tag;        /* meaningless then */
};

/* -ENOENT: none was ever wanted since the store was made or erased. */
_must_check_ int store_get_spare(struct store *s, struct store_spare *ret);
_must_check_ int store_set_spare(struct store *s, const struct store_spare *spare);

/* -EEXIST: the id is taken. `base` is not above 0. */
_must_check_ int store_insert(struct store *s, const struct ctap_row *row, int64_t base);
/*
 * The same for several, in one transaction: all or none. *n_added is set on failure too: as many would
 * have been added before the one that failed.
 */
_must_check_ int store_insert_all(struct store *s, const struct ctap_row *rows, size_t n,
                                  int64_t base, size_t *n_added);
_must_check_ int store_find(struct store *s, const struct ctap_credential_id *id,
                            struct ctap_row *ret);
_must_check_ int store_newest(struct store *s, const struct sha256 *rp_tag, uint8_t max_protect,
                              uint64_t before, struct ctap_row *ret);
/* Raises a credential's count and the lease's `used` by one, in one transaction. -ENOENT; -EOVERFLOW. */
_must_check_ int store_use(struct store *s, const struct ctap_credential_id *id,
                           uint32_t *ret_count);
/* Both are there. -ENOENT; -EEXIST: the credential has a pair. */
_must_check_ int store_set_cred_random(struct store *s, const struct ctap_credential_id *id,
                                       const struct ctap_secret_blob *cred_random,
                                       const struct ctap_secret_blob *cred_random_uv);
/* Puts row->sealed in the place of what is kept. -ENOENT; -EINVAL: it is too long. */
_must_check_ int store_update(struct store *s, const struct ctap_row *row);
_must_check_ int store_delete(struct store *s, const struct ctap_credential_id *id);
/* Of each RP with discoverable credentials the oldest of them: ctap/env.h. */
_must_check_ int store_next_rp(struct store *s, const struct sha256 *after, struct ctap_row *ret);
/* In memory. */
void store_totals(const struct store *s, uint32_t *ret_rps, uint32_t *ret_credentials);
/*
 * 16 random bytes in memory, borrowed: others after every insertion, update and deletion of a
 * discoverable credential and after erasing, in the same transaction.
 */
const struct ctap_store_state *store_state(const struct store *s);
/*
 * Every credential, oldest first; a non-zero return of `each` ends the walk and is returned. `each`
 * may delete the row it was given.
 */
typedef int store_each_fn(void *userdata, const struct ctap_row *row);
_must_check_ int store_each(struct store *s, store_each_fn *each, void *userdata);
uint32_t store_remaining(struct store *s);

/* In memory; borrowed until they are set or erased. */
const struct ctap_settings *store_settings(const struct store *s);
/* -EINVAL: a value is out of its range. */
_must_check_ int store_set_settings(struct store *s, const struct ctap_settings *settings);

/* The most that a large-blob array may have, whatever less was configured. */
#define STORE_LARGE_BLOBS_MAX (1u << 20)

/* In memory. */
uint32_t store_large_blobs_size(const struct store *s);
/* Appends. -EINVAL: so many bytes are not there; -EMSGSIZE: they do not fit. */
_must_check_ int store_large_blobs_read(struct store *s, uint32_t offset, uint32_t n,
                                        struct buf *out);
/* In the place of the old one. -EINVAL: it is too short or too long. */
_must_check_ int store_large_blobs_write(struct store *s, struct bytes array);

/* Of what happened: opaque, in order. */
#define STORE_EVENTS    200 /* are kept */
#define STORE_EVENT_MAX 512 /* bytes */

/* In one transaction; the oldest go. -EINVAL: one is empty or too long. */
_must_check_ int store_add_events(struct store *s, const struct bytes *sealed, size_t n);
/* Newest first, those before the sequence `before` (0: all); `each` as in store_each(). */
typedef int store_each_event_fn(void *userdata, uint64_t sequence, struct bytes sealed);
_must_check_ int store_each_event(struct store *s, uint64_t before, store_each_event_fn *each,
                                  void *userdata);

/*
 * Erases every credential, every event and the spare key, puts settings and large blobs back to their defaults and
 * forgets the lease, in one transaction; the file keeps no trace. Can be repeated after a failure.
 */
_must_check_ int store_erase(struct store *s, const struct tpm_state *state);
