/* SPDX-License-Identifier: BSD-2-Clause */

/* A member that is missing counts as zero, false or empty; one of another type is an error. */

#include "agent/question.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/agent-protocol.h"

static const char *const verbs[_VERBS] = {
        [VERB_CREATE] = AGENT_VERB_CREATE,       [VERB_USE] = AGENT_VERB_USE,
        [VERB_SELECT] = AGENT_VERB_SELECT,       [VERB_RESET] = AGENT_VERB_RESET,
        [VERB_VERIFY] = AGENT_VERB_VERIFY,       [VERB_MANAGE] = AGENT_VERB_MANAGE,
        [VERB_FORBIDDEN] = AGENT_VERB_FORBIDDEN,
};

static const char *const fingers[_FINGERS] = {
        [FINGER_WAITING] = AGENT_FINGER_WAITING, [FINGER_NO_MATCH] = AGENT_FINGER_NO_MATCH,
        [FINGER_RETRY] = AGENT_FINGER_RETRY,     [FINGER_MATCH] = AGENT_FINGER_MATCH,
        [FINGER_GONE] = AGENT_FINGER_GONE,
};

static const char *const withdrawals[_WITHDRAWALS] = {
        [WITHDRAWN_FINGER] = AGENT_WHY_FINGER,
        [WITHDRAWN_CANCELLED] = AGENT_WHY_CANCELLED,
        [WITHDRAWN_TIMEOUT] = AGENT_WHY_TIMEOUT,
        [WITHDRAWN_LOCKED] = AGENT_WHY_LOCKED,
};

/* The index of a word, or `otherwise`. */
static unsigned find(const char *const *words, unsigned n, const char *word, unsigned otherwise) {
        for (unsigned i = 0; word && i < n; i++)
                if (words[i] && strcmp(words[i], word) == 0)
                        return i;
        return otherwise;
}

enum finger finger_parse(const char *state) {
        return (enum finger)find(fingers, _FINGERS, state, FINGER_NONE);
}

enum withdrawal withdrawal_parse(const char *why) {
        return (enum withdrawal)find(withdrawals, _WITHDRAWALS, why, WITHDRAWN_CANCELLED);
}

static int get_flag(const json_t *o, const char *name, bool *ret) {
        const json_t *v = json_object_get(o, name);

        if (v && !json_is_boolean(v))
                return -EBADMSG;
        *ret = json_is_true(v);
        return 0;
}

static int get_number(const json_t *o, const char *name, unsigned *ret) {
        const json_t *v = json_object_get(o, name);
        json_int_t n = json_integer_value(v);

        if ((v && !json_is_integer(v)) || n < 0 || n > INT_MAX)
                return -EBADMSG;
        *ret = (unsigned)n;
        return 0;
}

static int get_text(const json_t *o, const char *name, char **ret) {
        const json_t *v = json_object_get(o, name);

        if (v && !json_is_string(v))
                return -EBADMSG;
        *ret = strdup(v ? json_string_value(v) : "");
        return *ret ? 0 : -ENOMEM;
}

static int parse(const json_t *ask, struct question *q) {
        const json_t *id = json_object_get(ask, "id");
        unsigned verb;
        bool finger;
        int r;

        verb = find(verbs, _VERBS, json_string_value(json_object_get(ask, "verb")), _VERBS);
        if (!json_is_integer(id) || verb == _VERBS)
                return -EBADMSG;
        q->id = json_integer_value(id);
        q->verb = (enum verb)verb;
        if ((r = get_text(ask, "rp_id", &q->rp_id)) < 0 ||
            (r = get_text(ask, "account", &q->account)) < 0 ||
            (r = get_number(ask, "accounts", &q->accounts)) < 0 ||
            (r = get_flag(ask, "passive", &q->passive)) < 0 ||
            (r = get_flag(ask, "verify", &q->verify)) < 0 ||
            (r = get_flag(ask, "again", &q->again)) < 0 ||
            (r = get_number(ask, "tries", &q->tries)) < 0 ||
            (r = get_number(ask, "hold", &q->hold_s)) < 0 ||
            (r = get_number(ask, "timeout", &q->timeout_ms)) < 0 ||
            (r = get_flag(ask, "finger", &finger)) < 0)
                return r;
        q->finger = finger ? FINGER_WAITING : FINGER_NONE;
        return 0;
}

int question_parse(const json_t *ask, struct question *ret) {
        struct question q = { 0 };
        int r = parse(ask, &q);

        if (r < 0)
                question_done(&q);
        else
                *ret = q;
        return r;
}

void question_done(struct question *q) {
        free(q->rp_id);
        free(q->account);
        *q = (struct question){ 0 };
}
