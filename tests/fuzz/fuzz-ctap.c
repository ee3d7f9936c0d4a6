/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A whole authenticator in the world of tests/fake: CTAP2 requests and U2F messages in any order, a
 * person who answers anything, time, an owner who deletes and replugs, and calls to the keys and the
 * store that fail. The input is a little program. One step is
 *
 *   c CHANNEL RP USER BITS    makeCredential: enum create_bits
 *   e BITS                    what the next of these two asks of the extensions: enum extension_bits
 *   E BITS                    and what else: enum more_bits
 *   a CHANNEL RP WHICH BITS   getAssertion: enum assert_bits; WHICH is one of the ids made so far
 *   T PROTOCOL RP PERMISSIONS a PIN is set, keys are agreed on, and a token is issued for it
 *   w                         the key device restarts
 *   V                         alwaysUv goes on or off
 *   L RP LENGTH               the least length of a PIN, which this RP, too, may be told
 *   N BITS                    an attester is there, and turned on: 1, 2; it is the key device's: 4
 *   g CHANNEL COMMAND         a command without parameters
 *   R CHANNEL RP CHALLENGE    U2F_REGISTER
 *   A CHANNEL RP WHICH CHALLENGE P1   U2F_AUTHENTICATE
 *   r CHANNEL LEN LEN DATA    any CTAP2 message
 *   u CHANNEL LEN LEN DATA    any U2F message
 *   x AT AT MASK              flips bits in the next message
 *   k N N                     cuts the next message short
 *   y ANSWER                  what the person says from now on
 *   f CALL NTH ERROR          the NTH CALL from now on fails
 *   t MS MS                   time passes, and what is due is done
 *   p                         the device is plugged in again
 *   D                         the person does, or no longer does, read the question
 *   P MISTAKES                the person can, or can no longer, type the PIN, after so many mistakes
 *   o ROW                     the owner deletes a credential
 *
 * A token is issued as authenticatorClientPIN would, which has a fuzz program of its own.
 *
 * A missing byte is 0; an unknown step is skipped. Beside it runs a model of what was made and what
 * the person agreed to: nothing may be made, used or erased without a yes to that very question,
 * each yes is good for one act, and no reply may say what the model does not know. Nobody is called
 * verified whose ticket or PIN the key device has not just accepted, and without that no key behind
 * the PIN signs, or gives what is kept with it. What the extensions answer is what was asked, and
 * what the credential holds.
 */

#include <errno.h>
#include <string.h>

#include "ctap/auth-data.h"
#include "ctap/cbor.h"
#include "ctap/command.h"
#include "ctap/cose.h"
#include "ctap/crypto.h"
#include "ctap/ctap.h"
#include "ctap/status.h"
#include "tests/fake/fake.h"
#include "tests/fake/platform.h"
#include "tests/fuzz/fuzz.h"

#define MAX_MESSAGE 1536
#define PIN         "1234"
#define CHANNELS    3
#define IDS_MAX     64
#define WALK_MS     30000

enum create_bits {
        CREATE_DISCOVERABLE = 1 << 0,
        CREATE_EXCLUDE = 1 << 1, /* all ids made so far */
        CREATE_NONE = 1 << 2,    /* attestation */
        CREATE_P384 = 1 << 3,
        CREATE_SELECT = 1 << 4, /* an empty pinUvAuthParam */
        CREATE_UV = 1 << 5,
        CREATE_NAMELESS = 1 << 6,
        CREATE_VERIFIED = 1 << 7, /* a pinUvAuthParam by the token */
};

enum assert_bits {
        ASSERT_SILENT = 1 << 0,
        ASSERT_NAMED = 1 << 1, /* an allowList of one */
        ASSERT_ALL = 1 << 2,   /* an allowList of all ids made so far */
        ASSERT_RK = 1 << 3,
        ASSERT_SELECT = 1 << 4,
        ASSERT_VERIFIED = 1 << 5,
        ASSERT_UV = 1 << 6,
};

enum extension_bits {
        EXTENSION_LEVEL = 7, /* credProtect; 0: not asked for */
        EXTENSION_SECRET = 1 << 3,
        EXTENSION_SALTS = 1 << 4, /* hmac-secret of getAssertion, hmac-secret-mc */
        EXTENSION_TWO_SALTS = 1 << 5,
        EXTENSION_BAD_MAC = 1 << 6,
};

enum more_bits {
        MORE_BLOB = 1 << 0,       /* credBlob */
        MORE_LONG_BLOB = 1 << 1,  /* that is too long */
        MORE_KEY = 1 << 2,        /* largeBlobKey */
        MORE_PAYMENT = 1 << 3,    /* thirdPartyPayment */
        MORE_PIN_RULES = 1 << 4,  /* minPinLength, pinComplexityPolicy */
        MORE_LARGE_BLOB = 1 << 5, /* which nobody here knows */
        MORE_ENTERPRISE = 1 << 6,
        MORE_PLATFORM = 1 << 7, /* an RP that the platform knows, if it is enterprise attestation */
};

/* A credential that a reply has told of. */
struct made {
        struct ctap_credential_id id;
        struct sha256 rp_id_hash;
        uint32_t count;
};

/* What hmac-secret was asked to compute, and who can read the answer; what else was asked. */
struct wanted {
        struct platform platform;
        uint8_t salts[64];
        size_t len; /* 0: nothing */
        bool cred_blob, large_blob_key, payment;
};

struct walk {
        struct wanted wanted;
        uint32_t channel;
        uint32_t remaining;
        uint64_t ends_ms;
        bool up;
};

struct model {
        struct fake *f;
        struct ctap *ctap;
        struct made made[IDS_MAX];
        unsigned n_made;
        struct walk walk;
        unsigned yes[_CTAP_ASKS]; /* by enum ctap_ask */
        unsigned acts[4];         /* what was done on the strength of them */

        struct platform platform;
        bool has_platform;
        uint8_t extensions; /* enum extension_bits, for the next request */
        uint8_t more;       /* enum more_bits, likewise */
        struct wanted wanted;

        uint16_t flip_at;
        uint8_t flip;
        bool cuts;
        uint16_t cut_to;
};

/* One exchange. */
struct exchange {
        uint32_t channel;
        struct bytes message;
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf reply;
};

static const char *const rps[] = { "a.example", "b.example", ".dummy", "localhost" };

static struct sha256 rp_hash(uint8_t rp) {
        const struct bytes id = BYTES_TEXT(rps[rp % ELEMENTSOF(rps)]);
        struct sha256 hash;

