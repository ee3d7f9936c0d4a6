/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Traces of a simulator, as tpmauthn writes them. Every secret that the client of ceremony-kit.h knows is
 * looked for in what was written: in the texts as hex, in the captures in the messages that their reports
 * make.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctap/hid.h"
#include "tests/system/ceremony-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"
#include "trace/assembly.h"

static const char *const automatic[] = { "--presence=auto", NULL };

/* ---- a recording ---- */

struct recording {
        pid_t pid;
        int err;
        char path[96];
};

/* Runs tpmauthn trace, and returns when it says that it writes. */
static void begin_recording(struct recording *r, const struct daemon_kit *k, const char *name,
                            const char *option) {
        char line[512] = { 0 };
        int pipes[2];
        size_t n = 0;

        snprintf(r->path, sizeof(r->path), "%s/%s", k->folder, name);
        assert_int_equal(pipe(pipes), 0);
        r->pid = fork();
        assert_true(r->pid >= 0);
        if (r->pid == 0) {
                dup2(pipes[1], 2);
                dup2(open("/dev/null", O_WRONLY), 1);
                close(pipes[0]);
                close(pipes[1]);
                execl(TPMAUTHN, "tpmauthn", "--socket", k->control, "trace", r->path, option,
                      (char *)NULL);
                _exit(127);
        }
        close(pipes[1]);
        r->err = pipes[0];
        while (n < sizeof(line) - 1 && !strchr(line, '\n')) {
                ssize_t got = read(r->err, line + n, sizeof(line) - 1 - n);

                if (got <= 0)
                        break;
                n += (size_t)got;
        }
        if (!strstr(line, "until Ctrl-C"))
                fail_msg("tpmauthn trace says: %s", line);
}

