/* SPDX-License-Identifier: BSD-2-Clause */

/* The table of what refusal.h lists. */

#include "examples/site/refusal.h"

#include "examples/site/util.h"

static const struct reason {
        const char *name;
        unsigned status;
        const char *text;
} reasons[N_REFUSALS] = {
        [REFUSED_NOTHING] = { "accepted", 200, "Accepted." },

        [REFUSED_NOT_FOUND] = { "not-found", 404, "There is nothing of that name here." },
        [REFUSED_METHOD] = { "method", 405, "That cannot be done with this address." },
        [REFUSED_HOST] = { "host", 421, "This site is reached by the name localhost only." },
        [REFUSED_FOREIGN_PAGE] = { "foreign-page", 403, "A page of another origin sent this." },
        [REFUSED_MEDIA_TYPE] = { "media-type", 415, "The body has to be application/json." },
        [REFUSED_BODY_TOO_LONG] = { "body-too-long", 413, "The body is too long." },
        [REFUSED_NOT_JSON] = { "not-json", 400, "The body is no JSON object." },
        [REFUSED_FIELD_MISSING] = { "field-missing", 400, "A member is missing." },
        [REFUSED_FIELD_TYPE] = { "field-type", 400, "A member has the wrong type." },
        [REFUSED_FIELD_TOO_LONG] = { "field-too-long", 400, "A member is too long." },
        [REFUSED_FIELD_VALUE] = { "field-value", 400, "A member has a value that means nothing." },
        [REFUSED_BASE64URL] = { "base64url", 400,
                                "A member is not base64url without padding, in its one form." },
        [REFUSED_ID_TWICE] = { "id-twice", 400, "id and rawId are not the same." },
        [REFUSED_NO_SESSION] = { "no-session", 403,
                                 "There is no session: open the page first, and allow its cookie." },
        [REFUSED_NOT_SIGNED_IN] = { "not-signed-in", 403, "Sign in first." },
        [REFUSED_TOO_MANY_CHALLENGES] = { "too-many-challenges", 429,
                                          "Too many challenges are open. Wait five minutes." },
        [REFUSED_TOO_MANY_ACCOUNTS] = { "too-many-accounts", 409,
                                        "This site keeps no more accounts." },
        [REFUSED_TOO_MANY_CREDENTIALS] = { "too-many-credentials", 409,
                                           "This account has as many passkeys as it may have." },
        [REFUSED_NAME_TAKEN] = { "name-taken", 409,
                                 "That name is taken. Sign in to add a passkey to it." },
        [REFUSED_ACCOUNT_UNKNOWN] = { "account-unknown", 404, "There is no account of that name." },

        [REFUSED_CLIENT_DATA] = { "client-data", 400, "The client data cannot be read." },
        [REFUSED_CEREMONY] = { "ceremony", 403, "The answer was made in another ceremony." },
        [REFUSED_CHALLENGE_UNKNOWN] = { "challenge-unknown", 403,
                                        "This session was never given that challenge." },
        [REFUSED_CHALLENGE_USED] = { "challenge-used", 403,
                                     "That challenge was answered already: this is a replay." },
        [REFUSED_CHALLENGE_EXPIRED] = { "challenge-expired", 403,
                                        "The challenge is older than five minutes." },
        [REFUSED_ORIGIN] = { "origin", 403,
                             "The answer was made on a page of another origin: this is phishing." },
        [REFUSED_CROSS_ORIGIN] = { "cross-origin", 403,
                                   "The answer was made in a frame of a foreign page." },

        [REFUSED_AUTHENTICATOR_DATA] = { "authenticator-data", 400,
                                         "The authenticator data cannot be read." },
        [REFUSED_RP_ID_HASH] = { "rp-id-hash", 403,
                                 "The authenticator answered for another site." },
        [REFUSED_USER_PRESENCE] = { "user-presence", 403, "Nobody was there to say yes." },
        [REFUSED_USER_VERIFICATION] = { "user-verification", 403,
                                        "The person was not verified, and this was asked for." },
        [REFUSED_BACKUP_FLAGS] = { "backup-flags", 403, "The flags of backup contradict." },
        [REFUSED_NO_CREDENTIAL] = { "no-credential", 400, "There is no new credential in it." },
        [REFUSED_CREDENTIAL_ID] = { "credential-id", 400,
                                    "The id of the credential is not the one beside it." },
        [REFUSED_CREDENTIAL_KNOWN] = { "credential-known", 409,
                                       "That passkey is registered already." },
        [REFUSED_ALGORITHM] = { "algorithm", 403, "That algorithm was not offered." },
        [REFUSED_PUBLIC_KEY] = { "public-key", 400, "The public key cannot be read." },

        [REFUSED_ATTESTATION] = { "attestation", 400, "The attestation cannot be read." },
        [REFUSED_ATTESTATION_FORMAT] = { "attestation-format", 403,
                                         "This site does not know that format of attestation." },
        [REFUSED_ATTESTATION_SIGNATURE] = { "attestation-signature", 403,
                                            "The signature of the attestation is wrong." },
        [REFUSED_ATTESTATION_CERTIFICATE] = { "attestation-certificate", 403,
                                              "A certificate is none that may attest." },
        [REFUSED_ATTESTATION_TPM] = { "attestation-tpm", 403,
                                      "What the TPM certified is not this key in this ceremony." },
        [REFUSED_ATTESTATION_ROOT] = { "attestation-root", 403,
                                       "The certificates do not lead to the root of this site." },

        [REFUSED_CREDENTIAL_UNKNOWN] = { "credential-unknown", 403,
                                         "This site knows no such passkey." },
        [REFUSED_CREDENTIAL_NOT_ASKED] = { "credential-not-asked", 403,
                                           "That passkey belongs to another account." },
        [REFUSED_CREDENTIAL_MARKED] = { "credential-marked", 403,
                                        "This passkey is marked as possibly cloned." },
        [REFUSED_USER_HANDLE] = { "user-handle", 403, "The passkey names another account." },
        [REFUSED_SIGNATURE] = { "signature", 403, "The signature is wrong." },
        [REFUSED_COUNTER] = { "counter", 403,
                              "The counter did not rise: somebody may have a copy of this passkey. "
                              "It is marked, and opens nothing any more." },
};

const char *refusal_name(enum refusal r) {
        return reasons[r].name;
}

const char *refusal_text(enum refusal r) {
        return reasons[r].text;
}

unsigned refusal_status(enum refusal r) {
        return reasons[r].status;
}
