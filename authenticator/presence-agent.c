/* SPDX-License-Identifier: BSD-2-Clause */

/* Each question has an id of its own, so that a word about another one, however late, is nothing. */

#include "authenticator/presence-agent.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>

#include "authenticator/agent-protocol.h"
#include "authenticator/env.h"
#include "authenticator/util.h"

int presence_agent_init(struct presence_agent *a, int link, uint64_t shown_ms) {
        *a = (struct presence_agent){ .link = -1, .shown_ms = shown_ms };
        if (shown_ms == 0)
                a->shown_ms = AGENT_SHOWN_MS;
        if (link < 0)
                return 0;
        a->link = fcntl(link, F_DUPFD_CLOEXEC, 3);
        return a->link < 0 ? -errno : 0;
}

void presence_agent_done(struct presence_agent *a) {
        a->link = close_fd(a->link);
        a->id = 0;
        ctap_typed_pin_wipe(&a->pin);
}

/* ---- words of the loop ---- */

static void answer(struct presence_agent *a, enum ctap_answer said) {
        a->answer = said;
        a->id = 0;
}

static void lose(struct presence_agent *a) {
        answer(a, a->passive ? CTAP_ANSWER_PENDING : CTAP_ANSWER_NO);
}

/* A yes without the PIN that it needs is none. */
static void take_answer(struct presence_agent *a, const struct agent_link_packet *p) {
        bool is_yes = p->yes && (!a->verify || p->pin.len > 0);

        if (is_yes && a->verify)
                a->pin = p->pin;
        answer(a, is_yes ? CTAP_ANSWER_YES : CTAP_ANSWER_NO);
}

static void obey(struct presence_agent *a, const struct agent_link_packet *p) {
        bool is_about_it = a->id != 0 && p->id == a->id;

        if (p->word == AGENT_LINK_STATE)
                a->state = p->state;
        else if (!is_about_it)
                return;
        else if (p->word == AGENT_LINK_SHOWN)
                a->shown = true;
        else if (p->word == AGENT_LINK_ANSWER)
                take_answer(a, p);
        else if (p->word == AGENT_LINK_MATCH && a->finger)
                answer(a, CTAP_ANSWER_FINGER);
        else if (p->word == AGENT_LINK_LOST)
                lose(a);
        else if (p->word == AGENT_LINK_CANCELLED)
                answer(a, CTAP_ANSWER_CANCELLED);
}

static void lose_link(struct presence_agent *a) {
        a->link = close_fd(a->link);
        a->state = 0;
        if (a->id != 0)
                lose(a);
}

void presence_agent_hear(struct presence_agent *a) {
        uint8_t storage[AGENT_LINK_PACKET_MAX];
        int r = 0;

        while (r == 0 && a->link >= 0) {
                _cleanup_(agent_link_packet_wipe) struct agent_link_packet p = { 0 };

                r = agent_link_receive(a->link, storage, &p);
                if (r == 0)
                        obey(a, &p);
                else if (r != -EAGAIN)
                        lose_link(a);
        }
        OPENSSL_cleanse(storage, sizeof(storage));
}

/* ---- questions ---- */

static int say(const struct presence_agent *a, const struct agent_link_packet *p) {
        return a->link >= 0 ? agent_link_send(a->link, p) : -EPIPE;
}

void presence_agent_ask(struct presence_agent *a, const struct ctap_prompt *prompt,
                        uint64_t timeout_ms) {
        const unsigned needs = AGENT_LINK_ATTACHED | (prompt->verify ? AGENT_LINK_PIN : 0u);
        const struct agent_link_packet unasked = { .word = AGENT_LINK_UNASKED };
        struct agent_link_packet p = { .word = AGENT_LINK_ASK,
                                       .prompt = *prompt,
                                       .timeout_ms = timeout_ms };

        presence_agent_hear(a);
        ctap_typed_pin_wipe(&a->pin);
        a->answer = CTAP_ANSWER_PENDING;
        a->verify = prompt->verify;
        a->finger = prompt->verify && !prompt->pin_only;
        a->passive = prompt->passive;
        a->shown = false;
        a->shown_until = env_awake_ms() + a->shown_ms;
        a->id = 0;
        if ((a->state & needs) != needs) {
                (void)!say(a, &unasked);
                lose(a);
                return;
        }

        a->last_id++;
        if (a->last_id == 0)
                a->last_id++;
        a->id = p.id = a->last_id;
        if (say(a, &p) < 0)
                lose(a);
}

void presence_agent_read(struct presence_agent *a, enum ctap_answer *ret,
                         struct ctap_typed_pin *ret_pin) {
        const struct agent_link_packet hung = { .word = AGENT_LINK_HUNG, .id = a->id };

        presence_agent_hear(a);
        if (env_awake_ms() >= presence_agent_deadline(a)) {
                (void)!say(a, &hung);
                lose(a);
        }
        *ret = a->answer;
        if (a->answer == CTAP_ANSWER_YES && a->verify)
                *ret_pin = a->pin;
}

uint64_t presence_agent_deadline(const struct presence_agent *a) {
        return a->id != 0 && !a->shown ? a->shown_until : UINT64_MAX;
}

void presence_agent_end(struct presence_agent *a, enum agent_why why) {
        const struct agent_link_packet p = { .word = AGENT_LINK_WITHDRAW, .id = a->id, .why = why };

        if (a->id != 0)
                (void)!say(a, &p);
        a->id = 0;
        ctap_typed_pin_wipe(&a->pin);
}
