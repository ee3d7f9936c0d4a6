/* SPDX-License-Identifier: BSD-2-Clause */

/* Word, id, and then field by field what the word has. */

#include "authenticator/agent-link.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>

#include "authenticator/agent-protocol.h"

/* The flags of a prompt. */
enum {
        PASSIVE = 1 << 0,
        VERIFY = 1 << 1,
        PIN_ONLY = 1 << 2,
        AGAIN = 1 << 3,
};

int agent_link_new(int *ret_loop, int *ret_worker) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        *ret_loop = pair[0];
        *ret_worker = pair[1];
        return 0;
}

/* Its end says whose it is; no sequence is cut in two. */
static struct bytes last_of(struct bytes text, size_t max) {
        if (text.len <= max)
                return text;
        text = BYTES(text.data + (text.len - max), max);
        while (text.len > 0 && (text.data[0] & 0xc0) == 0x80)
                text = BYTES(text.data + 1, text.len - 1);
        return text;
}

static void put_prompt(struct buf *b, const struct ctap_prompt *p) {
        buf_put_u8(b, (uint8_t)p->ask);
        buf_put_u8(b, (uint8_t)((p->passive ? PASSIVE : 0) | (p->verify ? VERIFY : 0) |
                                (p->pin_only ? PIN_ONLY : 0) | (p->again ? AGAIN : 0)));
        buf_put_u8(b, p->tries);
        buf_put_u8(b, p->hold_s);
        buf_put_u32(b, p->n_accounts);
        buf_put_string16(b, last_of(p->rp_id, AGENT_RP_ID_MAX));
        buf_put_string16(b, bytes_utf8_prefix(p->account, AGENT_ACCOUNT_MAX));
}

static void read_prompt(struct cursor *c, struct ctap_prompt *ret) {
        uint8_t ask = cursor_u8(c), flags = cursor_u8(c);

        if (ask >= _CTAP_ASKS)
                c->failed = true;
        *ret = (struct ctap_prompt){
                .ask = (enum ctap_ask)ask,
                .passive = flags & PASSIVE,
                .verify = flags & VERIFY,
                .pin_only = flags & PIN_ONLY,
                .again = flags & AGAIN,
        };
        ret->tries = cursor_u8(c);
        ret->hold_s = cursor_u8(c);
        ret->n_accounts = cursor_u32(c);
        ret->rp_id = cursor_string16(c);
        ret->account = cursor_string16(c);
}

static void read_pin(struct cursor *c, struct ctap_typed_pin *ret) {
        struct bytes pin = cursor_string16(c);

        if (pin.len > sizeof(ret->data)) {
                c->failed = true;
                return;
        }
        if (pin.len > 0)
                memcpy(ret->data, pin.data, pin.len);
        ret->len = (uint8_t)pin.len;
}

static void put_packet(struct buf *b, const struct agent_link_packet *p) {
        buf_put_u8(b, (uint8_t)p->word);
        buf_put_u32(b, p->id);
        switch (p->word) {
        case AGENT_LINK_ASK:
                buf_put_u64(b, p->timeout_ms);
                put_prompt(b, &p->prompt);
                break;
        case AGENT_LINK_WITHDRAW:
                buf_put_u8(b, (uint8_t)p->why);
                break;
        case AGENT_LINK_STATE:
                buf_put_u8(b, (uint8_t)p->state);
                break;
        case AGENT_LINK_ANSWER:
                buf_put_u8(b, p->yes);
                buf_put_string16(b, BYTES(p->pin.data, p->pin.len));
                break;
        case AGENT_LINK_HUNG:
        case AGENT_LINK_UNASKED:
        case AGENT_LINK_SHOWN:
        case AGENT_LINK_MATCH:
        case AGENT_LINK_LOST:
        case AGENT_LINK_CANCELLED:
        case _AGENT_LINK_WORDS:
                break;
        }
}

static int read_packet(struct bytes packet, struct agent_link_packet *ret) {
        struct cursor c = { packet, false };
        uint8_t word = cursor_u8(&c);

        if (word == 0 || word >= _AGENT_LINK_WORDS)
                return -EBADMSG;
        ret->word = (enum agent_link_word)word;
        ret->id = cursor_u32(&c);
        if (ret->word == AGENT_LINK_ASK) {
                ret->timeout_ms = cursor_u64(&c);
                read_prompt(&c, &ret->prompt);
        } else if (ret->word == AGENT_LINK_WITHDRAW) {
                ret->why = (enum agent_why)cursor_u8(&c);
                c.failed = c.failed || ret->why >= _AGENT_WHYS;
        } else if (ret->word == AGENT_LINK_STATE) {
                ret->state = cursor_u8(&c);
        } else if (ret->word == AGENT_LINK_ANSWER) {
                ret->yes = cursor_u8(&c) == 1;
                read_pin(&c, &ret->pin);
        }
        return cursor_end(&c);
}

int agent_link_send(int fd, const struct agent_link_packet *p) {
        uint8_t storage[AGENT_LINK_PACKET_MAX];
        struct buf packet = BUF_ON(storage);
        int r;

        put_packet(&packet, p);
        r = buf_error(&packet);
        if (r == 0 && send(fd, packet.data, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                r = -errno;
        OPENSSL_cleanse(storage, sizeof(storage));
        return r;
}

int agent_link_receive(int fd, uint8_t storage[static AGENT_LINK_PACKET_MAX],
                       struct agent_link_packet *ret) {
        struct agent_link_packet p = { 0 };
        ssize_t n = recv(fd, storage, AGENT_LINK_PACKET_MAX, MSG_DONTWAIT);
        int r;

        if (n < 0)
                return errno == EINTR ? -EAGAIN : -errno;
        if (n == 0)
                return -EPIPE;
        r = read_packet(BYTES(storage, (size_t)n), &p);
        if (r == 0)
                *ret = p;
        agent_link_packet_wipe(&p);
        return r;
}
