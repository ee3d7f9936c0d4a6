/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store port over a store, a lease and a TPM. What it adds is the order of things: whatever cuts
 * a sequence short, vault_open() finds in the saved phase how far it came.
 *
 *   reset = ERASING saved · keys unusable in the TPM · rows and lease erased · provisioned · lease
 *
 * Once ERASING is saved there is no way back: the next vault_open() goes on from there. Rows are
 * erased after the TPM's part, because a row without its key is rubbish but a key that outlives a
 * reset is a breach; and before provisioning, so that no row of before is ever seen under a key of
 * after. A phase that is not READY therefore never has rows worth keeping.
 */

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <syslog.h>

#include "authenticator/spare.h"
#include "authenticator/vault.h"

struct vault {
        struct ctap_store port;
        struct lease_counter counter;
        struct spare spare;
        struct store *store;
        struct tpm *tpm;
        bool ready; /* provisioned, unlocked, the lease begun */
        struct secret32 no_key;
        struct tpm_state state;
};

static int counter_read(struct lease_counter *c, uint64_t *ret) {
        return tpm_counter_read(container_of(c, struct vault, counter)->tpm, ret);
}

static int counter_advance(struct lease_counter *c, uint64_t *ret) {
        return tpm_counter_advance(container_of(c, struct vault, counter)->tpm, ret);
}

static int save_state(void *userdata, const struct tpm_state *state) {
        struct vault *v = userdata;

        return store_set_tpm_state(v->store, state);
}

static int erase(struct vault *v, struct bytes owner_auth) {
        int r = tpm_set_owner_auth(v->tpm, owner_auth);

        return r < 0 ? r : tpm_erase(v->tpm, &v->state, save_state, v);
}

static int provision(struct vault *v, struct bytes owner_auth) {
        /* Again, for what succeeds with it wipes it. */
        int r = tpm_set_owner_auth(v->tpm, owner_auth);

        return r < 0 ? r : tpm_provision(v->tpm, &v->state, save_state, v);
}

/* From whatever phase the state is in to an empty vault that is ready. */
static int begin_anew(struct vault *v, struct bytes owner_auth) {
        int r = 0, wiped;

        if (v->state.phase == TPM_PHASE_READY || v->state.phase == TPM_PHASE_ERASING)
                r = erase(v, owner_auth);
        if (r == 0)
                r = store_erase(v->store, &v->state);
        if (r == 0)
                r = provision(v, owner_auth);
        wiped = tpm_set_owner_auth(v->tpm, BYTES_NULL);
        if (r == 0)
                r = wiped;
        return r < 0 ? r : lease_begin(v->store, &v->counter);
}

/* Only tpm_unlock() tells another TPM from one that fails. */
static int not_stale(int r, int instead) {
        return r == -ESTALE ? instead : r;
}

/* Whatever was left to be made of a READY state takes the owner, as all of it did. */
static int unlock(struct vault *v, struct bytes owner_auth) {
        int r = tpm_set_owner_auth(v->tpm, owner_auth), wiped;

        if (r == 0)
                r = tpm_unlock(v->tpm, &v->state);
        if (r == 0)
                r = not_stale(tpm_complete(v->tpm, &v->state, save_state, v), -EIO);
        wiped = tpm_set_owner_auth(v->tpm, BYTES_NULL);
        return r < 0 ? r : wiped;
}

static int resume(struct vault *v, struct bytes owner_auth) {
        int r;

        r = store_get_tpm_state(v->store, &v->state);
        if (r < 0)
                return r;
        if (v->state.phase == TPM_PHASE_ERASING)
                store_log(v->store, LOG_NOTICE, "finishing a reset that was cut short");
        if (v->state.phase != TPM_PHASE_READY)
                return not_stale(begin_anew(v, owner_auth), -EIO);

        r = unlock(v, owner_auth);
        if (r < 0)
                return r;
        return not_stale(lease_begin(v->store, &v->counter), -ENOTRECOVERABLE);
}

/* A store that was not left in order has an open lease now. */
static int begin_spare(struct vault *v) {
        struct store_lease lease;
        int r = store_get_lease(v->store, &lease);

        return r < 0 ? r : spare_begin(&v->spare, v->store, v->tpm, lease.clean);
}

