/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A map or array goes on one line if it is short and has no other inside, else on a line for each of its
 * elements. Depth is limited by cbor_check().
 */

#include "trace/notation.h"

#include <stdbool.h>

#include "ctap/auth-data.h"
#include "ctap/invisible.h"
#include "ctap/macro.h"
#include "trace/auth-data.h"

#define BYTES_SHOWN 8
#define BYTES_CUT   16 /* longer ones are */
#define ONE_LINE    64 /* bytes of CBOR that may stand on one */
#define INDENT      4

/* What is printed of an item: where it stands, and what is known of it. */
struct place {
        const struct trace_shape *shape;   /* of the map, or of the maps in an array */
        const struct trace_member *member; /* NULL: nothing is known */
        bool known;                        /* a name, or a place where all is free */
        bool top;                          /* the message itself */
        unsigned depth;
};

/* ---- strings ---- */

void notation_all_bytes(FILE *to, struct bytes b) {
        fputs("h'", to);
        for (size_t i = 0; i < b.len; i++)
                fprintf(to, "%02x", b.data[i]);
        fputc('\'', to);
}

void notation_bytes(FILE *to, struct bytes b) {
        if (b.len <= BYTES_CUT) {
                notation_all_bytes(to, b);
                return;
        }
        fputs("h'", to);
        for (size_t i = 0; i < BYTES_SHOWN; i++)
                fprintf(to, "%02x", b.data[i]);
        fprintf(to, "...' / %zu bytes /", b.len);
}

/* The character that begins at i, and how long it is. False: there is none. */
static bool decode(struct bytes b, size_t i, uint32_t *ret, size_t *ret_len) {
        const uint8_t first = b.data[i];
        size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        uint32_t c = len == 1 ? first : first & (0x7fu >> len);

        if (len > b.len - i || !bytes_is_utf8(BYTES(b.data + i, len)))
                return false;
        for (size_t k = 1; k < len; k++)
                c = c << 6 | (b.data[i + k] & 0x3f);
        *ret = c;
        *ret_len = len;
        return true;
}

static void put_character(FILE *to, struct bytes encoded, uint32_t c) {
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);

        if (c == '"' || c == '\\')
                fprintf(to, "\\%c", (int)c);
        else if (control || is_invisible(c))
                fprintf(to, "\\u{%x}", (unsigned)c);
        else
                fwrite(encoded.data, 1, encoded.len, to);
}

void notation_text(FILE *to, struct bytes utf8) {
        size_t len = 1;
        uint32_t c;

        fputc('"', to);
        for (size_t i = 0; i < utf8.len; i += len)
                if (decode(utf8, i, &c, &len))
                        put_character(to, BYTES(utf8.data + i, len), c);
                else {
                        len = 1;
                        fprintf(to, "\\x%02x", utf8.data[i]);
                }
        fputc('"', to);
}

static bool is_zeros(struct bytes b) {
        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] != 0)
                        return false;
        return b.len > 0;
}

static bool is_auth_data(const struct place *p) {
        return p->member && p->member->content == TRACE_AUTH_DATA;
}

static bool may_be_secret(const struct place *p) {
        return !p->known || is_auth_data(p) || (p->member && p->member->content == TRACE_SECRET);
}

static void put_string(const struct notation *n, const struct place *p,
                       const struct cbor_value *v) {
        if (may_be_secret(p) && is_zeros(v->string))
                fprintf(n->to, "%s / %zu bytes, redacted /",
                        v->kind == CBOR_KIND_TEXT ? "\"...\"" : "h'...'", v->string.len);
        else if (v->kind == CBOR_KIND_TEXT)
                notation_text(n->to, v->string);
        else if (may_be_secret(p) && !is_auth_data(p))
                notation_all_bytes(n->to, v->string);
        else
                notation_bytes(n->to, v->string);
}

/* ---- containers ---- */

static void new_line(const struct notation *n, unsigned depth) {
        fprintf(n->to, "\n%s%*s", n->margin, (int)(depth * INDENT), "");
}

static bool is_container(const struct cbor_value *v) {
        return v->kind == CBOR_KIND_ARRAY || v->kind == CBOR_KIND_MAP;
}

static size_t count(const struct cbor_value *v) {
        return v->kind == CBOR_KIND_MAP ? 2 * (size_t)v->n : v->n;
}

static bool fits_on_a_line(const struct place *p, const struct cbor_value *v) {
        struct bytes left = v->elements;

        if (v->raw.len > ONE_LINE || p->top)
                return v->n == 0;
        for (size_t i = count(v); i > 0; i--) {
                struct cbor_value element = cbor_next(&left);

                if (is_container(&element))
                        return false;
        }
        return true;
}

static void put_item(const struct notation *n, const struct place *p, const struct cbor_value *v);

/* 0x01 / clientDataHash /: */
static void put_key(const struct notation *n, const struct trace_member *m,
                    const struct cbor_value *key) {
        const struct place nowhere = { .known = true };

        if (key->kind == CBOR_KIND_INT && key->integer >= 0)
                fprintf(n->to, "0x%02llx", (unsigned long long)key->integer);
        else
                put_item(n, &nowhere, key);
        if (m && m->name)
                fprintf(n->to, " / %s /", m->name);
        fputs(": ", n->to);
}

static struct place member_place(const struct place *map, const struct trace_member *m) {
        return (struct place){
                .shape = m ? m->inside : NULL,
                .member = m,
                .known = m || (!map->shape && map->known),
                .depth = map->depth + 1,
        };
}

