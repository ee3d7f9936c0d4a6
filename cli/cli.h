/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What every command of tpmauthn gets: the options that stand before or behind its name. */

#include <stdbool.h>

enum exit_status {
        EXIT_OK = 0,
        EXIT_FAILED = 1, /* the daemon refused, or a check of doctor failed */
        EXIT_USAGE = 2,
        EXIT_UNREACHABLE = 3, /* no daemon answers */
        EXIT_NOT_FOUND = 4,   /* no such passkey, or several */
        EXIT_NOT_READY = 5,   /* the device has failed or is starting */
};

struct options {
        const char *socket;
        int device;
        bool has_device; /* --device */
        bool has_user;   /* --user */
        unsigned user;
        bool json;
        bool yes;            /* no question before something is erased */
        bool webauthn;       /* --webauthn, of list */
        bool secrets;        /* --secrets, of a trace */
        bool machine_id;     /* --machine-id, of attestation request */
        const char *machine; /* --machine, likewise; or NULL */
        /* Of an administrator who enrols users; NULL or false where they are left out. */
        const char *secret_file; /* --secret-file */
        bool from_credential;    /* --from-credential */
        const char *origin;      /* --origin */
};

/* Each command: its operands, checked for number and ended by NULL, follow. */
int cmd_status(const struct options *o, char **operands);
int cmd_list(const struct options *o, char **operands);
int cmd_events(const struct options *o, char **operands);
int cmd_inventory(const struct options *o, char **operands);
int cmd_report(const struct options *o, char **operands);
int cmd_show(const struct options *o, char **operands);
int cmd_delete(const struct options *o, char **operands);
int cmd_reset(const struct options *o, char **operands);
int cmd_backup(const struct options *o, char **operands);
int cmd_restore(const struct options *o, char **operands);
int cmd_retire(const struct options *o, char **operands);
int cmd_config(const struct options *o, char **operands);
int cmd_replug(const struct options *o, char **operands);
int cmd_presence(const struct options *o, char **operands);
int cmd_pin(const struct options *o, char **operands);
int cmd_tpm(const struct options *o, char **operands);
int cmd_owner_password(const struct options *o, char **operands);
int cmd_provision(const struct options *o, char **operands);
int cmd_attestation(const struct options *o, char **operands);
int cmd_trace(const struct options *o, char **operands);
int cmd_ci(const struct options *o, char **operands);
int cmd_doctor(const struct options *o, char **operands);
int cmd_follow(const struct options *o, char **operands);
int cmd_uv(const struct options *o, char **operands);
int cmd_fail_next(const struct options *o, char **operands);
int cmd_seed(const struct options *o, char **operands);
