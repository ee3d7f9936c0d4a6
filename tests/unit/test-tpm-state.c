/* SPDX-License-Identifier: BSD-2-Clause */

/* What of tpm/ needs no TPM: the state on disk, policy digests, wrapped keys, key templates. */

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/unit/test.h"
#include "tpm/anchor.h"
#include "tpm/blob.h"
#include "tpm/capability.h"
#include "tpm/counter.h"
#include "tpm/policy.h"
#include "tpm/state.h"
#include "tpm/template.h"

/* ---- policies ----------------------------------------------------------------------------- */

static TPM2B_NAME some_name(void) {
        TPM2B_NAME name = { .size = 34, .name = { 0, 0x0b } };

        for (uint8_t i = 0; i < 32; i++)
                name.name[2 + i] = i;
        return name;
}

/* The expected digests were computed from Part 3 with another language's SHA-256. */
static void policy_digests_are_those_of_the_specification(void **state) {
        static const uint8_t command_code[] = {
                0x1c, 0x4f, 0x71, 0x07, 0xdc, 0xaf, 0x23, 0xce, 0x00, 0x75, 0x64,
                0x48, 0x50, 0x85, 0x58, 0x68, 0x31, 0x04, 0xbd, 0x9e, 0x20, 0x3e,
                0x93, 0x74, 0x9c, 0x22, 0x7b, 0x45, 0x12, 0x70, 0x43, 0x8f,
        };
        static const uint8_t secret[] = {
                0xf4, 0x64, 0x41, 0x63, 0x82, 0x7e, 0x37, 0x9c, 0x03, 0x76, 0xc3,
                0x7e, 0xf6, 0xa6, 0xd8, 0x26, 0x5c, 0x66, 0x58, 0xf9, 0x4f, 0xda,
                0xd4, 0x77, 0xa8, 0x99, 0x2b, 0xc6, 0x06, 0xd3, 0x21, 0x9b,
        };
        static const uint8_t both[] = {
                0xe1, 0x82, 0xe3, 0x9f, 0x3a, 0x15, 0x4c, 0x67, 0xdd, 0x0b, 0xf5,
                0xb3, 0x75, 0x66, 0x8e, 0xb0, 0x37, 0x33, 0x69, 0x68, 0x4d, 0x70,
                0xb7, 0x7c, 0xb3, 0x49, 0x77, 0x0a, 0x82, 0xd6, 0x83, 0x8a,
        };
        const TPM2B_NAME name = some_name();
        struct sha256 p = { 0 };

        (void)state;
        tpm_policy_command_code(&p, TPM2_CC_NV_Write);
        assert_bytes_equal(BYTES_OF(p), BYTES_OF(command_code));
        tpm_policy_signed(&p, &name);
        assert_bytes_equal(BYTES_OF(p), BYTES_OF(both));
        p = (struct sha256){ 0 };
        tpm_policy_secret(&p, &name);
        assert_bytes_equal(BYTES_OF(p), BYTES_OF(secret));
}

static void policies_that_name_other_policies_are_those_of_the_specification(void **state) {
        static const uint8_t authorized[] = {
                0x0a, 0x57, 0x5d, 0x09, 0x4c, 0x11, 0x65, 0x2c, 0x95, 0xc4, 0x8b,
                0xdc, 0x1a, 0x2e, 0xa4, 0x4f, 0x03, 0x8f, 0x5b, 0x2c, 0x8c, 0x90,
                0x59, 0x53, 0x17, 0x94, 0x1c, 0xa1, 0xfc, 0x00, 0x9c, 0xef,
        };
        static const uint8_t either[] = {
                0x56, 0x71, 0x07, 0xf0, 0xbd, 0xf3, 0xbc, 0x7b, 0x29, 0xc8, 0x1c,
                0x19, 0xd4, 0x32, 0x3a, 0x26, 0xf3, 0xd7, 0x95, 0x23, 0x9a, 0x71,
                0xe5, 0x67, 0x4f, 0x48, 0xb5, 0xcf, 0x63, 0x16, 0x77, 0xad,
        };
        const TPM2B_NAME name = some_name();
        struct tpm_branches branches = { .n = 2 };
        struct sha256 p = { { 1 } }; /* both begin anew */

        (void)state;
        tpm_policy_authorize(&p, &name, BYTES_TEXT("chg"));
        assert_bytes_equal(BYTES_OF(p), BYTES_OF(authorized));
        tpm_policy_command_code(&branches.digest[0], TPM2_CC_NV_Write);
        branches.digest[1] = p;
        tpm_policy_or(&p, &branches);
        assert_bytes_equal(BYTES_OF(p), BYTES_OF(either));
}

