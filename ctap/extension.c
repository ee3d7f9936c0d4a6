/* SPDX-License-Identifier: BSD-2-Clause */

/* A table of extensions: see extension.h. It is in the canonical order of their names (B1). */

#include "ctap/extension.h"

#include "ctap/command.h"
#include "ctap/policy.h"

/* One input, and what it is read against. */
struct input {
        struct ctap *ctap;
        const struct ctap_extension_scope *scope;
        struct cbor_value value;
};

typedef enum ctap_status read_fn(const struct input *in, struct ctap_extensions *x);
typedef void put_fn(const struct ctap_extensions *x, const struct ctap_extension_outputs *outputs,
                    struct cbor_writer *out);

/* Those that are a yes to an output and nothing else. */
static enum ctap_status read_yes(const struct input *in, struct ctap_extensions *x _unused_) {
        return in->value.kind == CBOR_KIND_BOOL ? CTAP_OK : CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
}

/* ---- credBlob ---- */

/* D6: one that is too long, or of a credential that no list will show, is not kept. */
static enum ctap_status read_cred_blob(const struct input *in, struct ctap_extensions *x) {
        if (in->value.kind != CBOR_KIND_BYTES)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        x->keeps_blob = in->scope->discoverable && in->value.string.len <= CTAP_CRED_BLOB_MAX;
        if (x->keeps_blob)
                x->cred_blob = in->value.string;
        return CTAP_OK;
}

static void put_keeps_blob(const struct ctap_extensions *x,
                           const struct ctap_extension_outputs *outputs _unused_,
                           struct cbor_writer *out) {
        cbor_put_bool(out, x->keeps_blob);
}

static void put_cred_blob(const struct ctap_extensions *x _unused_,
                          const struct ctap_extension_outputs *outputs, struct cbor_writer *out) {
        cbor_put_bytes(out, outputs->cred_blob);
}

/* ---- credProtect ---- */

static enum ctap_status read_cred_protect(const struct input *in, struct ctap_extensions *x) {
        if (in->value.kind != CBOR_KIND_INT)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        if (in->value.integer < 1 || in->value.integer > 3)
                return CTAP1_ERR_INVALID_PARAMETER;
        x->cred_protect = (uint8_t)in->value.integer;
        return CTAP_OK;
}

static void put_cred_protect(const struct ctap_extensions *x,
                             const struct ctap_extension_outputs *outputs _unused_,
                             struct cbor_writer *out) {
        cbor_put_int(out, x->cred_protect);
}

/* ---- hmac-secret and hmac-secret-mc ---- */

static enum ctap_status read_cred_random(const struct input *in, struct ctap_extensions *x) {
        if (in->value.kind != CBOR_KIND_BOOL)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        x->cred_random = in->value.boolean;
        return CTAP_OK;
}

static void put_cred_random(const struct ctap_extensions *x,
                            const struct ctap_extension_outputs *outputs _unused_,
                            struct cbor_writer *out) {
        cbor_put_bool(out, x->cred_random);
}

static enum ctap_status read_salts(const struct input *in, struct ctap_extensions *x) {
        return ctap_salts_open(&in->ctap->agreement, &in->value, &x->salts);
}

/* D5. The table has read hmac-secret before. */
static enum ctap_status read_salts_mc(const struct input *in, struct ctap_extensions *x) {
        return x->cred_random ? read_salts(in, x) : CTAP2_ERR_MISSING_PARAMETER;
}

static void put_hmac_output(const struct ctap_extensions *x _unused_,
                            const struct ctap_extension_outputs *outputs, struct cbor_writer *out) {
        cbor_put_bytes(out, outputs->hmac);
}

/* ---- largeBlobKey ---- */

/* D7: whoever does not want it must not ask. A key is of use only to who finds the credential. */
static enum ctap_status read_large_blob_key(const struct input *in, struct ctap_extensions *x) {
        if (in->value.kind != CBOR_KIND_BOOL)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        if (!in->value.boolean ||
            (in->scope->ceremony == CTAP_CEREMONY_CREATE && !in->scope->discoverable))
                return CTAP2_ERR_INVALID_OPTION;
        x->large_blob_key = true;
        return CTAP_OK;
}

/* ---- minPinLength and pinComplexityPolicy ---- */

static enum ctap_status read_pin_rules(const struct input *in, struct ctap_extensions *x) {
        x->min_pin_length = ctap_min_pin_length(in->ctap);
        x->pin_complexity = ctap_pin_complexity(in->ctap);
        return read_yes(in, x);
}

static void put_min_pin_length(const struct ctap_extensions *x,
                               const struct ctap_extension_outputs *outputs _unused_,
                               struct cbor_writer *out) {
        cbor_put_int(out, x->min_pin_length);
}

static void put_pin_complexity(const struct ctap_extensions *x,
                               const struct ctap_extension_outputs *outputs _unused_,
                               struct cbor_writer *out) {
        cbor_put_bool(out, x->pin_complexity);
}

/* ---- thirdPartyPayment ---- */

static enum ctap_status read_payment(const struct input *in, struct ctap_extensions *x) {
        x->third_party_payment = in->value.boolean;
        return read_yes(in, x);
}

