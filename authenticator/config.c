/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One table says everything about a key: section, name, how its text is read and written, where it
 * lives, its default and its help (config-keys.c). Reading, printing, defaults and the "did you mean"
 * all walk it. libinih splits lines; it is fed by a reader of ours that counts them, refuses those it
 * would cut in two, and removes indentation, which it would take for a continuation of the line before.
 */

#include "authenticator/config.h"

#include <errno.h>
#include <glob.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "authenticator/config-internal.h"
#include "authenticator/util.h"
#include "build-config.h"

const struct config_places config_system_places = {
        .vendor = TPMAUTHN_LIB_CONF_DIR,
        .runtime = TPMAUTHN_RUN_DIR,
        .file = TPMAUTHN_ETC_CONF_DIR "/tpmauthn.conf",
};

static void *field_of(struct config *c, const struct config_key *k) {
        return (char *)c + k->field;
}

int config_init(struct config *c) {
        size_t n;
        const struct config_key *keys = config_keys(&n);
        int r;

        *c = (struct config){ 0 };
        for (size_t i = 0; i < n; i++) {
                r = keys[i].parse(keys[i].initial, field_of(c, &keys[i]));
                if (r < 0) {
                        config_done(c);
                        return r;
                }
        }
        return 0;
}

void config_done(struct config *c) {
        free(c->state_directory);
        free(c->runtime_directory);
        free(c->device);
        free(c->name);
        free(c->tpm);
        free(c->attestation_key);
        free(c->attestation_certificates);
        free(c->attestation_rp_ids);
        free(c->attestation_root);
        free(c->presence_pin_file);
        free(c->audit_socket);
        *c = (struct config){ 0 };
}

/*
 * With blanks around the "=" unless they would turn the value into a comment, or the line into one that
 * is too long: what fitted into a line of a file fits again without them.
 */
static void print_pair(const struct config *c, const struct config_key *k, FILE *to) {
        _cleanup_(free_pointer) char *value = NULL;
        size_t n = 0;
        FILE *text = open_memstream(&value, &n);
        bool wide;

        if (!text)
                return;
        k->print((const char *)c + k->field, text);
        if (fclose(text) != 0)
                return;
        wide = value[0] != ';' && strlen(k->name) + strlen(" = ") + n <= INI_MAX_LINE - 2;
        fprintf(to, "%s%s%s\n", k->name, wide ? " = " : "=", value);
}

void config_print(const struct config *c, FILE *to) {
        size_t n;
        const struct config_key *keys = config_keys(&n);
        const char *section = "";

        for (size_t i = 0; i < n; i++) {
                if (strcmp(section, keys[i].section) != 0)
                        fprintf(to, "%s[%s]\n", *section ? "\n" : "", keys[i].section);
                section = keys[i].section;
                fprintf(to, "# %s (%s)\n", keys[i].help, keys[i].takes);
                print_pair(c, &keys[i], to);
        }
}

/* ---- reading ---- */

struct reading {
        struct config *config;
        FILE *errors;
        FILE *file;
        const char *path; /* or "command line" */
        unsigned line;
        int result; /* 0, or the first failure */
};

static void _printf_(2, 3) complain(struct reading *r, const char *format, ...) {
        va_list ap;

        if (r->line > 0)
                fprintf(r->errors, "%s:%u: ", r->path, r->line);
        else
                fprintf(r->errors, "%s: ", r->path);
        va_start(ap, format);
        vfprintf(r->errors, format, ap);
        va_end(ap);
        fputc('\n', r->errors);
        if (r->result == 0)
                r->result = -EINVAL;
}

static void assign(struct reading *r, const char *section, const char *name, const char *value) {
        size_t n;
        const struct config_key *keys = config_keys(&n), *near;
        int e;

        for (size_t i = 0; i < n; i++) {
                if (strcmp(section, keys[i].section) != 0 || strcmp(name, keys[i].name) != 0)
                        continue;
                e = keys[i].parse(value, field_of(r->config, &keys[i]));
                if (e < 0)
                        complain(r, "[%s] %s = %s: %s", section, name, value,
                                 e == -EINVAL ? keys[i].takes : strerror(-e));
                return;
        }

        near = config_key_nearest(section, name);
        complain(r, "[%s] %s: there is no such key; the nearest is [%s] %s", section, name,
                 near->section, near->name);
}

static int on_pair(void *user, const char *section, const char *name, const char *value) {
        assign(user, section, name, value);
        return 1; /* the complaint is made; go on and find the others */
}

