/* SPDX-License-Identifier: BSD-2-Clause */

/* Two tables: which commands concern the owner, and which answers do. */

#include "authenticator/outcome.h"

#include "ctap/status.h"

/* Noted in the place of what the client heard, which is how the person took it. */
#define FORBIDDEN CTAP2_ERR_NOT_ALLOWED

static const struct command {
        uint8_t command;
        enum journal_what what;
        enum audit_op op;
} commands[] = {
        { 0x01, JOURNAL_CREATE, AUDIT_OP_CREATE }, { 0x02, JOURNAL_USE, AUDIT_OP_USE },
        { 0x06, JOURNAL_PIN, AUDIT_OP_PIN },       { 0x07, JOURNAL_RESET, AUDIT_OP_RESET },
        { 0x08, JOURNAL_USE, AUDIT_OP_USE },       { 0x0a, JOURNAL_MANAGE, AUDIT_OP_MANAGE },
        { 0x0c, JOURNAL_MANAGE, AUDIT_OP_MANAGE }, { 0x0d, JOURNAL_MANAGE, AUDIT_OP_MANAGE },
        { 0x41, JOURNAL_MANAGE, AUDIT_OP_MANAGE },
};

static const struct result {
        uint8_t status;
        bool of_a_question;
        const char *name;
} results[] = {
        { CTAP_OK, false, "ok" },
        { CTAP2_ERR_OPERATION_DENIED, true, "refused" },
        { CTAP2_ERR_USER_ACTION_TIMEOUT, true, "timed-out" },
        { FORBIDDEN, false, "forbidden" },
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

/* NULL: it is nobody's concern. */
static const struct command *command_of(struct bytes request) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (request.len > 0 && commands[i].command == request.data[0])
                        return &commands[i];
        return NULL;
}

/* NULL: it is no failure, or none worth knowing. */
static const struct result *failure_of(const struct presence_asked *asked, struct bytes answer) {
        const struct result *result = answer.len > 0 ? result_of(answer.data[0]) : NULL;

        if (!result || result->status == CTAP_OK || result->status == FORBIDDEN)
                return NULL;
        return result->of_a_question && (!asked->put || asked->passive) ? NULL : result;
}

void outcome_note(struct journal *j, const struct presence_asked *asked, struct bytes request,
                  struct bytes answer) {
        const struct result *result =
                asked->forbidden ? result_of(FORBIDDEN) : failure_of(asked, answer);
        const struct command *command = command_of(request);

        if (result && command)
                journal_note(j, command->what, result->status, NULL,
                             BYTES(asked->rp_id, asked->rp_id_len),
                             BYTES(asked->account, asked->account_len));
}

bool outcome_audit(const struct presence_asked *asked, struct bytes request, struct bytes answer,
                   struct audit_event *ret) {
        const struct result *result = failure_of(asked, answer);
        const struct command *command = command_of(request);

        if (!result || !command || result->status == CTAP2_ERR_PIN_INVALID ||
            result->status == CTAP2_ERR_CREDENTIAL_EXCLUDED)
                return false;
        *ret = (struct audit_event){
                .what = result->of_a_question ? AUDIT_REFUSED : AUDIT_FAILED,
                .op = command->op,
                .status = result->status,
        };
        audit_set_rp_id(ret, BYTES(asked->rp_id, asked->rp_id_len));
        return true;
}

enum audit_op outcome_op(uint8_t command) {
        const struct command *found = command_of(BYTES(&command, 1));

        return found ? found->op : AUDIT_OP_NONE;
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
