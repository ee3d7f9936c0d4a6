/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/config.c: order, every kind of mistake with its place, and the nearest key. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "authenticator/config.h"
#include "authenticator/util.h"
#include "tests/unit/test.h"

struct fixture {
        char folder[64];
        struct config config;
        char *text; /* what was complained about */
        size_t size;
        FILE *errors;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->folder, "/tmp/tpmauthn-config-XXXXXX");
        f->errors = open_memstream(&f->text, &f->size);
        if (!mkdtemp(f->folder) || !f->errors || config_init(&f->config) < 0)
                return -1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;
        char command[128];

        snprintf(command, sizeof(command), "rm -rf %s", f->folder);
        if (system(command) != 0)
                return -1;
        fclose(f->errors);
        free(f->text);
        config_done(&f->config);
        free(f);
        return 0;
}

static const char *path_of(const struct fixture *f, const char *name) {
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", f->folder, name);
        return path;
}

static void write_file(const struct fixture *f, const char *name, const char *text) {
        _cleanup_(close_stream) FILE *file = NULL;
        char *slash = strrchr(name, '/');
        char folder[64];

        if (slash) {
                snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
                mkdir(path_of(f, folder), 0700);
        }
        file = fopen(path_of(f, name), "w");
        assert_non_null(file);
        fputs(text, file);
}

static int read_one(struct fixture *f, const char *text) {
        struct config_places places = { .file_required = true };
        int r;

        write_file(f, "c.conf", text);
        places.file = path_of(f, "c.conf");
        r = config_read(&f->config, &places, f->errors);
        fflush(f->errors);
        return r;
}

static void assert_complaint(const struct fixture *f, const char *part) {
        if (!strstr(f->text, part))
                fail_msg("no '%s' in: %s", part, f->text);
}

static void every_key_has_a_default(void **state) {
        struct fixture *f = *state;

        assert_string_equal(f->config.device, "uhid");
        assert_string_equal(f->config.tpm, "device:/dev/tpmrm0");
        assert_int_equal(f->config.presence, PRESENCE_AGENT);
        assert_int_equal(f->config.presence_timeout_ms, 30000);
        assert_int_equal(f->config.max_credentials, 10000);
        assert_int_equal(f->config.nv.first, 0x01800200);
        assert_int_equal(f->config.persistent.last, 0x810180ff);
        assert_int_equal(f->config.log_level, LOG_INFO);
        assert_false(f->config.persist_srk);
        assert_int_equal(f->config.sessions, TPM_SESSIONS_AUTO);
        assert_false(f->config.always_uv);
        assert_true(f->config.presence_verify);
        assert_false(f->config.presence_verified);
        assert_true(f->config.presence_fingerprint);
        assert_string_equal(f->config.presence_pin_file, "");
        assert_int_equal(config_locks(&f->config), 0);
        assert_int_equal(f->config.min_pin_length, 4);
        assert_false(f->config.pin_complexity);
        assert_string_equal(f->config.rp_allow.text, "");
        assert_string_equal(f->config.rp_deny.text, "");
        assert_int_equal(f->config.enterprise, CTAP_ENTERPRISE_CLIENT);
        assert_false(f->config.reset_by_administrator);
        assert_int_equal(f->config.remote, CONFIG_REMOTE_QUIET);
        assert_true(f->config.ctap_2_3);
        assert_int_equal(f->config.large_blobs, 65536);
        assert_string_equal(f->config.attestation_key, "");
        assert_string_equal(f->config.attestation_certificates, "");
        assert_string_equal(f->config.attestation_rp_ids, "");
}

