/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One question at a time. Whatever the mode, an answer comes out of answer_now(), which never
 * blocks: poll() is one call of it, wait() repeats it between sleeps on the descriptors that could
 * change it. Answers from the control socket queue up in a pipe, so that "yes to the next question"
 * may arrive before the question does. What the machine sleeps is not counted against the person.
 */

#include "authenticator/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "authenticator/env.h"
#include "authenticator/presence-tty.h"
#include "authenticator/util.h"

#define QUEUED_MAX 8 /* answers given ahead of their questions; more are forgotten */

/*
 * Where one question takes the place of another, an answer that is on its way was meant for that one:
 * what is typed so soon after the change is dropped.
 */
#define DEAF_MS 300

struct presence {
        struct ctap_presence port;

        enum presence_mode configured, mode;
        uint64_t timeout_ms, passive_ms;
        char *device_name;
        presence_waiting_fn *waiting;
        void *userdata;

        int inject_read, inject_write;
        int cancel_fd;
        struct presence_tty tty;

        enum ctap_answer queued[QUEUED_MAX];
        size_t n_queued;

        /* The question, while `asking`. */
        bool asking, passive;
        bool on_tty; /* it stands on the terminal */
        bool typed;  /* the answer came from there */
        bool waited; /* waiting(true) was called and waiting(false) was not */
        uint64_t begun;
        uint64_t deaf_until;     /* on the terminal; 0: it listens */
        uint64_t withdrawn;      /* when a question was last taken from the terminal */
        enum ctap_answer answer; /* once it is not PENDING it stays */
};

static const char *const mode_names[_PRESENCE_MODES] = {
        [PRESENCE_DENY] = "deny",
        [PRESENCE_AUTO] = "auto",
        [PRESENCE_SCRIPT] = "script",
        [PRESENCE_TTY] = "tty",
};

int presence_mode_from_string(const char *s, enum presence_mode *ret) {
        for (size_t i = 0; i < ELEMENTSOF(mode_names); i++)
                if (strcmp(s, mode_names[i]) == 0) {
                        *ret = (enum presence_mode)i;
                        return 0;
                }
        return -EINVAL;
}

const char *presence_mode_to_string(enum presence_mode m) {
        return m < _PRESENCE_MODES ? mode_names[m] : "unknown";
}

static struct presence *presence_of(struct ctap_presence *port) {
        return container_of(port, struct presence, port);
}

static void tell_waiting(struct presence *p, bool waiting) {
        if (p->waited == waiting)
                return;
        p->waited = waiting;
        if (p->waiting)
                p->waiting(p->userdata, waiting);
}

static void queue_answer(struct presence *p, enum ctap_answer answer) {
        if (p->n_queued < ELEMENTSOF(p->queued))
                p->queued[p->n_queued++] = answer;
}

static bool take_queued(struct presence *p, enum ctap_answer *ret) {
        if (p->n_queued == 0)
                return false;
        *ret = p->queued[0];
        p->n_queued--;
        memmove(p->queued, p->queued + 1, p->n_queued * sizeof(p->queued[0]));
        return true;
}

static void obey(struct presence *p, char inject) {
        switch ((enum presence_inject)inject) {
        case PRESENCE_INJECT_ONCE:
                queue_answer(p, CTAP_ANSWER_YES);
                break;
        case PRESENCE_INJECT_NO:
                queue_answer(p, CTAP_ANSWER_NO);
                break;
        case PRESENCE_INJECT_AUTO:
                p->mode = PRESENCE_AUTO;
                break;
        case PRESENCE_INJECT_DENY:
                p->mode = PRESENCE_DENY;
                p->n_queued = 0;
                break;
        case PRESENCE_INJECT_ASK:
                p->mode = p->configured;
                break;
        }
}

static void read_injected(struct presence *p) {
        char bytes[32];
        ssize_t n;

        while ((n = read(p->inject_read, bytes, sizeof(bytes))) > 0)
                for (ssize_t i = 0; i < n; i++)
                        obey(p, bytes[i]);
}

/* When a question that nobody touches changes by itself. */
static uint64_t next_change(const struct presence *p) {
        uint64_t at = p->begun + p->timeout_ms;

        if (p->mode == PRESENCE_AUTO && p->passive && p->begun + p->passive_ms < at)
                at = p->begun + p->passive_ms;
        if (p->deaf_until > 0 && p->deaf_until < at)
                at = p->deaf_until;
        return at;
}

static int read_tty(struct presence *p, uint64_t now, enum ctap_answer *ret) {
        int r;

        if (p->deaf_until > 0) {
                /* Once more when the time is over: nobody can say when what is there was typed. */
                if (now >= p->deaf_until)
                        p->deaf_until = 0;
                return presence_tty_drop(&p->tty);
        }
        r = presence_tty_read(&p->tty, ret);
        p->typed = r == 0 && *ret != CTAP_ANSWER_PENDING;
        return r;
}

static int answer_by_mode(struct presence *p, uint64_t now, enum ctap_answer *ret) {
        switch (p->mode) {
        case PRESENCE_DENY:
                *ret = CTAP_ANSWER_NO;
                return 0;
        case PRESENCE_AUTO:
                if (!p->passive || now >= p->begun + p->passive_ms)
                        *ret = CTAP_ANSWER_YES;
                return 0;
        case PRESENCE_TTY:
                /* A mode that changed under the question has not shown it. */
                return p->on_tty ? read_tty(p, now, ret) : 0;
        case PRESENCE_SCRIPT:
        case _PRESENCE_MODES:
                return 0;
        }
        return 0;
}

