/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What was done with the passkeys of a device and what failed, for its owner: the last STORE_EVENTS
 * events. One is noted in memory, by id where there is one, which costs a command no query and no
 * commit; it is written when the device is idle, at a close, or when no more fit. A crash in the
 * second between loses it: this is a memory aid and no audit. An event is sealed under a key of the
 * store's, so that a stolen disk tells how many there are and nothing else.
 *
 * sealed = 01 | nonce(12) | ciphertext | tag(16), additional data: 'E' 01
 * event  = what | status | time(8) | id length | id | RP ID and account as 16-bit length and bytes,
 *          padded with zeros to a multiple of 64
 */

#include <stdbool.h>
#include <stdint.h>

#include "authenticator/store.h"
#include "ctap/bytes.h"
#include "ctap/credential.h"
#include "ctap/macro.h"

/* Kept on disk: never renumber. */
enum journal_what {
        JOURNAL_CREATE = 1,
        JOURNAL_USE = 2,
        JOURNAL_DELETE = 3,
        JOURNAL_RESET = 4,
        JOURNAL_RESTORE = 5,
        JOURNAL_PIN = 6,    /* one was given, set or changed by a client */
        JOURNAL_MANAGE = 7, /* credential management, settings, large blobs */
};

struct journal_event {
        uint64_t sequence; /* once it was written */
        enum journal_what what;
        uint8_t status; /* of ctap/status.h */
        int64_t time;
        bool has_id;
        struct ctap_credential_id id;
        uint16_t rp_id_len, account_len;
        uint8_t rp_id[CTAP_RP_ID_MAX];
        uint8_t account[CTAP_USER_TEXT_MAX];
};

struct journal;

_must_check_ int journal_new(struct journal **ret);
/* What was not written is lost. NULL is fine. Returns NULL. */
struct journal *journal_free(struct journal *j);

/* Sets the time. Names are cut to what fits; without any, those of the id are looked up later. */
void journal_note(struct journal *j, enum journal_what what, uint8_t status,
                  const struct ctap_credential_id *id, struct bytes rp_id, struct bytes account);
/* The same of a credential that is gone, whose names are still to be read. */
void journal_note_row(struct journal *j, enum journal_what what, const struct ctap_row *row,
                      const struct secret32 *store_key);
/* Forgets what was noted and not written. */
void journal_drop(struct journal *j);
/* No more fit: the next one takes the place of the oldest. */
bool journal_is_full(const struct journal *j);

/*
 * Writes what was noted, in one commit, and nothing if there is nothing. What cannot be written is
 * told in the store's log and dropped.
 */
void journal_write(struct journal *j, struct store *s, const struct secret32 *store_key);

/* Newest first, those before `before` (0: all). As store_each_event(). */
typedef int journal_each_fn(void *userdata, const struct journal_event *e);
_must_check_ int journal_each(struct store *s, const struct secret32 *store_key, uint64_t before,
                              journal_each_fn *each, void *userdata);
