/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * trace/redact.c: messages in diagnostic notation, before and after. Secrets are bytes of 5e, which
 * nothing else is.
 */

#include <string.h>

#include "ctap/hid.h"
#include "tests/fake/client.h"
#include "tests/fake/diag.h"
#include "tests/fake/pin-client.h"
#include "tests/unit/hex.h"
#include "trace/auth-data.h"
#include "trace/redact.h"

#define MAKE     0x01
#define USE      0x02
#define PIN      0x06
#define NEXT     0x08
#define BIO      0x09
#define MANAGE   0x0a
#define BLOBS    0x0c
#define CONFIG   0x0d
#define VENDOR   0x50
#define S16      "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
#define Z16      "00000000000000000000000000000000"
#define COSE_KEY "{1: 2, 3: -25, -1: 1, -2: h'0102', -3: h'0304'}"

/* A message: the command or status, and CBOR. */
static struct bytes message(uint8_t first, const char *notation) {
        uint8_t storage[4096];
        struct buf out = BUF_ON(storage);

        buf_put_u8(&out, first);
        diag_encode(notation, &out);
        return copied(buf_bytes(&out));
}

static struct buf changeable(struct bytes b) {
        return (struct buf){ (uint8_t *)(uintptr_t)b.data, b.len, b.len, false };
}

static void assert_request(uint8_t command, const char *before, const char *after) {
        _cleanup_(release) struct bytes rq = message(command, before),
                                        want = message(command, after);
        struct buf b = changeable(rq);

        trace_redact_request(HID_CBOR, &b);
        assert_bytes_equal(buf_bytes(&b), want);
}

static void assert_reply(uint8_t command, const char *before, const char *after) {
        _cleanup_(release) struct bytes re = message(CTAP_OK, before),
                                        want = message(CTAP_OK, after);
        struct buf b = changeable(re);

        trace_redact_reply(HID_CBOR, BYTES(&command, 1), &b);
        assert_bytes_equal(buf_bytes(&b), want);
}

/* Of everything that follows the first byte nothing is left. */
static void assert_whole(const struct buf *b, size_t kept) {
        for (size_t i = kept; i < b->len; i++)
                assert_int_equal(b->data[i], 0);
}

static void assert_request_whole(struct bytes rq) {
        uint8_t first = rq.data[0];
        struct buf b = changeable(rq);
        size_t len = rq.len;

        trace_redact_request(HID_CBOR, &b);
        assert_int_equal(b.len, len);
        assert_int_equal(b.data[0], first);
        assert_whole(&b, 1);
}

static bool has_secret(struct bytes b) {
        return b.len >= 4 && memmem(b.data, b.len, "\x5e\x5e\x5e\x5e", 4) != NULL;
}

/* ---- requests ---- */

static void a_pin_ceremony_keeps_no_secret(_unused_ void **state) {
        assert_request(PIN, "{1: 2, 2: 3, 3: " COSE_KEY ", 4: h'" S16 "', 5: h'" S16 S16 "'}",
                       "{1: 2, 2: 3, 3: " COSE_KEY ", 4: h'" Z16 "', 5: h'" Z16 Z16 "'}");
        assert_request(PIN,
                       "{1: 2, 2: 4, 3: " COSE_KEY ", 4: h'" S16 "', 5: h'" S16 "', 6: h'" S16 "'}",
                       "{1: 2, 2: 4, 3: " COSE_KEY ", 4: h'" Z16 "', 5: h'" Z16 "', 6: h'" Z16
                       "'}");
        assert_request(PIN, "{1: 2, 2: 9, 3: " COSE_KEY ", 6: h'" S16 "', 9: 3, 10: 'a.example'}",
                       "{1: 2, 2: 9, 3: " COSE_KEY ", 6: h'" Z16 "', 9: 3, 10: 'a.example'}");
        assert_reply(PIN, "{2: h'" S16 S16 "'}", "{2: h'" Z16 Z16 "'}");
        assert_reply(PIN, "{1: " COSE_KEY "}", "{1: " COSE_KEY "}");
        assert_reply(PIN, "{3: 8, 4: false}", "{3: 8, 4: false}");
}

