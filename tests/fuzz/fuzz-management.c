/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The commands that manage (credentials, settings, large blobs) in the world of tests/fake, by a
 * client that can compute MACs. The input is a little program. A request is described first, and then
 * one step sends it; every part of it that is not described is good. One step is
 *
 *   n RP USER FLAGS        makes a credential; FLAGS: 1 discoverable, 2 credProtect 3, 4 largeBlobKey
 *   C SUB WHICH BY         credentialManagement, no step of a list; WHICH row or RP
 *   N SUB                  the same, a step of a list
 *   A SUB LENGTH RPS FLAGS BY   config; FLAGS: 1 forceChangePin, 2 pinComplexityPolicy
 *   b SEED LEN LEN         the array that is written; with the top bit of SEED its checksum is wrong
 *   w AT AT LEN LEN BY     a fragment of it is written
 *   g AT AT LEN LEN        a fragment is read
 *   m KEY LEN DATA         a member of the next request, in CBOR; left out if LEN is 0
 *   x AT AT MASK           flips bits in the next message
 *   r LEN LEN DATA         any message
 *   T PERMISSIONS RP       a token of protocol two, and a PIN; RP ff: of no site
 *   P                      a PIN, if there is none
 *   h CHANNEL              the channel from now on
 *   d ROW                  a row is damaged
 *   o ROW                  the owner's tool deletes one
 *   O WHAT                 what the administrator and the machine allow: bits of enum allowed
 *   e                      the key device starts anew
 *   p z R                  power-up, sleep, reset
 *   t MS MS                time passes
 *   f CALL NTH             a call fails
 *
 * BY: what the MAC is made with, enum by. A missing byte is 0; an unknown step is skipped. After each
 * exchange: what changed is what the request was for, by a token that allows it; lists give what there
 * is, once and in order; large blobs are whole or as before; settings get stricter, never laxer.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "ctap/command.h"
#include "ctap/persistent-token.h"
#include "tests/fake/client.h"
#include "tests/fuzz/fuzz.h"

#define MAX_MESSAGE 1024
#define MAX_BLOBS   2048
#define CHANGES_MAX 4

enum by { BY_NOBODY, BY_TOKEN, BY_PERSISTENT, BY_NOISE, _BYS };

enum allowed {
        ALLOW_LOCKED = 1 << 0,
        ALLOW_ALWAYS_UV = 1 << 1, /* the administrator's */
        ALLOW_NO_BLOBS = 1 << 2,
        ALLOW_ATTESTER = 1 << 3,
        ALLOW_HOLD = 1 << 4,
};

static const char *const rps[] = { "a.example", "b.example", "c.example", "d.example" };

/* What is known of a credential besides its row. */
struct known {
        struct ctap_credential_id id;
        uint8_t rp, user;
        bool damaged;
};

struct model {
        struct client client; /* its fake and its ctap are of this world */
        struct ctap_attester attester;
        struct known known[FAKE_ROWS * 4];
        size_t n_known;

        /* What is different about the next request. */
        struct {
                uint8_t key;
                struct bytes cbor;
        } changes[CHANGES_MAX];
        unsigned n_changes;
        uint16_t flip_at;
        uint8_t flip;

        /* The list or the write that is under way. */
        enum ctap_walk_kind walk;
        uint32_t channel, remaining;
        uint64_t expires_ms, ends_ms;
        uint32_t epoch; /* of the token's ticket */
        bool has_ticket;
        bool disturbed; /* not all that was counted may be there */
        struct sha256 last_tag;
        uint64_t last_sequence;

        uint8_t array[MAX_BLOBS];
        uint32_t array_len;
        uint8_t pending[MAX_BLOBS];
        uint32_t pending_len, pending_n;
};

static struct fake *world(const struct model *m) {
        return m->client.fake;
}

static struct sha256 hash_of(uint8_t rp) {
        const char *text = rps[rp % ELEMENTSOF(rps)];
        struct sha256 hash;

        require(EVP_Digest(text, strlen(text), hash.b, NULL, EVP_sha256(), NULL) == 1);
        return hash;
}

static struct sha256 tag_of(const struct model *m, uint8_t rp) {
        const struct sha256 hash = hash_of(rp);
        struct sha256 tag;

        require(ctap_rp_tag(&m->client.ctap->credential_keys, &hash, &tag) == 0);
        return tag;
}

