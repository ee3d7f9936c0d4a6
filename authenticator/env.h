/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The clock and rng ports on the kernel: CLOCK_BOOTTIME and getrandom(). */

#include <stdint.h>

#include "ctap/env.h"

/* Milliseconds since boot, suspend included. */
uint64_t env_now_ms(void);

/* Milliseconds that the machine slept since boot: a step means that it slept in between. */
uint64_t env_slept_ms(void);

void env_clock_init(struct ctap_clock *clock);
void env_rng_init(struct ctap_rng *rng);