static void every_pin_uv_auth_param_is_a_secret(_unused_ void **state) {
        assert_request(MAKE, "{1: h'aa', 8: h'" S16 "', 9: 2}", "{1: h'aa', 8: h'" Z16 "', 9: 2}");
        assert_request(USE, "{1: 'a.example', 6: h'" S16 "', 7: 2}",
                       "{1: 'a.example', 6: h'" Z16 "', 7: 2}");
        assert_request(BIO, "{1: 1, 5: h'" S16 "'}", "{1: 1, 5: h'" Z16 "'}");
        assert_request(MANAGE, "{1: 6, 2: {2: {'id': h'aa'}}, 3: 2, 4: h'" S16 "'}",
                       "{1: 6, 2: {2: {'id': h'aa'}}, 3: 2, 4: h'" Z16 "'}");
        assert_request(0x41, "{1: 1, 4: h'" S16 "'}", "{1: 1, 4: h'" Z16 "'}");
        assert_request(BLOBS, "{2: h'aabb', 3: 0, 4: 2, 5: h'" S16 "', 6: 2}",
                       "{2: h'aabb', 3: 0, 4: 2, 5: h'" Z16 "', 6: 2}");
        assert_request(CONFIG, "{1: 3, 2: {1: 6}, 3: 2, 4: h'" S16 "'}",
                       "{1: 3, 2: {1: 6}, 3: 2, 4: h'" Z16 "'}");
}

static void inputs_of_hmac_secret_are_secrets(_unused_ void **state) {
        static const char *const before =
                "{1: " COSE_KEY ", 2: h'" S16 S16 "', 3: h'" S16 "', 4: 2}",
                                 *const after = "{1: " COSE_KEY ", 2: h'" Z16 Z16 "', 3: h'" Z16
                                                "', 4: 2}";
        char all[2][1024];

        snprintf(all[0], sizeof(all[0]), "{1: 'a.example', 4: {'hmac-secret': %s}}", before);
        snprintf(all[1], sizeof(all[1]), "{1: 'a.example', 4: {'hmac-secret': %s}}", after);
        assert_request(USE, all[0], all[1]);

        snprintf(all[0], sizeof(all[0]),
                 "{1: h'aa', 6: {'credBlob': h'" S16 "', 'credProtect': 3, 'hmac-secret': true, "
                 "'hmac-secret-mc': %s}}",
                 before);
        snprintf(all[1], sizeof(all[1]),
                 "{1: h'aa', 6: {'credBlob': h'" Z16 "', 'credProtect': 3, 'hmac-secret': true, "
                 "'hmac-secret-mc': %s}}",
                 after);
        assert_request(MAKE, all[0], all[1]);
}

static void what_has_no_name_keeps_no_text_and_no_bytes(_unused_ void **state) {
        assert_request(USE, "{1: 'a.example', 99: h'5e5e5e5e'}",
                       "{1: 'a.example', 99: h'00000000'}");
        assert_request(USE, "{1: 'a.example', 99: [1, {'x': h'5e5e5e5e', 'y': [h'5e5e', true]}]}",
                       "{1: 'a.example', 99: [1, {'x': h'00000000', 'y': [h'0000', true]}]}");
        assert_request(MAKE, "{1: h'aa', 6: {'novelty': {'n': 7, 'key': h'5e5e5e5e'}}}",
                       "{1: h'aa', 6: {'novelty': {'n': 7, 'key': h'00000000'}}}");
        assert_reply(USE, "{1: {'id': h'aa'}, 8: {'largeBlob': {'blob': h'5e5e5e5e'}}}",
                     "{1: {'id': h'aa'}, 8: {'largeBlob': {'blob': h'00000000'}}}");
}

