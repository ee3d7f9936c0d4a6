/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The TPM 2.0 behind an authenticator: the only header of tpm/ that others see.
 *
 *   SRK ── P1 gate (policy: the anchor) ── P2 worker (persistent) ── credential keys, store key
 *
 * A struct tpm is one ESYS context; one thread uses it. Nothing is sent before it is needed, and
 * while idle the connection is closed. What it has made is described by a struct tpm_state, which
 * its owner keeps and which holds no secret: everything in it is wrapped by the TPM.
 *
 * Functions return 0 or a negative errno and log the TPM command and the decoded code once:
 *   -ENODEV        there is no TPM at that TCTI, or it stopped answering
 *   -EACCES        the device may not be opened, or owner authorisation is set and was not given
 *   -ESTALE        this TPM is not the one the state was made in: cleared, replaced, or reset since
 *   -EKEYREJECTED  a wrapped key that this TPM did not make, or that was changed
 *   -EDQUOT        the TPM is locked out by its dictionary attack protection
 *   -ENOSPC        no NV space, or no persistent slot
 *   -EBUSY         the TPM asked to retry for longer than a client would wait
 *   -ENOTSUP       the TPM lacks something that is needed; the log says what
 *   -EIO           anything else the TPM refused
 *   -EBADMSG       the state is damaged, or was written by another version
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/env.h"

struct tpm;

/*
 * What protects what travels between here and the TPM: on the bus of a discrete TPM anybody with a
 * probe can read along; a TPM in firmware has no bus.
 */
enum tpm_sessions {
        TPM_SESSIONS_AUTO,     /* by the manufacturer: password for TPMs in firmware, else salted */
        TPM_SESSIONS_SALTED,   /* neither the PIN, nor a hash of it, nor hmac-secret's output */
        TPM_SESSIONS_PASSWORD, /* one command less for each ceremony with a PIN or hmac-secret */
        _TPM_SESSIONS,
};

/* priority is one of syslog.h; the message is one line without a newline and without any secret. */
typedef void tpm_log_fn(void *userdata, int priority, const char *message);

struct tpm_options {
        /* A TCTI string for Tss2_TctiLdr_Initialize; NULL: speak raw TPM commands on `fd`. */
        const char *tcti;
        int fd; /* a connected stream socket of a simulator; owned by the caller */
        /* Ranges (inclusive) that handles are taken from when provisioning. */
        uint32_t nv_first, nv_last;                 /* default 0x01800200..0x018002ff */
        uint32_t persistent_first, persistent_last; /* default 0x81018000..0x810180ff */
        bool persist_srk; /* put an SRK that had to be made at 0x81000001 */
        enum tpm_sessions sessions;
        tpm_log_fn *log;
        void *userdata;
};

#define TPM_OPTIONS_DEFAULT                                    \
        ((struct tpm_options){ .fd = -1,                       \
                               .nv_first = 0x01800200,         \
                               .nv_last = 0x018002ff,          \
                               .persistent_first = 0x81018000, \
                               .persistent_last = 0x810180ff })

/* ---- what is kept between runs ------------------------------------------------------------ */

enum tpm_phase {
        TPM_PHASE_NONE = 0,         /* nothing is in the TPM */
        TPM_PHASE_PROVISIONING = 1, /* handles are chosen; any of them may be in use */
        TPM_PHASE_READY = 2,
        TPM_PHASE_ERASING = 3, /* a reset began: nothing made before may work again */
};

#define TPM_STATE_MAX 8192

/* Opaque but for the phase; written field by field, versioned (tpm/state.c). */
struct tpm_state {
        enum tpm_phase phase;
        uint16_t len;
        uint8_t data[TPM_STATE_MAX];
};

/* Makes a state durable before it returns. A negative errno ends what was going on. */
typedef int tpm_save_fn(void *userdata, const struct tpm_state *state);

/* ---- life --------------------------------------------------------------------------------- */

/*
 * True if there can be nothing but a simulator behind this TCTI: swtpm or mssim, also where another one
 * wraps it.
 */
bool tpm_tcti_is_simulator(const char *tcti);
/* Sends nothing. The strings are copied. */
_must_check_ int tpm_new(const struct tpm_options *options, struct tpm **ret);
/* Flushes what is loaded, wipes secrets, closes. NULL is fine. Returns NULL. */
struct tpm *tpm_free(struct tpm *t);

/*
 * Brings the state to READY from NONE, from a PROVISIONING that was cut short (which it first
 * undoes) or from an ERASING that was (which it first completes), and unlocks. A counter that
 * exists is kept.
 */
_must_check_ int tpm_provision(struct tpm *t, struct tpm_state *state, tpm_save_fn *save,
                               void *userdata);
/*
 * Makes a READY state usable: P2's authorisation, the store key. At most 11 TPM commands if the
 * SRK is persistent. -EINVAL: the state is not READY; it wants tpm_provision().
 */
_must_check_ int tpm_unlock(struct tpm *t, const struct tpm_state *state);
/*
 * After tpm_unlock(): makes the PIN index of a state that has none, and asks the TPM what the state
 * does not say of it. Both is what a crash at the end of provisioning or an older version leaves. No
 * command if there is nothing to do. `save` is kept until the state is forgotten: what changes in it
 * later is saved by it too. Part of tpm_provision().
 */
_must_check_ int tpm_complete(struct tpm *t, struct tpm_state *state, tpm_save_fn *save,
                              void *userdata);