static void no_two_anchors_have_the_same_policy(void **state) {
        struct tpm_writer k1, k2;
        struct tpm_nv a, b;
        struct sha256 p, q;

        (void)state;
        assert_int_equal(tpm_writer_new(&k1), 0);
        assert_int_equal(tpm_writer_new(&k2), 0);
        tpm_anchor_plan(&k1, 0x01800200, &a);
        tpm_anchor_plan(&k2, 0x01800200, &b);
        assert_memory_not_equal(a.public.nvPublic.authPolicy.buffer,
                                b.public.nvPublic.authPolicy.buffer, 32);
        assert_int_equal(tpm_policy_of_written(&a.public.nvPublic, &p), 0);
        assert_int_equal(tpm_policy_of_written(&b.public.nvPublic, &q), 0);
        assert_memory_not_equal(p.b, q.b, 32);
        tpm_writer_destroy(&k1);
        tpm_writer_destroy(&k2);
        assert_null(k1.key);
}

static void some_makers_make_tpms_in_firmware(void **state) {
        static const char *const firmware[] = { "INTC", "AMD ", "AMD", "MSFT", "QCOM" };
        static const char *const chips[] = { "IFX ", "STM ", "NTC ", "IBM ", "", "AMT ", "intc" };
        struct tpm_info info = { .revision = 138 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(firmware); i++) {
                (void)strcpy(info.manufacturer, firmware[i]);
                assert_true(tpm_is_firmware(&info));
        }
        for (size_t i = 0; i < ELEMENTSOF(chips); i++) {
                (void)strcpy(info.manufacturer, chips[i]);
                assert_false(tpm_is_firmware(&info));
        }
}

/* ---- wrapped keys ------------------------------------------------------------------------- */

static struct tpm_blob some_blob(uint8_t fill) {
        struct tpm_blob b = { .private.size = 126 };

        memset(b.private.buffer, fill, b.private.size);
        b.public.publicArea = *tpm_key_types[CTAP_KEY_P256].template;
        b.public.publicArea.unique.ecc.x.size = 32;
        b.public.publicArea.unique.ecc.y.size = 32;
        memset(b.public.publicArea.unique.ecc.x.buffer, fill, 32);
        return b;
}

static void a_blob_is_read_back_and_nothing_else_is(void **state) {
        const struct tpm_blob blob = some_blob(7);
        uint8_t storage[512];
        struct buf b = BUF_ON(storage);
        struct tpm_blob again;

        (void)state;
        tpm_blob_encode(&blob, &b);
        assert_int_equal(buf_error(&b), 0);
        assert_int_equal(b.len, 216);
        assert_int_equal(tpm_blob_decode(buf_bytes(&b), &again), 0);
        assert_memory_equal(again.private.buffer, blob.private.buffer, 126);

        for (size_t n = 0; n < b.len; n++)
                assert_int_equal(tpm_blob_decode(BYTES(storage, n), &again), -EBADMSG);
        storage[b.len] = 0;
        assert_int_equal(tpm_blob_decode(BYTES(storage, b.len + 1), &again), -EBADMSG);
        assert_int_equal(tpm_blob_decode(BYTES_NULL, &again), -EBADMSG);
}

static void a_template_matches_but_for_the_key_itself(void **state) {
        TPMT_PUBLIC p = some_blob(1).public.publicArea;
        const TPMT_PUBLIC *t = tpm_key_types[CTAP_KEY_P256].template;

        (void)state;
        assert_true(tpm_template_matches(t, &p));
        assert_false(tpm_template_matches(tpm_key_types[CTAP_KEY_P384].template, &p));
        assert_false(tpm_template_matches(&tpm_template_sealed, &p));
        p.objectAttributes &= ~TPMA_OBJECT_FIXEDTPM;
        assert_false(tpm_template_matches(t, &p));
        p = some_blob(1).public.publicArea;
        p.authPolicy.size = 32;
        assert_false(tpm_template_matches(t, &p));
        p = some_blob(1).public.publicArea;
        p.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
        p.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
        assert_false(tpm_template_matches(t, &p));
}