static bool same(const struct sha256 *a, const struct sha256 *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

static struct known *known_of(struct model *m, const struct ctap_credential_id *id) {
        for (size_t i = 0; i < m->n_known; i++)
                if (memcmp(&m->known[i].id, id, sizeof(*id)) == 0)
                        return &m->known[i];
        return NULL;
}

static const struct ctap_row *row_of(const struct model *m, const struct ctap_credential_id *id) {
        for (uint32_t i = 0; i < world(m)->n_rows; i++)
                if (memcmp(&world(m)->rows[i].id, id, sizeof(*id)) == 0)
                        return &world(m)->rows[i];
        return NULL;
}

/* ---- what there is to list ---- */

static bool is_listed(struct model *m, const struct ctap_row *row) {
        const struct known *k = known_of(m, &row->id);

        return (row->flags & CTAP_ROW_DISCOVERABLE) && k && !k->damaged;
}

static uint32_t count_credentials(struct model *m, const struct sha256 *tag) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < world(m)->n_rows; i++)
                n += is_listed(m, &world(m)->rows[i]) && same(&world(m)->rows[i].rp_tag, tag);
        return n;
}

static uint32_t count_rps(struct model *m) {
        uint32_t n = 0;

        for (uint8_t rp = 0; rp < ELEMENTSOF(rps); rp++) {
                const struct sha256 tag = tag_of(m, rp);

                n += count_credentials(m, &tag) > 0;
        }
        return n;
}

/* ---- sending ---- */

/* What an exchange may have changed, and by which right. */
struct before {
        struct ctap_row rows[FAKE_ROWS];
        uint32_t n_rows;
        struct ctap_settings settings;
        struct ctap_token token;
        uint8_t blobs[MAX_BLOBS];
        uint32_t blobs_len;
        uint64_t now_ms;
        bool fault; /* a call may fail */
        bool plain; /* the message is as it was described */
};

static void look(const struct model *m, struct before *ret) {
        const struct fake *f = world(m);

        memcpy(ret->rows, f->rows, sizeof(ret->rows));
        ret->n_rows = f->n_rows;
        ret->settings = f->settings;
        ret->token = m->client.ctap->token;
        require(f->large_blobs_len <= MAX_BLOBS);
        memcpy(ret->blobs, f->large_blobs, f->large_blobs_len);
        ret->blobs_len = f->large_blobs_len;
        ret->now_ms = f->now_ms;
        ret->fault = f->fail_in > 0;
        ret->plain = m->flip == 0 && m->n_changes == 0;
}

static void forget_walk(struct model *m) {
        m->walk = CTAP_WALK_NONE;
}

/* True if the token that there was allows this; the MAC was made with it. */
static bool allows(const struct model *m, const struct before *b, enum by by,
                   enum ctap_permission permission) {
        struct cursor ticket = { BYTES(b->token.ticket.data, b->token.ticket.len), false };
        const uint64_t age = b->now_ms - b->token.issued_ms;

        return by == BY_TOKEN && b->token.protocol != 0 && (b->token.permissions & permission) &&
               age < 600000 && (b->token.was_used || age < 30000) &&
               cursor_u32(&ticket) == world(m)->epoch;
}

static bool rows_are(const struct model *m, const struct before *b) {
        return world(m)->n_rows == b->n_rows &&
               memcmp(world(m)->rows, b->rows, b->n_rows * sizeof(b->rows[0])) == 0;
}

static bool settings_are(const struct model *m, const struct before *b) {
        return memcmp(&world(m)->settings, &b->settings, sizeof(b->settings)) == 0;
}

static bool blobs_are(const struct model *m, const uint8_t *data, uint32_t len) {
        return world(m)->large_blobs_len == len && memcmp(world(m)->large_blobs, data, len) == 0;
}

static uint8_t send_message(struct model *m, struct buf *message) {
        struct buf reply = BUF_ON(m->client.reply);

        require(buf_error(message) == 0);
        if (m->flip != 0 && message->len > 1)
                message->data[1 + m->flip_at % (message->len - 1)] ^= m->flip;
        m->flip = 0;
        m->n_changes = 0;

        ctap_request(m->client.ctap, m->client.channel, buf_bytes(message), &reply);
        require(buf_error(&reply) == 0 && reply.len >= 1);
        m->client.body = BYTES(reply.data + 1, reply.len - 1);
        if (reply.data[0] != CTAP_OK)
                require(reply.len == 1);
        else if (reply.len > 1)
                require(cbor_check(m->client.body) == CTAP_OK);
        require(world(m)->n_loaded == 0 && !world(m)->shown);
        fake_forget_trace(world(m));
        return reply.data[0];
}

static void sign(struct model *m, enum by by) {
        struct secret32 token;

        if (by == BY_NOBODY)
                return;
        m->client.platform.protocol = 2;
        memcpy(m->client.platform.token, m->client.ctap->token.value.b, sizeof(token.b));
        if (by == BY_PERSISTENT) {
                require(ctap_persistent_token(m->client.ctap, &token) == 0);
                memcpy(m->client.platform.token, token.b, sizeof(token.b));
        }
        if (by == BY_NOISE)
                memset(m->client.platform.token, 0x5c, sizeof(m->client.platform.token));
        client_authorize(&m->client);
}

