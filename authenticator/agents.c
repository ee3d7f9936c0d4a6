/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An agent and a link are slots of fixed tables, so that either can go at any moment, whoever is being
 * called. A question is up at one agent at most, and an agent shows one; the link remembers which, and
 * under what number: agents hear numbers that no two questions of this process share.
 *
 * An agent is a process of the user's, one that crashes, hangs, floods or lies. Whatever it does ends
 * its connection or is ignored, and the question that it had is answered as the worker sees fit. What it
 * can do at worst is to answer for its user, which any process of that user can.
 */

#include "authenticator/agents-internal.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "authenticator/util.h"

#define IGNORED_MAX 100 /* more is a flood */

/* ---- who is there ---- */

/* The agent that would be asked; NULL if there is none. */
struct agent *agents_newest(struct agents *a, uid_t uid) {
        struct agent *last = NULL;

        for (size_t i = 0; i < ELEMENTSOF(a->agents); i++) {
                struct agent *g = &a->agents[i];

                if (g->fd >= 0 && g->greeted && g->uid == uid && (!last || g->order > last->order))
                        last = g;
        }
        return last;
}

/* ---- to an agent ---- */

static void close_agent(struct agent *g) {
        g->io = sd_event_source_disable_unref(g->io);
        g->hello_timer = sd_event_source_disable_unref(g->hello_timer);
        g->fd = close_fd(g->fd);
        g->greeted = false;
}

/* `why` is NULL if it went by itself. */
void agent_drop(struct agent *g, int priority, const char *why) {
        struct agents *a = g->agents;
        struct agents_link *l;

        if (g->fd < 0)
                return;
        l = agents_link_asking(a, g);
        log_write(a->options.log, priority, NULL, "agent: %s of user %u, process %d%s%s",
                  why ? "dropped that" : "gone is that", (unsigned)g->uid, (int)g->pid,
                  why ? ": " : "", why ? why : "");
        close_agent(g);
        if (l)
                agents_link_lose(l);
        agents_tell_states(a, g->uid);
}

