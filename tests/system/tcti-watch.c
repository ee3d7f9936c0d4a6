/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * libtss2-tcti-watch.so: a TCTI that stands in front of another one and watches, for tests of
 * anything that takes a TCTI string, the daemon included. The string is
 *
 *     /path/to/libtss2-tcti-watch.so:dir=DIR,INNER      e.g. INNER = swtpm:host=127.0.0.1,port=2321
 *
 * (tctildr splits at the first colon: what follows it is ours.) DIR is a directory of the test.
 *
 * DIR/log: a line for each command, before it is sent: its name as in TPM 2.0 Part 2 without
 * "TPM2_", such as "Load", or its code in hex. Truncate it to begin anew.
 *
 * DIR/bytes, if it is there: every byte that goes to and fro is appended, as on a bus.
 *
 * DIR/plan, if it is there, says what to do, a line each:
 *     kill-before N            SIGKILL ourselves instead of sending the N-th command
 *     kill-after N             ... after the N-th command was answered, before anybody hears of it
 *     answer N RC              answer the N-th command with this TPM response code, do not send it
 *     answer NAME N RC         the same for the N-th command of that name; N = 0: for every one
 *     lose NAME N              the N-th command of that name is carried out, its answer an I/O error
 *     break N                  the N-th command and all later ones fail with an I/O error
 *     slow NAME MS             wait for so long before each command of that name
 *     no-pin-fail              this TPM knows no indexes of type PIN_FAIL
 *     uncounted-pin-fail       it does, but read, the newest of them says that no try was used
 *     hardware                 this TPM does not say that it is a simulator
 * N counts from 1, RC is hexadecimal. Counting begins when a new plan is first seen: write it to
 * another file and rename that to DIR/plan. The plan is looked at before each command, so it can
 * change at any time. Counts last as long as the process, also when the connection is closed and
 * opened again.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

#include "ctap/bytes.h"

static const uint64_t WATCH_MAGIC = 0x7470612d65796573; /* "tpa-eyes" */

struct watch {
        TSS2_TCTI_CONTEXT_COMMON_V2 tcti; /* first */
        TSS2_TCTI_CONTEXT *inner;
        char dir[256];
        uint32_t answer; /* to give instead of asking; 0: none */
        bool kill_after, lose;
        unsigned slow_ms;
        bool hide_count;  /* in what is read from the index of PIN_FAIL */
        uint32_t defines; /* an index of type PIN_FAIL; 0: it is another command */
        uint32_t reads;   /* from this index; 0: likewise */
        bool hardware;
};

/* The one test module with state of its own: see "Counts" above. The module is never unloaded. */
static struct {
        struct stat plan;
        uint32_t pin_fail; /* the newest index of that type */
        unsigned total;
        unsigned of_code[0x200];
} seen;

static const struct {
        uint32_t code;
        const char *name;
} names[] = {
        { TPM2_CC_EvictControl, "EvictControl" },
        { TPM2_CC_NV_UndefineSpace, "NV_UndefineSpace" },
        { TPM2_CC_Clear, "Clear" },
        { TPM2_CC_NV_DefineSpace, "NV_DefineSpace" },
        { TPM2_CC_CreatePrimary, "CreatePrimary" },
        { TPM2_CC_NV_Increment, "NV_Increment" },
        { TPM2_CC_NV_Write, "NV_Write" },
        { TPM2_CC_NV_ChangeAuth, "NV_ChangeAuth" },
        { TPM2_CC_Startup, "Startup" },
        { TPM2_CC_Shutdown, "Shutdown" },
        { TPM2_CC_Certify, "Certify" },
        { TPM2_CC_NV_Read, "NV_Read" },
        { TPM2_CC_PolicySecret, "PolicySecret" },
        { TPM2_CC_Create, "Create" },
        { TPM2_CC_HMAC, "HMAC" },
        { TPM2_CC_Load, "Load" },
        { TPM2_CC_Sign, "Sign" },
        { TPM2_CC_Unseal, "Unseal" },
        { TPM2_CC_PolicySigned, "PolicySigned" },
        { TPM2_CC_ContextLoad, "ContextLoad" },
        { TPM2_CC_ContextSave, "ContextSave" },
        { TPM2_CC_FlushContext, "FlushContext" },
        { TPM2_CC_LoadExternal, "LoadExternal" },
        { TPM2_CC_NV_ReadPublic, "NV_ReadPublic" },
        { TPM2_CC_PolicyAuthorize, "PolicyAuthorize" },
        { TPM2_CC_PolicyCommandCode, "PolicyCommandCode" },
        { TPM2_CC_PolicyOR, "PolicyOR" },
        { TPM2_CC_PolicyTicket, "PolicyTicket" },
        { TPM2_CC_ReadClock, "ReadClock" },
        { TPM2_CC_ReadPublic, "ReadPublic" },
        { TPM2_CC_StartAuthSession, "StartAuthSession" },
        { TPM2_CC_VerifySignature, "VerifySignature" },
        { TPM2_CC_TestParms, "TestParms" },
        { TPM2_CC_GetCapability, "GetCapability" },
        { TPM2_CC_GetRandom, "GetRandom" },
};

