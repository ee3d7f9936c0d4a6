/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The daemon from outside: libfido2 as the client that knows nothing of us, raw reports for what
 * libfido2 would never send, and the control socket.
 */

#include <fcntl.h>
#include <fido/config.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctap/cbor.h"
#include "tests/fake/certificate.h"
#include "tests/system/fido-kit.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

static const char *const automatic[] = { "--presence=auto", NULL };
static const char *const scripted[] = { "--presence=script", NULL };

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

struct passkey {
        unsigned char id[256];
        size_t id_len;
        es256_pk_t *public;
};

static void passkey_done(struct passkey *p) {
        es256_pk_free(&p->public);
}

static fido_cred_t *new_request(bool discoverable) {
        fido_cred_t *cred = fido_cred_new();

        assert_non_null(cred);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice",
                                            NULL),
                         FIDO_OK);
        if (discoverable)
                assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        return cred;
}

static void verify_attestation(const fido_cred_t *cred) {
        if (fido_cred_x5c_ptr(cred))
                assert_int_equal(fido_cred_verify(cred), FIDO_OK);
        else
                assert_int_equal(fido_cred_verify_self(cred), FIDO_OK);
}

/* Frees the request. */
static struct passkey register_by(fido_dev_t *dev, fido_cred_t *cred) {
        struct passkey p = { .public = es256_pk_new() };

        assert_int_equal(fido_dev_make_cred(dev, cred, NULL), FIDO_OK);
        verify_attestation(cred);
        p.id_len = fido_cred_id_len(cred);
        assert_true(p.id_len > 0 && p.id_len <= sizeof(p.id));
        memcpy(p.id, fido_cred_id_ptr(cred), p.id_len);
        assert_int_equal(es256_pk_from_ptr(p.public, fido_cred_pubkey_ptr(cred),
                                           fido_cred_pubkey_len(cred)),
                         FIDO_OK);
        fido_cred_free(&cred);
        return p;
}

static struct passkey register_passkey(fido_dev_t *dev, bool discoverable) {
        return register_by(dev, new_request(discoverable));
}

static fido_assert_t *new_assertion(const struct passkey *allow) {
        fido_assert_t *a = fido_assert_new();

        assert_non_null(a);
        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, "example.com"), FIDO_OK);
        if (allow)
                assert_int_equal(fido_assert_allow_cred(a, allow->id, allow->id_len), FIDO_OK);
        return a;
}

/* Signs in, checks the signature, gives the counter. Without `by_id` the key finds the passkey. */
static uint32_t sign_in(fido_dev_t *dev, const struct passkey *p, bool by_id) {
        fido_assert_t *a = new_assertion(by_id ? p : NULL);
        uint32_t count;

        assert_int_equal(fido_dev_get_assert(dev, a, NULL), FIDO_OK);
        assert_int_equal(fido_assert_count(a), 1);
        assert_int_equal(fido_assert_set_up(a, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(fido_assert_verify(a, 0, COSE_ES256, p->public), FIDO_OK);
        count = fido_assert_sigcount(a, 0);
        fido_assert_free(&a);
        return count;
}

static int sign_in_error(fido_dev_t *dev, const struct passkey *p) {
        fido_assert_t *a = new_assertion(p);
        int r = fido_dev_get_assert(dev, a, NULL);

        fido_assert_free(&a);
        return r;
}

static void a_passkey_is_made_and_used(void **state) {
        struct daemon_kit *k = *state;
        struct passkey by_id, discoverable;
        fido_dev_t *dev;
        uint32_t count;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        assert_true(fido_dev_is_fido2(dev));

        by_id = register_passkey(dev, false);
        count = sign_in(dev, &by_id, true);
        assert_true(sign_in(dev, &by_id, true) > count);

        discoverable = register_passkey(dev, true);
        sign_in(dev, &discoverable, false);
        sign_in(dev, &discoverable, true);

        kit_close_key(dev);
        passkey_done(&by_id);
        passkey_done(&discoverable);
        assert_int_equal(kit_stop(k), 0);
}

static void a_u2f_client_is_served(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        fido_dev_force_u2f(dev);
        p = register_passkey(dev, false);
        sign_in(dev, &p, true);
        kit_close_key(dev);

        /* U9: what U2F made, CTAP2 uses. */
        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);
}

static void a_restart_keeps_passkeys_and_counters(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;
        uint32_t before;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, true);
        before = sign_in(dev, &p, true);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);

        kit_start(k, automatic);
        dev = kit_open_key(k);
        assert_true(sign_in(dev, &p, true) > before);
        before = sign_in(dev, &p, false);
        kit_close_key(dev);

        /* Also after an end that nobody announced. */
        kill(k->pid, SIGKILL);
        assert_true(kit_stop(k) != 0);
        kit_start(k, automatic);
        dev = kit_open_key(k);
        assert_true(sign_in(dev, &p, true) > before);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);
}

static void the_command_line_lists_shows_and_deletes(void **state) {
        struct daemon_kit *k = *state;
        char out[65536], arguments[128];
        struct passkey p[2];
        fido_cred_t *rq;
        fido_dev_t *dev;
        json_t *list, *c;

        kit_start(k, automatic);
        assert_int_equal(kit_cli(k, "list", out, sizeof(out)), 0);
        assert_string_equal(out, "There are no passkeys on this device.\n");

        dev = kit_open_key(k);
        rq = new_request(true);
        assert_int_equal(fido_cred_set_extensions(rq, FIDO_EXT_LARGEBLOB_KEY), FIDO_OK);
        p[0] = register_by(dev, rq);
        p[1] = register_passkey(dev, false);

        assert_int_equal(kit_cli(k, "list", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "example.com"));
        assert_non_null(strstr(out, "alice"));
        for (const char *line = out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
                assert_true(end - line <= 80);

        assert_int_equal(kit_cli(k, "list --json", out, sizeof(out)), 0);
        list = json_loads(out, 0, NULL);
        assert_int_equal(json_array_size(list), 2);
        c = json_array_get(list, 0);
        assert_string_equal(json_string_value(json_object_get(c, "rp_id")), "example.com");
        assert_string_equal(json_string_value(json_object_get(c, "user_name")), "alice");
        assert_true(json_is_true(json_object_get(c, "discoverable")));
        assert_true(json_is_true(json_object_get(c, "large_blob_key")));
        assert_true(json_is_false(json_object_get(c, "third_party_payment")));
        snprintf(arguments, sizeof(arguments), "show %.8s",
                 json_string_value(json_object_get(c, "credential")));
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 0);
        assert_non_null(strstr(out, "discoverable"));
        assert_non_null(strstr(out, "extensions   largeBlobKey\n"));

        snprintf(arguments, sizeof(arguments), "delete %.8s",
                 json_string_value(json_object_get(c, "credential")));
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 1);
        assert_non_null(strstr(out, "say --yes"));
        strcat(arguments, " --yes");
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 0);
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 4);
        json_decref(list);

        assert_int_equal(sign_in_error(dev, &p[0]), FIDO_ERR_NO_CREDENTIALS);
        sign_in(dev, &p[1], true);
        kit_close_key(dev);
        passkey_done(&p[0]);
        passkey_done(&p[1]);
}