/* With its changes, of which the MAC knows. */
static uint8_t send_request(struct model *m, enum by by) {
        uint8_t storage[2 * MAX_MESSAGE + CLIENT_MEMBERS * 300], n = 0;
        struct buf out = BUF_ON(storage);
        struct client *c = &m->client;

        for (unsigned i = 0; i < m->n_changes; i++) {
                const unsigned key = m->changes[i].key % CLIENT_MEMBERS;
                const struct bytes cbor = m->changes[i].cbor;

                if (cbor.len > 0)
                        memcpy(c->members[key].data, cbor.data, cbor.len);
                c->members[key].len = cbor.len;
        }
        sign(m, by);

        for (unsigned i = 0; i < CLIENT_MEMBERS; i++)
                n = (uint8_t)(n + (c->members[i].len > 0));
        buf_put_u8(&out, c->command);
        buf_put_u8(&out, 0xa0 | n);
        for (uint8_t i = 0; i < CLIENT_MEMBERS; i++)
                if (c->members[i].len > 0) {
                        buf_put_u8(&out, i);
                        buf_put(&out, BYTES(c->members[i].data, c->members[i].len));
                }
        return send_message(m, &out);
}

/* A member of the last reply. ABSENT: it has none. */
static struct cbor_value member(const struct model *m, int64_t key) {
        struct bytes body = m->client.body;
        struct cbor_value map = cbor_next(&body);

        require(map.kind == CBOR_KIND_MAP);
        for (uint32_t i = 0; i < map.n; i++) {
                struct cbor_value k = cbor_next(&map.elements), v = cbor_next(&map.elements);

                if (k.integer == key)
                        return v;
        }
        return (struct cbor_value){ .kind = CBOR_KIND_ABSENT };
}

/* ---- a walk, as it should be ---- */

static void begin_walk(struct model *m, const struct before *b, enum ctap_walk_kind kind,
                       enum by by) {
        m->walk = kind;
        m->channel = m->client.channel;
        m->expires_ms = b->now_ms + CTAP_WALK_MS;
        m->has_ticket = by == BY_TOKEN && b->settings.pin_length > 0;
        m->ends_ms = m->has_ticket ? b->token.issued_ms + 600000 : UINT64_MAX;
        m->epoch = world(m)->epoch;
        m->disturbed = false;
}

static bool goes_on(const struct model *m, enum ctap_walk_kind kind) {
        return m->walk == kind && m->channel == m->client.channel &&
               world(m)->now_ms < m->expires_ms && world(m)->now_ms < m->ends_ms;
}

static void check_ended(const struct model *m) {
        if (m->walk == CTAP_WALK_NONE)
                require(m->client.ctap->walk.kind == CTAP_WALK_NONE);
}

/* ---- credentials ---- */

static void step_make(struct model *m, struct cursor *c) {
        const uint8_t rp = cursor_u8(c) % ELEMENTSOF(rps), user = cursor_u8(c) % 8;
        const uint8_t flags = cursor_u8(c);
        const struct ctap_token token = m->client.ctap->token;
        const unsigned fail_in = world(m)->fail_in;
        const uint8_t length = world(m)->settings.pin_length;

        if (m->n_known == ELEMENTSOF(m->known))
                return;
        world(m)->fail_in = 0;
        forget_walk(m);
        client_make_credential(&m->client);
        client_set(&m->client, 2, "{'id': '%s'}", rps[rp]);
        client_set(&m->client, 3, "{'id': h'%02x', 'name': 'u'}", user);
        client_set(&m->client, 6, "{'credProtect': %d%s}", flags & 2 ? 3 : 1,
                   (flags & 5) == 5 && ctap_has_large_blobs(m->client.ctap)
                           ? ", 'largeBlobKey': true"
                           : "");
        client_set(&m->client, 7, "{'rk': %s}", flags & 1 ? "true" : "false");
        if (length > 0) {
                client_get_token(&m->client, 2, CTAP_PERMISSION_MC, rps[rp]);
                world(m)->settings.pin_length = length;
                client_authorize(&m->client);
        }
        if (client_send(&m->client) == CTAP_OK)
                m->known[m->n_known++] = (struct known){
                        .id = world(m)->rows[world(m)->n_rows - 1].id,
                        .rp = rp,
                        .user = user,
                };
        m->client.ctap->token = token;
        world(m)->fail_in = fail_in;
        fake_forget_trace(world(m));
}

