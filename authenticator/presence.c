/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One question at a time. Whatever the mode, an answer comes out of answer_now(), which never
 * blocks: poll() is one call of it, wait() repeats it between sleeps on the descriptors that could
 * change it. Answers from the control socket queue up, so that "yes to the next question" may arrive
 * before the question does. What the machine sleeps is not counted against the person.
 */

#include "authenticator/presence.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "authenticator/env.h"
#include "authenticator/presence-agent.h"
#include "authenticator/presence-script.h"
#include "authenticator/presence-tty.h"
#include "authenticator/util.h"

/*
 * Where one question takes the place of another, an answer that is on its way was meant for that one:
 * what is typed so soon after the change is dropped. A PIN takes longer to type than a yes, and what
 * is left of one that was being typed is not echoed for that long either.
 */
#define DEAF_MS     300
#define DEAF_PIN_MS 1000

struct presence {
        struct ctap_presence port;

        enum presence_mode configured, mode;
        bool may_verify;
        uint64_t timeout_ms, passive_ms;
        char *device_name;
        presence_waiting_fn *waiting;
        presence_asked_fn *on_asked;
        presence_answered_fn *on_answered;
        void *userdata;

        int cancel_fd;
        struct presence_script script;
        struct presence_agent agent;
        struct presence_tty tty;
        bool tty_is_gone;
        uint64_t echo_at; /* when a PIN was being typed: by env_now_ms(); UINT64_MAX: never */

        struct presence_asked asked;

        /* The question, while `asking`. */
        bool asking, verify;
        bool again;    /* the last PIN was wrong */
        bool on_agent; /* it went to the agent */
        bool on_tty;   /* it stands on the terminal */
        bool typed;    /* the answer came from there */
        bool waited;   /* waiting(true) was called and waiting(false) was not */
        uint64_t begun;
        uint64_t yes_ms;     /* since then, and AUTO says yes */
        uint64_t deaf_until; /* on the terminal; 0: it listens */
        uint64_t withdrawn;  /* when a question was last taken from the terminal */
        bool withdrew_pin;   /* which asked for the PIN */
        bool ignored;        /* it gets no answer */
        /* A YES that was said in place of a person, and is not given yet; else PENDING. */
        struct presence_answer held;
        /* Once it is not PENDING it stays. With a YES to `verify` there is a PIN. */
        struct presence_answer answer;
};

