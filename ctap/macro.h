/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Attributes and data macros. None of them returns, jumps or declares. */

#include <stddef.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

/* The object that embeds *ptr as its member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The pointer's value; the variable itself becomes NULL, so that its cleanup has nothing to do. */
#define TAKE_PTR(ptr)                            \
        ({                                       \
                __typeof__(ptr) *_pptr = &(ptr); \
                __typeof__(ptr) _ptr = *_pptr;   \
                *_pptr = NULL;                   \
                _ptr;                            \
        })