        require(ctap_sha256(&id, 1, &hash) == 0);
        return hash;
}

/* ---- what holds after every exchange ---- */

static const struct ctap_row *row_of(const struct fake *f, struct bytes id) {
        for (uint32_t i = 0; i < f->n_rows; i++)
                if (bytes_equal(BYTES_OF(f->rows[i].id), id))
                        return &f->rows[i];
        return NULL;
}

static bool in_store(const struct fake *f, const struct ctap_credential_id *id) {
        return row_of(f, BYTES_OF(*id));
}

static struct made *find_made(struct model *m, struct bytes id) {
        for (unsigned i = 0; i < m->n_made; i++)
                if (bytes_equal(BYTES_OF(m->made[i].id), id))
                        return &m->made[i];
        return NULL;
}

/* What was said, and what was done because of it, since the last look. */
static void check_acts(struct model *m, bool continues_walk) {
        struct fake *f = m->f;

        for (size_t i = 0; i < ELEMENTSOF(f->n_yes); i++)
                m->yes[i] += f->n_yes[i];
        memset(f->n_yes, 0, sizeof(f->n_yes));

        m->acts[CTAP_ASK_CREATE] += fake_calls(f, "insert");
        m->acts[CTAP_ASK_RESET] += fake_calls(f, "reset");
        if (continues_walk)
                require(fake_calls(f, "use") <= m->walk.up);
        else
                m->acts[CTAP_ASK_USE] += fake_calls(f, "use");
        for (size_t i = 0; i < ELEMENTSOF(m->acts); i++)
                require(m->acts[i] <= m->yes[i]);
        fake_forget_trace(f);
}

/* Nothing that was agreed to before counts any more. */
static void forget_yes(struct model *m) {
        check_acts(m, false);
        memset(m->yes, 0, sizeof(m->yes));
        memset(m->acts, 0, sizeof(m->acts));
}

static void check_world(struct model *m) {
        require(m->f->n_loaded == 0);
        require(m->f->shown == (ctap_deadline(m->ctap) != UINT64_MAX));
}

/* ---- replies ---- */

/* A credential that nobody has heard of, and whose counter is 0. */
static void remember(struct model *m, const struct ctap_credential_id *id,
                     const struct sha256 *rp_id_hash) {
        require(!find_made(m, BYTES_OF(*id)));
        if (m->n_made < IDS_MAX)
                m->made[m->n_made++] = (struct made){ *id, *rp_id_hash, 0 };
}

/* The credential that signed exists, belongs to whoever is told, and counts upwards. */
static void check_signature(struct model *m, struct bytes id, const struct sha256 *rp_id_hash,
                            uint8_t flags, uint32_t count) {
        struct made *made = find_made(m, id);

        require((flags & ~(CTAP_FLAG_UP | CTAP_FLAG_UV | CTAP_FLAG_ED)) == 0);
        if (!made) {
                require(m->n_made == IDS_MAX);
                return;
        }
        require(in_store(m->f, &made->id));
        require(bytes_equal(BYTES_OF(made->rp_id_hash), BYTES_OF(*rp_id_hash)));
        require(flags & CTAP_FLAG_UP ? count > made->count : count >= made->count);
        made->count = count;
}

static struct cbor_value member(const struct cbor_value *map, int64_t key) {
        struct cbor_value v = { 0 };
        const struct cbor_field field = { NULL, key, CBOR_KIND_ANY, false, 0 };

        require(cbor_read_map(map, &field, 1, &v) == CTAP_OK);
        return v;
}

static void read_head(struct bytes auth_data, struct ctap_auth_data *ret, struct cursor *ret_rest) {
        struct cursor in = { auth_data, false };

        cursor_copy(&in, ret->rp_id_hash.b, sizeof(ret->rp_id_hash.b));
        ret->flags = cursor_u8(&in);
        ret->count = cursor_u32(&in);
        require(!in.failed);
        *ret_rest = in;
}

/* What is left of the authenticator data is a map, if the flags say so, or nothing. */
static void check_outputs(uint8_t flags, struct bytes outputs) {
        if (flags & CTAP_FLAG_ED)
                require(cbor_check(outputs) == CTAP_OK && outputs.data[0] > 0xa0);
        else
                require(outputs.len == 0);
}

/* Nobody is verified without a PIN, nor without the key device's word in this very exchange. */
static void check_uv(const struct model *m, uint8_t flags) {
        const bool typed = fake_calls(m->f, "wait_verified") > 0 &&
                           fake_calls(m->f, "pin_verify") > 0 && m->f->pin_count == 0;

        require(!(flags & CTAP_FLAG_UV) ||
                (m->f->settings.pin_length > 0 && (typed || fake_calls(m->f, "ticket_check") > 0)));
}

/* The answer is what the right one of the credential's two keys makes of the salts. */
static void check_hmac(const struct model *m, const struct wanted *w, struct bytes id,
                       uint8_t flags, struct bytes outputs, const char *name) {
        const struct cbor_value map = cbor_next(&outputs);
        const struct cbor_value output = cbor_find_text(&map, name);
        const struct ctap_row *row = row_of(m->f, id);
        uint8_t storage[64];
        struct buf plain = BUF_ON(storage);

        if (output.kind == CBOR_KIND_ABSENT)
                return;
        require(w->len > 0);
        platform_decrypt(&w->platform, output.string, &plain);
        require(plain.len == w->len);
        if (!row) /* of a dummy nothing is kept */
                return;
        for (size_t i = 0; i < w->len; i += 32) {
                const struct ctap_secret_blob *blob =
                        flags & CTAP_FLAG_UV ? &row->cred_random_uv : &row->cred_random;
                struct secret32 key;
                struct sha256 hmac;

                memcpy(key.b, blob->data + 3, sizeof(key.b));
                require(ctap_hmac_sha256(&key, BYTES(w->salts + i, 32), &hmac) == 0);
                require(bytes_equal(BYTES_OF(hmac), BYTES(storage + i, 32)));
        }
}

/* What must not be made without the PIN. */
static void check_creation(const struct model *m, const struct ctap_credential_id *id,
                           uint8_t flags) {
        const struct ctap_row *row = row_of(m->f, BYTES_OF(*id));
        const bool always_uv = ctap_always_uv(m->ctap);

        require((flags & CTAP_FLAG_UV) || !always_uv);
        if (!row)
                return;
        require((flags & CTAP_FLAG_UV) || m->f->settings.pin_length == 0 ||
                !(row->flags & CTAP_ROW_DISCOVERABLE));
        require(row->class == (row->cred_protect == 3 || always_uv ? CTAP_CLASS_B : CTAP_CLASS_A));
}