static void reset_by_the_command_line_erases_all(void **state) {
        struct daemon_kit *k = *state;
        char out[4096];
        struct passkey p;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, false);
        assert_int_equal(kit_cli(k, "reset", out, sizeof(out)), 1);
        sign_in(dev, &p, true);
        assert_int_equal(kit_cli(k, "reset --yes", out, sizeof(out)), 0);
        assert_int_equal(sign_in_error(dev, &p), FIDO_ERR_NO_CREDENTIALS);
        passkey_done(&p);
        p = register_passkey(dev, false);
        sign_in(dev, &p, true);
        kit_close_key(dev);

        /* What was made after the reset belongs to the new store key. */
        assert_int_equal(kit_stop(k), 0);
        kit_start(k, automatic);
        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
}

static void status_and_doctor_know_the_device(void **state) {
        struct daemon_kit *k = *state;
        char out[65536];
        json_t *j;

        kit_start(k, automatic);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "device 0: ready"));
        assert_non_null(strstr(out, "TPM Passkey (simulator)"));
        assert_int_equal(kit_cli(k, "status --json", out, sizeof(out)), 0);
        j = json_loads(out, 0, NULL);
        assert_int_equal(json_array_size(json_object_get(j, "devices")), 1);
        json_decref(j);
        assert_int_equal(kit_cli(k, "doctor --json", out, sizeof(out)), 0);
        j = json_loads(out, 0, NULL);
        assert_true(json_array_size(j) > 4);
        json_decref(j);

        assert_int_equal(kit_cli(k, "-d 1 list", out, sizeof(out)), 1);
        assert_int_equal(kit_cli(k, "status >/dev/full", out, sizeof(out)), 1);
        assert_int_equal(kit_cli(k, "--device x list", out, sizeof(out)), 2);
        assert_int_equal(kit_cli(k, "sing", out, sizeof(out)), 2);
        assert_int_equal(kit_stop(k), 0);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 3);
        assert_int_equal(kit_cli(k, "doctor", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "fail  daemon"));
}

/* ---- raw reports ---- */

enum {
        PING = 0x81,
        MSG = 0x83,
        INIT = 0x86,
        WINK = 0x88,
        CBOR = 0x90,
        CANCEL = 0x91,
        KEEPALIVE = 0xbb
};

struct report {
        uint8_t b[64];
};

static struct report report_of(uint32_t channel, uint8_t command, struct bytes payload) {
        struct report r = { { 0 } };
        struct buf b = { r.b, 0, sizeof(r.b), false };

        buf_put_u32(&b, channel);
        buf_put_u8(&b, command);
        buf_put_u16(&b, (uint16_t)payload.len);
        buf_put(&b, payload);
        return r;
}

static void send_report(int fd, struct report r) {
        assert_int_equal(send(fd, r.b, sizeof(r.b), MSG_NOSIGNAL), sizeof(r.b));
}

/* A message of any length, from a client that may be wrong in any way. */
static void send_message(int fd, uint32_t channel, uint8_t command, struct bytes message) {
        struct report r = report_of(channel, command, BYTES(message.data, 0));
        size_t n = message.len < 57 ? message.len : 57;

        r.b[5] = (uint8_t)(message.len >> 8);
        r.b[6] = (uint8_t)message.len;
        memcpy(r.b + 7, message.data, n);
        send_report(fd, r);
        for (uint8_t sequence = 0; n < message.len; sequence++) {
                size_t more = message.len - n < 59 ? message.len - n : 59;

                memset(r.b + 4, 0, sizeof(r.b) - 4);
                r.b[4] = sequence;
                memcpy(r.b + 5, message.data + n, more);
                send_report(fd, r);
                n += more;
        }
}

/* The next report that is no keepalive with this status (0: none is passed over). */
static struct report next_report(int fd, int pass_over) {
        struct report r;

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };

                assert_int_equal(poll(&p, 1, 5000), 1);
                assert_int_equal(recv(fd, r.b, sizeof(r.b), 0), sizeof(r.b));
                if (r.b[4] != KEEPALIVE || r.b[7] != pass_over)
                        return r;
        }
}

