/* SPDX-License-Identifier: BSD-2-Clause */

/* trace/transcript.c: messages in, text out, word for word; and text that means to harm its reader. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/hid.h"
#include "tests/fake/client.h"
#include "tests/fake/diag.h"
#include "tests/unit/hex.h"
#include "trace/redact.h"
#include "trace/transcript.h"

#define START   UINT64_C(1700000000000000000)
#define CHANNEL 0x1a2b3c4du
#define S16     "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"

struct paper {
        FILE *file;
        char *text;
        size_t size;
        struct transcript *t;
};

static int setup(void **state) {
        struct paper *p = calloc(1, sizeof(*p));

        assert_non_null(p);
        p->file = open_memstream(&p->text, &p->size);
        assert_non_null(p->file);
        p->t = transcript_new(p->file, START);
        assert_non_null(p->t);
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct paper *p = *state;

        transcript_free(p->t);
        fclose(p->file);
        free(p->text);
        free(p);
        return 0;
}

static void put(struct paper *p, enum trace_direction direction, uint8_t command,
                struct bytes payload) {
        const struct trace_frame f = { START + 1002003456, direction, CHANNEL, command, payload };

        transcript_put(p->t, &f);
}

static void put_hex(struct paper *p, enum trace_direction direction, uint8_t command,
                    const char *hex) {
        _cleanup_(release) struct bytes b = unhex(hex);

        put(p, direction, command, b);
}

static void put_cbor(struct paper *p, enum trace_direction direction, uint8_t first,
                     const char *notation) {
        uint8_t storage[4096];
        struct buf out = BUF_ON(storage);

        buf_put_u8(&out, first);
        diag_encode(notation, &out);
        put(p, direction, HID_CBOR, buf_bytes(&out));
}

static void assert_written(struct paper *p, const char *want) {
        fflush(p->file);
        assert_string_equal(p->text, want);
}

static void assert_has(struct paper *p, const char *what) {
        fflush(p->file);
        if (!strstr(p->text, what))
                fail_msg("'%s' is not in:\n%s", what, p->text);
}

#define IN(what)  "\n[   1.002003] client --> key  channel 1a2b3c4d  CTAPHID_" what
#define OUT(what) "\n[   1.002003] client <-- key  channel 1a2b3c4d  CTAPHID_" what

static void its_head_says_what_it_is(void **state) {
        struct paper *p = *state;

        transcript_head(p->t, "device 0", false);
        transcript_head(p->t, "device 1", true);
        assert_written(p,
                       "# tpmauthn: what clients and device 0 said to each other, from 2023-11-14 "
                       "22:13:20 UTC on.\n"
                       "# Secrets were taken out of it.\n"
                       "# tpmauthn: what clients and device 1 said to each other, from 2023-11-14 "
                       "22:13:20 UTC on.\n"
                       "# Secrets are in it: it is for nobody else.\n");
}

static void members_have_the_names_of_the_specification(void **state) {
        struct paper *p = *state;

        put_cbor(p, TRACE_IN, 0x01,
                 "{1: h'" S16 S16 "', 2: {'id': 'a.example', 'name': 'A'}, 3: {'id': h'0102', "
                 "'name': 'alice', 'displayName': 'Alice of the long and beautiful name'}, "
                 "4: [{'alg': -7, 'type': 'public-key'}, {'alg': -257, 'type': 'public-key'}], "
                 "6: {'credProtect': 3, 'hmac-secret': true}, 7: {'rk': true}}");
        assert_written(
                p,
                IN("CBOR  authenticatorMakeCredential\n") "    {\n"
                                                          "        0x01 / clientDataHash /: h'5e5e5e5e5e5e5e5e...' / 32 bytes /,\n"
                                                          "        0x02 / rp /: {\"id\": \"a.example\", \"name\": \"A\"},\n"
                                                          "        0x03 / user /: {\n"
                                                          "            \"id\": h'0102',\n"
                                                          "            \"name\": \"alice\",\n"
                                                          "            \"displayName\": \"Alice of the long and beautiful name\"\n"
                                                          "        },\n"
                                                          "        0x04 / pubKeyCredParams /: [\n"
                                                          "            {\"alg\": -7 / ES256 /, \"type\": \"public-key\"},\n"
                                                          "            {\"alg\": -257 / RS256 /, \"type\": \"public-key\"}\n"
                                                          "        ],\n"
                                                          "        0x06 / extensions /: {\"credProtect\": 3 / userVerificationRequired /, "
                                                          "\"hmac-secret\": true},\n"
                                                          "        0x07 / options /: {\"rk\": true}\n"
                                                          "    }\n");
}

static void a_reply_is_told_by_what_was_asked(void **state) {
        struct paper *p = *state;

        put_cbor(p, TRACE_IN, 0x06, "{1: 2, 2: 2}");
        put_cbor(p, TRACE_OUT, 0x00, "{1: {1: 2, 3: -25, -1: 1, -2: h'01', -3: h'02'}}");
        put_cbor(p, TRACE_IN, 0x06, "{2: 1}");
        put_hex(p, TRACE_OUT, HID_CBOR, "35");
        assert_written(
                p,
                IN("CBOR  authenticatorClientPIN getKeyAgreement\n") "    {\n"
                                                                     "        0x01 / pinUvAuthProtocol /: 2,\n"
                                                                     "        0x02 / subCommand /: 2 / getKeyAgreement /\n"
                                                                     "    }\n" OUT(
                                                                             "CBOR  CTAP2_OK (0x00) to authenticatorClientPIN getKeyAgreement\n") "    {\n"
                                                                                                                                                  "        0x01 / keyAgreement /: {0x01 / kty /: 2 / EC2 /, 0x03 / alg /: -25 / "
                                                                                                                                                  "ECDH-ES+HKDF-256 /, -1 / crv /: 1, -2 / x /: h'01', -3 / y /: h'02'}\n"
                                                                                                                                                  "    }\n" IN(
                                                                                                                                                          "CBOR  authenticatorClientPIN getPINRetries\n") "    {\n"
                                                                                                                                                                                                          "        0x02 / subCommand /: 1 / getPINRetries /\n"
                                                                                                                                                                                                          "    }\n" OUT(
                                                                                                                                                                                                                  "CBOR  CTAP2_ERR_PIN_NOT_SET (0x35) to authenticatorClientPIN "
                                                                                                                                                                                                                  "getPINRetries\n"));
}

/* A trace may begin in the middle of a command. */
static void a_reply_to_what_was_not_seen_is_written_all_the_same(void **state) {
        struct paper *p = *state;

        put_cbor(p, TRACE_OUT, 0x00, "{3: 8}");
        assert_written(p,
                       OUT("CBOR  CTAP2_OK (0x00)\n") "    not known to CTAP: h'a10308' / 3 bytes "
                                                      "/\n");
}

