/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The table of events, and how one is written. Ids are for good: whoever filters by one must find the
 * same thing under it in the next version. docs/audit.md and the catalog of the journal have the same
 * table, which a test compares.
 */

#include "authenticator/audit-event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "authenticator/outcome.h"
#include "ctap/crypto.h"
#include "ctap/status.h"

static const struct row {
        const char *id; /* MESSAGE_ID */
        const char *name;
        int priority;
        const char *result; /* where the event itself says no more */
        const char *message;
} rows[_AUDIT_EVENTS] = {
        [AUDIT_CREATED] = { "40faa6f744c84f29952e9d4ca7618e18", "created", LOG_NOTICE, "ok",
                            "A passkey was made" },
        [AUDIT_USED] = { "2159906bef904ddb886f902e06b0814a", "used", LOG_INFO, "ok",
                         "A passkey was used" },
        [AUDIT_REFUSED] = { "4e6489f5bb9a4ba58ce38cd33d1819e4", "refused", LOG_NOTICE, "refused",
                            "A question was not answered with yes" },
        [AUDIT_FAILED] = { "af7c4a8cab354d29b58c8ef75b03e36b", "failed", LOG_WARNING, "failed",
                           "What a client asked for failed" },
        [AUDIT_PIN_WRONG] = { "3269dd559503420a8cf084ea97fb3a02", "pin-wrong", LOG_WARNING,
                              "wrong-pin", "A wrong PIN was given" },
        [AUDIT_PIN_BLOCKED] = { "39b279c3baee419c888b4ea5667b18ac", "pin-blocked", LOG_WARNING,
                                "pin-blocked",
                                "The PIN is blocked: only a reset makes a new one possible" },
        [AUDIT_PIN_SET] = { "cf71cb9bd5914e4386868d39e972686e", "pin-set", LOG_NOTICE, "ok",
                            "A PIN was set" },
        [AUDIT_PIN_CHANGED] = { "105a86115cb24c36bf0a74e054572d36", "pin-changed", LOG_NOTICE, "ok",
                                "The PIN was changed" },
        [AUDIT_RESET] = { "a886998846d747b38146f7c213b39d7f", "reset", LOG_NOTICE, "ok",
                          "All passkeys of a device were erased" },
        [AUDIT_DELETED] = { "e8acf1ea238843748ddb8a88ddeef451", "deleted", LOG_NOTICE, "ok",
                            "A passkey was deleted" },
        [AUDIT_RESTORED] = { "0a1a8a5b005f4de88ae051bb397df4a7", "restored", LOG_NOTICE, "ok",
                             "A backup was restored" },
        [AUDIT_REGISTERED] = { "60f91374fd3c456dba82ee30ee552950", "registered", LOG_NOTICE, "ok",
                               "An administrator made a passkey for a user" },
        [AUDIT_PROVISIONED] = { "91a86e99a3634001bc9a856a1b3307d7", "provisioned", LOG_NOTICE, "ok",
                                "The keys of a device were made with the TPM owner's password" },
        [AUDIT_POLICY_REFUSED] = { "997148cbcad3403b9fa64e5b438a0726", "policy-refused",
                                   LOG_WARNING, "forbidden",
                                   "The configuration forbids what was asked for" },
        [AUDIT_CONFIG_CHANGED] = { "153b29c35b13450e955602c0da62eea5", "config-changed", LOG_NOTICE,
                                   "ok", "A client changed how a device works" },
        [AUDIT_ATTESTATION_REQUESTED] = { "2d7f8ff4e54a4b8ab411cac0c98d4737",
                                          "attestation-requested", LOG_NOTICE, "ok",
                                          "A request for an attestation certificate was made" },
        [AUDIT_ATTESTATION_INSTALLED] = { "f2060534575c4691bb2e6a68475a9b89",
                                          "attestation-installed", LOG_NOTICE, "ok",
                                          "An attestation certificate was installed" },
        [AUDIT_ATTESTATION_REJECTED] = { "6ae4141304a6495599f942f8ef7ec0d2", "attestation-rejected",
                                         LOG_WARNING, "failed",
                                         "An answer to a request for attestation was rejected" },
        [AUDIT_ATTESTATION_REMOVED] = { "6110d95d67c546fc9b460a3f82ffa9bc", "attestation-removed",
                                        LOG_NOTICE, "ok", "The attestation key was removed" },
        [AUDIT_PLUGGED] = { "648761df42024745bec2fec5578de5f9", "plugged", LOG_INFO, "ok",
                            "A device is plugged in" },
        [AUDIT_DEVICE_FAILED] = { "cb5b47278e274b3d8f03700cfa1569f1", "device-failed", LOG_ERR,
                                  "failed", "A device cannot be had" },
        [AUDIT_TPM_FAILED] = { "0c847ffeffbb4a088b43e11583ffa1b6", "tpm-failed", LOG_ERR, "failed",
                               "The TPM does not work" },
        [AUDIT_TPM_RECOVERED] = { "1df87f7a26b342cc8bebb76860fff6f5", "tpm-recovered", LOG_NOTICE,
                                  "ok", "The TPM works again" },
        [AUDIT_TPM_REPLACED] = { "da304c5626544d459fe0524f3ad1c142", "tpm-replaced", LOG_WARNING,
                                 "ok", "The TPM was cleared or replaced: a store was set aside" },
};

