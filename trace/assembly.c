/* SPDX-License-Identifier: BSD-2-Clause */

/* CTAP 2.3 §11.2.4: an initialisation frame says how much is to come, continuations are numbered. */

#include "trace/assembly.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_OPENS 0x80
#define HALVES      4

/* A message that is not whole yet. */
struct half {
        uint32_t channel;
        bool used;
        uint8_t command, next;
        size_t total, have;
        uint64_t age; /* when it began, counted in messages */
        uint8_t data[HID_MESSAGE_MAX];
};

struct trace_assembly {
        struct half halves[HALVES];
        uint64_t n_begun;
        uint8_t ended[HID_MESSAGE_MAX]; /* the one that was given last */
};

struct trace_assembly *trace_assembly_new(void) {
        return calloc(1, sizeof(struct trace_assembly));
}

struct trace_assembly *trace_assembly_free(struct trace_assembly *a) {
        if (a)
                OPENSSL_cleanse(a, sizeof(*a));
        free(a);
        return NULL;
}

static struct half *find(struct trace_assembly *a, uint32_t channel) {
        for (size_t i = 0; i < HALVES; i++)
                if (a->halves[i].used && a->halves[i].channel == channel)
                        return &a->halves[i];
        return NULL;
}

/* A free one, or the one that began first. */
static struct half *find_room(struct trace_assembly *a) {
        struct half *oldest = &a->halves[0];

        for (size_t i = 0; i < HALVES; i++) {
                if (!a->halves[i].used)
                        return &a->halves[i];
                if (a->halves[i].age < oldest->age)
                        oldest = &a->halves[i];
        }
        return oldest;
}

static bool take_data(struct trace_assembly *a, struct half *h, struct bytes data,
                      struct trace_frame *ret) {
        size_t missing = h->total - h->have, n = data.len < missing ? data.len : missing;

        memcpy(h->data + h->have, data.data, n);
        h->have += n;
        if (h->have < h->total)
                return false;

        memcpy(a->ended, h->data, h->total);
        h->used = false;
        *ret = (struct trace_frame){ .channel = h->channel,
                                     .command = h->command,
                                     .payload = BYTES(a->ended, h->total) };
        return true;
}

static bool take_first(struct trace_assembly *a, uint32_t channel, uint8_t command,
                       struct cursor *c, struct trace_frame *ret) {
        size_t total = cursor_u16(c);
        /* A CANCEL interrupts nothing (CTAP 2.3 §11.2.9.1.5). */
        struct half *h = command == HID_CANCEL ? NULL : find(a, channel);

        if (h)
                h->used = false;
        if (total > HID_MESSAGE_MAX)
                return false;
        h = h ? h : find_room(a);
        h->channel = channel;
        h->used = true;
        h->command = command;
        h->next = 0;
        h->total = total;
        h->have = 0;
        h->age = a->n_begun++;
        return take_data(a, h, c->left, ret);
}

bool trace_assembly_take(struct trace_assembly *a, const uint8_t report[static HID_REPORT_SIZE],
                         struct trace_frame *ret) {
        struct cursor c = { BYTES(report, HID_REPORT_SIZE), false };
        uint32_t channel = cursor_u32(&c);
        uint8_t tag = cursor_u8(&c);
        struct half *h;

        if (tag & FRAME_OPENS)
                return take_first(a, channel, tag & (uint8_t)~FRAME_OPENS, &c, ret);

        h = find(a, channel);
        if (!h)
                return false;
        if (tag != h->next) {
                h->used = false;
                return false;
        }
        h->next++;
        return take_data(a, h, c.left, ret);
}
