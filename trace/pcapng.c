/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks of §4 of the draft, little-endian, times in nanoseconds. A packet is struct usbmon_packet (Linux,
 * Documentation/usb/usbmon.rst) of LINKTYPE_USB_LINUX_MMAPPED and then the data. Of a transfer there are
 * both halves, the submission and the completion, as Wireshark pairs them.
 */

#include "trace/pcapng.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ctap/hid.h"
#include "ctap/macro.h"
#include "uhid/uhid.h"

#define LINKTYPE_USB_LINUX_MMAPPED 220
#define USBMON_HEADER              64
#define PACKET_MAX                 (USBMON_HEADER + HID_REPORT_SIZE)
#define NS                         UINT64_C(1000000000)

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 6 };
enum { OPTION_END = 0, OPTION_IF_NAME = 2, OPTION_IF_TSRESOL = 9 };
enum { INTERRUPT = 1, CONTROL = 2 };
enum { ENDPOINT_OUT = 0x01, ENDPOINT_IN = 0x81, ENDPOINT_CONTROL_IN = 0x80 };

/* ---- bytes ---- */

static void put_le(struct buf *b, uint64_t v, size_t size) {
        for (size_t i = 0; i < size; i++)
                buf_put_u8(b, (uint8_t)(v >> (8 * i)));
}

static void pad(struct buf *b) {
        while (b->len % 4 != 0 && !b->failed)
                buf_put_u8(b, 0);
}

/* ---- blocks ---- */

static void put_block(FILE *to, uint32_t type, struct bytes body) {
        uint8_t storage[8], end[4];
        struct buf head = BUF_ON(storage), tail = BUF_ON(end);
        const uint32_t length = (uint32_t)(body.len + sizeof(storage) + sizeof(end));

        put_le(&head, type, 4);
        put_le(&head, length, 4);
        put_le(&tail, length, 4);
        fwrite(head.data, 1, head.len, to);
        fwrite(body.data, 1, body.len, to);
        fwrite(tail.data, 1, tail.len, to);
}

static void put_section(FILE *to) {
        uint8_t storage[16];
        struct buf b = BUF_ON(storage);

        put_le(&b, 0x1a2b3c4d, 4); /* the order of bytes */
        put_le(&b, 1, 2);
        put_le(&b, 0, 2);
        put_le(&b, UINT64_MAX, 8); /* it is as long as the file */
        put_block(to, SECTION, buf_bytes(&b));
}

static void put_option(struct buf *b, uint16_t code, struct bytes value) {
        put_le(b, code, 2);
        put_le(b, value.len, 2);
        buf_put(b, value);
        pad(b);
}

static void put_interface(FILE *to, unsigned device) {
        uint8_t storage[64], resolution = 9; /* 10^-9 seconds */
        struct buf b = BUF_ON(storage);
        char name[24];

        snprintf(name, sizeof(name), "tpmauthn%u", device);
        put_le(&b, LINKTYPE_USB_LINUX_MMAPPED, 2);
        put_le(&b, 0, 2);
        put_le(&b, 0, 4); /* no limit to what is captured */
        put_option(&b, OPTION_IF_NAME, BYTES_TEXT(name));
        put_option(&b, OPTION_IF_TSRESOL, BYTES(&resolution, 1));
        put_option(&b, OPTION_END, BYTES_NULL);
        put_block(to, INTERFACE, buf_bytes(&b));
}

static void put_packet(FILE *to, uint64_t time_ns, struct bytes packet) {
        uint8_t storage[20 + PACKET_MAX + 3];
        struct buf b = BUF_ON(storage);

        put_le(&b, 0, 4); /* the interface */
        put_le(&b, time_ns >> 32, 4);
        put_le(&b, time_ns & UINT32_MAX, 4);
        put_le(&b, packet.len, 4);
        put_le(&b, packet.len, 4);
        buf_put(&b, packet);
        pad(&b);
        put_block(to, PACKET, buf_bytes(&b));
}

/* ---- transfers ---- */

struct transfer {
        uint64_t time_ns;
        uint8_t type, endpoint;
        const uint8_t *setup; /* of a control transfer, 8 bytes */
        struct bytes data;
};

