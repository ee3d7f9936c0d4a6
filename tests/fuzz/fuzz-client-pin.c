/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticatorClientPIN in the world of tests/fake, by a client that knows the cryptography: what
 * is random is encrypted and authenticated as it should be, so that it gets past the MACs. The input
 * is a little program. One step is
 *
 *   s HOW PIN             setPIN; HOW: enum how
 *   c HOW OLD NEW         changePIN
 *   k HOW PIN             getPinToken
 *   K HOW PIN PERMISSIONS RP    getPinUvAuthTokenUsingPinWithPermissions
 *   u HOW PIN PERMISSIONS RP    the same by built-in verification: the person types the PIN
 *   V ANSWER              the person can, or can no longer, do that; what they say then
 *   n                     getPINRetries
 *   e LEN DATA            the plaintext of the next newPinEnc, in blocks
 *   h LEN DATA            the plaintext of the next pinHashEnc, in blocks
 *   m KEY LEN DATA        a member of the next request, in CBOR; left out if LEN is 0. With the top
 *                         bit of KEY the MAC is made to fit
 *   x AT AT MASK          flips bits in the next message
 *   r LEN LEN DATA        any parameters
 *   S PIN, C OLD NEW      the owner's own tool
 *   T                     the last token is used, and the last one for reading
 *   p z i                 power-up, sleep, a new start
 *   R                     reset
 *   t MS MS               time passes
 *   f CALL NTH            a call fails
 *   v                     the next pin_change comes about and then fails
 *   L                     the device does, or no longer does, look at PINs
 *   F                     the PIN must be changed
 *   M N                   the least length of a PIN
 *   d D                   a copy of the disk is made; is put back
 *
 * A missing byte is 0; an unknown step is skipped. After each exchange: the PIN changed only if the
 * client, or the person, knew the old one, tries came back only by the right PIN, a token was given
 * only for it, and what the settings say is true of the device. No token outlives its PIN.
 */

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/persistent-token.h"
#include "ctap/pin.h"
#include "tests/fake/pin-client.h"
#include "tests/fuzz/fuzz.h"

#define MAX_MESSAGE 1536
#define CHANGES_MAX 4

enum how {
        HOW_TWO = 1 << 0,  /* protocol */
        HOW_KEEP = 1 << 1, /* the agreement that there is, if there is one */
};

static const char *const pins[] = {
        "1234",
        "4321",
        "123",
        "",
        "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f",
        "\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91",
        "abcd\xff",
        "012345678901234567890123456789012345678901234567890123456789012",
        "0123456789012345678901234567890123456789012345678901234567890123",
};

/* A member that is another than it should be. */
struct change {
        uint8_t key; /* and the top bit: with a MAC that fits */
        struct bytes cbor;
};

struct model {
        struct client client; /* its fake and its ctap are of this world */
        struct platform agreed[CTAP_PIN_PROTOCOLS];
        bool has_agreed[CTAP_PIN_PROTOCOLS];

        /* What is different about the next request. */
        struct bytes new_plain, old_plain;
        struct change changes[CHANGES_MAX];
        unsigned n_changes;
        uint16_t flip_at;
        uint8_t flip;

        /* The PIN that the request in the making knows. */
        struct ctap_pin_hash old;
        bool has_old;

        struct platform holder; /* of the last token */
        bool has_token;         /* and nothing has ended it */
        bool was_used;
        uint64_t issued_ms;
        struct platform reader; /* of the token for reading */
        bool can_read;          /* likewise */

        struct ctap_settings copy; /* of the disk */
        bool has_copy;
        bool older_disk; /* the settings may be wrong */
};

static struct fake *world(const struct model *m) {
        return m->client.fake;
}

/* ---- what holds after every exchange ---- */

struct before {
        struct ctap_pin_hash pin;
        bool has_pin;
        uint8_t count;
        struct ctap_settings settings;
        struct secret32 token;
        unsigned mismatches;
};

static struct before look(const struct model *m) {
        const struct fake *f = world(m);

        return (struct before){
                .pin = f->pin,
                .has_pin = f->has_pin,
                .count = f->pin_count,
                .settings = f->settings,
                .token = m->client.ctap->token.value,
                .mismatches = m->client.ctap->pin_mismatches,
        };
}