static uint32_t channel_in(const uint8_t *b) {
        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t open_channel(int fd) {
        struct report r;

        send_report(fd, report_of(0xffffffff, INIT, BYTES("nonce123", 8)));
        do
                r = next_report(fd, 0);
        while (r.b[4] != INIT || memcmp(r.b + 7, "nonce123", 8) != 0);
        return channel_in(r.b + 15);
}

/* authenticatorSelection: asks for a touch and does nothing. */
static void start_selection(int fd, uint32_t channel) {
        struct report r;

        send_report(fd, report_of(channel, CBOR, BYTES("\x0b", 1)));
        r = next_report(fd, 1);
        assert_int_equal(r.b[4], KEEPALIVE);
        assert_int_equal(r.b[7], 2);
}

/* The next report on this channel that is no keepalive; every client sees those of the others. */
static struct report next_answer(int fd, uint32_t channel) {
        struct report r;

        do
                r = next_report(fd, 0);
        while (r.b[4] == KEEPALIVE || channel_in(r.b) != channel);
        return r;
}

/* The whole of an answer; keepalives come before it, not in between. */
static void receive_message(int fd, uint32_t channel, struct buf *ret) {
        struct report r = next_answer(fd, channel);
        const size_t n = (size_t)r.b[5] << 8 | r.b[6];

        assert_int_equal(r.b[4], CBOR);
        buf_put(ret, BYTES(r.b + 7, n < 57 ? n : 57));
        for (uint8_t sequence = 0; ret->len < n; sequence++) {
                r = next_answer(fd, channel);
                assert_int_equal(r.b[4], sequence);
                buf_put(ret, BYTES(r.b + 5, n - ret->len < 59 ? n - ret->len : 59));
        }
        assert_int_equal(buf_error(ret), 0);
}

static void assert_answer(int fd, uint32_t channel, uint8_t status) {
        struct report r = next_answer(fd, channel);

        assert_int_equal(r.b[4], CBOR);
        assert_int_equal(r.b[7], status);
}

static void A36_cancel_is_answered_within_100_ms(void **state) {
        struct daemon_kit *k = *state;
        uint32_t channel;
        uint64_t before;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        for (int i = 0; i < 3; i++) {
                start_selection(fd, channel);
                before = kit_now();
                send_report(fd, report_of(channel, CANCEL, BYTES_NULL));
                assert_answer(fd, channel, 0x2d);
                assert_true(kit_now() - before < 100);
        }
        close(fd);
}

static void A12_init_on_a_busy_channel_frees_it(void **state) {
        struct daemon_kit *k = *state;
        struct report r;
        uint32_t channel;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        start_selection(fd, channel);
        send_report(fd, report_of(channel, INIT, BYTES("nonce456", 8)));
        r = next_answer(fd, channel);
        assert_int_equal(r.b[4], INIT);
        assert_memory_equal(r.b + 7, "nonce456", 8);

        start_selection(fd, channel);
        send_report(fd, report_of(channel, CANCEL, BYTES_NULL));
        assert_answer(fd, channel, 0x2d);
        close(fd);
}

static void A41_keepalives_come_every_100_ms_while_a_person_is_asked(void **state) {
        struct daemon_kit *k = *state;
        uint32_t channel;
        uint64_t before;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        start_selection(fd, channel);
        before = kit_now();
        for (int i = 0; i < 5; i++) {
                struct report r = next_report(fd, 0);

                assert_int_equal(r.b[4], KEEPALIVE);
                assert_int_equal(r.b[7], 2);
        }
        assert_true(kit_now() - before >= 300 && kit_now() - before < 1000);
        close(fd);
}

static void presence_once_answers_one_request(void **state) {
        struct daemon_kit *k = *state;
        char out[1024];
        uint32_t channel;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);

        start_selection(fd, channel);
        assert_int_equal(kit_cli(k, "presence once", out, sizeof(out)), 0);
        assert_answer(fd, channel, 0x00);

        /* Ahead of its question; the one after it waits again. */
        assert_int_equal(kit_cli(k, "presence once", out, sizeof(out)), 0);
        send_report(fd, report_of(channel, CBOR, BYTES("\x0b", 1)));
        assert_answer(fd, channel, 0x00);
        start_selection(fd, channel);
        assert_int_equal(kit_cli(k, "presence deny", out, sizeof(out)), 0);
        assert_answer(fd, channel, 0x27);
        assert_int_equal(kit_cli(k, "presence maybe", out, sizeof(out)), 1);
        close(fd);
}

/* Any client may wink as often as it likes, and the log is not its own. */
static void a_wink_is_logged_once_a_plug_in(void **state) {
        struct daemon_kit *k = *state;
        char command[128], out[1024];

        kit_start(k, automatic);
        for (int round = 1; round <= 2; round++) {
                int fd = kit_connect(k->device, SOCK_SEQPACKET);
                uint32_t channel = open_channel(fd);

                for (int i = 0; i < 20; i++) {
                        send_report(fd, report_of(channel, WINK, BYTES_NULL));
                        assert_int_equal(next_answer(fd, channel).b[4], WINK);
                }
                close(fd);
                snprintf(command, sizeof(command), "test `grep -c 'which key' %s/log` = %d",
                         k->folder, round);
                assert_int_equal(system(command), 0);
                assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);
        }
        assert_int_equal(kit_stop(k), 0);
}

static void a_client_that_goes_away_leaves_no_question(void **state) {
        struct daemon_kit *k = *state;
        uint32_t channel;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        start_selection(fd, open_channel(fd));
        close(fd);

        /* Another client is not told that the key is busy for as long as a question may wait. */
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        for (int i = 0; i < 50; i++) {
                const struct timespec step = { .tv_nsec = 20000000 };
                struct report r;

                send_report(fd, report_of(channel, CBOR, BYTES("\x04", 1)));
                r = next_answer(fd, channel);
                if (r.b[4] == CBOR) {
                        assert_int_equal(r.b[7], 0x00);
                        close(fd);
                        return;
                }
                nanosleep(&step, NULL);
        }
        fail_msg("the key stayed busy");
}

/* A site may name its account as it likes; the list must survive it, and show that name. */
static void a_name_with_a_nul_is_listed_and_deleted(void **state) {
        static const uint8_t head[] = { 0x01, 0xa4, 0x01, 0x58, 0x20 };
        static const char tail[] = "\x02\xa1\x62id\x68nul.test"
                                   "\x03\xa2\x62id\x41\x01\x64name\x63"
                                   "a\0b"
                                   "\x04\x81\xa2\x63"
                                   "alg\x26\x64type\x6apublic-key";
        uint8_t request[sizeof(head) + 32 + sizeof(tail) - 1] = { 0 };
        struct daemon_kit *k = *state;
        char out[4096], command[64];
        uint32_t channel;
        int fd;

        memcpy(request, head, sizeof(head));
        memcpy(request + sizeof(head) + 32, tail, sizeof(tail) - 1);
        kit_start(k, automatic);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        send_message(fd, channel, CBOR, BYTES_OF(request));
        assert_answer(fd, channel, 0x00);
        close(fd);

        assert_int_equal(kit_cli(k, "--json list", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "\"a\\uFFFDb\""));
        assert_int_equal(kit_cli(k, "list", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "nul.test"));
        snprintf(command, sizeof(command), "--yes delete %.8s", strchr(out, '\n') + 1);
        assert_int_equal(kit_cli(k, command, out, sizeof(out)), 0);
}

static void a_control_request_and_a_question_do_not_meet(void **state) {
        struct daemon_kit *k = *state;
        uint32_t channel;
        json_t *a;
        int fd, control;
        char line[4096];

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        start_selection(fd, channel);

        control = kit_connect(k->control, SOCK_STREAM);
        dprintf(control, "{\"v\":1,\"id\":1,\"method\":\"list\"}\n");
        assert_string_equal(kit_state(k), "ready");
        assert_int_equal(recv(control, line, sizeof(line), MSG_DONTWAIT), -1);

        send_report(fd, report_of(channel, CANCEL, BYTES_NULL));
        assert_answer(fd, channel, 0x2d);
        assert_true(recv(control, line, sizeof(line), 0) > 0);
        a = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        assert_non_null(json_object_get(a, "result"));
        json_decref(a);
        close(control);
        close(fd);
}

/* Ctrl-C on a reset that has to wait means that it shall not be; and it may not fill the queue. */
static void a_request_dies_with_its_client_if_it_has_not_begun(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;
        uint32_t channel;
        char out[4096];
        int fd, control;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, false);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        start_selection(fd, channel);
        for (unsigned i = 0; i < 40; i++) {
                control = kit_connect(k->control, SOCK_STREAM);
                dprintf(control, "{\"v\":1,\"id\":1,\"method\":\"reset\"}\n");
                dprintf(control, "{\"v\":1,\"id\":1,\"method\":\"reset\"}\n");
                assert_string_equal(kit_state(k), "ready");
                close(control);
        }
        assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);
        close(fd);

        assert_int_equal(kit_cli(k, "list", out, sizeof(out)), 0);
        assert_null(strstr(out, "There are no passkeys"));
}