/* Of a request that was good. */
static struct cbor_value asked_for(const struct exchange *e, int64_t key) {
        struct bytes params = BYTES(e->message.data + 1, e->message.len - 1);
        const struct cbor_value map = cbor_next(&params);

        return member(&map, key);
}

static bool is_named(const struct exchange *e) {
        return e->message.data[0] == 0x02 && asked_for(e, 3).n > 0;
}

static bool is_there(const struct cbor_value *map, const char *name) {
        return cbor_find_text(map, name).kind != CBOR_KIND_ABSENT;
}

/* What was sealed with it. */
static struct ctap_record open_record(const struct model *m, const struct ctap_row *row,
                                      struct buf *storage) {
        struct ctap_record record;

        require(ctap_record_open(&m->ctap->credential_keys, NULL, row, storage, &record) == 0);
        return record;
}

static void check_large_blob_key(const struct model *m, const struct cbor_value *given,
                                 struct bytes id) {
        struct ctap_credential_id of;
        struct secret32 key;

        require(id.len == sizeof(of.b));
        memcpy(of.b, id.data, sizeof(of.b));
        require(ctap_large_blob_key(&m->ctap->credential_keys, &of, &key) == 0);
        require(bytes_equal(given->string, BYTES_OF(key)));
}

static bool is_listed(const struct model *m, const struct sha256 *rp_id_hash) {
        const struct ctap_settings *s = &m->f->settings;
        struct sha256 tag;

        require(ctap_rp_tag(&m->ctap->credential_keys, rp_id_hash, &tag) == 0);
        for (uint8_t i = 0; i < s->n_min_pin_length_rps; i++)
                if (bytes_equal(BYTES_OF(tag), BYTES_OF(s->min_pin_length_rps[i])))
                        return true;
        return false;
}

/* credBlob, largeBlobKey, thirdPartyPayment: what was promised is in the row, and nothing else. */
static void check_kept(const struct model *m, const struct exchange *e, struct bytes id,
                       const struct cbor_value *outputs, const struct cbor_value *reply) {
        const struct cbor_value inputs = asked_for(e, 6), options = asked_for(e, 7);
        const struct cbor_value blob = cbor_find_text(&inputs, "credBlob"), key = member(reply, 5);
        const bool discoverable = cbor_find_text(&options, "rk").boolean;
        const bool keeps = blob.kind != CBOR_KIND_ABSENT && discoverable && blob.string.len <= 32;
        const bool payment = cbor_find_text(&inputs, "thirdPartyPayment").boolean;
        const struct ctap_row *row = row_of(m->f, id);
        uint8_t storage[sizeof(row->sealed)];
        struct buf room = BUF_ON(storage);
        uint32_t flags = 0;

        require(is_there(outputs, "credBlob") == (blob.kind != CBOR_KIND_ABSENT));
        require(cbor_find_text(outputs, "credBlob").boolean == keeps);
        require((key.kind != CBOR_KIND_ABSENT) == is_there(&inputs, "largeBlobKey"));
        require(key.kind == CBOR_KIND_ABSENT || discoverable);
        if (key.kind != CBOR_KIND_ABSENT)
                check_large_blob_key(m, &key, id);
        require(!is_there(outputs, "thirdPartyPayment") && !is_there(outputs, "largeBlob"));
        if (!row)
                return;
        flags |= discoverable ? CTAP_ROW_DISCOVERABLE : 0;
        flags |= key.kind != CBOR_KIND_ABSENT ? CTAP_ROW_LARGE_BLOB_KEY : 0;
        flags |= payment ? CTAP_ROW_THIRD_PARTY_PAYMENT : 0;
        require(row->flags == flags);
        require(bytes_equal(open_record(m, row, &room).cred_blob,
                            keeps ? blob.string : BYTES_NULL));
}

/* Only who is listed is told, and only what was asked. */
static void check_pin_rules(const struct model *m, const struct exchange *e,
                            const struct sha256 *rp_id_hash, const struct cbor_value *outputs) {
        const struct cbor_value inputs = asked_for(e, 6);
        const struct cbor_value length = cbor_find_text(outputs, "minPinLength");
        const struct cbor_value complexity = cbor_find_text(outputs, "pinComplexityPolicy");
        const bool listed = is_listed(m, rp_id_hash);

        require((length.kind != CBOR_KIND_ABSENT) ==
                (listed && cbor_find_text(&inputs, "minPinLength").boolean));
        require((complexity.kind != CBOR_KIND_ABSENT) ==
                (listed && cbor_find_text(&inputs, "pinComplexityPolicy").boolean));
        require(length.integer == 0 || length.integer == m->f->settings.min_pin_length);
        require(complexity.boolean <= m->f->settings.pin_complexity);
}

/* MC18: the key device certifies for whom it is granted to, and for who is served, unless it fails. */
static void check_certified(const struct model *m, const struct exchange *e, bool is_dummy,
                            const struct cbor_value *reply) {
        const struct cbor_value enterprise = asked_for(e, 0x0a), rp = asked_for(e, 2);
        const struct cbor_value statement = member(reply, 3), granted = member(reply, 4);
        const bool is_tpm = bytes_equal(member(reply, 1).string, BYTES_TEXT("tpm"));
        const struct bytes rp_id = cbor_find_text(&rp, "id").string;

        require(is_there(&statement, "x5c") == is_tpm &&
                is_there(&statement, "certInfo") == is_tpm);
        require(granted.boolean == (is_tpm && enterprise.kind != CBOR_KIND_ABSENT));
        require(!granted.boolean || m->f->settings.enterprise_attestation);
        require(!is_tpm || (!is_dummy && (enterprise.integer == 2 ||
                                          bytes_equal(rp_id, BYTES_TEXT(m->f->served)))));
        require(!is_tpm || fake_calls(m->f, "certify") > 0);
}

