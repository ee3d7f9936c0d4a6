/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What is kept of the machine's attestation: the folder "attestation" in the state directory. It belongs
 * to no user and to no store, so that no reset touches it. A file is written whole or not at all, and is
 * durable when its writing returns. Nothing in it is secret.
 */

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "tpm/attestation-key.h"

enum attestation_file {
        ATTESTATION_KEY,     /* struct tpm_attestation_key */
        ATTESTATION_REQUEST, /* the open request to a CA */
        ATTESTATION_CHAIN, /* the key's certificate, and those above it without the root, in PEM */
        _ATTESTATION_FILES,
};

#define ATTESTATION_FILE_MAX 32768

/*
 * Appends what is in the file. -ENOENT: there is none; -EMSGSIZE: it does not fit; -EPERM: others than
 * this account may have written it, or it is no file.
 */
_must_check_ int attestation_state_read(const char *state_directory, enum attestation_file file,
                                        struct buf *to);
/* Makes the folder as well. -EPERM as above. */
_must_check_ int attestation_state_write(const char *state_directory, enum attestation_file file,
                                         struct bytes what);
/* It succeeds where there is none. */
_must_check_ int attestation_state_remove(const char *state_directory, enum attestation_file file);

/* ATTESTATION_KEY as what it is. -EBADMSG: it is too large to be one; the rest is for tpm/ to say. */
_must_check_ int attestation_state_read_key(const char *state_directory,
                                            struct tpm_attestation_key *ret);
/* A tpm_save_attestation_key_fn, whose userdata is the state directory (const char *). */
_must_check_ int attestation_state_save_key(void *state_directory,
                                            const struct tpm_attestation_key *key);
