/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Read, make, keep: the fixture is read whole before the first key is made, and all keys are made before
 * the first row is kept, in one commit. So whatever goes wrong leaves nothing behind. A key that was made
 * and not kept is in the TPM no longer.
 */

#include "authenticator/manage-seed.h"

#include <errno.h>
#include <stdlib.h>

#include "authenticator/control.h"
#include "authenticator/manage-reply.h"
#include "authenticator/protocol.h"
#include "authenticator/seed.h"
#include "authenticator/util.h"
#include "authenticator/webauthn.h"
#include "ctap/new-credential.h"

/* Gives the rows and what a site would know of them. */
static int make(struct ctap *ctap, const struct seed_fixture *fixture, struct ctap_row *rows,
                json_t *ret_list) {
        for (size_t i = 0; i < fixture->n; i++) {
                struct ctap_public_key key;
                int r;

                r = ctap_new_credential_make(ctap, &fixture->seeds[i].what, &rows[i], &key);
                if (r < 0)
                        return r;
                if (json_array_append_new(ret_list, webauthn_credential(&rows[i], &key)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* What was noted before keeps its place among the events, however many come now. */
static int keep(struct backend *b, const struct ctap_row *rows, size_t n, size_t *n_fit) {
        backend_write_journal(b);
        return vault_insert_all(backend_vault(b), rows, n, n_fit);
}

static json_t *make_and_keep(struct backend *b, const struct seed_fixture *fixture) {
        _cleanup_(json_drop) json_t *list = json_array();
        _cleanup_(free_pointer) void *rows = calloc(fixture->n + 1, sizeof(struct ctap_row));
        size_t n_fit;
        int r;

        if (!rows)
                return NULL;
        r = make(backend_ctap(b), fixture, rows, list);
        if (r < 0)
                return manage_failed("The passkeys could not be made, and none was kept", r);
        r = keep(b, rows, fixture->n, &n_fit);
        /* The disk can be full too. */
        if (r == -ENOSPC && store_remaining(backend_store(b)) < fixture->n)
                return control_error(PROTOCOL_E_FULL,
                                     "credentials[%zu] does not fit: there is room for %u more "
                                     "passkeys. None was made.",
                                     n_fit, (unsigned)store_remaining(backend_store(b)));
        if (r < 0)
                return manage_failed("The passkeys could not be kept, none of them", r);
        return control_result(json_pack("{s:O}", "credentials", list));
}

json_t *manage_seed(struct backend *b, const json_t *params) {
        const struct seed_limits limits = {
                .key_types =
                        vault_keys(backend_vault(b))->ops->offered(vault_keys(backend_vault(b))),
                .large_blobs = ctap_has_large_blobs(backend_ctap(b)),
        };
        struct seed_fixture *fixture;
        json_t *answer;

        if (!backend_simulates(b))
                return control_error(PROTOCOL_E_NOT_SIMULATOR,
                                     "Passkeys of a fixture are for simulators: with a real TPM a "
                                     "site makes them, and a person says yes.");
        answer = seed_read(json_object_get(params, "credentials"), &limits, &fixture);
        if (answer)
                return answer;
        answer = make_and_keep(b, fixture);
        free(fixture);
        return answer;
}
