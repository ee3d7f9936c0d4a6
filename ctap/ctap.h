/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One authenticator: CTAP2 and U2F messages in, answers out. No descriptor, no thread, no clock of
 * its own; what it needs of the world comes through struct ctap_env.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"
#include "ctap/rp-rules.h"
#include "ctap/status.h"

struct ctap;

/* Who turns enterprise attestation on (CTAP 2.3 §7.1), and for whom it is then. */
enum ctap_enterprise {
        CTAP_ENTERPRISE_CLIENT, /* authenticatorConfig; a reset turns it off */
        CTAP_ENTERPRISE_OFF,    /* nobody */
        CTAP_ENTERPRISE_LISTED, /* the administrator: for RPs that the attester serves alone */
        CTAP_ENTERPRISE_ON,     /* likewise, and for those that a platform names */
        _CTAP_ENTERPRISES,
};

/* What authenticatorConfig does not change. */
enum {
        CTAP_LOCK_ENTERPRISE = 1 << 0,
        CTAP_LOCK_ALWAYS_UV = 1 << 1,
        CTAP_LOCK_MIN_PIN_LENGTH = 1 << 2, /* nor who may be told of it */
        CTAP_LOCK_PIN_COMPLEXITY = 1 << 3,
        CTAP_LOCK_ALL = 0xff,
};

/* The administrator's part is a floor: what a client sets counts where it is stricter (policy.h). */
struct ctap_options {
        uint8_t aaguid[16];
        uint32_t firmware_version;
        uint32_t max_message;     /* bytes, 1024 to CTAP_REPLY_MAX: getInfo maxMsgSize */
        uint32_t max_large_blobs; /* bytes, 1024 at least: maxSerializedLargeBlobArray; 0: none */
        bool always_uv; /* nothing without verification (CTAP 2.3 §7.2), and no client changes that */
        /* Nothing is made or used on a touch alone, whatever a client asks for: see confirm.h. */
        bool verified_presence;
        uint8_t min_pin_length; /* code points; 0: no more than the specification has it */
        bool pin_complexity;
        enum ctap_enterprise enterprise;
        bool reset_by_administrator;   /* no client resets anything */
        struct ctap_rp_rules rp_rules; /* borrowed */
        unsigned locks;                /* CTAP_LOCK_* */
        bool ctap_2_3;                 /* claims FIDO_2_3 */
};

/* No answer is longer, status byte included: it is what CTAPHID can carry (A4). */
#define CTAP_REPLY_MAX 7609

/* The options are copied, but for lists; those and the ports are borrowed and outlive the authenticator. */
_must_check_ int ctap_new(const struct ctap_env *env, const struct ctap_options *options,
                          struct ctap **ret);
struct ctap *ctap_free(struct ctap *c);

/* Power-up (CTAP 2.3 §6.6): the virtual device has just been plugged in. */
void ctap_power_up(struct ctap *c);

/* The machine slept, or is about to: whoever was verified before is not any more. */
void ctap_suspend(struct ctap *c);

/* Whether passkeys of this RP may be made and used here. */
bool ctap_rp_is_allowed(const struct ctap *c, struct bytes rp_id);

/* There is room for large blobs: for authenticatorLargeBlobs, and a credential may have a key for them. */
bool ctap_has_large_blobs(const struct ctap *c);

/* How often the right PIN was given, to whomever. */
uint32_t ctap_pins_given(const struct ctap *c);

/*
 * Wrong PINs in a row since power-up (CP4). Where one authenticator takes the place of another without a
 * power-up, it goes on from there.
 */
uint8_t ctap_pin_mismatches(const struct ctap *c);
void ctap_keep_pin_mismatches(struct ctap *c, uint8_t n);

/*
 * Runs one CTAP2 command (CTAPHID_CBOR): command byte and parameters in, status byte and CBOR out.
 * The reply has room for CTAP_REPLY_MAX. It blocks while a person is asked. There is always an
 * answer: what the machine could not do becomes CTAP1_ERR_OTHER.
 */
void ctap_request(struct ctap *c, uint32_t channel, struct bytes message, struct buf *reply);

/* Of the byte that a CTAP2 message begins with: "makeCredential" and so on; NULL: there is none. */
const char *ctap_command_name(uint8_t code);

/* Runs one U2F raw message (CTAPHID_MSG): APDU in, response APDU out. Never blocks on a person. */
void ctap_u2f(struct ctap *c, uint32_t channel, struct bytes apdu, struct buf *reply);

/*
 * When ctap_expire() has something to do, in milliseconds of the clock port; UINT64_MAX if never.
 * A U2F prompt outlives its message and is taken away when the client stops asking.
 */
uint64_t ctap_deadline(const struct ctap *c);
void ctap_expire(struct ctap *c);

/* ---- the PIN, for its owner's own tool ----------------------------------------------------- */

struct ctap_pin_info {
        bool is_set;
        bool must_change;      /* forcePINChange */
        bool is_for_enrolment; /* likewise, and it is the administrator's one-time secret */
        bool is_latched; /* three wrong ones in a row: nothing is tried until the next power-up */
        uint8_t retries; /* 0: blocked until a reset */
        uint8_t uv_retries; /* 0: it is not asked for here until it was given right elsewhere */
        uint8_t min_length; /* code points */
        bool complex;       /* a new one obeys pin-complexity.h */
};

/* PINs are UTF-8 and 63 bytes at most. The answers are those of authenticatorClientPIN (§6.5.5). */
_must_check_ enum ctap_status ctap_pin_describe(struct ctap *c, struct ctap_pin_info *ret);
_must_check_ enum ctap_status ctap_pin_set(struct ctap *c, struct bytes pin);
_must_check_ enum ctap_status ctap_pin_change(struct ctap *c, struct bytes old, struct bytes pin);
/* Is it right? As where a client asks: a wrong one costs a try, and the right one gives all back. */
_must_check_ enum ctap_status ctap_pin_try(struct ctap *c, struct bytes pin);
/*
 * The same as where it is typed for built-in verification: costs a try of that too.
 * CTAP2_ERR_UV_BLOCKED: none is left, or none was, and then nothing was compared.
 */
_must_check_ enum ctap_status ctap_uv_try(struct ctap *c, struct bytes pin);

/* ---- enrolment, for the administrator's own tool ------------------------------------------- */

/*
 * ctap_pin_set() of a one-time secret: a PIN that has to be changed before anybody can be verified by
 * it (forcePINChange), but for ctap_enrolment_verify().
 */
_must_check_ enum ctap_status ctap_pin_set_for_enrolment(struct ctap *c, struct bytes pin);

/* A pinUvAuthParam, to be wiped. */
struct ctap_enrolment_param {
        uint8_t b[32];
};

/*
 * Verifies by that secret, as long as nobody has changed it: gives the pinUvAuthParam, of protocol two,
 * for one makeCredential of this site with this client data hash, which takes no question then.
 * CTAP2_ERR_NOT_ALLOWED: there is no such secret (any more). Else as ctap_pin_try(), tries included.
 */
_must_check_ enum ctap_status ctap_enrolment_verify(struct ctap *c, struct bytes secret,
                                                    struct bytes rp_id,
                                                    const struct sha256 *client_data_hash,
                                                    struct ctap_enrolment_param *ret);
void ctap_enrolment_param_wipe(struct ctap_enrolment_param *p);

/*
 * ctap_request() of a makeCredential that the administrator gives the yes to: nobody is asked, and
 * nobody can be verified but as above. Ends any token.
 */
void ctap_enrol(struct ctap *c, struct bytes message, struct buf *reply);