static void check_rp(struct model *m, bool first) {
        const struct cbor_value rp = member(m, 3), hash = member(m, 4);
        const struct bytes id = cbor_find_text(&rp, "id").string;
        struct sha256 expected, tag;
        uint8_t i = 0;

        while (i < ELEMENTSOF(rps) && !bytes_equal(id, BYTES_TEXT(rps[i])))
                i++;
        require(i < ELEMENTSOF(rps));
        expected = hash_of(i);
        tag = tag_of(m, i);
        require(bytes_equal(hash.string, BYTES_OF(expected)));
        require(count_credentials(m, &tag) > 0);
        require(first || memcmp(&tag, &m->last_tag, sizeof(tag)) > 0);
        m->last_tag = tag;
        if (first)
                require(member(m, 5).integer == count_rps(m));
        else
                require(member(m, 5).kind == CBOR_KIND_ABSENT);
}

static void check_credential(struct model *m, const struct sha256 *tag, bool first) {
        const struct cbor_value descriptor = member(m, 7), user = member(m, 6);
        const struct bytes id = cbor_find_text(&descriptor, "id").string;
        struct cursor at = { id, false };
        struct ctap_credential_id known_id;
        const struct ctap_row *row;
        const struct known *k;

        cursor_copy(&at, known_id.b, sizeof(known_id.b));
        require(cursor_end(&at) == 0);
        row = row_of(m, &known_id);
        k = known_of(m, &known_id);
        require(row && k && is_listed(m, row) && same(&row->rp_tag, tag));
        require(bytes_equal(cbor_find_text(&user, "id").string, BYTES(&k->user, 1)));
        require(member(m, 8).kind == CBOR_KIND_MAP);
        require(member(m, 0x0a).integer == row->cred_protect);
        require((member(m, 0x0b).string.len == 32) == !!(row->flags & CTAP_ROW_LARGE_BLOB_KEY));
        require(first || row->sequence < m->last_sequence);
        m->last_sequence = row->sequence;
        m->last_tag = *tag;
        if (first)
                require(member(m, 9).integer == count_credentials(m, tag));
        else
                require(member(m, 9).kind == CBOR_KIND_ABSENT);
}

/* Which row a deletion or an update was for, and what it did. */
static void check_change(struct model *m, const struct before *b, unsigned sub,
                         const struct ctap_row *target) {
        unsigned n = 0;

        require(target && (target->flags & CTAP_ROW_DISCOVERABLE));
        for (uint32_t i = 0; i < b->n_rows; i++) {
                const struct ctap_row *old = &b->rows[i], *now = row_of(m, &old->id);
                const bool is_target = memcmp(&old->id, &target->id, sizeof(old->id)) == 0;
                struct ctap_row copy;

                if (sub == 6 && is_target) {
                        require(!now);
                        continue;
                }
                require(now);
                memcpy(&copy, now, sizeof(copy));
                if (is_target) {
                        memcpy(copy.sealed, old->sealed, sizeof(copy.sealed));
                        copy.sealed_len = old->sealed_len;
                }
                require(memcmp(&copy, old, sizeof(copy)) == 0);
                n++;
        }
        require(n == world(m)->n_rows);
}

/* A token for one site does nothing beside it (CP33). */
static bool within(const struct before *b, enum by by, const struct sha256 *rp_id_hash) {
        return by == BY_PERSISTENT || !b->token.has_rp ||
               (rp_id_hash && same(&b->token.rp_id_hash, rp_id_hash));
}

static void check_managed(struct model *m, const struct before *b, unsigned sub, enum by by,
                          const struct ctap_row *target, uint8_t rp) {
        const bool reads = sub == 1 || sub == 2 || sub == 4;
        const struct known *k = target ? known_of(m, &target->id) : NULL;
        const struct sha256 hash = hash_of(sub == 4 ? rp : k ? k->rp : 0), tag = tag_of(m, rp);

        require(b->settings.pin_length > 0);
        require(allows(m, b, by, CTAP_PERMISSION_CM) || (reads && by == BY_PERSISTENT));
        if (!b->plain)
                return;
        require(within(b, by, sub >= 4 ? &hash : NULL));
        if (sub == 2) {
                check_rp(m, true);
                begin_walk(m, b, CTAP_WALK_RPS, by);
                m->remaining = (uint32_t)member(m, 5).integer - 1;
        } else if (sub == 4) {
                check_credential(m, &tag, true);
                begin_walk(m, b, CTAP_WALK_CREDENTIALS, by);
                m->remaining = (uint32_t)member(m, 9).integer - 1;
        } else if (sub >= 6) {
                check_change(m, b, sub, target);
        }
}