static void put_payment(const struct ctap_extensions *x _unused_,
                        const struct ctap_extension_outputs *outputs, struct cbor_writer *out) {
        cbor_put_bool(out, outputs->third_party_payment);
}

/* ---- the table ---- */

enum {
        /* There is an array to keep large blobs in. */
        NEEDS_LARGE_BLOBS = 1 << 0,
        /* The output is for those whom authenticatorConfig named (D9). */
        FOR_LISTED_RPS = 1 << 1,
};

static const struct extension {
        const char *name;
        unsigned flags;
        struct {
                read_fn *read; /* NULL: no such extension of this command */
                put_fn *put;   /* NULL: it has no output in the authenticator data */
        } of[_CTAP_CEREMONIES];
} extensions[] = {
        { "credBlob", 0, { { read_cred_blob, put_keeps_blob }, { read_yes, put_cred_blob } } },
        { "credProtect", 0, { { read_cred_protect, put_cred_protect }, { NULL, NULL } } },
        { "hmac-secret",
          0,
          { { read_cred_random, put_cred_random }, { read_salts, put_hmac_output } } },
        { "largeBlobKey",
          NEEDS_LARGE_BLOBS,
          { { read_large_blob_key, NULL }, { read_large_blob_key, NULL } } },
        { "minPinLength",
          FOR_LISTED_RPS,
          { { read_pin_rules, put_min_pin_length }, { NULL, NULL } } },
        { "hmac-secret-mc", 0, { { read_salts_mc, put_hmac_output }, { NULL, NULL } } },
        { "thirdPartyPayment", 0, { { read_payment, NULL }, { read_yes, put_payment } } },
        { "pinComplexityPolicy",
          FOR_LISTED_RPS,
          { { read_pin_rules, put_pin_complexity }, { NULL, NULL } } },
};

static bool is_offered(const struct extension *e, const struct ctap_options *options) {
        return !(e->flags & NEEDS_LARGE_BLOBS) || options->max_large_blobs > 0;
}

const char *ctap_extension_name(const struct ctap_options *options, size_t nth) {
        for (size_t i = 0; i < ELEMENTSOF(extensions); i++)
                if (is_offered(&extensions[i], options) && nth-- == 0)
                        return extensions[i].name;
        return NULL;
}

bool ctap_extensions_need_presence(const struct cbor_value *map) {
        return cbor_find_text(map, "hmac-secret").kind != CBOR_KIND_ABSENT;
}

void ctap_extensions_wipe(struct ctap_extensions *x) {
        OPENSSL_cleanse(x, sizeof(*x));
}

static int is_listed(struct ctap *c, const struct sha256 *rp_id_hash, bool *ret) {
        const struct ctap_settings *s = c->env.store->ops->settings(c->env.store);
        struct sha256 tag;
        bool listed = false;
        int r;

        r = ctap_rp_tag(&c->credential_keys, rp_id_hash, &tag);
        if (r < 0)
                return r;

        for (uint8_t i = 0; i < s->n_min_pin_length_rps; i++)
                listed |= bytes_equal(BYTES_OF(s->min_pin_length_rps[i]), BYTES_OF(tag));
        *ret = listed;
        return 0;
}

/* Of an input that was read. */
static int has_output(const struct extension *e, const struct input *in, bool *ret) {
        const bool no = in->value.kind == CBOR_KIND_BOOL && !in->value.boolean;

        if (no || !e->of[in->scope->ceremony].put) {
                *ret = false;
                return 0;
        }
        if (e->flags & FOR_LISTED_RPS)
                return is_listed(in->ctap, in->scope->rp_id_hash, ret);
        *ret = true;
        return 0;
}

enum ctap_status ctap_extensions_read(struct ctap *c, const struct ctap_extension_scope *scope,
                                      const struct cbor_value *map, struct ctap_extensions *ret) {
        _cleanup_(ctap_extensions_wipe) struct ctap_extensions x = { .ceremony = scope->ceremony };

        for (size_t i = 0; i < ELEMENTSOF(extensions); i++) {
                const struct extension *e = &extensions[i];
                const struct input in = { c, scope, cbor_find_text(map, e->name) };
                read_fn *read = e->of[scope->ceremony].read;
                bool asked;
                enum ctap_status s;
                int r;

                if (!read || in.value.kind == CBOR_KIND_ABSENT || !is_offered(e, &c->options))
                        continue;
                s = read(&in, &x);
                if (s != CTAP_OK)
                        return s;
                r = has_output(e, &in, &asked);
                if (r < 0)
                        return ctap_status_from_errno(r);
                x.asked |= (unsigned)asked << i;
        }
        *ret = x;
        return CTAP_OK;
}

void ctap_extensions_put(const struct ctap_extensions *x,
                         const struct ctap_extension_outputs *outputs, struct buf *out) {
        struct cbor_writer w = { out };

        if (x->asked == 0)
                return;
        cbor_put_map(&w, (size_t)__builtin_popcount(x->asked));
        for (size_t i = 0; i < ELEMENTSOF(extensions); i++)
                if (x->asked & 1u << i) {
                        cbor_put_string(&w, extensions[i].name);
                        extensions[i].of[x->ceremony].put(x, outputs, &w);
                }
}