static void replug_ends_what_was_asked(void **state) {
        struct daemon_kit *k = *state;
        struct pollfd p = { .events = POLLIN };
        char out[1024];
        struct report r;

        kit_start(k, scripted);
        p.fd = kit_connect(k->device, SOCK_SEQPACKET);
        start_selection(p.fd, open_channel(p.fd));
        assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);
        while (recv(p.fd, r.b, sizeof(r.b), 0) > 0)
                ;
        close(p.fd);

        p.fd = kit_connect(k->device, SOCK_SEQPACKET);
        start_selection(p.fd, open_channel(p.fd));
        close(p.fd);
}

/* True if the device that this client opened is not unplugged in so many milliseconds. */
static bool stays_plugged_in(int fd, uint64_t ms) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        uint64_t until = kit_now() + ms;
        struct report r;

        while (kit_now() < until)
                if (poll(&p, 1, 50) > 0 && recv(fd, r.b, sizeof(r.b), 0) <= 0)
                        return false;
        return true;
}

#define MOMENT_MS 300
#define LONG_MS   10000

/* The loop that closed the old one has opened the new one by the time that it answers. */
static int connect_to_the_next(const struct daemon_kit *k, int fd) {
        close(fd);
        assert_string_equal(kit_state(k), "ready");
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        assert_true(fd >= 0);
        return fd;
}

static void assert_verify(const struct daemon_kit *k, bool want, const char *why_not) {
        json_t *a = kit_control(k, "status", NULL), *d;

        d = json_array_get(json_object_get(json_object_get(a, "result"), "devices"), 0);
        assert_int_equal(json_is_true(json_object_get(d, "verify")), want);
        if (why_not)
                assert_non_null(
                        strstr(json_string_value(json_object_get(d, "verify_off")), why_not));
        else
                assert_null(json_object_get(d, "verify_off"));
        json_decref(a);
}

static void say(const struct daemon_kit *k, const char *word, const char *input) {
        char command[64], out[1024];

        snprintf(command, sizeof(command), "presence %s", word);
        if (kit_cli_with(k, command, input, out, sizeof(out)) != 0)
                fail_msg("presence %s: %s", word, out);
}

/* Clients ask once what a device can do: those that asked before see another one. */
static void GI5_a_device_that_can_verify_now_or_no_longer_is_plugged_in_anew(void **state) {
        static const struct {
                const char *word, *input;
                bool verifies, changes;
        } steps[] = {
                { "once", "", false, false },      { "deny", "", false, false },
                { "pin", "1234\n", false, false }, { "ask", "", true, true },
                { "pin", "5678\n", true, false },  { "pin-once", "1234", true, false },
                { "auto", "", true, false },       { "no", "", true, false },
                { "deny", "", false, true },       { "auto", "", true, true },
                { "no-pin", "", false, true },     { "no-pin", "", false, false },
        };
        struct daemon_kit *k = *state;
        int fd;

        kit_start(k, scripted);
        assert_verify(k, false, "tpmauthn presence pin");
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                say(k, steps[i].word, steps[i].input);
                if (stays_plugged_in(fd, steps[i].changes ? LONG_MS : MOMENT_MS) ==
                    steps[i].changes)
                        fail_msg("step %zu: presence %s", i, steps[i].word);
                if (steps[i].changes) {
                        fd = connect_to_the_next(k, fd);
                        open_channel(fd);
                }
                assert_verify(k, steps[i].verifies, steps[i].verifies ? NULL : "");
                assert_string_equal(kit_state(k), "ready");
        }
        close(fd);
        assert_int_equal(kit_stop(k), 0);
}

static void a_question_is_answered_before_the_device_is_plugged_in_anew(void **state) {
        struct daemon_kit *k = *state;
        uint32_t channel;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);
        start_selection(fd, channel);
        say(k, "pin", "1234\n");
        assert_true(stays_plugged_in(fd, MOMENT_MS));
        say(k, "once", "");
        assert_answer(fd, channel, 0x00);
        assert_false(stays_plugged_in(fd, LONG_MS));

        /* There and back again while it is up: nothing is left to do. */
        fd = connect_to_the_next(k, fd);
        channel = open_channel(fd);
        start_selection(fd, channel);
        say(k, "no-pin", "");
        say(k, "pin", "1234\n");
        say(k, "no", "");
        assert_answer(fd, channel, 0x27);
        assert_true(stays_plugged_in(fd, MOMENT_MS));
        close(fd);
        assert_int_equal(kit_stop(k), 0);
}

static void what_is_said_to_the_presence_is_checked(void **state) {
        static const struct {
                const char *params, *code;
        } cases[] = {
                { "{\"mode\":\"pin\"}", "bad-request" },
                { "{\"mode\":\"pin-once\"}", "bad-request" },
                { "{\"mode\":\"pin\",\"pin\":\"\"}", "bad-request" },
                { "{\"mode\":\"pin\",\"pin\":\"1234567890123456789012345678901234567890123456789"
                  "012345678901234\"}",
                  "bad-request" },
                { "{\"mode\":\"auto\",\"pin\":\"1234\"}", "bad-request" },
                { "{\"mode\":\"maybe\"}", "bad-request" },
        };
        static const char *const no_verification[] = { "--presence=auto",
                                                       "--set=presence.verify=no", NULL };
        static const char *const no_file[] = { "--presence=auto",
                                               "--set=presence.pin-file=/nonexistent", NULL };
        struct daemon_kit *k = *state;
        char out[4096];

        kit_start(k, scripted);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                json_t *a = kit_control(k, "presence", cases[i].params);

                assert_string_equal(json_string_value(
                                            json_object_get(json_object_get(a, "error"), "code")),
                                    cases[i].code);
                json_decref(a);
        }
        assert_int_equal(kit_cli_with(k, "presence pin", "", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "nothing could be read"));
        assert_int_equal(kit_stop(k), 0);

        kit_start(k, no_verification);
        assert_int_equal(kit_cli_with(k, "presence pin", "1234\n", out, sizeof(out)), 1);
        assert_verify(k, false, "verify = no");
        assert_int_equal(kit_cli(k, "doctor", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "uv is off"));
        assert_int_equal(kit_stop(k), 0);

        kit_start(k, no_file);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 5);
        assert_non_null(strstr(out, "pin-file = /nonexistent: No such file"));
        assert_int_equal(kit_stop(k), 0);
}

