/* SPDX-License-Identifier: BSD-2-Clause */

/* The checks, and two tables that say which come when. libfido2 verifies the signature of a login. */

#include "examples/site/ceremony.h"

#include <fido.h>
#include <openssl/sha.h>
#include <string.h>

#include "examples/site/cbor.h"

static void free_assert(fido_assert_t **assert) {
        fido_assert_free(assert);
}

static enum refusal check_known(struct ceremony *c) {
        if (!c->known)
                return REFUSED_CREDENTIAL_UNKNOWN;
        if (c->asked->account.len > 0 && !slice_equal(c->asked->account, c->known->account))
                return REFUSED_CREDENTIAL_NOT_ASKED;
        return REFUSED_NOTHING;
}

/* §7.2 step 6: where nobody was named, the authenticator has to say who it is. */
static enum refusal check_user_handle(struct ceremony *c) {
        struct slice handle = c->answer->user_handle;

        if (handle.len == 0 && c->asked->account.len > 0)
                return REFUSED_NOTHING;
        return slice_equal(handle, c->known->account) ? REFUSED_NOTHING : REFUSED_USER_HANDLE;
}

static enum refusal check_client_data(struct ceremony *c) {
        enum refusal refusal = client_data_parse(c->answer->client_data, &c->client);

        if (refusal != REFUSED_NOTHING)
                return refusal;
        c->has_client = true;
        if (c->client.is_of_unknown_kind || c->client.is_create != c->answer->is_registration)
                return REFUSED_CEREMONY;
        return REFUSED_NOTHING;
}

static enum refusal check_challenge(struct ceremony *c) {
        static const enum refusal refusals[] = {
                [CHALLENGE_OPEN] = REFUSED_NOTHING,
                [CHALLENGE_UNKNOWN] = REFUSED_CHALLENGE_UNKNOWN,
                [CHALLENGE_USED] = REFUSED_CHALLENGE_USED,
                [CHALLENGE_EXPIRED] = REFUSED_CHALLENGE_EXPIRED,
        };

        return c->client.has_challenge ? refusals[c->asked->challenge] : REFUSED_CHALLENGE_UNKNOWN;
}

static enum refusal check_origin(struct ceremony *c) {
        if (strcmp(c->client.origin, c->asked->origin) != 0)
                return REFUSED_ORIGIN;
        return c->client.is_cross_origin ? REFUSED_CROSS_ORIGIN : REFUSED_NOTHING;
}

static enum refusal check_attestation_object(struct ceremony *c) {
        return attestation_parse(c->answer->attestation_object, &c->attestation);
}

static enum refusal check_auth_data(struct ceremony *c) {
        struct slice raw =
                c->answer->is_registration ? c->attestation.auth_data : c->answer->auth_data;
        enum refusal refusal = auth_data_parse(raw, &c->auth);

        if (refusal != REFUSED_NOTHING)
                return refusal;
        c->has_auth = true;
        /* A login brings no new credential (§6.1). */
        if (!c->answer->is_registration && c->auth.flags & FLAG_ATTESTED)
                return REFUSED_AUTHENTICATOR_DATA;
        return REFUSED_NOTHING;
}

static enum refusal check_rp_id_hash(struct ceremony *c) {
        struct slice id = SLICE_TEXT(c->asked->rp_id);
        uint8_t hash[SHA256_DIGEST_LENGTH];

        SHA256(id.data, id.len, hash);
        return slice_equal(c->auth.rp_id_hash, SLICE_OF(hash)) ? REFUSED_NOTHING
                                                               : REFUSED_RP_ID_HASH;
}

static enum refusal check_user_presence(struct ceremony *c) {
        return c->auth.flags & FLAG_USER_PRESENT ? REFUSED_NOTHING : REFUSED_USER_PRESENCE;
}

static enum refusal check_user_verification(struct ceremony *c) {
        if (c->asked->needs_verification && !(c->auth.flags & FLAG_USER_VERIFIED))
                return REFUSED_USER_VERIFICATION;
        return REFUSED_NOTHING;
}

