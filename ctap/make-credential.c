/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorMakeCredential (CTAP 2.3 §6.1). The key is made, and loaded if it has to attest to
 * itself, while the person reads the question; a no throws it away. After a yes it signs before the
 * credential is kept, so that whatever fails leaves no credential behind that nobody was told of.
 *
 * A credential of credProtect level 3, and any one under alwaysUv, has a key that the device itself
 * keeps behind the PIN (class B).
 */

#include <errno.h>
#include <string.h>

#include "ctap/attestation.h"
#include "ctap/auth-data.h"
#include "ctap/authorize.h"
#include "ctap/command.h"
#include "ctap/confirm.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/descriptor.h"
#include "ctap/new-credential.h"
#include "ctap/policy.h"
#include "ctap/sign.h"
#include "ctap/user.h"

struct mc_rp {
        struct cbor_value id, name, icon;
};

struct mc_request {
        struct cbor_value client_data_hash;
        struct cbor_value rp_map, user_map, params, exclude_list, extensions, options;
        struct cbor_value enterprise, formats;
        struct mc_rp rp;
        struct ctap_user user;
        struct ctap_authorization authorization;
        const struct ctap_cose *alg; /* NULL: none that was offered is supported */
        enum ctap_attestation preference;
        struct ctap_attesting attesting;
        struct sha256 rp_id_hash;
        struct ctap_verification verification;
        struct ctap_extensions asked;
        bool dummy; /* a client asks which key is meant; nobody will use the credential */
};

static void mc_request_wipe(struct mc_request *rq) {
        ctap_verification_wipe(&rq->verification);
        ctap_extensions_wipe(&rq->asked);
}

/* A credential in the making. */
struct mc_credential {
        struct ctap *ctap;
        const struct mc_request *rq;
        struct ctap_row row;
        struct ctap_public_key public;
        struct ctap_attesting attesting; /* that of the request, or what became of it */
        struct ctap_loaded_key *key;     /* NULL if it need not sign nor be certified */
        struct buf auth_data;
        uint8_t auth_data_storage[CTAP_AUTH_DATA_MAX];
        struct ctap_signature signature;
        struct ctap_certification certification;
        struct secret32 large_blob_key; /* meaningless unless it was asked for */
};

static void mc_credential_done(struct mc_credential *m) {
        struct ctap_keys *k = m->ctap->env.keys;

        k->ops->unload(k, m->key);
        secret32_wipe(&m->large_blob_key);
}

/* ---- decode ---- */

#define TOP(member) offsetof(struct mc_request, member)
#define RP(member)  offsetof(struct mc_rp, member)

static const struct cbor_field mc_fields[] = {
        { NULL, 0x01, CBOR_KIND_BYTES, true, TOP(client_data_hash) },
        { NULL, 0x02, CBOR_KIND_MAP, true, TOP(rp_map) },
        { NULL, 0x03, CBOR_KIND_MAP, true, TOP(user_map) },
        { NULL, 0x04, CBOR_KIND_ARRAY, true, TOP(params) },
        { NULL, 0x05, CBOR_KIND_ARRAY, false, TOP(exclude_list) },
        { NULL, 0x06, CBOR_KIND_MAP, false, TOP(extensions) },
        { NULL, 0x07, CBOR_KIND_MAP, false, TOP(options) },
        { NULL, 0x08, CBOR_KIND_BYTES, false, TOP(authorization.param) },
        { NULL, 0x09, CBOR_KIND_INT, false, TOP(authorization.protocol) },
        { NULL, 0x0a, CBOR_KIND_INT, false, TOP(enterprise) },
        { NULL, 0x0b, CBOR_KIND_ARRAY, false, TOP(formats) },
};

static const struct cbor_field rp_fields[] = {
        { "id", 0, CBOR_KIND_TEXT, true, RP(id) },
        { "name", 0, CBOR_KIND_TEXT, false, RP(name) },
        { "icon", 0, CBOR_KIND_TEXT, false, RP(icon) },
};

/*
 * What has the right type and still cannot be (MC24, B20). 02 for a wrong length too: 03 is about
 * the length of the message. An account needs an id whether it is discoverable or not: WebAuthn
 * demands 1 to 64 bytes of every user handle.
 */
static enum ctap_status check_values(const struct mc_request *rq) {
        const size_t rp_id = rq->rp.id.string.len, user_id = rq->user.id.string.len;

        if (rq->client_data_hash.string.len != sizeof(struct sha256) || rp_id < 1 ||
            rp_id > CTAP_RP_ID_MAX || user_id < 1 || user_id > CTAP_USER_ID_MAX)
                return CTAP1_ERR_INVALID_PARAMETER;
        return CTAP_OK;
}