static const char *const mode_names[_PRESENCE_MODES] = {
        [PRESENCE_DENY] = "deny", [PRESENCE_AUTO] = "auto",   [PRESENCE_SCRIPT] = "script",
        [PRESENCE_TTY] = "tty",   [PRESENCE_AGENT] = "agent",
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

static void hear(struct presence *p) {
        enum presence_inject said;

        while (presence_script_hear(&p->script, &said)) {
                if (said == PRESENCE_INJECT_DENY)
                        OPENSSL_cleanse(&p->held, sizeof(p->held));
                if (said == PRESENCE_INJECT_AUTO)
                        p->mode = PRESENCE_AUTO;
                else if (said == PRESENCE_INJECT_DENY)
                        p->mode = PRESENCE_DENY;
                else if (said == PRESENCE_INJECT_ASK)
                        p->mode = p->configured;
        }
}

/* It is not settled yet what the answer will be, or that there will be none. */
static bool is_open(const struct presence *p) {
        return !p->ignored && p->held.answer == CTAP_ANSWER_PENDING;
}

/* When AUTO says yes. */
static uint64_t auto_at(const struct presence *p) {
        return p->begun + (p->yes_ms > p->script.delay_ms ? p->yes_ms : p->script.delay_ms);
}

/* When a yes that is held back is given. */
static uint64_t held_at(const struct presence *p) {
        return p->begun + p->script.delay_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

/* When a question that nobody touches changes by itself. */
static uint64_t next_change(const struct presence *p) {
        uint64_t at = p->begun + p->timeout_ms;

        if (p->held.answer != CTAP_ANSWER_PENDING)
                return earlier(at, held_at(p));
        if (p->ignored)
                return at;
        if (p->mode == PRESENCE_AUTO)
                at = earlier(at, auto_at(p));
        if (p->deaf_until > 0 && p->deaf_until < at)
                at = p->deaf_until;
        if (p->on_agent && presence_agent_deadline(&p->agent) < at)
                at = presence_agent_deadline(&p->agent);
        return at;
}

/* The question listens: what is typed from now on is its answer, and no PIN unless it asks for one. */
static void listen_to_tty(struct presence *p) {
        p->deaf_until = 0;
        if (!p->verify)
                presence_tty_echo(&p->tty);
}

static int read_tty(struct presence *p, uint64_t now, struct presence_answer *ret) {
        int r;

        if (p->deaf_until > 0) {
                /* Once more when the time is over: nobody can say when what is there was typed. */
                r = presence_tty_drop(&p->tty);
                if (now >= p->deaf_until)
                        listen_to_tty(p);
                return r;
        }
        r = presence_tty_read(&p->tty, &ret->answer, &ret->pin);
        p->typed = r == 0 && ret->answer != CTAP_ANSWER_PENDING;
        return r;
}

/* A yes without the PIN that it needs is none. */
static void answer_yes(const struct presence *p, struct presence_answer *ret) {
        ret->answer = p->verify && p->script.pin.len == 0 ? CTAP_ANSWER_NO : CTAP_ANSWER_YES;
        if (p->verify)
                presence_script_give_pin(&p->script, &ret->pin);
}

/* A person who can only have been mistaken once. */
static bool gives_up(const struct presence *p) {
        return p->verify && p->again && p->script.uv == PRESENCE_UV_FAIL;
}

static int answer_by_mode(struct presence *p, uint64_t now, struct presence_answer *ret) {
        switch (p->mode) {
        case PRESENCE_DENY:
                ret->answer = CTAP_ANSWER_NO;
                return 0;
        case PRESENCE_AUTO:
                if (gives_up(p))
                        ret->answer = CTAP_ANSWER_NO;
                else if (now >= auto_at(p))
                        answer_yes(p, ret);
                return 0;
        case PRESENCE_TTY:
                /* A mode that changed under the question has not shown it. */
                return p->on_tty ? read_tty(p, now, ret) : 0;
        case PRESENCE_AGENT:
                if (p->on_agent)
                        presence_agent_read(&p->agent, &ret->answer, &ret->pin);
                return 0;
        case PRESENCE_SCRIPT:
                if (gives_up(p))
                        ret->answer = CTAP_ANSWER_NO;
                return 0;
        case _PRESENCE_MODES:
                return 0;
        }
        return 0;
}

static void take_held(struct presence *p) {
        p->answer = p->held;
        OPENSSL_cleanse(&p->held, sizeof(p->held));
}

/* What was said in place of a person. A no comes at once, whatever a yes waits for. */
static void answer_by_script(struct presence *p, uint64_t now) {
        if (is_open(p) && presence_script_answer(&p->script, p->verify, &p->held))
                p->ignored = p->held.answer == CTAP_ANSWER_PENDING;
        if (p->held.answer == CTAP_ANSWER_NO ||
            (p->held.answer == CTAP_ANSWER_YES && now >= held_at(p)))
                take_held(p);
}

/* There is an answer. */
static void settle(struct presence *p) {
        tell_waiting(p, false);
        if (p->on_answered)
                p->on_answered(p->userdata, p->answer.answer);
}

/* Sets p->answer if there is one by now. */
static int answer_now(struct presence *p) {
        uint64_t now = env_awake_ms();
        int r = 0;

        if (p->answer.answer != CTAP_ANSWER_PENDING)
                return 0;

        hear(p);
        answer_by_script(p, now);
        if (p->answer.answer == CTAP_ANSWER_PENDING && is_open(p))
                r = answer_by_mode(p, now, &p->answer);
        if (r < 0)
                return r;
        if (p->answer.answer == CTAP_ANSWER_PENDING && now >= p->begun + p->timeout_ms)
                p->answer.answer = CTAP_ANSWER_TIMEOUT;
        if (p->answer.answer != CTAP_ANSWER_PENDING)
                settle(p);
        return 0;
}

static void withdraw(struct presence *p) {
        presence_tty_withdraw(&p->tty);
        p->withdrawn = env_awake_ms();
        p->withdrew_pin = p->verify;
        if (p->tty.quiet)
                p->echo_at = env_now_ms() + DEAF_PIN_MS;
}

static enum agent_why why_it_goes(const struct presence *p) {
        return p->answer.answer == CTAP_ANSWER_TIMEOUT ? AGENT_GOES_TIMEOUT : AGENT_GOES_CANCELLED;
}

static void end(struct ctap_presence *port) {
        struct presence *p = presence_of(port);

        if (!p->asking)
                return;
        tell_waiting(p, false);
        if (p->answer.answer == CTAP_ANSWER_PENDING && p->on_answered)
                p->on_answered(p->userdata, CTAP_ANSWER_CANCELLED);
        /* An answer that came from the terminal has ended its line there. */
        if (p->on_tty && !p->typed)
                withdraw(p);
        if (p->on_agent)
                presence_agent_end(&p->agent, why_it_goes(p));
        p->asking = false;
        p->on_agent = false;
        p->on_tty = false;
        p->ignored = false;
        OPENSSL_cleanse(&p->held, sizeof(p->held));
        OPENSSL_cleanse(&p->answer, sizeof(p->answer));
}

/* Until when what is typed may still be meant for the question before; 0: there was none just now. */
static uint64_t deaf_until(const struct presence *p) {
        uint64_t deaf = p->verify || p->withdrew_pin ? DEAF_PIN_MS : DEAF_MS;

        return p->withdrawn > 0 && p->begun - p->withdrawn < deaf ? p->begun + deaf : 0;
}

static int begin_on_tty(struct presence *p, const struct ctap_prompt *prompt) {
        int r = presence_tty_ask(&p->tty, prompt, p->device_name);

        if (r < 0)
                return r;
        p->on_tty = true;
        p->echo_at = UINT64_MAX;
        p->deaf_until = deaf_until(p);
        if (p->deaf_until == 0)
                listen_to_tty(p);
        return 0;
}

static bool is_readable(int fd) {
        struct pollfd f = { .fd = fd, .events = POLLIN };

        return poll(&f, 1, 0) > 0;
}

/* For a client that has gone meanwhile nobody is asked. */
static void begin_at_agent(struct presence *p, const struct ctap_prompt *prompt) {
        if (is_readable(p->cancel_fd)) {
                p->answer.answer = CTAP_ANSWER_CANCELLED;
                return;
        }
        p->on_agent = true;
        presence_agent_ask(&p->agent, prompt, p->timeout_ms);
}

/* A passive question is left to other keys first, and who holds on takes as long as it says. */
static uint64_t yes_ms(const struct presence *p, const struct ctap_prompt *prompt) {
        uint64_t passive = prompt->passive ? p->passive_ms : 0, hold = prompt->hold_s * 1000u;

        return passive > hold ? passive : hold;
}

static uint16_t copy_name(uint8_t to[static 255], struct bytes name) {
        name = bytes_utf8_prefix(name, 255);
        if (name.len > 0)
                memcpy(to, name.data, name.len);
        return (uint16_t)name.len;
}

/* Of two questions of a command, such as the one for the PIN again, the last that names a site. */
static void remember(struct presence *p, const struct ctap_prompt *prompt) {
        struct presence_asked *a = &p->asked;

        a->put = true;
        a->passive = prompt->passive;
        a->forbidden = prompt->ask == CTAP_ASK_FORBIDDEN;
        if (prompt->rp_id.len == 0)
                return;
        a->rp_id_len = copy_name(a->rp_id, prompt->rp_id);
        a->account_len = copy_name(a->account, prompt->account);
}

const struct presence_asked *presence_asked(const struct presence *p) {
        return &p->asked;
}

void presence_forget_asked(struct presence *p) {
        p->asked = (struct presence_asked){ 0 };
}

static int begin(struct ctap_presence *port, const struct ctap_prompt *prompt) {
        struct presence *p = presence_of(port);
        int r = 0;

        end(port);
        hear(p);
        remember(p, prompt);
        p->begun = env_awake_ms();
        p->typed = false;
        p->yes_ms = yes_ms(p, prompt);
        p->verify = prompt->verify;
        p->again = prompt->again;
        p->answer.answer = CTAP_ANSWER_PENDING;
        if (p->mode == PRESENCE_TTY)
                r = begin_on_tty(p, prompt);
        if (p->mode == PRESENCE_AGENT)
                begin_at_agent(p, prompt);
        if (r < 0)
                return r;

        p->asking = true;
        if (p->on_asked)
                p->on_asked(p->userdata, prompt);
        if (p->mode != PRESENCE_DENY)
                tell_waiting(p, true);
        if (p->answer.answer != CTAP_ANSWER_PENDING)
                settle(p);
        return 0;
}

static int sleep_until_something_happens(struct presence *p) {
        bool on_tty = is_open(p) && p->on_tty && p->mode == PRESENCE_TTY;
        bool on_agent = is_open(p) && p->on_agent;
        struct pollfd fds[] = {
                { .fd = p->cancel_fd, .events = POLLIN },
                { .fd = p->script.listener, .events = POLLIN },
                { .fd = on_tty ? p->tty.fd : -1, .events = POLLIN },
                { .fd = on_agent ? p->agent.link : -1, .events = POLLIN },
        };
        uint64_t now = env_awake_ms(), at = next_change(p);

        if (poll(fds, ELEMENTSOF(fds), at > now ? (int)(at - now) : 0) < 0 && errno != EINTR)
                return -errno;
        return 0;
}

static int wait_for(struct presence *p) {
        int r;

        for (;;) {
                if (p->answer.answer == CTAP_ANSWER_PENDING && is_readable(p->cancel_fd)) {
                        p->answer.answer = CTAP_ANSWER_CANCELLED;
                        settle(p);
                }
                r = answer_now(p);
                if (r < 0)
                        return r;
                if (p->answer.answer != CTAP_ANSWER_PENDING)
                        return 0;
                r = sleep_until_something_happens(p);
                if (r < 0)
                        return r;
        }
}

static int wait_for_answer(struct ctap_presence *port, enum ctap_answer *ret) {
        struct presence *p = presence_of(port);
        int r = p->asking && !p->verify ? wait_for(p) : -EINVAL;

        if (r == 0)
                *ret = p->answer.answer;
        return r;
}

static int wait_verified(struct ctap_presence *port, enum ctap_answer *ret,
                         struct ctap_typed_pin *ret_pin) {
        struct presence *p = presence_of(port);
        int r = p->asking && p->verify ? wait_for(p) : -EINVAL;

        if (r < 0)
                return r;
        *ret = p->answer.answer;
        if (p->answer.answer == CTAP_ANSWER_YES)
                *ret_pin = p->answer.pin;
        return 0;
}

/* For U2F, whose messages CANCEL does not concern (CTAP 2.3 §11.2.9.1.5), and which has no PIN. */
static int poll_answer(struct ctap_presence *port, enum ctap_answer *ret) {
        struct presence *p = presence_of(port);
        int r = p->asking && !p->verify ? answer_now(p) : -EINVAL;

        if (r == 0)
                *ret = p->answer.answer;
        return r;
}

static void look_at_tty(struct presence *p) {
        p->tty_is_gone = p->tty_is_gone || (p->tty.fd >= 0 && presence_tty_is_gone(&p->tty));
}

static unsigned abilities_of_agent(struct presence *p, unsigned verify) {
        unsigned shows = CTAP_PRESENCE_DISPLAY;

        presence_agent_hear(&p->agent);
        if (p->agent.state & AGENT_LINK_HOLD)
                shows |= CTAP_PRESENCE_HOLD;
        if (!(p->agent.state & AGENT_LINK_ATTACHED))
                return 0;
        if (!(p->agent.state & AGENT_LINK_PIN) || verify == 0)
                return shows;
        return shows | verify | (p->agent.state & AGENT_LINK_FINGER ? CTAP_PRESENCE_FINGER : 0u);
}

/* A yes of the simulator's is held on for: auto takes the time, a script has taken it. */
static unsigned abilities(struct ctap_presence *port) {
        struct presence *p = presence_of(port);
        unsigned verify = p->may_verify ? CTAP_PRESENCE_VERIFY : 0;

        hear(p);
        switch (p->mode) {
        case PRESENCE_TTY:
                look_at_tty(p);
                return p->tty_is_gone ? 0 : CTAP_PRESENCE_DISPLAY | verify;
        case PRESENCE_AGENT:
                return abilities_of_agent(p, verify);
        case PRESENCE_AUTO:
        case PRESENCE_SCRIPT:
                return CTAP_PRESENCE_HOLD | (p->script.pin.len > 0 ? verify : 0);
        case PRESENCE_DENY:
        case _PRESENCE_MODES:
                break;
        }
        return 0;
}

void presence_forget_said(struct presence *p) {
        hear(p);
        presence_script_forget(&p->script);
}

bool presence_may_verify(const struct presence *p) {
        return p->may_verify;
}

void presence_set_uv(struct presence *p, enum presence_uv uv) {
        p->script.uv = uv;
}

const struct ctap_typed_pin *presence_known_pin(const struct presence *p) {
        return &p->script.pin;
}

struct ctap_typed_pin presence_wrong_pin(const struct presence *p) {
        return presence_script_wrong_pin(&p->script);
}

void presence_watch(const struct presence *p, struct pollfd ret[static PRESENCE_WATCHED]) {
        /* Of the terminal only that it hangs up, and that once. */
        ret[0] = (struct pollfd){ .fd = p->script.listener, .events = POLLIN };
        ret[1] = (struct pollfd){ .fd = p->tty_is_gone ? -1 : p->tty.fd };
        ret[2] = (struct pollfd){ .fd = p->agent.link, .events = POLLIN };
}

uint64_t presence_deadline(const struct presence *p) {
        return p->echo_at;
}

void presence_attend(struct presence *p) {
        hear(p);
        presence_agent_hear(&p->agent);
        look_at_tty(p);
        if (env_now_ms() < p->echo_at)
                return;
        p->echo_at = UINT64_MAX;
        presence_tty_echo(&p->tty);
}

static int set_up(struct presence *p, const struct presence_options *options) {
        int r;

        p->device_name = strdup(options->device_name);
        if (!p->device_name)
                return -ENOMEM;
        p->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (p->cancel_fd < 0)
                return -errno;
        r = presence_script_init(&p->script, options->pin);
        if (r == 0 && p->mode == PRESENCE_TTY)
                r = presence_tty_init(&p->tty, options->tty_fd);
        if (r == 0 && p->mode == PRESENCE_AGENT)
                r = presence_agent_init(&p->agent, options->agent_link, options->shown_ms);
        return r;
}

int presence_new(const struct presence_options *options, struct presence **ret) {
        static const struct ctap_presence_ops ops = {
                .begin = begin,
                .wait = wait_for_answer,
                .wait_verified = wait_verified,
                .poll = poll_answer,
                .end = end,
                .abilities = abilities,
        };
        struct presence *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return -ENOMEM;

        p->port.ops = &ops;
        p->configured = p->mode = options->mode;
        p->may_verify = options->verify;
        p->timeout_ms = options->timeout_ms;
        p->passive_ms = options->passive_ms > 0 ? options->passive_ms : PRESENCE_PASSIVE_MS;
        p->waiting = options->waiting;
        p->on_asked = options->asked;
        p->on_answered = options->answered;
        p->userdata = options->userdata;
        p->cancel_fd = p->script.listener = p->script.speaker = p->tty.fd = -1;
        p->echo_at = UINT64_MAX;
        p->agent.link = -1;
        r = set_up(p, options);
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
        presence_agent_done(&p->agent);
        presence_tty_done(&p->tty);
        presence_script_done(&p->script);
        close_fd(p->cancel_fd);
        free(p->device_name);
        free(p);
        return NULL;
}

struct ctap_presence *presence_port(struct presence *p) {
        return &p->port;
}

int presence_inject(struct presence *p, enum presence_inject what, struct bytes with) {
        return presence_script_say(&p->script, what, with);
}

int presence_cancel_fd(const struct presence *p) {
        return p->cancel_fd;
}

void presence_abandon(const struct presence *p) {
        presence_tty_abandon(&p->tty);
}