/* MC9: the attester signs, or fails, for whom it is granted to, for nobody else, nor for a dummy. */
static void check_attestation(const struct model *m, const struct exchange *e, bool is_dummy,
                              const struct cbor_value *reply) {
        const struct cbor_value enterprise = asked_for(e, 0x0a), rp = asked_for(e, 2);
        const struct cbor_value statement = member(reply, 3), granted = member(reply, 4);
        const bool none = bytes_equal(member(reply, 1).string, BYTES_TEXT("none"));
        const struct bytes rp_id = cbor_find_text(&rp, "id").string;
        const bool asked = fake_calls(m->f, "attest") > 0;

        require(granted.kind == CBOR_KIND_ABSENT || granted.boolean);
        if (m->ctap->env.attester == &m->f->certifier) {
                check_certified(m, e, is_dummy, reply);
                return;
        }
        require(granted.boolean == is_there(&statement, "x5c"));
        require(asked || !granted.boolean);
        require(!none || statement.n == 0);
        if (enterprise.kind == CBOR_KIND_ABSENT) {
                require(!asked);
                return;
        }
        require(m->ctap->env.attester && m->f->settings.enterprise_attestation);
        require(enterprise.integer == 2 || enterprise.integer == 1);
        require((asked || none) == ((!is_dummy && (enterprise.integer == 2 ||
                                                   bytes_equal(rp_id, BYTES_TEXT(m->f->served)))) ||
                                    none));
}

static void check_created(struct model *m, const struct exchange *e,
                          const struct cbor_value *reply) {
        const struct cbor_value data = member(reply, 2);
        struct ctap_auth_data d = { 0 };
        struct ctap_credential_id id;
        struct cursor in;
        struct bytes known, left;
        struct cbor_value outputs;

        read_head(data.string, &d, &in);
        require((d.flags & ~(CTAP_FLAG_UV | CTAP_FLAG_ED)) == (CTAP_FLAG_UP | CTAP_FLAG_AT));
        require(d.count == 0);
        (void)cursor_take(&in, 16);
        known = cursor_string16(&in);
        require(known.len == sizeof(id.b));
        memcpy(id.b, known.data, sizeof(id.b));
        require(cbor_next(&in.left).kind == CBOR_KIND_MAP);
        check_outputs(d.flags, in.left);
        check_uv(m, d.flags);
        check_hmac(m, &m->wanted, BYTES_OF(id), d.flags, in.left, "hmac-secret-mc");
        left = in.left;
        outputs = cbor_next(&left);
        check_kept(m, e, BYTES_OF(id), &outputs, reply);
        check_pin_rules(m, e, &d.rp_id_hash, &outputs);
        check_attestation(m, e, !row_of(m->f, BYTES_OF(id)), reply);
        remember(m, &id, &d.rp_id_hash);
        check_creation(m, &id, d.flags);
}

/* Levels of credProtect, and keys behind the PIN. `named`: by an allowList. */
static void check_protection(const struct model *m, struct bytes id, uint8_t flags, bool named) {
        const bool verified = flags & CTAP_FLAG_UV;
        const struct ctap_row *row = row_of(m->f, id);

        require(row);
        require(verified || row->cred_protect < (named ? 3 : 2));
        require(verified || !(flags & CTAP_FLAG_UP) ||
                (row->class == CTAP_CLASS_A && !ctap_always_uv(m->ctap)));
}

/* What the credential holds is given to who asked, unless it is behind the PIN and there is none. */
static void check_given(const struct model *m, const struct wanted *wanted, struct bytes id,
                        uint8_t flags, struct bytes left, const struct cbor_value *reply) {
        const struct cbor_value outputs = cbor_next(&left), key = member(reply, 7);
        const struct cbor_value blob = cbor_find_text(&outputs, "credBlob");
        const struct cbor_value payment = cbor_find_text(&outputs, "thirdPartyPayment");
        const struct ctap_row *row = row_of(m->f, id);
        const bool opens = row->class == CTAP_CLASS_A || (flags & CTAP_FLAG_UV);
        uint8_t storage[sizeof(row->sealed)];
        struct buf room = BUF_ON(storage);

        require((blob.kind != CBOR_KIND_ABSENT) == wanted->cred_blob);
        require(bytes_equal(blob.string, wanted->cred_blob && opens
                                                 ? open_record(m, row, &room).cred_blob
                                                 : BYTES_NULL));
        require((payment.kind != CBOR_KIND_ABSENT) == wanted->payment);
        require(payment.boolean ==
                (wanted->payment && (row->flags & CTAP_ROW_THIRD_PARTY_PAYMENT)));
        require((key.kind != CBOR_KIND_ABSENT) ==
                (wanted->large_blob_key && opens && (row->flags & CTAP_ROW_LARGE_BLOB_KEY)));
        if (key.kind != CBOR_KIND_ABSENT)
                check_large_blob_key(m, &key, id);
}

static void check_assertion(struct model *m, const struct exchange *e, struct wanted *wanted,
                            const struct cbor_value *reply) {
        const struct cbor_value credential = member(reply, 1), data = member(reply, 2);
        const struct cbor_value id = cbor_find_text(&credential, "id");
        struct ctap_auth_data d = { 0 };
        struct cursor in;

        read_head(data.string, &d, &in);
        check_outputs(d.flags, in.left);
        check_uv(m, d.flags);
        check_signature(m, id.string, &d.rp_id_hash, d.flags, d.count);
        check_protection(m, id.string, d.flags, is_named(e));
        check_hmac(m, wanted, id.string, d.flags, in.left, "hmac-secret");
        check_given(m, wanted, id.string, d.flags, in.left, reply);
        require((d.flags & CTAP_FLAG_UP) == (fake_calls(m->f, "use") > 0));
}

static void read_wanted(struct model *m, const struct exchange *e) {
        const struct cbor_value inputs = asked_for(e, 4);

        m->wanted.cred_blob = cbor_find_text(&inputs, "credBlob").boolean;
        m->wanted.large_blob_key = cbor_find_text(&inputs, "largeBlobKey").boolean;
        m->wanted.payment = cbor_find_text(&inputs, "thirdPartyPayment").boolean;
}

static void check_begun(struct model *m, const struct exchange *e, const struct cbor_value *reply) {
        const struct cbor_value n = member(reply, 5);

        if (n.kind == CBOR_KIND_ABSENT)
                return;
        require(n.integer > 1);
        m->walk = (struct walk){
                .channel = e->channel,
                .remaining = (uint32_t)(n.integer - 1),
                .ends_ms = m->f->now_ms + WALK_MS,
                .up = fake_calls(m->f, "use") > 0,
                .wanted = m->wanted,
        };
}

static void check_continued(struct model *m, const struct exchange *e,
                            const struct cbor_value *reply) {
        require(m->walk.channel == e->channel && m->walk.remaining > 0);
        require(m->f->now_ms < m->walk.ends_ms);
        require(member(reply, 5).kind == CBOR_KIND_ABSENT);
        m->walk.remaining--;
        m->walk.ends_ms = m->f->now_ms + WALK_MS;
}

