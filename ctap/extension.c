/* SPDX-License-Identifier: BSD-2-Clause */

/* A table of extensions: see extension.h. It is in the canonical order of their names (B1). */

#include "ctap/extension.h"

typedef enum ctap_status read_fn(struct ctap_key_agreement *agreement,
                                 const struct cbor_value *input, struct ctap_extensions *x);
typedef void put_fn(const struct ctap_extensions *x, struct bytes hmac_output,
                    struct cbor_writer *out);

/* ---- credProtect ---- */

static enum ctap_status read_cred_protect(struct ctap_key_agreement *agreement _unused_,
                                          const struct cbor_value *input,
                                          struct ctap_extensions *x) {
        if (input->kind != CBOR_KIND_INT)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        if (input->integer < 1 || input->integer > 3)
                return CTAP1_ERR_INVALID_PARAMETER;
        x->cred_protect = (uint8_t)input->integer;
        return CTAP_OK;
}

static void put_cred_protect(const struct ctap_extensions *x, struct bytes hmac_output _unused_,
                             struct cbor_writer *out) {
        cbor_put_int(out, x->cred_protect);
}

/* ---- hmac-secret and hmac-secret-mc ---- */

static enum ctap_status read_cred_random(struct ctap_key_agreement *agreement _unused_,
                                         const struct cbor_value *input,
                                         struct ctap_extensions *x) {
        if (input->kind != CBOR_KIND_BOOL)
                return CTAP2_ERR_CBOR_UNEXPECTED_TYPE;
        x->cred_random = input->boolean;
        return CTAP_OK;
}

static void put_cred_random(const struct ctap_extensions *x, struct bytes hmac_output _unused_,
                            struct cbor_writer *out) {
        cbor_put_bool(out, x->cred_random);
}

static enum ctap_status read_salts(struct ctap_key_agreement *agreement,
                                   const struct cbor_value *input, struct ctap_extensions *x) {
        return ctap_salts_open(agreement, input, &x->salts);
}

/* D5. The table has read hmac-secret before. */
static enum ctap_status read_salts_mc(struct ctap_key_agreement *agreement,
                                      const struct cbor_value *input, struct ctap_extensions *x) {
        return x->cred_random ? read_salts(agreement, input, x) : CTAP2_ERR_MISSING_PARAMETER;
}

static void put_hmac_output(const struct ctap_extensions *x _unused_, struct bytes hmac_output,
                            struct cbor_writer *out) {
        cbor_put_bytes(out, hmac_output);
}

/* ---- the table ---- */

static const struct extension {
        const char *name;
        struct {
                read_fn *read; /* NULL: no such extension of this command */
                put_fn *put;
        } of[_CTAP_CEREMONIES];
} extensions[] = {
        { "credProtect", { { read_cred_protect, put_cred_protect }, { NULL, NULL } } },
        { "hmac-secret",
          { { read_cred_random, put_cred_random }, { read_salts, put_hmac_output } } },
        { "hmac-secret-mc", { { read_salts_mc, put_hmac_output }, { NULL, NULL } } },
};

const char *ctap_extension_name(size_t nth) {
        return nth < ELEMENTSOF(extensions) ? extensions[nth].name : NULL;
}

bool ctap_extensions_need_presence(const struct cbor_value *map) {
        return cbor_find_text(map, "hmac-secret").kind != CBOR_KIND_ABSENT;
}

void ctap_extensions_wipe(struct ctap_extensions *x) {
        OPENSSL_cleanse(x, sizeof(*x));
}

enum ctap_status ctap_extensions_read(struct ctap_key_agreement *agreement,
                                      enum ctap_ceremony ceremony, const struct cbor_value *map,
                                      struct ctap_extensions *ret) {
        _cleanup_(ctap_extensions_wipe) struct ctap_extensions x = { .ceremony = ceremony };

        for (size_t i = 0; i < ELEMENTSOF(extensions); i++) {
                const struct cbor_value input = cbor_find_text(map, extensions[i].name);
                read_fn *read = extensions[i].of[ceremony].read;
                enum ctap_status s;

                if (!read || input.kind == CBOR_KIND_ABSENT)
                        continue;
                s = read(agreement, &input, &x);
                if (s != CTAP_OK)
                        return s;
                if (input.kind != CBOR_KIND_BOOL || input.boolean)
                        x.asked |= 1u << i;
        }
        *ret = x;
        return CTAP_OK;
}

void ctap_extensions_put(const struct ctap_extensions *x, struct bytes hmac_output,
                         struct buf *out) {
        struct cbor_writer w = { out };

        if (x->asked == 0)
                return;
        cbor_put_map(&w, (size_t)__builtin_popcount(x->asked));
        for (size_t i = 0; i < ELEMENTSOF(extensions); i++)
                if (x->asked & 1u << i) {
                        cbor_put_string(&w, extensions[i].name);
                        extensions[i].of[x->ceremony].put(x, hmac_output, &w);
                }
}