static void bytes_as_a_key_of_what_has_no_name_are_redacted_too(_unused_ void **state) {
        _cleanup_(release) struct bytes rq = message(USE, "{1: 'a', 99: {h'5e5e5e5e': 1}}");
        struct buf b = changeable(rq);

        trace_redact_request(HID_CBOR, &b);
        assert_false(has_secret(buf_bytes(&b)));
}

static void bad_cbor_is_redacted_whole(_unused_ void **state) {
        static const char *const bad[] = {
                "06 a2 01 02 04 50 5e5e5e5e",          /* it ends early */
                "06 a1 04 44 5e5e5e5e 00",             /* it goes on */
                "06 a2 04 44 5e5e5e5e 04 44 5e5e5e5e", /* a key comes twice */
                "06 a2 06 44 5e5e5e5e 04 44 5e5e5e5e", /* keys out of order */
                "06 a1 04 58 04 5e5e5e5e",             /* a head longer than needed */
                "06 bf 04 44 5e5e5e5e ff",             /* of no definite length */
                "06 a1 04 5f 44 5e5e5e5e ff",          /* likewise */
                "06 a1 04 c2 44 5e5e5e5e",             /* a tag */
                "06 44 5e5e5e5e",                      /* no map */
                "06 81 44 5e5e5e5e",                   /* likewise */
                "06 5e5e5e5e",                         /* nothing at all */
                "06 a1 09 81 81 81 81 81 44 5e5e5e5e", /* too deep */
                "06 a1 04 64 5e5e5e5e",                /* text where there should be bytes */
                "06 a1 04 84 18 5e 18 5e 18 5e 18 5e", /* numbers where there should be bytes */
                "06 a1 03 44 5e5e5e5e",                /* no key */
                "02 a1 04 44 5e5e5e5e",                /* extensions that are no map */
                "02 a1 04 a1 6b 686d61632d736563726574 44 5e5e5e5e", /* salts that are no map */
                "01 a1 04 81 44 5e5e5e5e", /* parameters that are no map */
                "04 a1 01 44 5e5e5e5e",    /* getInfo takes nothing */
                "07 44 5e5e5e5e",          /* nor does reset */
                "50 a1 01 44 5e5e5e5e",    /* nobody's command */
                "5e 5e5e5e5e",             /* likewise */
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(release) struct bytes rq = unhex(bad[i]);

                assert_request_whole(rq);
        }
}

/* ---- replies ---- */

/* 37 bytes, extensions in notation behind them, and all of it a string of bytes in notation. */
static void auth_data(uint8_t flags, const char *extensions, char *ret, size_t size) {
        uint8_t storage[512] = { 0 };
        struct buf out = { storage, 37, sizeof(storage), false };
        size_t n;

        memset(storage, 0xaa, 32);
        storage[32] = flags;
        storage[36] = 7;
        if (extensions)
                diag_encode(extensions, &out);
        n = (size_t)snprintf(ret, size, "h'");
        for (size_t i = 0; i < out.len; i++)
                n += (size_t)snprintf(ret + n, size - n, "%02x", out.data[i]);
        snprintf(ret + n, size - n, "'");
}

static void assert_outputs(uint8_t command, const char *before, const char *after) {
        char data[2][1200], all[2][1400];

        auth_data(0x81, before, data[0], sizeof(data[0]));
        auth_data(0x81, after, data[1], sizeof(data[1]));
        for (size_t i = 0; i < 2; i++)
                snprintf(all[i], sizeof(all[i]), "{2: %s}", data[i]);
        assert_reply(command, all[0], all[1]);
}

