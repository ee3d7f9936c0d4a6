/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The questions. What the worker says comes in on the link's descriptor; a state that it does not take
 * at once it is told later, and it has times of its own for an answer that does not come.
 */

#include "authenticator/agents-internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <syslog.h>

#include "authenticator/util.h"

/* ---- to the worker ---- */

static unsigned state_of(struct agents_link *l) {
        const struct agent *g = l->usable ? agents_newest(l->agents, l->options.uid) : NULL;

        if (!g)
                return 0;
        return AGENT_LINK_ATTACHED | (g->takes_pin ? AGENT_LINK_PIN : 0u) |
               (g->holds ? AGENT_LINK_HOLD : 0u) | (l->finger ? AGENT_LINK_FINGER : 0u);
}

static int say(struct agents_link *l, const struct agent_link_packet *p) {
        return agent_link_send(l->fd, p);
}

/* Where the worker does not listen just now it is told later: what was in between does not matter. */
static void tell_state(struct agents_link *l) {
        const struct agent_link_packet p = { .word = AGENT_LINK_STATE, .state = state_of(l) };
        int r = 0;

        if (p.state != l->told)
                r = say(l, &p);
        if (r == 0)
                l->told = p.state;
        if (p.state & AGENT_LINK_ATTACHED)
                l->complained = false;
        (void)!sd_event_source_set_io_events(l->io, EPOLLIN | (r == -EAGAIN ? EPOLLOUT : 0u));
}

void agents_tell_states(struct agents *a, uid_t uid) {
        for (size_t i = 0; i < ELEMENTSOF(a->links); i++)
                if (a->links[i].agents && a->links[i].options.uid == uid)
                        tell_state(&a->links[i]);
}

static void want_finger(struct agents_link *l, bool wanted) {
        if (l->finger_wanted == wanted)
                return;
        l->finger_wanted = wanted;
        if (l->options.on_finger)
                l->options.on_finger(l->options.userdata, wanted);
}

/* The question is not up any more; the worker hears why. */
static void end_question(struct agents_link *l, const struct agent_link_packet *last) {
        if (!l->asked)
                return;
        l->asked = NULL;
        want_finger(l, false);
        /* The worker has a time of its own for what it does not hear. */
        if (last)
                (void)!say(l, last);
}

/* ---- from and to the agent ---- */

struct agents_link *agents_link_asking(struct agents *a, const struct agent *g) {
        for (size_t i = 0; i < ELEMENTSOF(a->links); i++)
                if (a->links[i].agents && a->links[i].asked == g)
                        return &a->links[i];
        return NULL;
}

struct agents_link *agents_link_of(struct agents *a, uid_t uid) {
        for (size_t i = 0; i < ELEMENTSOF(a->links); i++)
                if (a->links[i].agents && a->links[i].options.uid == uid)
                        return &a->links[i];
        return NULL;
}

void agents_link_lose(struct agents_link *l) {
        const struct agent_link_packet p = { .word = AGENT_LINK_LOST, .id = l->id };

        end_question(l, &p);
}

/* The person loses sight of it; `last` as of end_question(). */
static void take_away(struct agents_link *l, enum agent_why why,
                      const struct agent_link_packet *last) {
        struct agent *g = l->asked;

        end_question(l, last);
        if (g)
                (void)!agent_tell(g, agent_message_withdraw(l->number, why));
}

static void take_away_with_word(struct agents_link *l, enum agent_why why,
                                enum agent_link_word word) {
        const struct agent_link_packet p = { .word = word, .id = l->id };

        take_away(l, why, &p);
}

void agents_link_hear_shown(struct agents_link *l) {
        const struct agent_link_packet p = { .word = AGENT_LINK_SHOWN, .id = l->id };

        l->shown = true;
        if (say(l, &p) < 0) {
                agent_drop(l->asked, LOG_WARNING, "the device does not listen");
                return;
        }
        if (l->takes_finger)
                want_finger(l, true);
}

void agents_link_hear_answer(struct agents_link *l, bool yes, const struct ctap_typed_pin *pin) {
        _cleanup_(agent_link_packet_wipe) struct agent_link_packet p = { .word = AGENT_LINK_ANSWER,
                                                                         .id = l->id,
                                                                         .yes = yes };

        if (!l->shown || (l->verify && yes && pin->len == 0)) {
                agent_drop(l->asked, LOG_INFO,
                           l->shown ? "it says yes without a PIN"
                                    : "it answers what it has not shown");
                return;
        }
        if (l->verify)
                p.pin = *pin;
        end_question(l, &p);
}

/* ---- what a worker says ---- */

/* Once until there is an agent again, so that a client cannot fill the log. */
static void complain(struct agents_link *l) {
        if (l->complained)
                return;
        l->complained = true;
        if (agents_newest(l->agents, l->options.uid))
                log_write(l->agents->options.log, LOG_NOTICE, l->options.id,
                          "nobody can be asked: the session of user %u is locked or not in front",
                          (unsigned)l->options.uid);
        else
                log_write(l->agents->options.log, LOG_NOTICE, l->options.id,
                          "no agent of user %u is connected: tpmauthn-agent must run in the "
                          "session",
                          (unsigned)l->options.uid);
}

/* Numbers are never 0, and long gone when they come again. */
static uint32_t next_number(struct agents *a) {
        a->last_number++;
        if (a->last_number == 0)
                a->last_number++;
        return a->last_number;
}