/* §7.1 step 17, §7.2 steps 19 and 20: what cannot be backed up is not, and never will be. */
static enum refusal check_backup_flags(struct ceremony *c) {
        bool is_eligible = c->auth.flags & FLAG_BACKUP_ELIGIBLE;

        if (c->auth.flags & FLAG_BACKED_UP && !is_eligible)
                return REFUSED_BACKUP_FLAGS;
        if (c->known && c->known->is_backup_eligible != is_eligible)
                return REFUSED_BACKUP_FLAGS;
        return REFUSED_NOTHING;
}

static enum refusal check_new_credential(struct ceremony *c) {
        if (!(c->auth.flags & FLAG_ATTESTED) || c->auth.credential_id.len == 0)
                return REFUSED_NO_CREDENTIAL;
        /* §7.1: at most 1023 bytes; and the browser's word for it is that of the authenticator. */
        if (c->auth.credential_id.len > CREDENTIAL_ID_MAX ||
            !slice_equal(c->auth.credential_id, c->answer->id))
                return REFUSED_CREDENTIAL_ID;
        return REFUSED_NOTHING;
}

static enum refusal check_public_key(struct ceremony *c) {
        enum refusal refusal = public_key_parse(c->auth.public_key, &c->key);
        void *key;

        if (refusal != REFUSED_NOTHING)
                return refusal;
        c->has_key = true;
        for (size_t i = 0; i < c->asked->n_algorithms; i++)
                if (c->asked->algorithms[i] == c->key.algorithm) {
                        /* A point that is on the curve. */
                        key = public_key_to_fido(&c->key);
                        free_fido_key(c->key.algorithm, key);
                        return key ? REFUSED_NOTHING : REFUSED_PUBLIC_KEY;
                }
        return REFUSED_ALGORITHM;
}

static void hash_client_data(const struct ceremony *c, uint8_t hash[static SHA256_DIGEST_LENGTH]) {
        SHA256(c->answer->client_data.data, c->answer->client_data.len, hash);
}

static enum refusal check_attestation(struct ceremony *c) {
        uint8_t hash[SHA256_DIGEST_LENGTH];
        const struct attested about = {
                .rp_id = c->asked->rp_id,
                .client_data_hash = hash,
                .auth_data = &c->auth,
                .key = &c->key,
        };

        hash_client_data(c, hash);
        return attestation_verify(&c->attestation, &about, c->asked->roots);
}

/* libfido2 wants to be told which extensions it will find: those that are there. */
static int extensions_of(const struct auth_data *auth) {
        struct item item;
        int mask = 0;

        if (item_by_text(auth->extensions, "hmac-secret", &item))
                mask |= FIDO_EXT_HMAC_SECRET;
        if (item_by_text(auth->extensions, "credBlob", &item))
                mask |= FIDO_EXT_CRED_BLOB;
        return mask;
}

static int fill_assert(fido_assert_t *assert, const struct ceremony *c) {
        uint8_t hash[SHA256_DIGEST_LENGTH];
        int mask = extensions_of(&c->auth), r;

        hash_client_data(c, hash);
        r = fido_assert_set_rp(assert, c->asked->rp_id);
        if (r == FIDO_OK)
                r = fido_assert_set_clientdata_hash(assert, hash, sizeof(hash));
        if (r == FIDO_OK)
                r = fido_assert_set_count(assert, 1);
        if (r == FIDO_OK)
                r = fido_assert_set_authdata_raw(assert, 0, c->auth.raw.data, c->auth.raw.len);
        if (r == FIDO_OK)
                r = fido_assert_set_sig(assert, 0, c->answer->signature.data,
                                        c->answer->signature.len);
        if (r == FIDO_OK && mask)
                r = fido_assert_set_extensions(assert, mask);
        return r;
}

