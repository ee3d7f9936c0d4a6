/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A TPM that limits the wear of its NV memory answers TPM_RC_NV_RATE and wants to be asked again later;
 * it has not done anything then, so the very same bytes can be sent again, whatever session they carry.
 * That belongs below ESYS: above it, each of the commands would need its own loop. ESYS itself sends
 * a command up to five times after TPM_RC_RETRY and its like, without waiting in between.
 */

#include <string.h>
#include <time.h>

#include "ctap/bytes.h"
#include "tpm/tcti-patient.h"

enum {
        PATIENCE_FIRST_MS = 100,
        PATIENCE_MAX_MS = 2000, /* well below what a client waits */
};

static const uint64_t PATIENT_MAGIC = 0x7470612d77616974; /* "tpa-wait" */

static struct tpm_patient *patient(TSS2_TCTI_CONTEXT *c) {
        return (struct tpm_patient *)c;
}

static bool is_busy(struct bytes response) {
        struct cursor c = { response, false };

        (void)cursor_take(&c, sizeof(TPM2_ST) + sizeof(uint32_t));
        switch (cursor_u32(&c) & ~TSS2_RC_LAYER_MASK) {
        case TPM2_RC_NV_RATE:
        case TPM2_RC_NV_UNAVAILABLE:
        case TPM2_RC_RETRY:
        case TPM2_RC_YIELDED:
        case TPM2_RC_TESTING:
                return true;
        default:
                return false;
        }
}

static void wait_ms(uint32_t ms) {
        struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

        while (nanosleep(&left, &left) != 0)
                ;
}

static TSS2_RC patient_transmit(TSS2_TCTI_CONTEXT *c, size_t len, const uint8_t *command) {
        struct tpm_patient *p = patient(c);

        if (len > sizeof(p->command))
                return TSS2_TCTI_RC_BAD_VALUE;

        memcpy(p->command, command, len);
        p->len = len;
        return Tss2_Tcti_Transmit(p->inner, len, command);
}

static TSS2_RC patient_receive(TSS2_TCTI_CONTEXT *c, size_t *len, uint8_t *response,
                               int32_t timeout) {
        struct tpm_patient *p = patient(c);
        size_t room = *len;

        for (;;) {
                TSS2_RC rc;
                uint32_t wait = p->waited_ms > 0 ? p->waited_ms : PATIENCE_FIRST_MS;

                *len = room;
                rc = Tss2_Tcti_Receive(p->inner, len, response, timeout);
                if (rc != TSS2_RC_SUCCESS || !response)
                        return rc;
                if (!is_busy(BYTES(response, *len))) {
                        p->waited_ms = 0;
                        return rc;
                }
                if (p->waited_ms + wait > PATIENCE_MAX_MS)
                        return rc;

                wait_ms(wait);
                p->waited_ms += wait;
                rc = Tss2_Tcti_Transmit(p->inner, p->len, p->command);
                if (rc != TSS2_RC_SUCCESS)
                        return rc;
        }
}

static TSS2_RC patient_cancel(TSS2_TCTI_CONTEXT *c) {
        return Tss2_Tcti_Cancel(patient(c)->inner);
}

static TSS2_RC patient_poll_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *handles,
                                    size_t *n) {
        return Tss2_Tcti_GetPollHandles(patient(c)->inner, handles, n);
}

static TSS2_RC patient_set_locality(TSS2_TCTI_CONTEXT *c, uint8_t locality) {
        return Tss2_Tcti_SetLocality(patient(c)->inner, locality);
}

void tpm_patient_init(struct tpm_patient *p, TSS2_TCTI_CONTEXT *inner) {
        *p = (struct tpm_patient){
                .tcti = { .v1 = { .magic = PATIENT_MAGIC,
                                  .version = 2,
                                  .transmit = patient_transmit,
                                  .receive = patient_receive,
                                  .cancel = patient_cancel,
                                  .getPollHandles = patient_poll_handles,
                                  .setLocality = patient_set_locality } },
                .inner = inner,
        };
}
