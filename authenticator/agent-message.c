/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An agent is a process of the user's, and what it sends is anything. What comes out of here has the
 * right types and sizes; whether it is its turn to say it is looked at where the questions are.
 * jansson wipes what it frees (control_wipe_json()): packets hold PINs.
 */

#include "authenticator/agent-message.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/agent-protocol.h"
#include "authenticator/control.h"
#include "authenticator/util.h"

static_assert(AGENT_PIN_MAX == CTAP_PIN_BYTES_MAX, "agents know how long a PIN is");

#define REPLACEMENT "\xef\xbf\xbd"

/* ---- what an agent said ---- */

static int read_hello(const json_t *o, struct agent_said *ret) {
        const json_t *v = json_object_get(o, "v"), *pin = json_object_get(o, "pin");
        const json_t *hold = json_object_get(o, "hold");
        const char *ui = json_string_value(json_object_get(o, "ui"));

        if (!json_is_integer(v) || json_integer_value(v) != AGENT_PROTOCOL_VERSION || !ui ||
            !json_is_boolean(pin) || (hold && !json_is_boolean(hold)))
                return -EBADMSG;
        /* It goes into the log. */
        if (ui[strspn(ui, "abcdefghijklmnopqrstuvwxyz0123456789")])
                return -EBADMSG;
        ret->what = AGENT_SAID_HELLO;
        snprintf(ret->ui, sizeof(ret->ui), "%.*s", (int)sizeof(ret->ui) - 1, ui);
        ret->takes_pin = json_is_true(pin);
        ret->holds = json_is_true(hold);
        return 0;
}

static int read_id(const json_t *o, uint32_t *ret) {
        json_int_t id = json_integer_value(json_object_get(o, "id"));

        if (id < 1 || id > UINT32_MAX)
                return -EBADMSG;
        *ret = (uint32_t)id;
        return 0;
}

static int read_pin(const json_t *pin, struct ctap_typed_pin *ret) {
        const char *text = json_string_value(pin);
        size_t n = json_string_length(pin), characters = 0;

        if (!text || n > sizeof(ret->data))
                return -EBADMSG;
        for (size_t i = 0; i < n; i++)
                characters += (text[i] & 0xc0) != 0x80;
        if (characters < AGENT_PIN_MIN)
                return -EBADMSG;
        memcpy(ret->data, text, n);
        ret->len = (uint8_t)n;
        return 0;
}

static int read_answer(const json_t *o, struct agent_said *ret) {
        const char *answer = json_string_value(json_object_get(o, "answer"));
        const json_t *pin = json_object_get(o, "pin");

        ret->what = AGENT_SAID_ANSWER;
        if (!answer || (strcmp(answer, "yes") != 0 && strcmp(answer, "no") != 0))
                return -EBADMSG;
        ret->yes = strcmp(answer, "yes") == 0;
        return ret->yes && pin ? read_pin(pin, &ret->pin) : 0;
}

static int read_object(const json_t *o, struct agent_said *ret) {
        const char *type = json_string_value(json_object_get(o, "type"));
        int r;

        if (!type)
                return -EBADMSG;
        if (strcmp(type, AGENT_HELLO) == 0)
                return read_hello(o, ret);
        if (strcmp(type, AGENT_SHOWN) != 0 && strcmp(type, AGENT_ANSWER) != 0)
                return 0;

        r = read_id(o, &ret->id);
        if (r == 0 && strcmp(type, AGENT_ANSWER) == 0)
                return read_answer(o, ret);
        ret->what = AGENT_SAID_SHOWN;
        return r;
}

int agent_message_read(struct bytes packet, struct agent_said *ret) {
        _cleanup_(json_drop) json_t *o = NULL;
        _cleanup_(agent_said_wipe) struct agent_said said = { 0 };
        int r = -EBADMSG;

        if (packet.len <= AGENT_PACKET_MAX)
                o = json_loadb((const char *)packet.data, packet.len, JSON_REJECT_DUPLICATES, NULL);
        if (o)
                r = read_object(o, &said);
        if (r == 0)
                *ret = said;
        return r;
}

