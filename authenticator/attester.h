/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The attester port (ctap/env.h) on files: an organisation's P-256 key and its certificates, in PEM,
 * the key's own certificate first. They are checked as a whole when they are read: what a site's
 * server would refuse (WebAuthn §8.2.1) is told here, in a sentence, rather than there. Unlike the
 * keys of credentials this one lies in the memory of the process.
 */

#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/env.h"
#include "ctap/macro.h"

#define ATTESTER_CERTIFICATES_MAX 4

struct attester_options {
        const char *key;          /* a path */
        const char *certificates; /* likewise */
        const char *rp_ids;       /* those that are served; separated by blanks */
};

struct attester;

/*
 * `aaguid` is what a certificate that names one must name; NULL: any. The options may go afterwards.
 * -errno, and then the sentence in `reason`.
 */
_must_check_ int attester_open(const struct attester_options *options, const uint8_t aaguid[16],
                               struct buf *reason, struct attester **ret);
/* NULL is fine. Returns NULL. */
struct attester *attester_close(struct attester *a);

/* True if it is one of those, which are separated by blanks. */
bool attester_names(const char *rp_ids, struct bytes rp_id);

/* NULL for NULL. */
struct ctap_attester *attester_port(struct attester *a);
