/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What `swtpm socket --tpm2 --fd N` listens to: a command is written, the response is read, and
 * each says its own length in its header. A private simulator needs no port that others could
 * reach. TPM 2.0 TSS TCTI specification, version 2 of the context.
 *
 * Whoever waits without a limit says so to ESYS, which is everybody here. A simulator that hangs
 * would then hang its user too, who could not even be ended; so there is a limit all the same. What
 * passed it has ended the conversation: an answer that came later would be taken for that of the next
 * command.
 */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <tss2/tss2_tpm2_types.h>

#include "ctap/bytes.h"
#include "tpm/tcti-stream.h"

enum { HEADER_SIZE = 10 };

static const uint64_t STREAM_MAGIC = 0x7470612d66642d31; /* "tpa-fd-1" */

struct stream {
        TSS2_TCTI_CONTEXT_COMMON_V2 tcti; /* first */
        int fd;
        uint32_t limit_ms; /* from a command to the end of its response */
        uint64_t deadline; /* of the response that is awaited */
        bool waiting;      /* for a response */
};

static struct stream *stream(TSS2_TCTI_CONTEXT *c) {
        return (struct stream *)c;
}

static uint64_t now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A command is shorter than what the socket takes at once, so sending never waits. */
static TSS2_RC stream_transmit(TSS2_TCTI_CONTEXT *c, size_t len, const uint8_t *command) {
        struct stream *s = stream(c);

        if (s->waiting)
                return TSS2_TCTI_RC_BAD_SEQUENCE;

        while (len > 0) {
                ssize_t n = send(s->fd, command, len, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return TSS2_TCTI_RC_IO_ERROR;
                command += n;
                len -= (size_t)n;
        }
        s->deadline = now_ms() + s->limit_ms;
        s->waiting = true;
        return TSS2_RC_SUCCESS;
}

/* Waits for as long as its caller and the limit allow. */
static TSS2_RC await(const struct stream *s, int32_t timeout) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };

        for (;;) {
                uint64_t now = now_ms();
                int left = now < s->deadline ? (int)(s->deadline - now) : 0;
                bool is_short = timeout >= 0 && timeout < left;
                int n = poll(&p, 1, is_short ? timeout : left);

                if (n > 0)
                        return TSS2_RC_SUCCESS;
                if (n == 0 && is_short)
                        return TSS2_TCTI_RC_TRY_AGAIN;
                if (n == 0) {
                        (void)shutdown(s->fd, SHUT_RDWR);
                        return TSS2_TCTI_RC_IO_ERROR;
                }
                if (errno != EINTR)
                        return TSS2_TCTI_RC_IO_ERROR;
        }
}

static TSS2_RC read_all(const struct stream *s, uint8_t *to, size_t len) {
        while (len > 0) {
                TSS2_RC rc = await(s, TSS2_TCTI_TIMEOUT_BLOCK);
                ssize_t n;

                if (rc != TSS2_RC_SUCCESS)
                        return rc;
                n = recv(s->fd, to, len, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return TSS2_TCTI_RC_IO_ERROR;
                to += n;
                len -= (size_t)n;
        }
        return TSS2_RC_SUCCESS;
}

static TSS2_RC stream_receive(TSS2_TCTI_CONTEXT *c, size_t *len, uint8_t *response,
                              int32_t timeout) {
        struct stream *s = stream(c);
        struct cursor header;
        uint32_t size;
        TSS2_RC rc;

        if (!s->waiting)
                return TSS2_TCTI_RC_BAD_SEQUENCE;
        if (!response) {
                *len = TPM2_MAX_RESPONSE_SIZE;
                return TSS2_RC_SUCCESS;
        }
        if (*len < HEADER_SIZE)
                return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;

        rc = await(s, timeout);
        if (rc != TSS2_RC_SUCCESS)
                return rc;

        s->waiting = false;
        rc = read_all(s, response, HEADER_SIZE);
        if (rc != TSS2_RC_SUCCESS)
                return rc;

        header = (struct cursor){ BYTES(response, HEADER_SIZE), false };
        (void)cursor_u16(&header);
        size = cursor_u32(&header);
        if (size < HEADER_SIZE || size > *len)
                return TSS2_TCTI_RC_MALFORMED_RESPONSE;

        *len = size;
        return read_all(s, response + HEADER_SIZE, size - HEADER_SIZE);
}

static TSS2_RC stream_cancel(_unused_ TSS2_TCTI_CONTEXT *c) {
        return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC stream_poll_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *handles,
                                   size_t *n) {
        if (handles && *n < 1)
                return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
        if (handles)
                *handles = (TSS2_TCTI_POLL_HANDLE){ .fd = stream(c)->fd, .events = POLLIN };
        *n = 1;
        return TSS2_RC_SUCCESS;
}

static TSS2_RC stream_set_locality(_unused_ TSS2_TCTI_CONTEXT *c, uint8_t locality) {
        return locality == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

int tpm_stream_new(int fd, uint32_t limit_ms, TSS2_TCTI_CONTEXT **ret) {
        struct stream *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;

        *s = (struct stream){
                .tcti = { .v1 = { .magic = STREAM_MAGIC,
                                  .version = 2,
                                  .transmit = stream_transmit,
                                  .receive = stream_receive,
                                  .cancel = stream_cancel,
                                  .getPollHandles = stream_poll_handles,
                                  .setLocality = stream_set_locality } },
                .fd = fd,
                .limit_ms = limit_ms,
        };
        *ret = (TSS2_TCTI_CONTEXT *)s;
        return 0;
}

TSS2_TCTI_CONTEXT *tpm_stream_free(TSS2_TCTI_CONTEXT *c) {
        free(c);
        return NULL;
}