static void values_are_read(void **state) {
        struct fixture *f = *state;

        assert_int_equal(
                read_one(
                        f,
                        "# comment\n[device]\n  device = socket:/tmp/x ; why\n"
                        "count=2\n[tpm]\ntpm = swtpm\npersist-srk = yes\n"
                        "nv-range = 0x01800300-0x0180030f\nsessions = salted\n"
                        "[policy]\nalways-uv = yes\nlocked = all\nctap-2.3 = no\nlarge-blobs = 1024\n"
                        "min-pin-length = 8\npin-complexity = yes\nreset = administrator\n"
                        "rp-allow = *.example.com  a.example\nrp-deny = ssh:*\nremote = deny\n"
                        "enterprise-attestation = listed\n"
                        "[presence]\npresence = script\ntimeout = 1500ms\n"
                        "verify = no\nrequire = verify\nfingerprint = no\npin-file = /etc/pin\n"
                        "[attestation]\nkey = /etc/key.pem\ncertificates = /etc/chain.pem\n"
                        "rp-ids = a.example  b-2.example\n"),
                0);
        assert_string_equal(f->config.device, "socket:/tmp/x");
        assert_int_equal(f->config.count, 2);
        assert_string_equal(f->config.tpm, "swtpm");
        assert_true(f->config.persist_srk);
        assert_int_equal(f->config.nv.last, 0x0180030f);
        assert_int_equal(f->config.sessions, TPM_SESSIONS_SALTED);
        assert_true(f->config.always_uv);
        assert_int_equal(config_locks(&f->config), CTAP_LOCK_ALL);
        assert_int_equal(f->config.min_pin_length, 8);
        assert_true(f->config.pin_complexity);
        assert_true(f->config.reset_by_administrator);
        assert_string_equal(f->config.rp_allow.text, "*.example.com a.example");
        assert_string_equal(f->config.rp_deny.text, "ssh:*");
        assert_int_equal(f->config.remote, CONFIG_REMOTE_DENY);
        assert_int_equal(f->config.enterprise, CTAP_ENTERPRISE_LISTED);
        assert_false(f->config.ctap_2_3);
        assert_int_equal(f->config.large_blobs, 1024);
        assert_int_equal(f->config.presence, PRESENCE_SCRIPT);
        assert_int_equal(f->config.presence_timeout_ms, 1500);
        assert_false(f->config.presence_verify);
        assert_true(f->config.presence_verified);
        assert_false(f->config.presence_fingerprint);
        assert_string_equal(f->config.presence_pin_file, "/etc/pin");
        assert_string_equal(f->config.attestation_key, "/etc/key.pem");
        assert_string_equal(f->config.attestation_certificates, "/etc/chain.pem");
        assert_string_equal(f->config.attestation_rp_ids, "a.example  b-2.example");
        assert_int_equal(read_one(f, "[presence]\npin-file =\nrequire = touch\n"), 0);
        assert_string_equal(f->config.presence_pin_file, "");
        assert_false(f->config.presence_verified);
}

static void large_blobs_can_be_turned_off(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[policy]\nlarge-blobs = 0\n"), 0);
        assert_int_equal(f->config.large_blobs, 0);
        assert_int_equal(read_one(f, "[policy]\nlarge-blobs = 1048576\n"), 0);
        assert_int_equal(f->config.large_blobs, 1048576);
}

static void unknown_key_is_named_with_file_line_and_the_nearest(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[presence]\n\npresense = auto\n"), -EINVAL);
        assert_complaint(f, "/c.conf:3: [presence] presense: there is no such key; the nearest is "
                            "[presence] presence\n");
}

static void key_in_the_wrong_section_is_told_the_right_one(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[daemon]\ntimeout = 3\n"), -EINVAL);
        assert_complaint(f, "/c.conf:2: [daemon] timeout: there is no such key; the nearest is "
                            "[presence] timeout\n");
}