/* Without a lease a copy of the store would not be known for one. */
static int take_spare(void *userdata, struct ctap_key_blob *ret) {
        struct vault *v = userdata;

        if (!v->ready || (v->spare.state == SPARE_READY && lease_renew(v->store, &v->counter) < 0))
                return -ENOENT;
        return spare_take(&v->spare, ret);
}

/* ---- the store port --------------------------------------------------------------------- */

static struct vault *vault_of(struct ctap_store *port) {
        return container_of(port, struct vault, port);
}

/* A reset that failed half way leaves nothing to use until it is repeated or the daemon restarts. */
static int check_ready(const struct vault *v) {
        return v->ready ? 0 : -ESTALE;
}

static const struct secret32 *port_key(struct ctap_store *port) {
        struct vault *v = vault_of(port);
        const struct secret32 *key = tpm_store_key(v->tpm);

        /* While there is none, a random one under which nothing was ever made. */
        return key ? key : &v->no_key;
}

int vault_insert_all(struct vault *v, const struct ctap_row *rows, size_t n, size_t *n_added) {
        int64_t base;
        int r;

        *n_added = 0;
        r = check_ready(v);
        if (r == 0)
                r = lease_base(v->store, &base);
        if (r < 0)
                return r;
        return store_insert_all(v->store, rows, n, base, n_added);
}

static int port_insert(struct ctap_store *port, const struct ctap_row *row) {
        size_t n_added;

        return vault_insert_all(vault_of(port), row, 1, &n_added);
}

static int port_find(struct ctap_store *port, const struct ctap_credential_id *id,
                     struct ctap_row *ret) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_find(v->store, id, ret);
}

static int port_newest(struct ctap_store *port, const struct sha256 *rp_tag, uint8_t max_protect,
                       uint64_t before, struct ctap_row *ret) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_newest(v->store, rp_tag, max_protect, before, ret);
}

static int port_prepare_use(struct ctap_store *port) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : lease_renew(v->store, &v->counter);
}

static int port_use(struct ctap_store *port, const struct ctap_credential_id *id,
                    uint32_t *ret_count) {
        struct vault *v = vault_of(port);
        int r;

        /* Nothing to do if prepare_use() came before; without a lease no count may be shown. */
        r = port_prepare_use(port);
        return r < 0 ? r : store_use(v->store, id, ret_count);
}

static int port_set_cred_random(struct ctap_store *port, const struct ctap_credential_id *id,
                                const struct ctap_secret_blob *cred_random,
                                const struct ctap_secret_blob *cred_random_uv) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        if (r < 0)
                return r;
        return store_set_cred_random(v->store, id, cred_random, cred_random_uv);
}

static int port_next_rp(struct ctap_store *port, const struct sha256 *after, struct ctap_row *ret) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_next_rp(v->store, after, ret);
}

static int port_totals(struct ctap_store *port, uint32_t *ret_rps, uint32_t *ret_credentials) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        if (r < 0)
                return r;
        store_totals(v->store, ret_rps, ret_credentials);
        return 0;
}

static int port_update(struct ctap_store *port, const struct ctap_row *row) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_update(v->store, row);
}

static int port_remove(struct ctap_store *port, const struct ctap_credential_id *id) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_delete(v->store, id);
}

static const struct ctap_store_state *port_state(struct ctap_store *port) {
        return store_state(vault_of(port)->store);
}

static const struct ctap_settings *port_settings(struct ctap_store *port) {
        return store_settings(vault_of(port)->store);
}

static int port_set_settings(struct ctap_store *port, const struct ctap_settings *settings) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_set_settings(v->store, settings);
}

static uint32_t port_large_blobs_size(struct ctap_store *port) {
        return store_large_blobs_size(vault_of(port)->store);
}

static int port_large_blobs_read(struct ctap_store *port, uint32_t offset, uint32_t n,
                                 struct buf *out) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_large_blobs_read(v->store, offset, n, out);
}

static int port_large_blobs_write(struct ctap_store *port, struct bytes array) {
        struct vault *v = vault_of(port);
        int r = check_ready(v);

        return r < 0 ? r : store_large_blobs_write(v->store, array);
}

static uint32_t port_remaining(struct ctap_store *port) {
        return store_remaining(vault_of(port)->store);
}