/* Nothing went wrong, and it was allowed: it is done, or there is nothing to do it to. */
static void check_answer(struct model *m, const struct before *b, unsigned sub, enum by by,
                         const struct ctap_row *target, uint8_t rp, uint8_t status) {
        const bool reads = sub == 1 || sub == 2 || sub == 4;
        const struct sha256 tag = tag_of(m, rp);
        bool found = true;

        if (!b->plain || b->fault || b->settings.pin_length == 0 || b->token.has_rp)
                return;
        if (!allows(m, b, by, CTAP_PERMISSION_CM) && !(reads && by == BY_PERSISTENT))
                return;
        if (sub == 2)
                found = count_rps(m) > 0;
        if (sub == 4)
                found = count_credentials(m, &tag) > 0;
        if (sub == 6)
                found = target && (target->flags & CTAP_ROW_DISCOVERABLE);
        if (reads || sub == 6)
                require(status == (found ? CTAP_OK : CTAP2_ERR_NO_CREDENTIALS));
        if (sub == 0 || sub == 8)
                require(status == CTAP2_ERR_INVALID_SUBCOMMAND);
}

static void describe(struct model *m, unsigned sub, const struct ctap_row *target, uint8_t rp,
                     uint8_t user) {
        const struct ctap_credential_id nothing = { { 0 } };
        const struct sha256 hash = hash_of(rp);
        struct client *c = &m->client;
        const char *id;

        client_manage(c, 0x0a, sub);
        id = client_hex(c, target ? BYTES_OF(target->id) : BYTES_OF(nothing));
        if (sub == 4)
                client_set(c, 2, "{1: h'%s'}", client_hex(c, BYTES_OF(hash)));
        if (sub == 6)
                client_set(c, 2, "{2: {'id': h'%s', " CLIENT_PUBLIC_KEY "}}", id);
        if (sub == 7)
                client_set(c, 2,
                           "{2: {'id': h'%s', " CLIENT_PUBLIC_KEY
                           "}, 3: {'id': h'%02x', 'name': 'other'}}",
                           id, user);
}

static void step_manage(struct model *m, struct cursor *c) {
        static const uint8_t subs[] = { 1, 2, 4, 6, 7, 0, 8 };
        const unsigned sub = subs[cursor_u8(c) % ELEMENTSOF(subs)];
        const uint8_t which = cursor_u8(c), rp = which % ELEMENTSOF(rps);
        const enum by by = cursor_u8(c) % _BYS;
        struct ctap_row target = { 0 };
        const bool has_target = world(m)->n_rows > 0 && which < 0xf0;
        const struct known *k = NULL;
        struct before b;
        uint8_t status;

        if (has_target) {
                target = world(m)->rows[which % world(m)->n_rows];
                k = known_of(m, &target.id);
        }
        describe(m, sub, has_target ? &target : NULL, rp, k ? k->user : 0);
        if (which & 1)
                m->client.command = 0x41;
        look(m, &b);
        forget_walk(m);
        status = send_request(m, by);
        check_answer(m, &b, sub, by, has_target ? &target : NULL, rp, status);
        if (status == CTAP_OK)
                check_managed(m, &b, sub, by, has_target ? &target : NULL, rp);
        else
                require(rows_are(m, &b));
        require(settings_are(m, &b) && blobs_are(m, b.blobs, b.blobs_len));
        if (m->walk == CTAP_WALK_NONE && !b.plain)
                ctap_forget_walk(m->client.ctap); /* whatever it was that began */
        check_ended(m);
}

/* The next step of a list is given if it should be, and only then. */
static void step_next(struct model *m, struct cursor *c) {
        const unsigned sub = cursor_u8(c) & 1 ? 3 : 5;
        const enum ctap_walk_kind kind = sub == 3 ? CTAP_WALK_RPS : CTAP_WALK_CREDENTIALS;
        const bool may = goes_on(m, kind) && m->remaining > 0;
        const bool expired = m->has_ticket && m->epoch != world(m)->epoch;
        struct before b;
        uint8_t status;

        client_manage(&m->client, 0x0a, sub);
        look(m, &b);
        status = send_request(m, BY_NOBODY);
        require(rows_are(m, &b) && settings_are(m, &b));
        if (!b.plain) {
                forget_walk(m);
                ctap_forget_walk(m->client.ctap);
        } else if (status == CTAP_OK) {
                require(may && !expired);
                if (sub == 3)
                        check_rp(m, false);
                else
                        check_credential(m, &m->last_tag, false);
                m->remaining--;
                m->expires_ms = b.now_ms + CTAP_WALK_MS;
        } else {
                require(!may || expired || b.fault || m->disturbed);
                if (m->walk != kind || m->channel == m->client.channel)
                        if (!b.fault)
                                forget_walk(m);
        }
}

/* ---- settings ---- */