static enum refusal check_signature(struct ceremony *c) {
        _cleanup_(free_assert) fido_assert_t *assert = fido_assert_new();
        enum refusal refusal = public_key_parse(c->known->public_key, &c->key);
        void *key;
        int r;

        if (refusal != REFUSED_NOTHING)
                return refusal;
        c->has_key = true;
        key = public_key_to_fido(&c->key);
        if (!key)
                return REFUSED_PUBLIC_KEY;
        r = assert ? fill_assert(assert, c) : FIDO_ERR_INTERNAL;
        if (r == FIDO_OK)
                r = fido_assert_verify(assert, 0, c->key.algorithm, key);
        free_fido_key(c->key.algorithm, key);
        return r == FIDO_OK ? REFUSED_NOTHING : REFUSED_SIGNATURE;
}

/* Behind the signature, so that nobody without the key learns it. */
static enum refusal check_mark(struct ceremony *c) {
        return c->known->is_marked ? REFUSED_CREDENTIAL_MARKED : REFUSED_NOTHING;
}

struct check {
        const char *name;
        const char *text;
        enum refusal (*run)(struct ceremony *c);
};

static const struct check registration_checks[] = {
        { "client-data", "The client data is of a registration", check_client_data },
        { "challenge", "The challenge is the one this session was given, and new",
          check_challenge },
        { "origin", "It was made on a page of this site", check_origin },
        { "attestation-object", "The attestation object can be read", check_attestation_object },
        { "authenticator-data", "The authenticator data can be read", check_auth_data },
        { "rp-id-hash", "The authenticator made it for this site", check_rp_id_hash },
        { "user-presence", "A person was there", check_user_presence },
        { "user-verification", "The person was verified, if that was asked",
          check_user_verification },
        { "backup-flags", "The flags of backup make sense", check_backup_flags },
        { "credential-id", "There is a new credential, and its id is the one sent",
          check_new_credential },
        { "public-key", "Its public key is of an algorithm that was offered", check_public_key },
        { "attestation", "The attestation holds", check_attestation },
};

/* The challenge comes first here: it says whose passkey was asked for. */
static const struct check login_checks[] = {
        { "client-data", "The client data is of a login", check_client_data },
        { "challenge", "The challenge is the one this session was given, and new",
          check_challenge },
        { "origin", "It was made on a page of this site", check_origin },
        { "credential", "This site knows the passkey, and asked for it", check_known },
        { "user-handle", "The passkey belongs to the account it names", check_user_handle },
        { "authenticator-data", "The authenticator data can be read", check_auth_data },
        { "rp-id-hash", "The authenticator signed for this site", check_rp_id_hash },
        { "user-presence", "A person was there", check_user_presence },
        { "user-verification", "The person was verified, if that was asked",
          check_user_verification },
        { "backup-flags", "The flags of backup are those of the registration", check_backup_flags },
        { "signature", "The signature is right under the stored public key", check_signature },
        { "mark", "The passkey is not marked as possibly cloned", check_mark },
};

static const struct check *check_at(bool is_registration, size_t i) {
        if (is_registration)
                return i < ELEMENTSOF(registration_checks) ? &registration_checks[i] : NULL;
        return i < ELEMENTSOF(login_checks) ? &login_checks[i] : NULL;
}

const char *ceremony_check_name(bool is_registration, size_t check) {
        const struct check *c = check_at(is_registration, check);

        return c ? c->name : NULL;
}

const char *ceremony_check_text(bool is_registration, size_t check) {
        const struct check *c = check_at(is_registration, check);

        return c ? c->text : NULL;
}

enum refusal ceremony_verify(struct ceremony *c) {
        const struct check *check;

        while ((check = check_at(c->answer->is_registration, c->n_passed))) {
                enum refusal refusal = check->run(c);

                if (refusal != REFUSED_NOTHING)
                        return refusal;
                c->n_passed++;
        }
        return REFUSED_NOTHING;
}
