/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A key of a simulator says so wherever anybody could take it for one in hardware, and what stands in for a
 * person is refused to one in hardware. The latter is a simulator whose vendor is rewritten on its way.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/system/fido-kit.h"
#include "tests/system/swtpm.h"
#include "tests/unit/test.h"

struct fixture {
        struct daemon_kit kit;
        struct swtpm tpm;
        char setting[512];
        char out[65536];
};

static const unsigned char aaguid_of_hardware[16] = { 0xd9, 0x2d, 0x51, 0x32, 0x0e, 0x23,
                                                      0x4c, 0x97, 0xbe, 0x62, 0x45, 0x28,
                                                      0x05, 0x79, 0xa9, 0x62 };
static const unsigned char aaguid_of_simulator[16] = { 0x37, 0xc0, 0x7f, 0x02, 0x25, 0xc2,
                                                       0x4c, 0xd9, 0xa6, 0x33, 0x0f, 0xbd,
                                                       0x53, 0x26, 0x7e, 0x82 };

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return f ? kit_init(&f->kit) : -1;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        kit_done(&f->kit);
        swtpm_end(&f->tpm);
        free(f);
        return 0;
}

/* A TPM that the daemon did not start, and that passes for one in hardware or not. */
static void use_tpm(struct fixture *f, bool hardware) {
        char path[128];
        FILE *plan;

        swtpm_start(&f->tpm);
        snprintf(path, sizeof(path), "%s/plan", f->tpm.dir);
        plan = fopen(path, "w");
        assert_non_null(plan);
        fputs(hardware ? "hardware\n" : "", plan);
        assert_int_equal(fclose(plan), 0);
        snprintf(f->setting, sizeof(f->setting), "--tpm=%s:dir=%s,%s", WATCH_TCTI, f->tpm.dir,
                 f->tpm.tcti);
}

static void start(struct fixture *f, const char *presence) {
        const char *settings[] = { presence, *f->setting ? f->setting : NULL, NULL };

        kit_start(&f->kit, settings);
}

static const json_t *device_of(const json_t *answer) {
        return json_array_get(json_object_get(json_object_get(answer, "result"), "devices"), 0);
}

/* In status, in getInfo, in doctor and in the inventory. */
static void assert_says_what_it_is(struct fixture *f, bool is_simulator) {
        const unsigned char *want = is_simulator ? aaguid_of_simulator : aaguid_of_hardware;
        json_t *answer = kit_control(&f->kit, "status", NULL);
        const json_t *d = device_of(answer);
        const char *name = json_string_value(json_object_get(d, "name"));
        fido_dev_t *dev = kit_open_key(&f->kit);
        fido_cbor_info_t *info = fido_cbor_info_new();

        assert_int_equal(json_is_true(json_object_get(d, "simulator")), is_simulator);
        assert_string_equal(name, is_simulator ? "TPM Passkey (simulator)" : "TPM Passkey");
        json_decref(answer);

        assert_int_equal(fido_dev_get_cbor_info(dev, info), FIDO_OK);
        assert_int_equal(fido_cbor_info_aaguid_len(info), 16);
        assert_memory_equal(fido_cbor_info_aaguid_ptr(info), want, 16);
        fido_cbor_info_free(&info);
        kit_close_key(dev);

        kit_cli(&f->kit, "status", f->out, sizeof(f->out));
        assert_int_equal(strstr(f->out, "(simulator)") != NULL, is_simulator);
        kit_cli(&f->kit, "doctor", f->out, sizeof(f->out));
        assert_int_equal(strstr(f->out, "uses a simulator: its keys are not in hardware") != NULL,
                         is_simulator);
        assert_int_equal(kit_cli(&f->kit, "inventory --json", f->out, sizeof(f->out)), 0);
        assert_int_equal(strstr(f->out, "37c07f0225c24cd9a6330fbd53267e82") != NULL, is_simulator);
        assert_int_equal(strstr(f->out, "d92d51320e234c97be6245280579a962") != NULL, !is_simulator);
}

static void a_private_simulator_says_what_it_is(void **state) {
        struct fixture *f = *state;

        start(f, "--presence=auto");
        assert_says_what_it_is(f, true);
}

static void a_simulator_of_somebody_else_says_what_it_is(void **state) {
        struct fixture *f = *state;

        use_tpm(f, false);
        start(f, "--presence=script");
        assert_says_what_it_is(f, true);
}

static void a_tpm_in_hardware_is_none(void **state) {
        struct fixture *f = *state;

        use_tpm(f, true);
        start(f, "--presence=deny");
        assert_says_what_it_is(f, false);
}

