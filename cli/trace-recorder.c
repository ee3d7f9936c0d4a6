/* SPDX-License-Identifier: BSD-2-Clause */

/* Events of the type "frame", from JSON into the writers of trace/. */

#include "cli/trace-recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "build-config.h"
#include "cli/client.h"
#include "ctap/hid.h"
#include "trace/pcapng.h"
#include "trace/transcript.h"

struct output {
        struct output *next;
        unsigned device;
        char *path;
        FILE *file;
        int error; /* an errno: why the file ends before what was said does; 0: it does not */
        struct pcapng pcapng;
        struct transcript *transcript; /* NULL: it is a pcapng file */
};

struct trace_recorder {
        struct client *client;
        bool secrets;
        unsigned long n;
        struct output *outputs;
};

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- files ---- */

static bool ends_in(const char *path, const char *end) {
        size_t n = strlen(path), m = strlen(end);

        return n > m && strcmp(path + n - m, end) == 0;
}

bool trace_recorder_knows(const char *path) {
        return ends_in(path, ".pcapng") || ends_in(path, ".txt");
}

static int complain(const char *path, int e) {
        fprintf(stderr, "tpmauthn: %s: %s\n", path, strerror(e));
        return EXIT_FAILED;
}

/* What others read meanwhile is whole up to its last frame. */
static void flush(struct output *o) {
        if ((fflush(o->file) != 0 || ferror(o->file)) && o->error == 0)
                o->error = errno ? errno : EIO;
}

static int output_free(struct output *o) {
        int status = EXIT_OK;

        transcript_free(o->transcript);
        if (o->file) {
                flush(o);
                if (o->error != 0) {
                        fprintf(stderr, "tpmauthn: %s is cut off: %s\n", o->path,
                                strerror(o->error));
                        status = EXIT_FAILED;
                }
                (void)fclose(o->file);
        }
        free(o->path);
        free(o);
        return status;
}

static int begin(const struct trace_recorder *r, struct output *o) {
        const struct pcapng_identity identity = { o->device, TPMAUTHN_USB_VENDOR,
                                                  TPMAUTHN_USB_PRODUCT };
        char name[32];

        if (ends_in(o->path, ".pcapng")) {
                pcapng_begin(&o->pcapng, o->file, &identity, now_ns());
                return EXIT_OK;
        }
        o->transcript = transcript_new(o->file, now_ns());
        if (!o->transcript)
                return complain(o->path, ENOMEM);
        snprintf(name, sizeof(name), "device %u", o->device);
        transcript_head(o->transcript, name, r->secrets);
        return EXIT_OK;
}

/* Where there are no locks, nobody else is taken to write it. */
static bool lock(int fd) {
        return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* One that is there already may be open to others, be written by another recorder, or be no file (a pipe). */
static int open_file(const struct trace_recorder *r, const char *path, FILE **ret) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, r->secrets ? 0600 : 0666);
        int e;

        if (fd >= 0 && lock(fd) && (ftruncate(fd, 0) == 0 || errno == EINVAL) &&
            (!r->secrets || fchmod(fd, 0600) == 0))
                *ret = fdopen(fd, "w");
        if (*ret)
                return EXIT_OK;
        e = errno;
        if (fd >= 0)
                close(fd);
        if (e != EWOULDBLOCK)
                return complain(path, e);
        fprintf(stderr, "tpmauthn: %s is being written by another process. Name another file\n",
                path);
        return EXIT_FAILED;
}

int trace_recorder_add(struct trace_recorder *r, unsigned device, const char *path) {
        struct output *o = calloc(1, sizeof(*o));
        int status;

        if (!o)
                return complain(path, ENOMEM);
        o->device = device;
        o->path = strdup(path);
        status = o->path ? open_file(r, path, &o->file) : complain(path, ENOMEM);
        if (status == EXIT_OK)
                status = begin(r, o);
        if (status != EXIT_OK) {
                (void)output_free(o);
                return status;
        }
        flush(o);
        o->next = r->outputs;
        r->outputs = o;
        return EXIT_OK;
}

/* ---- events ---- */

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *hex, struct buf *ret) {
        for (; hex[0] && hex[1]; hex += 2) {
                int high = digit(hex[0]), low = digit(hex[1]);

                if (high < 0 || low < 0)
                        return false;
                buf_put_u8(ret, (uint8_t)(high << 4 | low));
        }
        return !hex[0] && buf_error(ret) == 0;
}

static json_int_t integer(const json_t *from, const char *name) {
        return json_integer_value(json_object_get(from, name));
}

static const char *text(const json_t *from, const char *name) {
        const char *s = json_string_value(json_object_get(from, name));

        return s ? s : "";
}

static void write_frame(struct trace_recorder *r, unsigned device, const struct trace_frame *f) {
        for (struct output *o = r->outputs; o; o = o->next) {
                if (o->device != device)
                        continue;
                if (o->transcript)
                        transcript_put(o->transcript, f);
                else
                        pcapng_put(&o->pcapng, f);
                flush(o);
        }
}

static void take_event(struct trace_recorder *r, const json_t *event) {
        uint8_t storage[HID_MESSAGE_MAX];
        struct buf payload = BUF_ON(storage);
        struct trace_frame f = { 0 };

        if (strcmp(text(event, "type"), PROTOCOL_EVENT_FRAME) != 0 ||
            !read_hex(text(event, "payload"), &payload))
                return;
        f.time_ns = strtoull(text(event, "time"), NULL, 10);
        f.direction = strcmp(text(event, "direction"), "in") == 0 ? TRACE_IN : TRACE_OUT;
        f.channel = (uint32_t)integer(event, "cid");
        f.command = (uint8_t)integer(event, "command");
        f.payload = buf_bytes(&payload);
        r->n++;
        write_frame(r, (unsigned)integer(event, "device"), &f);
}

/* ---- a recorder ---- */

int trace_recorder_open(const struct options *o, bool all, bool secrets,
                        struct trace_recorder **ret) {
        struct trace_recorder *r = calloc(1, sizeof(*r));
        json_t *params, *result = NULL;
        int status;

        if (!r)
                return complain("trace", ENOMEM);
        r->secrets = secrets;
        params = json_pack("{s:b,s:b}", "frames", true, "secrets", secrets);
        status = client_follow(o, all, params, &r->client, &result);
        json_decref(result);
        if (status != EXIT_OK) {
                free(r);
                return status;
        }
        *ret = r;
        return EXIT_OK;
}

int trace_recorder_fd(const struct trace_recorder *r) {
        return client_fd(r->client);
}

bool trace_recorder_read(struct trace_recorder *r) {
        json_t *line = NULL;
        int n;

        while ((n = client_take(r->client, &line)) > 0) {
                take_event(r, json_object_get(line, "event"));
                json_decref(line);
        }
        return n == 0;
}

unsigned long trace_recorder_count(const struct trace_recorder *r) {
        return r->n;
}

int trace_recorder_close(struct trace_recorder *r) {
        int status = EXIT_OK;

        if (!r)
                return EXIT_OK;
        client_close(r->client);
        while (r->outputs) {
                struct output *o = r->outputs;

                r->outputs = o->next;
                if (output_free(o) != EXIT_OK)
                        status = EXIT_FAILED;
        }
        free(r);
        return status;
}