/* Reads the terminal until it shows this. */
static void await_text(int terminal, const char *text) {
        char seen[4096];
        size_t n = 0;

        for (seen[0] = '\0'; !strstr(seen, text);) {
                struct pollfd p = { .fd = terminal, .events = POLLIN };
                ssize_t got;

                assert_int_equal(poll(&p, 1, 5000), 1);
                got = read(terminal, seen + n, sizeof(seen) - 1 - n);
                assert_true(got > 0);
                n += (size_t)got;
                seen[n] = '\0';
        }
}

static void a_person_is_asked_on_the_terminal(void **state) {
        static const char *const settings[] = { "--presence=tty", NULL };
        struct daemon_kit *k = *state;
        uint32_t channel;
        int fd;

        k->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(k->terminal >= 0);
        assert_int_equal(grantpt(k->terminal), 0);
        assert_int_equal(unlockpt(k->terminal), 0);
        kit_start(k, settings);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        channel = open_channel(fd);

        start_selection(fd, channel);
        await_text(k->terminal, "TPM Passkey: This is probably meant for another security key. Use "
                                "this computer as the security key? Nothing is created and nobody "
                                "is signed in by this. [y/N] ");
        assert_int_equal(write(k->terminal, "y\n", 2), 2);
        assert_answer(fd, channel, 0x00);

        start_selection(fd, channel);
        await_text(k->terminal, "[y/N] ");
        assert_int_equal(write(k->terminal, "\n", 1), 1);
        assert_answer(fd, channel, 0x27);

        start_selection(fd, channel);
        await_text(k->terminal, "[y/N] ");
        send_report(fd, report_of(channel, CANCEL, BYTES_NULL));
        assert_answer(fd, channel, 0x2d);
        await_text(k->terminal, "(The question was withdrawn.)");
        close(fd);
        assert_int_equal(kit_stop(k), 0);
}

/* The terminal sends it to all of its foreground, and the simulator must be the last to go. */
static void ctrl_c_is_an_orderly_stop(void **state) {
        static const char *const settings[] = { "--presence=tty", NULL };
        struct daemon_kit *k = *state;
        char command[96];
        int status;

        k->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(k->terminal >= 0);
        assert_int_equal(grantpt(k->terminal), 0);
        assert_int_equal(unlockpt(k->terminal), 0);
        kit_start(k, settings);
        assert_int_equal(write(k->terminal, "\x03", 1), 1);
        assert_int_equal(waitpid(k->pid, &status, 0), k->pid);
        k->pid = -1;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        snprintf(command, sizeof(command), "grep -E '^(warning|err)' %s/log", k->folder);
        assert_int_not_equal(system(command), 0);
}

static void the_daemon_stops_while_a_person_is_asked(void **state) {
        struct daemon_kit *k = *state;
        uint64_t before;
        int fd;

        kit_start(k, scripted);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        start_selection(fd, open_channel(fd));
        before = kit_now();
        assert_int_equal(kit_stop(k), 0);
        assert_true(kit_now() - before < 3000);
        close(fd);
}

static void a_wrong_configuration_starts_nothing(void **state) {
        struct daemon_kit *k = *state;
        char command[256];
        int status;

        snprintf(command, sizeof(command),
                 TPMAUTHND " --config=/dev/null --set=presence.presense=auto 2>%s/errors",
                 k->folder);
        status = system(command);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 78);
        snprintf(command, sizeof(command), "grep -q 'the nearest is .presence. presence' %s/errors",
                 k->folder);
        assert_int_equal(system(command), 0);
}

/* What an administrator wants to hear before the daemon is started again. */
static void a_check_of_the_configuration_reads_the_certificates(void **state) {
        struct daemon_kit *k = *state;
        char key[64], chain[64], command[512];

        snprintf(key, sizeof(key), "%s/key.pem", k->folder);
        snprintf(chain, sizeof(chain), "%s/chain.pem", k->folder);
        snprintf(command, sizeof(command),
                 TPMAUTHND " --config=/dev/null --set=attestation.key=%s"
                           " --set=attestation.certificates=%s --check-config 2>%s/errors",
                 key, chain, k->folder);
        assert_int_equal(WEXITSTATUS(system(command)), 78);
        certificate_write_good(key, chain);
        assert_int_equal(WEXITSTATUS(system(command)), 0);

        assert_int_equal(rename(chain, key), 0);
        assert_int_equal(chmod(key, 0600), 0);
        assert_int_equal(WEXITSTATUS(system(command)), 78);
        snprintf(command, sizeof(command), "grep -q 'it holds no private key' %s/errors",
                 k->folder);
        assert_int_equal(system(command), 0);
}

static void ask_for_attestation(struct buf *to, const char *rp_id) {
        struct cbor_writer w = { to };

        buf_put_u8(to, 0x01);
        cbor_put_map(&w, 5);
        cbor_put_int(&w, 1);
        cbor_put_bytes(&w, BYTES(challenge, sizeof(challenge)));
        cbor_put_int(&w, 2);
        cbor_put_map(&w, 1);
        cbor_put_string(&w, "id");
        cbor_put_string(&w, rp_id);
        cbor_put_int(&w, 3);
        cbor_put_map(&w, 1);
        cbor_put_string(&w, "id");
        cbor_put_bytes(&w, BYTES_TEXT("somebody"));
        cbor_put_int(&w, 4);
        cbor_put_array(&w, 1);
        cbor_put_map(&w, 2);
        cbor_put_string(&w, "alg");
        cbor_put_int(&w, COSE_ES256);
        cbor_put_string(&w, "type");
        cbor_put_string(&w, "public-key");
        cbor_put_int(&w, 0x0a);
        cbor_put_int(&w, 1);
}

/* By the key of the first certificate, which the second one's signed. */
static void verify_certified(struct cbor_value statement, struct bytes auth_data) {
        const struct cbor_value signature = cbor_find_text(&statement, "sig");
        struct cbor_value x5c = cbor_find_text(&statement, "x5c");
        const struct bytes leaf = cbor_next(&x5c.elements).string;
        const struct bytes authority = cbor_next(&x5c.elements).string;
        const uint8_t *at = leaf.data, *by = authority.data;
        X509 *x = d2i_X509(NULL, &at, (long)leaf.len);
        X509 *issuer = d2i_X509(NULL, &by, (long)authority.len);
        EVP_MD_CTX *c = EVP_MD_CTX_new();

        assert_int_equal(x5c.n, 2);
        assert_int_equal(X509_verify(x, X509_get0_pubkey(issuer)), 1);
        assert_int_equal(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, X509_get0_pubkey(x)), 1);
        assert_int_equal(EVP_DigestVerifyUpdate(c, auth_data.data, auth_data.len), 1);
        assert_int_equal(EVP_DigestVerifyUpdate(c, challenge, sizeof(challenge)), 1);
        assert_int_equal(EVP_DigestVerifyFinal(c, signature.string.data, signature.string.len), 1);
        EVP_MD_CTX_free(c);
        X509_free(issuer);
        X509_free(x);
}