static void check_success(struct model *m, const struct exchange *e,
                          const struct cbor_value *reply) {
        switch (e->message.data[0]) {
        case 0x01:
                check_created(m, e, reply);
                return;
        case 0x02:
                read_wanted(m, e);
                check_assertion(m, e, &m->wanted, reply);
                check_begun(m, e, reply);
                return;
        case 0x08:
                check_assertion(m, e, &m->walk.wanted, reply);
                check_continued(m, e, reply);
                return;
        case 0x04:
        case 0x06:
        case 0x0a: /* what manages has a fuzz program of its own */
        case 0x0c:
        case 0x41:
                return;
        default:
                require(false); /* no other command has something to say */
        }
}

static void check_reply(struct model *m, const struct exchange *e) {
        struct bytes body = BYTES(e->storage + 1, e->reply.len - 1);
        struct cbor_value reply;

        require(buf_error(&e->reply) == 0 && e->reply.len >= 1);
        if (e->storage[0] != CTAP_OK) {
                require(e->reply.len == 1);
                require(strcmp(ctap_status_name(e->storage[0]), "unknown") != 0);
                return;
        }
        require(e->message.len > 0);
        if (e->message.data[0] != 0x08)
                m->walk.remaining = 0;
        if (e->message.data[0] == 0x07)
                forget_yes(m);
        if (body.len == 0) {
                require(memchr("\x06\x07\x0a\x0b\x0c\x0d\x41", e->message.data[0], 7));
                return;
        }
        require(cbor_check(body) == CTAP_OK);
        reply = cbor_next(&body);
        require(reply.kind == CBOR_KIND_MAP);
        check_success(m, e, &reply);
}

/* ---- U2F replies ---- */

static struct bytes apdu_data(struct bytes apdu) {
        struct cursor in = { apdu, false };
        size_t n;

        (void)cursor_take(&in, 4);
        n = cursor_u8(&in);
        return cursor_take(&in, n > 0 ? n : cursor_u16(&in));
}

static void check_registered(struct model *m, struct bytes data, struct cursor reply) {
        struct ctap_credential_id id = { { 0 } };
        struct sha256 app = { { 0 } };
        struct cursor in = { data, false };

        (void)cursor_take(&in, 32);
        cursor_copy(&in, app.b, sizeof(app.b));
        require(cursor_end(&in) == 0);
        require(cursor_u8(&reply) == 0x05);
        (void)cursor_take(&reply, 65);
        require(cursor_u8(&reply) == sizeof(id.b));
        cursor_copy(&reply, id.b, sizeof(id.b));
        require(!reply.failed && reply.left.len > 0);
        remember(m, &id, &app);
}

static void check_authenticated(struct model *m, struct bytes data, struct cursor reply) {
        struct cursor in = { data, false };
        struct sha256 app = { { 0 } };
        uint8_t up = cursor_u8(&reply);
        uint32_t count = cursor_u32(&reply);
        struct bytes handle;

        (void)cursor_take(&in, 32);
        cursor_copy(&in, app.b, sizeof(app.b));
        handle = cursor_take(&in, cursor_u8(&in));
        require(cursor_end(&in) == 0 && !reply.failed);
        check_signature(m, handle, &app, up, count);
        require(up == (fake_calls(m->f, "use") > 0));
}

static void check_u2f_reply(struct model *m, const struct exchange *e) {
        const struct bytes data = apdu_data(e->message);
        const uint8_t *end = e->storage + e->reply.len;
        struct cursor body;

        require(buf_error(&e->reply) == 0 && e->reply.len >= 2);
        require(end[-2] != 0x90 || !ctap_always_uv(m->ctap) || e->message.data[1] == 0x03);
        if (end[-2] != 0x90) {
                require(e->reply.len == 2);
                return;
        }
        body = (struct cursor){ BYTES(e->storage, e->reply.len - 2), false };
        switch (e->message.data[1]) {
        case 0x01:
                check_registered(m, data, body);
                return;
        case 0x02:
                check_authenticated(m, data, body);
                return;
        case 0x03:
                require(bytes_equal(body.left, BYTES_TEXT("U2F_V2")));
                return;
        default:
                require(false);
        }
}

/* ---- sending ---- */

/* The message in a block of its exact size, damaged as the program says. */
static uint8_t *damage(struct model *m, struct bytes *message) {
        size_t n = m->cuts && m->cut_to < message->len ? m->cut_to : message->len;
        uint8_t *copy = malloc(n > 0 ? n : 1);

        require(copy);
        if (n > 0)
                memcpy(copy, message->data, n);
        if (m->flip_at < n)
                copy[m->flip_at] ^= m->flip;
        m->flip = 0;
        m->cuts = false;
        *message = BYTES(copy, n);
        return copy;
}

static void send_request(struct model *m, uint32_t channel, struct bytes message) {
        struct exchange e = { .channel = channel, .message = message };
        const enum ctap_answer answer = m->f->answer;
        uint8_t *copy = damage(m, &e.message);
        bool continues;

        /* A wait has an answer, sooner or later. */
        if (answer == CTAP_ANSWER_PENDING)
                m->f->answer = CTAP_ANSWER_TIMEOUT;
        e.reply = BUF_ON(e.storage);
        ctap_request(m->ctap, channel, e.message, &e.reply);
        m->f->answer = answer;
        m->extensions = 0;
        m->more = 0;

        continues = e.message.len > 0 && e.message.data[0] == 0x08;
        check_reply(m, &e);
        check_acts(m, continues);
        check_world(m);
        free(copy);
}

static void send_u2f(struct model *m, uint32_t channel, struct bytes message) {
        struct exchange e = { .channel = channel, .message = message };
        uint8_t *copy = damage(m, &e.message);

        e.reply = BUF_ON(e.storage);
        ctap_u2f(m->ctap, channel, e.message, &e.reply);
        check_u2f_reply(m, &e);
        check_acts(m, false);
        check_world(m);
        m->walk.remaining = 0;
        free(copy);
}

static uint32_t channel_of(uint8_t name) {
        return 1u + name % CHANNELS;
}

/* ---- building ---- */

static void put_descriptor(struct cbor_writer *w, const struct made *made) {
        cbor_put_map(w, 2);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, BYTES_OF(made->id));
        cbor_put_string(w, "type");
        cbor_put_string(w, "public-key");
}

static void put_descriptors(struct cbor_writer *w, const struct model *m) {
        unsigned n = m->n_made < 16 ? m->n_made : 16;

        cbor_put_array(w, n);
        for (unsigned i = m->n_made - n; i < m->n_made; i++)
                put_descriptor(w, &m->made[i]);
}

