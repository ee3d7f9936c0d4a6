/* SPDX-License-Identifier: BSD-2-Clause */

/* Which job is whose, and the TPM's part: what it holds and what a reset takes. */

#include "authenticator/manage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/manage-backup.h"
#include "authenticator/manage-credential.h"
#include "authenticator/manage-events.h"
#include "authenticator/manage-pin.h"
#include "authenticator/manage-register.h"
#include "authenticator/manage-reply.h"
#include "authenticator/manage-seed.h"
#include "authenticator/manage-uv.h"
#include "authenticator/manage-webauthn.h"
#include "authenticator/message.h"
#include "authenticator/presence.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"

static json_t *reset(struct backend *b, struct presence *p, const json_t *params) {
        const char *owner_auth = json_string_value(json_object_get(params, "owner_auth"));
        int r;

        r = backend_reset(b, owner_auth ? BYTES_TEXT(owner_auth) : BYTES_NULL);
        if (r == -EACCES || r == -EMSGSIZE)
                return control_error(PROTOCOL_E_OWNER_AUTH,
                                     "The TPM's owner hierarchy has %s password: nothing was "
                                     "erased. Run: tpmauthn reset, which asks for it.",
                                     owner_auth ? "another" : "a");
        if (r < 0)
                return manage_failed("The passkeys could not all be erased; repeat the reset", r);
        presence_forget_said(p);
        return control_result(json_object());
}

/* ---- doctor-info ---- */

static int count_row(void *userdata, const struct ctap_row *row) {
        (void)row;
        ++*(json_int_t *)userdata;
        return 0;
}

static json_t *describe_tpm(const struct tpm_info *i) {
        return json_pack("{s:s,s:s,s:I,s:I,s:I,s:b,s:b,s:b,s:b,s:b}", "manufacturer",
                         i->manufacturer, "vendor", i->vendor, "firmware_major",
                         (json_int_t)i->firmware_major, "firmware_minor",
                         (json_int_t)i->firmware_minor, "revision", (json_int_t)i->revision,
                         "simulator", i->is_simulator, "in_lockout", i->in_lockout, "p384",
                         i->has_p384, "owner_auth_set", i->owner_auth_set, "srk_present",
                         i->srk_present);
}

static json_t *describe_handles(const struct tpm_state *state) {
        struct tpm_facts facts;

        tpm_state_facts(state, &facts);
        return json_pack("{s:I,s:I,s:I}", "anchor", (json_int_t)facts.anchor, "counter",
                         (json_int_t)facts.counter, "worker", (json_int_t)facts.worker);
}

static json_t *doctor(struct backend *b, const json_t *params) {
        struct tpm_info info;
        struct tpm_state state;
        json_int_t n = 0;
        int r;

        (void)params;
        r = tpm_describe(backend_tpm(b), &info);
        if (r < 0)
                return manage_failed("The TPM could not be asked", r);
        r = store_get_tpm_state(backend_store(b), &state);
        if (r == 0)
                r = store_each(backend_store(b), count_row, &n);
        if (r < 0)
                return manage_failed("The store could not be read", r);

        return control_result(json_pack("{s:o,s:o,s:I,s:I}", "tpm", describe_tpm(&info), "handles",
                                        describe_handles(&state), "credentials", n, "remaining",
                                        (json_int_t)store_remaining(backend_store(b))));
}

/* ---- tpm ---- */

const char *manage_pin_kind(enum tpm_pin_kind kind) {
        switch (kind) {
        case TPM_PIN_FAIL:
                return "tpm";
        case TPM_PIN_ORDINARY:
                return "daemon";
        case TPM_PIN_NONE:
                break;
        }
        return "none";
}

const char *manage_hmac_kind(enum tpm_hmac_kind kind) {
        switch (kind) {
        case TPM_HMAC_COMMAND:
                return "hmac";
        case TPM_HMAC_SIGN:
                return "sign";
        case TPM_HMAC_UNSEAL:
                return "unseal";
        case TPM_HMAC_NONE:
                break;
        }
        return "none";
}

static json_t *describe_facts(const struct tpm_facts *f) {
        return json_pack("{s:I,s:I,s:I,s:I,s:I,s:s,s:s,s:b,s:b,s:b,s:b}", "anchor",
                         (json_int_t)f->anchor, "counter", (json_int_t)f->counter, "pin",
                         (json_int_t)f->pin, "tries", (json_int_t)f->tries, "worker",
                         (json_int_t)f->worker, "pin_kind", manage_pin_kind(f->pin_kind),
                         "hmac_kind", manage_hmac_kind(f->hmac_kind), "firmware", f->is_firmware,
                         "srk_persistent", f->srk_persistent, "p384", f->has_p384, "rsa2048",
                         f->has_rsa2048);
}

