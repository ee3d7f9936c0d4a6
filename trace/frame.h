/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One CTAPHID message on its way between a client and the device, as a trace has it. */

#include <stdint.h>

#include "ctap/bytes.h"

enum trace_direction {
        TRACE_IN,  /* from a client, to the device */
        TRACE_OUT, /* from the device, to its clients */
};

struct trace_frame {
        uint64_t time_ns; /* since the epoch */
        enum trace_direction direction;
        uint32_t channel;
        uint8_t command; /* enum hid_command, or what a client made up */
        struct bytes payload;
};
