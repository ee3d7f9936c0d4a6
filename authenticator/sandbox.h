/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What this process can do from some moment on, whoever has come to speak for it: the files it is
 * configured with and the system calls it is written with, by Landlock and seccomp. It can be made
 * tighter, never wider. Threads that are made later are in it; so it is entered before the first.
 */

#include "authenticator/config.h"
#include "authenticator/log.h"
#include "ctap/macro.h"

/*
 * 0 also where the configuration or the TPM it names rules it out, and where the kernel knows only one
 * of the two, or neither: the log says so. The folders of the configuration exist already.
 */
_must_check_ int sandbox_enter(const struct config *config, const struct log *log);

/* Its two halves. -EOPNOTSUPP: the kernel has nothing of the kind. After the second no library loads. */
_must_check_ int sandbox_limit_files(const struct config *config);
/* With the network only if the TPM is a simulator that is reached by it. */
_must_check_ int sandbox_limit_calls(bool network);
