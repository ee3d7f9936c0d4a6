/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The journal is used only if stderr is the very stream that systemd made for this process
 * (JOURNAL_STREAM names its device and inode), so that a redirected stderr gets what it asked for.
 */

#define SD_JOURNAL_SUPPRESS_LOCATION

#include "authenticator/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

static const struct {
        int level;
        const char *name;
} levels[] = {
        { LOG_ERR, "err" },   { LOG_WARNING, "warning" }, { LOG_NOTICE, "notice" },
        { LOG_INFO, "info" }, { LOG_DEBUG, "debug" },
};

int log_level_from_string(const char *s, int *ret) {
        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (strcmp(s, levels[i].name) == 0) {
                        *ret = levels[i].level;
                        return 0;
                }

        return -EINVAL;
}

const char *log_level_to_string(int level) {
        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (levels[i].level == level)
                        return levels[i].name;

        return level < LOG_ERR ? "err" : "debug";
}

static bool stderr_is_the_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
                return false;
        if (fstat(STDERR_FILENO, &st) < 0)
                return false;

        return st.st_dev == device && st.st_ino == inode;
}

void log_init(struct log *l, int level) {
        l->level = level;
        l->to_journal = stderr_is_the_journal();
}

/* Messages may quote what a file or a TPM said; none of it may start a new line. */
static void flatten(char *s) {
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        *s = ' ';
}

void log_write(const struct log *l, int priority, const char *instance, const char *format, ...) {
        char text[LOG_LINE_MAX];
        va_list ap;

        if (priority > l->level)
                return;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        flatten(text);

        if (l->to_journal && instance)
                sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, "TPMAUTHN_INSTANCE=%s",
                                instance, NULL);
        else if (l->to_journal)
                sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, NULL);
        else
                fprintf(stderr, "%s%s%s %s\n", log_level_to_string(priority), instance ? " " : "",
                        instance ? instance : "", text);
}

void log_forward(void *context, int priority, const char *message) {
        const struct log_context *c = context;

        log_write(c->log, priority, c->instance, "%s", message);
}
