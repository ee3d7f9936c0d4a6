/* SPDX-License-Identifier: BSD-2-Clause */

/* See doctor.h. A look that finds nothing to look at says nothing. */

#include "cli/doctor.h"

#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULE      "65-tpmauthn.rules"
#define SNAP_RULE "69-tpmauthn-snap.rules"
#define GROUP     "tpmauthn"
#define AGENT     "tpmauthn-agent"

static void __attribute__((format(printf, 4, 5)))
say(const struct doctor_machine *m, enum level level, const char *subject, const char *format,
    ...) {
        char text[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        m->say(m->userdata, level, subject, text);
}

static bool look(const struct doctor_machine *m, const char *path, struct stat *ret) {
        char whole[PATH_MAX];

        snprintf(whole, sizeof(whole), "%s%s", m->root, path);
        return stat(whole, ret) == 0;
}

void doctor_read_value(const char *path, const char *name, char *value, size_t size) {
        size_t n = strlen(name);
        char line[512];
        FILE *f = fopen(path, "re");

        *value = '\0';
        while (f && fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, name, n) == 0)
                        snprintf(value, size, "%.*s", (int)size - 1, line + n);
        }
        if (f)
                fclose(f);
}

/* ---- uhid ---- */

/* Of the machine that is looked at, borrowed until the next. */
static const struct group *group_of(const struct doctor_machine *m, gid_t gid) {
        char path[PATH_MAX];
        struct group *group = NULL;
        FILE *f;

        snprintf(path, sizeof(path), "%s/etc/group", m->root);
        f = fopen(path, "re");
        while (f && (group = fgetgrent(f)) != NULL && group->gr_gid != gid) {
        }
        if (f)
                fclose(f);
        return group;
}

void doctor_check_uhid_group(const struct doctor_machine *m) {
        const struct group *group;
        struct stat st;

        if (!m->uses_uhid || !look(m, "/dev/uhid", &st) || (st.st_mode & 0060) == 0)
                return;
        group = group_of(m, st.st_gid);
        if (!group || strcmp(group->gr_name, GROUP) != 0)
                say(m, LEVEL_WARN, "uhid",
                    "/dev/uhid is open to the group %s: all who are in it can type on every "
                    "keyboard. It should be open to the group " GROUP " alone",
                    group ? group->gr_name : "without a name");
        else if (*group->gr_mem)
                say(m, LEVEL_FAIL, "uhid",
                    "%s is in the group " GROUP " and can type on every keyboard. Nobody has to "
                    "be: gpasswd -d %s " GROUP,
                    *group->gr_mem, *group->gr_mem);
        else
                say(m, LEVEL_OK, "uhid", "/dev/uhid is open to the daemon's group alone");
}

/* ---- udev ---- */

/* In the order in which udev looks; an empty file or /dev/null takes away what comes behind it. */
static bool find_rule(const struct doctor_machine *m, const char *name, char path[static 128],
                      bool *ret_masked) {
        static const char *const folders[] = { "/etc/udev/rules.d", "/run/udev/rules.d",
                                               "/usr/local/lib/udev/rules.d",
                                               "/usr/lib/udev/rules.d", "/lib/udev/rules.d" };
        struct stat st;

        for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
                snprintf(path, 128, "%s/%s", folders[i], name);
                if (!look(m, path, &st))
                        continue;
                *ret_masked = !S_ISREG(st.st_mode) || st.st_size == 0;
                return true;
        }
        return false;
}

void doctor_check_rule(const struct doctor_machine *m) {
        char path[128];
        bool masked;

        if (!m->uses_uhid)
                return;
        if (!find_rule(m, RULE, path, &masked))
                say(m, LEVEL_WARN, "udev",
                    "the rule " RULE " is not installed: each user's device goes to whoever sits "
                    "at the machine. Install the package tpmauthn, or copy the rule to "
                    "/etc/udev/rules.d; then: udevadm control --reload");
        else if (masked)
                say(m, LEVEL_WARN, "udev",
                    "%s takes the rule " RULE " away: each user's device goes to whoever sits at "
                    "the machine",
                    path);
        else
                say(m, LEVEL_OK, "udev", "%s gives each device to its user", path);
}

static bool is_number(const char *text) {
        return *text && strspn(text, "0123456789") == strlen(text);
}

