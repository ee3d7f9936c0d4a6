/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The NV index whose authValue is the PIN. Its policy is one of three branches:
 *   write   PolicyCommandCode(NV_Write), PolicySigned(K): once, when it is made
 *   change  PolicyAuthorize(K, "chg"), PolicyCommandCode(NV_ChangeAuth): K approved, once and for
 *           all, PolicySecret(this index); the TPM compares the PIN there, and counts
 *   read    PolicyCommandCode(NV_Read)
 * None of them says PolicyAuthValue or PolicyPassword: in a policy session those compare the PIN
 * without counting.
 */

#include "tpm/nv.h"
#include "tpm/writer.h"

/* The public area of an index that only K can write; kind is FAIL or ORDINARY. */
void tpm_pin_index_plan(const struct tpm_writer *k, enum tpm_pin_kind kind, TPM2_HANDLE index,
                        struct tpm_nv *ret);
/*
 * Defines the planned index without a PIN and writes it once, with K as loaded; completes nv->ref.
 * `tries` is the limit of one of kind FAIL.
 */
_must_check_ int tpm_pin_index_make(struct tpm *t, const struct tpm_writer *k,
                                    const struct tpm_handle *loaded, uint32_t tries,
                                    struct tpm_nv *nv);
/* Lets the PIN of the index that was written be changed by whoever knows it. */
_must_check_ int tpm_pin_index_approve(struct tpm *t, const struct tpm_writer *k,
                                       const struct tpm_handle *loaded, const struct tpm_nv *nv,
                                       struct tpm_approval *ret);

/*
 * The template of class B: the same as `plain`, but with PolicySecret(PIN) in place of the authValue.
 * -ENOTSUP: there is no PIN index.
 */
_must_check_ int tpm_pin_index_template(const struct tpm *t, const TPMT_PUBLIC *plain,
                                        TPMT_PUBLIC *ret);
/* Makes a session that satisfies PolicySecret(PIN) satisfy the change branch. Three commands. */
_must_check_ int tpm_pin_index_allow_change(struct tpm *t, const struct tpm_nv *nv,
                                            const struct tpm_approval *approval,
                                            const struct tpm_handle *session);
/*
 * How many wrong tries of kind FAIL are left. One command, or five if an owner authorisation is
 * set. -ESTALE: there is no such index, or it was never written.
 */
_must_check_ int tpm_pin_index_left(struct tpm *t, const struct tpm_nv *nv,
                                    const TPM2B_NAME *writer, uint8_t *ret);
