/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Characters that are not seen or that change the order of what is read: in a name they make two
 * alike. Those that Unicode lets a display ignore (DerivedCoreProperties.txt,
 * Default_Ignorable_Code_Point), separators of lines and paragraphs, annotations, and the empty
 * pattern of braille. Control characters are not among them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctap/macro.h"

static inline bool is_invisible(uint32_t c) {
        static const uint32_t ranges[][2] = {
                { 0x00ad, 0x00ad },   { 0x034f, 0x034f },   { 0x061c, 0x061c },
                { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
                { 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f },
                { 0x2800, 0x2800 },   { 0x3164, 0x3164 },   { 0xfe00, 0xfe0f },
                { 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },
                { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (c >= ranges[i][0] && c <= ranges[i][1])
                        return true;
        return false;
}
