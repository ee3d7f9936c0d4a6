/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The PIN: what is known of it, and what may be done with it, whoever asks. */

#include "ctap/command.h"
#include "ctap/pin-protocol.h"
#include "ctap/pin-token.h"
