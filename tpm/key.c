/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A loaded key keeps its blob: when the connection was closed since, signing loads it again. What
 * is unloaded is flushed after the answer went out, because nobody waits for a FlushContext.
 *
 * A key of class B has no authValue to use it by, only a policy: PolicySecret of the PIN index. A
 * ticket stands in for that, and is shown to the TPM when the key is loaded, so that signing is one
 * command for both classes.
 */

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "tpm/gate.h"
#include "tpm/key.h"
#include "tpm/object.h"
#include "tpm/pin-index.h"
#include "tpm/pin.h"
#include "tpm/secret.h"
#include "tpm/template.h"
#include "tpm/ticket.h"

/* A TPM that strips leading zeros of a coordinate does so for one key in 128. */
#define CREATE_ATTEMPTS_MAX 8

static struct tpm *tpm_of(struct ctap_keys *k) {
        return container_of(k, struct tpm, keys);
}

struct ctap_keys *tpm_keys(struct tpm *t) {
        return &t->keys;
}

static unsigned offered(struct ctap_keys *k) {
        const struct tpm *t = tpm_of(k);
        unsigned types = 1u << CTAP_KEY_P256;

        if (t->record && t->record->has_p384)
                types |= 1u << CTAP_KEY_P384;
        if (t->record && t->record->has_rsa2048)
                types |= 1u << CTAP_KEY_RSA2048;
        return types;
}

/* ---- the public key ----------------------------------------------------------------------- */

/* -ERANGE: the TPM left leading zeros out. */
static int read_public(enum ctap_key_type type, const TPMT_PUBLIC *from,
                       struct ctap_public_key *ret) {
        const TPMS_ECC_POINT *point = &from->unique.ecc;
        const TPM2B_PUBLIC_KEY_RSA *modulus = &from->unique.rsa;
        struct ctap_public_key public = { .type = type };
        uint16_t size = tpm_key_types[type].public_size;

        if (type == CTAP_KEY_RSA2048) {
                if (modulus->size != size)
                        return -ERANGE;
                memcpy(public.modulus, modulus->buffer, size);
        } else {
                if (point->x.size != size || point->y.size != size)
                        return -ERANGE;
                memcpy(public.x, point->x.buffer, size);
                memcpy(public.y, point->y.buffer, size);
        }
        *ret = public;
        return 0;
}

/* What find() makes of a blob. */
struct found {
        enum ctap_key_type type;
        bool wants_ticket; /* it is of class B */
        struct tpm_blob blob;
};

/* -EKEYREJECTED: not what create() makes. */
static int find(const struct tpm *t, struct bytes blob, struct found *ret) {
        const TPMT_PUBLIC *public = &ret->blob.public.publicArea;

        if (tpm_blob_decode(blob, &ret->blob) < 0)
                return -EKEYREJECTED;
        for (unsigned i = 0; i < _CTAP_KEY_TYPES; i++) {
                const TPMT_PUBLIC *class_a = tpm_key_types[i].template;
                TPMT_PUBLIC class_b;

                ret->type = i;
                ret->wants_ticket = false;
                if (tpm_template_matches(class_a, public))
                        return 0;
                ret->wants_ticket = true;
                if (tpm_pin_index_template(t, class_a, &class_b) == 0 &&
                    tpm_template_matches(&class_b, public))
                        return 0;
        }
        return -EKEYREJECTED;
}

static int public_key(struct ctap_keys *k, struct bytes blob, struct ctap_public_key *ret) {
        struct found found;
        int r = find(tpm_of(k), blob, &found);

        if (r >= 0)
                r = read_public(found.type, &found.blob.public.publicArea, ret);
        return r == -ERANGE ? -EKEYREJECTED : r;
}

/* ---- create ------------------------------------------------------------------------------- */

struct creation {
        TPMT_PUBLIC template;
        struct tpm_blob blob;
};

static int create_step(struct tpm *t, void *userdata) {
        struct creation *c = userdata;
        struct tpm_auth by;
        TSS2_RC rc;
        int r;

        r = tpm_worker(t, &by);
        if (r < 0)
                return r;
        rc = tpm_object_create(t, &by, &c->template, NULL, NULL, &c->blob);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail_worker(t, "TPM2_Create", rc);
        if (!tpm_template_matches(&c->template, &c->blob.public.publicArea)) {
                tpm_log(t, LOG_ERR, "TPM: TPM2_Create made another key than it was asked for");
                return -EIO;
        }
        return 0;
}