static void outputs_of_extensions_are_secrets_where_they_are(_unused_ void **state) {
        assert_outputs(USE, "{'credBlob': h'" S16 "', 'hmac-secret': h'" S16 S16 "'}",
                       "{'credBlob': h'" Z16 "', 'hmac-secret': h'" Z16 Z16 "'}");
        assert_outputs(NEXT, "{'hmac-secret': h'" S16 "', 'thirdPartyPayment': true}",
                       "{'hmac-secret': h'" Z16 "', 'thirdPartyPayment': true}");
        assert_outputs(MAKE,
                       "{'credProtect': 2, 'hmac-secret': true, 'hmac-secret-mc': h'" S16 "'}",
                       "{'credProtect': 2, 'hmac-secret': true, 'hmac-secret-mc': h'" Z16 "'}");
        assert_outputs(MAKE, "{'novelty': h'" S16 "'}", "{'novelty': h'" Z16 "'}");
}

static void large_blob_keys_are_secrets(_unused_ void **state) {
        char data[200], all[2][600];

        auth_data(0x01, NULL, data, sizeof(data));
        snprintf(all[0], sizeof(all[0]), "{1: 'packed', 2: %s, 3: {'sig': h'bb'}, 5: h'" S16 "'}",
                 data);
        snprintf(all[1], sizeof(all[1]), "{1: 'packed', 2: %s, 3: {'sig': h'bb'}, 5: h'" Z16 "'}",
                 data);
        assert_reply(MAKE, all[0], all[1]);
        assert_reply(USE, "{1: {'id': h'aa'}, 3: h'bb', 7: h'" S16 "'}",
                     "{1: {'id': h'aa'}, 3: h'bb', 7: h'" Z16 "'}");
        assert_reply(MANAGE, "{7: {'id': h'aa'}, 11: h'" S16 "'}",
                     "{7: {'id': h'aa'}, 11: h'" Z16 "'}");
}