static enum ctap_status mc_decode(struct ctap *c, const struct cbor_value *params,
                                  struct mc_request *rq) {
        enum ctap_status s;

        s = cbor_read_map(params, mc_fields, ELEMENTSOF(mc_fields), rq);
        if (s == CTAP_OK)
                s = cbor_read_map(&rq->rp_map, rp_fields, ELEMENTSOF(rp_fields), &rq->rp);
        if (s == CTAP_OK)
                s = ctap_read_user(&rq->user_map, &rq->user);
        if (s == CTAP_OK)
                s = ctap_cose_choose(&rq->params, c->env.keys->ops->offered(c->env.keys), &rq->alg);
        if (s == CTAP_OK)
                s = ctap_check_descriptors(&rq->exclude_list);
        if (s == CTAP_OK)
                s = ctap_read_options(&rq->options, &rq->authorization);
        if (s == CTAP_OK)
                s = ctap_attestation_prefer(&rq->formats, &rq->preference);
        if (s == CTAP_OK)
                s = check_values(rq);
        return s;
}

/* ---- authorize ---- */

/*
 * What browsers and libraries send to find out which key the person means (H5, H22, H30). They ask
 * every key that is plugged in, and none of them keeps the credential.
 */
static int is_dummy(const struct mc_request *rq, bool *ret) {
        static const uint8_t dummy_user[] = { 1 };
        struct sha256 of_nothing;
        int r;

        r = ctap_sha256(NULL, 0, &of_nothing);
        if (r < 0)
                return r;

        *ret = bytes_equal(rq->rp.id.string, BYTES_TEXT(".dummy")) ||
               bytes_equal(rq->rp.id.string, BYTES_TEXT("make.me.blink")) ||
               (bytes_equal(rq->rp.id.string, BYTES_TEXT("localhost")) &&
                bytes_equal(rq->user.name.string, BYTES_TEXT("dummy")) &&
                bytes_equal(rq->user.id.string, BYTES_OF(dummy_user)) &&
                bytes_equal(rq->client_data_hash.string, BYTES_OF(of_nothing)));
        return 0;
}

/* Who was told that nothing is created gets nothing that names this machine. */
static enum ctap_status decide_attestation(struct ctap *c, struct mc_request *rq) {
        struct ctap_attestation_question q = {
                .preference = rq->preference,
                .there = c->env.attester,
                .rp_id = rq->rp.id.string,
                .type = rq->alg->type,
        };
        enum ctap_status s;

        s = ctap_attestation_grant(c->env.attester, ctap_enterprise_is_on(c), &rq->enterprise,
                                   rq->rp.id.string, &q.granted);
        if (s != CTAP_OK)
                return s;
        if (q.granted && !ctap_enterprise_is_for(c, rq->rp.id.string))
                q.granted = NULL;
        if (rq->dummy)
                q.there = q.granted = NULL;
        rq->attesting = ctap_attestation_decide(&q);
        return CTAP_OK;
}

/* The steps that the two halves of mc_authorize() have between them: 7 to 9. */
static enum ctap_status check_options(struct ctap *c, struct mc_request *rq) {
        struct ctap_authorization *a = &rq->authorization;
        enum ctap_status s;

        s = ctap_authorize_uv(c, a);
        if (s != CTAP_OK)
                return s;
        if (a->up.kind != CBOR_KIND_ABSENT && !a->up.boolean)
                return CTAP2_ERR_INVALID_OPTION; /* MC5c */
        /* MC7: makeCredUvNotRqd, but what is discoverable is not made behind the PIN's back. */
        if (ctap_always_uv(c) || a->rk.boolean) {
                s = ctap_demand_verification(c, a, ctap_always_uv(c));
                if (s != CTAP_OK)
                        return s;
        }
        return decide_attestation(c, rq);
}

/* The order of CTAP 2.3 §6.1.2 steps 1 to 11. */
static enum ctap_status mc_authorize(struct ctap *c, struct mc_request *rq) {
        const struct ctap_extension_scope scope = {
                .ceremony = CTAP_CEREMONY_CREATE,
                .discoverable = rq->authorization.rk.boolean,
                .rp_id_hash = &rq->rp_id_hash,
        };
        struct ctap_authorization *a = &rq->authorization;
        enum ctap_status s;
        int r;

        r = ctap_sha256(&rq->rp.id.string, 1, &rq->rp_id_hash);
        if (r == 0)
                r = is_dummy(rq, &rq->dummy);
        if (r < 0)
                return ctap_status_from_errno(r);

