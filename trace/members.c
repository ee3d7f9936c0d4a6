/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * CTAP 2.3 §6 and §12 as tables, from the inside to the outside. Commands that this authenticator does
 * not have stand here too: what a client sends is in a trace, whatever becomes of it.
 */

#include "trace/members.h"

#include <string.h>

#include "ctap/macro.h"

#define SHAPE(members) \
        { ELEMENTSOF(members), members }

/* ---- keys ---- */

static const struct trace_word algorithms[] = {
        { -7, "ES256" },
        { -8, "EdDSA" },
        { -9, "ESP256" },
        { -19, "Ed25519" },
        { -25, "ECDH-ES+HKDF-256" },
        { -35, "ES384" },
        { -36, "ES512" },
        { -37, "PS256" },
        { -47, "ES256K" },
        { -51, "ESP384" },
        { -257, "RS256" },
        { -65535, "RS1" },
        { 0, NULL },
};
static const struct trace_word key_types[] = {
        { 1, "OKP" },
        { 2, "EC2" },
        { 3, "RSA" },
        { 0, NULL },
};

/* The numbers below 0 mean something else in each key type; these are of EC2. */
static const struct trace_member cose_key[] = {
        { NULL, 1, "kty", CBOR_KIND_INT, TRACE_PLAIN, NULL, key_types },
        { NULL, 3, "alg", CBOR_KIND_INT, TRACE_PLAIN, NULL, algorithms },
        { NULL, -1, "crv", CBOR_KIND_ANY, TRACE_PLAIN, NULL, NULL },
        { NULL, -2, "x", CBOR_KIND_ANY, TRACE_PLAIN, NULL, NULL },
        { NULL, -3, "y", CBOR_KIND_ANY, TRACE_PLAIN, NULL, NULL },
};
const struct trace_shape trace_cose_key = SHAPE(cose_key);

