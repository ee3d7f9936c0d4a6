/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Why the site says no. Each reason has a name for programs, a sentence for people, and a status of
 * HTTP. That the machine failed is none of them: it is a negative errno, and the answer to it is 500.
 */

enum refusal {
        REFUSED_NOTHING,

        /* The request. */
        REFUSED_NOT_FOUND,
        REFUSED_METHOD,
        REFUSED_HOST,
        REFUSED_FOREIGN_PAGE,
        REFUSED_MEDIA_TYPE,
        REFUSED_BODY_TOO_LONG,
        REFUSED_NOT_JSON,
        REFUSED_FIELD_MISSING,
        REFUSED_FIELD_TYPE,
        REFUSED_FIELD_TOO_LONG,
        REFUSED_FIELD_VALUE,
        REFUSED_BASE64URL,
        REFUSED_ID_TWICE,
        REFUSED_NO_SESSION,
        REFUSED_NOT_SIGNED_IN,
        REFUSED_TOO_MANY_CHALLENGES,
        REFUSED_TOO_MANY_ACCOUNTS,
        REFUSED_TOO_MANY_CREDENTIALS,
        REFUSED_NAME_TAKEN,
        REFUSED_ACCOUNT_UNKNOWN,

        /* Client data. */
        REFUSED_CLIENT_DATA,
        REFUSED_CEREMONY,
        REFUSED_CHALLENGE_UNKNOWN,
        REFUSED_CHALLENGE_USED,
        REFUSED_CHALLENGE_EXPIRED,
        REFUSED_ORIGIN,
        REFUSED_CROSS_ORIGIN,

        /* Authenticator data. */
        REFUSED_AUTHENTICATOR_DATA,
        REFUSED_RP_ID_HASH,
        REFUSED_USER_PRESENCE,
        REFUSED_USER_VERIFICATION,
        REFUSED_BACKUP_FLAGS,
        REFUSED_NO_CREDENTIAL,
        REFUSED_CREDENTIAL_ID,
        REFUSED_CREDENTIAL_KNOWN,
        REFUSED_ALGORITHM,
        REFUSED_PUBLIC_KEY,

        /* Attestation. */
        REFUSED_ATTESTATION,
        REFUSED_ATTESTATION_FORMAT,
        REFUSED_ATTESTATION_SIGNATURE,
        REFUSED_ATTESTATION_CERTIFICATE,
        REFUSED_ATTESTATION_TPM,
        REFUSED_ATTESTATION_ROOT,

        /* Signing in. */
        REFUSED_CREDENTIAL_UNKNOWN,
        REFUSED_CREDENTIAL_NOT_ASKED,
        REFUSED_CREDENTIAL_MARKED,
        REFUSED_USER_HANDLE,
        REFUSED_SIGNATURE,
        REFUSED_COUNTER,

        N_REFUSALS,
};

const char *refusal_name(enum refusal r);
const char *refusal_text(enum refusal r);
unsigned refusal_status(enum refusal r);
