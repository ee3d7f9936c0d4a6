/* SPDX-License-Identifier: BSD-2-Clause */

/* tpmauthn-agent: options → a way of asking → the loop → exit code. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/intl.h"
#include "authenticator/agent-protocol.h"
#include "build-config.h"

struct options {
        const char *socket, *ui;
};

/* In the order in which `auto` tries them. */
static const struct way {
        const char *name;
        int (*make)(sd_event *event, const struct ui_events *events, void *userdata,
                    struct ui **ret);
} ways[] = {
        { "gtk4", ui_gtk_new },
        { "pinentry", ui_pinentry_new },
        { "tty", ui_tty_new },
};

static const struct option long_options[] = {
        { "ui", required_argument, NULL, 'u' },
        { "socket", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { 0 },
};

static void print_help(void) {
        puts("Usage: tpmauthn-agent [OPTION]...\n"
             "Asks you before a passkey of this computer is made or used: a dialog in your session\n"
             "that tpmauthnd has its questions shown in. A session starts it by itself.\n"
             "\n"
             "  -u, --ui WAY       auto, gtk4, pinentry or tty (default auto: the first of these\n"
             "                     that is there)\n"
             "  -s, --socket PATH  the daemon's agent socket (default\n"
             "                     " TPMAUTHN_RUN_DIR "/" AGENT_SOCKET
             ", or $TPMAUTHN_AGENT_SOCKET)\n"
             "  -h, --help\n"
             "  -v, --version");
}

static int usage(const char *what, const char *name) {
        fprintf(stderr, "tpmauthn-agent: %s%s. Try: tpmauthn-agent --help\n", what, name);
        return 2;
}

/* Answers hold PINs. */
static void wipe_and_free(void *p) {
        if (p)
                explicit_bzero(p, malloc_usable_size(p));
        free(p);
}

/* A PIN is in memory while it is typed: not in a core file, nor for other programs of the person. */
static void harden(void) {
        const struct rlimit none = { 0, 0 };

        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_DUMPABLE, 0);
}

/* One agent for each session: the descriptor of a lock; -1: there is one; -2: nothing to lock. */
static int lock_session(void) {
        const char *dir = getenv("XDG_RUNTIME_DIR");
        char *session = NULL, path[512];
        int fd;

        if (!dir)
                return -2;
        /* A service of the person's is in no session of its own: it is for the graphical one. */
        if (sd_pid_get_session(0, &session) < 0)
                session = NULL;
        snprintf(path, sizeof(path), "%s/tpmauthn-agent%s%s.lock", dir, session ? "-" : "",
                 session ? session : "");
        free(session);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -2;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static int choose(const char *name, sd_event *event, struct agent *a, struct ui **ret) {
        bool any = strcmp(name, "auto") == 0;
        int r = -EINVAL;

        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                if (any || strcmp(name, ways[i].name) == 0) {
                        r = ways[i].make(event, agent_ui_events(), a, ret);
                        if (r != -ENOTSUP || !any)
                                break;
                }
        return r;
}

static int complain(const char *ui, int error) {
        if (error == -EINVAL)
                return usage("there is no way to ask by the name of ", ui);
        if (error == -ENOTSUP && strcmp(ui, "auto") == 0)
                fputs("tpmauthn-agent: there is nowhere to ask: no display for a dialog, no pinentry, "
                      "and standard input is no terminal\n",
                      stderr);
        else if (error == -ENOTSUP)
                fprintf(stderr,
                        "tpmauthn-agent: %s cannot ask here: it is not built in or not installed, "
                        "or it has no display or terminal\n",
                        ui);
        else
                fprintf(stderr, "tpmauthn-agent: %s\n", strerror(-error));
        return 1;
}

static int run(const struct options *o, sd_event *event) {
        const struct agent_options options = { .socket = o->socket,
                                               .sys = "/sys",
                                               .proc = "/proc" };
        struct agent *a = NULL;
        struct ui *ui = NULL;
        int r;

        r = agent_new(event, &options, &a);
        if (r == 0)
                r = choose(o->ui, event, a, &ui);
        /* After the ui, for the desktop's portal wants to look at a program once before it answers. */
        harden();
        if (r == 0)
                r = agent_start(a, ui);
        if (r == 0)
                r = ui->ops->run(ui, event);
        agent_free(a);
        if (ui)
                ui->ops->free(ui);
        return r < 0 ? complain(o->ui, r) : 0;
}

/* The signals that end a program end the loop, so that a terminal gets its echo back. */
static int set_up_loop(sd_event **ret) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
        sd_event *event = NULL;
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                sigaddset(&mask, signals[i]);
        sigaddset(&mask, SIGCHLD);
        sigprocmask(SIG_BLOCK, &mask, NULL);
        r = sd_event_new(&event);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(event, NULL, signals[i], NULL, NULL);
        if (r < 0) {
                sd_event_unref(event);
                return r;
        }
        *ret = event;
        return 0;
}

static void set_up_language(void) {
        const char *dir = getenv("TEXTDOMAINDIR");

        setlocale(LC_ALL, "");
        bindtextdomain(AGENT_TEXT_DOMAIN, dir ? dir : TPMAUTHN_LOCALE_DIR);
        bind_textdomain_codeset(AGENT_TEXT_DOMAIN, "UTF-8");
        textdomain(AGENT_TEXT_DOMAIN);
}

int main(int argc, char **argv) {
        const char *socket = getenv("TPMAUTHN_AGENT_SOCKET");
        struct options o = { .socket = socket ? socket : TPMAUTHN_RUN_DIR "/" AGENT_SOCKET,
                             .ui = "auto" };
        sd_event *event;
        int c, r;

        json_set_alloc_funcs(malloc, wipe_and_free);
        set_up_language();
        while ((c = getopt_long(argc, argv, "u:s:hv", long_options, NULL)) != -1)
                switch (c) {
                case 'u':
                        o.ui = optarg;
                        break;
                case 's':
                        o.socket = optarg;
                        break;
                case 'h':
                        print_help();
                        return 0;
                case 'v':
                        puts("tpmauthn-agent " TPMAUTHN_VERSION);
                        return 0;
                default:
                        return usage("wrong option", "");
                }
        if (optind < argc)
                return usage("there is no operand, but here is ", argv[optind]);

        if (lock_session() == -1) {
                fputs("tpmauthn-agent: one is running in this session\n", stderr);
                return 0;
        }
        r = set_up_loop(&event);
        if (r < 0)
                return complain(o.ui, r);
        r = run(&o, event);
        sd_event_unref(event);
        return r;
}