static void assert_attested(int fd, uint32_t channel, const char *rp_id, bool granted) {
        struct cbor_value reply;
        const struct cbor_field fields[] = {
                { NULL, 2, CBOR_KIND_BYTES, true, 0 },
                { NULL, 3, CBOR_KIND_MAP, true, sizeof(reply) },
                { NULL, 4, CBOR_KIND_BOOL, false, 2 * sizeof(reply) },
        };
        struct cbor_value members[ELEMENTSOF(fields)] = { 0 };
        uint8_t request[512], answer[4096];
        struct buf to = BUF_ON(request), from = BUF_ON(answer);
        struct bytes body;

        ask_for_attestation(&to, rp_id);
        send_message(fd, channel, CBOR, buf_bytes(&to));
        receive_message(fd, channel, &from);
        assert_int_equal(answer[0], CTAP_OK);
        body = BYTES(answer + 1, from.len - 1);
        assert_int_equal(cbor_check(body), CTAP_OK);
        reply = cbor_next(&body);
        assert_int_equal(cbor_read_map(&reply, fields, ELEMENTSOF(fields), members), CTAP_OK);
        assert_int_equal(members[2].boolean, granted);
        assert_int_equal(members[1].n, granted ? 3 : 2);
        if (granted)
                verify_certified(members[1], members[0].string);
}

static void MC9_an_organisation_attests_to_its_own_sites(void **state) {
        struct daemon_kit *k = *state;
        char key[96], chain[96], key_path[64], chain_path[64];
        const char *const settings[] = { "--presence=auto", key, chain,
                                         "--set=attestation.rp-ids=other.example sso.example",
                                         NULL };
        fido_dev_t *dev;
        uint32_t channel;
        int fd;

        snprintf(key_path, sizeof(key_path), "%s/key.pem", k->folder);
        snprintf(chain_path, sizeof(chain_path), "%s/chain.pem", k->folder);
        snprintf(key, sizeof(key), "--set=attestation.key=%s", key_path);
        snprintf(chain, sizeof(chain), "--set=attestation.certificates=%s", chain_path);
        certificate_write_good(key_path, chain_path);
        kit_start(k, settings);
        dev = kit_open_key(k);
        assert_int_equal(fido_dev_enable_entattest(dev, NULL), FIDO_OK);
        kit_close_key(dev);

        fd = kit_connect(k->device, SOCK_SEQPACKET);
        assert_true(fd >= 0);
        channel = open_channel(fd);
        assert_attested(fd, channel, "sso.example", true);
        assert_attested(fd, channel, "www.example", false);
        close(fd);
        assert_int_equal(kit_stop(k), 0);
}

/* ---- nothing a client sends ends the daemon ---- */

static void B5_garbage_of_any_size_and_order_changes_nothing(void **state) {
        const struct timespec message_timeout = { .tv_nsec = 700000000 };
        struct daemon_kit *k = *state;
        unsigned seed = 20260101;
        struct passkey p;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, false);
        kit_close_key(dev);

        for (int round = 0; round < 20; round++) {
                int fd = kit_connect(k->device, SOCK_SEQPACKET);
                uint32_t channel = open_channel(fd);
                uint8_t bytes[200];

                for (int i = 0; i < 100; i++) {
                        size_t n = rand_r(&seed) % 3 ? 64 : (size_t)rand_r(&seed) % sizeof(bytes);

                        for (size_t b = 0; b < sizeof(bytes); b++)
                                bytes[b] = (uint8_t)(rand_r(&seed) >> 8);
                        if (i % 2) {
                                struct report r = report_of(channel, (uint8_t)(0x80 | bytes[0]),
                                                            BYTES(bytes, bytes[1] % 57));

                                memcpy(bytes, r.b, sizeof(r.b));
                        }
                        (void)!send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
                }
                close(fd);
                kit_assert_alive(k);
        }

        /* A message that was never completed is answered late, and libfido2 is no friend of that. */
        nanosleep(&message_timeout, NULL);
        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);
}

static void a_client_that_never_reads_is_dropped_alone(void **state) {
        struct daemon_kit *k = *state;
        int deaf, fd;

        kit_start(k, automatic);
        deaf = kit_connect(k->device, SOCK_SEQPACKET);
        fd = kit_connect(k->device, SOCK_SEQPACKET);
        for (int i = 0; i < 2000; i++)
                open_channel(fd);
        kit_assert_alive(k);
        close(deaf);
        close(fd);
}

static void more_connections_than_allowed_are_closed(void **state) {
        struct daemon_kit *k = *state;
        struct report r;
        int fd[17];

        kit_start(k, automatic);
        for (int i = 0; i < 16; i++) {
                fd[i] = kit_connect(k->device, SOCK_SEQPACKET);
                open_channel(fd[i]);
        }
        fd[16] = kit_connect(k->device, SOCK_SEQPACKET);
        assert_int_equal(recv(fd[16], r.b, sizeof(r.b), 0), 0);
        for (int i = 0; i < 17; i++)
                close(fd[i]);
        fd[0] = kit_connect(k->device, SOCK_SEQPACKET);
        open_channel(fd[0]);
        close(fd[0]);
}

static void assert_control_error(const struct daemon_kit *k, const char *line, const char *code) {
        int fd = kit_connect(k->control, SOCK_STREAM);
        char in[4096];
        ssize_t n;
        json_t *a;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, line, strlen(line)), strlen(line));
        n = recv(fd, in, sizeof(in), 0);
        assert_true(n > 0);
        a = json_loadb(in, (size_t)n, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(json_object_get(a, "error"), "code")),
                            code);
        json_decref(a);
        close(fd);
}

