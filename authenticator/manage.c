/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A credential is named by its id in hex, or by a prefix that only one has. A list is given in
 * pages that end where the next entry might not fit into a line of the protocol; "next" is what
 * "after" of the following request must be.
 */

#include "authenticator/manage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/manage-pin.h"
#include "authenticator/message.h"
#include "authenticator/protocol.h"
#include "authenticator/util.h"
#include "ctap/credential.h"

/* A page is closed above this. The longest entry is about 4 KiB: 447 bytes, escaped sixfold. */
#define PAGE_BYTES (PROTOCOL_LINE_MAX - 8192)

#define STOP_WALK 1

#define TEXT_MAX 255 /* bytes of a site's id; names are shorter */

/* ---- one credential as JSON ---- */

static json_t *hex(struct bytes b) {
        char text[2 * 64 + 1] = "";

        for (size_t i = 0; i < b.len && i < 64; i++)
                snprintf(text + 2 * i, 3, "%02x", b.data[i]);
        return json_string(text);
}

/*
 * A site may put a NUL into a name. JSON has a way to write it, but its readers in C, ours among
 * them, refuse the whole line or end the text there, so that it is shown as what cannot be shown.
 */
static json_t *text(struct bytes b) {
        uint8_t storage[3 * TEXT_MAX];
        struct buf shown = BUF_ON(storage);
        json_t *s = NULL;

        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] == 0)
                        buf_put(&shown, BYTES_TEXT("\xef\xbf\xbd"));
                else
                        buf_put_u8(&shown, b.data[i]);
        if (buf_error(&shown) == 0)
                s = json_stringn((const char *)shown.data, shown.len);
        return s ? s : json_null();
}

static void set_record(json_t *entry, const struct ctap_record *record) {
        json_object_set_new(entry, "rp_id",
                            record->rp_id.len > 0 ? text(record->rp_id) : json_null());
        json_object_set_new(entry, "user_id", hex(record->user_id));
        if (record->has_user_name)
                json_object_set_new(entry, "user_name", text(record->user_name));
        if (record->has_display_name)
                json_object_set_new(entry, "user_display_name", text(record->user_display_name));
}

static json_t *describe(const struct ctap_credential_keys *keys, const struct ctap_row *row) {
        uint8_t storage[sizeof(row->sealed)];
        struct buf opened = BUF_ON(storage);
        struct ctap_record record;
        json_t *entry;

        entry = json_pack("{s:o,s:I,s:I,s:I,s:I,s:i,s:i,s:s,s:b,s:b,s:b,s:b}", "credential",
                          hex(BYTES_OF(row->id)), "sequence", (json_int_t)row->sequence, "created",
                          (json_int_t)row->created, "last_used", (json_int_t)row->last_used,
                          "count", (json_int_t)row->count, "algorithm", (int)row->alg,
                          "cred_protect", (int)row->cred_protect, "class",
                          row->class == CTAP_CLASS_B ? "pin" : "presence", "discoverable",
                          (row->flags & CTAP_ROW_DISCOVERABLE) != 0, "u2f",
                          (row->flags & CTAP_ROW_U2F) != 0, "large_blob_key",
                          (row->flags & CTAP_ROW_LARGE_BLOB_KEY) != 0, "third_party_payment",
                          (row->flags & CTAP_ROW_THIRD_PARTY_PAYMENT) != 0);
        if (!entry)
                return NULL;

        if (ctap_record_open(keys, NULL, row, &opened, &record) == 0)
                set_record(entry, &record);
        else
                json_object_set_new(entry, "damaged", json_true());
        return entry;
}

static int derive_keys(struct backend *b, struct ctap_credential_keys *ret) {
        struct ctap_store *store = vault_store(backend_vault(b));

        return ctap_credential_keys_derive(store->ops->key(store), ret);
}

static json_t *failed(const char *what, int error) {
        return control_error(PROTOCOL_E_FAILED, "%s: %s. The daemon's log says more.", what,
                             strerror(-error));
}

/* ---- list ---- */

struct page {
        const struct ctap_credential_keys *keys;
        uint64_t after;
        json_t *entries;
        size_t bytes;
        uint64_t last;
        bool more;
};

static int add_to_page(void *userdata, const struct ctap_row *row) {
        struct page *page = userdata;
        json_t *entry;

        if (row->sequence <= page->after)
                return 0;
        if (page->bytes > PAGE_BYTES) {
                page->more = true;
                return STOP_WALK;
        }

        entry = describe(page->keys, row);
        if (!entry)
                return -ENOMEM;
        page->bytes += json_dumpb(entry, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII) + 1;
        page->last = row->sequence;
        return json_array_append_new(page->entries, entry) < 0 ? -ENOMEM : 0;
}

static json_t *list(struct backend *b, const json_t *params) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys keys;
        json_int_t after = json_integer_value(json_object_get(params, "after"));
        struct page page = { .keys = &keys, .after = after > 0 ? (uint64_t)after : 0 };
        json_t *result;
        int r;

        r = derive_keys(b, &keys);
        if (r < 0)
                return failed("The passkeys could not be listed", r);

        page.entries = json_array();
        r = store_each(backend_store(b), add_to_page, &page);
        if (r < 0) {
                json_decref(page.entries);
                return failed("The passkeys could not be listed", r);
        }

        result = json_pack("{s:o}", "credentials", page.entries);
        if (page.more)
                json_object_set_new(result, "next", json_integer((json_int_t)page.last));
        return control_result(result);
}

/* ---- one credential ---- */

