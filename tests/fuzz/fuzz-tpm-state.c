/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * tpm/state.c and tpm/blob.c on any bytes that a disk may give back. There is one way to write a
 * state of this version and one way to write a blob, so whatever is read, written again, must be the
 * same bytes. The first byte of the input chooses what is tried.
 *
 *   s PHASE DATA   a state with its digest, which is most likely wrong
 *   d PHASE DATA   a state whose digest is put right
 *   b DATA         a blob
 */

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tpm/blob.h"
#include "tpm/state.h"

static void facts_of(const struct tpm_state *state, const struct tpm_record *r) {
        struct tpm_facts facts;

        tpm_state_facts(state, &facts);
        require(facts.anchor == tpm_nv_index(&r->anchor));
        require(facts.counter == tpm_nv_index(&r->counter));
        require(facts.pin == tpm_nv_index(&r->pin));
        require(facts.tries == tpm_nv_index(&r->tries));
        require(facts.worker == r->worker_handle);
        require(facts.pin_kind <= TPM_PIN_ORDINARY && facts.hmac_kind <= TPM_HMAC_UNSEAL);
}

/* A state of an older version is not written as such again: only what came of it has to last. */
static bool is_of_this_version(const struct tpm_state *state) {
        return state->data[5] == 3;
}

static void try_state(const struct tpm_state *state) {
        struct tpm_record r = { 0 };
        struct tpm_state again;
        int failed = tpm_state_decode(state, &r);

        require(failed == 0 || failed == -EBADMSG);
        facts_of(state, &r); /* none, if it could not be read */
        if (failed < 0 || state->len == 0)
                return;

        require(r.phase == state->phase);
        require(tpm_state_encode(&r, &again) == 0);
        require(again.phase == state->phase);
        if (is_of_this_version(state))
                require(bytes_equal(BYTES(again.data, again.len), BYTES(state->data, state->len)));
        else
                require(tpm_state_decode(&again, &r) == 0);
}

static void take_state(struct cursor *c, bool mend) {
        const size_t room = TPM_STATE_MAX - (mend ? SHA256_DIGEST_LENGTH : 0);
        struct tpm_state s = { .phase = cursor_u8(c) };
        size_t n = c->left.len < room ? c->left.len : room;

        if (n > 0)
                memcpy(s.data, c->left.data, n);
        s.len = (uint16_t)n;
        if (mend) {
                SHA256(s.data, n, s.data + n);
                s.len = (uint16_t)(n + SHA256_DIGEST_LENGTH);
        }
        try_state(&s);
}

static void try_blob(struct bytes from) {
        uint8_t storage[sizeof(struct tpm_blob)];
        struct buf again = BUF_ON(storage);
        struct tpm_blob blob;
        int r = tpm_blob_decode(from, &blob);

        require(r == 0 || r == -EBADMSG);
        if (r < 0)
                return;
        require(blob.private.size > 0 && blob.private.size <= sizeof(blob.private.buffer));
        tpm_blob_encode(&blob, &again);
        require(buf_error(&again) == 0 && bytes_equal(buf_bytes(&again), from));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct cursor c = { BYTES(data, size), false };

        switch (cursor_u8(&c)) {
        case 's':
                take_state(&c, false);
                break;
        case 'd':
                take_state(&c, true);
                break;
        case 'b':
                try_blob(c.left);
                break;
        default:
                break;
        }
        return 0;
}
