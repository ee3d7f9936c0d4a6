/* SPDX-License-Identifier: BSD-2-Clause */

/* libfido2's transport is four functions; these are a SOCK_SEQPACKET socket. */

#include "tests/system/fido-kit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

static void *io_open(const char *path) {
        int fd = kit_connect(path, SOCK_SEQPACKET), *handle = malloc(sizeof(*handle));

        *handle = fd;
        return fd < 0 ? NULL : handle;
}

static void io_close(void *handle) {
        close(*(int *)handle);
        free(handle);
}

static int io_read(void *handle, unsigned char *to, size_t n, int ms) {
        struct pollfd p = { .fd = *(int *)handle, .events = POLLIN };

        if (poll(&p, 1, ms) <= 0)
                return -1;
        return (int)recv(p.fd, to, n, 0);
}

static int io_write(void *handle, const unsigned char *from, size_t n) {
        return (int)send(*(int *)handle, from, n, MSG_NOSIGNAL);
}

fido_dev_t *kit_open_key(const struct daemon_kit *k) {
        static const fido_dev_io_t io = { io_open, io_close, io_read, io_write };
        fido_dev_t *dev = fido_dev_new();

        assert_non_null(dev);
        assert_int_equal(fido_dev_set_io_functions(dev, &io), FIDO_OK);
        assert_int_equal(fido_dev_open(dev, k->device), FIDO_OK);
        return dev;
}

void kit_close_key(fido_dev_t *dev) {
        fido_dev_close(dev);
        fido_dev_free(&dev);
}

/* ---- a client that is given no PIN and asks for none ---- */

int kit_make_passkey(fido_dev_t *dev, struct kit_passkey *ret) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice",
                                            NULL),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_extensions(cred, FIDO_EXT_CRED_PROTECT), FIDO_OK);
        assert_int_equal(fido_cred_set_prot(cred, FIDO_CRED_PROT_UV_REQUIRED), FIDO_OK);
        assert_int_equal(fido_cred_set_rk(cred, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(fido_cred_set_uv(cred, FIDO_OPT_TRUE), FIDO_OK);
        r = fido_dev_make_cred(dev, cred, NULL);
        if (r == FIDO_OK) {
                assert_int_equal(fido_cred_verify_self(cred), FIDO_OK);
                assert_true(fido_cred_flags(cred) & 0x04);
                ret->id_len = fido_cred_id_len(cred);
                memcpy(ret->id, fido_cred_id_ptr(cred), ret->id_len);
                ret->public = es256_pk_new();
                assert_int_equal(es256_pk_from_ptr(ret->public, fido_cred_pubkey_ptr(cred),
                                                   fido_cred_pubkey_len(cred)),
                                 FIDO_OK);
        }
        fido_cred_free(&cred);
        return r;
}

int kit_use_passkey(fido_dev_t *dev, const struct kit_passkey *p) {
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, "example.com"), FIDO_OK);
        assert_int_equal(fido_assert_set_uv(a, FIDO_OPT_TRUE), FIDO_OK);
        r = fido_dev_get_assert(dev, a, NULL);
        if (r == FIDO_OK) {
                assert_true(fido_assert_flags(a, 0) & 0x04);
                assert_int_equal(fido_assert_verify(a, 0, COSE_ES256, p->public), FIDO_OK);
        }
        fido_assert_free(&a);
        return r;
}

int kit_retries(fido_dev_t *dev) {
        int n = -1;

        assert_int_equal(fido_dev_get_retry_count(dev, &n), FIDO_OK);
        return n;
}
