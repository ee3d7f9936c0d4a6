/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A private swtpm in a temporary directory, on two loopback ports. It ends with its starter,
 * whatever becomes of that. Everything here aborts the process when it fails: there is no test
 * without a TPM. A swtpm serves one client at a time: whoever uses it has to close its connection
 * before another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct swtpm {
        char dir[64];
        pid_t pid;
        int port;
        bool resumes;  /* the next boot is a TPM2_Startup(STATE) */
        char tcti[64]; /* swtpm:host=127.0.0.1,port=N */
};

void swtpm_start(struct swtpm *s);
/* Ends it and removes its directory. A swtpm that is all zeroes is fine. */
void swtpm_end(struct swtpm *s);

/* Switched off and on: orderly with TPM2_Shutdown, or by SIGKILL. The port stays. */
void swtpm_restart(struct swtpm *s, bool orderly);
/*
 * TPM2_Shutdown(STATE), off and on: TPM Resume, as after suspend to RAM, or TPM Restart, as after
 * hibernation.
 */
void swtpm_sleep(struct swtpm *s, bool resumes);
void swtpm_kill(struct swtpm *s);
void swtpm_boot(struct swtpm *s);

/* TPM2_Clear: what the firmware menu or `tpm2 clear` does. */
void swtpm_clear(struct swtpm *s);
/* Takes a copy of all its state, while it is on; gives it back, by way of a restart. */
void swtpm_snapshot(struct swtpm *s);
void swtpm_restore(struct swtpm *s);

/* Sends raw bytes on a connection of its own; gives the response. */
size_t swtpm_command(struct swtpm *s, const uint8_t *command, size_t len, uint8_t *response,
                     size_t room);

/*
 * The handles of one class (its first handle: 0x01000000, 0x81000000, 0x80000000, 0x02000000,
 * 0x03000000), ascending.
 */
size_t swtpm_handles(struct swtpm *s, uint32_t first, uint32_t *ret, size_t room);

/* A swtpm that serves one end of a socket pair; gives the other. swtpm_end() ends it too. */
int swtpm_start_on_socket(struct swtpm *s);