static void bits_have_their_names(void **state) {
        struct paper *p = *state;

        put_cbor(p, TRACE_IN, 0x06, "{2: 9, 9: 37}");
        put_cbor(p, TRACE_IN, 0x06, "{2: 9, 9: 0}");
        assert_has(p, "0x09 / permissions /: 37 / mc cm acfg /\n");
        assert_has(p, "0x09 / permissions /: 0 / /\n");
}

static void redacted_secrets_are_said_to_be_so(void **state) {
        struct paper *p = *state;
        uint8_t storage[256];
        struct buf b = BUF_ON(storage);

        buf_put_u8(&b, 0x06);
        diag_encode("{2: 5, 4: h'" S16 "', 99: [h'5e5e', 'text', h'']}", &b);
        put(p, TRACE_IN, HID_CBOR, buf_bytes(&b));
        assert_has(p, "0x04 / pinUvAuthParam /: h'" S16 "',\n");
        assert_has(p, "0x63: [h'5e5e', \"text\", h'']\n");
        trace_redact_request(HID_CBOR, &b);
        put(p, TRACE_IN, HID_CBOR, buf_bytes(&b));
        assert_has(p, "0x04 / pinUvAuthParam /: h'...' / 16 bytes, redacted /,\n");
        assert_has(p, "0x63: [h'...' / 2 bytes, redacted /, \"...\" / 4 bytes, redacted /, h'']\n");
}

