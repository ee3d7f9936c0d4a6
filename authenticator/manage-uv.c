/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Nothing is pretended here: what is refused was refused by the TPM, for the PIN was wrong, and what is
 * given back is given back for the right one. So there is no way to what the TPM's rules do not allow:
 * three wrong PINs in a row are the last until the device is plugged in anew, and eight until a reset.
 */

#include "authenticator/manage-uv.h"

#include <string.h>

#include "authenticator/control.h"
#include "authenticator/manage-pin.h"
#include "authenticator/protocol.h"

static const struct word {
        const char *name;
        enum presence_uv uv;
} words[] = {
        { "ok", PRESENCE_UV_OK },
        { "fail", PRESENCE_UV_FAIL },
        { "blocked", PRESENCE_UV_BLOCKED },
};

static const struct word *word_named(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].name, name) == 0)
                        return &words[i];
        return NULL;
}

/* Until built-in verification is blocked, which is at the third try at the latest. */
static enum ctap_status use_up_tries(struct ctap *ctap, struct bytes wrong) {
        enum ctap_status s = CTAP_OK;

        for (int i = 0; i <= CTAP_UV_RETRIES_MAX; i++) {
                s = ctap_uv_try(ctap, wrong);
                if (s != CTAP2_ERR_PIN_INVALID)
                        break;
        }
        return s == CTAP2_ERR_UV_BLOCKED ? CTAP_OK : s;
}

static enum ctap_status bring_about(struct ctap *ctap, const struct presence *p,
                                    enum presence_uv uv) {
        const struct ctap_typed_pin *right = presence_known_pin(p), wrong = presence_wrong_pin(p);

        switch (uv) {
        case PRESENCE_UV_OK:
                return ctap_pin_try(ctap, BYTES(right->data, right->len));
        case PRESENCE_UV_BLOCKED:
                return use_up_tries(ctap, BYTES(wrong.data, wrong.len));
        case PRESENCE_UV_FAIL:
                break;
        }
        return CTAP_OK;
}

json_t *manage_uv(struct backend *b, struct presence *p, const json_t *params) {
        const struct word *word = word_named(json_string_value(json_object_get(params, "result")));
        struct ctap *ctap = backend_ctap(b);
        struct ctap_pin_info info;
        enum ctap_status s;

        if (!word)
                return control_error(PROTOCOL_E_BAD_REQUEST,
                                     "\"result\" must be ok, fail or blocked");
        if (!presence_may_verify(p))
                return control_error(PROTOCOL_E_NOT_ALLOWED,
                                     "[presence] verify = no: nobody is verified here.");
        s = ctap_pin_describe(ctap, &info);
        if (s == CTAP_OK && !info.is_set)
                s = CTAP2_ERR_PIN_NOT_SET;
        if (s == CTAP_OK && presence_known_pin(p)->len == 0)
                return control_error(PROTOCOL_E_PIN, "There is no PIN to answer with. To give one: "
                                                     "tpmauthn presence pin.");
        if (s == CTAP_OK) {
                presence_set_uv(p, word->uv);
                s = bring_about(ctap, p, word->uv);
        }
        return s == CTAP_OK ? manage_pin_status(ctap) : manage_pin_refusal(ctap, s);
}
