/* SPDX-License-Identifier: BSD-2-Clause */

/* One table for what goes wrong often enough to be told with more than an errno's name. */

#include "authenticator/reason.h"

#include <errno.h>
#include <string.h>

static const struct failure {
        unsigned steps;
        int error;
        const char *text; /* with {store} and {tpm} to be filled in */
} failures[] = {
        { STEP_STORE, EUCLEAN,
          "The store {store} is damaged, or not a store. Put back a backup of it, or move it away to "
          "begin with an empty one; then: tpmauthn replug." },
        { STEP_STORE, EPROTO,
          "The store {store} was written by a newer version of tpmauthn. Install that version." },
        { STEP_STORE, EROFS,
          "The store {store} cannot be written: the file or its file system is read-only. Make it "
          "writable; then: tpmauthn replug." },
        { STEP_STORE, EACCES,
          "The store {store} may not be opened by this account. It must belong to the account that "
          "runs tpmauthnd; then: tpmauthn replug." },
        { STEP_STORE, EBUSY,
          "The store {store} is in use by another process. Is another tpmauthnd running?" },
        { STEP_ANY, ENOSPC,
          "There is no space: the disk of {store} is full, or the TPM has no room for another NV index "
          "or persistent key. The log says which. Make room; then: tpmauthn replug." },
        { STEP_STORE, EIO,
          "The disk of the store {store} reports an error. See the kernel's log." },
        { STEP_ANY, ENODEV,
          "No TPM 2.0 answers at {tpm}. Is it switched on in the firmware setup? See: tpmauthn "
          "doctor." },
        { STEP_TPM, EACCES,
          "The TPM at {tpm} may not be used by this account, which must be in group tss. See: "
          "tpmauthn doctor." },
        { STEP_VAULT, EACCES,
          "The owner hierarchy of the TPM at {tpm} has a password, which is needed once, to make the "
          "keys. Run: tpmauthn owner-password." },
        { STEP_ANY, ENOTRECOVERABLE,
          "The counter of the TPM at {tpm} is behind what the store {store} was used at, or is gone: "
          "the TPM lost it, or somebody removed it. Signature counters could repeat, so nothing is "
          "signed. Put back a backup of the store, or move it away to begin anew; then: tpmauthn "
          "replug." },
        { STEP_ANY, ESTALE,
          "This is not the TPM that the store {store} was made with, or it was cleared since. The "
          "passkeys in it cannot be used any more. Move the store away to begin anew; then: "
          "tpmauthn replug." },
        { STEP_ANY, EKEYREJECTED,
          "The TPM at {tpm} refuses the keys in the store {store}: they are damaged, or from another "
          "TPM. Put back a backup of the store, or move it away to begin anew; then: tpmauthn "
          "replug." },
        { STEP_ANY, EDQUOT,
          "The TPM at {tpm} is locked out after too many wrong passwords. Wait until its lockout "
          "time is over, or clear it (tpm2_dictionarylockout -c); then: tpmauthn replug." },
        { STEP_TPM | STEP_VAULT, EBUSY,
          "The TPM at {tpm} is busy and stays so. Try: tpmauthn replug." },
        { STEP_ANY, ENOTSUP,
          "The TPM at {tpm} lacks something that is needed. The log says what." },
        { STEP_ANY, EPERM,
          "presence = auto and presence = script answer in place of a person, and are allowed with "
          "a simulator TPM only; the TPM at {tpm} is a real one. Change [presence] presence, or set "
          "[tpm] tpm = swtpm." },
};

void reason_fill_in(struct buf *to, const char *text, const char *store, const char *tpm) {
        const char *open;

        while ((open = strchr(text, '{')) != NULL) {
                buf_put(to, BYTES(text, (size_t)(open - text)));
                buf_put(to, BYTES_TEXT(open[1] == 's' ? store : tpm));
                text = strchr(open, '}') + 1;
        }
        buf_put(to, BYTES_TEXT(text));
}

void reason_put(struct buf *to, enum reason_step step, int error, const char *store,
                const char *tpm) {
        to->len = 0;
        for (size_t i = 0; i < ELEMENTSOF(failures); i++)
                if ((failures[i].steps & step) && failures[i].error == -error) {
                        reason_fill_in(to, failures[i].text, store, tpm);
                        return;
                }

        reason_fill_in(to,
                       step == STEP_STORE ? "The store {store} could not be opened: "
                                          : "The TPM at {tpm} could not be used: ",
                       store, tpm);
        buf_put(to, BYTES_TEXT(strerror(-error)));
        buf_put(to, BYTES_TEXT(". The log says more."));
}
