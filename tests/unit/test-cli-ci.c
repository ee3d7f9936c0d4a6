/* SPDX-License-Identifier: BSD-2-Clause */

/* cli/ci-uhid.c and cli/ci-nodes.c, on machines that are made of files. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/ci-nodes.h"
#include "cli/ci-uhid.h"
#include "tests/fake/scratch.h"
#include "tests/unit/test.h"

static int setup(void **state) {
        struct scratch *s = malloc(sizeof(*s));

        assert_non_null(s);
        scratch_make(s);
        *state = s;
        return 0;
}

static int teardown(void **state) {
        scratch_remove(*state);
        free(*state);
        return 0;
}

/* A file below the root, and the folders that it takes. */
static void put(const struct scratch *s, const char *path, const char *text) {
        char whole[512];
        FILE *file;

        snprintf(whole, sizeof(whole), "%s%s", s->path, path);
        for (char *p = whole + strlen(s->path) + 1; (p = strchr(p, '/')) != NULL; p++) {
                *p = '\0';
                (void)mkdir(whole, 0700);
                *p = '/';
        }
        file = fopen(whole, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

static void take(const struct scratch *s, const char *path) {
        char whole[512];

        snprintf(whole, sizeof(whole), "%s%s", s->path, path);
        assert_int_equal(unlink(whole), 0);
}

/* ---- what to do without uhid ---- */

static void advises(const struct scratch *s, const char *release, int error, const char *want) {
        char text[1024];

        ci_uhid_advise(s->path, release, error, text, sizeof(text));
        if (!strstr(text, want))
                fail_msg("\"%s\" is not in: %s", want, text);
}

static void the_package_with_uhid_is_named_for_each_distribution(void **state) {
        static const struct {
                const char *os, *release, *want;
        } machines[] = {
                { "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", "6.8.0-1017-azure",
                  "apt-get install -y linux-modules-extra-6.8.0-1017-azure\n" },
                { "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "6.8.0-50-generic",
                  "linux-modules-extra-6.8.0-50-generic" },
                { "ID=debian\n", "6.1.0-28-amd64",
                  "apt-get install -y linux-image-6.1.0-28-amd64\n" },
                { "ID=debian\n", "6.1.0-28-cloud-amd64", "package linux-image-amd64 " },
                { "ID=fedora\n", "6.11.4-301.fc41.x86_64",
                  "kernel-modules-extra-6.11.4-301.fc41.x86_64\n" },
                { "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "5.14.0-503.el9.x86_64",
                  "dnf install -y kernel-modules-5.14.0-503.el9.x86_64" },
                { "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "6.4.0-150600.21-default",
                  "zypper install kernel-default" },
                { "ID=arch\n", "6.12.1-arch1-1", "/lib/modules/6.12.1-arch1-1 is not there" },
                { "ID=alpine\n", "6.6.63-0-virt", "Install linux-lts" },
                { "ID=alpine\n", "6.6.63-0-lts", "apk add linux-lts" },
                { "ID='strange'\n", "6.12.0", "CONFIG_UHID" },
                { "", "6.12.0", "CONFIG_UHID" },
                { "ID=ubuntu\n", "5.15.167.4-microsoft-standard-WSL2", ".wslconfig" },
        };
        const struct scratch *s = *state;

        for (size_t i = 0; i < ELEMENTSOF(machines); i++) {
                put(s, "/etc/os-release", machines[i].os);
                advises(s, machines[i].release, ENOENT, machines[i].want);
        }
        /* The file may be elsewhere. */
        take(s, "/etc/os-release");
        put(s, "/usr/lib/os-release", "ID=ubuntu\n");
        advises(s, "6.8.0-50-generic", ENOENT, "linux-modules-extra-6.8.0-50-generic");
}

static void a_module_that_is_there_has_to_be_loaded_only(void **state) {
        const struct scratch *s = *state;
        char text[1024];

        put(s, "/etc/os-release", "ID=ubuntu\n");
        put(s, "/lib/modules/6.8.0-50-generic/kernel/drivers/hid/uhid.ko.zst", "");
        ci_uhid_advise(s->path, "6.8.0-50-generic", ENOENT, text, sizeof(text));
        assert_non_null(strstr(text, "modprobe uhid"));
        assert_null(strstr(text, "apt-get"));
        /* That of another kernel is of no use. */
        advises(s, "6.8.0-51-generic", ENODEV, "linux-modules-extra-6.8.0-51-generic");
}

static void a_container_is_told_what_to_be_started_with(void **state) {
        const struct scratch *s = *state;

        put(s, "/etc/os-release", "ID=debian\n");
        put(s, "/.dockerenv", "");
        advises(s, "6.1.0-28-amd64", ENOENT, "On its host run: sudo modprobe uhid");
        advises(s, "6.1.0-28-amd64", EPERM, "--device /dev/uhid");
        take(s, "/.dockerenv");
        put(s, "/run/.containerenv", "");
        advises(s, "6.1.0-28-amd64", ENOENT, "--device /dev/uhid");
}

static void who_may_not_open_uhid_is_told_how(void **state) {
        const struct scratch *s = *state;

        advises(s, "6.1.0-28-amd64", EACCES, "setfacl -m u:$USER:rw /dev/uhid");
}

/* ---- nodes ---- */

static void make_hidraw(const struct scratch *s, unsigned number, const char *name,
                        const char *phys) {
        char path[128], text[256];

        snprintf(path, sizeof(path), "/sys/class/hidraw/hidraw%u/device/uevent", number);
        snprintf(text, sizeof(text), "DRIVER=hid-generic\nHID_NAME=%s\nHID_PHYS=%s\nHID_UNIQ=0\n",
                 name, phys);
        put(s, path, text);
        snprintf(path, sizeof(path), "/dev/hidraw%u", number);
        put(s, path, "");
}

static void the_nodes_of_a_run_are_told_from_others(void **state) {
        const struct scratch *s = *state;
        char nodes[3][CI_NODE_MAX];

        assert_int_equal(ci_nodes_find(s->path, " ci-abc123", 3, nodes), 0);
        make_hidraw(s, 0, "A Mouse", "usb-1");
        make_hidraw(s, 1, "TPM Passkey (simulator)", "tpmauthn/0");
        make_hidraw(s, 2, "TPM Passkey ci-zzzzzz (simulator)", "tpmauthn/0");
        make_hidraw(s, 10, "TPM Passkey ci-abc123 (simulator)", "tpmauthn/0");
        make_hidraw(s, 9, "TPM Passkey ci-abc123 2 (simulator)", "tpmauthn/0.1");
        make_hidraw(s, 11, "A Mouse ci-abc123", "usb-2");
        make_hidraw(s, 12, "TPM Passkey ci-abc123 9 (simulator)", "tpmauthn/0.8");
        assert_int_equal(ci_nodes_find(s->path, " ci-abc123", 3, nodes), 2);
        assert_string_equal(nodes[0], "/dev/hidraw10");
        assert_string_equal(nodes[1], "/dev/hidraw9");
        assert_string_equal(nodes[2], "");
        make_hidraw(s, 3, "TPM Passkey ci-abc123 3 (simulator)", "tpmauthn/0.2");
        assert_int_equal(ci_nodes_find(s->path, " ci-abc123", 3, nodes), 3);
        assert_string_equal(nodes[2], "/dev/hidraw3");
}

static void a_node_is_of_use_when_udev_is_done_with_it(void **state) {
        const struct scratch *s = *state;
        char path[512], data[128];
        struct stat st;

        assert_non_null(strstr(ci_node_lacks(s->path, "/dev/hidraw5"), "container"));
        make_hidraw(s, 5, "TPM Passkey ci-abc123 (simulator)", "tpmauthn/0");
        /* Where there is no udev, nobody waits for it. */
        assert_null(ci_node_lacks(s->path, "/dev/hidraw5"));
        put(s, "/run/udev/control", "");
        assert_non_null(strstr(ci_node_lacks(s->path, "/dev/hidraw5"), "udev"));
        snprintf(path, sizeof(path), "%s/dev/hidraw5", s->path);
        assert_int_equal(stat(path, &st), 0);
        snprintf(data, sizeof(data), "/run/udev/data/c%u:%u", major(st.st_rdev), minor(st.st_rdev));
        put(s, data, "E:ID_FIDO_TOKEN=1\n");
        assert_null(ci_node_lacks(s->path, "/dev/hidraw5"));
        assert_int_equal(chmod(path, 0), 0);
        if (geteuid() != 0)
                assert_non_null(strstr(ci_node_lacks(s->path, "/dev/hidraw5"), "not open to you"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(the_package_with_uhid_is_named_for_each_distribution),
                T(a_module_that_is_there_has_to_be_loaded_only),
                T(a_container_is_told_what_to_be_started_with),
                T(who_may_not_open_uhid_is_told_how),
                T(the_nodes_of_a_run_are_told_from_others),
                T(a_node_is_of_use_when_udev_is_done_with_it),
#undef T
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
