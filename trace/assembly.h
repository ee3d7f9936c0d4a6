/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Puts the reports of clients together to messages, for who only looks on. It is no judge: what the
 * framing (ctap/hid.h) refuses is a message here, and so is what comes to a busy device.
 */

#include <stdbool.h>

#include "ctap/hid.h"
#include "ctap/macro.h"
#include "trace/frame.h"

struct trace_assembly;

struct trace_assembly *trace_assembly_new(void); /* NULL: out of memory */
/* Wipes it. NULL is fine. Returns NULL. */
struct trace_assembly *trace_assembly_free(struct trace_assembly *a);

/*
 * True: the report ended a message, and *ret has it but for time and direction. Its payload is good until
 * the next call. Of half messages the last few are kept, one for each channel.
 */
bool trace_assembly_take(struct trace_assembly *a, const uint8_t report[static HID_REPORT_SIZE],
                         struct trace_frame *ret);
