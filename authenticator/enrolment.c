/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The methods: which files and which TPM commands in which order. What is told of each file by itself is
 * true after any crash: a key without certificates attests to nothing, certificates that are not of the
 * key are not used, and a request is open until its answer was kept.
 */

#include "authenticator/enrolment-internal.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/attestation-state.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"

/* ---- what all of them need ---- */

json_t *enrolment_failed(const struct enrolment *e, int error) {
        switch (error) {
        case -ENODEV:
                return control_error(PROTOCOL_E_FAILED, "No TPM 2.0 answers at %s.",
                                     e->config->tpm);
        case -ENOTSUP:
                return control_error(
                        PROTOCOL_E_FAILED,
                        "The TPM lacks something that is needed. The daemon's log says "
                        "what.");
        default:
                return manage_failed("The TPM could not be used", error);
        }
}

json_t *enrolment_failed_files(int error) {
        return manage_failed("The files of the attestation could not be read or written", error);
}

static json_t *refuse_password(const char *whose) {
        return control_error(PROTOCOL_E_OWNER_AUTH,
                             "The TPM's owner hierarchy has %s, and that is needed for this.",
                             *whose ? "another password" : "a password");
}

json_t *enrolment_failed_endorsement(const struct enrolment *e, int error) {
        switch (error) {
        case -EACCES:
                return control_error(PROTOCOL_E_FAILED,
                                     "The TPM's endorsement hierarchy has a password. Take it away "
                                     "for as long as this takes: tpm2_changeauth -c e.");
        case -EKEYREJECTED:
                return control_error(PROTOCOL_E_FAILED,
                                     "The certificate of the endorsement key that is in the TPM is "
                                     "for another key than this TPM's. The daemon's log says where "
                                     "it is.");
        default:
                return enrolment_failed(e, error);
        }
}

static int open_tpm(const struct enrolment *e, struct log_context *log, struct tpm **ret) {
        const struct config *c = e->config;
        const struct tpm_options options = {
                .tcti = c->tpm,
                .fd = -1,
                .nv_first = c->nv.first,
                .nv_last = c->nv.last,
                .persistent_first = c->persistent.first,
                .persistent_last = c->persistent.last,
                .persist_srk = c->persist_srk,
                .sessions = c->sessions,
                .log = log_forward,
                .userdata = log,
        };

        *log = (struct log_context){ e->log, NULL };
        return tpm_new(&options, ret);
}

/* NULL, or the error. The log context is the TPM's for as long as that lives. */
json_t *enrolment_open_tpm(const struct enrolment *e, struct log_context *log, struct tpm **ret) {
        int r;

        if (strcmp(e->config->tpm, "swtpm") == 0)
                return control_error(
                        PROTOCOL_E_FAILED,
                        "With [tpm] tpm = swtpm each device has a simulator of its own, "
                        "and the machine has no TPM.");
        r = open_tpm(e, log, ret);
        return r < 0 ? enrolment_failed(e, r) : NULL;
}

/* With the owner's password, if one came with the request. */
static json_t *open_tpm_as_owner(const struct enrolment *e, const json_t *params,
                                 struct log_context *log, struct tpm **ret) {
        const char *password = json_string_value(json_object_get(params, "owner_auth"));
        json_t *error = enrolment_open_tpm(e, log, ret);
        int r = 0;

        if (error)
                return error;
        if (password)
                r = tpm_set_owner_auth(*ret, BYTES_TEXT(password));
        if (r == -EMSGSIZE)
                return refuse_password(password);
        return r < 0 ? enrolment_failed(e, r) : NULL;
}

void enrolment_set_key(struct enrolment *e, const struct tpm_attestation_facts *key) {
        e->has_key = true;
        memcpy(e->key.b, key->name + 2, sizeof(e->key.b));
}

/* ---- request ---- */

/* Whoever's key that is, it is no use here. */
static int drop_files(const struct enrolment *e) {
        static const enum attestation_file files[] = { ATTESTATION_CHAIN, ATTESTATION_REQUEST,
                                                       ATTESTATION_KEY };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(files); i++)
                r = attestation_state_remove(e->config->state_directory, files[i]);
        return r;
}

