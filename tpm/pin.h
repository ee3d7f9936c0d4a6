/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The PIN of the keys port. */

#include "tpm/context.h"

/*
 * The authValue that stands for a PIN; NULL: none is set, it is empty. Salted, so that no table of
 * PINs fits two devices, and never with a last byte of zero, which a TPM would drop.
 */
_must_check_ int tpm_pin_auth(const uint8_t salt[static TPM_PIN_SALT_SIZE],
                              const struct ctap_pin_hash *pin, TPM2B_AUTH *ret);

/* ctap_keys_ops */
_must_check_ int tpm_pin_verify(struct ctap_keys *k, const struct ctap_pin_hash *pin,
                                uint32_t seconds, enum ctap_pin_verdict *ret,
                                struct ctap_ticket *ret_ticket);
_must_check_ int tpm_pin_change(struct ctap_keys *k, const struct ctap_pin_hash *old,
                                const struct ctap_pin_hash *new, enum ctap_pin_verdict *ret);
_must_check_ int tpm_pin_retries(struct ctap_keys *k, uint8_t *ret);
