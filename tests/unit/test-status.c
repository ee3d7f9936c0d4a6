/* SPDX-License-Identifier: BSD-2-Clause */

/* ctap/status.c: names for logs and reports. */

#include <string.h>

#include "ctap/status.h"
#include "tests/unit/test.h"

static void every_status_has_the_name_of_the_specification(void **state) {
        static const struct {
                uint8_t status;
                const char *name;
        } some[] = {
                { 0x00, "CTAP2_OK" },
                { 0x01, "CTAP1_ERR_INVALID_COMMAND" },
                { 0x11, "CTAP2_ERR_CBOR_UNEXPECTED_TYPE" },
                { 0x33, "CTAP2_ERR_PIN_AUTH_INVALID" },
                { 0x3c, "CTAP2_ERR_UV_BLOCKED" },
                { 0x40, "CTAP2_ERR_UNAUTHORIZED_PERMISSION" },
                { 0x7f, "CTAP1_ERR_OTHER" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(some); i++)
                assert_string_equal(ctap_status_name(some[i].status), some[i].name);
}

/* Retired or reserved ones are no more than unknown. */
static void other_bytes_are_unknown_and_no_name_is_told_twice(void **state) {
        static const uint8_t unknown[] = { 0x10, 0x16, 0x29, 0x2a, 0x38, 0x41, 0xff };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(unknown); i++)
                assert_string_equal(ctap_status_name(unknown[i]), "unknown");
        for (unsigned i = 0; i <= UINT8_MAX; i++)
                for (unsigned j = 0; j < i; j++) {
                        const char *a = ctap_status_name((uint8_t)i);

                        assert_true(strcmp(a, "unknown") == 0 ||
                                    strcmp(a, ctap_status_name((uint8_t)j)) != 0);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_status_has_the_name_of_the_specification),
                cmocka_unit_test(other_bytes_are_unknown_and_no_name_is_told_twice),
        };

        return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
