/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Kernels of clouds and of containers leave uhid out or put it into a package of its own. Which one is
 * told by the name of the distribution (os-release(5)) and of the kernel.
 */

#include "cli/ci-uhid.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ci.h"
#include "cli/doctor.h"

#define NODE "/dev/uhid"

struct machine {
        const char *root, *release;
        char id[64], like[128]; /* with blanks around each word */
};

/* ---- what is there ---- */

static bool exists(const struct machine *m, const char *format) {
        char inside[PATH_MAX - 64], path[PATH_MAX];
        glob_t found = { 0 };
        bool yes;

        snprintf(inside, sizeof(inside), format, m->release);
        snprintf(path, sizeof(path), "%s%s", m->root, inside);
        yes = glob(path, GLOB_NOSORT, NULL, &found) == 0;
        globfree(&found);
        return yes;
}

static bool is_container(const struct machine *m) {
        return exists(m, "/.dockerenv") || exists(m, "/run/.containerenv") ||
               exists(m, "/run/systemd/container");
}

static bool has_module(const struct machine *m) {
        return exists(m, "/lib/modules/%s/kernel/drivers/hid/uhid.ko*");
}

/* Values may stand in quotation marks. */
static void read_word(const char *path, const char *name, char *ret, size_t size) {
        char value[96];
        size_t n;

        doctor_read_value(path, name, value, sizeof(value));
        n = strlen(value);
        if (n >= 2 && strchr("\"'", value[0]) && value[n - 1] == value[0]) {
                value[n - 1] = '\0';
                memmove(value, value + 1, n - 1);
        }
        snprintf(ret, size, " %s ", value);
}

static void read_distribution(struct machine *m) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/etc/os-release", m->root);
        if (access(path, R_OK) < 0)
                snprintf(path, sizeof(path), "%s/usr/lib/os-release", m->root);
        read_word(path, "ID=", m->id, sizeof(m->id));
        read_word(path, "ID_LIKE=", m->like, sizeof(m->like));
}

static bool is_like(const struct machine *m, const char *distribution) {
        char word[32];

        snprintf(word, sizeof(word), " %s ", distribution);
        return strcmp(m->id, word) == 0 || strstr(m->like, word);
}

/* ---- what to do ---- */

static const struct {
        const char *distribution;
        const char *in_release; /* only kernels whose release has this; NULL: all */
        const char *advice;     /* %s: the release */
} packages[] = {
        { "ubuntu", NULL,
          "It is in the package linux-modules-extra-%1$s, or for newer kernels in "
          "linux-modules-%1$s. Run:\n"
          "  sudo apt-get update && sudo apt-get install -y linux-modules-extra-%1$s\n"
          "  sudo modprobe uhid" },
        { "debian", "-cloud-",
          "The kernels for clouds (%1$s) are built without it. Install the package linux-image-amd64 "
          "(or linux-image-arm64), start that kernel, and run: sudo modprobe uhid" },
        { "debian", NULL,
          "It is in the package linux-image-%1$s. Run:\n"
          "  sudo apt-get install -y linux-image-%1$s\n"
          "  sudo modprobe uhid" },
        { "fedora", NULL,
          "It is in one of the packages kernel-modules-%1$s and kernel-modules-extra-%1$s. Run:\n"
          "  sudo dnf install -y kernel-modules-%1$s kernel-modules-extra-%1$s\n"
          "  sudo modprobe uhid" },
        { "suse", NULL,
          "It is in the package kernel-default, and not in kernel-default-base. Run: sudo zypper "
          "install kernel-default; start that kernel, and run: sudo modprobe uhid" },
        { "arch", NULL,
          "The package linux has it; /lib/modules/%1$s is not there, perhaps since an upgrade: "
          "restart the machine, and run: sudo modprobe uhid" },
        { "alpine", "-virt",
          "The package linux-virt is built without it. Install linux-lts, start that kernel, and run: "
          "modprobe uhid" },
        { "alpine", NULL, "It is in the package linux-lts. Run: apk add linux-lts; modprobe uhid" },
};

static void name_package(const struct machine *m, char *ret, size_t size) {
        for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++)
                if (is_like(m, packages[i].distribution) &&
                    (!packages[i].in_release || strstr(m->release, packages[i].in_release))) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                        snprintf(ret, size, packages[i].advice, m->release);
#pragma GCC diagnostic pop
                        return;
                }
        snprintf(ret, size, "It takes a kernel that is built with CONFIG_UHID.");
}

static void advise_on_absence(const struct machine *m, char *ret, size_t size) {
        char package[768];

        name_package(m, package, sizeof(package));
        if (strstr(m->release, "microsoft"))
                snprintf(ret, size,
                         "This machine has no " NODE ": WSL's kernel (%s) is built without it.\n"
                         "It takes a kernel of your own with CONFIG_UHID (.wslconfig, [wsl2] "
                         "kernel=).",
                         m->release);
        else if (is_container(m))
                snprintf(
                        ret, size,
                        "This container has no " NODE ". On its host run: sudo modprobe uhid; and "
                        "start the container with\n"
                        "  --device /dev/uhid --volume /dev:/dev --volume /run/udev:/run/udev:ro \\\n"
                        "  --device-cgroup-rule \"c $(awk '$2 == \"hidraw\" { print $1 }' /proc/devices):* rmw\"");
        else if (has_module(m))
                snprintf(ret, size,
                         "This machine has no " NODE " because the module is not loaded. Run: sudo "
                         "modprobe uhid");
        else
                snprintf(ret, size,
                         "This machine has no " NODE ", and its kernel (%s) no module uhid.\n%s",
                         m->release, package);
}

void ci_uhid_advise(const char *root, const char *release, int error, char *ret, size_t size) {
        struct machine m = { .root = root, .release = release };

        read_distribution(&m);
        if ((error == EACCES || error == EPERM) && is_container(&m))
                snprintf(ret, size,
                         "This container may not use " NODE ". Start it with --device " NODE
                         ", and run this as root in it");
        else if (error == EACCES || error == EPERM)
                snprintf(ret, size,
                         NODE " is not open to you. Run this as root, or let your account use it:\n"
                              "  sudo setfacl -m u:$USER:rw " NODE);
        else
                advise_on_absence(&m, ret, size);
}

/* ---- this machine ---- */

static int open_error(void) {
        int fd = open(NODE, O_RDWR | O_CLOEXEC);

        if (fd < 0)
                return errno;
        close(fd);
        return 0;
}

static void load_module(void) {
        pid_t pid = fork();

        if (pid == 0) {
                (void)!freopen("/dev/null", "w", stderr);
                execlp("modprobe", "modprobe", "-q", "uhid", (char *)NULL);
                _exit(CI_NOT_FOUND);
        }
        if (pid > 0)
                waitpid(pid, NULL, 0);
}

int ci_uhid_prepare(void) {
        int error = open_error();
        struct utsname kernel;
        char text[1024];

        if (error != 0 && error != EACCES && geteuid() == 0) {
                load_module();
                error = open_error();
        }
        if (error == 0)
                return 0;
        uname(&kernel);
        ci_uhid_advise("", kernel.release, error, text, sizeof(text));
        fprintf(stderr, "tpmauthn: %s\nOr do it in a virtual machine: tpmauthn ci run --vm\n",
                text);
        return CI_NO_UHID;
}
