/* SPDX-License-Identifier: BSD-2-Clause */

/* Properties and handles. Every list may come in parts (TPM 2.0 Part 3, 30.2). */

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "tpm/capability.h"
#include "tpm/handle.h"
#include "tpm/template.h"

static int get(struct tpm *t, TPM2_CAP capability, uint32_t first, uint32_t count, bool *ret_more,
               TPMS_CAPABILITY_DATA *ret) {
        TPMS_CAPABILITY_DATA *data = NULL;
        TPMI_YES_NO more = TPM2_NO;
        TSS2_RC rc;
        int r = 0;

        rc = Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, capability,
                                first, count, &more, &data);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_fail(t, "TPM2_GetCapability", rc);

        if (data->capability == capability) {
                *ret = *data;
                *ret_more = more == TPM2_YES;
        } else {
                tpm_log(t, LOG_ERR, "TPM: TPM2_GetCapability: the answer is to another question");
                r = -EIO;
        }
        Esys_Free(data);
        return r;
}

int tpm_look_for_handle(struct tpm *t, TPM2_HANDLE first, TPM2_HANDLE last, TPM2_HANDLE except,
                        TPM2_HANDLE *ret) {
        TPM2_HANDLE candidate = first == except ? first + 1 : first;
        bool more = true;

        while (more) {
                TPMS_CAPABILITY_DATA data;
                const TPML_HANDLE *used = &data.data.handles;
                int r = get(t, TPM2_CAP_HANDLES, candidate, TPM2_MAX_CAP_HANDLES, &more, &data);

                if (r < 0)
                        return r;
                if (used->count == 0)
                        more = false;
                for (uint32_t i = 0; i < used->count; i++) {
                        if (used->handle[i] > candidate)
                                more = false; /* they ascend: there is a gap */
                        else if (used->handle[i] == candidate && ++candidate == except)
                                candidate++;
                }
                if (candidate > last || candidate < first)
                        return -ENOSPC;
        }
        *ret = candidate;
        return 0;
}

int tpm_free_handle(struct tpm *t, TPM2_HANDLE first, TPM2_HANDLE last, TPM2_HANDLE except,
                    TPM2_HANDLE *ret) {
        int r = tpm_look_for_handle(t, first, last, except, ret);

        if (r == -ENOSPC)
                tpm_log(t, LOG_ERR,
                        "TPM: every handle from 0x%08x to 0x%08x is in use; "
                        "free one, or configure another range",
                        (unsigned)first, (unsigned)last);
        return r;
}

static int flush_class(struct tpm *t, TPM2_HANDLE first) {
        TPMS_CAPABILITY_DATA data;
        bool more;
        int r;

        r = get(t, TPM2_CAP_HANDLES, first, TPM2_MAX_CAP_HANDLES, &more, &data);
        if (r < 0)
                return r;

        for (uint32_t i = 0; i < data.data.handles.count; i++) {
                ESYS_TR tr;
                TSS2_RC rc;

                rc = Esys_TR_FromTPMPublic(t->esys, data.data.handles.handle[i], ESYS_TR_NONE,
                                           ESYS_TR_NONE, ESYS_TR_NONE, &tr);
                if (rc != TSS2_RC_SUCCESS)
                        return tpm_fail(t, "TPM2_ReadPublic", rc);
                rc = Esys_FlushContext(t->esys, tr);
                if (rc != TSS2_RC_SUCCESS)
                        return tpm_fail(t, "TPM2_FlushContext", rc);
        }
        return 0;
}