static void check_owner(const struct doctor_machine *m, const char *name, const char *uevent) {
        char phys[128], uniq[64], node[300];
        struct stat st;

        doctor_read_value(uevent, "HID_PHYS=", phys, sizeof(phys));
        doctor_read_value(uevent, "HID_UNIQ=", uniq, sizeof(uniq));
        snprintf(node, sizeof(node), "/dev/%s", name);
        if (strncmp(phys, "tpmauthn/", 9) != 0 || !is_number(uniq) || !look(m, node, &st))
                return;
        if (st.st_uid != strtoul(uniq, NULL, 10))
                say(m, LEVEL_WARN, "hidraw",
                    "%s is the device of user %s, but belongs to user %u: the rule " RULE
                    " did not do its work. Try: udevadm trigger -s hidraw",
                    node, uniq, (unsigned)st.st_uid);
        else if (st.st_mode & 0077)
                say(m, LEVEL_WARN, "hidraw",
                    "%s is open to others than user %s (mode %04o). Try: udevadm trigger -s hidraw",
                    node, uniq, (unsigned)st.st_mode & 07777);
        else
                say(m, LEVEL_OK, "hidraw", "%s belongs to user %s alone", node, uniq);
}

void doctor_check_owners(const struct doctor_machine *m) {
        char pattern[PATH_MAX], uevent[PATH_MAX + 16];
        glob_t found = { 0 };

        snprintf(pattern, sizeof(pattern), "%s/sys/class/hidraw/hidraw*", m->root);
        if (glob(pattern, 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++) {
                        snprintf(uevent, sizeof(uevent), "%s/device/uevent", found.gl_pathv[i]);
                        check_owner(m, strrchr(found.gl_pathv[i], '/') + 1, uevent);
                }
        globfree(&found);
}

/* ---- snaps ---- */

void doctor_check_snaps(const struct doctor_machine *m) {
        static const char *const browsers[] = { "firefox", "chromium", "brave" };
        char path[128], rule[128];
        bool masked, has_rule = find_rule(m, SNAP_RULE, rule, &masked) && !masked;
        struct stat st;

        for (size_t i = 0; m->uses_uhid && i < sizeof(browsers) / sizeof(browsers[0]); i++) {
                snprintf(path, sizeof(path), "/snap/bin/%s", browsers[i]);
                if (!look(m, path, &st))
                        continue;
                snprintf(path, sizeof(path), "/etc/udev/rules.d/70-snap.%s.rules", browsers[i]);
                if (!has_rule)
                        say(m, LEVEL_FAIL, "snap",
                            "%s is a snap, and sees this device only with the rule " SNAP_RULE
                            ", which is not installed",
                            browsers[i]);
                else if (!look(m, path, &st))
                        say(m, LEVEL_FAIL, "snap",
                            "%s is a snap that may not use security keys. Run: snap connect "
                            "%s:u2f-devices",
                            browsers[i], browsers[i]);
                else
                        say(m, LEVEL_OK, "snap", "%s is a snap, and the rule for it is there",
                            browsers[i]);
        }
}

/* ---- the session ---- */

/* A process of this name that is the user's. */
static bool runs(const struct doctor_machine *m, const char *want) {
        char pattern[PATH_MAX], name[64];
        glob_t found = { 0 };
        bool yes = false;
        struct stat st;

        snprintf(pattern, sizeof(pattern), "%s/proc/[0-9]*/comm", m->root);
        if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
                for (size_t i = 0; !yes && i < found.gl_pathc; i++) {
                        doctor_read_value(found.gl_pathv[i], "", name, sizeof(name));
                        yes = strcmp(name, want) == 0 && stat(found.gl_pathv[i], &st) == 0 &&
                              st.st_uid == m->user;
                }
        globfree(&found);
        return yes;
}

void doctor_check_agent(const struct doctor_machine *m) {
        if (!m->uses_agent || m->user == 0)
                return;
        if (runs(m, AGENT))
                say(m, LEVEL_OK, "agent", "tpmauthn-agent runs in your session");
        else
                say(m, LEVEL_FAIL, "agent",
                    "tpmauthn-agent does not run in your session: nobody can ask you, and every "
                    "request is refused. Install the package tpmauthn-agent, and log in anew or "
                    "run: systemctl --user start tpmauthn-agent");
}

void doctor_check_fprintd(const struct doctor_machine *m) {
        struct stat st;

        if (!m->uses_agent)
                return;
        if (look(m, "/usr/share/dbus-1/system-services/net.reactivated.Fprint.service", &st))
                say(m, LEVEL_OK, "finger",
                    "fprintd is there: a finger that it knows may take the PIN's place. To enrol "
                    "one: fprintd-enroll");
        else
                say(m, LEVEL_OK, "finger", "there is no fprintd: the PIN is what verifies you");
}
