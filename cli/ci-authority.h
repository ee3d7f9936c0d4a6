/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The attestation of a run's keys, by an authority that is made for it. Its certificate is what a server under test
 * trusts; its private key is nowhere but in the memory of who made it.
 */

#include "cli/ci-daemon.h"

/* Files below the folder of the run, in PEM. */
void ci_authority_path(const struct keeper *k, char ret[static CI_PATH_MAX]);
void ci_attestation_key_path(const struct keeper *k, char ret[static CI_PATH_MAX]);
void ci_attestation_certificate_path(const struct keeper *k, char ret[static CI_PATH_MAX]);

/* Makes the three. 0, or an exit status after printing why. */
int ci_authority_make(const struct keeper *k);
