/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The daemon's configuration: INI files, later ones over earlier ones, then the command line. Every
 * key has a default; a key that does not exist or a value that makes no sense is an error that names
 * file, line and the nearest known key, and all errors are named in one run.
 *
 * What [policy] locked names is settled by the file that names it: a later one that says something else
 * is an error, and so is a file that says two things itself.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "authenticator/audit-event.h"
#include "authenticator/presence.h"
#include "ctap/ctap.h"
#include "ctap/macro.h"
#include "tpm/tpm.h"

#define CONFIG_DEVICES_MAX 16

struct config_range {
        uint32_t first, last; /* inclusive */
};

/* Where something was said. */
struct config_origin {
        const char *path; /* borrowed of struct config; NULL: nowhere, it is the default */
        unsigned line;    /* 0: it has none, as on the command line */
};

/* Words that add up: each line of a file adds to them, and an empty one takes all away. */
struct config_list {
        char *text; /* with one blank between two words; or "" */
        size_t n;
        struct config_origin *from; /* of each word */
};

/* [policy] remote: what becomes of who is logged in from another machine alone. */
enum config_remote {
        CONFIG_REMOTE_QUIET, /* a device that refuses whatever takes a yes */
        CONFIG_REMOTE_DENY,  /* none */
        _CONFIG_REMOTES,
};

struct config {
        char *state_directory;
        char *runtime_directory;
        int log_level;
        bool sandbox;

        char *device; /* "uhid", "uhid:PATH" or "socket:PATH" */
        unsigned count;
        bool per_seat; /* [device] access */
        char *name;

        char *tpm; /* a TCTI string, or "swtpm" */
        struct config_range nv;
        struct config_range persistent;
        bool persist_srk;
        enum tpm_sessions sessions;

        bool always_uv;
        uint8_t min_pin_length;
        bool pin_complexity;
        struct config_list rp_allow; /* of ctap/rp-rules.h, like the next */
        struct config_list rp_deny;
        enum ctap_enterprise enterprise;
        bool reset_by_administrator;
        enum config_remote remote;
        struct config_list locked;
        bool ctap_2_3;
        uint32_t large_blobs; /* bytes; 0: none are kept */

        char *attestation_key; /* or empty, like the next two */
        char *attestation_certificates;
        char *attestation_rp_ids; /* separated by blanks */
        char *attestation_root;   /* or empty */
        bool attestation_persistent;

        enum presence_mode presence;
        uint64_t presence_timeout_ms;
        bool presence_verify;
        bool presence_verified; /* require = verify */
        bool presence_fingerprint;
        char *presence_pin_file; /* or "" */

        uint32_t max_credentials;

        enum audit_level audit_level;
        enum audit_rp_ids audit_rp_ids;
        char *audit_socket; /* or "" */

        /* Of config.c: where each key was last set, and the names of the files. */
        struct config_origin *origins;
        struct config_path *paths;
};

struct config_path;

/* Everything at its default. 0 or -ENOMEM. */
_must_check_ int config_init(struct config *c);
void config_done(struct config *c);

/* Where files are looked for; a member may be NULL. */
struct config_places {
        const char *vendor;  /* folder of *.conf */
        const char *runtime; /* folder of *.conf */
        const char *file;    /* the main file; drop-ins in the folder FILE.d */
        bool file_required;
};

extern const struct config_places config_system_places;

/*
 * Reads them in systemd's order: vendor, runtime, file, file's drop-ins, each folder sorted by name.
 * -EINVAL, or why a file could not be read; what is wrong is written to `errors`.
 */
_must_check_ int config_read(struct config *c, const struct config_places *places, FILE *errors);
/* One "section.key=value" of the command line. */
_must_check_ int config_set(struct config *c, const char *assignment, FILE *errors);
/* What only makes sense together. After the last config_set(). */
_must_check_ int config_check(const struct config *c, FILE *errors);

/* CTAP_LOCK_*: what [policy] locked keeps clients from. */
unsigned config_locks(const struct config *c);

/* As a file that config_read() takes, with each key's help, and that it is locked, as comments. */
void config_print(const struct config *c, FILE *to);