        s = ctap_authorize(c, a, rq->dummy ? BYTES_NULL : rq->rp.id.string);
        if (s != CTAP_OK)
                return s;
        /* Before what a person would be asked for in vain, and before anything is looked up. */
        if (!rq->dummy && !ctap_rp_is_allowed(c, rq->rp.id.string))
                return ctap_refuse_rp(c, 0x01, rq->rp.id.string);
        if (!rq->alg)
                return CTAP2_ERR_UNSUPPORTED_ALGORITHM;
        s = check_options(c, rq);
        if (s != CTAP_OK)
                return s;
        s = ctap_verify(c, a, rq->client_data_hash.string, CTAP_PERMISSION_MC, &rq->rp_id_hash,
                        &rq->verification);
        if (s != CTAP_OK)
                return s;
        s = ctap_extensions_read(c, &scope, &rq->extensions, &rq->asked);
        if (s != CTAP_OK || rq->asked.cred_protect != 3)
                return s;
        /*
         * The specification lets this pass where rk is false, but then the key could not attest to
         * itself, which OpenSSH (-O verify-required) takes for a fault. Who asks for the PIN at
         * every use can be asked for it at the first.
         */
        return ctap_demand_verification(c, a, false);
}

/* ---- confirm ---- */

/* Whose key attests to itself behind the PIN, or computes hmac-secret-mc there, has to give it. */
static bool takes_ticket(const struct ctap *c, const struct mc_request *rq) {
        const bool by_itself =
                !rq->attesting.attester && rq->attesting.format != CTAP_ATTESTATION_NONE;
        const bool guarded = ctap_new_credential_class(c, rq->asked.cred_protect) == CTAP_CLASS_B;

        return rq->asked.salts.len > 0 || (by_itself && guarded);
}

static uint32_t row_flags(const struct mc_request *rq) {
        uint32_t flags = 0;

        if (rq->authorization.rk.boolean)
                flags |= CTAP_ROW_DISCOVERABLE;
        if (rq->asked.large_blob_key)
                flags |= CTAP_ROW_LARGE_BLOB_KEY;
        if (rq->asked.third_party_payment)
                flags |= CTAP_ROW_THIRD_PARTY_PAYMENT;
        return flags;
}

static struct ctap_new_credential what_to_make(const struct mc_request *rq) {
        return (struct ctap_new_credential){
                .alg = rq->alg,
                .record = {
                        .rp_id = rq->rp.id.string,
                        .user_id = rq->user.id.string,
                        .user_name = rq->user.name.string,
                        .user_display_name = rq->user.display_name.string,
                        .has_user_name = rq->user.name.kind != CBOR_KIND_ABSENT,
                        .has_display_name = rq->user.display_name.kind != CBOR_KIND_ABSENT,
                        .cred_blob = rq->asked.cred_blob,
                },
                .flags = row_flags(rq),
                .cred_protect = rq->asked.cred_protect,
                .cred_random = rq->asked.cred_random,
        };
}

/* What hmac-secret-mc wants to have computed. */
static int prepare_extensions(struct mc_credential *m, struct buf *outputs) {
        uint8_t storage[CTAP_HMAC_OUTPUT_MAX];
        const struct ctap_extensions *asked = &m->rq->asked;
        const struct ctap_env *env = &m->ctap->env;
        struct ctap_extension_outputs of_this = { 0 };
        struct buf hmac = BUF_ON(storage);
        int r = 0;

        if (asked->salts.len > 0)
                r = ctap_hmac_secret(env, &asked->salts, &m->row,
                                     ctap_ticket_of(&m->rq->verification), &hmac);
        if (r < 0)
                return r;
        of_this.hmac = buf_bytes(&hmac);
        ctap_extensions_put(asked, &of_this, outputs);
        return buf_error(outputs);
}

static int put_auth_data(struct mc_credential *m, struct bytes outputs) {
        struct ctap_attested attested = { .id = m->row.id, .alg = m->rq->alg, .key = m->public };
        const struct ctap_auth_data d = {
                .rp_id_hash = m->rq->rp_id_hash,
                .flags = CTAP_FLAG_UP | (m->rq->verification.verified ? CTAP_FLAG_UV : 0),
                .attested = &attested,
                .extensions = outputs,
        };

        memcpy(attested.aaguid, m->ctap->options.aaguid, sizeof(attested.aaguid));
        m->auth_data = BUF_ON(m->auth_data_storage);
        ctap_auth_data_put(&d, &m->auth_data);
        return buf_error(&m->auth_data);
}