static void a_reply_that_is_not_understood_is_redacted_whole(_unused_ void **state) {
        static const struct {
                uint8_t command;
                const char *reply;
        } bad[] = {
                { PIN, "00 a1 02 50 5e5e5e5e" },  { PIN, "00 a1 02 64 5e5e5e5e" },
                { USE, "00 a1 02 44 5e5e5e5e" }, /* authenticator data that is too short */
                { 0x0b, "00 a1 02 44 5e5e5e5e" }, { VENDOR, "00 a1 02 44 5e5e5e5e" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(release) struct bytes re = unhex(bad[i].reply);
                struct buf b = changeable(re);

                trace_redact_reply(HID_CBOR, BYTES(&bad[i].command, 1), &b);
                assert_whole(&b, 1);
        }
}

static void a_reply_to_nobody_knows_what_is_redacted_whole(_unused_ void **state) {
        _cleanup_(release) struct bytes re = unhex("00 a1 03 08");
        struct buf b = changeable(re);

        trace_redact_reply(HID_CBOR, BYTES_NULL, &b);
        assert_hex_equal(buf_bytes(&b), "00 00 00 00");
}

static void a_status_alone_stays(_unused_ void **state) {
        _cleanup_(release) struct bytes re = unhex("31");
        const uint8_t command = PIN;
        struct buf b = changeable(re);

        trace_redact_reply(HID_CBOR, BYTES(&command, 1), &b);
        assert_hex_equal(buf_bytes(&b), "31");
}

/* encIdentifier and encCredStoreState of getInfo are under a key of the persistent token. */
static void assert_only_encrypted_members_differ(struct bytes redacted, struct bytes original) {
        struct cbor_value a = cbor_next(&redacted), b = cbor_next(&original);
        unsigned n_differ = 0;

        assert_int_equal(a.n, b.n);
        for (uint32_t i = 0; i < a.n; i++) {
                int64_t key = cbor_next(&a.elements).integer;
                struct cbor_value one = cbor_next(&a.elements), other;

                assert_int_equal(cbor_next(&b.elements).integer, key);
                other = cbor_next(&b.elements);
                if (bytes_equal(one.raw, other.raw))
                        continue;
                assert_true(key == 0x19 || key == 0x1e);
                assert_int_equal(one.string.len, other.string.len);
                n_differ++;
        }
        assert_int_equal(n_differ, 2);
}

/* What the authenticator really says: nothing of it is taken for something that it is not. */
static void real_replies_stay_as_they_are_but_for_secrets(void **state) {
        struct client *c = *state;
        struct made made;
        struct given given;
        uint8_t storage[CTAP_REPLY_MAX], command;
        struct buf b = BUF_ON(storage);
        struct trace_auth_data d;
        struct cbor_value output;

        assert_int_equal(client_call(c, 0x04, BYTES_NULL), CTAP_OK);
        buf_put_u8(&b, CTAP_OK);
        buf_put(&b, c->body);
        command = 0x04;
        trace_redact_reply(HID_CBOR, BYTES(&command, 1), &b);
        assert_only_encrypted_members_differ(BYTES(storage + 1, b.len - 1), c->body);

        client_make_credential(c);
        client_set(c, 6, "{'hmac-secret': true}");
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_made(c, &made);
        b.len = 1;
        buf_put(&b, c->body);
        command = MAKE;
        trace_redact_reply(HID_CBOR, BYTES(&command, 1), &b);
        assert_bytes_equal(BYTES(storage + 1, b.len - 1), c->body);

        client_agree(c, 2);
        client_get_assertion(c);
        client_set_list(c, 3, &made, 1);
        client_set(c, 4, "{'hmac-secret': %s}",
                   client_hmac_input(c, BYTES("0123456789abcdef0123456789abcdef", 32)));
        assert_int_equal(client_send(c), CTAP_OK);
        client_read_given(c, &made, &given);
        output = cbor_next(&given.extensions);
        output = cbor_find_text(&output, "hmac-secret");
        assert_int_equal(output.string.len, 48);
        b.len = 1;
        buf_put(&b, c->body);
        command = USE;
        assert_non_null(memmem(storage, b.len, output.string.data, output.string.len));
        trace_redact_reply(HID_CBOR, BYTES(&command, 1), &b);
        assert_null(memmem(storage, b.len, output.string.data, output.string.len));
        assert_int_equal(b.len, 1 + c->body.len);
        assert_true(trace_auth_data_read(given.auth_data, &d));
        assert_non_null(memmem(storage, b.len, given.auth_data.data,
                               (size_t)(output.raw.data - given.auth_data.data)));
}

/* ---- U2F and the rest ---- */

#define CHALLENGE "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"

static void messages_of_u2f_stay_as_they_are(_unused_ void **state) {
        static const char *const good[] = {
                "00 01 03 00 00 0040" CHALLENGE CHALLENGE "0000",
                "00 01 03 00 40" CHALLENGE CHALLENGE,
                "00 02 07 00 00 0045" CHALLENGE CHALLENGE "04 5e5e5e5e 0000",
                "00 03 00 00",
                "00 03 00 00 00 0000",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_(release) struct bytes rq = unhex(good[i]), want = unhex(good[i]);
                _cleanup_(release) struct bytes re = unhex("05 5e5e5e5e 9000");
                struct buf b = changeable(rq), answer = changeable(re);

                trace_redact_request(HID_MSG, &b);
                assert_bytes_equal(buf_bytes(&b), want);
                trace_redact_reply(HID_MSG, want, &answer);
                assert_hex_equal(buf_bytes(&answer), "05 5e5e5e5e 9000");
        }
}

static void what_is_no_message_of_u2f_is_redacted_whole(_unused_ void **state) {
        static const char *const bad[] = {
                "00 04 00 00 00 0004 5e5e5e5e",                      /* another instruction */
                "80 01 03 00 00 0040" CHALLENGE CHALLENGE,           /* another class */
                "80 10 00 00 00 000a 06 a2 01 02 04 44 5e5e5e5e 00", /* CTAP2 as over NFC */
                "00 01 03 00 00 003f" CHALLENGE "5e5e5e5e",          /* too short */
                "00 01 03 00 00 0042" CHALLENGE CHALLENGE "5e5e",    /* too long */
                "00 02 07 00 00 0045" CHALLENGE CHALLENGE "05 5e5e5e5e",
                "00 03 00 00 04 5e5e5e5e",
                "06 a2 01 02 04 44 5e5e5e5e",
                "5e 5e 5e 5e",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(release) struct bytes rq = unhex(bad[i]), original = unhex(bad[i]);
                _cleanup_(release) struct bytes re = unhex("5e5e5e5e 9000");
                struct buf b = changeable(rq), answer = changeable(re);

                trace_redact_request(HID_MSG, &b);
                assert_int_equal(b.len, original.len);
                assert_whole(&b, 2);
                trace_redact_reply(HID_MSG, original, &answer);
                assert_hex_equal(buf_bytes(&answer), "00000000 9000");
        }
}

static void of_the_framing_only_what_is_known_stays(_unused_ void **state) {
        static const struct {
                uint8_t command;
                const char *before, *after;
        } all[] = {
                { HID_INIT, "5e5e5e5e5e5e5e5e", "5e5e5e5e5e5e5e5e" },
                { HID_KEEPALIVE, "02", "02" },
                { HID_ERROR, "0b", "0b" },
                { HID_LOCK, "05", "05" },
                { HID_WINK, "", "" },
                { HID_CANCEL, "", "" },
                { HID_PING, "5e5e5e5e", "00000000" },
                { 0x41, "5e5e5e5e", "00000000" },
                { HID_INIT, "5e5e5e5e5e5e5e5e 5e5e5e5e5e5e5e5e 5e5e",
                  "0000000000000000 0000000000000000 0000" },
        };

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                _cleanup_(release) struct bytes in = unhex(all[i].before),
                                                out = unhex(all[i].before);
                struct buf a = changeable(in), b = changeable(out);

                trace_redact_request(all[i].command, &a);
                assert_hex_equal(buf_bytes(&a), all[i].after);
                trace_redact_reply(all[i].command, BYTES_NULL, &b);
                assert_hex_equal(buf_bytes(&b), all[i].after);
        }
}