static void control_garbage_is_answered_and_costs_nothing(void **state) {
        struct daemon_kit *k = *state;
        char *line = malloc(70000);
        int fd;

        kit_start(k, automatic);
        assert_control_error(k, "\n", "bad-json");
        assert_control_error(k, "\x01\xff{]\n", "bad-json");
        assert_control_error(k, "{\"v\":9,\"id\":1,\"method\":\"list\"}\n", "bad-version");
        assert_control_error(k, "{\"v\":1,\"id\":1,\"method\":\"sing\"}\n", "unknown-method");
        assert_control_error(k, "{\"v\":1,\"id\":1,\"method\":\"show\"}\n", "bad-request");
        assert_control_error(k,
                             "{\"v\":1,\"id\":1,\"method\":\"show\","
                             "\"params\":{\"credential\":\"zz\"}}\n",
                             "bad-request");
        assert_control_error(k,
                             "{\"v\":1,\"id\":1,\"method\":\"show\","
                             "\"params\":{\"credential\":\"0123\"}}\n",
                             "not-found");
        assert_control_error(k,
                             "{\"v\":1,\"id\":1,\"method\":\"list\","
                             "\"params\":{\"device\":3}}\n",
                             "no-device");

        memset(line, ' ', 70000);
        line[65536] = '\0';
        assert_control_error(k, line, "too-long");
        free(line);

        /* Half a line, and a hang-up. */
        fd = kit_connect(k->control, SOCK_STREAM);
        assert_int_equal(write(fd, "{\"v\":1", 6), 6);
        close(fd);
        assert_string_equal(kit_state(k), "ready");
}

static void control_requests_on_one_connection_are_answered_in_order(void **state) {
        static const char requests[] = "{\"v\":1,\"id\":1,\"method\":\"list\"}\n"
                                       "{\"v\":1,\"id\":2,\"method\":\"status\"}\n"
                                       "nonsense\n"
                                       "{\"v\":1,\"id\":3,\"method\":\"doctor-info\"}\n";
        static const char *const ids[] = { "\"id\":1", "\"id\":2", "\"id\":null", "\"id\":3" };
        struct daemon_kit *k = *state;
        char line[8192];
        FILE *f;
        int fd;

        kit_start(k, automatic);
        fd = kit_connect(k->control, SOCK_STREAM);
        assert_int_equal(write(fd, requests, strlen(requests)), strlen(requests));
        f = fdopen(fd, "r");
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                assert_non_null(fgets(line, sizeof(line), f));
                assert_non_null(strstr(line, ids[i]));
        }
        fclose(f);
}

/* ---- failing and coming back ---- */

static void a_tpm_that_is_absent_is_named_and_the_daemon_stays(void **state) {
        static const char *const settings[] = { "--presence=auto", "--tpm=device:/nonexistent",
                                                NULL };
        struct daemon_kit *k = *state;
        char out[8192];

        kit_start(k, settings);
        assert_string_equal(kit_state(k), "failed");
        assert_int_equal(kit_connect(k->device, SOCK_SEQPACKET), -1);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 5);
        assert_non_null(strstr(out, "No TPM 2.0 answers at device:/nonexistent"));
        assert_int_equal(kit_cli(k, "list", out, sizeof(out)), 5);
        assert_int_equal(kit_cli(k, "presence once", out, sizeof(out)), 5);
        assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 5);
        assert_int_equal(kit_cli(k, "doctor", out, sizeof(out)), 1);
        assert_int_equal(kit_stop(k), 0);
}

static void a_simulator_that_ends_is_told_and_comes_back(void **state) {
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;
        char out[4096];
        pid_t swtpm;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, false);
        kit_close_key(dev);

        swtpm = kit_swtpm(k);
        assert_true(swtpm > 0);
        kill(swtpm, SIGKILL);
        kit_await_state(k, "failed");
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 5);
        assert_non_null(strstr(out, "swtpm ended"));
        assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);

        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);
}

/* A command in the folder of the first device's files. */
static void in_folder(const struct daemon_kit *k, const char *what) {
        char command[512];

        snprintf(command, sizeof(command), "cd %s/state/users/%u && %s", k->folder,
                 (unsigned)getuid(), what);
        assert_int_equal(system(command), 0);
}

static void a_tpm_that_was_replaced_gets_an_empty_store_and_the_old_one_comes_back(void **state) {
        struct daemon_kit *k = *state;
        char out[8192];
        struct passkey p;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, true);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);

        in_folder(k, "mv tpm tpm.old");
        kit_start(k, automatic);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "store.db.replaced-2"));
        assert_int_equal(kit_cli(k, "list", out, sizeof(out)), 0);
        assert_string_equal(out, "There are no passkeys on this device.\n");
        assert_int_equal(kit_cli(k, "doctor", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "The TPM was cleared or replaced"));
        dev = kit_open_key(k);
        assert_int_equal(sign_in_error(dev, &p), FIDO_ERR_NO_CREDENTIALS);
        kit_close_key(dev);
        assert_int_equal(kit_stop(k), 0);

        in_folder(k, "rm -r tpm && mv tpm.old tpm && mv store.db.replaced-* store.db");
        kit_start(k, automatic);
        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 0);
        assert_null(strstr(out, "note"));
        assert_int_equal(kit_stop(k), 0);
}

static void replug_opens_store_and_tpm_anew(void **state) {
        struct daemon_kit *k = *state;
        char out[4096];
        struct passkey p;
        fido_dev_t *dev;

        kit_start(k, automatic);
        dev = kit_open_key(k);
        p = register_passkey(dev, true);
        kit_close_key(dev);
        /* The note is written when a store is opened. */
        in_folder(k, "touch store.db.replaced-2026-01-01T0000");
        assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 0);
        assert_non_null(strstr(out, "replaced-2026-01-01T0000"));
        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);
}

/* The opening that hung fails while the next one is already awaited. */
static void an_answer_to_an_earlier_opening_is_not_taken_for_the_present_one(void **state) {
        const struct timespec pause = { .tv_sec = 1 };
        struct daemon_kit *k = *state;
        char out[1024];

        kit_start(k, automatic);
        for (int i = 0; i < 4; i++) {
                pid_t swtpm = kit_swtpm(k);

                assert_true(swtpm > 0);
                /* So soon after another it would not have begun to open. */
                nanosleep(&pause, NULL);
                assert_int_equal(kill(swtpm, SIGSTOP), 0);
                json_decref(kit_control(k, "replug", NULL));
                assert_string_equal(kit_state(k), "starting");
                assert_int_equal(kill(swtpm, SIGKILL), 0);
                kit_await_state(k, "failed");
                assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);
                assert_string_equal(out, "device 0: ready\n");
        }
        assert_int_equal(kit_stop(k), 0);
}

static void a_tpm_that_hangs_neither_fills_the_queue_nor_holds_the_end(void **state) {
        struct daemon_kit *k = *state;
        uint64_t before;
        pid_t swtpm;
        int fd;

        kit_start(k, automatic);
        swtpm = kit_swtpm(k);
        assert_true(swtpm > 0);
        fd = kit_connect(k->control, SOCK_STREAM);
        assert_int_equal(kill(swtpm, SIGSTOP), 0);
        dprintf(fd, "{\"v\":1,\"id\":1,\"method\":\"doctor-info\"}\n");
        for (int i = 0; i < 40; i++) {
                json_decref(kit_control(k, "replug", NULL));
                assert_string_equal(kit_state(k), "starting");
        }
        before = kit_now();
        assert_int_equal(kit_stop(k), 1);
        assert_in_range(kit_now() - before, 4000, 8000);
        close(fd);

        kit_start(k, automatic);
        assert_string_equal(kit_state(k), "ready");
        assert_int_equal(kit_stop(k), 0);
}