/* ---- state -------------------------------------------------------------------------------- */

static void put_ref(struct tpm_ref *ref, uint8_t fill) {
        ref->len = 92;
        memset(ref->data, fill, ref->len);
}

static struct tpm_record some_record(enum tpm_phase phase) {
        struct tpm_record r = {
                .phase = phase,
                .has_p384 = true,
                .is_firmware = true,
                .asked_rsa2048 = true,
                .has_rsa2048 = true,
                .srk.name = some_name(),
        };
        struct tpm_writer k;

        assert_int_equal(tpm_writer_new(&k), 0);
        tpm_anchor_plan(&k, 0x01800200, &r.anchor);
        tpm_anchor_plan(&k, 0x01800202, &r.pin);
        r.pin_change.writer = k.name;
        tpm_writer_destroy(&k);
        assert_int_equal(tpm_counter_plan(0x01800201, &r.counter), 0);
        put_ref(&r.srk.ref, 1);
        put_ref(&r.anchor.ref, 2);
        put_ref(&r.counter.ref, 3);
        r.worker_handle = 0x81018000;
        r.worker_name = some_name();
        put_ref(&r.worker, 4);
        r.gate_key = some_blob(5);
        r.worker_key = some_blob(6);
        r.sealed_auth = some_blob(7);
        r.sealed_store_key = some_blob(8);
        r.pin_kind = TPM_PIN_ORDINARY;
        r.hmac_kind = TPM_HMAC_SIGN;
        put_ref(&r.pin.ref, 9);
        r.pin_change.ticket = (TPMT_TK_VERIFIED){ .tag = TPM2_ST_VERIFIED,
                                                  .hierarchy = TPM2_RH_OWNER,
                                                  .digest.size = 64 };
        memset(r.pin_salt, 10, sizeof(r.pin_salt));
        assert_int_equal(tpm_counter_plan(0x01800203, &r.tries), 0);
        put_ref(&r.tries.ref, 11);
        r.tries_base = 0x0102030405060708;
        return r;
}

static struct tpm_state encoded(const struct tpm_record *r) {
        struct tpm_state s;

        assert_int_equal(tpm_state_encode(r, &s), 0);
        return s;
}

/* With the right digest over whatever is in there. */
static void seal(struct tpm_state *s) {
        SHA256(s->data, s->len - 32u, s->data + s->len - 32);
}

static void a_state_is_read_back(void **state) {
        (void)state;
        for (enum tpm_phase p = TPM_PHASE_PROVISIONING; p <= TPM_PHASE_ERASING; p++) {
                const struct tpm_record r = some_record(p);
                const struct tpm_state s = encoded(&r);
                struct tpm_record again;
                struct tpm_state twice;
                struct tpm_facts facts;

                assert_int_equal(s.phase, p);
                assert_int_equal(tpm_state_decode(&s, &again), 0);
                assert_int_equal(again.phase, p);
                assert_true(again.has_p384 && again.is_firmware);
                assert_true(again.asked_rsa2048 && again.has_rsa2048);
                assert_true(again.tries_base == r.tries_base);
                twice = encoded(&again);
                assert_bytes_equal(BYTES(twice.data, twice.len), BYTES(s.data, s.len));
                tpm_state_facts(&s, &facts);
                assert_int_equal(facts.anchor, 0x01800200);
                assert_int_equal(facts.counter, 0x01800201);
                assert_int_equal(facts.pin, 0x01800202);
                assert_int_equal(facts.tries, 0x01800203);
                assert_int_equal(facts.worker, 0x81018000);
                assert_int_equal(facts.pin_kind, TPM_PIN_ORDINARY);
                assert_int_equal(facts.hmac_kind, TPM_HMAC_SIGN);
                assert_true(facts.is_firmware && facts.srk_persistent && facts.has_p384 &&
                            facts.has_rsa2048);
        }
}

