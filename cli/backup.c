/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * backup and restore: the daemon's bytes into a file of the person who asks, and back. The file is
 * written under another name first, so that an older backup stays until there is a whole new one.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/device.h"
#include "cli/file.h"
#include "cli/text.h"

static const char rules[] =
        "A backup is of use with this computer's TPM and for this user only: in another computer\n"
        "it opens nothing. After a reset it is void.\n";

/* ---- backup ---- */

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes written; -1 if that is no hex or cannot be written. */
static json_int_t write_hex(FILE *to, const char *hex) {
        json_int_t n = 0;

        for (; hex[0] && hex[1]; hex += 2, n++) {
                int high = digit(hex[0]), low = digit(hex[1]);

                if (high < 0 || low < 0 || fputc(high << 4 | low, to) == EOF)
                        return -1;
        }
        return n;
}

static int fetch(const struct options *o, FILE *to, const char *file, json_int_t *ret_size) {
        json_int_t offset = 0, size = 0, copy = 0, n;
        json_t *page = NULL;
        const char *hex;
        int status;

        do {
                json_t *params = offset == 0
                                         ? json_pack("{s:I}", "offset", offset)
                                         : json_pack("{s:I,s:I}", "offset", offset, "copy", copy);

                status = client_run(o, PROTOCOL_BACKUP, params, &page);
                if (status != EXIT_OK)
                        return status;
                copy = json_integer_value(json_object_get(page, "copy"));
                size = json_integer_value(json_object_get(page, "size"));
                hex = json_string_value(json_object_get(page, "data"));
                n = hex ? write_hex(to, hex) : -1;
                json_decref(page);
                if (n <= 0)
                        return file_complain(file, strerror(errno));
                offset += n;
        } while (offset < size);

        *ret_size = size;
        return EXIT_OK;
}

static int write_file(const struct options *o, const char *path, const char *file,
                      json_int_t *ret_size) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), status;
        FILE *to = fd < 0 ? NULL : fdopen(fd, "w");

        if (!to)
                return file_complain(path, strerror(errno));
        status = fetch(o, to, file, ret_size);
        if (status == EXIT_OK && (fflush(to) != 0 || fsync(fd) < 0))
                status = file_complain(path, strerror(errno));
        if (fclose(to) != 0 && status == EXIT_OK)
                status = file_complain(path, strerror(errno));
        if (status == EXIT_OK && rename(path, file) < 0)
                status = file_complain(file, strerror(errno));
        if (status != EXIT_OK)
                (void)unlink(path);
        return status;
}

int cmd_backup(const struct options *o, char **operands) {
        json_int_t size = 0;
        char *path;
        int status;

        if (asprintf(&path, "%s.new-%d", operands[0], (int)getpid()) < 0)
                return EXIT_FAILED;
        status = write_file(o, path, operands[0], &size);
        free(path);
        if (status != EXIT_OK)
                return status;
        if (o->json) {
                json_t *done = json_pack("{s:s,s:I}", "file", operands[0], "size", size);

                print_json(done);
                json_decref(done);
        } else
                printf("%lld bytes. %s", (long long)size, rules);
        return EXIT_OK;
}

/* ---- restore ---- */

static json_t *page_of(json_int_t offset, json_int_t size, const unsigned char *data, size_t n) {
        char *hex = malloc(2 * n + 1);
        json_t *page;

        if (!hex)
                return NULL;
        for (size_t i = 0; i < n; i++)
                snprintf(hex + 2 * i, 3, "%02x", data[i]);
        hex[2 * n] = '\0';
        page = json_pack("{s:I,s:I,s:s}", "offset", offset, "size", size, "data", hex);
        free(hex);
        return page;
}

static int send(const struct options *o, FILE *from, const char *file, json_int_t size,
                json_t **ret) {
        unsigned char data[PROTOCOL_PAGE_BYTES];
        json_int_t offset = 0;
        json_t *done = NULL;

        do {
                size_t n = fread(data, 1, sizeof(data), from);
                int status;

                if (n == 0) {
                        errno = ferror(from) ? errno : ENODATA;
                        json_decref(done);
                        return file_complain(file, strerror(errno));
                }
                json_decref(done);
                done = NULL;
                status = client_run(o, PROTOCOL_RESTORE, page_of(offset, size, data, n), &done);
                if (status != EXIT_OK)
                        return status;
                offset += (json_int_t)n;
        } while (offset < size);

        *ret = done;
        return EXIT_OK;
}

static void print_done(const json_t *done) {
        const char *aside = json_string_value(json_object_get(done, "aside"));

        printf("Passkeys that came back: %lld, of a backup made ",
               (long long)json_integer_value(json_object_get(done, "added")));
        print_time(stdout, json_integer_value(json_object_get(done, "made")), 0);
        puts(".");
        if (aside) {
                fputs("What the empty store had in the TPM could not be removed yet; it is kept "
                      "beside the new one, as ",
                      stdout);
                print_text(stdout, aside, 0);
                puts(", and the daemon tries again when it starts, and at a tpmauthn reset, which can give the "
                     "TPM's owner password.");
        }
}

static int restore(const struct options *o, FILE *from, const char *file) {
        struct stat st;
        json_t *done = NULL;
        int status;

        if (fstat(fileno(from), &st) < 0)
                return file_complain(file, strerror(errno));
        status = send(o, from, file, (json_int_t)st.st_size, &done);
        /* What clients were told before is of another store. */
        if (status == EXIT_OK && json_is_true(json_object_get(done, "replaced")))
                status = device_replug(o, false);
        if (status == EXIT_OK && o->json)
                print_json(done);
        else if (status == EXIT_OK)
                print_done(done);
        json_decref(done);
        return status;
}

int cmd_restore(const struct options *o, char **operands) {
        FILE *from = fopen(operands[0], "re");
        int status = EXIT_FAILED;

        if (!from)
                return file_complain(operands[0], strerror(errno));
        if (!o->json && !o->yes)
                printf("%s"
                       "Restoring adds the passkeys that are in the backup and not on this device,\n"
                       "also such as were deleted since. What is on the device stays as it is, and so\n"
                       "do the PIN and the settings. All signature counters are raised, so that none\n"
                       "repeats. If this device knows nothing of the backup, as after the system was\n"
                       "installed anew, and has no passkeys yet, the backup takes the place of its\n"
                       "store, settings included.\n",
                       rules);
        if (ask_to_go_on(o, "Restore this backup?"))
                status = restore(o, from, operands[0]);
        fclose(from);
        return status;
}
