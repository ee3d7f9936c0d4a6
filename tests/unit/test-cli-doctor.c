/* SPDX-License-Identifier: BSD-2-Clause */

/* cli/doctor-machine.c, on machines that are made of files. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "tests/fake/scratch.h"
#include "tests/unit/test.h"

struct fixture {
        struct scratch folder;
        struct doctor_machine machine;
        unsigned n;
        enum level level;
        char text[1024]; /* of the last */
};

static void note(void *userdata, enum level level, const char *subject, const char *text) {
        struct fixture *f = userdata;

        f->n++;
        f->level = level;
        snprintf(f->text, sizeof(f->text), "%s: %s", subject, text);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        scratch_make(&f->folder);
        f->machine = (struct doctor_machine){ .root = f->folder.path,
                                              .user = getuid(),
                                              .uses_uhid = true,
                                              .uses_agent = true,
                                              .say = note,
                                              .userdata = f };
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        scratch_remove(&f->folder);
        free(f);
        return 0;
}

/* A file below the root, and the folders that it takes. */
static void put(struct fixture *f, const char *path, const char *text) {
        char whole[512];
        FILE *file;

        snprintf(whole, sizeof(whole), "%s%s", f->folder.path, path);
        for (char *p = whole + strlen(f->folder.path) + 1; (p = strchr(p, '/')) != NULL; p++) {
                *p = '\0';
                (void)mkdir(whole, 0700);
                *p = '/';
        }
        file = fopen(whole, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

static void set_mode(struct fixture *f, const char *path, mode_t mode) {
        char whole[512];

        snprintf(whole, sizeof(whole), "%s%s", f->folder.path, path);
        assert_int_equal(chmod(whole, mode), 0);
}

typedef void check_fn(const struct doctor_machine *m);

static void expect(struct fixture *f, check_fn *check, enum level level, const char *says) {
        f->n = 0;
        check(&f->machine);
        assert_int_equal(f->n, 1);
        if (f->level != level || !strstr(f->text, says))
                fail_msg("level %d, not %d; \"%s\" is not in: %s", f->level, level, says, f->text);
}

static void expect_nothing(struct fixture *f, check_fn *check) {
        f->n = 0;
        check(&f->machine);
        assert_int_equal(f->n, 0);
}

static void uhid_is_for_the_group_of_the_daemon_alone(void **state) {
        struct fixture *f = *state;
        char group[128];

        expect_nothing(f, doctor_check_uhid_group);
        put(f, "/dev/uhid", "");
        set_mode(f, "/dev/uhid", 0600);
        expect_nothing(f, doctor_check_uhid_group);
        set_mode(f, "/dev/uhid", 0660);
        expect(f, doctor_check_uhid_group, LEVEL_WARN, "without a name");
        snprintf(group, sizeof(group), "a:x:99999:\ninput:x:%u:ann\n", (unsigned)getgid());
        put(f, "/etc/group", group);
        expect(f, doctor_check_uhid_group, LEVEL_WARN, "the group input");
        snprintf(group, sizeof(group), "tpmauthn:x:%u:ann,bob\n", (unsigned)getgid());
        put(f, "/etc/group", group);
        expect(f, doctor_check_uhid_group, LEVEL_FAIL, "gpasswd -d ann tpmauthn");
        snprintf(group, sizeof(group), "tpmauthn:x:%u:\n", (unsigned)getgid());
        put(f, "/etc/group", group);
        expect(f, doctor_check_uhid_group, LEVEL_OK, "alone");
        f->machine.uses_uhid = false;
        expect_nothing(f, doctor_check_uhid_group);
}

static void the_udev_rule_is_there_and_not_taken_away(void **state) {
        struct fixture *f = *state;

        expect(f, doctor_check_rule, LEVEL_WARN, "is not installed");
        put(f, "/usr/lib/udev/rules.d/65-tpmauthn.rules", "a rule");
        expect(f, doctor_check_rule, LEVEL_OK, "/usr/lib/udev/rules.d/65-tpmauthn.rules gives");
        put(f, "/etc/udev/rules.d/65-tpmauthn.rules", "");
        expect(f, doctor_check_rule, LEVEL_WARN, "/etc/udev/rules.d/65-tpmauthn.rules takes");
        put(f, "/etc/udev/rules.d/65-tpmauthn.rules", "a rule of the administrator");
        expect(f, doctor_check_rule, LEVEL_OK, "/etc/");
        f->machine.uses_uhid = false;
        expect_nothing(f, doctor_check_rule);
}

static void put_device(struct fixture *f, const char *phys, const char *uniq) {
        char uevent[256];

        snprintf(uevent, sizeof(uevent), "HID_NAME=x\nHID_PHYS=%s\nHID_UNIQ=%s\n", phys, uniq);
        put(f, "/sys/class/hidraw/hidraw3/device/uevent", uevent);
}

static void a_node_belongs_to_the_user_who_is_named_in_it(void **state) {
        struct fixture *f = *state;
        char me[16];

        snprintf(me, sizeof(me), "%u", (unsigned)getuid());
        expect_nothing(f, doctor_check_owners);
        put(f, "/dev/hidraw3", "");
        set_mode(f, "/dev/hidraw3", 0600);
        put_device(f, "usb-0000:00:14.0-1/input0", "12345");
        expect_nothing(f, doctor_check_owners);
        put_device(f, "tpmauthn/seat0", "seat0");
        expect_nothing(f, doctor_check_owners);
        put_device(f, "tpmauthn/12345", "12345");
        expect(f, doctor_check_owners, LEVEL_WARN, "the device of user 12345, but belongs to");
        put_device(f, "tpmauthn/0", me);
        expect(f, doctor_check_owners, LEVEL_OK, "alone");
        set_mode(f, "/dev/hidraw3", 0660);
        expect(f, doctor_check_owners, LEVEL_WARN, "(mode 0660)");
}

static void a_browser_that_is_a_snap_needs_its_rules(void **state) {
        struct fixture *f = *state;

        expect_nothing(f, doctor_check_snaps);
        put(f, "/snap/bin/firefox", "");
        expect(f, doctor_check_snaps, LEVEL_FAIL, "69-tpmauthn-snap.rules, which is not installed");
        put(f, "/usr/lib/udev/rules.d/69-tpmauthn-snap.rules", "a rule");
        expect(f, doctor_check_snaps, LEVEL_FAIL, "snap connect firefox:u2f-devices");
        put(f, "/etc/udev/rules.d/70-snap.firefox.rules", "a rule of snapd");
        expect(f, doctor_check_snaps, LEVEL_OK, "firefox is a snap");
}

static void the_agent_runs_for_this_user(void **state) {
        struct fixture *f = *state;

        f->machine.user = f->machine.user == 0 ? 0 : getuid();
        if (f->machine.user == 0) {
                /* Root has no session of its own; its files stand for those of user 4711. */
                expect_nothing(f, doctor_check_agent);
                f->machine.user = 4711;
        }
        put(f, "/proc/17/comm", "tpmauthn\n");
        expect(f, doctor_check_agent, LEVEL_FAIL, "systemctl --user start tpmauthn-agent");
        put(f, "/proc/18/comm", "tpmauthn-agent\n");
        if (getuid() == 0) {
                char path[400];

                /* Somebody else's is none. */
                expect(f, doctor_check_agent, LEVEL_FAIL, "does not run");
                snprintf(path, sizeof(path), "%s/proc/18/comm", f->folder.path);
                assert_int_equal(chown(path, 4711, (gid_t)-1), 0);
        }
        expect(f, doctor_check_agent, LEVEL_OK, "runs");
        f->machine.uses_agent = false;
        expect_nothing(f, doctor_check_agent);
}

static void fprintd_is_there_or_not(void **state) {
        struct fixture *f = *state;

        expect(f, doctor_check_fprintd, LEVEL_OK, "there is no fprintd");
        put(f, "/usr/share/dbus-1/system-services/net.reactivated.Fprint.service", "x");
        expect(f, doctor_check_fprintd, LEVEL_OK, "fprintd-enroll");
        f->machine.uses_agent = false;
        expect_nothing(f, doctor_check_fprintd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(uhid_is_for_the_group_of_the_daemon_alone),
                TEST(the_udev_rule_is_there_and_not_taken_away),
                TEST(a_node_belongs_to_the_user_who_is_named_in_it),
                TEST(a_browser_that_is_a_snap_needs_its_rules),
                TEST(the_agent_runs_for_this_user),
                TEST(fprintd_is_there_or_not),
        };

        return cmocka_run_group_tests_name("cli-doctor", tests, NULL, NULL);
}