static int make_key(const struct enrolment *e, struct tpm *t, struct tpm_attestation_key *ret) {
        return tpm_attestation_key_create(t, e->config->attestation_persistent,
                                          attestation_state_save_key, e->config->state_directory,
                                          ret);
}

/* -ESTALE, -EBADMSG and -EKEYREJECTED: what is kept is no key of this TPM. */
static int find_key(const struct enrolment *e, struct tpm *t, struct tpm_attestation_key *ret) {
        struct tpm_attestation_facts facts;
        int r = attestation_state_read_key(e->config->state_directory, ret);

        if (r == 0)
                r = tpm_attestation_key_facts(ret, &facts);
        if (r == 0 && facts.certificate.len == 0)
                r = -EBADMSG;
        return r < 0 ? r : tpm_attestation_key_check(t, ret);
}

static bool is_useless(int error) {
        return error == -ESTALE || error == -EBADMSG || error == -EKEYREJECTED;
}

static int find_or_make_key(struct enrolment *e, struct tpm *t, struct tpm_attestation_key *ret) {
        int r = find_key(e, t, ret);

        if (is_useless(r)) {
                log_write(e->log, LOG_NOTICE, NULL,
                          "attestation: the key that was kept is not of this TPM, or damaged; "
                          "making a new one");
                e->changed = true;
                r = drop_files(e);
                if (r == 0)
                        r = -ENOENT;
        }
        return r == -ENOENT ? make_key(e, t, ret) : r;
}

static json_t *failed_key(const struct enrolment *e, const json_t *params, int error) {
        const char *password = json_string_value(json_object_get(params, "owner_auth"));

        if (error == -EACCES)
                return refuse_password(password ? password : "");
        if (is_useless(error))
                return control_error(
                        PROTOCOL_E_NOT_FOUND,
                        "The attestation key that is kept is not of this TPM, or "
                        "damaged: the TPM was cleared or replaced. Begin anew: tpmauthn "
                        "attestation request.");
        return enrolment_failed(e, error);
}

static int make_request(const struct enrolment *e, const struct tpm_ek *ek,
                        struct attestation_request *ret) {
        struct attestation_request made = { .open = true, .created = (int64_t)time(NULL) };
        int r = tpm_ek_ref(ek, &made.ek);

        if (r < 0)
                return r;
        if (RAND_bytes(made.nonce, sizeof(made.nonce)) != 1)
                return -EIO;
        r = attestation_request_write(e->config->state_directory, &made);
        if (r == 0)
                *ret = made;
        return r;
}

static json_t *write_bundle(struct enrolment *e, struct tpm *t,
                            const struct tpm_attestation_key *key, const char *machine) {
        struct tpm_attestation_facts facts;
        struct attestation_subject subject = { .key = &facts, .machine = machine };
        struct attestation_request request;
        struct tpm_info info;
        struct tpm_ek ek;
        int r = tpm_ek_read(t, &ek);

        if (r < 0)
                return enrolment_failed_endorsement(e, r);
        r = tpm_describe(t, &info);
        if (r == 0)
                r = tpm_attestation_key_facts(key, &facts);
        if (r < 0)
                return enrolment_failed(e, r);
        r = make_request(e, &ek, &request);
        if (r < 0)
                return enrolment_failed_files(r);
        enrolment_set_key(e, &facts);
        subject.info = &info;
        subject.ek = &ek;
        return control_result(json_pack("{s:o}", "bundle", attestation_bundle(&request, &subject)));
}