static void check_stricter(const struct model *m, const struct before *b) {
        const struct ctap_settings *s = &world(m)->settings;

        require(s->min_pin_length >= b->settings.min_pin_length && s->min_pin_length <= 63);
        require(s->pin_complexity >= b->settings.pin_complexity);
        require(s->force_pin_change >= b->settings.force_pin_change);
        require(s->enterprise_attestation >= b->settings.enterprise_attestation);
        require(s->long_touch_for_reset >= b->settings.long_touch_for_reset);
        require(s->n_min_pin_length_rps <= CTAP_MIN_PIN_LENGTH_RPS);
        require(s->pin_length == b->settings.pin_length);
        if (s->pin_length > 0)
                require(s->pin_length >= s->min_pin_length || s->force_pin_change);
}

static void check_configured(const struct model *m, const struct before *b, unsigned sub,
                             enum by by) {
        const struct ctap_options *o = &m->client.ctap->options;
        const bool protected = b->settings.pin_length > 0;
        const bool always_uv = o->always_uv || b->settings.always_uv;

        require(o->locks == 0);
        if (b->plain && (protected || (always_uv && sub != 2)))
                require(allows(m, b, by, CTAP_PERMISSION_ACFG));
        require(!protected || by == BY_TOKEN);
        require(!o->always_uv || world(m)->settings.always_uv == b->settings.always_uv);
        check_stricter(m, b);
        if (world(m)->settings.force_pin_change && !b->settings.force_pin_change) {
                require(m->client.ctap->token.protocol == 0);
                require(world(m)->settings.persistent_token_epoch !=
                        b->settings.persistent_token_epoch);
        }
}

static void step_config(struct model *m, struct cursor *c) {
        const unsigned sub = cursor_u8(c) % 6;
        const uint8_t length = cursor_u8(c), n = cursor_u8(c) % 20, flags = cursor_u8(c);
        const enum by by = cursor_u8(c) % _BYS;
        char ids[256] = "";
        struct before b;

        client_manage(&m->client, 0x0d, sub);
        for (unsigned i = 0; i < n; i++)
                snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s'%c'", i > 0 ? ", " : "",
                         (char)('a' + i));
        if (sub == 3)
                client_set(&m->client, 2, "{1: %u, 2: [%s], 3: %s, 4: %s}", length % 70, ids,
                           flags & 1 ? "true" : "false", flags & 2 ? "true" : "false");
        look(m, &b);
        forget_walk(m);
        if (send_request(m, by) == CTAP_OK)
                check_configured(m, &b, sub, by);
        else
                require(settings_are(m, &b));
        require(rows_are(m, &b) && blobs_are(m, b.blobs, b.blobs_len));
        check_ended(m);
}

/* ---- large blobs ---- */

static bool is_whole(const uint8_t *data, uint32_t len) {
        uint8_t hash[32];

        require(EVP_Digest(data, len - 16, hash, NULL, EVP_sha256(), NULL) == 1);
        return memcmp(hash, data + len - 16, 16) == 0;
}

static void step_array(struct model *m, struct cursor *c) {
        const uint8_t seed = cursor_u8(c);
        uint8_t hash[32];

        m->array_len = 17 + cursor_u16(c) % (MAX_BLOBS - 16);
        for (uint32_t i = 0; i < m->array_len - 16; i++)
                m->array[i] = (uint8_t)(seed * 31 + i);
        require(EVP_Digest(m->array, m->array_len - 16, hash, NULL, EVP_sha256(), NULL) == 1);
        memcpy(m->array + m->array_len - 16, hash, 16);
        m->array[0] ^= seed & 0x80;
}

/* A fragment that was taken; it may have been the last one. */
static void check_written(struct model *m, const struct before *b, enum by by, uint32_t at,
                          struct bytes fragment) {
        if (at == 0) {
                begin_walk(m, b, CTAP_WALK_LARGE_BLOBS, by);
                m->pending_len = m->array_len;
                m->pending_n = 0;
        }
        require(goes_on(m, CTAP_WALK_LARGE_BLOBS) && m->pending_n == at);
        require(fragment.len <= m->pending_len - at);
        if (fragment.len > 0)
                memcpy(m->pending + at, fragment.data, fragment.len);
        m->pending_n += (uint32_t)fragment.len;
        m->expires_ms = b->now_ms + CTAP_WALK_MS;
        if (m->pending_n < m->pending_len) {
                require(blobs_are(m, b->blobs, b->blobs_len));
                return;
        }
        require(is_whole(m->pending, m->pending_len));
        require(blobs_are(m, m->pending, m->pending_len));
        forget_walk(m);
}