/* ---- what it is told ---- */

/* Takes the object. */
static char *text_of(json_t *o) {
        char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

        json_decref(o);
        return text;
}

/* jansson on the other side takes no NUL, unless it is asked to. */
static json_t *without_nul(struct bytes text) {
        uint8_t storage[AGENT_RP_ID_MAX * (sizeof(REPLACEMENT) - 1)];
        struct buf b = BUF_ON(storage);

        for (size_t i = 0; i < text.len; i++)
                if (text.data[i] == '\0')
                        buf_put(&b, BYTES_TEXT(REPLACEMENT));
                else
                        buf_put_u8(&b, text.data[i]);
        return buf_error(&b) == 0 ? json_stringn((const char *)b.data, b.len) : NULL;
}

char *agent_message_welcome(const char *device, const char *phys, const char *machine) {
        return text_of(json_pack("{s:s,s:i,s:s,s:s,s:s}", "type", AGENT_WELCOME, "v",
                                 AGENT_PROTOCOL_VERSION, "device", device, "phys", phys, "machine",
                                 machine));
}

char *agent_message_ask(uint32_t id, const char *phys, const struct ctap_prompt *prompt,
                        uint64_t timeout_ms, bool finger) {
        static const char *const verbs[_CTAP_ASKS] = {
                [CTAP_ASK_CREATE] = AGENT_VERB_CREATE,       [CTAP_ASK_USE] = AGENT_VERB_USE,
                [CTAP_ASK_SELECT] = AGENT_VERB_SELECT,       [CTAP_ASK_RESET] = AGENT_VERB_RESET,
                [CTAP_ASK_VERIFY] = AGENT_VERB_VERIFY,       [CTAP_ASK_MANAGE] = AGENT_VERB_MANAGE,
                [CTAP_ASK_FORBIDDEN] = AGENT_VERB_FORBIDDEN,
        };

        return text_of(json_pack("{s:s,s:I,s:s,s:s,s:o,s:o,s:I,s:b,s:b,s:b,s:i,s:i,s:b,s:I}",
                                 "type", AGENT_ASK, "id", (json_int_t)id, "phys", phys, "verb",
                                 verbs[prompt->ask], "rp_id", without_nul(prompt->rp_id), "account",
                                 without_nul(prompt->account), "accounts",
                                 (json_int_t)prompt->n_accounts, "passive", prompt->passive,
                                 "verify", prompt->verify, "again", prompt->again, "tries",
                                 (int)prompt->tries, "hold", (int)prompt->hold_s, "finger", finger,
                                 "timeout", (json_int_t)timeout_ms));
}

char *agent_message_withdraw(uint32_t id, enum agent_why why) {
        static const char *const words[_AGENT_WHYS] = {
                [AGENT_GOES_BY_FINGER] = AGENT_WHY_FINGER,
                [AGENT_GOES_CANCELLED] = AGENT_WHY_CANCELLED,
                [AGENT_GOES_TIMEOUT] = AGENT_WHY_TIMEOUT,
                [AGENT_GOES_LOCKED] = AGENT_WHY_LOCKED,
        };

        return text_of(json_pack("{s:s,s:I,s:s}", "type", AGENT_WITHDRAW, "id", (json_int_t)id,
                                 "why", words[why]));
}

char *agent_message_finger(uint32_t id, enum agent_finger state) {
        static const char *const words[_AGENT_FINGERS] = {
                [AGENT_FINGER_IS_WAITED_FOR] = AGENT_FINGER_WAITING,
                [AGENT_FINGER_DID_NOT_MATCH] = AGENT_FINGER_NO_MATCH,
                [AGENT_FINGER_IS_UNCLEAR] = AGENT_FINGER_RETRY,
                [AGENT_FINGER_MATCHED] = AGENT_FINGER_MATCH,
                [AGENT_FINGER_HAS_GONE] = AGENT_FINGER_GONE,
        };

        return text_of(json_pack("{s:s,s:I,s:s}", "type", AGENT_FINGER, "id", (json_int_t)id,
                                 "state", words[state]));
}
