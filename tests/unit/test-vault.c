/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/vault.c over real files and a fake TPM. A life goes through provisioning, creation,
 * use, a clean stop, a reset and a second era. It is lived once for every TPM command, write, sync,
 * truncation and deletion in it, with the process dying there, before the step took effect or right
 * after it; and once for each of them failing once. What a client was told must hold afterwards.
 */

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticator/vault.h"
#include "tests/fake/scratch.h"
#include "tests/fake/tpm.h"
#include "tests/fake/vfs.h"
#include "tests/unit/test.h"

#define N_CREDS 10

/* What the outside knows of a credential. */
struct known {
        bool exists; /* it was reported made */
        bool second; /* made after the reset */
        uint32_t shown;
        struct ctap_key_blob key; /* as a thief of the disk would have it */
};

struct world {
        struct fault fault;
        struct fake_tpm part;
        struct fake_vfs *vfs;
        struct scratch folder;
        char path[300], wal[310];
        struct store *store;
        struct tpm *tpm;
        struct vault *vault;
        struct known creds[N_CREDS];
        bool reset_tried, reset_done;
        unsigned n_logged;
};

static void note(void *userdata, _unused_ int priority, _unused_ const char *message) {
        struct world *w = userdata;

        w->n_logged++;
}

static struct ctap_store *port(struct world *w) {
        return vault_store(w->vault);
}

static void power_off(struct world *w) {
        w->vault = vault_close(w->vault);
        w->tpm = tpm_free(w->tpm);
        w->store = store_close(w->store);
}

static int power_on(struct world *w) {
        const struct store_options options = {
                .path = w->path,
                .max_credentials = 100,
                .log = note,
                .userdata = w,
        };
        int r;

        r = store_open(&options, &w->store);
        if (r == 0) {
                w->tpm = fake_tpm_connect(&w->part);
                r = vault_open(w->store, w->tpm, BYTES_NULL, &w->vault);
        }
        if (r < 0)
                power_off(w);
        return r;
}

static void new_world(struct world *w) {
        power_off(w);
        (void)unlink(w->path);
        (void)unlink(w->wal);
        memset(w->creds, 0, sizeof(w->creds));
        w->reset_tried = false;
        w->reset_done = false;
        w->fault = (struct fault){ .sqlite_code = SQLITE_IOERR_FSYNC };
        w->part = (struct fake_tpm){ .fault = &w->fault, .counter = 40 };
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        scratch_make(&w->folder);
        (void)snprintf(w->path, sizeof(w->path), "%s/store.db", w->folder.path);
        (void)snprintf(w->wal, sizeof(w->wal), "%s-wal", w->path);
        w->vfs = fake_vfs_new(&w->fault);
        new_world(w);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        power_off(w);
        w->vfs = fake_vfs_free(w->vfs);
        scratch_remove(&w->folder);
        free(w);
        return 0;
}

/* Credential n; `account` 0 is not discoverable. */
static struct ctap_row make_row(unsigned n, uint8_t account) {
        struct ctap_row row = { .class = CTAP_CLASS_A, .cred_protect = 1, .alg = -7 };

        memset(row.id.b, (int)n + 1, sizeof(row.id.b));
        if (account > 0) {
                row.flags = CTAP_ROW_DISCOVERABLE;
                memset(row.account_tag.b, account, sizeof(row.account_tag.b));
        }
        return row;
}

/* ---- steps of a life -------------------------------------------------------------------- */

typedef int step_fn(struct world *w, unsigned n);

static int step_on(struct world *w, _unused_ unsigned n) {
        return power_on(w);
}

static int step_off(struct world *w, _unused_ unsigned n) {
        power_off(w);
        return w->fault.hit && w->fault.mode == FAULT_CRASH ? -ECANCELED : 0;
}

static int create(struct world *w, unsigned n, enum ctap_key_type type) {
        struct ctap_keys *keys = vault_keys(w->vault);
        struct ctap_row row = make_row(n, (uint8_t)(n % 2));
        struct ctap_public_key public;
        int r;

        row.account_tag.b[0] = n % 2 ? (uint8_t)n : 0;
        r = keys->ops->create(keys, type, CTAP_CLASS_A, &row.key, &public);
        if (r == 0)
                r = port(w)->ops->insert(port(w), &row);
        if (r < 0)
                return r;
        w->creds[n].exists = true;
        w->creds[n].second = w->reset_done;
        w->creds[n].key = row.key;
        return 0;
}

static int step_create(struct world *w, unsigned n) {
        return create(w, n, CTAP_KEY_P256);
}

static int step_create_rsa(struct world *w, unsigned n) {
        return create(w, n, CTAP_KEY_RSA2048);
}

static int step_spare(struct world *w, _unused_ unsigned n) {
        vault_make_spare(w->vault);
        return 0;
}