static void the_layout_begins_with_magic_version_phase_flags(void **state) {
        static const uint8_t want[] = { 't', 'p', 'm', 'a', 0, 3, 2, 15, 0, 34, 0, 0x0b };
        const struct tpm_record r = some_record(TPM_PHASE_READY);
        const struct tpm_state s = encoded(&r);

        (void)state;
        assert_bytes_equal(BYTES(s.data, sizeof(want)), BYTES_OF(want));
}

static void no_state_is_a_state(void **state) {
        const struct tpm_state none = { .phase = TPM_PHASE_NONE };
        struct tpm_record r = some_record(TPM_PHASE_READY);
        struct tpm_facts facts;

        (void)state;
        assert_int_equal(tpm_state_decode(&none, &r), 0);
        assert_int_equal(r.phase, TPM_PHASE_NONE);
        tpm_state_facts(&none, &facts);
        assert_int_equal(facts.anchor | facts.counter | facts.worker | facts.pin | facts.tries, 0);
}

static void a_damaged_state_is_called_damaged(void **state) {
        const struct tpm_record r = some_record(TPM_PHASE_READY);
        const struct tpm_state good = encoded(&r);
        struct tpm_record again;

        (void)state;
        for (size_t i = 0; i < good.len; i++) {
                struct tpm_state s = good;

                s.data[i] ^= (uint8_t)(1u << (i % 8));
                assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
        }
        for (uint16_t n = 0; n < good.len; n++) {
                struct tpm_state s = good;

                s.len = n;
                assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
                if (n >= 32) {
                        seal(&s);
                        assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
                }
        }
        {
                struct tpm_state s = good;

                s.phase = TPM_PHASE_ERASING;
                assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
                s = good;
                s.len = TPM_STATE_MAX + 1;
                assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
                s.len = 0;
                assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
        }
}

/* Every byte changed in every bit, under a digest that is right: refused or read, never a crash. */
static void a_forged_state_is_read_with_care(void **state) {
        const struct tpm_record r = some_record(TPM_PHASE_READY);
        const struct tpm_state good = encoded(&r);
        size_t n_refused = 0;

        (void)state;
        for (size_t i = 0; i < good.len - 32u; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        struct tpm_state s = good;
                        struct tpm_record again;
                        int e;

                        s.data[i] ^= (uint8_t)(1u << bit);
                        seal(&s);
                        e = tpm_state_decode(&s, &again);
                        assert_true(e == 0 || e == -EBADMSG);
                        n_refused += e < 0;
                }
        assert_true(n_refused > 8 * 8); /* the header at least */
}

/* The size in front of a public area has to be its size. */
static void an_index_is_written_in_one_way(void **state) {
        const struct tpm_record r = some_record(TPM_PHASE_READY);
        const struct tpm_state good = encoded(&r);
        const size_t nv = 8u + 2u + r.srk.name.size + 2u + r.srk.ref.len;
        struct tpm_record again;

        (void)state;
        for (unsigned low = 0; low <= UINT8_MAX; low++) {
                struct tpm_state s = good;

                s.data[nv + 3] = (uint8_t)low;
                seal(&s);
                assert_int_equal(tpm_state_decode(&s, &again),
                                 low == good.data[nv + 3] ? 0 : -EBADMSG);
        }
}

static void a_state_of_a_later_version_is_refused(void **state) {
        const struct tpm_record r = some_record(TPM_PHASE_READY);
        struct tpm_state s = encoded(&r);
        struct tpm_record again;

        (void)state;
        for (uint8_t version = 0; version < 6; version++) {
                s.data[5] = version;
                seal(&s);
                assert_int_equal(tpm_state_decode(&s, &again), version == 3 ? 0 : -EBADMSG);
        }
}

/* The same record as version 1 wrote it: a prefix of what is written now, and fewer flags. */
static struct tpm_state as_version_1(const struct tpm_record *r) {
        struct tpm_record old = *r;
        struct tpm_state s;

        old.pin_kind = TPM_PIN_NONE;
        old.hmac_kind = TPM_HMAC_NONE;
        old.pin = old.tries = (struct tpm_nv){ 0 };
        old.pin_change = (struct tpm_approval){ 0 };
        old.is_firmware = false;
        old.asked_rsa2048 = old.has_rsa2048 = false;
        s = encoded(&old);
        s.data[5] = 1;
        s.len = (uint16_t)(s.len - (2 + 4 + 4 + TPM_PIN_SALT_SIZE + 4 + 8 + 4));
        seal(&s);
        return s;
}