static int give(const struct creation *c, enum ctap_key_type type, struct ctap_key_blob *ret_blob,
                struct ctap_public_key *ret_public) {
        struct ctap_public_key public;
        struct ctap_key_blob blob;
        struct buf b = BUF_ON(blob.data);
        int r;

        r = read_public(type, &c->blob.public.publicArea, &public);
        if (r < 0)
                return r;
        tpm_blob_encode(&c->blob, &b);
        r = buf_error(&b);
        if (r < 0)
                return r;

        blob.len = (uint16_t)b.len;
        *ret_blob = blob;
        *ret_public = public;
        return 0;
}

static int make(struct tpm *t, enum ctap_key_type type, enum ctap_key_class class,
                struct ctap_key_blob *ret_blob, struct ctap_public_key *ret_public) {
        struct creation c = { .template = *tpm_key_types[type].template };
        int r = 0;

        if (!(offered(&t->keys) & (1u << type)))
                return -ENOTSUP;
        if (class == CTAP_CLASS_B)
                r = tpm_pin_index_template(t, tpm_key_types[type].template, &c.template);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < CREATE_ATTEMPTS_MAX; i++) {
                r = tpm_run(t, create_step, &c);
                if (r >= 0)
                        r = give(&c, type, ret_blob, ret_public);
                if (r != -ERANGE)
                        return r;
        }
        tpm_log(t, LOG_ERR, "TPM: TPM2_Create: the public key never has its full size");
        return -EIO;
}

/* -ENOENT: there is none. */
static int take_spare(struct tpm *t, struct ctap_key_blob *ret_blob,
                      struct ctap_public_key *ret_public) {
        struct ctap_key_blob blob;
        struct found found;
        int r = t->take_spare ? t->take_spare(t->spare_userdata, &blob) : -ENOENT;

        if (r < 0)
                return r;
        r = find(t, BYTES(blob.data, blob.len), &found);
        if (r >= 0 && (found.type != CTAP_KEY_RSA2048 || found.wants_ticket))
                r = -EKEYREJECTED;
        if (r >= 0)
                r = read_public(found.type, &found.blob.public.publicArea, ret_public);
        if (r < 0) {
                tpm_log(t, LOG_WARNING, "TPM: the key that was made ahead is none of this TPM");
                return -ENOENT;
        }
        *ret_blob = blob;
        return 0;
}

static int create(struct ctap_keys *k, enum ctap_key_type type, enum ctap_key_class class,
                  struct ctap_key_blob *ret_blob, struct ctap_public_key *ret_public) {
        struct tpm *t = tpm_of(k);
        int r = -ENOENT;

        if ((unsigned)type >= _CTAP_KEY_TYPES || (class != CTAP_CLASS_A && class != CTAP_CLASS_B))
                return -EINVAL;
        if (type == CTAP_KEY_RSA2048 && class == CTAP_CLASS_A)
                r = take_spare(t, ret_blob, ret_public);
        return r == -ENOENT ? make(t, type, class, ret_blob, ret_public) : r;
}

void tpm_take_spares_from(struct tpm *t, tpm_spare_fn *take, void *userdata) {
        t->take_spare = take;
        t->spare_userdata = userdata;
}

int tpm_make_spare(struct tpm *t, struct ctap_key_blob *ret) {
        struct ctap_public_key public;

        return make(t, CTAP_KEY_RSA2048, CTAP_CLASS_A, ret, &public);
}

/* ---- load, sign, unload ------------------------------------------------------------------- */

struct ctap_loaded_key {
        struct ctap_loaded_key *next;
        struct found found;
        const struct ctap_ticket *ticket; /* NULL: it wants none, or it is only to be certified */
        struct tpm_handle handle;         /* of a connection that may be closed by now */
};