static int step_use(struct world *w, unsigned n) {
        struct ctap_row row = make_row(n, 0);
        uint32_t count;
        int r;

        r = port(w)->ops->prepare_use(port(w));
        if (r == 0)
                r = port(w)->ops->use(port(w), &row.id, &count);
        if (r < 0)
                return r;
        assert_true(count > w->creds[n].shown);
        w->creds[n].shown = count;
        return 0;
}

/* Most of a lease is gone, without a hundred steps for it. */
static int step_wear(struct world *w, _unused_ unsigned n) {
        struct store_lease lease;
        int r = store_get_lease(w->store, &lease);

        if (r < 0)
                return r;
        lease.used = LEASE_USES - 1;
        return store_set_lease(w->store, &lease);
}

static int step_settle(struct world *w, _unused_ unsigned n) {
        vault_settle(w->vault);
        return 0;
}

static int step_reset(struct world *w, _unused_ unsigned n) {
        int r;

        w->reset_tried = true;
        r = port(w)->ops->reset(port(w));
        if (r == 0)
                w->reset_done = true;
        return r;
}

static const struct {
        step_fn *run;
        unsigned n;
} life[] = {
        { step_on, 0 },         { step_create, 0 }, { step_create, 1 }, { step_use, 0 },
        { step_create, 2 },     { step_use, 0 },    { step_use, 2 },    { step_create_rsa, 7 },
        { step_settle, 0 },     { step_spare, 0 },  { step_off, 0 },    { step_on, 0 },
        { step_create_rsa, 8 }, { step_use, 1 },    { step_wear, 0 },   { step_use, 0 },
        { step_settle, 0 },     { step_create, 3 }, { step_use, 3 },    { step_spare, 0 },
        { step_reset, 0 },      { step_create, 4 }, { step_create, 5 }, { step_create_rsa, 9 },
        { step_use, 5 },        { step_settle, 0 }, { step_off, 0 },
};

/* ---- what must hold --------------------------------------------------------------------- */

/* Is this credential there, and does it work? Whatever does not work must be gone for good. */
static bool works(struct world *w, unsigned n) {
        struct ctap_keys *keys = vault_keys(w->vault);
        struct ctap_loaded_key *key;
        struct ctap_row row = make_row(n, 0);
        int r;

        r = port(w)->ops->find(port(w), &row.id, &row);
        if (r == -ENOENT) {
                const struct ctap_key_blob *blob = &w->creds[n].key;

                if (w->reset_tried && !w->creds[n].second && blob->len > 0)
                        assert_int_equal(keys->ops->load(keys, BYTES(blob->data, blob->len), NULL,
                                                         &key),
                                         -EKEYREJECTED);
                return false;
        }
        assert_int_equal(r, 0);
        assert_int_equal(keys->ops->load(keys, BYTES(row.key.data, row.key.len), NULL, &key), 0);
        keys->ops->unload(keys, key);
        assert_int_equal(step_use(w, n), 0);
        return true;
}

static bool same_key(const struct ctap_key_blob *a, const struct ctap_key_blob *b) {
        return bytes_equal(BYTES(a->data, a->len), BYTES(b->data, b->len));
}

struct others {
        struct ctap_key_blob keys[2 * N_CREDS];
        size_t n;
};

static int is_another(void *userdata, const struct ctap_row *row) {
        struct others *o = userdata;

        for (size_t i = 0; i < o->n; i++)
                assert_false(same_key(&o->keys[i], &row->key));
        assert_true(o->n < ELEMENTSOF(o->keys));
        o->keys[o->n++] = row->key;
        return 0;
}

/* Each credential has a key of its own, and what lies ready is a key of nobody, and of this era. */
static void check_keys(struct world *w) {
        struct ctap_keys *keys = vault_keys(w->vault);
        struct ctap_public_key public;
        static struct others others;
        struct store_spare spare;

        others.n = 0;
        assert_int_equal(store_each(w->store, is_another, &others), 0);
        if (store_get_spare(w->store, &spare) < 0 || spare.key.len == 0)
                return;
        for (size_t i = 0; i < others.n; i++)
                assert_false(same_key(&others.keys[i], &spare.key));
        for (size_t i = 0; i < N_CREDS; i++) /* also of those that the reset took */
                assert_false(same_key(&w->creds[i].key, &spare.key));
        assert_int_equal(keys->ops->public_key(keys, BYTES(spare.key.data, spare.key.len), &public),
                         0);
}