static void step_write(struct model *m, struct cursor *c) {
        const uint32_t at = m->array_len > 0 ? cursor_u16(c) % m->array_len : 0;
        const uint32_t n = cursor_u16(c) % 1100;
        const enum by by = cursor_u8(c) % _BYS;
        const struct bytes fragment =
                BYTES(m->array + at, n < m->array_len - at ? n : m->array_len - at);
        const bool always_uv = ctap_always_uv(m->client.ctap);
        struct before b;
        uint8_t status;

        client_write_blobs(&m->client, at, fragment);
        if (at == 0)
                client_set(&m->client, 4, "%u", m->array_len);
        look(m, &b);
        status = send_request(m, by);
        require(rows_are(m, &b) && settings_are(m, &b));
        if (status != CTAP_OK)
                require(blobs_are(m, b.blobs, b.blobs_len));
        if (status == CTAP_OK && b.settings.pin_length > 0)
                require(by == BY_TOKEN);
        if (!b.plain) { /* nobody knows what it said */
                forget_walk(m);
                ctap_forget_walk(m->client.ctap);
                require(world(m)->large_blobs_len <= MAX_BLOBS);
                require(is_whole(world(m)->large_blobs, world(m)->large_blobs_len));
                return;
        }
        if (status == CTAP_OK && (b.settings.pin_length > 0 || always_uv))
                require(allows(m, &b, by, CTAP_PERMISSION_LBW));
        if (status == CTAP_OK)
                check_written(m, &b, by, at, fragment);
        else if (at == 0 || status == CTAP2_ERR_INTEGRITY_FAILURE || status == CTAP1_ERR_OTHER ||
                 m->walk != CTAP_WALK_LARGE_BLOBS)
                forget_walk(m);
        if (m->walk == CTAP_WALK_NONE)
                ctap_forget_walk(m->client.ctap);
}

static void step_read(struct model *m, struct cursor *c) {
        const uint32_t at = cursor_u16(c), n = cursor_u16(c);
        struct fake *f = world(m);
        struct before b;

        client_manage(&m->client, 0x0c, 0);
        client_set(&m->client, 1, "%u", n);
        client_set(&m->client, 3, "%u", at);
        look(m, &b);
        forget_walk(m);
        if (send_request(m, BY_NOBODY) != CTAP_OK || !b.plain)
                return;
        require(n <= MAX_MESSAGE - 64 && at <= f->large_blobs_len);
        require(bytes_equal(member(m, 1).string,
                            BYTES(f->large_blobs + at,
                                  n < f->large_blobs_len - at ? n : f->large_blobs_len - at)));
        check_ended(m);
}

/* ---- what a request says that it should not ---- */

static struct bytes up_to(struct cursor *c, size_t n) {
        return cursor_take(c, n < c->left.len ? n : c->left.len);
}

static void step_member(struct model *m, struct cursor *c) {
        const uint8_t key = cursor_u8(c);
        const struct bytes cbor = up_to(c, cursor_u8(c));

        if (m->n_changes < CHANGES_MAX) {
                m->changes[m->n_changes].key = key;
                m->changes[m->n_changes++].cbor = cbor;
        }
}

/* Nothing that takes a token is done without one; what takes none may be. */
static void step_raw(struct model *m, struct cursor *c) {
        uint8_t storage[MAX_MESSAGE + 256];
        struct buf out = BUF_ON(storage);
        struct before b;

        buf_put(&out, up_to(c, cursor_u16(c) % (MAX_MESSAGE + 128)));
        if (out.len == 0 || memchr("\x0a\x0c\x0d\x41", out.data[0], 4) == NULL)
                return;
        look(m, &b);
        forget_walk(m);
        ctap_forget_walk(m->client.ctap);
        (void)send_message(m, &out);
        ctap_forget_walk(m->client.ctap);
        require(rows_are(m, &b));
        if (b.settings.pin_length > 0)
                require(settings_are(m, &b) && blobs_are(m, b.blobs, b.blobs_len));
        check_stricter(m, &b);
        require(is_whole(world(m)->large_blobs, world(m)->large_blobs_len));
}

/* ---- the world ---- */

/* What there was; or a first one that is long enough. */
static void set_pin_length(struct model *m, uint8_t before) {
        struct ctap_settings *s = &world(m)->settings;

        s->pin_length = before > 0 ? before : s->min_pin_length;
}

static void step_token(struct model *m, struct cursor *c) {
        const uint8_t permissions = cursor_u8(c), rp = cursor_u8(c);
        const unsigned fail_in = world(m)->fail_in;
        const uint8_t length = world(m)->settings.pin_length;

        world(m)->fail_in = 0;
        client_get_token(&m->client, 2, permissions, rp == 0xff ? NULL : rps[rp % ELEMENTSOF(rps)]);
        set_pin_length(m, length);
        world(m)->fail_in = fail_in;
}

