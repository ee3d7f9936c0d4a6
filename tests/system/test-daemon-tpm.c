/* SPDX-License-Identifier: BSD-2-Clause */

/* The daemon on a TPM that is not its own: it sleeps, it is gone for a while, it is cleared. */

#include <dirent.h>
#include <fido.h>
#include <fido/rs256.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "build-config.h"
#include "ctap/bytes.h"
#include "tests/system/fido-kit.h"
#include "tests/system/swtpm.h"
#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

struct world {
        struct daemon_kit kit;
        struct swtpm tpm;
};

static void start(struct world *w) {
        char setting[96];
        const char *settings[] = { "--presence=auto", "--log-level=debug", setting, NULL };

        snprintf(setting, sizeof(setting), "--tpm=%s", w->tpm.tcti);
        kit_start(&w->kit, settings);
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        swtpm_start(&w->tpm);
        if (kit_init(&w->kit) < 0)
                return -1;
        start(w);
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        kit_done(&w->kit);
        swtpm_end(&w->tpm);
        free(w);
        return 0;
}

static void assert_cli(struct world *w, const char *arguments, const char *input, int status,
                       const char *says) {
        char out[8192];
        int got = kit_cli_with(&w->kit, arguments, input, out, sizeof(out));

        if (got != status || !strstr(out, says))
                fail_msg("tpmauthn %s: exit %d and not %d, or not '%s': %s", arguments, got, status,
                         says, out);
}

/* The status of a registration. */
static int register_one(fido_dev_t *dev) {
        static const unsigned char hash[32] = "thirty-two bytes of client data";
        fido_cred_t *c = fido_cred_new();
        int r;

        fido_cred_set_type(c, COSE_ES256);
        fido_cred_set_rp(c, "sleep.test", NULL);
        fido_cred_set_user(c, (const unsigned char *)"u", 1, "u", NULL, NULL);
        fido_cred_set_clientdata_hash(c, hash, sizeof(hash));
        fido_cred_set_rk(c, FIDO_OPT_TRUE);
        r = fido_dev_make_cred(dev, c, NULL);
        fido_cred_free(&c);
        return r;
}