static void check_promises(struct world *w) {
        static struct tpm_state state;
        unsigned n_first = 0, n_first_works = 0;

        check_keys(w);

        for (unsigned i = 0; i < N_CREDS; i++) {
                bool ok = works(w, i);

                if (!w->creds[i].exists)
                        continue;
                if (w->creds[i].second) {
                        assert_true(ok);
                } else {
                        n_first++;
                        n_first_works += ok;
                }
        }
        /* A reset takes all or none, and none only if nobody was told of it. */
        if (w->reset_done)
                assert_int_equal(n_first_works, 0);
        else if (w->reset_tried)
                assert_true(n_first_works == 0 || n_first_works == n_first);
        else
                assert_int_equal(n_first_works, n_first);

        assert_int_equal(store_get_tpm_state(w->store, &state), 0);
        assert_int_equal(state.phase, TPM_PHASE_READY);
        assert_true(fake_tpm_holds_only(&w->part, &state));
        assert_int_equal(w->part.n_connected, 1);
        assert_int_equal(step_create(w, 6), 0);
        assert_int_equal(step_use(w, 6), 0);
        check_keys(w);
}

static bool live(struct world *w) {
        for (size_t i = 0; i < ELEMENTSOF(life); i++) {
                int r = life[i].run(w, life[i].n);

                if (r < 0) {
                        assert_true(w->fault.hit);
                        return false;
                }
        }
        return true;
}

static void die(struct world *w) {
        w->fault.mode = FAULT_CRASH;
        w->fault.hit = true;
        power_off(w); /* no write and no command gets through any more */
        w->fault.at = 0;
        w->fault.hit = false;
}

static void a_life_without_faults_keeps_every_promise(void **state) {
        struct world *w = *state;

        assert_true(live(w));
        assert_int_equal(power_on(w), 0);
        check_promises(w);
        assert_int_equal(w->n_logged, 0);
}

static void lives_with_a_crash(struct world *w, bool late, bool twice) {
        unsigned n_crashes = 0;

        for (unsigned at = 1;; at++) {
                new_world(w);
                w->fault.at = at;
                w->fault.mode = FAULT_CRASH;
                w->fault.late = late;
                (void)live(w);
                if (!w->fault.hit)
                        break;
                die(w);
                n_crashes++;

                if (twice) {
                        w->fault.n = 0;
                        w->fault.at = 1 + at * 5 % 23;
                        (void)power_on(w);
                        die(w);
                }
                assert_int_equal(power_on(w), 0);
                check_promises(w);
                power_off(w);
                assert_int_equal(power_on(w), 0);
                for (unsigned i = 0; i < N_CREDS; i++)
                        (void)works(w, i);
        }
        assert_true(n_crashes > 100);
        print_message("# %u places to die in\n", n_crashes);
}

static void a_crash_before_any_step_loses_nothing(void **state) {
        lives_with_a_crash(*state, false, false);
}

static void a_crash_after_any_step_loses_nothing(void **state) {
        lives_with_a_crash(*state, true, false);
}

static void a_second_crash_on_the_way_back_loses_nothing(void **state) {
        lives_with_a_crash(*state, false, true);
}

/* The step at `at` fails once; whoever was told so tries again. */
static bool live_and_retry(struct world *w, unsigned at, bool late) {
        new_world(w);
        w->fault.at = at;
        w->fault.mode = FAULT_ONCE;
        w->fault.late = late;
        for (size_t i = 0; i < ELEMENTSOF(life); i++) {
                int r = life[i].run(w, life[i].n);

                if (r == 0)
                        continue;
                assert_true(w->fault.hit);
                assert_true(!w->vault || port(w)->ops->key(port(w)) != NULL);
                assert_int_equal(life[i].run(w, life[i].n), 0);
        }
        if (!w->fault.hit)
                return false;
        w->fault.at = 0;
        assert_int_equal(power_on(w), 0);
        check_promises(w);
        return true;
}

static void what_failed_once_can_be_tried_again(void **state) {
        unsigned at = 1;

        while (live_and_retry(*state, at, false) && live_and_retry(*state, at, true))
                at++;
        assert_true(at > 100);
}

static void managing_is_refused(struct world *w) {
        struct ctap_settings settings = CTAP_SETTINGS_DEFAULT;
        uint8_t storage[CTAP_LARGE_BLOBS_EMPTY_SIZE];
        struct ctap_row row = make_row(0, 0);
        struct buf out = BUF_ON(storage);
        struct ctap_store *p = port(w);
        uint32_t n_rps, n;

        assert_int_equal(p->ops->next_rp(p, NULL, &row), -ESTALE);
        assert_int_equal(p->ops->totals(p, &n_rps, &n), -ESTALE);
        assert_int_equal(p->ops->update(p, &row), -ESTALE);
        assert_int_equal(p->ops->remove(p, &row.id), -ESTALE);
        assert_int_equal(p->ops->set_settings(p, &settings), -ESTALE);
        assert_int_equal(p->ops->large_blobs_read(p, 0, sizeof(storage), &out), -ESTALE);
        assert_int_equal(p->ops->large_blobs_write(p, BYTES_OF(storage)), -ESTALE);
}

