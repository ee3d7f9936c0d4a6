/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Opening is a row of steps; the first that fails names itself, and reason.c turns (step, errno) into
 * the sentence that `tpmauthn status` shows.
 *
 * That a store was set aside is not written down anywhere: the file that lies there is the note, so
 * that it survives whatever happens, and goes when its owner takes the file away.
 */

#include "authenticator/backend-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "authenticator/env.h"
#include "authenticator/reason.h"
#include "authenticator/store-aside.h"
#include "authenticator/util.h"
#include "build-config.h"

/* The largest backup that is taken: large blobs and the rest; and a credential with all it may have. */
#define TRANSFER_BASE (4 << 20)
#define TRANSFER_EACH 6144

/* Which authenticator a site sees. A simulator says so: nobody shall trust its keys as hardware. */
static const uint8_t aaguid_tpm[16] = { 0xd9, 0x2d, 0x51, 0x32, 0x0e, 0x23, 0x4c, 0x97,
                                        0xbe, 0x62, 0x45, 0x28, 0x05, 0x79, 0xa9, 0x62 };
static const uint8_t aaguid_simulator[16] = { 0x37, 0xc0, 0x7f, 0x02, 0x25, 0xc2, 0x4c, 0xd9,
                                              0xa6, 0x33, 0x0f, 0xbd, 0x53, 0x26, 0x7e, 0x82 };

int backend_new(const struct backend_options *options, struct backend **ret) {
        struct backend *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        r = journal_new(&b->journal);
        if (r < 0) {
                free(b);
                return r;
        }
        b->options = *options;
        b->log = (struct log_context){ options->log, options->id };
        b->simulator_fd = -1;
        b->witness.ops = &backend_witness_ops;
        env_clock_init(&b->clock);
        env_rng_init(&b->rng);
        *ret = b;
        return 0;
}

struct backend *backend_free(struct backend *b) {
        if (!b)
                return NULL;
        backend_close(b);
        journal_free(b->journal);
        free(b);
        return NULL;
}

void backend_let_go(struct backend *b) {
        b->ctap = ctap_free(b->ctap);
        b->attester = attester_close(b->attester);
        b->attester_tpm = attester_tpm_close(b->attester_tpm);
        backend_write_journal(b);
        journal_drop(b->journal);
        b->vault = vault_close(b->vault);
        if (b->tpm && b->options.private_simulator)
                tpm_shutdown(b->tpm);
        b->tpm = tpm_free(b->tpm);
}

void backend_close(struct backend *b) {
        backend_let_go(b);
        backend_transfer_drop(b);
        b->simulator_fd = close_fd(b->simulator_fd);
        b->store = store_close(b->store);
}

/* ---- why it could not be opened ---- */

static const char *name_of_tpm(const struct backend *b) {
        return b->options.private_simulator ? "the private swtpm" : b->options.tpm.tcti;
}

void backend_explain(const struct backend *b, enum reason_step step, int error,
                     struct buf *reason) {
        reason_put(reason, step, error, b->options.store_path, name_of_tpm(b));
}

/* ---- opening ---- */

struct store_options backend_store_options(struct backend *b) {
        return (struct store_options){
                .path = b->options.store_path,
                .max_credentials = b->options.max_credentials,
                .log = log_forward,
                .userdata = &b->log,
                .changed = backend_note_change,
                .changed_userdata = b,
        };
}

static int open_store(struct backend *b) {
        const struct store_options options = backend_store_options(b);

        return store_open(&options, &b->store);
}

/* "IBM SW TPM": manufacturer and vendor string, which are padded with blanks. */
static void describe_tpm(const struct tpm_info *info, char *text, size_t size) {
        char whole[sizeof(info->manufacturer) + sizeof(info->vendor)];
        char *rest = whole, *word;
        size_t n = 0;

        snprintf(whole, sizeof(whole), "%s %s", info->manufacturer, info->vendor);
        *text = '\0';
        while ((word = strsep(&rest, " ")) != NULL)
                if (*word && n < size)
                        n += (size_t)snprintf(text + n, size - n, "%s%s", n > 0 ? " " : "", word);
}

static bool answers_by_itself(enum presence_mode mode) {
        return mode == PRESENCE_AUTO || mode == PRESENCE_SCRIPT;
}