/* True if a reset that failed did so before it had begun: then nothing has changed. */
static bool is_untouched(struct vault *v) {
        struct store_lease lease;

        return v->ready && store_get_tpm_state(v->store, &v->state) == 0 &&
               v->state.phase == TPM_PHASE_READY && tpm_store_key(v->tpm) &&
               store_get_lease(v->store, &lease) == 0;
}

int vault_reset(struct vault *v, struct bytes owner_auth) {
        int r;

        r = store_get_tpm_state(v->store, &v->state);
        if (r < 0)
                return r;
        r = begin_anew(v, owner_auth);
        v->ready = r == 0 || is_untouched(v);
        if (r == 0)
                v->spare.state = SPARE_UNWANTED;
        return r;
}

int vault_raise_counts(struct vault *v) {
        int r = check_ready(v);

        return r < 0 ? r : lease_raise(v->store, &v->counter);
}

static int port_reset(struct ctap_store *port) {
        struct vault *v = vault_of(port);
        int r = vault_reset(v, BYTES_NULL);

        if (r == -EACCES)
                store_log(v->store, LOG_ERR,
                          "a reset takes the TPM's owner password, which no client can give; run: "
                          "tpmauthn reset");
        return r;
}

static const struct ctap_store_ops port_ops = {
        .key = port_key,
        .insert = port_insert,
        .find = port_find,
        .newest = port_newest,
        .prepare_use = port_prepare_use,
        .use = port_use,
        .set_cred_random = port_set_cred_random,
        .next_rp = port_next_rp,
        .totals = port_totals,
        .update = port_update,
        .remove = port_remove,
        .state = port_state,
        .settings = port_settings,
        .set_settings = port_set_settings,
        .large_blobs_size = port_large_blobs_size,
        .large_blobs_read = port_large_blobs_read,
        .large_blobs_write = port_large_blobs_write,
        .remaining = port_remaining,
        .reset = port_reset,
};

/* ---- life ------------------------------------------------------------------------------- */

static struct vault *vault_free(struct vault *v) {
        if (!v)
                return NULL;
        tpm_take_spares_from(v->tpm, NULL, NULL);
        secret32_wipe(&v->no_key);
        free(v);
        return NULL;
}

static void vault_freep(struct vault **v) {
        (void)vault_free(*v);
}

int vault_open(struct store *store, struct tpm *tpm, struct bytes owner_auth, struct vault **ret) {
        _cleanup_(vault_freep) struct vault *v = calloc(1, sizeof(*v));
        int r;

        if (!v)
                return -ENOMEM;
        v->port.ops = &port_ops;
        v->counter = (struct lease_counter){ .read = counter_read, .advance = counter_advance };
        v->store = store;
        v->tpm = tpm;
        if (RAND_bytes(v->no_key.b, sizeof(v->no_key.b)) != 1)
                return -EIO;

        r = resume(v, owner_auth);
        if (r == 0)
                r = begin_spare(v);
        if (r < 0)
                return r;
        tpm_take_spares_from(tpm, take_spare, v);
        v->ready = true;

        *ret = TAKE_PTR(v);
        return 0;
}

struct vault *vault_close(struct vault *v) {
        /* A lease that cannot be ended costs a raise at the next start and was told in the log. */
        if (v && v->ready && lease_end(v->store, &v->counter) < 0)
                v->ready = false;
        return vault_free(v);
}

struct ctap_store *vault_store(struct vault *v) {
        return &v->port;
}

struct ctap_keys *vault_keys(struct vault *v) {
        return tpm_keys(v->tpm);
}

void vault_settle(struct vault *v) {
        struct store_lease lease;

        tpm_settle(v->tpm);
        /* The next signature then finds a lease. Without uses none is opened: idle costs no writes. */
        if (v->ready && store_get_lease(v->store, &lease) == 0 && !lease.clean &&
            lease.used >= LEASE_USES && lease_renew(v->store, &v->counter) < 0)
                store_log(v->store, LOG_WARNING,
                          "the next signature waits for a new counter lease");
        store_settle(v->store);
}

bool vault_wants_spare(const struct vault *v) {
        return v->ready && v->spare.state == SPARE_MISSING;
}

void vault_make_spare(struct vault *v) {
        if (v->ready)
                spare_make(&v->spare);
}