static void put_hash(struct cbor_writer *w, uint8_t with) {
        struct sha256 hash;

        memset(hash.b, with, sizeof(hash.b));
        cbor_put_bytes(w, BYTES_OF(hash));
}

static void put_user(struct cbor_writer *w, uint8_t user, uint8_t bits) {
        const uint8_t id[] = { (uint8_t)(1 + user % 4) };

        cbor_put_map(w, bits & CREATE_NAMELESS ? 1 : 2);
        cbor_put_string(w, "id");
        cbor_put_bytes(w, BYTES_OF(id));
        if (!(bits & CREATE_NAMELESS)) {
                cbor_put_string(w, "name");
                cbor_put_string(w, user % 2 ? "dummy" : "alice");
        }
}

static void put_alg(struct cbor_writer *w, int32_t alg) {
        cbor_put_map(w, 2);
        cbor_put_string(w, "alg");
        cbor_put_int(w, alg);
        cbor_put_string(w, "type");
        cbor_put_string(w, "public-key");
}

/* By the token that was issued last, which may be at its end by now. */
static void put_param(struct cbor_writer *w, const struct model *m, unsigned key, uint8_t hash) {
        uint8_t storage[32], message[32];
        struct buf param = BUF_ON(storage);

        memset(message, hash, sizeof(message));
        if (m->has_platform)
                platform_token_param(&m->platform, BYTES_OF(message), &param);
        else
                buf_put_u8(&param, 0);
        cbor_put_int(w, key);
        cbor_put_bytes(w, buf_bytes(&param));
        cbor_put_int(w, key + 1);
        cbor_put_int(w, m->has_platform ? m->platform.protocol : 2);
}

static void put_salts(struct cbor_writer *w, struct model *m) {
        uint8_t storage[80], mac[32];
        struct buf enc = BUF_ON(storage), auth = BUF_ON(mac);

        m->wanted.platform = m->platform;
        m->wanted.len = m->extensions & EXTENSION_TWO_SALTS ? 64 : 32;
        memset(m->wanted.salts, m->extensions, sizeof(m->wanted.salts));
        platform_encrypt(&m->platform, BYTES(m->wanted.salts, m->wanted.len), &enc);
        platform_authenticate(&m->platform, buf_bytes(&enc), &auth);
        mac[0] ^= (m->extensions & EXTENSION_BAD_MAC) != 0;

        cbor_put_map(w, 4);
        cbor_put_int(w, 1);
        platform_put_key(&m->platform, w->out);
        cbor_put_int(w, 2);
        cbor_put_bytes(w, buf_bytes(&enc));
        cbor_put_int(w, 3);
        cbor_put_bytes(w, buf_bytes(&auth));
        cbor_put_int(w, 4);
        cbor_put_int(w, m->platform.protocol);
}

static bool wants_salts(const struct model *m) {
        return m->has_platform && (m->extensions & EXTENSION_SALTS);
}

/* Names in canonical order; what is not asked for is left out. */
static void put_yes(struct cbor_writer *w, bool asked, const char *name) {
        if (!asked)
                return;
        cbor_put_string(w, name);
        cbor_put_bool(w, true);
}

static void put_large_blob(struct cbor_writer *w, bool asked) {
        if (!asked)
                return;
        cbor_put_string(w, "largeBlob");
        cbor_put_map(w, 1);
        cbor_put_string(w, "support");
        cbor_put_string(w, "required");
}

static void put_blob(struct cbor_writer *w, uint8_t more) {
        static const uint8_t blob[33] = "as long as a blob may be, and one";

        if (!(more & (MORE_BLOB | MORE_LONG_BLOB)))
                return;
        cbor_put_string(w, "credBlob");
        cbor_put_bytes(w, BYTES(blob, !(more & MORE_LONG_BLOB) ? 8u
                                      : more & MORE_BLOB       ? 32u
                                                               : 33u));
}

static void put_creation_extensions(struct cbor_writer *w, struct model *m) {
        const uint8_t level = m->extensions & EXTENSION_LEVEL, more = m->more;
        const bool secret = m->extensions & EXTENSION_SECRET, salts = wants_salts(m);
        const bool blob = more & (MORE_BLOB | MORE_LONG_BLOB), large_blob = more & MORE_LARGE_BLOB;
        const bool key = more & MORE_KEY, rules = more & MORE_PIN_RULES;
        const bool payment = more & MORE_PAYMENT;

        cbor_put_int(w, 6);
        cbor_put_map(w, 0u + blob + large_blob + (level > 0) + secret + key + 2u * rules + salts +
                                payment);
        put_blob(w, more);
        put_large_blob(w, large_blob);
        if (level > 0) {
                cbor_put_string(w, "credProtect");
                cbor_put_int(w, level);
        }
        put_yes(w, secret, "hmac-secret");
        put_yes(w, key, "largeBlobKey");
        put_yes(w, rules, "minPinLength");
        if (salts) {
                cbor_put_string(w, "hmac-secret-mc");
                put_salts(w, m);
        }
        put_yes(w, payment, "thirdPartyPayment");
        put_yes(w, rules, "pinComplexityPolicy");
}

static void put_assertion_extensions(struct cbor_writer *w, struct model *m) {
        const bool blob = m->more & (MORE_BLOB | MORE_LONG_BLOB), key = m->more & MORE_KEY;
        const bool large_blob = m->more & MORE_LARGE_BLOB, payment = m->more & MORE_PAYMENT;
        const bool salts = wants_salts(m);

        cbor_put_int(w, 4);
        cbor_put_map(w, 0u + blob + large_blob + salts + key + payment);
        put_yes(w, blob, "credBlob");
        put_large_blob(w, large_blob);
        if (salts) {
                cbor_put_string(w, "hmac-secret");
                put_salts(w, m);
        }
        put_yes(w, key, "largeBlobKey");
        put_yes(w, payment, "thirdPartyPayment");
}

