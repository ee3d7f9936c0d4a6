/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* cmocka with the headers it wants before it. The site shares no types with the product, nor do its tests. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
