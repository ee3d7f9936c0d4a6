/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * authenticator/backup.c on any file that somebody offers as a backup. What is taken for one lies within
 * the file, is genuine under no key that did not make it, and says the same when it is written anew.
 */

#include <string.h>

#include "authenticator/backup.h"
#include "tests/fuzz/fuzz.h"

static const struct secret32 key = { .b = "the key of no store" };

static bool lies_within(struct bytes part, const uint8_t *data, size_t size) {
        return part.len <= size &&
               (part.len == 0 ||
                (part.data >= data && part.data - data <= (ptrdiff_t)(size - part.len)));
}

static void write_anew(const struct backup *b) {
        char instance[256] = "";
        size_t size = b->image.len + BACKUP_TRAILER_MAX;
        struct buf out = { malloc(size), 0, size, false };
        struct backup again;

        require(out.data);
        if (b->instance.len < sizeof(instance) &&
            (b->instance.len == 0 || !memchr(b->instance.data, 0, b->instance.len))) {
                if (b->instance.len > 0)
                        memcpy(instance, b->instance.data, b->instance.len);
                buf_put(&out, b->image);
                require(backup_finish(&out, b->time, instance, &b->state, &key) == 0);
                require(backup_read(buf_bytes(&out), &again) == 0);
                require(bytes_equal(again.covered, b->covered));
                require(backup_is_genuine(&again, &key));
        }
        free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct backup b;

        if (backup_read(BYTES(data, size), &b) < 0)
                return 0;
        require(lies_within(b.image, data, size) && lies_within(b.covered, data, size));
        require(lies_within(b.mac, data, size) && lies_within(b.instance, data, size));
        require(b.mac.len == 32 && b.covered.len == size - 32);
        require(b.state.len <= sizeof(b.state.data));
        require(!backup_is_genuine(&b, &key));
        write_anew(&b);
        return 0;
}