static json_t *describe_budgets(void) {
        size_t n;
        const struct tpm_budget *budgets = tpm_budgets(&n);
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, json_pack("{s:s,s:i}", "ceremony", budgets[i].ceremony,
                                                      "commands", (int)budgets[i].commands));
        return list;
}

static json_t *tpm(struct backend *b, const json_t *params) {
        struct tpm_facts facts;
        struct tpm_info info;
        struct tpm_state state;
        int r;

        (void)params;
        r = tpm_describe(backend_tpm(b), &info);
        if (r < 0)
                return manage_failed("The TPM could not be asked", r);
        r = store_get_tpm_state(backend_store(b), &state);
        if (r < 0)
                return manage_failed("The store could not be read", r);
        tpm_state_facts(&state, &facts);
        return control_result(
                json_pack("{s:o,s:o,s:s,s:o}", "tpm", describe_tpm(&info), "provisioned",
                          describe_facts(&facts), "sessions",
                          tpm_sessions_are_salted(backend_tpm(b)) ? "salted" : "password",
                          "budgets", describe_budgets()));
}

/* ---- jobs ---- */

static json_t *run(struct backend *b, struct presence *p, json_int_t call, const json_t *params) {
        if (!backend_ctap(b))
                return control_error(PROTOCOL_E_NOT_READY, "The device is not open.");

        switch ((enum control_call)call) {
        case CONTROL_LIST:
                return manage_list(b, params);
        case CONTROL_SHOW:
                return manage_show(b, params);
        case CONTROL_DELETE:
                return manage_delete(b, params);
        case CONTROL_CREDENTIALS:
                return manage_credentials(b, params);
        case CONTROL_SEED:
                return manage_seed(b, params);
        case CONTROL_REGISTER:
                return manage_register(b, params);
        case CONTROL_INVENTORY:
                return manage_inventory(b, params);
        case CONTROL_EVENTS:
                return manage_events(b, params);
        case CONTROL_BACKUP:
                return manage_backup(b, params);
        case CONTROL_RESTORE:
                return manage_restore(b, params);
        case CONTROL_RESET:
                return reset(b, p, params);
        case CONTROL_DOCTOR:
                return doctor(b, params);
        case CONTROL_TPM:
                return tpm(b, params);
        case CONTROL_PIN_STATUS:
                return manage_pin_status(backend_ctap(b));
        case CONTROL_PIN_SET:
                return manage_pin_set(backend_ctap(b), params);
        case CONTROL_PIN_CHANGE:
                return manage_pin_change(backend_ctap(b), params);
        case CONTROL_UV:
                return manage_uv(b, p, params);
        case CONTROL_STATUS:
        case CONTROL_REPLUG:
        case CONTROL_PRESENCE:
        case CONTROL_PROVISION:
        case CONTROL_FOLLOW:
        case CONTROL_FAIL_NEXT:
        case CONTROL_ATTESTATION_REQUEST:
        case CONTROL_ATTESTATION_ACTIVATE:
        case CONTROL_ATTESTATION_INSTALL:
        case CONTROL_ATTESTATION_SHOW:
        case CONTROL_ATTESTATION_REMOVE:
                break;
        }
        return control_error(PROTOCOL_E_UNKNOWN_METHOD, "This is not for the worker.");
}

char *manage_job(const struct control_request *rq) {
        _cleanup_(json_drop) json_t *job =
                json_pack("{s:i,s:O}", "call", (int)rq->method->call, "params", rq->params);

        return job ? json_dumps(job, JSON_COMPACT) : NULL;
}

void manage_run(struct backend *b, struct presence *p, struct bytes in, struct buf *reply) {
        _cleanup_(json_drop) json_t *job = NULL, *body = NULL;
        _cleanup_(free_pointer) char *line = NULL;

        job = json_loadb((const char *)in.data, in.len, 0, NULL);
        if (job)
                body = run(b, p, json_integer_value(json_object_get(job, "call")),
                           json_object_get(job, "params"));
        if (body)
                line = json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII);
        buf_put(reply, BYTES_TEXT(line ? line
                                       : "{\"error\":{\"code\":\"" PROTOCOL_E_FAILED
                                         "\",\"message\":\"Out of memory.\"}}"));
}