/* A reset that fails half way: nothing made before works, in this process either. */
static void a_reset_that_broke_off_is_final(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(0, 0);
        struct secret32 key;
        uint32_t n;
        bool once = false;

        for (unsigned at = 1;; at++) {
                int r;

                new_world(w);
                assert_int_equal(power_on(w), 0);
                assert_int_equal(step_create(w, 0), 0);
                key = *port(w)->ops->key(port(w));
                w->fault = (struct fault){ .at = at, .sqlite_code = SQLITE_FULL };
                r = step_reset(w, 0);
                if (!w->fault.hit)
                        break;
                w->fault.at = 0;
                if (r < 0 && port(w)->ops->find(port(w), &row.id, &row) == -ESTALE) {
                        assert_int_equal(port(w)->ops->insert(port(w), &row), -ESTALE);
                        assert_int_equal(port(w)->ops->use(port(w), &row.id, &n), -ESTALE);
                        assert_int_equal(port(w)->ops->newest(port(w), &row.rp_tag, 3, UINT64_MAX,
                                                              &row),
                                         -ESTALE);
                        managing_is_refused(w);
                        once = true;
                        vault_settle(w->vault);
                        power_off(w);
                        assert_int_equal(power_on(w), 0);
                        assert_int_equal(port(w)->ops->find(port(w), &row.id, &row), -ENOENT);
                        assert_memory_not_equal(port(w)->ops->key(port(w)), &key, sizeof(key));
                }
                if (r < 0)
                        assert_int_equal(step_reset(w, 0), 0);
                check_promises(w);
        }
        assert_true(once);
        assert_memory_not_equal(port(w)->ops->key(port(w)), &key, sizeof(key));
}

/* ---- other TPMs, other copies ----------------------------------------------------------- */

static void a_backup_from_before_a_reset_is_refused(void **state) {
        struct world *w = *state;
        struct scratch_file backup, after;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        power_off(w);
        scratch_read(w->path, &backup);
        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_reset(w, 0), 0);
        power_off(w);

        scratch_write(w->path, &backup);
        assert_int_equal(power_on(w), -ESTALE);
        scratch_read(w->path, &after);
        assert_bytes_equal(BYTES(backup.data, backup.len), BYTES(after.data, after.len));
        scratch_file_done(&backup);
        scratch_file_done(&after);
}

static void a_tpm_that_was_cleared_is_told_and_nothing_changes(void **state) {
        struct world *w = *state;
        struct fake_tpm before;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        assert_int_equal(step_use(w, 0), 0);
        power_off(w);

        before = w->part;
        memset(w->part.slots, 0, sizeof(w->part.slots));
        assert_int_equal(power_on(w), -ESTALE);
        w->part = before;
        w->part.counter = 1;
        assert_int_equal(power_on(w), -ENOTRECOVERABLE);
        w->part = before;
        assert_int_equal(power_on(w), 0);
        check_promises(w);
}

/* A store whose TPM state is gone is provisioned anew; what it held cannot work and is erased. */
static void credentials_without_a_tpm_state_are_erased(void **state) {
        static const struct tpm_state none;
        struct world *w = *state;
        struct ctap_row row = make_row(0, 0);

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        assert_int_equal(store_set_tpm_state(w->store, &none), 0);
        power_off(w);
        memset(w->part.slots, 0, sizeof(w->part.slots));
        w->part.counter = 2;
        assert_int_equal(power_on(w), 0);
        assert_int_equal(port(w)->ops->find(port(w), &row.id, &row), -ENOENT);
        assert_int_equal(port(w)->ops->remaining(port(w)), 100);
        assert_int_equal(step_create(w, 1), 0);
        assert_int_equal(step_use(w, 1), 0);
}

/* ---- settings, secrets, and a full disk ------------------------------------------------- */

static void settings_and_secrets_go_through_the_port_and_end_with_a_reset(void **state) {
        const struct ctap_settings settings = { .pin_length = 6, .min_pin_length = 5 };
        const struct ctap_secret_blob secret = { .len = 300 };
        struct world *w = *state;
        struct ctap_row row = make_row(0, 0);

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        assert_int_equal(port(w)->ops->set_settings(port(w), &settings), 0);
        assert_int_equal(port(w)->ops->set_cred_random(port(w), &row.id, &secret, &secret), 0);
        power_off(w);
        assert_int_equal(power_on(w), 0);
        assert_int_equal(port(w)->ops->settings(port(w))->pin_length, 6);
        assert_int_equal(port(w)->ops->find(port(w), &row.id, &row), 0);
        assert_int_equal(row.cred_random_uv.len, 300);

        assert_int_equal(step_reset(w, 0), 0);
        assert_int_equal(port(w)->ops->settings(port(w))->pin_length, 0);
        assert_int_equal(port(w)->ops->settings(port(w))->min_pin_length, CTAP_MIN_PIN_LENGTH);
}

