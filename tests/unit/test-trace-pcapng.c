/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * trace/pcapng.c: the blocks are read back by hand, and the messages out of their packets. What Wireshark
 * makes of a file is tested with the daemon.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctap/hid.h"
#include "tests/unit/hex.h"
#include "trace/assembly.h"
#include "trace/pcapng.h"
#include "uhid/uhid.h"

#define TIME UINT64_C(1700000000123456789)

struct block {
        uint32_t type;
        struct bytes body;
};

static uint64_t le(struct bytes b, size_t at, size_t size) {
        uint64_t v = 0;

        assert_true(at + size <= b.len);
        for (size_t i = size; i-- > 0;)
                v = v << 8 | b.data[at + i];
        return v;
}

/* The next block; both its lengths agree and are of whole words. */
static struct block next_block(struct bytes *file) {
        struct block b = { (uint32_t)le(*file, 0, 4), BYTES_NULL };
        size_t len = le(*file, 4, 4);

        assert_true(len >= 12 && len % 4 == 0 && len <= file->len);
        assert_int_equal(le(*file, len - 4, 4), len);
        b.body = BYTES(file->data + 8, len - 12);
        *file = BYTES(file->data + len, file->len - len);
        return b;
}

static char *written(const struct trace_frame *frames, size_t n, size_t *ret_size) {
        const struct pcapng_identity identity = { 2, 0x1209, 0x000d };
        char *text = NULL;
        FILE *to = open_memstream(&text, ret_size);
        struct pcapng p;

        assert_non_null(to);
        pcapng_begin(&p, to, &identity, TIME);
        for (size_t i = 0; i < n; i++)
                pcapng_put(&p, &frames[i]);
        fclose(to);
        return text;
}

static void free_text(char **text) {
        free(*text);
}

struct packet {
        uint64_t id;
        uint8_t type, transfer, endpoint, address;
        struct bytes data;
};

static struct packet next_packet(struct bytes *file) {
        struct block b = next_block(file);
        uint64_t time = le(b.body, 4, 4) << 32 | le(b.body, 8, 4);
        struct packet p;
        size_t len;

        assert_int_equal(b.type, 6);
        assert_int_equal(le(b.body, 0, 4), 0);
        assert_true(time == TIME);
        len = le(b.body, 12, 4);
        assert_int_equal(le(b.body, 16, 4), len);
        assert_true(len >= 64 && 20 + len <= b.body.len);
        b.body = BYTES(b.body.data + 20, len);
        p.id = le(b.body, 0, 8);
        p.type = b.body.data[8];
        p.transfer = b.body.data[9];
        p.endpoint = b.body.data[10];
        p.address = b.body.data[11];
        p.data = BYTES(b.body.data + 64, len - 64);
        assert_true(le(b.body, 16, 8) == TIME / 1000000000);
        assert_int_equal(le(b.body, 24, 4), 123456);
        assert_int_equal(le(b.body, 36, 4), p.data.len);
        assert_int_equal(b.body.data[15] == 0, p.data.len > 0);
        return p;
}

static void skip_beginning(struct bytes *file) {
        for (int i = 0; i < 2 + 6; i++)
                next_block(file);
}

static void a_file_says_what_is_in_it(_unused_ void **state) {
        size_t size;
        _cleanup_(free_text) char *text = written(NULL, 0, &size);
        struct bytes file = BYTES(text, size);
        struct block b = next_block(&file);
        struct packet p[6];

        assert_int_equal(b.type, 0x0a0d0d0a);
        assert_int_equal(le(b.body, 0, 4), 0x1a2b3c4d);
        assert_int_equal(le(b.body, 4, 2), 1);
        b = next_block(&file);
        assert_int_equal(b.type, 1);
        assert_int_equal(le(b.body, 0, 2), 220);
        assert_non_null(memmem(b.body.data, b.body.len, "tpmauthn2", 9));

        for (size_t i = 0; i < ELEMENTSOF(p); i++) {
                p[i] = next_packet(&file);
                assert_int_equal(p[i].type, i % 2 == 0 ? 'S' : 'C');
                assert_int_equal(p[i].transfer, 2);
                assert_int_equal(p[i].address, 3);
                assert_true(p[i].id == p[i / 2 * 2].id);
                assert_int_equal(p[i].data.len == 0, i % 2 == 0);
        }
        assert_int_equal(file.len, 0);
        assert_hex_equal(p[1].data, "12 01 0002 00 00 00 40 0912 0d00 0001 00 00 00 01");
        assert_int_equal(p[3].data.len, le(p[3].data, 2, 2)); /* wTotalLength */
        assert_bytes_equal(p[5].data, BYTES(uhid_report_descriptor, uhid_report_descriptor_size));
}

static void messages_come_back_out_of_their_reports(_unused_ void **state) {
        uint8_t storage[HID_MESSAGE_MAX];
        const struct trace_frame frames[] = {
                { TIME, TRACE_IN, 0x01020304, HID_CBOR, BYTES(storage, HID_MESSAGE_MAX) },
                { TIME, TRACE_OUT, 0x01020304, HID_KEEPALIVE, BYTES("\x02", 1) },
                { TIME, TRACE_OUT, 0x01020304, HID_CBOR, BYTES(storage, 300) },
        };
        struct trace_assembly *a = trace_assembly_new();
        _cleanup_(free_text) char *text = NULL;
        struct trace_frame got;
        struct bytes file;
        size_t size, n = 0;

        assert_non_null(a);
        for (size_t i = 0; i < sizeof(storage); i++)
                storage[i] = (uint8_t)(i * 31 + i / 256);
        text = written(frames, ELEMENTSOF(frames), &size);
        file = BYTES(text, size);
        skip_beginning(&file);
        while (file.len > 0) {
                struct packet first = next_packet(&file), second = next_packet(&file), full;

                assert_int_equal(first.type, 'S');
                assert_int_equal(second.type, 'C');
                assert_true(first.id == second.id);
                assert_int_equal(first.transfer, 1);
                full = frames[n].direction == TRACE_IN ? first : second;
                assert_int_equal(full.endpoint, frames[n].direction == TRACE_IN ? 0x01 : 0x81);
                assert_int_equal(full.data.len, HID_REPORT_SIZE);
                assert_int_equal(first.data.len + second.data.len, HID_REPORT_SIZE);
                if (!trace_assembly_take(a, full.data.data, &got))
                        continue;
                assert_int_equal(got.command, frames[n].command);
                assert_int_equal(got.channel, frames[n].channel);
                assert_bytes_equal(got.payload, frames[n].payload);
                n++;
        }
        assert_int_equal(n, ELEMENTSOF(frames));
        trace_assembly_free(a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_says_what_is_in_it),
                cmocka_unit_test(messages_come_back_out_of_their_reports),
        };

        return cmocka_run_group_tests_name("trace-pcapng", tests, NULL, NULL);
}