static void put_half(const struct pcapng *p, const struct transfer *x, bool submits) {
        const bool in = x->endpoint & 0x80, has_data = in != submits;
        const uint8_t no_data = submits ? '<' : '>';
        uint8_t storage[PACKET_MAX];
        struct buf b = BUF_ON(storage);

        put_le(&b, p->n_transfers, 8); /* which both halves have */
        buf_put_u8(&b, submits ? 'S' : 'C');
        buf_put_u8(&b, x->type);
        buf_put_u8(&b, x->endpoint);
        buf_put_u8(&b, (uint8_t)(p->identity.device + 1));
        put_le(&b, 1, 2); /* the bus */
        buf_put_u8(&b, submits && x->setup ? 0 : '-');
        buf_put_u8(&b, has_data ? 0 : no_data);
        put_le(&b, x->time_ns / NS, 8);
        put_le(&b, x->time_ns % NS / 1000, 4);
        put_le(&b, submits ? (uint32_t)-EINPROGRESS : 0, 4);
        put_le(&b, x->data.len, 4);
        put_le(&b, has_data ? x->data.len : 0, 4);
        buf_put(&b, submits && x->setup ? BYTES(x->setup, 8) : BYTES("\0\0\0\0\0\0\0", 8));
        put_le(&b, 0, 8); /* interval, start frame */
        put_le(&b, 0, 8); /* flags, descriptors */
        buf_put(&b, has_data ? x->data : BYTES_NULL);
        put_packet(p->to, x->time_ns, buf_bytes(&b));
}

static void put_transfer(struct pcapng *p, const struct transfer *x) {
        p->n_transfers++;
        put_half(p, x, true);
        put_half(p, x, false);
}

/* ---- what the device is ---- */

/* GET_DESCRIPTOR (USB 2.0 §9.4.3), of the device, or of its interface for what HID adds. */
static void put_descriptor(struct pcapng *p, uint8_t recipient, uint8_t kind, struct bytes what,
                           uint64_t time_ns) {
        const uint8_t setup[8] = { recipient, 0x06, 0, kind, 0, 0, (uint8_t)what.len, 0 };
        const struct transfer x = { time_ns, CONTROL, ENDPOINT_CONTROL_IN, setup, what };

        put_transfer(p, &x);
}

static void put_device(struct pcapng *p, uint64_t time_ns) {
        static const uint8_t head[] = { 18, 0x01, 0x00, 0x02, 0, 0, 0, 64 };
        uint8_t storage[18];
        struct buf b = BUF_ON(storage);

        buf_put(&b, BYTES_OF(head));
        put_le(&b, p->identity.vendor, 2);
        put_le(&b, p->identity.product, 2);
        put_le(&b, 0x0100, 2);
        put_le(&b, 0x01000000, 4); /* no texts, one configuration */
        put_descriptor(p, 0x80, 0x01, buf_bytes(&b), time_ns);
}

/* One interface of class HID with an interrupt endpoint each way (CTAP 2.3 §11.2.8.1). */
static void put_configuration(struct pcapng *p, uint64_t time_ns) {
        static const uint8_t configuration[] = { 9, 0x02, 41, 0, 1, 1, 0, 0x80, 50 };
        static const uint8_t interface[] = { 9, 0x04, 0, 0, 2, 0x03, 0, 0, 0 };
        static const uint8_t hid[] = { 9, 0x21, 0x11, 0x01, 0, 1, 0x22 }; /* its length follows */
        static const uint8_t in[] = { 7, 0x05, ENDPOINT_IN, 0x03, HID_REPORT_SIZE, 0, 5 };
        static const uint8_t out[] = { 7, 0x05, ENDPOINT_OUT, 0x03, HID_REPORT_SIZE, 0, 5 };
        uint8_t storage[41];
        struct buf b = BUF_ON(storage);

        buf_put(&b, BYTES_OF(configuration));
        buf_put(&b, BYTES_OF(interface));
        buf_put(&b, BYTES_OF(hid));
        put_le(&b, uhid_report_descriptor_size, 2);
        buf_put(&b, BYTES_OF(in));
        buf_put(&b, BYTES_OF(out));
        put_descriptor(p, 0x80, 0x02, buf_bytes(&b), time_ns);
}

void pcapng_begin(struct pcapng *p, FILE *to, const struct pcapng_identity *identity,
                  uint64_t time_ns) {
        *p = (struct pcapng){ .to = to, .identity = *identity };
        put_section(to);
        put_interface(to, identity->device);
        put_device(p, time_ns);
        put_configuration(p, time_ns);
        put_descriptor(p, 0x81, 0x22, BYTES(uhid_report_descriptor, uhid_report_descriptor_size),
                       time_ns);
}

void pcapng_put(struct pcapng *p, const struct trace_frame *f) {
        struct hid_fragments fragments = hid_fragment(f->channel, f->command, f->payload);
        uint8_t report[HID_REPORT_SIZE];

        while (hid_next_report(&fragments, report)) {
                const struct transfer x = {
                        .time_ns = f->time_ns,
                        .type = INTERRUPT,
                        .endpoint = f->direction == TRACE_IN ? ENDPOINT_OUT : ENDPOINT_IN,
                        .data = BYTES(report, sizeof(report)),
                };

                put_transfer(p, &x);
        }
}
