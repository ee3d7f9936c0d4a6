/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The PIN index: see pin-index.h. The change branch cannot name the index, because the Name of an
 * index depends on its policy; it names K instead, and K signed once that PolicySecret of this index
 * is what it wants. The TPM turns that signature into a ticket, which the state keeps, and K is
 * destroyed. As with the anchor, without K nobody can write the index again.
 */

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "tpm/pin-index.h"
#include "tpm/policy.h"
#include "tpm/template.h"

enum { BRANCH_WRITE, BRANCH_CHANGE, BRANCH_READ, _BRANCHES };

static const TPM2B_NONCE change_ref = { .size = 3, .buffer = { 'c', 'h', 'g' } };

static void branches_of(const TPM2B_NAME *k, struct tpm_branches *ret) {
        *ret = (struct tpm_branches){ .n = _BRANCHES };
        tpm_writer_policy(k, &ret->digest[BRANCH_WRITE]);
        tpm_policy_authorize(&ret->digest[BRANCH_CHANGE], k,
                             BYTES(change_ref.buffer, change_ref.size));
        tpm_policy_command_code(&ret->digest[BRANCH_CHANGE], TPM2_CC_NV_ChangeAuth);
        tpm_policy_command_code(&ret->digest[BRANCH_READ], TPM2_CC_NV_Read);
}

void tpm_pin_index_plan(const struct tpm_writer *k, enum tpm_pin_kind kind, TPM2_HANDLE index,
                        struct tpm_nv *ret) {
        struct tpm_branches branches;
        struct sha256 policy;

        branches_of(&k->name, &branches);
        tpm_policy_or(&policy, &branches);
        tpm_nv_plan(kind == TPM_PIN_FAIL ? &tpm_template_pin_fail : &tpm_template_pin_ordinary,
                    index, &policy, ret);
}

int tpm_pin_index_template(const struct tpm *t, const TPMT_PUBLIC *plain, TPMT_PUBLIC *ret) {
        struct sha256 policy;
        int r;

        if (!t->record || t->record->pin.ref.len == 0)
                return -ENOTSUP;
        r = tpm_policy_of_written(&t->record->pin.public.nvPublic, &policy);
        if (r >= 0)
                *ret = tpm_template_with_policy(plain, &policy);
        return r;
}

/* Takes a session that satisfies one branch to the policy of the index. */
static int choose_branch(struct tpm *t, const TPM2B_NAME *k, const struct tpm_handle *session) {
        struct tpm_branches branches;
        TPML_DIGEST list = { .count = _BRANCHES };
        TSS2_RC rc;

        branches_of(k, &branches);
        for (size_t i = 0; i < _BRANCHES; i++) {
                list.digests[i].size = sizeof(branches.digest[i].b);
                memcpy(list.digests[i].buffer, branches.digest[i].b, sizeof(branches.digest[i].b));
        }
        rc = Esys_PolicyOR(t->esys, session->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &list);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail_stale(t, "TPM2_PolicyOR of the PIN", rc);
}

/* pinCount and pinLimit; an ordinary index ignores both. */
static int write_once(struct tpm *t, const struct tpm_writer *k, const struct tpm_handle *loaded,
                      uint32_t tries, const struct tpm_handle *index) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        TPM2B_MAX_NV_BUFFER content;
        struct buf b = BUF_ON(content.buffer);
        TSS2_RC rc;
        int r;

        r = tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r >= 0)
                r = tpm_writer_satisfy(t, k, loaded, &session);
        if (r >= 0)
                r = choose_branch(t, &k->name, &session);
        if (r >= 0)
                r = tpm_session_last(&session, 0);
        if (r < 0)
                return r;

        buf_put_u32(&b, 0);
        buf_put_u32(&b, tries);
        content.size = (uint16_t)b.len;
        rc = Esys_NV_Write(t->esys, index->tr, index->tr, session.tr, ESYS_TR_NONE, ESYS_TR_NONE,
                           &content, 0);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_NV_Write of the PIN index", rc);

        tpm_handle_close(&session);
        return 0;
}

int tpm_pin_index_make(struct tpm *t, const struct tpm_writer *k, const struct tpm_handle *loaded,
                       uint32_t tries, struct tpm_nv *nv) {
        _cleanup_(tpm_handle_close) struct tpm_handle index = TPM_HANDLE_NONE;
        int r;

        r = tpm_nv_define(t, nv, &index);
        if (r >= 0)
                r = write_once(t, k, loaded, tries, &index);
        return r < 0 ? r : tpm_ref_save(t, index.tr, &nv->ref);
}

/* aHash of TPM2_PolicyAuthorize: Part 3, 23.16. */
static void approval_hash(const struct sha256 *policy, TPM2B_DIGEST *ret) {
        uint8_t storage[sizeof(policy->b) + sizeof(change_ref.buffer)];
        struct buf b = BUF_ON(storage);

        buf_put(&b, BYTES_OF(*policy));
        buf_put(&b, BYTES(change_ref.buffer, change_ref.size));
        ret->size = SHA256_DIGEST_LENGTH;
        SHA256(b.data, b.len, ret->buffer);
}