static const char *const op_names[_AUDIT_OPS] = {
        [AUDIT_OP_NONE] = NULL,       [AUDIT_OP_CREATE] = "create", [AUDIT_OP_USE] = "use",
        [AUDIT_OP_PIN] = "pin",       [AUDIT_OP_MANAGE] = "manage", [AUDIT_OP_RESET] = "reset",
        [AUDIT_OP_ATTEST] = "attest",
};

static const char *const level_names[_AUDIT_LEVELS] = {
        [AUDIT_LEVEL_OFF] = "off",
        [AUDIT_LEVEL_NOTABLE] = "notable",
        [AUDIT_LEVEL_ALL] = "all",
};

static const char *const rp_ids_names[_AUDIT_RP_IDS] = {
        [AUDIT_RP_IDS_OFF] = "off",
        [AUDIT_RP_IDS_HASHED] = "hashed",
        [AUDIT_RP_IDS_FULL] = "full",
};

/* ---- words ---- */

static int find(const char *s, const char *const *names, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], s) == 0)
                        return (int)i;
        return -EINVAL;
}

int audit_level_from_string(const char *s, enum audit_level *ret) {
        int r = find(s, level_names, _AUDIT_LEVELS);

        if (r < 0)
                return r;
        *ret = (enum audit_level)r;
        return 0;
}

const char *audit_level_to_string(enum audit_level level) {
        return level_names[level];
}

int audit_rp_ids_from_string(const char *s, enum audit_rp_ids *ret) {
        int r = find(s, rp_ids_names, _AUDIT_RP_IDS);

        if (r < 0)
                return r;
        *ret = (enum audit_rp_ids)r;
        return 0;
}

const char *audit_rp_ids_to_string(enum audit_rp_ids rp_ids) {
        return rp_ids_names[rp_ids];
}

bool audit_is_wanted(enum audit_what what, enum audit_level level) {
        return level == AUDIT_LEVEL_ALL || (level == AUDIT_LEVEL_NOTABLE && what != AUDIT_USED);
}

int audit_priority(enum audit_what what) {
        return rows[what].priority;
}

void audit_set_rp_id(struct audit_event *e, struct bytes rp_id) {
        rp_id = bytes_utf8_prefix(rp_id, sizeof(e->rp_id.text));
        e->rp_id.len = (uint8_t)rp_id.len;
        if (rp_id.len > 0)
                memcpy(e->rp_id.text, rp_id.data, rp_id.len);
}

void audit_set_credential(struct audit_event *e, const struct ctap_credential_id *id) {
        e->has_credential = true;
        e->credential = *id;
}

/* ---- lines ---- */

