/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/agent-message.c on any packet that an agent may send, and agent-link.c on the same
 * bytes. What is taken has the sizes that the code behind relies on; what is refused leaves nothing
 * behind; and the bytes as names of a site and of an account make a question that an agent can read,
 * in one packet.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "authenticator/agent-link.h"
#include "authenticator/agent-message.h"
#include "authenticator/agent-protocol.h"
#include "tests/fuzz/fuzz.h"

static size_t characters_in(const struct ctap_typed_pin *pin) {
        size_t n = 0;

        for (size_t i = 0; i < pin->len; i++)
                n += (pin->data[i] & 0xc0) != 0x80;
        return n;
}

static void check_said(const struct agent_said *said) {
        bool is_about_a_question =
                said->what == AGENT_SAID_SHOWN || said->what == AGENT_SAID_ANSWER;

        require(said->what <= AGENT_SAID_ANSWER);
        require((said->id > 0) == is_about_a_question);
        require(memchr(said->ui, '\0', sizeof(said->ui)));
        for (const char *c = said->ui; *c; c++)
                require((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'));
        require(said->what == AGENT_SAID_HELLO || !said->takes_pin);
        require(said->what == AGENT_SAID_ANSWER || !said->yes);
        require(said->yes || said->pin.len == 0);
        require(said->pin.len <= AGENT_PIN_MAX);
        require(said->pin.len == 0 || characters_in(&said->pin) >= AGENT_PIN_MIN);
        require(bytes_is_utf8(BYTES(said->pin.data, said->pin.len)));
        require(!memchr(said->pin.data, '\0', said->pin.len));
}

static void check_packet(struct bytes packet) {
        static const struct agent_said nothing;
        struct agent_said said = { 0 };

        if (agent_message_read(packet, &said) == 0)
                check_said(&said);
        else
                require(memcmp(&said, &nothing, sizeof(said)) == 0);
}

/* Through a link, which cuts what is too long. */
static void check_question(struct bytes text) {
        struct agent_link_packet p = { .word = AGENT_LINK_ASK,
                                       .id = 1,
                                       .prompt = { .rp_id = text, .account = text } };
        uint8_t storage[AGENT_LINK_PACKET_MAX];
        int loop, worker;
        char *packet;
        json_t *o;

        if (!bytes_is_utf8(text))
                return;
        require(agent_link_new(&loop, &worker) == 0);
        require(agent_link_send(worker, &p) == 0);
        require(agent_link_receive(loop, storage, &p) == 0);
        close(loop);
        close(worker);

        packet = agent_message_ask(7, "tpmauthn/7", &p.prompt, 1000, true);
        require(packet && strlen(packet) <= AGENT_PACKET_MAX);
        o = json_loads(packet, JSON_REJECT_DUPLICATES, NULL);
        require(o && json_integer_value(json_object_get(o, "id")) == 7);
        require(json_is_string(json_object_get(o, "rp_id")));
        require(json_is_string(json_object_get(o, "account")));
        json_decref(o);
        free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        check_packet(BYTES(data, size));
        check_question(BYTES(data, size));
        return 0;
}
