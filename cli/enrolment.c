/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * provision: a site's creation options in, what its server takes for them out. The options go to the
 * daemon as they are, which alone says what is wrong with them.
 */

#include "cli/enrolment.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/client.h"

int enrolment_check_user(const struct options *o, const char *command) {
        if (!o->has_user) {
                fprintf(stderr, "tpmauthn: %s takes --user: whom to enrol\n", command);
                return EXIT_USAGE;
        }
        if (getpwuid(o->user))
                return EXIT_OK;
        fprintf(stderr, "tpmauthn: there is no account with the uid %u\n", o->user);
        return EXIT_USAGE;
}

/* ---- the secret ---- */

/* To be freed. NULL: the service manager gave none, or out of memory. */
static char *credential_path(void) {
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        char *path;

        if (!folder || asprintf(&path, "%s/" ENROLMENT_CREDENTIAL, folder) < 0)
                return NULL;
        return path;
}

bool enrolment_has_secret(const struct options *o) {
        char *path;
        bool has;

        if (o->secret_file || o->from_credential)
                return true;
        path = credential_path();
        has = path && access(path, F_OK) == 0;
        free(path);
        return has;
}

/* No stream, whose buffer would keep it. */
static const char *read_line(const char *path, struct secret_text *ret) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t n = 0;
        ssize_t got;

        if (fd < 0)
                return strerror(errno);
        do {
                got = read(fd, ret->s + n, sizeof(ret->s) - n);
                n += got > 0 ? (size_t)got : 0;
        } while ((got > 0 && n < sizeof(ret->s)) || (got < 0 && errno == EINTR));
        close(fd);
        if (got < 0)
                return strerror(errno);
        for (size_t i = 0; i < n; i++)
                if (ret->s[i] == '\n' || ret->s[i] == '\0') {
                        memset(ret->s + i, 0, sizeof(ret->s) - i);
                        return i > 0 ? NULL : "its first line is empty";
                }
        if (n == sizeof(ret->s))
                return "its first line is too long";
        return n > 0 ? NULL : "it is empty";
}

int enrolment_read_secret(const struct options *o, struct secret_text *ret) {
        char *path = o->secret_file ? strdup(o->secret_file) : credential_path();
        const char *why = "there is no $CREDENTIALS_DIRECTORY";

        *ret = (struct secret_text){ { 0 } };
        if (path)
                why = read_line(path, ret);
        if (why) {
                secret_text_wipe(ret);
                fprintf(stderr, "tpmauthn: no secret can be read from %s: %s\n",
                        path ? path : ENROLMENT_CREDENTIAL, why);
        }
        free(path);
        return why ? -1 : 0;
}

/* ---- provision ---- */

/* NULL after saying why. */
static json_t *read_options(void) {
        json_error_t where;
        json_t *options = json_loadf(stdin, JSON_REJECT_DUPLICATES, &where);

        if (!options)
                fprintf(stderr, "tpmauthn: the creation options on standard input: line %d: %s\n",
                        where.line, where.text);
        else if (json_dumpb(options, NULL, 0, JSON_COMPACT) <= PROTOCOL_LINE_MAX - 1024)
                return options;
        else
                fputs("tpmauthn: the creation options are too long for one request\n", stderr);
        json_decref(options);
        return NULL;
}

/* EXIT_OK: added, or there is none. */
static int add_origin(const struct options *o, json_t *params) {
        if (!o->origin || json_object_set_new(params, "origin", json_string(o->origin)) == 0)
                return EXIT_OK;
        fputs("tpmauthn: --origin takes a text in UTF-8\n", stderr);
        return EXIT_USAGE;
}

/* The same. */
static int add_secret(const struct options *o, json_t *params) {
        _cleanup_(secret_text_wipe) struct secret_text secret;

        if (!enrolment_has_secret(o))
                return EXIT_OK;
        if (enrolment_read_secret(o, &secret) < 0)
                return EXIT_FAILED;
        if (json_object_set_new(params, "secret", json_string(secret.s)) == 0)
                return EXIT_OK;
        fputs("tpmauthn: a secret is a text in UTF-8\n", stderr);
        return EXIT_FAILED;
}

int cmd_provision(const struct options *o, char **operands) {
        json_t *params, *made = NULL;
        int status = enrolment_check_user(o, "provision");

        (void)operands;
        if (status != EXIT_OK)
                return status;
        params = json_pack("{s:o}", "options", read_options());
        if (!params)
                return EXIT_FAILED;
        status = add_origin(o, params);
        if (status == EXIT_OK)
                status = add_secret(o, params);
        if (status != EXIT_OK) {
                json_decref(params);
                return status;
        }
        status = client_run(o, PROTOCOL_REGISTER, params, &made);
        if (status == EXIT_OK)
                print_json(made);
        json_decref(made);
        return status;
}
