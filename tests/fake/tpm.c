/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Behaves as tpm.h says, with a state of its own making: three handles and the anchor's name. A key
 * blob and the store key have in them the name of the anchor they were made under, so that a test sees
 * at once when something outlives a reset; a key has a number too.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fake/tpm.h"
#include "tpm/attestation-key.h"

enum { ANCHOR, COUNTER, WORKER, _ROLES };

struct names {
        uint32_t handle[_ROLES]; /* 0: none */
        uint64_t anchor;
};

struct tpm {
        struct ctap_keys keys;
        struct fake_tpm *part;
        struct names names;
        bool unlocked;
        struct secret32 key;
        char owner_auth[65];
        tpm_spare_fn *take_spare;
        void *spare_userdata;
};

static void encode(struct tpm_state *s, enum tpm_phase phase, const struct names *n) {
        struct buf b = { s->data, 0, sizeof(s->data), false };

        for (int i = 0; i < _ROLES; i++)
                buf_put_u32(&b, n->handle[i]);
        buf_put_u64(&b, n->anchor);
        s->phase = phase;
        s->len = (uint16_t)b.len;
}

static void decode(const struct tpm_state *s, struct names *ret) {
        struct cursor c = { BYTES(s->data, s->len), false };

        memset(ret, 0, sizeof(*ret));
        if (s->len == 0)
                return;
        for (int i = 0; i < _ROLES; i++)
                ret->handle[i] = cursor_u32(&c);
        ret->anchor = cursor_u64(&c);
}

/* ---- the part --------------------------------------------------------------------------- */

static int slot_of(const struct fake_tpm *p, uint32_t handle) {
        for (int i = 0; i < FAKE_TPM_HANDLES; i++)
                if (p->slots[i].handle == handle)
                        return i;
        return -1;
}

static enum fault_verdict command(struct fake_tpm *p) {
        p->n_commands++;
        return fault_step(p->fault);
}

static int define(struct fake_tpm *p, uint32_t handle, uint64_t *ret_name) {
        enum fault_verdict verdict = command(p);

        if (verdict == FAULT_FAIL)
                return -EIO;
        if (slot_of(p, handle) >= 0)
                return -EEXIST;

        int i = slot_of(p, 0);

        if (i < 0)
                return -ENOSPC;
        p->slots[i].handle = handle;
        p->slots[i].name = ++p->n_names;
        if (verdict == FAULT_FAIL_AFTER)
                return -EIO;
        *ret_name = p->slots[i].name;
        return 0;
}

static int undefine(struct fake_tpm *p, uint32_t handle) {
        int i = handle != 0 ? slot_of(p, handle) : -1;
        enum fault_verdict verdict;

        if (i < 0)
                return 0;
        verdict = command(p);
        if (verdict == FAULT_FAIL)
                return -EIO;
        p->slots[i].handle = 0;
        return verdict == FAULT_GO_ON ? 0 : -EIO;
}

static uint32_t free_handle(const struct fake_tpm *p, uint32_t first) {
        while (slot_of(p, first) >= 0)
                first++;
        return first;
}

/* ---- tpm.h ------------------------------------------------------------------------------ */

static unsigned keys_offered(struct ctap_keys *k) {
        const struct tpm *t = container_of(k, struct tpm, keys);

        return 1U << CTAP_KEY_P256 | (t->part->lacks_rsa ? 0 : 1U << CTAP_KEY_RSA2048);
}

static int make_key(struct tpm *t, enum ctap_key_type type, struct ctap_key_blob *ret) {
        const struct timespec slow = { .tv_sec = t->part->slow_rsa_ms / 1000,
                                       .tv_nsec = t->part->slow_rsa_ms % 1000 * 1000000L };
        struct ctap_key_blob blob;
        struct buf b = BUF_ON(blob.data);

        if (!t->unlocked)
                return -EINVAL;
        if (command(t->part) != FAULT_GO_ON)
                return -EIO;
        if (type == CTAP_KEY_RSA2048)
                nanosleep(&slow, NULL);
        buf_put_u64(&b, t->names.anchor);
        buf_put_u8(&b, (uint8_t)type);
        buf_put_u32(&b, ++t->part->n_keys);
        blob.len = (uint16_t)b.len;
        *ret = blob;
        return 0;
}

static int keys_public_key(struct ctap_keys *k, struct bytes blob, struct ctap_public_key *ret) {
        struct tpm *t = container_of(k, struct tpm, keys);
        struct cursor c = { blob, false };
        uint64_t name = cursor_u64(&c);
        uint8_t type = cursor_u8(&c);
        uint32_t number = cursor_u32(&c);

        if (cursor_end(&c) < 0 || name != t->names.anchor || type >= _CTAP_KEY_TYPES)
                return -EKEYREJECTED;
        *ret = (struct ctap_public_key){ .type = type };
        memcpy(ret->x, &number, sizeof(number));
        return 0;
}

