/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Two ways to restore. A backup that the present store key vouches for is of this store: what is
 * missing is added, in one transaction. Where the store was lost, as with a system that was installed
 * anew, the present one knows nothing of the backup; then the TPM is asked, and if it opens the backup
 * and nothing is here to lose, the backup takes the place of the empty store. A crash in between leaves
 * the one or the other, whole: the new file is complete before its name changes.
 *
 * The empty store had its own indexes and keys in the TPM, which the file alone knows that it becomes then.
 * The next opening, which is part of the restore, removes them and that file.
 *
 * SQLite sees no byte of a backup before its MAC was found right.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/backend-parts.h"
#include "authenticator/store-aside.h"
#include "authenticator/store-copy.h"
#include "authenticator/util.h"

#define UNPACKED ".restore"

/* Where the backup lies meanwhile. */
struct place {
        char path[PATH_MAX];
};

static int place_of(const struct backend *b, struct place *ret) {
        int n = snprintf(ret->path, sizeof(ret->path), "%s" UNPACKED, b->options.store_path);

        return n < 0 || (size_t)n >= sizeof(ret->path) ? -ENAMETOOLONG : 0;
}

static int refuse(struct buf *reason, const char *text) {
        reason->len = 0;
        buf_put(reason, BYTES_TEXT(text));
        return -EPERM;
}

static void note(struct backend *b, const struct backend_restored *done) {
        journal_note(b->journal, JOURNAL_RESTORE, CTAP_OK, NULL, BYTES_NULL, BYTES_NULL);
        backend_audit(b, &(struct audit_event){ .what = AUDIT_RESTORED,
                                                .has_number = true,
                                                .number = done->added });
        log_write(b->options.log, LOG_NOTICE, b->options.id, "a backup was restored: %u passkeys",
                  done->added);
}

/* ---- of this store ---- */

static int merge(struct backend *b, const struct backup *backup, struct backend_restored *ret) {
        const struct store_options options = backend_store_options(b);
        struct place place;
        uint32_t missing;
        int r = place_of(b, &place);

        if (r == 0)
                r = store_unpack(backup->image, place.path, &options);
        if (r < 0)
                return r;
        r = store_count_missing(b->store, place.path, &missing);
        /*
         * Before: what comes back is then above all that was ever shown of it (lease.h). Restoring
         * again and again wears the TPM's counter only if there is something to bring back.
         */
        if (r == 0 && missing > 0)
                r = vault_raise_counts(b->vault);
        if (r == 0)
                r = store_merge(b->store, place.path, &ret->added);
        store_discard(place.path);
        return r;
}

/* ---- what an empty store had in the TPM ---- */

/* What is there is found by its Name, so that it can be tried again from the beginning. */
static int save_nothing(_unused_ void *userdata, _unused_ const struct tpm_state *state) {
        return 0;
}

/* -EPERM: there are passkeys in it after all, or it shares its counter with the present one. */
static int read_replaced(const struct backend *b, const char *path, struct tpm_state *ret) {
        const struct store_options options = { .path = path,
                                               .max_credentials = b->options.max_credentials,
                                               .log = log_forward,
                                               .userdata = (void *)(uintptr_t)&b->log };
        struct tpm_facts its, ours;
        struct tpm_state present;
        struct store *s;
        int r = store_open(&options, &s);

        if (r < 0)
                return r;
        r = store_get_tpm_state(s, ret);
        if (r == 0 && store_remaining(s) < b->options.max_credentials)
                r = -EPERM;
        store_close(s);
        if (r == 0)
                r = store_get_tpm_state(b->store, &present);
        if (r < 0)
                return r;
        tpm_state_facts(ret, &its);
        tpm_state_facts(&present, &ours);
        return its.counter != 0 && its.counter == ours.counter ? -EPERM : 0;
}

/* A crash just before the backup took its place left the present store a second name. */
static bool is_present_store(const struct backend *b, const char *path) {
        struct stat its, present;

        return stat(path, &its) == 0 && stat(b->options.store_path, &present) == 0 &&
               its.st_dev == present.st_dev && its.st_ino == present.st_ino;
}

static int remove_replaced(struct backend *b, const char *path, struct bytes owner_auth) {
        struct tpm_state state;
        int r;

        if (is_present_store(b, path))
                return unlink(path) < 0 ? -errno : 0;
        r = read_replaced(b, path, &state);
        if (r == 0)
                r = tpm_set_owner_auth(b->tpm, owner_auth);
        if (r == 0)
                r = tpm_remove(b->tpm, &state, save_nothing, NULL);
        if (r < 0)
                return r;
        store_discard(path);
        return access(path, F_OK) == 0 ? -EIO : 0;
}

