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

/* The name of a file that was read, for as long as the configuration. */
struct config_path {
        struct config_path *next;
        char text[];
};

static void *field_of(struct config *c, const struct config_key *k) {
        return (char *)c + k->field;
}

int config_init(struct config *c) {
        size_t n;
        const struct config_key *keys = config_keys(&n);
        int r;

        *c = (struct config){ 0 };
        c->origins = calloc(n, sizeof(*c->origins));
        if (!c->origins)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = keys[i].parse(keys[i].initial, field_of(c, &keys[i]));
                if (r < 0) {
                        config_done(c);
                        return r;
                }
        }
        return 0;
}

static void free_paths(struct config *c) {
        while (c->paths) {
                struct config_path *next = c->paths->next;

                free(c->paths);
                c->paths = next;
        }
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
        config_list_done(&c->rp_allow);
        config_list_done(&c->rp_deny);
        config_list_done(&c->locked);
        free(c->origins);
        free_paths(c);
        *c = (struct config){ 0 };
}

/* To be freed; NULL: out of memory. */
static char *value_of(const struct config *c, const struct config_key *k) {
        char *value = NULL;
        size_t n;
        FILE *text = open_memstream(&value, &n);

        if (!text)
                return NULL;
        k->print((const char *)c + k->field, text);
        if (fclose(text) != 0) {
                free(value);
                return NULL;
        }
        return value;
}

/*
 * With blanks around the "=" unless they would turn the value into a comment, or the line into one that
 * is too long: what fitted into a line of a file fits again without them.
 */
static void print_line(const struct config_key *k, const char *value, FILE *to) {
        const bool wide = value[0] != ';' &&
                          strlen(k->name) + strlen(" = ") + strlen(value) <= INI_MAX_LINE - 2;

        fprintf(to, "%s%s%s\n", k->name, wide ? " = " : "=", value);
}

/* Words add up, so that a list takes as many lines as it needs. */
static void print_list(const struct config_key *k, char *words, FILE *to) {
        const size_t width = INI_MAX_LINE / 2;
        char *end;

        while (strlen(words) > width && (end = strchr(words + width, ' '))) {
                *end = '\0';
                print_line(k, words, to);
                words = end + 1;
        }
        print_line(k, words, to);
}

static void print_pair(const struct config *c, const struct config_key *k, FILE *to) {
        _cleanup_(free_pointer) char *value = value_of(c, k);

        if (!value)
                return;
        if (config_lock_of(c, k))
                fputs("# locked: no later file changes it, and no client\n", to);
        if (config_key_is_list(k))
                print_list(k, value, to);
        else
                print_line(k, value, to);
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
        struct config_origin at; /* its path is that of this reading alone, or command_line */
        int result;              /* 0, or the first failure */
};

static const char command_line[] = "command line";

void config_print_origin(const struct config_origin *from, FILE *to) {
        if (from->path && from->line > 0)
                fprintf(to, "%s:%u: ", from->path, from->line);
        else if (from->path)
                fprintf(to, "%s: ", from->path);
}

static void _printf_(2, 3) complain(struct reading *r, const char *format, ...) {
        va_list ap;

        config_print_origin(&r->at, r->errors);
        va_start(ap, format);
        vfprintf(r->errors, format, ap);
        va_end(ap);
        fputc('\n', r->errors);
        if (r->result == 0)
                r->result = -EINVAL;
}

/* What this line says may be said again, but nothing else. Else it is complained about. */
static bool goes_against(struct reading *r, const struct config_key *k, const char *value,
                         const char *before, const struct config_origin *said) {
        const struct config_origin *lock = config_lock_of(r->config, k);
        _cleanup_(free_pointer) char *now = value_of(r->config, k);

        if (!before || !now || strcmp(before, now) == 0)
                return false;
        if (lock && lock->path != r->at.path) {
                complain(r, "[%s] %s = %s: %s:%u has locked it", k->section, k->name, value,
                         lock->path, lock->line);
                return true;
        }
        if (said->path != r->at.path || said->path == command_line || config_key_is_list(k))
                return false;
        complain(r, "[%s] %s = %s: line %u of this file says %s", k->section, k->name, value,
                 said->line, *before ? before : "nothing");
        return true;
}

/* What is locked goes on being so. */
static bool unlocks(struct reading *r, const struct config_key *k, const char *value) {
        const struct config_list *locked = &r->config->locked;

        if (field_of(r->config, k) != locked || *value || locked->n == 0 ||
            locked->from[0].path == r->at.path)
                return false;
        complain(r, "[%s] %s = : %s:%u has locked %s", k->section, k->name, locked->from[0].path,
                 locked->from[0].line, locked->text);
        return true;
}

static void set(struct reading *r, size_t i, const char *value) {
        size_t n;
        const struct config_key *k = &config_keys(&n)[i];
        struct config_origin *said = &r->config->origins[i];
        _cleanup_(free_pointer) char *before = value_of(r->config, k);
        int e;

        if (unlocks(r, k, value))
                return;
        e = k->parse(value, field_of(r->config, k));
        if (e < 0) {
                complain(r, "[%s] %s = %s: %s", k->section, k->name, value,
                         e == -EINVAL ? k->takes : strerror(-e));
                return;
        }
        if (config_key_is_list(k))
                config_list_note(field_of(r->config, k), &r->at);
        if (!goes_against(r, k, value, before, said))
                *said = r->at;
}

static void assign(struct reading *r, const char *section, const char *name, const char *value) {
        size_t n;
        const struct config_key *keys = config_keys(&n), *near;

        for (size_t i = 0; i < n; i++)
                if (strcmp(section, keys[i].section) == 0 && strcmp(name, keys[i].name) == 0) {
                        set(r, i, value);
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

        r->at.line++;
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

static int remember_path(struct config *c, const char *path) {
        struct config_path *p = malloc(sizeof(*p) + strlen(path) + 1);

        if (!p)
                return -ENOMEM;
        strcpy(p->text, path);
        p->next = c->paths;
        c->paths = p;
        return 0;
}

static int read_file(struct config *c, const char *path, bool required, FILE *errors) {
        _cleanup_(close_stream) FILE *file = fopen(path, "re");
        struct reading r = { .config = c, .errors = errors, .file = file, .at = { path, 0 } };
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

        if (remember_path(c, path) < 0)
                return -ENOMEM;
        r.at.path = c->paths->text;
        bad = ini_parse_stream(read_line, &r, on_pair, &r);
        if (ferror(file)) {
                r.at.line = 0;
                complain(&r, "cannot be read to its end");
        }
        if (bad > 0) {
                r.at.line = (unsigned)bad;
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
        struct reading r = { .config = c, .errors = errors, .at = { command_line, 0 } };
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