static void wrong_value_says_what_is_taken(void **state) {
        static const struct {
                const char *text, *complaint;
        } cases[] = {
                { "[device]\ncount = 0\n", "2: [device] count = 0: a number from 1 to 16" },
                { "[device]\ncount = 17\n", "2: [device] count = 17: a number" },
                { "[device]\ncount = 1x\n", "2: [device] count = 1x: a number" },
                { "[device]\ncount = -1\n", "2: [device] count = -1: a number" },
                { "[device]\ndevice = usb\n", "uhid, uhid:/PATH or socket:/PATH" },
                { "[device]\ndevice = socket:x\n", "uhid, uhid:/PATH or socket:/PATH" },
                { "[device]\nname =\n", "a text of at most 100 bytes" },
                { "[daemon]\nstate-directory = here\n", "an absolute path" },
                { "[daemon]\nlog-level = loud\n", "err, warning, notice, info or debug" },
                { "[tpm]\ntpm =\n", "a TCTI such as" },
                { "[tpm]\npersist-srk = maybe\n", "yes or no" },
                { "[tpm]\nnv-range = 0x01800200\n", "two NV handles" },
                { "[tpm]\nnv-range = 0x81800200-0x81800300\n", "two NV handles" },
                { "[tpm]\nnv-range = 0x01800300-0x01800200\n", "two NV handles" },
                { "[tpm]\npersistent-range = 0x01000000-0x01000001\n", "two persistent handles" },
                { "[presence]\npresence = always\n", "agent, tty, auto, script or deny" },
                { "[presence]\ntimeout = 1h\n", "a time from 100ms to 10min" },
                { "[presence]\ntimeout = 99ms\n", "a time from 100ms to 10min" },
                { "[presence]\ntimeout = 11min\n", "a time from 100ms to 10min" },
                { "[presence]\ntimeout = 99999999999999999999s\n", "a time from 100ms to 10min" },
                { "[presence]\npin-file = pin\n", "an absolute path, or nothing" },
                { "[presence]\nrequire = finger\n", "touch or verify" },
                { "[presence]\nfingerprint = 2\n", "yes or no" },
                { "[store]\nmax-credentials = 1000001\n", "a number from 1 to 1000000" },
                { "[store]\nmax-credentials = 0\n", "a number from 1 to 1000000" },
                { "[policy]\nlocked = yes\n", "keys of [policy], or SECTION.KEY" },
                { "[policy]\nlocked = always-uv lock\n", "keys of [policy], or SECTION.KEY" },
                { "[policy]\nlocked = presence.always-uv\n", "keys of [policy], or SECTION.KEY" },
                { "[policy]\nmin-pin-length = 3\n", "a number from 4 to 63" },
                { "[policy]\nmin-pin-length = 64\n", "a number from 4 to 63" },
                { "[policy]\npin-complexity = 1\n", "yes or no" },
                { "[policy]\nrp-allow = https://a.example/*.b\n", "names such as example.com" },
                { "[policy]\nrp-deny = *\n", "names such as example.com" },
                { "[policy]\nreset = root\n", "anyone or administrator" },
                { "[policy]\nremote = allow\n", "quiet or deny" },
                { "[policy]\nenterprise-attestation = 1\n", "client, off, listed or on" },
                { "[policy]\nctap-2.3 =\n", "yes or no" },
                { "[policy]\nlarge-blobs = 1023\n", "0 or a number from 1024 to 1048576" },
                { "[policy]\nlarge-blobs = 1048577\n", "0 or a number from 1024 to 1048576" },
                { "[policy]\nlarge-blobs = -1\n", "0 or a number from 1024 to 1048576" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(read_one(f, cases[i].text), -EINVAL);
                assert_complaint(f, cases[i].complaint);
        }
}

static void all_mistakes_of_a_file_are_named(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[device]\ncount = x\nnonsense\n[tpm]\nfoo = 1\n"), -EINVAL);
        assert_complaint(f, "c.conf:2: ");
        assert_complaint(f, "c.conf:3: is neither [section], key = value nor a comment");
        assert_complaint(f, "c.conf:5: ");
}

static void a_line_that_is_too_long_is_not_cut_in_two(void **state) {
        struct fixture *f = *state;
        char text[600] = "[device]\nname = ";

        memset(text + strlen(text), 'x', 400);
        strcat(text, "\ncount = 3\n");
        assert_int_equal(read_one(f, text), -EINVAL);
        assert_complaint(f, "c.conf:2: the line is longer than");
        assert_int_equal(f->config.count, 3);
}

static void indentation_does_not_continue_the_line_before(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[device]\ncount = 2\n    name = My key\n"), 0);
        assert_int_equal(f->config.count, 2);
        assert_string_equal(f->config.name, "My key");
}

static void later_files_win(void **state) {
        _cleanup_(free_pointer) char *vendor = NULL, *runtime = NULL, *file = NULL;
        struct fixture *f = *state;
        struct config_places places;

        write_file(f, "lib/50.conf", "[device]\ncount = 2\nname = vendor\n[tpm]\ntpm = v\n");
        write_file(f, "run/50.conf", "[device]\ncount = 3\nname = runtime\n");
        write_file(f, "etc.conf", "[device]\ncount = 4\n");
        write_file(f, "etc.conf.d/20.conf", "[device]\ncount = 6\n");
        write_file(f, "etc.conf.d/10.conf", "[device]\ncount = 5\n");
        write_file(f, "etc.conf.d/30.txt", "[device]\ncount = 7\n");
        vendor = strdup(path_of(f, "lib"));
        runtime = strdup(path_of(f, "run"));
        file = strdup(path_of(f, "etc.conf"));
        places = (struct config_places){ vendor, runtime, file, false };

        assert_int_equal(config_read(&f->config, &places, f->errors), 0);
        assert_int_equal(f->config.count, 6);
        assert_string_equal(f->config.name, "runtime");
        assert_string_equal(f->config.tpm, "v");
}

static void only_a_file_that_was_asked_for_must_exist(void **state) {
        struct fixture *f = *state;
        struct config_places places = { .file = "/nonexistent/tpmauthn.conf" };

        assert_int_equal(config_read(&f->config, &places, f->errors), 0);
        places.file_required = true;
        assert_int_equal(config_read(&f->config, &places, f->errors), -ENOENT);
        fflush(f->errors);
        assert_complaint(f, "/nonexistent/tpmauthn.conf: cannot be read: No such file");
}

static void a_folder_in_place_of_a_file_is_an_error(void **state) {
        struct fixture *f = *state;
        struct config_places places = { .file = f->folder };

        assert_int_equal(config_read(&f->config, &places, f->errors), -EISDIR);
}

static void command_line_overrides(void **state) {
        struct fixture *f = *state;

        assert_int_equal(config_set(&f->config, "device.device=socket:/a=b", f->errors), 0);
        assert_string_equal(f->config.device, "socket:/a=b");
        assert_int_equal(config_set(&f->config, "tpm.tpm=device:/dev/tpm0", f->errors), 0);
        assert_string_equal(f->config.tpm, "device:/dev/tpm0");
        assert_int_equal(config_set(&f->config, "presence", f->errors), -EINVAL);
        assert_int_equal(config_set(&f->config, "presence=auto", f->errors), -EINVAL);
        assert_int_equal(config_set(&f->config, "device.coutn=1", f->errors), -EINVAL);
        fflush(f->errors);
        assert_complaint(f, "command line: presence=auto: expected section.key=value");
        assert_complaint(f, "command line: [device] coutn: there is no such key; the nearest is "
                            "[device] count");
}

static void one_terminal_serves_one_device(void **state) {
        struct fixture *f = *state;

        f->config.presence = PRESENCE_TTY;
        assert_int_equal(config_check(&f->config, f->errors), 0);
        f->config.count = 2;
        assert_int_equal(config_check(&f->config, f->errors), -EINVAL);
}

static void who_has_to_be_verified_has_to_be_asked(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < 4; i++) {
                f->config.presence_verified = i & 1;
                f->config.presence_verify = i & 2;
                assert_int_equal(config_check(&f->config, f->errors), i == 1 ? -EINVAL : 0);
        }
        fflush(f->errors);
        assert_complaint(f, "[presence] require = verify needs verify = yes");
}

