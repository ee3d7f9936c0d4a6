/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The attestation of a run's keys, by an authority that is made for it. Its certificate is what a server under test
 * trusts; its private key is nowhere but in the memory of who made it.
 */

#include "cli/ci-daemon.h"

/* Files below the folder of the run, in PEM. */
#define CI_AUTHORITY               "ca.pem"
#define CI_ATTESTATION_KEY         "attestation-key.pem"
#define CI_ATTESTATION_CERTIFICATE "attestation.pem"

/* Makes the three. 0, or an exit status after printing why. */
int ci_authority_make(const struct keeper *k);