static void a_state_of_version_1_is_read_and_has_no_pin(void **state) {
        (void)state;
        for (enum tpm_phase p = TPM_PHASE_PROVISIONING; p <= TPM_PHASE_ERASING; p++) {
                const struct tpm_record r = some_record(p);
                struct tpm_state s = as_version_1(&r);
                struct tpm_record old;

                assert_int_equal(tpm_state_decode(&s, &old), 0);
                assert_int_equal(old.phase, p);
                assert_true(old.has_p384 && !old.is_firmware);
                assert_int_equal(tpm_nv_index(&old.counter), 0x01800201);
                assert_memory_equal(old.sealed_store_key.private.buffer,
                                    r.sealed_store_key.private.buffer, 126);
                assert_int_equal(old.pin_kind, TPM_PIN_NONE);
                assert_int_equal(old.pin.ref.len, 0);
                s.data[7] |= 2; /* a flag that it did not know */
                seal(&s);
                assert_int_equal(tpm_state_decode(&s, &old), -EBADMSG);
        }
}

static void a_state_of_version_2_is_read_and_does_not_know_of_rsa(void **state) {
        const struct tpm_record r = some_record(TPM_PHASE_READY);
        struct tpm_state s = encoded(&r);
        struct tpm_record old;

        (void)state;
        s.data[5] = 2;
        s.data[7] = 3;
        seal(&s);
        assert_int_equal(tpm_state_decode(&s, &old), 0);
        assert_true(old.has_p384 && old.is_firmware);
        assert_false(old.asked_rsa2048 || old.has_rsa2048);
        assert_int_equal(old.pin_kind, r.pin_kind);
        assert_true(old.tries_base == r.tries_base);
        for (uint8_t flag = 4; flag != 0; flag = (uint8_t)(flag << 1)) {
                s.data[7] = 3 | flag;
                seal(&s);
                assert_int_equal(tpm_state_decode(&s, &old), -EBADMSG);
        }
}

static void a_state_that_was_never_asked_for_rsa_has_none(void **state) {
        struct tpm_record r = some_record(TPM_PHASE_READY), again;
        struct tpm_state s;

        (void)state;
        r.has_rsa2048 = false;
        s = encoded(&r);
        assert_int_equal(tpm_state_decode(&s, &again), 0);
        assert_true(again.asked_rsa2048 && !again.has_rsa2048);
        r.asked_rsa2048 = false;
        s = encoded(&r);
        assert_int_equal(tpm_state_decode(&s, &again), 0);
        assert_false(again.asked_rsa2048 || again.has_rsa2048);
        r.has_rsa2048 = true;
        s = encoded(&r);
        assert_int_equal(tpm_state_decode(&s, &again), -EBADMSG);
}

static void nothing(struct tpm_record *r) {
        (void)r;
}

static void no_pin(struct tpm_record *r) {
        r->pin = (struct tpm_nv){ 0 };
}

static void a_pin_planned(struct tpm_record *r) {
        r->pin.ref.len = 0;
        r->pin_change = (struct tpm_approval){ 0 };
}

static void no_persistent_worker(struct tpm_record *r) {
        r->worker_handle = 0;
        r->worker.len = 0;
}

static void what_a_state_may_lack(void **state) {
        void (*const ways[])(struct tpm_record *) = { nothing, no_pin, a_pin_planned,
                                                      no_persistent_worker };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                struct tpm_record r = some_record(TPM_PHASE_READY), again;
                struct tpm_state s;

                ways[i](&r);
                s = encoded(&r);
                assert_int_equal(tpm_state_decode(&s, &again), 0);
        }
}

static void no_anchor(struct tpm_record *r) {
        r->anchor = (struct tpm_nv){ 0 };
}

static void no_counter(struct tpm_record *r) {
        r->counter = (struct tpm_nv){ 0 };
}

static void no_worker_handle(struct tpm_record *r) {
        r->worker_handle = 0;
}