static void a_pin_in_a_file_is_for_what_answers_in_place_of_a_person(void **state) {
        struct fixture *f = *state;

        assert_int_equal(config_set(&f->config, "presence.pin-file=/pin", f->errors), 0);
        for (unsigned m = 0; m < _PRESENCE_MODES; m++) {
                bool answers = m == PRESENCE_AUTO || m == PRESENCE_SCRIPT;

                f->config.presence = (enum presence_mode)m;
                assert_int_equal(config_check(&f->config, f->errors), answers ? 0 : -EINVAL);
        }
        fflush(f->errors);
        assert_complaint(f, "[presence] pin-file is for presence = auto and presence = script");
}

static void a_key_attests_only_with_certificates(void **state) {
        static const struct {
                const char *key, *certificates, *rp_ids;
                int result;
        } cases[] = {
                { "", "", "", 0 },
                { "/k", "/c", "", 0 },
                { "/k", "/c", "a.example", 0 },
                { "/k", "", "", -EINVAL },
                { "", "/c", "", -EINVAL },
                { "", "", "a.example", 0 }, /* by the TPM's own key */
        };
        struct fixture *f = *state;
        char line[64];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                snprintf(line, sizeof(line), "attestation.key=%s", cases[i].key);
                assert_int_equal(config_set(&f->config, line, f->errors), 0);
                snprintf(line, sizeof(line), "attestation.certificates=%s", cases[i].certificates);
                assert_int_equal(config_set(&f->config, line, f->errors), 0);
                snprintf(line, sizeof(line), "attestation.rp-ids=%s", cases[i].rp_ids);
                assert_int_equal(config_set(&f->config, line, f->errors), 0);
                assert_int_equal(config_check(&f->config, f->errors), cases[i].result);
        }
        fflush(f->errors);
        assert_complaint(f, "[attestation] key, certificates: one is of no use without the other");
}