static void GI9_the_port_s_state_is_another_after_each_change(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(1, 1), got;
        struct ctap_store_state before;
        struct ctap_store *p;
        uint32_t n_rps, n;

        assert_int_equal(power_on(w), 0);
        p = port(w);
        assert_int_equal(p->ops->next_rp(p, NULL, &got), -ENOENT);
        before = *p->ops->state(p);
        assert_int_equal(p->ops->insert(p, &row), 0);
        assert_memory_not_equal(p->ops->state(p), &before, sizeof(before));

        row.sealed_len = 3;
        memcpy(row.sealed, "new", 3);
        before = *p->ops->state(p);
        assert_int_equal(p->ops->update(p, &row), 0);
        assert_memory_not_equal(p->ops->state(p), &before, sizeof(before));
        before = *p->ops->state(p);
        power_off(w);
        assert_int_equal(power_on(w), 0);
        p = port(w);
        assert_memory_equal(p->ops->state(p), &before, sizeof(before));
        assert_int_equal(p->ops->next_rp(p, NULL, &got), 0);
        assert_memory_equal(&got.id, &row.id, sizeof(row.id));
        assert_bytes_equal(BYTES(got.sealed, got.sealed_len), BYTES("new", 3));
        assert_int_equal(p->ops->next_rp(p, &got.rp_tag, &got), -ENOENT);
        assert_int_equal(p->ops->totals(p, &n_rps, &n), 0);
        assert_true(n_rps == 1 && n == 1);

        assert_int_equal(p->ops->remove(p, &row.id), 0);
        assert_memory_not_equal(p->ops->state(p), &before, sizeof(before));
        assert_int_equal(p->ops->remove(p, &row.id), -ENOENT);
        assert_int_equal(p->ops->totals(p, &n_rps, &n), 0);
        assert_true(n_rps == 0 && n == 0);
        assert_int_equal(p->ops->remaining(p), 100);
        before = *p->ops->state(p);
        assert_int_equal(step_reset(w, 0), 0);
        assert_memory_not_equal(p->ops->state(p), &before, sizeof(before));
}

static void RS4_a_reset_ends_large_blobs_and_every_setting(void **state) {
        const struct ctap_settings settings = { .pin_length = 6,
                                                .min_pin_length = 5,
                                                .force_pin_change = true,
                                                .always_uv = true,
                                                .enterprise_attestation = true,
                                                .long_touch_for_reset = true,
                                                .pin_complexity = true,
                                                .persistent_token_epoch = 3,
                                                .n_min_pin_length_rps = 1 };
        uint8_t storage[100] = { 0 };
        const struct ctap_settings *got;
        struct secret32 key;
        struct buf out = BUF_ON(storage);
        struct world *w = *state;
        struct ctap_store *p;

        assert_int_equal(power_on(w), 0);
        p = port(w);
        assert_int_equal(p->ops->large_blobs_size(p), CTAP_LARGE_BLOBS_EMPTY_SIZE);
        assert_int_equal(p->ops->large_blobs_write(p, BYTES_OF(storage)), 0);
        assert_int_equal(p->ops->set_settings(p, &settings), 0);
        power_off(w);
        assert_int_equal(power_on(w), 0);
        p = port(w);
        assert_true(p->ops->settings(p)->enterprise_attestation);
        assert_int_equal(p->ops->large_blobs_size(p), 100);
        key = *p->ops->key(p);
        assert_int_equal(p->ops->large_blobs_read(p, 50, 50, &out), 0);
        assert_int_equal(out.len, 50);

        assert_int_equal(step_reset(w, 0), 0);
        got = p->ops->settings(p);
        assert_int_equal(got->pin_length, 0);
        assert_int_equal(got->min_pin_length, CTAP_MIN_PIN_LENGTH);
        assert_int_equal(got->uv_retries, CTAP_UV_RETRIES_MAX);
        assert_false(got->force_pin_change || got->always_uv || got->enterprise_attestation);
        assert_false(got->long_touch_for_reset || got->pin_complexity);
        assert_int_equal(got->n_min_pin_length_rps, 0);
        assert_int_equal(got->persistent_token_epoch, 0);
        /* A persistent token is made of both: one that was given up does not come back. */
        assert_memory_not_equal(p->ops->key(p), &key, sizeof(key));
        assert_int_equal(p->ops->large_blobs_size(p), CTAP_LARGE_BLOBS_EMPTY_SIZE);
        out.len = 0;
        assert_int_equal(p->ops->large_blobs_read(p, 0, 3, &out), 0);
        assert_bytes_equal(buf_bytes(&out), BYTES("\x80\x76\xbe", 3));
}

