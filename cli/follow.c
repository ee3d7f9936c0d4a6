/* SPDX-License-Identifier: BSD-2-Clause */

/* follow: prints what happens at simulators, a line each, as it happens. */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/text.h"

static const char *text_of(const json_t *event, const char *member) {
        return json_string_value(json_object_get(event, member));
}

/* The text behind a blank, where there is one. */
static void print_member(const json_t *event, const char *member) {
        if (!text_of(event, member))
                return;
        putchar(' ');
        print_text(stdout, text_of(event, member), 0);
}

static void print_flag(const json_t *event, const char *member) {
        if (json_is_true(json_object_get(event, member)))
                printf(" (%s)", member);
}

static void print_clock(json_int_t ms) {
        const time_t seconds = (time_t)(ms / 1000);
        struct tm t;
        char text[16];

        if (!localtime_r(&seconds, &t))
                return;
        strftime(text, sizeof(text), "%H:%M:%S", &t);
        printf("%s.%03d", text, (int)(ms % 1000));
}

/* A member is of one type of events only, or means the same in all. */
static void print_event(const json_t *event) {
        static const char *const members[] = { "verb", "verdict", "command", "status_name",
                                               "path", "rp_id",   "account", NULL };
        static const char *const flags[] = { "passive", "verify", "again", "injected", NULL };

        print_clock(json_integer_value(json_object_get(event, "time")));
        printf(" %2d ", (int)json_integer_value(json_object_get(event, "device")));
        print_text(stdout, text_of(event, "type") ? text_of(event, "type") : "?", 9);
        for (size_t i = 0; members[i]; i++)
                print_member(event, members[i]);
        for (size_t i = 0; flags[i]; i++)
                print_flag(event, flags[i]);
        putchar('\n');
}

/* False: nobody reads it. */
static bool print_line(const struct options *o, const json_t *line) {
        const json_t *event = json_object_get(line, "event");

        if (o->json) {
                json_dumpf(event, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
                putchar('\n');
        } else
                print_event(event);
        return fflush(stdout) == 0;
}

/* Until the daemon ends it, or nobody reads what is printed. */
static int print_all(const struct options *o, struct client *c) {
        struct pollfd p = { .fd = client_fd(c), .events = POLLIN };
        json_t *line = NULL;
        int r;

        while ((r = client_take(c, &line)) >= 0) {
                bool goes_on = true;

                if (r > 0) {
                        goes_on = print_line(o, line);
                        json_decref(line);
                } else if (poll(&p, 1, -1) < 0 && errno != EINTR)
                        break;
                if (!goes_on)
                        return EXIT_FAILED;
        }
        fputs("tpmauthn: the daemon has ended the connection\n", stderr);
        return EXIT_UNREACHABLE;
}

int cmd_follow(const struct options *o, char **operands) {
        struct client *c = NULL;
        json_t *result = NULL;
        int status = client_follow(o, !o->has_device, NULL, &c, &result);

        (void)operands;
        if (status != EXIT_OK)
                return status;
        json_decref(result);
        /* Programs that wait for it need not guess. */
        fputs("tpmauthn: following until Ctrl-C\n", stderr);
        status = print_all(o, c);
        client_close(c);
        return status;
}