static const struct trace_member parameter[] = {
        { "alg", 0, NULL, CBOR_KIND_INT, TRACE_PLAIN, NULL, algorithms },
        { "type", 0, NULL, CBOR_KIND_TEXT, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape parameter_shape = SHAPE(parameter);

static const struct trace_member attestation[] = {
        { "alg", 0, NULL, CBOR_KIND_INT, TRACE_PLAIN, NULL, algorithms },
        { "sig", 0, NULL, CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { "x5c", 0, NULL, CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { "ver", 0, NULL, CBOR_KIND_TEXT, TRACE_PLAIN, NULL, NULL },
        { "certInfo", 0, NULL, CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { "pubArea", 0, NULL, CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape attestation_shape = SHAPE(attestation);

/* ---- extensions ---- */

static const struct trace_word protect_levels[] = {
        { 1, "userVerificationOptional" },
        { 2, "userVerificationOptionalWithCredentialIDList" },
        { 3, "userVerificationRequired" },
        { 0, NULL },
};

static const struct trace_member salts[] = {
        { NULL, 1, "keyAgreement", CBOR_KIND_MAP, TRACE_PLAIN, &trace_cose_key, NULL },
        { NULL, 2, "saltEnc", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 3, "saltAuth", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 4, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape salts_shape = SHAPE(salts);

static const struct trace_member mc_inputs[] = {
        { "credBlob", 0, NULL, CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { "credProtect", 0, NULL, CBOR_KIND_INT, TRACE_PLAIN, NULL, protect_levels },
        { "hmac-secret", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "hmac-secret-mc", 0, NULL, CBOR_KIND_MAP, TRACE_PLAIN, &salts_shape, NULL },
        { "largeBlobKey", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "minPinLength", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "pinComplexityPolicy", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "thirdPartyPayment", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape mc_inputs_shape = SHAPE(mc_inputs);

static const struct trace_member mc_outputs[] = {
        { "credBlob", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "credProtect", 0, NULL, CBOR_KIND_INT, TRACE_PLAIN, NULL, protect_levels },
        { "hmac-secret", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "hmac-secret-mc", 0, NULL, CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { "minPinLength", 0, NULL, CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { "pinComplexityPolicy", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape mc_outputs_shape = SHAPE(mc_outputs);

static const struct trace_member ga_inputs[] = {
        { "credBlob", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "hmac-secret", 0, NULL, CBOR_KIND_MAP, TRACE_PLAIN, &salts_shape, NULL },
        { "largeBlobKey", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { "thirdPartyPayment", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape ga_inputs_shape = SHAPE(ga_inputs);

static const struct trace_member ga_outputs[] = {
        { "credBlob", 0, NULL, CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { "hmac-secret", 0, NULL, CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { "thirdPartyPayment", 0, NULL, CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape ga_outputs_shape = SHAPE(ga_outputs);

/* Nothing that is in it is known, so all of it may be a secret. */
static const struct trace_shape unknown_shape = { 0, NULL };

/* ---- credentials ---- */

static const struct trace_member mc_request[] = {
        { NULL, 0x01, "clientDataHash", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "rp", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x03, "user", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "pubKeyCredParams", CBOR_KIND_ARRAY, TRACE_PLAIN, &parameter_shape, NULL },
        { NULL, 0x05, "excludeList", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x06, "extensions", CBOR_KIND_MAP, TRACE_PLAIN, &mc_inputs_shape, NULL },
        { NULL, 0x07, "options", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x08, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x09, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0a, "enterpriseAttestation", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0b, "attestationFormatsPreference", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape mc_request_shape = SHAPE(mc_request);

static const struct trace_member mc_reply[] = {
        { NULL, 0x01, "fmt", CBOR_KIND_TEXT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "authData", CBOR_KIND_BYTES, TRACE_AUTH_DATA, NULL, NULL },
        { NULL, 0x03, "attStmt", CBOR_KIND_MAP, TRACE_PLAIN, &attestation_shape, NULL },
        { NULL, 0x04, "epAtt", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "largeBlobKey", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x06, "unsignedExtensionOutputs", CBOR_KIND_MAP, TRACE_PLAIN, &unknown_shape,
          NULL },
};
static const struct trace_shape mc_reply_shape = SHAPE(mc_reply);

static const struct trace_member ga_request[] = {
        { NULL, 0x01, "rpId", CBOR_KIND_TEXT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "clientDataHash", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x03, "allowList", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "extensions", CBOR_KIND_MAP, TRACE_PLAIN, &ga_inputs_shape, NULL },
        { NULL, 0x05, "options", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x06, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x07, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape ga_request_shape = SHAPE(ga_request);

static const struct trace_member ga_reply[] = {
        { NULL, 0x01, "credential", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "authData", CBOR_KIND_BYTES, TRACE_AUTH_DATA, NULL, NULL },
        { NULL, 0x03, "signature", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "user", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "numberOfCredentials", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x06, "userSelected", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x07, "largeBlobKey", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x08, "unsignedExtensionOutputs", CBOR_KIND_MAP, TRACE_PLAIN, &unknown_shape,
          NULL },
};
static const struct trace_shape ga_reply_shape = SHAPE(ga_reply);

/* ---- getInfo ---- */

static const struct trace_member info_reply[] = {
        { NULL, 0x01, "versions", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "extensions", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x03, "aaguid", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "options", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "maxMsgSize", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x06, "pinUvAuthProtocols", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x07, "maxCredentialCountInList", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x08, "maxCredentialIdLength", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x09, "transports", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0a, "algorithms", CBOR_KIND_ARRAY, TRACE_PLAIN, &parameter_shape, NULL },
        { NULL, 0x0b, "maxSerializedLargeBlobArray", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0c, "forcePINChange", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0d, "minPINLength", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0e, "firmwareVersion", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0f, "maxCredBlobLength", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x10, "maxRPIDsForSetMinPINLength", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x11, "preferredPlatformUvAttempts", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x12, "uvModality", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x13, "certifications", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x14, "remainingDiscoverableCredentials", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x15, "vendorPrototypeConfigCommands", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x16, "attestationFormats", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x17, "uvCountSinceLastPinEntry", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x18, "longTouchForReset", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        /* Under a key of the persistent token. */
        { NULL, 0x19, "encIdentifier", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x1a, "transportsForReset", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x1b, "pinComplexityPolicy", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x1c, "pinComplexityPolicyURL", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x1d, "maxPINLength", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x1e, "encCredStoreState", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x1f, "authenticatorConfigCommands", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape info_reply_shape = SHAPE(info_reply);

/* ---- clientPIN ---- */

static const struct trace_word pin_subcommands[] = {
        { 0x01, "getPINRetries" },
        { 0x02, "getKeyAgreement" },
        { 0x03, "setPIN" },
        { 0x04, "changePIN" },
        { 0x05, "getPinToken" },
        { 0x06, "getPinUvAuthTokenUsingUvWithPermissions" },
        { 0x07, "getUVRetries" },
        { 0x09, "getPinUvAuthTokenUsingPinWithPermissions" },
        { 0, NULL },
};

static const struct trace_word permissions[] = {
        { 0x01, "mc" },  { 0x02, "ga" },   { 0x04, "cm" },   { 0x08, "be" },
        { 0x10, "lbw" }, { 0x20, "acfg" }, { 0x40, "pcmr" }, { 0, NULL },
};

static const struct trace_member pin_request[] = {
        { NULL, 0x01, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "subCommand", CBOR_KIND_INT, TRACE_PLAIN, NULL, pin_subcommands },
        { NULL, 0x03, "keyAgreement", CBOR_KIND_MAP, TRACE_PLAIN, &trace_cose_key, NULL },
        { NULL, 0x04, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x05, "newPinEnc", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x06, "pinHashEnc", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x09, "permissions", CBOR_KIND_INT, TRACE_BITS, NULL, permissions },
        { NULL, 0x0a, "rpId", CBOR_KIND_TEXT, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape pin_request_shape = SHAPE(pin_request);

static const struct trace_member pin_reply[] = {
        { NULL, 0x01, "keyAgreement", CBOR_KIND_MAP, TRACE_PLAIN, &trace_cose_key, NULL },
        { NULL, 0x02, "pinUvAuthToken", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x03, "pinRetries", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "powerCycleState", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "uvRetries", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape pin_reply_shape = SHAPE(pin_reply);

/* ---- what looks after the authenticator ---- */

static const struct trace_word bio_subcommands[] = {
        { 0x01, "enrollBegin" },
        { 0x02, "enrollCaptureNextSample" },
        { 0x03, "cancelCurrentEnrollment" },
        { 0x04, "enumerateEnrollments" },
        { 0x05, "setFriendlyName" },
        { 0x06, "removeEnrollment" },
        { 0x07, "getFingerprintSensorInfo" },
        { 0, NULL },
};

static const struct trace_member bio_request[] = {
        { NULL, 0x01, "modality", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "subCommand", CBOR_KIND_INT, TRACE_PLAIN, NULL, bio_subcommands },
        { NULL, 0x03, "subCommandParams", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x06, "getModality", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape bio_request_shape = SHAPE(bio_request);

static const struct trace_word manage_subcommands[] = {
        { 0x01, "getCredsMetadata" },
        { 0x02, "enumerateRPsBegin" },
        { 0x03, "enumerateRPsGetNextRP" },
        { 0x04, "enumerateCredentialsBegin" },
        { 0x05, "enumerateCredentialsGetNextCredential" },
        { 0x06, "deleteCredential" },
        { 0x07, "updateUserInformation" },
        { 0, NULL },
};

static const struct trace_member manage_params[] = {
        { NULL, 0x01, "rpIDHash", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "credentialID", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x03, "user", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape manage_params_shape = SHAPE(manage_params);

static const struct trace_member manage_request[] = {
        { NULL, 0x01, "subCommand", CBOR_KIND_INT, TRACE_PLAIN, NULL, manage_subcommands },
        { NULL, 0x02, "subCommandParams", CBOR_KIND_MAP, TRACE_PLAIN, &manage_params_shape, NULL },
        { NULL, 0x03, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
};
static const struct trace_shape manage_request_shape = SHAPE(manage_request);

static const struct trace_member manage_reply[] = {
        { NULL, 0x01, "existingResidentCredentialsCount", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "maxPossibleRemainingResidentCredentialsCount", CBOR_KIND_INT, TRACE_PLAIN,
          NULL, NULL },
        { NULL, 0x03, "rp", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "rpIDHash", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "totalRPs", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x06, "user", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x07, "credentialID", CBOR_KIND_MAP, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x08, "publicKey", CBOR_KIND_MAP, TRACE_PLAIN, &trace_cose_key, NULL },
        { NULL, 0x09, "totalCredentials", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x0a, "credProtect", CBOR_KIND_INT, TRACE_PLAIN, NULL, protect_levels },
        { NULL, 0x0b, "largeBlobKey", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x0c, "thirdPartyPayment", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape manage_reply_shape = SHAPE(manage_reply);

/* The array is what every client may read: each entry is encrypted with a credential's key. */
static const struct trace_member blobs_request[] = {
        { NULL, 0x01, "get", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "set", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x03, "offset", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "length", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x05, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
        { NULL, 0x06, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape blobs_request_shape = SHAPE(blobs_request);

static const struct trace_member blobs_reply[] = {
        { NULL, 0x01, "config", CBOR_KIND_BYTES, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape blobs_reply_shape = SHAPE(blobs_reply);

static const struct trace_word config_subcommands[] = {
        { 0x01, "enableEnterpriseAttestation" },
        { 0x02, "toggleAlwaysUv" },
        { 0x03, "setMinPINLength" },
        { 0x04, "enableLongTouchForReset" },
        { 0xff, "vendorPrototype" },
        { 0, NULL },
};

static const struct trace_member config_params[] = {
        { NULL, 0x01, "newMinPINLength", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x02, "minPinLengthRPIDs", CBOR_KIND_ARRAY, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x03, "forceChangePin", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "pinComplexityPolicy", CBOR_KIND_BOOL, TRACE_PLAIN, NULL, NULL },
};
static const struct trace_shape config_params_shape = SHAPE(config_params);

static const struct trace_member config_request[] = {
        { NULL, 0x01, "subCommand", CBOR_KIND_INT, TRACE_PLAIN, NULL, config_subcommands },
        { NULL, 0x02, "subCommandParams", CBOR_KIND_MAP, TRACE_PLAIN, &config_params_shape, NULL },
        { NULL, 0x03, "pinUvAuthProtocol", CBOR_KIND_INT, TRACE_PLAIN, NULL, NULL },
        { NULL, 0x04, "pinUvAuthParam", CBOR_KIND_BYTES, TRACE_SECRET, NULL, NULL },
};
static const struct trace_shape config_request_shape = SHAPE(config_request);

/* ---- commands ---- */

static const struct trace_command commands[] = {
        { 0x01, "authenticatorMakeCredential", &mc_request_shape, &mc_reply_shape,
          &mc_outputs_shape },
        { 0x02, "authenticatorGetAssertion", &ga_request_shape, &ga_reply_shape,
          &ga_outputs_shape },
        { 0x04, "authenticatorGetInfo", NULL, &info_reply_shape, NULL },
        { 0x06, "authenticatorClientPIN", &pin_request_shape, &pin_reply_shape, NULL },
        { 0x07, "authenticatorReset", NULL, NULL, NULL },
        { 0x08, "authenticatorGetNextAssertion", NULL, &ga_reply_shape, &ga_outputs_shape },
        { 0x09, "authenticatorBioEnrollment", &bio_request_shape, NULL, NULL },
        { 0x0a, "authenticatorCredentialManagement", &manage_request_shape, &manage_reply_shape,
          NULL },
        { 0x0b, "authenticatorSelection", NULL, NULL, NULL },
        { 0x0c, "authenticatorLargeBlobs", &blobs_request_shape, &blobs_reply_shape, NULL },
        { 0x0d, "authenticatorConfig", &config_request_shape, NULL, NULL },
        { 0x40, "authenticatorBioEnrollment (preview)", &bio_request_shape, NULL, NULL },
        { 0x41, "authenticatorCredentialManagement (preview)", &manage_request_shape,
          &manage_reply_shape, NULL },
};

const struct trace_command *trace_command(uint8_t code) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (commands[i].code == code)
                        return &commands[i];
        return NULL;
}

static bool is_key(const struct trace_member *m, const struct cbor_value *key) {
        if (m->text)
                return key->kind == CBOR_KIND_TEXT && bytes_equal(key->string, BYTES_TEXT(m->text));
        return key->kind == CBOR_KIND_INT && key->integer == m->key;
}

const struct trace_member *trace_member(const struct trace_shape *shape,
                                        const struct cbor_value *key) {
        for (size_t i = 0; shape && i < shape->n; i++)
                if (is_key(&shape->members[i], key))
                        return &shape->members[i];
        return NULL;
}

const char *trace_word(const struct trace_word *words, int64_t value) {
        for (; words && words->name; words++)
                if (words->value == value)
                        return words->name;
        return NULL;
}