/* A site that is registered with takes it from there. */
static void a_site_sees_that_a_passkey_is_of_a_simulator(void **state) {
        static const unsigned char challenge[32] = "a challenge of thirty-two bytes";
        fido_cred_t *cred = fido_cred_new();
        struct fixture *f = *state;
        fido_dev_t *dev;

        start(f, "--presence=auto");
        dev = kit_open_key(&f->kit);
        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", NULL), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u", 1, "u", NULL, NULL),
                         FIDO_OK);
        assert_int_equal(fido_dev_make_cred(dev, cred, NULL), FIDO_OK);
        assert_int_equal(fido_cred_aaguid_len(cred), 16);
        assert_memory_equal(fido_cred_aaguid_ptr(cred), aaguid_of_simulator, 16);
        fido_cred_free(&cred);
        kit_close_key(dev);
}

static void nothing_answers_by_itself_for_a_tpm_in_hardware(void **state) {
        static const char *const presences[] = { "--presence=auto", "--presence=script" };
        struct fixture *f = *state;

        use_tpm(f, true);
        for (size_t i = 0; i < ELEMENTSOF(presences); i++) {
                json_t *answer;

                start(f, presences[i]);
                answer = kit_control(&f->kit, "status", NULL);
                assert_string_equal(json_string_value(json_object_get(device_of(answer), "state")),
                                    "failed");
                assert_non_null(
                        strstr(json_string_value(json_object_get(device_of(answer), "reason")),
                               "allowed with a simulator TPM only"));
                json_decref(answer);
                /* There is no device that a client could find. */
                assert_true(kit_connect(f->kit.device, SOCK_SEQPACKET) < 0);
                assert_int_equal(kit_stop(&f->kit), 0);
        }
}

static void assert_refused(struct fixture *f, const char *method, const char *params) {
        json_t *answer = kit_control(&f->kit, method, params);

        assert_string_equal(json_string_value(
                                    json_object_get(json_object_get(answer, "error"), "code")),
                            "not-simulator");
        json_decref(answer);
}

/*
 * The virtual TPM of a machine has the vendor string of a simulator, and nobody configured one: here
 * there is one behind a TCTI that does not say so.
 */
static void a_tpm_that_only_says_it_is_a_simulator_takes_what_a_real_one_takes(void **state) {
        static const char *const requests[][2] = {
                { "presence", "{\"mode\":\"auto\"}" },
                { "presence", "{\"mode\":\"once\"}" },
                { "presence", "{\"mode\":\"pin-once\",\"pin\":\"1234\"}" },
                { "presence", "{\"mode\":\"delay\",\"ms\":1}" },
                { "seed", "{\"credentials\":[]}" },
                { "follow", "{}" },
                { "uv", "{\"result\":\"ok\"}" },
                { "fail-next", "{\"status\":1}" },
        };
        struct fixture *f = *state;
        json_t *answer;

        swtpm_start(&f->tpm);
        snprintf(f->setting, sizeof(f->setting), "--tpm=libtss2-tcti-swtpm.so.0%s",
                 strchr(f->tpm.tcti, ':'));
        start(f, "--presence=deny");
        assert_says_what_it_is(f, true);
        for (size_t i = 0; i < ELEMENTSOF(requests); i++)
                assert_refused(f, requests[i][0], requests[i][1]);

        assert_int_equal(kit_stop(&f->kit), 0);
        start(f, "--presence=script");
        answer = kit_control(&f->kit, "presence", "{\"mode\":\"auto\"}");
        assert_non_null(json_object_get(answer, "result"));
        json_decref(answer);
}

static void nobody_says_yes_over_the_socket_for_a_tpm_in_hardware(void **state) {
        static const char *const words[] = { "auto", "once", "pin", "pin-once" };
        struct fixture *f = *state;

        use_tpm(f, true);
        start(f, "--presence=deny");
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                char params[64];

                snprintf(params, sizeof(params), "{\"mode\":\"%s\"%s}", words[i],
                         i >= 2 ? ",\"pin\":\"1234\"" : "");
                assert_refused(f, "presence", params);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(a_private_simulator_says_what_it_is),
                T(a_simulator_of_somebody_else_says_what_it_is),
                T(a_tpm_in_hardware_is_none),
                T(a_site_sees_that_a_passkey_is_of_a_simulator),
                T(nothing_answers_by_itself_for_a_tpm_in_hardware),
                T(a_tpm_that_only_says_it_is_a_simulator_takes_what_a_real_one_takes),
                T(nobody_says_yes_over_the_socket_for_a_tpm_in_hardware),
#undef T
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