static json_t *request(struct enrolment *e, const json_t *params) {
        const char *machine = json_string_value(json_object_get(params, "machine"));
        const bool renew = json_is_true(json_object_get(params, "renew"));
        _cleanup_(tpm_free_pointer) struct tpm *t = NULL;
        struct tpm_attestation_key key;
        struct log_context log;
        json_t *error;
        int r;

        if (machine && (!*machine || strlen(machine) > ATTESTATION_MACHINE_MAX))
                return control_error(PROTOCOL_E_BAD_REQUEST, "\"machine\" has 1 to %d bytes.",
                                     ATTESTATION_MACHINE_MAX);
        error = open_tpm_as_owner(e, params, &log, &t);
        if (error)
                return error;
        r = renew ? find_key(e, t, &key) : find_or_make_key(e, t, &key);
        if (r == -ENOENT)
                return control_error(
                        PROTOCOL_E_NOT_FOUND,
                        "There is no attestation key here to renew the certificate of. "
                        "Begin with: tpmauthn attestation request.");
        return r < 0 ? failed_key(e, params, r) : write_bundle(e, t, &key, machine);
}

/* ---- remove ---- */

/* The TPM first: it is what may say no. */
static json_t *remove_key(struct enrolment *e, const json_t *params) {
        _cleanup_(tpm_free_pointer) struct tpm *t = NULL;
        struct tpm_attestation_facts facts;
        struct tpm_attestation_key key;
        struct log_context log;
        json_t *error;
        int r = attestation_state_read_key(e->config->state_directory, &key);
        const bool existed = r != -ENOENT;

        if (r == 0 && tpm_attestation_key_facts(&key, &facts) == 0)
                enrolment_set_key(e, &facts);
        if (r == 0) {
                error = open_tpm_as_owner(e, params, &log, &t);
                if (error)
                        return error;
                r = tpm_attestation_key_remove(t, &key);
        }
        if (r < 0 && r != -ENOENT && !is_useless(r))
                return failed_key(e, params, r);
        e->changed = existed;
        r = drop_files(e);
        if (r < 0)
                return enrolment_failed_files(r);
        if (existed)
                log_write(e->log, LOG_NOTICE, NULL,
                          "attestation: the key of this machine was removed");
        return control_result(json_pack("{s:b}", "removed", existed));
}

json_t *enrolment_run(struct enrolment *e, enum control_call call, const json_t *params) {
        switch ((unsigned)call) {
        case CONTROL_ATTESTATION_REQUEST:
                return request(e, params);
        case CONTROL_ATTESTATION_ACTIVATE:
                return enrolment_activate(e, params);
        case CONTROL_ATTESTATION_INSTALL:
                return enrolment_install(e, params);
        case CONTROL_ATTESTATION_SHOW:
                return enrolment_describe(e);
        case CONTROL_ATTESTATION_REMOVE:
                return remove_key(e, params);
        default:
                return control_error(PROTOCOL_E_UNKNOWN_METHOD, "This is not for the machine.");
        }
}

/* ---- for the administrator ---- */

static bool is_rejection(const json_t *body) {
        const char *code =
                json_string_value(json_object_get(json_object_get(body, "error"), "code"));

        return code &&
               (strcmp(code, PROTOCOL_E_ANSWER) == 0 || strcmp(code, PROTOCOL_E_FOREIGN) == 0);
}

/* What was asked for and done. False: nothing was, or it is nobody's concern. */
static bool what_was_done(enum control_call call, const json_t *result, enum audit_what *ret) {
        switch ((unsigned)call) {
        case CONTROL_ATTESTATION_REQUEST:
                *ret = AUDIT_ATTESTATION_REQUESTED;
                return result;
        case CONTROL_ATTESTATION_INSTALL:
                *ret = AUDIT_ATTESTATION_INSTALLED;
                return result;
        case CONTROL_ATTESTATION_REMOVE:
                *ret = AUDIT_ATTESTATION_REMOVED;
                return json_is_true(json_object_get(result, "removed"));
        default:
                return false;
        }
}

bool enrolment_audit(const struct enrolment *e, enum control_call call, const json_t *body,
                     struct audit_event *ret) {
        struct audit_event event = { .op = AUDIT_OP_ATTEST, .has_key = e->has_key, .key = e->key };

        if (is_rejection(body))
                event.what = AUDIT_ATTESTATION_REJECTED;
        else if (!what_was_done(call, json_object_get(body, "result"), &event.what))
                return false;
        *ret = event;
        return true;
}
