/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an answer has to be before anything of it is kept: for this machine, for the request that is open,
 * in time; opened by the TPM alone; and certificates that attest.
 */

#include "authenticator/enrolment-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/attestation-state.h"
#include "authenticator/backend.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "ctap/attestation.h"

/* ---- activate ---- */

static bool is_too_old(const struct attestation_request *request) {
        return (int64_t)time(NULL) > request->created + ATTESTATION_REQUEST_DAYS * INT64_C(86400);
}

/* NULL, or the error. */
static json_t *find_request(const struct enrolment *e, struct attestation_request *ret) {
        int r = attestation_request_read(e->config->state_directory, ret);

        if (r == -EBADMSG)
                return control_error(
                        PROTOCOL_E_NOT_FOUND,
                        "What is kept of the request is damaged. Make another: tpmauthn "
                        "attestation request.");
        if (r < 0 && r != -ENOENT)
                return enrolment_failed_files(r);
        if (r == -ENOENT || !ret->open)
                return control_error(PROTOCOL_E_NOT_FOUND,
                                     "No request of this machine is open%s. Make one: tpmauthn "
                                     "attestation request.",
                                     r == -ENOENT ? "" : ": the last one was answered");
        if (is_too_old(ret))
                return control_error(PROTOCOL_E_NOT_FOUND,
                                     "The request of this machine is older than %d days. Make "
                                     "another: tpmauthn attestation request.",
                                     ATTESTATION_REQUEST_DAYS);
        return NULL;
}

/* NULL, or the error. */
static json_t *challenge_tpm(const struct enrolment *e, struct tpm *t,
                             const struct attestation_request *request,
                             const struct attestation_answer *answer, struct tpm_activated *ret) {
        const struct tpm_challenge challenge = { answer->credential, answer->secret };
        struct tpm_attestation_key key;
        int r = attestation_state_read_key(e->config->state_directory, &key);

        if (r == -ENOENT)
                return control_error(PROTOCOL_E_NOT_FOUND, "There is no attestation key here.");
        if (r == 0)
                r = tpm_ek_activate(t, &request->ek, &key, &challenge, ret);
        switch (r) {
        case -EBADMSG:
                return control_error(PROTOCOL_E_ANSWER,
                                     "The answer's \"credential\" or \"secret\" is not what a TPM "
                                     "takes, or the kept attestation key is damaged.");
        case -EKEYREJECTED:
                return control_error(PROTOCOL_E_ANSWER,
                                     "The TPM refuses the answer: it was made for another TPM or "
                                     "another attestation key, or was changed on its way.");
        case -ESTALE:
                return control_error(
                        PROTOCOL_E_NOT_FOUND,
                        "The TPM is another one than the request was made with, or was "
                        "cleared since. Begin anew: tpmauthn attestation request.");
        default:
                return r < 0 ? enrolment_failed_endorsement(e, r) : NULL;
        }
}

json_t *enrolment_activate(struct enrolment *e, const json_t *params) {
        _cleanup_(tpm_activated_wipe) struct tpm_activated activated = { 0 };
        _cleanup_(tpm_free_pointer) struct tpm *t = NULL;
        struct attestation_request request;
        struct attestation_answer answer;
        struct log_context log;
        json_t *error;
        int r;

        error = attestation_answer_read(json_object_get(params, "answer"), &answer);
        if (error)
                return error;
        if (answer.kind != ATTESTATION_ANSWER_CREDENTIAL)
                return control_error(PROTOCOL_E_ANSWER,
                                     "This is nothing to activate. Try: tpmauthn attestation "
                                     "install.");
        error = find_request(e, &request);
        if (error)
                return error;
        error = enrolment_open_tpm(e, &log, &t);
        if (error)
                return error;
        error = challenge_tpm(e, t, &request, &answer, &activated);
        if (error)
                return error;
        request.activated = true;
        r = attestation_request_write(e->config->state_directory, &request);
        if (r < 0)
                return enrolment_failed_files(r);
        return control_result(json_pack("{s:o}", "secret",
                                        attestation_base64(BYTES(activated.b, activated.len))));
}

/* ---- install ---- */

/*
 * NULL, or why this answer is not for this machine, not for this request, or too late. Certificates alone
 * say nothing of that: that this TPM opened a challenge for the request stands for it.
 */