/* A key that signs for nobody without the PIN cannot attest to itself without it. */
static void attest_to_itself(struct mc_credential *m, bool behind_pin) {
        m->attesting = (struct ctap_attesting){
                .format = m->row.class == CTAP_CLASS_A || behind_pin ? CTAP_ATTESTATION_PACKED
                                                                     : CTAP_ATTESTATION_NONE,
        };
}

static void choose_attesting(struct mc_credential *m) {
        m->attesting = m->rq->attesting;
        if (!m->attesting.attester && m->attesting.format != CTAP_ATTESTATION_NONE)
                attest_to_itself(m, ctap_takes_verification(&m->rq->verification));
}

/* An attester that fails is no reason to register nothing. Nobody may have been asked for the PIN. */
static void do_without_attester(struct mc_credential *m) {
        const struct ctap_ticket *ticket = ctap_ticket_of(&m->rq->verification);

        attest_to_itself(m, ticket && ticket->len > 0);
}

static int load_to_sign(struct mc_credential *m) {
        struct ctap_keys *k = m->ctap->env.keys;

        if (m->key || m->attesting.attester || m->attesting.format == CTAP_ATTESTATION_NONE)
                return 0;
        return k->ops->load(k, BYTES(m->row.key.data, m->row.key.len),
                            ctap_ticket_of(&m->rq->verification), &m->key);
}

static int load_key(struct mc_credential *m) {
        struct ctap_attester *a = m->attesting.attester;

        if (ctap_attester_is_tpm(a) && !m->key &&
            a->ops->load(a, BYTES(m->row.key.data, m->row.key.len), &m->key) < 0)
                do_without_attester(m);
        return load_to_sign(m);
}

/* What takes the ticket of somebody who is verified. */
static int mc_complete(struct mc_credential *m) {
        uint8_t storage[CTAP_EXTENSIONS_MAX];
        struct buf outputs = BUF_ON(storage);
        int r;

        r = prepare_extensions(m, &outputs);
        if (r == 0)
                r = put_auth_data(m, buf_bytes(&outputs));
        return r < 0 ? r : load_key(m);
}

/* While the person reads the question. The PIN that they may be typing is wanted later. */
static int mc_prepare(void *userdata) {
        struct mc_credential *m = userdata;
        const struct ctap_new_credential what = what_to_make(m->rq);
        int r;

        r = ctap_new_credential_make(m->ctap, &what, &m->row, &m->public);
        if (r == 0 && m->rq->asked.large_blob_key)
                r = ctap_large_blob_key(&m->ctap->credential_keys, &m->row.id, &m->large_blob_key);
        if (r < 0)
                return r;

        choose_attesting(m);
        if (!m->rq->verification.due)
                return mc_complete(m);
        return m->row.class == CTAP_CLASS_A || m->attesting.attester ? load_key(m) : 0;
}

static struct ctap_prompt mc_prompt(const struct mc_request *rq) {
        const struct cbor_value *name = &rq->user.name;

        if (rq->dummy)
                return (struct ctap_prompt){ .ask = CTAP_ASK_SELECT, .passive = true };
        return (struct ctap_prompt){
                .ask = CTAP_ASK_CREATE,
                .rp_id = rq->rp.id.string,
                .account = name->string.len > 0 ? name->string : rq->user.display_name.string,
                .n_accounts = 1,
        };
}

/*
 * MC12: what the person says to the question makes no difference, that there was one does. Unless
 * they have to be verified: that comes first (MC11b).
 */
static enum ctap_status report_excluded(struct ctap *c, const struct ctap_prompt *prompt,
                                        struct ctap_verification *v) {
        enum ctap_answer answer;
        enum ctap_status s;
        int r;

        if (v->due || v->present) {
                s = ctap_consent(c, prompt, NULL, NULL, v);
                return s == CTAP_OK ? CTAP2_ERR_CREDENTIAL_EXCLUDED : s;
        }
        r = ctap_ask(c, prompt, NULL, NULL, &answer);
        if (r < 0)
                return ctap_status_from_errno(r);
        return answer == CTAP_ANSWER_CANCELLED ? CTAP2_ERR_KEEPALIVE_CANCEL
                                               : CTAP2_ERR_CREDENTIAL_EXCLUDED;
}

static enum ctap_status mc_confirm(struct ctap *c, struct mc_request *rq, struct mc_credential *m) {
        const struct ctap_prompt prompt = mc_prompt(rq);
        struct bytes listed = rq->exclude_list.elements;
        enum ctap_status s;
        bool due;
        int r;

