/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a client is told as a status byte a person is told as a sentence: what went wrong, how many
 * tries that leaves, what to do.
 */

#include "authenticator/manage-pin.h"

#include <stdio.h>

#include "authenticator/control.h"
#include "authenticator/protocol.h"

static json_t *describe(const struct ctap_pin_info *i) {
        return json_pack("{s:b,s:b,s:b,s:b,s:i,s:i,s:i,s:b}", "set", i->is_set, "must_change",
                         i->must_change, "enrolment", i->is_for_enrolment, "latched", i->is_latched,
                         "retries", (int)i->retries, "uv_retries", (int)i->uv_retries, "min_length",
                         (int)i->min_length, "complex", i->complex);
}

static json_t *failed(const char *what, enum ctap_status s) {
        return control_error(PROTOCOL_E_FAILED, "%s (%s). The daemon's log says more.", what,
                             ctap_status_name((uint8_t)s));
}

json_t *manage_pin_status(struct ctap *ctap) {
        struct ctap_pin_info info;
        enum ctap_status s = ctap_pin_describe(ctap, &info);

        if (s != CTAP_OK)
                return failed("The PIN could not be looked at", s);
        return control_result(describe(&info));
}

static json_t *say_blocked_for_now(const struct ctap_pin_info *info, const char *tries) {
        if (info->is_latched)
                return control_error(PROTOCOL_E_PIN,
                                     "Three wrong PINs in a row: no more is tried until the device "
                                     "is unplugged.%s To unplug it, run: tpmauthn replug.",
                                     tries);
        return control_error(PROTOCOL_E_PIN,
                             "The TPM looks at no PIN for now, for it is locked out after wrong "
                             "passwords.%s Wait until its lockout time is over, or clear it "
                             "(tpm2_dictionarylockout -c).",
                             tries);
}

/* `info` is all zero, and `tries` empty, if the PIN could not be looked at. */
static json_t *say(enum ctap_status s, const struct ctap_pin_info *info, const char *tries) {
        switch (s) {
        case CTAP2_ERR_PIN_INVALID:
                return control_error(PROTOCOL_E_PIN, "The PIN is wrong.%s", tries);
        case CTAP2_ERR_PIN_BLOCKED:
                return control_error(PROTOCOL_E_PIN,
                                     "The PIN is blocked: no tries are left. Only a reset, which "
                                     "erases all passkeys, makes a new one possible. See: tpmauthn "
                                     "reset.");
        case CTAP2_ERR_PIN_AUTH_BLOCKED:
                return say_blocked_for_now(info, tries);
        case CTAP2_ERR_PIN_POLICY_VIOLATION:
                return control_error(PROTOCOL_E_PIN,
                                     "A PIN has at least %u characters and at most 63 bytes, and "
                                     "one that must be changed has to become another.%s",
                                     info->min_length,
                                     info->complex
                                             ? " Three of its characters differ, and it is no "
                                               "row such as 1234 or 2468."
                                             : "");
        case CTAP2_ERR_PIN_NOT_SET:
                return control_error(PROTOCOL_E_PIN, "There is no PIN yet. Run: tpmauthn pin set.");
        case CTAP2_ERR_PIN_AUTH_INVALID:
                return control_error(PROTOCOL_E_PIN,
                                     "There is a PIN already. Run: tpmauthn pin change.");
        default:
                return failed("The PIN could not be changed", s);
        }
}

json_t *manage_pin_refusal(struct ctap *ctap, enum ctap_status s) {
        struct ctap_pin_info info = { .min_length = CTAP_MIN_PIN_LENGTH };
        char tries[48] = "";

        if (ctap_pin_describe(ctap, &info) == CTAP_OK)
                snprintf(tries, sizeof(tries),
                         info.retries == 1 ? " %u try is left." : " %u tries are left.",
                         info.retries);
        return say(s, &info, tries);
}

static json_t *answer(struct ctap *ctap, enum ctap_status s) {
        return s == CTAP_OK ? control_result(json_object()) : manage_pin_refusal(ctap, s);
}

static struct bytes text(const json_t *params, const char *name) {
        return BYTES_TEXT(json_string_value(json_object_get(params, name)));
}

json_t *manage_pin_set(struct ctap *ctap, const json_t *params) {
        const bool enrolment = json_is_true(json_object_get(params, "enrolment"));
        const struct bytes pin = text(params, "pin");

        return answer(ctap,
                      enrolment ? ctap_pin_set_for_enrolment(ctap, pin) : ctap_pin_set(ctap, pin));
}

json_t *manage_pin_change(struct ctap *ctap, const json_t *params) {
        return answer(ctap, ctap_pin_change(ctap, text(params, "old"), text(params, "pin")));
}