static void step_create(struct model *m, struct cursor *c) {
        uint32_t channel = channel_of(cursor_u8(c));
        uint8_t rp = cursor_u8(c), user = cursor_u8(c), bits = cursor_u8(c);
        bool exclude = bits & CREATE_EXCLUDE, uv = bits & CREATE_UV;
        bool extended = m->extensions > 0 || (m->more & ~(MORE_ENTERPRISE | MORE_PLATFORM));
        bool enterprise = m->more & MORE_ENTERPRISE;
        bool select = bits & CREATE_SELECT, verified = !select && (bits & CREATE_VERIFIED);
        uint8_t storage[MAX_MESSAGE];
        struct buf b = BUF_ON(storage);
        struct cbor_writer w = { &b };

        buf_put_u8(&b, 0x01);
        cbor_put_map(&w, 5u + exclude + extended + select + 2u * verified + enterprise +
                                 ((bits & CREATE_NONE) != 0));
        cbor_put_int(&w, 1);
        put_hash(&w, user);
        cbor_put_int(&w, 2);
        cbor_put_map(&w, 1);
        cbor_put_string(&w, "id");
        cbor_put_string(&w, rps[rp % ELEMENTSOF(rps)]);
        cbor_put_int(&w, 3);
        put_user(&w, user, bits);
        cbor_put_int(&w, 4);
        cbor_put_array(&w, 2);
        put_alg(&w, bits & CREATE_P384 ? CTAP_COSE_ES384 : -257);
        put_alg(&w, CTAP_COSE_ES256);
        if (exclude) {
                cbor_put_int(&w, 5);
                put_descriptors(&w, m);
        }
        if (extended)
                put_creation_extensions(&w, m);
        cbor_put_int(&w, 7);
        cbor_put_map(&w, 1u + uv);
        cbor_put_string(&w, "rk");
        cbor_put_bool(&w, bits & CREATE_DISCOVERABLE);
        if (uv) {
                cbor_put_string(&w, "uv");
                cbor_put_bool(&w, true);
        }
        if (select) {
                cbor_put_int(&w, 8);
                cbor_put_bytes(&w, BYTES_NULL);
        }
        if (verified)
                put_param(&w, m, 8, user);
        if (enterprise) {
                cbor_put_int(&w, 0x0a);
                cbor_put_int(&w, m->more & MORE_PLATFORM ? 2 : 1);
        }
        if (bits & CREATE_NONE) {
                cbor_put_int(&w, 0x0b);
                cbor_put_array(&w, 1);
                cbor_put_string(&w, "none");
        }
        send_request(m, channel, buf_bytes(&b));
}

static void put_allow_list(struct cbor_writer *w, const struct model *m, uint8_t which,
                           uint8_t bits) {
        cbor_put_int(w, 3);
        if (bits & ASSERT_ALL) {
                put_descriptors(w, m);
                return;
        }
        cbor_put_array(w, m->n_made > 0);
        if (m->n_made > 0)
                put_descriptor(w, &m->made[which % m->n_made]);
}

static void step_assert(struct model *m, struct cursor *c) {
        uint32_t channel = channel_of(cursor_u8(c));
        uint8_t rp = cursor_u8(c), which = cursor_u8(c), bits = cursor_u8(c);
        bool list = bits & (ASSERT_NAMED | ASSERT_ALL), rk = bits & ASSERT_RK;
        bool uv = bits & ASSERT_UV;
        bool select = bits & ASSERT_SELECT, verified = !select && (bits & ASSERT_VERIFIED);
        bool extended =
                wants_salts(m) || (m->more & ~(MORE_PIN_RULES | MORE_ENTERPRISE | MORE_PLATFORM));
        uint8_t storage[MAX_MESSAGE];
        struct buf b = BUF_ON(storage);
        struct cbor_writer w = { &b };

        buf_put_u8(&b, 0x02);
        cbor_put_map(&w, 3u + list + extended + select + 2u * verified);
        cbor_put_int(&w, 1);
        cbor_put_string(&w, rps[rp % ELEMENTSOF(rps)]);
        cbor_put_int(&w, 2);
        put_hash(&w, which);
        if (list)
                put_allow_list(&w, m, which, bits);
        if (extended)
                put_assertion_extensions(&w, m);
        cbor_put_int(&w, 5);
        cbor_put_map(&w, 1u + rk + uv);
        if (rk) {
                cbor_put_string(&w, "rk");
                cbor_put_bool(&w, false);
        }
        cbor_put_string(&w, "up");
        cbor_put_bool(&w, !(bits & ASSERT_SILENT));
        if (uv) {
                cbor_put_string(&w, "uv");
                cbor_put_bool(&w, true);
        }
        if (select) {
                cbor_put_int(&w, 6);
                cbor_put_bytes(&w, BYTES_NULL);
        }
        if (verified)
                put_param(&w, m, 6, which);
        send_request(m, channel, buf_bytes(&b));
}

static void put_apdu(struct buf *b, uint8_t ins, uint8_t p1, uint8_t challenge, uint8_t rp,
                     struct bytes handle) {
        struct sha256 app = rp_hash(rp);

        buf_put_u8(b, 0);
        buf_put_u8(b, ins);
        buf_put_u8(b, p1);
        buf_put_u16(b, 0); /* P2, and the sign of an extended length */
        buf_put_u16(b, (uint16_t)(64 + handle.len));
        for (int i = 0; i < 32; i++)
                buf_put_u8(b, challenge);
        buf_put(b, BYTES_OF(app));
        buf_put(b, handle);
}

static void step_register(struct model *m, struct cursor *c) {
        uint32_t channel = channel_of(cursor_u8(c));
        uint8_t rp = cursor_u8(c), challenge = cursor_u8(c), storage[128];
        struct buf b = BUF_ON(storage);

        put_apdu(&b, 0x01, 0, challenge, rp, BYTES_NULL);
        send_u2f(m, channel, buf_bytes(&b));
}

static void step_authenticate(struct model *m, struct cursor *c) {
        uint32_t channel = channel_of(cursor_u8(c));
        uint8_t rp = cursor_u8(c), which = cursor_u8(c), challenge = cursor_u8(c);
        uint8_t p1 = cursor_u8(c), storage[256], tail[1 + CTAP_CREDENTIAL_ID_SIZE];
        struct buf b = BUF_ON(storage), handle = BUF_ON(tail);

        buf_put_u8(&handle, CTAP_CREDENTIAL_ID_SIZE);
        if (m->n_made > 0)
                buf_put(&handle, BYTES_OF(m->made[which % m->n_made].id));
        put_apdu(&b, 0x02, p1, challenge, rp, buf_bytes(&handle));
        send_u2f(m, channel, buf_bytes(&b));
}

static struct bytes raw(struct cursor *c) {
        size_t n = cursor_u16(c);

        return cursor_take(c, n < c->left.len ? n : c->left.len);
}

/* ---- the world ---- */