static json_t *check_address(const struct attestation_answer *a,
                             const struct attestation_request *request,
                             const struct tpm_attestation_facts *key) {
        char expires[ATTESTATION_TIME_SIZE + 1];

        if (a->kind == ATTESTATION_ANSWER_CHAIN)
                return request->activated
                               ? NULL
                               : control_error(PROTOCOL_E_ANSWER,
                                               "These are certificates alone, and the request that "
                                               "is open was not activated. First comes: tpmauthn "
                                               "attestation activate.");
        if (!bytes_equal(BYTES_OF(a->ek), BYTES_OF(request->ek.id)))
                return control_error(PROTOCOL_E_FOREIGN,
                                     "The answer is for another machine: it was made for another "
                                     "TPM's endorsement key.");
        if (!bytes_equal(BYTES_OF(a->ak), BYTES_OF(key->name)))
                return control_error(PROTOCOL_E_FOREIGN,
                                     "The answer is for another attestation key than this machine "
                                     "has now.");
        if (!bytes_equal(BYTES_OF(a->request), BYTES_OF(request->nonce)))
                return control_error(
                        PROTOCOL_E_ANSWER,
                        "The answer is to another request of this machine than the one "
                        "that is open: an answer is taken once, and a newer request "
                        "takes an older one's place.");
        if (a->expires <= (int64_t)time(NULL)) {
                attestation_time_write(a->expires, expires);
                return control_error(PROTOCOL_E_ANSWER,
                                     "The answer has expired (%s). Make another request: tpmauthn "
                                     "attestation request.",
                                     expires);
        }
        return NULL;
}

/* The chain in PEM, out of a whole answer. NULL, or the error. */
static json_t *open_answer(const struct enrolment *e, struct tpm *t,
                           const struct attestation_request *request,
                           const struct attestation_answer *answer, struct buf *pem) {
        _cleanup_(tpm_activated_wipe) struct tpm_activated activated = { 0 };
        _cleanup_(secret32_wipe) struct secret32 secret = { 0 };
        json_t *error = challenge_tpm(e, t, request, answer, &activated);
        int r;

        if (error)
                return error;
        if (activated.len != sizeof(secret.b))
                return control_error(PROTOCOL_E_ANSWER,
                                     "The secret in the answer has %u bytes and not %zu.",
                                     (unsigned)activated.len, sizeof(secret.b));
        memcpy(secret.b, activated.b, sizeof(secret.b));
        r = attestation_answer_open(answer, &secret, pem);
        if (r == -EBADMSG)
                return control_error(PROTOCOL_E_ANSWER,
                                     "The certificates in the answer do not open with its secret: "
                                     "they were changed on their way.");
        return r < 0 ? manage_failed("The answer could not be opened", r) : NULL;
}

static json_t *refuse_chain(const char *reason, int error) {
        if (error != -EINVAL)
                return manage_failed("The certificates could not be checked", error);
        return control_error(PROTOCOL_E_ANSWER, "The answer's certificates are refused. %s.",
                             reason);
}

/* NULL, or the error. */
static json_t *read_chain(const struct enrolment *e, struct tpm *t,
                          const struct attestation_request *request,
                          const struct attestation_answer *answer, struct buf *storage,
                          struct attestation_chain *ret) {
        uint8_t text[ATTESTATION_SEALED_MAX];
        char why[512] = "";
        struct buf pem = BUF_ON(text), reason = { (uint8_t *)why, 0, sizeof(why) - 1, false };
        json_t *error;
        int r;

        if (answer->kind == ATTESTATION_ANSWER_CHAIN) {
                *ret = answer->chain;
                return NULL;
        }
        error = open_answer(e, t, request, answer, &pem);
        if (error)
                return error;
        r = attestation_chain_read(buf_bytes(&pem), storage, ret, &reason);
        return r < 0 ? refuse_chain(why, r) : NULL;
}

int enrolment_read_roots(const char *path, struct buf *to) {
        _cleanup_(close_fd_pointer) int fd = -1;
        ssize_t n;

        if (!*path)
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        do {
                n = read(fd, to->data + to->len, to->cap - to->len);
                to->len += n > 0 ? (size_t)n : 0;
        } while (n > 0 && to->len < to->cap);
        if (n < 0)
                return -errno;
        return to->len == to->cap ? -EMSGSIZE : 0;
}

