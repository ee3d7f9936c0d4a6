/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A TPM that is not there: tpm/tpm.h for tests of what is built on it, without ESYS. The part keeps
 * handles, a name per handle and the counter; a struct tpm talks to it and dies with the process.
 * Each command is a step of `fault`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/fake/fault.h"
#include "tpm/tpm.h"

#define FAKE_TPM_HANDLES 8

struct fake_tpm {
        struct fault *fault;
        uint32_t n_commands;
        uint64_t n_names; /* each thing that is made has a name of its own */
        uint32_t n_keys;  /* and so has each key */
        bool lacks_rsa;
        unsigned slow_rsa_ms; /* what making one takes */
        struct {
                uint32_t handle; /* 0: free */
                uint64_t name;
        } slots[FAKE_TPM_HANDLES];
        uint64_t counter;       /* never goes back, also not when the index is made anew */
        unsigned n_connected;   /* struct tpm that are not freed */
        const char *owner_auth; /* of the owner hierarchy; NULL: none */
        unsigned n_completed;   /* calls of tpm_complete() */
        bool lacks_pin;         /* tpm_complete() has something to make, as the owner */
        bool keeps_auth;        /* some struct tpm was given a password and has not wiped it */
};

struct tpm *fake_tpm_connect(struct fake_tpm *part);
/* True if the part holds the handles of this state and no other. */
bool fake_tpm_holds_only(const struct fake_tpm *part, const struct tpm_state *state);