/* Takes the text. An agent that does not take it is dropped. False: it was. */
bool agent_tell(struct agent *g, char *text) {
        _cleanup_(free_pointer) char *packet = text;
        ssize_t n;

        if (!packet) {
                agent_drop(g, LOG_WARNING, "no packet for it could be made");
                return false;
        }
        n = send(g->fd, packet, strlen(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
                agent_drop(g, LOG_INFO, errno == EAGAIN ? "it does not read" : strerror(errno));
        return n >= 0;
}

/* Nobody of these users can be asked anything any more. */
void agents_drop_strangers(struct agents *a, uid_t uid) {
        for (size_t i = 0; i < ELEMENTSOF(a->agents) && !agents_link_of(a, uid); i++)
                if (a->agents[i].fd >= 0 && a->agents[i].uid == uid)
                        agent_drop(&a->agents[i], LOG_DEBUG, "its user has no device any more");
}

/* ---- what an agent says ---- */

static char *welcome(const struct agents_link *l) {
        char machine[HOST_NAME_MAX + 1] = "";

        if (gethostname(machine, sizeof(machine)) < 0 || !bytes_is_utf8(BYTES_TEXT(machine)))
                *machine = '\0';
        return agent_message_welcome(l->options.device, l->options.phys, machine);
}

static void hear_hello(struct agent *g, const struct agent_said *said) {
        struct agents *a = g->agents;
        const struct agents_link *l = agents_link_of(a, g->uid);

        if (g->greeted || !l) {
                agent_drop(g, LOG_DEBUG, l ? "it says hello twice" : "its user has no device here");
                return;
        }
        g->hello_timer = sd_event_source_disable_unref(g->hello_timer);
        if (!agent_tell(g, welcome(l)))
                return;
        /* From here on it may be asked. */
        g->greeted = true;
        g->takes_pin = said->takes_pin;
        g->holds = said->holds;
        log_write(a->options.log, LOG_DEBUG, l->options.id,
                  "agent: user %u, process %d, asks by %s", (unsigned)g->uid, (int)g->pid,
                  said->ui);
        agents_tell_states(a, g->uid);
}

static void ignore(struct agent *g) {
        g->n_ignored++;
        if (g->n_ignored > IGNORED_MAX)
                agent_drop(g, LOG_DEBUG, "it sends too much");
}

static void obey(struct agent *g, const struct agent_said *said) {
        struct agents_link *l = agents_link_asking(g->agents, g);
        bool is_about_it = l && said->id == l->number;

        if (said->what == AGENT_SAID_HELLO)
                hear_hello(g, said);
        else if (!g->greeted)
                agent_drop(g, LOG_DEBUG, "it does not say hello first");
        else if (said->what == AGENT_SAID_SHOWN && is_about_it && !l->shown)
                agents_link_hear_shown(l);
        else if (said->what == AGENT_SAID_ANSWER && is_about_it)
                agents_link_hear_answer(l, said->yes, &said->pin);
        else
                ignore(g);
}

/* One packet, so that all of them have their turns. */
static int on_agent(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        _cleanup_(agent_said_wipe) struct agent_said said = { 0 };
        struct agent *g = userdata;
        uint8_t packet[AGENT_PACKET_MAX];
        ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

        (void)source;
        (void)events;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                agent_drop(g, LOG_DEBUG, NULL);
        else if ((size_t)n > sizeof(packet) ||
                 agent_message_read(BYTES(packet, (size_t)n), &said) < 0)
                agent_drop(g, LOG_DEBUG, "it sends what cannot be read");
        else
                obey(g, &said);
        OPENSSL_cleanse(packet, sizeof(packet));
        return 0;
}

/* ---- connecting ---- */

static int on_no_hello(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        agent_drop(userdata, LOG_DEBUG, "it says nothing");
        return 0;
}

/* An agent that hung up may not have had its turn yet; none that lives shall go in its place. */
static void drop_hung_up(struct agents *a, uid_t uid) {
        for (size_t i = 0; i < ELEMENTSOF(a->agents); i++) {
                struct agent *g = &a->agents[i];

                if (g->fd >= 0 && g->uid == uid && !agents_link_asking(a, g) &&
                    socket_is_hung_up(g->fd))
                        agent_drop(g, LOG_DEBUG, NULL);
        }
}

/* A place for one more of this user; the longest-lived of too many has to go. NULL: there is none. */
static struct agent *find_place(struct agents *a, uid_t uid) {
        struct agent *place = NULL, *first = NULL;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(a->agents); i++) {
                struct agent *g = &a->agents[i];

                if (g->fd < 0)
                        place = place ? place : g;
                else if (g->uid == uid) {
                        n++;
                        if (!agents_link_asking(a, g) && (!first || g->order < first->order))
                                first = g;
                }
        }
        if (n < AGENTS_PER_USER_MAX)
                return place;
        if (first)
                agent_drop(first, LOG_DEBUG, "its user has too many");
        return first;
}

static int add_agent(struct agents *a, struct agent *g, const struct ucred *peer, int *fd) {
        int r;

        *g = (struct agent){ .agents = a, .fd = take_fd(fd), .uid = peer->uid, .pid = peer->pid };
        g->order = ++a->last_order;
        r = sd_event_add_io(a->options.event, &g->io, g->fd, EPOLLIN, on_agent, g);
        if (r >= 0)
                r = sd_event_add_time_relative(a->options.event, &g->hello_timer, CLOCK_MONOTONIC,
                                               AGENT_HELLO_MS * UINT64_C(1000), 0, on_no_hello, g);
        if (r < 0)
                close_agent(g);
        return r;
}

static void on_client(void *userdata, const struct ucred *peer, int *fd) {
        struct agents *a = userdata;
        struct agent *place;

        if (!agents_link_of(a, peer->uid)) {
                log_write(a->options.log, LOG_DEBUG, NULL, "agent: user %u has no device here",
                          (unsigned)peer->uid);
                return;
        }
        drop_hung_up(a, peer->uid);
        place = find_place(a, peer->uid);
        if (!place)
                log_write(a->options.log, LOG_DEBUG, NULL, "agent: no place for one of user %u",
                          (unsigned)peer->uid);
        else if (add_agent(a, place, peer, fd) < 0)
                log_write(a->options.log, LOG_WARNING, NULL, "agent: out of memory for another");
}

/* ---- life ---- */

int agents_new(const struct agents_options *options, struct agents **ret) {
        struct agents *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->options = *options;
        a->listener = (struct socket_listener){ .on_client = on_client, .userdata = a };
        for (size_t i = 0; i < ELEMENTSOF(a->agents); i++)
                a->agents[i].fd = -1;

        r = socket_listener_start(&a->listener, options->event, options->path, SOCK_SEQPACKET);
        if (r < 0) {
                agents_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

struct agents *agents_free(struct agents *a) {
        if (!a)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(a->links); i++)
                agents_link_free(&a->links[i]);
        for (size_t i = 0; i < ELEMENTSOF(a->agents); i++)
                close_agent(&a->agents[i]);
        socket_listener_stop(&a->listener);
        free(a);
        return NULL;
}