static void no_worker_name(struct tpm_record *r) {
        r->worker_name.size = 0;
}

static void no_worker(struct tpm_record *r) {
        r->worker.len = 0;
}

static void a_worker_elsewhere(struct tpm_record *r) {
        r->worker_handle = 0x01018000;
}

static void no_gate_key(struct tpm_record *r) {
        r->gate_key.private.size = 0;
}

static void no_worker_key(struct tpm_record *r) {
        r->worker_key.private.size = 0;
}

static void no_auth(struct tpm_record *r) {
        r->sealed_auth.private.size = 0;
}

static void no_store_key(struct tpm_record *r) {
        r->sealed_store_key.private.size = 0;
}

static void no_approval(struct tpm_record *r) {
        r->pin_change.ticket.digest.size = 0;
}

static void no_writer(struct tpm_record *r) {
        r->pin_change.writer.size = 0;
}

static void no_kind(struct tpm_record *r) {
        r->pin_kind = TPM_PIN_NONE;
}

static void a_kind_that_is_none(struct tpm_record *r) {
        r->pin_kind = TPM_PIN_ORDINARY + 1;
}

static void no_tries(struct tpm_record *r) {
        r->tries.ref.len = 0;
}

static void a_pin_without_an_index(struct tpm_record *r) {
        r->pin.public.size = 0;
}

static void a_state_that_lacks_what_its_phase_needs_is_refused(void **state) {
        void (*const ways[])(struct tpm_record *) = {
                no_anchor,
                no_counter,
                no_worker_handle,
                no_worker_name,
                no_worker,
                no_gate_key,
                no_auth,
                no_store_key,
                no_worker_key,
                a_worker_elsewhere,
                no_approval,
                no_writer,
                no_kind,
                no_tries,
                a_kind_that_is_none,
                a_pin_without_an_index,
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                struct tpm_record r = some_record(TPM_PHASE_READY), again;
                struct tpm_state s;

                ways[i](&r);
                s = encoded(&r);
                if (tpm_state_decode(&s, &again) != -EBADMSG)
                        fail_msg("case %zu is read", i);
        }
}

static void a_state_that_does_not_fit_is_an_error(void **state) {
        struct tpm_record r = some_record(TPM_PHASE_READY);
        struct tpm_state s;

        (void)state;
        r.gate_key.private.size = r.worker_key.private.size = r.sealed_auth.private.size =
                r.sealed_store_key.private.size = sizeof(r.gate_key.private.buffer);
        put_ref(&r.srk.ref, 1);
        r.srk.ref.len = r.anchor.ref.len = r.counter.ref.len = r.worker.len = TPM_REF_MAX;
        assert_int_equal(tpm_state_encode(&r, &s), -EMSGSIZE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(policy_digests_are_those_of_the_specification),
                cmocka_unit_test(policies_that_name_other_policies_are_those_of_the_specification),
                cmocka_unit_test(no_two_anchors_have_the_same_policy),
                cmocka_unit_test(some_makers_make_tpms_in_firmware),
                cmocka_unit_test(a_blob_is_read_back_and_nothing_else_is),
                cmocka_unit_test(a_template_matches_but_for_the_key_itself),
                cmocka_unit_test(a_state_is_read_back),
                cmocka_unit_test(the_layout_begins_with_magic_version_phase_flags),
                cmocka_unit_test(no_state_is_a_state),
                cmocka_unit_test(a_damaged_state_is_called_damaged),
                cmocka_unit_test(a_forged_state_is_read_with_care),
                cmocka_unit_test(an_index_is_written_in_one_way),
                cmocka_unit_test(a_state_of_a_later_version_is_refused),
                cmocka_unit_test(a_state_of_version_1_is_read_and_has_no_pin),
                cmocka_unit_test(a_state_of_version_2_is_read_and_does_not_know_of_rsa),
                cmocka_unit_test(a_state_that_was_never_asked_for_rsa_has_none),
                cmocka_unit_test(what_a_state_may_lack),
                cmocka_unit_test(a_state_that_lacks_what_its_phase_needs_is_refused),
                cmocka_unit_test(a_state_that_does_not_fit_is_an_error),
        };

        return cmocka_run_group_tests_name("tpm-state", tests, NULL, NULL);
}
