/* SPDX-License-Identifier: BSD-2-Clause */

/* dbus-daemon with a configuration that allows all, dead with the test (PR_SET_PDEATHSIG). */

#include "tests/system/bus-kit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/test-daemon-kit.h"
#include "tests/unit/test.h"

#define START_MS 20000

/* What the bus complains about is of no interest, and no TAP. */
static void silence(void) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
}

static void run_bus(const char *configuration) {
        char argument[100];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        silence();
        snprintf(argument, sizeof(argument), "--config-file=%s", configuration);
        execlp("dbus-daemon", "dbus-daemon", "--nofork", argument, (char *)NULL);
        _exit(127);
}

static void await_bus(const struct bus_kit *k) {
        const struct timespec step = { .tv_nsec = 10000000 };
        uint64_t until = kit_now() + START_MS;
        int fd;

        while ((fd = kit_connect(k->socket, SOCK_STREAM)) < 0) {
                assert_int_equal(waitpid(k->pid, NULL, WNOHANG), 0);
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
        }
        close(fd);
}

void bus_kit_start(struct bus_kit *k, const char *folder) {
        char path[80];
        FILE *f;

        snprintf(path, sizeof(path), "%s/bus.conf", folder);
        snprintf(k->socket, sizeof(k->socket), "%s/bus", folder);
        snprintf(k->address, sizeof(k->address), "unix:path=%s", k->socket);
        unlink(k->socket);
        f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f,
                "<busconfig><listen>%s</listen><policy context=\"default\">"
                "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
                "<allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>\n",
                k->address);
        fclose(f);

        k->pid = fork();
        assert_true(k->pid >= 0);
        if (k->pid == 0)
                run_bus(path);
        await_bus(k);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", k->address, 1);
}

void bus_kit_end(struct bus_kit *k) {
        if (k->pid > 0) {
                kill(k->pid, SIGKILL);
                waitpid(k->pid, NULL, 0);
        }
        k->pid = 0;
        unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

sd_bus *bus_kit_connect(const struct bus_kit *k) {
        sd_bus *bus = NULL;

        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_address(bus, k->address) >= 0);
        assert_true(sd_bus_set_bus_client(bus, 1) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return bus;
}

static bool has_owner(sd_bus *bus, const char *name) {
        sd_bus_message *reply = NULL;
        int has = 0;

        assert_true(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                                       name) >= 0);
        assert_true(sd_bus_message_read(reply, "b", &has) >= 0);
        sd_bus_message_unref(reply);
        return has;
}

static void run_mock(const char *template) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDOUT_FILENO);
        /* The one that Debian installs dbusmock for. */
        execl("/usr/bin/python3", "python3", "-m", "dbusmock", "--system", "--template", template,
              (char *)NULL);
        _exit(127);
}

pid_t bus_kit_mock(const struct bus_kit *k, const char *template, const char *name) {
        const struct timespec step = { .tv_nsec = 50000000 };
        uint64_t until = kit_now() + START_MS;
        sd_bus *bus = bus_kit_connect(k);
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                run_mock(template);
        while (!has_owner(bus, name)) {
                assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
                assert_true(kit_now() < until);
                nanosleep(&step, NULL);
        }
        sd_bus_flush_close_unref(bus);
        return pid;
}

void bus_kit_end_mock(pid_t *mock) {
        if (*mock > 0) {
                kill(*mock, SIGKILL);
                waitpid(*mock, NULL, 0);
        }
        *mock = 0;
}

static bool is_of(sd_bus *bus, const char *name, pid_t pid) {
        sd_bus_creds *creds = NULL;
        pid_t other = 0;

        if (name[0] == ':' && sd_bus_get_name_creds(bus, name, SD_BUS_CREDS_PID, &creds) >= 0)
                (void)!sd_bus_creds_get_pid(creds, &other);
        sd_bus_creds_unref(creds);
        return other == pid;
}

void bus_kit_whisper(sd_bus *from, pid_t to, const char *path, const char *interface,
                     const char *member, const char *types, ...) {
        sd_bus_message *m = NULL;
        char **names = NULL;
        unsigned n = 0;
        va_list ap;

        assert_true(sd_bus_list_names(from, &names, NULL) >= 0);
        for (char **name = names; *name; name++) {
                if (is_of(from, *name, to)) {
                        assert_true(sd_bus_message_new_signal(from, &m, path, interface, member) >=
                                    0);
                        va_start(ap, types);
                        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
                        va_end(ap);
                        assert_true(sd_bus_message_set_destination(m, *name) >= 0);
                        assert_true(sd_bus_send(from, m, NULL) >= 0);
                        m = sd_bus_message_unref(m);
                        n++;
                }
                free(*name);
        }
        free(names);
        assert_int_equal(n, 1);
        assert_true(sd_bus_flush(from) >= 0);
}