static void step_damage(struct model *m, struct cursor *c) {
        const uint8_t which = cursor_u8(c);
        struct known *k;
        struct ctap_row *row;

        if (world(m)->n_rows == 0)
                return;
        row = &world(m)->rows[which % world(m)->n_rows];
        k = known_of(m, &row->id);
        if (!k || k->damaged)
                return;
        if (which & 0x80)
                row->alg = -65535;
        else
                row->sealed[which % row->sealed_len] ^= 1;
        k->damaged = m->disturbed = true;
}

static void step_delete(struct model *m, struct cursor *c) {
        const uint8_t which = cursor_u8(c);

        if (world(m)->n_rows == 0)
                return;
        fake_delete(world(m), &world(m)->rows[which % world(m)->n_rows].id);
        m->disturbed = true;
}

/* What would be told of by a new start, or be plugged in: no walk lives through it. */
static void step_allow(struct model *m, struct cursor *c) {
        const uint8_t what = cursor_u8(c);
        struct ctap_options *o = &m->client.ctap->options;

        o->locks = what & ALLOW_LOCKED ? CTAP_LOCK_ALL : 0;
        o->always_uv = what & ALLOW_ALWAYS_UV;
        o->max_large_blobs = what & ALLOW_NO_BLOBS ? 0 : MAX_BLOBS;
        m->client.ctap->env.attester = what & ALLOW_ATTESTER ? &m->attester : NULL;
        world(m)->abilities = CTAP_PRESENCE_DISPLAY | (what & ALLOW_HOLD ? CTAP_PRESENCE_HOLD : 0);
        ctap_forget_walk(m->client.ctap);
        forget_walk(m);
}

static void step_end(struct model *m, uint8_t what) {
        struct buf reply = BUF_ON(m->client.reply);

        forget_walk(m);
        if (what == 'p')
                ctap_power_up(m->client.ctap);
        else if (what == 'z')
                ctap_suspend(m->client.ctap);
        else
                ctap_request(m->client.ctap, m->client.channel, BYTES("\x07", 1), &reply);
        check_ended(m);
        fake_forget_trace(world(m));
}

static void step_fail(struct model *m, struct cursor *c) {
        static const char *const calls[] = {
                NULL,
                "ticket_check",
                "next_rp",
                "newest",
                "public_key",
                "find",
                "totals",
                "remove",
                "update",
                "fill",
                "set_settings",
                "reset",
                "large_blobs_read",
                "large_blobs_write",
        };
        const char *call = calls[cursor_u8(c) % ELEMENTSOF(calls)];

        fake_fail(world(m), call, 1u + cursor_u8(c) % 8u, -EIO);
}

static void step_world(struct model *m, struct cursor *c, uint8_t what) {
        switch (what) {
        case 'T':
                step_token(m, c);
                break;
        case 'P':
                if (world(m)->settings.pin_length > 0)
                        break;
                client_set_pin(&m->client);
                set_pin_length(m, 0);
                break;
        case 'h':
                m->client.channel = 1 + cursor_u8(c) % 2;
                break;
        case 'd':
                step_damage(m, c);
                break;
        case 'o':
                step_delete(m, c);
                break;
        case 'O':
                step_allow(m, c);
                break;
        case 'e':
                world(m)->epoch++;
                break;
        case 'p':
        case 'z':
        case 'R':
                step_end(m, what);
                break;
        case 't':
                world(m)->now_ms += 10u * cursor_u16(c);
                break;
        case 'f':
                step_fail(m, c);
                break;
        default:
                break;
        }
}

static void step(struct model *m, struct cursor *c) {
        const uint8_t what = cursor_u8(c);

        switch (what) {
        case 'n':
                step_make(m, c);
                break;
        case 'C':
                step_manage(m, c);
                break;
        case 'N':
                step_next(m, c);
                break;
        case 'A':
                step_config(m, c);
                break;
        case 'b':
                step_array(m, c);
                break;
        case 'w':
                step_write(m, c);
                break;
        case 'g':
                step_read(m, c);
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
        default:
                step_world(m, c, what);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct ctap_options options = { .max_message = MAX_MESSAGE,
                                                     .max_large_blobs = MAX_BLOBS };
        struct model *m = calloc(1, sizeof(*m));
        struct cursor c = { BYTES(data, size), false };

        require(m);
        m->client.fake = fake_new();
        m->client.fake->abilities = CTAP_PRESENCE_DISPLAY;
        m->client.channel = 1;
        require(ctap_new(&m->client.fake->env, &options, &m->client.ctap) == 0);
        ctap_power_up(m->client.ctap);
        while (c.left.len > 0 && !c.failed)
                step(m, &c);
        m->client.ctap = ctap_free(m->client.ctap);
        m->client.fake = fake_free(m->client.fake);
        free(m);
        return 0;
}