        r = ctap_next_listed(c, &listed, &rq->rp_id_hash,
                             ctap_max_protect(true, ctap_takes_verification(&rq->verification)),
                             &m->row);
        if (r == 0)
                return report_excluded(c, &prompt, &rq->verification);
        if (r != -ENOENT)
                return ctap_status_from_errno(r);
        if (takes_ticket(c, rq))
                ctap_take_ticket(&rq->verification);
        due = rq->verification.due;
        s = ctap_consent(c, &prompt, mc_prepare, m, &rq->verification);
        if (s != CTAP_OK)
                return s;
        ctap_token_consume(&c->token); /* MC14 */
        return due ? ctap_status_from_keys(c, mc_complete(m)) : CTAP_OK;
}

/* ---- act ---- */

static int sign_by_itself(struct mc_credential *m) {
        if (!m->key)
                return 0;
        return ctap_sign(m->ctap->env.keys, m->key, m->rq->alg, buf_bytes(&m->auth_data),
                         m->rq->client_data_hash.string, &m->signature);
}

static int certify(struct mc_credential *m) {
        int r;

        r = ctap_certify(m->attesting.attester, m->key, buf_bytes(&m->auth_data),
                         m->rq->client_data_hash.string, &m->certification);
        if (r == 0)
                m->signature = m->certification.signature;
        return r;
}

static int attest_by_attester(struct mc_credential *m) {
        if (ctap_attester_is_tpm(m->attesting.attester))
                return certify(m);
        return ctap_sign_by_attester(m->attesting.attester, buf_bytes(&m->auth_data),
                                     m->rq->client_data_hash.string, &m->signature);
}

static int mc_attest(struct mc_credential *m) {
        struct ctap_keys *k = m->ctap->env.keys;
        int r;

        if (m->attesting.attester && attest_by_attester(m) < 0) {
                k->ops->unload(k, m->key);
                m->key = NULL;
                do_without_attester(m);
                r = load_to_sign(m);
                if (r < 0)
                        return r;
        }
        return m->attesting.attester ? 0 : sign_by_itself(m);
}

static void note_created(const struct mc_credential *m) {
        ctap_note(&m->ctap->env, &(struct ctap_notice){
                                         .what = CTAP_NOTED_CREATED,
                                         .rp_id = m->rq->rp.id.string,
                                         .credential = &m->row.id,
                                         .uv = m->rq->verification.verified,
                                 });
}

static enum ctap_status mc_create(struct ctap *c, struct mc_credential *m) {
        int r;

        r = mc_attest(m);
        if (r < 0)
                return ctap_status_from_keys(c, r);
        /* H5: a row for every time that a browser asks which key is meant would fill the store. */
        if (m->rq->dummy)
                return CTAP_OK;
        r = c->env.store->ops->insert(c->env.store, &m->row);
        if (r == 0)
                note_created(m);
        return ctap_status_from_keeping(r);
}

/* ---- encode ---- */

static void mc_encode(const struct mc_credential *m, struct cbor_writer *out) {
        const struct mc_request *rq = m->rq;
        const struct ctap_statement statement = {
                .by = m->attesting,
                .alg = rq->alg->id,
                .signature = BYTES(m->signature.data, m->signature.len),
                .certification = &m->certification,
        };

        cbor_put_map(out, 3u + m->attesting.enterprise + rq->asked.large_blob_key);
        ctap_attestation_put(out, &statement, buf_bytes(&m->auth_data));
        if (m->attesting.enterprise) {
                cbor_put_int(out, 0x04); /* epAtt */
                cbor_put_bool(out, true);
        }
        if (rq->asked.large_blob_key) {
                cbor_put_int(out, 0x05);
                cbor_put_bytes(out, BYTES_OF(m->large_blob_key));
        }
}

enum ctap_status ctap_make_credential(struct ctap *c, const struct ctap_call *call,
                                      struct cbor_writer *out) {
        _cleanup_(mc_request_wipe) struct mc_request rq = { 0 };
        _cleanup_(mc_credential_done) struct mc_credential made = { .ctap = c, .rq = &rq };
        enum ctap_status s;

        s = mc_decode(c, &call->params, &rq);
        if (s == CTAP_OK)
                s = mc_authorize(c, &rq);
        if (s == CTAP_OK)
                s = mc_confirm(c, &rq, &made);
        if (s == CTAP_OK)
                s = mc_create(c, &made);
        if (s == CTAP_OK)
                mc_encode(&made, out);
        return s;
}