_printf_(2, 3) static void put_line(struct buf *out, const char *format, ...) {
        char line[160];
        va_list ap;

        va_start(ap, format);
        vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        buf_put(out, BYTES_TEXT(line));
        buf_put_u8(out, '\n');
}

static void put_hex(struct buf *out, const char *name, struct bytes what) {
        char hex[2 * sizeof(struct sha256) + 1] = "";

        for (size_t i = 0; i < what.len; i++)
                snprintf(hex + 2 * i, 3, "%02x", what.data[i]);
        put_line(out, "%s=%s", name, hex);
}

/* It is whatever a client sent, and a line of its own would be a field of its own. */
static void put_text(struct buf *out, const char *name, struct bytes text) {
        buf_put(out, BYTES_TEXT(name));
        buf_put_u8(out, '=');
        for (size_t i = 0; i < text.len; i++)
                buf_put_u8(out, text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
        buf_put_u8(out, '\n');
}

static void put_rp_id(const struct audit_event *e, enum audit_rp_ids how, struct buf *out) {
        const struct bytes rp_id = BYTES(e->rp_id.text, e->rp_id.len);
        struct sha256 hash;

        if (rp_id.len == 0)
                return;
        switch (how) {
        case AUDIT_RP_IDS_FULL:
                put_text(out, "FIDO_RP_ID", rp_id);
                break;
        case AUDIT_RP_IDS_HASHED:
                if (ctap_sha256(&rp_id, 1, &hash) == 0)
                        put_hex(out, "FIDO_RP_ID_HASH", BYTES_OF(hash));
                break;
        case AUDIT_RP_IDS_OFF:
        case _AUDIT_RP_IDS:
                break;
        }
}

/* Eight bytes of a hash find an event again and nothing else: the id itself is a handle. */
static void put_credential(const struct audit_event *e, struct buf *out) {
        const struct bytes id = BYTES_OF(e->credential);
        struct sha256 hash;

        if (e->has_credential && ctap_sha256(&id, 1, &hash) == 0)
                put_hex(out, "FIDO_CRED", BYTES(hash.b, 8));
}

static void put_result(const struct audit_event *e, struct buf *out) {
        const char *error = e->error < 0 ? strerrorname_np(-e->error) : NULL;

        const char *result = rows[e->what].result;

        /* The client hears of a policy what it would if the person had said no. */
        if (e->status != CTAP_OK && e->what != AUDIT_POLICY_REFUSED)
                result = outcome_result(e->status);
        else if (e->error < 0)
                result = "failed";
        put_line(out, "FIDO_RESULT=%s", result);
        if (e->status != CTAP_OK)
                put_line(out, "FIDO_STATUS=%s", ctap_status_name(e->status));
        if (error)
                put_line(out, "FIDO_ERROR=%s", error);
}

/* What the number of this event counts. */
static const char *number_name(enum audit_what what) {
        switch (what) {
        case AUDIT_PIN_WRONG:
                return "FIDO_TRIES_LEFT";
        case AUDIT_CONFIG_CHANGED:
                return "FIDO_SUBCOMMAND";
        default:
                return "FIDO_COUNT";
        }
}

static void put_device(const struct audit_event *e, const char *session, struct buf *out) {
        if (!e->has_user)
                return;
        put_line(out, "FIDO_USER=%u", (unsigned)e->user);
        put_line(out, "FIDO_DEVICE=%u", e->index);
        if (session)
                put_text(out, "FIDO_SESSION", BYTES_TEXT(session));
}

void audit_format(const struct audit_event *e, const struct audit_format *how, struct buf *out) {
        const struct row *row = &rows[e->what];

        put_line(out, "MESSAGE=%s", row->message);
        put_line(out, "MESSAGE_ID=%s", row->id);
        put_line(out, "PRIORITY=%i", row->priority);
        put_line(out, "SYSLOG_FACILITY=%i", LOG_FAC(LOG_AUTHPRIV));
        put_line(out, "SYSLOG_IDENTIFIER=tpmauthnd");
        put_line(out, "FIDO_EVENT=%s", row->name);
        put_line(out, "FIDO_TIME=%" PRId64, how->time_us);
        if (op_names[e->op])
                put_line(out, "FIDO_OP=%s", op_names[e->op]);
        put_result(e, out);
        put_device(e, how->session, out);
        if (e->has_caller)
                put_line(out, "FIDO_CALLER=%u", (unsigned)e->caller);
        put_rp_id(e, how->rp_ids, out);
        put_credential(e, out);
        if (e->has_key)
                put_hex(out, "FIDO_KEY", BYTES_OF(e->key));
        if (e->has_flags) {
                put_line(out, "FIDO_UP=%d", e->up);
                put_line(out, "FIDO_UV=%d", e->uv);
        }
        if (e->has_number)
                put_line(out, "%s=%" PRIu32, number_name(e->what), e->number);
        if (how->lost > 0)
                put_line(out, "FIDO_LOST=%" PRIu64, how->lost);
}

/* ---- between threads ---- */

enum {
        HAS_CREDENTIAL = 1 << 0,
        HAS_KEY = 1 << 1,
        HAS_FLAGS = 1 << 2,
        HAS_NUMBER = 1 << 3,
        HAS_USER = 1 << 4,
        HAS_CALLER = 1 << 5,
        IS_UP = 1 << 6,
        IS_UV = 1 << 7,
};

static uint8_t flags_of(const struct audit_event *e) {
        return (uint8_t)((e->has_credential ? HAS_CREDENTIAL : 0) | (e->has_key ? HAS_KEY : 0) |
                         (e->has_flags ? HAS_FLAGS : 0) | (e->has_number ? HAS_NUMBER : 0) |
                         (e->has_user ? HAS_USER : 0) | (e->has_caller ? HAS_CALLER : 0) |
                         (e->up ? IS_UP : 0) | (e->uv ? IS_UV : 0));
}

void audit_event_put(const struct audit_event *e, struct buf *out) {
        buf_put_u8(out, (uint8_t)e->what);
        buf_put_u8(out, (uint8_t)e->op);
        buf_put_u8(out, e->status);
        buf_put_u32(out, (uint32_t)-e->error);
        buf_put_u8(out, flags_of(e));
        buf_put(out, BYTES_OF(e->credential));
        buf_put(out, BYTES_OF(e->key));
        buf_put_string16(out, BYTES(e->rp_id.text, e->rp_id.len));
        buf_put_u32(out, e->number);
        buf_put_u32(out, e->user);
        buf_put_u32(out, e->caller);
        buf_put_u32(out, e->index);
}

int audit_event_read(struct bytes in, struct audit_event *ret) {
        struct cursor c = { in, false };
        struct audit_event e = { .what = (enum audit_what)cursor_u8(&c) };
        struct bytes rp_id;
        uint8_t flags;

        e.op = (enum audit_op)cursor_u8(&c);
        e.status = cursor_u8(&c);
        e.error = -(int)cursor_u32(&c);
        flags = cursor_u8(&c);
        cursor_copy(&c, e.credential.b, sizeof(e.credential.b));
        cursor_copy(&c, e.key.b, sizeof(e.key.b));
        rp_id = cursor_string16(&c);
        e.number = cursor_u32(&c);
        e.user = cursor_u32(&c);
        e.caller = cursor_u32(&c);
        e.index = cursor_u32(&c);
        if (cursor_end(&c) < 0 || e.what >= _AUDIT_EVENTS || e.op >= _AUDIT_OPS ||
            rp_id.len > sizeof(e.rp_id.text))
                return -EBADMSG;
        audit_set_rp_id(&e, rp_id);
        e.has_credential = flags & HAS_CREDENTIAL;
        e.has_key = flags & HAS_KEY;
        e.has_flags = flags & HAS_FLAGS;
        e.has_number = flags & HAS_NUMBER;
        e.has_user = flags & HAS_USER;
        e.has_caller = flags & HAS_CALLER;
        e.up = flags & IS_UP;
        e.uv = flags & IS_UV;
        *ret = e;
        return 0;
}