/*
 * The owner hierarchy's password, for tpm_provision(), tpm_erase() and tpm_remove(). Copied; wiped
 * when one of them succeeds, or by an empty one. -EMSGSIZE: longer than 64 bytes.
 */
_must_check_ int tpm_set_owner_auth(struct tpm *t, struct bytes auth);
/*
 * CTAP reset: saves ERASING, then makes every key under this state unusable for good, then drops
 * what is in memory. 3 TPM commands. The counter stays. Afterwards tpm_provision() begins anew. Can
 * be repeated after a failure or a crash. -EACCES: the owner hierarchy has another password; nothing
 * has changed.
 */
_must_check_ int tpm_erase(struct tpm *t, struct tpm_state *state, tpm_save_fn *save,
                           void *userdata);
/* Removes everything the state names from the TPM, the counter too; the state becomes NONE. */
_must_check_ int tpm_remove(struct tpm *t, struct tpm_state *state, tpm_save_fn *save,
                            void *userdata);

/* ---- use, after tpm_unlock() -------------------------------------------------------------- */

/* The keys port; lives as long as t. */
struct ctap_keys *tpm_keys(struct tpm *t);
/*
 * An RSA key takes a TPM from one second to nine. So one of class A can be made ahead, and kept by
 * somebody who gives it to one credential only: create() asks for it first. -ENOENT: there is none,
 * and the TPM makes one.
 */
typedef int tpm_spare_fn(void *userdata, struct ctap_key_blob *ret);
/* NULL: nobody keeps any. */
void tpm_take_spares_from(struct tpm *t, tpm_spare_fn *take, void *userdata);
/* -ENOTSUP: this TPM makes none. */
_must_check_ int tpm_make_spare(struct tpm *t, struct ctap_key_blob *ret);
/* The unsealed store key; NULL before tpm_unlock(). */
const struct secret32 *tpm_store_key(const struct tpm *t);
/* The monotonic counter that signature counters are leased against: one command each. */
_must_check_ int tpm_counter_read(struct tpm *t, uint64_t *ret);
_must_check_ int tpm_counter_advance(struct tpm *t, uint64_t *ret);

/*
 * Sends what could wait until the answer was out: FlushContext of unloaded keys and of sessions;
 * reading how many tries the PIN has if that is unknown, and how often the TPM was restarted after a
 * ticket was given.
 */
void tpm_settle(struct tpm *t);
/* Closes the connection; the next use opens it again. Leaves nothing in the TPM either. */
void tpm_idle(struct tpm *t);
/* TPM2_Shutdown(CLEAR) and close: a simulator that is about to be switched off. */
void tpm_shutdown(struct tpm *t);

/* ---- what it is --------------------------------------------------------------------------- */

struct tpm_info {
        uint32_t manufacturer_id; /* TPM_PT_MANUFACTURER */
        char manufacturer[5];     /* the same as text, such as "IBM " or "INTC" */
        char vendor[17];          /* TPM_PT_VENDOR_STRING_1..4 */
        uint32_t firmware_major, firmware_minor;
        uint32_t revision; /* TPM_PT_REVISION, 138 for 1.38 */
        bool is_simulator; /* "SW  " of swtpm, or the Microsoft simulator */
        bool in_lockout;
        bool has_p384;
        bool owner_auth_set;
        bool srk_present; /* at 0x81000001 */
};

/* Asks the TPM. A few commands: for status and doctor, and once when provisioning. */
_must_check_ int tpm_describe(struct tpm *t, struct tpm_info *ret);
/* What counts the tries of the PIN. Decided by a trial when provisioning. */
enum tpm_pin_kind {
        TPM_PIN_NONE,     /* nothing yet */
        TPM_PIN_FAIL,     /* the TPM: an index of type PIN_FAIL */
        TPM_PIN_ORDINARY, /* this daemon, with the TPM's dictionary attack protection behind it */
};

/* What computes hmac-secret. Likewise. */
enum tpm_hmac_kind {
        TPM_HMAC_NONE,
        TPM_HMAC_COMMAND, /* TPM2_HMAC */
        TPM_HMAC_SIGN,    /* TPM2_Sign with an HMAC key */
        TPM_HMAC_UNSEAL,  /* the key is unsealed for each use, and wiped */
};

/* What was provisioned where. Handles are zero where there is none. */
struct tpm_facts {
        uint32_t anchor, counter, pin;
        uint32_t tries; /* the counter of tries; TPM_PIN_ORDINARY only */
        uint32_t
                worker; /* P2; zero too if it is loaded for each use: no persistent slot was free */
        enum tpm_pin_kind pin_kind;
        enum tpm_hmac_kind hmac_kind;
        bool is_firmware;    /* the manufacturer makes TPMs in firmware */
        bool srk_persistent; /* else it is made anew when it is needed */
        bool has_p384;
        bool has_rsa2048;
};

/* Of a state; asks no TPM. All zero if the state cannot be read. */
void tpm_state_facts(const struct tpm_state *state, struct tpm_facts *ret);
/* True if PINs and hmac-secret go through salted sessions, by the options and the state. */
bool tpm_sessions_are_salted(const struct tpm *t);

/* How many TPM commands a ceremony may take at most: asserted by the tests, shown by the tool. */
struct tpm_budget {
        const char *ceremony;
        unsigned commands;
};

const struct tpm_budget *tpm_budgets(size_t *ret_n);