static void an_unlocked_state_is_completed(void **state) {
        struct world *w = *state;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(w->part.n_completed, 0);
        power_off(w);
        assert_int_equal(power_on(w), 0);
        assert_int_equal(w->part.n_completed, 1);
}

/* 0x28 is for a credential that has no room, 0x18 for large blobs. */
static void CM10_a_full_disk_is_told_as_such_where_a_credential_is_made_or_changed(void **state) {
        const struct ctap_settings settings = CTAP_SETTINGS_DEFAULT;
        const struct ctap_secret_blob secret = { .len = 300 };
        static const uint8_t blobs[100];
        struct world *w = *state;
        struct ctap_row row = make_row(0, 0);
        struct ctap_store *p;
        uint32_t count;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        assert_int_equal(step_use(w, 0), 0);
        p = port(w);

        w->fault = (struct fault){ .at = 1, .mode = FAULT_CRASH, .sqlite_code = SQLITE_FULL };
        assert_int_equal(p->ops->use(p, &row.id, &count), -ENOSPC);
        assert_int_equal(p->ops->set_settings(p, &settings), -ENOSPC);
        assert_int_equal(p->ops->set_cred_random(p, &row.id, &secret, &secret), -ENOSPC);
        assert_int_equal(p->ops->remove(p, &row.id), -ENOSPC);
        assert_int_equal(p->ops->large_blobs_write(p, BYTES_OF(blobs)), -ENOSPC);
        row.sealed_len = 1;
        assert_int_equal(p->ops->update(p, &row), -ENOSPC);
        row = make_row(1, 0);
        assert_int_equal(p->ops->insert(p, &row), -ENOSPC);
        assert_int_equal(p->ops->reset(p), -ENOSPC);
        w->fault = (struct fault){ .sqlite_code = SQLITE_FULL };
}

/* ---- the spare key ---------------------------------------------------------------------- */

static const struct ctap_key_blob *key_of(struct world *w, unsigned n) {
        return &w->creds[n].key;
}

static bool is_ready(struct world *w) {
        struct store_spare spare;
        int r = store_get_spare(w->store, &spare);

        assert_true(r == 0 || r == -ENOENT);
        return r == 0 && spare.key.len > 0;
}

/* An RSA credential, and a spare key after it. */
static void make_ready(struct world *w) {
        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create_rsa(w, 0), 0);
        assert_true(vault_wants_spare(w->vault));
        vault_make_spare(w->vault);
        assert_false(vault_wants_spare(w->vault));
        assert_true(is_ready(w));
}

static void nobody_makes_a_spare_key_before_a_site_wants_rsa(void **state) {
        struct world *w = *state;
        uint32_t n;

        for (int i = 0; i < 2; i++) {
                assert_int_equal(power_on(w), 0);
                assert_int_equal(step_create(w, 1), 0);
                assert_int_equal(step_use(w, 1), 0);
                vault_settle(w->vault);
                assert_false(vault_wants_spare(w->vault));
                n = w->part.n_commands;
                vault_make_spare(w->vault);
                assert_int_equal(w->part.n_commands, n);
                assert_int_equal(step_reset(w, 0), 0);
                w->creds[1].shown = 0;
                power_off(w);
        }
}

static void a_spare_key_is_used_once_and_made_again(void **state) {
        struct world *w = *state;
        struct store_spare spare;
        uint32_t n;

        make_ready(w);
        power_off(w);
        assert_int_equal(power_on(w), 0);
        assert_false(vault_wants_spare(w->vault));
        assert_int_equal(store_get_spare(w->store, &spare), 0);

        n = w->part.n_commands;
        assert_int_equal(step_create_rsa(w, 1), 0);
        assert_int_equal(w->part.n_commands,
                         n + 1); /* a lease, which a signature would have taken */
        assert_true(same_key(key_of(w, 1), &spare.key));
        assert_true(vault_wants_spare(w->vault));
        assert_false(is_ready(w));

        n = w->part.n_commands;
        assert_int_equal(step_create_rsa(w, 2), 0);
        assert_int_equal(w->part.n_commands, n + 1); /* without one the key itself */
        assert_true(vault_wants_spare(w->vault));
        vault_make_spare(w->vault);
        n = w->part.n_commands;
        vault_make_spare(w->vault);
        assert_int_equal(step_create_rsa(w, 3), 0);
        assert_int_equal(w->part.n_commands, n); /* the lease is still open */
        check_keys(w);
}

static void only_rsa_of_class_a_takes_the_spare_key(void **state) {
        struct world *w = *state;
        struct ctap_public_key public;
        struct ctap_key_blob blob;
        struct ctap_keys *k;

        make_ready(w);
        k = vault_keys(w->vault);
        assert_int_equal(k->ops->create(k, CTAP_KEY_RSA2048, CTAP_CLASS_B, &blob, &public), 0);
        assert_int_equal(k->ops->create(k, CTAP_KEY_P256, CTAP_CLASS_A, &blob, &public), 0);
        assert_true(is_ready(w));
}