static int load_step(struct tpm *t, void *userdata) {
        struct ctap_loaded_key *key = userdata;
        struct tpm_handle session;
        struct tpm_auth by;
        TSS2_RC rc;
        int r;

        r = tpm_worker(t, &by);
        if (r >= 0 && key->found.wants_ticket && key->ticket)
                r = tpm_ticket_session(t, key->ticket, &session);
        if (r < 0)
                return r;
        rc = tpm_object_load(t, &by, &key->found.blob, &key->handle);
        if (rc == TSS2_RC_SUCCESS)
                return 0;

        r = tpm_fail_worker(t, "TPM2_Load", rc);
        return tpm_rc_is_refusal(rc) && (rc & TPM2_RC_P) ? -EKEYREJECTED : r;
}

static int load_for(struct tpm *t, bool to_sign, struct bytes blob,
                    const struct ctap_ticket *ticket, struct ctap_loaded_key **ret) {
        struct ctap_loaded_key *key = calloc(1, sizeof(*key));
        int r;

        if (!key)
                return -ENOMEM;

        key->handle = TPM_HANDLE_NONE;
        key->ticket = ticket;
        r = find(t, blob, &key->found);
        if (r >= 0 && to_sign && key->found.wants_ticket && (!ticket || ticket->len == 0))
                r = -EKEYEXPIRED;
        if (r >= 0)
                r = tpm_run(t, load_step, key);
        if (r < 0) {
                free(key);
                return r;
        }
        key->next = t->loaded;
        t->loaded = key;
        *ret = key;
        return 0;
}

static int load(struct ctap_keys *k, struct bytes blob, const struct ctap_ticket *ticket,
                struct ctap_loaded_key **ret) {
        return load_for(tpm_of(k), true, blob, ticket, ret);
}

int tpm_key_load_to_certify(struct tpm *t, struct bytes blob, struct ctap_loaded_key **ret) {
        return load_for(t, false, blob, NULL, ret);
}

int tpm_key_handle(struct tpm *t, struct ctap_loaded_key *key, ESYS_TR *ret) {
        int r = key->handle.connection == t->connection ? 0 : load_step(t, key);

        if (r >= 0)
                *ret = key->handle.tr;
        return r;
}

const TPMT_PUBLIC *tpm_key_public(const struct ctap_loaded_key *key) {
        return &key->found.blob.public.publicArea;
}

static void cleanup_signature(ECDSA_SIG **s) {
        ECDSA_SIG_free(*s);
}

int tpm_put_ecdsa(const TPMS_SIGNATURE_ECDSA *from, struct ctap_signature *ret) {
        _cleanup_(cleanup_signature) ECDSA_SIG *s = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(from->signatureR.buffer, from->signatureR.size, NULL);
        BIGNUM *v = BN_bin2bn(from->signatureS.buffer, from->signatureS.size, NULL);
        uint8_t *p = ret->data;
        int n;

        if (!s || !r || !v || ECDSA_SIG_set0(s, r, v) != 1) {
                BN_free(r);
                BN_free(v);
                return -ENOMEM;
        }
        n = i2d_ECDSA_SIG(s, NULL);
        if (n <= 0 || (size_t)n > sizeof(ret->data))
                return -EIO;
        ret->len = (uint16_t)i2d_ECDSA_SIG(s, &p);
        return 0;
}

/* As long as the modulus, whatever zeros the TPM leaves out in front (RFC 8017, 4.1). */
static int put_rsa(const TPM2B_PUBLIC_KEY_RSA *from, struct ctap_signature *ret) {
        if (from->size > sizeof(ret->data))
                return -EIO;

        memset(ret->data, 0, sizeof(ret->data));
        memcpy(ret->data + sizeof(ret->data) - from->size, from->buffer, from->size);
        ret->len = sizeof(ret->data);
        return 0;
}

static int put_signature(const TPMT_SIGNATURE *from, const TPMT_SIG_SCHEME *scheme,
                         struct ctap_signature *ret) {
        if (from->sigAlg != scheme->scheme)
                return -EIO;
        return from->sigAlg == TPM2_ALG_RSASSA ? put_rsa(&from->signature.rsassa.sig, ret)
                                               : tpm_put_ecdsa(&from->signature.ecdsa, ret);
}

struct signing {
        struct ctap_loaded_key *key;
        TPM2B_DIGEST digest;
        struct ctap_signature signature;
};