static void authenticator_data_is_taken_apart(void **state) {
        struct paper *p = *state;
        struct client *c;
        struct made made;
        void *world = NULL;
        uint8_t storage[CTAP_REPLY_MAX];
        struct buf b = BUF_ON(storage);

        assert_int_equal(client_setup(&world), 0);
        c = world;
        put(p, TRACE_IN, HID_CBOR, BYTES("\x01", 1));
        client_make_credential(c);
        client_set(c, 6, "{'credProtect': 2}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        buf_put_u8(&b, CTAP_OK);
        buf_put(&b, c->body);
        put(p, TRACE_OUT, HID_CBOR, buf_bytes(&b));
        client_teardown(&world);

        assert_has(p, "        0x01 / fmt /: \"packed\",\n"
                      "        0x02 / authData /: h'a379a6f6eeafb9a5...' / ");
        assert_has(p, " bytes /,\n"
                      "        # rpIdHash: h'a379a6f6eeafb9a5...' / 32 bytes /\n"
                      "        # flags: 0xc1 UP AT ED\n"
                      "        # signCount: 0\n"
                      "        # aaguid: h'");
        assert_has(p, "        # credentialPublicKey: {\n"
                      "        #     0x01 / kty /: 2 / EC2 /,\n"
                      "        #     0x03 / alg /: -7 / ES256 /,\n");
        assert_has(p, "        # extensions: {\"credProtect\": 2 / "
                      "userVerificationOptionalWithCredentialIDList /}\n"
                      "        0x03 / attStmt /: {");
}

static void what_is_no_cbor_is_written_in_full_or_said_to_be_redacted(void **state) {
        struct paper *p = *state;

        put_hex(p, TRACE_IN, HID_CBOR, "06 a2 01");
        put_hex(p, TRACE_IN, HID_CBOR, "06 00 00");
        put_hex(p, TRACE_IN, HID_CBOR, "50 a1 01 02");
        put_hex(p, TRACE_IN, HID_CBOR, "");
        put_hex(p, TRACE_OUT, HID_CBOR, "");
        assert_written(
                p,
                IN("CBOR  authenticatorClientPIN\n") "    not CBOR of CTAP: h'a201' / 2 "
                                                     "bytes /\n" IN(
                                                             "CBOR  authenticatorClientPIN\n") "    not CBOR of CTAP: h'...' / 2 "
                                                                                               "bytes, redacted /\n" IN("CBOR  command 0x50\n") "    not known to CTAP: h'a10102' / 3 bytes /\n" IN(
                                                                                                       "CBOR  without a command\n")
                                                                                                       OUT("CBOR  without a status\n"));
}

static void text_cannot_act_on_a_terminal(void **state) {
        struct paper *p = *state;
        static const char text[] = "a\x1b[31m\xe2\x80\xae\xc2\x9b\"\\\xc3\xa4\x7f";
        uint8_t storage[64];
        struct buf b = BUF_ON(storage);
        struct cbor_writer w = { &b };

        buf_put_u8(&b, 0x02);
        cbor_put_map(&w, 1);
        cbor_put_int(&w, 1);
        cbor_put_string(&w, text);
        put(p, TRACE_IN, HID_CBOR, buf_bytes(&b));
        assert_has(p, "\"a\\u{1b}[31m\\u{202e}\\u{9b}\\\"\\\\\xc3\xa4\\u{7f}\"");
        assert_null(strchr(p->text, '\x1b'));
}

static void keepalives_that_say_the_same_are_counted(void **state) {
        struct paper *p = *state;

        for (int i = 0; i < 3; i++)
                put_hex(p, TRACE_OUT, HID_KEEPALIVE, "01");
        for (int i = 0; i < 2; i++)
                put_hex(p, TRACE_OUT, HID_KEEPALIVE, "02");
        put_hex(p, TRACE_IN, HID_CANCEL, "");
        put_hex(p, TRACE_OUT, HID_KEEPALIVE, "02");
        assert_written(
                p,
                OUT("KEEPALIVE  PROCESSING (0x01)\n") "    ... and 2 more of them\n" OUT(
                        "KEEPALIVE  UPNEEDED (0x02)\n") "    ... and 1 more of them\n" IN("CANCEL\n")
                        OUT("KEEPALIVE  UPNEEDED (0x02)\n"));
}

static void the_framing_is_told_in_words(void **state) {
        struct paper *p = *state;

        put_hex(p, TRACE_IN, HID_INIT, "0102030405060708");
        put_hex(p, TRACE_OUT, HID_INIT, "0102030405060708 0a0b0c0d 02 000100 05");
        put_hex(p, TRACE_OUT, HID_ERROR, "06");
        put_hex(p, TRACE_IN, HID_PING, "0000");
        put_hex(p, TRACE_IN, 0x41, "aa");
        put_hex(p, TRACE_IN, HID_WINK, "");
        assert_written(
                p,
                IN("INIT\n") "    nonce: h'0102030405060708' / 8 bytes /\n" OUT(
                        "INIT\n") "    nonce: h'0102030405060708'\n"
                                  "    channel: 0a0b0c0d\n"
                                  "    protocol: 2\n"
                                  "    version: 0.1.0\n"
                                  "    capabilities: 0x05 WINK CBOR\n" OUT(
                                          "ERROR  ERR_CHANNEL_BUSY (0x06)\n")
                                          IN("PING\n") "    data: h'...' / 2 bytes, redacted /\n" IN(
                                                  "0x41\n") "    data: h'aa' / 1 bytes /\n" IN("WINK\n"));
}

static void u2f_is_told_in_words(void **state) {
        struct paper *p = *state;

        put_hex(p, TRACE_IN, HID_MSG, "00 02 07 00 00 0045" S16 S16 S16 S16 "04 01020304");
        put_hex(p, TRACE_OUT, HID_MSG, "6985");
        put_hex(p, TRACE_IN, HID_MSG, "00 02 03 00 00 0045" S16 S16 S16 S16 "04 01020304");
        put_hex(p, TRACE_OUT, HID_MSG, "01 00000007 3003 9000");
        put_hex(p, TRACE_IN, HID_MSG, "00 03 00 00");
        put_hex(p, TRACE_OUT, HID_MSG, "5532465f5632 9000");
        put_hex(p, TRACE_IN, HID_MSG, "00 07 00 00");
        put_hex(p, TRACE_OUT, HID_MSG, "00");
        assert_written(
                p,
                IN("MSG  U2F_AUTHENTICATE\n") "    control byte: 0x07 / check-only /\n"
                                              "    challenge: h'5e5e5e5e5e5e5e5e...' / 32 bytes /\n"
                                              "    application: h'5e5e5e5e5e5e5e5e...' / 32 bytes /\n"
                                              "    key handle: h'01020304'\n" OUT(
                                                      "MSG  SW_CONDITIONS_NOT_SATISFIED (0x6985) to U2F_AUTHENTICATE\n")
                                                      IN("MSG  U2F_AUTHENTICATE\n") "    control byte: 0x03 / enforce-user-presence-and-sign /\n"
                                                                                    "    challenge: h'5e5e5e5e5e5e5e5e...' / 32 bytes /\n"
                                                                                    "    application: h'5e5e5e5e5e5e5e5e...' / 32 bytes /\n"
                                                                                    "    key handle: h'01020304'\n" OUT(
                                                                                            "MSG  SW_NO_ERROR (0x9000) to U2F_AUTHENTICATE\n") "    user presence: 0x01\n"
                                                                                                                                               "    counter: 7\n"
                                                                                                                                               "    signature: h'3003'\n" IN(
                                                                                                                                                       "MSG  U2F_VERSION\n")
                                                                                                                                                       OUT("MSG  SW_NO_ERROR (0x9000) to U2F_VERSION\n") "    version: \"U2F_V2\"\n" IN(
                                                                                                                                                               "MSG  no message of U2F\n") "    header: h'0007'\n"
                                                                                                                                                                                           "    not as U2F has it: h'...' / 2 bytes, redacted /\n" OUT(
                                                                                                                                                                                                   "MSG  without a status word\n") "    data: h'...' / 1 bytes, redacted /\n");
}

/* Any number of them costs no more memory. */
static void channels_without_end_are_forgotten_in_turn(void **state) {
        struct paper *p = *state;

        for (uint32_t i = 0; i < 1000; i++) {
                const struct trace_frame f = { START, TRACE_IN, i, HID_CBOR, BYTES("\x04", 1) };

                transcript_put(p->t, &f);
        }
        for (uint32_t i = 0; i < 1000; i += 999) {
                const struct trace_frame f = { START, TRACE_OUT, i, HID_CBOR, BYTES("\x01", 1) };

                transcript_put(p->t, &f);
        }
        assert_has(p, "channel 00000000  CTAPHID_CBOR  CTAP1_ERR_INVALID_COMMAND (0x01)\n");
        assert_has(p, "channel 000003e7  CTAPHID_CBOR  CTAP1_ERR_INVALID_COMMAND (0x01) to "
                      "authenticatorGetInfo\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(its_head_says_what_it_is),
                TEST(members_have_the_names_of_the_specification),
                TEST(a_reply_is_told_by_what_was_asked),
                TEST(a_reply_to_what_was_not_seen_is_written_all_the_same),
                TEST(bits_have_their_names),
                TEST(redacted_secrets_are_said_to_be_so),
                TEST(authenticator_data_is_taken_apart),
                TEST(what_is_no_cbor_is_written_in_full_or_said_to_be_redacted),
                TEST(text_cannot_act_on_a_terminal),
                TEST(keepalives_that_say_the_same_are_counted),
                TEST(the_framing_is_told_in_words),
                TEST(u2f_is_told_in_words),
                TEST(channels_without_end_are_forgotten_in_turn),
        };

        return cmocka_run_group_tests_name("trace-transcript", tests, NULL, NULL);
}
