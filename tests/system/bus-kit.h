/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A private bus in place of the system's, for services that a test plays itself. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

struct bus_kit {
        pid_t pid; /* 0: none runs */
        char socket[80], address[100];
};

/* Starts dbus-daemon with its files in this folder, and has children take it for the system's. */
void bus_kit_start(struct bus_kit *k, const char *folder);
/* Kills it. After it another one may be started. Fine if none runs. */
void bus_kit_end(struct bus_kit *k);

/* A new connection of the test's own. */
sd_bus *bus_kit_connect(const struct bus_kit *k);

/* Starts python3-dbusmock with this template; the service is there, under its name, when it returns. */
pid_t bus_kit_mock(const struct bus_kit *k, const char *template, const char *name);
/* Kills it and clears it. Fine if none runs. */
void bus_kit_end_mock(pid_t *mock);

/* Sends a signal to the connection of this process alone, which the bus lets through whatever it says. */
void bus_kit_whisper(sd_bus *from, pid_t to, const char *path, const char *interface,
                     const char *member, const char *types, ...);