/* Sets p->answer if there is one by now. */
static int answer_now(struct presence *p) {
        uint64_t now = env_awake_ms();
        int r = 0;

        if (p->answer != CTAP_ANSWER_PENDING)
                return 0;

        read_injected(p);
        if (!take_queued(p, &p->answer))
                r = answer_by_mode(p, now, &p->answer);
        if (r < 0)
                return r;
        if (p->answer == CTAP_ANSWER_PENDING && now >= p->begun + p->timeout_ms)
                p->answer = CTAP_ANSWER_TIMEOUT;
        if (p->answer != CTAP_ANSWER_PENDING)
                tell_waiting(p, false);
        return 0;
}

static void end(struct ctap_presence *port) {
        struct presence *p = presence_of(port);

        if (!p->asking)
                return;
        tell_waiting(p, false);
        /* An answer that came from the terminal has ended its line there. */
        if (p->on_tty && !p->typed) {
                presence_tty_withdraw(&p->tty);
                p->withdrawn = env_awake_ms();
        }
        p->asking = false;
        p->on_tty = false;
}

static int begin(struct ctap_presence *port, const struct ctap_prompt *prompt) {
        struct presence *p = presence_of(port);
        int r;

        end(port);
        read_injected(p);
        if (p->mode == PRESENCE_TTY) {
                r = presence_tty_ask(&p->tty, prompt, p->device_name);
                if (r < 0)
                        return r;
                p->on_tty = true;
        }

        p->asking = true;
        p->typed = false;
        p->passive = prompt->passive;
        p->begun = env_awake_ms();
        p->deaf_until =
                p->withdrawn > 0 && p->begun - p->withdrawn < DEAF_MS ? p->begun + DEAF_MS : 0;
        p->answer = CTAP_ANSWER_PENDING;
        if (p->mode != PRESENCE_DENY)
                tell_waiting(p, true);
        return 0;
}

static bool is_readable(int fd) {
        struct pollfd f = { .fd = fd, .events = POLLIN };

        return poll(&f, 1, 0) > 0;
}

static int sleep_until_something_happens(struct presence *p) {
        struct pollfd fds[] = {
                { .fd = p->cancel_fd, .events = POLLIN },
                { .fd = p->inject_read, .events = POLLIN },
                { .fd = p->on_tty ? p->tty.fd : -1, .events = POLLIN },
        };
        uint64_t now = env_awake_ms(), at = next_change(p);

        if (poll(fds, ELEMENTSOF(fds), at > now ? (int)(at - now) : 0) < 0 && errno != EINTR)
                return -errno;
        return 0;
}

static int wait_for_answer(struct ctap_presence *port, enum ctap_answer *ret) {
        struct presence *p = presence_of(port);
        int r;

        if (!p->asking)
                return -EINVAL;

        for (;;) {
                if (p->answer == CTAP_ANSWER_PENDING && is_readable(p->cancel_fd)) {
                        p->answer = CTAP_ANSWER_CANCELLED;
                        tell_waiting(p, false);
                }
                r = answer_now(p);
                if (r < 0)
                        return r;
                if (p->answer != CTAP_ANSWER_PENDING)
                        break;
                r = sleep_until_something_happens(p);
                if (r < 0)
                        return r;
        }

        *ret = p->answer;
        return 0;
}

/* For U2F, whose messages CANCEL does not concern (CTAP 2.3 §11.2.9.1.5). */
static int poll_answer(struct ctap_presence *port, enum ctap_answer *ret) {
        struct presence *p = presence_of(port);
        int r;

        if (!p->asking)
                return -EINVAL;
        r = answer_now(p);
        if (r < 0)
                return r;
        *ret = p->answer;
        return 0;
}

static unsigned abilities(struct ctap_presence *port) {
        return presence_of(port)->mode == PRESENCE_TTY ? CTAP_PRESENCE_DISPLAY : 0;
}

int presence_new(const struct presence_options *options, struct presence **ret) {
        static const struct ctap_presence_ops ops = {
                .begin = begin,
                .wait = wait_for_answer,
                .poll = poll_answer,
                .end = end,
                .abilities = abilities,
        };
        struct presence *p = calloc(1, sizeof(*p));
        int pipe_fds[2], r = 0;

        if (!p)
                return -ENOMEM;

        p->port.ops = &ops;
        p->configured = p->mode = options->mode;
        p->timeout_ms = options->timeout_ms;
        p->passive_ms = options->passive_ms > 0 ? options->passive_ms : PRESENCE_PASSIVE_MS;
        p->waiting = options->waiting;
        p->userdata = options->userdata;
        p->inject_read = p->inject_write = p->tty.fd = -1;
        p->device_name = strdup(options->device_name);
        p->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (p->cancel_fd < 0 || pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
                r = -errno;
        if (r == 0) {
                p->inject_read = pipe_fds[0];
                p->inject_write = pipe_fds[1];
        }
        if (r == 0 && !p->device_name)
                r = -ENOMEM;
        if (r == 0 && p->mode == PRESENCE_TTY)
                r = presence_tty_init(&p->tty, options->tty_fd);
        if (r < 0) {
                presence_free(p);
                return r;
        }

        *ret = p;
        return 0;
}

struct presence *presence_free(struct presence *p) {
        if (!p)
                return NULL;
        if (p->asking)
                end(&p->port);
        presence_tty_done(&p->tty);
        close_fd(p->inject_read);
        close_fd(p->inject_write);
        close_fd(p->cancel_fd);
        free(p->device_name);
        free(p);
        return NULL;
}

struct ctap_presence *presence_port(struct presence *p) {
        return &p->port;
}

int presence_inject_fd(const struct presence *p) {
        return p->inject_write;
}

int presence_cancel_fd(const struct presence *p) {
        return p->cancel_fd;
}