/* The agent to ask, which has no other question up any more. */
static struct agent *free_agent(struct agents_link *l) {
        struct agent *g = l->usable ? agents_newest(l->agents, l->options.uid) : NULL;
        struct agents_link *before = g ? agents_link_asking(l->agents, g) : NULL;

        if (before)
                take_away_with_word(before, AGENT_GOES_CANCELLED, AGENT_LINK_LOST);
        return g && g->fd >= 0 ? g : NULL;
}

static void ask(struct agents_link *l, const struct agent_link_packet *p) {
        struct agent *g = free_agent(l);

        l->id = p->id;
        if (!g) {
                const struct agent_link_packet lost = { .word = AGENT_LINK_LOST, .id = p->id };

                complain(l);
                (void)!say(l, &lost);
                return;
        }
        l->asked = g;
        l->number = next_number(l->agents);
        l->shown = false;
        l->verify = p->prompt.verify;
        l->takes_finger = l->verify && !p->prompt.pin_only && l->finger;
        g->n_ignored = 0;
        (void)!agent_tell(g, agent_message_ask(l->number, l->options.phys, &p->prompt,
                                               p->timeout_ms, l->takes_finger));
}

static void hear_worker(struct agents_link *l, const struct agent_link_packet *p) {
        bool is_up = l->asked && p->id == l->id;

        switch (p->word) {
        case AGENT_LINK_ASK:
                take_away(l, AGENT_GOES_CANCELLED, NULL);
                ask(l, p);
                break;
        case AGENT_LINK_WITHDRAW:
                if (is_up)
                        take_away(l, p->why, NULL);
                break;
        case AGENT_LINK_HUNG:
                if (is_up)
                        agent_drop(l->asked, LOG_NOTICE,
                                   "it hangs: a question was not shown in time");
                break;
        case AGENT_LINK_UNASKED:
                complain(l);
                break;
        case AGENT_LINK_STATE:
        case AGENT_LINK_SHOWN:
        case AGENT_LINK_ANSWER:
        case AGENT_LINK_MATCH:
        case AGENT_LINK_LOST:
        case AGENT_LINK_CANCELLED:
        case _AGENT_LINK_WORDS:
                break;
        }
}

static int on_link(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct agents_link *l = userdata;
        uint8_t storage[AGENT_LINK_PACKET_MAX];
        struct agent_link_packet p;
        int r = agent_link_receive(fd, storage, &p);

        (void)events;
        if (r == 0)
                hear_worker(l, &p);
        else if (r == -EPIPE)
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (l->agents)
                tell_state(l);
        return 0;
}

/* ---- links ---- */

void agents_set_usable(struct agents *a, uid_t uid, bool usable) {
        for (size_t i = 0; i < ELEMENTSOF(a->links); i++) {
                struct agents_link *l = &a->links[i];

                if (!l->agents || l->options.uid != uid || l->usable == usable)
                        continue;
                l->usable = usable;
                if (!usable)
                        take_away_with_word(l, AGENT_GOES_LOCKED, AGENT_LINK_LOST);
                tell_state(l);
        }
}

int agents_link_new(struct agents *a, const struct agents_link_options *options,
                    struct agents_link **ret, int *ret_worker) {
        _cleanup_(close_fd_pointer) int worker = -1;
        struct agents_link *l = NULL;
        int r, loop;

        for (size_t i = 0; i < ELEMENTSOF(a->links) && !l; i++)
                if (!a->links[i].agents)
                        l = &a->links[i];
        if (!l)
                return -ENOBUFS;
        r = agent_link_new(&loop, &worker);
        if (r < 0)
                return r;

        *l = (struct agents_link){ .agents = a, .options = *options, .fd = loop, .usable = true };
        r = sd_event_add_io(a->options.event, &l->io, l->fd, EPOLLIN, on_link, l);
        if (r < 0) {
                agents_link_free(l);
                return r;
        }
        tell_state(l);
        *ret = l;
        *ret_worker = take_fd(&worker);
        return 0;
}

struct agents_link *agents_link_free(struct agents_link *l) {
        struct agents *a;

        if (!l || !l->agents)
                return NULL;
        a = l->agents;
        take_away_with_word(l, AGENT_GOES_CANCELLED, AGENT_LINK_LOST);
        l->io = sd_event_source_disable_unref(l->io);
        l->fd = close_fd(l->fd);
        l->agents = NULL;
        agents_drop_strangers(a, l->options.uid);
        return NULL;
}

void agents_link_set_uid(struct agents_link *l, uid_t uid) {
        uid_t before = l->options.uid;

        if (before == uid)
                return;
        take_away_with_word(l, AGENT_GOES_LOCKED, AGENT_LINK_LOST);
        l->options.uid = uid;
        l->complained = false;
        tell_state(l);
        agents_drop_strangers(l->agents, before);
}

void agents_link_set_finger(struct agents_link *l, bool available) {
        l->finger = available;
        tell_state(l);
}

void agents_link_cancel(struct agents_link *l) {
        take_away_with_word(l, AGENT_GOES_CANCELLED, AGENT_LINK_CANCELLED);
}

void agents_link_finger(struct agents_link *l, enum agent_finger state) {
        if (!l->finger_wanted || !agent_tell(l->asked, agent_message_finger(l->number, state)))
                return;
        if (state == AGENT_FINGER_MATCHED)
                take_away_with_word(l, AGENT_GOES_BY_FINGER, AGENT_LINK_MATCH);
}
