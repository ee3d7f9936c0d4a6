/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Attributes, and what _cleanup_ calls for the types of the libraries. */

#include <stdlib.h>

#include <jansson.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

/* The pointer's value; the variable itself becomes NULL, so that its cleanup has nothing to do. */
#define TAKE_PTR(ptr)                            \
        ({                                       \
                __typeof__(ptr) *_pptr = &(ptr); \
                __typeof__(ptr) _ptr = *_pptr;   \
                *_pptr = NULL;                   \
                _ptr;                            \
        })

static inline void free_pointer(void *pointer_to_pointer) {
        free(*(void **)pointer_to_pointer);
}

static inline void free_json(json_t **json) {
        json_decref(*json);
}