/*
 * Whether the configuration means a simulator. The TPM's own word is not enough: the virtual TPM of a
 * machine has the same vendor string, and holds keys that somebody counts on.
 */
static bool is_simulator_wanted(const struct backend_options *o) {
        return o->private_simulator || answers_by_itself(o->presence_mode) ||
               tpm_tcti_is_simulator(o->tpm.tcti);
}

int backend_open_tpm(struct backend *b) {
        struct tpm_options options = b->options.tpm;
        struct tpm_info info;
        int r;

        options.log = log_forward;
        options.userdata = &b->log;
        options.fd = b->simulator_fd;
        r = tpm_new(&options, &b->tpm);
        if (r == 0)
                r = tpm_describe(b->tpm, &info);
        if (r < 0)
                return r;

        b->facts.simulator = b->options.private_simulator || info.is_simulator;
        b->facts.simulates = b->facts.simulator && is_simulator_wanted(&b->options);
        describe_tpm(&info, b->facts.tpm, sizeof(b->facts.tpm));
        return 0;
}

const uint8_t *backend_aaguid_of(bool simulator) {
        return simulator ? aaguid_simulator : aaguid_tpm;
}

const uint8_t *backend_aaguid(const struct backend *b) {
        return backend_aaguid_of(b->facts.simulator);
}

/* An organisation's key goes before. A simulator that ends with this process has no machine. */
static int open_attester(struct backend *b, struct buf *reason) {
        const struct attester_options *o = &b->options.attester;
        const struct attester_tpm_options by_tpm = {
                .state_directory = b->options.state_directory,
                .rp_ids = o->rp_ids,
                .tpm = b->tpm,
        };

        if (o->key && *o->key)
                return attester_open(o, backend_aaguid(b), reason, &b->attester);
        if (!b->options.state_directory || b->options.private_simulator)
                return 0;
        b->attester_tpm = attester_tpm_open(&by_tpm);
        return b->attester_tpm ? 0 : -ENOMEM;
}

static struct ctap_attester *attester(const struct backend *b) {
        return b->attester ? attester_port(b->attester) : attester_tpm_port(b->attester_tpm);
}

static int open_ctap(struct backend *b) {
        const struct ctap_env env = {
                .keys = vault_keys(b->vault),
                .store = vault_store(b->vault),
                .presence = b->options.presence,
                .clock = &b->clock,
                .rng = &b->rng,
                .attester = attester(b),
                .witness = &b->witness,
        };
        struct ctap_options options = b->options.ctap;

        options.firmware_version = TPMAUTHN_FIRMWARE_VERSION;
        options.max_message = BACKEND_MESSAGE_MAX;
        memcpy(options.aaguid, backend_aaguid(b), sizeof(options.aaguid));
        return ctap_new(&env, &options, &b->ctap);
}

static void write_note(struct backend *b) {
        char name[NAME_MAX + 1], others[64] = "";
        unsigned n;

        if (store_find_aside(b->options.store_path, name, &n) < 0)
                return;
        if (n > 1)
                snprintf(others, sizeof(others), " (one of %u that lie there)", n);
        snprintf(
                b->facts.note, sizeof(b->facts.note),
                "The TPM was cleared or replaced, and an empty store begun. The passkeys of before "
                "cannot be used without that TPM; their store is kept beside the new one as %s%s. "
                "Register again with your sites, then remove that file.",
                name, others);
}

static int gather_facts(struct backend *b) {
        struct tpm_facts facts;
        struct tpm_state state;
        int r = store_get_tpm_state(b->store, &state);

        if (r < 0)
                return r;
        tpm_state_facts(&state, &facts);
        b->facts.pin_kind = facts.pin_kind;
        b->facts.hmac_kind = facts.hmac_kind;
        write_note(b);
        return 0;
}

/* The store of another TPM makes room for an empty one. */
static int change_store(struct backend *b) {
        const struct store_options options = backend_store_options(b);
        char name[NAME_MAX + 1];
        int r;

        r = store_set_aside(TAKE_PTR(b->store), &options, time(NULL), name);
        if (r < 0)
                return r;
        log_write(
                b->options.log, LOG_WARNING, b->options.id,
                "The TPM was cleared or replaced: its passkeys cannot be used any more. The store "
                "%s is set aside as %s, and an empty one begun",
                b->options.store_path, name);
        backend_audit(b, &(struct audit_event){ .what = AUDIT_TPM_REPLACED });
        return open_store(b);
}