static void a_reset_erases_the_spare_key_and_the_wish_for_one(void **state) {
        struct world *w = *state;

        make_ready(w);
        assert_int_equal(step_reset(w, 0), 0);
        assert_false(is_ready(w));
        assert_false(vault_wants_spare(w->vault));
        assert_int_equal(step_create_rsa(w, 1), 0);
        assert_true(vault_wants_spare(w->vault));
}

/* Whatever copy of the store comes back, hot or cold, of before the key was used. */
static void a_copy_of_the_store_does_not_use_the_spare_key_again(void **state) {
        struct world *w = *state;

        for (int hot = 0; hot < 2; hot++)
                for (int used = 0; used < 2; used++) {
                        struct scratch_file copy, wal = { .exists = false };
                        struct ctap_key_blob first;

                        new_world(w);
                        make_ready(w);
                        if (hot) {
                                assert_int_equal(step_use(w, 0), 0);
                                scratch_read(w->wal, &wal);
                                scratch_read(w->path, &copy);
                        } else {
                                power_off(w);
                                scratch_read(w->path, &copy);
                                assert_int_equal(power_on(w), 0);
                                assert_true(is_ready(w));
                        }
                        assert_int_equal(step_create_rsa(w, 1), 0);
                        first = *key_of(w, 1);
                        if (used)
                                assert_int_equal(step_use(w, 1), 0);
                        power_off(w);

                        scratch_write(w->path, &copy);
                        if (hot)
                                scratch_write(w->wal, &wal);
                        w->creds[1] = (struct known){ 0 };
                        assert_int_equal(power_on(w), 0);
                        assert_false(is_ready(w));
                        assert_true(vault_wants_spare(w->vault));
                        assert_int_equal(step_create_rsa(w, 1), 0);
                        assert_false(same_key(key_of(w, 1), &first));
                        scratch_file_done(&copy);
                        scratch_file_done(&wal);
                }
}

static void a_copy_of_a_store_whose_spare_key_was_not_used_keeps_it(void **state) {
        struct scratch_file copy;
        struct world *w = *state;

        make_ready(w);
        power_off(w);
        scratch_read(w->path, &copy);
        assert_int_equal(power_on(w), 0);
        power_off(w);
        scratch_write(w->path, &copy);
        assert_int_equal(power_on(w), 0);
        assert_true(is_ready(w));
        scratch_file_done(&copy);
}

/* Somebody who writes to the disk has a key of his own in mind. */
static void a_spare_key_that_was_changed_on_the_disk_is_not_used(void **state) {
        struct world *w = *state;

        for (int i = 0; i < 3; i++) {
                struct store_spare spare;
                unsigned n_logged;

                new_world(w);
                make_ready(w);
                assert_int_equal(store_get_spare(w->store, &spare), 0);
                if (i == 0)
                        spare.key.data[spare.key.len - 1] ^= 0x40;
                else if (i == 1)
                        spare.tag.b[31] ^= 1;
                else
                        spare.key = *key_of(w, 0); /* of a credential, under the tag of another */
                assert_int_equal(store_set_spare(w->store, &spare), 0);
                power_off(w);
                assert_int_equal(power_on(w), 0);
                n_logged = w->n_logged;
                assert_int_equal(step_create_rsa(w, 1), 0);
                assert_int_equal(w->n_logged, n_logged + 1);
                assert_false(same_key(key_of(w, 1), &spare.key));
                assert_true(vault_wants_spare(w->vault));
        }
}

/* It would fail at every occasion, and each takes seconds. */
static void a_spare_key_that_cannot_be_made_is_not_tried_again(void **state) {
        struct world *w = *state;
        uint32_t n;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create_rsa(w, 0), 0);
        w->part.lacks_rsa = true;
        vault_make_spare(w->vault);
        assert_false(vault_wants_spare(w->vault));
        w->part.lacks_rsa = false;
        n = w->part.n_commands;
        vault_make_spare(w->vault);
        assert_int_equal(w->part.n_commands, n);
        assert_int_equal(step_create_rsa(w, 1), 0);
        assert_false(vault_wants_spare(w->vault));

        power_off(w);
        assert_int_equal(power_on(w), 0);
        assert_true(vault_wants_spare(w->vault));
        w->fault = (struct fault){ .at = 2, .mode = FAULT_CRASH, .sqlite_code = SQLITE_FULL };
        vault_make_spare(w->vault);
        assert_true(w->fault.hit);
        w->fault = (struct fault){ .sqlite_code = SQLITE_FULL };
        assert_false(vault_wants_spare(w->vault));
}

