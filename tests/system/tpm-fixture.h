/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A struct tpm on a private swtpm, seen through the watching TCTI (tcti-watch.c). */

#include <tss2/tss2_esys.h>

#include "tests/system/swtpm.h"
#include "tests/unit/test.h"
#include "tpm/tpm.h"

struct fixture {
        struct swtpm swtpm;
        enum tpm_sessions sessions; /* for the next fixture_reopen() */
        bool without_slot;          /* likewise: no handle for P2 is free */
        char watch_dir[80];
        char tcti[512]; /* through the watching TCTI */
        struct tpm *tpm;
        struct tpm_state state; /* as it was saved last */
        unsigned n_saves;
        unsigned fail_save; /* the n-th save from now fails with -EIO; 0: none does */
        char last_message[512];
};

/* For cmocka: one swtpm, with nothing in it, to a test. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* The same, provisioned and unlocked. */
int fixture_setup_ready(void **state);

/* The same with 1234 as PIN. */
int fixture_setup_pin(void **state);

/*
 * Of a provisioned state without a PIN: as if a trial had found no PIN_FAIL. Restarted. The TPM is
 * in no hurry to go into lockout.
 */
void fixture_make_ordinary(struct fixture *f);

/* A new struct tpm in place of the old, as after a restart of the daemon. */
void fixture_reopen(struct fixture *f);
struct tpm_options fixture_options(struct fixture *f);
int fixture_save(void *userdata, const struct tpm_state *state);
int fixture_provision(struct fixture *f);
int fixture_unlock(struct fixture *f);
/* fixture_reopen(), unlocked and completed. */
void fixture_restart(struct fixture *f);

/* Replaces the plan of the watching TCTI; NULL: none. */
void watch_plan(struct fixture *f, const char *format, ...) _printf_(2, 3);
void watch_no_plan(struct fixture *f);
/* The commands since the last call, with a space between them; into a buffer of the caller. */
void watch_log(struct fixture *f, char *ret, size_t room);
/* How many there were. */
unsigned watch_count(struct fixture *f);
/* How many such a log has. */
unsigned n_commands(const char *log);
/* How many users are told that a ceremony costs; fails the test if they are told nothing of it. */
unsigned budget_of(const char *ceremony);

/* Begins to listen on the line; tells if something went over it since. */
void watch_listen(struct fixture *f);
bool watch_heard(struct fixture *f, struct bytes what);

/* A key that is made, used and verified. */
struct credential {
        struct ctap_key_blob blob;
        struct ctap_public_key public;
};

int credential_make_of(struct fixture *f, enum ctap_key_type type, enum ctap_key_class class,
                       struct credential *ret);
/* Of class A. */
int credential_make(struct fixture *f, enum ctap_key_type type, struct credential *ret);
/* Load, Sign, Flush; fails the test if the signature does not verify. */
int credential_use(struct fixture *f, const struct credential *c);
int credential_use_by(struct fixture *f, const struct credential *c,
                      const struct ctap_ticket *ticket);

/* The PIN of the keys port, as text; NULL: none. Verdicts as negative errno or the verdict. */
struct ctap_pin_hash pin_hash(const char *pin);
int pin_change(struct fixture *f, const char *old, const char *new);
/* A ticket for an hour; NULL: not wanted. */
int pin_verify(struct fixture *f, const char *pin, struct ctap_ticket *ret);
/* Fails the test if it cannot be told. */
unsigned pin_retries(struct fixture *f);
bool signature_verifies(const struct ctap_public_key *public, struct bytes digest,
                        const struct ctap_signature *signature);

/* hmac-secret of the keys port, for two salts. */
int secret_make(struct fixture *f, enum ctap_key_class class, struct ctap_secret_blob *ret);
int secret_use(struct fixture *f, const struct ctap_secret_blob *blob,
               const struct ctap_ticket *ticket, struct secret64 *ret);

/* What is in the TPM is exactly what the state names, and maybe an SRK; nothing is loaded. */
void assert_nothing_else(struct fixture *f);
/* The same of NV indexes and persistent handles alone. */
void assert_nothing_else_is_kept(struct fixture *f);
/* Nothing is in the TPM, but maybe an SRK. */
void assert_empty(struct fixture *f);

/*
 * An ESYS context of the test's own, beside the one under test: somebody else with access to the
 * TPM.
 */
struct raw {
        TSS2_TCTI_CONTEXT *tcti;
        ESYS_CONTEXT *esys;
};

struct raw raw_open(struct fixture *f);
void raw_close(struct raw *r);
ESYS_TR raw_find(const struct raw *r, TPM2_HANDLE handle);
/* How many failures the TPM takes before it goes into lockout. */
void raw_set_max_tries(struct fixture *f, uint32_t n);
/* Takes away what is at a persistent handle. */
void raw_evict(struct fixture *f, TPM2_HANDLE handle);
/* Makes a primary key in the owner hierarchy and leaves it at a persistent handle. */
void raw_put_primary(struct fixture *f, const TPMT_PUBLIC *template, TPM2_HANDLE handle);