/* What came from the daemon to systemd so far and was not read. */
static unsigned watchdog_pings(const struct daemon_kit *k) {
        unsigned n = 0;
        char text[512];
        ssize_t len;

        while ((len = recv(k->notify, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
                text[len] = '\0';
                n += strstr(text, "WATCHDOG=1") != NULL;
        }
        return n;
}

/* The worker hangs in a TPM command; the loop, which the watchdog is about, does not. */
static void a_tpm_that_hangs_does_not_starve_the_watchdog(void **state) {
        const struct timespec a_while = { .tv_sec = 3 };
        struct daemon_kit *k = *state;
        unsigned pings;
        pid_t swtpm;

        assert_int_equal(setenv("WATCHDOG_USEC", "1000000", 1), 0);
        kit_start(k, automatic);
        assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
        swtpm = kit_swtpm(k);
        assert_true(swtpm > 0);
        assert_int_equal(kill(swtpm, SIGSTOP), 0);
        json_decref(kit_control(k, "replug", NULL));
        (void)watchdog_pings(k);
        nanosleep(&a_while, NULL);
        pings = watchdog_pings(k);
        assert_string_equal(kit_state(k), "starting");
        assert_in_range(pings, 2, 20);

        /* A loop that hangs is what it is for. */
        assert_int_equal(kill(k->pid, SIGSTOP), 0);
        (void)watchdog_pings(k);
        nanosleep(&a_while, NULL);
        assert_int_equal(watchdog_pings(k), 0);
        assert_int_equal(kill(k->pid, SIGCONT), 0);
        assert_int_equal(kit_stop(k), 1);
}

static void a_state_that_others_may_write_is_refused(void **state) {
        struct daemon_kit *k = *state;
        char folder[96], out[1024];

        kit_start(k, automatic);
        assert_int_equal(kit_stop(k), 0);
        snprintf(folder, sizeof(folder), "%s/state/users/%u", k->folder, (unsigned)getuid());
        assert_int_equal(chmod(folder, 0777), 0);
        kit_start(k, automatic);
        assert_int_equal(kit_cli(k, "status", out, sizeof(out)), 5);
        assert_non_null(strstr(out, "can be written by other accounts"));
        assert_int_equal(chmod(folder, 0700), 0);
        assert_int_equal(kit_cli(k, "replug", out, sizeof(out)), 0);
}

static void two_devices_are_two_keys(void **state) {
        static const char *const settings[] = { "--presence=auto", "--set=device.count=2", NULL };
        struct daemon_kit *k = *state;
        struct passkey p;
        fido_dev_t *dev;
        char first[sizeof(k->device)];

        kit_start(k, settings);
        dev = kit_open_key(k);
        p = register_passkey(dev, false);
        kit_close_key(dev);

        strcpy(first, k->device);
        strcat(k->device, ".1");
        dev = kit_open_key(k);
        assert_int_equal(sign_in_error(dev, &p), FIDO_ERR_NO_CREDENTIALS);
        kit_close_key(dev);
        strcpy(k->device, first);
        dev = kit_open_key(k);
        sign_in(dev, &p, true);
        kit_close_key(dev);
        passkey_done(&p);
        assert_int_equal(kit_stop(k), 0);
}

static void a_second_daemon_is_refused_and_harms_nothing(void **state) {
        struct daemon_kit *k = *state;
        char command[512];

        kit_start(k, automatic);
        snprintf(command, sizeof(command),
                 TPMAUTHND " --config=/dev/null --tpm=swtpm --presence=auto --device=socket:%s"
                           " --state-dir=%s/state --runtime-dir=%s/run 2>/dev/null",
                 k->device, k->folder, k->folder);
        assert_int_not_equal(system(command), 0);
        assert_string_equal(kit_state(k), "ready");
        assert_int_equal(kit_stop(k), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_passkey_is_made_and_used),
                TEST(a_u2f_client_is_served),
                TEST(a_restart_keeps_passkeys_and_counters),
                TEST(the_command_line_lists_shows_and_deletes),
                TEST(reset_by_the_command_line_erases_all),
                TEST(status_and_doctor_know_the_device),
                TEST(A36_cancel_is_answered_within_100_ms),
                TEST(A12_init_on_a_busy_channel_frees_it),
                TEST(A41_keepalives_come_every_100_ms_while_a_person_is_asked),
                TEST(presence_once_answers_one_request),
                TEST(a_wink_is_logged_once_a_plug_in),
                TEST(a_client_that_goes_away_leaves_no_question),
                TEST(a_name_with_a_nul_is_listed_and_deleted),
                TEST(a_control_request_and_a_question_do_not_meet),
                TEST(a_request_dies_with_its_client_if_it_has_not_begun),
                TEST(replug_ends_what_was_asked),
                TEST(GI5_a_device_that_can_verify_now_or_no_longer_is_plugged_in_anew),
                TEST(a_question_is_answered_before_the_device_is_plugged_in_anew),
                TEST(what_is_said_to_the_presence_is_checked),
                TEST(a_person_is_asked_on_the_terminal),
                TEST(ctrl_c_is_an_orderly_stop),
                TEST(the_daemon_stops_while_a_person_is_asked),
                TEST(a_wrong_configuration_starts_nothing),
                TEST(a_check_of_the_configuration_reads_the_certificates),
                TEST(MC9_an_organisation_attests_to_its_own_sites),
                TEST(B5_garbage_of_any_size_and_order_changes_nothing),
                TEST(a_client_that_never_reads_is_dropped_alone),
                TEST(more_connections_than_allowed_are_closed),
                TEST(control_garbage_is_answered_and_costs_nothing),
                TEST(control_requests_on_one_connection_are_answered_in_order),
                TEST(a_tpm_that_is_absent_is_named_and_the_daemon_stays),
                TEST(a_simulator_that_ends_is_told_and_comes_back),
                TEST(a_tpm_that_was_replaced_gets_an_empty_store_and_the_old_one_comes_back),
                TEST(replug_opens_store_and_tpm_anew),
                TEST(an_answer_to_an_earlier_opening_is_not_taken_for_the_present_one),
                TEST(a_tpm_that_hangs_neither_fills_the_queue_nor_holds_the_end),
                TEST(a_tpm_that_hangs_does_not_starve_the_watchdog),
                TEST(a_state_that_others_may_write_is_refused),
                TEST(two_devices_are_two_keys),
                TEST(a_second_daemon_is_refused_and_harms_nothing),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