static void step_fail(struct model *m, struct cursor *c) {
        static const char *const calls[] = { NULL,
                                             "create",
                                             "load",
                                             "sign",
                                             "insert",
                                             "find",
                                             "newest",
                                             "count",
                                             "use",
                                             "prepare_use",
                                             "wait",
                                             "begin",
                                             "poll",
                                             "fill",
                                             "reset",
                                             "secret_create",
                                             "secret_hmac",
                                             "ticket_check",
                                             "set_cred_random",
                                             "attest" };
        static const int errors[] = { -EIO,          -ENOSPC,    -ENOENT,
                                      -EKEYREJECTED, -EOVERFLOW, -EKEYEXPIRED };
        const char *call = calls[cursor_u8(c) % ELEMENTSOF(calls)];
        unsigned nth = 1u + cursor_u8(c) % 16u;

        fake_fail(m->f, call, nth, errors[cursor_u8(c) % ELEMENTSOF(errors)]);
}

static void step_time(struct model *m, struct cursor *c) {
        m->f->now_ms += cursor_u16(c);
        ctap_expire(m->ctap);
        require(ctap_deadline(m->ctap) > m->f->now_ms);
        check_acts(m, false);
        check_world(m);
}

static void step_power_up(struct model *m) {
        ctap_power_up(m->ctap);
        require(!m->f->shown);
        forget_yes(m);
        check_world(m);
        m->walk.remaining = 0;
}

/* As authenticatorClientPIN leaves it behind. */
static void step_token(struct model *m, struct cursor *c) {
        const unsigned protocol = 1 + cursor_u8(c) % CTAP_PIN_PROTOCOLS;
        const uint8_t rp = cursor_u8(c), permissions = cursor_u8(c);
        const struct sha256 hash = rp_hash(rp);
        struct ctap_ticket ticket = { 0 };
        struct buf words = BUF_ON(ticket.data), pin = BUF_ON(m->f->pin.b);
        uint8_t storage[128];
        struct buf key = BUF_ON(storage);
        struct cbor_writer w = { &key };

        m->f->has_pin = true;
        m->f->settings.pin_length = 4;
        platform_put_pin_hash(PIN, &pin);
        require(ctap_key_agreement_put(&m->ctap->agreement, protocol, &w) == 0);
        platform_agree(&m->platform, protocol, buf_bytes(&key));
        buf_put_u32(&words, m->f->epoch);
        buf_put_u64(&words, m->f->now_ms + 1000 * CTAP_TOKEN_SECONDS);
        ticket.len = (uint16_t)words.len;
        if (ctap_token_issue(&m->ctap->token, &m->f->rng, protocol, permissions,
                             rp == 0xff ? NULL : &hash, &ticket, m->f->now_ms) == 0)
                memcpy(m->platform.token, m->ctap->token.value.b, sizeof(m->platform.token));
        m->has_platform = true;
}

/* No walk lives through what can change it: a restart, or authenticatorConfig. */
static void step_always_uv(struct model *m) {
        m->ctap->options.always_uv = !m->ctap->options.always_uv;
        ctap_forget_walk(m->ctap);
        m->walk.remaining = 0;
}

/* As authenticatorConfig leaves it behind. */
static void step_list(struct model *m, struct cursor *c) {
        struct ctap_settings *s = &m->f->settings;
        const struct sha256 hash = rp_hash(cursor_u8(c));

        s->n_min_pin_length_rps %= CTAP_MIN_PIN_LENGTH_RPS;
        require(ctap_rp_tag(&m->ctap->credential_keys, &hash,
                            &s->min_pin_length_rps[s->n_min_pin_length_rps++]) == 0);
        s->min_pin_length = (uint8_t)(4 + cursor_u8(c) % 60);
        s->pin_complexity = s->min_pin_length % 2;
}

static void step_attester(struct model *m, struct cursor *c) {
        const uint8_t bits = cursor_u8(c);

        m->ctap->env.attester = bits & 4 ? &m->f->certifier : bits & 1 ? &m->f->attester : NULL;
        m->f->settings.enterprise_attestation = bits & 2;
}

static void step(struct model *m, struct cursor *c) {
        uint32_t channel;

        switch (cursor_u8(c)) {
        case 'c':
                step_create(m, c);
                break;
        case 'a':
                step_assert(m, c);
                break;
        case 'e':
                m->extensions = cursor_u8(c);
                break;
        case 'E':
                m->more = cursor_u8(c);
                break;
        case 'L':
                step_list(m, c);
                break;
        case 'N':
                step_attester(m, c);
                break;
        case 'T':
                step_token(m, c);
                break;
        case 'w':
                m->f->epoch++;
                break;
        case 'V':
                step_always_uv(m);
                break;
        case 'g':
                channel = channel_of(cursor_u8(c));
                send_request(m, channel, cursor_take(c, 1));
                break;
        case 'R':
                step_register(m, c);
                break;
        case 'A':
                step_authenticate(m, c);
                break;
        case 'r':
                channel = channel_of(cursor_u8(c));
                send_request(m, channel, raw(c));
                break;
        case 'u':
                channel = channel_of(cursor_u8(c));
                send_u2f(m, channel, raw(c));
                break;
        case 'x':
                m->flip_at = cursor_u16(c);
                m->flip = cursor_u8(c);
                break;
        case 'k':
                m->cuts = true;
                m->cut_to = cursor_u16(c);
                break;
        case 'y':
                m->f->answer = cursor_u8(c) % (CTAP_ANSWER_CANCELLED + 1u);
                break;
        case 'f':
                step_fail(m, c);
                break;
        case 't':
                step_time(m, c);
                break;
        case 'p':
                step_power_up(m);
                break;
        case 'D':
                m->f->abilities ^= CTAP_PRESENCE_DISPLAY;
                break;
        case 'P':
                m->f->abilities ^= CTAP_PRESENCE_VERIFY;
                m->f->typed = PIN;
                m->f->n_mistyped = cursor_u8(c) % 4;
                break;
        case 'o':
                if (m->f->n_rows > 0)
                        fake_delete(m->f, &m->f->rows[cursor_u8(c) % m->f->n_rows].id);
                break;
        default:
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct ctap_options options = { .aaguid = "an authenticator",
                                                     .firmware_version = 1,
                                                     .max_message = MAX_MESSAGE,
                                                     .max_large_blobs = 2048 };
        struct cursor c = { BYTES(data, size), false };
        struct model m = { .f = fake_new() };

        m.f->served = rps[0];
        require(ctap_new(&m.f->env, &options, &m.ctap) == 0);
        ctap_power_up(m.ctap);
        while (c.left.len > 0 && !c.failed)
                step(&m, &c);
        m.ctap = ctap_free(m.ctap);
        require(!m.f->shown && m.f->n_loaded == 0);
        m.f = fake_free(m.f);
        return 0;
}