static int await_recording(struct recording *r) {
        int status;

        assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
        close(r->err);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void end_recording(struct recording *r) {
        assert_int_equal(kill(r->pid, SIGINT), 0);
        assert_int_equal(await_recording(r), 0);
}

/* The whole file, to be freed; a NUL follows it. */
static uint8_t *contents(const char *path, size_t *ret_size) {
        FILE *f = fopen(path, "r");
        uint8_t *all;
        long size;

        assert_non_null(f);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        size = ftell(f);
        rewind(f);
        all = calloc(1, (size_t)size + 1);
        assert_non_null(all);
        assert_int_equal(fread(all, 1, (size_t)size, f), size);
        fclose(f);
        *ret_size = (size_t)size;
        return all;
}

static void assert_text_has(const struct recording *r, const char *what) {
        size_t size;
        char *text = (char *)contents(r->path, &size);

        if (!strstr(text, what))
                fail_msg("'%s' is not in:\n%s", what, text);
        free(text);
}

/* ---- what a capture holds ---- */

static uint32_t le32(const uint8_t *p) {
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* All messages of a pcapng file one behind the other, to be freed, and how many reports they are in. */
static uint8_t *captured(const char *path, size_t *ret_size, unsigned *ret_n) {
        struct trace_assembly *ways[2] = { trace_assembly_new(), trace_assembly_new() };
        size_t size, n = 0;
        uint8_t *file = contents(path, &size), *all = malloc(size + 1);
        struct trace_frame f;

        assert_true(ways[0] && ways[1] && all);
        *ret_n = 0;
        for (size_t at = 0; at + 12 <= size; at += le32(file + at + 4)) {
                const uint8_t *packet = file + at + 28;

                assert_true(at + le32(file + at + 4) <= size);
                /* A packet, an interrupt transfer, and the half of it that has the report. */
                if (le32(file + at) != 6 || packet[9] != 1 || le32(packet + 36) != HID_REPORT_SIZE)
                        continue;
                (*ret_n)++;
                if (!trace_assembly_take(ways[packet[10] >> 7], packet + 64, &f))
                        continue;
                memcpy(all + n, f.payload.data, f.payload.len);
                n += f.payload.len;
        }
        trace_assembly_free(ways[0]);
        trace_assembly_free(ways[1]);
        free(file);
        *ret_size = n;
        return all;
}

/* ---- tests ---- */

static bool holds(const uint8_t *all, size_t size, const struct ceremony_secret *s, bool as_text) {
        const struct ceremony_hex h = ceremony_hex(BYTES(s->bytes, s->len));

        return memmem(all, size, s->bytes, s->len) != NULL ||
               (as_text && memmem(all, size, h.text, strlen(h.text)) != NULL);
}

static void assert_secrets(const struct ceremony_secrets *secrets, const struct recording *r,
                           bool as_text, bool wanted) {
        size_t size;
        unsigned n;
        uint8_t *all = as_text ? contents(r->path, &size) : captured(r->path, &size, &n);

        assert_true(secrets->n >= 18);
        for (size_t i = 0; i < secrets->n; i++) {
                const struct ceremony_secret *s = &secrets->all[i];
                bool there = holds(all, size, s, as_text);

                if (there != (wanted && s->on_the_wire))
                        fail_msg("%s: %s is %s", r->path, s->what, there ? "there" : "missing");
        }
        free(all);
}

static void no_secret_is_in_a_trace_unless_it_was_asked_for(void **state) {
        struct daemon_kit *k = *state;
        struct recording text, packets, all_text, all_packets;
        struct ceremony_secrets secrets;
        struct stat st;
        char path[96];

        kit_start(k, automatic);
        begin_recording(&text, k, "redacted.txt", NULL);
        begin_recording(&packets, k, "redacted.pcapng", NULL);
        /* One that is there already, for all to read. */
        snprintf(path, sizeof(path), "%s/all.txt", k->folder);
        close(open(path, O_WRONLY | O_CREAT, 0644));
        begin_recording(&all_text, k, "all.txt", "--secrets");
        begin_recording(&all_packets, k, "all.pcapng", "--secrets");
        ceremony_run(k, &secrets);
        end_recording(&text);
        end_recording(&packets);
        end_recording(&all_text);
        end_recording(&all_packets);

        assert_secrets(&secrets, &text, true, false);
        assert_secrets(&secrets, &packets, false, false);
        assert_secrets(&secrets, &all_text, true, true);
        assert_secrets(&secrets, &all_packets, false, true);
        assert_int_equal(stat(all_text.path, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
        assert_int_equal(kit_stop(k), 0);
}

static void redaction_changes_no_length(void **state) {
        struct daemon_kit *k = *state;
        struct recording redacted, all;
        size_t size[2], n_zeroed = 0;
        unsigned n[2];
        uint8_t *bytes[2];
        struct ceremony_secrets secrets;

        kit_start(k, automatic);
        begin_recording(&redacted, k, "redacted.pcapng", NULL);
        begin_recording(&all, k, "all.pcapng", "--secrets");
        ceremony_run(k, &secrets);
        end_recording(&redacted);
        end_recording(&all);
        bytes[0] = captured(redacted.path, &size[0], &n[0]);
        bytes[1] = captured(all.path, &size[1], &n[1]);
        assert_int_equal(n[0], n[1]);
        assert_int_equal(size[0], size[1]);
        for (size_t i = 0; i < size[0]; i++) {
                if (bytes[0][i] != bytes[1][i])
                        n_zeroed++;
                assert_true(bytes[0][i] == bytes[1][i] || bytes[0][i] == 0);
        }
        assert_true(n_zeroed > 400);
        free(bytes[0]);
        free(bytes[1]);
        assert_int_equal(kit_stop(k), 0);
}

static void a_login_can_be_read(void **state) {
        struct daemon_kit *k = *state;
        struct recording r;
        struct ceremony_secrets secrets;

        kit_start(k, automatic);
        begin_recording(&r, k, "login.txt", NULL);
        ceremony_run(k, &secrets);
        end_recording(&r);

        assert_text_has(&r, "device 0 said to each other");
        assert_text_has(&r, "# Secrets were taken out of it.\n");
        assert_text_has(&r, "client --> key  channel ffffffff  CTAPHID_INIT\n"
                            "    nonce: h'3132333435363738' / 8 bytes /\n");
        assert_text_has(&r, "CTAPHID_CBOR  authenticatorClientPIN setPIN\n");
        assert_text_has(&r, "        0x05 / newPinEnc /: h'...' / 80 bytes, redacted /\n");
        assert_text_has(&r, "CTAP2_OK (0x00) to authenticatorClientPIN "
                            "getPinUvAuthTokenUsingPinWithPermissions\n"
                            "    {\n"
                            "        0x02 / pinUvAuthToken /: h'...' / 48 bytes, redacted /\n"
                            "    }\n");
        assert_text_has(&r, "        0x02 / rp /: {\"id\": \"" CEREMONY_RP
                            "\", \"name\": \"Trace\"},\n");
        assert_text_has(&r, "CTAPHID_KEEPALIVE  ");
        assert_text_has(&r, "        # flags: 0xc5 UP UV AT ED\n");
        assert_text_has(&r, "\"hmac-secret\": h'...' / 48 bytes, redacted /");
        assert_text_has(&r, "        0x07 / largeBlobKey /: h'...' / 32 bytes, redacted /\n");
        assert_text_has(&r, "CTAP2_ERR_INVALID_CBOR (0x12) to authenticatorClientPIN\n");
        assert_text_has(&r, "SW_INS_NOT_SUPPORTED (0x6d00)\n");
        assert_int_equal(kit_stop(k), 0);
}

static void cli(const struct daemon_kit *k, const char *arguments, const char *input) {
        char out[512];

        if (kit_cli_with(k, arguments, input, out, sizeof(out)) != 0)
                fail_msg("%s: %s", arguments, out);
}

/* A client that is not ours, with a PIN that is typed into the key. */
static void what_libfido2_says_is_in_it(void **state) {
        static const struct timespec step = { .tv_nsec = 10 * 1000 * 1000 };
        struct daemon_kit *k = *state;
        struct kit_passkey passkey = { 0 };
        struct recording r;
        fido_dev_t *dev;
        bool made = false;

        kit_start(k, automatic);
        cli(k, "pin set", "1234\n");
        cli(k, "presence pin", "1234\n");
        begin_recording(&r, k, "fido.txt", NULL);
        /* It is plugged in anew some time after it was told the PIN, maybe in the middle of this. */
        for (int i = 0; i < 500 && !made; i++) {
                nanosleep(&step, NULL);
                dev = kit_open_key(k);
                made = fido_dev_has_uv(dev) && kit_make_passkey(dev, &passkey) == FIDO_OK;
                if (!made)
                        kit_close_key(dev);
        }
        assert_true(made);
        assert_int_equal(kit_use_passkey(dev, &passkey), FIDO_OK);
        kit_close_key(dev);
        es256_pk_free(&passkey.public);
        end_recording(&r);
        assert_text_has(&r, "CTAP2_OK (0x00) to authenticatorGetInfo\n");
        assert_text_has(&r, "CTAP2_OK (0x00) to authenticatorMakeCredential\n");
        assert_text_has(&r, "CTAP2_OK (0x00) to authenticatorGetAssertion\n");
        assert_text_has(&r, "\"id\": \"example.com\"");
        assert_int_equal(kit_stop(k), 0);
}

static void of_two_keys_only_the_one_is_in_it(void **state) {
        static const char *const two[] = { "--presence=auto", "--set=device.count=2", NULL };
        struct daemon_kit *k = *state;
        struct ceremony_secrets secrets;
        struct recording first, second;
        size_t size;
        uint8_t *all;
        unsigned n;

        kit_start(k, two);
        begin_recording(&first, k, "first.pcapng", "--device=0");
        begin_recording(&second, k, "second.pcapng", "--device=1");
        ceremony_run(k, &secrets);
        end_recording(&first);
        end_recording(&second);
        all = captured(first.path, &size, &n);
        assert_true(n > 28);
        free(all);
        all = captured(second.path, &size, &n);
        assert_int_equal(n, 0);
        free(all);
        assert_int_equal(kit_stop(k), 0);
}

/* What the framing refuses is what one looks for. */
static void what_is_refused_is_in_it(void **state) {
        struct daemon_kit *k = *state;
        struct recording r;

        kit_start(k, automatic);
        begin_recording(&r, k, "refused.txt", NULL);
        ceremony_run_refused(k);
        end_recording(&r);
        assert_text_has(&r, "CTAPHID_PING\n");
        assert_text_has(&r, "CTAPHID_ERROR  ERR_INVALID_CHANNEL (0x0b)\n");
        assert_int_equal(kit_stop(k), 0);
}

/* ---- Wireshark ---- */

static void run_tshark(const struct recording *r, const char *arguments, char *out, size_t size) {
        char command[512];
        FILE *from;
        size_t n;

        snprintf(command, sizeof(command), "HOME=/nonexistent tshark -r %s %s 2>/dev/null", r->path,
                 arguments);
        from = popen(command, "r");
        assert_non_null(from);
        n = fread(out, 1, size - 1, from);
        out[n] = '\0';
        assert_int_equal(pclose(from), 0);
}

static unsigned count_lines(const char *text) {
        unsigned n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

static void wireshark_takes_it_for_a_fido_key(void **state) {
        struct daemon_kit *k = *state;
        struct recording r;
        struct ceremony_secrets secrets;
        static char out[262144];
        uint8_t *all;
        size_t size;
        unsigned n;

        kit_start(k, automatic);
        begin_recording(&r, k, "wireshark.pcapng", NULL);
        ceremony_run(k, &secrets);
        end_recording(&r);

        /* Nothing in it is malformed, and all of it is USB. */
        run_tshark(&r, "-Y '_ws.malformed || !usb || _ws.expert.severity >= 0x600000'", out,
                   sizeof(out));
        assert_string_equal(out, "");
        run_tshark(&r, "-Y usb.idVendor -T fields -e usb.idVendor -e usb.idProduct", out,
                   sizeof(out));
        assert_non_null(strstr(out, "0x1209"));
        run_tshark(
                &r,
                "-Y usb.bInterfaceClass -T fields -e usb.bInterfaceClass -e usb.bEndpointAddress",
                out, sizeof(out));
        assert_non_null(strstr(out, "0x03"));
        assert_non_null(strstr(out, "0x81,0x01"));
        run_tshark(&r, "-O usbhid -Y usbhid.item.global.usage", out, sizeof(out));
        assert_non_null(strstr(out, "FIDO"));

        /* Every report is read by the descriptor, and both halves of a transfer belong together. */
        run_tshark(&r, "-Y usbhid.data", out, sizeof(out));
        all = captured(r.path, &size, &n);
        assert_int_equal(count_lines(out), n);
        assert_true(n > 28);
        free(all);
        run_tshark(&r, "-V -Y usbhid.data", out, sizeof(out));
        assert_non_null(strstr(out, "Usage: Input Report Data"));
        assert_non_null(strstr(out, "Usage: Output Report Data"));
        run_tshark(&r, "-Y 'usb.transfer_type == 1 && usb.urb_type == 67 && !usb.request_in'", out,
                   sizeof(out));
        assert_string_equal(out, "");
        assert_int_equal(kit_stop(k), 0);
}

/* ---- what may go wrong ---- */

static void a_file_that_is_neither_is_refused(void **state) {
        struct daemon_kit *k = *state;
        char out[1024], arguments[160];

        kit_start(k, automatic);
        snprintf(arguments, sizeof(arguments), "trace %s/trace.pcap", k->folder);
        assert_int_equal(kit_cli(k, arguments, out, sizeof(out)), 2);
        assert_non_null(strstr(out, ".pcapng or .txt"));
        assert_int_equal(kit_cli(k, "trace /nonexistent/trace.txt", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "/nonexistent/trace.txt: No such file or directory"));
        assert_int_equal(kit_cli(k, "--device 5 trace /dev/null.txt", out, sizeof(out)), 1);
        assert_non_null(strstr(out, "is number 0."));
        assert_int_equal(kit_stop(k), 0);
        assert_int_equal(kit_cli(k, "trace /dev/null.txt", out, sizeof(out)), 3);
}

static void when_the_daemon_ends_the_file_is_whole(void **state) {
        struct daemon_kit *k = *state;
        struct recording r, p;
        struct ceremony_secrets secrets;
        uint8_t *all;
        size_t size;
        unsigned n;

        kit_start(k, automatic);
        begin_recording(&r, k, "end.txt", NULL);
        begin_recording(&p, k, "end.pcapng", NULL);
        ceremony_run(k, &secrets);
        assert_int_equal(kit_stop(k), 0);
        assert_int_equal(await_recording(&r), 3);
        assert_int_equal(await_recording(&p), 3);
        assert_text_has(&r, "SW_INS_NOT_SUPPORTED (0x6d00)\n");
        all = captured(p.path, &size, &n);
        assert_non_null(memmem(all, size, "\x6d\x00", 2));
        free(all);
}

static void a_full_disk_is_told(void **state) {
        struct daemon_kit *k = *state;
        struct recording r;
        struct ceremony_secrets secrets;
        char path[96];

        kit_start(k, automatic);
        snprintf(path, sizeof(path), "%s/full.txt", k->folder);
        assert_int_equal(symlink("/dev/full", path), 0);
        begin_recording(&r, k, "full.txt", NULL);
        ceremony_run(k, &secrets);
        assert_int_equal(kill(r.pid, SIGTERM), 0);
        assert_int_equal(await_recording(&r), 1);
        assert_int_equal(kit_stop(k), 0);
}

static void what_follow_takes_is_checked(void **state) {
        static const char *const wrong[] = {
                "{\"frames\":1}",
                "{\"frames\":\"yes\"}",
                "{\"secrets\":true}",
                "{\"frames\":false,\"secrets\":true}",
                "{\"frames\":true,\"secrets\":null}",
                "{\"frame\":true}",
        };
        struct daemon_kit *k = *state;

        kit_start(k, automatic);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                json_t *answer = kit_control(k, "follow", wrong[i]);
                const json_t *error = json_object_get(answer, "error");

                if (!error)
                        fail_msg("%s was taken", wrong[i]);
                assert_string_equal(json_string_value(json_object_get(error, "code")),
                                    "bad-request");
                json_decref(answer);
        }
        assert_int_equal(kit_stop(k), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(no_secret_is_in_a_trace_unless_it_was_asked_for),
                TEST(redaction_changes_no_length),
                TEST(a_login_can_be_read),
                TEST(what_libfido2_says_is_in_it),
                TEST(of_two_keys_only_the_one_is_in_it),
                TEST(what_is_refused_is_in_it),
                TEST(wireshark_takes_it_for_a_fido_key),
                TEST(a_file_that_is_neither_is_refused),
                TEST(when_the_daemon_ends_the_file_is_whole),
                TEST(a_full_disk_is_told),
                TEST(what_follow_takes_is_checked),
        };

        return cmocka_run_group_tests_name("daemon-trace", tests, NULL, NULL);
}
