/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A struct tpm on a private swtpm, seen through the watching TCTI (tcti-watch.c). */

#include "tests/system/swtpm.h"
#include "tests/unit/test.h"
#include "tpm/tpm.h"

struct fixture {
        struct swtpm swtpm;
        char watch_dir[80];
        char tcti[512]; /* through the watching TCTI */
        struct tpm *tpm;
        struct tpm_state state; /* as it was saved last */
        unsigned n_saves;
        int save_error; /* what the next save gives, once */
        char last_message[512];
};

/* For cmocka: one swtpm, with nothing in it, to a test. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* The same, provisioned and unlocked. */
int fixture_setup_ready(void **state);

/* A new struct tpm in place of the old, as after a restart of the daemon. */
void fixture_reopen(struct fixture *f);
struct tpm_options fixture_options(struct fixture *f);
int fixture_save(void *userdata, const struct tpm_state *state);
int fixture_provision(struct fixture *f);
int fixture_unlock(struct fixture *f);

/* Replaces the plan of the watching TCTI; NULL: none. */
void watch_plan(struct fixture *f, const char *format, ...) _printf_(2, 3);
void watch_no_plan(struct fixture *f);
/* The commands since the last call, with a space between them; into a buffer of the caller. */
void watch_log(struct fixture *f, char *ret, size_t room);
/* How many there were. */
unsigned watch_count(struct fixture *f);

/* A key that is made, used and verified. */
struct credential {
        struct ctap_key_blob blob;
        struct ctap_public_key public;
};

int credential_make(struct fixture *f, enum ctap_key_type type, struct credential *ret);
/* Load, Sign, Flush; fails the test if the signature does not verify. */
int credential_use(struct fixture *f, const struct credential *c);
bool signature_verifies(const struct ctap_public_key *public, struct bytes digest,
                        const struct ctap_signature *signature);

/* What is in the TPM is exactly what the state names, and maybe an SRK; nothing is loaded. */
void assert_nothing_else(struct fixture *f);
/* The same of NV indexes and persistent handles alone. */
void assert_nothing_else_is_kept(struct fixture *f);
/* Nothing is in the TPM, but maybe an SRK. */
void assert_empty(struct fixture *f);