static int open_vault(struct backend *b, struct bytes owner_auth, enum reason_step *ret_step) {
        int r;

        *ret_step = STEP_VAULT;
        r = vault_open(b->store, b->tpm, owner_auth, &b->vault);
        if (r != -ESTALE)
                return r;

        *ret_step = STEP_STORE;
        r = change_store(b);
        if (r < 0)
                return r;

        /* What the refused attempt left in the TPM's memory goes with its connection. */
        *ret_step = STEP_TPM;
        b->tpm = tpm_free(b->tpm);
        r = backend_open_tpm(b);
        if (r < 0)
                return r;
        *ret_step = STEP_VAULT;
        return vault_open(b->store, b->tpm, owner_auth, &b->vault);
}

int backend_open_steps(struct backend *b, struct bytes owner_auth, enum reason_step *ret_step,
                       struct buf *reason) {
        int r;

        *ret_step = STEP_STORE;
        r = open_store(b);
        if (r < 0)
                return r;

        *ret_step = STEP_TPM;
        r = backend_open_tpm(b);
        if (r < 0)
                return r;
        if (answers_by_itself(b->options.presence_mode) && !b->facts.simulator)
                return -EPERM;

        backend_remove_replaced(b, owner_auth);
        r = open_vault(b, owner_auth, ret_step);
        if (r < 0)
                return r;

        *ret_step = STEP_ATTESTER;
        r = open_attester(b, reason);
        if (r < 0)
                return r;

        *ret_step = STEP_CTAP;
        r = open_ctap(b);
        return r < 0 ? r : gather_facts(b);
}

static void put_facts(const struct backend_facts *f, struct buf *out) {
        buf_put_u8(out, f->simulator);
        buf_put_u8(out, f->simulates);
        buf_put_u8(out, (uint8_t)f->pin_kind);
        buf_put_u8(out, (uint8_t)f->hmac_kind);
        buf_put_string16(out, BYTES_TEXT(f->tpm));
        buf_put_string16(out, BYTES_TEXT(f->note));
}

/* The device that may not be opened is no question of a password. */
static int not_denied(enum reason_step step, int error) {
        return error == -EACCES && step != STEP_VAULT ? -EPERM : error;
}

/* Refused by the TPM, or longer than any can be. */
static bool is_wrong_password(enum reason_step step, int error, struct bytes owner_auth) {
        return step == STEP_VAULT && owner_auth.len > 0 && (error == -EACCES || error == -EMSGSIZE);
}

static int refuse_password(const struct backend *b, struct buf *reason) {
        reason_fill_in(reason,
                       "The owner hierarchy of the TPM at {tpm} has another password than that, or "
                       "none. Run: tpmauthn owner-password.",
                       b->options.store_path, name_of_tpm(b));
        return -EACCES;
}

int backend_open(struct backend *b, int simulator_fd, struct bytes owner_auth, struct buf *out) {
        enum reason_step step;
        int r;

        backend_close(b);
        b->simulator_fd = simulator_fd;
        b->facts = (struct backend_facts){ 0 };
        b->lost = 0;

        r = backend_open_steps(b, owner_auth, &step, out);
        if (r < 0) {
                backend_audit_failure(b, step, r);
                if (is_wrong_password(step, r, owner_auth))
                        r = refuse_password(b, out);
                else if (step != STEP_ATTESTER)
                        backend_explain(b, step, r, out);
                backend_close(b);
                return not_denied(step, r);
        }
        put_facts(&b->facts, out);
        return 0;
}