static int keys_create(struct ctap_keys *k, enum ctap_key_type type, enum ctap_key_class class,
                       struct ctap_key_blob *ret_blob, struct ctap_public_key *ret_public) {
        struct tpm *t = container_of(k, struct tpm, keys);
        int r = -ENOENT;

        if (type == CTAP_KEY_RSA2048 && class == CTAP_CLASS_A && t->take_spare)
                r = t->take_spare(t->spare_userdata, ret_blob);
        if (r == -ENOENT)
                r = make_key(t, type, ret_blob);
        return r < 0 ? r : keys_public_key(k, BYTES(ret_blob->data, ret_blob->len), ret_public);
}

void tpm_take_spares_from(struct tpm *t, tpm_spare_fn *take, void *userdata) {
        t->take_spare = take;
        t->spare_userdata = userdata;
}

int tpm_make_spare(struct tpm *t, struct ctap_key_blob *ret) {
        return t->part->lacks_rsa ? -ENOTSUP : make_key(t, CTAP_KEY_RSA2048, ret);
}

/* The loaded key is the connection itself: there is nothing more to it. */
static int keys_load(struct ctap_keys *k, struct bytes blob,
                     _unused_ const struct ctap_ticket *ticket, struct ctap_loaded_key **ret) {
        struct tpm *t = container_of(k, struct tpm, keys);
        struct ctap_public_key public;

        if (!t->unlocked)
                return -EINVAL;
        if (command(t->part) != FAULT_GO_ON)
                return -EIO;
        if (keys_public_key(k, blob, &public) < 0)
                return -EKEYREJECTED;
        *ret = (struct ctap_loaded_key *)(void *)t;
        return 0;
}

static int keys_sign(struct ctap_keys *k, _unused_ struct ctap_loaded_key *key,
                     _unused_ struct bytes digest, struct ctap_signature *ret) {
        struct tpm *t = container_of(k, struct tpm, keys);

        if (command(t->part) != FAULT_GO_ON)
                return -EIO;
        *ret = (struct ctap_signature){ .len = 8 };
        return 0;
}

static void keys_unload(_unused_ struct ctap_keys *k, _unused_ struct ctap_loaded_key *key) {
}

static const struct ctap_keys_ops keys_ops = {
        .offered = keys_offered,
        .create = keys_create,
        .public_key = keys_public_key,
        .load = keys_load,
        .sign = keys_sign,
        .unload = keys_unload,
};

struct tpm *fake_tpm_connect(struct fake_tpm *part) {
        struct tpm *t = calloc(1, sizeof(*t));

        if (!t)
                abort();
        t->keys.ops = &keys_ops;
        t->part = part;
        part->n_connected++;
        return t;
}

bool fake_tpm_holds_only(const struct fake_tpm *p, const struct tpm_state *state) {
        struct names n;

        decode(state, &n);
        for (int i = 0; i < FAKE_TPM_HANDLES; i++) {
                uint32_t h = p->slots[i].handle;

                if (h != 0 && h != n.handle[ANCHOR] && h != n.handle[COUNTER] &&
                    h != n.handle[WORKER])
                        return false;
        }
        for (int i = 0; i < _ROLES; i++)
                if (n.handle[i] != 0 && slot_of(p, n.handle[i]) < 0)
                        return false;
        return true;
}

struct tpm *tpm_free(struct tpm *t) {
        if (t)
                t->part->n_connected--;
        free(t);
        return NULL;
}

static void forget(struct tpm *t) {
        t->unlocked = false;
        secret32_wipe(&t->key);
}

int tpm_unlock(struct tpm *t, const struct tpm_state *state) {
        struct names n;
        int i;

        if (state->phase != TPM_PHASE_READY)
                return -EINVAL;
        decode(state, &n);
        if (command(t->part) != FAULT_GO_ON)
                return -EIO;
        i = slot_of(t->part, n.handle[ANCHOR]);
        if (i < 0 || t->part->slots[i].name != n.anchor)
                return -ESTALE;
        t->names = n;
        t->unlocked = true;
        memset(&t->key, 0x5a, sizeof(t->key));
        memcpy(&t->key, &n.anchor, sizeof(n.anchor));
        return 0;
}

static int undo(struct tpm *t, const struct names *n) {
        int r = undefine(t->part, n->handle[ANCHOR]);

        if (r == 0)
                r = undefine(t->part, n->handle[WORKER]);
        return r;
}