static void a_tpm_that_slept_works_on(void **state) {
        const struct timespec until_idle = { .tv_sec = 1, .tv_nsec = 300000000 };
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);

        for (int i = 0; i < 2; i++) {
                assert_int_equal(register_one(dev), FIDO_OK);
                nanosleep(&until_idle, NULL); /* it lets the connection go, which swtpm waits for */
                swtpm_sleep(&w->tpm, i == 0);
        }
        assert_int_equal(register_one(dev), FIDO_OK);
        assert_cli(w, "pin set", "1234\n", 0, "set");
        nanosleep(&until_idle, NULL);
        swtpm_sleep(&w->tpm, false);
        assert_cli(w, "pin change", "1234\n5678\n", 0, "changed");
        assert_cli(w, "status", "", 0, "ready");
        kit_close_key(dev);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_tpm_that_is_gone_is_told_by_status_and_comes_back(void **state) {
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);

        swtpm_kill(&w->tpm);
        assert_int_equal(register_one(dev), FIDO_ERR_ERR_OTHER);
        kit_await_state(&w->kit, "failed");
        assert_cli(w, "status", "", 5, "No TPM 2.0 answers at swtpm:");
        assert_cli(w, "doctor", "", 1, "device 0 is failed");

        /* It is noticed by itself with the next request. */
        swtpm_boot(&w->tpm);
        assert_int_equal(register_one(dev), FIDO_OK);
        kit_await_state(&w->kit, "ready");

        /* Or when somebody says so. */
        swtpm_kill(&w->tpm);
        assert_int_equal(register_one(dev), FIDO_ERR_ERR_OTHER);
        kit_await_state(&w->kit, "failed");
        kit_close_key(dev);
        assert_cli(w, "replug", "", 5, "No TPM 2.0 answers");
        swtpm_boot(&w->tpm);
        assert_cli(w, "replug", "", 0, "ready");
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* The backup, of an empty store, was changed: the TPM is asked whether it takes the place of this one. */
static void a_tpm_that_is_gone_during_a_restore_is_told_by_status(void **state) {
        struct world *w = *state;
        char arguments[128], command[256];

        snprintf(arguments, sizeof(arguments), "backup %s/backup", w->kit.folder);
        assert_cli(w, arguments, "", 0, "");
        snprintf(command, sizeof(command),
                 "printf Z | dd of=%s/backup bs=1 conv=notrunc seek=20000 status=none",
                 w->kit.folder);
        assert_int_equal(system(command), 0);
        swtpm_kill(&w->tpm);
        snprintf(arguments, sizeof(arguments), "--yes restore %s/backup", w->kit.folder);
        assert_cli(w, arguments, "", 1, "No TPM 2.0 answers at swtpm:");
        kit_await_state(&w->kit, "failed");
        assert_cli(w, "status", "", 5, "No TPM 2.0 answers at swtpm:");
        assert_true(kit_connect(w->kit.device, SOCK_SEQPACKET) < 0);
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void a_tpm_that_was_cleared_begins_anew(void **state) {
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);

        assert_int_equal(register_one(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(&w->kit), 0);
        swtpm_clear(&w->tpm);
        start(w);
        assert_cli(w, "status", "", 0, "store.db.replaced-2");
        assert_cli(w, "list", "", 0, "There are no passkeys");
        dev = kit_open_key(&w->kit);
        assert_int_equal(register_one(dev), FIDO_OK);
        kit_close_key(dev);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* ---- a TPM that takes seconds for an RSA key ---------------------------------------------- */

/* The same TPM, in whose way something stands that is told what to do. */
static void start_watched(struct world *w, const char *plan) {
        char setting[400], path[80];
        const char *settings[] = { "--presence=auto", "--log-level=debug", setting, NULL };
        FILE *f;

        assert_int_equal(kit_stop(&w->kit), 0);
        snprintf(setting, sizeof(setting), "--tpm=%s:dir=%s,%s", WATCH_TCTI, w->kit.folder,
                 w->tpm.tcti);
        kit_start(&w->kit, settings);
        snprintf(path, sizeof(path), "%s/plan", w->kit.folder);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(plan, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

enum { INIT = 0x86, CBOR = 0x90, KEEPALIVE = 0xbb, PROCESSING = 1, UPNEEDED = 2 };

static void receive(int fd, uint8_t report[64]) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 2000), 1); /* a client would give up after three */
        assert_int_equal(recv(fd, report, 64, 0), 64);
}

static int open_channel(const struct world *w, uint8_t channel[4]) {
        static const uint8_t init[64] = {
                0xff, 0xff, 0xff, 0xff, INIT, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8
        };
        int fd = kit_connect(w->kit.device, SOCK_SEQPACKET);
        uint8_t report[64];

        assert_int_equal(send(fd, init, sizeof(init), 0), sizeof(init));
        receive(fd, report);
        memcpy(channel, report + 15, 4);
        return fd;
}

/* makeCredential of a.test for RS256. */
static void ask_for_rsa(int fd, const uint8_t channel[4]) {
        static const uint8_t head[] = { 0x01, 0xa4, 0x01, 0x58, 0x20 };
        static const uint8_t tail[] = "\x02\xa1\x62id\x66"
                                      "a.test"
                                      "\x03\xa1\x62id\x41\x01"
                                      "\x04\x81\xa2\x63"
                                      "alg\x39\x01\x00"
                                      "\x64type\x6apublic-key";
        const size_t n_tail = sizeof(tail) - 1;
        uint8_t message[sizeof(head) + 32 + sizeof(tail)] = { 0 }, report[64] = { 0 };
        const size_t n = sizeof(head) + 32 + n_tail;

        memcpy(message, head, sizeof(head));
        memcpy(message + sizeof(head) + 32, tail, n_tail);
        assert_in_range(n, 58, 57 + 59);
        memcpy(report, channel, 4);
        report[4] = CBOR;
        report[6] = (uint8_t)n;
        memcpy(report + 7, message, 57);
        assert_int_equal(send(fd, report, sizeof(report), 0), sizeof(report));
        memset(report + 4, 0, sizeof(report) - 4);
        memcpy(report + 5, message + 57, n - 57);
        assert_int_equal(send(fd, report, sizeof(report), 0), sizeof(report));
}

static void A41_keepalives_go_on_while_an_rsa_key_is_made(void **state) {
        struct world *w = *state;
        unsigned n_keepalives = 0;
        uint8_t channel[4], report[64];
        uint64_t before;
        int fd;

        start_watched(w, "slow Create 3000\n");
        fd = open_channel(w, channel);
        before = kit_now();
        ask_for_rsa(fd, channel);
        for (receive(fd, report); report[4] == KEEPALIVE; receive(fd, report)) {
                assert_true(report[7] == PROCESSING || report[7] == UPNEEDED);
                n_keepalives++;
        }
        assert_int_equal(report[4], CBOR);
        assert_int_equal(report[7], 0);
        assert_true(kit_now() - before >= 3000);
        assert_true(n_keepalives >= 15);
        close(fd);
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* And libfido2 is content with key and signature, of a registration and of a sign-in. */
static void a_client_registers_and_signs_in_with_rsa(void **state) {
        static const unsigned char hash[32] = "thirty-two bytes of client data";
        struct world *w = *state;
        fido_dev_t *dev = kit_open_key(&w->kit);
        fido_cred_t *c = fido_cred_new();
        fido_assert_t *a = fido_assert_new();
        rs256_pk_t *pk = rs256_pk_new();
        char show[16];

        fido_cred_set_type(c, COSE_RS256);
        fido_cred_set_rp(c, "rsa.test", NULL);
        fido_cred_set_user(c, (const unsigned char *)"u", 1, "u", NULL, NULL);
        fido_cred_set_clientdata_hash(c, hash, sizeof(hash));
        assert_int_equal(fido_dev_make_cred(dev, c, NULL), FIDO_OK);
        assert_int_equal(fido_cred_type(c), COSE_RS256);
        assert_int_equal(fido_cred_verify_self(c), FIDO_OK);

        fido_assert_set_rp(a, "rsa.test");
        fido_assert_set_clientdata_hash(a, hash, sizeof(hash));
        fido_assert_allow_cred(a, fido_cred_id_ptr(c), fido_cred_id_len(c));
        assert_int_equal(fido_dev_get_assert(dev, a, NULL), FIDO_OK);
        assert_int_equal(rs256_pk_from_ptr(pk, fido_cred_pubkey_ptr(c), fido_cred_pubkey_len(c)),
                         FIDO_OK);
        assert_int_equal(fido_assert_verify(a, 0, COSE_RS256, pk), FIDO_OK);
        snprintf(show, sizeof(show), "show %02x%02x", fido_cred_id_ptr(c)[0],
                 fido_cred_id_ptr(c)[1]);
        rs256_pk_free(&pk);
        fido_assert_free(&a);
        fido_cred_free(&c);
        kit_close_key(dev);
        assert_cli(w, "tpm", "", 0, "RSA-2048               yes");
        assert_cli(w, show, "", 0, "algorithm    -257");
        assert_int_equal(kit_stop(&w->kit), 0);
}

/* The value of a line of a thread's status: how many filters it is under (2: by rules). */
static int seccomp_mode(pid_t pid, const char *thread) {
        char path[300], line[256];
        int mode = -1;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, thread);
        f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "Seccomp: %d", &mode) == 1)
                        break;
        if (f)
                fclose(f);
        return mode;
}