/* What authorises the one use of the key. */
static int authorise(struct tpm *t, const struct ctap_loaded_key *key, ESYS_TR *ret) {
        struct tpm_handle session;
        int r;

        *ret = ESYS_TR_PASSWORD;
        if (!key->found.wants_ticket)
                return 0;
        r = tpm_ticket_session(t, key->ticket, &session);
        if (r >= 0)
                r = tpm_session_last(&session, 0);
        if (r >= 0)
                *ret = session.tr;
        return r;
}

static int fail_to_sign(struct tpm *t, const struct ctap_loaded_key *key, TSS2_RC rc) {
        if (!key->found.wants_ticket)
                return tpm_fail(t, "TPM2_Sign", rc);
        tpm_ticket_session_drop(t);
        if (tpm_rc_base(rc) == TPM2_RC_POLICY_FAIL)
                return tpm_fail_stale(t, "TPM2_Sign under the PIN's policy", rc);
        return tpm_ticket_fail(t, "TPM2_Sign", rc);
}

static int sign_step(struct tpm *t, void *userdata) {
        static const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK,
                                                     .hierarchy = TPM2_RH_NULL };
        struct signing *s = userdata;
        const TPMT_SIG_SCHEME *scheme = &tpm_key_types[s->key->found.type].scheme;
        TPMT_SIGNATURE *signature = NULL;
        ESYS_TR key, by;
        TSS2_RC rc;
        int r;

        r = tpm_key_handle(t, s->key, &key);
        if (r >= 0)
                r = authorise(t, s->key, &by);
        if (r < 0)
                return r;
        rc = Esys_Sign(t->esys, key, by, ESYS_TR_NONE, ESYS_TR_NONE, &s->digest, scheme, &no_ticket,
                       &signature);
        if (rc != TSS2_RC_SUCCESS)
                return fail_to_sign(t, s->key, rc);
        if (s->key->found.wants_ticket)
                tpm_ticket_session_ended(t);

        r = put_signature(signature, scheme, &s->signature);
        Esys_Free(signature);
        return r;
}

static int sign(struct ctap_keys *k, struct ctap_loaded_key *key, struct bytes digest,
                struct ctap_signature *ret) {
        struct signing s = { .key = key };
        int r;

        if (key->found.wants_ticket && !key->ticket)
                return -EKEYEXPIRED;
        if (digest.len != tpm_key_types[key->found.type].digest_size)
                return -EINVAL;

        s.digest.size = (uint16_t)digest.len;
        memcpy(s.digest.buffer, digest.data, digest.len);
        r = tpm_run(tpm_of(k), sign_step, &s);
        if (r < 0)
                return r;

        *ret = s.signature;
        return 0;
}

static void flush_later(struct tpm *t, const struct tpm_handle *h) {
        tpm_flush_unloaded(t);
        if (t->esys && h->connection == t->connection)
                t->unloaded = h->tr;
}

static void unload(struct ctap_keys *k, struct ctap_loaded_key *key) {
        struct tpm *t = tpm_of(k);

        if (!key)
                return;

        for (struct ctap_loaded_key **p = &t->loaded; *p; p = &(*p)->next)
                if (*p == key) {
                        *p = key->next;
                        break;
                }
        flush_later(t, &key->handle);
        free(key);
}

void tpm_keys_flush(struct tpm *t) {
        for (struct ctap_loaded_key *key = t->loaded; key; key = key->next)
                tpm_handle_flush(&key->handle);
}

void tpm_keys_free(struct tpm *t) {
        while (t->loaded) {
                struct ctap_loaded_key *key = t->loaded;

                t->loaded = key->next;
                free(key);
        }
}

const struct ctap_keys_ops tpm_keys_ops = {
        .offered = offered,
        .create = create,
        .public_key = public_key,
        .load = load,
        .sign = sign,
        .unload = unload,
        .secret_create = tpm_secret_create,
        .secret_hmac = tpm_secret_hmac,
        .pin_verify = tpm_pin_verify,
        .pin_change = tpm_pin_change,
        .pin_retries = tpm_pin_retries,
        .ticket_check = tpm_ticket_check,
};