static bool same_pin(const struct ctap_pin_hash *a, const struct ctap_pin_hash *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

static bool in_doubt(const struct ctap_settings *s) {
        return s->pin_in_doubt && s->pin_length == 0;
}

/* Code points of the PIN that is set; UINT8_MAX if it is none of the list. */
static uint8_t true_length(const struct fake *f) {
        for (size_t i = 0; i < ELEMENTSOF(pins); i++) {
                struct ctap_pin_hash hash;
                struct buf b = BUF_ON(hash.b);
                uint8_t n = 0;

                platform_put_pin_hash(pins[i], &b);
                if (!same_pin(&hash, &f->pin))
                        continue;
                for (const char *at = pins[i]; *at != '\0'; at++)
                        n = (uint8_t)(n + ((*at & 0xc0) != 0x80));
                return n;
        }
        return UINT8_MAX;
}

static void check_settings(const struct model *m) {
        const struct fake *f = world(m);

        require(f->settings.pin_length <= CTAP_PIN_BYTES_MAX);
        if (m->older_disk)
                return;
        if (f->has_pin) {
                require(f->settings.pin_length >= CTAP_MIN_PIN_LENGTH || in_doubt(&f->settings));
                require(f->settings.pin_length <= true_length(f));
        } else {
                require(f->settings.pin_length == 0);
        }
}

static void check_changed(struct model *m, const struct before *b, bool knew) {
        const struct fake *f = world(m);

        require(f->has_pin && (knew || !b->has_pin));
        require(b->count < CTAP_PIN_TRIES_MAX);
        m->has_token = m->can_read = false;
        if (f->settings.pin_in_doubt)
                return;
        require(!f->settings.force_pin_change);
        require(f->settings.pin_length >= f->settings.min_pin_length);
        m->older_disk = false;
}

static void check_tries(const struct model *m, const struct before *b, bool knew) {
        const struct fake *f = world(m);
        /* Whether there is a PIN may have been asked for first. */
        const bool asked = in_doubt(&b->settings) || m->older_disk;
        const unsigned typed = fake_calls(f, "wait_verified");

        if (f->pin_count < b->count)
                require(b->count < CTAP_PIN_TRIES_MAX && (knew || !b->has_pin));
        else
                require(f->pin_count <= b->count + (typed > 1 ? typed : 1) + asked);
        require(typed <= b->settings.uv_retries && typed + b->mismatches <= 3);
        require(f->settings.uv_retries <= CTAP_UV_RETRIES_MAX);
        if (b->mismatches >= 3 && !asked)
                require(fake_calls(f, "pin_verify") + fake_calls(f, "pin_change") == 0);
}

static void check_token(struct model *m, const struct before *b, uint8_t status, bool knew) {
        const struct ctap_token *t = &m->client.ctap->token;

        if (t->protocol == 0 || memcmp(&t->value, &b->token, sizeof(t->value)) == 0)
                return;
        m->has_token = false; /* the one before */
        require(status == CTAP_OK && knew);
        require(b->count < CTAP_PIN_TRIES_MAX && b->mismatches < 3);
        require(!world(m)->settings.force_pin_change);
        require(t->permissions != 0 && (t->permissions & ~0x37) == 0);
        require(t->ticket.len > 0 && t->user_verified && !t->was_used);
        require(!t->user_present || fake_calls(world(m), "wait_verified") > 0);
}

static void check_exchange(struct model *m, const struct before *b, uint8_t status) {
        const bool knew = b->has_pin && m->has_old && same_pin(&m->old, &b->pin);

        check_tries(m, b, knew);
        if (world(m)->has_pin != b->has_pin || !same_pin(&world(m)->pin, &b->pin))
                check_changed(m, b, knew);
        check_settings(m);
        check_token(m, b, status, knew);
        require(ERR_peek_error() == 0);
        fake_forget_trace(world(m));
        m->has_old = false;
}

/* ---- exchanges ---- */

static uint8_t send_message(struct model *m, struct buf *message) {
        struct buf reply = BUF_ON(m->client.reply);
        const struct before b = look(m);

        require(buf_error(message) == 0);
        if (m->flip != 0 && message->len > 1)
                message->data[1 + m->flip_at % (message->len - 1)] ^= m->flip;
        m->flip = 0;

        ctap_request(m->client.ctap, m->client.channel, buf_bytes(message), &reply);
        require(buf_error(&reply) == 0 && reply.len >= 1);
        m->client.body = BYTES(reply.data + 1, reply.len - 1);
        if (reply.data[0] != CTAP_OK)
                require(reply.len == 1);
        else if (reply.len > 1)
                require(cbor_check(m->client.body) == CTAP_OK);
        check_exchange(m, &b, reply.data[0]);
        return reply.data[0];
}

static void change_member(struct model *m, const struct platform *p, const struct change *change) {
        unsigned key = change->key % CLIENT_MEMBERS;

        if (change->cbor.len > 0)
                memcpy(m->client.members[key].data, change->cbor.data, change->cbor.len);
        m->client.members[key].len = change->cbor.len;
        if (change->key & 0x80)
                pin_authenticate(&m->client, p);
}

static uint8_t send_request(struct model *m, const struct platform *p) {
        uint8_t storage[CLIENT_MEMBERS * 300], n = 0;
        struct buf out = BUF_ON(storage);

        if (m->new_plain.len > 0)
                pin_set_new(&m->client, p, m->new_plain);
        if (m->old_plain.len > 0)
                pin_set_old(&m->client, p, m->old_plain);
        for (unsigned i = 0; i < m->n_changes; i++)
                change_member(m, p, &m->changes[i]);

        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                n = (uint8_t)(n + (m->client.members[i].len > 0));
        buf_put_u8(&out, 0x06);
        buf_put_u8(&out, 0xa0 | n);
        for (uint8_t i = 0; i < CLIENT_MEMBERS; i++)
                if (m->client.members[i].len > 0) {
                        buf_put_u8(&out, i);
                        buf_put(&out, BYTES(m->client.members[i].data, m->client.members[i].len));
                }

        m->new_plain = m->old_plain = BYTES_NULL;
        m->n_changes = 0;
        return send_message(m, &out);
}

static const struct platform *agree(struct model *m, uint8_t how) {
        unsigned protocol = how & HOW_TWO ? 2 : 1;
        struct platform *p = &m->agreed[protocol - 1];

        if (!(how & HOW_KEEP) || !m->has_agreed[protocol - 1])
                pin_agree(&m->client, p, protocol);
        m->has_agreed[protocol - 1] = true;
        return p;
}

static const char *pin_of(uint8_t which) {
        return pins[which % ELEMENTSOF(pins)];
}

/* The old PIN that the request holds, if it holds any. */
static void know(struct model *m, const char *pin) {
        struct buf b = BUF_ON(m->old.b);

        if (m->old_plain.len == 16)
                buf_put(&b, m->old_plain);
        else
                platform_put_pin_hash(pin, &b);
        m->has_old = true;
}

static void step_set(struct model *m, struct cursor *c) {
        const struct platform *p = agree(m, cursor_u8(c));

        pin_ask_to_set(&m->client, p, pin_of(cursor_u8(c)));
        (void)send_request(m, p);
}

static void step_change(struct model *m, struct cursor *c) {
        const struct platform *p = agree(m, cursor_u8(c));
        const char *old = pin_of(cursor_u8(c));

        know(m, old);
        pin_ask_to_change(&m->client, p, old, pin_of(cursor_u8(c)));
        (void)send_request(m, p);
}

static void keep_reader(struct model *m, const struct platform *p) {
        m->reader = *p;
        pin_read_token(&m->client, &m->reader);
        m->can_read = true;
}

static void keep_token(struct model *m, const struct platform *p) {
        m->holder = *p;
        pin_read_token(&m->client, &m->holder);
        m->has_token = true;
        m->was_used = false;
        m->issued_ms = world(m)->now_ms;
}

static void step_token(struct model *m, struct cursor *c) {
        const struct platform *p = agree(m, cursor_u8(c));
        const char *pin = pin_of(cursor_u8(c));
        const bool plain = m->n_changes == 0 && m->flip == 0;

        know(m, pin);
        pin_ask_for_token(&m->client, p, pin);
        if (send_request(m, p) == CTAP_OK && plain)
                keep_token(m, p);
}

static void step_token_for(struct model *m, struct cursor *c, bool by_uv) {
        static const char *const rps[] = { "a.example", "b.example", "", NULL };
        const struct platform *p = agree(m, cursor_u8(c));
        const char *pin = pin_of(cursor_u8(c));
        const bool plain = m->n_changes == 0 && m->flip == 0;
        const uint8_t permissions = cursor_u8(c);

        know(m, pin);
        world(m)->typed = strlen(pin) <= CTAP_PIN_BYTES_MAX ? pin : "";
        pin_ask_for_token_for(&m->client, p, pin, permissions, rps[cursor_u8(c) % ELEMENTSOF(rps)]);
        if (by_uv)
                client_set(&m->client, 2, "%u", (unsigned)PIN_GET_TOKEN_BY_UV);
        if (send_request(m, p) != CTAP_OK || !plain)
                return;
        if ((permissions & 0x7f) == CTAP_PERMISSION_PCMR)
                keep_reader(m, p);
        else
                keep_token(m, p);
}

static void step_retries(struct model *m) {
        struct platform p = { .protocol = 1 };
        bool power_cycle, plain = m->n_changes == 0 && m->flip == 0;

        pin_begin(&m->client, PIN_GET_RETRIES, 0);
        m->new_plain = m->old_plain = BYTES_NULL;
        if (send_request(m, &p) != CTAP_OK || !plain)
                return;
        require(pin_read_retries(&m->client, &power_cycle) ==
                (unsigned)(CTAP_PIN_TRIES_MAX - world(m)->pin_count));
        require(power_cycle == (m->client.ctap->pin_mismatches >= 3));
}

static void step_raw(struct model *m, struct cursor *c) {
        uint8_t storage[MAX_MESSAGE + 256];
        struct buf out = BUF_ON(storage);
        size_t n = cursor_u16(c) % (MAX_MESSAGE + 128);

        buf_put_u8(&out, 0x06);
        buf_put(&out, cursor_take(c, n < c->left.len ? n : c->left.len));
        (void)send_message(m, &out);
}

static void step_owner_sets(struct model *m, struct cursor *c) {
        const struct before b = look(m);
        const char *pin = pin_of(cursor_u8(c));

        check_exchange(m, &b, (uint8_t)ctap_pin_set(m->client.ctap, BYTES_TEXT(pin)));
}

static void step_owner_changes(struct model *m, struct cursor *c) {
        const char *old = pin_of(cursor_u8(c)), *pin = pin_of(cursor_u8(c));
        const struct before b = look(m);
        enum ctap_status s;

        m->old_plain = BYTES_NULL;
        know(m, old);
        s = ctap_pin_change(m->client.ctap, BYTES_TEXT(old), BYTES_TEXT(pin));
        check_exchange(m, &b, (uint8_t)s);
}

/* ---- what a request says that it should not ---- */

static struct bytes up_to(struct cursor *c, size_t n) {
        return cursor_take(c, n < c->left.len ? n : c->left.len);
}

static struct bytes blocks(struct cursor *c, size_t max) {
        size_t n = cursor_u8(c) % (max / 16 + 1) * 16;

        n = n < c->left.len ? n : c->left.len / 16 * 16;
        return cursor_take(c, n);
}

static void step_member(struct model *m, struct cursor *c) {
        struct change change = { .key = cursor_u8(c) };

        change.cbor = up_to(c, cursor_u8(c));
        if (m->n_changes < CHANGES_MAX)
                m->changes[m->n_changes++] = change;
}

/* ---- the world ---- */

static void step_use(struct model *m) {
        const uint64_t age = world(m)->now_ms - m->issued_ms;

        if (!pin_token_is_good(&m->client, &m->holder))
                return;
        require(m->has_token && age < 600000 && (m->was_used || age < 30000));
        m->was_used = true;
}

/* An older disk knows the number of an older token. */
static void step_read(struct model *m) {
        const struct bytes message = BYTES_TEXT("anything");
        uint8_t storage[32];
        struct buf param = BUF_ON(storage);

        if (m->reader.protocol == 0)
                return;
        platform_token_param(&m->reader, message, &param);
        require(!ctap_persistent_token_verify(m->client.ctap, m->reader.protocol, message,
                                              buf_bytes(&param)) ||
                m->can_read || m->older_disk);
}

static void step_start(struct model *m) {
        static const struct ctap_options options = { .max_message = MAX_MESSAGE };

        m->client.ctap = ctap_free(m->client.ctap);
        require(ctap_new(&world(m)->env, &options, &m->client.ctap) == 0);
        ctap_power_up(m->client.ctap);
        m->has_token = false;
}

static void step_reset(struct model *m) {
        struct buf reply = BUF_ON(m->client.reply);

        ctap_request(m->client.ctap, m->client.channel, BYTES("\x07", 1), &reply);
        fake_forget_trace(world(m));
        if (reply.data[0] != CTAP_OK)
                return;
        require(!world(m)->has_pin && world(m)->pin_count == 0);
        require(m->client.ctap->pin_mismatches == 0 && m->client.ctap->token.protocol == 0);
        m->has_token = m->can_read = m->has_copy = m->older_disk = false;
        check_settings(m);
}

static void step_fail(struct model *m, struct cursor *c) {
        static const char *const calls[] = { NULL,          "pin_verify",   "pin_change",
                                             "pin_retries", "set_settings", "fill",
                                             "reset" };
        const char *call = calls[cursor_u8(c) % ELEMENTSOF(calls)];

        fake_fail(world(m), call, 1u + cursor_u8(c) % 8u, -EIO);
}

static void step_disk(struct model *m, bool back) {
        if (!back) {
                m->copy = world(m)->settings;
                m->has_copy = true;
        } else if (m->has_copy) {
                world(m)->settings = m->copy;
                m->older_disk = true;
                m->can_read = false;
        }
}

static void step_request(struct model *m, struct cursor *c, uint8_t what) {
        switch (what) {
        case 's':
                step_set(m, c);
                break;
        case 'c':
                step_change(m, c);
                break;
        case 'k':
                step_token(m, c);
                break;
        case 'K':
        case 'u':
                step_token_for(m, c, what == 'u');
                break;
        case 'n':
                step_retries(m);
                break;
        case 'e':
                m->new_plain = blocks(c, 256);
                break;
        case 'h':
                m->old_plain = blocks(c, 64);
                break;
        case 'm':
                step_member(m, c);
                break;
        case 'x':
                m->flip_at = cursor_u16(c);
                m->flip = cursor_u8(c);
                break;
        case 'r':
                step_raw(m, c);
                break;
        case 'S':
                step_owner_sets(m, c);
                break;
        case 'C':
                step_owner_changes(m, c);
                break;
        default:
                break;
        }
}

static void step(struct model *m, struct cursor *c) {
        uint8_t what = cursor_u8(c);

        switch (what) {
        case 'T':
                step_use(m);
                step_read(m);
                break;
        case 'p':
                ctap_power_up(m->client.ctap);
                m->has_token = false;
                break;
        case 'z':
                ctap_suspend(m->client.ctap);
                m->has_token = false;
                break;
        case 'i':
                step_start(m);
                break;
        case 'R':
                step_reset(m);
                break;
        case 't':
                world(m)->now_ms += 10u * cursor_u16(c);
                break;
        case 'f':
                step_fail(m, c);
                break;
        case 'v':
                world(m)->pin_unheard = true;
                break;
        case 'L':
                world(m)->pin_later = !world(m)->pin_later;
                break;
        case 'V':
                world(m)->abilities ^= CTAP_PRESENCE_VERIFY;
                world(m)->answer = CTAP_ANSWER_YES + cursor_u8(c) % 4u;
                break;
        case 'F':
                world(m)->settings.force_pin_change = true;
                break;
        case 'M':
                world(m)->settings.min_pin_length = (uint8_t)(4 + cursor_u8(c) % 60);
                break;
        case 'd':
        case 'D':
                step_disk(m, what == 'D');
                break;
        default:
                step_request(m, c, what);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct model *m = calloc(1, sizeof(*m));
        struct cursor c = { BYTES(data, size), false };

        require(m);
        m->client.fake = fake_new();
        m->client.fake->abilities = CTAP_PRESENCE_DISPLAY;
        step_start(m);
        while (c.left.len > 0 && !c.failed)
                step(m, &c);
        m->client.ctap = ctap_free(m->client.ctap);
        m->client.fake = fake_free(m->client.fake);
        require(ERR_peek_error() == 0);
        free(m);
        return 0;
}