int backend_facts_read(struct bytes in, struct backend_facts *ret) {
        struct cursor c = { in, false };
        struct backend_facts facts = { .simulator = cursor_u8(&c) != 0 };
        struct bytes tpm, note;

        facts.simulates = cursor_u8(&c) != 0;
        facts.pin_kind = (enum tpm_pin_kind)cursor_u8(&c);
        facts.hmac_kind = (enum tpm_hmac_kind)cursor_u8(&c);
        tpm = cursor_string16(&c);
        note = cursor_string16(&c);
        if (cursor_end(&c) < 0 || tpm.len >= sizeof(facts.tpm) || note.len >= sizeof(facts.note))
                return -EBADMSG;
        memcpy(facts.tpm, tpm.data, tpm.len);
        memcpy(facts.note, note.data, note.len);
        *ret = facts;
        return 0;
}

/* The authenticator begins anew too: what it derived from the store key is of the old one. */
int backend_reset(struct backend *b, struct bytes owner_auth) {
        const uint8_t mismatches = ctap_pin_mismatches(b->ctap);
        int r, opened;

        r = vault_reset(b->vault, owner_auth);
        b->ctap = ctap_free(b->ctap);
        opened = open_ctap(b);
        if (opened < 0) {
                backend_lose(b, STEP_CTAP, opened);
                return r < 0 ? r : opened;
        }
        /* A reset that failed is no way to guess on. One with the owner's password is where that is known. */
        if (r < 0)
                ctap_keep_pin_mismatches(b->ctap, mismatches);
        else
                backend_remove_replaced(b, owner_auth);
        return r;
}

void backend_lose(struct backend *b, enum reason_step step, int error) {
        b->lost = error;
        b->lost_step = step;
        backend_close(b);
}

int backend_why_lost(const struct backend *b, struct buf *reason) {
        if (b->lost < 0)
                backend_explain(b, b->lost_step, b->lost, reason);
        return not_denied(b->lost_step, b->lost);
}

int backend_check(struct backend *b, struct buf *reason) {
        uint64_t g;
        int r = tpm_counter_read(b->tpm, &g);

        if (r < 0)
                backend_explain(b, STEP_VAULT, r, reason);
        return r;
}

void backend_suspend(struct backend *b) {
        if (b->ctap)
                ctap_suspend(b->ctap);
        backend_idle(b);
}

struct journal *backend_journal(const struct backend *b) {
        return b->journal;
}

void backend_write_journal(struct backend *b) {
        const struct secret32 *key = b->vault ? tpm_store_key(b->tpm) : NULL;

        if (key)
                journal_write(b->journal, b->store, key);
}

void backend_settle(struct backend *b) {
        if (b->vault)
                vault_settle(b->vault);
        if (journal_is_full(b->journal))
                backend_write_journal(b);
}

void backend_idle(struct backend *b) {
        backend_write_journal(b);
        backend_transfer_drop(b);
        if (b->tpm)
                tpm_idle(b->tpm);
}

bool backend_wants_spare(const struct backend *b) {
        return b->vault && vault_wants_spare(b->vault);
}

void backend_make_spare(struct backend *b) {
        if (b->vault)
                vault_make_spare(b->vault);
}

bool backend_simulates(const struct backend *b) {
        return b->facts.simulates;
}

struct ctap *backend_ctap(const struct backend *b) {
        return b->ctap;
}

struct store *backend_store(const struct backend *b) {
        return b->store;
}

struct tpm *backend_tpm(const struct backend *b) {
        return b->tpm;
}

struct vault *backend_vault(const struct backend *b) {
        return b->vault;
}

struct bytes backend_certificate(const struct backend *b) {
        struct ctap_attester *port = attester(b);

        return port ? port->ops->certificate(port, 0) : BYTES_NULL;
}

const char *backend_attestation_note(const struct backend *b) {
        return attester_tpm_note(b->attester_tpm);
}

uint64_t backend_attestation_lifetime_ms(const struct backend *b) {
        return attester_tpm_lifetime_ms(b->attester_tpm);
}

const char *backend_id(const struct backend *b) {
        return b->options.id;
}

struct backend_transfer *backend_transfer(struct backend *b) {
        return &b->transfer;
}

int64_t backend_transfer_max(const struct backend *b) {
        return TRANSFER_BASE + (int64_t)b->options.max_credentials * TRANSFER_EACH;
}

void backend_transfer_drop(struct backend *b) {
        free(b->transfer.bytes.data);
        b->transfer.bytes = (struct buf){ 0 };
        b->transfer.incoming = false;
}