static void every_thread_is_in_the_sandbox(void **state) {
        struct world *w = *state;
        const int mode = TPMAUTHN_INSTRUMENTED ? 0 : 2;
        const struct dirent *e;
        unsigned n = 0;
        char path[64];
        DIR *d;

        assert_cli(w, "replug", "", 0, "ready");
        snprintf(path, sizeof(path), "/proc/%d/task", (int)w->kit.pid);
        d = opendir(path);
        assert_non_null(d);
        while ((e = readdir(d)))
                if (e->d_name[0] != '.') {
                        assert_int_equal(seccomp_mode(w->kit.pid, e->d_name), mode);
                        n++;
                }
        closedir(d);
        assert_true(n >= 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_tpm_that_slept_works_on),
                TEST(a_tpm_that_is_gone_is_told_by_status_and_comes_back),
                TEST(a_tpm_that_is_gone_during_a_restore_is_told_by_status),
                TEST(a_tpm_that_was_cleared_begins_anew),
                TEST(A41_keepalives_go_on_while_an_rsa_key_is_made),
                TEST(a_client_registers_and_signs_in_with_rsa),
                TEST(every_thread_is_in_the_sandbox),
        };

        return cmocka_run_group_tests_name("daemon-tpm", tests, NULL, NULL);
}