static void a_site_is_named_as_browsers_name_it(void **state) {
        static const char *const wrong[] = { "https://a.example", "A.example",
                                             "a.example,b.example", "a.example:443",
                                             "b\303\274cher.example" };
        struct fixture *f = *state;
        char line[64];

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                snprintf(line, sizeof(line), "attestation.rp-ids=%s", wrong[i]);
                assert_int_equal(config_set(&f->config, line, f->errors), -EINVAL);
        }
        fflush(f->errors);
        assert_complaint(f, "names such as example.com with blanks between them");
}

static void what_is_printed_can_be_read(void **state) {
        _cleanup_(free_pointer) char *first = NULL, *second = NULL;
        struct fixture *f = *state;
        size_t n;
        FILE *out;

        assert_int_equal(config_set(&f->config, "presence.timeout=2500ms", f->errors), 0);
        out = open_memstream(&first, &n);
        config_print(&f->config, out);
        fclose(out);

        config_done(&f->config);
        assert_int_equal(config_init(&f->config), 0);
        assert_int_equal(read_one(f, first), 0);
        out = open_memstream(&second, &n);
        config_print(&f->config, out);
        fclose(out);
        assert_string_equal(first, second);
        assert_non_null(strstr(second, "timeout = 2500ms"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void what_nearly_fills_a_line_or_begins_like_a_comment_is_printed_so(void **state) {
        _cleanup_(free_pointer) char *printed = NULL, *tcti = NULL;
        struct fixture *f = *state;
        char text[400];
        size_t n;
        FILE *out;

        assert_true(asprintf(&tcti, "x:%0*d", 192, 0) > 0);
        snprintf(text, sizeof(text), "[device]\nname=;a name\n[tpm]\ntpm=%s\n", tcti);
        assert_int_equal(read_one(f, text), 0);
        out = open_memstream(&printed, &n);
        config_print(&f->config, out);
        fclose(out);

        config_done(&f->config);
        assert_int_equal(config_init(&f->config), 0);
        assert_int_equal(read_one(f, printed), 0);
        assert_string_equal(f->config.name, ";a name");
        assert_string_equal(f->config.tpm, tcti);
}

/* ---- lists, locks, and files that contradict themselves ---- */

static void words_of_lists_add_up_and_nothing_takes_them_away(void **state) {
        struct fixture *f = *state;

        assert_int_equal(
                read_one(f, "[policy]\nrp-deny = a.example\nrp-deny =\tb.example c.example\n"), 0);
        assert_string_equal(f->config.rp_deny.text, "a.example b.example c.example");
        assert_int_equal(f->config.rp_deny.n, 3);
        assert_int_equal(config_set(&f->config, "policy.rp-deny=d.example", f->errors), 0);
        assert_string_equal(f->config.rp_deny.text, "a.example b.example c.example d.example");
        assert_int_equal(read_one(f, "[policy]\nrp-deny =\nrp-deny = e.example\n"), 0);
        assert_string_equal(f->config.rp_deny.text, "e.example");
        assert_int_equal(f->config.rp_deny.n, 1);
}

static void a_long_list_is_printed_in_lines_that_can_be_read(void **state) {
        _cleanup_(free_pointer) char *printed = NULL, *words = NULL;
        struct fixture *f = *state;
        char line[64];
        size_t n;
        FILE *out;

        for (unsigned i = 0; i < 40; i++) {
                snprintf(line, sizeof(line), "policy.rp-allow=site-%u.example.com", i);
                assert_int_equal(config_set(&f->config, line, f->errors), 0);
        }
        words = strdup(f->config.rp_allow.text);
        out = open_memstream(&printed, &n);
        config_print(&f->config, out);
        fclose(out);
        config_done(&f->config);
        assert_int_equal(config_init(&f->config), 0);
        assert_int_equal(read_one(f, printed), 0);
        assert_string_equal(f->config.rp_allow.text, words);
}

static void a_file_that_says_two_things_is_refused(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[policy]\nmin-pin-length = 6\nreset = anyone\n"
                                     "min-pin-length = 8\n"),
                         -EINVAL);
        assert_complaint(f, "/c.conf:4: [policy] min-pin-length = 8: line 2 of this file says 6\n");
        assert_int_equal(read_one(f, "[presence]\npin-file =\npin-file = /x\n"), -EINVAL);
        assert_complaint(f,
                         "/c.conf:3: [presence] pin-file = /x: line 2 of this file says nothing\n");
        /* The same twice is no harm; nor is what an earlier file said. */
        assert_int_equal(read_one(f, "[policy]\nalways-uv = yes\nalways-uv = on\n"), 0);
        assert_int_equal(read_one(f, "[policy]\nalways-uv = no\n"), 0);
        assert_int_equal(config_set(&f->config, "policy.always-uv=yes", f->errors), 0);
        assert_int_equal(config_set(&f->config, "policy.always-uv=no", f->errors), 0);
}

/* Two files of a folder that is read in their order. */
static int read_two(struct fixture *f, const char *first, const char *second) {
        struct config_places places = { 0 };
        _cleanup_(free_pointer) char *folder = NULL;
        int r;

        write_file(f, "d/10.conf", first);
        write_file(f, "d/20.conf", second);
        folder = strdup(path_of(f, "d"));
        places.vendor = folder;
        r = config_read(&f->config, &places, f->errors);
        fflush(f->errors);
        return r;
}

static void what_is_locked_no_later_file_changes(void **state) {
        struct fixture *f = *state;

        assert_int_equal(read_two(f, "[policy]\nalways-uv = yes\nlocked = always-uv\n",
                                  "[policy]\n\nalways-uv = no\n"),
                         -EINVAL);
        assert_complaint(f, "/d/20.conf:3: [policy] always-uv = no: ");
        assert_complaint(f, "/d/10.conf:3 has locked it\n");
        config_done(&f->config);
        assert_int_equal(config_init(&f->config), 0);
        assert_int_equal(read_one(f, "[policy]\nalways-uv = yes\nlocked = always-uv\n"), 0);
        assert_int_equal(config_set(&f->config, "policy.always-uv=no", f->errors), -EINVAL);
        fflush(f->errors);
        assert_complaint(f, "command line: [policy] always-uv = no: ");
}

static void what_is_locked_may_be_said_again_and_its_file_may_say_it_late(void **state) {
        struct fixture *f = *state;

        assert_int_equal(
                read_two(f,
                         "[policy]\nlocked = min-pin-length presence.require\n"
                         "min-pin-length = 6\n[presence]\nrequire = verify\n",
                         "[policy]\nmin-pin-length = 6\nlocked = rp-deny\nrp-deny = a.b\n"),
                0);
        assert_string_equal(f->config.locked.text, "min-pin-length presence.require rp-deny");
        assert_int_equal(config_locks(&f->config), CTAP_LOCK_MIN_PIN_LENGTH);
        assert_int_equal(config_set(&f->config, "presence.require=touch", f->errors), -EINVAL);
        assert_int_equal(config_set(&f->config, "policy.rp-deny=c.d", f->errors), -EINVAL);
        assert_int_equal(config_set(&f->config, "policy.locked=", f->errors), -EINVAL);
        fflush(f->errors);
        assert_complaint(f, "command line: [policy] locked = : ");
        assert_complaint(f, "has locked min-pin-length presence.require rp-deny\n");
}

static void all_is_all_of_the_policy(void **state) {
        static const char *const refused[] = { "policy.remote=deny", "policy.reset=administrator",
                                               "policy.large-blobs=0", "policy.ctap-2.3=no" };
        struct fixture *f = *state;

        assert_int_equal(read_one(f, "[policy]\nlocked = all\n"), 0);
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                assert_int_equal(config_set(&f->config, refused[i], f->errors), -EINVAL);
        assert_int_equal(config_set(&f->config, "presence.verify=no", f->errors), 0);
}

static void each_lock_keeps_clients_from_one_thing(void **state) {
        static const struct {
                const char *assignment;
                unsigned locks;
        } cases[] = {
                { "policy.locked=rp-allow", 0 },
                { "policy.locked=always-uv", CTAP_LOCK_ALWAYS_UV },
                { "policy.locked=enterprise-attestation", CTAP_LOCK_ENTERPRISE },
                { "policy.locked=min-pin-length", CTAP_LOCK_MIN_PIN_LENGTH },
                { "policy.locked=pin-complexity", CTAP_LOCK_PIN_COMPLEXITY },
                { "policy.locked=policy.rp-allow", 0 },
                { "policy.locked=policy.always-uv", CTAP_LOCK_ALWAYS_UV },
                { "policy.locked=policy.enterprise-attestation", CTAP_LOCK_ENTERPRISE },
                { "policy.locked=policy.min-pin-length policy.pin-complexity",
                  CTAP_LOCK_MIN_PIN_LENGTH | CTAP_LOCK_PIN_COMPLEXITY },
                { "policy.locked=presence.require", 0 },
                { "policy.locked=all", CTAP_LOCK_ALL },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(config_set(&f->config, "policy.locked=", f->errors), 0);
                assert_int_equal(config_set(&f->config, cases[i].assignment, f->errors), 0);
                assert_int_equal(config_locks(&f->config), cases[i].locks);
        }
}

static void locked_keys_are_printed_as_locked(void **state) {
        _cleanup_(free_pointer) char *printed = NULL;
        struct fixture *f = *state;
        size_t n;
        FILE *out;

        assert_int_equal(read_one(f, "[policy]\nlocked = always-uv store.max-credentials\n"), 0);
        out = open_memstream(&printed, &n);
        config_print(&f->config, out);
        fclose(out);
        assert_non_null(
                strstr(printed,
                       "\n# locked: no later file changes it, and no client\nalways-uv = no\n"));
        assert_non_null(strstr(printed, "and no client\nmax-credentials = 10000\n"));
        assert_null(strstr(printed, "and no client\nreset"));
        assert_int_equal(read_one(f, printed), 0);
}

static void what_is_allowed_and_denied_is_named_with_both_lines(void **state) {
        static const struct {
                const char *text;
                bool contradicts;
        } cases[] = {
                { "rp-allow = a.example\nrp-deny = b.example\n", false },
                { "rp-allow = a.example b.example\nrp-deny = b.example\n", true },
                { "rp-allow = *.example\nrp-deny = b.example\n", false },
                { "rp-allow = a.example\nrp-deny = *.example\n", true },
                { "rp-allow = *.a.example\nrp-deny = *.example\n", true },
                { "rp-allow = ssh:work\nrp-deny = ssh:*\n", true },
                { "rp-allow = ssh:*\nrp-deny = ssh:*\n", true },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[128];

                config_done(&f->config);
                assert_int_equal(config_init(&f->config), 0);
                snprintf(text, sizeof(text), "[policy]\n%s", cases[i].text);
                assert_int_equal(read_one(f, text), 0);
                assert_int_equal(config_check(&f->config, f->errors),
                                 cases[i].contradicts ? -EINVAL : 0);
        }
        fflush(f->errors);
        assert_complaint(f, "/c.conf:2: [policy] rp-allow: b.example is denied by rp-deny\n");
        assert_complaint(f, "/c.conf:3: [policy] rp-deny: b.example is what denies it\n");
        assert_complaint(f, "/c.conf:2: [policy] rp-allow: ssh:work is denied by rp-deny\n");
        assert_complaint(f, "/c.conf:3: [policy] rp-deny: ssh:* is what denies it\n");
}

static void what_is_attested_to_has_to_be_allowed(void **state) {
        struct fixture *f = *state;
        static const char text[] = "[attestation]\nkey = /k\ncertificates = /c\nrp-ids = a.example "
                                   "b.example\n[policy]\n";
        char whole[256];

        snprintf(whole, sizeof(whole), "%srp-allow = a.example\n", text);
        assert_int_equal(read_one(f, whole), 0);
        assert_int_equal(config_check(&f->config, f->errors), -EINVAL);
        fflush(f->errors);
        assert_complaint(f, "/c.conf:4: [attestation] rp-ids: [policy] allows no passkeys of "
                            "b.example\n");
        assert_null(strstr(f->text, "of a.example"));
}

static void other_contradictions_are_named_with_their_line(void **state) {
        static const struct {
                const char *text, *complaint;
        } cases[] = {
                { "[policy]\nenterprise-attestation = listed\n",
                  "c.conf:2: [policy] enterprise-attestation = listed needs" },
                { "[attestation]\nkey = /k\ncertificates = /c\nrp-ids = a.example\n"
                  "[policy]\nenterprise-attestation = off\n",
                  "c.conf:6: [policy] enterprise-attestation = off leaves nothing" },
                { "[presence]\npresence = auto\n[policy]\nremote = deny\n",
                  "c.conf:4: [policy] remote = deny needs" },
                { "[device]\naccess = seat\n[policy]\nremote = deny\n",
                  "c.conf:4: [policy] remote = deny needs" },
                { "[presence]\nverify = no\nrequire = verify\n",
                  "c.conf:3: [presence] require = verify needs" },
                { "[attestation]\n\ncertificates = /c\n",
                  "c.conf:3: [attestation] key, certificates" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                config_done(&f->config);
                assert_int_equal(config_init(&f->config), 0);
                assert_int_equal(read_one(f, cases[i].text), 0);
                assert_int_equal(config_check(&f->config, f->errors), -EINVAL);
                fflush(f->errors);
                assert_complaint(f, cases[i].complaint);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(every_key_has_a_default),
                TEST(values_are_read),
                TEST(large_blobs_can_be_turned_off),
                TEST(unknown_key_is_named_with_file_line_and_the_nearest),
                TEST(key_in_the_wrong_section_is_told_the_right_one),
                TEST(wrong_value_says_what_is_taken),
                TEST(all_mistakes_of_a_file_are_named),
                TEST(a_line_that_is_too_long_is_not_cut_in_two),
                TEST(indentation_does_not_continue_the_line_before),
                TEST(later_files_win),
                TEST(only_a_file_that_was_asked_for_must_exist),
                TEST(a_folder_in_place_of_a_file_is_an_error),
                TEST(command_line_overrides),
                TEST(one_terminal_serves_one_device),
                TEST(a_pin_in_a_file_is_for_what_answers_in_place_of_a_person),
                TEST(who_has_to_be_verified_has_to_be_asked),
                TEST(a_key_attests_only_with_certificates),
                TEST(a_site_is_named_as_browsers_name_it),
                TEST(what_is_printed_can_be_read),
                TEST(what_nearly_fills_a_line_or_begins_like_a_comment_is_printed_so),
                TEST(words_of_lists_add_up_and_nothing_takes_them_away),
                TEST(a_long_list_is_printed_in_lines_that_can_be_read),
                TEST(a_file_that_says_two_things_is_refused),
                TEST(what_is_locked_no_later_file_changes),
                TEST(what_is_locked_may_be_said_again_and_its_file_may_say_it_late),
                TEST(all_is_all_of_the_policy),
                TEST(each_lock_keeps_clients_from_one_thing),
                TEST(locked_keys_are_printed_as_locked),
                TEST(what_is_allowed_and_denied_is_named_with_both_lines),
                TEST(what_is_attested_to_has_to_be_allowed),
                TEST(other_contradictions_are_named_with_their_line),
        };

        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
