/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What an administrator may want to know of: docs/audit.md is the list for people. An event is made of
 * enumerations, numbers and hashes, so that no account, no PIN and no message of a client can get into
 * one. The only text is the RP ID, which is left out or hashed unless the configuration wants it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

enum audit_what {
        AUDIT_CREATED,   /* a passkey was made: credential, rp_id, up, uv */
        AUDIT_USED,      /* one was used: the same */
        AUDIT_REFUSED,   /* a person said no, nothing, or their client gave up: op, status, rp_id */
        AUDIT_FAILED,    /* what a client asked for failed: op, status, rp_id */
        AUDIT_PIN_WRONG, /* number: tries that are left */
        AUDIT_PIN_BLOCKED, /* that was the last */
        AUDIT_PIN_SET,
        AUDIT_PIN_CHANGED,
        AUDIT_RESET,
        AUDIT_DELETED,     /* credential */
        AUDIT_RESTORED,    /* number: passkeys that a backup brought back */
        AUDIT_REGISTERED,  /* one was made for a user by an administrator: credential, rp_id, uv */
        AUDIT_PROVISIONED, /* the keys of a device were made with the TPM owner's password */
        AUDIT_POLICY_REFUSED,        /* the configuration forbids it: op, status, rp_id */
        AUDIT_CONFIG_CHANGED,        /* by authenticatorConfig; number: its subcommand */
        AUDIT_ATTESTATION_REQUESTED, /* key: of the attestation key's public area */
        AUDIT_ATTESTATION_INSTALLED, /* key: likewise */
        AUDIT_ATTESTATION_REJECTED,  /* an answer that is not for this machine, or not good */
        AUDIT_ATTESTATION_REMOVED,
        AUDIT_PLUGGED,       /* a device is there */
        AUDIT_DEVICE_FAILED, /* it cannot be: error */
        AUDIT_TPM_FAILED,
        AUDIT_TPM_RECOVERED,
        AUDIT_TPM_REPLACED, /* another TPM than that of the store, or the same after it was cleared */
        _AUDIT_EVENTS,
};

/* What was asked for. */
enum audit_op {
        AUDIT_OP_NONE,
        AUDIT_OP_CREATE,
        AUDIT_OP_USE,
        AUDIT_OP_PIN,
        AUDIT_OP_MANAGE, /* passkeys, settings, large blobs */
        AUDIT_OP_RESET,
        AUDIT_OP_ATTEST,
        _AUDIT_OPS,
};

/* As a client sent it, cut to what a site may have. */
struct audit_rp_id {
        uint8_t len; /* 0: there is none */
        uint8_t text[255];
};

/* Only `what` has to be there. */
struct audit_event {
        enum audit_what what;
        enum audit_op op;
        uint8_t status; /* of ctap/status.h; 0: it was done */
        int error;      /* negative errno of what failed without one, or 0 */
        bool has_credential, has_key, has_flags, has_number, has_user, has_caller;
        bool up, uv; /* flags */
        struct ctap_credential_id credential;
        struct sha256 key; /* a hash of a public key */
        struct audit_rp_id rp_id;
        uint32_t number;
        uid_t user;     /* whose device */
        uid_t caller;   /* who asked for it on the control socket */
        unsigned index; /* with user: of the device */
};

void audit_set_rp_id(struct audit_event *e, struct bytes rp_id);
void audit_set_credential(struct audit_event *e, const struct ctap_credential_id *id);

/* How much is written. Successful uses tell when somebody signed in: only ALL has them. */
enum audit_level {
        AUDIT_LEVEL_OFF,
        AUDIT_LEVEL_NOTABLE,
        AUDIT_LEVEL_ALL,
        _AUDIT_LEVELS,
};

/* How a site appears. */
enum audit_rp_ids {
        AUDIT_RP_IDS_OFF,
        AUDIT_RP_IDS_HASHED, /* SHA-256, as in authenticator data */
        AUDIT_RP_IDS_FULL,
        _AUDIT_RP_IDS,
};

/* "off" and so on; -EINVAL for anything else. */
_must_check_ int audit_level_from_string(const char *s, enum audit_level *ret);
const char *audit_level_to_string(enum audit_level level);
_must_check_ int audit_rp_ids_from_string(const char *s, enum audit_rp_ids *ret);
const char *audit_rp_ids_to_string(enum audit_rp_ids rp_ids);

bool audit_is_wanted(enum audit_what what, enum audit_level level);
int audit_priority(enum audit_what what); /* of syslog.h */

/*
 * As journald takes it (its native protocol): lines NAME=value, of which none has a line break within
 * the value. `session` is logind's id or NULL; `lost` events could not be written before this one.
 */
struct audit_format {
        enum audit_rp_ids rp_ids;
        const char *session;
        uint64_t lost;
        int64_t time_us; /* since the epoch */
};

#define AUDIT_TEXT_MAX 2048

void audit_format(const struct audit_event *e, const struct audit_format *how, struct buf *out);

/* From the worker's thread to the loop's. */
#define AUDIT_MESSAGE_MAX 512
void audit_event_put(const struct audit_event *e, struct buf *out);
/* 0 or -EBADMSG. */
_must_check_ int audit_event_read(struct bytes in, struct audit_event *ret);