static struct watch *watch(TSS2_TCTI_CONTEXT *c) {
        return (struct watch *)c;
}

static void name_of(uint32_t code, char ret[static 24]) {
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (names[i].code == code) {
                        (void)snprintf(ret, 24, "%s", names[i].name);
                        return;
                }
        (void)snprintf(ret, 24, "%x", code);
}

static void note(const struct watch *w, const char *name) {
        char path[300], line[32];
        int n, fd;

        (void)snprintf(path, sizeof(path), "%s/log", w->dir);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        n = snprintf(line, sizeof(line), "%s\n", name);
        if (fd < 0 || write(fd, line, (size_t)n) != n)
                abort();
        (void)close(fd);
}

/* A probe on the bus of a discrete TPM. */
static void overhear(const struct watch *w, const uint8_t *data, size_t n) {
        char path[300];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/bytes", w->dir);
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0)
                return;
        if (write(fd, data, n) != (ssize_t)n)
                abort();
        (void)close(fd);
}

static bool is_same_plan(const struct stat *st) {
        return seen.plan.st_ino == st->st_ino && seen.plan.st_ctim.tv_sec == st->st_ctim.tv_sec &&
               seen.plan.st_ctim.tv_nsec == st->st_ctim.tv_nsec;
}

/* TPM 2.0 Part 3, 31.3 and 31.13: handles, the session area, parameters. */
static void look_at_nv(struct watch *w, struct bytes command, const char *name) {
        struct cursor c = { command, false };
        uint32_t index, attributes;

        w->defines = w->reads = 0;
        (void)cursor_take(&c, 10 + 4);
        if (strcmp(name, "NV_Read") == 0)
                w->reads = cursor_u32(&c);
        if (strcmp(name, "NV_DefineSpace") != 0)
                return;
        (void)cursor_take(&c, cursor_u32(&c));
        (void)cursor_string16(&c);
        (void)cursor_u16(&c);
        index = cursor_u32(&c);
        (void)cursor_u16(&c);
        attributes = cursor_u32(&c);
        if ((attributes & TPMA_NV_TPM2_NT_MASK) >> TPMA_NV_TPM2_NT_SHIFT == TPM2_NT_PIN_FAIL)
                w->defines = index;
}

static void follow_on_pin_fail(struct watch *w, bool counts) {
        if (w->defines != 0)
                seen.pin_fail = w->defines;
        if (w->defines != 0 && !counts)
                w->answer = TPM2_RC_ATTRIBUTES + TPM2_RC_P + TPM2_RC_2;
        w->hide_count = counts && w->reads != 0 && w->reads == seen.pin_fail;
}

/* One line of the plan for the command that is next. False: fail it. */
static bool follow(struct watch *w, const char *line, const char *name, unsigned of_name) {
        char who[24];
        unsigned n, rc;

        if (sscanf(line, "kill-before %u", &n) == 1) {
                if (n == seen.total)
                        (void)raise(SIGKILL);
        } else if (sscanf(line, "kill-after %u", &n) == 1) {
                w->kill_after = n == seen.total;
        } else if (sscanf(line, "lose %23s %u", who, &n) == 2) {
                w->lose = w->lose || (strcmp(who, name) == 0 && n == of_name);
        } else if (sscanf(line, "break %u", &n) == 1) {
                return seen.total < n;
        } else if (sscanf(line, "answer %u %x", &n, &rc) == 2) {
                if (n == seen.total)
                        w->answer = rc;
        } else if (sscanf(line, "answer %23s %u %x", who, &n, &rc) == 3) {
                if (strcmp(who, name) == 0 && (n == 0 || n == of_name))
                        w->answer = rc;
        } else if (sscanf(line, "slow %23s %u", who, &n) == 2) {
                if (strcmp(who, name) == 0)
                        w->slow_ms = n;
        } else if (strcmp(line, "no-pin-fail\n") == 0) {
                follow_on_pin_fail(w, false);
        } else if (strcmp(line, "uncounted-pin-fail\n") == 0) {
                follow_on_pin_fail(w, true);
        } else if (strcmp(line, "hardware\n") == 0) {
                w->hardware = true;
        } else {
                fprintf(stderr, "watch: bad plan: %s", line);
                abort();
        }
        return true;
}

static bool consult(struct watch *w, uint32_t code, const char *name) {
        char path[300], line[128];
        unsigned *of_name = &seen.of_code[code % ELEMENTSOF(seen.of_code)];
        struct stat st;
        bool ok = true;
        FILE *f;

        w->answer = w->slow_ms = 0;
        w->kill_after = w->lose = w->hide_count = w->hardware = false;
        (void)snprintf(path, sizeof(path), "%s/plan", w->dir);
        f = fopen(path, "re");
        if (!f)
                return true;
        if (fstat(fileno(f), &st) < 0)
                abort();
        if (!is_same_plan(&st)) {
                memset(&seen, 0, sizeof(seen));
                seen.plan = st;
        }
        seen.total++;
        (*of_name)++;
        while (ok && fgets(line, sizeof(line), f))
                ok = follow(w, line, name, *of_name);
        (void)fclose(f);
        return ok;
}