static int make(struct tpm *t, struct names *n) {
        uint64_t name;
        int r = 0;

        if (slot_of(t->part, n->handle[COUNTER]) < 0)
                r = define(t->part, n->handle[COUNTER], &name);
        if (r == 0)
                r = define(t->part, n->handle[ANCHOR], &n->anchor);
        if (r == 0)
                r = define(t->part, n->handle[WORKER], &name);
        return r;
}

int tpm_set_owner_auth(struct tpm *t, struct bytes auth) {
        if (auth.len >= sizeof(t->owner_auth))
                return -EMSGSIZE;
        memset(t->owner_auth, 0, sizeof(t->owner_auth));
        if (auth.len > 0)
                memcpy(t->owner_auth, auth.data, auth.len);
        t->part->keeps_auth = auth.len > 0;
        return 0;
}

static bool owner_allows(const struct tpm *t) {
        return !t->part->owner_auth || strcmp(t->owner_auth, t->part->owner_auth) == 0;
}

/* This part never has a PIN. */
int tpm_complete(struct tpm *t, _unused_ struct tpm_state *state, _unused_ tpm_save_fn *save,
                 _unused_ void *userdata) {
        if (!t->unlocked)
                return -EINVAL;
        if (t->part->lacks_pin && !owner_allows(t))
                return -EACCES;
        t->part->lacks_pin = false;
        t->part->n_completed++;
        return 0;
}

int tpm_provision(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata) {
        struct names n;
        int r;

        if (!owner_allows(t))
                return -EACCES;
        decode(state, &n);
        r = undo(t, &n);
        if (r < 0)
                return r;

        n.handle[ANCHOR] = free_handle(t->part, 0x01800200);
        if (n.handle[COUNTER] == 0)
                n.handle[COUNTER] = free_handle(t->part, 0x01800280);
        n.handle[WORKER] = free_handle(t->part, 0x81018000);
        encode(state, TPM_PHASE_PROVISIONING, &n);
        r = save(userdata, state);
        if (r < 0)
                return r;
        r = make(t, &n);
        if (r < 0)
                return r;
        encode(state, TPM_PHASE_READY, &n);
        r = save(userdata, state);
        if (r == 0)
                r = tpm_set_owner_auth(t, BYTES_NULL);
        return r < 0 ? r : tpm_unlock(t, state);
}

int tpm_erase(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata) {
        struct names n;
        int r;

        if (!owner_allows(t))
                return -EACCES;
        state->phase = TPM_PHASE_ERASING;
        r = save(userdata, state);
        if (r < 0)
                return r;
        decode(state, &n);
        r = undo(t, &n);
        if (r < 0)
                return r;
        forget(t);
        return tpm_set_owner_auth(t, BYTES_NULL);
}

int tpm_remove(struct tpm *t, struct tpm_state *state, tpm_save_fn *save, void *userdata) {
        struct names n;
        int r = tpm_erase(t, state, save, userdata);

        decode(state, &n);
        if (r == 0)
                r = undefine(t->part, n.handle[COUNTER]);
        return r;
}

struct ctap_keys *tpm_keys(struct tpm *t) {
        return &t->keys;
}

const struct secret32 *tpm_store_key(const struct tpm *t) {
        return t->unlocked ? &t->key : NULL;
}

int tpm_counter_read(struct tpm *t, uint64_t *ret) {
        if (command(t->part) != FAULT_GO_ON)
                return -EIO;
        *ret = t->part->counter;
        return 0;
}

int tpm_counter_advance(struct tpm *t, uint64_t *ret) {
        enum fault_verdict verdict = command(t->part);

        if (verdict == FAULT_FAIL)
                return -EIO;
        t->part->counter++;
        if (verdict == FAULT_FAIL_AFTER)
                return -EIO;
        *ret = t->part->counter;
        return 0;
}

void tpm_settle(_unused_ struct tpm *t) {
}

/* There is no attestation key: tests of it have a TPM, or stand in for it themselves. */
int tpm_attestation_key_facts(_unused_ const struct tpm_attestation_key *key,
                              _unused_ struct tpm_attestation_facts *ret) {
        return -EBADMSG;
}

int tpm_attestation_key_check(_unused_ struct tpm *t,
                              _unused_ const struct tpm_attestation_key *key) {
        return -EBADMSG;
}

int tpm_attestation_key_load(_unused_ struct tpm *t, _unused_ const struct tpm_attestation_key *key,
                             _unused_ struct bytes blob, _unused_ struct ctap_loaded_key **ret) {
        return -EBADMSG;
}

int tpm_attestation_key_certify(_unused_ struct tpm *t,
                                _unused_ const struct tpm_attestation_key *key,
                                _unused_ struct ctap_loaded_key *of, _unused_ struct bytes data,
                                _unused_ struct ctap_certification *ret) {
        return -EBADMSG;
}
