/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Names are shown as they are everywhere on the control socket (manage-reply.h). What an answer holds
 * beside its status is nobody's business here.
 */

#include "authenticator/event.h"

#include "authenticator/agent-protocol.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"
#include "ctap/cbor.h"
#include "ctap/ctap.h"
#include "ctap/status.h"

#define NAME_MAX_BYTES 255

/* Nothing for what is not known. */
static void set_text(json_t *event, const char *name, struct bytes text) {
        if (text.len > 0)
                json_object_set_new(event, name,
                                    manage_text(bytes_utf8_prefix(text, NAME_MAX_BYTES)));
}

json_t *event_question(const struct ctap_prompt *prompt) {
        static const char *const verbs[_CTAP_ASKS] = {
                [CTAP_ASK_CREATE] = AGENT_VERB_CREATE,       [CTAP_ASK_USE] = AGENT_VERB_USE,
                [CTAP_ASK_SELECT] = AGENT_VERB_SELECT,       [CTAP_ASK_RESET] = AGENT_VERB_RESET,
                [CTAP_ASK_VERIFY] = AGENT_VERB_VERIFY,       [CTAP_ASK_MANAGE] = AGENT_VERB_MANAGE,
                [CTAP_ASK_FORBIDDEN] = AGENT_VERB_FORBIDDEN,
        };
        json_t *event =
                json_pack("{s:s,s:s,s:b,s:b}", "type", PROTOCOL_EVENT_QUESTION, "verb",
                          verbs[prompt->ask], "passive", prompt->passive, "verify", prompt->verify);

        set_text(event, "rp_id", prompt->rp_id);
        set_text(event, "account", prompt->account);
        if (prompt->verify) {
                json_object_set_new(event, "tries", json_integer(prompt->tries));
                json_object_set_new(event, "again", json_boolean(prompt->again));
        }
        return event;
}

json_t *event_verdict(enum ctap_answer answer) {
        const char *word = "cancelled";

        if (answer == CTAP_ANSWER_YES || answer == CTAP_ANSWER_FINGER)
                word = "yes";
        if (answer == CTAP_ANSWER_NO)
                word = "no";
        if (answer == CTAP_ANSWER_TIMEOUT)
                word = "timeout";
        return json_pack("{s:s,s:s}", "type", PROTOCOL_EVENT_VERDICT, "verdict", word);
}

static json_t *done(const char *command, unsigned status, const char *name) {
        return json_pack("{s:s,s:s,s:i,s:s}", "type", PROTOCOL_EVENT_DONE, "command", command,
                         "status", (int)status, "status_name", name);
}

/* CTAP 2.3 §6.1, §6.2, §6.5.5: where the commands that name a site have it. */
static struct bytes rp_id_of(uint8_t command, struct bytes params) {
        struct named {
                struct cbor_value rp_id, rp;
        } named = { 0 };
        static const struct cbor_field make[] = { { NULL, 0x02, CBOR_KIND_MAP, true,
                                                    offsetof(struct named, rp) } };
        static const struct cbor_field use[] = { { NULL, 0x01, CBOR_KIND_TEXT, true,
                                                   offsetof(struct named, rp_id) } };
        static const struct cbor_field pin[] = { { NULL, 0x0a, CBOR_KIND_TEXT, true,
                                                   offsetof(struct named, rp_id) } };
        struct cbor_value map;

        if (params.len == 0 || cbor_check(params) != CTAP_OK)
                return BYTES_NULL;
        map = cbor_next(&params);
        if (command == 0x01 && cbor_read_map(&map, make, 1, &named) == CTAP_OK)
                named.rp_id = cbor_find_text(&named.rp, "id");
        if (command == 0x02 && cbor_read_map(&map, use, 1, &named) != CTAP_OK)
                return BYTES_NULL;
        if (command == 0x06 && cbor_read_map(&map, pin, 1, &named) != CTAP_OK)
                return BYTES_NULL;
        return named.rp_id.kind == CBOR_KIND_TEXT ? named.rp_id.string : BYTES_NULL;
}

json_t *event_ctap_done(struct bytes request, struct bytes answer) {
        uint8_t command = request.len > 0 ? request.data[0] : 0;
        uint8_t status = answer.len > 0 ? answer.data[0] : (uint8_t)CTAP1_ERR_OTHER;
        const char *name = ctap_command_name(command);
        json_t *event = done(name ? name : "unknown", status, ctap_status_name(status));

        if (request.len > 1)
                set_text(event, "rp_id",
                         rp_id_of(command, BYTES(request.data + 1, request.len - 1)));
        return event;
}

/* U2F Raw Message Formats §3.3: the status words that there are. */
static const char *u2f_status_name(unsigned status) {
        switch (status) {
        case 0x9000:
                return "SW_NO_ERROR";
        case 0x6985:
                return "SW_CONDITIONS_NOT_SATISFIED";
        case 0x6a80:
                return "SW_WRONG_DATA";
        case 0x6700:
                return "SW_WRONG_LENGTH";
        case 0x6e00:
                return "SW_CLA_NOT_SUPPORTED";
        case 0x6d00:
                return "SW_INS_NOT_SUPPORTED";
        default:
                return "unknown";
        }
}

static const char *u2f_command_name(struct bytes request) {
        switch (request.len > 1 ? request.data[1] : 0) {
        case 0x01:
                return "u2fRegister";
        case 0x02:
                return "u2fAuthenticate";
        case 0x03:
                return "u2fVersion";
        default:
                return "unknown";
        }
}

json_t *event_u2f_done(struct bytes request, struct bytes answer) {
        unsigned status = 0;

        if (answer.len >= 2)
                status = (unsigned)answer.data[answer.len - 2] << 8 | answer.data[answer.len - 1];
        return done(u2f_command_name(request), status, u2f_status_name(status));
}
