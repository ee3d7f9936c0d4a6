/* SPDX-License-Identifier: BSD-2-Clause */

/* Two tables: which commands concern the owner, and which answers do. */

#include "authenticator/outcome.h"

#include "ctap/status.h"

static const struct {
        uint8_t command;
        enum journal_what what;
} commands[] = {
        { 0x01, JOURNAL_CREATE }, { 0x02, JOURNAL_USE },    { 0x06, JOURNAL_PIN },
        { 0x07, JOURNAL_RESET },  { 0x08, JOURNAL_USE },    { 0x0a, JOURNAL_MANAGE },
        { 0x0c, JOURNAL_MANAGE }, { 0x0d, JOURNAL_MANAGE }, { 0x41, JOURNAL_MANAGE },
};

static const struct result {
        uint8_t status;
        bool of_a_question;
        const char *name;
} results[] = {
        { CTAP_OK, false, "ok" },
        { CTAP2_ERR_OPERATION_DENIED, true, "refused" },
        { CTAP2_ERR_USER_ACTION_TIMEOUT, true, "timed-out" },
        { CTAP2_ERR_KEEPALIVE_CANCEL, true, "cancelled" },
        { CTAP2_ERR_CREDENTIAL_EXCLUDED, true, "exists-already" },
        { CTAP2_ERR_PIN_INVALID, false, "wrong-pin" },
        { CTAP2_ERR_PIN_AUTH_BLOCKED, false, "locked-until-replug" },
        { CTAP2_ERR_PIN_BLOCKED, false, "pin-blocked" },
        { CTAP2_ERR_UV_BLOCKED, false, "not-verified" },
        { CTAP2_ERR_KEY_STORE_FULL, false, "store-full" },
        { CTAP2_ERR_LARGE_BLOB_STORAGE_FULL, false, "store-full" },
        { CTAP1_ERR_OTHER, false, "failed" },
};

static const struct result *result_of(uint8_t status) {
        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                if (results[i].status == status)
                        return &results[i];
        return NULL;
}

void outcome_note(struct journal *j, const struct presence_asked *asked, struct bytes request,
                  struct bytes answer) {
        const struct result *result = answer.len > 0 ? result_of(answer.data[0]) : NULL;

        if (!result || result->status == CTAP_OK || request.len == 0)
                return;
        if (result->of_a_question && (!asked->put || asked->passive))
                return;
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (commands[i].command == request.data[0])
                        journal_note(j, commands[i].what, result->status, NULL,
                                     BYTES(asked->rp_id, asked->rp_id_len),
                                     BYTES(asked->account, asked->account_len));
}

const char *outcome_what(enum journal_what what) {
        static const char *const names[] = {
                [JOURNAL_CREATE] = "create",   [JOURNAL_USE] = "use",
                [JOURNAL_DELETE] = "delete",   [JOURNAL_RESET] = "reset",
                [JOURNAL_RESTORE] = "restore", [JOURNAL_PIN] = "pin",
                [JOURNAL_MANAGE] = "manage",
        };

        return what < ELEMENTSOF(names) && names[what] ? names[what] : "unknown";
}

const char *outcome_result(uint8_t status) {
        const struct result *result = result_of(status);

        return result ? result->name : "failed";
}