void backend_remove_replaced(struct backend *b, struct bytes owner_auth) {
        char path[PATH_MAX];
        int r = 0;

        while (r == 0 && store_find_replaced(b->options.store_path, path) == 0) {
                r = remove_replaced(b, path, owner_auth);
                if (r < 0)
                        log_write(b->options.log, LOG_WARNING, b->options.id,
                                  "what %s had in the TPM stays there for now: %s", path,
                                  strerror(-r));
        }
}

/* ---- of a store that was lost ---- */

/* What tpm_unlock() says of a state that was never of this TPM, or of before a reset. */
static bool is_foreign(int r) {
        return r == -ESTALE || r == -EKEYREJECTED || r == -EINVAL || r == -EBADMSG ||
               r == -ENOTRECOVERABLE;
}

/* Asks the TPM. Its connection holds the keys of the backup afterwards, or nothing. */
static int ask_tpm(struct backend *b, const struct backup *backup, bool *ret_genuine) {
        int r = backend_open_tpm(b);

        *ret_genuine = false;
        if (r == 0)
                r = tpm_unlock(b->tpm, &backup->state);
        if (r == 0)
                *ret_genuine = backup_is_genuine(backup, tpm_store_key(b->tpm));
        return is_foreign(r) ? 0 : r;
}

static int put_in_place(struct backend *b, const struct backup *backup,
                        struct backend_restored *ret) {
        const struct store_options options = backend_store_options(b);
        struct place place;
        int r = place_of(b, &place);

        if (r == 0)
                r = store_unpack(backup->image, place.path, &options);
        if (r < 0)
                return r;
        r = store_replace(TAKE_PTR(b->store), &options, place.path, time(NULL), ret->aside);
        if (r < 0)
                store_discard(place.path);
        return r;
}

static int reopen(struct backend *b, struct buf *reason) {
        enum reason_step step;
        int r;

        b->tpm = tpm_free(b->tpm);
        b->store = store_close(b->store);
        b->facts = (struct backend_facts){ .simulator = b->facts.simulator,
                                           .simulates = b->facts.simulates };
        r = backend_open_steps(b, BYTES_NULL, &step, reason);
        if (r < 0) {
                backend_explain(b, step, r, reason);
                backend_lose(b, step, r);
        }
        return r;
}

static int replace(struct backend *b, const struct backup *backup, struct backend_restored *ret,
                   struct buf *reason) {
        const uint8_t mismatches = ctap_pin_mismatches(b->ctap);
        char path[PATH_MAX];
        bool genuine;
        int r, opened;

        backend_let_go(b);
        r = ask_tpm(b, backup, &genuine);
        if (r == 0 && genuine)
                r = put_in_place(b, backup, ret);
        opened = reopen(b, reason);
        /* No power-up: whoever guesses may have backups refused as often as wanted. */
        if (opened == 0)
                ctap_keep_pin_mismatches(b->ctap, mismatches);
        if (r < 0 || opened < 0)
                return r < 0 ? r : opened;
        if (!genuine)
                return refuse(reason,
                              "That backup is not of this TPM and this user, or of before a reset, "
                              "or it was changed. Nothing in it can be used here.");
        ret->added = b->options.max_credentials - store_remaining(b->store);
        ret->replaced = true;
        if (store_find_replaced(b->options.store_path, path) == -ENOENT)
                *ret->aside = '\0';
        return 0;
}

int backend_restore(struct backend *b, const struct backup *backup, struct backend_restored *ret,
                    struct buf *reason) {
        const struct secret32 *key = tpm_store_key(b->tpm);
        int r;

        if (!bytes_equal(backup->instance, BYTES_TEXT(b->options.id)))
                return refuse(reason, "That backup is of another user, or of another device.");
        ret->made = backup->time;
        if (key && backup_is_genuine(backup, key))
                r = merge(b, backup, ret);
        else if (store_remaining(b->store) < b->options.max_credentials)
                return refuse(
                        reason,
                        "That backup is not of the store that this device has: of another TPM "
                        "or user, of before a reset, or it was changed. It could only take the "
                        "place of an empty store, and there are passkeys on this device.");
        else
                r = replace(b, backup, ret, reason);
        if (r == 0)
                note(b, ret);
        return r;
}