static void put_notes(const struct notation *n, const struct place *p, const struct cbor_value *v);

/* With `separator` behind it, and what there is to note of it. */
static void put_element(const struct notation *n, const struct place *p,
                        const struct cbor_value *container, struct bytes *left,
                        const char *separator) {
        struct place inside = { p->shape, p->member, p->known, false, p->depth + 1 };
        struct cbor_value key, value = cbor_next(left);
        const struct trace_member *m;

        if (container->kind == CBOR_KIND_MAP) {
                key = value;
                value = cbor_next(left);
                m = trace_member(p->shape, &key);
                put_key(n, m, &key);
                inside = member_place(p, m);
        }
        put_item(n, &inside, &value);
        fputs(separator, n->to);
        put_notes(n, &inside, &value);
}

static void put_container(const struct notation *n, const struct place *p,
                          const struct cbor_value *v) {
        const char *brackets = v->kind == CBOR_KIND_MAP ? "{}" : "[]";
        const bool one_line = fits_on_a_line(p, v);
        const char *separator = one_line ? ", " : ",";
        struct bytes left = v->elements;

        fputc(brackets[0], n->to);
        for (uint32_t i = 0; i < v->n; i++) {
                if (!one_line)
                        new_line(n, p->depth + 1);
                put_element(n, p, v, &left, i + 1 < v->n ? separator : "");
        }
        if (!one_line)
                new_line(n, p->depth);
        fputc(brackets[1], n->to);
}

/* ---- authenticator data ---- */

static void put_flags(FILE *to, uint8_t flags) {
        static const struct {
                uint8_t flag;
                const char *name;
        } names[] = {
                { CTAP_FLAG_UP, "UP" }, { CTAP_FLAG_UV, "UV" }, { CTAP_FLAG_BE, "BE" },
                { CTAP_FLAG_BS, "BS" }, { CTAP_FLAG_AT, "AT" }, { CTAP_FLAG_ED, "ED" },
        };

        fprintf(to, "flags: 0x%02x", flags);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (flags & names[i].flag)
                        fprintf(to, " %s", names[i].name);
}

static void put_part(const struct notation *n, const char *name, struct bytes b) {
        new_line(n, 0);
        fprintf(n->to, "%s: ", name);
        notation_bytes(n->to, b);
}

static void put_part_map(const struct notation *n, const char *name,
                         const struct trace_shape *shape, const struct cbor_value *map) {
        const struct place p = { .shape = shape, .known = true };

        if (map->kind == CBOR_KIND_ABSENT)
                return;
        new_line(n, 0);
        fprintf(n->to, "%s: ", name);
        put_item(n, &p, map);
}

/* What authenticator data says, as comments to the end of the line. */
static void put_notes(const struct notation *n, const struct place *p, const struct cbor_value *v) {
        char margin[64];
        const struct notation within = { n->to, margin, NULL };
        struct trace_auth_data d;

        if (!is_auth_data(p) || is_zeros(v->string) || !trace_auth_data_read(v->string, &d))
                return;
        snprintf(margin, sizeof(margin), "%s%*s# ", n->margin, (int)(p->depth * INDENT), "");
        put_part(&within, "rpIdHash", d.rp_id_hash);
        new_line(&within, 0);
        put_flags(n->to, d.flags);
        new_line(&within, 0);
        fprintf(n->to, "signCount: %u", (unsigned)d.count);
        if (d.key.kind != CBOR_KIND_ABSENT) {
                put_part(&within, "aaguid", d.aaguid);
                put_part(&within, "credentialId", d.credential_id);
        }
        put_part_map(&within, "credentialPublicKey", &trace_cose_key, &d.key);
        put_part_map(&within, "extensions", n->outputs, &d.extensions);
}

/* ---- items ---- */

static void put_bits(const struct notation *n, const struct trace_word *words, int64_t v) {
        fprintf(n->to, "%lld /", (long long)v);
        for (; words->name; words++)
                if (v & words->value)
                        fprintf(n->to, " %s", words->name);
        fputs(" /", n->to);
}

static void put_integer(const struct notation *n, const struct place *p, int64_t v) {
        const char *word = p->member ? trace_word(p->member->words, v) : NULL;

        if (p->member && p->member->content == TRACE_BITS) {
                put_bits(n, p->member->words, v);
                return;
        }
        fprintf(n->to, "%lld", (long long)v);
        if (word)
                fprintf(n->to, " / %s /", word);
}

static void put_item(const struct notation *n, const struct place *p, const struct cbor_value *v) {
        switch (v->kind) {
        case CBOR_KIND_INT:
                put_integer(n, p, v->integer);
                break;
        case CBOR_KIND_BYTES:
        case CBOR_KIND_TEXT:
                put_string(n, p, v);
                break;
        case CBOR_KIND_ARRAY:
        case CBOR_KIND_MAP:
                put_container(n, p, v);
                break;
        case CBOR_KIND_BOOL:
                fputs(v->boolean ? "true" : "false", n->to);
                break;
        case CBOR_KIND_NULL:
                fputs("null", n->to);
                break;
        case CBOR_KIND_ABSENT:
        case CBOR_KIND_ANY:
                break;
        }
}

void notation_item(const struct notation *n, const struct trace_shape *shape,
                   const struct cbor_value *v) {
        const struct place p = { .shape = shape, .known = true, .top = true };

        put_item(n, &p, v);
}