int tpm_flush_leftovers(struct tpm *t) {
        static const TPM2_HANDLE classes[] = { TPM2_TRANSIENT_FIRST, TPM2_LOADED_SESSION_FIRST };

        for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
                int r = flush_class(t, classes[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Four characters to a property, most significant first; ret has room for a NUL behind the rest. */
static void put_text(uint32_t value, char *ret) {
        for (int i = 0; i < 4; i++) {
                char c = (char)(value >> (24 - 8 * i));

                ret[i] = c >= 0x20 && c < 0x7f ? c : ' ';
        }
}

static void note_property(const TPMS_TAGGED_PROPERTY *p, struct tpm_info *info) {
        switch (p->property) {
        case TPM2_PT_MANUFACTURER:
                info->manufacturer_id = p->value;
                put_text(p->value, info->manufacturer);
                break;
        case TPM2_PT_VENDOR_STRING_1:
        case TPM2_PT_VENDOR_STRING_2:
        case TPM2_PT_VENDOR_STRING_3:
        case TPM2_PT_VENDOR_STRING_4:
                put_text(p->value, info->vendor + 4 * (p->property - TPM2_PT_VENDOR_STRING_1));
                break;
        case TPM2_PT_REVISION:
                info->revision = p->value;
                break;
        case TPM2_PT_FIRMWARE_VERSION_1:
                info->firmware_major = p->value;
                break;
        case TPM2_PT_FIRMWARE_VERSION_2:
                info->firmware_minor = p->value;
                break;
        case TPM2_PT_PERMANENT:
                info->owner_auth_set = (p->value & TPMA_PERMANENT_OWNERAUTHSET) != 0;
                info->in_lockout = (p->value & TPMA_PERMANENT_INLOCKOUT) != 0;
                break;
        default:
                break;
        }
}

static int ask_properties(struct tpm *t, uint32_t first, struct tpm_info *info) {
        TPMS_CAPABILITY_DATA data;
        bool more;
        int r;

        r = get(t, TPM2_CAP_TPM_PROPERTIES, first, 32, &more, &data);
        if (r < 0)
                return r;

        for (uint32_t i = 0; i < data.data.tpmProperties.count; i++)
                note_property(&data.data.tpmProperties.tpmProperty[i], info);
        return 0;
}

static int ask_curves(struct tpm *t, struct tpm_info *info) {
        TPMS_CAPABILITY_DATA data;
        bool more;
        int r;

        r = get(t, TPM2_CAP_ECC_CURVES, TPM2_ECC_NIST_P256, TPM2_MAX_ECC_CURVES, &more, &data);
        if (r < 0)
                return r;

        for (uint32_t i = 0; i < data.data.eccCurves.count; i++)
                if (data.data.eccCurves.eccCurves[i] == TPM2_ECC_NIST_P384)
                        info->has_p384 = true;
        return 0;
}

/* No list of the TPM says how long a key may be, so it is asked about this one. */
int tpm_ask_rsa2048(struct tpm *t, bool *ret) {
        const TPMT_PUBLIC *template = tpm_key_types[CTAP_KEY_RSA2048].template;
        const TPMT_PUBLIC_PARMS parameters = { template->type, template->parameters };
        TSS2_RC rc = Esys_TestParms(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &parameters);

        if (rc != TSS2_RC_SUCCESS && !tpm_rc_is_refusal(rc) &&
            tpm_rc_base(rc) != TPM2_RC_COMMAND_CODE)
                return tpm_fail(t, "TPM2_TestParms", rc);
        *ret = rc == TSS2_RC_SUCCESS;
        return 0;
}

static int ask_srk(struct tpm *t, struct tpm_info *info) {
        TPMS_CAPABILITY_DATA data;
        bool more;
        int r;

        r = get(t, TPM2_CAP_HANDLES, TPM_SRK_HANDLE, 1, &more, &data);
        if (r < 0)
                return r;

        info->srk_present =
                data.data.handles.count > 0 && data.data.handles.handle[0] == TPM_SRK_HANDLE;
        return 0;
}

static bool starts_with(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

int tpm_ask_info(struct tpm *t, struct tpm_info *ret) {
        struct tpm_info info = { 0 };
        int r;

        r = ask_properties(t, TPM2_PT_FIXED, &info);
        if (r >= 0)
                r = ask_properties(t, TPM2_PT_VAR, &info);
        if (r >= 0)
                r = ask_curves(t, &info);
        if (r >= 0)
                r = ask_srk(t, &info);
        if (r < 0)
                return r;

        /* swtpm says "SW   TPM"; the reference simulator says "xCG fTPM" by default. */
        info.is_simulator = starts_with(info.vendor, "SW  ") || starts_with(info.vendor, "xCG ");
        *ret = info;
        return 0;
}

bool tpm_is_firmware(const struct tpm_info *info) {
        static const char *const makers[] = { "INTC", "AMD", "MSFT", "QCOM" };

        for (size_t i = 0; i < ELEMENTSOF(makers); i++)
                if (starts_with(info->manufacturer, makers[i]))
                        return true;
        return false;
}

static int describe_step(struct tpm *t, void *userdata) {
        return tpm_ask_info(t, userdata);
}

int tpm_describe(struct tpm *t, struct tpm_info *ret) {
        return tpm_run(t, describe_step, ret);
}
