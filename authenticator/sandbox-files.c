/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Landlock has no wrapper in libc. What a kernel does not know of the access rights is left out, by
 * the version it says it has: it limits what it can.
 *
 * A rule holds for the file that is there now, not for one that takes its name later. So folders are
 * named where files are replaced: the state, what an administrator renews. A device whose node is not
 * there yet (its module is loaded later) has its folder instead; that folder's other nodes are closed
 * to the service's account anyway.
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "authenticator/sandbox.h"
#include "authenticator/util.h"

/* Rights of versions 3 and 5, which the headers of Debian 12 do not name. */
#define FS_TRUNCATE  (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)

#define FS_READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_NODE  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define FS_SOCKS (FS_READ | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define FS_STATE                                                                    \
        (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
         LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |              \
         LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)
/* What has a meaning for something that is no folder. */
#define FS_OF_FILES                                                   \
        (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
         LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset {
        int fd;
        uint64_t handled;
};

static int landlock_version(void) {
        return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* All that the kernel can withhold. */
static uint64_t handled(int version) {
        uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

        if (version >= 2)
                rights |= LANDLOCK_ACCESS_FS_REFER;
        if (version >= 3)
                rights |= FS_TRUNCATE;
        if (version >= 5)
                rights |= FS_IOCTL_DEV;
        return rights;
}

/* What is not there, or may not be looked at, is not opened to anybody. */
static int allow(const struct ruleset *rules, const char *path, uint64_t rights) {
        _cleanup_(close_fd_pointer) int fd = open(path, O_PATH | O_CLOEXEC);
        struct landlock_path_beneath_attr rule = { .parent_fd = fd };
        struct stat st;

        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        rights &= rules->handled;
        rule.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & FS_OF_FILES;
        if (syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
                return -errno;
        return 0;
}

static int allow_folder_of(const struct ruleset *rules, const char *path, uint64_t rights) {
        _cleanup_(free_pointer) char *copy = strdup(path);

        return copy ? allow(rules, dirname(copy), rights) : -ENOMEM;
}

static int allow_node(const struct ruleset *rules, const char *path) {
        return access(path, F_OK) == 0 ? allow(rules, path, FS_NODE)
                                       : allow_folder_of(rules, path, FS_NODE);
}

static int allow_device(const struct ruleset *rules, const char *device) {
        if (strncmp(device, "socket:", 7) == 0)
                return allow_folder_of(rules, device + 7, FS_SOCKS);
        return allow_node(rules, strncmp(device, "uhid:", 5) == 0 ? device + 5 : "/dev/uhid");
}

static int allow_tpm(const struct ruleset *rules, const char *tpm) {
        if (strncmp(tpm, "device", 6) != 0)
                return 0;
        return allow_node(rules, strncmp(tpm, "device:/", 8) == 0 ? tpm + 7 : "/dev/tpmrm0");
}

/* Modules of libtss2 and the libraries they need, and what libraries look at on first use. */
static int allow_system(const struct ruleset *rules, const struct config *c) {
        static const char *const readable[] = {
                "/usr",
                "/lib",
                "/lib64",
                "/etc/ssl",
                "/etc/localtime",
                "/etc/ld.so.cache",
                "/etc/hosts",
                "/etc/host.conf",
                "/etc/nsswitch.conf",
                "/etc/resolv.conf",
                "/dev/urandom",
        };
        int r = allow(rules, "/dev/null", FS_NODE);

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(readable); i++)
                r = allow(rules, readable[i], FS_READ);
        if (r == 0 && c->presence == PRESENCE_TTY)
                r = allow(rules, "/dev/tty", FS_NODE | FS_IOCTL_DEV);
        return r;
}

static int allow_configured(const struct ruleset *rules, const struct config *c) {
        const char *const files[] = { c->attestation_key, c->attestation_certificates,
                                      c->attestation_root, c->presence_pin_file };
        int r = allow(rules, c->state_directory, FS_STATE);

        if (r == 0)
                r = allow(rules, c->runtime_directory, FS_SOCKS);
        if (r == 0)
                r = allow_device(rules, c->device);
        if (r == 0)
                r = allow_tpm(rules, c->tpm);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(files); i++)
                if (*files[i])
                        r = allow_folder_of(rules, files[i], LANDLOCK_ACCESS_FS_READ_FILE);
        return r;
}

int sandbox_limit_files(const struct config *config) {
        _cleanup_(close_fd_pointer) int fd = -1;
        int version = landlock_version(), r;
        struct ruleset rules;
        struct landlock_ruleset_attr attr;

        if (version < 1)
                return -EOPNOTSUPP;
        attr = (struct landlock_ruleset_attr){ .handled_access_fs = handled(version) };
        fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
        if (fd < 0)
                return -errno;

        rules = (struct ruleset){ fd, attr.handled_access_fs };
        r = allow_system(&rules, config);
        if (r == 0)
                r = allow_configured(&rules, config);
        if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                       syscall(SYS_landlock_restrict_self, fd, 0) < 0))
                r = -errno;
        return r;
}