int tpm_pin_index_approve(struct tpm *t, const struct tpm_writer *k,
                          const struct tpm_handle *loaded, const struct tpm_nv *nv,
                          struct tpm_approval *ret) {
        TPMT_TK_VERIFIED *ticket = NULL;
        TPMT_SIGNATURE signature;
        struct sha256 policy, digest;
        TPM2B_DIGEST hash;
        TSS2_RC rc;
        int r;

        r = tpm_policy_of_written(&nv->public.nvPublic, &policy);
        if (r < 0)
                return r;
        approval_hash(&policy, &hash);
        memcpy(digest.b, hash.buffer, sizeof(digest.b));
        r = tpm_writer_sign(k, &digest, &signature);
        if (r < 0)
                return r;
        rc = Esys_VerifySignature(t->esys, loaded->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                  &hash, &signature, &ticket);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_VerifySignature", rc);

        *ret = (struct tpm_approval){ .writer = k->name, .ticket = *ticket };
        Esys_Free(ticket);
        return 0;
}

int tpm_pin_index_allow_change(struct tpm *t, const struct tpm_nv *nv,
                               const struct tpm_approval *approval,
                               const struct tpm_handle *session) {
        TPM2B_DIGEST approved = { .size = SHA256_DIGEST_LENGTH };
        struct sha256 policy;
        TSS2_RC rc;
        int r;

        r = tpm_policy_of_written(&nv->public.nvPublic, &policy);
        if (r < 0)
                return r;
        memcpy(approved.buffer, policy.b, sizeof(policy.b));
        rc = Esys_PolicyAuthorize(t->esys, session->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                  &approved, &change_ref, &approval->writer, &approval->ticket);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_PolicyAuthorize of the PIN", rc);
        rc = Esys_PolicyCommandCode(t->esys, session->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    TPM2_CC_NV_ChangeAuth);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_PolicyCommandCode", rc);
        return choose_branch(t, &approval->writer, session);
}

/* ---- the count ---------------------------------------------------------------------------- */

static TSS2_RC read_by_owner(struct tpm *t, const struct tpm_handle *index,
                             TPM2B_MAX_NV_BUFFER **ret) {
        return Esys_NV_Read(t->esys, ESYS_TR_RH_OWNER, index->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                            ESYS_TR_NONE, tpm_template_pin_fail.dataSize, 0, ret);
}

static int read_by_policy(struct tpm *t, const struct tpm_handle *index, const TPM2B_NAME *writer,
                          TPM2B_MAX_NV_BUFFER **ret) {
        _cleanup_(tpm_handle_flush) struct tpm_handle session = TPM_HANDLE_NONE;
        TSS2_RC rc;
        int r;

        r = tpm_session_start(t, ESYS_TR_NONE, &session);
        if (r < 0)
                return r;
        rc = Esys_PolicyCommandCode(t->esys, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    TPM2_CC_NV_Read);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_PolicyCommandCode", rc);
        r = choose_branch(t, writer, &session);
        if (r >= 0)
                r = tpm_session_last(&session, 0);
        if (r < 0)
                return r;
        rc = Esys_NV_Read(t->esys, index->tr, index->tr, session.tr, ESYS_TR_NONE, ESYS_TR_NONE,
                          tpm_template_pin_fail.dataSize, 0, ret);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_stale(t, "TPM2_NV_Read of the PIN's tries", rc);

        tpm_handle_close(&session);
        return 0;
}

static int read_content(struct tpm *t, const struct tpm_handle *index, const TPM2B_NAME *writer,
                        TPM2B_MAX_NV_BUFFER **ret) {
        TSS2_RC base, rc;

        if (t->owner_is_locked)
                return read_by_policy(t, index, writer, ret);

        rc = read_by_owner(t, index, ret);
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        base = tpm_rc_base(rc);
        if (base != TPM2_RC_BAD_AUTH && base != TPM2_RC_AUTH_FAIL)
                return tpm_fail_stale(t, "TPM2_NV_Read of the PIN's tries", rc);
        t->owner_is_locked = true;
        return read_by_policy(t, index, writer, ret);
}

int tpm_pin_index_left(struct tpm *t, const struct tpm_nv *nv, const TPM2B_NAME *writer,
                       uint8_t *ret) {
        _cleanup_(tpm_handle_close) struct tpm_handle index = TPM_HANDLE_NONE;
        TPM2B_MAX_NV_BUFFER *content = NULL;
        uint32_t count, limit;
        struct cursor c;
        ESYS_TR tr;
        int r;

        r = tpm_ref_open(t, &nv->ref, tpm_nv_index(nv), &tr);
        if (r < 0)
                return r;
        index = tpm_handle(t, tr);
        r = read_content(t, &index, writer, &content);
        if (r < 0)
                return r;

        c = (struct cursor){ BYTES(content->buffer, content->size), false };
        count = cursor_u32(&c);
        limit = cursor_u32(&c);
        r = cursor_end(&c) < 0 ? -EIO : 0;
        Esys_Free(content);
        if (r < 0)
                return r;
        limit = limit < CTAP_PIN_TRIES_MAX ? limit : CTAP_PIN_TRIES_MAX;
        *ret = (uint8_t)(count < limit ? limit - count : 0);
        return 0;
}