/* NULL, or the error. */
static json_t *check_chain(const struct enrolment *e, struct tpm *t,
                           const struct tpm_attestation_facts *key,
                           const struct attestation_chain *chain) {
        uint8_t public[CTAP_SPKI_MAX], roots[ENROLMENT_ROOTS_MAX];
        struct buf spki = BUF_ON(public), to = BUF_ON(roots);
        char why[512] = "";
        struct buf reason = { (uint8_t *)why, 0, sizeof(why) - 1, false };
        struct attestation_wants wants = { .now = (int64_t)time(NULL),
                                           .bytes_max = ctap_attestation_room(CTAP_KEY_P256) };
        struct tpm_info info;
        int r;

        r = enrolment_read_roots(e->config->attestation_root, &to);
        if (r < 0)
                return control_error(PROTOCOL_E_FAILED, "[attestation] root = %s: %s.",
                                     e->config->attestation_root,
                                     r == -EMSGSIZE ? "it is too long" : strerror(-r));
        r = tpm_describe(t, &info);
        if (r < 0)
                return enrolment_failed(e, r);
        ctap_spki_put(&spki, &key->public_key);
        wants.key = buf_bytes(&spki);
        wants.any_issuer = !*e->config->attestation_root;
        wants.roots = buf_bytes(&to);
        wants.aaguid = backend_aaguid_of(info.is_simulator);
        r = attestation_chain_check(chain, &wants, &reason);
        return r < 0 ? refuse_chain(why, r) : NULL;
}

/* The request is closed last: an answer that was kept and not yet used up can be given once more. */
static json_t *keep(struct enrolment *e, const struct attestation_chain *chain,
                    struct attestation_request *request) {
        uint8_t storage[ATTESTATION_FILE_MAX];
        struct buf pem = BUF_ON(storage);
        int r = attestation_chain_write(chain, &pem);

        if (r == 0)
                r = attestation_state_write(e->config->state_directory, ATTESTATION_CHAIN,
                                            buf_bytes(&pem));
        if (r < 0)
                return enrolment_failed_files(r);
        e->changed = true;
        request->open = request->activated = false;
        r = attestation_request_write(e->config->state_directory, request);
        if (r < 0)
                return enrolment_failed_files(r);
        log_write(e->log, LOG_NOTICE, NULL,
                  "attestation: certificates of this machine were installed");
        return enrolment_describe(e);
}

static json_t *find_facts(const struct enrolment *e, struct tpm_attestation_facts *ret) {
        struct tpm_attestation_key key;
        int r = attestation_state_read_key(e->config->state_directory, &key);

        if (r == 0)
                r = tpm_attestation_key_facts(&key, ret);
        if (r == -ENOENT || r == -EBADMSG)
                return control_error(PROTOCOL_E_NOT_FOUND,
                                     "There is no attestation key here, or it is damaged. Begin "
                                     "anew: tpmauthn attestation request.");
        return r < 0 ? enrolment_failed_files(r) : NULL;
}

static json_t *install_answer(struct enrolment *e, const struct attestation_answer *answer) {
        _cleanup_(tpm_free_pointer) struct tpm *t = NULL;
        uint8_t der[ATTESTATION_SEALED_MAX];
        struct buf storage = BUF_ON(der);
        struct tpm_attestation_facts key;
        struct attestation_request request;
        struct attestation_chain chain;
        struct log_context log;
        json_t *error;

        error = find_request(e, &request);
        if (!error)
                error = find_facts(e, &key);
        if (!error)
                enrolment_set_key(e, &key);
        if (!error)
                error = check_address(answer, &request, &key);
        if (error)
                return error;
        error = enrolment_open_tpm(e, &log, &t);
        if (error)
                return error;
        error = read_chain(e, t, &request, answer, &storage, &chain);
        if (!error)
                error = check_chain(e, t, &key, &chain);
        return error ? error : keep(e, &chain, &request);
}

json_t *enrolment_install(struct enrolment *e, const json_t *params) {
        struct attestation_answer answer;
        json_t *error = attestation_answer_read(json_object_get(params, "answer"), &answer);

        if (error)
                return error;
        if (answer.kind == ATTESTATION_ANSWER_CREDENTIAL)
                return control_error(PROTOCOL_E_ANSWER,
                                     "There are no certificates in this answer. Its secret is for "
                                     "who made it: tpmauthn attestation activate.");
        return install_answer(e, &answer);
}
