/* SPDX-License-Identifier: BSD-2-Clause */

/* Clients find a device through udev, where there is one, so it is not enough that its node is there. */

#include "cli/ci-nodes.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/doctor.h"

/* "tpmauthn/1000" is the first of that user's, "tpmauthn/1000.1" the second. */
static unsigned index_of(const char *phys) {
        const char *dot = strrchr(phys, '.');

        return dot ? (unsigned)strtoul(dot + 1, NULL, 10) : 0;
}

static bool look_at(const char *device, const char *name, unsigned n, char (*ret)[CI_NODE_MAX]) {
        char path[PATH_MAX], is_named[160], phys[80];
        const char *node = strrchr(device, '/') + 1;
        unsigned index;

        snprintf(path, sizeof(path), "%s/device/uevent", device);
        doctor_read_value(path, "HID_NAME=", is_named, sizeof(is_named));
        doctor_read_value(path, "HID_PHYS=", phys, sizeof(phys));
        index = index_of(phys);
        if (!strstr(is_named, name) || strncmp(phys, "tpmauthn/", 9) != 0 || index >= n ||
            strlen(node) > CI_NODE_MAX - sizeof("/dev/"))
                return false;
        snprintf(ret[index], CI_NODE_MAX, "/dev/%.*s", (int)(CI_NODE_MAX - sizeof("/dev/")), node);
        return true;
}

unsigned ci_nodes_find(const char *root, const char *name, unsigned n, char (*ret)[CI_NODE_MAX]) {
        char pattern[PATH_MAX];
        glob_t found = { 0 };
        unsigned n_found = 0;

        memset(ret, 0, n * sizeof(*ret));
        snprintf(pattern, sizeof(pattern), "%s/sys/class/hidraw/hidraw*", root);
        if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++)
                        n_found += look_at(found.gl_pathv[i], name, n, ret);
        globfree(&found);
        return n_found;
}

const char *ci_node_lacks(const char *root, const char *node) {
        char path[PATH_MAX];
        struct stat st;

        snprintf(path, sizeof(path), "%s%s", root, node);
        if (stat(path, &st) < 0)
                return "it is not in this /dev. In a container: start it with --volume /dev:/dev and "
                       "--device-cgroup-rule for hidraw";
        if (access(path, R_OK | W_OK) < 0 && errno == EPERM)
                return "the container may not open it. Start it with --device-cgroup-rule for hidraw";
        if (access(path, R_OK | W_OK) < 0)
                return "it is not open to you. Install the rule 65-tpmauthn.rules of the package "
                       "tpmauthn, or run this as root";
        snprintf(path, sizeof(path), "%s/run/udev/control", root);
        if (access(path, F_OK) < 0)
                return NULL; /* no udev, so that nobody waits for it */
        snprintf(path, sizeof(path), "%s/run/udev/data/c%u:%u", root, major(st.st_rdev),
                 minor(st.st_rdev));
        return access(path, F_OK) < 0 ? "udev does not finish with it" : NULL;
}
