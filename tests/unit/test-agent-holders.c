/* SPDX-License-Identifier: BSD-2-Clause */

/* agent/holders.c: who holds a node open, in trees that look like /sys and /proc. */

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/holders.h"
#include "tests/unit/test.h"

struct fixture {
        char root[64], sys[128], proc[128];
};

static void make_directories(char *path) {
        for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = '\0';
                mkdir(path, 0700);
                *slash = '/';
        }
}

static void put_file(const char *directory, const char *name, const char *text, size_t n) {
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        make_directories(path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        close(fd);
}

static void put_link(const char *directory, const char *name, const char *target) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        make_directories(path);
        assert_int_equal(symlink(target, path), 0);
}

static void put_node(struct fixture *f, const char *node, const char *uevent) {
        char name[128];

        snprintf(name, sizeof(name), "class/hidraw/%s/device/uevent", node);
        put_file(f->sys, name, uevent, strlen(uevent));
}

/* `line`: argv, each part behind the first after a '|'. NULL: no exe. */
static void put_process(struct fixture *f, int pid, const char *exe, const char *line,
                        const char *open_file) {
        char name[64], argv[256];
        size_t n = strlen(line) + 1;

        snprintf(name, sizeof(name), "%d/fd/0", pid);
        put_link(f->proc, name, "/dev/null");
        snprintf(name, sizeof(name), "%d/fd/17", pid);
        put_link(f->proc, name, open_file);
        if (exe) {
                snprintf(name, sizeof(name), "%d/exe", pid);
                put_link(f->proc, name, exe);
        }
        memcpy(argv, line, n);
        for (size_t i = 0; i < n; i++)
                if (argv[i] == '|')
                        argv[i] = '\0';
        snprintf(name, sizeof(name), "%d/cmdline", pid);
        put_file(f->proc, name, argv, n);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->root, "/tmp/test-holders-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        snprintf(f->sys, sizeof(f->sys), "%s/sys", f->root);
        snprintf(f->proc, sizeof(f->proc), "%s/proc", f->root);
        put_node(f, "hidraw0", "DRIVER=x\nHID_ID=0003:00001050:00000407\nHID_PHYS=usb-1\n");
        put_node(f, "hidraw3", "HID_PHYS=tpmauthn/1000\nHID_UNIQ=1000\n");
        put_node(f, "hidraw4", "HID_PHYS=tpmauthn/1000.1\n");
        put_node(f, "hidraw5", "HID_NAME=HID_PHYS=tpmauthn/1001\n");
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        nftw(f->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static void find(struct fixture *f, const char *phys, struct holders *ret) {
        holders_find(f->sys, f->proc, phys, getuid(), ret);
}

static void a_holder_is_named_after_its_executable(void **state) {
        struct fixture *f = *state;
        struct holders h;

        put_process(f, 100, "/usr/lib/firefox-esr/firefox-esr", "firefox|-P|x", "/dev/hidraw3");
        put_process(f, 101, "/usr/bin/other", "other", "/dev/hidraw0");
        put_process(f, 102, "/usr/bin/almost", "almost", "/dev/hidraw33");
        put_process(f, 103, "/usr/bin/second", "second", "/dev/hidraw4");
        find(f, "tpmauthn/1000", &h);
        assert_int_equal(h.n, 1);
        assert_string_equal(h.names[0], "firefox-esr");
        find(f, "tpmauthn/1000.1", &h);
        assert_int_equal(h.n, 1);
        assert_string_equal(h.names[0], "second");
}

static void a_device_that_is_not_there_has_no_holder(void **state) {
        struct fixture *f = *state;
        struct holders h;

        put_process(f, 100, "/usr/bin/a", "a", "/dev/hidraw5");
        find(f, "tpmauthn/1001", &h);
        assert_int_equal(h.n, 0);
        holders_find("/nowhere", f->proc, "tpmauthn/1000", getuid(), &h);
        assert_int_equal(h.n, 0);
        holders_find(f->sys, "/nowhere", "tpmauthn/1000", getuid(), &h);
        assert_int_equal(h.n, 0);
}

static void holders_of_other_users_are_not_looked_at(void **state) {
        struct fixture *f = *state;
        struct holders h;

        put_process(f, 100, "/usr/bin/a", "a", "/dev/hidraw3");
        holders_find(f->sys, f->proc, "tpmauthn/1000", getuid() + 1, &h);
        assert_int_equal(h.n, 0);
}

static void a_name_is_said_once_and_not_too_many_are(void **state) {
        struct fixture *f = *state;
        struct holders h;

        for (int pid = 100; pid < 110; pid++)
                put_process(f, pid, "/usr/bin/same", "same", "/dev/hidraw3");
        find(f, "tpmauthn/1000", &h);
        assert_int_equal(h.n, 1);
        for (int pid = 200; pid < 210; pid++) {
                char exe[32];

                snprintf(exe, sizeof(exe), "/usr/bin/p%d", pid);
                put_process(f, pid, exe, "p", "/dev/hidraw3");
        }
        find(f, "tpmauthn/1000", &h);
        assert_int_equal(h.n, HOLDERS_MAX);
}

static void scripts_and_updated_programs_keep_their_names(void **state) {
        struct fixture *f = *state;
        struct holders h;

        put_process(f, 100, "/usr/bin/python3.11", "python3|/usr/bin/solo|ls", "/dev/hidraw3");
        find(f, "tpmauthn/1000", &h);
        assert_string_equal(h.names[0], "solo");
        teardown(state);

        setup(state);
        f = *state;
        put_process(f, 100, "/usr/bin/python3.11", "python3|-c|x", "/dev/hidraw3");
        find(f, "tpmauthn/1000", &h);
        assert_string_equal(h.names[0], "python3.11");
        teardown(state);

        setup(state);
        f = *state;
        put_process(f, 100, "/opt/google/chrome/chrome (deleted)", "x", "/dev/hidraw3");
        find(f, "tpmauthn/1000", &h);
        assert_string_equal(h.names[0], "chrome");
        teardown(state);

        setup(state);
        f = *state;
        put_process(f, 100, NULL, "/usr/bin/hidden|x", "/dev/hidraw3");
        put_process(f, 101, NULL, "", "/dev/hidraw3");
        find(f, "tpmauthn/1000", &h);
        assert_int_equal(h.n, 1);
        assert_string_equal(h.names[0], "hidden");
}

static void a_name_of_any_length_is_cut(void **state) {
        struct fixture *f = *state;
        char exe[200] = "/usr/bin/";
        struct holders h;

        memset(exe + 9, 'x', 150);
        exe[159] = '\0';
        put_process(f, 100, exe, "x", "/dev/hidraw3");
        find(f, "tpmauthn/1000", &h);
        assert_int_equal(h.n, 1);
        assert_int_equal(strlen(h.names[0]), HOLDER_NAME_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_holder_is_named_after_its_executable, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_device_that_is_not_there_has_no_holder, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(holders_of_other_users_are_not_looked_at, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_name_is_said_once_and_not_too_many_are, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(scripts_and_updated_programs_keep_their_names,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(a_name_of_any_length_is_cut, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