static void wait_ms(unsigned ms) {
        struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

        while (nanosleep(&left, &left) != 0)
                ;
}

static TSS2_RC watch_transmit(TSS2_TCTI_CONTEXT *c, size_t len, const uint8_t *command) {
        struct watch *w = watch(c);
        struct cursor header = { BYTES(command, len), false };
        char name[24];
        uint32_t code;

        (void)cursor_take(&header, 6);
        code = cursor_u32(&header);
        name_of(code, name);
        note(w, name);
        look_at_nv(w, BYTES(command, len), name);
        if (!consult(w, code, name))
                return TSS2_TCTI_RC_IO_ERROR;
        overhear(w, command, len);
        wait_ms(w->slow_ms);
        return w->answer != 0 ? TSS2_RC_SUCCESS : Tss2_Tcti_Transmit(w->inner, len, command);
}

/* What was read begins behind the header and two sizes. */
static void hide_count(const struct watch *w, uint8_t *response, size_t len) {
        if (w->hide_count && len > 10 + 4 + 2 + 8)
                memset(response + 10 + 4 + 2, 0, 4);
}

/* Its vendor string, TPM2_PT_VENDOR_STRING_1, as swtpm has it. */
static void pose_as_hardware(const struct watch *w, uint8_t *response, size_t len) {
        uint8_t *vendor = w->hardware ? memmem(response, len, "\0\0\1\6SW  ", 8) : NULL;

        if (vendor)
                vendor[4] = 'H';
}

static TSS2_RC watch_receive(TSS2_TCTI_CONTEXT *c, size_t *len, uint8_t *response,
                             int32_t timeout) {
        struct watch *w = watch(c);
        struct buf b = { response, 0, response ? *len : 0, false };
        TSS2_RC rc;

        if (!response && w->answer != 0) {
                *len = 10;
                return TSS2_RC_SUCCESS;
        }
        if (w->answer == 0) {
                rc = Tss2_Tcti_Receive(w->inner, len, response, timeout);
                if (response && rc == TSS2_RC_SUCCESS)
                        overhear(w, response, *len);
                if (response && w->kill_after)
                        (void)raise(SIGKILL);
                if (response && rc == TSS2_RC_SUCCESS)
                        hide_count(w, response, *len);
                if (response && rc == TSS2_RC_SUCCESS)
                        pose_as_hardware(w, response, *len);
                return response && w->lose ? TSS2_TCTI_RC_IO_ERROR : rc;
        }
        buf_put_u16(&b, TPM2_ST_NO_SESSIONS);
        buf_put_u32(&b, 10);
        buf_put_u32(&b, w->answer);
        *len = b.len;
        return b.failed ? TSS2_TCTI_RC_INSUFFICIENT_BUFFER : TSS2_RC_SUCCESS;
}

static void watch_finalize(TSS2_TCTI_CONTEXT *c) {
        Tss2_TctiLdr_Finalize(&watch(c)->inner);
}

static TSS2_RC watch_cancel(TSS2_TCTI_CONTEXT *c) {
        return Tss2_Tcti_Cancel(watch(c)->inner);
}

static TSS2_RC watch_poll_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *handles, size_t *n) {
        return Tss2_Tcti_GetPollHandles(watch(c)->inner, handles, n);
}

static TSS2_RC watch_set_locality(TSS2_TCTI_CONTEXT *c, uint8_t locality) {
        return Tss2_Tcti_SetLocality(watch(c)->inner, locality);
}

static TSS2_RC watch_init(TSS2_TCTI_CONTEXT *c, size_t *size, const char *conf) {
        struct watch *w = watch(c);
        int used = 0;
        TSS2_RC rc;

        if (!c) {
                *size = sizeof(*w);
                return TSS2_RC_SUCCESS;
        }
        memset(w, 0, sizeof(*w));
        if (!conf || sscanf(conf, "dir=%255[^,],%n", w->dir, &used) != 1 || used == 0)
                return TSS2_TCTI_RC_BAD_VALUE;
        rc = Tss2_TctiLdr_Initialize(conf + used, &w->inner);
        if (rc != TSS2_RC_SUCCESS)
                return rc;

        w->tcti.v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){ .magic = WATCH_MAGIC,
                                                    .version = 2,
                                                    .transmit = watch_transmit,
                                                    .receive = watch_receive,
                                                    .finalize = watch_finalize,
                                                    .cancel = watch_cancel,
                                                    .getPollHandles = watch_poll_handles,
                                                    .setLocality = watch_set_locality };
        return TSS2_RC_SUCCESS;
}

/* What tctildr looks for. */
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void) {
        static const TSS2_TCTI_INFO info = { .version = 2,
                                             .name = "tcti-watch",
                                             .description = "watches another TCTI, for tests",
                                             .config_help = "dir=DIR,INNER",
                                             .init = watch_init };

        return &info;
}