static void an_empty_message_is_no_matter(_unused_ void **state) {
        static const uint8_t commands[] = { HID_CBOR, HID_MSG, HID_PING, 0x7f };
        struct buf b = { NULL, 0, 0, false };

        for (size_t i = 0; i < sizeof(commands); i++) {
                trace_redact_request(commands[i], &b);
                trace_redact_reply(commands[i], BYTES_NULL, &b);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pin_ceremony_keeps_no_secret),
                cmocka_unit_test(every_pin_uv_auth_param_is_a_secret),
                cmocka_unit_test(inputs_of_hmac_secret_are_secrets),
                cmocka_unit_test(what_has_no_name_keeps_no_text_and_no_bytes),
                cmocka_unit_test(bytes_as_a_key_of_what_has_no_name_are_redacted_too),
                cmocka_unit_test(bad_cbor_is_redacted_whole),
                cmocka_unit_test(outputs_of_extensions_are_secrets_where_they_are),
                cmocka_unit_test(large_blob_keys_are_secrets),
                cmocka_unit_test(a_reply_that_is_not_understood_is_redacted_whole),
                cmocka_unit_test(a_reply_to_nobody_knows_what_is_redacted_whole),
                cmocka_unit_test(a_status_alone_stays),
                client_unit_test(real_replies_stay_as_they_are_but_for_secrets),
                cmocka_unit_test(messages_of_u2f_stay_as_they_are),
                cmocka_unit_test(what_is_no_message_of_u2f_is_redacted_whole),
                cmocka_unit_test(of_the_framing_only_what_is_known_stays),
                cmocka_unit_test(an_empty_message_is_no_matter),
        };

        return cmocka_run_group_tests_name("trace-redact", tests, NULL, NULL);
}