struct search {
        const char *prefix;
        unsigned n; /* how many have it, up to 2 */
        struct ctap_row row;
};

static int compare_prefix(void *userdata, const struct ctap_row *row) {
        struct search *s = userdata;
        char text_of_id[2 * CTAP_CREDENTIAL_ID_SIZE + 1];

        for (size_t i = 0; i < sizeof(row->id.b); i++)
                snprintf(text_of_id + 2 * i, 3, "%02x", row->id.b[i]);
        if (strncmp(text_of_id, s->prefix, strlen(s->prefix)) != 0)
                return 0;
        s->row = *row;
        return ++s->n > 1 ? STOP_WALK : 0;
}

/* NULL if exactly one credential is meant, else the error. */
static json_t *find(struct backend *b, const json_t *params, struct search *ret) {
        const char *id = json_string_value(json_object_get(params, "credential"));
        struct search s = { .prefix = id };
        int r;

        if (strlen(id) < PROTOCOL_PREFIX_MIN || strspn(id, "0123456789abcdef") != strlen(id))
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "A passkey is named by at least %d hex digits (0-9, a-f).",
                                     PROTOCOL_PREFIX_MIN);

        r = store_each(backend_store(b), compare_prefix, &s);
        if (r < 0)
                return failed("The passkeys could not be searched", r);
        if (s.n == 0)
                return control_error(PROTOCOL_E_NOT_FOUND,
                                     "There is no passkey whose id begins so.");
        if (s.n > 1)
                return control_error(PROTOCOL_E_AMBIGUOUS,
                                     "More than one passkey begins so; give more digits.");
        *ret = s;
        return NULL;
}

static json_t *show(struct backend *b, const json_t *params) {
        _cleanup_(ctap_credential_keys_wipe) struct ctap_credential_keys keys;
        struct search s;
        json_t *error;
        int r;

        r = derive_keys(b, &keys);
        if (r < 0)
                return failed("The passkey could not be read", r);
        error = find(b, params, &s);
        return error ? error : control_result(describe(&keys, &s.row));
}

static json_t *delete (struct backend *b, const json_t *params) {
        struct search s;
        json_t *error;
        int r;

        error = find(b, params, &s);
        if (error)
                return error;
        r = store_delete(backend_store(b), &s.row.id);
        if (r < 0)
                return failed("The passkey could not be deleted", r);
        return control_result(json_pack("{s:o}", "credential", hex(BYTES_OF(s.row.id))));
}

static json_t *reset(struct backend *b, const json_t *params) {
        const char *owner_auth = json_string_value(json_object_get(params, "owner_auth"));
        int r;

        r = backend_reset(b, owner_auth ? BYTES_TEXT(owner_auth) : BYTES_NULL);
        if (r == -EACCES || r == -EMSGSIZE)
                return control_error(PROTOCOL_E_OWNER_AUTH,
                                     "The TPM's owner hierarchy has %s password: nothing was "
                                     "erased. Run: tpmauthn reset, which asks for it.",
                                     owner_auth ? "another" : "a");
        if (r < 0)
                return failed("The passkeys could not all be erased; repeat the reset", r);
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
                return failed("The TPM could not be asked", r);
        r = store_get_tpm_state(backend_store(b), &state);
        if (r == 0)
                r = store_each(backend_store(b), count_row, &n);
        if (r < 0)
                return failed("The store could not be read", r);

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
                return failed("The TPM could not be asked", r);
        r = store_get_tpm_state(backend_store(b), &state);
        if (r < 0)
                return failed("The store could not be read", r);
        tpm_state_facts(&state, &facts);
        return control_result(
                json_pack("{s:o,s:o,s:s,s:o}", "tpm", describe_tpm(&info), "provisioned",
                          describe_facts(&facts), "sessions",
                          tpm_sessions_are_salted(backend_tpm(b)) ? "salted" : "password",
                          "budgets", describe_budgets()));
}

/* ---- jobs ---- */

static json_t *run(struct backend *b, json_int_t call, const json_t *params) {
        if (!backend_ctap(b))
                return control_error(PROTOCOL_E_NOT_READY, "The device is not open.");

        switch ((enum control_call)call) {
        case CONTROL_LIST:
                return list(b, params);
        case CONTROL_SHOW:
                return show(b, params);
        case CONTROL_DELETE:
                return delete (b, params);
        case CONTROL_RESET:
                return reset(b, params);
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
        case CONTROL_STATUS:
        case CONTROL_REPLUG:
        case CONTROL_PRESENCE:
        case CONTROL_PROVISION:
                break;
        }
        return control_error(PROTOCOL_E_UNKNOWN_METHOD, "This is not for the worker.");
}

char *manage_job(const struct control_request *rq) {
        _cleanup_(json_drop) json_t *job =
                json_pack("{s:i,s:O}", "call", (int)rq->method->call, "params", rq->params);

        return job ? json_dumps(job, JSON_COMPACT) : NULL;
}

void manage_run(struct backend *b, struct bytes in, struct buf *reply) {
        _cleanup_(json_drop) json_t *job = NULL, *body = NULL;
        _cleanup_(free_pointer) char *line = NULL;

        job = json_loadb((const char *)in.data, in.len, 0, NULL);
        if (job)
                body = run(b, json_integer_value(json_object_get(job, "call")),
                           json_object_get(job, "params"));
        if (body)
                line = json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII);
        buf_put(reply, BYTES_TEXT(line ? line
                                       : "{\"error\":{\"code\":\"" PROTOCOL_E_FAILED
                                         "\",\"message\":\"Out of memory.\"}}"));
}
