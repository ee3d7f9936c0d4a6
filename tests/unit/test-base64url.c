/* SPDX-License-Identifier: BSD-2-Clause */

/* authenticator/base64url.c: one text for some bytes, and no other. */

#include "authenticator/base64url.h"

#include <errno.h>
#include <string.h>

#include "ctap/macro.h"
#include "tests/unit/test.h"

/* RFC 4648, 10, and what tells the alphabet from that of base64. */
static const struct {
        const char *text, *bytes;
} vectors[] = {
        { "", "" },
        { "Zg", "f" },
        { "Zm8", "fo" },
        { "Zm9v", "foo" },
        { "Zm9vYg", "foob" },
        { "Zm9vYmE", "fooba" },
        { "Zm9vYmFy", "foobar" },
        { "-_-_", "\xfb\xff\xbf" },
};

static void vectors_go_both_ways(void **state) {
        uint8_t storage[16];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                struct buf out = BUF_ON(storage);

                base64url_put(&out, BYTES_TEXT(vectors[i].bytes));
                assert_int_equal(out.len, BASE64URL_SIZE(strlen(vectors[i].bytes)));
                assert_bytes_equal(buf_bytes(&out), BYTES_TEXT(vectors[i].text));
                out = BUF_ON(storage);
                assert_int_equal(base64url_get(BYTES_TEXT(vectors[i].text), &out), 0);
                assert_bytes_equal(buf_bytes(&out), BYTES_TEXT(vectors[i].bytes));
        }
}

/* Of each length and value there is one text: what is taken is what would have been written. */
static void a_text_that_is_taken_is_the_one_that_would_be_written(void **state) {
        uint8_t there[16], back[16];
        unsigned n_taken = 0;

        (void)state;
        for (unsigned a = 0; a < 256; a++)
                for (unsigned b = 0; b < 256; b++)
                        for (size_t len = 1; len <= 3; len++) {
                                const uint8_t text[] = { (uint8_t)a, (uint8_t)b, 'A' };
                                struct buf bytes = BUF_ON(there), again = BUF_ON(back);

                                if (base64url_get(BYTES(text, len), &bytes) < 0)
                                        continue;
                                base64url_put(&again, buf_bytes(&bytes));
                                assert_bytes_equal(buf_bytes(&again), BYTES(text, len));
                                n_taken++;
                        }
        /* One character says nothing; two are a byte, and three a pair of which 'A' ends one in four. */
        assert_int_equal(n_taken, 256 + 64 * 64);
}

static void other_texts_are_refused(void **state) {
        static const char *const texts[] = { "A",    "Zg==",  "Zh",    "Zm9=", "Zm9",     "a+b/",
                                             "Zm 8", "Zm8\n", "AAAAA", "AA.A", "\xc3\xa9" };
        uint8_t storage[16];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                struct buf out = BUF_ON(storage);

                assert_int_equal(base64url_get(BYTES_TEXT(texts[i]), &out), -EBADMSG);
        }
        /* A NUL is a character like others. */
        assert_int_equal(base64url_get(BYTES("Zg\0", 3), &BUF_ON(storage)), -EBADMSG);
}

static void what_does_not_fit_is_told(void **state) {
        uint8_t storage[3];
        struct buf out = BUF_ON(storage);

        (void)state;
        assert_int_equal(base64url_get(BYTES_TEXT("Zm9vYg"), &out), -EMSGSIZE);
        out = BUF_ON(storage);
        base64url_put(&out, BYTES_TEXT("foo"));
        assert_int_equal(buf_error(&out), -EMSGSIZE);
}

/* RFC 4648, 10, and the two characters that the other alphabet has not. */
static void base64_has_its_padding(void **state) {
        static const char *const pairs[][2] = {
                { "", "" },
                { "Zg==", "f" },
                { "Zm8=", "fo" },
                { "Zm9v", "foo" },
                { "Zm9vYg==", "foob" },
                { "Zm9vYmE=", "fooba" },
                { "+/+/", "\xfb\xff\xbf" },
        };
        static const char *const others[] = { "Zg",       "Zg=",    "Zg===", "Zh==", "Zm8",
                                              "Zm9=",     "=",      "====",  "Z===", "-_-_",
                                              "Zg==Zg==", "Zm8=\n", "Zm 8" };
        uint8_t storage[16];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                struct buf out = BUF_ON(storage);

                base64_put(&out, BYTES_TEXT(pairs[i][1]));
                assert_int_equal(out.len, BASE64_SIZE(strlen(pairs[i][1])));
                assert_bytes_equal(buf_bytes(&out), BYTES_TEXT(pairs[i][0]));
                out = BUF_ON(storage);
                assert_int_equal(base64_get(BYTES_TEXT(pairs[i][0]), &out), 0);
                assert_bytes_equal(buf_bytes(&out), BYTES_TEXT(pairs[i][1]));
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_int_equal(base64_get(BYTES_TEXT(others[i]), &BUF_ON(storage)), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(vectors_go_both_ways),
                cmocka_unit_test(a_text_that_is_taken_is_the_one_that_would_be_written),
                cmocka_unit_test(other_texts_are_refused),
                cmocka_unit_test(what_does_not_fit_is_told),
                cmocka_unit_test(base64_has_its_padding),
        };

        return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