/* A disk that is full tells the registration at its end, not at the key. */
static void a_spare_key_that_cannot_be_taken_out_is_not_used(void **state) {
        struct world *w = *state;
        struct ctap_keys *k;
        struct ctap_public_key public;
        struct ctap_key_blob blob;
        struct store_spare spare;

        make_ready(w);
        assert_int_equal(step_use(w, 0), 0);
        assert_int_equal(store_get_spare(w->store, &spare), 0);
        k = vault_keys(w->vault);
        w->fault = (struct fault){ .at = 1, .mode = FAULT_ONCE, .sqlite_code = SQLITE_FULL };
        assert_int_equal(k->ops->create(k, CTAP_KEY_RSA2048, CTAP_CLASS_A, &blob, &public), 0);
        assert_true(w->fault.hit);
        assert_false(same_key(&blob, &spare.key));
        assert_int_equal(step_create_rsa(w, 1), 0);
        assert_true(same_key(key_of(w, 1), &spare.key));
}

/* ---- what it costs ---------------------------------------------------------------------- */

static void after_prepare_a_use_is_one_commit_and_no_command(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(0, 0);
        unsigned n_syncs;
        uint32_t n_commands, count;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        assert_int_equal(port(w)->ops->prepare_use(port(w)), 0);
        n_commands = w->part.n_commands;
        n_syncs = fake_vfs_n_syncs(w->vfs);
        assert_int_equal(port(w)->ops->use(port(w), &row.id, &count), 0);
        assert_int_equal(w->part.n_commands, n_commands);
        assert_int_equal(fake_vfs_n_syncs(w->vfs), n_syncs + 1);
}

static void a_lease_is_renewed_when_idle_and_only_if_used_up(void **state) {
        struct world *w = *state;
        uint32_t n;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        n = w->part.n_commands;
        vault_settle(w->vault);
        assert_int_equal(w->part.n_commands, n);

        for (int i = 0; i < LEASE_USES - 1; i++)
                assert_int_equal(step_use(w, 0), 0);
        n = w->part.n_commands;
        vault_settle(w->vault);
        assert_int_equal(w->part.n_commands, n);
        assert_int_equal(step_use(w, 0), 0);
        assert_int_equal(w->part.n_commands, n);
        vault_settle(w->vault);
        assert_int_equal(w->part.n_commands, n + 1);
        assert_int_equal(step_use(w, 0), 0);
        assert_int_equal(w->part.n_commands, n + 1);
}

static void use_without_prepare_takes_its_own_lease(void **state) {
        struct world *w = *state;
        struct ctap_row row = make_row(0, 0);
        uint32_t count, n;

        assert_int_equal(power_on(w), 0);
        assert_int_equal(step_create(w, 0), 0);
        n = w->part.n_commands;
        for (uint32_t i = 1; i <= LEASE_USES + 1; i++) {
                assert_int_equal(port(w)->ops->use(port(w), &row.id, &count), 0);
                assert_int_equal(count, i);
        }
        assert_int_equal(w->part.n_commands, n + 2);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_life_without_faults_keeps_every_promise),
                TEST(a_crash_before_any_step_loses_nothing),
                TEST(a_crash_after_any_step_loses_nothing),
                TEST(a_second_crash_on_the_way_back_loses_nothing),
                TEST(what_failed_once_can_be_tried_again),
                TEST(a_reset_that_broke_off_is_final),
                TEST(a_backup_from_before_a_reset_is_refused),
                TEST(a_tpm_that_was_cleared_is_told_and_nothing_changes),
                TEST(credentials_without_a_tpm_state_are_erased),
                TEST(settings_and_secrets_go_through_the_port_and_end_with_a_reset),
                TEST(an_unlocked_state_is_completed),
                TEST(GI9_the_port_s_state_is_another_after_each_change),
                TEST(RS4_a_reset_ends_large_blobs_and_every_setting),
                TEST(CM10_a_full_disk_is_told_as_such_where_a_credential_is_made_or_changed),
                TEST(nobody_makes_a_spare_key_before_a_site_wants_rsa),
                TEST(a_spare_key_is_used_once_and_made_again),
                TEST(only_rsa_of_class_a_takes_the_spare_key),
                TEST(a_reset_erases_the_spare_key_and_the_wish_for_one),
                TEST(a_copy_of_the_store_does_not_use_the_spare_key_again),
                TEST(a_copy_of_a_store_whose_spare_key_was_not_used_keeps_it),
                TEST(a_spare_key_that_was_changed_on_the_disk_is_not_used),
                TEST(a_spare_key_that_cannot_be_made_is_not_tried_again),
                TEST(a_spare_key_that_cannot_be_taken_out_is_not_used),
                TEST(after_prepare_a_use_is_one_commit_and_no_command),
                TEST(a_lease_is_renewed_when_idle_and_only_if_used_up),
                TEST(use_without_prepare_takes_its_own_lease),
        };

        return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