/* An ini_reader: one whole line per call, without indentation. */
static char *read_line(char *line, int size, void *stream) {
        struct reading *r = stream;
        size_t blanks, length;
        int c;

        if (!fgets(line, size, r->file))
                return NULL;

        r->line++;
        length = strlen(line);
        if (length + 1 == (size_t)size && line[length - 1] != '\n') {
                complain(r, "the line is longer than %d bytes", size - 2);
                while ((c = fgetc(r->file)) != EOF && c != '\n')
                        ;
                line[0] = '\0';
                return line;
        }

        blanks = strspn(line, " \t");
        memmove(line, line + blanks, length - blanks + 1);
        return line;
}

static int read_file(struct config *c, const char *path, bool required, FILE *errors) {
        _cleanup_(close_stream) FILE *file = fopen(path, "re");
        struct reading r = { .config = c, .errors = errors, .file = file, .path = path };
        struct stat st;
        int bad;

        if (!file && errno == ENOENT && !required)
                return 0;
        if (!file) {
                int e = errno;

                complain(&r, "cannot be read: %s", strerror(e));
                return -e;
        }
        if (fstat(fileno(file), &st) < 0 || S_ISDIR(st.st_mode)) {
                complain(&r, "is not a file");
                return -EISDIR;
        }

        bad = ini_parse_stream(read_line, &r, on_pair, &r);
        if (ferror(file)) {
                r.line = 0;
                complain(&r, "cannot be read to its end");
        }
        if (bad > 0) {
                r.line = (unsigned)bad;
                complain(&r, "is neither [section], key = value nor a comment");
        }
        return bad < 0 ? -ENOMEM : r.result;
}

static int first_failure(int a, int b) {
        return a < 0 ? a : b;
}

/* Every *.conf of a folder, in the order of names. A folder that is not there has none. */
static int read_folder(struct config *c, const char *folder, FILE *errors) {
        _cleanup_(free_pointer) char *pattern = NULL;
        glob_t found = { 0 };
        int r = 0, g;

        if (asprintf(&pattern, "%s/*.conf", folder) < 0)
                return -ENOMEM;

        g = glob(pattern, GLOB_NOESCAPE, NULL, &found);
        if (g == GLOB_NOSPACE)
                r = -ENOMEM;
        for (size_t i = 0; g == 0 && i < found.gl_pathc; i++)
                r = first_failure(r, read_file(c, found.gl_pathv[i], true, errors));
        globfree(&found);
        return r;
}

int config_read(struct config *c, const struct config_places *places, FILE *errors) {
        _cleanup_(free_pointer) char *drop_ins = NULL;
        int r = 0;

        if (places->vendor)
                r = first_failure(r, read_folder(c, places->vendor, errors));
        if (places->runtime)
                r = first_failure(r, read_folder(c, places->runtime, errors));
        if (places->file) {
                if (asprintf(&drop_ins, "%s.d", places->file) < 0)
                        return -ENOMEM;
                r = first_failure(r, read_file(c, places->file, places->file_required, errors));
                r = first_failure(r, read_folder(c, drop_ins, errors));
        }
        return r;
}

int config_set(struct config *c, const char *assignment, FILE *errors) {
        _cleanup_(free_pointer) char *copy = strdup(assignment);
        struct reading r = { .config = c, .errors = errors, .path = "command line" };
        char *dot, *equals;

        if (!copy)
                return -ENOMEM;

        equals = strchr(copy, '=');
        if (equals)
                *equals = '\0';
        dot = strchr(copy, '.');
        if (!equals || !dot) {
                complain(&r, "%s: expected section.key=value", assignment);
                return r.result;
        }
        *dot = '\0';
        assign(&r, copy, dot + 1, equals + 1);
        return r.result;
}

int config_check(const struct config *c, FILE *errors) {
        if (!*c->attestation_key != !*c->attestation_certificates) {
                fprintf(errors, "[attestation] key, certificates: one is of no use without the "
                                "other\n");
                return -EINVAL;
        }
        if (c->presence == PRESENCE_TTY && c->count > 1) {
                fprintf(errors, "[presence] presence = tty asks on one terminal, for one device: "
                                "set [device] count = 1\n");
                return -EINVAL;
        }
        if (c->presence_verified && !c->presence_verify) {
                fprintf(errors, "[presence] require = verify needs verify = yes: where nobody is "
                                "asked for the PIN here, nothing could be used\n");
                return -EINVAL;
        }
        if (*c->presence_pin_file && c->presence != PRESENCE_AUTO &&
            c->presence != PRESENCE_SCRIPT) {
                fprintf(errors, "[presence] pin-file is for presence = auto and presence = script, "
                                "which answer in place of a person\n");
                return -EINVAL;
        }
        return 0;
}
